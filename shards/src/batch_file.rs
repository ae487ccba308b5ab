//! A sealed batch or period as one file: its leaves end to end, in seal order.
//!
//! ```text
//! offset size
//!    0    8   magic "TWBATCH\n"
//!    8    1   version = 1
//!    9    1   1 batch, 2 period
//!   10    6   zero
//!   16    8   u64 sequence number
//!   24    8   u64 number of leaves
//!   32    …   leaves, as drawn in `tallywatt_ledger::day_leaf`
//!    …   32   BLAKE3 of everything before
//! ```
//!
//! The caller names the file; what it is *known* by is [`file_hash`]. One set of leaves has one encoding.
//! Also in `FORMAT.md` §7.

use std::path::Path;

use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::day_leaf::{DayLeaf, LeafTag, leaf_size};
use tallywatt_ledger::digest;
use tallywatt_ledger::seal::{SealKind, seal_order};

use crate::durable::{self, DurableError};

/// The largest batch file; a larger batch is sealed as several.
pub const BATCH_FILE_SIZE_MAX: u64 = 4 << 30;
/// The version of these bytes.
pub const BATCH_FILE_VERSION: u8 = 1;
/// Bytes before the first leaf.
pub const HEADER_SIZE: usize = 32;
/// Bytes after the last.
pub const HASH_SIZE: usize = 32;

const MAGIC: [u8; 8] = *b"TWBATCH\n";
/// A day has at least one interval.
const LEAF_SIZE_MIN: usize = leaf_size(1);

/// A sealed batch or period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFile {
    /// Which of the two.
    pub kind: SealKind,
    /// Its number among its like.
    pub sequence: u64,
    /// Its leaves, in seal order.
    pub leaves: Vec<DayLeaf>,
}

/// Why bytes are not a batch file, or leaves cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum BatchFileError {
    /// The file could not be read.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// Larger than is read back.
    #[error("batch file of {size} bytes, at most {BATCH_FILE_SIZE_MAX}")]
    Size {
        /// Its size.
        size: u64,
    },
    /// The last 32 bytes are not the hash of those before.
    #[error("batch file is damaged: its content hashes to {got}, it states {stated}")]
    Hash {
        /// What it states.
        stated: ContentHash,
        /// What it is.
        got: ContentHash,
    },
    /// A field of the header.
    #[error("batch file header: {0}")]
    Header(CodecError),
    /// A leaf is not canonical.
    #[error("leaf {at} at {offset} of a batch file: {source}")]
    Leaf {
        /// Index of the leaf.
        at: u64,
        /// Where it starts.
        offset: usize,
        /// What is wrong in it; its offsets count from the leaf.
        source: CodecError,
    },
    /// A leaf is of another kind than the file.
    #[error("leaf {at} at {offset} of a batch file is of another kind")]
    Tag {
        /// Index of the leaf.
        at: u64,
        /// Where it starts.
        offset: usize,
    },
    /// A leaf is not after the one before it.
    #[error("leaf {at} at {offset} of a batch file is not after the one before it")]
    Order {
        /// Index of the leaf.
        at: u64,
        /// Where it starts.
        offset: usize,
    },
    /// Bytes stand between the last leaf and the hash.
    #[error("{count} bytes at {offset}, after the last leaf of a batch file")]
    Trailing {
        /// How many.
        count: usize,
        /// Where they start.
        offset: usize,
    },
}

/// What a batch file is known by: the plain hash of all its bytes.
#[must_use]
pub fn file_hash(bytes: &[u8]) -> ContentHash {
    digest::content_hash(bytes)
}

/// The bytes of a sealed batch or period.
///
/// # Errors
/// [`BatchFileError::Size`], [`BatchFileError::Tag`] or [`BatchFileError::Order`].
pub fn encode(kind: SealKind, sequence: u64, leaves: &[DayLeaf]) -> Result<Vec<u8>, BatchFileError> {
    let leaves_size: usize = leaves.iter().map(|leaf| leaf.bytes().len()).sum();
    let size = u64::try_from(HEADER_SIZE + leaves_size + HASH_SIZE).unwrap_or(u64::MAX);
    if size > BATCH_FILE_SIZE_MAX {
        return Err(BatchFileError::Size { size });
    }
    let leaf_count = u64::try_from(leaves.len()).expect("a count in memory fits u64");
    let mut writer = Writer::default();
    writer.raw(&MAGIC).u8(BATCH_FILE_VERSION).u8(kind_code(kind)).raw(&[0; 6]).u64(sequence).u64(leaf_count);
    let mut bytes = writer.finish();
    assert_eq!(bytes.len(), HEADER_SIZE, "the header is 32 bytes");
    bytes.reserve_exact(leaves_size + HASH_SIZE);
    let mut sequence_check = SequenceCheck::new(kind);
    for leaf in leaves {
        sequence_check.take(leaf, bytes.len())?;
        bytes.extend_from_slice(leaf.bytes());
    }
    let hash = digest::content_hash(&bytes);
    bytes.extend_from_slice(&hash.0);
    Ok(bytes)
}

