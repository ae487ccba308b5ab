//! The canonical bytes of a day block: wire frame, write-ahead record, Merkle leaf and billing input in one.
//!
//! ```text
//! offset size
//!   0     1   version = 1
//!   1     1   tag: 1 batch leaf, 2 period leaf, 3 frame (not blinded)
//!   2     1   interval length, minutes
//!   3     1   OBIS group B: channel
//!   4     1   OBIS group C: 1 import, 2 export, 3 and 4 reactive
//!   5     1   OBIS group E: zone register, 0 total
//!   6     1   source
//!   7     1   revision: 0 first delivery, 255 the 256th and all later; in a period leaf always 0
//!   8     4   i32 delivery day, days since 1970-01-01
//!  12     2   u16 interval count N
//!  14     1   i8 offset of local midnight from UTC midnight, quarter-hours
//!  15    33   usage point, zero-padded
//!  48    32   blinding
//!  80    4N   i32 Wh, in order of time
//!  80+4N  N   ESPI quality codes
//!   …         zeros to a multiple of 64
//! ```
//!
//! 48 half-hours make 320 bytes. All numbers are little-endian. The length is a multiple of 64 so that many
//! leaves can be hashed at once and still give the standard BLAKE3 hash of each. Also in `FORMAT.md` §1.

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::{BlockKey, DayBlock, INTERVAL_COUNT_MAX};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};

use crate::blinding::{BLINDING_AT, BLINDING_SIZE, BlindingSecret};
use crate::codec::{CodecError, Reader, Writer};
use crate::digest;

/// Bytes before the blinding: they identify the leaf, and the blinding is derived from them.
pub const HEADER_SIZE: usize = 48;
/// Leaves are padded to a multiple of this: a BLAKE3 block.
pub const LEAF_ALIGN: usize = 64;
/// The largest leaf: 300 intervals.
pub const LEAF_SIZE_MAX: usize = leaf_size(INTERVAL_COUNT_MAX as usize);
/// The version of these bytes.
pub const LEAF_VERSION: u8 = 1;

const _: () = assert!(BLINDING_AT.start == HEADER_SIZE);
const _: () = assert!(leaf_size(48) == 320 && leaf_size(24) == 256 && leaf_size(96) == 576);

/// What a leaf is a leaf of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LeafTag {
    /// Of a sealed batch: as delivered, with its revision.
    Batch = 1,
    /// Of a closed period: the accepted set, estimates filled in, revision 0.
    Period = 2,
    /// On the wire or in a write-ahead record: not hashed into a tree, blinding zero.
    Frame = 3,
}

/// Size in bytes of the leaf of a day with `interval_count` intervals.
#[must_use]
pub const fn leaf_size(interval_count: usize) -> usize {
    (HEADER_SIZE + BLINDING_SIZE + 5 * interval_count).next_multiple_of(LEAF_ALIGN)
}

/// A day block's canonical bytes, which decode to that block and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayLeaf {
    block: DayBlock,
    tag: LeafTag,
    revision: u8,
    bytes: Vec<u8>,
}

impl DayLeaf {
    /// A frame: not blinded, for the wire and the write-ahead log.
    #[must_use]
    pub fn frame(block: DayBlock) -> Self {
        let bytes = encode(&block, LeafTag::Frame, 0, None);
        Self { block, tag: LeafTag::Frame, revision: 0, bytes }
    }

    /// The leaf of a sealed batch.
    #[must_use]
    pub fn batch(block: DayBlock, revision: u8, secret: &BlindingSecret) -> Self {
        let bytes = encode(&block, LeafTag::Batch, revision, Some(secret));
        Self { block, tag: LeafTag::Batch, revision, bytes }
    }

    /// The leaf of a closed period. Its revision is 0 whatever was delivered how often, so that the period
    /// root depends on the accepted set only.
    #[must_use]
    pub fn period(block: DayBlock, secret: &BlindingSecret) -> Self {
        let bytes = encode(&block, LeafTag::Period, 0, Some(secret));
        Self { block, tag: LeafTag::Period, revision: 0, bytes }
    }

