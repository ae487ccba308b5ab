//! All published figures that tariffs name: price series and lists of hours, and which holds when.

use crate::calendar::{Day, UtcSeconds};
use crate::hash::Published;
use crate::hour_list::HourList;
use crate::label::Label;
use crate::price_series::PriceSeries;
use crate::validity::Validity;

/// Price series and lists of hours, by name and first day.
#[derive(Debug, Clone, Default)]
pub struct MarketBook {
    series: Vec<Published<PriceSeries>>,
    hours: Vec<Published<HourList>>,
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
        Self { series: Vec::new(), hours: Vec::new() }
    }

    /// Adds a series. The same again changes nothing.
    ///
    /// # Errors
    /// [`MarketOverlapError`] if another of its name has a price for one of its days or instants.
    pub fn publish_series(&mut self, series: Published<PriceSeries>) -> Result<(), MarketOverlapError> {
        if self.series.iter().any(|known| known.hash == series.hash) {
            return Ok(());
        }
        let new = series.body.parts();
        for known in &self.series {
            let old = known.body.parts();
            // Days of two zones can be apart and their instants not.
            let is_apart = known.body.end() <= new.start || series.body.end() <= old.start;
            if old.id == new.id && (old.validity.overlaps(new.validity) || !is_apart) {
                let (id, old, new) = (old.id, old.validity, new.validity);
                return Err(MarketOverlapError { what: "price series", id, old, new });
            }
        }
        self.series.push(series);
        self.series.sort_by_key(|known| (known.body.parts().id, known.body.parts().start));
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
