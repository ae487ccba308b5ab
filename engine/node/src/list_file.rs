//! A sealed list of canonical records in one file: contracts, bills, settled entries, corrections.
//!
//! ```text
//! offset size
//!   0     8   "TWLIST" and the version, two digits: "TWLIST01"
//!   8     1   what the records are
//!   9     7   zeros
//!  16     4   u32 record count
//!  20         for each record: u32 size, then its bytes
//!  end-32 32  BLAKE3 of everything before
//! ```
//!
//! Also in `FORMAT.md` §7.

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::digest;

const MAGIC: &[u8; 8] = b"TWLIST01";

/// What the records of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ListKind {
    /// Contracts, in canonical order.
    Contracts = 1,
    /// Bills of a period, by account.
    Bills = 2,
    /// Settled entries, in the order in which they were settled.
    Settlement = 3,
    /// Corrections of one run, by account.
    Corrections = 4,
}

/// Why bytes are not such a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The bytes are not canonical.
    #[error("list file is damaged: {0}")]
    Codec(#[from] CodecError),
    /// The hash at the end is not that of the bytes before.
    #[error("list file is damaged: its bytes do not have the hash at its end, at offset {0}")]
    Hash(usize),
}

/// The file of these records.
///
/// # Panics
/// If a record is larger than `codec::BYTES_SIZE_MAX`: core's limits keep bills and payments far below it.
#[must_use]
pub fn encode(kind: ListKind, records: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(MAGIC).u8(kind as u8).raw(&[0; 7]).count(records.len());
    for record in records {
        writer.bytes(record);
    }
    let mut bytes = writer.finish();
    let hash = digest::content_hash(&bytes);
    bytes.extend_from_slice(&hash.0);
    bytes
}

/// The records of a file.
///
/// # Errors
/// [`ListError`].
pub fn decode(kind: ListKind, bytes: &[u8]) -> Result<Vec<&[u8]>, ListError> {
    let body_size = bytes.len().checked_sub(32).ok_or(CodecError::Truncated { field: "hash", at: 0 })?;
    let (body, hash) = bytes.split_at(body_size);
    if digest::content_hash(body) != ContentHash(hash.try_into().unwrap_or_default()) {
        return Err(ListError::Hash(body_size));
    }
    decode_unhashed(kind, bytes)
}

/// The records of a file whose hash may not be that of its bytes: only to find out what is damaged in it.
///
/// # Errors
/// [`ListError::Codec`].
pub fn decode_unhashed(kind: ListKind, bytes: &[u8]) -> Result<Vec<&[u8]>, ListError> {
    let body_size = bytes.len().checked_sub(32).ok_or(CodecError::Truncated { field: "hash", at: 0 })?;
    let body = &bytes[..body_size];
    let mut reader = Reader::new(body);
    let head = reader.raw("head", 16)?;
    if head[..8] != MAGIC[..] || head[8] != kind as u8 || head[9..] != [0; 7] {
        return Err(ListError::Codec(CodecError::Value { field: "head", at: 0 }));
    }
    let count = reader.count("records", u32::MAX)?;
    let mut records = Vec::new();
    for _ in 0..count {
        records.push(reader.bytes("record")?);
    }
    reader.finish()?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_is_found() {
        let records = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
        let bytes = encode(ListKind::Bills, &records);
        assert_eq!(decode(ListKind::Bills, &bytes).unwrap(), records);
        assert!(decode(ListKind::Contracts, &bytes).is_err());
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 0x10;
            assert!(decode(ListKind::Bills, &bent).is_err(), "byte {at}");
            assert!(decode(ListKind::Bills, &bytes[..at]).is_err(), "cut to {at}");
        }
    }
}
