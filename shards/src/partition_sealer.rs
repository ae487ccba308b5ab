//! One partition's leaves to its packs, its summary and the tops of its subtrees, 64 leaves at a time.
//!
//! ```text
//!   leaf ─ order, place ─┬─▶ totals            straight from the bytes
//!                        ├─▶ pack               a quarter of the bytes
//!                        └─▶ 64 side by side ─▶ partition checked ─▶ blinded ─▶ hashed ─▶ subtree top
//!                                                                                            │
//!   finish ─▶ SealedPartition { summary, packs, index: where each pack begins, its first leaf, its top }
//! ```
//!
//! All sealing goes through here. It gives what `SealedTree::seal_partition` gives, which is the naive way.

use tallywatt_core::day_block::INTERVAL_COUNT_MAX;
use tallywatt_core::quality::{QUALITY_COUNT, Quality};
use tallywatt_core::register::Flow;
use tallywatt_ledger::blinding::{BLINDING_SIZE, BlindingSecret};
use tallywatt_ledger::day_leaf::{HEADER_SIZE, LEAF_SIZE_MAX, LEAF_VERSION, leaf_size};
use tallywatt_ledger::day_pack::{Header, PACK_LEAF_COUNT_MAX, PackReader, PackWriter, Qualities};
use tallywatt_ledger::hash_many::{Digest, Mode, hash_each};
use tallywatt_ledger::leaf_key::is_after;
use tallywatt_ledger::seal::{PartitionSummary, SealError, SealKind, Totals, partitions_of};
use tallywatt_ledger::tree::{TreeTop, subtree_top};

/// A sealed partition: what goes into a batch file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPartition {
    /// Which of the two it was sealed for.
    pub kind: SealKind,
    /// Its root, counts and sums.
    pub summary: PartitionSummary,
    /// Its packs, end to end.
    pub packs: Vec<u8>,
    /// Its packs, in order.
    pub index: Vec<PackEntry>,
}

/// Where a pack is, and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackEntry {
    /// Where it begins: in the packs of a partition, or in a file.
    pub offset: u64,
    /// The first bytes of its first leaf.
    pub first: Header,
    /// The top node of the subtree of its leaves.
    pub top: Digest,
}

/// What a sealed partition took up: asking the system for it anew costs more than writing it.
#[derive(Debug, Default)]
pub struct Room {
    packs: Vec<u8>,
    index: Vec<PackEntry>,
}

impl From<SealedPartition> for Room {
    fn from(SealedPartition { packs, index, .. }: SealedPartition) -> Self {
        Self { packs, index }
    }
}

/// Seals one partition, leaf by leaf.
pub struct PartitionSealer<'a> {
    group: LeafGroup<'a>,
    packer: PackWriter,
    totals: Totals,
    last: Header,
    values: [i32; INTERVAL_COUNT_MAX as usize],
    packs: Vec<u8>,
    index: Vec<PackEntry>,
}

impl<'a> PartitionSealer<'a> {
    /// A partition without leaves.
    #[must_use]
    pub fn new(kind: SealKind, partition: u8, secret: &'a BlindingSecret) -> Self {
        Self::with_room(kind, partition, secret, Room::default())
    }

    /// The same, in room that another one had.
    #[must_use]
    pub fn with_room(kind: SealKind, partition: u8, secret: &'a BlindingSecret, room: Room) -> Self {
        let Room { mut packs, mut index } = room;
        packs.clear();
        index.clear();
        Self {
            group: LeafGroup::new(kind, partition, secret),
            packer: PackWriter::default(),
            totals: Totals::default(),
            last: [0; HEADER_SIZE],
            values: [0; INTERVAL_COUNT_MAX as usize],
            packs,
            index,
        }
    }

