//! A sealed batch or period as one file: packed, provable leaf by leaf, searchable without reading it whole.
//!
//! ```text
//! offset size
//!    0    64   magic "TWBATCH\n", version 2 or 3, 1 batch or 2 period, zeros, u64 sequence number, zeros
//!   64     …   packs, end to end, partition by partition (`tallywatt_ledger::day_pack`)
//!    I   88P   index: for each of P packs  u64 offset │ first 48 bytes of its first leaf │ top of its subtree
//!    …  203Q   summaries of the Q partitions that have leaves
//!    …     …   version 3: events, what stands beside the leaves (`tallywatt_ledger::meter_event_bytes`)
//!    …   248   u64 I │ u64 P │ u64 Q │ sealed root │ totals │ BLAKE3 of everything before
//! ```
//!
//! ```text
//!   leaves ─ PartitionSealer ─▶ SealedPartition ─ BatchWriter ─▶ file ─ BatchReader ─┬─ find, prove: one pack
//!                                                                                    └─ verify_all, leaves
//! ```
//!
//! The caller names the file; what it is *known* by is [`file_hash`]. One set of leaves has one encoding. Blindings are
//! not stored: without the ledger's secret nobody can compute the hashes of the leaves. Also in `FORMAT.md` §7.

pub mod places;
pub mod reader;
pub mod writer;

mod check;
mod layout;

use std::path::Path;

use rayon::prelude::*;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::PACK_LEAF_COUNT_MAX;
use tallywatt_ledger::digest;
use tallywatt_ledger::seal::{PARTITION_COUNT, PartitionSummary, SealError, SealKind, Sealed, Totals};
use tallywatt_ledger::tree::{Tree, TreeTop};

use crate::batch_file::reader::BatchReader;
use crate::batch_file::writer::{BatchWriter, Sink};
use crate::durable::{self, DurableError};
use crate::partition_sealer::{PartitionSealer, SealedPartition};
use crate::sealing::leaves_in;
use crate::threads::Threads;

/// The largest batch file; a larger batch is sealed as several.
pub const BATCH_FILE_SIZE_MAX: u64 = 64 << 30;
/// The largest that is taken into memory whole.
pub const BATCH_MEMORY_SIZE_MAX: u64 = 4 << 30;
/// The version of these bytes.
pub const BATCH_FILE_VERSION: u8 = 2;
/// The version of these bytes where there are events.
pub const BATCH_EVENTS_VERSION: u8 = 3;
/// The largest set of events in one file.
pub const EVENTS_SIZE_MAX: u64 = 4 << 30;
/// Bytes before the first pack.
pub const HEADER_SIZE: usize = 64;
/// Bytes after the last summary.
pub const FOOTER_SIZE: usize = 248;
/// The last bytes of the footer.
pub const HASH_SIZE: usize = 32;

/// A sealed batch or period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFile {
    /// Which of the two.
    pub kind: SealKind,
    /// Its number among its like.
    pub sequence: u64,
    /// Its root and totals.
    pub sealed: Sealed,
    /// Its leaves, in seal order.
    pub leaves: Vec<DayLeaf>,
    /// What stands beside them, in order.
    pub events: Vec<MeterEvent>,
}

