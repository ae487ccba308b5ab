//! A straight line over a short gap between measured values.

use super::Estimate;
use super::decision::Method;
use super::line::Line;
use crate::money::div_half_even;
use crate::quality::Quality;

/// The value on the straight line between the neighbours of a short gap, half to even. Across midnight too.
///
/// Both neighbours must be measured: an estimate, an unreliable or a disputed value says nothing of the gap beside it.
pub(super) fn linear(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let before = (0..at).rev().take(line.gap_count_max).find(|&left| line.values[left].is_some())?;
    let after =
        (at + 1..line.values.len()).take(line.gap_count_max).find(|&right| line.values[right].is_some())?;
    let gap_count = after - before - 1;
    if gap_count > line.gap_count_max || !may_end(line, before) || !may_end(line, after) {
        return None;
    }
    let (before_wh, after_wh) = (line.measured(before)?, line.measured(after)?);
    let (left, right) = (i128::from(before_wh), i128::from(after_wh));
    let steps = i128::try_from(after - before).ok()?;
    let step = i128::try_from(at - before).ok()?;
    let value_wh = i32::try_from(div_half_even(left * (steps - step) + right * step, steps)).ok()?;
    let method = Method::Linear { before_wh, after_wh, gap_count: u16::try_from(gap_count).ok()? };
    Some(Estimate { value_wh, quality: Quality::EstimatedLinear, method })
}

/// A power failure next to a gap is no measure of what was used in it.
fn may_end(line: &Line<'_>, at: usize) -> bool {
    let outages = line.evidence.outages;
    if line.parameters.uses_outage_neighbours || outages.is_empty() {
        return true;
    }
    let interval = line.stretch(at);
    outages.iter().all(|outage| outage.to <= interval.from || interval.to <= outage.from)
}
