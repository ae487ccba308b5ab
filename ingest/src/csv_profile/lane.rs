//! The short way for ordinary lines of the long layout: a line that differs from the one before in its time of
//! day and its value only is compared, not read.
//!
//! ```text
//!   read by rows:   42,2026-01-01 00:30:00,513      what the next lines must look like is taken from it
//!   foretold:      |42,2026-01-01 |01:00:00|,|……|
//!                   text           clock    text value
//!   gathered:       498, 471, 502 …                 one run, until a line is not as foretold
//! ```
//!
//! An object of JSON lines is foretold the same way: what stands around its stamp and its value is text.
//!
//! Rows stay the reference. Every text of a foretold line was read by them, on the same line, and means the
//! same again; the instants of a day are taken from the zone, one by one, before they are relied on. So a line
//! that passes here gives what rows would have given, and every other line goes to them.

use std::ops::Range;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::RawReading;
use tallywatt_core::register::Register;

use super::header::{Plan, PointAt};
use super::known_days::KnownDays;
use super::{CsvProfile, Layout};
use crate::digits::{number_at, word_at};
use crate::lines::Fields;
use crate::sink::{RUN_VALUE_COUNT_MAX, ReadingRun};
use crate::stamp::ClockText;

/// The most bytes of foretold text without a gap.
const TEXT_SIZE_MAX: usize = 96;
/// The most columns of an ordinary line.
const COLUMN_COUNT_MAX: usize = 32;
/// The most bytes of an ignored column in an ordinary line.
const IGNORED_SIZE_MAX: usize = 256;
/// The most lines that are left to rows after what was foretold did not come.
const PAUSE_LINE_COUNT_MAX: u32 = 63;

// An ordinary line is never past the limit of a line.
const _: () = assert!(COLUMN_COUNT_MAX * (IGNORED_SIZE_MAX + TEXT_SIZE_MAX) <= super::LINE_SIZE_MAX);

/// What the lines of a file have in common, and what the next of them must look like.
#[derive(Debug)]
pub(crate) struct Lane {
    shape: Shape,
    days: KnownDays,
    foretold: Option<Foretold>,
    values_wh: Vec<i64>,
    /// Lines to leave to rows, and how many at the next disappointment.
    pause: u32,
    next_pause: u32,
}

/// What follows from profile and header.
#[derive(Debug)]
struct Shape {
    columns: Vec<Column>,
    start_column: usize,
    value_column: usize,
    /// Lines are objects, not fields between delimiters.
    is_object: bool,
    delimiter: u8,
    separator: u8,
    decimals: u32,
    interval_s: i64,
    interval_minutes: u8,
    /// Seconds from a stamp back to the start of its interval.
    back_s: i64,
    clock: ClockText,
    /// Each time of day on the grid, and 24:00, as eight bytes of which `clock_mask` counts.
    clocks: Vec<u64>,
    clock_mask: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Its text decides whose value it is, and of what quality.
    Key,
    Stamp,
    Value,
    Ignored,
}

/// The next line, but for its time of day and value.
#[derive(Debug)]
struct Foretold {
    usage_point: UsagePointId,
    register: Register,
    quality: Quality,
    /// Which of the known days, and where its text stands.
    day: usize,
    day_piece: usize,
    day_at: usize,
    first: UtcSeconds,
    /// Which time of day comes next.
    slot: usize,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(Text),
    Clock,
    Value,
    Ignored,
}

#[derive(Debug)]
struct Text {
    /// The text, then zeros.
    bytes: [u8; TEXT_SIZE_MAX],
    size: usize,
    /// Which bits of the last eight bytes count; none if the text ends with whole ones.
    last_mask: u64,
}

/// Lines that came as foretold.
pub(super) struct Gathered<'a> {
    pub(super) run: ReadingRun<'a>,
    /// What the last stamp meant.
    pub(super) instant: UtcSeconds,
    /// Where the next line begins.
    pub(super) end: usize,
}

impl Lane {
    /// For the files of one header; `None` where no line can be foretold.
    pub(super) fn new(profile: &CsvProfile, plan: &Plan, is_object: bool) -> Option<Self> {
        let shape = Shape::new(profile, plan, is_object)?;
        let values_wh = Vec::with_capacity(RUN_VALUE_COUNT_MAX);
        Some(Self { shape, days: KnownDays::default(), foretold: None, values_wh, pause: 0, next_pause: 0 })
    }

