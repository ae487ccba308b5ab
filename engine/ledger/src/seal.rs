//! Sealing: day leaves to partition trees to one root, with the counts and sums that every party checks.
//!
//! ```text
//!   day leaves, sorted by (usage point, register, day)
//!      │ partition = first byte of BLAKE3(usage point), 256 of them
//!      ▼
//!   partition tree ─▶ PartitionSummary {root, counts, sums} × 256 ─▶ tree ─▶ Sealed {root, totals}
//! ```
//!
//! Threads and shards own ranges of partitions, so the root does not depend on how many there are.

use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::QUALITY_COUNT;
use tallywatt_core::register::Flow;

use crate::blinding::{POINT_AT, point_block};
use crate::codec::{CodecError, Reader, Writer};
use crate::day_leaf::{DayLeaf, LeafTag};
use crate::day_pack::Header;
use crate::digest;
use crate::hash_many::{BLOCK_SIZE, Mode, hash_each, hash_one};
use crate::leaf_key::is_same_point;
use crate::tree::{Root, Tree, TreeKind};

/// Number of partitions; fixed in the genesis.
pub const PARTITION_COUNT: usize = 256;
/// Kind byte of a partition summary's canonical bytes.
const SUMMARY_KIND: u8 = 0x20;

/// The partition a usage point belongs to, for ever: the first byte of the plain hash of its name, zero-padded to
/// 64 bytes.
#[must_use]
pub fn partition_of(usage_point: &UsagePointId) -> u8 {
    hash_one(Mode::Plain, &point_block(usage_point.padded()))[0]
}

/// How many names are hashed at once.
const NAME_GROUP_COUNT: usize = 64;

/// The partitions of leaves or frames, by their first bytes: what [`partition_of`] says of each. A name is hashed once
/// for its consecutive leaves.
///
/// # Panics
/// If not every header has a place for its partition.
pub fn partitions_of(headers: &[Header], partitions: &mut [u8]) {
    assert_eq!(headers.len(), partitions.len(), "every leaf has a place for its partition");
    let groups = headers.chunks(NAME_GROUP_COUNT).zip(partitions.chunks_mut(NAME_GROUP_COUNT));
    for (headers, partitions) in groups {
        let mut blocks = [[0; BLOCK_SIZE]; NAME_GROUP_COUNT];
        let (mut name_count, mut name_of) = (0, [0; NAME_GROUP_COUNT]);
        for (at, (header, name)) in headers.iter().zip(&mut name_of).enumerate() {
            if at == 0 || !is_same_point(&headers[at - 1], header) {
                blocks[name_count][..POINT_AT.len()].copy_from_slice(&header[POINT_AT]);
                name_count += 1;
            }
            *name = name_count - 1;
        }
        let mut digests = [[0; 32]; NAME_GROUP_COUNT];
        let names = blocks[..name_count].as_flattened();
        hash_each(Mode::Plain, names, BLOCK_SIZE, &mut digests[..name_count]);
        for (partition, name) in partitions.iter_mut().zip(name_of) {
            *partition = digests[name][0];
        }
    }
}

/// Counts and sums over some leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Day leaves.
    pub leaf_count: u64,
    /// Intervals, with or without a value.
    pub interval_count: u64,
    /// Watt-hours by flow, in the order of [`Flow::ALL`].
    pub energy_wh: [i64; 4],
    /// Intervals by quality, in the order of `Quality::ALL`.
    pub quality_counts: [u64; QUALITY_COUNT],
}

impl Totals {
    /// Counts one leaf in.
    ///
    /// # Panics
    /// Past `i64` watt-hours: 9.2 million TWh.
    pub fn add_leaf(&mut self, leaf: &DayLeaf) {
        let block = leaf.block();
        self.leaf_count += 1;
        self.interval_count += u64::try_from(block.interval_count()).expect("a count fits u64");
        let flow = Flow::ALL
            .iter()
            .position(|flow| *flow == block.key().register.flow)
            .expect("ALL lists every flow");
        self.energy_wh[flow] =
            self.energy_wh[flow].checked_add(block.total_wh()).expect("energy fits i64 Wh");
        for quality in block.qualities() {
            self.quality_counts[quality.position()] += 1;
        }
    }

    /// Adds another set of totals.
    ///
    /// # Panics
    /// Past `i64` watt-hours.
    pub fn add(&mut self, other: &Self) {
        *self = self.checked_add(other).expect("energy fits i64 Wh");
    }

