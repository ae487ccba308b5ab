//! The bytes of one group: the records that one write and one sync make durable. No disk here.
//!
//! ```text
//! one group; it begins at a multiple of 4,096 in its segment
//! offset size
//!    0    8   magic 89 54 57 57 41 4c 0d 0a
//!    8    1   version = 2
//!    9    3   zero
//!   12    4   u32 number of records
//!   16    8   u64 size of the records, N
//!   24    8   u64 sequence number of the group, from 1 in a generation, without gaps
//!   32    8   u64 generation
//!   40    8   u64 offset of this group in its segment
//!   48    4   u32 number of the segment, from 1
//!   52    4   zero
//!   56   32   hash of the group before; zeros in the first of a generation
//!   88    N   records end to end: u8 kind, u32 payload size, payload
//! 88+N   32   BLAKE3 of everything before in this group
//!    …    …   zeros up to a multiple of 4,096
//! ```
//!
//! Generation, segment and offset keep a group that is copied elsewhere, or that stands inside a payload, from
//! passing for one. Version 1 was a file of single records. Also in `FORMAT.md` §7.

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::codec::{Reader, Writer};
use tallywatt_ledger::digest;

use crate::direct::{AlignedBuffer, BLOCK_SIZE};

/// The largest payload of a record.
pub const PAYLOAD_SIZE_MAX: usize = 64 << 20;
/// The largest group, with its padding: recovery holds one at a time.
pub const GROUP_SIZE_MAX: usize = 320 << 20;
/// Bytes before the records of a group.
pub const HEADER_SIZE: usize = 88;
/// Bytes before the payload of a record.
pub const RECORD_HEADER_SIZE: usize = 5;
/// Bytes after the records of a group.
pub const HASH_SIZE: usize = 32;
/// The version of these bytes.
pub const GROUP_VERSION: u8 = 2;

/// The first byte is not text, the line ends are there to be spoilt by a careless copy.
const MAGIC: [u8; 8] = *b"\x89TWWAL\r\n";

const _: () = assert!(PAYLOAD_SIZE_MAX < u32::MAX as usize);
const _: () = assert!(GROUP_SIZE_MAX / RECORD_HEADER_SIZE < u32::MAX as usize);
const _: () = assert!(HEADER_SIZE + RECORD_HEADER_SIZE + PAYLOAD_SIZE_MAX + HASH_SIZE < GROUP_SIZE_MAX);
const _: () = assert!(GROUP_SIZE_MAX.is_multiple_of(BLOCK_SIZE) && HEADER_SIZE < BLOCK_SIZE);

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupPlace {
    pub(crate) generation: u64,
    pub(crate) segment: u32,
    pub(crate) offset: u64,
}

/// What stands before the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) place: GroupPlace,
    pub(crate) sequence: u64,
    pub(crate) record_count: u32,
    /// Bytes of the records.
    pub(crate) size: usize,
    pub(crate) previous: ContentHash,
}

impl GroupHeader {
    /// Bytes up to and with the hash.
    pub(crate) const fn hashed_size(&self) -> usize {
        HEADER_SIZE + self.size + HASH_SIZE
    }
}

/// What a block begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    Group(GroupHeader),
    /// A group as some other program writes it.
    OtherVersion(u8),
    Nothing,
}

/// Bytes on disk of a group with `size` bytes of records.
pub(crate) const fn padded_size(size: usize) -> usize {
    (HEADER_SIZE + size + HASH_SIZE).next_multiple_of(BLOCK_SIZE)
}

/// Makes the buffer ready for records.
pub(crate) fn begin(buffer: &mut AlignedBuffer) {
    buffer.clear();
    buffer.extend_zeros(HEADER_SIZE);
}

/// Adds a record whose payload is the parts end to end; gives the payload's offset in the group.
pub(crate) fn add_record(buffer: &mut AlignedBuffer, kind: u8, size: usize, parts: &[&[u8]]) -> usize {
    let size = u32::try_from(size).expect("payloads are limited before they are added");
    buffer.extend(&[kind]);
    buffer.extend(&size.to_le_bytes());
    let offset = buffer.len();
    for part in parts {
        buffer.extend(part);
    }
    offset
}

