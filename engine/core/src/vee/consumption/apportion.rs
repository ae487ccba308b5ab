//! Laying a span over the intervals of local days, by a rule that is said, never by habit.
//!
//! ```text
//!   share until t  =  round(energy × W(t) ÷ W(end))         W: weight × seconds since the span began
//!   an interval    =  share until its end − share until its start
//! ```
//!
//! Shares are rounded as a running sum, halves to even, so the parts of a span add up to it exactly, wherever it is cut.

use crate::calendar::{Day, UtcSeconds, Zone};
use crate::day_block::{DayBlock, DayBlockError};
use crate::label::UsagePointId;
use crate::money::div_half_even;
use crate::quality::Quality;
use crate::reading::Source;
use crate::register::Register;
use crate::vee::profile::ProfileDay;

use super::Span;

/// The longest span, and the longest time from first to last, that is laid over days: three years.
pub const APPORTION_DAYS_MAX: i32 = 1_100;

/// How energy between two reads is laid over the time between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Apportion<'p> {
    /// Not at all: nothing is known of it.
    #[default]
    Never,
    /// Every second alike: a straight line between the reads.
    EvenlyByTime,
    /// As the weights of a profile, sorted by day; evenly within an interval of it.
    ByProfile(&'p [ProfileDay]),
}

/// Why energy cannot be laid over time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApportionError {
    /// The rule is [`Apportion::Never`].
    #[error("energy between two reads is not apportioned: no rule says how")]
    NoRule,
    /// The profile has no day, or no whole day, there.
    #[error("the profile does not cover {0}")]
    ProfileLacks(UtcSeconds),
    /// All weights over the span are zero.
    #[error("the profile has no weight over the span from {0}")]
    ProfileEmpty(UtcSeconds),
    /// More than [`APPORTION_DAYS_MAX`].
    #[error("from {from} to {to} is too long to apportion, at most {APPORTION_DAYS_MAX} days")]
    TooLong {
        /// First instant.
        from: UtcSeconds,
        /// The instant after the last.
        to: UtcSeconds,
    },
    /// An interval gets more than it can hold.
    #[error("{wh} Wh in the interval at {at}, at most {max}", max = i32::MAX)]
    PastRange {
        /// The interval's start.
        at: UtcSeconds,
        /// What it would get.
        wh: i64,
    },
    /// The zone or interval length does not give days.
    #[error(transparent)]
    Day(#[from] DayBlockError),
}

/// One span's energy as a function of time.
pub(super) struct Shares {
    energy_wh: i128,
    total: i128,
    pieces: Vec<Piece>,
}

/// A stretch of one weight.
struct Piece {
    from: i64,
    to: i64,
    weight: i128,
    before: i128,
}

impl Shares {
    pub(super) fn of(span: &Span, rule: &Apportion<'_>) -> Result<Self, ApportionError> {
        let (from, to) = (span.from, span.to);
        if to.0.saturating_sub(from.0) > i64::from(APPORTION_DAYS_MAX) * 86_400 {
            return Err(ApportionError::TooLong { from, to });
        }
        let mut shares = Self { energy_wh: i128::from(span.energy_wh), total: 0, pieces: Vec::new() };
        match rule {
            Apportion::Never => return Err(ApportionError::NoRule),
            Apportion::EvenlyByTime => shares.push(from.0, to.0, 1),
            Apportion::ByProfile(days) => shares.push_profile(span, days)?,
        }
        if shares.total == 0 {
            return Err(ApportionError::ProfileEmpty(from));
        }
        Ok(shares)
    }

    fn push(&mut self, from: i64, to: i64, weight: u32) {
        let weight = i128::from(weight);
        self.pieces.push(Piece { from, to, weight, before: self.total });
        self.total += weight * i128::from(to - from);
    }

    fn push_profile(&mut self, span: &Span, days: &[ProfileDay]) -> Result<(), ApportionError> {
        let mut reached = span.from.0;
        let first = days.partition_point(|day| day.start <= span.from).saturating_sub(1);
        for day in days[first..].iter().take_while(|day| day.start < span.to) {
            let step = i64::from(day.interval_minutes) * 60;
            let mut start = day.start.0;
            for &weight in &day.weights {
                let (from, to) = (start.max(span.from.0), (start + step).min(span.to.0));
                start += step;
                if from < to {
                    if from != reached {
                        return Err(ApportionError::ProfileLacks(UtcSeconds(reached)));
                    }
                    self.push(from, to, weight);
                    reached = to;
                }
            }
        }
        if reached == span.to.0 { Ok(()) } else { Err(ApportionError::ProfileLacks(UtcSeconds(reached))) }
    }

