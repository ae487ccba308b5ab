//! Demand, range rules, fixed and minimum charges: random bills against a reference that takes every interval by itself
//! and computes in rational steps as the documentation of the tariff says them.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::BTreeMap;

use common::{Random, agreement, label, validity};
use rust_decimal::Decimal;
use tallywatt_core::agreement::SplitRule;
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::bill_change::{NamedBill, change};
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::explain::Explained;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::{Money, PricePerKwh, Rounding};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{
    BoundUnit, DayKind, DemandCharge, DemandMeasure, DemandRange, FixedCharges, FixedPer, MonthSet, Range,
    RangeCounting, RangeKind, RangeRule, RoundEach, Tariff, TariffBook, TariffParts, TariffZone, Vat, Window,
};

/// Random accounts that are billed both ways.
const CASE_COUNT: u64 = 400;

struct Case {
    period: Period,
    contracts: Vec<Contract>,
    tariffs: TariffBook,
    blocks: BTreeMap<BlockKey, DayBlock>,
}

fn window(days: DayKind, from_hour: u16, to_hour: u16) -> Window {
    Window { months: MonthSet::ALL, days, from_minute: from_hour * 60, to_minute: to_hour * 60 }
}

fn price(random: &mut Random) -> PricePerKwh {
    PricePerKwh::from_e8(i64::try_from(random.below(4_000_000_000)).unwrap())
}

/// Below zero now and then.
fn energy_price(random: &mut Random) -> PricePerKwh {
    let price = price(random);
    if random.one_in(4) { PricePerKwh::from_e8(-price.as_e8()) } else { price }
}

/// Packages of some ranges, and flat fees.
fn sell(random: &mut Random, parts: &mut TariffParts) {
    let can_pack = parts.zones.len() == 1 || parts.range_rule.counting == RangeCounting::EachZone;
    let packed = random.below(u64::try_from(parts.ranges.len()).unwrap());
    let has_packages = can_pack && random.one_in(2);
    for (at, range) in parts.ranges.iter_mut().enumerate() {
        if random.one_in(2) {
            range.flat = price(random);
        }
        if has_packages && (at == usize::try_from(packed).unwrap() || random.one_in(2)) {
            range.package_wh = Some(1 + i64::try_from(random.below(9_000)).unwrap());
            range.prices.iter_mut().for_each(|price| *price = PricePerKwh::from_e8(price.as_e8().abs()));
            parts.range_rule.kind = RangeKind::Package;
        }
    }
}

fn bound(random: &mut Random, last: &mut i64, step: u64) -> i64 {
    *last += 1 + i64::try_from(random.below(step)).unwrap();
    *last
}

impl Case {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (zone, period) =
            random.pick(&[("Europe/Amsterdam", "2024-03"), ("UTC", "2024-02"), ("+05:00", "2026-01")]);
        let (zone, period): (Zone, Period) = (Zone::parse(zone).unwrap(), period.parse().unwrap());
        let change = random.one_in(2).then(|| period.first_day().plus(11).unwrap());
        let mut tariffs = TariffBook::default();
        let spans = match change {
            None => vec![(None, None)],
            Some(_) => vec![(None, change), (change, None)],
        };
        for (tag, (from, to)) in (1..).zip(spans) {
            let rule = random_rule(&mut random);
            let parts = random_parts(&mut random, rule, from, to);
            let body = Tariff::new(parts).unwrap();
            tariffs.publish(Published { hash: ContentHash([tag; 32]), body }).unwrap();
        }
        let mut case = Self { period, contracts: Vec::new(), tariffs, blocks: BTreeMap::new() };
        for at in 0..1 + random.below(2) {
            let usage_point = label(&format!("P{at}"));
            let from = random.one_in(3).then(|| period.first_day().plus(6).unwrap());
            case.contracts.push(Contract {
                account: label("A"),
                usage_point,
                register: Register::IMPORT,
                zone: zone.clone(),
                tariff: label("t"),
                agreement: label("grid"),
                validity: validity(from, None),
                overrides: Vec::new(),
            });
            let minutes = random.pick(&[15, 30, 60]);
            // Small months meet the minimum, large ones do not.
            let most = random.pick(&[3, 300]);
            for day in period.days() {
                let local = zone.local_day(day);
                let count = usize::from(local.interval_count(minutes).unwrap());
                let values = (0..count).map(|_| i32::try_from(random.below(most)).unwrap()).collect();
                let key = BlockKey { usage_point, register: Register::IMPORT, day };
                let qualities = vec![Quality::Valid; count];
                let block =
                    DayBlock::from_parts(key, local.start, minutes, Source::Automated, values, qualities);
                case.blocks.insert(key, block.unwrap());
            }
        }
        case.contracts = in_order(case.contracts).unwrap();
        case
    }

    fn bill(&self) -> Bill {
        let inputs = BillInputs {
            account: label("A"),
            period: self.period,
            contracts: &self.contracts,
            tariffs: &self.tariffs,
            agreement: &agreement(SplitRule::Share(0)),
            readings: ContentHash::default(),
            market: &MarketBook::new(),
        };
        bill(&inputs, &|key| self.blocks.get(key)).unwrap()
    }
}

