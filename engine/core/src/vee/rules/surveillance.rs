//! Whether enough comes, and on time: intervals of a day (V04), clock (V06), measured at all (V25), deliveries (V27).

use crate::calendar::UtcSeconds;
use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::Finding;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

use super::stretches;

/// V04: not as many values as the local day has intervals. Names where they are missing; for a day of another length,
/// the whole of it.
pub fn interval_count(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    _: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let wide = |count: usize| i128::try_from(count).unwrap_or(i128::MAX);
    let count = day.values_wh().len();
    let found = count - day.missing_count();
    if count != context.expected_count {
        findings.push(Finding::over(
            Rule::IntervalCount,
            0,
            count,
            wide(found),
            wide(context.expected_count),
        ));
        return;
    }
    for (first, last) in stretches(count, |at| !day.qualities()[at].is_billable()) {
        let (measured, limit) = (wide(found), wide(context.expected_count));
        findings.push(Finding::over(Rule::IntervalCount, first, last - first + 1, measured, limit));
    }
}

/// V06: the clock is off by more than is warned of, or by so much that the day is no good: then that is the limit.
pub fn clock_drift(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some(ahead) = context.clock_ahead_s else { return };
    let off = i128::from(ahead).abs();
    let (warn, invalid) = (i128::from(parameters.clock_warn_s), i128::from(parameters.clock_invalid_s));
    if off >= invalid {
        findings.push(Finding::over(Rule::ClockDrift, 0, day.values_wh().len(), off, invalid));
    } else if off > warn {
        findings.push(Finding::of(Rule::ClockDrift, off, warn));
    }
}

/// V25: no measured value for more days than that, this one with them.
pub fn prolonged_estimation(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some(state) = context.state else { return };
    let is_measured = day.qualities().iter().any(|quality| quality.is_measured());
    let days = i64::from(state.estimated_days()) + 1;
    if !is_measured && days > parameters.estimated_days_max {
        findings.push(Finding::of(
            Rule::ProlongedEstimation,
            days.into(),
            parameters.estimated_days_max.into(),
        ));
    }
}

/// V27, silent: no value for so long. `None` of `last_seen` is a meter that never delivered, since `installed`.
#[must_use]
pub fn silent(
    last_seen: Option<UtcSeconds>,
    installed: UtcSeconds,
    now: UtcSeconds,
    parameters: &RuleParameters,
) -> Option<Finding> {
    let since = i128::from(now.0) - i128::from(last_seen.unwrap_or(installed).0);
    let limit = i128::from(parameters.silent_s);
    (since >= limit).then(|| Finding::of(Rule::Delivery, since, limit))
}

/// V27, under-covered: of the intervals expected in some stretch of days, too small a part has come.
#[must_use]
pub fn under_covered(found_count: u64, expected_count: u64, parameters: &RuleParameters) -> Option<Finding> {
    let (found, expected) = (i128::from(found_count) * 1_000, i128::from(expected_count));
    let limit = i128::from(parameters.coverage_thousandths_min);
    (found < limit * expected).then(|| Finding::of(Rule::Delivery, found / expected, limit))
}
