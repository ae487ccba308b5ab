//! One shard: it owns a range of partitions, and nobody else touches their days.
//!
//! ```text
//!                     ┌ in memory? ──────────── join in place
//!   reading | frame ──┤ written ahead and let go? ─ read back, join
//!                     ├ sealed before? ───────── read back, join
//!                     └ new ─────────────────── a day of its own
//! ```
//!
//! A run or a frame whose day is new or known, on the grid, within the limits and in the past is taken at once; whatever is not
//! goes reading by reading through the rules. Both give the same: `tests/shard.rs` holds it against the naive set.
//!
//! Invariants: a rejected reading leaves no trace, not even an empty day; a day's grid is that of its first
//! accepted reading; for readings of one grid the days are the same for any order, splitting or repetition.

use std::collections::VecDeque;

use tallywatt_core::calendar::{LocalDay, UtcSeconds, Zone};
use tallywatt_core::day_block::{BlockKey, MergeCounts};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{RawReading, Source};
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_core::vee::judge::{Limits, judge};
use tallywatt_ledger::day_pack::PackWriter;
use tallywatt_ledger::leaf_key::LeafKey;

use crate::accepted::Outcome as ReadingOutcome;
use crate::day_slot;
use crate::day_table::{DayTable, Slot};
use crate::durable::DurableError;
use crate::lane::{DayPart, FrameHead, Lane, LaneRun, Outcome, RunHead};
use crate::let_go::{LetGo, LetGoError};
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
    reader: Option<WriteAheadReader>,
    memory_size_max: usize,
    /// Where the days of chunks are packed that are not durable yet.
    open: VecDeque<(u64, Vec<DayPart>)>,
    recent: Option<Recent>,
    pack: PackWriter,
}

impl Default for Shard {
    /// A shard that keeps all its days in memory.
    fn default() -> Self {
        Self {
            table: DayTable::default(),
            let_go: LetGo::default(),
            reader: None,
            memory_size_max: usize::MAX,
            open: VecDeque::new(),
            recent: None,
            pack: PackWriter::default(),
        }
    }
}

/// The local day of the last reading: the next one is mostly of the same.
#[derive(Debug)]
struct Recent {
    zone_name: String,
    local: LocalDay,
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

    /// The days in memory.
    #[must_use]
    pub const fn table(&self) -> &DayTable {
        &self.table
    }

    /// Forgets every day: all of them are sealed.
    pub fn clear(&mut self) {
        self.table.clear();
        self.let_go.clear();
        self.open.clear();
    }

    /// The days that are not in memory any more.
    #[must_use]
    pub const fn let_go(&self) -> &LetGo {
        &self.let_go
    }

    /// Remembers that a lane was dealt with whose days are not durable yet.
    pub(crate) fn expect_written(&mut self, sequence: u64, outcome: &Outcome) {
        self.open.push_back((sequence, outcome.parts.clone()));
    }

    /// Learns where the days of the oldest such lane were written.
    pub(crate) fn written(&mut self, sequence: u64, place: Option<RecordPlace>, packs_start: usize) {
        let (expected, parts) = self.open.pop_front().expect("lanes are written in order");
        assert_eq!(expected, sequence, "lanes are written in order");
        if let Some(place) = place {
            self.let_go.note(&parts, place, packs_start);
        }
    }

    /// Whether lanes are not durable yet.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether its days take more memory than they may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.table.size() > self.memory_size_max
    }

    /// Lets go of the days in memory; all of them are durable.
    ///
    /// # Panics
    /// If some are not.
    pub fn let_go_of_table(&mut self) {
        assert!(!self.is_waiting(), "only durable days are let go of");
        self.let_go.let_go(&mut self.table);
    }

    /// Notes where days that are replayed stand in the log.
    pub fn note(&mut self, parts: &[DayPart], place: RecordPlace, packs_start: usize) {
        self.let_go.note(parts, place, packs_start);
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
        let Lane { frames, frame_heads, runs, values, outcome } = lane;
        let mut intake = LaneIntake { shard: self, rules, earlier, outcome };
        let mut rest = frames.as_slice();
        for head in frame_heads.iter() {
            let (frame, after) = rest.split_at(usize::from(head.size));
            intake.frame(head, frame)?;
            rest = after;
        }
        let mut rest = values.as_slice();
        for run in runs.iter() {
            let (own, after) = rest.split_at(run.value_count);
            intake.run(run, own)?;
            rest = after;
        }
        self.pack_touched(outcome);
        Ok(())
    }

    /// Joins in a frame that was acknowledged before: what replaying does.
    ///
    /// # Errors
    /// The frame's key when the day is known on another grid: nothing is changed then.
    pub fn replay(&mut self, partition: u8, frame: &[u8]) -> Result<(), BlockKey> {
        let header = day_slot::header_of(frame);
        let key = LeafKey::of_header(header);
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

    fn pack_touched(&mut self, outcome: &mut Outcome) {
        let touched = self.table.take_touched();
        for same in touched.chunk_by(|a, b| self.table.partition(*a) == self.table.partition(*b)) {
            let offset = outcome.packs.len();
            for &slot in same {
                if self.pack.is_full() {
                    self.pack.finish(&mut outcome.packs);
                }
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
            });
        }
    }

    fn local_day_of(&mut self, instant: UtcSeconds, zone: &Zone) -> Option<LocalDay> {
        if let Some(recent) = &self.recent
            && recent.local.contains(instant)
            && recent.zone_name == zone.name()
        {
            return Some(recent.local);
        }
        let local = zone.local_day_of(instant)?;
        match &mut self.recent {
            Some(recent) if recent.zone_name == zone.name() => recent.local = local,
            recent => *recent = Some(Recent { zone_name: zone.name().to_owned(), local }),
        }
        Some(local)
    }
}

