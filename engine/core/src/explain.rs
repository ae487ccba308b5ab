//! From a charge line back to the readings: which intervals of which days it counts, one by one, without any table.
//!
//! Slow and plain on purpose: what a person can follow, and a second way to the quantities that rating found.

use std::fmt;

use crate::bill::{Bill, ChargeKind, ChargeLine};
use crate::calendar::{Day, UtcSeconds, Zone};
use crate::contract::{Contract, energy_price};
use crate::day_block::{BlockKey, DayBlock};
use crate::decimal::write_scaled;
use crate::hash::Published;
use crate::label::UsagePointId;
use crate::market::MarketBook;
use crate::money::{PRICE_DECIMALS, PricePerKwh};
use crate::quality::Quality;
use crate::register::Flow;
use crate::tariff::{DeviationSide, SeriesPrice, TIMES_DECIMALS, Tariff, TariffBook, TariffParts};

/// An interval that a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedInterval<'a> {
    /// Where it was measured.
    pub usage_point: UsagePointId,
    /// Local day.
    pub day: Day,
    /// When it begins.
    pub start: UtcSeconds,
    /// Whose wall clock the contract follows.
    pub zone: &'a Zone,
    /// Energy, Wh.
    pub energy_wh: i32,
    /// How the value came to be.
    pub quality: Quality,
    /// What a kilowatt-hour of it costs, where a series says so.
    pub price: Option<IntervalPrice>,
}

/// An hour whose energy was not what was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviatingHour<'a> {
    /// Where it was measured.
    pub usage_point: UsagePointId,
    /// Local day.
    pub day: Day,
    /// When it begins.
    pub start: UtcSeconds,
    /// Whose wall clock the contract follows.
    pub zone: &'a Zone,
    /// Energy, Wh.
    pub fact_wh: i64,
    /// What was planned for it, Wh.
    pub planned_wh: i64,
    /// To which side it deviates.
    pub side: DeviationSide,
    /// What a kilowatt-hour of the deviation costs; `None` if the series is not published.
    pub price: Option<PricePerKwh>,
}

impl DeviatingHour<'_> {
    /// How much it deviates, Wh.
    #[must_use]
    pub fn wh(&self) -> i64 {
        self.side.of(self.fact_wh, self.planned_wh)
    }
}

/// A price by the interval: a series' price times a coefficient, and something added. In 10^-14 currency units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntervalPrice(i128);

impl IntervalPrice {
    /// What a kilowatt-hour costs where the series has `own` as its price.
    #[must_use]
    pub fn of(own: PricePerKwh, price: &SeriesPrice) -> Self {
        let plus = i128::from(price.plus.as_e8()) * 10_i128.pow(TIMES_DECIMALS);
        Self(i128::from(own.as_e8()) * i128::from(price.times_e6) + plus)
    }

    /// In 10^-14 currency units.
    #[must_use]
    pub const fn as_e14(self) -> i128 {
        self.0
    }
}

impl fmt::Display for IntervalPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, PRICE_DECIMALS + TIMES_DECIMALS, 2)
    }
}

/// The bill's account and what its bill followed from.
pub struct Explained<'a> {
    /// The bill.
    pub bill: &'a Bill,
    /// The account's contracts, of the list that the bill was computed from.
    pub contracts: &'a [Contract],
    /// All tariff versions.
    pub tariffs: &'a TariffBook,
    /// Price series.
    pub market: &'a MarketBook,
}

impl<'a> Explained<'a> {
    /// The version that a line is of; `None` if it is not published.
    #[must_use]
    pub fn version(&self, line: &ChargeLine) -> Option<&Published<Tariff>> {
        let hash = self.bill.tariffs.get(usize::from(line.version))?;
        self.tariffs.versions().iter().find(|version| version.hash == *hash)
    }

