//! A tariff: zones by local wall clock, graduated ranges, demand and fixed charges, a minimum, VAT, and one rounding rule.
//!
//! A tariff is a document: it is checked once when it is built, named by the hash of its canonical bytes, and
//! never changed. A new price is a new version with its own validity.
//!
//! ```text
//!          zone →     night   day
//!   range  ≤ 3900 kWh  3.02   6.43     price = f(range, zone)
//!     ↓    ≤ 6000 kWh  4.97   8.27     whose energy a range counts, in what order and in which unit its bound is,
//!          above       5.90   9.47     says the range rule
//!   demand   peak of the window, kW  × price, graduated too
//!   fixed    a day, a month, a year
//!   minimum  a month: what the lines above lack to it
//! ```

use std::fmt;
use std::str::FromStr;

use crate::calendar::Day;
use crate::label::Label;
use crate::money::{PricePerKwh, Rounding};
use crate::validity::Validity;

mod book;
mod carry;
mod clock;
mod deviation;
mod eligibility;
mod error;
mod netting;
mod ranges;
mod series_price;

pub use book::{OverlapError, TariffBook};
pub use carry::{CarryRules, LOOK_BACK_MONTHS_MAX, LOOK_BACK_WHOLE, LookBack};
pub use clock::{CELL_MINUTES, CellTime, DayClass, DayKind, MONTH_NAMES, MonthSet, WINDOW_COUNT_MAX, Window};
pub use deviation::{Deviation, DeviationSide};
pub use eligibility::{Eligibility, EligibilityBound, MonthFigures, PassedBound};
pub use error::TariffError;
pub use netting::{Netting, NettingMode};
pub use ranges::{BoundUnit, Range, RangeCounting, RangeKind, RangeRule, effective_bounds};
pub use series_price::{SeriesPrice, TIMES_DECIMALS, TIMES_E6_MAX};

use clock::Clock;

/// The most zones in a tariff.
pub const ZONE_COUNT_MAX: usize = 16;
/// The most ranges in a tariff, or in a demand charge.
pub const RANGE_COUNT_MAX: usize = 16;
/// The most demand charges in a tariff.
pub const DEMAND_COUNT_MAX: usize = 16;
/// The most holidays in a tariff version: forty years of them.
pub const HOLIDAY_COUNT_MAX: usize = 1_024;
/// Longest title or source line, bytes.
pub const TEXT_SIZE_MAX: usize = 240;

/// An ISO 4217 currency with two decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The three letters.
    #[must_use]
    pub const fn bytes(self) -> [u8; 3] {
        self.0
    }

    /// From three capital letters.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 3]) -> Option<Self> {
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }
}

impl FromStr for Currency {
    type Err = TariffError;

    fn from_str(text: &str) -> Result<Self, TariffError> {
        let bytes = <[u8; 3]>::try_from(text.as_bytes()).ok();
        bytes.and_then(Self::from_bytes).ok_or_else(|| TariffError::Currency(text.chars().take(20).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.0).expect("a currency holds capital letters only"))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
/// A zone: its name and when it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffZone {
    /// Its name, as on the bill.
    pub name: Label,
    /// When it holds.
    pub windows: Vec<Window>,
}

/// A range of a demand charge: so many kilowatts of the peak, and what each costs a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandRange {
    /// Upper bound, W, inclusive; `None` for the last range.
    pub up_to_w: Option<i64>,
    /// Currency units a kilowatt and month, 10^-8.
    pub price: PricePerKwh,
}

/// What of a month's power a demand charge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum DemandMeasure {
    /// The highest stretch of the month.
    #[default]
    Highest,
    /// The mean, over the working days with readings, of each day's highest stretch within the windows.
    MeanOfDailyHighest,
    /// The mean over the hours that a list of this name publishes, as far as they begin within the windows.
    MeanAtPublishedHours(Label),
}

