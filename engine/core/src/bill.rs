//! A bill: charge lines that show their exact and their rounded amount, and everything it follows from.
//!
//! A bill is a pure function of readings, contracts, tariff versions and agreement; [`crate::rate`] computes it.

use crate::calendar::Period;
use crate::carried::Carried;
use crate::energy::Energy;
use crate::hash::ContentHash;
use crate::label::AccountId;
use crate::money::{ExactAmount, Money, PricePerKwh, div_half_up};
use crate::tariff::{Currency, DeviationSide, FixedPer, Vat};

/// The most charge lines in a bill.
pub const LINE_COUNT_MAX: u32 = 4_096;
/// The most tariff versions in a bill.
pub const VERSION_COUNT_MAX: u32 = 64;
/// The most price series, hour lists and plans in a bill: four names of a document a day.
pub const MARKET_COUNT_MAX: u32 = 128;

/// What a charge line charges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChargeKind {
    /// Energy of one zone in one range of the tariff version, both counted from 0.
    Energy {
        /// Range.
        range: u8,
        /// Zone.
        zone: u8,
    },
    /// The peak of a demand charge, as far as it lies in one of its ranges, both counted from 0.
    Demand {
        /// Demand charge.
        charge: u8,
        /// Its range.
        range: u8,
    },
    /// The fixed charge for usage-point-days, by a day's, a month's or a year's price.
    Fixed(FixedPer),
    /// What the lines of the tariff lack to its minimum.
    Minimum,
    /// Packages of one range that were begun; its energy stands in a line of its own, without a price.
    Package {
        /// Range.
        range: u8,
        /// Zone: whose energy filled them.
        zone: u8,
    },
    /// The flat fee of a range that was reached.
    Flat {
        /// Range.
        range: u8,
    },
    /// Energy of one zone in one range, priced interval by interval as a series says.
    Series {
        /// Range.
        range: u8,
        /// Zone.
        zone: u8,
    },
    /// Energy fed in, of one zone of the tariff version: credited.
    Export {
        /// Zone, counted from 0.
        zone: u8,
    },
    /// What the lines of the tariff lacked in the year to its minimum of a year.
    YearMinimum,
    /// Energy taken above the plan, or planned and not taken, priced hour by hour as a series says.
    Deviation(DeviationSide),
}

impl ChargeKind {
    /// The zone whose energy it charges for; `None` if it is no charge for energy used.
    #[must_use]
    pub const fn energy_zone(self) -> Option<u8> {
        match self {
            Self::Energy { zone, .. } | Self::Series { zone, .. } => Some(zone),
            Self::Demand { .. }
            | Self::Fixed(_)
            | Self::Minimum
            | Self::Package { .. }
            | Self::Flat { .. }
            | Self::Export { .. }
            | Self::YearMinimum
            | Self::Deviation(_) => None,
        }
    }

    /// A line's quantity as people write it, and its unit; see [`ChargeLine::quantity`].
    #[must_use]
    pub fn quantity_in_words(self, quantity: i64) -> (String, &'static str) {
        let thousandths = Energy::from_wh(quantity).to_string();
        match self {
            Self::Energy { .. } | Self::Series { .. } | Self::Deviation(_) => (thousandths, "kWh"),
            Self::Demand { .. } => (thousandths, "kW"),
            Self::Fixed(_) => (quantity.to_string(), "days"),
            Self::Minimum | Self::YearMinimum => (String::new(), ""),
            Self::Export { .. } => (thousandths, "kWh fed in"),
            Self::Package { .. } => (quantity.to_string(), "packages"),
            Self::Flat { .. } => (quantity.to_string(), "times"),
        }
    }

    /// Whether its energy is priced interval by interval: its lines have no one price.
    #[must_use]
    pub const fn is_by_interval(self) -> bool {
        matches!(self, Self::Series { .. } | Self::Deviation(_))
    }

    /// What `quantity` costs, exact; see [`ChargeLine::quantity`] for its units.
    ///
    /// A part of a month or year is cut at the eleventh decimal: that is its exact amount, and the only division. Of a
    /// series there is no one price: its lines have none, and an exact amount of their own.
    #[must_use]
    pub fn charge(self, quantity: i64, price: PricePerKwh, period: Period) -> ExactAmount {
        let product = i128::from(price.as_e8()) * i128::from(quantity);
        let e11 = match self {
            Self::Energy { .. } | Self::Demand { .. } | Self::Series { .. } | Self::Deviation(_) => product,
            Self::Fixed(FixedPer::Day) | Self::Package { .. } | Self::Flat { .. } => product * 1_000,
            Self::Fixed(FixedPer::Month) => product * 1_000 / i128::from(period.day_count()),
            Self::Fixed(FixedPer::Year) => product * 1_000 / i128::from(period.year_day_count()),
            Self::Minimum | Self::YearMinimum => i128::from(quantity),
            Self::Export { .. } => -product,
        };
        ExactAmount::from_e11(e11)
    }
}