/// Why bytes are not a batch file, or leaves cannot be one. Packs count through the file, leaves through their pack.
#[derive(Debug, thiserror::Error)]
pub enum BatchFileError {
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// Leaves that cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Too large.
    #[error("batch file of {size} bytes, at most {max}")]
    Size {
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// A field of the header.
    #[error("batch file header: {0}")]
    Header(CodecError),
    /// A field of the footer; offsets count from its beginning.
    #[error("batch file footer: {0}")]
    Footer(CodecError),
    /// The events are not canonical; offsets count from the first.
    #[error("events of a batch file: {0}")]
    Events(CodecError),
    /// A summary is not canonical, or not after the one before it.
    #[error("summary {at} of a batch file: {source}")]
    SummaryBytes {
        /// Index of the summary in the file.
        at: usize,
        /// What is wrong in it.
        source: CodecError,
    },
    /// A pack does not begin where the one before it ends, or is larger than any.
    #[error("pack {pack} of a batch file has no such offset")]
    Offset {
        /// The pack.
        pack: usize,
    },
    /// A pack is not the one packing of its leaves.
    #[error("pack {pack} of a batch file, leaf {}: {source}", pack * PACK_LEAF_COUNT_MAX + within)]
    Pack {
        /// The pack.
        pack: usize,
        /// How many leaves of it could be read.
        within: usize,
        /// What is wrong; offsets count from the pack.
        source: CodecError,
    },
    /// A leaf is not canonical.
    #[error("pack {pack} of a batch file, leaf {}: {source}", pack * PACK_LEAF_COUNT_MAX + within)]
    Leaf {
        /// The pack.
        pack: usize,
        /// Index in the pack.
        within: usize,
        /// What is wrong; offsets count from the unpacked leaf.
        source: CodecError,
    },
    /// A leaf is not after the one before it.
    #[error("pack {pack} of a batch file, leaf {} is not after the one before it", pack * PACK_LEAF_COUNT_MAX + within)]
    Order {
        /// The pack.
        pack: usize,
        /// Index in the pack.
        within: usize,
    },
    /// A leaf is of another partition.
    #[error("pack {pack} of a batch file, leaf {} is of another partition", pack * PACK_LEAF_COUNT_MAX + within)]
    Place {
        /// The pack.
        pack: usize,
        /// Index in the pack.
        within: usize,
    },
    /// The index names another first leaf.
    #[error("the index of a batch file names another first leaf for pack {pack}")]
    First {
        /// The pack.
        pack: usize,
    },
    /// A pack's leaves do not have the hash in the index.
    #[error(
        "pack {pack} of a batch file, in partition {partition}, does not have its hash: damaged, or blinded by another secret"
    )]
    Top {
        /// Its partition.
        partition: u8,
        /// The pack.
        pack: usize,
    },
    /// A partition's packs do not give its root, counts and sums.
    #[error("the packs of partition {partition} of a batch file do not give its summary")]
    Summary {
        /// The partition.
        partition: u8,
    },
    /// The partitions do not give root and totals.
    #[error("the partitions of a batch file do not give its root and totals")]
    Root,
    /// The last 32 bytes are not the hash of those before.
    #[error("batch file is damaged: its content hashes to {got}, it states {stated}")]
    Hash {
        /// What it states.
        stated: ContentHash,
        /// What it is.
        got: ContentHash,
    },
}

/// What a batch file is known by: the plain hash of all its bytes.
#[must_use]
pub fn file_hash(bytes: &[u8]) -> ContentHash {
    digest::content_hash(bytes)
}

/// The bytes of a batch file before its packs.
#[must_use]
pub fn header(kind: SealKind, sequence: u64) -> Vec<u8> {
    layout::header(kind, sequence, BATCH_FILE_VERSION)
}

/// The bytes of a sealed batch or period from leaves in seal order and no events, and what they are sealed to: in memory, for
/// few leaves. Many are written by [`BatchWriter`]. Blindings are computed again, whatever the leaves hold.
///
/// # Errors
/// [`BatchFileError::Seal`] for leaves out of order or of another kind, [`BatchFileError::Size`].
pub fn encode(
    kind: SealKind,
    sequence: u64,
    leaves: &[DayLeaf],
    secret: &BlindingSecret,
    threads: &Threads,
) -> Result<(Vec<u8>, Sealed), BatchFileError> {
    encode_with(kind, sequence, (leaves, &[]), secret, threads)
}

/// The same, with what stands beside the leaves, in order.
///
/// # Errors
/// As [`encode`].
pub fn encode_with(
    kind: SealKind,
    sequence: u64,
    (leaves, events): (&[DayLeaf], &[MeterEvent]),
    secret: &BlindingSecret,
    threads: &Threads,
) -> Result<(Vec<u8>, Sealed), BatchFileError> {
    let mut writer = BatchWriter::new(Vec::new(), kind, sequence)?;
    writer.put_events(events)?;
    let (bytes, _, sealed) = put_all(writer, &seal_all(kind, leaves, secret, threads)?)?.finish()?;
    within_memory(bytes.len().try_into().unwrap_or(u64::MAX))?;
    Ok((bytes, sealed))
}

