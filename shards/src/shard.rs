//! One shard: it owns a range of partitions, and nobody else touches their days.
//!
//! ```text
//!                   ┌ whole, and past all known days ─ packed, done with     in_order.rs
//!                   ├ in memory? ──────────── join in place                  day_table.rs
//!   run | day ──────┤ written ahead and let go? ─ read back, join            let_go.rs, in_order.rs
//!                   ├ sealed before? ───────── read back, join
//!                   └ new ─────────────────── a day of its own               day_table.rs
//! ```
//!
//! What is judged, and how, is in `lane_intake.rs`: both its ways give the same, and `tests/pipeline.rs` holds them
//! against the naive set.
//!
//! Invariants: a rejected reading leaves no trace, not even an empty day; a day's grid is that of its first
//! accepted reading; for readings of one grid the days are the same for any order, splitting or repetition.

mod lane_intake;

use std::collections::{BTreeMap, VecDeque};

use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{BlockKey, DayBlock, MergeCounts};
use tallywatt_core::day_layers::{DayLayers, DayState};
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::reading::{Issued, Source};
use tallywatt_core::vee::guard::ReplacementGuard;
use tallywatt_core::vee::judge::Limits;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::{DayLeaf, LeafTag};
use tallywatt_ledger::day_pack::{PackReader, PackWriter};
use tallywatt_ledger::frame::check_day;
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::seal::{PARTITION_COUNT, partition_of};

use crate::day_slot;
use crate::day_table::{DayTable, Slot};
use crate::durable::DurableError;
use crate::in_order::InOrder;
use crate::lane::{DayPart, Lane, LaneParts, Outcome};
use crate::layered::Layered;
use crate::let_go::{LetGo, LetGoError, each_frame};
use crate::shard::lane_intake::LaneIntake;
use crate::write_ahead::{RecordPlace, WriteAheadReader};

/// What is the same for all readings of a file.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The zone whose local days its usage points follow.
    pub zone: &'a Zone,
    /// Where its values came from.
    pub source: Source,
    /// What a reading may be.
    pub limits: Limits,
}

/// Why a shard cannot go on: a day known from before cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// One that was sealed.
    #[error(transparent)]
    Sealed(#[from] DurableError),
    /// One that was let go of.
    #[error(transparent)]
    LetGo(#[from] LetGoError),
}

/// Why days that were written ahead cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// They are not what was written.
    #[error("days written ahead are damaged: {0}")]
    Damaged(#[from] CodecError),
    /// The layers of a day are not in their one form.
    #[error("the layers of {} on {} are not in order", .0.usage_point, .0.day)]
    Layers(BlockKey),
    /// A day is known on another grid.
    #[error("a recovered day of {} on {} does not fit the ones before it", .0.usage_point, .0.day)]
    Grid(BlockKey),
}

/// A day as it was sealed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedDay {
    /// Its frame.
    pub frame: Vec<u8>,
    /// How many times it was sealed before that.
    pub revision: u8,
}

/// Days that are sealed.
pub trait EarlierDays: Sync {
    /// A day as it was sealed last, if it was.
    ///
    /// # Errors
    /// [`DurableError`] if the disk fails: then nothing more may be judged.
    fn find(&self, partition: u8, key: &LeafKey) -> Result<Option<SealedDay>, DurableError>;

    /// What is known of a sealed day beside its block; nothing if it is plain.
    ///
    /// # Errors
    /// [`DurableError`], as above.
    fn state(&self, _partition: u8, _key: &LeafKey) -> Result<Option<DayState>, DurableError> {
        Ok(None)
    }

    /// Whether an event that is of no day is sealed.
    fn holds(&self, _event: &MeterEvent) -> bool {
        false
    }

    /// What bills used of a day, in watt-hours an interval, and how far from it a value may be that replaces one.
    fn billed(&self, _key: &LeafKey) -> Option<(Vec<i32>, ReplacementGuard)> {
        None
    }

    /// Whether bills used any day: else nobody is asked for [`EarlierDays::billed`].
    fn has_billed(&self) -> bool {
        false
    }
}

/// No days are sealed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEarlierDays;

impl EarlierDays for NoEarlierDays {
    fn find(&self, _: u8, _: &LeafKey) -> Result<Option<SealedDay>, DurableError> {
        Ok(None)
    }
}

