//! Parquet's RLE / bit-packed hybrid, written by runs: a register's day costs a few bytes and no work a row.
//!
//! ```text
//!   run      varint (count << 1)       value in ⌈width / 8⌉ bytes
//!   groups   varint (groups << 1 | 1)  groups of 8 values, width bits each, lowest bit first
//! ```
//!
//! A value that repeats 8 times or more becomes a run, what lies between becomes groups. See the encodings page
//! of the Parquet format, "Run Length Encoding / Bit-Packing Hybrid".

/// Values in a bit-packed group, and the shortest run that is stored as one.
pub(crate) const GROUP_SIZE: usize = 8;

/// Writes values of up to 32 bits, a run at a time.
#[derive(Debug)]
pub(crate) struct RunLength {
    width: u32,
    bytes: Vec<u8>,
    /// The last run, which may still grow.
    open: (u32, usize),
    group: [u32; GROUP_SIZE],
    group_size: usize,
    /// Whole groups after the last run.
    groups: Vec<u8>,
}

impl RunLength {
    /// For values of at most `width` bits.
    pub(crate) fn new(width: u32) -> Self {
        assert!(width <= u32::BITS, "the format has no wider values");
        Self {
            width,
            bytes: Vec::new(),
            open: (0, 0),
            group: [0; GROUP_SIZE],
            group_size: 0,
            groups: Vec::new(),
        }
    }

    /// `count` times `value`.
    pub(crate) fn push_run(&mut self, value: u32, count: usize) {
        if count == 0 {
            return;
        }
        if self.open.0 != value {
            self.close_run();
            self.open.0 = value;
        }
        self.open.1 += count;
    }

    /// All bytes. The last group is filled with zeros, which no reader takes for values.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close_run();
        if self.group_size > 0 {
            self.group[self.group_size..].fill(0);
            self.pack_group();
        }
        self.write_groups();
        self.bytes
    }

    fn close_run(&mut self) {
        let (value, mut count) = (self.open.0, std::mem::take(&mut self.open.1));
        if self.group_size > 0 {
            count -= self.put_in_group(value, count);
        }
        if count >= GROUP_SIZE {
            self.write_groups();
            push_varint(&mut self.bytes, count << 1);
            let size = usize::try_from(self.width.div_ceil(8)).expect("at most 4");
            self.bytes.extend_from_slice(&value.to_le_bytes()[..size]);
        } else {
            self.put_in_group(value, count);
        }
    }

    /// Fills the group, at most until it is full; says with how many.
    fn put_in_group(&mut self, value: u32, count: usize) -> usize {
        let taken = count.min(GROUP_SIZE - self.group_size);
        self.group[self.group_size..self.group_size + taken].fill(value);
        self.group_size += taken;
        if self.group_size == GROUP_SIZE {
            self.pack_group();
        }
        taken
    }

    fn pack_group(&mut self) {
        let mut bits = BitWriter::new(std::mem::take(&mut self.groups));
        for &value in &self.group {
            bits.push(u64::from(value), self.width);
        }
        self.groups = bits.finish();
        self.group_size = 0;
    }

    fn write_groups(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let group_size = usize::try_from(self.width).expect("at most 32 bytes hold 8 values");
        push_varint(&mut self.bytes, (self.groups.len() / group_size) << 1 | 1);
        self.bytes.append(&mut self.groups);
    }
}

/// The bits a value of `0..count` needs; at least one, which every reader takes.
pub(crate) fn width_of_index(count: usize) -> u32 {
    (usize::BITS - count.saturating_sub(1).leading_zeros()).max(1)
}

/// A length as Parquet writes it: seven bits a byte, lowest first.
pub(crate) fn push_varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Bits that are written again and again.
#[derive(Debug, Default)]
pub(crate) struct BitString {
    words: Vec<u64>,
    bit_count: usize,
}

impl BitString {
    /// `values` side by side, `width` bits each.
    pub(crate) fn new(values: impl Iterator<Item = u32>, width: u32) -> Self {
        let mut bits = BitWriter::new(Vec::new());
        let count = values.map(|value| bits.push(u64::from(value), width)).count();
        let mut bytes = bits.finish();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let (words, _) = bytes.as_chunks::<8>();
        let width = usize::try_from(width).expect("at most 32");
        Self { words: words.iter().map(|word| u64::from_le_bytes(*word)).collect(), bit_count: count * width }
    }
}

