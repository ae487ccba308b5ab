//! The records of a NEM12 file: 200 a register, 300 its day, 400 a run of intervals of one quality.

use std::borrow::Cow;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::Issued;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;

use super::quality::{self, Flag};
use super::stamps;
use crate::lines::Row;
use crate::scale::{Scale, Unit};
use crate::source_notes::SourceNote;
use crate::stamp::{number, read_compact_day};
use crate::tally::{self, Interval, Tally};

/// Fields of a 300 after its values: quality, reason, description, update and load stamps; only the first must be there.
pub(super) const DAY_TAIL_COUNT: usize = 5;
/// Where among them the reason stands, and the update stamp.
pub(super) const REASON_AT: usize = 1;
pub(super) const UPDATE_AT: usize = 3;

/// The values that a day may have, in intervals of 30, 15 and 5 minutes.
const INTERVAL_COUNTS: [usize; 3] = [48, 96, 288];

/// What a 200 says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    pub(super) usage_point: UsagePointId,
    pub(super) register: Register,
    pub(super) unit: Unit,
    pub(super) interval_minutes: u8,
    /// Values of a day: 1440 / interval length.
    pub(super) interval_count: usize,
}

impl Channel {
    /// Before the first 200.
    pub(super) const fn none() -> Result<Self, RejectionCode> {
        Err(RejectionCode::Structure)
    }

    /// `200,NMI,configuration,register id,suffix,data stream,serial,unit,interval length[,next read]`.
    pub(super) fn read(row: Row<'_>) -> Result<Self, RejectionCode> {
        if !matches!(row.len(), 9 | 10) {
            return Err(RejectionCode::Structure);
        }
        let usage_point = UsagePointId::new(row.field(1)).map_err(|_| RejectionCode::UsagePoint)?;
        let register = register_of(row.field(4)).ok_or(RejectionCode::Register)?;
        let unit = Unit::named_loosely(row.field(7)).ok_or(RejectionCode::Unit)?;
        if !unit.measures(register.flow) {
            return Err(RejectionCode::Unit);
        }
        let (interval_minutes, interval_count) = match number(row.field(8)) {
            Some(5) => (5, 288),
            Some(15) => (15, 96),
            Some(30) => (30, 48),
            _ => return Err(RejectionCode::IntervalSize),
        };
        Ok(Self { usage_point, register, unit, interval_minutes, interval_count })
    }
}

/// `E1` → import on channel 1; channels run 1 to 9, then A to Z for 10 to 35.
fn register_of(suffix: &[u8]) -> Option<Register> {
    let [flow, channel] = suffix else { return None };
    let flow = match flow {
        b'E' => Flow::Import,
        b'B' => Flow::Export,
        b'Q' => Flow::ReactiveImport,
        b'K' => Flow::ReactiveExport,
        _ => return None,
    };
    let channel = match channel {
        b'1'..=b'9' => channel - b'0',
        b'A'..=b'Z' => channel - b'A' + 10,
        _ => return None,
    };
    Some(Register::total(flow, channel))
}

/// The values of a 300 that is set aside: those of a day of its channel, or where that is not known those of the days that
/// have room in so many fields; 0 if none has.
pub(super) fn value_count_of(channel: &Result<Channel, RejectionCode>, record: &[u8]) -> u32 {
    match channel {
        Ok(channel) => tally::count(channel.interval_count),
        Err(_) => value_count_in(1 + memchr::memchr_iter(b',', record).count()),
    }
}

fn value_count_in(field_count: usize) -> u32 {
    let tail = |count: usize| field_count.checked_sub(2 + count);
    let fits = |count: &usize| tail(*count).is_some_and(|tail| (1..=DAY_TAIL_COUNT).contains(&tail));
    INTERVAL_COUNTS.into_iter().find(fits).map_or(0, tally::count)
}

/// One run of intervals, first and last counted from 1.
pub(super) struct Run {
    first: usize,
    last: usize,
    flag: Flag,
    note: SourceNote,
}

impl Run {
    /// `400,first,last,quality[,reason,description]`.
    pub(super) fn read(row: Row<'_>) -> Result<Self, RejectionCode> {
        if !(4..=6).contains(&row.len()) {
            return Err(RejectionCode::Structure);
        }
        let at =
            |field| number(field).and_then(|at| usize::try_from(at).ok()).ok_or(RejectionCode::Structure);
        let (first, last) = (at(row.field(1))?, at(row.field(2))?);
        let flag = Flag::read(row.field(3)).filter(|&flag| flag != Flag::Varies);
        let note = quality::note(b"400", row.field(3), row.field(4));
        Ok(Self { first, last, flag: flag.ok_or(RejectionCode::QualityFlag)?, note })
    }
}

/// One register-day, waiting for its 400s.
pub(super) struct Day {
    channel: Channel,
    start: UtcSeconds,
    line: u64,
    /// When its source last changed it.
    issued: Issued,
    /// Whether the 400s say the quality.
    varies: bool,
    /// What the 300 says, and each 400 of how many intervals.
    note: SourceNote,
    run_notes: Vec<(SourceNote, usize)>,
    energies: Vec<Energy>,
    flags: Vec<Option<Flag>>,
}

/// A value as scaled, or why not, with its text for the rejection.
struct Energy {
    scaled: Result<(i64, bool), RejectionCode>,
    raw: Vec<u8>,
}

/// What a day is read with, beside its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayContext<'a> {
    pub(super) channel: &'a Result<Channel, RejectionCode>,
    pub(super) zone: &'a Zone,
    pub(super) rounds: bool,
    /// The issue of a day without an update stamp.
    pub(super) created: Issued,
}