/// Reads a batch file from all its bytes, and checks all there is.
///
/// # Errors
/// [`BatchFileError`] names what is wrong first, and where.
pub fn decode(bytes: &[u8], secret: &BlindingSecret, threads: &Threads) -> Result<BatchFile, BatchFileError> {
    within_memory(bytes.len().try_into().unwrap_or(u64::MAX))?;
    let reader = BatchReader::of(bytes)?;
    let leaves = reader.leaves(secret, threads)?;
    let (kind, sequence, sealed) = (reader.kind(), reader.sequence(), reader.sealed());
    Ok(BatchFile { kind, sequence, sealed, leaves, events: reader.events()? })
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
    secret: &BlindingSecret,
    threads: &Threads,
) -> Result<(ContentHash, Sealed), BatchFileError> {
    let partitions = seal_all(kind, leaves, secret, threads)?;
    put_all(BatchWriter::create(path, kind, sequence)?, &partitions)?.finish_durably()
}

/// Reads a batch file of at most [`BATCH_MEMORY_SIZE_MAX`].
///
/// # Errors
/// [`BatchFileError`].
pub fn read(path: &Path, secret: &BlindingSecret, threads: &Threads) -> Result<BatchFile, BatchFileError> {
    decode(&durable::read_limited(path, BATCH_MEMORY_SIZE_MAX)?, secret, threads)
}

/// Every partition of leaves in seal order, sealed side by side.
///
/// # Errors
/// [`SealError`]: the first of the first partition that has one.
pub fn seal_all(
    kind: SealKind,
    leaves: &[DayLeaf],
    secret: &BlindingSecret,
    threads: &Threads,
) -> Result<Vec<SealedPartition>, SealError> {
    let seal = |partition: u8| {
        let own = leaves_in(partition, leaves);
        let mut sealer = PartitionSealer::new(kind, partition, secret);
        for (at, leaf) in own.iter().enumerate() {
            if leaf.tag() != kind.leaf_tag() {
                return Err(SealError::Place { partition, at });
            }
            sealer.push(leaf.bytes())?;
        }
        sealer.finish()
    };
    let sealed: Vec<Result<SealedPartition, SealError>> =
        threads.pool().install(|| (0..=u8::MAX).into_par_iter().map(seal).collect());
    sealed.into_iter().collect()
}

fn put_all<S: Sink>(
    mut writer: BatchWriter<S>,
    partitions: &[SealedPartition],
) -> Result<BatchWriter<S>, BatchFileError> {
    partitions.iter().try_for_each(|partition| writer.put(partition))?;
    Ok(writer)
}

fn within_memory(size: u64) -> Result<(), BatchFileError> {
    let max = BATCH_MEMORY_SIZE_MAX;
    if size > max { Err(BatchFileError::Size { size, max }) } else { Ok(()) }
}

/// All 256 summaries, where only those of partitions with leaves are given.
fn all_summaries(kind: SealKind, given: &[PartitionSummary]) -> Vec<PartitionSummary> {
    let empty = TreeTop::new(kind.partition_tree(), 0, Vec::new()).expect("no leaves have no subtrees");
    let (root, totals) = (empty.root(), Totals::default());
    let mut summaries: Vec<PartitionSummary> =
        (0..=u8::MAX).map(|partition| PartitionSummary { partition, root, totals }).collect();
    for summary in given {
        summaries[usize::from(summary.partition)] = *summary;
    }
    summaries
}

/// What all 256 summaries are sealed to; `None` past 64 bits, which no leaves reach.
fn seal_summaries(kind: SealKind, summaries: &[PartitionSummary]) -> Option<Sealed> {
    assert_eq!(summaries.len(), PARTITION_COUNT, "every partition is sealed, also an empty one");
    let totals =
        summaries.iter().try_fold(Totals::default(), |sum, summary| sum.checked_add(&summary.totals))?;
    let upper = Tree::new(kind.upper_tree(), summaries.iter().map(PartitionSummary::hash).collect());
    Some(Sealed { root: upper.root(), totals })
}