/// A shard at work on one lane.
struct LaneIntake<'a> {
    shard: &'a mut Shard,
    rules: &'a Rules<'a>,
    earlier: &'a dyn EarlierDays,
    outcome: &'a mut Outcome,
}

impl LaneIntake<'_> {
    fn frame(&mut self, head: &FrameHead, frame: &[u8]) -> Result<(), ShardError> {
        let header = day_slot::header_of(frame);
        let extent = day_slot::extent(frame);
        if extent.present_count == 0 {
            return Ok(());
        }
        let grid = day_slot::grid_of(header);
        let key = LeafKey::of_header(header);
        let local = self.shard.local_day_of(grid.start, self.rules.zone);
        let fits = local.is_some_and(|local| {
            local.day == day_slot::day_of(header)
                && local.start == grid.start
                && local.interval_count(grid.interval_minutes).map(usize::from) == Some(grid.interval_count)
        });
        let last = grid.interval_count - 1;
        if !fits || !self.is_ordinary(&grid, last, i64::from(extent.max_wh)) {
            return self.frame_by_reading(head, frame, &key);
        }
        let source = self.rules.source.code();
        match self.find(head.partition, &key)? {
            None => {
                let slot = self.shard.table.insert(key, head.partition, frame);
                day_slot::set_source(self.shard.table.frame_mut(slot), source);
                self.shard.table.touch(slot);
                self.outcome.counts.offered += extent.present_count;
                self.outcome.counts.accepted += extent.present_count;
                Ok(())
            }
            Some(slot) => {
                let known = self.shard.table.frame(slot);
                // The same day again, byte for byte but for its source: the ordinary repetition.
                if day_slot::source_of(day_slot::header_of(known)) >= source
                    && is_same_but_source(known, frame)
                {
                    self.outcome.counts.offered += extent.present_count;
                    self.outcome.counts.duplicate += extent.present_count;
                    return Ok(());
                }
                self.frame_by_reading(head, frame, &key)
            }
        }
    }

    /// The slow way: every interval that has a value is judged as a reading of its own.
    fn frame_by_reading(&mut self, head: &FrameHead, frame: &[u8], key: &LeafKey) -> Result<(), ShardError> {
        let BlockKey { usage_point, register, .. } = key.block_key();
        let grid = day_slot::grid_of(day_slot::header_of(frame));
        let before = self.outcome.rejections.len();
        for at in 0..grid.interval_count {
            let (value_wh, quality) = day_slot::interval(frame, at);
            if quality == Quality::Missing {
                continue;
            }
            let reading = RawReading {
                usage_point,
                register,
                start: grid.start.plus(seconds_of(at, grid.interval_minutes)),
                interval_minutes: grid.interval_minutes,
                energy_wh: i64::from(value_wh),
                quality,
                line: head.line,
            };
            self.reading(head.partition, &reading)?;
        }
        join_same_code(&mut self.outcome.rejections, before);
        Ok(())
    }

    fn run(
        &mut self,
        LaneRun { head: run, partition, .. }: &LaneRun,
        values_wh: &[i64],
    ) -> Result<(), ShardError> {
        let mut done = 0;
        while done < values_wh.len() {
            let taken = self.run_of_day((run, *partition), done, &values_wh[done..])?;
            if taken == 0 {
                self.reading(*partition, &reading_of(run, done, values_wh[done]))?;
            }
            done += taken.max(1);
        }
        Ok(())
    }

    /// Takes the part of a run that lies in one day, and says how many values that were; 0 when the next is out of
    /// the ordinary.
    fn run_of_day(
        &mut self,
        (run, partition): (&RunHead, u8),
        at: usize,
        values_wh: &[i64],
    ) -> Result<usize, ShardError> {
        let start = run.start.plus(seconds_of(at, run.interval_minutes));
        let Some(local) = self.shard.local_day_of(start, self.rules.zone) else { return Ok(0) };
        if run.quality == Quality::Missing {
            return Ok(0);
        }
        let (register, minutes, source) = (run.register, run.interval_minutes, self.rules.source);
        let point = run.usage_point.padded();
        let Some(header) = day_slot::empty_header(point, register, &local, minutes, source) else {
            return Ok(0);
        };
        let grid = day_slot::grid_of(&header);
        let Some(first) = grid.interval_at(start) else { return Ok(0) };
        let count = values_wh.len().min(grid.interval_count - first);
        let values_wh = &values_wh[..count];
        let (min_wh, max_wh) =
            values_wh.iter().fold((i64::MAX, i64::MIN), |(min, max), &wh| (min.min(wh), max.max(wh)));
        if min_wh < 0 || !self.is_ordinary(&grid, first + count - 1, max_wh) {
            return Ok(0);
        }
        let key = LeafKey::of_header(&header);
        let slot = match self.find(partition, &key)? {
            Some(slot) if day_slot::grid_of(day_slot::header_of(self.shard.table.frame(slot))) != grid => {
                return Ok(0);
            }
            Some(slot) => slot,
            None => self.shard.table.insert_empty(key, partition, &header),
        };
        self.put_all(slot, run, at, first, values_wh);
        Ok(count)
    }

    fn put_all(&mut self, slot: Slot, run: &RunHead, at: usize, first: usize, values_wh: &[i64]) {
        let source = self.rules.source.code();
        let mut changed = false;
        for (step, &wh) in values_wh.iter().enumerate() {
            let value_wh = i32::try_from(wh).expect("values within the ceiling were checked to fit");
            let mut counts = MergeCounts::default();
            let frame = self.shard.table.frame_mut(slot);
            changed |= day_slot::put(frame, first + step, (value_wh, run.quality), &mut counts);
            count(&mut self.outcome.counts, &counts);
            if counts.conflict > 0 {
                let reading = reading_of(run, at + step, wh);
                self.outcome.rejections.push(rejection(&reading, RejectionCode::Conflict));
            }
        }
        let frame = self.shard.table.frame_mut(slot);
        if source > day_slot::source_of(day_slot::header_of(frame)) {
            day_slot::set_source(frame, source);
            changed = true;
        }
        if changed {
            self.shard.table.touch(slot);
        }
    }

    /// One reading through all the rules.
    fn reading(&mut self, partition: u8, reading: &RawReading) -> Result<(), ShardError> {
        let outcome = self.judged(partition, reading)?;
        let counts = &mut self.outcome.counts;
        counts.offered += 1;
        let code = match outcome {
            ReadingOutcome::Accepted => {
                counts.accepted += 1;
                return Ok(());
            }
            ReadingOutcome::Duplicate => {
                counts.duplicate += 1;
                return Ok(());
            }
            ReadingOutcome::Corrected => {
                counts.corrected += 1;
                return Ok(());
            }
            ReadingOutcome::Conflict => {
                counts.conflict += 1;
                RejectionCode::Conflict
            }
            ReadingOutcome::Rejected(code) => {
                counts.rejected += 1;
                code
            }
        };
        self.outcome.rejections.push(rejection(reading, code));
        Ok(())
    }

    fn judged(&mut self, partition: u8, reading: &RawReading) -> Result<ReadingOutcome, ShardError> {
        use ReadingOutcome::Rejected;
        let Some(local) = self.shard.local_day_of(reading.start, self.rules.zone) else {
            return Ok(Rejected(RejectionCode::Stamp));
        };
        let RawReading { usage_point, register, interval_minutes, quality, .. } = *reading;
        let key = LeafKey::new(&BlockKey { usage_point, register, day: local.day });
        let known = self.find(partition, &key)?;
        let source = self.rules.source;
        let header = match known {
            Some(slot) => Some(*day_slot::header_of(self.shard.table.frame(slot))),
            None => day_slot::empty_header(usage_point.padded(), register, &local, interval_minutes, source),
        };
        let Some(header) = header else { return Ok(Rejected(RejectionCode::IntervalSize)) };
        let grid = day_slot::grid_of(&header);
        // The usage point's zone was another when the day came in: its intervals are not this day's.
        if grid.start != local.start && grid.interval_minutes == interval_minutes {
            return Ok(Rejected(RejectionCode::OffGrid));
        }
        let (at, value_wh) = match judge(reading, &grid, &self.rules.limits) {
            Ok(judged) => judged,
            Err(code) => return Ok(Rejected(code)),
        };
        if quality == Quality::Missing {
            return Ok(Rejected(RejectionCode::NoValue));
        }
        let slot = known.unwrap_or_else(|| self.shard.table.insert_empty(key, partition, &header));
        let frame = self.shard.table.frame_mut(slot);
        let mut counts = MergeCounts::default();
        let mut changed = day_slot::put(frame, at, (value_wh, quality), &mut counts);
        if source.code() > day_slot::source_of(day_slot::header_of(frame)) {
            day_slot::set_source(frame, source.code());
            changed = true;
        }
        if changed {
            self.shard.table.touch(slot);
        }
        Ok(match counts {
            MergeCounts { accepted: 1, .. } => ReadingOutcome::Accepted,
            MergeCounts { duplicate: 1, .. } => ReadingOutcome::Duplicate,
            MergeCounts { corrected: 1, .. } => ReadingOutcome::Corrected,
            _ => ReadingOutcome::Conflict,
        })
    }

    /// The day's slot, brought back into memory if it is known from before.
    fn find(&mut self, partition: u8, key: &LeafKey) -> Result<Option<Slot>, ShardError> {
        if let Some(slot) = self.shard.table.find(key) {
            return Ok(Some(slot));
        }
        let let_go = match &self.shard.reader {
            Some(reader) => self.shard.let_go.find(partition, key, reader)?,
            None => None,
        };
        let earlier = match let_go {
            Some(frame) => Some(frame),
            None => self.earlier.find(partition, key)?.map(|day| day.frame),
        };
        Ok(earlier.map(|frame| self.shard.table.insert(*key, partition, &frame)))
    }

    /// Whether a value up to `max_wh` in an interval up to `last` breaks no rule.
    fn is_ordinary(&self, grid: &tallywatt_core::day_block::DayGrid, last: usize, max_wh: i64) -> bool {
        let Limits { power_max_w, now, skew_s } = self.rules.limits;
        let ceiling_wh = power_max_w.saturating_mul(i64::from(grid.interval_minutes)) / 60;
        let last_start = grid.start.plus(seconds_of(last, grid.interval_minutes));
        max_wh <= ceiling_wh.min(i64::from(i32::MAX)) && last_start <= now.plus(skew_s)
    }
}

