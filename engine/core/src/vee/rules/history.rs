//! A day against the days before: high or low use (V15), the historical maximum (V16), use without supply (V19).

use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::{Finding, div_up};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;
use crate::vee::state::{DailyUse, MeterState};

/// V15: daily use of the month so far, this day with it, against the same month of last year, else the last month. Whole
/// days count, so a day with a gap says nothing.
pub fn high_low(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    if day.missing_count() == 0 {
        findings.extend(high_low_of(day.total_wh(), context, parameters));
    }
}

/// The same for a whole day whose sum is known already.
pub(crate) fn high_low_of(
    total_wh: i64,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
) -> Option<Finding> {
    let state = context.state?;
    let so_far = state.current();
    let day_count = so_far.day_count.saturating_add(1);
    if context.is_irregular || i64::from(day_count) < parameters.use_days_min {
        return None;
    }
    let energy_wh = so_far.energy_wh.saturating_add(total_wh);
    compare_daily_use(
        DailyUse { energy_wh, day_count },
        state.reference(parameters.use_days_min)?,
        parameters,
    )
}

/// V15 for any two stretches of days, such as a month that is billed and the one before. A reference of nothing says
/// nothing.
#[must_use]
pub fn compare_daily_use(now: DailyUse, reference: DailyUse, parameters: &RuleParameters) -> Option<Finding> {
    let part = i128::from(now.energy_wh) * i128::from(reference.day_count) * 1_000;
    let whole = i128::from(reference.energy_wh) * i128::from(now.day_count);
    let (low, high) = (parameters.use_thousandths_min.into(), parameters.use_thousandths_max.into());
    if whole <= 0 {
        return None;
    }
    if part < low * whole {
        return Some(Finding::of(Rule::HighLow, part.div_euclid(whole), low));
    }
    (part > high * whole).then(|| Finding::of(Rule::HighLow, div_up(part, whole), high))
}

/// V16: above the highest value of the last month, or a floor if that is more, by more than so many per cent.
pub fn historical_max(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some(limit) = context.state.and_then(|state| peak_limit(state, parameters)) else { return };
    for (at, wh) in day.present() {
        if i128::from(wh) * 100 > limit {
            findings.push(Finding::at(Rule::HistoricalMax, at, wh.into(), limit / 100));
        }
    }
}

/// What a value may not be above, in hundredths of a watt-hour; `None` if the last month says nothing.
pub(crate) fn peak_limit(state: &MeterState, parameters: &RuleParameters) -> Option<i128> {
    let previous = state.previous();
    let highest_wh = i64::from(previous.highest_wh[0]).max(parameters.peak_wh_min);
    let says = i64::from(previous.seen_day_count) >= parameters.use_days_min && highest_wh > 0;
    says.then(|| i128::from(100 + parameters.peak_percent_max) * i128::from(highest_wh))
}

/// V19: energy while the point was disconnected.
pub fn inactive_use(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    _: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let mut used = day.present().filter(|&(_, wh)| wh > 0).map(|(at, _)| at);
    if context.is_disconnected
        && let Some(first) = used.next()
    {
        let last = used.next_back().unwrap_or(first);
        findings.push(Finding::over(Rule::InactiveUse, first, last - first + 1, day.total_wh().into(), 0));
    }
}
