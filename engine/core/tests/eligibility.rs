//! Whom a tariff is for: bounds, a month's figures worked by hand, and that no bill depends on them.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::one_point::{blocks, contract, parts, try_bill, window};
use common::{label, validity};
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::rate::RateRun;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{
    DemandCharge, DemandMeasure, DemandRange, Eligibility, MonthFigures, Range, RangeKind, Tariff,
    TariffBook, TariffError, TariffParts,
};

/// From a minute of the day to another, over so many minutes.
type Charge = (u16, u16, u8, DemandMeasure);

/// `peak 50..100, energy ..3000`: in W and Wh.
fn rule(text: &str) -> Eligibility {
    let mut rule = Eligibility::default();
    for part in text.split(", ") {
        let (what, bounds) = part.split_once(' ').unwrap();
        let (least, most) = bounds.split_once("..").unwrap();
        let [least, most] = [least, most].map(|bound| (!bound.is_empty()).then(|| bound.parse().unwrap()));
        match what {
            "peak" => (rule.peak_w_at_least, rule.peak_w_at_most) = (least, most),
            "energy" => (rule.month_wh_at_least, rule.month_wh_at_most) = (least, most),
            _ => panic!("{part}"),
        }
    }
    rule
}

#[test]
fn bounds_are_included_and_a_least_is_of_whole_months() {
    // The rule, the month's peak and energy, whether it is whole, and what is said.
    let table: &[(&str, i64, i64, bool, &str)] = &[
        ("peak 50000..", 50_000, 0, true, ""),
        ("peak 50000..", 49_999, 0, true, "peak 49.999 kW, need at least 50.000 kW"),
        ("peak 50000..", 49_999, 0, false, ""),
        ("peak ..50000", 50_000, 0, true, ""),
        ("peak ..50000", 50_001, 0, true, "peak 50.001 kW, at most 50.000 kW"),
        ("peak ..50000", 50_001, 0, false, "peak 50.001 kW, at most 50.000 kW"),
        ("energy 300000..300000", 0, 300_000, true, ""),
        ("energy 300000..", 0, 299_999, true, "299.999 kWh in the month, need at least 300.000 kWh"),
        ("energy 300000..", 0, 299_999, false, ""),
        ("energy ..300000", 0, 300_001, false, "300.001 kWh in the month, at most 300.000 kWh"),
        (
            "peak 5000.., energy ..2000",
            4_000,
            3_000,
            true,
            "peak 4.000 kW, need at least 5.000 kW; 3.000 kWh in the month, at most 2.000 kWh",
        ),
        ("peak 0..0, energy 0..0", 0, 0, true, ""),
    ];
    for &(text, peak_w, energy_wh, is_whole, want) in table {
        let passed = rule(text).passed(&MonthFigures { peak_w, energy_wh, is_whole });
        let said: Vec<String> = passed.iter().map(ToString::to_string).collect();
        assert_eq!(said.join("; "), want, "{text}, {peak_w} W, {energy_wh} Wh");
    }
}

#[test]
fn bounds_that_make_no_rule_are_refused() {
    let table = [
        ("peak ..", "eligibility without a bound: anyone may take the tariff"),
        ("peak -1..", "eligibility bound of -1 W or Wh, need zero or more"),
        ("energy ..-5", "eligibility bound of -5 W or Wh, need zero or more"),
        ("peak 3..2", "eligibility of at least 3 and at most 2 W or Wh: nobody could take the tariff"),
        ("energy 9..8", "eligibility of at least 9 and at most 8 W or Wh: nobody could take the tariff"),
    ];
    for (text, want) in table {
        let error = Tariff::new(tariff(rule(text), &[])).unwrap_err();
        assert_eq!(error.to_string(), want, "{text}");
        assert!(matches!(
            error,
            TariffError::EligibilityEmpty
                | TariffError::EligibilityNegative { .. }
                | TariffError::EligibilityCrossed { .. }
        ));
    }
}

/// A tariff with demand charges that count from one minute of the day to another, over so many minutes.
fn tariff(rule: Eligibility, charges: &[Charge]) -> TariffParts {
    let mut parts = parts(RangeKind::Graduated, vec![Range::plain(None, vec!["1".parse().unwrap()])]);
    parts.eligibility = Some(rule);
    let charge = |(at, &(from, to, minutes, measure)): (usize, &Charge)| DemandCharge {
        name: label(&format!("d{at}")),
        windows: vec![window(from, to)],
        minutes,
        ranges: vec![DemandRange { up_to_w: None, price: PricePerKwh::default() }],
        measure,
    };
    parts.demands = charges.iter().enumerate().map(charge).collect();
    parts
}

fn said(versions: &[TariffParts], contract: &Contract, blocks: &[DayBlock]) -> String {
    let mut book = TariffBook::default();
    for (number, parts) in (1..).zip(versions) {
        let body = Tariff::new(parts.clone()).unwrap();
        book.publish(Published { hash: ContentHash([number; 32]), body }).unwrap();
    }
    let period: Period = "2026-03".parse().unwrap();
    let find = |key: &_| blocks.iter().find(|block| block.key() == *key);
    let found = RateRun::new(period).ineligible(std::slice::from_ref(contract), &book, &find);
    let said: Vec<String> = found.iter().map(|one| one.passed.to_string()).collect();
    said.join("; ")
}

