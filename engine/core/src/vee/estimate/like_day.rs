//! The mean of the same slot over like days.

use super::Estimate;
use super::decision::Method;
use super::evidence::{Evidence, measured};
use super::line::Line;
use super::parameters::EstimationParameters;
use crate::calendar::{Day, Zone};
use crate::day_block::DayBlock;
use crate::money::div_half_even;
use crate::quality::Quality;

/// Minutes of a day without a clock change.
const PLAIN_DAY_MINUTES: usize = 24 * 60;

/// Mean of the slot over days of the same kind (working day or weekend), half to even. Only measured values count.
pub(super) fn like_days(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let (target, slot) = line.place(at);
    let EstimationParameters { like_day_count, like_days_min, .. } = *line.parameters;
    let like = line.like_days_of(at).measured(slot);
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
    days: Vec<&'a DayBlock>,
    /// Intervals of the day they are like.
    interval_count: usize,
    /// Of a day with a clock change: the slot of a plain day that shows the same on the wall, slot by slot.
    wall_slots: Option<Vec<Option<usize>>>,
}

impl<'a> LikeDays<'a> {
    pub(super) fn of(
        target: &DayBlock,
        days: &'a [DayBlock],
        evidence: &Evidence<'a>,
        days_back: u16,
    ) -> Self {
        let wall_slots = evidence.zone.and_then(|zone| wall_slots(target, zone));
        let is_like = |block: &&DayBlock| {
            is_like(block, target, days_back)
                && (block.interval_count() == target.interval_count()
                    || (wall_slots.is_some() && is_plain(block)))
        };
        let days = days.iter().chain(evidence.days_around).filter(is_like).collect();
        Self { days, interval_count: target.interval_count(), wall_slots }
    }

    /// What they measured in a slot of the day they are like.
    fn measured(&self, slot: usize) -> impl Iterator<Item = (Day, i32)> {
        let by_wall = self.wall_slots.as_ref().and_then(|slots| slots[slot]);
        self.days.iter().filter_map(move |block| {
            let slot = if block.interval_count() == self.interval_count { slot } else { by_wall? };
            Some((block.key().day, measured(block, slot)?))
        })
    }
}

fn is_like(block: &DayBlock, target: &DayBlock, days_back: u16) -> bool {
    block.interval_minutes() == target.interval_minutes()
        && block.key().day.is_weekend() == target.key().day.is_weekend()
        && block.key().day.since(target.key().day).unsigned_abs() <= u32::from(days_back)
}

fn is_plain(block: &DayBlock) -> bool {
    block.interval_count() * usize::from(block.interval_minutes()) == PLAIN_DAY_MINUTES
}

/// By the wall clock: a short day takes the slots that it has, a repeated hour takes the same slots twice.
///
/// `None` of a plain day, whose slots stand for themselves, and of a day that is not one of the zone.
fn wall_slots(target: &DayBlock, zone: &Zone) -> Option<Vec<Option<usize>>> {
    let (day, count) = (target.key().day, target.interval_count());
    if is_plain(target) || day.plus(1).is_none() {
        return None;
    }
    let local = zone.local_day(day);
    if (local.start, local.end) != (target.start(), target.interval_start(count)) {
        return None;
    }
    let minutes = u16::from(target.interval_minutes());
    let slot_of = |slot| {
        let wall = zone.wall_minute(target.interval_start(slot));
        wall.is_multiple_of(minutes).then_some(usize::from(wall / minutes))
    };
    Some((0..count).map(slot_of).collect())
}
