//! A feeder's balance (V28): what it gave, less what its meters took, is its loss.

use crate::vee::finding::{Finding, div_up};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

/// V28: the loss, of what the feeder gave, is out of its range. Below it somebody's meter counts too much, or the
/// feeder's too little; above it somebody takes what no meter sees.
#[must_use]
pub fn feeder(head_wh: i64, meters_wh: i64, parameters: &RuleParameters) -> Option<Finding> {
    let (head, loss) = (i128::from(head_wh), (i128::from(head_wh) - i128::from(meters_wh)) * 1_000);
    let (min, max) =
        (i128::from(parameters.loss_thousandths_min), i128::from(parameters.loss_thousandths_max));
    if loss > max * head {
        return Some(Finding::of(Rule::FeederBalance, div_up(loss, head), max));
    }
    (loss < min * head).then(|| Finding::of(Rule::FeederBalance, loss.div_euclid(head.max(1)), min))
}