    /// With another set of totals added: for totals from outside. `None` past 64 bits.
    #[must_use]
    pub fn checked_add(mut self, other: &Self) -> Option<Self> {
        self.leaf_count = self.leaf_count.checked_add(other.leaf_count)?;
        self.interval_count = self.interval_count.checked_add(other.interval_count)?;
        for (sum, part) in self.energy_wh.iter_mut().zip(other.energy_wh) {
            *sum = sum.checked_add(part)?;
        }
        for (sum, part) in self.quality_counts.iter_mut().zip(other.quality_counts) {
            *sum = sum.checked_add(part)?;
        }
        Some(self)
    }

    /// Intervals that have a value.
    #[must_use]
    pub fn reading_count(&self) -> u64 {
        // A command from outside may claim any counts, and is told apart from ours by its figures.
        self.quality_counts[..QUALITY_COUNT - 1].iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Intervals without a value.
    #[must_use]
    pub fn missing_count(&self) -> u64 {
        self.quality_counts[QUALITY_COUNT - 1]
    }

    /// Watt-hours taken from the grid.
    #[must_use]
    pub fn import_wh(&self) -> i64 {
        self.energy_wh[0]
    }

    /// Appends the canonical fields.
    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.leaf_count).u64(self.interval_count);
        for wh in self.energy_wh {
            writer.i64(wh);
        }
        for count in self.quality_counts {
            writer.u64(count);
        }
    }

    /// Takes the canonical fields.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut totals = Self {
            leaf_count: reader.u64("leaf count")?,
            interval_count: reader.u64("interval count")?,
            ..Self::default()
        };
        for wh in &mut totals.energy_wh {
            *wh = reader.i64("energy")?;
        }
        for count in &mut totals.quality_counts {
            *count = reader.u64("quality count")?;
        }
        Ok(totals)
    }
}

/// One partition's root, counts and sums; a leaf of the upper tree. Bytes in `FORMAT.md` §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSummary {
    /// Which partition.
    pub partition: u8,
    /// Root over its day leaves.
    pub root: Root,
    /// Its counts and sums.
    pub totals: Totals,
}

impl PartitionSummary {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1, SUMMARY_KIND);
        writer.u8(self.partition).hash(&self.root.hash).u64(self.root.count);
        self.totals.write(&mut writer);
        writer.finish()
    }

    /// From the canonical bytes.
    ///
    /// # Errors
    /// [`CodecError`]; also when the root's count is not the totals' leaf count.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, 1, SUMMARY_KIND)?;
        let partition = reader.u8("partition")?;
        let root = Root { hash: reader.hash("partition root")?, count: reader.u64("partition leaf count")? };
        let totals_at = reader.at();
        let totals = Totals::read(&mut reader)?;
        if totals.leaf_count != root.count {
            return Err(reader.refuse("leaf count", totals_at));
        }
        reader.finish()?;
        Ok(Self { partition, root, totals })
    }

    /// The hash under which the upper tree holds it.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        digest::content_hash(&self.encode())
    }
}

/// What sealing gives: the root that goes on the chain, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Root over the 256 partition summaries.
    pub root: Root,
    /// Counts and sums over all leaves.
    pub totals: Totals,
}

/// Whether a batch or a period is sealed: it decides the tag of the leaves and the kinds of the trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealKind {
    /// What was accepted between two cuts.
    Batch,
    /// The accepted set of a billing period.
    Period,
}

impl SealKind {
    /// Tag of the leaves.
    #[must_use]
    pub const fn leaf_tag(self) -> LeafTag {
        match self {
            Self::Batch => LeafTag::Batch,
            Self::Period => LeafTag::Period,
        }
    }

    /// Kind of the tree over one partition's day leaves.
    #[must_use]
    pub const fn partition_tree(self) -> TreeKind {
        match self {
            Self::Batch => TreeKind::BatchPartition,
            Self::Period => TreeKind::PeriodPartition,
        }
    }

    /// Kind of the tree over the partition summaries.
    #[must_use]
    pub const fn upper_tree(self) -> TreeKind {
        match self {
            Self::Batch => TreeKind::Batch,
            Self::Period => TreeKind::Period,
        }
    }
}

/// Why leaves cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Two leaves stand in the wrong order, or twice.
    #[error("leaf {at} of partition {partition} is not after the one before it")]
    Order {
        /// The partition.
        partition: u8,
        /// Index of the later leaf.
        at: usize,
    },
    /// A leaf stands in another usage point's partition, or is of another kind.
    #[error("leaf {at} does not belong in partition {partition}")]
    Place {
        /// The partition.
        partition: u8,
        /// Index of the leaf.
        at: usize,
    },
}

