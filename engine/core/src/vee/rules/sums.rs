//! Intervals and registers against each other: the sum check (V12), zones and total (V13), rollover (V14).

use crate::meter::{DialReading, Installation};
use crate::vee::columns::{DayColumns, DayContext, RegisterSpan};
use crate::vee::finding::{Finding, div_up};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

/// Thousandths of a watt-hour, times millionths of a multiplier, in a watt-hour.
const FINE_PER_WH: i128 = 1_000 * 1_000_000;

/// What a register counted between two reads of one meter, in thousandths of a watt-hour before the multiplier. One that
/// went back has come to its end if it stood near it.
///
/// # Errors
/// A finding of V14.
pub fn difference(
    span: RegisterSpan,
    installation: &Installation,
    parameters: &RuleParameters,
) -> Result<i128, Finding> {
    let (start, end) = (dial(span.start), dial(span.end));
    if end >= start {
        return Ok(end - start);
    }
    let dial_end = dial(installation.dial_end());
    let near_end = dial_end * i128::from(parameters.rollover_thousandths_min);
    if start * 1_000 > near_end {
        return Ok(end + dial_end - start);
    }
    Err(Finding::of(Rule::Rollover, start, near_end / 1_000))
}

fn dial(reading: DialReading) -> i128 {
    i128::from(reading.as_milliwatt_hours())
}

/// The meter that counted all day; `None` where it is not known, or was exchanged that day.
fn installed<'a>(day: &DayColumns<'_>, context: &DayContext<'a>) -> Option<&'a Installation> {
    let end = day.instant(day.values_wh().len());
    let holds = |installation: &&Installation| {
        installation.from <= day.start() && installation.to.is_none_or(|(to, _)| to >= end)
    };
    context.installations.iter().find(holds)
}

/// V12: `|Σx − (R_e − R_s)·K|` above `max(a·K, b·Σx)`, over a whole day of one meter.
pub fn sum_check(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    if day.missing_count() == 0
        && let Some(finding) = sum_check_of(day.total_wh(), day, context, parameters)
    {
        findings.push(finding);
    }
}

/// The same for a day whose sum is known already.
pub(crate) fn sum_check_of(
    total_wh: i64,
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
) -> Option<Finding> {
    let (span, installation) = (context.span?, installed(day, context)?);
    let multiplier = i128::from(installation.multiplier.as_millionths());
    let counted = difference(span, installation, parameters).ok()? * multiplier;
    let total = i128::from(total_wh) * FINE_PER_WH;
    let by_dial = i128::from(parameters.sum_dial_milliwatt_hours) * multiplier;
    let by_share = total * i128::from(parameters.sum_thousandths) / 1_000;
    let (off, limit) = ((total - counted).abs(), by_dial.max(by_share));
    let count = day.values_wh().len();
    (off > limit)
        .then(|| Finding::over(Rule::SumCheck, 0, count, div_up(off, FINE_PER_WH), limit / FINE_PER_WH))
}

/// V13: `|ΣR_zone − R_total|` above one digit a register.
pub fn zone_sum(
    _: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some(dials) = context.zone_dials else { return };
    let zones: i128 = dials.zones.iter().map(|&zone| dial(zone)).sum();
    let off = (zones - dial(dials.total)).abs();
    let registers = i128::try_from(dials.zones.len()).unwrap_or(i128::MAX).saturating_add(1);
    let limit = registers.saturating_mul(i128::from(parameters.zone_dial_milliwatt_hours));
    if off > limit {
        findings.push(Finding::of(Rule::ZoneSum, off, limit));
    }
}

/// V14: a register of one meter that went back without having come to its end.
pub fn rollover(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    if let (Some(span), Some(installation)) = (context.span, installed(day, context)) {
        findings.extend(difference(span, installation, parameters).err());
    }
}
