//! What travels between the stages: a chunk of a file, split into one lane a shard.
//!
//! ```text
//!   Chunk 17 ─┬─ head: cursor, what was set aside          made by the source, in the order of the file
//!             ├─ lane of shard 0: days, runs ─▶ outcome: counts, set aside, packs of the days that changed
//!             ├─ lane of shard 1: …
//!             └─ lane of shard n: …                        every buffer comes back and is used again
//! ```
//!
//! Days travel packed, and stand in a lane by partition: so the shard reads and writes one place after the other.

use std::mem;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::layer::Origin;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Issued;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::Rejection;
use tallywatt_ledger::day_pack::{Header, PackedDay, Qualities};
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::packed_values::{pack, packed_size, width_of};
use tallywatt_ledger::seal::{PARTITION_COUNT, partition_of, partitions_of};

use crate::day_slot;
use crate::intake_record::IntakeCounts;
use crate::write_ahead::RecordPlace;

/// Which shard of `shard_count` owns a partition: ranges of equal size, in order.
///
/// # Panics
/// If there are no shards, or more than partitions.
#[must_use]
pub fn shard_of(partition: u8, shard_count: usize) -> usize {
    assert!((1..=PARTITION_COUNT).contains(&shard_count), "1 to 256 shards");
    usize::from(partition) * shard_count / PARTITION_COUNT
}

/// Consecutive intervals of one register, of one quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunHead {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// First instant of the first interval.
    pub start: UtcSeconds,
    /// Length of the intervals.
    pub interval_minutes: u8,
    /// What the source says of all of them.
    pub quality: Quality,
    /// Line of the first value.
    pub first_line: u64,
    /// Lines from one value to the next: 1, or 0 when all stand on one line.
    pub line_step: u8,
}

/// What is to be done with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// A source delivers them.
    Deliver,
    /// A source, or a person, takes back these very values.
    Withdraw,
    /// A person sets them, and takes back what stood there.
    Edit,
    /// They were delivered, held back, and are let pass.
    Approve,
}

/// What is said of values beside what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// What is to be done with them.
    pub intent: Intent,
    /// Of which issue they are; of an edit, when it was made.
    pub issued: Issued,
    /// Why, by whom, when.
    pub origin: Origin,
}

impl Mark {
    /// Values of which nothing is said.
    pub const PLAIN: Self = Self::delivered(Issued::UNSAID);

    /// Values that a source delivers in an issue.
    #[must_use]
    pub const fn delivered(issued: Issued) -> Self {
        Self { intent: Intent::Deliver, issued, origin: Origin::DELIVERY }
    }

    /// Values of an issue that their source takes back.
    #[must_use]
    pub const fn withdrawn(issued: Issued) -> Self {
        Self { intent: Intent::Withdraw, issued, origin: Origin::WITHDRAWN_BY_SOURCE }
    }
}

/// Number of [`Mark::PLAIN`] in a lane.
const PLAIN: u32 = 0;

/// A run in its lane, and where its values are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneRun {
    pub(crate) head: RunHead,
    pub(crate) partition: u8,
    /// [`PLAIN`], or the number of its mark among those of its lane, from 1.
    mark: u32,
    pub(crate) start: usize,
    pub(crate) value_count: usize,
}

/// A day in its lane: its header, its qualities if they differ, and its packed values stand at `start`.
#[derive(Debug, Clone, Copy)]
struct DayHead {
    line: u64,
    start: u32,
    width: u8,
    /// The quality of every interval, if it is one.
    quality: Option<u8>,
}

/// Days of one partition end to end, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct LaneDays {
    bytes: Vec<u8>,
    heads: Vec<DayHead>,
}

impl LaneDays {
    fn clear(&mut self) {
        self.bytes.clear();
        self.heads.clear();
    }

    /// # Panics
    /// If the days of a chunk are past 4 GiB.
    fn push(&mut self, line: u64, day: &PackedDay<'_>) {
        let start = u32::try_from(self.bytes.len()).expect("a chunk is below 4 GiB");
        self.bytes.extend_from_slice(day.header);
        let quality = match day.qualities {
            Qualities::All(code) => Some(code),
            Qualities::Each(codes) => {
                self.bytes.extend_from_slice(codes);
                None
            }
        };
        self.bytes.extend_from_slice(day.bits);
        self.heads.push(DayHead { line, start, width: day.width, quality });
    }

