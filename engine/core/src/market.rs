//! All published figures that bills rest on: price series, lists of hours, and plans; and which holds when.

use crate::calendar::{Day, UtcSeconds};
use crate::hash::Published;
use crate::hour_list::HourList;
use crate::label::{Label, UsagePointId};
use crate::plan_series::PlanSeries;
use crate::price_series::PriceSeries;
use crate::validity::Validity;

/// Price series and lists of hours, by name and first day; plans, by usage point and first instant.
#[derive(Debug, Clone, Default)]
pub struct MarketBook {
    series: Vec<Published<PriceSeries>>,
    hours: Vec<Published<HourList>>,
    plans: Vec<Published<PlanSeries>>,
}

/// Why a document cannot join the book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {id}: that {new} overlaps that {old} already published")]
pub struct MarketOverlapError {
    what: &'static str,
    id: Label,
    old: Validity,
    new: Validity,
}

impl MarketBook {
    /// A book without any.
    #[must_use]
    pub const fn new() -> Self {
        Self { series: Vec::new(), hours: Vec::new(), plans: Vec::new() }
    }

    /// Adds a series. The same again changes nothing.
    ///
    /// # Errors
    /// [`MarketOverlapError`] if another of its name has a price for one of its days or instants.
    pub fn publish_series(&mut self, series: Published<PriceSeries>) -> Result<(), MarketOverlapError> {
        self.check_series(&series)?;
        if !self.series.iter().any(|known| known.hash == series.hash) {
            self.series.push(series);
            self.series.sort_by_key(|known| (known.body.parts().id, known.body.parts().start));
        }
        Ok(())
    }

    /// Whether a series could be added.
    ///
    /// # Errors
    /// As [`Self::publish_series`].
    pub fn check_series(&self, series: &Published<PriceSeries>) -> Result<(), MarketOverlapError> {
        let new = series.body.parts();
        for known in self.series.iter().filter(|known| known.hash != series.hash) {
            let old = known.body.parts();
            // Days of two zones can be apart and their instants not.
            let is_apart = known.body.end() <= new.start || series.body.end() <= old.start;
            if old.id == new.id && (old.validity.overlaps(new.validity) || !is_apart) {
                let (id, old, new) = (old.id, old.validity, new.validity);
                return Err(MarketOverlapError { what: "price series", id, old, new });
            }
        }
        Ok(())
    }

    /// Adds a list of hours. The same again changes nothing.
    ///
    /// # Errors
    /// [`MarketOverlapError`] if another of its name tells of one of its days.
    pub fn publish_hours(&mut self, hours: Published<HourList>) -> Result<(), MarketOverlapError> {
        if self.hours.iter().any(|known| known.hash == hours.hash) {
            return Ok(());
        }
        let new = hours.body.parts();
        for known in &self.hours {
            let old = known.body.parts();
            if old.id == new.id && old.validity.overlaps(new.validity) {
                let (id, old, new) = (old.id, old.validity, new.validity);
                return Err(MarketOverlapError { what: "list of hours", id, old, new });
            }
        }
        self.hours.push(hours);
        self.hours.sort_by_key(|known| (known.body.parts().id, known.body.parts().validity));
        Ok(())
    }

    /// Adds a plan. The same again changes nothing.
    ///
    /// # Errors
    /// [`MarketOverlapError`] if another of its usage point tells of one of its days or hours.
    pub fn publish_plan(&mut self, plan: Published<PlanSeries>) -> Result<(), MarketOverlapError> {
        self.check_plan(&plan)?;
        let place =
            |known: &Published<PlanSeries>| (known.body.parts().usage_point, known.body.parts().start);
        if let Err(at) = self.plans.binary_search_by_key(&place(&plan), place) {
            self.plans.insert(at, plan);
        }
        Ok(())
    }

    /// Whether a plan could be added.
    ///
    /// # Errors
    /// As [`Self::publish_plan`].
    pub fn check_plan(&self, plan: &Published<PlanSeries>) -> Result<(), MarketOverlapError> {
        let new = plan.body.parts();
        for known in self.plans_of(&new.usage_point).iter().filter(|known| known.hash != plan.hash) {
            let old = known.body.parts();
            let is_apart = known.body.end() <= new.start || plan.body.end() <= old.start;
            if old.validity.overlaps(new.validity) || !is_apart {
                let (id, old, new) = (new.usage_point, old.validity, new.validity);
                return Err(MarketOverlapError { what: "plan of", id, old, new });
            }
        }
        Ok(())
    }

    /// The plans of a usage point: there may be one for every usage point and month, and only its own are looked at.
    fn plans_of(&self, usage_point: &UsagePointId) -> &[Published<PlanSeries>] {
        let from = self.plans.partition_point(|known| known.body.parts().usage_point < *usage_point);
        let rest = &self.plans[from..];
        &rest[..rest.partition_point(|known| known.body.parts().usage_point == *usage_point)]
    }

    /// The series of a name that has a price for an instant.
    #[must_use]
    pub fn series_at(&self, id: &Label, instant: UtcSeconds) -> Option<&Published<PriceSeries>> {
        let before = |known: &Published<PriceSeries>| {
            let parts = known.body.parts();
            (parts.id, parts.start) <= (*id, instant)
        };
        let at = self.series.partition_point(before).checked_sub(1)?;
        let found = self.series.get(at)?;
        (found.body.parts().id == *id && instant < found.body.end()).then_some(found)
    }

    /// The list of a name that tells of a day.
    #[must_use]
    pub fn hours_on(&self, id: &Label, day: Day) -> Option<&Published<HourList>> {
        let tells = |known: &&Published<HourList>| {
            known.body.parts().id == *id && known.body.parts().validity.contains(day)
        };
        self.hours.iter().find(tells)
    }

    /// The plan of a usage point that tells of an instant.
    #[must_use]
    pub fn plan_at(&self, usage_point: &UsagePointId, instant: UtcSeconds) -> Option<&Published<PlanSeries>> {
        let own = self.plans_of(usage_point);
        let found =
            own.get(own.partition_point(|known| known.body.parts().start <= instant).checked_sub(1)?)?;
        (instant < found.body.end()).then_some(found)
    }

    /// Every plan, by usage point and first instant.
    #[must_use]
    pub fn plans(&self) -> &[Published<PlanSeries>] {
        &self.plans
    }

    /// Every series, by name and first instant.
    #[must_use]
    pub fn series(&self) -> &[Published<PriceSeries>] {
        &self.series
    }

    /// Every list of hours, by name and first day.
    #[must_use]
    pub fn hours(&self) -> &[Published<HourList>] {
        &self.hours
    }
}