    /// Forgets the file, but not what its days mean.
    pub(crate) fn restart(&mut self) {
        self.foretold = None;
        (self.pause, self.next_pause) = (0, 0);
    }

    /// Takes the lines from `at` that come as foretold: one run of them.
    #[inline]
    pub(super) fn gather(&mut self, bytes: &[u8], at: usize, first_line: u64) -> Option<Gathered<'_>> {
        if self.pause > 0 {
            return None;
        }
        let foretold = self.foretold.as_mut()?;
        self.values_wh.clear();
        let mut end = foretold.take_lines(&self.shape, bytes, at, &mut self.values_wh);
        if end == at && foretold.turn(&self.shape, &self.days, bytes, at) {
            end = foretold.take_lines(&self.shape, bytes, at, &mut self.values_wh);
        }
        if end == at {
            self.pause = self.next_pause;
            self.next_pause = (2 * self.next_pause + 1).min(PAUSE_LINE_COUNT_MAX);
            return None;
        }
        self.next_pause = 0;
        let count = self.values_wh.len();
        let instant = foretold.instant(&self.shape, foretold.slot);
        foretold.slot += count;
        let run = ReadingRun {
            usage_point: foretold.usage_point,
            register: foretold.register,
            start: instant.plus(-self.shape.back_s),
            interval_minutes: self.shape.interval_minutes,
            quality: foretold.quality,
            first_line,
            lines_per_value: 1,
            values_wh: &self.values_wh,
        };
        Some(Gathered { run, instant: foretold.instant(&self.shape, foretold.slot - 1), end })
    }

    /// Foretells the line after `line`, which rows read as `reading`.
    pub(super) fn learn(&mut self, rows: &LearnFrom<'_>, line: &[u8], reading: &RawReading) {
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        self.foretold = Foretold::after(&self.shape, &mut self.days, rows, line, reading);
    }

    /// A line was left to rows and gave no value to learn from.
    pub(super) const fn pass(&mut self) {
        self.pause = self.pause.saturating_sub(1);
    }
}

/// What rows know that a lane does not.
pub(super) struct LearnFrom<'a> {
    pub(super) profile: &'a CsvProfile,
    pub(super) zone: &'a tallywatt_core::calendar::Zone,
    /// Those of the line.
    pub(super) fields: &'a Fields,
}

impl Shape {
    fn new(profile: &CsvProfile, plan: &Plan, is_object: bool) -> Option<Self> {
        let decimals = profile.scale.plain_decimals()?;
        let clock = profile.stamp.clock_text()?;
        if profile.layout != Layout::Long || plan.column_count > COLUMN_COUNT_MAX || clock.size > 8 {
            return None;
        }
        let mut columns = vec![Column::Ignored; plan.column_count];
        let point = match plan.point {
            PointAt::Column(at) => Some(at),
            PointAt::Fixed(_) => None,
            PointAt::Columns(_) => return None,
        };
        let keys = [point, plan.obis, plan.quality].into_iter().flatten().map(|at| (at, Column::Key));
        for (at, column) in keys.chain([(plan.start, Column::Stamp), (plan.values[0].at, Column::Value)]) {
            // A column that says two things is read by rows.
            if std::mem::replace(columns.get_mut(at)?, column) != Column::Ignored {
                return None;
            }
        }
        let interval_s = i64::from(profile.interval_minutes) * 60;
        let seconds = (0..=86_400).step_by(usize::from(profile.interval_minutes) * 60);
        let clocks =
            seconds.map(|second| clock.of(second).map(|text| word_of(&text))).collect::<Option<_>>()?;
        Some(Self {
            columns,
            start_column: plan.start,
            value_column: plan.values[0].at,
            is_object,
            delimiter: profile.delimiter,
            separator: profile.decimal,
            decimals,
            interval_s,
            interval_minutes: profile.interval_minutes,
            back_s: if profile.at_end { interval_s } else { 0 },
            clock_mask: word_of(&vec![0xff; clock.size]),
            clock,
            clocks,
        })
    }

    /// The number at `at`, if it is a plain one, and where it ends.
    #[inline(always)]
    fn value_at(&self, bytes: &[u8], at: usize) -> Option<(i64, usize)> {
        // A number in an object has no zero before its other digits.
        let is_padded = || bytes.get(at) == Some(&b'0') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if self.is_object && is_padded() {
            return None;
        }
        number_at(bytes, at, self.separator, self.decimals)
    }

    /// The time of day that stands at `at`, if it is on the grid.
    fn slot_at(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let word = word_at(bytes, at)? & self.clock_mask;
        self.clocks.iter().position(|&clock| clock == word)
    }
}

