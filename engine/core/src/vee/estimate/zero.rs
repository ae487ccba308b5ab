//! Zero, with evidence only.

use super::Estimate;
use super::decision::Method;
use super::line::Line;
use crate::quality::Quality;

/// Nothing, where the point is recorded as shut down for the whole interval; derived from that record.
pub(super) fn zero(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let shutdowns = line.evidence.shutdowns;
    if shutdowns.is_empty() {
        return None;
    }
    let interval = line.stretch(at);
    let shut = shutdowns.iter().find(|shut| shut.holds(interval))?;
    let method = Method::Zero { from: shut.from, to: shut.to };
    Some(Estimate { value_wh: 0, quality: Quality::Derived, method })
}