    /// Adds a day that stands in others.
    fn push_of(&mut self, others: &Self, head: &DayHead, end: usize) {
        let start = u32::try_from(self.bytes.len()).expect("a chunk is below 4 GiB");
        self.bytes.extend_from_slice(&others.bytes[head.start as usize..end]);
        self.heads.push(DayHead { start, ..*head });
    }

    /// Each day, with its line.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u64, PackedDay<'_>)> {
        self.heads.iter().map(|head| (head.line, self.day(head)))
    }

    fn day(&self, head: &DayHead) -> PackedDay<'_> {
        let bytes = &self.bytes[head.start as usize..];
        let (header, rest) = bytes.split_first_chunk().expect("the day was put there whole");
        let count = day_slot::interval_count(header);
        let (qualities, rest) = match head.quality {
            Some(code) => (Qualities::All(code), rest),
            None => {
                let (codes, rest) = rest.split_at(count);
                (Qualities::Each(codes), rest)
            }
        };
        let bits = &rest[..packed_size(count, head.width)];
        PackedDay { header, qualities, width: head.width, bits }
    }
}

/// Where in a lane's packs the days of one partition are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPart {
    /// The partition.
    pub partition: u8,
    /// Its first day.
    pub first: LeafKey,
    /// Its last day.
    pub last: LeafKey,
    /// Where its packs begin.
    pub offset: usize,
    /// Bytes of its packs.
    pub size: usize,
    /// Whether they arrived whole and in order, and are held by [`crate::in_order::InOrder`].
    pub is_in_order: bool,
}

/// What a worker made of a lane.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What became of its readings.
    pub counts: IntakeCounts,
    /// What was set aside, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// Packs of the days that changed, as they stand now: those in order, then the others; each by partition and key.
    pub packs: Vec<u8>,
    /// Where each partition's are.
    pub parts: Vec<DayPart>,
    /// What is new beside them: what became of days that are not plain, as it stands then, and what is of no day.
    pub events: Vec<MeterEvent>,
    /// Where in the record the packs begin; said by whoever wrote it.
    pub packs_start: usize,
}

/// One shard's share of a chunk.
#[derive(Debug, Default)]
pub struct Lane {
    /// The days of each of its partitions, by partition; none until the first comes.
    pub(crate) days: Vec<LaneDays>,
    pub(crate) runs: Vec<LaneRun>,
    pub(crate) values: Vec<i64>,
    marks: Vec<Mark>,
    /// What came that is no value.
    pub(crate) events: Vec<MeterEvent>,
    /// What a worker made of it.
    pub outcome: Outcome,
}

impl Lane {
    fn clear(&mut self) {
        self.days.iter_mut().for_each(LaneDays::clear);
        self.runs.clear();
        self.values.clear();
        self.marks.clear();
        self.events.clear();
        let Outcome { counts, rejections, packs, parts, events, packs_start } = &mut self.outcome;
        (*counts, *packs_start) = (IntakeCounts::default(), 0);
        rejections.clear();
        packs.clear();
        parts.clear();
        events.clear();
    }

    /// The number of a mark, which is noted if it is not the last one.
    fn number_of(&mut self, mark: &Mark) -> u32 {
        if *mark == Mark::PLAIN {
            return PLAIN;
        }
        if self.marks.last() != Some(mark) {
            self.marks.push(*mark);
        }
        u32::try_from(self.marks.len()).expect("a chunk is below 4 GiB")
    }

    /// What is said of a run.
    pub(crate) fn mark_of(marks: &[Mark], run: &LaneRun) -> Mark {
        match run.mark {
            PLAIN => Mark::PLAIN,
            number => marks[number as usize - 1],
        }
    }

    /// Its runs with their marks, their values, and what goes out.
    pub(crate) fn parts(&mut self) -> LaneParts<'_> {
        let Self { days, runs, values, marks, events, outcome } = self;
        LaneParts { days, runs, values, marks, events, outcome }
    }
}

/// The parts of a lane, each for itself.
pub(crate) struct LaneParts<'a> {
    pub(crate) days: &'a [LaneDays],
    pub(crate) runs: &'a mut [LaneRun],
    pub(crate) values: &'a [i64],
    pub(crate) marks: &'a [Mark],
    pub(crate) events: &'a mut Vec<MeterEvent>,
    pub(crate) outcome: &'a mut Outcome,
}

/// How many days are routed at once.
const STAGED_COUNT: usize = 64;

/// Days that wait for others, so that their partitions are hashed side by side.
#[derive(Debug, Default)]
struct Staged {
    headers: Vec<Header>,
    days: LaneDays,
    /// Room to pack a frame.
    values: Vec<i32>,
    bits: Vec<u8>,
}

