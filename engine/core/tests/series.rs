//! Prices by the interval: random months against a reference that prices every interval by itself in decimals, the days
//! of clock changes worked by hand, and every reason not to bill.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::one_point::{blocks, contract, parts, try_bill, window};
use common::{Random, label};
use rust_decimal::Decimal;
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::bill_change::{NamedBill, change};
use tallywatt_core::calendar::{Day, Period, UtcSeconds, Zone};
use tallywatt_core::columns::{PlanError, RatePlan};
use tallywatt_core::contract::Contract;
use tallywatt_core::explain::Explained;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::price_series::{PriceSeries, PriceSeriesError, PriceSeriesParts, series_grid};
use tallywatt_core::tariff::{Range, RangeKind, SeriesPrice, Tariff, TariffBook, TariffParts, TariffZone};
use tallywatt_core::validity::Validity;

const CASE_COUNT: u64 = 150;

fn e8(price: i64) -> PricePerKwh {
    PricePerKwh::from_e8(price)
}

/// A series of some days, as `price` says for each of its intervals.
fn series(
    name: &str,
    zone: &str,
    days: (Day, Day),
    minutes: u8,
    price: &mut dyn FnMut(UtcSeconds) -> PricePerKwh,
) -> PriceSeriesParts {
    let zone = Zone::parse(zone).unwrap();
    let validity = Validity::new(days.0, Some(days.1)).unwrap();
    let grid = series_grid(&zone, validity, minutes).unwrap();
    let starts = (0..grid.count).map(|at| grid.start.plus(at * i64::from(minutes) * 60));
    PriceSeriesParts {
        id: label(name),
        title: name.into(),
        source: "made up".into(),
        currency: "EUR".parse().unwrap(),
        validity,
        prices: starts.map(price).collect(),
        zone,
        minutes,
        start: grid.start,
    }
}

fn published(number: u8, parts: PriceSeriesParts) -> Published<PriceSeries> {
    Published { hash: ContentHash([number; 32]), body: PriceSeries::new(parts).unwrap() }
}

fn price_of(range: u8, zone: u8, name: &str, times: i64, plus: i64) -> SeriesPrice {
    SeriesPrice { range, zone, series: label(name), times_e6: times, plus: e8(plus) }
}

/// One range, one zone, priced by the series `x`.
fn hourly() -> TariffParts {
    let mut parts = parts(RangeKind::Graduated, vec![Range::plain(None, vec![e8(0)])]);
    parts.series = vec![price_of(0, 0, "x", 1_000_000, 0)];
    parts
}

fn month(text: &str) -> (Period, (Day, Day)) {
    let period: Period = text.parse().unwrap();
    (period, (period.first_day(), period.end_day()))
}

struct Case {
    period: Period,
    contract: Contract,
    tariff: TariffParts,
    market: MarketBook,
    blocks: Vec<tallywatt_core::day_block::DayBlock>,
}