    /// Reads a leaf that takes up all of `bytes`.
    ///
    /// # Errors
    /// [`CodecError`] names the first field that is not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (leaf, size) = Self::decode_first(bytes)?;
        match bytes.len() - size {
            0 => Ok(leaf),
            count => Err(CodecError::Trailing { count }),
        }
    }

    /// Reads the leaf at the front of `bytes`, and says how long it is: leaves stand end to end in a file.
    ///
    /// # Errors
    /// [`CodecError`] names the first field that is not canonical.
    pub fn decode_first(bytes: &[u8]) -> Result<(Self, usize), CodecError> {
        decode(bytes)
    }

    /// The day block.
    #[must_use]
    pub const fn block(&self) -> &DayBlock {
        &self.block
    }

    /// The day block, the bytes dropped.
    #[must_use]
    pub fn into_block(self) -> DayBlock {
        self.block
    }

    /// What it is a leaf of.
    #[must_use]
    pub const fn tag(&self) -> LeafTag {
        self.tag
    }

    /// How many times this day was sealed before.
    #[must_use]
    pub const fn revision(&self) -> u8 {
        self.revision
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The standard BLAKE3 hash of the bytes.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        digest::content_hash(&self.bytes)
    }

    /// Whether the blinding is the one that `secret` gives: a node checks it, so that nobody else's can differ.
    #[must_use]
    pub fn is_blinded_by(&self, secret: &BlindingSecret) -> bool {
        let point = secret.of_point(&self.block.key().usage_point);
        self.bytes[BLINDING_AT] == point.blinding(&self.bytes)
    }
}

fn encode(block: &DayBlock, tag: LeafTag, revision: u8, secret: Option<&BlindingSecret>) -> Vec<u8> {
    let key = block.key();
    let mut writer = Writer::record(LEAF_VERSION, tag as u8);
    writer
        .u8(block.interval_minutes())
        .u8(key.register.channel)
        .u8(key.register.flow.group_c())
        .u8(key.register.zone)
        .u8(block.source().code())
        .u8(revision)
        .i32(key.day.number())
        .u16(u16::try_from(block.interval_count()).expect("a day has at most 300 intervals"))
        .u8(block.offset_quarters().to_le_bytes()[0])
        .label(&key.usage_point);
    let mut bytes = writer.finish();
    assert_eq!(bytes.len(), HEADER_SIZE, "the header is 48 bytes");
    let blinding =
        secret.map_or([0; BLINDING_SIZE], |secret| secret.of_point(&key.usage_point).blinding(&bytes));
    bytes.reserve_exact(leaf_size(block.interval_count()) - HEADER_SIZE);
    bytes.extend_from_slice(&blinding);
    bytes.extend(block.values_wh().iter().flat_map(|wh| wh.to_le_bytes()));
    bytes.extend(block.qualities().iter().map(|quality| quality.code()));
    bytes.resize(leaf_size(block.interval_count()), 0);
    bytes
}