fn random_rule(random: &mut Random) -> RangeRule {
    let counting = random.pick(&[RangeCounting::InOrder, RangeCounting::Shares, RangeCounting::EachZone]);
    let kind = random.pick(&[RangeKind::Graduated, RangeKind::Graduated, RangeKind::Volume]);
    let unit = if counting == RangeCounting::InOrder && kind == RangeKind::Graduated {
        random.pick(&[BoundUnit::Month, BoundUnit::Day])
    } else {
        random.pick(&[BoundUnit::Month, BoundUnit::Day, BoundUnit::Kw, BoundUnit::KwDay])
    };
    RangeRule { counting, unit, kind }
}

fn random_parts(random: &mut Random, rule: RangeRule, from: Option<Day>, to: Option<Day>) -> TariffParts {
    let zone = |name: &str, windows| TariffZone { name: label(name), windows };
    let zones = match random.below(3) {
        0 => vec![zone("all", vec![window(DayKind::Every, 0, 24)])],
        1 => vec![
            zone("day", vec![window(DayKind::Every, 7, 23)]),
            zone("night", vec![window(DayKind::Every, 23, 7)]),
        ],
        _ => vec![
            zone("work", vec![window(DayKind::Weekday, 8, 20)]),
            zone("rest", vec![window(DayKind::Weekday, 20, 8), window(DayKind::DayOff, 0, 24)]),
        ],
    };
    let step = match rule.unit {
        BoundUnit::Month => 60_000,
        BoundUnit::Day => 3_000,
        BoundUnit::Kw => 200_000,
        BoundUnit::KwDay => 8_000,
    };
    let (range_count, mut last) = (1 + random.below(3), 0);
    let ranges = (1..=range_count)
        .map(|number| {
            let up_to_wh = (number < range_count).then(|| bound(random, &mut last, step));
            Range::plain(up_to_wh, zones.iter().map(|_| energy_price(random)).collect())
        })
        .collect();
    let windows = [
        vec![window(DayKind::Every, 0, 24)],
        vec![window(DayKind::Weekday, 17, 21), window(DayKind::Weekday, 7, 10)],
        vec![window(DayKind::Weekend, 22, 3)],
    ];
    let demands = ["a", "b", "c"].into_iter().take(usize::try_from(random.below(4)).unwrap());
    let demands = demands
        .map(|name| {
            let (range_count, mut last) = (1 + random.below(2), 0);
            DemandCharge {
                name: label(name),
                windows: random.pick(&windows),
                minutes: random.pick(&[15, 30, 60]),
                ranges: (1..=range_count)
                    .map(|number| DemandRange {
                        up_to_w: (number < range_count).then(|| bound(random, &mut last, 600)),
                        price: price(random),
                    })
                    .collect(),
                measure: DemandMeasure::Highest,
            }
        })
        .collect();
    let charge = |random: &mut Random| random.pick(&["0", "1.235", "88.67"]).parse().unwrap();
    let mut parts = TariffParts {
        id: label("t"),
        title: "t".into(),
        source: "random".into(),
        currency: "RUB".parse().unwrap(),
        validity: validity(from, to),
        holidays: Vec::new(),
        zones,
        range_rule: rule,
        ranges,
        demands,
        fixed: FixedCharges { per_day: charge(random), per_month: charge(random), per_year: charge(random) },
        minimum_per_month: random.pick(&["0", "300"]).parse().unwrap(),
        vat: Vat { rate_e4: random.pick(&[0, 2_000, 2_200]), is_included: random.one_in(2) },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Line,
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    };
    if random.one_in(3) {
        sell(random, &mut parts);
    }
    parts
}