impl Staged {
    fn clear(&mut self) {
        self.headers.clear();
        self.days.clear();
    }
}

/// A stretch of one file, on its way through the stages.
#[derive(Debug, Default)]
pub struct Chunk<B = ()> {
    /// Its number in the run, from 0.
    pub sequence: u64,
    /// What it is decoded from, where decoding is a stage of its own; it is used again.
    pub block: B,
    /// Lines up to and including this one are dealt with when it is durable.
    pub cursor: u64,
    /// What its decoder set aside, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// One lane a shard.
    pub lanes: Vec<Lane>,
    /// The record it was written ahead in; said by whoever wrote it.
    pub written: Option<RecordPlace>,
    /// What is said of what comes next.
    mark: Option<Mark>,
    reading_count: usize,
    frame_count: usize,
    event_count: usize,
    staged: Staged,
    recent_point: Option<(UsagePointId, u8)>,
}

impl<B: Default> Chunk<B> {
    /// An empty chunk.
    #[must_use]
    pub fn new(shard_count: usize) -> Self {
        let mut lanes = Vec::new();
        lanes.resize_with(shard_count, Lane::default);
        Self { lanes, ..Self::default() }
    }

    /// Frames in it so far.
    #[must_use]
    pub const fn frame_count(&self) -> usize {
        self.frame_count
    }

    /// Events of no day in it so far.
    #[must_use]
    pub const fn event_count(&self) -> usize {
        self.event_count
    }

    /// Readings in it so far.
    #[must_use]
    pub const fn reading_count(&self) -> usize {
        self.reading_count
    }

    /// What comes from here on is meant so.
    pub fn mark(&mut self, mark: Mark) {
        self.mark = Some(mark).filter(|mark| *mark != Mark::PLAIN);
    }

    /// Routes to its lane what is no value.
    pub fn push_event(&mut self, event: MeterEvent) {
        // What is of no usage point may lie anywhere.
        let partition = event.usage_point().map_or(0, |usage_point| self.partition_of(&usage_point));
        let shard = shard_of(partition, self.lanes.len());
        self.lanes[shard].events.push(event);
        self.event_count += 1;
    }

    /// Routes a run to its lane.
    pub fn push_run(&mut self, head: RunHead, values_wh: &[i64]) {
        let partition = self.partition_of(&head.usage_point);
        let value_count = values_wh.len();
        let shard = shard_of(partition, self.lanes.len());
        let lane = &mut self.lanes[shard];
        let start = lane.values.len();
        lane.values.extend_from_slice(values_wh);
        self.reading_count += value_count;
        let mark = self.mark.as_ref().map_or(PLAIN, |mark| lane.number_of(mark));
        match lane.runs.last_mut() {
            Some(last) if last.mark == mark && goes_on(last, &head) => last.value_count += value_count,
            _ => lane.runs.push(LaneRun { head, partition, mark, start, value_count }),
        }
    }

    /// Routes a canonical frame to its lane.
    ///
    /// # Panics
    /// If it is no frame.
    pub fn push_frame(&mut self, frame: &[u8], line: u64) {
        let header = day_slot::header_of(frame);
        let (value_bytes, codes) = day_slot::parts(frame);
        let mut values = mem::take(&mut self.staged.values);
        let mut bits = mem::take(&mut self.staged.bits);
        values.clear();
        values.extend(value_bytes.iter().map(|bytes| i32::from_le_bytes(*bytes)));
        let width = width_of(&values);
        bits.clear();
        pack(&values, width, &mut bits);
        self.push_day(&PackedDay { header, qualities: Qualities::of(codes), width, bits: &bits }, line);
        (self.staged.values, self.staged.bits) = (values, bits);
    }

    /// Routes a day of a pack to its lane, whose frame would be canonical.
    ///
    /// # Panics
    /// If there are fewer bits or qualities than the header states.
    pub fn push_day(&mut self, day: &PackedDay<'_>, line: u64) {
        if self.mark.is_some() {
            return self.push_marked_day(day, line);
        }
        if self.staged.headers.len() == STAGED_COUNT {
            self.settle();
        }
        self.reading_count += day_slot::interval_count(day.header);
        self.frame_count += 1;
        self.staged.headers.push(*day.header);
        self.staged.days.push(line, day);
    }

