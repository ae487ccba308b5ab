//! The screen: one pass over a day's values after which most rules need not be asked.
//!
//! ```text
//!   values ──one pass──▶ DaySummary ──a comparison or two a rule──▶ suspects ──▶ only these rules look at the day
//!            highest, lowest, sum, zeros, equal neighbours, jumps
//! ```
//!
//! It may suspect a rule that then finds nothing; it never leaves out one that would find something. Held against
//! asking every rule of every day in `core/tests/screen.rs`. Why each comparison is enough stands beside it. Values are
//! never below zero and a missing one is zero, so the pass needs no mask: what is missing only adds to suspicion.

use crate::quality::Quality;
use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::pack::ClassRules;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::{Rule, RuleSet};
use crate::vee::rules::{history, siblings, spikes, sums};

/// Values taken side by side; what is left of a day is taken one by one.
const LANES: usize = 8;
/// Qualities taken side by side.
const QUALITY_LANES: usize = 16;

// A lane of qualities counts in a byte.
const _: () = assert!(crate::day_block::INTERVAL_COUNT_MAX as usize / QUALITY_LANES < 256);

/// What one pass over a day's values comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySummary {
    /// Sum, Wh.
    pub total_wh: i64,
    /// The highest value, Wh.
    pub max_wh: i32,
    /// The lowest, Wh; 0 if one is missing.
    pub min_wh: i32,
    /// Values of zero, those of missing intervals with them.
    pub zero_count: u32,
    /// Values that are not zero and equal the one before.
    pub equal_count: u32,
    /// Values that may have jumped up from the one before.
    pub jump_count: u32,
    /// Intervals without a value.
    pub missing_count: u32,
}

/// What counts as a jump that has to be looked at: `value >> shift` not below the one before, or the floor.
#[derive(Debug, Clone, Copy)]
struct Jump {
    shift: u32,
    base_wh: i32,
}

impl Jump {
    /// `2^shift` is at most the limit as a factor. A value that is not counted is then below `factor × base`, and even
    /// from nothing it has not risen by more than the limit allows. For a limit below a factor of one: none.
    fn of(parameters: &RuleParameters) -> Option<Self> {
        let factor = u64::try_from(parameters.step_percent_max / 100).ok()?;
        let base_wh = i32::try_from(parameters.step_base_wh_min).unwrap_or(i32::MAX).max(1);
        (factor > 0).then(|| Self { shift: factor.ilog2().min(30), base_wh })
    }
}

/// Accumulators side by side. Nothing in here can wrap but the sum, which is taken again where it may have.
struct Lanes {
    max: [i32; LANES],
    min: [i32; LANES],
    sum: [u32; LANES],
    zeros: [u32; LANES],
    equals: [u32; LANES],
    jumps: [u32; LANES],
}

impl Lanes {
    const EMPTY: Self = Self {
        max: [0; LANES],
        min: [i32::MAX; LANES],
        sum: [0; LANES],
        zeros: [0; LANES],
        equals: [0; LANES],
        jumps: [0; LANES],
    };

    #[inline(always)]
    fn add<const JUMPS: bool>(&mut self, values: &[i32; LANES], before: &[i32; LANES], jump: Jump) {
        for lane in 0..LANES {
            self.add_one::<JUMPS>(lane, values[lane], before[lane], jump);
        }
    }

    #[inline(always)]
    fn add_one<const JUMPS: bool>(&mut self, lane: usize, wh: i32, before: i32, jump: Jump) {
        self.max[lane] = self.max[lane].max(wh);
        self.min[lane] = self.min[lane].min(wh);
        self.sum[lane] = self.sum[lane].wrapping_add(wh.cast_unsigned());
        self.zeros[lane] = self.zeros[lane].wrapping_add(u32::from(wh == 0));
        self.equals[lane] = self.equals[lane].wrapping_add(u32::from((wh == before) & (wh != 0)));
        if JUMPS {
            let is_jump = (wh >> jump.shift) >= before.max(jump.base_wh);
            self.jumps[lane] = self.jumps[lane].wrapping_add(u32::from(is_jump));
        }
    }
}

fn total(lanes: &[u32; LANES]) -> u32 {
    lanes.iter().fold(0, |sum, &lane| sum.wrapping_add(lane))
}

/// No value: the first of a day has none before it, and neither equals this nor jumps from it.
const NO_VALUE: i32 = i32::MAX;

