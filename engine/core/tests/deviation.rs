//! Deviations from the plan: random months against a reference that walks the plan's hours by themselves, hours worked by
//! hand, and every reason not to bill.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use std::collections::BTreeMap;

use common::one_point::{blocks, contract, parts, try_bill};
use common::{Random, label, validity};
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::bill_change::{Cause, NamedBill, change};
use tallywatt_core::calendar::{Day, Period, UtcSeconds, Zone};
use tallywatt_core::columns::{PlanError, RatePlan};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::explain::Explained;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::plan_series::{PlanSeries, PlanSeriesParts, plan_grid};
use tallywatt_core::price_series::{PriceSeries, PriceSeriesParts, series_grid};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{
    Deviation, DeviationSide, Netting, NettingMode, Range, RangeKind, Tariff, TariffBook, TariffError,
    TariffParts,
};
use tallywatt_core::validity::Validity;

const CASE_COUNT: u64 = 200;
const ABOVE: ChargeKind = ChargeKind::Deviation(DeviationSide::Above);
const BELOW: ChargeKind = ChargeKind::Deviation(DeviationSide::Below);

/// Energy costs nothing, deviations what the series `up` and `down` say.
fn planned() -> TariffParts {
    let mut parts = parts(RangeKind::Graduated, vec![Range::plain(None, vec![PricePerKwh::default()])]);
    parts.deviation = Some(Deviation { above: label("up"), below: label("down") });
    parts
}

fn series(
    number: u8,
    name: &str,
    zone: &Zone,
    validity: Validity,
    minutes: u8,
    price: &mut dyn FnMut(i64) -> i64,
) -> Published<PriceSeries> {
    let grid = series_grid(zone, validity, minutes).unwrap();
    let body = PriceSeries::new(PriceSeriesParts {
        id: label(name),
        title: name.into(),
        source: "made up".into(),
        currency: "EUR".parse().unwrap(),
        validity,
        prices: (0..grid.count).map(|at| PricePerKwh::from_e8(price(at))).collect(),
        zone: zone.clone(),
        minutes,
        start: grid.start,
    });
    Published { hash: ContentHash([number; 32]), body: body.unwrap() }
}

fn plan(
    number: u8,
    point: &str,
    zone: &Zone,
    validity: Validity,
    wh: &mut dyn FnMut(usize) -> i64,
) -> Published<PlanSeries> {
    let (start, count) = plan_grid(zone, validity).unwrap();
    let body = PlanSeries::new(PlanSeriesParts {
        title: "Plan".into(),
        source: "made up".into(),
        usage_point: label(point),
        validity,
        zone: zone.clone(),
        start,
        planned_wh: (0..usize::try_from(count).unwrap()).map(wh).collect(),
    });
    Published { hash: ContentHash([number; 32]), body: body.unwrap() }
}

fn days(period: Period) -> Validity {
    Validity::new(period.first_day(), Some(period.end_day())).unwrap()
}

struct Case {
    period: Period,
    contract: Contract,
    versions: Vec<TariffParts>,
    market: MarketBook,
    blocks: Vec<DayBlock>,
}

impl Case {
    /// Months of clock changes; plans in one document or two; values and whole days that are missing; two versions.
    fn random(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (zone, text) = random.pick(&[
            ("Europe/London", "2026-03"),
            ("Europe/Berlin", "2026-10"),
            ("Asia/Yekaterinburg", "2024-02"),
            ("Asia/Kolkata", "2026-02"),
        ]);
        let period: Period = text.parse().unwrap();
        let minutes = random.pick(&[5, 15, 30, 60]);
        let contract = contract(zone);
        let zone = &contract.zone;
        let cut = period.first_day().plus(13).unwrap();
        let halves =
            [Validity::new(period.first_day(), Some(cut)), Validity::new(cut, Some(period.end_day()))];
        let halves = halves.map(Result::unwrap);
        let spans = if random.one_in(2) { vec![days(period)] } else { halves.to_vec() };
        let mut market = MarketBook::new();
        for (number, name) in (0..).zip(["up", "down"]) {
            let mut price = |_| i64::try_from(random.below(60_000_000)).unwrap() - 20_000_000;
            market.publish_series(series(1 + number, name, zone, days(period), 60, &mut price)).unwrap();
        }
        // What is used in an hour is like what is planned, so that both sides and no deviation come up.
        let per_hour = 60 / u64::from(minutes);
        for (number, span) in (10..).zip(&spans) {
            let mut wh = |_| i64::try_from(random.below(8) * per_hour).unwrap();
            market.publish_plan(plan(number, "P", zone, *span, &mut wh)).unwrap();
        }
        market.publish_plan(plan(20, "O", zone, days(period), &mut |_| 77)).unwrap();
        let mut blocks =
            blocks(&contract, period, minutes, &mut |_, _| i64::try_from(random.below(8)).unwrap());
        blocks.retain(|_| !random.one_in(15));
        for block in &mut blocks {
            let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
            for (value, quality) in values.iter_mut().zip(&mut qualities) {
                if random.one_in(40) {
                    (*value, *quality) = (0, Quality::Missing);
                } else if random.one_in(40) {
                    *quality = Quality::EstimatedLinear;
                }
            }
            let (key, start, source) = (block.key(), block.start(), block.source());
            *block = DayBlock::from_parts(key, start, minutes, source, values, qualities).unwrap();
        }
        let mut versions = vec![planned()];
        if random.one_in(2) {
            let mut later = planned();
            versions[0].validity = validity(None, Some(cut));
            later.validity = validity(Some(cut), None);
            later.deviation = later.deviation.filter(|_| random.one_in(2));
            versions.push(later);
        }
        Self { period, contract, versions, market, blocks }
    }