/// `300,date,value…,quality[,reason,description,update,load]`, or why not and how many values are lost.
pub(super) fn read_day(
    context: DayContext<'_>,
    row: Row<'_>,
    line: u64,
) -> Result<Day, (RejectionCode, u32)> {
    let DayContext { channel, zone, rounds, created } = context;
    let channel = match channel {
        Ok(channel) => *channel,
        Err(code) => return Err((*code, value_count_in(row.len()))),
    };
    let count = channel.interval_count;
    let all = |code| (code, tally::count(count));
    let flag_at = 2 + count;
    // A flag before its place means too few values, none in its place too many.
    let early = (2..flag_at).any(|at| Flag::read(row.field(at)).is_some());
    if early || row.len() <= flag_at || row.len() > flag_at + DAY_TAIL_COUNT {
        return Err(all(RejectionCode::Structure));
    }
    let day = read_compact_day(row.field(1)).ok_or(all(RejectionCode::Stamp))?;
    let local = zone.local_day(day);
    if local.interval_count(channel.interval_minutes).map(usize::from) != Some(count) || local.start.0 < 0 {
        // Market time has no summer time; a profile with such a zone cannot place this day's values.
        return Err(all(RejectionCode::OffGrid));
    }
    let flag = match row.field(flag_at) {
        b"" => return Err(all(RejectionCode::Structure)),
        text if text[0].is_ascii_digit() => return Err(all(RejectionCode::Structure)),
        text => Flag::read(text).ok_or(all(RejectionCode::QualityFlag))?,
    };
    let issued = match row.field(flag_at + UPDATE_AT) {
        b"" => created,
        text => stamps::issued(text, zone).ok_or(all(RejectionCode::Stamp))?,
    };
    let note = quality::note(b"300", row.field(flag_at), row.field(flag_at + REASON_AT));
    let scale = Scale::plain(channel.unit, rounds);
    let energies = (2..flag_at).map(|at| Energy::read(row.field(at), scale)).collect();
    let varies = flag == Flag::Varies;
    let flags = vec![if varies { None } else { Some(flag) }; count];
    let run_notes = Vec::new();
    Ok(Day { channel, start: local.start, line, issued, varies, note, run_notes, energies, flags })
}

/// The raw text of a 300 that is set aside, with a word on the stamp that a spreadsheet rewrote.
pub(super) fn day_text<'a>(
    channel: &Result<Channel, RejectionCode>,
    row: Row<'_>,
    record: &'a [u8],
) -> Cow<'a, [u8]> {
    let count = channel.as_ref().map_or(0, |channel| channel.interval_count);
    stamps::explained(record, &[row.field(1), row.field(2 + count + UPDATE_AT)])
}

impl Energy {
    fn read(field: &[u8], scale: Scale) -> Self {
        let scaled = match field {
            b"" => Err(RejectionCode::NoValue),
            // Providers drop the zero before the point; certified market files do.
            [b'.', ..] => scale.watt_hours(&[b"0", field].concat(), b'.'),
            _ => scale.watt_hours(field, b'.'),
        };
        let raw = if scaled.is_err() { field.to_vec() } else { Vec::new() };
        Self { scaled, raw }
    }
}

impl Day {
    /// Marks the intervals of a run. A run that leaves the day, or meets another, is not taken at all.
    pub(super) fn cover(&mut self, run: &Run) -> Result<(), RejectionCode> {
        let in_day = 1 <= run.first && run.first <= run.last && run.last <= self.flags.len();
        if !self.varies || !in_day {
            return Err(RejectionCode::Structure);
        }
        let flags = &mut self.flags[run.first - 1..run.last];
        if flags.iter().any(Option::is_some) {
            return Err(RejectionCode::Structure);
        }
        flags.fill(Some(run.flag));
        self.run_notes.push((run.note, run.last + 1 - run.first));
        Ok(())
    }

    /// Hands the values over. Intervals that no 400 covers are set aside.
    pub(super) fn hand_over(self, tally: &mut Tally<'_>) {
        let interval_s = i64::from(self.channel.interval_minutes) * 60;
        tally.issued(self.issued);
        tally.note(&self.note, if self.varies { 0 } else { self.flags.len() });
        self.run_notes.iter().for_each(|(note, count)| tally.note(note, *count));
        let mut start = self.start;
        let mut uncovered = 0;
        tally.gather_for(self.channel.usage_point, self.channel.register);
        for (energy, flag) in self.energies.iter().zip(&self.flags) {
            match (flag, &energy.scaled) {
                (None, _) => uncovered += 1,
                (Some(Flag::Null | Flag::Varies), _) => tally.summary.null_count += 1,
                (Some(Flag::Of(quality)), Ok((energy_wh, rounded))) => {
                    tally.summary.rounded_count += u64::from(*rounded);
                    tally.gather(Interval {
                        start,
                        minutes: self.channel.interval_minutes,
                        energy_wh: *energy_wh,
                        quality: *quality,
                        line: self.line,
                    });
                }
                (Some(Flag::Of(_)), Err(code)) => tally.reject(*code, self.line, 1, &energy.raw),
            }
            start = start.plus(interval_s);
        }
        if uncovered > 0 {
            let raw =
                format!("{uncovered} intervals of {} that no 400 record covers", self.channel.usage_point);
            tally.reject(RejectionCode::QualityFlag, self.line, uncovered, raw.as_bytes());
        }
    }
}
