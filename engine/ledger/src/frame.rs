//! Whether bytes are a canonical frame, without making a day block of them.
//!
//! ```text
//!   header 48 │ blinding 32 │ values 4N       │ qualities N │ padding
//!   field by    all zero      none negative     all known     all zero
//!   field                     none where missing
//! ```
//!
//! What is taken, and what refused, is what [`DayLeaf::decode_first`] says of a leaf with tag
//! [`LeafTag::Frame`]. The rows of bytes are gone through whole and judged at their end, so that the compiler
//! can take many bytes at a time; only bytes that fail are read field by field, to name the first that is wrong.

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::INTERVAL_COUNT_MAX;
use tallywatt_core::label::{LABEL_SIZE_MAX, UsagePointId};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{INTERVAL_MINUTES, Source};
use tallywatt_core::register::{Flow, Register};

use crate::blinding::BLINDING_SIZE;
use crate::codec::CodecError;
use crate::day_leaf::{DayLeaf, HEADER_SIZE, LEAF_SIZE_MAX, LEAF_VERSION, LeafTag, leaf_size};
use crate::day_pack::{Header, PackedDay, Qualities};

/// Where the usage point stands.
const POINT_AT: usize = HEADER_SIZE - LABEL_SIZE_MAX;
/// Where the values stand.
const VALUES_AT: usize = HEADER_SIZE + BLINDING_SIZE;
/// The quarter-hours of a day: no local midnight is further from that of UTC.
const OFFSET_QUARTERS_MAX: u8 = 96;

/// What a canonical frame says of itself before its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Where it was measured, zero-padded: [`FrameHeader::usage_point`] gives the name.
    point: [u8; LABEL_SIZE_MAX],
    /// Which register.
    pub register: Register,
    /// Which local delivery day.
    pub day: Day,
    /// First instant of the day.
    pub start: UtcSeconds,
    /// Length of an interval.
    pub interval_minutes: u8,
    /// Number of intervals, 1 to 300.
    pub interval_count: u16,
    /// How many of them have no value.
    pub missing_count: u16,
    /// Where the values came from.
    pub source: Source,
    /// Bytes of the frame; more may follow it.
    pub size: usize,
}

impl FrameHeader {
    /// Where it was measured.
    ///
    /// # Panics
    /// Never: the name was checked with the frame.
    #[must_use]
    pub fn usage_point(&self) -> UsagePointId {
        UsagePointId::from_padded(&self.point).expect("the name was checked with the frame")
    }

    /// Its bytes in the frame: the name, then zeros.
    #[must_use]
    pub const fn padded_usage_point(&self) -> &[u8; LABEL_SIZE_MAX] {
        &self.point
    }
}

/// Checks the frame at the front of `bytes`.
///
/// # Errors
/// The [`CodecError`] that [`DayLeaf::decode_first`] gives; [`CodecError::Kind`] for a sound leaf that is not a
/// frame.
pub fn check_frame(bytes: &[u8]) -> Result<FrameHeader, CodecError> {
    match checked(bytes) {
        Some(header) => Ok(header),
        None => Err(refusal(bytes)),
    }
}

#[cold]
fn refusal(bytes: &[u8]) -> CodecError {
    let want = LeafTag::Frame as u8;
    match DayLeaf::decode_first(bytes) {
        Err(error) => error,
        Ok((leaf, _)) => CodecError::Kind { kind: leaf.tag() as u8, version: LEAF_VERSION, want },
    }
}

/// Checks a day of a pack, as [`check_frame`] checks its frame.
///
/// # Errors
/// As [`check_frame`] of the frame that [`PackedDay::write_leaf`] writes.
///
/// # Panics
/// If the day is not as a `PackReader` gives it.
pub fn check_day(day: &PackedDay<'_>) -> Result<FrameHeader, CodecError> {
    // Packed values are not negative, and blinding and padding are not packed: header and qualities remain.
    if let (Some(header), Qualities::All(code)) = (checked_header(day.header), day.qualities) {
        if code == Quality::Missing.code() && day.width == 0 {
            return Ok(FrameHeader { missing_count: header.interval_count, ..header });
        }
        if code != Quality::Missing.code() && is_quality(code) {
            return Ok(header);
        }
    }
    let mut frame = [0; LEAF_SIZE_MAX];
    let frame = &mut frame[..day.leaf_size()];
    day.write_leaf(frame);
    check_frame(frame)
}

/// The header, if all of the frame is canonical.
fn checked(bytes: &[u8]) -> Option<FrameHeader> {
    let header = checked_header(bytes.first_chunk()?)?;
    let count = usize::from(header.interval_count);
    let frame = bytes.get(..header.size)?;
    let (values, rest) = frame[VALUES_AT..].split_at(4 * count);
    let (qualities, padding) = rest.split_at(count);
    let is_zero = |part: &[u8]| part.iter().fold(0, |all, &byte| all | byte) == 0;
    if !is_zero(&frame[HEADER_SIZE..VALUES_AT]) || !is_zero(padding) {
        return None;
    }
    Some(FrameHeader { missing_count: missing_count(values, qualities)?, ..header })
}

