//! Ranges sold in packages and flat fees, as tables: what a month's energy costs under each, worked by hand.
//!
//! Each row says the arithmetic: energy by range at its price, fees of the ranges reached, packages begun.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::label;
use common::one_point::{billed, parts, window};
use tallywatt_core::calendar::Day;
use tallywatt_core::decimal::Decimal;
use tallywatt_core::energy::Energy;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::tariff::{Range, RangeCounting, RangeKind, Tariff, TariffError, TariffParts, TariffZone};

/// A range a line: up to kWh or `more`, price, `pack` its kWh, `flat` its fee.
const TARIFFS: &[(&str, RangeKind, &str)] = &[
    ("graduated", RangeKind::Graduated, "100 1.00; 200 0.50; more 0.20"),
    ("graduated fee", RangeKind::Graduated, "100 1.00 flat 10; 200 0.50 flat 5; more 0.20 flat 2"),
    ("volume", RangeKind::Volume, "100 1.00; 200 0.50; more 0.20"),
    ("volume fee", RangeKind::Volume, "100 1.00 flat 10; 200 0.50 flat 5; more 0.20 flat 2"),
    ("free units", RangeKind::Package, "100 0; more 5 pack 50"),
    ("packages", RangeKind::Package, "more 12.50 pack 1000"),
    ("odd bound", RangeKind::Package, "250 9 pack 100; more 0.05 flat 3"),
    ("two sizes", RangeKind::Package, "200 4 pack 100 flat 1; more 30 pack 1000 flat 7"),
    ("watt-hours", RangeKind::Package, "more 0.01 pack 0.001"),
    ("below zero", RangeKind::Graduated, "100 -0.10 flat 10; more -0.30"),
];

/// Tariff, kWh of the month, exact amount, how it comes about.
const CASES: &str = "
graduated     | 0         | 0.00      | nothing
graduated     | 0.001     | 0.001     | 0.001 × 1
graduated     | 99.999    | 99.999    | all in the first
graduated     | 100       | 100.00    | the bound belongs to the first range
graduated     | 100.001   | 100.0005  | 100 + 0.001 × 0.5
graduated     | 200       | 150.00    | 100 + 50
graduated     | 200.001   | 150.0002  | 150 + 0.001 × 0.2
graduated     | 1000      | 310.00    | 150 + 800 × 0.2
graduated fee | 0         | 0.00      | no range is reached
graduated fee | 0.001     | 10.001    | 10 + 0.001
graduated fee | 100       | 110.00    | 10 + 100
graduated fee | 100.001   | 115.0005  | 10 + 100 + 5 + 0.0005
graduated fee | 200       | 165.00    | 10 + 100 + 5 + 50
graduated fee | 200.001   | 167.0002  | 165 + 2 + 0.0002
graduated fee | 300       | 187.00    | 165 + 2 + 20
volume        | 0         | 0.00      | nothing
volume        | 100       | 100.00    | all at 1
volume        | 100.001   | 50.0005   | all at 0.5
volume        | 200       | 100.00    | all at 0.5
volume        | 200.001   | 40.0002   | all at 0.2
volume fee    | 0         | 0.00      | no range is reached
volume fee    | 0.001     | 10.001    | 10 + 0.001
volume fee    | 100       | 110.00    | 10 + 100
volume fee    | 100.001   | 55.0005   | 5 + 50.0005: the fee of the range it ends in, and no other
volume fee    | 200       | 105.00    | 5 + 100
volume fee    | 200.001   | 42.0002   | 2 + 40.0002
free units    | 0         | 0.00      | nothing
free units    | 99.999    | 0.00      | free
free units    | 100       | 0.00      | free to the bound
free units    | 100.001   | 5.00      | the first package is begun
free units    | 150       | 5.00      | and full
free units    | 150.001   | 10.00     | the second
free units    | 200       | 10.00     | full
free units    | 1000      | 90.00     | 900 / 50 = 18 packages
packages      | 0         | 0.00      | none begun
packages      | 0.001     | 12.50     | one
packages      | 1000      | 12.50     | full
packages      | 1000.001  | 25.00     | two
packages      | 9999.999  | 125.00    | ten, the last not full
packages      | 10000     | 125.00    | ten full ones
odd bound     | 100       | 9.00      | one
odd bound     | 200.001   | 27.00     | three
odd bound     | 250       | 27.00     | three; the range ends within the third
odd bound     | 250.001   | 30.00005  | 27 + 3 + 0.001 × 0.05: what the third had left is not used on
odd bound     | 350       | 35.00     | 27 + 3 + 5
two sizes     | 0         | 0.00      | nothing
two sizes     | 50        | 5.00      | 1 + 4
two sizes     | 200       | 9.00      | 1 + 8
two sizes     | 200.001   | 46.00     | 9 + 7 + 30
two sizes     | 1200      | 46.00     | the one package of 1000 is full
two sizes     | 1200.001  | 76.00     | 9 + 7 + 60
watt-hours    | 1.234     | 12.34     | 1234 packages of a watt-hour
below zero    | 0         | 0.00      | nothing
below zero    | 100       | 0.00      | 10 − 10
below zero    | 100.001   | -0.0003   | 10 − 10 − 0.001 × 0.3
below zero    | 200       | -30.00    | 10 − 10 − 30
";

