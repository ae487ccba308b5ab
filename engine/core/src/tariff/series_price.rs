//! Prices of energy that a published series says, interval by interval.
//!
//! ```text
//!   price at t = series(t) × times + plus        times: losses or a share of them; plus: what is added to every kWh
//! ```

use std::fmt;

use super::{RangeRule, TariffError, TariffParts};
use crate::decimal::write_scaled;
use crate::label::Label;
use crate::money::PricePerKwh;

/// Decimals of a coefficient.
pub const TIMES_DECIMALS: u32 = 6;
/// A coefficient that changes nothing, 10^-6.
const TIMES_ONE_E6: i64 = 1_000_000;
/// The largest coefficient, 10^-6: a thousand.
pub const TIMES_E6_MAX: i64 = 1_000_000_000;

/// How the price of one range and zone follows from a published series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesPrice {
    /// Which range, counted from 0.
    pub range: u8,
    /// Which zone, counted from 0.
    pub zone: u8,
    /// Name of the series.
    pub series: Label,
    /// What its prices are multiplied by, 10^-6.
    pub times_e6: i64,
    /// What is added to every price then; may be below zero.
    pub plus: PricePerKwh,
}

/// `se3 × 1.06 + 0.04`: what does nothing is left out.
impl fmt::Display for SeriesPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.series)?;
        if self.times_e6 != TIMES_ONE_E6 {
            f.write_str(" × ")?;
            write_scaled(f, i128::from(self.times_e6), TIMES_DECIMALS, 0)?;
        }
        match self.plus.as_e8() {
            0 => Ok(()),
            plus if plus < 0 => write!(f, " − {}", PricePerKwh::from_e8(plus.saturating_neg())),
            _ => write!(f, " + {}", self.plus),
        }
    }
}

pub(super) fn check(parts: &TariffParts) -> Result<(), TariffError> {
    let place = |price: &SeriesPrice| (usize::from(price.range), usize::from(price.zone));
    for (at, price) in parts.series.iter().enumerate() {
        let (range, zone) = place(price);
        let is_after = at == 0 || place(&parts.series[at - 1]) < (range, zone);
        let is_free = parts.ranges.get(range).is_some_and(|range| {
            range.package_wh.is_none() && range.prices.get(zone).is_some_and(|price| price.as_e8() == 0)
        });
        if !is_after || !is_free {
            return Err(TariffError::Series { range: range + 1 });
        }
        if !(1..=TIMES_E6_MAX).contains(&price.times_e6) {
            return Err(TariffError::Times { series: price.series, times_e6: price.times_e6 });
        }
    }
    let RangeRule { unit, .. } = parts.range_rule;
    let is_in_order = parts.range_rule.needs_order() && !unit.needs_peak();
    if !parts.series.is_empty() && parts.ranges.len() > 1 && !is_in_order {
        return Err(TariffError::SeriesOrder);
    }
    Ok(())
}

impl TariffParts {
    /// The series that says the price of a range and zone, if one does.
    #[must_use]
    pub fn series_of(&self, range: u8, zone: u8) -> Option<&SeriesPrice> {
        let at = self.series.binary_search_by_key(&(range, zone), |price| (price.range, price.zone)).ok()?;
        self.series.get(at)
    }
}
