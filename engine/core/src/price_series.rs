//! A price series: what energy costs in each interval of some local days, as a market or a regulator publishes it.
//!
//! ```text
//!   start ─▶ │ p₀ │ p₁ │ … │ pₙ │ ◀─ end       every interval of the days from `valid from` to `valid to`, in UTC:
//!            00:00 of the first day  00:00 of the day after the last      a day of a clock change has 23 or 25 hours
//! ```
//!
//! Intervals are instants of UTC, so a clock change cannot shift a price. A later series of the same name goes on where
//! this one ends; no two hold on one day.

use crate::calendar::{UtcSeconds, Zone};
use crate::label::Label;
use crate::money::PricePerKwh;
use crate::tariff::{Currency, TEXT_SIZE_MAX};
use crate::validity::Validity;

/// Lengths of an interval that a series may have.
pub const SERIES_MINUTES: [u8; 3] = [15, 30, 60];
/// The most prices in a series: a leap year of quarter-hours.
pub const PRICE_COUNT_MAX: usize = 366 * 96;

/// The parts of a series, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSeriesParts {
    /// Its name, which tariffs name; series of later days share it.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Where the prices come from.
    pub source: String,
    /// Currency of the prices.
    pub currency: Currency,
    /// The local days it has prices for; it has an end.
    pub validity: Validity,
    /// Whose local days they are.
    pub zone: Zone,
    /// Length of an interval, minutes.
    pub minutes: u8,
    /// The first instant of the first day.
    pub start: UtcSeconds,
    /// A price for each interval, 10^-8 currency units a kilowatt-hour; may be below zero.
    pub prices: Vec<PricePerKwh>,
}

/// Why parts do not make a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceSeriesError {
    /// A title or source is too long, or has control characters.
    #[error("{0} is longer than {TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// Not a length of [`SERIES_MINUTES`].
    #[error("intervals of {0} minutes, need 15, 30 or 60")]
    Minutes(u8),
    /// It holds for good.
    #[error("a price series needs valid_to: it has prices for so many days and no more")]
    Endless,
    /// More prices than a series may have.
    #[error("{0} prices, at most {PRICE_COUNT_MAX}")]
    Count(i64),
    /// The first price is not that of the first instant of the first day.
    #[error("the first price is of {found}, {expected} begins the first day")]
    Start {
        /// What it is of.
        found: UtcSeconds,
        /// What it should be of.
        expected: UtcSeconds,
    },
    /// The prices do not fill the days.
    #[error("{found} prices, the days have {expected} intervals")]
    Days {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: i64,
    },
}

/// A checked price series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSeries {
    parts: PriceSeriesParts,
}

impl PriceSeries {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`PriceSeriesError`] names the first that is wrong.
    pub fn new(parts: PriceSeriesParts) -> Result<Self, PriceSeriesError> {
        for (what, text) in [("title", &parts.title), ("source", &parts.source)] {
            if text.len() > TEXT_SIZE_MAX || text.chars().any(char::is_control) {
                return Err(PriceSeriesError::Text(what));
            }
        }
        let grid = series_grid(&parts.zone, parts.validity, parts.minutes)?;
        if parts.start != grid.start {
            return Err(PriceSeriesError::Start { found: parts.start, expected: grid.start });
        }
        if i64::try_from(parts.prices.len()) != Ok(grid.count) {
            return Err(PriceSeriesError::Days { found: parts.prices.len(), expected: grid.count });
        }
        Ok(Self { parts })
    }

    /// The checked parts.
    #[must_use]
    pub const fn parts(&self) -> &PriceSeriesParts {
        &self.parts
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(&self) -> UtcSeconds {
        let count = i64::try_from(self.parts.prices.len()).expect("a series has few prices");
        self.parts.start.plus(count * self.step_s())
    }

    /// The price at an instant, and the first instant at which it no longer holds; `None` outside its days.
    #[must_use]
    pub fn at(&self, instant: UtcSeconds) -> Option<(PricePerKwh, UtcSeconds)> {
        let place = instant.0.checked_sub(self.parts.start.0)?.div_euclid(self.step_s());
        let price = self.parts.prices.get(usize::try_from(place).ok()?)?;
        Some((*price, self.parts.start.plus((place + 1) * self.step_s())))
    }

    /// Every interval's first instant and price, in order.
    pub fn intervals(&self) -> impl Iterator<Item = (UtcSeconds, PricePerKwh)> + '_ {
        let starts = (0..).map(|place: i64| self.parts.start.plus(place * self.step_s()));
        starts.zip(self.parts.prices.iter().copied())
    }

    fn step_s(&self) -> i64 {
        i64::from(self.parts.minutes) * 60
    }
}

/// Where the prices of some local days stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesGrid {
    /// The first interval's first instant.
    pub start: UtcSeconds,
    /// How many intervals there are.
    pub count: i64,
}

/// The intervals of the days that `validity` holds on.
///
/// # Errors
/// [`PriceSeriesError::Minutes`], [`PriceSeriesError::Endless`], [`PriceSeriesError::Count`], or
/// [`PriceSeriesError::Days`] if the days are no whole number of intervals.
pub fn series_grid(zone: &Zone, validity: Validity, minutes: u8) -> Result<SeriesGrid, PriceSeriesError> {
    if !SERIES_MINUTES.contains(&minutes) {
        return Err(PriceSeriesError::Minutes(minutes));
    }
    let to = validity.to().ok_or(PriceSeriesError::Endless)?;
    let start = zone.local_day(validity.from()).start;
    let (length_s, step_s) = (zone.local_day(to).start.0 - start.0, i64::from(minutes) * 60);
    let count = length_s / step_s;
    if length_s % step_s != 0 {
        return Err(PriceSeriesError::Days { found: 0, expected: count });
    }
    if usize::try_from(count).map_or(true, |count| count > PRICE_COUNT_MAX) {
        return Err(PriceSeriesError::Count(count));
    }
    Ok(SeriesGrid { start, count })
}