    /// Routes a day of which something is said as the runs of its values.
    fn push_marked_day(&mut self, day: &PackedDay<'_>, line: u64) {
        let mut frame = vec![0; day.leaf_size()];
        day.write_leaf(&mut frame);
        let BlockKey { usage_point, register, .. } = LeafKey::of_header(day.header).block_key();
        let grid = day_slot::grid_of(day.header);
        let (values, codes) = day_slot::parts(&frame);
        let mut at = 0;
        for same in codes.chunk_by(|a, b| a == b) {
            let quality = Quality::from_code(same[0]).expect("frames are checked before they are held");
            let steps = i64::try_from(at).expect("a day has at most 300 intervals");
            let head = RunHead {
                usage_point,
                register,
                start: grid.start.plus(steps * i64::from(grid.interval_minutes) * 60),
                interval_minutes: grid.interval_minutes,
                quality,
                first_line: line,
                line_step: 0,
            };
            let own = values[at..at + same.len()].iter();
            let values_wh: Vec<i64> = own.map(|bytes| i32::from_le_bytes(*bytes).into()).collect();
            if quality != Quality::Missing {
                self.push_run(head, &values_wh);
            }
            at += same.len();
        }
    }

    /// Empties it; the buffers keep their memory.
    pub fn clear(&mut self) {
        self.rejections.clear();
        self.lanes.iter_mut().for_each(Lane::clear);
        self.written = None;
        self.mark = None;
        self.staged.clear();
        (self.sequence, self.cursor) = (0, 0);
        (self.reading_count, self.frame_count, self.event_count) = (0, 0, 0);
    }
}

impl<B> Chunk<B> {
    /// Sends the days that wait for others to their lanes.
    pub(crate) fn settle(&mut self) {
        let Staged { headers, days, .. } = &self.staged;
        let mut partitions = [0; STAGED_COUNT];
        let partitions = &mut partitions[..headers.len()];
        partitions_of(headers, partitions);
        let ends = days.heads.iter().skip(1).map(|head| head.start as usize).chain([days.bytes.len()]);
        for ((head, end), &partition) in days.heads.iter().zip(ends).zip(&*partitions) {
            let shard = shard_of(partition, self.lanes.len());
            let own = &mut self.lanes[shard].days;
            if own.is_empty() {
                own.resize_with(PARTITION_COUNT, LaneDays::default);
            }
            own[usize::from(partition)].push_of(days, head, end);
        }
        self.staged.clear();
    }

    /// What became of all its readings, with those its decoder set aside.
    #[must_use]
    pub fn counts(&self) -> IntakeCounts {
        let mut sum = IntakeCounts::default();
        for rejection in &self.rejections {
            sum.offered += u64::from(rejection.reading_count);
            sum.rejected += u64::from(rejection.reading_count);
        }
        self.lanes.iter().for_each(|lane| sum.add(&lane.outcome.counts));
        sum
    }

    /// Everything set aside in it, by line, code and text, so that the number of shards does not show.
    pub fn take_rejections(&mut self) -> Vec<Rejection> {
        let mut all = mem::take(&mut self.rejections);
        self.lanes.iter_mut().for_each(|lane| all.append(&mut lane.outcome.rejections));
        all.sort_by(|a, b| (a.line, a.code, &a.raw).cmp(&(b.line, b.code, &b.raw)));
        all
    }

    /// Everything new beside days, in order, so that the number of shards does not show.
    pub fn take_events(&mut self) -> Vec<MeterEvent> {
        let mut all = Vec::new();
        self.lanes.iter_mut().for_each(|lane| all.append(&mut lane.outcome.events));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn partition_of(&mut self, usage_point: &UsagePointId) -> u8 {
        match self.recent_point {
            Some((point, partition)) if point == *usage_point => partition,
            _ => {
                let partition = partition_of(usage_point);
                self.recent_point = Some((*usage_point, partition));
                partition
            }
        }
    }
}

/// Whether a run begins where the last one ends, so that both are one.
fn goes_on(last: &LaneRun, run: &RunHead) -> bool {
    let LaneRun { head, value_count, .. } = last;
    let count = i64::try_from(*value_count).expect("a count in memory fits i64");
    let seconds = count * i64::from(head.interval_minutes) * 60;
    let lines = count.unsigned_abs() * u64::from(head.line_step);
    head.start.0.checked_add(seconds) == Some(run.start.0)
        && head.first_line + lines == run.first_line
        && (head.usage_point, head.register) == (run.usage_point, run.register)
        && (head.interval_minutes, head.quality) == (run.interval_minutes, run.quality)
        && head.line_step == run.line_step
}
