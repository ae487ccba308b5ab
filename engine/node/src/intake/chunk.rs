//! From a decoder's findings to chunks: what is wanted of them, routed to the shards' lanes.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::meter_event::{MeterEvent, ReceivedRead};
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::block_decoder::{BlockEnd, BlockError};
use tallywatt_ingest::blocks::Block;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::day_pack::PackedDay;
use tallywatt_shards::lane::{Chunk, Mark, RunHead};
use tallywatt_shards::pipeline::Feeder;

use crate::intake::{ImportRun, Progress};

/// Readings in a chunk: what one acknowledgement covers.
pub const CHUNK_READING_COUNT: usize = 16_384;
/// Day frames in a chunk.
pub const CHUNK_FRAME_COUNT: usize = 65_536;
/// Events of no day in a chunk.
pub const CHUNK_EVENT_COUNT: usize = 16_384;
/// Things set aside in a chunk by its decoder.
pub const CHUNK_REJECTION_COUNT: usize = 4_096;

/// What a chunk is decoded from, where decoding is a stage of its own.
#[derive(Default)]
pub(super) struct Work {
    pub(super) block: Option<Block>,
    pub(super) end: Option<Result<BlockEnd, BlockError>>,
}

/// How far the committer is.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    pub(super) chunks: AtomicU64,
    pub(super) readings: AtomicU64,
    pub(super) rejected: AtomicU64,
}

/// Which lines of a file are wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) after: u64,
    pub(super) only: Option<&'a std::collections::BTreeSet<u64>>,
}

impl Wanted<'_> {
    fn takes(&self, line: u64) -> bool {
        line > self.after && self.only.is_none_or(|lines| lines.contains(&line))
    }

    fn takes_all(&self, first_line: u64) -> bool {
        first_line > self.after && self.only.is_none()
    }
}

/// Puts findings into a chunk.
pub(super) fn put_run(chunk: &mut Chunk<Work>, wanted: Wanted<'_>, run: &ReadingRun<'_>) {
    if wanted.takes_all(run.first_line) {
        let head = RunHead {
            usage_point: run.usage_point,
            register: run.register,
            start: run.start,
            interval_minutes: run.interval_minutes,
            quality: run.quality,
            first_line: run.first_line,
            line_step: run.lines_per_value,
        };
        chunk.push_run(head, run.values_wh);
    } else {
        run.readings().for_each(|reading| put_reading(chunk, wanted, &reading));
    }
}

pub(super) fn put_reading(chunk: &mut Chunk<Work>, wanted: Wanted<'_>, reading: &RawReading) {
    if wanted.takes(reading.line) {
        let head = RunHead {
            usage_point: reading.usage_point,
            register: reading.register,
            start: reading.start,
            interval_minutes: reading.interval_minutes,
            quality: reading.quality,
            first_line: reading.line,
            line_step: 0,
        };
        chunk.push_run(head, &[reading.energy_wh]);
    }
}

/// Takes values back; what comes next is of the issue again.
fn put_withdrawn(chunk: &mut Chunk<Work>, wanted: Wanted<'_>, run: &ReadingRun<'_>, issued: Issued) {
    chunk.mark(Mark::withdrawn(issued));
    put_run(chunk, wanted, run);
    chunk.mark(Mark::delivered(issued));
}

fn read_event(read: &RegisterRead, origin: &ReadOrigin, issued: Issued) -> MeterEvent {
    MeterEvent::Read(ReceivedRead::of_issue(*read, origin.who, issued))
}

fn put_event(chunk: &mut Chunk<Work>, wanted: Wanted<'_>, event: MeterEvent, line: u64) {
    if wanted.takes(line) {
        chunk.push_event(event);
    }
}

/// A sink that fills the chunk of one block.
pub(super) struct BlockSink<'a, 'w> {
    pub(super) chunk: &'a mut Chunk<Work>,
    pub(super) wanted: Wanted<'w>,
    issued: Issued,
}

impl<'a, 'w> BlockSink<'a, 'w> {
    pub(super) fn new(chunk: &'a mut Chunk<Work>, wanted: Wanted<'w>) -> Self {
        Self { chunk, wanted, issued: Issued::UNSAID }
    }
}

impl ReadingSink for BlockSink<'_, '_> {
    fn reading(&mut self, reading: RawReading) {
        put_reading(self.chunk, self.wanted, &reading);
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        put_run(self.chunk, self.wanted, run);
    }

    fn frame(&mut self, frame: &[u8], line: u64) {
        if self.wanted.takes(line) {
            self.chunk.push_frame(frame, line);
        }
    }

    fn day(&mut self, day: &PackedDay<'_>, line: u64) {
        if self.wanted.takes(line) {
            self.chunk.push_day(day, line);
        }
    }

    fn issued(&mut self, issued: Issued) {
        self.issued = issued;
        self.chunk.mark(Mark::delivered(issued));
    }

