//! A register beside others: reactive and active (V22), main and check meter (V23), channels of a device (V26), import
//! and export (V29).

use crate::register::Register;
use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::{Finding, div_up};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

use super::stretches;

/// Sum of `day`, and of all others together, over the intervals that have a value in each; `None` if they are not on one
/// grid.
fn paired_totals(day: &DayColumns<'_>, others: &[DayColumns<'_>]) -> Option<(i128, i128)> {
    let mut count = day.values_wh().len();
    for other in others {
        count = count.min(paired_count(day, other)?);
    }
    let (mut own, mut theirs) = (0, 0);
    for at in 0..count {
        let has_value = |columns: &DayColumns<'_>| columns.qualities()[at].is_billable();
        if has_value(day) && others.iter().all(has_value) {
            own += i128::from(day.values_wh()[at]);
            theirs += others.iter().map(|other| i128::from(other.values_wh()[at])).sum::<i128>();
        }
    }
    Some((own, theirs))
}

/// Intervals of both; `None` if they are not on one grid.
fn paired_count(a: &DayColumns<'_>, b: &DayColumns<'_>) -> Option<usize> {
    let grid = |day: &DayColumns<'_>| (day.start(), day.interval_minutes(), day.values_wh().len());
    (grid(a) == grid(b)).then(|| a.values_wh().len())
}

/// V22: more reactive energy than the largest tan φ explains with the active energy of both ways, taken and fed in. A day
/// with little of it is not looked at.
pub fn reactive(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let totals = match (context.active, context.active_export) {
        (Some(taken), Some(fed_in)) => paired_totals(day, &[taken, fed_in]),
        (Some(one), None) | (None, Some(one)) => paired_totals(day, &[one]),
        (None, None) => None,
    };
    let Some((varh, wh)) = totals else { return };
    let limit = i128::from(parameters.reactive_thousandths_max);
    if varh > parameters.reactive_varh_min.into() && varh * 1_000 > limit * wh {
        let count = day.values_wh().len();
        findings.push(Finding::over(Rule::Reactive, 0, count, div_up(varh * 1_000, wh), limit));
    }
}

/// V23: main and check meter differ by more than their classes allow together.
pub fn main_check(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some((main, check)) = context.check.and_then(|check| paired_totals(day, &[check])) else { return };
    let (off, limit) = ((main - check).abs() * 1_000, i128::from(parameters.check_thousandths_max));
    if off > limit * check {
        let count = day.values_wh().len();
        findings.push(Finding::over(Rule::MainCheck, 0, count, div_up(off, check), limit));
    }
}

/// V29: full import and full export in one interval, which no connection carries both of.
pub fn prosumer_symmetry(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    _: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let (Some(opposite), Some(capacity_w)) = (context.opposite, context.capacity_w) else { return };
    let Some(count) = paired_count(day, &opposite) else { return };
    let above = |wh: i32| is_above(wh, capacity_w, day.interval_minutes());
    let both = |at: usize| above(day.values_wh()[at]) && above(opposite.values_wh()[at]);
    for (first, last) in stretches(count, both) {
        let pairs = (first..=last).map(|at| day.values_wh()[at].min(opposite.values_wh()[at]));
        let lesser = pairs.max().unwrap_or_default();
        let limit = i128::from(capacity_w) * i128::from(day.interval_minutes()) / 60;
        findings.push(Finding::over(Rule::ProsumerSymmetry, first, last - first + 1, lesser.into(), limit));
    }
}

/// Whether an interval's energy is above what the connection carries.
pub(crate) fn is_above(wh: i32, capacity_w: i64, interval_minutes: u8) -> bool {
    i128::from(wh) * 60 > i128::from(capacity_w) * i128::from(interval_minutes)
}

/// V26: channels that the device has and that delivered nothing. Counts them.
#[must_use]
pub fn siblings(expected: &[Register], delivered: &[Register]) -> Option<Finding> {
    let there = expected.iter().filter(|register| delivered.contains(register)).count();
    let wide = |count: usize| i128::try_from(count).unwrap_or(i128::MAX);
    (there < expected.len()).then(|| Finding::of(Rule::Siblings, wide(there), wide(expected.len())))
}