/// March in Berlin, quarter-hours, 0.1 kWh in each; on the 10th 3 kWh from 12:00, and 2 kWh in each of the two from 18:15.
fn march(contract: &Contract) -> Vec<DayBlock> {
    blocks(contract, "2026-03".parse().unwrap(), 15, &mut |day: Day, at| match (day.to_string().as_str(), at)
    {
        ("2026-03-10", 48) => 3_000,
        ("2026-03-10", 73 | 74) => 2_000,
        _ => 100,
    })
}

#[test]
fn a_month_is_measured_as_its_demand_charges_do() {
    let contract = contract("Europe/Berlin");
    let blocks = march(&contract);
    // 31 days less an hour are 2972 quarter-hours: 2969 of 0.1 kWh, and 7 kWh: 303.9 kWh.
    let nothing = rule("peak ..0, energy ..0");
    let energy = "303.900 kWh in the month, at most 0.000 kWh";
    let (highest, daily) = (DemandMeasure::Highest, DemandMeasure::MeanOfDailyHighest);
    let table: &[(&[Charge], &str)] = &[
        // No demand charge: 3 kWh in a quarter-hour.
        (&[], "12.000"),
        (&[(0, 1_440, 15, highest)], "12.000"),
        // Half-hours from 12:00 have 3.1 kWh, from 18:00 2.1, from 18:30 2.1.
        (&[(0, 1_440, 30, highest)], "6.200"),
        // The hour from 12:00 has 3.3 kWh, that from 18:00 4.2.
        (&[(0, 1_440, 60, highest)], "4.200"),
        (&[(720, 780, 60, highest)], "3.300"),
        // Within the evening only, whatever is billed of it; the higher of two charges.
        (&[(1_080, 1_320, 15, highest)], "8.000"),
        (&[(1_080, 1_320, 30, daily)], "4.200"),
        (&[(1_080, 1_320, 30, daily), (720, 780, 30, highest)], "6.200"),
    ];
    for (charges, kw) in table {
        let versions = [tariff(nothing, charges)];
        let want = format!("peak {kw} kW, at most 0.000 kW; {energy}");
        assert_eq!(said(&versions, &contract, &blocks), want, "{charges:?}");
    }
    // A charge that counts nothing in March leaves the highest interval.
    let mut winter = tariff(rule("peak ..0"), &[(0, 1_440, 60, highest)]);
    let january = tallywatt_core::tariff::MonthSet::from_bits(1).unwrap();
    winter.demands[0].windows[0].months = january;
    assert_eq!(said(&[winter], &contract, &blocks), "peak 12.000 kW, at most 0.000 kW");
}

#[test]
fn parts_of_months_other_registers_and_plain_tariffs() {
    let whole = contract("Europe/Berlin");
    let blocks = march(&whole);
    let least = || tariff(rule("energy 1000000.."), &[]);
    let short = "303.900 kWh in the month, need at least 1000.000 kWh";
    assert_eq!(said(&[least()], &whole, &blocks), short);
    // A contract of a part of the month, a day without readings, a missing interval, two versions in a month.
    let part = Contract { validity: validity(Some("2026-03-02".parse().unwrap()), None), ..whole.clone() };
    assert_eq!(said(&[least()], &part, &blocks), "");
    assert_eq!(said(&[least()], &whole, &blocks[1..]), "");
    let mut holed = blocks.clone();
    let first = holed[0].clone();
    let mut qualities = first.qualities().to_vec();
    qualities[5] = tallywatt_core::quality::Quality::Missing;
    let mut values = first.values_wh().to_vec();
    values[5] = 0;
    holed[0] =
        DayBlock::from_parts(first.key(), first.start(), 15, first.source(), values, qualities).unwrap();
    assert_eq!(said(&[least()], &whole, &holed), "");
    let turn: Day = "2026-03-11".parse().unwrap();
    let mut versions = [least(), tariff(rule("energy ..200000"), &[])];
    versions[0].validity = validity(None, Some(turn));
    versions[1].validity = validity(Some(turn), None);
    // From the 11th 21 days less an hour are 2012 quarter-hours.
    assert_eq!(said(&versions, &whole, &blocks), "201.200 kWh in the month, at most 200.000 kWh");
    // What is fed in, a tariff for anyone, and no readings at all.
    let export = Contract { register: Register::total(Flow::Export, 0), ..whole.clone() };
    assert_eq!(said(&[least()], &export, &march(&export)), "");
    assert_eq!(said(&[TariffParts { eligibility: None, ..least() }], &whole, &blocks), "");
    assert_eq!(said(&[tariff(rule("energy 1.."), &[])], &whole, &[]), "");
}

#[test]
fn no_bill_depends_on_it() {
    let contract = contract("Europe/Berlin");
    let blocks = march(&contract);
    let (period, market) = ("2026-03".parse().unwrap(), MarketBook::new());
    let bounded = tariff(rule("peak ..0"), &[]);
    let plain = TariffParts { eligibility: None, ..bounded.clone() };
    let [bounded, plain] =
        [bounded, plain].map(|parts| try_bill(vec![parts], &contract, period, &blocks, &market).unwrap());
    assert_eq!((bounded.total, &bounded.lines), (plain.total, &plain.lines));
}
