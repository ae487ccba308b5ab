//! From a message's periods to readings: each placed in its day by the wall clock.

use tallywatt_core::calendar::{Day, UtcSeconds, WallTime, Zone};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::INTERVAL_MINUTES;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use super::message::{Channel, Message, Part};
use super::period::{DAY_MINUTES, Period};
use crate::refusal::FileRefusal;
use crate::sink::{RUN_VALUE_COUNT_MAX, ReadingRun};
use crate::tally::{self, Interval, Tally};

/// The finest grid of periods, in seconds.
const GRID_SECONDS: usize = 300;

const _: () = assert!(86_400 / GRID_SECONDS <= RUN_VALUE_COUNT_MAX);

/// Hands a whole message over, channel by channel.
pub(super) fn hand_over(
    message: &Message,
    file_name: &str,
    zone: &Zone,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let header = &message.header;
    let Some(day) = header.day else {
        return Err(FileRefusal::Header { line: 1, what: "the message names no day".to_owned() });
    };
    for (code, what) in header.misfits(file_name, zone) {
        tally.reject(code, header.line, 0, what.as_bytes());
    }
    tally.issued(header.issued());
    let clock = Clock::new(day, zone);
    for (at, channel) in message.channels.iter().enumerate() {
        match &channel.register {
            Ok((usage_point, register)) => {
                place(channel, &message.values_wh, *usage_point, *register, &clock, tally);
            }
            Err(refused) => {
                let (code, raw) = &**refused;
                tally.reject(*code, channel.line, tally::count(channel.period_count()), raw.as_bytes());
            }
        }
        let last_line = channel.last_line();
        // A line is done with its last channel: many messages are one long line.
        let is_line_done = message.channels.get(at + 1).is_none_or(|next| next.line > last_line);
        if is_line_done && tally.line_done(last_line).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn place(
    channel: &Channel,
    values_wh: &[i64],
    usage_point: UsagePointId,
    register: Register,
    clock: &Clock<'_>,
    tally: &mut Tally<'_>,
) {
    tally.gather_for(usage_point, register);
    let mut placing = Placing { clock, flagged: clock.is_flagged(channel, values_wh), doubled: Vec::new() };
    for part in &channel.parts {
        match (part, clock.midnight) {
            (Part::One(period), _) => placing.one(period, tally),
            (Part::Stretch(stretch), Some(midnight)) => {
                // What was gathered before goes first.
                tally.gather_for(usage_point, register);
                tally.run(&ReadingRun {
                    usage_point,
                    register,
                    start: midnight.plus(i64::from(stretch.first_minute) * 60),
                    interval_minutes: stretch.minutes,
                    quality: stretch.quality,
                    first_line: stretch.first_line,
                    lines_per_value: stretch.lines_per_period,
                    values_wh: &values_wh[stretch.values.clone()],
                });
            }
            (Part::Stretch(stretch), None) => {
                stretch.periods(values_wh).for_each(|period| placing.one(&period, tally));
            }
        }
    }
}

/// The clock of the message's day.
struct Clock<'a> {
    day: Day,
    zone: &'a Zone,
    /// The first instant of a day in which the clock is not changed: each time of it is as far from there as the clock says.
    midnight: Option<UtcSeconds>,
}

impl<'a> Clock<'a> {
    fn new(day: Day, zone: &'a Zone) -> Self {
        let is_even = |midnight: UtcSeconds| {
            let mut seconds = (0..86_400).step_by(GRID_SECONDS);
            seconds.all(|at| zone.resolve(day, at) == WallTime::Once(midnight.plus(i64::from(at))))
        };
        let midnight = match zone.resolve(day, 0) {
            WallTime::Once(midnight) if midnight.0 >= 0 && is_even(midnight) => Some(midnight),
            _ => None,
        };
        Self { day, zone, midnight }
    }

    /// Whether a channel says of any period in a doubled hour which pass it belongs to.
    fn is_flagged(&self, channel: &Channel, values_wh: &[i64]) -> bool {
        let says = |period: &Period| {
            let first = period.span.as_ref().ok().filter(|_| period.summer).map(|(first, _)| *first);
            first.is_some_and(|first| matches!(self.zone.resolve(self.day, first * 60), WallTime::Twice(..)))
        };
        self.midnight.is_none()
            && channel.parts.iter().any(|part| match part {
                Part::One(period) => says(period),
                Part::Stretch(stretch) => stretch.periods(values_wh).any(|period| says(&period)),
            })
    }
}

/// The periods of a channel, one after another.
struct Placing<'a> {
    clock: &'a Clock<'a>,
    flagged: bool,
    /// First minutes in the doubled hour so far, each once, the last one last.
    doubled: Vec<u32>,
}

