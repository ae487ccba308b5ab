//! Power that is a mean: random months against a reference that walks the days in decimals, and cases worked by hand.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::one_point::{blocks, contract, parts, try_bill, window};
use common::{Random, label, validity};
use rust_decimal::{Decimal, RoundingStrategy};
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::calendar::{Day, Period, UtcSeconds, WallTime, Zone};
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::hour_list::{HourList, HourListParts, HourNeed};
use tallywatt_core::market::MarketBook;
use tallywatt_core::tariff::{
    DayKind, DemandCharge, DemandMeasure, DemandRange, Range, RangeKind, TariffParts, Window,
};
use tallywatt_core::validity::Validity;

const CASE_COUNT: u64 = 200;

fn charge(name: &str, minutes: u8, windows: Vec<Window>, measure: DemandMeasure) -> DemandCharge {
    let ranges = vec![DemandRange { up_to_w: None, price: "10".parse().unwrap() }];
    DemandCharge { name: label(name), windows, minutes, ranges, measure }
}

fn at_hours() -> DemandMeasure {
    DemandMeasure::MeanAtPublishedHours(label("h"))
}

fn tariff(holidays: &[&str], demands: Vec<DemandCharge>) -> TariffParts {
    let mut parts = parts(RangeKind::Graduated, vec![Range::plain(None, vec!["0".parse().unwrap()])]);
    parts.holidays = holidays.iter().map(|day| day.parse().unwrap()).collect();
    parts.demands = demands;
    parts
}

/// A list of hours of the wall, given as (day, hour).
fn hours(zone: &str, days: (Day, Day), each: HourNeed, at: &[(Day, u32)]) -> MarketBook {
    let zone = Zone::parse(zone).unwrap();
    let start = |(day, hour): &(Day, u32)| match zone.resolve(*day, hour * 3_600) {
        WallTime::Once(start) | WallTime::Twice(start, _) => start,
        WallTime::Never => panic!("{hour} of {day}"),
    };
    let body = HourList::new(HourListParts {
        id: label("h"),
        title: "h".into(),
        source: "made up".into(),
        validity: Validity::new(days.0, Some(days.1)).unwrap(),
        each,
        starts: at.iter().map(start).collect(),
        zone,
    });
    let mut market = MarketBook::new();
    market.publish_hours(Published { hash: ContentHash([8; 32]), body: body.unwrap() }).unwrap();
    market
}

/// What a charge comes to, W; `None` if the bill has no line of it.
fn watts(bill: &Bill, number: u8) -> Option<i64> {
    let own = |kind| matches!(kind, ChargeKind::Demand { charge, .. } if charge == number);
    bill.lines.iter().find(|line| own(line.kind)).map(|line| line.quantity)
}

fn is_working(day: Day, holidays: &[Day]) -> bool {
    !day.is_weekend() && !holidays.contains(&day)
}

fn mean(found: &[i64]) -> Option<i64> {
    let sum: i64 = found.iter().sum();
    let mean = Decimal::from(sum) / Decimal::from(found.len().max(1));
    let whole = mean.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    (!found.is_empty() && !whole.is_zero()).then(|| i64::try_from(whole).unwrap())
}

/// The energy of an instant's hour, minute by minute of the readings.
fn hour_of(blocks: &[DayBlock], start: UtcSeconds) -> i64 {
    let mut wh = 0;
    for block in blocks {
        for at in 0..block.interval_count() {
            if (start.0..start.0 + 3_600).contains(&block.interval_start(at).0) {
                wh += i64::from(block.values_wh()[at]);
            }
        }
    }
    wh
}