/// The leaves of one batch or period, sealed, ready to prove any of them.
#[derive(Debug, Clone)]
pub struct SealedTree {
    partitions: Vec<(PartitionSummary, Tree, Vec<BlockKey>)>,
    upper: Tree,
    sealed: Sealed,
}

/// Where a leaf is, and the way from it to the sealed root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafProof {
    /// Index in its partition.
    pub index: u64,
    /// Siblings up to the partition root.
    pub path: Vec<ContentHash>,
    /// The partition's summary.
    pub summary: PartitionSummary,
    /// Siblings from the summary up to the sealed root.
    pub upper_path: Vec<ContentHash>,
}

impl SealedTree {
    /// Seals one partition's leaves, sorted.
    ///
    /// # Errors
    /// [`SealError`] if they are out of order, repeated or misplaced.
    pub fn seal_partition(
        kind: SealKind,
        partition: u8,
        leaves: &[DayLeaf],
    ) -> Result<(PartitionSummary, Tree, Vec<BlockKey>), SealError> {
        let mut totals = Totals::default();
        let mut keys: Vec<BlockKey> = Vec::with_capacity(leaves.len());
        for (at, leaf) in leaves.iter().enumerate() {
            let key = leaf.block().key();
            if partition_of(&key.usage_point) != partition || leaf.tag() != kind.leaf_tag() {
                return Err(SealError::Place { partition, at });
            }
            if keys.last().is_some_and(|last| *last >= key) {
                return Err(SealError::Order { partition, at });
            }
            keys.push(key);
            totals.add_leaf(leaf);
        }
        let tree = Tree::new(kind.partition_tree(), leaves.iter().map(DayLeaf::hash).collect());
        Ok((PartitionSummary { partition, root: tree.root(), totals }, tree, keys))
    }

    /// Joins the 256 sealed partitions, in order.
    ///
    /// # Panics
    /// If they are not partitions 0 to 255 in order.
    #[must_use]
    pub fn join(kind: SealKind, partitions: Vec<(PartitionSummary, Tree, Vec<BlockKey>)>) -> Self {
        assert_eq!(partitions.len(), PARTITION_COUNT, "every partition is sealed, also an empty one");
        let mut totals = Totals::default();
        for (at, (summary, _, _)) in partitions.iter().enumerate() {
            assert_eq!(usize::from(summary.partition), at, "partitions stand in order");
            totals.add(&summary.totals);
        }
        let upper =
            Tree::new(kind.upper_tree(), partitions.iter().map(|(summary, _, _)| summary.hash()).collect());
        let sealed = Sealed { root: upper.root(), totals };
        Self { partitions, upper, sealed }
    }

    /// Seals leaves sorted by (partition, usage point, register, day): the naive, single-threaded way, which
    /// every faster one must equal.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(kind: SealKind, leaves: &[DayLeaf]) -> Result<Self, SealError> {
        let mut partitions = Vec::with_capacity(PARTITION_COUNT);
        let mut rest = leaves;
        for partition in 0..=u8::MAX {
            let size = rest
                .iter()
                .take_while(|leaf| partition_of(&leaf.block().key().usage_point) == partition)
                .count();
            let (own, after) = rest.split_at(size);
            partitions.push(Self::seal_partition(kind, partition, own)?);
            rest = after;
        }
        match rest.first() {
            None => Ok(Self::join(kind, partitions)),
            Some(leaf) => {
                Err(SealError::Order { partition: partition_of(&leaf.block().key().usage_point), at: 0 })
            }
        }
    }

    /// The root and totals.
    #[must_use]
    pub const fn sealed(&self) -> Sealed {
        self.sealed
    }

    /// The proof for one register-day; `None` if it is not among the leaves.
    #[must_use]
    pub fn prove(&self, key: &BlockKey) -> Option<LeafProof> {
        let partition = usize::from(partition_of(&key.usage_point));
        let (summary, tree, keys) = &self.partitions[partition];
        let index = keys.binary_search(key).ok()?;
        Some(LeafProof {
            index: u64::try_from(index).ok()?,
            path: tree.path(index)?,
            summary: *summary,
            upper_path: self.upper.path(partition)?,
        })
    }
}

/// The order leaves are sealed in.
#[must_use]
pub fn seal_order(key: &BlockKey) -> (u8, BlockKey) {
    (partition_of(&key.usage_point), *key)
}
