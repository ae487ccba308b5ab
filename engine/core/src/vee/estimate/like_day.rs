//! The mean of the same slot over like days.

use super::Estimate;
use super::decision::Method;
use super::evidence::measured;
use super::line::Line;
use super::parameters::EstimationParameters;
use crate::calendar::Day;
use crate::day_block::DayBlock;
use crate::money::div_half_even;
use crate::quality::Quality;

/// Mean of the slot over days of the same kind (working day or weekend) and length, half to even.
///
/// A day among the estimated ones counts with any value it has; a day around them only with measured ones, because
/// what stands there may be an estimate of ours.
pub(super) fn like_days(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let (target, slot) = line.place(at);
    let EstimationParameters { like_day_count, like_days_min, like_days_back, .. } = *line.parameters;
    let inside = line
        .days
        .iter()
        .filter(|block| is_like(block, target, like_days_back) && block.qualities()[slot].is_billable())
        .map(|block| (block.key().day, block.values_wh()[slot]));
    let around = line
        .evidence
        .days_around
        .iter()
        .filter(|block| is_like(block, target, like_days_back))
        .filter_map(|block| Some((block.key().day, measured(block, slot)?)));
    let mut like: Vec<(Day, i32)> = inside.chain(around).collect();
    if like_day_count != EstimationParameters::ALL_DAYS && like.len() > usize::from(like_day_count) {
        let day = target.key().day;
        // The nearest; of two as near, the earlier.
        like.sort_by_key(|&(other, _)| (other.since(day).unsigned_abs(), other));
        like.truncate(usize::from(like_day_count));
    }
    if like.len() < usize::from(like_days_min) {
        return None;
    }
    let sum: i128 = like.iter().map(|&(_, wh)| i128::from(wh)).sum();
    let value_wh = i32::try_from(div_half_even(sum, i128::try_from(like.len()).ok()?)).ok()?;
    let method = Method::LikeDays {
        day_count: u16::try_from(like.len()).ok()?,
        first: like.iter().map(|&(day, _)| day).min()?,
        last: like.iter().map(|&(day, _)| day).max()?,
    };
    Some(Estimate { value_wh, quality: Quality::EstimatedReferenceDay, method })
}

fn is_like(block: &DayBlock, target: &DayBlock, days_back: u16) -> bool {
    block.interval_count() == target.interval_count()
        && block.interval_minutes() == target.interval_minutes()
        && block.key().day.is_weekend() == target.key().day.is_weekend()
        && block.key().day.since(target.key().day).unsigned_abs() <= u32::from(days_back)
}
