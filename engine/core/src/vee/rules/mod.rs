//! The rules themselves, a file a family: pure functions over columns and what is known around them.
//!
//! Each says nothing where what it needs is not known, and steps over intervals without a value. All arithmetic is on
//! whole numbers, ratios by cross-multiplication; what failed is rounded away from its limit, so that a finding never
//! shows the limit itself as its measure.

use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::Finding;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

pub mod balance;
pub mod history;
pub mod plate;
pub mod replacement;
pub mod runs;
pub mod siblings;
pub mod spikes;
pub mod status;
pub mod sums;
pub mod surveillance;

#[cfg(test)]
mod tests;

/// A rule of a register-day: adds what it finds, in order of intervals.
pub type DayRule = fn(&DayColumns<'_>, &DayContext<'_>, &RuleParameters, &mut Vec<Finding>);

/// The rules of a register-day, by number. The others are decided at intake ([`Rule::rejections`]) or are about more
/// than a register-day, and are functions of their family.
pub const DAY_RULES: [(Rule, DayRule); 20] = [
    (Rule::Identity, plate::identity),
    (Rule::IntervalCount, surveillance::interval_count),
    (Rule::ClockDrift, surveillance::clock_drift),
    (Rule::Spike, spikes::spike),
    (Rule::Outlier, spikes::outlier),
    (Rule::Step, spikes::step),
    (Rule::SumCheck, sums::sum_check),
    (Rule::ZoneSum, sums::zone_sum),
    (Rule::Rollover, sums::rollover),
    (Rule::HighLow, history::high_low),
    (Rule::HistoricalMax, history::historical_max),
    (Rule::ZeroRun, runs::zero_run),
    (Rule::FlatLine, runs::flat_line),
    (Rule::InactiveUse, history::inactive_use),
    (Rule::MultiplierMatch, plate::multiplier),
    (Rule::Reactive, siblings::reactive),
    (Rule::MainCheck, siblings::main_check),
    (Rule::DeviceStatus, status::device_status),
    (Rule::ProlongedEstimation, surveillance::prolonged_estimation),
    (Rule::ProsumerSymmetry, siblings::prosumer_symmetry),
];

/// The first and the last interval of each stretch of neighbours for which `is_in` holds.
fn stretches(count: usize, is_in: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for at in (0..count).filter(|&at| is_in(at)) {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == at => *last = at,
            _ => found.push((at, at)),
        }
    }
    found
}
