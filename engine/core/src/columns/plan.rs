//! A tariff as lines over determinants, and which tariffs can be so written.

use super::Largest;
use crate::determinants::{RunningUse, USE_ZONE_COUNT, ZONE_WH_MAX, ZoneSet};
use crate::money::{PricePerKwh, Rounding};
use crate::tariff::{Range, RangeRule, RoundEach, Tariff, Vat};

/// The most lines of a plan.
pub const PLAN_LINE_COUNT_MAX: usize = 32;

// A line's quantity is below 2^58, its price below 2^63: 32 of them stay within 128 bits.
const _: () = assert!(3 * ZONE_WH_MAX < 1 << 58 && PLAN_LINE_COUNT_MAX <= 1 << 5);

/// What a line charges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Energy of some zones, Wh; its price is per kWh.
    Energy(ZoneSet),
    /// The part of the total energy above one bound and up to another, Wh; its price is per kWh.
    EnergyBetween {
        /// Not charged up to here.
        above_wh: i64,
        /// Not charged from here on; `None`: no end.
        up_to_wh: Option<i64>,
    },
    /// The highest interval of the demand window times `factor`, W: 1 for hours, 2 for half-hours; its price is per kW.
    Demand {
        /// Intervals in an hour.
        factor: u8,
    },
    /// Days; its price is per day.
    Days,
}

impl Quantity {
    /// The quantity of one usage point in thousandths of what the price is for.
    pub(super) fn of(self, point: &RunningUse) -> i64 {
        match self {
            Self::Energy(zones) => {
                let zones_wh = point.zones_wh();
                (0..USE_ZONE_COUNT).filter(|&zone| zones.contains(zone)).map(|zone| zones_wh[zone]).sum()
            }
            Self::EnergyBetween { above_wh, up_to_wh } => {
                let total_wh = point.total_wh();
                (up_to_wh.map_or(total_wh, |bound| total_wh.min(bound)) - above_wh).max(0)
            }
            Self::Demand { factor } => i64::from(point.demand_wh()) * i64::from(factor),
            Self::Days => i64::from(point.day_count()) * 1_000,
        }
    }

    /// No row's quantity is larger.
    fn largest(self, largest: Largest) -> i128 {
        match self {
            Self::Energy(_) | Self::EnergyBetween { .. } => i128::from(largest.total_wh),
            Self::Demand { factor } => i128::from(largest.demand_wh) * i128::from(factor),
            Self::Days => i128::from(largest.day_count) * 1_000,
        }
    }
}

/// One line: quantity × price, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLine {
    /// For what.
    pub quantity: Quantity,
    /// Per kWh, kW or day; may be negative: a discount.
    pub price: PricePerKwh,
}

/// Why lines do not make a plan, or a tariff or agreement cannot be written as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too many lines.
    #[error("{0} lines, at most {PLAN_LINE_COUNT_MAX}")]
    Lines(usize),
    /// A slice of energy that starts below zero or ends before it starts.
    #[error("energy above {above_wh} Wh and up to {up_to_wh} Wh is no slice")]
    Slice {
        /// Its lower bound.
        above_wh: i64,
        /// Its upper bound.
        up_to_wh: i64,
    },
    /// A tax above 100 %.
    #[error("VAT of {0} hundredths of a per cent, at most 10000")]
    Vat(u16),
    /// More zones than a running use tells apart.
    #[error("{0} zones, a running use tells {USE_ZONE_COUNT} apart")]
    Zones(usize),
    /// Ranges and zones are mixed: which range a zone's energy falls into depends on the order of time.
    #[error("which range a zone's energy falls into depends on its order in time, which sums do not keep")]
    Order,
    /// The tariff has charges that need more than sums, or other ranges than graduated ones counted in order of time.
    #[error(
        "demand, monthly, yearly and minimum charges, packages, flat fees, price series, netting, deviations from a plan and other range rules are billed by documents only"
    )]
    Charges,
    /// Sums of bills do not say what the agreement's payee gets of each payment.
    #[error("the agreement rounds or limits each payment by itself")]
    EachPayment,
    /// The agreement has no rate for a zone of the tariff.
    #[error("the agreement has no rate for every zone of the tariff")]
    Rate,
}

/// A tariff compiled to lines over determinants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatePlan {
    pub(super) lines: Vec<PlanLine>,
    pub(super) rounding: Rounding,
    pub(super) round_each: RoundEach,
    pub(super) vat: Vat,
}

