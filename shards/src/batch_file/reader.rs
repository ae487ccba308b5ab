//! Reads a batch file by its footer and index: one leaf costs one pack.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::{PACK_SIZE_MAX, PackReader};
use tallywatt_ledger::digest::ContentHasher;
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::meter_event_bytes::decode_events;
use tallywatt_ledger::seal::{LeafProof, PARTITION_COUNT, PartitionSummary, SealKind, Sealed, partition_of};
use tallywatt_ledger::tree::{SUBTREE_LEAF_COUNT, Tree, TreeTop};

use super::layout::{self, ENTRY_SIZE, Footer, SUMMARY_SIZE, wide};
use super::{BatchFileError, FOOTER_SIZE, HASH_SIZE, HEADER_SIZE, all_summaries, seal_summaries};
use crate::durable::DurableError;
use crate::partition_sealer::{LeafGroup, PackEntry};

/// Packs are read this many bytes at a time.
pub const READ_SIZE: usize = 1 << 20;

const _: () = assert!(PACK_SIZE_MAX <= READ_SIZE);

/// A batch file, its index in memory.
pub struct BatchReader<'a> {
    source: Source<'a>,
    size: u64,
    kind: SealKind,
    sequence: u64,
    sealed: Sealed,
    stated: ContentHash,
    summaries: Vec<PartitionSummary>,
    /// Of each partition, and behind the last.
    first_packs: Vec<usize>,
    entries: Vec<u8>,
    index_at: u64,
    /// Where the events stand; empty if there are none.
    events: Range<u64>,
}

enum Source<'a> {
    Bytes(&'a [u8]),
    File(File, PathBuf),
}

impl BatchReader<'static> {
    /// Opens a file, and reads its header, footer and index.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn open(path: &Path) -> Result<Self, BatchFileError> {
        let file = File::open(path).map_err(DurableError::io("open", path))?;
        let size = file.metadata().map_err(DurableError::io("stat", path))?.len();
        Self::new(Source::File(file, path.to_owned()), size)
    }
}