/// Of what was set aside from one frame: one entry a code, that counts and shows the first.
fn join_same_code(rejections: &mut Vec<Rejection>, from: usize) {
    let mut own = rejections.split_off(from);
    own.sort_by_key(|rejection| rejection.code);
    rejections.extend(own.chunk_by(|a, b| a.code == b.code).map(|same| {
        let reading_count = same.iter().map(|rejection| rejection.reading_count).sum();
        Rejection { reading_count, ..same[0].clone() }
    }));
}

/// Whether two frames of one day differ in nothing but their source.
fn is_same_but_source(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a[..6] == b[..6] && a[7..] == b[7..]
}

fn count(sum: &mut crate::intake_record::IntakeCounts, counts: &MergeCounts) {
    let MergeCounts { accepted, duplicate, corrected, conflict } = *counts;
    sum.offered += accepted + duplicate + corrected + conflict;
    sum.accepted += accepted;
    sum.duplicate += duplicate;
    sum.corrected += corrected;
    sum.conflict += conflict;
}

fn reading_of(run: &RunHead, at: usize, energy_wh: i64) -> RawReading {
    let steps = u64::try_from(at).expect("a run is less than a chunk");
    RawReading {
        usage_point: run.usage_point,
        register: run.register,
        start: run.start.plus(seconds_of(at, run.interval_minutes)),
        interval_minutes: run.interval_minutes,
        energy_wh,
        quality: run.quality,
        line: run.first_line + steps * u64::from(run.line_step),
    }
}

fn rejection(reading: &RawReading, code: RejectionCode) -> Rejection {
    let RawReading { usage_point, register, start, energy_wh, .. } = reading;
    let raw = format!("{usage_point} {register} {start} {energy_wh} Wh");
    Rejection::new(code, reading.line, 1, raw.as_bytes())
}

fn seconds_of(at: usize, interval_minutes: u8) -> i64 {
    i64::try_from(at).expect("an interval's number fits i64") * i64::from(interval_minutes) * 60
}
