//! Where a decoder puts what it finds.
//!
//! ```text
//!   packed day ──▶ frame ──▶ run ──▶ reading        what a sink does not take whole, it is given in smaller parts
//! ```
//!
//! A decoder hands over the largest part it has at once: a packed day, the bytes of a frame, a run of intervals, or one
//! value. A sink need only take single values; one that takes runs or frames whole is spared the way there.

use std::ops::ControlFlow;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::Rejection;
use tallywatt_ledger::day_leaf::{DayLeaf, LEAF_SIZE_MAX};
use tallywatt_ledger::day_pack::PackedDay;

/// The most values of one run: those of the longest day in the shortest intervals.
pub const RUN_VALUE_COUNT_MAX: usize = 300;

/// Consecutive intervals of one register, all of one quality.
///
/// A run holds at least one value and at most [`RUN_VALUE_COUNT_MAX`]. It may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingRun<'a> {
    /// Where they were measured.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// First instant of the first interval.
    pub start: UtcSeconds,
    /// Length of each interval.
    pub interval_minutes: u8,
    /// What the source says of them all.
    pub quality: Quality,
    /// Line of the first value, counted from 1.
    pub first_line: u64,
    /// Lines from each value to the next: 0 when all stand in one line, 1 when each has its own.
    pub lines_per_value: u8,
    /// Energy in each interval, in order of time, multiplier applied.
    pub values_wh: &'a [i64],
}

impl ReadingRun<'_> {
    /// The readings it stands for, in order.
    ///
    /// ```
    /// use tallywatt_core::{calendar::UtcSeconds, quality::Quality, register::Register};
    /// use tallywatt_ingest::sink::ReadingRun;
    /// let run = ReadingRun {
    ///     usage_point: "EKB-000001".parse()?,
    ///     register: Register::IMPORT,
    ///     start: UtcSeconds(1_767_225_600),
    ///     interval_minutes: 30,
    ///     quality: Quality::Valid,
    ///     first_line: 2,
    ///     lines_per_value: 1,
    ///     values_wh: &[513, 498],
    /// };
    /// let second = run.readings().nth(1).expect("two values");
    /// assert_eq!((second.start.0, second.line, second.energy_wh), (1_767_227_400, 3, 498));
    /// # Ok::<(), tallywatt_core::label::LabelError>(())
    /// ```
    pub fn readings(&self) -> impl Iterator<Item = RawReading> + '_ {
        let (mut start, mut line) = (self.start, self.first_line);
        self.values_wh.iter().map(move |&energy_wh| {
            let reading = RawReading {
                usage_point: self.usage_point,
                register: self.register,
                start,
                interval_minutes: self.interval_minutes,
                energy_wh,
                quality: self.quality,
                line,
            };
            start = start.plus(i64::from(self.interval_minutes) * 60);
            line += u64::from(self.lines_per_value);
            reading
        })
    }

    /// Line of the last value.
    #[must_use]
    pub fn last_line(&self) -> u64 {
        let steps = u64::try_from(self.values_wh.len().saturating_sub(1)).unwrap_or(u64::MAX);
        self.first_line + steps * u64::from(self.lines_per_value)
    }
}

/// Where a register read stands, and who read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOrigin {
    /// Line of the file, counted from 1; in a file without lines, the byte its message begins with.
    pub line: u64,
    /// The person who read the dial or entered what it showed; `None` if the meter sent it.
    pub who: Option<Label>,
}

/// What a decoder hands its findings to, in the order of the file.
///
/// If decoding ends in a refusal, everything handed over before must be dropped.
pub trait ReadingSink {
    /// One value.
    fn reading(&mut self, reading: RawReading);

    /// Consecutive values of one register, handed over as one. By default they are taken one by one.
    fn run(&mut self, run: &ReadingRun<'_>) {
        for reading in run.readings() {
            self.reading(reading);
        }
    }

    /// A day-block frame, number `line` of its file, counted from 1: the bytes are canonical. By default its
    /// values are taken as runs; intervals without a value give none.
    fn frame(&mut self, frame: &[u8], line: u64) {
        let leaf = DayLeaf::decode(frame).expect("a decoder hands over canonical frames only");
        each_run(&leaf, line, &mut |run| self.run(run));
    }

