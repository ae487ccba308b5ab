//! A month's running uses kept on disk: what bills need of every usage point, added up batch by batch.
//!
//! ```text
//! offset size
//!    0     8   magic "TWUSAGE\n"
//!    8     1   version 1
//!    9     3   channel, flow, zone of the register
//!   12     4   i32 first day
//!   16     2   u16 number of days
//!   18     6   zeros
//!   24     8   u64 sequence of the last batch that was added
//!   32    32   what the zones follow from, a hash the caller names
//!   64     …   sections of the 256 partitions, end to end: names, then 32 bytes a usage point
//!    I  256×48 index: u64 offset │ u64 number of usage points │ content hash of the section
//!    …    32   content hash of header and index: what the file is known by
//! ```
//!
//! ```text
//!   batch N ── fold_partition ─┐ by usage point
//!   file to N−1 ── partition ──┴──────▶ added up ──▶ file to N          a month's bills: one reading of this file
//! ```
//!
//! A sum can be kept, not taken back. So a usage point with a day that was irregular (see [`crate::use_fold`]) is marked
//! with the number of such days, and is billed from its day blocks. A batch is added once: sequences ascend.
//!
//! Memory is a partition a thread, twice while batches are added. Also in `FORMAT.md` §7.

mod section;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_core::determinants::UseError;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::PARTITION_COUNT;

use crate::batch_file::BatchFileError;
use crate::batch_file::reader::BatchReader;
use crate::durable::{DurableError, DurableFile};
use crate::threads::Threads;
pub use crate::use_file::section::{KeptUse, RECORD_SIZE};
use crate::use_fold::{USE_DAY_COUNT_MAX, UsePeriod, fold_partition};

/// The version of these bytes.
pub const USE_FILE_VERSION: u8 = 1;
/// The largest section: about 28 million usage points in one partition.
pub const SECTION_SIZE_MAX: u64 = 1 << 30;

const MAGIC: [u8; 8] = *b"TWUSAGE\n";
const HEADER_SIZE: usize = 64;
const ENTRY_SIZE: usize = 48;
const INDEX_SIZE: usize = PARTITION_COUNT * ENTRY_SIZE;
const HASH_SIZE: usize = 32;

/// Of what a use file holds the uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UseHead {
    /// The register.
    pub register: Register,
    /// The first day.
    pub first: Day,
    /// How many days.
    pub day_count: u16,
    /// What the zones follow from: uses of other zones cannot be added to these.
    pub zones: ContentHash,
    /// The last batch that was added.
    pub sequence: u64,
}

