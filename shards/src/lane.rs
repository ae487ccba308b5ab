//! What travels between the stages: a chunk of a file, split into one lane a shard.
//!
//! ```text
//!   Chunk 17 ─┬─ head: cursor, what was set aside          made by the source, in the order of the file
//!             ├─ lane of shard 0: frames, runs ─▶ outcome: counts, set aside, packs of the days that changed
//!             ├─ lane of shard 1: …
//!             └─ lane of shard n: …                        every buffer comes back and is used again
//! ```

use std::mem;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::Rejection;
use tallywatt_ledger::leaf_key::LeafKey;
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

/// A run in its lane: its values stand behind those of the runs before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneRun {
    pub(crate) head: RunHead,
    pub(crate) partition: u8,
    pub(crate) value_count: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameHead {
    pub(crate) partition: u8,
    pub(crate) size: u16,
    pub(crate) line: u64,
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
}

/// What a worker made of a lane.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What became of its readings.
    pub counts: IntakeCounts,
    /// What was set aside, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// Packs of the days that changed, as they stand now, by partition and key.
    pub packs: Vec<u8>,
    /// Where each partition's are.
    pub parts: Vec<DayPart>,
    /// Where in the record the packs begin; said by whoever wrote it.
    pub packs_start: usize,
}

/// One shard's share of a chunk.
#[derive(Debug, Default)]
pub struct Lane {
    pub(crate) frames: Vec<u8>,
    pub(crate) frame_heads: Vec<FrameHead>,
    pub(crate) runs: Vec<LaneRun>,
    pub(crate) values: Vec<i64>,
    /// What a worker made of it.
    pub outcome: Outcome,
}

impl Lane {
    fn clear(&mut self) {
        self.frames.clear();
        self.frame_heads.clear();
        self.runs.clear();
        self.values.clear();
        let Outcome { counts, rejections, packs, parts, packs_start } = &mut self.outcome;
        (*counts, *packs_start) = (IntakeCounts::default(), 0);
        rejections.clear();
        packs.clear();
        parts.clear();
    }
}

/// How many frames are routed at once.
const STAGED_COUNT: usize = 64;

/// Frames of one size that wait for others.
#[derive(Debug, Default)]
struct Staged {
    frames: Vec<u8>,
    frame_size: usize,
    lines: Vec<u64>,
}

impl Staged {
    fn clear(&mut self) {
        self.frames.clear();
        self.lines.clear();
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
    reading_count: usize,
    frame_count: usize,
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

    /// Readings in it so far.
    #[must_use]
    pub const fn reading_count(&self) -> usize {
        self.reading_count
    }

    /// Routes a run to its lane.
    pub fn push_run(&mut self, head: RunHead, values_wh: &[i64]) {
        let partition = self.partition_of(&head.usage_point);
        let value_count = values_wh.len();
        let shard = shard_of(partition, self.lanes.len());
        let lane = &mut self.lanes[shard];
        lane.values.extend_from_slice(values_wh);
        self.reading_count += value_count;
        match lane.runs.last_mut() {
            Some(last) if goes_on(last, &head) => last.value_count += value_count,
            _ => lane.runs.push(LaneRun { head, partition, value_count }),
        }
    }

    /// Routes a canonical frame to its lane, together with others: partitions are hashed side by side.
    ///
    /// # Panics
    /// If it is no frame.
    pub fn push_frame(&mut self, frame: &[u8], line: u64) {
        if self.staged.lines.len() == STAGED_COUNT || self.staged.frame_size != frame.len() {
            self.settle();
        }
        self.staged.frame_size = frame.len();
        self.staged.frames.extend_from_slice(frame);
        self.staged.lines.push(line);
        self.reading_count += day_slot::interval_count(day_slot::header_of(frame));
        self.frame_count += 1;
    }

    /// Empties it; the buffers keep their memory.
    pub fn clear(&mut self) {
        self.rejections.clear();
        self.lanes.iter_mut().for_each(Lane::clear);
        self.written = None;
        self.staged.clear();
        (self.sequence, self.cursor) = (0, 0);
        (self.reading_count, self.frame_count) = (0, 0);
    }
}

impl<B> Chunk<B> {
    /// Sends the frames that wait for others to their lanes.
    pub(crate) fn settle(&mut self) {
        let Staged { frames, frame_size, lines } = &mut self.staged;
        if lines.is_empty() {
            return;
        }
        let mut partitions = [0; STAGED_COUNT];
        let partitions = &mut partitions[..lines.len()];
        partitions_of(frames, *frame_size, partitions);
        for ((frame, &line), &partition) in
            frames.chunks_exact(*frame_size).zip(lines.iter()).zip(&*partitions)
        {
            let shard = shard_of(partition, self.lanes.len());
            let lane = &mut self.lanes[shard];
            let size = u16::try_from(frame.len()).expect("a frame is at most 1,600 bytes");
            lane.frames.extend_from_slice(frame);
            lane.frame_heads.push(FrameHead { partition, size, line });
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