    fn bill(&self) -> Bill {
        try_bill(self.versions.clone(), &self.contract, self.period, &self.blocks, &self.market).unwrap()
    }

    /// By version and side: watt-hours and 10^-11, from the hours of the plans and every reading by its instant.
    fn naive(&self) -> BTreeMap<(u8, ChargeKind), (i64, i128)> {
        let mut read: BTreeMap<UtcSeconds, (Day, i64)> = BTreeMap::new();
        let mut minutes = 60;
        for block in &self.blocks {
            minutes = i64::from(block.interval_minutes());
            for at in 0..block.interval_count() {
                if block.qualities()[at] != Quality::Missing {
                    let value = (block.key().day, i64::from(block.values_wh()[at]));
                    read.insert(block.interval_start(at), value);
                }
            }
        }
        let mut found: BTreeMap<(u8, ChargeKind), (i64, i128)> = BTreeMap::new();
        let own = self.market.plans().iter().filter(|plan| plan.body.parts().usage_point.as_str() == "P");
        for plan in own {
            let parts = plan.body.parts();
            for (at, planned) in (0..).zip(&parts.planned_wh) {
                let start = parts.start.plus(at * 3_600);
                let steps = (0..60 / minutes).map(|step| start.plus(step * minutes * 60));
                let values: Option<Vec<(Day, i64)>> = steps.map(|step| read.get(&step).copied()).collect();
                let Some(values) = values else { continue };
                let holds = |parts: &TariffParts| parts.validity.contains(values[0].0);
                let version = self.versions.iter().position(holds).unwrap();
                if self.versions[version].deviation.is_none() {
                    continue;
                }
                let more = values.iter().map(|(_, wh)| wh).sum::<i64>() - planned;
                let (kind, name) = if more > 0 { (ABOVE, "up") } else { (BELOW, "down") };
                let series = self.market.series().iter().find(|one| one.body.parts().id.as_str() == name);
                let place =
                    usize::try_from((start.0 - series.unwrap().body.parts().start.0) / 3_600).unwrap();
                let price = series.unwrap().body.parts().prices[place].as_e8();
                if more != 0 {
                    let sums = found.entry((u8::try_from(version).unwrap(), kind)).or_default();
                    sums.0 += more.abs();
                    sums.1 += i128::from(more.abs()) * i128::from(price);
                }
            }
        }
        found
    }
}