/// One shard's days.
#[derive(Debug)]
pub struct Shard {
    table: DayTable,
    let_go: LetGo,
    in_order: InOrder,
    layered: Layered,
    /// What the record that is being replayed says of its days.
    replayed: BTreeMap<LeafKey, DayState>,
    /// The last day of each partition, wherever it is: a later one is nowhere but among the sealed.
    last: Vec<Option<LeafKey>>,
    reader: Option<WriteAheadReader>,
    memory_size_max: usize,
    /// Where the days of chunks are packed that are not durable yet.
    open: VecDeque<(u64, Vec<DayPart>)>,
    pack: PackWriter,
}

impl Default for Shard {
    /// A shard that keeps all its days in memory.
    fn default() -> Self {
        Self {
            table: DayTable::default(),
            let_go: LetGo::default(),
            in_order: InOrder::default(),
            layered: Layered::default(),
            replayed: BTreeMap::new(),
            last: vec![None; PARTITION_COUNT],
            reader: None,
            memory_size_max: usize::MAX,
            open: VecDeque::new(),
            pack: PackWriter::default(),
        }
    }
}

impl Shard {
    /// A shard that lets go of durable days when those in memory take more than `memory_size_max` bytes.
    #[must_use]
    pub fn bounded(memory_size_max: usize) -> Self {
        Self { memory_size_max, ..Self::default() }
    }

    /// Finds the days it let go of in the log that `reader` reads, from now on.
    pub fn read_from(&mut self, reader: WriteAheadReader) {
        self.reader = Some(reader);
    }

    /// The days in memory that are not in order.
    #[must_use]
    pub const fn table(&self) -> &DayTable {
        &self.table
    }

    /// Forgets every day: all of them are sealed.
    pub fn clear(&mut self) {
        self.table.clear();
        self.let_go.clear();
        self.in_order.clear();
        self.layered.clear();
        self.replayed.clear();
        self.last.fill(None);
        self.open.clear();
    }

    /// The days that were in the table and are not any more.
    #[must_use]
    pub const fn let_go(&self) -> &LetGo {
        &self.let_go
    }

    /// The days that arrived whole and in order: of a day that is also elsewhere, this copy is the oldest.
    #[must_use]
    pub const fn in_order(&self) -> &InOrder {
        &self.in_order
    }

    /// What is known beside the days.
    #[must_use]
    pub const fn layered(&self) -> &Layered {
        &self.layered
    }

    /// The frame of a day that is not among those in order, as it stands; nothing if it is not here.
    ///
    /// # Errors
    /// [`LetGoError`].
    pub(crate) fn newest_frame(
        &self,
        partition: u8,
        key: &LeafKey,
        reader: Option<&WriteAheadReader>,
    ) -> Result<Option<Vec<u8>>, LetGoError> {
        match (self.table.find(key), reader) {
            (Some(slot), _) => Ok(Some(self.table.frame(slot).to_vec())),
            (None, Some(reader)) => self.let_go.find(partition, key, reader),
            (None, None) => Ok(None),
        }
    }

    /// Remembers that a lane was dealt with whose days are not durable yet.
    pub(crate) fn expect_written(&mut self, sequence: u64, outcome: &Outcome) {
        self.open.push_back((sequence, outcome.parts.clone()));
    }

    /// Learns where the days of the oldest such lane were written.
    pub(crate) fn written(&mut self, sequence: u64, place: Option<RecordPlace>, packs_start: usize) {
        let (expected, parts) = self.open.pop_front().expect("lanes are written in order");
        assert_eq!(expected, sequence, "lanes are written in order");
        let Some(place) = place else { return };
        for part in &parts {
            let start = u32::try_from(packs_start + part.offset).expect("a record is below 4 GiB");
            if part.is_in_order {
                self.in_order.written(part.partition, place, start);
            } else {
                self.let_go.note(part, place, start);
            }
        }
    }