    /// The intervals of the line's zone, over all its ranges; of a demand charge those that count for a peak; of a flat fee
    /// all of the version's. In the order of usage points, then time. Of other charges none.
    pub fn intervals<'b>(
        &self,
        line: &ChargeLine,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Vec<CountedInterval<'a>> {
        let Some(version) = self.version(line) else { return Vec::new() };
        let parts = version.body.parts();
        let mut found = Vec::new();
        // Netting tells the flows apart, and contracts at another price have lines of their own.
        let is_export = matches!(line.kind, ChargeKind::Export { .. });
        let fits = |contract: &&Contract| {
            let is_flow = parts.netting.is_none() || is_export == (contract.register.flow == Flow::Export);
            let is_priced = match line.kind {
                ChargeKind::Energy { range, zone } => {
                    let (range_at, zone_at) = (usize::from(range), usize::from(zone));
                    let listed = &parts.ranges[range_at];
                    let own = || {
                        let (name, price) = (parts.zones[zone_at].name, listed.prices[zone_at]);
                        energy_price(&contract.overrides, name, range, price)
                    };
                    listed.package_wh.is_some() || own() == line.price
                }
                _ => true,
            };
            contract.tariff == parts.id && is_flow && is_priced
        };
        for contract in self.contracts.iter().filter(fits) {
            let holds = |day: &Day| contract.validity.contains(*day) && parts.validity.contains(*day);
            for day in self.bill.period.days().filter(holds) {
                let (usage_point, register) = (contract.usage_point, contract.register);
                let Some(block) = block(&BlockKey { usage_point, register, day }) else { continue };
                let pattern = version.body.pattern_of(day);
                for at in 0..block.interval_count() {
                    let start = block.interval_start(at);
                    let minute = contract.zone.wall_minute(start);
                    let counts = match line.kind {
                        ChargeKind::Energy { zone, .. }
                        | ChargeKind::Series { zone, .. }
                        | ChargeKind::Package { zone, .. } => {
                            version.body.zone_at(pattern, minute) == usize::from(zone)
                        }
                        ChargeKind::Demand { charge, .. } => {
                            version.body.demands_at(pattern, minute) >> charge & 1 == 1
                        }
                        ChargeKind::Flat { .. } => true,
                        // Deviations are of hours: see `hours`.
                        ChargeKind::Fixed(_)
                        | ChargeKind::Minimum
                        | ChargeKind::YearMinimum
                        | ChargeKind::Deviation(_) => false,
                        ChargeKind::Export { zone } => {
                            version.body.zone_at(pattern, minute) == usize::from(zone)
                        }
                    };
                    if counts {
                        let (energy_wh, quality) = (block.values_wh()[at], block.qualities()[at]);
                        let (zone, price) = (&contract.zone, self.price(line, parts, start));
                        let interval =
                            CountedInterval { usage_point, day, start, zone, energy_wh, quality, price };
                        found.push(interval);
                    }
                }
            }
        }
        found
    }

    /// The hours that deviate to the side of the line, in the order of usage points, then time; of other charges none.
    pub fn hours<'b>(
        &self,
        line: &ChargeLine,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Vec<DeviatingHour<'a>> {
        let (ChargeKind::Deviation(side), Some(version)) = (line.kind, self.version(line)) else {
            return Vec::new();
        };
        let parts = version.body.parts();
        let Some(rule) = parts.deviation else { return Vec::new() };
        let mut found = Vec::new();
        for contract in self.contracts.iter().filter(|contract| contract.tariff == parts.id) {
            let holds = |day: &Day| contract.validity.contains(*day) && parts.validity.contains(*day);
            for day in self.bill.period.days().filter(holds) {
                let (usage_point, register) = (contract.usage_point, contract.register);
                let Some(block) = block(&BlockKey { usage_point, register, day }) else { continue };
                for first in 0..block.interval_count() {
                    // An interval that begins an hour of the plan begins one of the day.
                    let start = block.interval_start(first);
                    let plan = self.market.plan_at(&usage_point, start);
                    let Some(planned_wh) = plan.and_then(|plan| plan.body.at(start)) else { continue };
                    let fact = block.hour_at(start).and_then(|hour| block.read_wh(hour));
                    let Some(fact_wh) = fact.filter(|fact_wh| side.of(*fact_wh, planned_wh) > 0) else {
                        continue;
                    };
                    let series = self.market.series_at(&rule.series(side), start);
                    let price = series.and_then(|series| series.body.at(start)).map(|(price, _)| price);
                    let zone = &contract.zone;
                    let hour =
                        DeviatingHour { usage_point, day, start, zone, fact_wh, planned_wh, side, price };
                    found.push(hour);
                }
            }
        }
        found
    }

    /// What a kilowatt-hour of the interval costs in the line's range.
    fn price(&self, line: &ChargeLine, parts: &TariffParts, start: UtcSeconds) -> Option<IntervalPrice> {
        let ChargeKind::Series { range, zone } = line.kind else { return None };
        let price = parts.series_of(range, zone)?;
        let (own, _) = self.market.series_at(&price.series, start)?.body.at(start)?;
        Some(IntervalPrice::of(own, price))
    }

    /// The energy of the line's zone in all ranges of its version, Wh: what the intervals must add up to.
    #[must_use]
    pub fn zone_wh(&self, line: &ChargeLine) -> i64 {
        let zone = line.kind.energy_zone();
        let same = |other: &&ChargeLine| {
            zone.is_some()
                && other.version == line.version
                && other.kind.energy_zone() == zone
                && (other.kind != line.kind || other.price == line.price)
        };
        self.bill.lines.iter().filter(same).map(|line| line.quantity).sum()
    }
}