fn range(text: &str) -> Range {
    let words: Vec<&str> = text.split(' ').collect();
    let wh = |text: &str| Decimal::parse(text.as_bytes(), b'.').unwrap().scaled(3).unwrap();
    let after = |word: &str| words.iter().position(|known| *known == word).map(|at| words[at + 1]);
    Range {
        up_to_wh: (words[0] != "more").then(|| wh(words[0])),
        prices: vec![words[1].parse().unwrap()],
        package_wh: after("pack").map(wh),
        flat: after("flat").map_or(PricePerKwh::default(), |fee| fee.parse().unwrap()),
    }
}

#[test]
fn tables() {
    let (mut count, mut wrong) = (0, Vec::new());
    for line in CASES.lines().filter(|line| !line.is_empty()) {
        let [name, kwh, want, _] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (_, kind, ranges) = TARIFFS.iter().find(|(known, ..)| *known == name).unwrap();
        let ranges = ranges.split("; ").map(range).collect();
        let wh = Decimal::parse(kwh.as_bytes(), b'.').unwrap().scaled(3).unwrap();
        // Over two days, so that no day alone decides.
        let bill = billed(vec![parts(*kind, ranges)], &[(3, 7, wh / 3), (20, 19, wh - wh / 3)]);
        if bill.exact_total().to_string() != want {
            wrong.push(format!("{line}: {}", bill.exact_total()));
        }
        assert_eq!(bill.energy(), Energy::from_wh(wh), "{line}: packages take no energy away");
        let round_error = bill.total.exact().as_e11() - bill.exact_total().as_e11();
        assert!(round_error.abs() < 3 * 1_000_000_000, "{line}: {}", bill.total);
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 50, "{count} cases");
}

/// Zone by zone: each has packages of its own, and pays the fee of what it reaches itself.
#[test]
fn each_zone_has_its_own() {
    let mut parts = parts(
        RangeKind::Package,
        vec![Range {
            prices: vec!["5".parse().unwrap(), "3".parse().unwrap()],
            flat: "1".parse().unwrap(),
            ..range("more 0 pack 10")
        }],
    );
    parts.zones = vec![
        TariffZone { name: label("day"), windows: vec![window(7 * 60, 23 * 60)] },
        TariffZone { name: label("night"), windows: vec![window(23 * 60, 7 * 60)] },
    ];
    parts.range_rule.counting = RangeCounting::EachZone;
    // Wh by day, Wh by night, what it comes to.
    for (day, night, want) in [
        (0, 0, "0.00"),
        (10_000, 0, "6.00"),       // one package and the fee
        (10_000, 10_000, "10.00"), // 5 + 3 + 2 fees
        (10_001, 10_000, "15.00"), // 10 + 3 + 2
        (9_999, 30_001, "19.00"),  // 5 + 12 + 2
    ] {
        let bill = billed(vec![parts.clone()], &[(9, 12, day), (9, 1, night)]);
        assert_eq!(bill.exact_total().to_string(), want, "{day} Wh by day, {night} by night");
    }
}