impl Case {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (zone, text) = random.pick(&[
            ("Europe/London", "2026-03"),
            ("Europe/London", "2026-10"),
            ("Europe/Berlin", "2026-03"),
            ("Europe/Berlin", "2026-10"),
            ("Asia/Yekaterinburg", "2024-02"),
        ]);
        let (period, days) = month(text);
        let contract = contract(zone);
        let (series_minutes, minutes) =
            random.pick(&[(15, 15), (30, 15), (30, 30), (60, 15), (60, 5), (60, 60)]);
        // The month's prices in one document, or in two that follow each other.
        let cut = period.first_day().plus(13).unwrap();
        let spans = if random.one_in(2) { vec![days] } else { vec![(days.0, cut), (cut, days.1)] };
        let mut market = MarketBook::new();
        for (number, name) in (0..).zip(["x", "y"]) {
            for (part, span) in (0..).zip(&spans) {
                let mut price = |_| e8(i64::try_from(random.below(60_000_000)).unwrap() - 20_000_000);
                let parts = series(name, zone, *span, series_minutes, &mut price);
                market.publish_series(published(1 + number * 2 + part, parts)).unwrap();
            }
        }
        let every = |from: u16, to: u16| window(from * 60, to * 60);
        let mut tariff = parts(RangeKind::Graduated, Vec::new());
        tariff.zones = vec![
            TariffZone { name: label("day"), windows: vec![every(7, 23)] },
            TariffZone { name: label("night"), windows: vec![every(23, 7)] },
        ];
        let fixed = |random: &mut Random| e8(i64::try_from(random.below(900_000)).unwrap());
        let second = random.one_in(2);
        let bound = second.then(|| 5_000 + i64::try_from(random.below(40_000)).unwrap());
        tariff.ranges = vec![Range::plain(bound, vec![fixed(&mut random), e8(0)])];
        let times = |random: &mut Random| 1 + i64::try_from(random.below(2_000_000)).unwrap();
        let plus = |random: &mut Random| i64::try_from(random.below(20_000_000)).unwrap() - 10_000_000;
        tariff.series = vec![price_of(0, 1, "x", times(&mut random), plus(&mut random))];
        if second {
            tariff.ranges.push(Range::plain(None, vec![e8(0), e8(0)]));
            tariff.series.push(price_of(1, 0, "y", times(&mut random), plus(&mut random)));
            tariff.series.push(price_of(1, 1, "x", times(&mut random), plus(&mut random)));
        }
        let mut used = |_: Day, _: usize| i64::try_from(random.below(120)).unwrap() - 20;
        let blocks = blocks(&contract, period, minutes, &mut |day, at| used(day, at).max(0));
        Self { period, contract, tariff, market, blocks }
    }

    fn bill(&self) -> Bill {
        try_bill(vec![self.tariff.clone()], &self.contract, self.period, &self.blocks, &self.market).unwrap()
    }

    /// Range and zone to energy and its exact price, watt-hour by watt-hour.
    fn naive(&self) -> std::collections::BTreeMap<(u8, u8), (i64, Decimal)> {
        let mut found = std::collections::BTreeMap::new();
        let mut used_wh = 0;
        for block in &self.blocks {
            for (at, &wh) in block.values_wh().iter().enumerate() {
                let start = block.interval_start(at);
                let minute = self.contract.zone.wall_minute(start);
                let zone = u8::from(!(7 * 60..23 * 60).contains(&minute));
                for _ in 0..wh {
                    let is_first = self.tariff.ranges[0].up_to_wh.is_none_or(|bound| used_wh < bound);
                    let range = u8::from(!is_first);
                    let by_series =
                        self.tariff.series.iter().find(|price| (price.range, price.zone) == (range, zone));
                    let price = match by_series {
                        Some(price) => {
                            let hit = self.market.series().iter().find(|known| {
                                let parts = known.body.parts();
                                parts.id == price.series && parts.start <= start && start < known.body.end()
                            });
                            let hit = hit.unwrap().body.parts();
                            let place = (start.0 - hit.start.0) / (i64::from(hit.minutes) * 60);
                            let own = hit.prices[usize::try_from(place).unwrap()];
                            Decimal::new(own.as_e8(), 8) * Decimal::new(price.times_e6, 6)
                                + Decimal::new(price.plus.as_e8(), 8)
                        }
                        None => {
                            let prices = &self.tariff.ranges[usize::from(range)].prices;
                            Decimal::new(prices[usize::from(zone)].as_e8(), 8)
                        }
                    };
                    let sum = found.entry((range, zone)).or_insert((0, Decimal::ZERO));
                    *sum = (sum.0 + 1, sum.1 + price / Decimal::from(1_000));
                    used_wh += 1;
                }
            }
        }
        found
    }
}