/// Up to eight bytes, then zeros.
fn word_of(text: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..text.len()].copy_from_slice(text);
    u64::from_le_bytes(word)
}

impl Foretold {
    /// What the line after `line` must look like; `None` if that line is not an ordinary one.
    fn after(
        shape: &Shape,
        days: &mut KnownDays,
        rows: &LearnFrom<'_>,
        line: &[u8],
        reading: &RawReading,
    ) -> Option<Self> {
        if !line.is_ascii() || (!shape.is_object && memchr::memchr(b'"', line).is_some()) {
            return None;
        }
        let (stamp_range, value_range) =
            (rows.fields.range(shape.start_column)?, rows.fields.range(shape.value_column)?);
        let stamp = &line[stamp_range.clone()];
        if stamp.trim_ascii() != stamp {
            return None;
        }
        let clock_at = match shape.clock.at {
            Some(at) => at,
            None => stamp.len().checked_sub(shape.clock.size)?,
        };
        let (before, rest) = stamp.split_at_checked(clock_at)?;
        let (clock, after) = rest.split_at_checked(shape.clock.size)?;
        let clock = word_of(clock);
        let slot = shape.clocks.iter().position(|&known| known == clock)?;
        let instant = reading.start.plus(shape.back_s);
        let first = instant.plus(-i64::try_from(slot).ok()? * shape.interval_s);
        let day = days.place(before, after, || {
            let count = shape.clocks.len();
            super::known_days::first_instant(rows.profile, rows.zone, stamp, first, count, shape.interval_s)
                .filter(|first| first.0 >= shape.back_s)
        })?;
        if days.at(day)?.first != Some(first) {
            return None;
        }
        let mut foretold = Self {
            usage_point: reading.usage_point,
            register: reading.register,
            quality: reading.quality,
            day,
            day_piece: 0,
            day_at: 0,
            first,
            slot: slot + 1,
            pieces: Vec::with_capacity(2 * COLUMN_COUNT_MAX),
        };
        if shape.is_object {
            foretold.push_object(line, (stamp_range, before, after), value_range)?;
            return Some(foretold);
        }
        let fields = line.split(|&byte| byte == shape.delimiter);
        for (at, (field, column)) in fields.zip(&shape.columns).enumerate() {
            if at > 0 {
                foretold.push_text(&[shape.delimiter])?;
            }
            match column {
                Column::Key => _ = foretold.push_text(field)?,
                Column::Value => foretold.pieces.push(Piece::Value),
                Column::Ignored => foretold.pieces.push(Piece::Ignored),
                Column::Stamp => foretold.push_stamp(before, after)?,
            }
        }
        Some(foretold)
    }

    /// The pieces of an object: stamp and value in the order in which they stand, and what is around them.
    fn push_object(
        &mut self,
        line: &[u8],
        (stamp, before, after): (Range<usize>, &[u8], &[u8]),
        value: Range<usize>,
    ) -> Option<()> {
        let is_stamp_first = stamp.start < value.start;
        let (first, second) = if is_stamp_first { (&stamp, &value) } else { (&value, &stamp) };
        self.push_text(&line[..first.start])?;
        for (is_stamp, until) in [(is_stamp_first, second.start), (!is_stamp_first, line.len())] {
            let end = if is_stamp {
                self.push_stamp(before, after)?;
                stamp.end
            } else {
                self.pieces.push(Piece::Value);
                value.end
            };
            self.push_text(line.get(end..until)?)?;
        }
        Some(())
    }

    fn push_stamp(&mut self, before: &[u8], after: &[u8]) -> Option<()> {
        let day_at = self.push_text(before)?;
        (self.day_piece, self.day_at) = (self.pieces.len() - 1, day_at);
        self.pieces.push(Piece::Clock);
        self.push_text(after)?;
        Some(())
    }

    /// Appends text; gives where in its piece it begins.
    fn push_text(&mut self, added: &[u8]) -> Option<usize> {
        if !matches!(self.pieces.last(), Some(Piece::Text(_))) {
            self.pieces.push(Piece::Text(Text { bytes: [0; TEXT_SIZE_MAX], size: 0, last_mask: 0 }));
        }
        let Some(Piece::Text(text)) = self.pieces.last_mut() else { return None };
        let at = text.size;
        text.bytes.get_mut(at..at + added.len())?.copy_from_slice(added);
        text.size += added.len();
        text.last_mask = word_of(&[0xff; 8][..text.size % 8]);
        Some(at)
    }