/// An interval of one usage point, and the tariff that holds.
struct Interval<'c> {
    usage_point: Label,
    day: Day,
    minute: u16,
    minutes: u8,
    wh: i64,
    parts: &'c TariffParts,
    version: usize,
}

/// (version, kind) to the quantity.
type Quantities = BTreeMap<(usize, ChargeKind), i64>;

fn holds(windows: &[Window], day: Day, minute: u16) -> bool {
    windows.iter().any(|window| {
        let on_day = match window.days {
            DayKind::Every => true,
            DayKind::Weekday => !day.is_weekend(),
            DayKind::Weekend | DayKind::DayOff => day.is_weekend(),
            DayKind::Holiday => false,
        };
        let (from, to) = (window.from_minute, window.to_minute);
        on_day && if from < to { from <= minute && minute < to } else { minute >= from || minute < to }
    })
}

/// Every interval of the account in order of time.
fn intervals(case: &Case) -> Vec<Interval<'_>> {
    let mut found = Vec::new();
    for contract in &case.contracts {
        for block in case.blocks.values().filter(|block| block.key().usage_point == contract.usage_point) {
            let day = block.key().day;
            if !contract.validity.contains(day) {
                continue;
            }
            let versions = case.tariffs.versions();
            let version =
                versions.iter().position(|version| version.body.parts().validity.contains(day)).unwrap();
            for at in 0..block.interval_count() {
                let start = block.interval_start(at);
                found.push((
                    start,
                    Interval {
                        usage_point: contract.usage_point,
                        day,
                        minute: contract.zone.wall_minute(start),
                        minutes: block.interval_minutes(),
                        wh: i64::from(block.values_wh()[at]),
                        parts: versions[version].body.parts(),
                        version,
                    },
                ));
            }
        }
    }
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(_, interval)| interval).collect()
}

fn watts(interval: &Interval<'_>) -> i64 {
    interval.wh * 60 / i64::from(interval.minutes)
}

/// Quantities by the letter of the documentation.
fn naive(case: &Case) -> Quantities {
    let intervals = intervals(case);
    let mut quantities = Quantities::new();
    let held_days: std::collections::BTreeSet<Day> = intervals.iter().map(|interval| interval.day).collect();
    let mut peaks: BTreeMap<Label, i64> = BTreeMap::new();
    for interval in &intervals {
        let peak = peaks.entry(interval.usage_point).or_default();
        *peak = (*peak).max(watts(interval));
    }
    let peak_w: i64 = peaks.values().sum();
    let bound = |parts: &TariffParts, wh: i64| {
        let (days, kw) = (Decimal::from(held_days.len()), Decimal::new(peak_w, 3));
        let factor = match parts.range_rule.unit {
            BoundUnit::Month => Decimal::ONE,
            BoundUnit::Day => days,
            BoundUnit::Kw => kw,
            BoundUnit::KwDay => days * kw,
        };
        i64::try_from((Decimal::from(wh) * factor).floor()).unwrap()
    };
    let range_of = |parts: &TariffParts, used: i64| {
        let is_below = |range: &Range| range.up_to_wh.is_none_or(|wh| used < bound(parts, wh));
        parts.ranges.iter().position(is_below).unwrap()
    };
    let zone_of = |interval: &Interval<'_>| {
        let zones = &interval.parts.zones;
        zones.iter().position(|zone| holds(&zone.windows, interval.day, interval.minute)).unwrap()
    };
    energy(&intervals, &zone_of, &range_of, &mut quantities);
    let first_of = |parts: &TariffParts, range: usize| match range {
        0 => 0,
        _ => bound(parts, parts.ranges[range - 1].up_to_wh.unwrap()),
    };
    sales(&intervals, &zone_of, &range_of, &first_of, &mut quantities);
    demand(&intervals, &mut quantities);
    for contract in &case.contracts {
        for day in case.period.days().filter(|day| contract.validity.contains(*day)) {
            let versions = case.tariffs.versions();
            let at = versions.iter().position(|version| version.body.parts().validity.contains(day)).unwrap();
            for per in FixedPer::ALL {
                if versions[at].body.parts().fixed.price(per).as_e8() > 0 {
                    *quantities.entry((at, ChargeKind::Fixed(per))).or_default() += 1;
                }
            }
        }
    }
    quantities
}

