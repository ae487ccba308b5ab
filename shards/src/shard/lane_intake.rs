//! What a shard does with the days and runs of a lane.
//!
//! ```text
//!   day or run ── new or known, on the grid, within the limits, in the past ──▶ taken at once
//!              ├─ of a day that is not plain, or makes it so ──▶ its layers          layers.rs
//!              └─ anything else ──▶ reading by reading through the rules
//! ```

mod layers;

use tallywatt_core::calendar::{LocalDay, UtcSeconds};
use tallywatt_core::day_block::{BlockKey, DayGrid, INTERVAL_COUNT_MAX, MergeCounts};
use tallywatt_core::day_layers::DayState;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_core::vee::judge::{Limits, judge};
use tallywatt_ledger::day_leaf::{LEAF_SIZE_MAX, leaf_size};
use tallywatt_ledger::day_pack::{Header, PackedDay, Qualities};
use tallywatt_ledger::leaf_key::LeafKey;

use crate::accepted::Outcome as ReadingOutcome;
use crate::day_slot;
use crate::day_table::Slot;
use crate::intake_record::IntakeCounts;
use crate::lane::{LaneRun, Mark, Outcome, RunHead};
use crate::let_go::{LetGoError, each_frame};
use crate::shard::{EarlierDays, Rules, Shard, ShardError};

/// A shard at work on one lane.
pub(super) struct LaneIntake<'a> {
    shard: &'a mut Shard,
    rules: &'a Rules<'a>,
    earlier: &'a dyn EarlierDays,
    outcome: &'a mut Outcome,
    /// Whether bills used any day.
    has_billed: bool,
    /// The local day of the last reading: the next one is mostly of the same.
    recent: Option<LocalDay>,
    /// Room to unpack a day.
    frame: [u8; LEAF_SIZE_MAX],
}

impl<'a> LaneIntake<'a> {
    pub(super) fn new(
        shard: &'a mut Shard,
        rules: &'a Rules<'a>,
        earlier: &'a dyn EarlierDays,
        outcome: &'a mut Outcome,
    ) -> Self {
        let has_billed = earlier.has_billed();
        Self { shard, rules, earlier, outcome, has_billed, recent: None, frame: [0; LEAF_SIZE_MAX] }
    }

    /// Takes in what is of no day, if it is new.
    pub(super) fn event(&mut self, event: MeterEvent) {
        if !self.earlier.holds(&event) {
            self.shard.layered.add(event);
        }
    }

    /// Takes a day in. Days come partition by partition.
    pub(super) fn day(
        &mut self,
        (partition, line): (u8, u64),
        day: &PackedDay<'_>,
    ) -> Result<(), ShardError> {
        let header = day.header;
        let present_count = day.present_count();
        if present_count == 0 {
            return Ok(());
        }
        let grid = day_slot::grid_of(header);
        let key = LeafKey::of_header(header);
        let fits = self.local_day_of(grid.start).is_some_and(|local| {
            local.day == day_slot::day_of(header)
                && local.start == grid.start
                && local.interval_count(grid.interval_minutes).map(usize::from) == Some(grid.interval_count)
        });
        let last = grid.interval_count - 1;
        // No value needs more bits than all of them together have.
        let is_ordinary = |max_wh| self.is_ordinary(&grid, last, max_wh);
        if !fits || !(is_ordinary((1 << day.width) - 1) || is_ordinary(i64::from(day.max_wh()))) {
            return self.day_by_reading((partition, line), day, &key);
        }
        if self.is_billed(&key) {
            return self.day_by_reading((partition, line), day, &key);
        }
        let source = self.rules.source.code();
        let is_whole = present_count == grid.interval_count;
        if is_whole && self.is_new_and_past(partition, &key)? {
            let mut own = *header;
            day_slot::set_source(&mut own, source);
            self.shard.pack_in_order(partition, key).push_packed(&PackedDay { header: &own, ..*day });
            self.accept(present_count);
            return Ok(());
        }
        let slot = self.find(partition, &key)?;
        let frame = &mut self.frame[..day.leaf_size()];
        day.write_leaf(frame);
        match slot {
            None => {
                day_slot::set_source(frame, source);
                let slot = self.shard.hold(partition, key, frame);
                self.shard.table.touch(slot);
                self.accept(present_count);
                Ok(())
            }
            Some(slot) => {
                let known = self.shard.table.frame(slot);
                // The same day again, byte for byte but for its source: the ordinary repetition.
                if self.shard.layered.state(&key).is_none()
                    && day_slot::source_of(day_slot::header_of(known)) >= source
                    && is_same_but_source(known, frame)
                {
                    let count = u64::try_from(present_count).expect("a day has at most 300 intervals");
                    self.outcome.counts.offered += count;
                    self.outcome.counts.duplicate += count;
                    return Ok(());
                }
                self.day_by_reading((partition, line), day, &key)
            }
        }
    }

