//! A sink with counters: what every decoder writes to.
//!
//! Values that follow one another in time are gathered and handed over as one run. Whatever else is handed
//! over goes after them, so the order of the file is kept.

use std::ops::ControlFlow;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_ledger::day_pack::PackedDay;
use tallywatt_ledger::frame::FrameHeader;

use crate::decode::DecodeSummary;
use crate::sink::{RUN_VALUE_COUNT_MAX, ReadOrigin, ReadingRun, ReadingSink};
use crate::source_notes::{NoteCounts, SourceNote, SourceNotes};

/// Counts what goes through it.
pub(crate) struct Tally<'a> {
    sink: &'a mut dyn ReadingSink,
    pub(crate) summary: DecodeSummary,
    gathered: Gathered,
    values_wh: Vec<i64>,
    issued: Issued,
    notes: SourceNotes,
}

/// One value with everything that is said of it, before it is a reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) start: UtcSeconds,
    pub(crate) minutes: u8,
    pub(crate) energy_wh: i64,
    pub(crate) quality: Quality,
    pub(crate) line: u64,
}

/// The run that is being gathered; its values stand beside it.
#[derive(Debug, Clone, Copy)]
struct Gathered {
    key: Option<(UsagePointId, Register)>,
    start: UtcSeconds,
    next_start: UtcSeconds,
    minutes: u8,
    quality: Quality,
    first_line: u64,
    last_line: u64,
    /// Not known before the second value.
    lines_per_value: Option<u8>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(sink: &'a mut dyn ReadingSink) -> Self {
        let gathered = Gathered {
            key: None,
            start: UtcSeconds(0),
            next_start: UtcSeconds(0),
            minutes: 0,
            quality: Quality::Valid,
            first_line: 0,
            last_line: 0,
            lines_per_value: None,
        };
        Self {
            sink,
            summary: DecodeSummary::default(),
            gathered,
            values_wh: Vec::new(),
            issued: Issued::UNSAID,
            notes: SourceNotes::default(),
        }
    }

    pub(crate) fn reading(&mut self, reading: RawReading) {
        self.hand_over_gathered();
        self.summary.reading_count += 1;
        self.sink.reading(reading)
    }

    /// The values that come next are this register's.
    pub(crate) fn gather_for(&mut self, usage_point: UsagePointId, register: Register) {
        self.hand_over_gathered();
        self.gathered.key = Some((usage_point, register));
    }

    /// The next value of the register that [`Tally::gather_for`] named.
    pub(crate) fn gather(&mut self, interval: Interval) {
        if !(self.values_wh.is_empty() || self.gathered.goes_on_with(&interval, self.values_wh.len())) {
            self.hand_over_gathered();
        }
        let gathered = &mut self.gathered;
        if self.values_wh.is_empty() {
            gathered.start = interval.start;
            gathered.minutes = interval.minutes;
            gathered.quality = interval.quality;
            gathered.first_line = interval.line;
            gathered.lines_per_value = None;
        } else {
            gathered.lines_per_value = u8::try_from(interval.line - gathered.last_line).ok();
        }
        gathered.last_line = interval.line;
        gathered.next_start = interval.start.plus(i64::from(interval.minutes) * 60);
        self.values_wh.push(interval.energy_wh);
    }

    fn hand_over_gathered(&mut self) {
        let (Some((usage_point, register)), false) = (self.gathered.key, self.values_wh.is_empty()) else {
            return;
        };
        let mut values_wh = std::mem::take(&mut self.values_wh);
        let gathered = self.gathered;
        self.run(&ReadingRun {
            usage_point,
            register,
            start: gathered.start,
            interval_minutes: gathered.minutes,
            quality: gathered.quality,
            first_line: gathered.first_line,
            lines_per_value: gathered.lines_per_value.unwrap_or(0),
            values_wh: &values_wh,
        });
        values_wh.clear();
        self.values_wh = values_wh;
    }

