//! The screen: a few straight loops over a day's values after which most rules need not be asked.
//!
//! ```text
//!   values ──straight loops──▶ DaySummary ──a comparison or two a rule──▶ suspects ──▶ only these rules look at the day
//!            highest, lowest, sum, equal neighbours, zeros
//! ```
//!
//! It may suspect a rule that then finds nothing; it never leaves out one that would find something. Held against
//! asking every rule of every day in `core/tests/screen.rs`. Why each comparison is enough stands beside it. Values are
//! never below zero and a missing one is zero, so no loop needs a mask: what is missing only adds to suspicion, and no missing interval hides in a day without a zero.

use crate::day_block::INTERVAL_COUNT_MAX;
use crate::quality::Quality;
use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::pack::ClassRules;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::{Rule, RuleSet};
use crate::vee::rules::{history, siblings, spikes, sums};

/// Qualities counted in a byte before they are added up.
const QUALITY_CHUNK_COUNT: usize = 240;

const _: () = assert!(QUALITY_CHUNK_COUNT < 256);

/// What a day's values come to. Each figure is a loop without a branch, which the compiler takes in lanes; those that only
/// matter on some days are counted on those only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySummary {
    /// Sum, Wh.
    pub total_wh: i64,
    /// The highest value, Wh.
    pub max_wh: i32,
    /// The lowest, Wh; 0 if one is missing.
    pub min_wh: i32,
    /// Values that equal the one before and are not zero.
    pub equal_count: u32,
    /// Values of zero, those of missing intervals with them.
    pub zero_count: u32,
    /// Intervals without a value.
    pub missing_count: u32,
}

impl DaySummary {
    /// Of a day.
    #[must_use]
    pub fn of(day: &DayColumns<'_>) -> Self {
        let values = day.values_wh();
        let (mut max_wh, mut min_wh, mut total) = (0, i32::MAX, 0_u32);
        for &wh in values {
            (max_wh, min_wh) = (wh.max(max_wh), wh.min(min_wh));
            total = total.wrapping_add(wh.cast_unsigned());
        }
        let total_wh = if adds_up_in_32_bits(max_wh) { total.into() } else { day.total_wh() };
        let has_zero = min_wh == 0;
        let zero_count = if has_zero { count(values.iter().map(|&wh| wh == 0)) } else { 0 };
        let pairs = values.iter().zip(values.get(1..).unwrap_or_default());
        let equal_count = if has_zero {
            count(pairs.map(|(&before, &wh)| (before == wh) & (wh != 0)))
        } else {
            count(pairs.map(|(before, wh)| before == wh))
        };
        let missing_count = if has_zero { missing_count(day.qualities()) } else { 0 };
        Self { total_wh, max_wh, min_wh, equal_count, zero_count, missing_count }
    }

    /// Whether no sum of the day's values can pass 32 bits.
    pub(crate) const fn adds_up_in_32_bits(&self) -> bool {
        adds_up_in_32_bits(self.max_wh)
    }
}

/// 300 values below 2^23 stay below 2^32.
const fn adds_up_in_32_bits(max_wh: i32) -> bool {
    max_wh < 1 << 23
}

const _: () = assert!((INTERVAL_COUNT_MAX as u64) << 23 < 1 << 32);

fn count(cells: impl Iterator<Item = bool>) -> u32 {
    cells.fold(0, |count, is_in| count.wrapping_add(u32::from(is_in)))
}

fn missing_count(qualities: &[Quality]) -> u32 {
    let chunks = qualities.chunks(QUALITY_CHUNK_COUNT).map(|chunk| {
        let is_missing = chunk.iter().map(|&quality| u8::from(quality == Quality::Missing));
        u32::from(is_missing.fold(0, u8::wrapping_add))
    });
    chunks.sum()
}

