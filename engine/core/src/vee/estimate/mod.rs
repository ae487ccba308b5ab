//! Estimation when a period closes: gaps between known days are filled, marked, and never guessed as zero.
//!
//! The ladder, first that applies; a file a rung:
//! 1. *check meter*: another meter measured it;
//! 2. *scaled*: registers bracket the gap, and what intervals do not show is laid over it, so energy is conserved;
//! 3. *zero*: the point is recorded as shut down;
//! 4. *linear*: a short gap between two measured values, across midnight too;
//! 5. *like days*: the mean of what was measured in the same slot on days of the same kind (working day or weekend), by
//!    the wall clock on the day of a clock change;
//! 6. *previous year*: the same weekday 52 weeks before;
//! 7. *class profile*: the class's day, scaled to the point's average;
//! 8. otherwise the interval stays missing, and the bill says so.
//!
//! Zero stands above the rungs that look at other days, not below: with a record that nothing was drawn, what other
//! days drew is no evidence, and below them it would never be reached.
//!
//! A rung rests on [`Evidence`] and on what was known before any estimate was made; none rests on another. Without
//! evidence only the period's own values are used, so [`estimate`] is a function of the accepted set alone.

pub mod decision;
pub mod evidence;
pub mod parameters;
pub mod peer_trend;
pub mod previous_year;

mod check_meter;
mod class_profile;
mod like_day;
mod line;
mod linear;
mod scaling;
mod zero;

use crate::day_block::DayBlock;
use crate::quality::Quality;

use self::decision::{Decision, Estimation, Method};
use self::evidence::{Evidence, Outside, OutsideInterval, measured};
use self::line::Line;
use self::parameters::EstimationParameters;

/// Fills the gaps of one register's days, sorted by day without gaps between them, from these days alone.
///
/// # Panics
/// If the blocks are not of one register with consecutive days.
pub fn estimate(days: &mut [DayBlock]) {
    estimate_with(days, &Evidence::default(), &EstimationParameters::default());
}

/// As [`estimate`], with all that is known beside, and says what it did.
///
/// # Panics
/// If the blocks are not of one register with consecutive days.
pub fn estimate_with(
    days: &mut [DayBlock],
    evidence: &Evidence<'_>,
    parameters: &EstimationParameters,
) -> Estimation {
    for pair in days.windows(2) {
        let (a, b) = (pair[0].key(), pair[1].key());
        let consecutive =
            a.usage_point == b.usage_point && a.register == b.register && b.day.since(a.day) == 1;
        assert!(consecutive, "estimation takes one register's consecutive days");
    }
    if days.iter().all(|block| block.present_count() == block.interval_count()) {
        return Estimation::default();
    }
    // Estimates are computed from what was known before any was made, so that none rests on another.
    let known: Vec<DayBlock> = days.to_vec();
    let line = Line::of(&known, evidence, parameters);
    let (found, refusals) = climb(&line);
    let mut decisions: Vec<Decision> = Vec::new();
    for (&(day, slot), estimate) in line.places.iter().zip(&found) {
        let Some(estimate) = estimate else { continue };
        days[day].fill(slot, estimate.value_wh, estimate.quality);
        note(&mut decisions, &known[day], slot, estimate);
    }
    Estimation { decisions, refusals }
}

/// What a run of days is to register spans that reach it from other days: measured values, a check meter's values, and
/// what the lower rungs would give where there is none. The source's own estimates may still be replaced, so they refuse.
///
/// # Panics
/// If there is no day.
#[must_use]
pub fn outside(
    days: &[DayBlock],
    evidence: &Evidence<'_>,
    parameters: &EstimationParameters,
) -> Vec<OutsideInterval> {
    let line = Line::of(days, evidence, parameters);
    let state = |at: usize| {
        let (block, slot) = line.place(at);
        if line.values[at].is_some() {
            let refused = Outside::Refused(decision::RefusedScaling::UnknownOutside);
            return measured(block, slot).map_or(refused, Outside::Known);
        }
        check_meter::check_meter(&line, at).map_or_else(
            || Outside::Missing {
                reference_wh: lower_rungs(&line, at).map(|estimate| estimate.value_wh),
                is_shut: zero::zero(&line, at).is_some(),
            },
            |estimate| Outside::Known(estimate.value_wh),
        )
    };
    (0..line.places.len()).map(|at| OutsideInterval { at: line.stretch(at), state: state(at) }).collect()
}

/// What a day of a closed month is to register spans that reach it: what it was closed with stands.
#[must_use]
pub fn outside_closed(block: &DayBlock) -> Vec<OutsideInterval> {
    let state = |slot: usize| match block.interval(slot) {
        (_, Quality::Missing) => Outside::Refused(decision::RefusedScaling::ClosedWithout),
        (value_wh, _) => Outside::Known(value_wh),
    };
    let interval = |slot| OutsideInterval { at: evidence::stretch(block, slot), state: state(slot) };
    (0..block.interval_count()).map(interval).collect()
}

/// One interval's estimate.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    value_wh: i32,
    quality: Quality,
    method: Method,
}

/// What each missing interval gets.
fn climb(line: &Line<'_>) -> (Vec<Option<Estimate>>, Vec<decision::Refusal>) {
    let missing = |at: &usize| line.values[*at].is_none();
    let mut found: Vec<Option<Estimate>> = vec![None; line.values.len()];
    if !line.evidence.check_meter.is_empty() {
        for at in (0..found.len()).filter(missing) {
            found[at] = check_meter::check_meter(line, at);
        }
    }
    let refusals = scaling::scale(line, &mut found);
    for at in (0..found.len()).filter(missing) {
        found[at] = found[at].or_else(|| zero::zero(line, at)).or_else(|| lower_rungs(line, at));
    }
    (found, refusals)
}

/// The rungs that look at other intervals of this point or its class: also what scaling lays a remainder over.
fn lower_rungs(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let EstimationParameters { previous_year, class_profile, .. } = *line.parameters;
    linear::linear(line, at)
        .or_else(|| like_day::like_days(line, at))
        .or_else(|| if previous_year { previous_year::previous_year(line, at) } else { None })
        .or_else(|| if class_profile { class_profile::class_profile(line, at) } else { None })
}

/// Adds an interval to the last decision, if it is the next of the same day and rests on the same.
fn note(decisions: &mut Vec<Decision>, block: &DayBlock, slot: usize, estimate: &Estimate) {
    let slot = u16::try_from(slot).expect("a day has at most 300 intervals");
    let Estimate { value_wh, quality, method } = *estimate;
    let day = block.key().day;
    if let Some(last) = decisions.last_mut() {
        let is_next = last.day == day && last.first_interval + last.interval_count == slot;
        if is_next && last.method == method && last.quality == quality {
            last.interval_count += 1;
            last.energy_wh += i64::from(value_wh);
            return;
        }
    }
    decisions.push(Decision {
        day,
        first_interval: slot,
        interval_count: 1,
        energy_wh: i64::from(value_wh),
        quality,
        method,
    });
}

#[cfg(test)]
mod tests;
