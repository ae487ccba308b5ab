//! Parquet's RLE / bit-packed hybrid, read by runs: what repeats is one answer, whatever its length.
//!
//! The bytes come from outside. Nothing is believed of them: a run that is longer than what is left of the page
//! is cut there, and bytes that end early are an error.

use bytes::Bytes;

/// Values unpacked at a time.
const BLOCK_SIZE: usize = 32;
/// The most bits of a value.
const WIDTH_MAX: u8 = 32;

/// The bytes are not what the format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RunError {
    /// More bits than the format has.
    #[error("values of {0} bits, at most {WIDTH_MAX}")]
    Width(u8),
    /// They end before the values do.
    #[error("runs end before the values do")]
    Short,
    /// A header past 32 bits, or of no values.
    #[error("a run without a length")]
    Header,
}

/// Some values that were next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Run<'a> {
    /// One value so many times.
    Equal(u32, usize),
    /// These.
    Values(&'a [u32]),
}

/// Reads values of one width.
#[derive(Debug)]
pub(crate) struct RunLengthReader {
    bytes: Bytes,
    at: usize,
    width: usize,
    equal: (u32, usize),
    /// Values that are left in the present groups; they end at a byte.
    packed_count: usize,
    block: [u32; BLOCK_SIZE],
    block_at: usize,
    block_size: usize,
}

impl RunLengthReader {
    /// Reads `bytes` as values of `width` bits.
    pub(crate) fn new(bytes: Bytes, width: u8) -> Result<Self, RunError> {
        if width > WIDTH_MAX {
            return Err(RunError::Width(width));
        }
        Ok(Self {
            bytes,
            at: 0,
            width: usize::from(width),
            equal: (0, 0),
            packed_count: 0,
            block: [0; BLOCK_SIZE],
            block_at: 0,
            block_size: 0,
        })
    }

    /// The next values: at least one and at most `count_max`, which is not zero.
    pub(crate) fn next_run(&mut self, count_max: usize) -> Result<Run<'_>, RunError> {
        while self.equal.1 == 0 && self.block_at == self.block_size && self.packed_count == 0 {
            self.read_header()?;
        }
        if self.equal.1 > 0 {
            let count = self.equal.1.min(count_max);
            self.equal.1 -= count;
            return Ok(Run::Equal(self.equal.0, count));
        }
        if self.block_at == self.block_size {
            self.unpack_block();
        }
        let start = self.block_at;
        self.block_at = self.block_size.min(start.saturating_add(count_max));
        Ok(Run::Values(&self.block[start..self.block_at]))
    }

    fn read_header(&mut self) -> Result<(), RunError> {
        let mut header = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.bytes.get(self.at).ok_or(RunError::Short)?;
            self.at += 1;
            header |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            if shift == 28 {
                return Err(RunError::Header);
            }
        }
        let count = usize::try_from(header >> 1).map_err(|_| RunError::Header)?;
        if count == 0 {
            return Err(RunError::Header);
        }
        if header & 1 == 0 {
            let mut value = [0; 4];
            let size = self.width.div_ceil(8);
            let stored = self.bytes.get(self.at..self.at + size).ok_or(RunError::Short)?;
            value[..size].copy_from_slice(stored);
            self.at += size;
            self.equal = (u32::from_le_bytes(value), count);
        } else {
            // Writers may cut the last groups short; what is not there is not a value.
            let left = self.bytes.len() - self.at;
            let there = (left * 8).checked_div(self.width).unwrap_or(count * 8);
            self.packed_count = there.min(count.saturating_mul(8));
            if self.packed_count == 0 {
                return Err(RunError::Short);
            }
        }
        Ok(())
    }

    fn unpack_block(&mut self) {
        let count = self.packed_count.min(BLOCK_SIZE);
        let size = (count * self.width).div_ceil(8);
        // Each value is cut out of the eight bytes it begins in, so there must be some behind the last.
        let mut packed = [0; BLOCK_SIZE * 4 + 8];
        packed[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
        unpack(self.width, &packed, &mut self.block);
        self.at += size;
        self.packed_count -= count;
        (self.block_at, self.block_size) = (0, count);
    }
}

/// One loop a width, so that every shift is a constant.
fn unpack(width: usize, packed: &[u8; BLOCK_SIZE * 4 + 8], values: &mut [u32; BLOCK_SIZE]) {
    macro_rules! of_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_width::<$width>(packed, values),)*
                _ => values.fill(0),
            }
        };
    }
    of_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

fn unpack_width<const WIDTH: usize>(packed: &[u8; BLOCK_SIZE * 4 + 8], values: &mut [u32; BLOCK_SIZE]) {
    let mask = u64::from(u32::MAX >> (BLOCK_SIZE - WIDTH));
    for (index, value) in values.iter_mut().enumerate() {
        let bit = index * WIDTH;
        let mut word = [0; 8];
        word.copy_from_slice(&packed[bit / 8..bit / 8 + 8]);
        let cut = (u64::from_le_bytes(word) >> (bit % 8)) & mask;
        *value = u32::try_from(cut).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_length::RunLength;

    fn read(bytes: Vec<u8>, width: u8, count: usize, step: usize) -> Result<Vec<u32>, RunError> {
        let mut reader = RunLengthReader::new(Bytes::from(bytes), width)?;
        let mut values = Vec::new();
        while values.len() < count {
            match reader.next_run(step.min(count - values.len()))? {
                Run::Equal(value, count) => values.resize(values.len() + count, value),
                Run::Values(some) => values.extend_from_slice(some),
            }
        }
        Ok(values)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut seed = 3u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..2_000 {
            let width = u8::try_from(1 + round % 32).unwrap();
            let (mut writer, mut want) = (RunLength::new(u32::from(width)), Vec::new());
            for _ in 0..next(40) {
                let value = u32::try_from(next(1 << 31)).unwrap() & (u32::MAX >> (32 - width));
                let count = usize::try_from([next(3), next(100)][usize::try_from(next(2)).unwrap()]).unwrap();
                writer.push_run(value, count);
                want.resize(want.len() + count, value);
            }
            let step = usize::try_from(1 + next(50)).unwrap();
            assert_eq!(read(writer.finish(), width, want.len(), step), Ok(want), "round {round}");
        }
    }

    #[test]
    fn bytes_that_lie_are_refused() {
        let table: [(&[u8], u8, RunError); 6] = [
            (&[], 1, RunError::Short),
            (&[2], 1, RunError::Short),
            (&[0], 1, RunError::Header),
            (&[3], 9, RunError::Short),
            (&[0xff; 9], 1, RunError::Header),
            (&[2, 0], 33, RunError::Width(33)),
        ];
        for (bytes, width, error) in table {
            assert_eq!(read(bytes.to_vec(), width, 1_000, 1_000), Err(error), "{bytes:?}");
        }
    }
}