    /// Whether a day is nowhere, and past all of its partition that is not sealed.
    fn is_new_and_past(&self, partition: u8, key: &LeafKey) -> Result<bool, ShardError> {
        Ok(self.shard.is_past(partition, key) && self.earlier.find(partition, key)?.is_none())
    }

    /// Counts values that were taken as they are.
    fn accept(&mut self, count: usize) {
        let count = u64::try_from(count).expect("a day has at most 300 intervals");
        self.outcome.counts.offered += count;
        self.outcome.counts.accepted += count;
    }

    /// The days of a partition are through.
    pub(super) fn close_part(&mut self) {
        self.shard.in_order.close(self.outcome);
    }

    /// The slow way: every interval that has a value is judged as a reading of its own.
    fn day_by_reading(
        &mut self,
        (partition, line): (u8, u64),
        day: &PackedDay<'_>,
        key: &LeafKey,
    ) -> Result<(), ShardError> {
        let BlockKey { usage_point, register, .. } = key.block_key();
        let grid = day_slot::grid_of(day.header);
        let before = self.outcome.rejections.len();
        let mut frame = [0; LEAF_SIZE_MAX];
        let frame = &mut frame[..day.leaf_size()];
        day.write_leaf(frame);
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
                line,
            };
            self.reading(partition, &reading, &Mark::PLAIN)?;
        }
        join_same_code(&mut self.outcome.rejections, before);
        Ok(())
    }

    pub(super) fn run(
        &mut self,
        LaneRun { head: run, partition, .. }: &LaneRun,
        mark: &Mark,
        values_wh: &[i64],
    ) -> Result<(), ShardError> {
        let mut done = 0;
        while done < values_wh.len() {
            let taken = self.run_of_day((run, mark, *partition), done, &values_wh[done..])?;
            if taken == 0 {
                self.reading(*partition, &reading_of(run, done, values_wh[done]), mark)?;
            }
            done += taken.max(1);
        }
        Ok(())
    }

    /// Takes the part of a run that lies in one day, and says how many values that were; 0 when the next is out of
    /// the ordinary.
    fn run_of_day(
        &mut self,
        (run, mark, partition): (&RunHead, &Mark, u8),
        at: usize,
        values_wh: &[i64],
    ) -> Result<usize, ShardError> {
        let start = run.start.plus(seconds_of(at, run.interval_minutes));
        let Some(local) = self.local_day_of(start) else { return Ok(0) };
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
        let (is_plain, is_billed) = (*mark == Mark::PLAIN, self.is_billed(&key));
        if is_plain && !is_billed && count == grid.interval_count && self.is_new_and_past(partition, &key)? {
            let mut values = [0; INTERVAL_COUNT_MAX as usize];
            for (value, &wh) in values.iter_mut().zip(values_wh) {
                *value = value_of(wh);
            }
            let pack = self.shard.pack_in_order(partition, key);
            pack.push_day(&header, &values[..count], Qualities::All(run.quality.code()));
            self.accept(count);
            return Ok(count);
        }
        let known = self.find(partition, &key)?;
        if known
            .is_some_and(|slot| day_slot::grid_of(day_slot::header_of(self.shard.table.frame(slot))) != grid)
        {
            return Ok(0);
        }
        if !is_billed && self.is_simple(known, &key, mark, (first, values_wh, run.quality)) {
            match known {
                Some(slot) => self.put_all(slot, run, at, first, values_wh),
                None => {
                    self.hold_new((partition, key), &header, first, (values_wh, run.quality));
                    self.accept(count);
                }
            }
            if !is_plain && self.shard.layered.state(&key).is_none() {
                self.shard.layered.learn(partition, key, Some(DayState::Stamped(mark.issued)));
            }
            return Ok(count);
        }
        let mut day = self.open_layers(partition, key, known, &header);
        let values: Vec<i32> = values_wh.iter().map(|&wh| value_of(wh)).collect();
        day.weigh(first, &values, run.quality, mark);
        for (step, &wh) in values_wh.iter().enumerate() {
            let outcome = day.put(first + step, (value_of(wh), run.quality), mark);
            self.settle(&reading_of(run, at + step, wh), outcome);
        }
        self.close_layers(day, mark);
        Ok(count)
    }

    /// Holds a new day that has these values.
    fn hold_new(
        &mut self,
        (partition, key): (u8, LeafKey),
        header: &Header,
        first: usize,
        (values_wh, quality): (&[i64], Quality),
    ) {
        let frame = &mut self.frame[..leaf_size(day_slot::interval_count(header))];
        day_slot::write_empty(header, frame);
        let is_put = day_slot::put_new(frame, first, values_wh, quality);
        assert!(is_put, "a day without a value takes any");
        let slot = self.shard.hold(partition, key, frame);
        self.shard.table.touch(slot);
    }

    /// Whether values can be joined into the block of their day without a look at its layers: those of a plain day into one
    /// that stays plain, or those of an issue into one that has no other.
    fn is_simple(
        &self,
        known: Option<Slot>,
        key: &LeafKey,
        mark: &Mark,
        (first, values_wh, quality): (usize, &[i64], Quality),
    ) -> bool {
        let frame = known.map(|slot| self.shard.table.frame(slot));
        let agrees = |frame: &[u8]| day_slot::agrees(frame, first, values_wh, quality);
        match self.shard.layered.state(key) {
            None if *mark == Mark::PLAIN => {
                frame.is_none_or(|frame| !day_slot::has_conflict(frame, first, values_wh, quality))
            }
            None => *mark == Mark::delivered(mark.issued) && frame.is_none_or(day_slot::is_blank),
            Some(DayState::Stamped(issued)) => *mark == Mark::delivered(*issued) && frame.is_some_and(agrees),
            Some(DayState::Layered(_)) => false,
        }
    }

    fn put_all(&mut self, slot: Slot, run: &RunHead, at: usize, first: usize, values_wh: &[i64]) {
        let source = self.rules.source.code();
        let mut changed = day_slot::put_new(self.shard.table.frame_mut(slot), first, values_wh, run.quality);
        if changed {
            self.accept(values_wh.len());
        }
        let one_by_one = if changed { &[] } else { values_wh };
        for (step, &wh) in one_by_one.iter().enumerate() {
            let value_wh = value_of(wh);
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
    fn reading(&mut self, partition: u8, reading: &RawReading, mark: &Mark) -> Result<(), ShardError> {
        let outcome = self.judged(partition, reading, mark)?;
        self.settle(reading, outcome);
        Ok(())
    }

    /// Counts what became of a reading, and keeps what is set aside.
    fn settle(&mut self, reading: &RawReading, outcome: ReadingOutcome) {
        let counts = &mut self.outcome.counts;
        counts.offered += 1;
        let code = match outcome {
            ReadingOutcome::Accepted => {
                counts.accepted += 1;
                return;
            }
            ReadingOutcome::Duplicate => {
                counts.duplicate += 1;
                return;
            }
            ReadingOutcome::Corrected => {
                counts.corrected += 1;
                return;
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
    }

    fn judged(
        &mut self,
        partition: u8,
        reading: &RawReading,
        mark: &Mark,
    ) -> Result<ReadingOutcome, ShardError> {
        use ReadingOutcome::Rejected;
        let Some(local) = self.local_day_of(reading.start) else {
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
        let value = (at, &[i64::from(value_wh)][..], quality);
        if *mark != Mark::PLAIN || self.is_billed(&key) || !self.is_simple(known, &key, mark, value) {
            let mut day = self.open_layers(partition, key, known, &header);
            day.weigh(at, &[value_wh], quality, mark);
            let outcome = day.put(at, (value_wh, quality), mark);
            self.close_layers(day, mark);
            return Ok(outcome);
        }
        let slot = known.unwrap_or_else(|| self.hold_empty(partition, key, &header));
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
        Ok(reading_outcome(counts))
    }

    /// Whether bills used the day: then what replaces a value of it may have to wait.
    fn is_billed(&self, key: &LeafKey) -> bool {
        self.has_billed && self.earlier.billed(key).is_some()
    }

    /// Holds a new day without a value.
    fn hold_empty(&mut self, partition: u8, key: LeafKey, header: &Header) -> Slot {
        let frame = &mut self.frame[..leaf_size(day_slot::interval_count(header))];
        day_slot::write_empty(header, frame);
        self.shard.hold(partition, key, frame)
    }

    /// The day's slot, brought back into memory if it is known from before.
    fn find(&mut self, partition: u8, key: &LeafKey) -> Result<Option<Slot>, ShardError> {
        if !self.shard.is_past(partition, key) {
            if let Some(slot) = self.shard.table.find(key) {
                return Ok(Some(slot));
            }
            if let Some(reader) = &self.shard.reader
                && let Some(frame) = self.shard.let_go.find(partition, key, reader)?
            {
                return Ok(Some(self.shard.hold(partition, *key, &frame)));
            }
            if let Some(slot) = self.find_in_order(partition, key)? {
                return Ok(Some(slot));
            }
        }
        let Some(earlier) = self.earlier.find(partition, key)? else { return Ok(None) };
        if let Some(state) = self.earlier.state(partition, key)? {
            self.shard.layered.hold(partition, *key, state);
        }
        Ok(Some(self.shard.hold(partition, *key, &earlier.frame)))
    }

    /// Brings a day back that arrived in order. The days of its pack were delivered with it, and will be asked for with
    /// it: they come back too, where no newer copy of them can be elsewhere.
    fn find_in_order(&mut self, partition: u8, key: &LeafKey) -> Result<Option<Slot>, ShardError> {
        let Shard { in_order, reader, table, let_go, .. } = &mut *self.shard;
        let Some(pack) = in_order.find(partition, key, reader.as_ref())? else { return Ok(None) };
        let mut found = None;
        let taken = each_frame(&pack, &mut |frame| {
            let other = LeafKey::of_header(day_slot::header_of(frame));
            if other == *key {
                found = Some(table.insert(other, partition, frame));
            } else if let_go.is_empty() && table.find(&other).is_none() {
                table.insert(other, partition, frame);
            }
        });
        taken.map_err(LetGoError::from)?;
        Ok(found)
    }

    fn local_day_of(&mut self, instant: UtcSeconds) -> Option<LocalDay> {
        if self.recent.is_none_or(|local| !local.contains(instant)) {
            self.recent = Some(self.rules.zone.local_day_of(instant)?);
        }
        self.recent
    }

    /// Whether a value up to `max_wh` in an interval of the day up to `last` breaks no rule: what [`judge`] says of each.
    fn is_ordinary(&self, grid: &DayGrid, last: usize, max_wh: i64) -> bool {
        let Limits { power_max_w, now, skew_s, oldest } = self.rules.limits;
        let ceiling_wh = power_max_w.saturating_mul(i64::from(grid.interval_minutes)) / 60;
        // As the ends of intervals: of the first of the day, and of `last`.
        let end = |at| grid.start.plus(seconds_of(at + 1, grid.interval_minutes));
        let is_in_time = end(0) >= oldest && end(last) <= now.plus(skew_s);
        max_wh <= ceiling_wh.min(i64::from(i32::MAX)) && is_in_time
    }
}

/// What became of one value, of which one thing was counted.
fn reading_outcome(counts: MergeCounts) -> ReadingOutcome {
    match counts {
        MergeCounts { accepted: 1, .. } => ReadingOutcome::Accepted,
        MergeCounts { duplicate: 1, .. } => ReadingOutcome::Duplicate,
        MergeCounts { corrected: 1, .. } => ReadingOutcome::Corrected,
        _ => ReadingOutcome::Conflict,
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

fn count(sum: &mut IntakeCounts, counts: &MergeCounts) {
    let MergeCounts { accepted, duplicate, corrected, conflict } = *counts;
    sum.offered += accepted + duplicate + corrected + conflict;
    sum.accepted += accepted;
    sum.duplicate += duplicate;
    sum.corrected += corrected;
    sum.conflict += conflict;
}

fn value_of(wh: i64) -> i32 {
    i32::try_from(wh).expect("values within the ceiling were checked to fit")
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