    /// Adds a canonical leaf or frame; its tag and blinding do not count, its revision is kept.
    ///
    /// # Errors
    /// [`SealError::Order`] if it is not after the one before, [`SealError::Place`] if it has a revision and a period
    /// is sealed, or if its usage point is of another partition: that is said with up to 64 leaves' delay, at the
    /// latest by [`PartitionSealer::finish`]. After an error the partition is worth nothing.
    ///
    /// # Panics
    /// If the bytes are no canonical leaf.
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), SealError> {
        let header = leaf.first_chunk::<HEADER_SIZE>().expect("a leaf has a header");
        let count = interval_count(header);
        assert!((1..=self.values.len()).contains(&count) && leaf.len() == leaf_size(count), "a whole leaf");
        self.begin_leaf(header)?;
        let (value_bytes, rest) = leaf[VALUES_AT..].split_at(4 * count);
        let values = &mut self.values[..count];
        for (value, bytes) in values.iter_mut().zip(value_bytes.as_chunks::<4>().0) {
            *value = i32::from_le_bytes(*bytes);
        }
        let qualities = Qualities::of(&rest[..count]);
        add_totals(&mut self.totals, header, values, qualities);
        self.packer.push_day(header, values, qualities);
        self.group.place(leaf.len()).copy_from_slice(leaf);
        self.end_leaf()
    }

    /// Adds the day that a reader of packs is at, as [`PartitionSealer::push`] adds its leaf.
    ///
    /// # Errors
    /// As [`PartitionSealer::push`].
    pub fn push_day(&mut self, day: &PackReader<'_>) -> Result<(), SealError> {
        self.begin_leaf(day.header())?;
        add_totals(&mut self.totals, day.header(), day.values_wh(), day.qualities());
        self.packer.push_packed(&day.packed());
        day.write_leaf(self.group.place(day.leaf_size()));
        self.end_leaf()
    }

    fn begin_leaf(&mut self, header: &Header) -> Result<(), SealError> {
        assert_eq!(header[0], LEAF_VERSION, "a leaf of the one version");
        let (kind, partition) = (self.group.kind, self.group.partition);
        let at = self.leaf_count();
        if kind == SealKind::Period && header[REVISION_AT] != 0 {
            return Err(SealError::Place { partition, at });
        }
        if at > 0 && !is_after(&self.last, header) {
            return Err(SealError::Order { partition, at });
        }
        self.last = *header;
        if self.packer.leaf_count() == 0 {
            let offset = u64::try_from(self.packs.len()).expect("a size in memory fits u64");
            self.index.push(PackEntry { offset, first: *header, top: Digest::default() });
        }
        Ok(())
    }

    fn end_leaf(&mut self) -> Result<(), SealError> {
        self.group.tag_last();
        if self.packer.is_full() { self.finish_pack() } else { Ok(()) }
    }

    /// The sealed partition.
    ///
    /// # Errors
    /// [`SealError::Place`], as [`PartitionSealer::push`].
    pub fn finish(mut self) -> Result<SealedPartition, SealError> {
        if self.packer.leaf_count() > 0 {
            self.finish_pack()?;
        }
        let LeafGroup { kind, partition, .. } = self.group;
        let root = self.top().root();
        let summary = PartitionSummary { partition, root, totals: self.totals };
        Ok(SealedPartition { kind, summary, packs: self.packs, index: self.index })
    }

    fn top(&self) -> TreeTop {
        let tops = self.index.iter().map(|entry| entry.top).collect();
        TreeTop::new(self.group.kind.partition_tree(), self.totals.leaf_count, tops)
            .expect("every 64 leaves have a subtree")
    }

    fn finish_pack(&mut self) -> Result<(), SealError> {
        let leaves_before = self.leaf_count() - self.group.count;
        if let Some(within) = self.group.misplaced() {
            let (partition, at) = (self.group.partition, leaves_before + within);
            return Err(SealError::Place { partition, at });
        }
        let entry = self.index.last_mut().expect("the pack's first leaf made an entry");
        (entry.first[TAG_AT], entry.top) = (self.group.kind.leaf_tag() as u8, self.group.seal());
        self.packer.finish(&mut self.packs);
        self.group.clear();
        Ok(())
    }

    fn leaf_count(&self) -> usize {
        usize::try_from(self.totals.leaf_count).expect("counted in memory")
    }
}

/// Up to 64 leaves side by side: the leaves of one pack, whose hashes are one subtree.
pub(crate) struct LeafGroup<'a> {
    kind: SealKind,
    partition: u8,
    secret: &'a BlindingSecret,
    /// Room for as many of the largest leaves; what is there of the leaves before is written over.
    bytes: Box<[u8]>,
    size: usize,
    sizes: [usize; PACK_LEAF_COUNT_MAX],
    count: usize,
    digests: [Digest; PACK_LEAF_COUNT_MAX],
}

impl<'a> LeafGroup<'a> {
    pub(crate) fn new(kind: SealKind, partition: u8, secret: &'a BlindingSecret) -> Self {
        Self {
            kind,
            partition,
            secret,
            bytes: vec![0; PACK_LEAF_COUNT_MAX * LEAF_SIZE_MAX].into(),
            size: 0,
            sizes: [0; PACK_LEAF_COUNT_MAX],
            count: 0,
            digests: [[0; 32]; PACK_LEAF_COUNT_MAX],
        }
    }