#[test]
fn equals_the_naive_reference() {
    let (mut daily, mut hourly) = (0, 0);
    for seed in 0..CASE_COUNT {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (zone, text) = random.pick(&[
            ("Europe/Berlin", "2026-03"),
            ("Europe/Berlin", "2026-10"),
            ("Asia/Yekaterinburg", "2028-02"),
            ("UTC", "2026-05"),
        ]);
        let period: Period = text.parse().unwrap();
        let mut contract = contract(zone);
        let from = random.one_in(2).then(|| period.first_day().plus(11).unwrap());
        contract.validity = validity(from, None);
        let minutes = random.pick(&[15, 30, 60]);
        let blocks =
            blocks(&contract, period, minutes, &mut |_, _| i64::try_from(random.below(900)).unwrap());
        // Now and then a day is not read.
        let blocks: Vec<DayBlock> = blocks.into_iter().filter(|_| !random.one_in(12)).collect();
        let holiday = period.first_day().plus(3).unwrap();
        let windows = random.pick(&[
            vec![window(0, 1_440)],
            vec![window(8 * 60, 11 * 60), window(17 * 60, 21 * 60)],
            vec![window(22 * 60, 2 * 60)],
        ]);
        let stretch = random.pick(&[15, 30, 60]);
        let demands = vec![
            charge("grid", stretch, windows.clone(), DemandMeasure::MeanOfDailyHighest),
            charge("capacity", 60, windows.clone(), at_hours()),
        ];
        let tariff = tariff(&[&holiday.to_string()], demands);
        // An hour of each working day, and of some others.
        let mut at = Vec::new();
        for day in period.days() {
            if is_working(day, &[holiday]) || random.one_in(3) {
                at.push((day, 4 + u32::try_from(random.below(18)).unwrap()));
            }
        }
        let market = hours(zone, (period.first_day(), period.end_day()), HourNeed::WorkingDay, &at);
        let bill = try_bill(vec![tariff], &contract, period, &blocks, &market).unwrap();

        let holds = |start: UtcSeconds| {
            let minute = contract.zone.wall_minute(start);
            windows.iter().any(|window| {
                let (from, to) = (window.from_minute, window.to_minute);
                if from < to { from <= minute && minute < to } else { minute >= from || minute < to }
            })
        };
        let mut highest = Vec::new();
        for block in blocks.iter().filter(|block| is_working(block.key().day, &[holiday])) {
            let length = usize::from(stretch.max(minutes) / minutes);
            let stretches = (0..block.interval_count()).step_by(length);
            let powers = stretches.filter(|at| holds(block.interval_start(*at))).map(|at| {
                let wh: i64 = block.values_wh()[at..].iter().take(length).map(|&wh| i64::from(wh)).sum();
                wh * 60 / i64::from(stretch.max(minutes))
            });
            highest.extend(powers.max());
        }
        assert_eq!(watts(&bill, 0), mean(&highest), "seed {seed}: daily");
        let is_read = |day: Day| blocks.iter().any(|block| block.key().day == day);
        let starts = at.iter().filter(|(day, _)| is_read(*day)).map(|(day, hour)| {
            match contract.zone.resolve(*day, hour * 3_600) {
                WallTime::Once(start) | WallTime::Twice(start, _) => start,
                WallTime::Never => panic!("{hour} of {day}"),
            }
        });
        let found: Vec<i64> =
            starts.filter(|start| holds(*start)).map(|start| hour_of(&blocks, start)).collect();
        assert_eq!(watts(&bill, 1), mean(&found), "seed {seed}: at hours");
        daily += usize::from(!highest.is_empty());
        hourly += usize::from(!found.is_empty());
        assert_eq!(bill.market, [ContentHash([8; 32])], "seed {seed}");
    }
    assert!(daily > 150 && hourly > 100, "{daily} {hourly}");
}

/// A week of February 2026, Monday the 2nd to Sunday the 8th, in hours; all else is not held.
fn week(used: &[(i32, usize, i64)]) -> (tallywatt_core::contract::Contract, Period, Vec<DayBlock>) {
    let period: Period = "2026-02".parse().unwrap();
    let mut contract = contract("UTC");
    contract.validity = validity(Some("2026-02-02".parse().unwrap()), Some("2026-02-09".parse().unwrap()));
    let blocks = blocks(&contract, period, 60, &mut |day, at| {
        let number = day.since(period.first_day()) + 1;
        used.iter().filter(|(on, hour, _)| (*on, *hour) == (number, at)).map(|(.., wh)| wh).sum()
    });
    (contract, period, blocks)
}

fn day(number: i32) -> Day {
    "2026-02-01".parse::<Day>().unwrap().plus(number - 1).unwrap()
}

#[test]
fn means_of_daily_highest() {
    // Power on (day, hour, W), holidays, and the mean: of five working days, or fewer with holidays.
    type Row<'r> = (&'r [(i32, usize, i64)], &'r [&'r str], Option<i64>);
    let table: &[Row<'_>] = &[
        (&[(2, 9, 1_000), (3, 9, 2_000), (4, 9, 3_000), (5, 9, 4_000), (6, 9, 5_000)], &[], Some(3_000)),
        // The highest of each day, not of the month.
        (&[(2, 9, 5_000), (2, 10, 5_000), (3, 9, 5_000)], &[], Some(2_000)),
        // Of the weekend nothing counts.
        (&[(7, 9, 9_000), (8, 9, 9_000), (2, 9, 5_000)], &[], Some(1_000)),
        (&[(7, 9, 9_000)], &[], None),
        // Nor of a holiday: four days are left.
        (&[(2, 9, 8_000), (3, 9, 4_000)], &["2026-02-02"], Some(1_000)),
        // Outside the window nothing counts.
        (&[(2, 22, 9_000), (3, 9, 5)], &[], Some(1)),
        // 12 W over five days are 2.4, 13 W 2.6: half up to whole watts.
        (&[(2, 9, 12)], &[], Some(2)),
        (&[(2, 9, 13)], &[], Some(3)),
        (&[(2, 9, 2)], &["2026-02-03"], Some(1)),
        (&[(2, 9, 1)], &[], None),
    ];
    for (used, holidays, want) in table {
        let (contract, period, blocks) = week(used);
        let windows = vec![window(8 * 60, 20 * 60)];
        let tariff = tariff(holidays, vec![charge("g", 60, windows, DemandMeasure::MeanOfDailyHighest)]);
        let bill = try_bill(vec![tariff], &contract, period, &blocks, &MarketBook::new()).unwrap();
        assert_eq!(watts(&bill, 0), *want, "{used:?} {holidays:?}");
    }
}

