//! The replacement guard (V30): a measured value that comes after the bill.

use crate::vee::finding::Finding;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

/// V30: differs from what was billed by more than an amount and more than a part of it, so somebody has to approve.
#[must_use]
pub fn guard(billed_wh: i64, measured_wh: i64, parameters: &RuleParameters) -> Option<Finding> {
    let (billed, off) = (i128::from(billed_wh), (i128::from(measured_wh) - i128::from(billed_wh)).abs());
    // In hundredths of a watt-hour, so that a part of one still counts.
    let by_amount = i128::from(parameters.replacement_wh_max) * 100;
    let limit = by_amount.max(billed.abs() * i128::from(parameters.replacement_percent_max));
    (off * 100 > limit).then(|| Finding::of(Rule::Replacement, off, limit / 100))
}