/// A charge for the power of a month, as its measure has it.
///
/// The power is the mean over stretches of `minutes` from local midnight on; where readings are coarser, over an
/// interval. A stretch counts if its first interval begins within a window. The peak of a month is charged once for
/// each usage point, whole, by the tariff version that holds on the day of the peak: the first of equal ones. A mean is
/// rounded half up to whole watts, once, and charged by the version that holds on the last day that went into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemandCharge {
    /// Its name, as on the bill.
    pub name: Label,
    /// When a peak counts.
    pub windows: Vec<Window>,
    /// What power is averaged over: 5, 15, 30 or 60 minutes.
    pub minutes: u8,
    /// Graduated prices of the peak, ascending.
    pub ranges: Vec<DemandRange>,
    /// What the peak is.
    pub measure: DemandMeasure,
}

/// What a fixed charge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum FixedPer {
    /// A day.
    Day = 0,
    /// A month: for a part of one, as many days of the month's.
    Month = 1,
    /// A year: as many days of the year's.
    Year = 2,
}

impl FixedPer {
    /// All, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Year];
}

/// Charges for being connected, of each usage point. Currency units, 10^-8; zero for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FixedCharges {
    /// A day.
    pub per_day: PricePerKwh,
    /// A month.
    pub per_month: PricePerKwh,
    /// A year.
    pub per_year: PricePerKwh,
}

impl FixedCharges {
    /// The charge for one of the three.
    #[must_use]
    pub const fn price(&self, per: FixedPer) -> PricePerKwh {
        match per {
            FixedPer::Day => self.per_day,
            FixedPer::Month => self.per_month,
            FixedPer::Year => self.per_year,
        }
    }
}

/// Value-added tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vat {
    /// Rate in hundredths of a per cent: 22 % is 2,200.
    pub rate_e4: u16,
    /// Whether the prices contain it.
    pub is_included: bool,
}

/// What is rounded to the minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RoundEach {
    /// Every charge line; the total is the sum of rounded lines.
    Line = 0,
    /// The bill; the lines' amounts are shares of its rounded total.
    Bill = 1,
}

/// The parts of a tariff, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffParts {
    /// Its name; versions share it.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Where the prices come from: an order, a page, or that they are illustrative.
    pub source: String,
    /// Currency of all prices.
    pub currency: Currency,
    /// Local days it holds on.
    pub validity: Validity,
    /// Days that its windows call holidays, ascending.
    pub holidays: Vec<Day>,
    /// Zones.
    pub zones: Vec<TariffZone>,
    /// How energy fills the ranges.
    pub range_rule: RangeRule,
    /// Ranges, ascending.
    pub ranges: Vec<Range>,
    /// Demand charges; may be none.
    pub demands: Vec<DemandCharge>,
    /// Fixed charges.
    pub fixed: FixedCharges,
    /// What a usage point pays at least for a month, tax apart; zero for no minimum. A part of a month has its part.
    pub minimum_per_month: PricePerKwh,
    /// Value-added tax.
    pub vat: Vat,
    /// How amounts are rounded.
    pub rounding: Rounding,
    /// What is rounded.
    pub round_each: RoundEach,
    /// Prices that follow from published series, by range and zone.
    pub series: Vec<SeriesPrice>,
    /// What energy fed in does; `None`: a register is a register, whatever it counts.
    pub netting: Option<Netting>,
    /// What reaches from one bill to the next.
    pub carry: CarryRules,
    /// What is paid for deviations from the plan; `None` where nothing is planned.
    pub deviation: Option<Deviation>,
    /// Whom it is for; `None`: for anyone.
    pub eligibility: Option<Eligibility>,
}

/// A checked tariff version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    parts: TariffParts,
    clock: Clock,
}