impl RatePlan {
    /// From lines, each rounded once, or all together, and a tax on (or in) their sum, rounded once.
    ///
    /// # Errors
    /// [`PlanError::Lines`], [`PlanError::Slice`] or [`PlanError::Vat`].
    pub fn new(
        lines: Vec<PlanLine>,
        rounding: Rounding,
        round_each: RoundEach,
        vat: Vat,
    ) -> Result<Self, PlanError> {
        if lines.len() > PLAN_LINE_COUNT_MAX {
            return Err(PlanError::Lines(lines.len()));
        }
        if vat.rate_e4 > 10_000 {
            return Err(PlanError::Vat(vat.rate_e4));
        }
        for line in &lines {
            if let Quantity::EnergyBetween { above_wh, up_to_wh } = line.quantity {
                let up_to_wh = up_to_wh.unwrap_or(i64::MAX);
                if above_wh < 0 || up_to_wh <= above_wh {
                    return Err(PlanError::Slice { above_wh, up_to_wh });
                }
            }
        }
        Ok(Self { lines, rounding, round_each, vat })
    }

    /// The plan whose totals equal the bills of this tariff version for one usage point held under it all month.
    ///
    /// With several ranges, which range a zone's energy falls into depends on the order of time. Sums suffice when the
    /// prices of a range differ from those of the first by the same amount in every zone *and* the bill is rounded as
    /// a whole; or when there is only one zone. Zones take the slots of a running use in the tariff's order.
    ///
    /// # Errors
    /// [`PlanError::Zones`], [`PlanError::Charges`] or [`PlanError::Order`] if sums do not suffice; the documents still bill such a tariff.
    pub fn of(tariff: &Tariff) -> Result<Self, PlanError> {
        let parts = tariff.parts();
        let zone_count = parts.zones.len();
        if zone_count > USE_ZONE_COUNT {
            return Err(PlanError::Zones(zone_count));
        }
        let more_than_days = [parts.fixed.per_month, parts.fixed.per_year, parts.minimum_per_month];
        let is_plain = |range: &Range| range.package_wh.is_none() && range.flat.as_e8() == 0;
        if !parts.demands.is_empty()
            || !parts.ranges.iter().all(is_plain)
            || !parts.series.is_empty()
            || parts.range_rule != RangeRule::default()
            || parts.netting.is_some()
            || parts.deviation.is_some()
            || tariff.carries()
            || more_than_days.iter().any(|price| price.as_e8() != 0)
        {
            return Err(PlanError::Charges);
        }
        let first = &parts.ranges[0].prices;
        let mut lines = Vec::new();
        if zone_count == 1 {
            let mut above_wh = 0;
            for range in &parts.ranges {
                let quantity = Quantity::EnergyBetween { above_wh, up_to_wh: range.up_to_wh };
                lines.push(PlanLine { quantity, price: range.prices[0] });
                above_wh = range.up_to_wh.unwrap_or(above_wh);
            }
        } else {
            for (zone, &price) in first.iter().enumerate() {
                lines.push(PlanLine { quantity: Quantity::Energy(ZoneSet::of(&[zone])), price });
            }
            for pair in parts.ranges.windows(2) {
                let more = |zone: usize| pair[1].prices[zone].as_e8() - first[zone].as_e8();
                let is_even = (1..zone_count).all(|zone| more(zone) == more(0));
                if !is_even || parts.round_each == RoundEach::Line {
                    return Err(PlanError::Order);
                }
                // The part of the energy in this range, at what it costs more than the first range.
                let above_wh = pair[0].up_to_wh.ok_or(PlanError::Order)?;
                let quantity = Quantity::EnergyBetween { above_wh, up_to_wh: pair[1].up_to_wh };
                lines.push(PlanLine { quantity, price: PricePerKwh::from_e8(more(0)) });
            }
        }
        lines.push(PlanLine { quantity: Quantity::Days, price: parts.fixed.per_day });
        lines.retain(|line| line.price.as_e8() != 0);
        Self::new(lines, parts.rounding, parts.round_each, parts.vat)
    }

    /// Its lines, in order.
    #[must_use]
    pub fn lines(&self) -> &[PlanLine] {
        &self.lines
    }

    /// Whether no sum of products passes 63 bits for rows up to `largest`, and none is negative.
    pub(super) fn fits_narrow(&self, largest: Largest) -> bool {
        let mut sum = 0_i128;
        for line in &self.lines {
            let price_e8 = i128::from(line.price.as_e8());
            if price_e8 < 0 {
                return false;
            }
            sum += price_e8 * line.quantity.largest(largest);
        }
        sum <= i128::from(i64::MAX)
    }
}