#[test]
fn equals_the_naive_reference() {
    let (mut below_zero, mut in_second) = (0, 0);
    for seed in 0..CASE_COUNT {
        let case = Case::random(seed);
        let bill = case.bill();
        let naive = case.naive();
        let mut got = std::collections::BTreeMap::new();
        for line in &bill.lines {
            let (ChargeKind::Energy { range, zone } | ChargeKind::Series { range, zone }) = line.kind else {
                panic!("seed {seed}: {line:?}")
            };
            let is_series = case.tariff.series_of(range, zone).is_some();
            assert_eq!(matches!(line.kind, ChargeKind::Series { .. }), is_series, "seed {seed}");
            got.insert((range, zone), (line.quantity, line.exact.as_e11()));
            in_second += u64::from(range == 1);
        }
        let cut = |exact: Decimal| {
            let e11 = exact.trunc_with_scale(11) * Decimal::from(10_i64.pow(11));
            i128::try_from(e11).unwrap()
        };
        let want = naive.into_iter().map(|(place, (wh, exact))| (place, (wh, cut(exact)))).collect();
        assert_eq!(got, want, "seed {seed}");
        let hashes: Vec<ContentHash> = case.market.series().iter().map(|known| known.hash).collect();
        assert!(!bill.market.is_empty() && bill.market.is_sorted(), "seed {seed}");
        assert!(bill.market.iter().all(|hash| hashes.contains(hash)), "seed {seed}");
        below_zero += u64::from(bill.lines.iter().any(|line| line.exact.as_e11() < 0));
    }
    assert!(below_zero > 20 && in_second > 30, "{below_zero} {in_second}");
}

/// Intervals with their prices come to the line.
#[test]
fn explained_intervals_come_to_the_line() {
    for seed in 0..30 {
        let mut case = Case::random(seed);
        case.tariff.ranges.truncate(1);
        case.tariff.ranges[0].up_to_wh = None;
        case.tariff.series.truncate(1);
        let bill = case.bill();
        let mut tariffs = TariffBook::default();
        let body = Tariff::new(case.tariff.clone()).unwrap();
        tariffs.publish(Published { hash: ContentHash([1; 32]), body }).unwrap();
        let contracts = std::slice::from_ref(&case.contract);
        let explained = Explained { bill: &bill, contracts, tariffs: &tariffs, market: &case.market };
        let find = |key: &_| case.blocks.iter().find(|block| block.key() == *key);
        for line in &bill.lines {
            let intervals = explained.intervals(line, &find);
            let sum_wh: i64 = intervals.iter().map(|one| i64::from(one.energy_wh)).sum();
            assert_eq!(sum_wh, line.quantity, "seed {seed}");
            if matches!(line.kind, ChargeKind::Series { .. }) {
                let priced =
                    intervals.iter().map(|one| one.price.unwrap().as_e14() * i128::from(one.energy_wh));
                assert_eq!(priced.sum::<i128>() / 1_000_000, line.exact.as_e11(), "seed {seed}");
            } else {
                assert!(intervals.iter().all(|one| one.price.is_none()), "seed {seed}");
            }
        }
    }
}

#[test]
fn changes_between_series_bills_add_up() {
    let cases: Vec<Case> = (0..30).map(Case::random).collect();
    let bills: Vec<Bill> = cases.iter().map(Case::bill).collect();
    let tariffs: Vec<Tariff> = cases.iter().map(|case| Tariff::new(case.tariff.clone()).unwrap()).collect();
    let versions: Vec<[&Tariff; 1]> = tariffs.iter().map(|tariff| [tariff]).collect();
    for (a, b) in (0..cases.len()).flat_map(|a| (0..cases.len()).map(move |b| (a, b))) {
        let named = |at: usize| NamedBill { bill: &bills[at], tariffs: &versions[at] };
        let terms = change(named(a), named(b));
        let sum: i128 = terms.iter().map(|term| term.amount.as_e11()).sum();
        let difference = bills[b].total.as_minor() - bills[a].total.as_minor();
        assert_eq!(sum, i128::from(difference) * 1_000_000_000, "seeds {a} and {b}");
        assert!(a != b || terms.is_empty(), "seed {a}");
    }
}