impl<'a> BatchReader<'a> {
    /// Over a whole file's bytes.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn of(bytes: &'a [u8]) -> Result<Self, BatchFileError> {
        Self::new(Source::Bytes(bytes), wide(bytes.len()))
    }

    fn new(source: Source<'a>, size: u64) -> Result<Self, BatchFileError> {
        let missing = |field| CodecError::Truncated { field, at: 0 };
        if size < wide(HEADER_SIZE + FOOTER_SIZE) {
            return Err(BatchFileError::Header(missing("header and footer")));
        }
        let header = source.read(0..wide(HEADER_SIZE))?;
        let (kind, sequence, has_events) = layout::read_header(&header).map_err(BatchFileError::Header)?;
        let (footer, stated) =
            Footer::decode(&source.read(size - wide(FOOTER_SIZE)..size)?, size, has_events)?;
        let index = source.read(footer.index_at..footer.index_at + footer.index_size())?.into_owned();
        let pack_count = usize::try_from(footer.pack_count).expect("as many as fit the index in memory");
        let mut entries = index;
        let summaries = read_summaries(&entries.split_off(pack_count * ENTRY_SIZE), kind)?;
        let reader = Self {
            source,
            size,
            kind,
            sequence,
            sealed: footer.sealed,
            stated,
            first_packs: first_packs(&summaries, pack_count)?,
            summaries,
            entries,
            index_at: footer.index_at,
            events: footer.index_at + footer.index_size()..size - wide(FOOTER_SIZE),
        };
        reader.check_offsets()?;
        let is_sum = seal_summaries(kind, &reader.summaries) == Some(footer.sealed);
        if is_sum { Ok(reader) } else { Err(BatchFileError::Root) }
    }

    /// Batch or period.
    #[must_use]
    pub const fn kind(&self) -> SealKind {
        self.kind
    }

    /// Its number among its like.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The root and totals: those of the summaries, which only [`BatchReader::verify_all`] compares with the leaves.
    #[must_use]
    pub const fn sealed(&self) -> Sealed {
        self.sealed
    }

    /// What stands beside the leaves, in order.
    ///
    /// # Errors
    /// [`BatchFileError::Events`], also of an empty set: a file without events has no place for them.
    pub fn events(&self) -> Result<Vec<MeterEvent>, BatchFileError> {
        if self.events.is_empty() {
            return Ok(Vec::new());
        }
        let events =
            decode_events(&self.source.read(self.events.clone())?).map_err(BatchFileError::Events)?;
        let none = CodecError::Value { field: "events", at: 0 };
        if events.is_empty() { Err(BatchFileError::Events(none)) } else { Ok(events) }
    }

    /// One partition's summary.
    #[must_use]
    pub fn summary(&self, partition: u8) -> &PartitionSummary {
        &self.summaries[usize::from(partition)]
    }

    /// How many packs there are.
    #[must_use]
    pub fn pack_count(&self) -> usize {
        self.entries.len() / ENTRY_SIZE
    }

    /// The packs of a partition, by their index in the file.
    #[must_use]
    pub fn packs_of(&self, partition: u8) -> Range<usize> {
        let at = usize::from(partition);
        self.first_packs[at]..self.first_packs[at + 1]
    }

    /// A pack's entry; its offset is that in the file.
    ///
    /// # Panics
    /// Past [`BatchReader::pack_count`].
    #[must_use]
    pub fn entry(&self, pack: usize) -> PackEntry {
        layout::read_entry(&self.entries[pack * ENTRY_SIZE..(pack + 1) * ENTRY_SIZE])
    }

    /// The bytes of consecutive packs.
    ///
    /// # Errors
    /// [`BatchFileError::Disk`].
    ///
    /// # Panics
    /// Past [`BatchReader::pack_count`].
    pub fn pack_bytes(&self, packs: Range<usize>) -> Result<Cow<'_, [u8]>, BatchFileError> {
        self.source.read(self.offset_of(packs.start)..self.offset_of(packs.end))
    }

    /// The packs of a partition, one after the other, read [`READ_SIZE`] at a time.
    #[must_use]
    pub fn partition(&self, partition: u8) -> PartitionPacks<'_, 'a> {
        self.packs(self.packs_of(partition))
    }

    /// As [`BatchReader::partition`], of consecutive packs.
    pub(crate) fn packs(&self, packs: Range<usize>) -> PartitionPacks<'_, 'a> {
        PartitionPacks {
            reader: self,
            bytes: Cow::Borrowed(&[]),
            read: packs.start..packs.start,
            left: packs,
        }
    }

    /// The leaf of a register-day, blinded; `None` if it is not in the file. Reads one pack, and checks its form only.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn find(&self, key: &BlockKey, secret: &BlindingSecret) -> Result<Option<DayLeaf>, BatchFileError> {
        let Some((pack, within, mut group)) = self.group_of(key, secret)? else { return Ok(None) };
        group.seal();
        self.leaf_of(&group, pack, within).map(Some)
    }

    /// A register-day's leaf with its way to the sealed root; `None` if it is not in the file. Reads and hashes one
    /// pack.
    ///
    /// # Errors
    /// [`BatchFileError`], also if the pack or the partition's packs do not hash to what the index says.
    pub fn prove(
        &self,
        key: &BlockKey,
        secret: &BlindingSecret,
    ) -> Result<Option<(DayLeaf, LeafProof)>, BatchFileError> {
        let Some((pack, within, mut group)) = self.group_of(key, secret)? else { return Ok(None) };
        group.seal();
        let partition = partition_of(&key.usage_point);
        let summary = *self.summary(partition);
        let packs = self.packs_of(partition);
        let index = wide((pack - packs.start) * SUBTREE_LEAF_COUNT + within);
        let top = self.tree_top(partition).filter(|top| top.root() == summary.root);
        let top = top.ok_or(BatchFileError::Summary { partition })?;
        let digests: Vec<ContentHash> = group.digests().iter().copied().map(ContentHash).collect();
        let path = top.path(index, &digests).ok_or(BatchFileError::Top { partition, pack })?;
        let upper =
            Tree::new(self.kind.upper_tree(), self.summaries.iter().map(PartitionSummary::hash).collect());
        let upper_path = upper.path(usize::from(partition)).expect("every partition has a summary");
        let leaf = self.leaf_of(&group, pack, within)?;
        Ok(Some((leaf, LeafProof { index, path, summary, upper_path })))
    }

    /// Whether the packs that the index lists are those of the sealed root: then a pack that hashes to its entry is
    /// sealed.
    ///
    /// # Errors
    /// [`BatchFileError::Summary`] names the first partition whose packs are not.
    pub(crate) fn check_index(&self) -> Result<(), BatchFileError> {
        (0..=u8::MAX).try_for_each(|partition| {
            let root = self.tree_top(partition).map(|top| top.root());
            let is_sealed = root == Some(self.summary(partition).root);
            if is_sealed { Ok(()) } else { Err(BatchFileError::Summary { partition }) }
        })
    }

    /// The tree over a partition's packs; `None` if they are not as many as its leaves need.
    pub(super) fn tree_top(&self, partition: u8) -> Option<TreeTop> {
        let tops = self.packs_of(partition).map(|pack| self.entry(pack).top).collect();
        TreeTop::new(self.kind.partition_tree(), self.summary(partition).root.count, tops)
    }

    /// The hash stated at the end against that of everything before.
    pub(super) fn check_hash(&self) -> Result<(), BatchFileError> {
        let (mut hasher, end) = (ContentHasher::default(), self.size - wide(HASH_SIZE));
        let mut at = 0;
        while at < end {
            let next = end.min(at + wide(READ_SIZE));
            hasher.update(&self.source.read(at..next)?);
            at = next;
        }
        let (stated, got) = (self.stated, hasher.finish());
        if stated == got { Ok(()) } else { Err(BatchFileError::Hash { stated, got }) }
    }

    /// Reads a pack's leaves into a group, blinding zero.
    pub(super) fn unpack(
        &self,
        pack: usize,
        bytes: &[u8],
        group: &mut LeafGroup<'_>,
    ) -> Result<(), BatchFileError> {
        let refuse = |within: usize, source| BatchFileError::Pack { pack, within, source };
        let (mut reader, size) =
            PackReader::new(bytes, self.kind.leaf_tag()).map_err(|source| refuse(0, source))?;
        if size != bytes.len() {
            return Err(refuse(0, CodecError::Value { field: "pack size", at: 0 }));
        }
        group.clear();
        let mut within = 0;
        while reader.advance().map_err(|source| refuse(within, source))? {
            reader.write_leaf(group.place(reader.leaf_size()));
            within += 1;
        }
        Ok(())
    }

    fn group_of<'s>(
        &self,
        key: &BlockKey,
        secret: &'s BlindingSecret,
    ) -> Result<Option<(usize, usize, LeafGroup<'s>)>, BatchFileError> {
        let (partition, wanted) = (partition_of(&key.usage_point), LeafKey::new(key));
        let packs = self.packs_of(partition);
        let (mut low, mut high) = (packs.start, packs.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if LeafKey::of_header(&self.entry(middle).first) <= wanted {
                low = middle + 1
            } else {
                high = middle
            }
        }
        if low == packs.start {
            return Ok(None);
        }
        let pack = low - 1;
        let mut group = LeafGroup::new(self.kind, partition, secret);
        self.unpack(pack, &self.pack_bytes(pack..pack + 1)?, &mut group)?;
        let is_wanted =
            |leaf: &[u8]| leaf.first_chunk().is_some_and(|header| LeafKey::of_header(header) == wanted);
        let within = group.leaves().position(is_wanted);
        Ok(within.map(|within| (pack, within, group)))
    }

    fn leaf_of(&self, group: &LeafGroup<'_>, pack: usize, within: usize) -> Result<DayLeaf, BatchFileError> {
        let leaf = group.leaves().nth(within).expect("the leaf was found there");
        DayLeaf::decode(leaf).map_err(|source| BatchFileError::Leaf { pack, within, source })
    }

    fn offset_of(&self, pack: usize) -> u64 {
        if pack == self.pack_count() { self.index_at } else { self.entry(pack).offset }
    }

    /// Packs stand end to end from the header to the index, none larger than a pack gets.
    fn check_offsets(&self) -> Result<(), BatchFileError> {
        let first = if self.pack_count() == 0 { self.index_at } else { self.entry(0).offset };
        if first != wide(HEADER_SIZE) {
            return Err(BatchFileError::Offset { pack: 0 });
        }
        for pack in 0..self.pack_count() {
            let size = self.offset_of(pack + 1).checked_sub(self.offset_of(pack));
            if size.is_none_or(|size| size == 0 || size > wide(PACK_SIZE_MAX)) {
                return Err(BatchFileError::Offset { pack });
            }
        }
        Ok(())
    }
}