    fn register_read(&mut self, read: &RegisterRead, origin: ReadOrigin) {
        put_event(self.chunk, self.wanted, read_event(read, &origin, self.issued), origin.line);
    }

    fn installation(&mut self, installation: &Installation, line: u64) {
        put_event(self.chunk, self.wanted, MeterEvent::Installed(*installation), line);
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        put_withdrawn(self.chunk, self.wanted, run, self.issued);
    }

    fn reject(&mut self, rejection: Rejection) {
        if self.wanted.takes(rejection.line) {
            self.chunk.rejections.push(rejection);
        }
    }

    fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        // A block that was taken before moves the cursor no way back.
        self.chunk.cursor = line.max(self.wanted.after);
        ControlFlow::Continue(())
    }
}

/// A sink that sends a chunk on whenever one is full.
pub(super) struct ChunkSink<'a, 'f, 'r> {
    pub(super) feeder: &'a mut Feeder<'f, Work>,
    /// `None` when the run has failed.
    pub(super) chunk: Option<Chunk<Work>>,
    pub(super) wanted: Wanted<'a>,
    pub(super) teller: Teller<'a, 'r>,
    /// Readings in a chunk.
    pub(super) reading_count: usize,
    pub(super) last_line: u64,
    /// What was said last: it holds for the chunks to come, too.
    pub(super) issued: Issued,
}

impl ReadingSink for ChunkSink<'_, '_, '_> {
    fn reading(&mut self, reading: RawReading) {
        if let Some(chunk) = &mut self.chunk {
            put_reading(chunk, self.wanted, &reading);
        }
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        if let Some(chunk) = &mut self.chunk {
            put_run(chunk, self.wanted, run);
        }
    }

    fn frame(&mut self, frame: &[u8], line: u64) {
        if let Some(chunk) = self.chunk.as_mut().filter(|_| self.wanted.takes(line)) {
            chunk.push_frame(frame, line);
        }
    }

    fn day(&mut self, day: &PackedDay<'_>, line: u64) {
        if let Some(chunk) = self.chunk.as_mut().filter(|_| self.wanted.takes(line)) {
            chunk.push_day(day, line);
        }
    }

    fn issued(&mut self, issued: Issued) {
        self.issued = issued;
        if let Some(chunk) = &mut self.chunk {
            chunk.mark(Mark::delivered(issued));
        }
    }

    fn register_read(&mut self, read: &RegisterRead, origin: ReadOrigin) {
        if let Some(chunk) = &mut self.chunk {
            put_event(chunk, self.wanted, read_event(read, &origin, self.issued), origin.line);
        }
    }

    fn installation(&mut self, installation: &Installation, line: u64) {
        if let Some(chunk) = &mut self.chunk {
            put_event(chunk, self.wanted, MeterEvent::Installed(*installation), line);
        }
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        if let Some(chunk) = &mut self.chunk {
            put_withdrawn(chunk, self.wanted, run, self.issued);
        }
    }

    fn reject(&mut self, rejection: Rejection) {
        if let Some(chunk) = self.chunk.as_mut().filter(|_| self.wanted.takes(rejection.line)) {
            chunk.rejections.push(rejection);
        }
    }

    fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        self.last_line = line;
        let Some(chunk) = &mut self.chunk else { return ControlFlow::Break(()) };
        let run_readings = chunk.reading_count() * usize::from(chunk.frame_count() == 0);
        let is_full = run_readings >= self.reading_count
            || chunk.frame_count() >= CHUNK_FRAME_COUNT
            || chunk.event_count() >= CHUNK_EVENT_COUNT
            || chunk.rejections.len() >= CHUNK_REJECTION_COUNT;
        if is_full {
            chunk.cursor = line.max(self.wanted.after);
            if let Some(full) = self.chunk.take() {
                self.feeder.send(full);
            }
            self.chunk = self.feeder.take();
            if let Some(chunk) = &mut self.chunk {
                chunk.mark(Mark::delivered(self.issued));
            }
            self.teller.tell();
        }
        let is_over = self.chunk.is_none() || self.teller.run.interrupt.load(Ordering::Relaxed);
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Tells the caller what was acknowledged since it was told last.
pub(super) struct Teller<'a, 'r> {
    pub(super) run: &'a mut ImportRun<'r>,
    pub(super) acknowledged: &'a Acknowledged,
    pub(super) bytes: &'a std::rc::Rc<std::cell::Cell<u64>>,
    pub(super) told: u64,
}

impl Teller<'_, '_> {
    pub(super) fn tell(&mut self) {
        let chunks = self.acknowledged.chunks.load(Ordering::Acquire);
        if chunks > self.told {
            self.told = chunks;
            (self.run.progress)(Progress {
                bytes: self.bytes.get(),
                readings: self.acknowledged.readings.load(Ordering::Relaxed),
                rejected: self.acknowledged.rejected.load(Ordering::Relaxed),
            });
        }
    }
}
