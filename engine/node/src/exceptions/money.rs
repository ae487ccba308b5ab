//! Money at stake: the energy in question, interval by interval, at the price of the contract's zone then.
//!
//! | rule | energy in question |
//! |---|---|
//! | V04 interval count, V17 zero run | what like days had in these intervals |
//! | V09 spike | highest less third highest value of the day |
//! | V10 outlier | distance from the median |
//! | V13 zone sum | the difference |
//! | V16 historical maximum | what is above the limit |
//! | V19 inactive use | all of it |
//! | between reads: V08 ceiling | what is above the limit |
//! | between reads: V12 sum check | the difference |
//! | between reads: V15 high or low use | distance from the daily use before |
//! | all others | cannot be said |
//!
//! Like days are those of the pack's estimation rules and of no other rung; for a run of zeros, days that have a value
//! above zero. The price is that of the tariff version that holds on the day, for the zone of the interval's local time,
//! in the tariff's first range: no fixed charge, no tax beside it, no later range. A difference of a whole day is priced at
//! its first interval, what lies between reads at their first instant in the month. Products are exact, their sum is rounded once, by the tariff's rounding.

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::energy::Energy;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::quality::Quality;
use tallywatt_core::tariff::TariffBook;
use tallywatt_core::vee::columns::DayColumns;
use tallywatt_core::vee::estimate::estimate_with;
use tallywatt_core::vee::estimate::evidence::Evidence;
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::pack::RulePack;
use tallywatt_core::vee::rule::Rule;

use crate::point_days::contract_on;

/// Watt-hours of an interval, by its index in the day.
pub(super) type IntervalEnergy = (usize, i64);

/// The energy that a finding puts in question; `None` where it cannot be said.
pub(super) fn energy(
    finding: &Finding,
    block: &DayBlock,
    series: &[&DayBlock],
    pack: &RulePack,
) -> Option<Vec<IntervalEnergy>> {
    let first = usize::from(finding.first_interval);
    let places = first..first + usize::from(finding.interval_count);
    match finding.rule {
        Rule::IntervalCount => {
            // A day of another length has no intervals that could be compared.
            let is_whole = usize::try_from(finding.limit).is_ok_and(|count| count == block.interval_count());
            if is_whole { like_days(block, places, series, pack, |_| true) } else { None }
        }
        Rule::ZeroRun => like_days(block, places, series, pack, |other| other.total_wh() > 0),
        Rule::Spike => {
            let [highest, _, third] = three_highest(block)?;
            Some(vec![(first, highest - third)])
        }
        Rule::Outlier => Some(vec![(first, finding.measured)]),
        Rule::ZoneSum => Some(vec![(first, finding.measured / 1_000)]),
        Rule::HistoricalMax => Some(vec![(first, finding.measured - finding.limit)]),
        Rule::InactiveUse => {
            Some(places.filter_map(|at| block.values_wh().get(at).map(|&wh| (at, i64::from(wh)))).collect())
        }
        _ => None,
    }
}

/// Their sum, Wh.
pub(super) fn total_wh(energy: &[IntervalEnergy]) -> i64 {
    energy.iter().map(|(_, wh)| wh).sum()
}

/// What that energy costs; `None` without a contract or tariff that says, and past 64-bit minor units.
pub(super) fn cost(
    tariffs: &TariffBook,
    contracts: &[&Contract],
    block: &DayBlock,
    energy: &[IntervalEnergy],
) -> Option<Money> {
    let energy = energy.iter().map(|&(at, wh)| (block.interval_start(at), wh));
    cost_at(tariffs, contracts, &block.key(), energy)
}

/// The same of energy at instants of the key's day.
pub(super) fn cost_at(
    tariffs: &TariffBook,
    contracts: &[&Contract],
    key: &BlockKey,
    energy: impl IntoIterator<Item = (UtcSeconds, i64)>,
) -> Option<Money> {
    let contract = contract_on(contracts, key.register, key.day)?;
    let tariff = &tariffs.version(&contract.tariff, key.day)?.body;
    let parts = tariff.parts();
    let pattern = tariff.pattern_of(key.day);
    let mut exact = ExactAmount::ZERO;
    for (at, wh) in energy {
        let minute = contract.zone.wall_minute(at);
        let zone = tariff.zone_at(pattern, minute);
        // What a package costs, or a series says, is no price of these intervals alone.
        let range = parts.ranges.first().filter(|range| range.package_wh.is_none())?;
        if parts.series_of(0, u8::try_from(zone).ok()?).is_some() {
            return None;
        }
        let price = range.prices.get(zone)?;
        exact = exact.checked_add(price.charge(Energy::from_wh(wh)))?;
    }
    exact.round(parts.rounding)
}

/// The day's three highest values, highest first; `None` of fewer.
pub(super) fn three_highest(block: &DayBlock) -> Option<[i64; 3]> {
    let mut values: Vec<i32> = DayColumns::of(block).present().map(|(_, wh)| wh).collect();
    values.sort_unstable_by_key(|&wh| std::cmp::Reverse(wh));
    let [highest, second, third, ..] = values[..] else { return None };
    Some([highest, second, third].map(i64::from))
}

/// What like days had in these intervals; `None` unless all of them can be said.
fn like_days(
    block: &DayBlock,
    places: std::ops::Range<usize>,
    series: &[&DayBlock],
    pack: &RulePack,
    is_fit: impl Fn(&DayBlock) -> bool,
) -> Option<Vec<IntervalEnergy>> {
    let parameters = EstimationParameters {
        linear_minutes_max: 0,
        previous_year: false,
        class_profile: false,
        ..*pack.estimation()
    };
    let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
    values.get_mut(places.clone())?.fill(0);
    qualities.get_mut(places.clone())?.fill(Quality::Missing);
    let (key, start, minutes) = (block.key(), block.start(), block.interval_minutes());
    let blank = DayBlock::from_parts(key, start, minutes, block.source(), values, qualities);
    let mut target = [blank.ok()?];
    let around: Vec<DayBlock> = series
        .iter()
        .filter(|other| {
            let days = other.key().day.since(key.day).unsigned_abs();
            days > 0 && days <= u32::from(parameters.like_days_back) && is_fit(other)
        })
        .map(|other| (*other).clone())
        .collect();
    let evidence = Evidence { days_around: &around, ..Evidence::default() };
    estimate_with(&mut target, &evidence, &parameters);
    let [filled] = &target;
    let value =
        |at: usize| filled.qualities()[at].is_billable().then(|| (at, i64::from(filled.values_wh()[at])));
    places.map(value).collect()
}
