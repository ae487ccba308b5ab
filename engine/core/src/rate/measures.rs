//! Power that a demand charge takes the mean of: each working day's highest stretch, or the published hours.
//!
//! ```text
//!   working day ── its highest stretch within the windows ─┐
//!   published hour within the windows ── its energy ───────┴─▶ Σ ÷ count ─▶ rounded half up to whole watts, once a point
//! ```
//!
//! Days without any readings tell nothing, and are not counted; a missing interval of a day with readings is nothing used.

use std::collections::BTreeMap;

use super::BillError;
use super::series::MarketUse;
use crate::calendar::{LocalDay, UtcSeconds};
use crate::day_block::DayBlock;
use crate::hour_list::HourNeed;
use crate::label::Label;
use crate::money::div_half_up;
use crate::tariff::{DayClass, DemandMeasure, Tariff};

/// What a mean is made of.
#[derive(Debug, Default)]
struct Mean {
    sum_w: i128,
    count: i128,
    /// The version of the last day that went into it.
    version: usize,
}

/// The means of one register's month, by the charge's name and measure.
#[derive(Debug, Default)]
pub(super) struct PointMeans(BTreeMap<(Label, DemandMeasure), Mean>);

/// A day of one register: its readings, when it is, and which charges count for each interval.
pub(super) struct MeasuredDay<'d> {
    pub(super) block: &'d DayBlock,
    pub(super) local: LocalDay,
    pub(super) demands: &'d [u16],
}

impl PointMeans {
    /// Adds a day under a version.
    pub(super) fn add_day(
        &mut self,
        version: usize,
        tariff: &Tariff,
        day: &MeasuredDay<'_>,
        market: &mut MarketUse<'_>,
    ) -> Result<(), BillError> {
        let is_working = tariff.class_of(day.local.day) == DayClass::Working;
        for (at, charge) in tariff.parts().demands.iter().enumerate() {
            let found = match &charge.measure {
                DemandMeasure::Highest => continue,
                DemandMeasure::MeanOfDailyHighest if !is_working => Vec::new(),
                DemandMeasure::MeanOfDailyHighest => {
                    super::peaks::highest_w(day.block, day.demands, at, charge.minutes).into_iter().collect()
                }
                DemandMeasure::MeanAtPublishedHours(hours) => day.hours_w(hours, at, is_working, market)?,
            };
            if found.is_empty() {
                continue;
            }
            let mean = self.0.entry((charge.name, charge.measure)).or_default();
            for w in found {
                mean.sum_w += i128::from(w);
                mean.count += 1;
            }
            mean.version = version;
        }
        Ok(())
    }

    /// Each mean with its charge and the version that charges it.
    pub(super) fn means(&self) -> impl Iterator<Item = (Label, DemandMeasure, usize, i64)> + '_ {
        self.0.iter().map(|((name, measure), mean)| {
            let mean_w = div_half_up(mean.sum_w, mean.count);
            let mean_w = i64::try_from(mean_w).expect("a mean is no higher than the highest");
            (*name, *measure, mean.version, mean_w)
        })
    }
}

impl MeasuredDay<'_> {
    /// The power of each published hour of the day that begins within the windows of the charge at `charge`.
    fn hours_w(
        &self,
        hours: &Label,
        charge: usize,
        is_working: bool,
        market: &mut MarketUse<'_>,
    ) -> Result<Vec<i64>, BillError> {
        let none = BillError::NoHour { hours: *hours, day: self.local.day };
        let Some(list) = market.book.hours_on(hours, self.local.day) else { return Err(none) };
        let starts = list.body.of_day(self.local);
        if starts.is_empty() && is_working && list.body.parts().each == HourNeed::WorkingDay {
            return Err(none);
        }
        market.used.insert(list.hash);
        let mut found = Vec::with_capacity(starts.len());
        for &start in starts {
            let (first, wh) = self
                .hour_wh(start)
                .ok_or(BillError::HourGrid { usage_point: self.block.key().usage_point, start })?;
            if self.demands[first] >> charge & 1 == 1 {
                found.push(wh);
            }
        }
        Ok(found)
    }

    /// The first interval of an hour, and the energy of all of them: an hour's watt-hours are its watts.
    fn hour_wh(&self, start: UtcSeconds) -> Option<(usize, i64)> {
        let first = self.block.interval_at(start)?;
        let count = usize::from(60 / self.block.interval_minutes());
        let values_wh = self.block.values_wh().get(first..first + count)?;
        Some((first, values_wh.iter().map(|&wh| i64::from(wh)).sum()))
    }
}