/// Reads a batch file from all its bytes.
///
/// # Errors
/// [`BatchFileError`] names what is not canonical, and where.
pub fn decode(bytes: &[u8]) -> Result<BatchFile, BatchFileError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > BATCH_FILE_SIZE_MAX {
        return Err(BatchFileError::Size { size });
    }
    let (content, stated) = bytes
        .split_last_chunk::<HASH_SIZE>()
        .ok_or(BatchFileError::Header(CodecError::Truncated { field: "hash", at: 0 }))?;
    let (stated, got) = (ContentHash(*stated), digest::content_hash(content));
    if stated != got {
        return Err(BatchFileError::Hash { stated, got });
    }
    let (kind, sequence, leaf_count) = read_header(content).map_err(BatchFileError::Header)?;
    let leaves = read_leaves(kind, leaf_count, content)?;
    Ok(BatchFile { kind, sequence, leaves })
}

/// Writes a sealed batch or period, and gives the hash it is known by. When this returns, the file survives a
/// power cut; a crash before leaves the old file or none, and the leaves can be sealed again.
///
/// # Errors
/// [`BatchFileError`].
pub fn write(
    path: &Path,
    kind: SealKind,
    sequence: u64,
    leaves: &[DayLeaf],
) -> Result<ContentHash, BatchFileError> {
    let bytes = encode(kind, sequence, leaves)?;
    durable::write_durably(path, &bytes)?;
    Ok(file_hash(&bytes))
}

/// Reads a batch file of at most [`BATCH_FILE_SIZE_MAX`].
///
/// # Errors
/// [`BatchFileError`].
pub fn read(path: &Path) -> Result<BatchFile, BatchFileError> {
    decode(&durable::read_limited(path, BATCH_FILE_SIZE_MAX)?)
}

const fn kind_code(kind: SealKind) -> u8 {
    match kind {
        SealKind::Batch => 1,
        SealKind::Period => 2,
    }
}

fn read_header(content: &[u8]) -> Result<(SealKind, u64, u64), CodecError> {
    let mut reader = Reader::new(content);
    if reader.raw("magic", MAGIC.len())? != MAGIC {
        return Err(reader.refuse("magic", 0));
    }
    if reader.u8("version")? != BATCH_FILE_VERSION {
        return Err(reader.refuse("version", 8));
    }
    let kind = match reader.u8("kind")? {
        1 => SealKind::Batch,
        2 => SealKind::Period,
        _ => return Err(reader.refuse("kind", 9)),
    };
    if reader.raw("zero", 6)? != [0; 6] {
        return Err(reader.refuse("zero", 10));
    }
    Ok((kind, reader.u64("sequence")?, reader.u64("leaf count")?))
}

fn read_leaves(kind: SealKind, leaf_count: u64, content: &[u8]) -> Result<Vec<DayLeaf>, BatchFileError> {
    let mut offset = HEADER_SIZE;
    // The count is a claim; the bytes that are there bound what is reserved for it.
    let room = (content.len() - offset) / LEAF_SIZE_MIN;
    let mut leaves = Vec::with_capacity(usize::try_from(leaf_count).map_or(room, |count| count.min(room)));
    let mut sequence_check = SequenceCheck::new(kind);
    for at in 0..leaf_count {
        let (leaf, size) = DayLeaf::decode_first(&content[offset..])
            .map_err(|source| BatchFileError::Leaf { at, offset, source })?;
        sequence_check.take(&leaf, offset)?;
        leaves.push(leaf);
        offset += size;
    }
    match content.len() - offset {
        0 => Ok(leaves),
        count => Err(BatchFileError::Trailing { count, offset }),
    }
}

/// Checks that leaves are of the file's kind and strictly in seal order.
struct SequenceCheck {
    tag: LeafTag,
    at: u64,
    last: Option<(u8, BlockKey)>,
}

impl SequenceCheck {
    const fn new(kind: SealKind) -> Self {
        let tag = match kind {
            SealKind::Batch => LeafTag::Batch,
            SealKind::Period => LeafTag::Period,
        };
        Self { tag, at: 0, last: None }
    }

    fn take(&mut self, leaf: &DayLeaf, offset: usize) -> Result<(), BatchFileError> {
        let at = self.at;
        if leaf.tag() != self.tag {
            return Err(BatchFileError::Tag { at, offset });
        }
        let order = seal_order(&leaf.block().key());
        if self.last.is_some_and(|last| last >= order) {
            return Err(BatchFileError::Order { at, offset });
        }
        self.last = Some(order);
        self.at += 1;
        Ok(())
    }
}
