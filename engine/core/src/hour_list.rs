//! A list of hours: those at which power counts, as a system operator or a grid company publishes them after the month.
//!
//! Hours are instants of UTC, an hour each, ascending, apart, and all on local days that the list holds on.

use crate::calendar::{LocalDay, UtcSeconds, Zone};
use crate::label::Label;
use crate::tariff::TEXT_SIZE_MAX;
use crate::validity::Validity;

/// The most hours in a list: all of a leap year.
pub const HOUR_COUNT_MAX: usize = 366 * 24;
/// An hour, seconds.
pub const HOUR_S: i64 = 3_600;
/// Hours begin on this grid, seconds: that of the zones' offsets.
const GRID_S: i64 = 900;

/// For what a list has an hour at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum HourNeed {
    /// Each working day of the tariff that asks it.
    #[default]
    WorkingDay = 0,
    /// Each month.
    Month = 1,
}

/// The parts of a list, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourListParts {
    /// Its name, which tariffs name; lists of later days share it.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Where the hours come from.
    pub source: String,
    /// The local days it tells of; it has an end.
    pub validity: Validity,
    /// Whose local days they are.
    pub zone: Zone,
    /// What has an hour at least.
    pub each: HourNeed,
    /// First instants of the hours, ascending.
    pub starts: Vec<UtcSeconds>,
}

/// Why parts do not make a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HourListError {
    /// A title or source is too long, or has control characters.
    #[error("{0} is longer than {TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// It holds for good.
    #[error("a list of hours needs valid_to: it tells of so many days and no more")]
    Endless,
    /// No hours, or too many.
    #[error("{0} hours, need 1 to {HOUR_COUNT_MAX}")]
    Count(usize),
    /// An hour that is not after the one before it, by an hour at least.
    #[error("hour {0} is not after the one before it")]
    Order(UtcSeconds),
    /// An hour off the quarter-hours, or outside the days of the list.
    #[error("hour {0} is not on a quarter-hour of the days that the list holds on")]
    Outside(UtcSeconds),
    /// A month without an hour.
    #[error("no hour in the month of {0}, the list has one for each")]
    Month(crate::calendar::Period),
}

/// A checked list of hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourList {
    parts: HourListParts,
}

impl HourList {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`HourListError`] names the first that is wrong.
    pub fn new(parts: HourListParts) -> Result<Self, HourListError> {
        for (what, text) in [("title", &parts.title), ("source", &parts.source)] {
            if text.len() > TEXT_SIZE_MAX || text.chars().any(char::is_control) {
                return Err(HourListError::Text(what));
            }
        }
        let to = parts.validity.to().ok_or(HourListError::Endless)?;
        if parts.starts.is_empty() || parts.starts.len() > HOUR_COUNT_MAX {
            return Err(HourListError::Count(parts.starts.len()));
        }
        let first = parts.zone.local_day(parts.validity.from()).start;
        let end = parts.zone.local_day(to).start;
        let mut last: Option<UtcSeconds> = None;
        for &start in &parts.starts {
            if start < first || start.plus(HOUR_S) > end || start.0 % GRID_S != 0 {
                return Err(HourListError::Outside(start));
            }
            if last.is_some_and(|last| start < last.plus(HOUR_S)) {
                return Err(HourListError::Order(start));
            }
            last = Some(start);
        }
        let list = Self { parts };
        list.check_months(to)?;
        Ok(list)
    }

    /// Every month that it tells of has an hour, if it says so.
    fn check_months(&self, to: crate::calendar::Day) -> Result<(), HourListError> {
        if self.parts.each != HourNeed::Month {
            return Ok(());
        }
        let mut day = self.parts.validity.from();
        while day < to {
            let period = day.period();
            let end = period.end_day().min(to);
            let (from, until) = (self.parts.zone.local_day(day).start, self.parts.zone.local_day(end).start);
            if self.between(from, until).is_empty() {
                return Err(HourListError::Month(period));
            }
            day = end;
        }
        Ok(())
    }

    /// The checked parts.
    #[must_use]
    pub const fn parts(&self) -> &HourListParts {
        &self.parts
    }

    /// The hours that begin on a local day, of whatever zone.
    #[must_use]
    pub fn of_day(&self, day: LocalDay) -> &[UtcSeconds] {
        self.between(day.start, day.end)
    }

    fn between(&self, from: UtcSeconds, until: UtcSeconds) -> &[UtcSeconds] {
        let at = |instant| self.parts.starts.partition_point(|start| *start < instant);
        &self.parts.starts[at(from)..at(until)]
    }
}
