//! Price categories 1 to 6 of commercial customers, each a tariff file, and a month of each worked here interval by
//! interval: no zone table, no measure and no price look-up of the rating is used.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::bill::{Bill, ChargeLine};
use tallywatt_core::bill_change::charge_name;
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{Tariff, TariffBook};
use tallywatt_core::validity::Validity;
use tallywatt_ingest::documents::{Document, parse_document};
use tallywatt_ledger::hour_list_bytes::publish_hour_list;
use tallywatt_ledger::plan_series_bytes::publish_plan_series;
use tallywatt_ledger::price_series_bytes::publish_price_series;
use tallywatt_ledger::tariff_bytes::publish_tariff;

const HOLIDAYS: [&str; 2] = ["2026-02-23", "2026-03-09"];

/// A price of the market's hour, 10^-5 a kilowatt-hour, by day and hour of the wall; below zero on some nights.
fn market_e5(day: Day, hour: i64) -> i64 {
    let swing = [
        18, 9, 4, 2, 7, 22, 51, 88, 131, 140, 122, 109, 101, 96, 99, 108, 124, 149, 161, 150, 118, 83, 52, 30,
    ];
    let place = usize::try_from(hour).unwrap();
    swing[place] * 1_713 + i64::from(day.number() % 11) * 907 - 9_000
}

/// The region's peak hour of a day.
fn peak_hour(day: Day) -> i64 {
    if day.number() % 3 == 0 { 9 } else { 18 }
}

/// What a kilowatt-hour above the plan costs, and one that was planned and not taken, 10^-5; below zero at some hours.
fn deviation_e5(day: Day, hour: i64) -> [i64; 2] {
    let day = i64::from(day.number());
    [(hour * 37 + day * 11) % 97 * 1_009 - 4_000, (hour * 53 + day * 7) % 89 * 613 - 1_500]
}

/// What is planned for an hour, Wh: on some days what is used to the watt-hour, on others more or less.
fn planned_wh(day: Day, hour: i64) -> i64 {
    let used = used_wh(day, hour * 2) + used_wh(day, hour * 2 + 1);
    match day.number() % 4 {
        0 => used,
        _ => used + (hour * 1_223 + i64::from(day.number()) * 701) % 12_001 - 6_000,
    }
}

/// What is used in a half-hour, Wh.
fn used_wh(day: Day, half_hour: i64) -> i64 {
    let base = if day.is_weekend() { 9_000 } else { 31_000 };
    base + half_hour * 577 % 20_011 + i64::from(day.number()) * 389 % 7_001
}

fn is_working(day: Day) -> bool {
    !day.is_weekend() && !HOLIDAYS.contains(&day.to_string().as_str())
}

fn month() -> Period {
    "2026-03".parse().unwrap()
}