#[test]
fn random_months_equal_the_reference() {
    let mut seen = [0_usize; 3];
    for seed in 0..CASE_COUNT {
        let case = Case::random(seed);
        let bill = case.bill();
        let lines = bill.lines.iter().filter(|line| matches!(line.kind, ChargeKind::Deviation(_)));
        let found: BTreeMap<_, _> =
            lines.map(|line| ((line.version, line.kind), (line.quantity, line.exact.as_e11()))).collect();
        assert_eq!(found, case.naive(), "seed {seed}");
        // The explanation finds the same hours, and they add up to each line.
        let mut tariffs = TariffBook::default();
        for (tag, parts) in (1..).zip(case.versions.clone()) {
            let body = Tariff::new(parts).unwrap();
            tariffs.publish(Published { hash: ContentHash([tag; 32]), body }).unwrap();
        }
        let contracts = std::slice::from_ref(&case.contract);
        let explained = Explained { bill: &bill, contracts, tariffs: &tariffs, market: &case.market };
        for line in &bill.lines {
            let hours = explained.hours(line, &|key| case.blocks.iter().find(|block| block.key() == *key));
            let ChargeKind::Deviation(side) = line.kind else {
                assert_eq!(hours, [], "seed {seed}");
                continue;
            };
            seen[side as usize] += 1;
            let charge = |hour: &tallywatt_core::explain::DeviatingHour<'_>| {
                i128::from(hour.wh()) * i128::from(hour.price.unwrap().as_e8())
            };
            assert!(hours.iter().all(|hour| hour.wh() > 0 && hour.side == side), "seed {seed}");
            assert_eq!(hours.iter().map(|hour| hour.wh()).sum::<i64>(), line.quantity, "seed {seed}");
            assert_eq!(hours.iter().map(charge).sum::<i128>(), line.exact.as_e11(), "seed {seed}");
        }
        let is_plan = |hash: &ContentHash| (10..20).contains(&hash.0[0]);
        seen[2] += usize::from(bill.market.iter().filter(|hash| is_plan(hash)).count() == 2);
        assert!(!bill.market.contains(&ContentHash([20; 32])), "seed {seed}: a plan of another usage point");
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

/// A day in March with a plan of 100 Wh an hour; `used` are the half-hours of its first three hours.
fn hand(
    used: [i64; 6],
    edit: impl Fn(&mut TariffParts, &mut Contract, &mut MarketBook),
) -> Result<Bill, String> {
    let period: Period = "2026-03".parse().unwrap();
    let mut contract = contract("UTC");
    contract.validity =
        Validity::new("2026-03-02".parse().unwrap(), Some("2026-03-03".parse().unwrap())).unwrap();
    let utc = Zone::parse("UTC").unwrap();
    let mut market = MarketBook::new();
    // 2.00 a kilowatt-hour above, then 3.00, 4.00; 0.50 below, then 0.25 less for each hour after: below zero in the end.
    let mut up = |at: i64| (2 + at % 24) * 100_000_000;
    let mut down = |at: i64| 50_000_000 - at % 24 * 25_000_000;
    market.publish_series(series(1, "up", &utc, days(period), 60, &mut up)).unwrap();
    market.publish_series(series(2, "down", &utc, days(period), 60, &mut down)).unwrap();
    let mut parts = planned();
    let mut plan_wh = |at: usize| if at % 24 < 3 { 100 } else { 0 };
    market.publish_plan(plan(3, "P", &utc, days(period), &mut plan_wh)).unwrap();
    edit(&mut parts, &mut contract, &mut market);
    let blocks = blocks(&contract, period, 30, &mut |_, at| used.get(at).copied().unwrap_or(0));
    try_bill(vec![parts], &contract, period, &blocks, &market).map_err(|error| error.to_string())
}

fn lines(bill: &Bill) -> Vec<(ChargeKind, i64, String)> {
    let deviations = bill.lines.iter().filter(|line| matches!(line.kind, ChargeKind::Deviation(_)));
    deviations.map(|line| (line.kind, line.quantity, line.exact.to_string())).collect()
}

/// Half-hours used, and the lines of deviations.
type Hand = ([i64; 6], &'static [(ChargeKind, i64, &'static str)]);

#[test]
fn hours_worked_by_hand() {
    let as_it_is = |_: &mut TariffParts, _: &mut Contract, _: &mut MarketBook| {};
    let table: &[Hand] = &[
        // To the watt-hour.
        ([50, 50, 100, 0, 0, 100], &[]),
        // 1 Wh above at 2.00 a kWh.
        ([50, 51, 100, 0, 0, 100], &[(ABOVE, 1, "0.002")]),
        // 100 above at 2.00, 50 at 4.00: 0.20 + 0.20. One half-hour's excess and the next's lack are one hour.
        ([200, 0, 0, 100, 75, 75], &[(ABOVE, 150, "0.40")]),
        // 100 below at 0.50, 100 at 0.25, 100 at nothing.
        ([0; 6], &[(BELOW, 300, "0.075")]),
        // 30 above at 3.00 an hour after 20 below at 0.50: neither makes up for the other.
        ([80, 0, 130, 0, 100, 0], &[(ABOVE, 30, "0.09"), (BELOW, 20, "0.01")]),
    ];
    for (used, want) in table {
        let want: Vec<_> = want.iter().map(|(kind, wh, exact)| (*kind, *wh, (*exact).to_owned())).collect();
        assert_eq!(lines(&hand(*used, as_it_is).unwrap()), want, "{used:?}");
    }
    // The fourth hour's price below is -0.25: 40 Wh planned and not taken are credited.
    let more = hand([50, 50, 100, 0, 0, 100], |_, _, market| {
        let utc = Zone::parse("UTC").unwrap();
        let period: Period = "2026-03".parse().unwrap();
        let mut other = MarketBook::new();
        for series in market.series() {
            other.publish_series(series.clone()).unwrap();
        }
        let mut wh = |at: usize| match at % 24 {
            0..3 => 100,
            3 => 40,
            _ => 0,
        };
        other.publish_plan(plan(4, "P", &utc, days(period), &mut wh)).unwrap();
        *market = other;
    });
    let more = more.unwrap();
    assert_eq!(lines(&more), [(BELOW, 40, "-0.01".to_owned())]);
    assert_eq!(more.total.to_string(), "-0.01");
    // Why a bill differs: 20 Wh more at the mean price before, and prices apart.
    let before = hand([80, 0, 130, 0, 100, 0], as_it_is).unwrap();
    let after = hand([60, 0, 130, 0, 100, 0], as_it_is).unwrap();
    let tariff = Tariff::new(planned()).unwrap();
    let tariffs = [&tariff];
    let [earlier, later] = [&before, &after].map(|bill| NamedBill { bill, tariffs: &tariffs });
    let terms = change(earlier, later);
    let named: Vec<_> =
        terms.iter().map(|term| (term.charge.as_str(), term.cause, term.amount.to_string())).collect();
    assert_eq!(named, [("below the plan", Cause::Quantity, "0.01".to_owned())]);
}