fn decode(bytes: &[u8]) -> Result<(DayLeaf, usize), CodecError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8("version")?;
    let kind = reader.u8("tag")?;
    let tag = match kind {
        1 => LeafTag::Batch,
        2 => LeafTag::Period,
        3 => LeafTag::Frame,
        _ => return Err(CodecError::Kind { kind, version, want: LeafTag::Batch as u8 }),
    };
    if version != LEAF_VERSION {
        return Err(CodecError::Kind { kind, version, want: kind });
    }
    let interval_minutes = reader.u8("interval length")?;
    let channel = reader.u8("OBIS group B")?;
    let group_c = reader.u8("OBIS group C")?;
    let zone = reader.u8("OBIS group E")?;
    let flow = Flow::from_group_c(group_c).ok_or(CodecError::Value { field: "OBIS group C", at: 4 })?;
    let source =
        Source::from_code(reader.u8("source")?).ok_or(CodecError::Value { field: "source", at: 6 })?;
    let revision = reader.u8("revision")?;
    if tag != LeafTag::Batch && revision != 0 {
        return Err(CodecError::Value { field: "revision", at: 7 });
    }
    let day = Day::from_number(reader.i32("delivery day")?)
        .ok_or(CodecError::Value { field: "delivery day", at: 8 })?;
    let interval_count = reader.u16("interval count")?;
    if interval_count == 0 || interval_count > INTERVAL_COUNT_MAX {
        return Err(CodecError::Value { field: "interval count", at: 12 });
    }
    let offset_quarters = i8::from_le_bytes([reader.u8("offset")?]);
    let usage_point = reader.label("usage point")?;
    let blinding = reader.raw("blinding", BLINDING_SIZE)?;
    if tag == LeafTag::Frame && blinding != [0; BLINDING_SIZE] {
        return Err(CodecError::Value { field: "blinding", at: HEADER_SIZE });
    }
    let mut values_wh = Vec::with_capacity(usize::from(interval_count));
    for _ in 0..interval_count {
        values_wh.push(reader.i32("value")?);
    }
    let qualities_at = reader.at();
    let qualities = reader
        .raw("qualities", usize::from(interval_count))?
        .iter()
        .enumerate()
        .map(|(at, &code)| {
            Quality::from_code(code).ok_or(CodecError::Value { field: "quality", at: qualities_at + at })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let padding_at = reader.at();
    let padding = reader.raw("padding", leaf_size(usize::from(interval_count)) - padding_at)?;
    if padding.iter().any(|&byte| byte != 0) {
        return Err(CodecError::Value { field: "padding", at: padding_at });
    }
    let key = BlockKey { usage_point, register: Register { flow, channel, zone }, day };
    let start = UtcSeconds(i64::from(day.number()) * 86_400 - i64::from(offset_quarters) * 900);
    let block = DayBlock::from_parts(key, start, interval_minutes, source, values_wh, qualities)
        .map_err(|_| CodecError::Value { field: "day block", at: 0 })?;
    let size = reader.at();
    Ok((DayLeaf { block, tag, revision, bytes: bytes[..size].to_vec() }, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::calendar::Zone;
    use tallywatt_core::day_block::MergeCounts;

    fn block() -> DayBlock {
        let local = Zone::parse("Asia/Yekaterinburg").unwrap().local_day("2026-03-01".parse().unwrap());
        let point = "EKB-000017".parse().unwrap();
        let mut block = DayBlock::empty(point, Register::IMPORT, local, 30, Source::Synthetic).unwrap();
        for at in 0..47 {
            let wh = i32::try_from(at).unwrap() * 11;
            block.put(at, wh, Quality::Valid, &mut MergeCounts::default());
        }
        block
    }

    #[test]
    fn bytes_and_back() {
        let secret = BlindingSecret::new([7; 32]);
        for leaf in
            [DayLeaf::frame(block()), DayLeaf::batch(block(), 3, &secret), DayLeaf::period(block(), &secret)]
        {
            assert_eq!(leaf.bytes().len(), 320);
            assert_eq!(DayLeaf::decode(leaf.bytes()).as_ref(), Ok(&leaf));
            assert_eq!(leaf.is_blinded_by(&secret), leaf.tag() != LeafTag::Frame);
        }
        assert!(!DayLeaf::batch(block(), 0, &secret).is_blinded_by(&BlindingSecret::new([8; 32])));
    }

    /// A changed vector is a changed format: a decision, in a commit of its own.
    #[test]
    fn golden_vector() {
        let leaf = DayLeaf::batch(block(), 0, &BlindingSecret::new([7; 32]));
        assert_eq!(leaf.hash().to_string(), GOLDEN_LEAF_HASH);
    }
    const GOLDEN_LEAF_HASH: &str = "49c0cb82a5c73fae63030124fa1332780fe5736992acca3338bc4b5225a51894";

    #[test]
    fn every_flipped_bit_is_refused_or_changes_the_hash() {
        let leaf = DayLeaf::batch(block(), 1, &BlindingSecret::new([7; 32]));
        for at in 0..leaf.bytes().len() {
            for bit in 0..8 {
                let mut bytes = leaf.bytes().to_vec();
                bytes[at] ^= 1 << bit;
                if let Ok(other) = DayLeaf::decode(&bytes) {
                    assert_ne!(other.hash(), leaf.hash(), "byte {at} bit {bit}");
                    assert_eq!(other.bytes(), bytes, "decoding is the identity");
                }
            }
        }
        for size in 0..leaf.bytes().len() {
            assert!(DayLeaf::decode(&leaf.bytes()[..size]).is_err(), "cut to {size}");
        }
    }
}