/// What a canonical header says, as if no value were missing.
fn checked_header(header: &Header) -> Option<FrameHeader> {
    let [version, tag, interval_minutes, channel, group_c, zone, source, revision, ..] = *header;
    let flow = Flow::from_group_c(group_c)?;
    let source = Source::from_code(source)?;
    let day = Day::from_number(i32::from_le_bytes([header[8], header[9], header[10], header[11]]))?;
    let interval_count = u16::from_le_bytes([header[12], header[13]]);
    let offset_quarters = i8::from_le_bytes([header[14]]);
    let is_sound = version == LEAF_VERSION
        && tag == LeafTag::Frame as u8
        && revision == 0
        && INTERVAL_MINUTES.contains(&interval_minutes)
        && (1..=INTERVAL_COUNT_MAX).contains(&interval_count)
        && offset_quarters.unsigned_abs() <= OFFSET_QUARTERS_MAX;
    let point: [u8; LABEL_SIZE_MAX] = *header[POINT_AT..].first_chunk()?;
    if !is_sound || !is_name(&point) {
        return None;
    }
    let start = UtcSeconds(i64::from(day.number()) * 86_400 - i64::from(offset_quarters) * 900);
    Some(FrameHeader {
        point,
        register: Register { flow, channel, zone },
        day,
        start,
        interval_minutes,
        interval_count,
        missing_count: 0,
        source,
        size: leaf_size(usize::from(interval_count)),
    })
}

/// Whether `point` is a name and then zeros, as [`UsagePointId::from_padded`] takes it.
fn is_name(point: &[u8; LABEL_SIZE_MAX]) -> bool {
    let mut is_bad = !point[0].is_ascii_graphic();
    for at in 1..LABEL_SIZE_MAX {
        let (before, byte) = (point[at - 1], point[at]);
        let is_text = matches!(byte, b' '..=b'~');
        // After a zero only zeros; before the first of them no space.
        is_bad |= (!is_text & (byte != 0)) | (is_text & (before == 0)) | ((byte == 0) & (before == b' '));
    }
    !is_bad && point[LABEL_SIZE_MAX - 1] != b' '
}

/// How many intervals have no value; `None` if a quality is not known, or a value is negative or stands where
/// none is.
fn missing_count(values: &[u8], qualities: &[u8]) -> Option<u16> {
    let (values, _) = values.as_chunks::<4>();
    let (mut is_known, mut signs, mut missing_count) = (true, 0, 0_u16);
    for &code in qualities {
        is_known &= is_quality(code);
        missing_count = missing_count.wrapping_add(u16::from(code == Quality::Missing.code()));
    }
    for value in values {
        signs |= i32::from_le_bytes(*value);
    }
    if !is_known || signs < 0 {
        return None;
    }
    if missing_count > 0 {
        let mut stray = 0;
        for (value, &code) in values.iter().zip(qualities) {
            let mask = if code == Quality::Missing.code() { -1 } else { 0 };
            stray |= i32::from_le_bytes(*value) & mask;
        }
        if stray != 0 {
            return None;
        }
    }
    Some(missing_count)
}