    /// Energy from the span's start until `instant`, which lies in it.
    pub(super) fn until_wh(&self, instant: UtcSeconds) -> i64 {
        let at = self.pieces.partition_point(|piece| piece.to <= instant.0);
        let weight = self.pieces.get(at).map_or(self.total, |piece| {
            piece.before + piece.weight * i128::from((instant.0 - piece.from).max(0))
        });
        let share = div_half_even(self.energy_wh * weight, self.total);
        i64::try_from(share).expect("a share is no more than the span, which is 64-bit")
    }
}

/// Spans laid over local days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apportioned {
    /// The days they touch, in order, without gaps. What no span covers is missing.
    pub days: Vec<DayBlock>,
    /// What fell into intervals that the spans cover only in part: those stay missing. Days and this make the spans.
    pub edge_wh: i64,
}

/// Lays spans of one register, sorted, over the intervals of local days.
///
/// The sum of a day is pinned by registers, so its values are [`Quality::Derived`] where the reads were measured, and
/// estimated where a read was.
///
/// # Errors
/// [`ApportionError`].
pub fn apportion(
    spans: &[Span],
    (usage_point, register): (UsagePointId, Register),
    zone: &Zone,
    interval_minutes: u8,
    source: Source,
    rule: &Apportion<'_>,
) -> Result<Apportioned, ApportionError> {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
        return Ok(Apportioned { days: Vec::new(), edge_wh: 0 });
    };
    let mut laid = Apportioned { days: Vec::new(), edge_wh: 0 };
    let shares: Vec<Shares> = spans.iter().map(|span| Shares::of(span, rule)).collect::<Result<_, _>>()?;
    let mut lay = Lay { spans, shares: &shares, next: 0, rule };
    for day in days_of(first.from, last.to, zone)? {
        let local = zone.local_day(day);
        let empty = DayBlock::empty(usage_point, register, local, interval_minutes, source)?;
        let (mut values, mut qualities) = (Vec::new(), Vec::new());
        for at in 0..empty.interval_count() {
            let start = empty.interval_start(at);
            let cell = lay.interval(start, start.plus(i64::from(interval_minutes) * 60));
            let whole = cell.covered_s == i64::from(interval_minutes) * 60;
            let value =
                i32::try_from(cell.wh).map_err(|_| ApportionError::PastRange { at: start, wh: cell.wh })?;
            laid.edge_wh += if whole { 0 } else { cell.wh };
            values.push(if whole { value } else { 0 });
            qualities.push(if whole { cell.quality } else { Quality::Missing });
        }
        let block =
            DayBlock::from_parts(empty.key(), local.start, interval_minutes, source, values, qualities)?;
        laid.days.push(block);
    }
    Ok(laid)
}

fn days_of(from: UtcSeconds, to: UtcSeconds, zone: &Zone) -> Result<Vec<Day>, ApportionError> {
    let too_long = || ApportionError::TooLong { from, to };
    let first = zone.local_day_of(from).ok_or_else(too_long)?.day;
    let last = zone.local_day_of(to.plus(-1)).ok_or_else(too_long)?.day;
    if last.since(first) > APPORTION_DAYS_MAX {
        return Err(too_long());
    }
    Ok((0..=last.since(first)).filter_map(|after| first.plus(after)).collect())
}

/// Where laying stands: no interval looks back before `next`.
struct Lay<'a> {
    spans: &'a [Span],
    shares: &'a [Shares],
    next: usize,
    rule: &'a Apportion<'a>,
}

struct Cell {
    wh: i64,
    covered_s: i64,
    quality: Quality,
}

impl Lay<'_> {
    fn interval(&mut self, start: UtcSeconds, end: UtcSeconds) -> Cell {
        while self.spans.get(self.next).is_some_and(|span| span.to <= start) {
            self.next += 1;
        }
        let mut cell = Cell { wh: 0, covered_s: 0, quality: Quality::Derived };
        for (span, shares) in self.spans[self.next..].iter().zip(&self.shares[self.next..]) {
            if span.from >= end {
                break;
            }
            let (from, to) = (span.from.max(start), span.to.min(end));
            cell.wh += shares.until_wh(to) - shares.until_wh(from);
            cell.covered_s += to.0 - from.0;
            if !span.how.is_measured() {
                cell.quality = match self.rule {
                    Apportion::ByProfile(_) => Quality::EstimatedReferenceDay,
                    Apportion::Never | Apportion::EvenlyByTime => Quality::EstimatedLinear,
                };
            }
        }
        cell
    }
}