impl Tariff {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`TariffError`] names the first part that is wrong.
    pub fn new(parts: TariffParts) -> Result<Self, TariffError> {
        check_count("zones", parts.zones.len(), ZONE_COUNT_MAX)?;
        check_count("ranges", parts.ranges.len(), RANGE_COUNT_MAX)?;
        check_text("title", &parts.title)?;
        check_text("source", &parts.source)?;
        let is_ascending = parts.holidays.windows(2).all(|pair| pair[0] < pair[1]);
        if parts.holidays.len() > HOLIDAY_COUNT_MAX || !is_ascending {
            return Err(TariffError::Holidays);
        }
        if let Some(name) = named_twice(parts.zones.iter().map(|zone| zone.name)) {
            return Err(TariffError::ZoneName(name));
        }
        ranges::check(&parts)?;
        series_price::check(&parts)?;
        check_demands(&parts.demands)?;
        netting::check(&parts)?;
        carry::check(&parts)?;
        deviation::check(&parts)?;
        eligibility::check(&parts)?;
        let charges = FixedPer::ALL.map(|per| parts.fixed.price(per)).into_iter();
        let demand = parts.demands.iter().flat_map(|demand| &demand.ranges).map(|range| range.price);
        if let Some(price) =
            charges.chain([parts.minimum_per_month]).chain(demand).find(|price| price.as_e8() < 0)
        {
            return Err(TariffError::Negative(price));
        }
        if parts.vat.rate_e4 > 10_000 {
            return Err(TariffError::Vat(parts.vat.rate_e4));
        }
        let clock = Clock::new(&parts.zones, &parts.demands, &parts.holidays)?;
        Ok(Self { parts, clock })
    }

    /// The checked parts.
    #[must_use]
    pub const fn parts(&self) -> &TariffParts {
        &self.parts
    }

    /// What `day` is to this tariff.
    #[must_use]
    pub fn class_of(&self, day: Day) -> DayClass {
        if self.parts.holidays.binary_search(&day).is_ok() {
            DayClass::Holiday
        } else if day.is_weekend() {
            DayClass::Weekend
        } else {
            DayClass::Working
        }
    }

    /// How many kinds of day it tells apart.
    #[must_use]
    pub const fn pattern_count(&self) -> usize {
        self.clock.pattern_count()
    }

    /// Which kind of day `day` is, below [`Self::pattern_count`].
    #[must_use]
    pub fn pattern_of(&self, day: Day) -> usize {
        self.clock.place(clock::month_of(day), self.class_of(day))
    }

    /// Which zone holds at a wall-clock minute of a kind of day.
    ///
    /// # Panics
    /// If there is no such kind of day, or `minute` is 1440 or more.
    #[must_use]
    pub fn zone_at(&self, pattern: usize, minute: u16) -> usize {
        usize::from(self.clock.zone(pattern, minute))
    }

    /// Which demand charges hold at a wall-clock minute of a kind of day: a bit each.
    ///
    /// # Panics
    /// As [`Self::zone_at`].
    #[must_use]
    pub fn demands_at(&self, pattern: usize, minute: u16) -> u16 {
        self.clock.demands(pattern, minute)
    }
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), TariffError> {
    if (1..=max).contains(&count) { Ok(()) } else { Err(TariffError::Count { what, count, max }) }
}

fn check_text(what: &'static str, text: &str) -> Result<(), TariffError> {
    let fits = text.len() <= TEXT_SIZE_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(TariffError::Text(what)) }
}

fn named_twice(names: impl Iterator<Item = Label>) -> Option<Label> {
    let mut names: Vec<Label> = names.collect();
    names.sort();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

fn check_demands(demands: &[DemandCharge]) -> Result<(), TariffError> {
    if demands.len() > DEMAND_COUNT_MAX {
        return Err(TariffError::Count {
            what: "demand charges",
            count: demands.len(),
            max: DEMAND_COUNT_MAX,
        });
    }
    if let Some(name) = named_twice(demands.iter().map(|demand| demand.name)) {
        return Err(TariffError::DemandName(name));
    }
    for demand in demands {
        check_count("ranges in a demand charge", demand.ranges.len(), RANGE_COUNT_MAX)?;
        if !crate::reading::INTERVAL_MINUTES.contains(&demand.minutes) {
            return Err(TariffError::DemandMinutes(demand.name));
        }
        if matches!(demand.measure, DemandMeasure::MeanAtPublishedHours(_)) && demand.minutes != 60 {
            return Err(TariffError::HourMinutes(demand.name));
        }
        if ranges::bounds_fault(demand.ranges.iter().map(|range| range.up_to_w)).is_some() {
            return Err(TariffError::DemandBounds(demand.name));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tariff/tests.rs"]
pub(crate) mod tests;
