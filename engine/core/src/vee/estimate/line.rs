//! The days' intervals end to end, as they were known before anything was estimated.

use crate::calendar::UtcSeconds;
use crate::day_block::DayBlock;

use super::evidence::{Evidence, Stretch, measured, stretch};
use super::like_day::LikeDays;
use super::parameters::EstimationParameters;

/// Estimates are computed from this alone, so that none rests on another.
pub(super) struct Line<'a> {
    pub(super) days: &'a [DayBlock],
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) parameters: &'a EstimationParameters,
    /// (day, slot) an interval.
    pub(super) places: Vec<(usize, usize)>,
    pub(super) values: Vec<Option<i32>>,
    /// The longest gap of a straight line, in intervals.
    pub(super) gap_count_max: usize,
    /// Index of each day's first interval.
    firsts: Vec<usize>,
    /// Of each day that lacks something.
    like: Vec<LikeDays<'a>>,
}

impl<'a> Line<'a> {
    pub(super) fn of(
        days: &'a [DayBlock],
        evidence: &'a Evidence<'a>,
        parameters: &'a EstimationParameters,
    ) -> Self {
        let (mut places, mut values) = (Vec::new(), Vec::new());
        let mut firsts = Vec::with_capacity(days.len());
        let mut gap_count_max = 0;
        for (day, block) in days.iter().enumerate() {
            gap_count_max = usize::from(parameters.linear_minutes_max / u16::from(block.interval_minutes()));
            firsts.push(places.len());
            for (slot, (&value, &quality)) in block.values_wh().iter().zip(block.qualities()).enumerate() {
                places.push((day, slot));
                values.push(quality.is_billable().then_some(value));
            }
        }
        let like_of = |block: &DayBlock| match block.present_count() == block.interval_count() {
            true => LikeDays::default(),
            false => LikeDays::of(block, days, evidence, parameters.like_days_back),
        };
        let like = days.iter().map(like_of).collect();
        Self { days, evidence, parameters, places, values, gap_count_max, firsts, like }
    }

    /// The day and slot of an interval.
    pub(super) fn place(&self, at: usize) -> (&'a DayBlock, usize) {
        let (day, slot) = self.places[at];
        (&self.days[day], slot)
    }

    /// The value of an interval if it was measured, and nobody disputes it.
    pub(super) fn measured(&self, at: usize) -> Option<i32> {
        let (block, slot) = self.place(at);
        measured(block, slot)
    }

    /// The days like that of a missing interval.
    pub(super) fn like_days_of(&self, at: usize) -> &LikeDays<'a> {
        &self.like[self.places[at].0]
    }

    /// When an interval is.
    pub(super) fn stretch(&self, at: usize) -> Stretch {
        let (block, slot) = self.place(at);
        stretch(block, slot)
    }

    /// When the days are, all together.
    pub(super) fn whole(&self) -> Stretch {
        let last = self.places.len() - 1;
        Stretch { from: self.days[0].start(), to: self.stretch(last).to }
    }

    /// The interval that starts at `instant`; the count of all for the end of the last.
    pub(super) fn index_of(&self, instant: UtcSeconds) -> Option<usize> {
        if instant == self.whole().to {
            return Some(self.places.len());
        }
        let day = self.days.partition_point(|block| block.start() <= instant).checked_sub(1)?;
        self.days[day].interval_at(instant).map(|slot| self.firsts[day] + slot)
    }
}