/// A new version in mid-month: a package that is open is paid, and a fee is paid once.
#[test]
fn the_month_goes_on_over_a_new_version() {
    let version = |price: &str, from: Option<&str>, to: Option<&str>| {
        let day = |text: &str| -> Day { text.parse().unwrap() };
        let ranges = vec![Range {
            prices: vec![price.parse().unwrap()],
            flat: "100".parse().unwrap(),
            ..range("more 0 pack 10")
        }];
        TariffParts {
            validity: common::validity(from.map(day), to.map(day)),
            ..parts(RangeKind::Package, ranges)
        }
    };
    let versions = || vec![version("5", None, Some("2026-02-11")), version("7", Some("2026-02-11"), None)];
    // Wh before the change, Wh after, what it comes to.
    for (before, after, want) in [
        (5_000, 5_000, "105.00"), // one package, of the old version
        (5_000, 5_001, "112.00"), // the second is begun under the new one
        (10_000, 1, "112.00"),
        (0, 1, "107.00"), // all of it under the new one, its fee too
        (1, 0, "105.00"),
        (0, 0, "0.00"),
        (25_000, 15_000, "122.00"), // 3 × 5 of 30 kWh, of which 5 are left; 1 × 7
    ] {
        let bill = billed(versions(), &[(10, 23, before), (11, 0, after)]);
        assert_eq!(bill.exact_total().to_string(), want, "{before} Wh, then {after}");
    }
}

/// The grid company's part by the kilowatt-hour follows the energy, not the packages.
#[test]
fn the_payees_part_follows_the_energy() {
    let bill =
        billed(vec![parts(RangeKind::Package, vec![range("more 12.50 pack 1000")])], &[(1, 0, 123_456)]);
    assert_eq!((bill.total.to_string(), bill.payee_part.to_string()), ("12.50".into(), "1.23456".into()));
}

#[test]
fn what_cannot_be_sold_is_refused() {
    let two_zones = |parts: &mut TariffParts| {
        parts.zones[0].windows = vec![window(0, 720)];
        parts.zones.push(TariffZone { name: label("late"), windows: vec![window(720, 1_440)] });
        parts.ranges.iter_mut().for_each(|range| range.prices.push(range.prices[0]));
    };
    type Change<'c> = &'c dyn Fn(&mut TariffParts);
    let table: &[(&str, RangeKind, Change<'_>, &str)] = &[
        ("more 1 pack 10", RangeKind::Package, &|_| {}, "ok"),
        ("more 1 flat 10", RangeKind::Volume, &|_| {}, "ok"),
        ("more -1 flat 10", RangeKind::Graduated, &|_| {}, "ok"),
        ("more -1 pack 10", RangeKind::Package, &|_| {}, "negative price -1.00"),
        ("more 1 flat -10", RangeKind::Graduated, &|_| {}, "negative price -10.00"),
        (
            "more 1 pack 10",
            RangeKind::Graduated,
            &|_| {},
            "range 1: a package must be above zero, under range kind package",
        ),
        (
            "more 1 pack 0",
            RangeKind::Package,
            &|_| {},
            "range 1: a package must be above zero, under range kind package",
        ),
        ("more 1", RangeKind::Package, &|_| {}, "range kind package, but no range has a package"),
        (
            "more 1 pack 10",
            RangeKind::Package,
            &two_zones,
            "packages of several zones together have no one price",
        ),
    ];
    for (text, kind, change, want) in table {
        let mut parts = parts(*kind, vec![range(text)]);
        change(&mut parts);
        let got = Tariff::new(parts).map_or_else(|error: TariffError| error.to_string(), |_| "ok".to_owned());
        assert_eq!(got, *want, "{text} {kind:?}");
    }
}