fn energy(
    intervals: &[Interval<'_>],
    zone_of: &dyn Fn(&Interval<'_>) -> usize,
    range_of: &dyn Fn(&TariffParts, i64) -> usize,
    quantities: &mut Quantities,
) {
    let name = |interval: &Interval<'_>| interval.parts.zones[zone_of(interval)].name;
    let month_wh: i64 = intervals.iter().map(|interval| interval.wh).sum();
    let mut month_zones_wh: BTreeMap<Label, i64> = BTreeMap::new();
    for interval in intervals {
        *month_zones_wh.entry(name(interval)).or_default() += interval.wh;
    }
    let (mut used_wh, mut used_zones_wh) = (0, BTreeMap::<Label, i64>::new());
    // What a version used, by zone, and by the range its watt-hours fell into.
    let mut shared: BTreeMap<usize, [BTreeMap<usize, i64>; 2]> = BTreeMap::new();
    for interval in intervals {
        let RangeRule { counting, kind, .. } = interval.parts.range_rule;
        let zone = zone_of(interval);
        let mut add = |range: usize, wh: i64| {
            let (range, zone) = (u8::try_from(range).unwrap(), u8::try_from(zone).unwrap());
            let key = (interval.version, ChargeKind::Energy { range, zone });
            *quantities.entry(key).or_default() += wh;
        };
        for _ in 0..interval.wh {
            match (kind, counting) {
                (RangeKind::Volume, RangeCounting::EachZone) => {
                    add(range_of(interval.parts, month_zones_wh[&name(interval)] - 1), 1);
                }
                (RangeKind::Volume, _) => add(range_of(interval.parts, month_wh - 1), 1),
                (_, RangeCounting::EachZone) => {
                    let used = used_zones_wh.get(&name(interval)).copied().unwrap_or(0);
                    add(range_of(interval.parts, used), 1);
                }
                // Packages that are counted for all zones together are of one zone.
                (RangeKind::Package, _) | (_, RangeCounting::InOrder) => {
                    add(range_of(interval.parts, used_wh), 1);
                }
                (RangeKind::Graduated, RangeCounting::Shares) => {
                    let [zones, ranges] = shared.entry(interval.version).or_default();
                    *zones.entry(zone).or_default() += 1;
                    *ranges.entry(range_of(interval.parts, used_wh)).or_default() += 1;
                }
            }
            used_wh += 1;
            *used_zones_wh.entry(name(interval)).or_default() += 1;
        }
    }
    for (version, [zones, ranges]) in shared {
        let total: i64 = zones.values().sum();
        for (zone, wh) in zones {
            let exact = |part: i64| Decimal::from(wh) * Decimal::from(part) / Decimal::from(total);
            let mut parts: Vec<(usize, i64, Decimal)> = ranges
                .iter()
                .map(|(&range, &part)| {
                    let whole = exact(part).floor();
                    (range, i64::try_from(whole).unwrap(), exact(part) - whole)
                })
                .collect();
            let left = wh - parts.iter().map(|(_, whole, _)| whole).sum::<i64>();
            parts.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(&b.0)));
            for (at, (range, whole, _)) in parts.into_iter().enumerate() {
                let more = i64::from(i64::try_from(at).unwrap() < left);
                let (range, zone) = (u8::try_from(range).unwrap(), u8::try_from(zone).unwrap());
                let key = (version, ChargeKind::Energy { range, zone });
                *quantities.entry(key).or_default() += whole + more;
            }
        }
    }
}