/// Why uses cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum UseFileError {
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// The batch cannot be read.
    #[error(transparent)]
    Batch(#[from] BatchFileError),
    /// A field of the header or the index.
    #[error("use file: {0}")]
    Codec(#[from] CodecError),
    /// Header and index do not have the hash at the end.
    #[error("use file is damaged: header and index hash to {got}, it states {stated}")]
    Hash {
        /// What it states.
        stated: ContentHash,
        /// What it is.
        got: ContentHash,
    },
    /// A section does not have the hash in the index.
    #[error("use file is damaged in partition {partition}")]
    Section {
        /// The partition.
        partition: u8,
    },
    /// Too many usage points for a section.
    #[error("{size} bytes of uses in partition {partition}, at most {SECTION_SIZE_MAX}")]
    Size {
        /// The partition.
        partition: u8,
        /// Bytes of its section.
        size: u64,
    },
    /// Uses of another period, register or zones.
    #[error("uses of another period, register or zones cannot be added")]
    Other,
    /// The batch was added already.
    #[error("batch {sequence} comes after batch {last} was added")]
    Sequence {
        /// The batch.
        sequence: u64,
        /// The last one added.
        last: u64,
    },
    /// Sums out of range, or of more days than the period has.
    #[error(transparent)]
    Use(#[from] UseError),
}

/// Adds a batch to what is kept, and writes that: a sorted merge, partition by partition. When this returns, the file
/// survives a power cut; a crash before leaves the old file or none, and the batch can be added again. Gives the hash
/// the file is known by.
///
/// # Errors
/// [`UseFileError`].
///
/// # Panics
/// If the period has more than [`USE_DAY_COUNT_MAX`] days.
pub fn extend(
    path: &Path,
    previous: Option<&UseReader>,
    batch: &BatchReader<'_>,
    (period, zones): (&UsePeriod<'_>, ContentHash),
    threads: &Threads,
) -> Result<ContentHash, UseFileError> {
    let UsePeriod { register, first, day_count, .. } = *period;
    let head = UseHead { register, first, day_count, zones, sequence: batch.sequence() };
    if let Some(UseReader { head: before, .. }) = previous {
        if before.sequence >= head.sequence {
            return Err(UseFileError::Sequence { sequence: head.sequence, last: before.sequence });
        }
        if *before != (UseHead { sequence: before.sequence, ..head }) {
            return Err(UseFileError::Other);
        }
    }
    let section = |partition: u8| -> Result<(usize, Vec<u8>, ContentHash), UseFileError> {
        let added = KeptUse::of(fold_partition(batch, period, partition)?)?;
        let kept = match previous {
            Some(previous) => previous.partition(partition)?.merge(added, day_count)?,
            None => added,
        };
        let bytes = kept.encode();
        let size = wide(bytes.len());
        if size > SECTION_SIZE_MAX {
            return Err(UseFileError::Size { partition, size });
        }
        let hash = content_hash(&bytes);
        Ok((kept.points.len(), bytes, hash))
    };
    let mut file = DurableFile::create(path)?;
    let mut head_and_index = head.encode();
    file.write(&head_and_index)?;
    let mut offset = wide(HEADER_SIZE);
    // As many partitions at once as there are threads: that is the memory.
    let partitions: Vec<u8> = (0..=u8::MAX).collect();
    for some in partitions.chunks(threads.count()) {
        let sections: Vec<_> = threads.pool().install(|| some.par_iter().map(|at| section(*at)).collect());
        for made in sections {
            let (count, bytes, hash) = made?;
            head_and_index.extend(offset.to_le_bytes());
            head_and_index.extend(wide(count).to_le_bytes());
            head_and_index.extend(hash.0);
            offset += wide(bytes.len());
            file.write(&bytes)?;
        }
    }
    let hash = content_hash(&head_and_index);
    file.write(&head_and_index[HEADER_SIZE..])?;
    file.write(&hash.0)?;
    file.commit()?;
    Ok(hash)
}

/// Reads a use file, a partition at a time.
#[derive(Debug)]
pub struct UseReader {
    file: File,
    path: PathBuf,
    head: UseHead,
    hash: ContentHash,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    size: usize,
    count: usize,
    hash: ContentHash,
}

impl UseReader {
    /// Opens a file, and reads and checks its header and index.
    ///
    /// # Errors
    /// [`UseFileError`].
    pub fn open(path: &Path) -> Result<Self, UseFileError> {
        let file = File::open(path).map_err(DurableError::io("open", path))?;
        let size = file.metadata().map_err(DurableError::io("stat", path))?.len();
        let index_at = size
            .checked_sub(wide(INDEX_SIZE + HASH_SIZE))
            .filter(|at| *at >= wide(HEADER_SIZE))
            .ok_or(CodecError::Truncated { field: "header and index", at: 0 })?;
        let mut bytes = vec![0; HEADER_SIZE + INDEX_SIZE + HASH_SIZE];
        let (header, tail) = bytes.split_at_mut(HEADER_SIZE);
        file.read_exact_at(header, 0).map_err(DurableError::io("read", path))?;
        file.read_exact_at(tail, index_at).map_err(DurableError::io("read", path))?;
        let (checked, stated) = bytes.split_at(HEADER_SIZE + INDEX_SIZE);
        let stated = ContentHash(*stated.first_chunk().expect("32 bytes are left"));
        let hash = content_hash(checked);
        let head = UseHead::decode(checked.first_chunk().expect("the header is there"))?;
        if stated != hash {
            return Err(UseFileError::Hash { stated, got: hash });
        }
        let entries = read_index(&checked[HEADER_SIZE..], index_at)?;
        Ok(Self { file, path: path.to_owned(), head, hash, entries })
    }

    /// Of what these are the uses.
    #[must_use]
    pub const fn head(&self) -> UseHead {
        self.head
    }

    /// What the file is known by.
    #[must_use]
    pub const fn hash(&self) -> ContentHash {
        self.hash
    }

    /// How many usage points it holds.
    #[must_use]
    pub fn point_count(&self) -> usize {
        self.entries.iter().map(|entry| entry.count).sum()
    }

    /// One partition, checked against its hash.
    ///
    /// # Errors
    /// [`UseFileError`].
    pub fn partition(&self, partition: u8) -> Result<KeptUse, UseFileError> {
        let Entry { offset, size, count, hash } = self.entries[usize::from(partition)];
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, offset).map_err(DurableError::io("read", &self.path))?;
        if content_hash(&bytes) != hash {
            return Err(UseFileError::Section { partition });
        }
        KeptUse::decode(partition, &bytes, count)
    }

    /// What `take` makes of every partition, by partition, on the thread that read it.
    ///
    /// # Errors
    /// As [`UseReader::partition`]: the first of the first partition that has one.
    pub fn each<T: Send>(
        &self,
        threads: &Threads,
        take: impl Fn(KeptUse) -> T + Sync + Send,
    ) -> Result<Vec<T>, UseFileError> {
        let read = |partition| self.partition(partition).map(&take);
        let made: Vec<Result<T, UseFileError>> =
            threads.pool().install(|| (0..=u8::MAX).into_par_iter().map(read).collect());
        made.into_iter().collect()
    }
}

impl UseHead {
    fn encode(&self) -> Vec<u8> {
        let Register { flow, channel, zone } = self.register;
        let mut bytes = MAGIC.to_vec();
        bytes.extend([USE_FILE_VERSION, channel, flow.group_c(), zone]);
        bytes.extend(self.first.number().to_le_bytes());
        bytes.extend(self.day_count.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.zones.0);
        assert_eq!(bytes.len(), HEADER_SIZE, "as drawn");
        bytes
    }

    fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Self, CodecError> {
        let refuse = |field, at| Err(CodecError::Value { field, at });
        if bytes[..8] != MAGIC {
            return refuse("magic", 0);
        }
        if bytes[8] != USE_FILE_VERSION {
            return refuse("version", 8);
        }
        let flow = Flow::from_group_c(bytes[10]).ok_or(CodecError::Value { field: "flow", at: 10 })?;
        let first = i32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        let first = Day::from_number(first).ok_or(CodecError::Value { field: "first day", at: 12 })?;
        let day_count = u16::from_le_bytes([bytes[16], bytes[17]]);
        if day_count > USE_DAY_COUNT_MAX {
            return refuse("number of days", 16);
        }
        if bytes[18..24] != [0; 6] {
            return refuse("zeros", 18);
        }
        let register = Register { flow, channel: bytes[9], zone: bytes[11] };
        let sequence = u64_at(bytes, 24);
        let zones = ContentHash(*bytes[32..].first_chunk().expect("32 bytes are left"));
        Ok(Self { register, first, day_count, zones, sequence })
    }
}

/// Sections stand end to end from the header to the index.
fn read_index(bytes: &[u8], index_at: u64) -> Result<Vec<Entry>, UseFileError> {
    let rows: Vec<&[u8]> = bytes.chunks_exact(ENTRY_SIZE).collect();
    let offsets: Vec<u64> = rows.iter().map(|row| u64_at(row, 0)).chain([index_at]).collect();
    let refuse = |at: usize| CodecError::Value { field: "index", at: HEADER_SIZE + at * ENTRY_SIZE };
    if offsets[0] != wide(HEADER_SIZE) {
        return Err(refuse(0).into());
    }
    let entry = |(at, row): (usize, &&[u8])| -> Result<Entry, UseFileError> {
        let size = offsets[at + 1].checked_sub(offsets[at]).filter(|size| *size <= SECTION_SIZE_MAX);
        let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(refuse(at))?;
        let count = usize::try_from(u64_at(row, 8)).ok().filter(|count| *count <= size / RECORD_SIZE);
        let hash = ContentHash(*row[16..].first_chunk().expect("an entry ends in a hash"));
        Ok(Entry { offset: offsets[at], size, count: count.ok_or(refuse(at))?, hash })
    };
    rows.iter().enumerate().map(entry).collect()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes are there"))
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).expect("a size in memory fits u64")
}
