//! Ranges: prices that depend on how much is used.
//!
//! ```text
//!   graduated   each part of the energy is paid at the price of the range it falls into
//!   volume      all of it at the price of the range it ends up in
//!   package     as graduated, where a range may be sold in whole packages: each begun one costs its price
//!   flat fee    of a range, once a month that reaches it
//!   counting    together, in order of time │ together, every zone its share of each range │ every zone for itself
//!   bounds      kWh a month │ kWh a day held │ kWh a kW of the month's peak
//! ```

use super::{TariffError, TariffParts};
use crate::money::PricePerKwh;

/// A range of the month's energy and its price in each zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Upper bound, inclusive, Wh in the unit of the rule; `None` for the last range.
    pub up_to_wh: Option<i64>,
    /// A price for each zone, in the order of the zones: of a kilowatt-hour, or of a package. May be below zero, but for
    /// packages. Zero where [`TariffParts::series`] says the price.
    pub prices: Vec<PricePerKwh>,
    /// Sold in packages of so many watt-hours; `None` for by the kilowatt-hour.
    pub package_wh: Option<i64>,
    /// What the range costs once in a month whose energy reaches it, 10^-8 currency units; zero for nothing.
    pub flat: PricePerKwh,
}

impl Range {
    /// A range by the kilowatt-hour, without a fee.
    #[must_use]
    pub const fn plain(up_to_wh: Option<i64>, prices: Vec<PricePerKwh>) -> Self {
        Self { up_to_wh, prices, package_wh: None, flat: PricePerKwh::from_e8(0) }
    }
}

/// Which energy a range counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum RangeCounting {
    /// All zones together, in order of time: the range of a kilowatt-hour is the one that the month has reached by then.
    #[default]
    InOrder = 0,
    /// All zones together; every zone has its share of each range, by largest remainder in whole watt-hours.
    Shares = 1,
    /// Every zone for itself.
    EachZone = 2,
}

/// What a bound is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum BoundUnit {
    /// Nothing: it is for the month, whole or not.
    #[default]
    Month = 0,
    /// The days held: kWh daily.
    Day = 1,
    /// The month's peak in kilowatts, of every day held, whichever version holds on it: kWh/kW, hours of use.
    Kw = 2,
    /// Both: kWh/kW daily.
    KwDay = 3,
}

impl BoundUnit {
    /// Whether the bound follows from the days held.
    #[must_use]
    pub const fn needs_days(self) -> bool {
        matches!(self, Self::Day | Self::KwDay)
    }

    /// Whether the bound is only known with the month's peak.
    #[must_use]
    pub const fn needs_peak(self) -> bool {
        matches!(self, Self::Kw | Self::KwDay)
    }
}

/// What of the energy a range prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum RangeKind {
    /// What falls into it.
    #[default]
    Graduated = 0,
    /// All, if the energy ends up in it.
    Volume = 1,
    /// What falls into it, where it says so in whole packages.
    Package = 2,
}

/// How energy fills the ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RangeRule {
    /// Which energy a range counts.
    pub counting: RangeCounting,
    /// What a bound is multiplied by.
    pub unit: BoundUnit,
    /// What of the energy a range prices.
    pub kind: RangeKind,
}

impl RangeRule {
    /// Whether the order of the intervals decides which range they fall into.
    #[must_use]
    pub fn needs_order(self) -> bool {
        self.counting == RangeCounting::InOrder && self.kind == RangeKind::Graduated
    }
}

pub(super) fn check(parts: &TariffParts) -> Result<(), TariffError> {
    if let Some(at) = bounds_fault(parts.ranges.iter().map(|range| range.up_to_wh)) {
        return Err(TariffError::Bounds(at + 1));
    }
    let zones = parts.zones.len();
    for (at, range) in parts.ranges.iter().enumerate() {
        if range.prices.len() != zones {
            return Err(TariffError::Prices { range: at + 1, count: range.prices.len(), zones });
        }
    }
    check_sales(parts)?;
    let RangeRule { unit, .. } = parts.range_rule;
    if parts.range_rule.needs_order() && unit.needs_peak() && zones > 1 && parts.ranges.len() > 1 {
        return Err(TariffError::BoundsPerKw);
    }
    Ok(())
}

/// Packages and flat fees: energy may cost less than nothing, these may not.
fn check_sales(parts: &TariffParts) -> Result<(), TariffError> {
    let RangeRule { counting, kind, .. } = parts.range_rule;
    for (at, range) in parts.ranges.iter().enumerate() {
        let packages = range.package_wh.map_or(&[][..], |_| &range.prices);
        if let Some(&price) = packages.iter().chain([&range.flat]).find(|price| price.as_e8() < 0) {
            return Err(TariffError::Negative(price));
        }
        if range.package_wh.is_some_and(|wh| wh <= 0)
            || (range.package_wh.is_some() && kind != RangeKind::Package)
        {
            return Err(TariffError::Package(at + 1));
        }
    }
    let has_packages = parts.ranges.iter().any(|range| range.package_wh.is_some());
    if kind == RangeKind::Package && !has_packages {
        return Err(TariffError::NoPackage);
    }
    // A package that two zones share would have no one price.
    if has_packages && parts.zones.len() > 1 && counting != RangeCounting::EachZone {
        return Err(TariffError::SharedPackage);
    }
    Ok(())
}

/// The first place whose bound does not ascend, or is missing though not the last, or is there though the last.
pub(super) fn bounds_fault(bounds: impl ExactSizeIterator<Item = Option<i64>>) -> Option<usize> {
    let (count, mut last) = (bounds.len(), 0);
    for (at, bound) in bounds.enumerate() {
        match bound {
            Some(bound) if at + 1 < count && bound > last => last = bound,
            None if at + 1 == count => {}
            _ => return Some(at),
        }
    }
    None
}

/// The bounds of a tariff's ranges in watt-hours, for so many days held and a peak of so many watts; below 2^63, and
/// the last has none. A bound per kilowatt is cut to whole watt-hours.
#[must_use]
pub fn effective_bounds(parts: &TariffParts, day_count: u32, peak_w: i64) -> Vec<Option<i64>> {
    let days = i128::from(day_count);
    let peak_w = i128::from(peak_w);
    let bound = |wh: i64| {
        let wh = i128::from(wh);
        let scaled = match parts.range_rule.unit {
            BoundUnit::Month => wh,
            BoundUnit::Day => wh * days,
            BoundUnit::Kw => wh * peak_w / 1_000,
            // Three factors could pass 128 bits: such a bound is none.
            BoundUnit::KwDay => wh.saturating_mul(days).saturating_mul(peak_w) / 1_000,
        };
        i64::try_from(scaled).unwrap_or(i64::MAX)
    };
    parts.ranges.iter().map(|range| range.up_to_wh.map(bound)).collect()
}
