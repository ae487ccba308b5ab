//! The short way for ordinary days: a 300 of plain numbers, with the 400s of its qualities behind it.
//!
//! ```text
//!   300,20260301,|0.513,0.498,…|A,,,20260302000000,      values eight bytes at a time, tail compared with the last one
//!   200,…                                                what follows must not be a 400, or end the file
//! ```
//!
//! The [records](super::records) stay the reference: what is taken here means the same there, and whatever is in any way
//! unlike this is left to them, the whole day with its 400s.

use std::ops::Range;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Issued;

use super::frame::RECORD_SIZE_MAX;
use super::quality::{self, Flag};
use super::records::{Channel, DAY_TAIL_COUNT, REASON_AT, UPDATE_AT};
use super::stamps;
use crate::digits::{FieldReader, leading, word_at};
use crate::scale::Unit;
use crate::sink::{RUN_VALUE_COUNT_MAX, ReadingRun};
use crate::source_notes::SourceNote;
use crate::stamp::{number, read_compact_day, second_of_day};
use crate::tally::Tally;

/// Dates whose first instant is remembered.
const DATE_COUNT: usize = 512;
/// Eight bytes that no text holds.
const NO_DATE: u64 = u64::MAX;
/// The longest tail of a 300 that is compared with the one before.
const TAIL_SIZE_MAX: usize = 64;
/// The size of `YYYYMMDDhhmmss`.
const STAMP_SIZE: usize = 14;
/// The size of `300,YYYYMMDD,`.
const HEAD_SIZE: usize = 13;
/// Seconds of a day whose clock does not change: only such days are ordinary.
const DAY_S: i64 = 86_400;

/// What is kept from day to day.
pub(super) struct Lane<'a> {
    zone: &'a Zone,
    /// Eight digits of a date and its first instant, each at the place its digits fall on.
    dates: Vec<(u64, UtcSeconds)>,
    /// For the unit of the last day.
    fields: FieldReader,
    values_wh: Vec<i64>,
    /// The last tail.
    tail: Tail,
    /// Its text, empty before the first, and where in it the update stamp stands.
    tail_text: Vec<u8>,
    update: Range<usize>,
    runs: Vec<Run>,
}

/// What stands behind the values of a 300.
#[derive(Clone, Copy)]
struct Tail {
    flag: Flag,
    note: SourceNote,
    /// Its own; the file's if it names none.
    issued: Option<Issued>,
}

/// A 400 whose intervals follow on the one before.
struct Run {
    /// Index behind its last interval.
    end: usize,
    flag: Flag,
    note: SourceNote,
}

/// A day that was read; its values stand in the lane.
pub(super) struct Day {
    start: UtcSeconds,
    issued: Issued,
    /// Where the record after it begins.
    pub(super) end: usize,
    /// Lines of it and its 400s.
    pub(super) line_count: u64,
}

impl<'a> Lane<'a> {
    pub(super) fn new(zone: &'a Zone) -> Self {
        Self {
            zone,
            dates: vec![(NO_DATE, UtcSeconds(0)); DATE_COUNT],
            fields: FieldReader::new(b',', Unit::KWH.decimals()),
            values_wh: vec![0; RUN_VALUE_COUNT_MAX],
            tail: Tail { flag: Flag::Null, note: SourceNote::default(), issued: None },
            tail_text: Vec::with_capacity(TAIL_SIZE_MAX),
            update: 0..0,
            runs: Vec::new(),
        }
    }

    /// The day whose `300,` stands at `at`, if it is an ordinary one.
    pub(super) fn day(&mut self, text: &[u8], at: usize, channel: &Channel, created: Issued) -> Option<Day> {
        let start = self.start_of(word_at(text, at + 4)?)?;
        if text.get(at + HEAD_SIZE - 1) != Some(&b',') {
            return None;
        }
        if self.fields.decimals() != channel.unit.decimals() {
            self.fields = FieldReader::new(b',', channel.unit.decimals());
        }
        let mut value_at = at + HEAD_SIZE;
        for value_wh in self.values_wh.get_mut(..channel.interval_count)? {
            (*value_wh, value_at) = self.fields.read(text, value_at)?;
        }
        let (tail, mut end) = line_at(text, value_at)?;
        if end - at > RECORD_SIZE_MAX {
            return None;
        }
        self.read_tail(tail)?;
        let mut line_count = 1;
        self.runs.clear();
        if self.tail.flag == Flag::Varies {
            while text.get(end..)?.starts_with(b"400,") {
                let (line, next) = line_at(text, end)?;
                let first = self.runs.last().map_or(0, |run| run.end);
                self.runs.push(Run::after(first, channel.interval_count, line)?);
                end = next;
                line_count += 1;
            }
            if self.runs.last()?.end != channel.interval_count {
                return None;
            }
        }
        // What comes next ends the day surely: neither a 400, nor a blank line before one.
        matches!(text.get(end)?, b'1' | b'2' | b'3' | b'5' | b'9').then_some(())?;
        let issued = self.tail.issued.unwrap_or(created);
        Some(Day { start, issued, end, line_count })
    }