    /// A run that is whole already; nothing may be gathered beside it.
    pub(crate) fn run(&mut self, run: &ReadingRun<'_>) {
        self.summary.reading_count += u64::try_from(run.values_wh.len()).unwrap_or(u64::MAX);
        self.sink.run(run)
    }

    /// What comes next its source issued so; said only when it changes.
    pub(crate) fn issued(&mut self, issued: Issued) {
        if issued != self.issued {
            self.hand_over_gathered();
            self.issued = issued;
            self.sink.issued(issued);
        }
    }

    /// A record says this of so many values.
    pub(crate) fn note(&mut self, note: &SourceNote, value_count: usize) {
        let value_count = u64::try_from(value_count).unwrap_or(u64::MAX);
        self.notes.add(note, NoteCounts { record_count: 1, value_count })
    }

    /// A read of a cumulative register that the meter itself sent.
    pub(crate) fn register_read(&mut self, read: &RegisterRead, line: u64) {
        self.register_read_by(read, line, None)
    }

    /// A read of a cumulative register, and who made it.
    pub(crate) fn register_read_by(&mut self, read: &RegisterRead, line: u64, who: Option<Label>) {
        self.hand_over_gathered();
        self.summary.register_read_count += 1;
        self.sink.register_read(read, ReadOrigin { line, who })
    }

    /// Which meter counts at a register.
    pub(crate) fn installation(&mut self, installation: &Installation, line: u64) {
        self.hand_over_gathered();
        self.summary.installation_count += 1;
        self.sink.installation(installation, line)
    }

    /// Values that the source takes back.
    pub(crate) fn withdraw(&mut self, run: &ReadingRun<'_>) {
        self.hand_over_gathered();
        self.summary.withdrawn_count += u64::try_from(run.values_wh.len()).unwrap_or(u64::MAX);
        self.sink.withdraw(run)
    }

    /// A canonical frame, and what its header says.
    pub(crate) fn frame(&mut self, frame: &[u8], number: u64, header: &FrameHeader) {
        self.count_day(header);
        self.sink.frame(frame, number)
    }

    /// The same, packed.
    pub(crate) fn day(&mut self, day: &PackedDay<'_>, number: u64, header: &FrameHeader) {
        self.count_day(header);
        self.sink.day(day, number)
    }

    fn count_day(&mut self, header: &FrameHeader) {
        self.summary.reading_count += u64::from(header.interval_count - header.missing_count);
        self.summary.null_count += u64::from(header.missing_count);
    }

    pub(crate) fn reject(&mut self, code: RejectionCode, line: u64, reading_count: u32, raw: &[u8]) {
        self.hand_over_gathered();
        self.summary.rejected_count += u64::from(reading_count);
        self.sink.reject(Rejection::new(code, line, reading_count, raw))
    }

    pub(crate) fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        self.hand_over_gathered();
        let flow = self.sink.line_done(line);
        self.summary.stopped |= flow.is_break();
        flow
    }

    /// Hands over what is still gathered, and says what went through.
    pub(crate) fn finish(self) -> DecodeSummary {
        self.finish_noted().0
    }

    /// The same, with what the source said of the values.
    pub(crate) fn finish_noted(mut self) -> (DecodeSummary, SourceNotes) {
        self.hand_over_gathered();
        (self.summary, self.notes)
    }
}

impl Gathered {
    fn goes_on_with(&self, interval: &Interval, count: usize) -> bool {
        let lines = interval.line.checked_sub(self.last_line).and_then(|lines| u8::try_from(lines).ok());
        interval.start == self.next_start
            && interval.quality == self.quality
            && interval.minutes == self.minutes
            && lines.is_some_and(|lines| self.lines_per_value.is_none_or(|known| known == lines))
            && count < RUN_VALUE_COUNT_MAX
    }
}

/// A count of lost readings; past `u32` it stays there.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