    /// A day of a pack, number `line` of its file, counted from 1: its frame would be canonical. By default it is taken as
    /// its frame.
    fn day(&mut self, day: &PackedDay<'_>, line: u64) {
        let mut frame = [0; LEAF_SIZE_MAX];
        let frame = &mut frame[..day.leaf_size()];
        day.write_leaf(frame);
        self.frame(frame, line);
    }

    /// What comes next, up to the next such word, its source issued so: among values of equal rank the later issue stands.
    /// A sink that is never told takes everything as [`Issued::UNSAID`].
    fn issued(&mut self, issued: Issued);

    /// A read of a cumulative register: no energy by itself.
    fn register_read(&mut self, read: &RegisterRead, origin: ReadOrigin);

    /// Which meter counts at a register from when to when, from this line, counted from 1.
    fn installation(&mut self, installation: &Installation, line: u64);

    /// The source takes back what it delivered before: these very values, of the issue that was told last.
    fn withdraw(&mut self, run: &ReadingRun<'_>);

    /// Something that was set aside.
    fn reject(&mut self, rejection: Rejection);

    /// Everything up to and including `line` (counted from 1) is handed over. `Break` stops decoding at once:
    /// the sink failed or was interrupted. It is said once after a run, for its last line, not for each.
    fn line_done(&mut self, line: u64) -> ControlFlow<()>;
}

/// The runs of a day block: one for each stretch of equal quality that has values.
pub(crate) fn each_run(leaf: &DayLeaf, line: u64, take: &mut dyn FnMut(&ReadingRun<'_>)) {
    let block = leaf.block();
    let values_wh: Vec<i64> = block.values_wh().iter().copied().map(i64::from).collect();
    let mut at = 0;
    for stretch in block.qualities().chunk_by(|left, right| left == right) {
        let end = at + stretch.len();
        if stretch[0] != Quality::Missing {
            take(&ReadingRun {
                usage_point: block.key().usage_point,
                register: block.key().register,
                start: block.interval_start(at),
                interval_minutes: block.interval_minutes(),
                quality: stretch[0],
                first_line: line,
                lines_per_value: 0,
                values_wh: &values_wh[at..end],
            });
        }
        at = end;
    }
}

/// A sink that keeps everything in memory: for tests and small files.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The values, in the order of the file.
    pub readings: Vec<RawReading>,
    /// What was set aside, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// Reads of cumulative registers and where they stand, in the order of the file.
    pub register_reads: Vec<(RegisterRead, ReadOrigin)>,
    /// Installations with their lines, in the order of the file.
    pub installations: Vec<(Installation, u64)>,
    /// Values that were taken back, in the order of the file.
    pub withdrawn: Vec<RawReading>,
    /// From which reading, read and withdrawn value on which issue holds.
    pub issues: Vec<IssuedFrom>,
}

/// Where in [`Collected`] an issue begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedFrom {
    /// Which issue.
    pub issued: Issued,
    /// Index of the first reading that may be of it.
    pub reading_index: usize,
    /// Index of the first register read.
    pub read_index: usize,
    /// Index of the first withdrawn value.
    pub withdrawn_index: usize,
}

impl ReadingSink for Collected {
    fn reading(&mut self, reading: RawReading) {
        self.readings.push(reading)
    }

    fn issued(&mut self, issued: Issued) {
        self.issues.push(IssuedFrom {
            issued,
            reading_index: self.readings.len(),
            read_index: self.register_reads.len(),
            withdrawn_index: self.withdrawn.len(),
        });
    }

    fn register_read(&mut self, read: &RegisterRead, origin: ReadOrigin) {
        self.register_reads.push((*read, origin))
    }

    fn installation(&mut self, installation: &Installation, line: u64) {
        self.installations.push((*installation, line))
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        self.withdrawn.extend(run.readings())
    }

    fn reject(&mut self, rejection: Rejection) {
        self.rejections.push(rejection)
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
