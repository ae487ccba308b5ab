//! What registers counted and intervals do not show, laid over the missing intervals: the rung that conserves energy.
//!
//! ```text
//!   register    R₀ ──────────────── E_reg ──────────────── R₁
//!   intervals      ▒▒ ▒▒ ▒▒ .. .. .. .. ▒▒ ▒▒ ▒▒              x̂ᵢ = pᵢ · (E_reg − Σ known) ÷ Σ p, over the missing
//! ```
//!
//! p is what the lower rungs would give. Values are rounded as a running sum, so known and missing make E_reg exactly. The
//! sum runs over the whole span: where it reaches past the days, they get a difference of it, and so do the days beyond.

use crate::money::div_half_even;
use crate::quality::Quality;
use crate::vee::consumption::{Failure, Span};

use super::decision::{Method, Reference, Refusal, RefusedScaling};
use super::evidence::{Outside, Stretch};
use super::line::Line;
use super::zero::zero;
use super::{Estimate, lower_rungs};

/// Scales to every span with something missing in it. `found` holds what the rung above gave, and gets what this one gives.
pub(super) fn scale(line: &Line<'_>, found: &mut [Option<Estimate>]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for span in line.evidence.register_spans {
        if !is_missing_in(line, found, |interval| interval.from < span.to && span.from < interval.to) {
            continue;
        }
        let mut refuse = |why| refusals.push(Refusal { from: span.from, to: span.to, why });
        match scale_span(line, span, found) {
            Ok(Scaled { values, doubt }) => {
                for (at, estimate) in values {
                    found[at] = Some(estimate);
                }
                doubt.into_iter().for_each(&mut refuse);
            }
            Err(why) => refuse(why),
        }
    }
    for &Failure { from, to, why } in line.evidence.register_failures {
        // One about a single read is at an instant: it ends a span, so it touches what lies on either side.
        let touches = |interval: Stretch| match from == to {
            true => interval.from <= from && from <= interval.to,
            false => interval.from < to && from < interval.to,
        };
        if is_missing_in(line, found, touches) {
            refusals.push(Refusal { from, to, why: RefusedScaling::NotCounted(why) });
        }
    }
    refusals.sort_by_key(|refusal| (refusal.from, refusal.to));
    refusals
}

fn is_missing_in(line: &Line<'_>, found: &[Option<Estimate>], touches: impl Fn(Stretch) -> bool) -> bool {
    let is_missing = |at: usize| line.values[at].is_none() && found[at].is_none();
    (0..line.values.len()).any(|at| is_missing(at) && touches(line.stretch(at)))
}

struct Scaled {
    /// What the missing intervals among the days get, by index.
    values: Vec<(usize, Estimate)>,
    doubt: Option<RefusedScaling>,
}

/// A missing interval of a span: among the days, by index, or outside them.
struct Missing {
    at: Option<usize>,
    reference_wh: Option<i32>,
    is_shut: bool,
}

/// What intervals of a span show, and those that show nothing, in order of time.
#[derive(Default)]
struct Shown {
    known_wh: i64,
    missing: Vec<Missing>,
}

fn scale_span(line: &Line<'_>, span: &Span, found: &[Option<Estimate>]) -> Result<Scaled, RefusedScaling> {
    let Shown { known_wh, missing } = shown(line, span, found)?;
    let register_wh = span.energy_wh;
    let remainder_wh = register_wh - known_wh;
    if remainder_wh < 0 {
        return Err(RefusedScaling::NegativeRemainder { register_wh, known_wh });
    }
    let (weights, reference, doubt) = weigh(&missing, remainder_wh);
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
    for (missing, weight) in missing.iter().zip(weights) {
        reached += weight;
        let until_wh = div_half_even(i128::from(remainder_wh) * reached, weight_sum.max(1));
        let value_wh = i32::try_from(until_wh - given_wh).map_err(|_| RefusedScaling::PastRange)?;
        given_wh = until_wh;
        values.extend(missing.at.map(|at| (at, Estimate { value_wh, quality, method })));
    }
    assert!(given_wh == i128::from(remainder_wh), "scaled intervals make the register's remainder");
    Ok(Scaled { values, doubt })
}

/// What each missing interval weighs: its reference, nothing where the point was shut down, or all alike.
fn weigh(missing: &[Missing], remainder_wh: i64) -> (Vec<i128>, Reference, Option<RefusedScaling>) {
    // The register outranks the record: what it counted was used at some time.
    let is_doubted = remainder_wh > 0 && missing.iter().all(|one| one.is_shut);
    let counts = |one: &Missing| is_doubted || !one.is_shut;
    let doubt = is_doubted.then_some(RefusedScaling::UsedWhileShutDown { remainder_wh });
    let weight = |one: &Missing| if counts(one) { one.reference_wh.map(i128::from) } else { Some(0) };
    match missing.iter().map(weight).collect::<Option<Vec<i128>>>() {
        Some(weights) if remainder_wh == 0 || weights.iter().any(|&weight| weight > 0) => {
            (weights, Reference::LowerRungs, doubt)
        }
        _ => (missing.iter().map(|one| i128::from(counts(one))).collect(), Reference::Flat, doubt),
    }
}

/// What the span's intervals show: among the days, and outside them.
fn shown(line: &Line<'_>, span: &Span, found: &[Option<Estimate>]) -> Result<Shown, RefusedScaling> {
    let whole = line.whole();
    let from = line.index_of(span.from.max(whole.from)).ok_or(RefusedScaling::OffGrid)?;
    let to = line.index_of(span.to.min(whole.to)).ok_or(RefusedScaling::OffGrid)?;
    let mut shown = Shown::default();
    add_outside(line, Stretch { from: span.from, to: whole.from.min(span.to) }, &mut shown)?;
    for (at, found) in found.iter().enumerate().take(to).skip(from) {
        match line.values[at].or(found.map(|estimate| estimate.value_wh)) {
            Some(value_wh) => shown.known_wh += i64::from(value_wh),
            None => shown.missing.push(Missing {
                at: Some(at),
                reference_wh: lower_rungs(line, at).map(|estimate| estimate.value_wh),
                is_shut: zero(line, at).is_some(),
            }),
        }
    }
    add_outside(line, Stretch { from: whole.to.max(span.from), to: span.to }, &mut shown)?;
    Ok(shown)
}

/// Adds a stretch outside the days; an error unless something is known of every interval in it.
fn add_outside(line: &Line<'_>, outside: Stretch, shown: &mut Shown) -> Result<(), RefusedScaling> {
    let mut reached = outside.from;
    if outside.from >= outside.to {
        return Ok(());
    }
    for interval in line.evidence.outside {
        if interval.at.to <= outside.from || outside.to <= interval.at.from {
            continue;
        }
        let is_refused = matches!(interval.state, Outside::Refused(_));
        if !outside.holds(interval.at) && !is_refused {
            return Err(RefusedScaling::OffGrid);
        }
        if interval.at.from != reached && !is_refused {
            return Err(RefusedScaling::UnknownOutside);
        }
        reached = interval.at.to;
        match interval.state {
            Outside::Known(value_wh) => shown.known_wh += i64::from(value_wh),
            Outside::Missing { reference_wh, is_shut } => {
                shown.missing.push(Missing { at: None, reference_wh, is_shut });
            }
            Outside::Refused(why) => return Err(why),
        }
    }
    if reached == outside.to { Ok(()) } else { Err(RefusedScaling::UnknownOutside) }
}
