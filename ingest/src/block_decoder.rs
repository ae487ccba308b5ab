//! One file on many cores: each block decoded by itself, its findings taken in the order of the blocks.
//!
//! ```text
//!             ┌─ worker ─ block 1 ─▶ findings, BlockEnd ─┐
//!   split ────┼─ worker ─ block 2 ─▶ findings, BlockEnd ─┼──▶ BlockSum, block by block ──▶ DecodeSummary
//!             └─ worker ─ block 3 ─▶ findings, BlockEnd ─┘
//! ```
//!
//! Taken so, the findings are those of [`decode`](crate::decode::decode), value by value. Delimited text,
//! JSON lines, frames and packs can be decoded so; NEM12 and 80020 files are read whole, and give no decoder.
//!
//! A block may hold what only the blocks before it can settle: which of two instants a stamp in a doubled hour
//! means. It then ends in [`BlockError::Earlier`], and the file is decoded from its start with
//! [`decode`](crate::decode::decode), into [`After`] the last line that was taken already.

use std::io::BufRead;
use std::ops::ControlFlow;

use tallywatt_core::meter::RegisterRead;
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_ledger::day_pack::PackedDay;

use crate::blocks::{Block, Blocks};
use crate::csv_profile::REGISTER_COUNT_MAX;
use crate::decode::DecodeSummary;
use crate::format::{BlockCounts, BlockReader, OpenedFile};
use crate::profile::Profile;
use crate::refusal::FileRefusal;
use crate::sink::{ReadingRun, ReadingSink};
use crate::tally::Tally;

/// Decodes blocks of one file, in any order, on any thread.
#[derive(Debug)]
pub struct BlockDecoder {
    file: Box<dyn OpenedFile>,
}

/// Why a block's findings cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The whole file is refused.
    #[error(transparent)]
    Refused(#[from] FileRefusal),
    /// The blocks before this one decide.
    #[error("line {line} means what the lines before its block decide")]
    Earlier {
        /// The first such line.
        line: u64,
    },
}

/// What one block came to. [`BlockSum::add`] it in the order of the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockEnd {
    summary: DecodeSummary,
    /// Lines that were not blank.
    row_count: u64,
    /// Registers whose clock was followed.
    register_count: usize,
}

/// Reads the header of a file and cuts the rest into blocks; `None`, and nothing read, for a format that is
/// read whole.
///
/// # Errors
/// [`FileRefusal`], as [`decode`](crate::decode::decode) for the same header.
pub fn split<'a>(
    profile: &Profile,
    file_name: &str,
    bytes: &'a mut dyn BufRead,
) -> Result<Option<(BlockDecoder, Blocks<'a>)>, FileRefusal> {
    let opened = profile.format().open_blocks(file_name, profile.zone(), bytes)?;
    Ok(opened.map(|(file, blocks)| (BlockDecoder { file }, blocks)))
}

impl BlockDecoder {
    /// One thread's share: it remembers from block to block what costs time to find out.
    #[must_use]
    pub fn worker(&self) -> BlockWorker<'_> {
        BlockWorker { reader: self.file.reader() }
    }
}

/// Decodes one block after another.
#[derive(Debug)]
pub struct BlockWorker<'a> {
    reader: Box<dyn BlockReader + 'a>,
}

impl BlockWorker<'_> {
    /// Decodes one block. What it gives does not depend on the blocks this worker has seen.
    ///
    /// # Errors
    /// [`BlockError`]: what the sink got of the block must be dropped.
    pub fn decode(&mut self, block: &Block, sink: &mut dyn ReadingSink) -> Result<BlockEnd, BlockError> {
        let mut tally = Tally::new(sink);
        let BlockCounts { row_count, register_count } = self.reader.read(block, &mut tally)?;
        Ok(BlockEnd { summary: tally.finish(), row_count, register_count })
    }
}

/// Adds blocks up to a file.
#[derive(Debug)]
pub struct BlockSum {
    summary: DecodeSummary,
    row_count: u64,
    register_count: usize,
    counts_rows: bool,
    /// Whether something stood before the first block: then nothing after it is a file without readings.
    has_start: bool,
}

impl BlockSum {
    /// Before the first block.
    #[must_use]
    pub fn new(decoder: &BlockDecoder) -> Self {
        let line_count = decoder.file.header_line_count();
        let summary = DecodeSummary { line_count, ..DecodeSummary::default() };
        let has_start = decoder.file.has_start();
        Self { summary, row_count: 0, register_count: 0, counts_rows: decoder.file.counts_rows(), has_start }
    }

    /// Adds the next block of the file; its findings may be taken when this says so.
    ///
    /// # Errors
    /// [`BlockError::Earlier`] if the file may hold more registers than one file may: decoding it from its
    /// start tells.
    pub fn add(&mut self, end: &BlockEnd) -> Result<(), BlockError> {
        // A register that is met in several blocks is counted in each, so this may be too careful.
        self.register_count = self.register_count.saturating_add(end.register_count);
        if self.register_count > REGISTER_COUNT_MAX {
            return Err(BlockError::Earlier { line: end.summary.line_count });
        }
        let (sum, block) = (&mut self.summary, &end.summary);
        sum.line_count = sum.line_count.max(block.line_count);
        sum.reading_count += block.reading_count;
        sum.register_read_count += block.register_read_count;
        sum.withdrawn_count += block.withdrawn_count;
        sum.rejected_count += block.rejected_count;
        sum.rounded_count += block.rounded_count;
        sum.null_count += block.null_count;
        sum.ignored_count += block.ignored_count;
        sum.stopped |= block.stopped;
        self.row_count += end.row_count;
        Ok(())
    }

    /// What went through, once the last block is added.
    ///
    /// # Errors
    /// [`FileRefusal::Empty`] or [`FileRefusal::NoReadings`] for a file without frames or lines.
    pub fn finish(self) -> Result<DecodeSummary, FileRefusal> {
        let count = if self.counts_rows { self.row_count } else { self.summary.line_count };
        match (count, self.has_start) {
            (0, true) => Err(FileRefusal::NoReadings),
            (0, false) => Err(FileRefusal::Empty),
            _ => Ok(self.summary),
        }
    }
}

/// Lets through what comes after a line.
pub struct After<'a> {
    /// The last line that is dropped.
    pub line: u64,
    /// What gets the rest.
    pub sink: &'a mut dyn ReadingSink,
}

impl ReadingSink for After<'_> {
    fn reading(&mut self, reading: RawReading) {
        if reading.line > self.line {
            self.sink.reading(reading)
        }
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        if run.first_line > self.line {
            self.sink.run(run)
        } else if run.last_line() > self.line {
            run.readings().for_each(|reading| self.reading(reading))
        }
    }

    fn frame(&mut self, frame: &[u8], line: u64) {
        if line > self.line {
            self.sink.frame(frame, line)
        }
    }

    fn day(&mut self, day: &PackedDay<'_>, line: u64) {
        if line > self.line {
            self.sink.day(day, line)
        }
    }

    fn issued(&mut self, issued: Issued) {
        self.sink.issued(issued)
    }

    fn register_read(&mut self, read: &RegisterRead, line: u64) {
        if line > self.line {
            self.sink.register_read(read, line)
        }
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        if run.first_line > self.line {
            self.sink.withdraw(run)
        }
    }

    fn reject(&mut self, rejection: Rejection) {
        if rejection.line > self.line {
            self.sink.reject(rejection)
        }
    }

    fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        if line > self.line { self.sink.line_done(line) } else { ControlFlow::Continue(()) }
    }
}
