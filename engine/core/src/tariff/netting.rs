//! Netting: what energy fed in does to the energy taken, and to the bill.
//!
//! ```text
//!   mode          what is taken off the import          what is fed in beyond that
//!   none          nothing                               sold at the sell price of its zone, untaxed
//!   interval      what is fed in, interval by interval  ditto
//!   zone-month    ditto, by zone over the month         ditto
//!   month-carry   ditto, and credit of months before    credit in kWh, carried on; settled at the sell price
//!   net-billing   nothing                               credited at the sell price, within the tax base
//! ```
//!
//! Netting comes first, zones and ranges of what is left after it. It is done for each usage point by itself. Where the
//! two channels differ in the length of their intervals, both are added up to the longer one. A month that is split by a
//! new version is netted version by version; credit goes on from one to the next.

use super::{RangeCounting, RangeKind, TariffError, TariffParts};
use crate::money::PricePerKwh;

/// What is done with the energy fed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum NettingMode {
    /// Each channel by its own prices: all is bought, all is sold.
    Separate = 1,
    /// Interval by interval.
    Interval = 2,
    /// By zone over the month.
    ZoneMonth = 3,
    /// By zone over the month, what is left carried on as kilowatt-hours.
    MonthCarry = 4,
    /// Export at its price, credited against the bill.
    NetBilling = 5,
}

impl NettingMode {
    /// All, in the order of their codes, which count from 1.
    pub const ALL: [Self; 5] =
        [Self::Separate, Self::Interval, Self::ZoneMonth, Self::MonthCarry, Self::NetBilling];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Separate => "none",
            Self::Interval => "interval",
            Self::ZoneMonth => "zone-month",
            Self::MonthCarry => "month-carry",
            Self::NetBilling => "net-billing",
        }
    }

    /// Whether the netting is over the month, so that no order of intervals is left after it.
    #[must_use]
    pub const fn is_monthly(self) -> bool {
        matches!(self, Self::ZoneMonth | Self::MonthCarry)
    }
}

/// The netting of a tariff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netting {
    /// What is done.
    pub mode: NettingMode,
    /// Intervals are netted over stretches of at least so many minutes from local midnight on; 0 for the longer interval
    /// of the two channels.
    pub minutes: u8,
    /// What a kilowatt-hour fed in is worth, by zone.
    pub sell: Vec<PricePerKwh>,
    /// Credit of one zone also nets the others, in the order of the tariff's zones.
    pub pools_zones: bool,
    /// The month, from 1, at whose end credit is settled at the sell price; `None`: only when it ends.
    pub settle_month: Option<u8>,
}

pub(super) fn check(parts: &TariffParts) -> Result<(), TariffError> {
    let Some(netting) = &parts.netting else { return Ok(()) };
    let zones = parts.zones.len();
    if netting.sell.len() != zones {
        return Err(TariffError::SellPrices { count: netting.sell.len(), zones });
    }
    if let Some(price) = netting.sell.iter().find(|price| price.as_e8() < 0) {
        return Err(TariffError::Negative(*price));
    }
    let is_interval = netting.mode == NettingMode::Interval;
    if netting.minutes != 0 && !(is_interval && crate::reading::INTERVAL_MINUTES.contains(&netting.minutes)) {
        return Err(TariffError::NettingMinutes(netting.minutes));
    }
    let carries = netting.mode == NettingMode::MonthCarry;
    let is_month = netting.settle_month.is_none_or(|month| carries && (1..=12).contains(&month));
    let has_one_price = netting.sell.windows(2).all(|pair| pair[0] == pair[1]);
    if !is_month || netting.pools_zones && !(carries && has_one_price) {
        return Err(TariffError::NettingCredit);
    }
    let rule = parts.range_rule;
    let in_order = rule.counting == RangeCounting::InOrder && rule.kind == RangeKind::Graduated;
    let needs_order = in_order && parts.ranges.len() > 1 || !parts.series.is_empty();
    if netting.mode.is_monthly() && needs_order {
        return Err(TariffError::NettingOrder);
    }
    Ok(())
}