/// Appends bits, lowest first.
#[derive(Debug)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_count: u32,
}

impl BitWriter {
    /// Appends to `bytes`.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, pending: 0, pending_count: 0 }
    }

    /// The low `width` bits of `value`, whose other bits are zero; at most 64.
    pub(crate) fn push(&mut self, value: u64, width: u32) {
        self.pending |= value << self.pending_count;
        let filled = self.pending_count + width;
        if filled >= u64::BITS {
            self.bytes.extend_from_slice(&self.pending.to_le_bytes());
            // Shifting by all 64 bits is what `checked_shr` leaves to us: nothing is over then.
            self.pending = value.checked_shr(u64::BITS - self.pending_count).unwrap_or(0);
        }
        self.pending_count = filled % u64::BITS;
    }

    /// All bits of `string`, a word at a time.
    pub(crate) fn append(&mut self, string: &BitString) {
        let mut left = string.bit_count;
        for &word in &string.words {
            let width = u32::try_from(left.min(64)).expect("at most 64");
            self.push(word, width);
            left = left.saturating_sub(64);
        }
    }

    /// All bytes, the last one filled with zeros.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let size = usize::try_from(self.pending_count.div_ceil(8)).expect("at most 8");
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..size]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run or a group at a time, as the format page says; nothing clever.
    fn decode(bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let (mut at, mut values) = (0, Vec::new());
        while values.len() < count {
            let mut header = 0usize;
            for shift in (0..).step_by(7) {
                header |= usize::from(bytes[at] & 0x7f) << shift;
                at += 1;
                if bytes[at - 1] < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let mut value = [0; 4];
                let size = usize::try_from(width.div_ceil(8)).unwrap();
                value[..size].copy_from_slice(&bytes[at..at + size]);
                at += size;
                values.resize(values.len() + (header >> 1), u32::from_le_bytes(value));
            } else {
                for index in 0..(header >> 1) * 8 {
                    let bit = |place: usize| u32::from(bytes[at + place / 8] >> (place % 8) & 1);
                    let width = usize::try_from(width).unwrap();
                    values.push((0..width).map(|k| bit(index * width + k) << k).sum());
                }
                at += (header >> 1) * usize::try_from(width).unwrap();
            }
        }
        assert_eq!(at, bytes.len(), "nothing is over");
        values.truncate(count);
        values
    }

    fn mixed(seed: &mut u64) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 33).unwrap()
    }

    #[test]
    fn what_is_pushed_is_read() {
        let mut seed = 7;
        for round in 0..2_000 {
            let width = u32::try_from(1 + round % 32).unwrap();
            let (mut encoder, mut want) = (RunLength::new(width), Vec::new());
            for _ in 0..mixed(&mut seed) % 30 {
                let value = u32::try_from(mixed(&mut seed)).unwrap() & (u32::MAX >> (32 - width));
                let count = [mixed(&mut seed) % 3, mixed(&mut seed) % 20, 48][mixed(&mut seed) % 3];
                encoder.push_run(value, count);
                want.resize(want.len() + count, value);
            }
            assert_eq!(decode(&encoder.finish(), width, want.len()), want, "round {round}");
        }
    }

    #[test]
    fn a_long_run_is_a_few_bytes() {
        let mut encoder = RunLength::new(9);
        for _ in 0..1_000 {
            encoder.push_run(300, 1_000);
        }
        assert_eq!(encoder.finish(), [0x80, 0x89, 0x7a, 0x2c, 0x01]);
    }

    #[test]
    fn strings_of_bits_join_at_any_place() {
        for (width, count) in [(1, 1), (6, 46), (6, 50), (7, 100), (32, 3), (11, 64)] {
            let values = |round: u32| (0..count).map(move |at| (at * 7 + round) & (u32::MAX >> (32 - width)));
            let (mut joined, mut single) = (BitWriter::new(vec![9]), BitWriter::new(vec![9]));
            for round in 0..9 {
                joined.append(&BitString::new(values(round), width));
                values(round).for_each(|value| single.push(u64::from(value), width));
            }
            assert_eq!(joined.finish(), single.finish(), "{width} {count}");
        }
    }

    #[test]
    fn width_fits_the_last_index() {
        let table =
            [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (48, 6), (64, 6), (65, 7), (1 << 20, 20)];
        for (count, width) in table {
            assert_eq!(width_of_index(count), width, "{count}");
        }
    }
}