    /// Whether lanes are not durable yet.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether its days take more memory than they may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.table.size() + self.in_order.size() > self.memory_size_max
    }

    /// Lets go of the days in memory; all of them are durable.
    ///
    /// # Panics
    /// If some are not.
    pub fn let_go_of_days(&mut self) {
        assert!(!self.is_waiting(), "only durable days are let go of");
        if !self.table.is_empty() {
            self.let_go.let_go(&mut self.table);
        }
        self.in_order.let_go();
    }

    /// Takes in a lane: judges, joins, and packs the days that changed.
    ///
    /// # Errors
    /// [`ShardError`] if a day from before cannot be read.
    pub fn take_in(
        &mut self,
        lane: &mut Lane,
        rules: &Rules<'_>,
        earlier: &dyn EarlierDays,
    ) -> Result<(), ShardError> {
        let LaneParts { days, runs, values, marks, events, outcome } = lane.parts();
        let mut intake = LaneIntake::new(self, rules, earlier, outcome);
        for event in events.drain(..) {
            intake.event(event);
        }
        for (partition, days) in (0..=u8::MAX).zip(days) {
            for (line, day) in days.each() {
                intake.day((partition, line), &day)?;
            }
            intake.close_part();
        }
        // Those of one partition stay in the order of the file.
        runs.sort_by_key(|run| run.partition);
        for same in runs.chunk_by(|a, b| a.partition == b.partition) {
            for run in same {
                let mark = Lane::mark_of(marks, run);
                intake.run(run, &mark, &values[run.start..][..run.value_count])?;
            }
            intake.close_part();
        }
        self.pack_touched(outcome);
        outcome.events.append(&mut self.layered.take_fresh());
        Ok(())
    }

    /// Takes in the events of a record that was acknowledged before, before its packs: with them the packs are
    /// read. Events of other shards' usage points are not to be among them.
    ///
    /// # Errors
    /// [`ReplayError`]: the shard is worth nothing then.
    pub fn replay_events(&mut self, events: &[MeterEvent]) -> Result<(), ReplayError> {
        self.replayed.clear();
        for same in events.chunk_by(|a, b| a.day_of_state().is_some() && a.day_of_state() == b.day_of_state())
        {
            let Some(day) = same[0].day_of_state() else {
                same.iter().cloned().for_each(|event| self.layered.replay(event));
                continue;
            };
            let state = DayState::of_events(same).ok_or(ReplayError::Layers(day))?;
            let (key, partition) = (LeafKey::new(&day), partition_of(&day.usage_point));
            if let DayState::Layered(layers) = &state {
                self.unite(partition, key, layers).map_err(ReplayError::Grid)?;
            }
            self.replayed.insert(key, state);
        }
        Ok(())
    }

    /// Takes in days that were acknowledged before: packs of one partition, which begin at `start` in a record.
    ///
    /// # Errors
    /// [`ReplayError`]: the shard is worth nothing then.
    pub fn replay(
        &mut self,
        partition: u8,
        packs: &[u8],
        (place, start): (RecordPlace, u32),
    ) -> Result<(), ReplayError> {
        let part = self.part_of(partition, packs)?;
        if part.is_in_order {
            self.in_order.replay(&part, place, start);
        } else {
            let mut wrong = None;
            each_frame(packs, &mut |frame| wrong = wrong.or(self.join(partition, frame).err()))?;
            if let Some(key) = wrong {
                return Err(ReplayError::Grid(key));
            }
            self.let_go.note(&part, place, start);
        }
        self.raise_last(partition, part.last);
        if self.is_full() {
            self.let_go_of_days();
        }
        Ok(())
    }

    /// Checks packs, and says whether their days are whole and past all that are known.
    fn part_of(&self, partition: u8, packs: &[u8]) -> Result<DayPart, ReplayError> {
        let mut before = self.last[usize::from(partition)];
        let (mut range, mut is_in_order, mut rest) = (None, true, packs);
        while !rest.is_empty() {
            let (mut pack, size) = PackReader::new(rest, LeafTag::Frame)?;
            while pack.advance()? {
                let header = check_day(&pack.packed())?;
                let key = LeafKey::of_header(pack.header());
                is_in_order &= header.missing_count == 0 && Some(key) > before;
                is_in_order &= self.replayed.is_empty() || !self.replayed.contains_key(&key);
                let (first, last) = range.unwrap_or((key, key));
                range = Some((key.min(first), key.max(last)));
                before = Some(key);
            }
            rest = &rest[size..];
        }
        let (first, last) = range.ok_or(CodecError::Truncated { field: "pack", at: 0 })?;
        Ok(DayPart { partition, first, last, offset: 0, size: packs.len(), is_in_order })
    }

    /// Joins in a frame that was acknowledged before.
    ///
    /// # Errors
    /// The frame's key when the day is known on another grid: nothing is changed then.
    fn join(&mut self, partition: u8, frame: &[u8]) -> Result<(), BlockKey> {
        let header = day_slot::header_of(frame);
        let key = LeafKey::of_header(header);
        let issued = match self.replayed.get(&key) {
            // The frame is what the layers fold to. They are known by now, but the day may have been let go of since.
            Some(DayState::Layered(layers)) => return self.unite(partition, key, &layers.clone()),
            Some(DayState::Stamped(issued)) => Some(*issued),
            None => self.layered.state(&key).map(|_| Issued::UNSAID),
        };
        if let Some(issued) = issued {
            return self.unite(partition, key, &DayLayers::of(block_of(frame), issued));
        }
        match self.table.find(&key) {
            None => {
                self.table.insert(key, partition, frame);
            }
            Some(slot) => {
                let known = self.table.frame_mut(slot);
                if day_slot::grid_of(day_slot::header_of(known)) != day_slot::grid_of(header) {
                    return Err(key.block_key());
                }
                day_slot::join_frame(known, frame, &mut MergeCounts::default());
            }
        }
        Ok(())
    }

    /// Unites what is known of a day with layers that were acknowledged before.
    fn unite(&mut self, partition: u8, key: LeafKey, layers: &DayLayers) -> Result<(), BlockKey> {
        let known = match (self.layered.state(&key), self.table.find(&key)) {
            (state, Some(slot)) => Some(DayState::layers_of(state, &block_of(self.table.frame(slot)))),
            (Some(DayState::Layered(known)), None) => Some(known.clone()),
            // Each copy of a day is all of it: what was let go of is in this one.
            (_, None) => None,
        };
        let mut all = layers.clone();
        if let Some(known) = known {
            all.unite(&known).map_err(|_| key.block_key())?;
        }
        self.put_frame(partition, key, all.fold());
        self.layered.replay_state(partition, key, DayState::of(all));
        self.raise_last(partition, key);
        Ok(())
    }

    /// Holds the block of a day as it stands, whether the day is known or not.
    fn put_frame(&mut self, partition: u8, key: LeafKey, block: DayBlock) -> Slot {
        let leaf = DayLeaf::frame(block);
        match self.table.find(&key) {
            Some(slot) => {
                self.table.frame_mut(slot).copy_from_slice(leaf.bytes());
                slot
            }
            None => self.hold(partition, key, leaf.bytes()),
        }
    }

    fn raise_last(&mut self, partition: u8, key: LeafKey) {
        let last = &mut self.last[usize::from(partition)];
        *last = (*last).max(Some(key));
    }

    /// Whether a day is past all that are here, or were and are written ahead.
    fn is_past(&self, partition: u8, key: &LeafKey) -> bool {
        self.last[usize::from(partition)].is_none_or(|last| last < *key)
    }

    /// The pack that a day goes into which is past all that are here.
    fn pack_in_order(&mut self, partition: u8, key: LeafKey) -> &mut PackWriter {
        self.last[usize::from(partition)] = Some(key);
        self.in_order.pack_for(partition, key)
    }

    /// Holds a day in the table that is not there.
    fn hold(&mut self, partition: u8, key: LeafKey, frame: &[u8]) -> Slot {
        self.raise_last(partition, key);
        self.table.insert(key, partition, frame)
    }

    fn pack_touched(&mut self, outcome: &mut Outcome) {
        let touched = self.table.take_touched();
        let stateful = if self.layered.has_states() { touched.as_slice() } else { &[] };
        for &slot in stateful {
            self.layered.touch(&LeafKey::of_header(day_slot::header_of(self.table.frame(slot))));
        }
        for same in touched.chunk_by(|a, b| self.table.partition(*a) == self.table.partition(*b)) {
            let offset = outcome.packs.len();
            for &slot in same {
                self.pack.make_room(&mut outcome.packs);
                self.pack.push(self.table.frame(slot));
            }
            self.pack.finish(&mut outcome.packs);
            let key = |slot: Slot| LeafKey::of_header(day_slot::header_of(self.table.frame(slot)));
            outcome.parts.push(DayPart {
                partition: self.table.partition(same[0]),
                first: key(same[0]),
                last: key(same[same.len() - 1]),
                offset,
                size: outcome.packs.len() - offset,
                is_in_order: false,
            });
        }
    }
}

/// The block of a frame that was checked before it was held.
pub(in crate::shard) fn block_of(frame: &[u8]) -> DayBlock {
    DayLeaf::decode(frame).expect("frames are checked before they are held").into_block()
}
