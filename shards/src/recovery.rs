//! The bytes of a write-ahead file, and what of them still holds after a crash. No disk here: bytes in, verdict out.
//!
//! ```text
//! one record, records end to end
//! offset size
//!    0    8   magic 89 54 57 57 41 4c 0d 0a
//!    8    1   version = 1
//!    9    1   kind of the payload
//!   10    2   zero
//!   12    4   u32 payload size N
//!   16    8   u64 sequence number, from 1, without gaps
//!   24    8   u64 offset of this record in the file
//!   32   32   hash of the record before; zeros in the first
//!   64    N   payload
//! 64+N   32   BLAKE3 of everything before in this record
//! ```
//!
//! A record is written only when all before it are durable. So:
//!
//! ```text
//!   good good good ▒▒▒▒            torn: the last write did not finish, was never acknowledged, is cut off
//!   good good ▒▒▒▒ good good       rot: a later record proves that the bad one was durable; nothing is touched
//! ```
//!
//! The offset keeps a record that is copied elsewhere, or that stands inside a payload, from passing for one.
//! What this cannot tell apart: rot in the very last record looks torn. The number of bytes cut is reported.
//! Also in `FORMAT.md` §7.

use std::ops::Range;

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::codec::{Reader, Writer};
use tallywatt_ledger::digest;

/// The largest payload.
pub const PAYLOAD_SIZE_MAX: usize = 64 << 20;
/// Bytes before the payload.
pub const HEADER_SIZE: usize = 64;
/// Bytes after it.
pub const HASH_SIZE: usize = 32;
/// The version of these bytes.
pub const RECORD_VERSION: u8 = 1;

/// The first byte is not text, the line ends are there to be spoilt by a careless copy.
const MAGIC: [u8; 8] = *b"\x89TWWAL\r\n";

const _: () = assert!(PAYLOAD_SIZE_MAX < u32::MAX as usize);

/// Where one record's payload lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRange {
    /// Kind of the payload.
    pub kind: u8,
    /// Its number, from 1.
    pub sequence: u64,
    /// Its bytes.
    pub payload: Range<usize>,
}

/// What of a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The records, in order.
    pub records: Vec<RecordRange>,
    /// Bytes they take up.
    pub valid_size: usize,
    /// Bytes after them: a write that did not finish.
    pub torn_size: usize,
    /// Hash of the last record; zeros when there is none.
    pub last_hash: ContentHash,
}

/// A record that was durable is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence} at {offset} is damaged, yet a whole record stands at {witness_offset}")]
pub struct Rot {
    /// Where the damage starts.
    pub offset: usize,
    /// Number of the damaged record.
    pub sequence: u64,
    /// The whole record that proves it.
    pub witness_offset: usize,
}

/// The bytes of one record, and its hash.
///
/// # Panics
/// If the payload is larger than [`PAYLOAD_SIZE_MAX`]: refused before.
#[must_use]
pub fn encode(
    kind: u8,
    sequence: u64,
    offset: u64,
    previous: &ContentHash,
    payload: &[u8],
) -> (Vec<u8>, ContentHash) {
    assert!(payload.len() <= PAYLOAD_SIZE_MAX, "payloads are limited before they are encoded");
    let size = u32::try_from(payload.len()).expect("the limit fits u32");
    let mut writer = Writer::default();
    writer.raw(&MAGIC).u8(RECORD_VERSION).u8(kind).u16(0).u32(size).u64(sequence).u64(offset).hash(previous);
    let mut bytes = writer.finish();
    assert_eq!(bytes.len(), HEADER_SIZE, "the header is 64 bytes");
    bytes.reserve_exact(payload.len() + HASH_SIZE);
    bytes.extend_from_slice(payload);
    let hash = digest::content_hash(&bytes);
    bytes.extend_from_slice(&hash.0);
    (bytes, hash)
}

/// Finds the records that hold.
///
/// # Errors
/// [`Rot`] when a whole record follows a damaged one, or stands where another belongs.
pub fn recover(bytes: &[u8]) -> Result<Recovery, Rot> {
    let mut recovery =
        Recovery { records: Vec::new(), valid_size: 0, torn_size: 0, last_hash: ContentHash::default() };
    let mut sequence = 1;
    while let Some(record) = whole_record(bytes, recovery.valid_size) {
        if record.sequence != sequence || record.previous != recovery.last_hash {
            let offset = recovery.valid_size;
            return Err(Rot { offset, sequence, witness_offset: offset });
        }
        recovery.valid_size = record.payload.end + HASH_SIZE;
        recovery.last_hash = record.hash;
        recovery.records.push(RecordRange { kind: record.kind, sequence, payload: record.payload });
        sequence += 1;
    }
    let offset = recovery.valid_size;
    if let Some(witness_offset) = whole_record_after(bytes, offset) {
        return Err(Rot { offset, sequence, witness_offset });
    }
    recovery.torn_size = bytes.len() - offset;
    Ok(recovery)
}

struct WholeRecord {
    kind: u8,
    sequence: u64,
    previous: ContentHash,
    payload: Range<usize>,
    hash: ContentHash,
}

/// The record at `offset`, if it is all there and its own hash holds.
fn whole_record(bytes: &[u8], offset: usize) -> Option<WholeRecord> {
    let mut reader = Reader::new(bytes.get(offset..)?);
    let magic = reader.raw("magic", MAGIC.len()).ok()?;
    let (version, kind) = (reader.u8("version").ok()?, reader.u8("kind").ok()?);
    if magic != MAGIC || version != RECORD_VERSION || reader.u16("zero").ok()? != 0 {
        return None;
    }
    let payload_size = usize::try_from(reader.u32("payload size").ok()?).ok()?;
    let sequence = reader.u64("sequence").ok()?;
    let stated_offset = reader.u64("offset").ok()?;
    let previous = reader.hash("previous hash").ok()?;
    if payload_size > PAYLOAD_SIZE_MAX || usize::try_from(stated_offset) != Ok(offset) {
        return None;
    }
    let start = offset + HEADER_SIZE;
    reader.raw("payload", payload_size).ok()?;
    let stated_hash = reader.hash("hash").ok()?;
    let hash = digest::content_hash(&bytes[offset..start + payload_size]);
    let payload = start..start + payload_size;
    (hash == stated_hash).then_some(WholeRecord { kind, sequence, previous, payload, hash })
}

/// The first whole record after `offset`.
fn whole_record_after(bytes: &[u8], offset: usize) -> Option<usize> {
    let mut at = offset + 1;
    while let Some(rest) = bytes.get(at..) {
        at += rest.iter().position(|&byte| byte == MAGIC[0])?;
        if whole_record(bytes, at).is_some() {
            return Some(at);
        }
        at += 1;
    }
    None
}
