//! Values that stand out: the spike of a day (V09), the outlier (V10), the step from one interval to the next (V11).

use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::{Finding, div_up};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

/// The most values a window of the outlier rule holds: two days.
const WINDOW_COUNT_MAX: usize = 2 * crate::day_block::INTERVAL_COUNT_MAX as usize;
/// What a median absolute deviation is multiplied by to stand for a standard deviation, 10^-4.
const DEVIATION_E4: i128 = 14_826;

/// V09: `(highest − third highest) / third highest` above the limit, unless the highest is small or no higher than what
/// was seen before. A third highest of zero fails with any highest that is not small.
pub fn spike(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let mut descending: Vec<(i32, usize)> = day.present().map(|(at, wh)| (wh, at)).collect();
    // Among equals the earlier interval first.
    descending.sort_unstable_by_key(|&(wh, at)| (std::cmp::Reverse(wh), at));
    let [(highest, at), _, (third, _), ..] = descending[..] else { return };
    if i64::from(highest) <= floor_wh(context, parameters) {
        return;
    }
    let (highest, third) = (i128::from(highest), i128::from(third));
    let excess = (highest - third) * 1_000;
    let limit = i128::from(parameters.spike_thousandths_max);
    if excess > limit * third {
        findings.push(Finding::at(Rule::Spike, at, div_up(excess, third), limit));
    }
}

/// A highest value up to this is never a spike, Wh.
pub(crate) fn floor_wh(context: &DayContext<'_>, parameters: &RuleParameters) -> i64 {
    let known = match context.state {
        Some(state) if parameters.spike_spares_history == 1 => state.third_highest_wh(),
        _ => 0,
    };
    parameters.spike_wh_min.max(i64::from(known))
}

/// V10 (Hampel): further from the median of this day and the one before than so many standard deviations, which are
/// taken for 1.4826 times the median absolute deviation, and for at least a floor.
pub fn outlier(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let mut window = [0_i64; WINDOW_COUNT_MAX];
    let before = context.previous.iter().flat_map(DayColumns::present);
    let mut count = 0;
    for (cell, (_, wh)) in window.iter_mut().zip(before.chain(day.present())) {
        (*cell, count) = (i64::from(wh), count + 1);
    }
    let window = &mut window[..count];
    let Some(twice_median) = twice_median(window) else { return };
    for cell in window.iter_mut() {
        *cell = (2 * *cell - twice_median).abs();
    }
    let Some(deviation_x4) = self::twice_median(window) else { return };
    // 40,000 standard deviations, so that nothing is divided before it is compared.
    let sigma =
        (DEVIATION_E4 * i128::from(deviation_x4)).max(40_000 * i128::from(parameters.outlier_sigma_wh_min));
    let limit = sigma * i128::from(parameters.outlier_sigmas_thousandths_max);
    for (at, wh) in day.present() {
        let twice_off = i128::from((2 * i64::from(wh) - twice_median).abs());
        if twice_off * 20_000 * 1_000 > limit {
            findings.push(Finding::at(Rule::Outlier, at, div_up(twice_off, 2), limit / 40_000_000));
        }
    }
}

/// Twice the median, which is a whole number also between two values. The values are left in another order.
fn twice_median(values: &mut [i64]) -> Option<i64> {
    if values.is_empty() {
        return None;
    }
    let (middle, is_even) = (values.len() / 2, values.len().is_multiple_of(2));
    let (below, &mut upper, _) = values.select_nth_unstable(middle);
    match below.iter().max() {
        Some(&lower) if is_even => Some(lower + upper),
        _ => Some(2 * upper),
    }
}

/// V11: the difference from the last valid value above so many per cent of it, or of a floor if that is more. A value
/// that fails is not what the next is held against. A day begins with the last value before it, whatever was said of that:
/// so a change that lasts is found for a day at most.
pub fn step(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let mut before = context.state.and_then(|state| state.last_wh());
    let limit = i128::from(parameters.step_percent_max);
    for (at, wh) in day.present() {
        if let Some(before) = before {
            let base = i128::from(i64::from(before).max(parameters.step_base_wh_min));
            let difference = (i128::from(wh) - i128::from(before)).abs() * 100;
            if difference > limit * base {
                findings.push(Finding::at(Rule::Step, at, div_up(difference, base), limit));
                continue;
            }
        }
        before = Some(wh);
    }
}
