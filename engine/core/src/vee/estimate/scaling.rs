//! What registers counted and intervals do not show, laid over the missing intervals: the rung that conserves energy.
//!
//! ```text
//!   register    R₀ ──────────────── E_reg ──────────────── R₁
//!   intervals      ▒▒ ▒▒ ▒▒ .. .. .. .. ▒▒ ▒▒ ▒▒              x̂ᵢ = pᵢ · (E_reg − Σ known) ÷ Σ p, over the missing
//! ```
//!
//! p is what the lower rungs would give. Values are rounded as a running sum, so known and missing make E_reg exactly.

use crate::money::div_half_even;
use crate::quality::Quality;
use crate::vee::consumption::Span;

use super::decision::{Method, Reference, Refusal, RefusedScaling};
use super::evidence::{Stretch, measured, stretch};
use super::line::Line;
use super::zero::zero;
use super::{Estimate, lower_rungs};

/// Scales to every span with something missing in it. `found` holds what the rung above gave, and gets what this one gives.
pub(super) fn scale(line: &Line<'_>, found: &mut [Option<Estimate>]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for span in line.evidence.register_spans {
        let Some(missing) = missing_in(line, span, found) else { continue };
        let mut refuse = |why| refusals.push(Refusal { from: span.from, to: span.to, why });
        match scale_span(line, span, &missing, found) {
            Ok(Scaled { values, doubt }) => {
                for (at, estimate) in missing.into_iter().zip(values) {
                    found[at] = Some(estimate);
                }
                doubt.into_iter().for_each(&mut refuse);
            }
            Err(why) => refuse(why),
        }
    }
    refusals
}

/// Indices of the intervals without a value that the span touches; `None` if there are none.
fn missing_in(line: &Line<'_>, span: &Span, found: &[Option<Estimate>]) -> Option<Vec<usize>> {
    let whole = line.whole();
    if span.to <= whole.from || whole.to <= span.from {
        return None;
    }
    let missing: Vec<usize> = (0..line.values.len())
        .filter(|&at| line.values[at].is_none() && found[at].is_none())
        .filter(|&at| {
            let interval = line.stretch(at);
            interval.from < span.to && span.from < interval.to
        })
        .collect();
    (!missing.is_empty()).then_some(missing)
}

struct Scaled {
    values: Vec<Estimate>,
    doubt: Option<RefusedScaling>,
}

fn scale_span(
    line: &Line<'_>,
    span: &Span,
    missing: &[usize],
    found: &[Option<Estimate>],
) -> Result<Scaled, RefusedScaling> {
    let known_wh = known_wh(line, span, found)?;
    let register_wh = span.energy_wh;
    let remainder_wh = register_wh - known_wh;
    if remainder_wh < 0 {
        return Err(RefusedScaling::NegativeRemainder { register_wh, known_wh });
    }
    let (weights, reference, doubt) = weigh(line, missing, remainder_wh);
    let weight_sum: i128 = weights.iter().sum();
    let method = Method::Scaled {
        from: span.from,
        to: span.to,
        register_wh,
        known_wh,
        missing_count: u32::try_from(missing.len()).map_err(|_| RefusedScaling::PastRange)?,
        reference_sum: i64::try_from(weight_sum).map_err(|_| RefusedScaling::PastRange)?,
        reference,
    };
    // Their sum is a difference of measurements, hence derived; but not if a read was itself an estimate.
    let quality = if span.how.is_measured() { Quality::Derived } else { Quality::EstimatedReferenceDay };
    let (mut reached, mut given_wh) = (0_i128, 0_i128);
    let mut values = Vec::with_capacity(weights.len());
    for weight in weights {
        reached += weight;
        let until_wh = div_half_even(i128::from(remainder_wh) * reached, weight_sum.max(1));
        let value_wh = i32::try_from(until_wh - given_wh).map_err(|_| RefusedScaling::PastRange)?;
        given_wh = until_wh;
        values.push(Estimate { value_wh, quality, method });
    }
    assert!(given_wh == i128::from(remainder_wh), "scaled intervals make the register's remainder");
    Ok(Scaled { values, doubt })
}

/// What each missing interval weighs: its reference, nothing where the point was shut down, or all alike.
fn weigh(
    line: &Line<'_>,
    missing: &[usize],
    remainder_wh: i64,
) -> (Vec<i128>, Reference, Option<RefusedScaling>) {
    let is_shut: Vec<bool> = missing.iter().map(|&at| zero(line, at).is_some()).collect();
    // The register outranks the record: what it counted was used at some time.
    let is_doubted = remainder_wh > 0 && is_shut.iter().all(|&shut| shut);
    let counts = |at: usize| is_doubted || !is_shut[at];
    let doubt = is_doubted.then_some(RefusedScaling::UsedWhileShutDown { remainder_wh });
    let references: Option<Vec<i128>> = missing
        .iter()
        .enumerate()
        .map(|(at, &interval)| match counts(at) {
            true => lower_rungs(line, interval).map(|estimate| i128::from(estimate.value_wh)),
            false => Some(0),
        })
        .collect();
    match references {
        Some(weights) if remainder_wh == 0 || weights.iter().any(|&weight| weight > 0) => {
            (weights, Reference::LowerRungs, doubt)
        }
        _ => ((0..missing.len()).map(|at| i128::from(counts(at))).collect(), Reference::Flat, doubt),
    }
}

/// What the span's intervals show: within the days, and around them.
fn known_wh(line: &Line<'_>, span: &Span, found: &[Option<Estimate>]) -> Result<i64, RefusedScaling> {
    let whole = line.whole();
    let from = line.index_of(span.from.max(whole.from)).ok_or(RefusedScaling::OffGrid)?;
    let to = line.index_of(span.to.min(whole.to)).ok_or(RefusedScaling::OffGrid)?;
    let inside: i64 = (from..to)
        .filter_map(|at| line.values[at].or(found[at].map(|estimate| estimate.value_wh)))
        .map(i64::from)
        .sum();
    let before = around_wh(line, Stretch { from: span.from, to: whole.from.min(span.to) })?;
    let after = around_wh(line, Stretch { from: whole.to.max(span.from), to: span.to })?;
    Ok(inside + before + after)
}

/// What was measured in a stretch outside the days; an error unless all of it was.
fn around_wh(line: &Line<'_>, outside: Stretch) -> Result<i64, RefusedScaling> {
    if outside.from >= outside.to {
        return Ok(0);
    }
    let (mut reached, mut sum_wh) = (outside.from, 0_i64);
    for block in line.evidence.days_around {
        for slot in 0..block.interval_count() {
            let interval = stretch(block, slot);
            if interval.to <= outside.from || outside.to <= interval.from {
                continue;
            }
            if !outside.holds(interval) {
                return Err(RefusedScaling::OffGrid);
            }
            let value_wh = measured(block, slot).filter(|_| interval.from == reached);
            sum_wh += i64::from(value_wh.ok_or(RefusedScaling::UnknownOutside)?);
            reached = interval.to;
        }
    }
    if reached == outside.to { Ok(sum_wh) } else { Err(RefusedScaling::UnknownOutside) }
}
