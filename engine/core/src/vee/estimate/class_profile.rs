//! The profile of the point's class, scaled to its average daily use.

use super::Estimate;
use super::decision::Method;
use super::evidence::ClassProfile;
use super::line::Line;
use crate::money::div_half_even;
use crate::quality::Quality;
use crate::vee::profile::profile_of;

/// Average daily use × the slot's weight ÷ the day's; rounded as a running sum, so that a whole day makes the average.
pub(super) fn class_profile(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let ClassProfile { days, daily_wh } = line.evidence.class_profile?;
    let (block, slot) = line.place(at);
    let weights = profile_of(days, block.key().day)?.on_grid(
        block.start(),
        block.interval_minutes(),
        block.interval_count(),
    )?;
    let sum = |weights: &[u32]| weights.iter().map(|&weight| u64::from(weight)).sum::<u64>();
    let (weight_sum, before) = (sum(weights), sum(&weights[..slot]));
    if weight_sum == 0 || daily_wh < 0 {
        return None;
    }
    let until =
        |weight: u64| div_half_even(i128::from(daily_wh) * i128::from(weight), i128::from(weight_sum));
    let value_wh = i32::try_from(until(before + u64::from(weights[slot])) - until(before)).ok()?;
    let method = Method::ClassProfile { daily_wh, weight_sum };
    Some(Estimate { value_wh, quality: Quality::EstimatedReferenceDay, method })
}
