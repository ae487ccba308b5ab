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
    let EstimationParameters { like_day_count, like_days_min, .. } = *line.parameters;
    let LikeDays { inside, around } = line.like_days_of(at);
    let inside = inside
        .iter()
        .filter(|block| block.qualities()[slot].is_billable())
        .map(|block| (block.key().day, block.values_wh()[slot]));
    let around = around.iter().filter_map(|block| Some((block.key().day, measured(block, slot)?)));
    let like = inside.chain(around);
    let mean = if like_day_count == EstimationParameters::ALL_DAYS {
        Mean::of(like)
    } else {
        let mut like: Vec<(Day, i32)> = like.collect();
        let day = target.key().day;
        // The nearest; of two as near, the earlier.
        like.sort_by_key(|&(other, _)| (other.since(day).unsigned_abs(), other));
        like.truncate(usize::from(like_day_count));
        Mean::of(like.into_iter())
    };
    let Mean { day_count, sum_wh, first, last } = mean?;
    if day_count < u16::from(like_days_min) {
        return None;
    }
    let value_wh = i32::try_from(div_half_even(i128::from(sum_wh), i128::from(day_count))).ok()?;
    let method = Method::LikeDays { day_count, first, last };
    Some(Estimate { value_wh, quality: Quality::EstimatedReferenceDay, method })
}

/// What days have in one slot, together.
struct Mean {
    day_count: u16,
    sum_wh: i64,
    first: Day,
    last: Day,
}

impl Mean {
    /// `None` of no day, and of more than 65,535.
    fn of(mut like: impl Iterator<Item = (Day, i32)>) -> Option<Self> {
        let (day, wh) = like.next()?;
        let start = Self { day_count: 1, sum_wh: i64::from(wh), first: day, last: day };
        like.try_fold(start, |mean, (day, wh)| {
            Some(Self {
                day_count: mean.day_count.checked_add(1)?,
                sum_wh: mean.sum_wh + i64::from(wh),
                first: mean.first.min(day),
                last: mean.last.max(day),
            })
        })
    }
}

/// The days like one day: found once a day, asked for every slot of it.
#[derive(Default)]
pub(super) struct LikeDays<'a> {
    inside: Vec<&'a DayBlock>,
    around: Vec<&'a DayBlock>,
}

impl<'a> LikeDays<'a> {
    pub(super) fn of(
        target: &DayBlock,
        days: &'a [DayBlock],
        around: &'a [DayBlock],
        days_back: u16,
    ) -> Self {
        let like =
            |days: &'a [DayBlock]| days.iter().filter(|block| is_like(block, target, days_back)).collect();
        Self { inside: like(days), around: like(around) }
    }
}

fn is_like(block: &DayBlock, target: &DayBlock, days_back: u16) -> bool {
    block.interval_count() == target.interval_count()
        && block.interval_minutes() == target.interval_minutes()
        && block.key().day.is_weekend() == target.key().day.is_weekend()
        && block.key().day.since(target.key().day).unsigned_abs() <= u32::from(days_back)
}