/// Whether [`Quality::from_code`] knows the code, in as few comparisons.
const fn is_quality(code: u8) -> bool {
    (code == 0) | (code.wrapping_sub(7) <= 14 - 7) | (code.wrapping_sub(16) <= 19 - 16) | (code == 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::calendar::Zone;
    use tallywatt_core::day_block::{DayBlock, MergeCounts};

    use crate::blinding::BlindingSecret;
    use crate::day_pack::{PackReader, PackWriter};

    /// A small generator: the same numbers for the same seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((self.0 >> 33) % limit as u64).unwrap()
        }
    }

    fn leaf(dice: &mut Dice) -> DayLeaf {
        let zone = ["UTC", "Asia/Yekaterinburg", "Europe/Amsterdam", "-06:00"][dice.below(4)];
        let date = ["2026-03-01", "2026-03-29", "2026-10-25"][dice.below(3)];
        let local = Zone::parse(zone).unwrap().local_day(date.parse().unwrap());
        let point = ["A", "Klant 2", "EKB-000017", "DE000562668020O6G56M11SN51G21M24S"][dice.below(4)];
        let minutes = INTERVAL_MINUTES[dice.below(4)];
        let mut block =
            DayBlock::empty(point.parse().unwrap(), Register::IMPORT, local, minutes, Source::Synthetic)
                .unwrap();
        for at in 0..block.interval_count() {
            let quality = if dice.below(3) > 0 { Quality::Valid } else { Quality::ALL[dice.below(14)] };
            block.put(at, i32::try_from(dice.below(1 << 31)).unwrap(), quality, &mut MergeCounts::default());
        }
        match dice.below(8) {
            0 => DayLeaf::batch(block, 1, &BlindingSecret::new([7; 32])),
            1 => DayLeaf::period(block, &BlindingSecret::new([7; 32])),
            _ => DayLeaf::frame(block),
        }
    }

    /// The check and the reference agree on `bytes`; says whether they take them.
    fn check(bytes: &[u8], context: &str) -> bool {
        let got = check_frame(bytes);
        match DayLeaf::decode_first(bytes) {
            Err(error) => assert_eq!(got, Err(error), "{context}"),
            Ok((leaf, _)) if leaf.tag() != LeafTag::Frame => {
                assert!(matches!(got, Err(CodecError::Kind { want: 3, .. })), "{context}")
            }
            Ok((leaf, size)) => {
                let (block, header) = (leaf.block(), got.unwrap());
                assert_eq!(
                    (header.usage_point(), header.register),
                    (block.key().usage_point, block.key().register)
                );
                assert_eq!((header.day, header.start, header.size), (block.key().day, block.start(), size));
                assert_eq!(usize::from(header.interval_count), block.interval_count());
                assert_eq!(header.interval_minutes, block.interval_minutes());
                assert_eq!(header.source, block.source());
                let missing =
                    block.qualities().iter().filter(|&&quality| quality == Quality::Missing).count();
                assert_eq!(usize::from(header.missing_count), missing, "{context}");
                assert_eq!(header.padded_usage_point(), block.key().usage_point.padded());
                return true;
            }
        }
        false
    }

    #[test]
    fn the_check_says_what_the_reference_says() {
        const SEED: u64 = 20_260_301;
        let mut dice = Dice(SEED);
        let (mut taken, mut refused) = (0, 0);
        for case in 0..60_000 {
            let mut bytes = leaf(&mut dice).bytes().to_vec();
            let context = format!("seed {SEED}, case {case}");
            check(&bytes, &context);
            for _ in 0..=dice.below(3) {
                // Half of the changes hit the header, where one byte has many meanings.
                let limit = if dice.below(2) == 0 { HEADER_SIZE } else { bytes.len() };
                let at = dice.below(limit);
                bytes[at] = match dice.below(4) {
                    0 => 0,
                    1 => [1, 3, 7, 20, 32, 127, 255][dice.below(7)],
                    2 => bytes[at] ^ (1 << dice.below(8)),
                    _ => u8::try_from(dice.below(256)).unwrap(),
                };
            }
            match dice.below(10) {
                0 => bytes.truncate(dice.below(bytes.len() + 1)),
                1 => bytes.extend_from_slice(&[9; 100]),
                _ => (),
            }
            if check(&bytes, &context) { taken += 1 } else { refused += 1 }
        }
        assert!(taken > 5_000 && refused > 5_000, "{taken} taken, {refused} refused: both must be met often");
    }

    /// Whatever bytes a packed day's frame has, its check says what the frame's check says.
    #[test]
    fn a_packed_day_is_checked_as_its_frame() {
        const SEED: u64 = 20_260_302;
        let mut dice = Dice(SEED);
        let (mut taken, mut refused) = (0, 0);
        for case in 0..60_000 {
            let mut frame = leaf(&mut dice).bytes().to_vec();
            if dice.below(2) == 0 {
                let at = [dice.below(8), dice.below(HEADER_SIZE), 11, 14][dice.below(4)];
                if !(12..14).contains(&at) {
                    frame[at] ^= 1 << dice.below(8);
                }
            }
            let count = usize::from(u16::from_le_bytes([frame[12], frame[13]]));
            let qualities_at = VALUES_AT + 4 * count;
            match dice.below(4) {
                0 => frame[qualities_at..][..count].fill(u8::try_from(dice.below(256)).unwrap()),
                1 => frame[qualities_at + dice.below(count)] = u8::try_from(dice.below(256)).unwrap(),
                2 => {
                    frame[VALUES_AT..][..4 * count].fill(0);
                    frame[qualities_at..][..count].fill(Quality::Missing.code());
                }
                _ => (),
            }
            let mut pack = PackWriter::default();
            pack.push(&frame);
            let mut bytes = Vec::new();
            pack.finish(&mut bytes);
            let (mut reader, _) = PackReader::new(&bytes, LeafTag::Frame).unwrap();
            assert!(reader.advance().unwrap());
            let mut unpacked = vec![0; reader.leaf_size()];
            reader.packed().write_leaf(&mut unpacked);
            let got = check_day(&reader.packed());
            assert_eq!(got, check_frame(&unpacked), "seed {SEED}, case {case}");
            if got.is_ok() { taken += 1 } else { refused += 1 }
        }
        assert!(taken > 5_000 && refused > 5_000, "{taken} taken, {refused} refused: both must be met often");
    }

    #[test]
    fn every_byte_of_a_frame_is_looked_at() {
        let frame = DayLeaf::frame(leaf(&mut Dice(3)).into_block());
        for at in 0..frame.bytes().len() {
            for value in 0..=255 {
                let mut bytes = frame.bytes().to_vec();
                bytes[at] = value;
                check(&bytes, &format!("byte {at} = {value}"));
            }
        }
    }
}