    fn instant(&self, shape: &Shape, slot: usize) -> UtcSeconds {
        let steps = i64::try_from(slot).expect("a day has at most 289 times of day on the grid");
        self.first.plus(steps * shape.interval_s)
    }

    /// Takes lines while they come as foretold; gives where the next one begins.
    fn take_lines(&self, shape: &Shape, bytes: &[u8], mut at: usize, values_wh: &mut Vec<i64>) -> usize {
        let clocks = shape.clocks.get(self.slot..).unwrap_or_default();
        for &clock in &clocks[..clocks.len().min(RUN_VALUE_COUNT_MAX)] {
            match self.line(shape, clock, bytes, at) {
                Some((value_wh, end)) => {
                    values_wh.push(value_wh);
                    at = end;
                }
                None => break,
            }
        }
        at
    }

    /// The value of the line at `at`, if all else in it is as foretold, and where the next line begins.
    #[inline(always)]
    fn line(&self, shape: &Shape, clock: u64, bytes: &[u8], mut at: usize) -> Option<(i64, usize)> {
        let mut value_wh = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => at = text.end_at(bytes, at)?,
                Piece::Clock if word_at(bytes, at)? & shape.clock_mask == clock => at += shape.clock.size,
                Piece::Clock => return None,
                Piece::Value => (value_wh, at) = shape.value_at(bytes, at)?,
                Piece::Ignored => at = ignored_end(bytes, at, shape.delimiter)?,
            }
        }
        match bytes.get(at)? {
            b'\n' => Some((value_wh, at + 1)),
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => Some((value_wh, at + 2)),
            _ => None,
        }
    }

    /// Looks whether the line at `at` is of another time of this day, or of the day that came next when days
    /// were first met, and if so foretells that one.
    fn turn(&mut self, shape: &Shape, days: &KnownDays, bytes: &[u8], at: usize) -> bool {
        if let Some(slot) = self.slot_of(shape, bytes, at) {
            self.slot = slot;
            return true;
        }
        let (Some(day), Some(next)) = (days.at(self.day), days.at(self.day + 1)) else { return false };
        let (Some(first), true) = (next.first, day.is_spaced_as(next)) else { return false };
        self.write_day(&next.before);
        match self.slot_of(shape, bytes, at) {
            Some(slot) => {
                (self.day, self.first, self.slot) = (self.day + 1, first, slot);
                true
            }
            None => {
                self.write_day(&day.before);
                false
            }
        }
    }

    fn write_day(&mut self, before: &[u8]) {
        if let Some(Piece::Text(text)) = self.pieces.get_mut(self.day_piece) {
            text.bytes[self.day_at..self.day_at + before.len()].copy_from_slice(before);
        }
    }

    /// The time of day of the line at `at`, if it is as foretold up to there.
    fn slot_of(&self, shape: &Shape, bytes: &[u8], mut at: usize) -> Option<usize> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => at = text.end_at(bytes, at)?,
                Piece::Clock => return shape.slot_at(bytes, at),
                Piece::Value => (_, at) = shape.value_at(bytes, at)?,
                Piece::Ignored => at = ignored_end(bytes, at, shape.delimiter)?,
            }
        }
        None
    }
}

impl Text {
    /// Where this text ends, if it stands at `at`.
    #[inline(always)]
    fn end_at(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let (wanted, _) = self.bytes.as_chunks::<8>();
        let (whole, last) = wanted.split_at(self.size / 8);
        let mut from = at;
        // By words: a call to compare a dozen bytes costs more than the bytes.
        for word in whole {
            if word_at(bytes, from)? != u64::from_le_bytes(*word) {
                return None;
            }
            from += 8;
        }
        if let (Some(word), true) = (last.first(), self.last_mask != 0)
            && word_at(bytes, from)? & self.last_mask != u64::from_le_bytes(*word)
        {
            return None;
        }
        Some(at + self.size)
    }
}

/// Where the ignored column that begins at `at` ends; `None` if anything in it needs a closer look.
#[inline]
fn ignored_end(bytes: &[u8], at: usize, delimiter: u8) -> Option<usize> {
    for (size, &byte) in bytes.get(at..)?.iter().take(IGNORED_SIZE_MAX).enumerate() {
        match byte {
            _ if byte == delimiter => return Some(at + size),
            b'\n' | b'\r' => return Some(at + size),
            b'"' | 0x80.. => return None,
            _ => (),
        }
    }
    None
}