/// Packages and flat fees: every watt-hour that opens a package, or is the one that a fee is due for.
fn sales(
    intervals: &[Interval<'_>],
    zone_of: &dyn Fn(&Interval<'_>) -> usize,
    range_of: &dyn Fn(&TariffParts, i64) -> usize,
    first_of: &dyn Fn(&TariffParts, usize) -> i64,
    quantities: &mut Quantities,
) {
    let is_sold = |range: &Range| range.package_wh.is_some() || range.flat.as_e8() > 0;
    if !intervals.iter().any(|interval| interval.parts.ranges.iter().any(is_sold)) {
        return;
    }
    let scope = |interval: &Interval<'_>, by_zone: bool| {
        by_zone.then(|| interval.parts.zones[zone_of(interval)].name)
    };
    let mut month: BTreeMap<Option<Label>, i64> = BTreeMap::new();
    for interval in intervals {
        *month.entry(scope(interval, false)).or_default() += interval.wh;
        *month.entry(scope(interval, true)).or_default() += interval.wh;
    }
    let mut used: BTreeMap<Option<Label>, i64> = BTreeMap::new();
    for interval in intervals {
        let rule = interval.parts.range_rule;
        let by_zone = rule.counting == RangeCounting::EachZone;
        let counted = scope(interval, by_zone);
        let zone = u8::try_from(if by_zone { zone_of(interval) } else { 0 }).unwrap();
        for _ in 0..interval.wh {
            let at = used.get(&counted).copied().unwrap_or(0);
            let at_range = range_of(interval.parts, at);
            let (range, place) = (&interval.parts.ranges[at_range], at - first_of(interval.parts, at_range));
            let is_due = if rule.kind == RangeKind::Volume { at + 1 == month[&counted] } else { place == 0 };
            let number = u8::try_from(at_range).unwrap();
            let mut add = |kind| *quantities.entry((interval.version, kind)).or_default() += 1;
            if is_due && range.flat.as_e8() > 0 {
                add(ChargeKind::Flat { range: number });
            }
            if range.package_wh.is_some_and(|package| place % package == 0) {
                add(ChargeKind::Package { range: number, zone });
            }
            for known in [scope(interval, false), scope(interval, true)] {
                *used.entry(known).or_default() += 1;
            }
        }
    }
}

fn demand(intervals: &[Interval<'_>], quantities: &mut Quantities) {
    // The stretches of each point and charge: (day, which of the day) to energy and what it takes.
    let mut best: BTreeMap<(Label, Label), (i64, usize)> = BTreeMap::new();
    let mut points: BTreeMap<Label, Vec<&Interval<'_>>> = BTreeMap::new();
    for interval in intervals {
        points.entry(interval.usage_point).or_default().push(interval);
    }
    for (point, intervals) in points {
        for day in intervals.chunk_by(|a, b| a.day == b.day) {
            for charge in &day[0].parts.demands {
                let minutes = charge.minutes.max(day[0].minutes);
                for stretch in day.chunks(usize::from(minutes / day[0].minutes)) {
                    if holds(&charge.windows, stretch[0].day, stretch[0].minute) {
                        let wh: i64 = stretch.iter().map(|interval| interval.wh).sum();
                        let w = wh * 60 / i64::from(minutes);
                        let known = best.entry((point, charge.name)).or_insert((w, stretch[0].version));
                        if w > known.0 {
                            *known = (w, stretch[0].version);
                        }
                    }
                }
            }
        }
    }
    for ((_, name), (w, version)) in best {
        let parts = intervals.iter().find(|interval| interval.version == version).unwrap().parts;
        let charge = parts.demands.iter().position(|charge| charge.name == name).unwrap();
        for at in 0..w {
            let ranges = &parts.demands[charge].ranges;
            let range = ranges.iter().position(|range| range.up_to_w.is_none_or(|bound| at < bound)).unwrap();
            let (charge, range) = (u8::try_from(charge).unwrap(), u8::try_from(range).unwrap());
            *quantities.entry((version, ChargeKind::Demand { charge, range })).or_default() += 1;
        }
    }
}

/// The terms between any two bills add up to the difference of their totals; between a bill and itself there are none.
#[test]
fn changes_add_up() {
    let cases: Vec<Case> = (0..60).map(Case::random).collect();
    let bills: Vec<Bill> = cases.iter().map(Case::bill).collect();
    let tariffs = |at: usize| -> Vec<&Tariff> {
        let versions = cases[at].tariffs.versions();
        let body = |hash: &ContentHash| &versions.iter().find(|version| version.hash == *hash).unwrap().body;
        bills[at].tariffs.iter().map(body).collect()
    };
    let tariffs: Vec<Vec<&Tariff>> = (0..cases.len()).map(tariffs).collect();
    let named = |at: usize| NamedBill { bill: &bills[at], tariffs: &tariffs[at] };
    for (first, second) in (0..cases.len()).flat_map(|a| (0..cases.len()).map(move |b| (a, b))) {
        let terms = change(named(first), named(second));
        let sum: i128 = terms.iter().map(|term| term.amount.as_e11()).sum();
        let difference = bills[second].total.as_minor() - bills[first].total.as_minor();
        assert_eq!(sum, i128::from(difference) * 1_000_000_000, "seeds {first} and {second}");
        assert!(first != second || terms.is_empty(), "seed {first}");
    }
}

/// The intervals that a line names come to what rating counted.
#[test]
fn explained_intervals_come_to_the_quantities() {
    for seed in 0..60 {
        let case = Case::random(seed);
        let bill = case.bill();
        let explained = Explained {
            bill: &bill,
            contracts: &case.contracts,
            tariffs: &case.tariffs,
            market: &MarketBook::new(),
        };
        for line in &bill.lines {
            let intervals = explained.intervals(line, &|key| case.blocks.get(key));
            let sum_wh: i64 = intervals.iter().map(|one| i64::from(one.energy_wh)).sum();
            match line.kind {
                ChargeKind::Energy { .. } => assert_eq!(sum_wh, explained.zone_wh(line), "seed {seed}"),
                ChargeKind::Demand { .. } => assert!(!intervals.is_empty(), "seed {seed}"),
                ChargeKind::Package { .. } | ChargeKind::Flat { .. } => assert!(sum_wh > 0, "seed {seed}"),
                ChargeKind::Fixed(_) | ChargeKind::Minimum => assert!(intervals.is_empty(), "seed {seed}"),
                ChargeKind::Series { .. } => panic!("seed {seed}: no tariff has a series"),
                other => panic!("seed {seed}: {other:?} in a month without export"),
            }
        }
    }
}

#[test]
fn equals_the_naive_reference() {
    let (mut with_minimum, mut with_ranges, mut with_demand) = (0, 0, 0);
    let (mut with_packages, mut with_fees, mut below_zero) = (0, 0, 0);
    for seed in 0..CASE_COUNT {
        let case = Case::random(seed);
        let bill = case.bill();
        let version = |at: u8| {
            let hash = bill.tariffs[usize::from(at)];
            case.tariffs.versions().iter().position(|version| version.hash == hash).unwrap()
        };
        let mut got = Quantities::new();
        let (mut lines, mut minimum) = (Decimal::ZERO, None);
        for line in &bill.lines {
            let exact = Decimal::from_i128_with_scale(line.exact.as_e11(), 11);
            if line.kind == ChargeKind::Minimum {
                minimum = Some(exact);
            } else {
                got.insert((version(line.version), line.kind), line.quantity);
                lines += exact;
            }
            with_ranges += u64::from(matches!(line.kind, ChargeKind::Energy { range: 1.., .. }));
            with_packages += u64::from(matches!(line.kind, ChargeKind::Package { .. }));
            with_fees += u64::from(matches!(line.kind, ChargeKind::Flat { .. }));
            with_demand += u64::from(matches!(line.kind, ChargeKind::Demand { range: 1.., .. }));
        }
        let mut want = naive(&case);
        want.retain(|_, quantity| *quantity != 0);
        assert_eq!(got, want, "seed {seed}");
        // The minimum of the days held, to the eleventh decimal of each version's part.
        let least: Decimal = case
            .tariffs
            .versions()
            .iter()
            .map(|version| {
                let parts = version.body.parts();
                let days = case.period.days().filter(|day| parts.validity.contains(*day));
                let held =
                    days.map(|day| case.contracts.iter().filter(|one| one.validity.contains(day)).count());
                let part = Decimal::new(parts.minimum_per_month.as_e8(), 8)
                    * Decimal::from(held.sum::<usize>())
                    / Decimal::from(case.period.day_count());
                part.trunc_with_scale(11)
            })
            .sum();
        // Lines below zero lack nothing where no version has a minimum.
        let lacking = if least.is_zero() { Decimal::ZERO } else { (least - lines).max(Decimal::ZERO) };
        assert_eq!(minimum.unwrap_or_default(), lacking, "seed {seed}");
        with_minimum += u64::from(minimum.is_some());
        let on_top = bill.vat.iter().filter(|line| !line.vat.is_included).map(|line| line.amount);
        let amounts: i64 = bill.lines.iter().map(|line| line.amount).chain(on_top).map(Money::as_minor).sum();
        assert_eq!(bill.total.as_minor(), amounts, "seed {seed}");
        below_zero += u64::from(bill.total < Money::ZERO);
    }
    assert!(
        with_packages > 30 && with_fees > 50 && below_zero > 5,
        "{with_packages} {with_fees} {below_zero}"
    );
    assert!(
        with_minimum > 20 && with_ranges > 200 && with_demand > 50,
        "{with_minimum} {with_ranges} {with_demand}"
    );
}