/// The rules of `rules` that may find something in this day.
#[must_use]
pub fn suspects(day: &DayColumns<'_>, context: &DayContext<'_>, rules: &ClassRules) -> RuleSet {
    let parameters = &rules.parameters;
    let summary = DaySummary::of(day);
    let by_values = RuleSet::NONE
        .with_if(Rule::IntervalCount, may_miss(day, context, &summary))
        .with_if(
            Rule::Spike,
            rules.asked.contains(Rule::Spike) && may_spike(day, context, parameters, &summary),
        )
        .with_if(
            Rule::Outlier,
            rules.asked.contains(Rule::Outlier) && may_lie_out(context, parameters, &summary),
        )
        .with_if(Rule::Step, rules.asked.contains(Rule::Step) && may_step(day, context, parameters, &summary))
        .with_if(Rule::ZeroRun, may_be_zero(day, context, parameters, &summary))
        .with_if(Rule::FlatLine, may_be_flat(day, context, parameters, &summary))
        .with_if(Rule::InactiveUse, context.is_disconnected && summary.total_wh > 0);
    let by_history = match context.state {
        Some(_) => by_history(context, parameters, &summary),
        None => RuleSet::NONE,
    };
    by_values.or(by_history).or(by_company(day, context, parameters, &summary)).and(rules.asked)
}

fn may_miss(day: &DayColumns<'_>, context: &DayContext<'_>, summary: &DaySummary) -> bool {
    summary.missing_count > 0 || day.values_wh().len() != context.expected_count
}

/// No spike if three values reach `highest × 1000 / (1000 + limit)`: then the third highest does, and that is the rule.
fn may_spike(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
) -> bool {
    let highest = i64::from(summary.max_wh);
    if highest <= parameters.spike_wh_min || highest <= spikes::floor_wh(context, parameters) {
        return false;
    }
    let (part, whole) =
        ((highest * 1_000).cast_unsigned(), (1_000 + parameters.spike_thousandths_max).cast_unsigned());
    let near = i32::try_from(part.div_ceil(whole)).unwrap_or(i32::MAX);
    count(day.values_wh().iter().map(|&wh| wh >= near)) < 3
}

/// The median lies between the lowest and the highest value, so nothing is further from it than these are apart; and a
/// limit is never below that of the floor.
fn may_lie_out(context: &DayContext<'_>, parameters: &RuleParameters, summary: &DaySummary) -> bool {
    let limit = parameters.outlier_sigma_wh_min * parameters.outlier_sigmas_thousandths_max;
    let is_apart = |min: i32, max: i32| (i64::from(max) - i64::from(min)) * 1_000 > limit;
    match &context.previous {
        // What the day before does to the median matters only if its values do not lie within the limit too.
        Some(previous) => {
            let both = previous.values_wh().iter();
            let (min, max) =
                both.fold((summary.min_wh, summary.max_wh), |(min, max), &wh| (min.min(wh), max.max(wh)));
            is_apart(min, max)
        }
        None => is_apart(summary.min_wh, summary.max_wh),
    }
}

/// A fall is never by more than the whole. So under a limit above that only a rise counts, and none does if every value
/// is below `2^shift` times the floor, or the one before if that is more: `2^shift` is at most the limit as a factor. The
/// first value that fails comes right after a valid one, so neighbours are enough.
/// Under a lesser limit the values' whole range must lie within the limit of the floor. The day's first value is held
/// against the last one before it; where it is missing, the next one was held against the floor already.
fn may_step(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
) -> bool {
    let before = context.state.and_then(|state| state.last_wh());
    let base_wh = i32::try_from(parameters.step_base_wh_min).unwrap_or(i32::MAX);
    let factor = (parameters.step_percent_max / 100).cast_unsigned();
    if factor == 0 {
        let before = before.unwrap_or(summary.max_wh);
        let (min, max) = (summary.min_wh.min(before), summary.max_wh.max(before));
        return (i64::from(max) - i64::from(min)) * 100
            > parameters.step_percent_max * parameters.step_base_wh_min;
    }
    let shift = factor.ilog2().min(30);
    if summary.max_wh >> shift < base_wh {
        return false;
    }
    let is_jump = |before: i32, wh: i32| wh >> shift >= before.max(base_wh);
    let values = day.values_wh();
    let pairs = values.iter().zip(values.get(1..).unwrap_or_default());
    before.is_some_and(|before| is_jump(before, values[0]))
        || count(pairs.map(|(&before, &wh)| is_jump(before, wh))) > 0
}