#[test]
fn means_at_published_hours() {
    let all: Vec<(Day, u32)> = (2..=6).map(|number| (day(number), 9)).collect();
    let and = |more: &[(i32, u32)], less: &[i32]| {
        let kept = all.iter().filter(|(on, _)| !less.iter().any(|number| day(*number) == *on)).copied();
        let mut at: Vec<(Day, u32)> =
            kept.chain(more.iter().map(|(number, hour)| (day(*number), *hour))).collect();
        at.sort_unstable();
        at
    };
    let used = &[(2, 9, 1_000), (3, 9, 2_000), (6, 9, 4_000), (6, 10, 90_000), (7, 9, 500)];
    // What is published, what it has an hour for, holidays, and the mean or why there is none.
    type Row<'r> = (Vec<(Day, u32)>, HourNeed, &'r [&'r str], &'r str);
    let table: &[Row<'_>] = &[
        (and(&[], &[]), HourNeed::WorkingDay, &[], "1400"),
        // A second hour of a day, and one of a Saturday, count too.
        (and(&[(6, 10)], &[]), HourNeed::WorkingDay, &[], "16167"), // 97000 / 6 = 16166.67
        (and(&[(7, 9)], &[]), HourNeed::WorkingDay, &[], "1250"),
        // Hours of days that are not held count nothing.
        (and(&[(20, 9)], &[]), HourNeed::WorkingDay, &[], "1400"),
        (and(&[], &[4]), HourNeed::WorkingDay, &[], "list of hours h has no hour for 2026-02-04"),
        (and(&[], &[4]), HourNeed::WorkingDay, &["2026-02-04"], "1750"),
        (and(&[], &[4]), HourNeed::Month, &[], "1750"),
        (vec![(day(6), 10)], HourNeed::Month, &[], "90000"),
        (vec![(day(25), 10)], HourNeed::Month, &[], "none"),
    ];
    for (at, each, holidays, want) in table {
        let (contract, period, blocks) = week(used);
        let market = hours("UTC", (period.first_day(), period.end_day()), *each, at);
        let tariff = tariff(holidays, vec![charge("c", 60, vec![window(0, 1_440)], at_hours())]);
        let got = match try_bill(vec![tariff], &contract, period, &blocks, &market) {
            Ok(bill) => watts(&bill, 0).map_or("none".to_owned(), |w| w.to_string()),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, *want, "{at:?} {each:?} {holidays:?}");
    }
}

#[test]
fn hours_that_nobody_can_tell() {
    let (contract, period, blocks) = week(&[(2, 9, 1_000)]);
    let demands = || vec![charge("c", 60, vec![window(0, 1_440)], at_hours())];
    let bill = |market: &MarketBook| {
        try_bill(vec![tariff(&[], demands())], &contract, period, &blocks, market).unwrap_err().to_string()
    };
    assert_eq!(bill(&MarketBook::new()), "list of hours h has no hour for 2026-02-02");
    // Published until the 6th only.
    let at: Vec<(Day, u32)> = (2..=5).map(|number| (day(number), 9)).collect();
    let short = hours("UTC", (day(1), day(6)), HourNeed::WorkingDay, &at);
    assert_eq!(bill(&short), "list of hours h has no hour for 2026-02-06");
    // An hour that begins within the hours of the readings.
    let at: Vec<(Day, u32)> = (2..=6).map(|number| (day(number), 9)).collect();
    let half = hours("+05:30", (day(1), day(28)), HourNeed::WorkingDay, &at);
    assert_eq!(bill(&half), "the intervals of usage point P do not tell the hour from 2026-02-02T03:30:00Z");
}

/// A mean is charged whole by the version of the last day that went into it.
#[test]
fn a_new_version_in_mid_month() {
    let (contract, period, blocks) = week(&[(2, 9, 5_000), (6, 9, 5_000)]);
    let version = |price: &str, from: Option<i32>, to: Option<i32>| {
        let windows = vec![Window { days: DayKind::Weekday, ..window(0, 1_440) }];
        let mut parts = tariff(&[], vec![charge("g", 60, windows, DemandMeasure::MeanOfDailyHighest)]);
        parts.demands[0].ranges[0].price = price.parse().unwrap();
        TariffParts { validity: validity(from.map(day), to.map(day)), ..parts }
    };
    for (change, want) in [(5, "40.00"), (6, "40.00"), (7, "20.00"), (8, "20.00")] {
        let versions = vec![version("10", None, Some(change)), version("20", Some(change), None)];
        let bill = try_bill(versions, &contract, period, &blocks, &MarketBook::new()).unwrap();
        assert_eq!(bill.exact_total().to_string(), want, "changed on the {change}th");
    }
}
