//! The fixed parts of a batch file: header, index entries, footer. Drawn in `FORMAT.md` §7.

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::day_leaf::HEADER_SIZE as LEAF_HEADER_SIZE;
use tallywatt_ledger::day_pack::{Header, PACK_HEADER_SIZE};
use tallywatt_ledger::seal::{PARTITION_COUNT, SealKind, Sealed, Totals};
use tallywatt_ledger::tree::Root;

use super::{
    BATCH_EVENTS_VERSION, BATCH_FILE_SIZE_MAX, BATCH_FILE_VERSION, BatchFileError, EVENTS_SIZE_MAX,
    FOOTER_SIZE, HASH_SIZE, HEADER_SIZE,
};
use crate::partition_sealer::PackEntry;

const MAGIC: [u8; 8] = *b"TWBATCH\n";
const VERSION_AT: usize = MAGIC.len();
/// Zeros behind kind, and behind the sequence number.
const ZERO_SIZES: [usize; 2] = [6, 40];
/// Bytes of a pack's entry in the index.
pub(super) const ENTRY_SIZE: usize = 8 + LEAF_HEADER_SIZE + 32;
/// Bytes of a partition summary in the index.
pub(super) const SUMMARY_SIZE: usize = 2 + 1 + 32 + 8 + TOTALS_SIZE;
const TOTALS_SIZE: usize = 8 * (2 + 4 + 14);
/// A pack has at least a leaf, and that a control byte and a width.
const PACK_SIZE_MIN: usize = PACK_HEADER_SIZE + 2;

const _: () = assert!(FOOTER_SIZE == 3 * 8 + 32 + TOTALS_SIZE + HASH_SIZE);
const _: () = assert!(HEADER_SIZE == MAGIC.len() + 2 + 8 + ZERO_SIZES[0] + ZERO_SIZES[1]);

pub(super) fn header(kind: SealKind, sequence: u64, version: u8) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(&MAGIC).u8(version).u8(kind_code(kind)).raw(&[0; ZERO_SIZES[0]]);
    writer.u64(sequence).raw(&[0; ZERO_SIZES[1]]);
    let bytes = writer.finish();
    assert_eq!(bytes.len(), HEADER_SIZE, "the header is 64 bytes");
    bytes
}

/// Kind and sequence, and whether the file has events.
pub(super) fn read_header(bytes: &[u8]) -> Result<(SealKind, u64, bool), CodecError> {
    let mut reader = Reader::new(bytes);
    if reader.raw("magic", MAGIC.len())? != MAGIC {
        return Err(reader.refuse("magic", 0));
    }
    let has_events = match reader.u8("version")? {
        BATCH_FILE_VERSION => false,
        BATCH_EVENTS_VERSION => true,
        _ => return Err(reader.refuse("version", VERSION_AT)),
    };
    let kind = match reader.u8("kind")? {
        1 => SealKind::Batch,
        2 if !has_events => SealKind::Period,
        _ => return Err(reader.refuse("kind", 9)),
    };
    if reader.raw("zero", ZERO_SIZES[0])? != [0; ZERO_SIZES[0]] {
        return Err(reader.refuse("zero", 10));
    }
    let sequence = reader.u64("sequence")?;
    if reader.raw("zero", ZERO_SIZES[1])? != [0; ZERO_SIZES[1]] {
        return Err(reader.refuse("zero", 24));
    }
    Ok((kind, sequence, has_events))
}

const fn kind_code(kind: SealKind) -> u8 {
    match kind {
        SealKind::Batch => 1,
        SealKind::Period => 2,
    }
}

pub(super) fn write_entry(entry: &PackEntry, index: &mut Vec<u8>) {
    index.extend_from_slice(&entry.offset.to_le_bytes());
    index.extend_from_slice(&entry.first);
    index.extend_from_slice(&entry.top);
}

/// # Panics
/// If these are not the bytes of one entry.
pub(super) fn read_entry(bytes: &[u8]) -> PackEntry {
    let (offset, rest) = bytes.split_first_chunk::<8>().expect("an entry begins with 8 bytes");
    let (first, rest) = rest.split_first_chunk::<LEAF_HEADER_SIZE>().expect("48 bytes follow");
    let first: Header = *first;
    PackEntry { offset: u64::from_le_bytes(*offset), first, top: rest.try_into().expect("32 bytes are left") }
}

/// What stands at the end of a batch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    /// Where the packs end and the index begins.
    pub index_at: u64,
    pub pack_count: u64,
    /// Partitions that have leaves.
    pub partition_count: u64,
    pub sealed: Sealed,
}

impl Footer {
    /// Without the hash.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.index_at).u64(self.pack_count).u64(self.partition_count);
        writer.hash(&self.sealed.root.hash);
        self.sealed.totals.write(&mut writer);
        let bytes = writer.finish();
        assert_eq!(bytes.len(), FOOTER_SIZE - HASH_SIZE, "the footer is 248 bytes with its hash");
        bytes
    }

    /// From a file of `size` bytes: counts and offsets fit it exactly, so what is allocated for them is in the file.
    /// Between index and footer stand the events, if there are some.
    pub fn decode(bytes: &[u8], size: u64, has_events: bool) -> Result<(Self, ContentHash), BatchFileError> {
        let (footer, hash) = Self::read(bytes).map_err(BatchFileError::Footer)?;
        let refuse = |field, at| Err(BatchFileError::Footer(CodecError::Value { field, at }));
        let packs_size = footer.index_at.checked_sub(wide(HEADER_SIZE));
        let room = packs_size.map_or(0, |size| size / wide(PACK_SIZE_MIN));
        if packs_size.is_none() || footer.index_at > size || size > BATCH_FILE_SIZE_MAX {
            return refuse("index offset", 0);
        }
        if footer.pack_count > room {
            return refuse("pack count", 8);
        }
        if footer.partition_count > wide(PARTITION_COUNT).min(footer.pack_count) {
            return refuse("partition count", 16);
        }
        let end = footer.index_at + footer.index_size() + wide(FOOTER_SIZE);
        let events_size = size.checked_sub(end);
        if has_events && events_size == Some(0) {
            // It ends as a file without events does.
            return Err(BatchFileError::Header(CodecError::Value { field: "version", at: VERSION_AT }));
        }
        let fits = |size| if has_events { size > 0 && size <= EVENTS_SIZE_MAX } else { size == 0 };
        if events_size.is_some_and(fits) { Ok((footer, hash)) } else { refuse("index offset", 0) }
    }

    /// Bytes of the index: at most a few times those of the packs.
    pub const fn index_size(&self) -> u64 {
        self.pack_count * ENTRY_SIZE as u64 + self.partition_count * SUMMARY_SIZE as u64
    }

    fn read(bytes: &[u8]) -> Result<(Self, ContentHash), CodecError> {
        let mut reader = Reader::new(bytes);
        let [index_at, pack_count, partition_count] =
            [reader.u64("index offset")?, reader.u64("pack count")?, reader.u64("partition count")?];
        let (root_hash, totals) = (reader.hash("sealed root")?, Totals::read(&mut reader)?);
        let hash = reader.hash("hash")?;
        reader.finish()?;
        let root = Root { hash: root_hash, count: wide(PARTITION_COUNT) };
        Ok((Self { index_at, pack_count, partition_count, sealed: Sealed { root, totals } }, hash))
    }
}

/// A size or count in memory.
pub(super) fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("a count in memory fits u64")
}