/// Local days of clock changes: prices by the instant, each hour at its own, the repeated hour twice.
#[test]
fn clock_changes_shift_no_price() {
    // Zone, month, day of the change; Wh in the interval of this number and no other, its UTC start; the price is the
    // hour of UTC in cents.
    let table = [
        // London springs forward at 01:00 UTC: the second hour of the day is 01:00 UTC, 02:00 on the wall.
        ("Europe/London", "2026-03", "2026-03-29", 0, "2026-03-29T00:00:00Z", "0.00"),
        ("Europe/London", "2026-03", "2026-03-29", 1, "2026-03-29T01:00:00Z", "0.01"),
        ("Europe/London", "2026-03", "2026-03-29", 22, "2026-03-29T22:00:00Z", "0.22"),
        ("Europe/London", "2026-03", "2026-03-30", 0, "2026-03-29T23:00:00Z", "0.23"),
        // It falls back at 01:00 UTC: 01:00 on the wall comes twice, at 00:00 and 01:00 UTC.
        ("Europe/London", "2026-10", "2026-10-25", 0, "2026-10-24T23:00:00Z", "0.23"),
        ("Europe/London", "2026-10", "2026-10-25", 1, "2026-10-25T00:00:00Z", "0.00"),
        ("Europe/London", "2026-10", "2026-10-25", 2, "2026-10-25T01:00:00Z", "0.01"),
        ("Europe/London", "2026-10", "2026-10-25", 24, "2026-10-25T23:00:00Z", "0.23"),
        // Berlin an hour of the wall later, at the same instants.
        ("Europe/Berlin", "2026-03", "2026-03-29", 0, "2026-03-28T23:00:00Z", "0.23"),
        ("Europe/Berlin", "2026-03", "2026-03-29", 2, "2026-03-29T01:00:00Z", "0.01"),
        ("Europe/Berlin", "2026-03", "2026-03-29", 22, "2026-03-29T21:00:00Z", "0.21"),
        ("Europe/Berlin", "2026-10", "2026-10-25", 2, "2026-10-25T00:00:00Z", "0.00"),
        ("Europe/Berlin", "2026-10", "2026-10-25", 3, "2026-10-25T01:00:00Z", "0.01"),
        ("Europe/Berlin", "2026-10", "2026-10-25", 24, "2026-10-25T22:00:00Z", "0.22"),
        // A leap day.
        ("Europe/Berlin", "2028-02", "2028-02-29", 23, "2028-02-29T22:00:00Z", "0.22"),
    ];
    for (zone, text, on, number, start, want) in table {
        let (period, days) = month(text);
        let contract = contract(zone);
        let cents = |at: UtcSeconds| e8(at.0.rem_euclid(86_400) / 3_600 * 1_000_000);
        let mut market = MarketBook::new();
        market.publish_series(published(1, series("x", zone, days, 60, &mut |at| cents(at)))).unwrap();
        let on: Day = on.parse().unwrap();
        for minutes in [60, 30, 15] {
            let per_hour = usize::from(60 / minutes);
            let blocks = blocks(&contract, period, minutes, &mut |day, at| {
                if day == on && at / per_hour == number {
                    1_000 / i64::try_from(per_hour).unwrap()
                } else {
                    0
                }
            });
            let block = blocks.iter().find(|block| block.key().day == on).unwrap();
            assert_eq!(block.interval_start(number * per_hour).to_string(), start);
            let bill = try_bill(vec![hourly()], &contract, period, &blocks, &market).unwrap();
            assert_eq!(bill.exact_total().to_string(), want, "{zone} {on} hour {number} by {minutes} min");
            assert_eq!(bill.lines[0].quantity, 1_000);
        }
    }
}

