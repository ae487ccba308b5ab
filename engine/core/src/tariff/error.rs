//! Why parts do not make a tariff.

use super::clock::{CELL_MINUTES, CellTime};
use super::eligibility::EligibilityBound;
use super::{HOLIDAY_COUNT_MAX, TEXT_SIZE_MAX, TIMES_E6_MAX};
use crate::label::Label;
use crate::money::PricePerKwh;

/// Why parts do not make a tariff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// Not three capital letters.
    #[error("{0:?} is not a currency code such as RUB")]
    Currency(String),
    /// Too many or too few of something.
    #[error("{count} {what}, need 1 to {max}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// At most.
        max: usize,
    },
    /// A title or source is too long, or has control characters.
    #[error("{0} is longer than {TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// Too many holidays, not ascending, or one twice.
    #[error("holidays must ascend, each once, at most {HOLIDAY_COUNT_MAX}")]
    Holidays,
    /// Two zones, or two demand charges, have one name.
    #[error("two zones are named {0}")]
    ZoneName(Label),
    /// Two demand charges have one name.
    #[error("two demand charges are named {0}")]
    DemandName(Label),
    /// A window is not on the five-minute grid or outside the day.
    #[error(
        "window {from_minute} to {to_minute} of {zone}: minutes must be multiples of {CELL_MINUTES} within a day"
    )]
    Window {
        /// The zone or demand charge.
        zone: Label,
        /// Its first minute.
        from_minute: u16,
        /// Its end.
        to_minute: u16,
    },
    /// Two zones hold at one time.
    #[error("zones {first} and {second} both hold at {at}")]
    Overlap {
        /// One zone.
        first: Label,
        /// The other.
        second: Label,
        /// When.
        at: CellTime,
    },
    /// No zone holds at some time.
    #[error("no zone holds at {0}")]
    Gap(CellTime),
    /// Ranges do not ascend, or the last is bounded.
    #[error("range {0}: bounds must ascend from above zero, and only the last has none")]
    Bounds(usize),
    /// A range has not one price a zone.
    #[error("range {range} has {count} prices for {zones} zones")]
    Prices {
        /// Which range.
        range: usize,
        /// Its prices.
        count: usize,
        /// Zones of the tariff.
        zones: usize,
    },
    /// Bounds a kilowatt of demand, counted in order of time: the demand is only known at the end of the month.
    #[error("bounds per kW of several zones cannot be counted in order of time")]
    BoundsPerKw,
    /// The demand is averaged over a length that does not divide the hour into intervals.
    #[error("demand charge {0}: a window must be 5, 15, 30 or 60 minutes")]
    DemandMinutes(Label),
    /// Ranges of a demand charge do not ascend, or the last is bounded.
    #[error("demand charge {0}: bounds must ascend from above zero, and only the last range has none")]
    DemandBounds(Label),
    /// A package of nothing, or one where the range rule sells none.
    #[error("range {0}: a package must be above zero, under range kind package")]
    Package(usize),
    /// The range rule sells packages, and no range has one.
    #[error("range kind package, but no range has a package")]
    NoPackage,
    /// Packages that several zones would share.
    #[error("packages of several zones together have no one price")]
    SharedPackage,
    /// A series price names a range or zone that is not there, stands twice or out of order, beside a price or a package.
    #[error(
        "series price of range {range}: once for each of its zones, in order, without another price or packages"
    )]
    Series {
        /// Which range.
        range: usize,
    },
    /// A coefficient of a series that is not above zero, or too large.
    #[error("series {series} times {times_e6} millionths, need 1 to {TIMES_E6_MAX}")]
    Times {
        /// The series.
        series: Label,
        /// The coefficient, 10^-6.
        times_e6: i64,
    },
    /// Prices by the interval in ranges that are filled without regard to the order of time.
    #[error(
        "series prices in several ranges need ranges that are graduated and counted in order of time, by month or day"
    )]
    SeriesOrder,
    /// A published hour is averaged over an hour.
    #[error("demand charge {0}: published hours are averaged over 60 minutes")]
    HourMinutes(Label),
    /// A negative price.
    #[error("negative price {0}")]
    Negative(PricePerKwh),
    /// A netting has not one sell price a zone.
    #[error("{count} sell prices for {zones} zones")]
    SellPrices {
        /// Its prices.
        count: usize,
        /// Zones of the tariff.
        zones: usize,
    },
    /// A grid for netting that is none, or is of a mode without one.
    #[error("netting over {0} minutes: only mode interval has a grid, of 5, 15, 30 or 60 minutes")]
    NettingMinutes(u8),
    /// A settling month or pooled zones where nothing is carried, or zones of different worth pooled.
    #[error("a settling month from 1 to 12 and pooled zones of one sell price are for mode month-carry only")]
    NettingCredit,
    /// Ranges counted in order of time, or prices by the interval, under netting over the month.
    #[error(
        "netting over the month leaves no order of time by which ranges could be filled or intervals priced"
    )]
    NettingOrder,
    /// Deviations from a plan under netting: the fact that is billed is not the one that was planned.
    #[error("a tariff that nets energy cannot charge for deviations from a plan")]
    DeviationNetting,
    /// A look-back of no charge, over no month or too many, of no month's peaks or more than all of a peak.
    #[error("look-back of {0}: need 1 to 12 months and percentages up to 100, not all zero")]
    LookBack(Label),
    /// An eligibility without any bound.
    #[error("eligibility without a bound: anyone may take the tariff")]
    EligibilityEmpty,
    /// An eligibility bound below zero.
    #[error("eligibility bound of {limit} W or Wh, need zero or more")]
    EligibilityNegative {
        /// Which.
        bound: EligibilityBound,
        /// The bound, W or Wh.
        limit: i64,
    },
    /// A least above its most: nobody could take the tariff.
    #[error("eligibility of at least {least} and at most {most} W or Wh: nobody could take the tariff")]
    EligibilityCrossed {
        /// The least.
        bound: EligibilityBound,
        /// It, W or Wh.
        least: i64,
        /// The most, W or Wh.
        most: i64,
    },
    /// A VAT rate above 100 %.
    #[error("VAT of {0} hundredths of a per cent, at most 10000")]
    Vat(u16),
}