/// One line: quantity × price, exact, and its share of the rounded total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChargeLine {
    /// Index into [`Bill::tariffs`].
    pub version: u8,
    /// For what.
    pub kind: ChargeKind,
    /// Watt-hours, also of energy fed in and of deviations from the plan; watts for demand; usage-point-days for a fixed charge; for a minimum what is
    /// lacking, 10^-11 of the currency; packages; how many times a flat fee is due.
    pub quantity: i64,
    /// Per kilowatt-hour, per kilowatt, per day, month or year; the minimum of a month; a package, a flat fee. Zero of a
    /// series: its prices are those of the intervals.
    pub price: PricePerKwh,
    /// What the quantity costs at the price; of a series each interval's energy at its price, cut at the eleventh
    /// decimal once. Below zero where the price is, and for energy fed in.
    pub exact: ExactAmount,
    /// In minor units.
    pub amount: Money,
}

impl ChargeLine {
    /// The energy charged for; zero for other charges.
    #[must_use]
    pub const fn energy(&self) -> Energy {
        if self.kind.energy_zone().is_some() { Energy::from_wh(self.quantity) } else { Energy::ZERO }
    }

    /// The energy credited; zero for charges.
    #[must_use]
    pub const fn export_energy(&self) -> Energy {
        match self.kind {
            ChargeKind::Export { .. } => Energy::from_wh(self.quantity),
            _ => Energy::ZERO,
        }
    }
}

impl ChargeLine {
    /// What a kilowatt-hour of a line by a series cost on the mean, rounded half up: for reading, nothing follows from it.
    #[must_use]
    pub fn mean_price(&self) -> Option<PricePerKwh> {
        let is_priced = self.kind.is_by_interval() && self.quantity > 0;
        let mean = is_priced.then(|| div_half_up(self.exact.as_e11(), i128::from(self.quantity)))?;
        i64::try_from(mean).ok().map(PricePerKwh::from_e8)
    }
}

/// The tax at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VatLine {
    /// Rate, and whether the base contains the tax.
    pub vat: Vat,
    /// Sum of the lines at this rate.
    pub base: Money,
    /// The tax: within the base if included, on top of it if not.
    pub amount: Money,
}

/// How complete the readings behind a bill were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Completeness {
    /// Intervals of the billed days.
    pub expected: u32,
    /// Of these measured, or set by a person.
    pub measured: u32,
    /// Of these estimated.
    pub estimated: u32,
    /// Of these without a value: not billed, and said so.
    pub missing: u32,
}

/// One account's bill for one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Who pays.
    pub account: AccountId,
    /// For which month.
    pub period: Period,
    /// In which currency.
    pub currency: Currency,
    /// Content hashes of the tariff versions, in the order of their first day.
    pub tariffs: Vec<ContentHash>,
    /// Content hash of the agreement by which payments of it are split.
    pub agreement: ContentHash,
    /// Root of the period's readings.
    pub readings: ContentHash,
    /// Charge lines, in the order of (version, kind).
    pub lines: Vec<ChargeLine>,
    /// Tax, a line a rate.
    pub vat: Vec<VatLine>,
    /// How complete the readings were.
    pub completeness: Completeness,
    /// What is to be paid, tax included; below zero where energy cost less than nothing, or more was fed in than taken.
    pub total: Money,
    /// The agreement payee's part of the total, exact.
    pub payee_part: ExactAmount,
    /// Content hashes of the price series, hour lists and plans it used, ascending.
    pub market: Vec<ContentHash>,
    /// Content hash of the account's bill of the month before, if this one stands on it.
    pub previous: Option<ContentHash>,
    /// What the next bill stands on, in order; nothing under a tariff that carries nothing.
    pub carried: Vec<Carried>,
}

impl Bill {
    /// Energy billed.
    #[must_use]
    pub fn energy(&self) -> Energy {
        self.lines.iter().map(ChargeLine::energy).sum()
    }

    /// Energy fed in and credited.
    #[must_use]
    pub fn export_energy(&self) -> Energy {
        self.lines.iter().map(ChargeLine::export_energy).sum()
    }

    /// Sum of the lines before rounding.
    #[must_use]
    pub fn exact_total(&self) -> ExactAmount {
        self.lines.iter().map(|line| line.exact).sum()
    }
}