/// What is read over several prices is billed only if they are equal.
#[test]
fn coarser_readings() {
    let (period, days) = month("2026-02");
    let contract = contract("UTC");
    let blocks = blocks(&contract, period, 60, &mut |day, at| {
        i64::from(day == days.0.plus(4).unwrap() && at == 10) * 1_500
    });
    // Prices of the two halves of every hour, and what comes of it.
    for (first, second, want) in [
        (10_000_000, 10_000_000, "0.15"),
        (-3_000_000, -3_000_000, "-0.045"),
        (
            10_000_000,
            10_000_001,
            "usage point P: its 60 minutes from 2026-02-05T10:00:00Z have several prices of series x",
        ),
    ] {
        let mut price = |at: UtcSeconds| e8(if at.0 % 3_600 == 0 { first } else { second });
        let mut market = MarketBook::new();
        market.publish_series(published(1, series("x", "UTC", days, 30, &mut price))).unwrap();
        let got = try_bill(vec![hourly()], &contract, period, &blocks, &market);
        let got = got.map_or_else(|error| error.to_string(), |bill| bill.exact_total().to_string());
        assert_eq!(got, want, "{first} and {second}");
    }
}

#[test]
fn without_a_price_there_is_no_bill() {
    let (period, days) = month("2026-02");
    let contract = contract("Europe/Berlin");
    let used = |number: i32, hour: usize| {
        blocks(&contract, period, 60, &mut |day, at| {
            i64::from(day == days.0.plus(number).unwrap() && at == hour) * 500
        })
    };
    let some = |name: &str, to: i32, currency: &str| {
        let to = days.0.plus(to).unwrap();
        let mut parts = series(name, "Europe/Berlin", (days.0, to), 60, &mut |_| e8(10_000_000));
        parts.currency = currency.parse().unwrap();
        let mut market = MarketBook::new();
        market.publish_series(published(1, parts)).unwrap();
        market
    };
    let none = "price series x has no price for 2026-02-11T22:00:00Z";
    let table = [
        (some("x", 28, "EUR"), "0.05"),
        // The day before has its prices, and the energy is of the last hour of the 11th.
        (some("x", 11, "EUR"), "0.05"),
        (some("x", 10, "EUR"), none),
        (some("y", 28, "EUR"), none),
        (MarketBook::new(), none),
        (some("x", 28, "SEK"), "price series x is in SEK, the tariff in EUR"),
    ];
    for (market, want) in table {
        let got = try_bill(vec![hourly()], &contract, period, &used(10, 23), &market);
        let got = got.map_or_else(|error| error.to_string(), |bill| bill.exact_total().to_string());
        assert_eq!(got, want);
    }
    // Where nothing is used no price is missed, and no document is named.
    let idle = blocks(&contract, period, 60, &mut |_, _| 0);
    let bill = try_bill(vec![hourly()], &contract, period, &idle, &MarketBook::new()).unwrap();
    assert!(bill.lines.is_empty() && bill.market.is_empty());
}

#[test]
fn series_of_one_name_follow_each_other() {
    let (_, days) = month("2026-03");
    let cut = days.0.plus(14).unwrap();
    let of = |zone: &str, span| series("x", zone, span, 60, &mut |_| e8(1));
    let mut market = MarketBook::new();
    market.publish_series(published(1, of("Europe/Berlin", (cut, days.1)))).unwrap();
    market.publish_series(published(2, of("Europe/Berlin", (days.0, cut)))).unwrap();
    market.publish_series(published(2, of("Europe/Berlin", (days.0, cut)))).unwrap();
    let error = market.publish_series(published(3, of("Europe/Berlin", (days.0, days.1)))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "price series x: that from 2026-03-01 until 2026-04-01 overlaps that from 2026-03-01 until 2026-03-15 already published"
    );
    // The days of London begin an hour later: its first day after the last of Berlin is apart, the last before is not.
    let next = (days.1, days.1.plus(1).unwrap());
    assert!(market.publish_series(published(4, of("Europe/London", next))).is_ok());
    let before = (days.0.plus(-1).unwrap(), days.0);
    assert!(market.publish_series(published(5, of("Europe/London", before))).is_err());
}