/// The files that are published for the month, as text.
fn market(period: Period) -> MarketBook {
    let head = |kind: &str, name: &str, more: &str| {
        format!(
            "#kind,{kind}\n#name,{name}\n#title,{name}\n#source,illustrative\n#zone,Asia/Yekaterinburg\n{more}#valid_from,{}\n#valid_to,{}\n",
            period.first_day(),
            period.end_day()
        )
    };
    let mut prices = head("price-series", "dam-ural", "#unit,RUB/MWh\n#minutes,60\n") + "start,price\n";
    let mut hours = head("hour-list", "peak-sverdlovsk", "") + "day,hour\n";
    let series = ["excess-ural", "shortfall-ural"];
    let mut deviations =
        series.map(|name| head("price-series", name, "#unit,RUB/MWh\n#minutes,60\n") + "start,price\n");
    let mut plan = head("plan-series", "P", "").replace("#name,", "#usage_point,") + "start,kwh\n";
    for day in period.days() {
        for hour in 0..24 {
            // Roubles a megawatt-hour, two decimals.
            let e2 = market_e5(day, hour);
            let (sign, whole, rest) = (if e2 < 0 { "-" } else { "" }, e2.abs() / 100, e2.abs() % 100);
            let start = format!("{day}T{hour:02}:00:00+05:00");
            writeln!(prices, "{start},{sign}{whole}.{rest:02}").unwrap();
            for (text, e5) in deviations.iter_mut().zip(deviation_e5(day, hour)) {
                let (sign, e2) = (if e5 < 0 { "-" } else { "" }, e5.abs());
                writeln!(text, "{start},{sign}{}.{:02}", e2 / 100, e2 % 100).unwrap();
            }
            let wh = planned_wh(day, hour);
            writeln!(plan, "{start},{}.{:03}", wh / 1_000, wh % 1_000).unwrap();
        }
        if is_working(day) {
            writeln!(hours, "{day},{}", peak_hour(day)).unwrap();
        }
    }
    let mut market = MarketBook::new();
    for prices in [prices].into_iter().chain(deviations) {
        match parse_document("prices.csv", &prices).unwrap() {
            Document::PriceSeries(series) => market.publish_series(publish_price_series(*series)).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    match parse_document("plan.csv", &plan).unwrap() {
        Document::PlanSeries(plan) => market.publish_plan(publish_plan_series(*plan)).unwrap(),
        other => panic!("{other:?}"),
    }
    match parse_document("peak.csv", &hours).unwrap() {
        Document::HourList(hours) => market.publish_hours(publish_hour_list(*hours)).unwrap(),
        other => panic!("{other:?}"),
    }
    market
}

fn tariff(category: u8) -> Published<Tariff> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/price_categories/category-{category}.toml"));
    match parse_document(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap()) {
        Ok(Document::Tariff(tariff)) => publish_tariff(*tariff),
        other => panic!("{other:?}"),
    }
}

fn contract(from: Day) -> Contract {
    Contract {
        account: "OOO".parse().unwrap(),
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        zone: Zone::parse("Asia/Yekaterinburg").unwrap(),
        tariff: "t".parse().unwrap(),
        agreement: "a".parse().unwrap(),
        validity: Validity::new(from, None).unwrap(),
        overrides: Vec::new(),
    }
}

fn billed(
    category: u8,
    period: Period,
    from: Day,
    market: &MarketBook,
) -> Result<(Bill, Published<Tariff>), String> {
    let version = tariff(category);
    let contract = Contract { tariff: version.body.parts().id, ..contract(from) };
    let blocks: Vec<DayBlock> = period
        .days()
        .filter(|day| *day >= from)
        .map(|day| {
            let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day };
            let values = (0..48).map(|at| i32::try_from(used_wh(day, at)).unwrap()).collect();
            let start = contract.zone.local_day(day).start;
            DayBlock::from_parts(key, start, 30, Source::Synthetic, values, vec![Quality::Valid; 48]).unwrap()
        })
        .collect();
    let mut tariffs = TariffBook::default();
    tariffs.publish(version.clone()).unwrap();
    let body = Agreement {
        id: "a".parse().unwrap(),
        title: String::new(),
        currency: "RUB".parse().unwrap(),
        validity: contract.validity,
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::Share(0),
        terms: PaymentTerms::default(),
    };
    let inputs = BillInputs {
        account: contract.account,
        period,
        contracts: std::slice::from_ref(&contract),
        tariffs: &tariffs,
        agreement: &Published { hash: ContentHash::default(), body },
        readings: ContentHash::default(),
        market,
    };
    let bill = bill(&inputs, &|key| blocks.iter().find(|block| block.key() == *key));
    Ok((bill.map_err(|error| error.to_string())?, version))
}

/// Names of lines to exact amounts, 10^-11, by the letter of each category; prices are in 10^-9.
fn worked(category: u8, period: Period, from: Day) -> BTreeMap<String, i128> {
    let mut lines: BTreeMap<String, i128> = BTreeMap::new();
    let (mut at_peak, mut highest) = (Vec::new(), Vec::new());
    for day in period.days().filter(|day| *day >= from) {
        let mut day_highest = 0;
        for hour in 0..24 {
            // Two half-hours of the hour.
            let wh = used_wh(day, hour * 2) + used_wh(day, hour * 2 + 1);
            let own_e5 = i128::from(market_e5(day, hour));
            let (name, price_e9) = match category {
                1 => ("all", 9_482_150_000),
                2 if !(7..23).contains(&hour) => ("night", 5_133_790_000),
                2 if (7..10).contains(&hour) || (17..21).contains(&hour) => ("peak", 14_811_020_000),
                2 => ("half-peak", 9_025_470_000),
                3 | 5 => ("all", own_e5 * 10_000 + 4_612_030_000),
                _ => ("all", own_e5 * 10_412 + 837_710_000),
            };
            *lines.entry(name.to_owned()).or_default() += i128::from(wh) * price_e9;
            if category >= 5 {
                let [above_e5, below_e5] = deviation_e5(day, hour).map(i128::from);
                let over = i128::from(wh - planned_wh(day, hour));
                let (name, e12) = match over > 0 {
                    true => ("above the plan", over * above_e5 * 10_000),
                    false => ("below the plan", -over * below_e5 * 10_000),
                };
                *lines.entry(name.to_owned()).or_default() += e12;
            }
            if is_working(day) && hour == peak_hour(day) {
                at_peak.push(wh);
            }
            if (8..11).contains(&hour) || (17..21).contains(&hour) {
                day_highest = day_highest.max(wh);
            }
        }
        if is_working(day) {
            highest.push(day_highest);
        }
    }
    // Half up: a half is twice as much in halves.
    let mean_w = |found: &[i64]| {
        let (sum, count) = (i128::from(found.iter().sum::<i64>()), i128::try_from(found.len()).unwrap());
        (2 * sum + count) / (2 * count)
    };
    if category >= 3 {
        lines.insert("capacity".to_owned(), mean_w(&at_peak) * 948_775_130_000);
    }
    if category == 4 || category == 6 {
        lines.insert("grid capacity".to_owned(), mean_w(&highest) * 1_612_119_000_000);
    }
    // Watt-hours times 10^-9 a kilowatt-hour are 10^-12: the twelfth decimal is cut, once a line.
    lines.into_iter().map(|(name, e12)| (name, e12 / 10)).collect()
}

