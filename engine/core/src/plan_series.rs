//! A plan: how much energy a usage point is to take in each hour of some local days, as announced before them.
//!
//! ```text
//!   start ─▶ │ w₀ │ w₁ │ … │ wₙ │        every hour of the days from `valid from` to `valid to`, in UTC:
//!            00:00 of the first day      a day of a clock change has 23 or 25 hours
//! ```
//!
//! A plan is published once: none can be changed after the fact, because no two of one usage point tell of one hour.

use crate::calendar::{UtcSeconds, Zone};
use crate::hour_list::HOUR_S;
use crate::label::UsagePointId;
use crate::price_series::{PriceSeriesError, series_grid};
use crate::tariff::TEXT_SIZE_MAX;
use crate::validity::Validity;

/// The most hours in a plan: all of a leap year.
pub const PLAN_HOUR_COUNT_MAX: usize = 366 * 24;
/// The most energy planned for an hour, Wh: a terawatt-hour.
pub const PLAN_WH_MAX: i64 = 1_000_000_000_000;
/// Length of a plan's intervals.
const PLAN_MINUTES: u8 = 60;

/// The parts of a plan, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSeriesParts {
    /// What people call it.
    pub title: String,
    /// Where the quantities come from.
    pub source: String,
    /// Whose plan it is.
    pub usage_point: UsagePointId,
    /// The local days it tells of; it has an end.
    pub validity: Validity,
    /// Whose local days they are.
    pub zone: Zone,
    /// The first instant of the first day.
    pub start: UtcSeconds,
    /// Planned energy of each hour, Wh.
    pub planned_wh: Vec<i64>,
}

/// Why parts do not make a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanSeriesError {
    /// A title or source is too long, or has control characters.
    #[error("{0} is longer than {TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// It holds for good.
    #[error("a plan needs valid_to: it tells of so many days and no more")]
    Endless,
    /// More hours than a plan may have.
    #[error("{0} hours, at most {PLAN_HOUR_COUNT_MAX}")]
    Count(i64),
    /// The first quantity is not that of the first instant of the first day.
    #[error("the first hour is {found}, {expected} begins the first day")]
    Start {
        /// What it is of.
        found: UtcSeconds,
        /// What it should be of.
        expected: UtcSeconds,
    },
    /// The hours do not fill the days.
    #[error("{found} hours, the days have {expected}")]
    Days {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: i64,
    },
    /// A quantity below zero or too large.
    #[error("{0} Wh planned for an hour, need 0 to {PLAN_WH_MAX}")]
    Quantity(i64),
}

/// A checked plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSeries {
    parts: PlanSeriesParts,
}

impl PlanSeries {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`PlanSeriesError`] names the first that is wrong.
    pub fn new(parts: PlanSeriesParts) -> Result<Self, PlanSeriesError> {
        for (what, text) in [("title", &parts.title), ("source", &parts.source)] {
            if text.len() > TEXT_SIZE_MAX || text.chars().any(char::is_control) {
                return Err(PlanSeriesError::Text(what));
            }
        }
        let (expected, count) = plan_grid(&parts.zone, parts.validity)?;
        if parts.start != expected {
            return Err(PlanSeriesError::Start { found: parts.start, expected });
        }
        if i64::try_from(parts.planned_wh.len()) != Ok(count) {
            return Err(PlanSeriesError::Days { found: parts.planned_wh.len(), expected: count });
        }
        if let Some(wh) = parts.planned_wh.iter().find(|wh| !(0..=PLAN_WH_MAX).contains(*wh)) {
            return Err(PlanSeriesError::Quantity(*wh));
        }
        Ok(Self { parts })
    }

    /// The checked parts.
    #[must_use]
    pub const fn parts(&self) -> &PlanSeriesParts {
        &self.parts
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(&self) -> UtcSeconds {
        let count = i64::try_from(self.parts.planned_wh.len()).expect("a plan has few hours");
        self.parts.start.plus(count * HOUR_S)
    }

    /// What is planned for the hour that begins at `start`, Wh; `None` if no hour of the plan does.
    #[must_use]
    pub fn at(&self, start: UtcSeconds) -> Option<i64> {
        let since_s = start.0.checked_sub(self.parts.start.0)?;
        if since_s % HOUR_S != 0 {
            return None;
        }
        self.parts.planned_wh.get(usize::try_from(since_s / HOUR_S).ok()?).copied()
    }
}

/// The first instant and the count of the hours of the days that `validity` holds on.
///
/// # Errors
/// [`PlanSeriesError::Endless`], [`PlanSeriesError::Count`], or [`PlanSeriesError::Days`] if the days are no whole number
/// of hours.
pub fn plan_grid(zone: &Zone, validity: Validity) -> Result<(UtcSeconds, i64), PlanSeriesError> {
    let grid = series_grid(zone, validity, PLAN_MINUTES).map_err(|error| match error {
        PriceSeriesError::Count(count) => PlanSeriesError::Count(count),
        PriceSeriesError::Days { found, expected } => PlanSeriesError::Days { found, expected },
        _ => PlanSeriesError::Endless,
    })?;
    match usize::try_from(grid.count) {
        Ok(count) if count <= PLAN_HOUR_COUNT_MAX => Ok((grid.start, grid.count)),
        _ => Err(PlanSeriesError::Count(grid.count)),
    }
}