    /// Makes room for a leaf of this size, for the caller to write all of it.
    pub(crate) fn place(&mut self, size: usize) -> &mut [u8] {
        let start = self.size;
        self.size += size;
        self.sizes[self.count] = size;
        self.count += 1;
        &mut self.bytes[start..self.size]
    }

    /// Gives the leaf that was placed last the tag of what is sealed.
    fn tag_last(&mut self) {
        let start = self.size - self.sizes[self.count - 1];
        self.bytes[start + TAG_AT] = self.kind.leaf_tag() as u8;
    }

    /// The first leaf whose usage point is not of this partition.
    pub(crate) fn misplaced(&self) -> Option<usize> {
        let mut headers: [Header; PACK_LEAF_COUNT_MAX] = [[0; HEADER_SIZE]; PACK_LEAF_COUNT_MAX];
        let mut partitions = [0; PACK_LEAF_COUNT_MAX];
        let (headers, partitions) = (&mut headers[..self.count], &mut partitions[..self.count]);
        for (header, leaf) in headers.iter_mut().zip(self.leaves()) {
            header.copy_from_slice(&leaf[..HEADER_SIZE]);
        }
        partitions_of(headers, partitions);
        partitions.iter().position(|partition| *partition != self.partition)
    }

    /// Blinds the leaves, hashes them, and gives the top of their subtree.
    pub(crate) fn seal(&mut self) -> Digest {
        let (mut first, mut start) = (0, 0);
        while first < self.count {
            let (size, run) = run_at(&self.sizes[..self.count], first);
            let leaves = &mut self.bytes[start..start + run * size];
            self.secret.blind(leaves, size);
            hash_each(Mode::Plain, leaves, size, &mut self.digests[first..first + run]);
            (first, start) = (first + run, start + run * size);
        }
        subtree_top(self.digests())
    }

    /// How many leaves.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The hashes of the leaves, once sealed.
    pub(crate) fn digests(&self) -> &[Digest] {
        &self.digests[..self.count]
    }

    /// The leaves, one by one.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..self.size];
        self.sizes[..self.count].iter().map(move |size| {
            let (leaf, after) = rest.split_at(*size);
            rest = after;
            leaf
        })
    }

    /// Forgets the leaves, keeps the room.
    pub(crate) fn clear(&mut self) {
        (self.size, self.count) = (0, 0);
    }
}

/// Size of leaf `first`, and how many from it on have that size.
fn run_at(sizes: &[usize], first: usize) -> (usize, usize) {
    let size = sizes[first];
    (size, sizes[first..].iter().take_while(|other| **other == size).count())
}

const TAG_AT: usize = 1;
const FLOW_AT: usize = 4;
const REVISION_AT: usize = 7;
const COUNT_AT: usize = 12;
const VALUES_AT: usize = HEADER_SIZE + BLINDING_SIZE;

fn interval_count(header: &Header) -> usize {
    usize::from(u16::from_le_bytes([header[COUNT_AT], header[COUNT_AT + 1]]))
}

/// As `Totals::add_leaf`, by the parts.
pub(crate) fn add_totals(totals: &mut Totals, header: &Header, values: &[i32], qualities: Qualities<'_>) {
    let count = u64::try_from(values.len()).expect("a count fits u64");
    totals.leaf_count += 1;
    totals.interval_count += count;
    let flow = usize::from(header[FLOW_AT].wrapping_sub(1));
    assert!(flow < Flow::ALL.len(), "a flow of the OBIS codes");
    // Values are not negative and few: no sum of them wraps, and without a check eight are added at once.
    let sum = values.iter().fold(0_u64, |sum, value| sum.wrapping_add(u64::from(value.cast_unsigned())));
    let sum = i64::try_from(sum).expect("at most 300 values of 31 bits");
    totals.energy_wh[flow] = totals.energy_wh[flow].checked_add(sum).expect("energy fits i64 Wh");
    match qualities {
        Qualities::All(code) => totals.quality_counts[quality_position(code)] += count,
        Qualities::Each(codes) => {
            codes.iter().for_each(|code| totals.quality_counts[quality_position(*code)] += 1);
        }
    }
}

fn quality_position(code: u8) -> usize {
    const POSITIONS: [u8; 256] = quality_positions();
    let position = usize::from(POSITIONS[usize::from(code)]);
    assert!(position < QUALITY_COUNT, "a quality of the table");
    position
}

const fn quality_positions() -> [u8; 256] {
    let mut positions = [u8::MAX; 256];
    let (mut at, mut position) = (0, 0);
    while at < QUALITY_COUNT {
        positions[Quality::ALL[at] as usize] = position;
        (at, position) = (at + 1, position + 1);
    }
    positions
}