impl DaySummary {
    fn of<const JUMPS: bool>(day: &DayColumns<'_>, jump: Jump) -> Self {
        let values = day.values_wh();
        let mut lanes = Lanes::EMPTY;
        let whole = values.len() / LANES * LANES;
        if let Some(first) = values.first_chunk::<LANES>() {
            let mut before = [NO_VALUE; LANES];
            before[1..].copy_from_slice(&first[..LANES - 1]);
            lanes.add::<JUMPS>(first, &before, jump);
            let (chunks, _) = values[LANES..].as_chunks::<LANES>();
            let (befores, _) = values[LANES - 1..].as_chunks::<LANES>();
            for (chunk, before) in chunks.iter().zip(befores) {
                lanes.add::<JUMPS>(chunk, before, jump);
            }
        }
        for at in whole..values.len() {
            let before = if at == 0 { NO_VALUE } else { values[at - 1] };
            lanes.add_one::<JUMPS>(at % LANES, values[at], before, jump);
        }
        let max_wh = lanes.max.iter().fold(0, |max, &lane| max.max(lane));
        Self {
            total_wh: Self::total_wh(values, max_wh, &lanes.sum),
            max_wh,
            min_wh: lanes.min.iter().fold(i32::MAX, |min, &lane| min.min(lane)),
            zero_count: total(&lanes.zeros),
            equal_count: total(&lanes.equals),
            jump_count: total(&lanes.jumps),
            missing_count: missing_count(day.qualities()),
        }
    }

    fn total_wh(values: &[i32], max_wh: i32, lanes: &[u32; LANES]) -> i64 {
        // 300 values up to 2^23 stay below 2^32 also in one lane.
        if max_wh < 1 << 23 {
            lanes.iter().map(|&lane| i64::from(lane)).sum()
        } else {
            values.iter().map(|&wh| i64::from(wh)).sum()
        }
    }
}

fn missing_count(qualities: &[Quality]) -> u32 {
    let (chunks, rest) = qualities.as_chunks::<QUALITY_LANES>();
    let mut lanes = [0_u8; QUALITY_LANES];
    for chunk in chunks {
        for (lane, quality) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(u8::from(*quality == Quality::Missing));
        }
    }
    let rest = rest.iter().map(|quality| u32::from(*quality == Quality::Missing));
    lanes.iter().map(|&lane| u32::from(lane)).chain(rest).sum()
}

/// The rules of `rules` that may find something in this day.
#[must_use]
pub fn suspects(day: &DayColumns<'_>, context: &DayContext<'_>, rules: &ClassRules) -> RuleSet {
    let parameters = &rules.parameters;
    let jump = Jump::of(parameters);
    let summary = match jump {
        Some(jump) if rules.asked.contains(Rule::Step) => DaySummary::of::<true>(day, jump),
        _ => DaySummary::of::<false>(day, Jump { shift: 0, base_wh: 1 }),
    };
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
        .with_if(Rule::Step, may_step(day, context, parameters, &summary, jump))
        .with_if(Rule::ZeroRun, may_be_zero(day, context, parameters, &summary))
        .with_if(Rule::FlatLine, may_be_flat(day, context, parameters, &summary))
        .with_if(Rule::InactiveUse, context.is_disconnected && summary.total_wh > 0);
    let by_history = match context.state {
        Some(_) => by_history(day, context, parameters, &summary),
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
    let count = day.values_wh().iter().fold(0_u32, |count, &wh| count.wrapping_add(u32::from(wh >= near)));
    count < 3
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

/// A fall is never by more than the whole, so it counts only under a limit below that, where the values' whole range
/// must lie within the limit of the floor. The day's first value is held against the last one before it.
fn may_step(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
    jump: Option<Jump>,
) -> bool {
    let before = context.state.and_then(|state| state.last_wh());
    match jump {
        Some(jump) => {
            // Where the first is missing, the next one was held against the floor already.
            let first = day.values_wh()[0];
            let is_jump = before.is_some_and(|before| (first >> jump.shift) >= before.max(jump.base_wh));
            summary.jump_count > 0 || is_jump
        }
        None => {
            let before = before.unwrap_or(summary.max_wh);
            let (min, max) = (summary.min_wh.min(before), summary.max_wh.max(before));
            (i64::from(max) - i64::from(min)) * 100
                > parameters.step_percent_max * parameters.step_base_wh_min
        }
    }
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
fn by_history(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    summary: &DaySummary,
) -> RuleSet {
    let Some(state) = context.state else { return RuleSet::NONE };
    let is_above = |limit: i128| i128::from(summary.max_wh) * 100 > limit;
    let has_value = usize::try_from(summary.missing_count).unwrap_or(0) < day.values_wh().len();
    let use_found = has_value && history::high_low_of(summary.total_wh, context, parameters).is_some();
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
        .with_if(Rule::Reactive, context.active.is_some())
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