#[test]
fn a_month_of_each_category() {
    // All of March, a part of it, a February with a holiday, and one of a leap year.
    let table = [("2026-03", 0), ("2026-03", 13), ("2026-02", 0), ("2028-02", 0)];
    for (text, offset) in table {
        let period: Period = text.parse().unwrap();
        let from = period.first_day().plus(offset).unwrap();
        let market = market(period);
        for category in 1..=6 {
            let (bill, version) = billed(category, period, from, &market).unwrap();
            let named = |line: &ChargeLine| (charge_name(line.kind, &version.body), line.exact.as_e11());
            let found: BTreeMap<String, i128> = bill.lines.iter().map(named).collect();
            let want = worked(category, period, from);
            assert_eq!(found, want, "category {category}, {period} from {from}");
            // Lines to kopecks, then VAT of 22 % on their sum, each half up; all are above zero.
            let net: i128 = want.values().map(|e11| (e11 + 500_000_000) / 1_000_000_000).sum();
            let total = net + (net * 22 + 50) / 100;
            assert_eq!(i128::from(bill.total.as_minor()), total, "category {category}, {period} from {from}");
            let documents = [0, 0, 2, 2, 5, 5];
            assert_eq!(bill.market.len(), documents[usize::from(category) - 1]);
        }
    }
}

/// Figures of categories 3 to 6 that are not published leave the account without a bill, by name.
#[test]
fn figures_that_are_missing() {
    let (march, february): (Period, Period) = (month(), "2026-02".parse().unwrap());
    let from = february.first_day();
    for category in [3, 4, 5, 6] {
        let missing = billed(category, march, from, &MarketBook::new()).unwrap_err();
        assert_eq!(missing, "list of hours peak-sverdlovsk has no hour for 2026-03-01");
        let other_month = billed(category, march, from, &market(february)).unwrap_err();
        assert_eq!(other_month, "list of hours peak-sverdlovsk has no hour for 2026-03-01");
    }
    for category in [1, 2] {
        assert!(billed(category, march, from, &MarketBook::new()).is_ok());
    }
    // The hours are there, the prices are not.
    let mut hours_only = MarketBook::new();
    hours_only.publish_hours(market(march).hours()[0].clone()).unwrap();
    let missing = billed(3, march, from, &hours_only).unwrap_err();
    assert_eq!(missing, "price series dam-ural has no price for 2026-02-28T19:00:00Z");
    // All but the plan, and all but the prices of what was not taken.
    let all = market(march);
    let without = |lost: &str, has_plan: bool| {
        let mut some = hours_only.clone();
        for series in all.series().iter().filter(|series| series.body.parts().id.as_str() != lost) {
            some.publish_series(series.clone()).unwrap();
        }
        if has_plan {
            some.publish_plan(all.plans()[0].clone()).unwrap();
        }
        billed(5, march, from, &some).map(|(bill, _)| bill.lines.len())
    };
    let no_plan = "usage point P has no plan for the hour from 2026-02-28T19:00:00Z";
    assert_eq!(without("", false), Err(no_plan.to_owned()));
    let no_price = without("shortfall-ural", true).unwrap_err();
    assert!(no_price.starts_with("price series shortfall-ural has no price for 2026-0"), "{no_price}");
    assert_eq!(without("", true), Ok(4));
}
