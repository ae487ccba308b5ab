//! What a usage point that has register reads only used in a period.
//!
//! Spans that lie in the period count whole; one that crosses its start or end counts the part its rule gives. The
//! parts are differences of one running sum, so months that follow each other add up to the spans.

use crate::calendar::{Period, UtcSeconds, Zone};
use crate::quality::Quality;

use super::Span;
use super::apportion::{Apportion, ApportionError, Shares};

/// Consumption of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodConsumption {
    /// How much.
    pub energy_wh: i64,
    /// How much of it is a part of a span, by the rule.
    pub apportioned_wh: i64,
    /// [`Quality::Derived`] if every read was measured, else estimated.
    pub quality: Quality,
}

/// Why a period's consumption is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDetermined {
    /// No read at or before its start.
    #[error("no read at or before {0}")]
    NoReadBefore(UtcSeconds),
    /// No read at or after its end.
    #[error("no read at or after {0}")]
    NoReadAfter(UtcSeconds),
    /// Reads do not tell what was used here.
    #[error("reads do not tell what was used from {from} to {to}")]
    Hole {
        /// First instant.
        from: UtcSeconds,
        /// The instant after the last.
        to: UtcSeconds,
    },
    /// The period begins or ends within a span, and the rule does not cut that.
    #[error("cannot cut the span from {from} to {to}: {source}")]
    Cut {
        /// First instant.
        from: UtcSeconds,
        /// The instant after the last.
        to: UtcSeconds,
        /// Why not.
        source: ApportionError,
    },
    /// Past 64-bit watt-hours.
    #[error("the energy is past 64-bit watt-hours")]
    PastRange,
}

/// Consumption of a billing month in a zone.
///
/// # Errors
/// [`NotDetermined`].
pub fn of_month(
    spans: &[Span],
    period: Period,
    zone: &Zone,
    rule: &Apportion<'_>,
) -> Result<PeriodConsumption, NotDetermined> {
    of_period(spans, zone.local_day(period.first_day()).start, zone.local_day(period.end_day()).start, rule)
}

/// Consumption from one instant to another.
///
/// # Errors
/// [`NotDetermined`].
pub fn of_period(
    spans: &[Span],
    from: UtcSeconds,
    to: UtcSeconds,
    rule: &Apportion<'_>,
) -> Result<PeriodConsumption, NotDetermined> {
    let mut sum = PeriodConsumption { energy_wh: 0, apportioned_wh: 0, quality: Quality::Derived };
    let first = spans.partition_point(|span| span.to <= from);
    if spans.first().is_none_or(|span| span.from > from) {
        return Err(NotDetermined::NoReadBefore(from));
    }
    if spans.last().is_none_or(|span| span.to < to) {
        return Err(NotDetermined::NoReadAfter(to));
    }
    let mut reached = from;
    for span in spans[first..].iter().take_while(|span| span.from < to) {
        if span.from > reached {
            return Err(NotDetermined::Hole { from: reached, to: span.from });
        }
        let (part_from, part_to) = (span.from.max(from), span.to.min(to));
        let is_whole = (part_from, part_to) == (span.from, span.to);
        let wh = if is_whole { span.energy_wh } else { part_wh(span, part_from, part_to, rule)? };
        sum.energy_wh = sum.energy_wh.checked_add(wh).ok_or(NotDetermined::PastRange)?;
        sum.apportioned_wh += if is_whole { 0 } else { wh };
        if !span.how.is_measured() {
            sum.quality = Quality::Other;
        }
        reached = span.to;
    }
    if reached < to { Err(NotDetermined::Hole { from: reached, to }) } else { Ok(sum) }
}

fn part_wh(
    span: &Span,
    from: UtcSeconds,
    to: UtcSeconds,
    rule: &Apportion<'_>,
) -> Result<i64, NotDetermined> {
    let shares = Shares::of(span, rule).map_err(|source| {
        let (from, to) = (span.from, span.to);
        NotDetermined::Cut { from, to, source }
    })?;
    Ok(shares.until_wh(to) - shares.until_wh(from))
}