/// Packs of one partition, in order.
pub struct PartitionPacks<'r, 'a> {
    reader: &'r BatchReader<'a>,
    bytes: Cow<'r, [u8]>,
    /// Whose bytes these are.
    read: Range<usize>,
    left: Range<usize>,
}

impl PartitionPacks<'_, '_> {
    /// The next pack: its index in the file, and its bytes.
    ///
    /// # Errors
    /// [`BatchFileError::Disk`].
    pub fn next_pack(&mut self) -> Result<Option<(usize, &[u8])>, BatchFileError> {
        let Some(pack) = self.left.next() else { return Ok(None) };
        if !self.read.contains(&pack) {
            let start = self.reader.offset_of(pack);
            let fits = |end: &usize| self.reader.offset_of(*end) - start <= wide(READ_SIZE);
            let end = (pack + 1..=self.left.end).take_while(fits).last().unwrap_or(pack + 1);
            self.bytes = self.reader.pack_bytes(pack..end)?;
            self.read = pack..end;
        }
        let start = self.reader.offset_of(self.read.start);
        let within = |pack| usize::try_from(self.reader.offset_of(pack) - start).expect("at most READ_SIZE");
        Ok(Some((pack, &self.bytes[within(pack)..within(pack + 1)])))
    }
}

impl Source<'_> {
    fn read(&self, range: Range<u64>) -> Result<Cow<'_, [u8]>, BatchFileError> {
        let size =
            usize::try_from(range.end - range.start).expect("a part that was checked against the size");
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(range.start).expect("within bytes in memory");
                Ok(Cow::Borrowed(&bytes[start..start + size]))
            }
            Self::File(file, path) => {
                let mut bytes = vec![0; size];
                file.read_exact_at(&mut bytes, range.start).map_err(DurableError::io("read", path))?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// All 256 summaries, from those in the file.
fn read_summaries(bytes: &[u8], kind: SealKind) -> Result<Vec<PartitionSummary>, BatchFileError> {
    let mut summaries: Vec<PartitionSummary> = Vec::with_capacity(PARTITION_COUNT);
    for (at, bytes) in bytes.chunks_exact(SUMMARY_SIZE).enumerate() {
        let refuse = |source| BatchFileError::SummaryBytes { at, source };
        let summary = PartitionSummary::decode(bytes).map_err(refuse)?;
        let is_after = summaries.last().is_none_or(|last| last.partition < summary.partition);
        if !is_after || summary.root.count == 0 {
            return Err(refuse(CodecError::Value { field: "partition", at: 2 }));
        }
        summaries.push(summary);
    }
    Ok(all_summaries(kind, &summaries))
}

/// Each partition's packs follow from its leaf count; together they are those of the index.
fn first_packs(summaries: &[PartitionSummary], pack_count: usize) -> Result<Vec<usize>, BatchFileError> {
    let mut first_packs = Vec::with_capacity(PARTITION_COUNT + 1);
    let mut at = 0_usize;
    first_packs.push(at);
    for summary in summaries {
        let packs = usize::try_from(summary.root.count.div_ceil(wide(SUBTREE_LEAF_COUNT))).ok();
        let end = packs.and_then(|packs| at.checked_add(packs)).filter(|end| *end <= pack_count);
        at = end.ok_or(BatchFileError::Summary { partition: summary.partition })?;
        first_packs.push(at);
    }
    let field = "pack count";
    if at == pack_count {
        Ok(first_packs)
    } else {
        Err(BatchFileError::Footer(CodecError::Value { field, at: 8 }))
    }
}
