//! First rung: another meter measured the same energy.

use super::Estimate;
use super::decision::Method;
use super::evidence::{measured, on_grid};
use super::line::Line;
use crate::quality::Quality;

/// The check meter's measured value. It is computed from another measurement, hence [`Quality::Derived`].
pub(super) fn check_meter(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let (block, slot) = line.place(at);
    let value_wh = measured(on_grid(line.evidence.check_meter, block)?, slot)?;
    Some(Estimate { value_wh, quality: Quality::Derived, method: Method::CheckMeter })
}