impl Placing<'_> {
    fn one(&mut self, period: &Period, tally: &mut Tally<'_>) {
        let (start, minutes) = match self.start_of(period) {
            // A day has its 48 half-hours in files even where the clock passes over two of them.
            Err((RejectionCode::NoSuchLocalTime, _)) if period.is_empty() => {
                tally.summary.null_count += 1;
                return;
            }
            Err((code, raw)) => return tally.reject(code, period.line, 1, raw.as_bytes()),
            Ok(placed) => placed,
        };
        match (&period.energy, &period.quality) {
            (Ok((energy_wh, rounded)), Ok(quality)) => {
                tally.summary.rounded_count += u64::from(*rounded);
                let (energy_wh, quality) = (*energy_wh, *quality);
                tally.gather(Interval { start, minutes, energy_wh, quality, line: period.line });
            }
            (Err((code, raw)), Ok(_)) => tally.reject(*code, period.line, 1, raw.as_bytes()),
            (Err((code, raw)), Err(_)) if *code < RejectionCode::QualityFlag => {
                tally.reject(*code, period.line, 1, raw.as_bytes())
            }
            (_, Err(raw)) => tally.reject(RejectionCode::QualityFlag, period.line, 1, raw.as_bytes()),
        }
    }

    /// The first instant and the length of a period.
    ///
    /// In a doubled hour, a channel that marks its summer periods says which pass each belongs to; in one that marks none
    /// a clock that comes again is of the second pass, whether its periods are in the order of time or of the clock.
    fn start_of(&mut self, period: &Period) -> Result<(UtcSeconds, u8), (RejectionCode, Box<str>)> {
        let (first, minutes) = match &period.span {
            Ok(span) => *span,
            Err(raw) => return Err((RejectionCode::Stamp, raw.clone())),
        };
        let raw = || format!("{:02}{:02}, {minutes} minutes", first / 60, first % 60).into();
        let wall = self.clock.zone.resolve(self.clock.day, first * 60);
        let instant = match wall {
            WallTime::Once(instant) => instant,
            WallTime::Twice(_, winter) if self.is_second(period, first) => winter,
            WallTime::Twice(summer, _) => summer,
            WallTime::Never => return Err((RejectionCode::NoSuchLocalTime, raw())),
        };
        if instant.0 < 0 {
            return Err((RejectionCode::Stamp, raw()));
        }
        let taken = |wanted: i64| INTERVAL_MINUTES.into_iter().find(|&taken| i64::from(taken) == wanted);
        taken(i64::from(minutes))
            .or_else(|| self.elapsed_s(instant, first + minutes).find_map(|elapsed| taken(elapsed / 60)))
            .map(|minutes| (instant, minutes))
            .ok_or_else(|| (RejectionCode::IntervalSize, raw()))
    }

    /// Whether a period of the doubled hour is of its second pass.
    fn is_second(&mut self, period: &Period, first: u32) -> bool {
        if self.flagged {
            return !period.summer;
        }
        // A clock that has gone back within the hour shows a second pass of which the first may be missing.
        let has_gone_back = self.doubled.last().is_some_and(|&previous| previous > first);
        let known = self.doubled.iter().position(|&minute| minute == first);
        if let Some(at) = known {
            self.doubled.remove(at);
        }
        self.doubled.push(first);
        known.is_some() || has_gone_back
    }

    /// How long it may be from `instant` to the clock's `end` on the same day: where the clock is changed between them,
    /// 0130 to 0300 is half an hour, and 0230 to 0200 too.
    fn elapsed_s(&self, instant: UtcSeconds, end: u32) -> impl Iterator<Item = i64> {
        let ends = match self.clock.zone.resolve(self.clock.day, end % DAY_MINUTES * 60) {
            _ if self.clock.midnight.is_some() => [None, None],
            WallTime::Once(end) => [Some(end), None],
            WallTime::Twice(first, second) => [Some(first), Some(second)],
            WallTime::Never => [None, None],
        };
        ends.into_iter().flatten().map(move |end| end.0 - instant.0)
    }
}