    /// Hands over the day that was read last.
    pub(super) fn hand_over(&self, day: &Day, channel: &Channel, line: u64, tally: &mut Tally<'_>) {
        tally.issued(day.issued);
        let count = channel.interval_count;
        tally.note(&self.tail.note, if self.tail.flag == Flag::Varies { 0 } else { count });
        let values_wh = &self.values_wh[..count];
        let mut run = ReadingRun {
            usage_point: channel.usage_point,
            register: channel.register,
            start: day.start,
            interval_minutes: channel.interval_minutes,
            quality: Quality::Valid,
            first_line: line,
            lines_per_value: 0,
            values_wh,
        };
        let hand_over = |flag: Flag, run: &ReadingRun<'_>, tally: &mut Tally<'_>| match flag {
            Flag::Of(quality) => tally.run(&ReadingRun { quality, ..*run }),
            Flag::Null | Flag::Varies => {
                tally.summary.null_count += u64::try_from(run.values_wh.len()).unwrap_or(u64::MAX);
            }
        };
        if self.runs.is_empty() {
            return hand_over(self.tail.flag, &run, tally);
        }
        let interval_s = i64::from(channel.interval_minutes) * 60;
        let mut at = 0;
        for part in &self.runs {
            tally.note(&part.note, part.end - at);
            run.values_wh = &values_wh[at..part.end];
            hand_over(part.flag, &run, tally);
            run.start = run.values_wh.iter().fold(run.start, |start, _| start.plus(interval_s));
            at = part.end;
        }
    }

    /// The first instant of the date that eight bytes write; `None` if its clock changes, or it is no date.
    fn start_of(&mut self, word: u64) -> Option<UtcSeconds> {
        // The upper bits of a product depend on all the digits.
        let place = usize::try_from(word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55).ok()?;
        let known = self.dates.get_mut(place)?;
        if known.0 != word {
            let day = read_compact_day(&word.to_le_bytes())?;
            let local = self.zone.local_day(day);
            if local.end.0 - local.start.0 != DAY_S || local.start.0 < 0 {
                return None;
            }
            *known = (word, local.start);
        }
        Some(known.1)
    }

    /// Reads the tail, or as much of it as the last one does not tell; `None` if it has quotes, too many fields, or a code
    /// that is not known.
    fn read_tail(&mut self, text: &[u8]) -> Option<()> {
        if text == self.tail_text && !text.is_empty() {
            return Some(());
        }
        let Range { start, end } = self.update;
        if text.len() == self.tail_text.len()
            && start < end
            && text.get(..start)? == self.tail_text.get(..start)?
            && text.get(end..)? == self.tail_text.get(end..)?
            && let Some(issued) = self.update_of(text.get(start..end)?)
        {
            self.tail.issued = Some(issued);
            self.tail_text.get_mut(start..end)?.copy_from_slice(&text[start..end]);
            return Some(());
        }
        if memchr::memchr(b'"', text).is_some() {
            return None;
        }
        let mut fields = [b"".as_slice(); DAY_TAIL_COUNT];
        let mut places = fields.iter_mut();
        for field in text.split(|&byte| byte == b',') {
            *places.next()? = field.trim_ascii();
        }
        let flag = Flag::read(fields[0])?;
        let stamp = fields[UPDATE_AT];
        let issued = if stamp.is_empty() { None } else { Some(self.update_of(stamp)?) };
        self.tail = Tail { flag, note: quality::note(b"300", fields[0], fields[REASON_AT]), issued };
        self.tail_text.clear();
        self.update = 0..0;
        if text.len() <= TAIL_SIZE_MAX {
            self.tail_text.extend_from_slice(text);
            // Without blanks around the stamp it is as long as the field.
            let start = memchr::memchr_iter(b',', text).nth(UPDATE_AT - 1).map_or(0, |comma| comma + 1);
            if text.get(start..)?.starts_with(stamp) && stamp.len() == STAMP_SIZE {
                self.update = start..start + STAMP_SIZE;
            }
        }
        Some(())
    }

    /// The issue that an update stamp says.
    fn update_of(&mut self, stamp: &[u8]) -> Option<Issued> {
        let instant = match *stamp {
            // The last eight digits are those of the day of month and the clock.
            [_, _, _, _, _, _, ref clock @ ..] if stamp.len() == STAMP_SIZE => {
                let (8, digits) = leading(word_at(clock, 0)?) else { return None };
                let clock = u32::try_from(digits % 1_000_000).ok()?;
                let second = second_of_day(clock / 10_000, clock / 100 % 100, clock % 100)?;
                self.start_of(word_at(stamp, 0)?)?.plus(i64::from(second))
            }
            _ => stamps::read_by(stamp, |date| self.start_of(u64::from_le_bytes(*date)))?,
        };
        stamps::as_issued(instant)
    }
}

impl Run {
    /// Reads a 400 whose first interval has the index `first`, in a day of `count`.
    fn after(first: usize, count: usize, line: &[u8]) -> Option<Self> {
        if line.len() > RECORD_SIZE_MAX || memchr::memchr(b'"', line).is_some() {
            return None;
        }
        let mut fields = [b"".as_slice(); 6];
        let mut places = fields.iter_mut();
        for field in line.split(|&byte| byte == b',') {
            *places.next()? = field.trim_ascii();
        }
        let [_, from, to, flag, reason, _] = fields;
        let at = |text| usize::try_from(number(text)?).ok();
        let (from, end) = (at(from)?, at(to)?);
        let is_next = from == first + 1 && from <= end && end <= count;
        let read = Flag::read(flag).filter(|&flag| flag != Flag::Varies && is_next)?;
        Some(Self { end, flag: read, note: quality::note(b"400", flag, reason) })
    }
}

/// The rest of the line at `at` without its line break, and where the next one begins; `None` for the last.
fn line_at(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = text.get(at..)?;
    let size = memchr::memchr(b'\n', rest)?;
    let line = &rest[..size];
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + size + 1))
}