/// All zeros of the day and the run before it are together not long enough.
fn may_be_zero(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
) -> bool {
    let carried = context.state.map_or(0, |state| i64::from(state.zero_run_minutes()));
    let own = i64::from(summary.zero_count) * i64::from(day.interval_minutes());
    summary.zero_count > 0 && own + carried >= parameters.zero_run_minutes
}

/// All equal neighbours of the day, with those that missing intervals hide, are together not enough.
fn may_be_flat(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
) -> bool {
    let own = i64::from(summary.equal_count) + i64::from(summary.missing_count) + 1;
    let carried = match context.state {
        // A first interval that is missing leaves open what the first value is.
        Some(state) if state.last_wh() == Some(day.values_wh()[0]) || day.values_wh()[0] == 0 => {
            i64::from(state.flat_run())
        }
        _ => 0,
    };
    own + carried >= parameters.flat_run_count
}

/// The rules over history cost a comparison, and are asked outright.
fn by_history(context: &DayContext<'_>, parameters: &RuleParameters, summary: &DaySummary) -> RuleSet {
    let Some(state) = context.state else { return RuleSet::NONE };
    let is_above = |limit: i128| i128::from(summary.max_wh) * 100 > limit;
    let use_found =
        summary.missing_count == 0 && history::high_low_of(summary.total_wh, context, parameters).is_some();
    RuleSet::NONE
        .with_if(Rule::HighLow, use_found)
        .with_if(Rule::HistoricalMax, history::peak_limit(state, parameters).is_some_and(is_above))
        .with_if(
            Rule::ProlongedEstimation,
            i64::from(state.estimated_days()) >= parameters.estimated_days_max,
        )
}

/// Rules that need more than the day: asked where what they need is there and is not plainly in order.
fn by_company(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
) -> RuleSet {
    let sum_found = context.span.is_some()
        && summary.missing_count == 0
        && sums::sum_check_of(summary.total_wh, day, context, parameters).is_some();
    let is_full = |capacity_w| siblings::is_above(summary.max_wh, capacity_w, day.interval_minutes());
    let is_off = |ahead: i64| {
        let off = i128::from(ahead).abs();
        off > parameters.clock_warn_s.into() || off >= parameters.clock_invalid_s.into()
    };
    RuleSet::NONE
        .with_if(Rule::Identity, !context.installations.is_empty() && !is_installed(day, context))
        .with_if(Rule::ClockDrift, context.clock_ahead_s.is_some_and(is_off))
        .with_if(Rule::SumCheck, sum_found)
        .with_if(Rule::Rollover, context.span.is_some_and(|span| span.end < span.start))
        .with_if(Rule::ZoneSum, context.zone_dials.is_some())
        .with_if(Rule::MultiplierMatch, context.multiplier.is_some())
        .with_if(Rule::Reactive, context.active.is_some() || context.active_export.is_some())
        .with_if(Rule::MainCheck, context.check.is_some())
        .with_if(Rule::DeviceStatus, !context.statuses.is_empty())
        .with_if(
            Rule::ProsumerSymmetry,
            context.opposite.is_some() && context.capacity_w.is_some_and(is_full),
        )
}

/// Whether one meter was there all day.
fn is_installed(day: &DayColumns<'_>, context: &DayContext<'_>) -> bool {
    let end = day.instant(day.values_wh().len());
    context.installations.iter().any(|installation| {
        installation.from <= day.start() && installation.to.is_none_or(|(to, _)| to >= end)
    })
}