#[test]
fn reasons_not_to_bill() {
    type Edit = fn(&mut TariffParts, &mut Contract, &mut MarketBook);
    let table: &[(&str, Edit)] = &[
        ("usage point P has no plan for the hour from 2026-03-02T00:00:00Z", |_, _, market| {
            *market = MarketBook::new();
        }),
        ("usage point Q has no plan for the hour from 2026-03-02T00:00:00Z", |_, contract, _| {
            contract.usage_point = label("Q");
        }),
        ("price series north has no price for 2026-03-02T00:00:00Z", |parts, _, _| {
            parts.deviation = parts.deviation.map(|rule| Deviation { above: label("north"), ..rule });
        }),
        ("usage point P: register 1-0:1.8.1 has no plan, only 1-0:1.8.0 has", |_, contract, _| {
            contract.register = Register { flow: Flow::Import, channel: 0, zone: 1 };
        }),
        ("price series up is in EUR, the tariff in USD", |parts, _, _| {
            parts.currency = "USD".parse().unwrap()
        }),
        // Hours of a zone half an hour off are not the plan's.
        ("usage point P has no plan for the hour from 2026-03-01T18:30:00Z", |_, contract, _| {
            contract.zone = Zone::parse("Asia/Kolkata").unwrap();
        }),
    ];
    for (want, edit) in table {
        assert_eq!(hand([200, 0, 100, 0, 100, 0], edit).unwrap_err(), *want);
    }
    // Two prices in an hour of deviation.
    let coarse = hand([200, 0, 100, 0, 100, 0], |_, _, market| {
        let utc = Zone::parse("UTC").unwrap();
        let period: Period = "2026-03".parse().unwrap();
        let mut other = MarketBook::new();
        other.publish_plan(market.plans()[0].clone()).unwrap();
        other.publish_series(series(7, "up", &utc, days(period), 30, &mut |at| at * 1_000)).unwrap();
        *market = other;
    });
    assert!(coarse.unwrap_err().contains("have several prices of series up"));
    // Two plans for one hour; the same plan again is nothing new; another usage point's is no matter.
    let (utc, period) = (Zone::parse("UTC").unwrap(), "2026-03".parse().unwrap());
    let mut market = MarketBook::new();
    let of = |number, point: &str, zone: &Zone| plan(number, point, zone, days(period), &mut |_| 1);
    market.publish_plan(of(1, "P", &utc)).unwrap();
    market.publish_plan(of(1, "P", &utc)).unwrap();
    market.publish_plan(of(2, "O", &utc)).unwrap();
    let twice = market.publish_plan(of(3, "P", &utc)).unwrap_err().to_string();
    assert!(twice.starts_with("plan of P: that from 2026-03-01 until 2026-04-01 overlaps"), "{twice}");
    // April of a zone to the east begins on the last of these hours, though no day is the same.
    let april = Validity::new(period.end_day(), period.end_day().plus(2)).unwrap();
    let east = plan(4, "P", &Zone::parse("Asia/Tokyo").unwrap(), april, &mut |_| 1);
    assert!(market.check_plan(&east).is_err());
    assert_eq!(market.plans().len(), 2);
}

#[test]
fn what_takes_no_deviations() {
    let mut parts = planned();
    assert_eq!(RatePlan::of(&Tariff::new(parts.clone()).unwrap()).unwrap_err(), PlanError::Charges);
    parts.netting = Some(Netting {
        mode: NettingMode::Interval,
        minutes: 0,
        sell: vec![PricePerKwh::default()],
        pools_zones: false,
        settle_month: None,
    });
    assert_eq!(Tariff::new(parts).unwrap_err(), TariffError::DeviationNetting);
}