#[test]
fn parts_that_make_no_series() {
    let (_, days) = month("2026-03");
    let good = || series("x", "Europe/Berlin", days, 15, &mut |_| e8(1));
    assert_eq!(good().prices.len(), 2_972);
    let fault = |change: &dyn Fn(&mut PriceSeriesParts)| {
        let mut parts = good();
        change(&mut parts);
        PriceSeries::new(parts).map_or_else(|error: PriceSeriesError| error.to_string(), |_| "ok".into())
    };
    type Change<'c> = &'c dyn Fn(&mut PriceSeriesParts);
    let table: &[(Change<'_>, &str)] = &[
        (&|_| {}, "ok"),
        (&|parts| parts.minutes = 20, "intervals of 20 minutes, need 15, 30 or 60"),
        (&|parts| parts.minutes = 5, "intervals of 5 minutes, need 15, 30 or 60"),
        (&|parts| parts.minutes = 30, "2972 prices, the days have 1486 intervals"),
        (&|parts| _ = parts.prices.pop(), "2971 prices, the days have 2972 intervals"),
        (&|parts| parts.prices.push(e8(1)), "2973 prices, the days have 2972 intervals"),
        (
            &|parts| parts.start = parts.start.plus(3_600),
            "the first price is of 2026-03-01T00:00:00Z, 2026-02-28T23:00:00Z begins the first day",
        ),
        (
            &|parts| parts.validity = Validity::new(parts.validity.from(), None).unwrap(),
            "a price series needs valid_to: it has prices for so many days and no more",
        ),
        (
            &|parts| {
                let to = parts.validity.from().plus(367);
                parts.validity = Validity::new(parts.validity.from(), to).unwrap();
            },
            "35232 prices, at most 35136",
        ),
        (&|parts| parts.title = "\n".into(), "title is longer than 240 bytes or has control characters"),
        (
            &|parts| parts.source = "x".repeat(241),
            "source is longer than 240 bytes or has control characters",
        ),
    ];
    for (row, (change, want)) in table.iter().enumerate() {
        assert_eq!(fault(change), *want, "row {row}");
    }
}

#[test]
fn what_a_tariff_cannot_say_of_a_series() {
    type Change<'c> = &'c dyn Fn(&mut TariffParts);
    let second = |parts: &mut TariffParts| {
        parts.ranges[0].up_to_wh = Some(10);
        parts.ranges.push(Range::plain(None, vec![e8(5)]));
    };
    let place =
        "series price of range 1: once for each of its zones, in order, without another price or packages";
    let order = "series prices in several ranges need ranges that are graduated and counted in order of time, by month or day";
    let table: &[(Change<'_>, &str)] = &[
        (&|_| {}, "ok"),
        (&|parts| parts.series[0].times_e6 = 0, "series x times 0 millionths, need 1 to 1000000000"),
        (
            &|parts| parts.series[0].times_e6 = 1_000_000_001,
            "series x times 1000000001 millionths, need 1 to 1000000000",
        ),
        (&|parts| parts.series[0].zone = 1, place),
        (&|parts| parts.series.push(parts.series[0]), place),
        (&|parts| parts.ranges[0].prices[0] = e8(1), place),
        (&|parts| parts.series[0].plus = e8(-1), "ok"),
        (&second, "ok"),
        (
            &|parts| {
                second(parts);
                parts.range_rule.kind = RangeKind::Volume;
            },
            order,
        ),
        (&|parts| parts.range_rule.kind = RangeKind::Volume, "ok"),
    ];
    for (row, (change, want)) in table.iter().enumerate() {
        let mut parts = hourly();
        change(&mut parts);
        let got = Tariff::new(parts).map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(got, *want, "row {row}");
    }
    // Sums do not keep when energy was used: such a tariff is billed by documents only.
    assert_eq!(RatePlan::of(&Tariff::new(hourly()).unwrap()), Err(PlanError::Charges));
    assert_eq!(hourly().series[0].to_string(), "x");
    assert_eq!(price_of(0, 0, "se3", 1_062_500, -4_000_000).to_string(), "se3 × 1.0625 − 0.04");
}