/// Puts the header before the records and the hash and the padding behind them; gives the hash.
pub(crate) fn seal(
    buffer: &mut AlignedBuffer,
    place: GroupPlace,
    sequence: u64,
    record_count: u32,
    previous: &ContentHash,
) -> ContentHash {
    let size = u64::try_from(buffer.len() - HEADER_SIZE).expect("a group's size fits u64");
    let mut writer = Writer::default();
    writer.raw(&MAGIC).u8(GROUP_VERSION).raw(&[0; 3]).u32(record_count).u64(size).u64(sequence);
    writer.u64(place.generation).u64(place.offset).u32(place.segment).u32(0).hash(previous);
    buffer.as_mut_slice()[..HEADER_SIZE].copy_from_slice(&writer.finish());
    let hash = digest::content_hash(buffer.as_slice());
    buffer.extend(&hash.0);
    buffer.extend_zeros(buffer.len().next_multiple_of(BLOCK_SIZE) - buffer.len());
    assert!(buffer.len() <= GROUP_SIZE_MAX, "records are limited before they are added");
    hash
}

/// What a block begins with. No size is believed past [`GROUP_SIZE_MAX`].
pub(crate) fn beginning(bytes: &[u8]) -> Beginning {
    if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Beginning::Nothing;
    }
    match bytes.get(MAGIC.len()) {
        Some(&GROUP_VERSION) => header(bytes).map_or(Beginning::Nothing, Beginning::Group),
        // No version is 0: that is a torn write, of which no more than the magic is there.
        None | Some(0) => Beginning::Nothing,
        Some(&version) => Beginning::OtherVersion(version),
    }
}

fn header(bytes: &[u8]) -> Option<GroupHeader> {
    let mut reader = Reader::new(bytes.get(MAGIC.len() + 1..HEADER_SIZE)?);
    let zeros = reader.raw("zeros", 3).ok()?;
    let record_count = reader.u32("record count").ok()?;
    let size = usize::try_from(reader.u64("size").ok()?).ok()?;
    let sequence = reader.u64("sequence").ok()?;
    let (generation, offset) = (reader.u64("generation").ok()?, reader.u64("offset").ok()?);
    let segment = reader.u32("segment").ok()?;
    let more_zeros = reader.u32("zeros").ok()?;
    let previous = reader.hash("previous hash").ok()?;
    let is_possible =
        zeros == [0; 3] && more_zeros == 0 && size <= GROUP_SIZE_MAX && padded_size(size) <= GROUP_SIZE_MAX;
    let place = GroupPlace { generation, segment, offset };
    is_possible.then_some(GroupHeader { place, sequence, record_count, size, previous })
}

/// The hash of a group, if it is the one that stands behind its records. `bytes` holds at least
/// [`GroupHeader::hashed_size`].
pub(crate) fn whole(header: &GroupHeader, bytes: &[u8]) -> Option<ContentHash> {
    let (hashed, rest) = bytes.split_at(HEADER_SIZE + header.size);
    let hash = digest::content_hash(hashed);
    (rest[..HASH_SIZE] == hash.0).then_some(hash)
}

/// The records of a whole group: kind, offset of the payload in the group, payload. `None` for one that does not end
/// where it must.
pub(crate) fn records<'a>(
    header: &GroupHeader,
    bytes: &'a [u8],
) -> impl Iterator<Item = Option<(u8, usize, &'a [u8])>> + use<'a> {
    let (end, mut left) = (HEADER_SIZE + header.size, header.record_count);
    let mut at = HEADER_SIZE;
    std::iter::from_fn(move || {
        if left == 0 {
            return (std::mem::replace(&mut at, end) != end).then_some(None);
        }
        left -= 1;
        let record = record(bytes.get(..end)?, at);
        at = record.map_or(end, |(_, offset, payload)| offset + payload.len());
        left = if record.is_some() { left } else { 0 };
        Some(record)
    })
}

fn record(bytes: &[u8], at: usize) -> Option<(u8, usize, &[u8])> {
    let mut reader = Reader::new(bytes.get(at..)?);
    let kind = reader.u8("kind").ok()?;
    let size = usize::try_from(reader.u32("payload size").ok()?).ok()?;
    let offset = at + RECORD_HEADER_SIZE;
    Some((kind, offset, bytes.get(offset..offset.checked_add(size)?)?))
}

/// Whether a block of a segment was never written.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Without an early exit, so that it runs over whole vectors.
    bytes.chunks(BLOCK_SIZE).all(|block| block.iter().fold(0, |seen, byte| seen | byte) == 0)
}
