//! Prices below zero: lines, tax and totals by every rounding rule, the same from a bill and from columns.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use common::one_point::{billed, parts};
use tallywatt_core::columns::{RatePlan, rate_columns, rate_columns_wide};
use tallywatt_core::determinants::RunningUse;
use tallywatt_core::money::{Money, Rounding, div_half_even, div_half_up};
use tallywatt_core::tariff::{Range, RangeKind, RoundEach, Tariff, TariffParts, Vat};

/// Price, Wh, VAT (hundredths of a per cent; `in` the price or `on` top), then half-up, half-even and down: the line and
/// the tax each. Halves go away from zero, to the even neighbour, and towards minus infinity.
const TABLE: &str = "
 0.05 |  100 |    0 on |  0.01  0.00 |  0.00  0.00 |  0.00  0.00
-0.05 |  100 |    0 on | -0.01  0.00 |  0.00  0.00 | -0.01  0.00
 0.15 |  100 |    0 on |  0.02  0.00 |  0.02  0.00 |  0.01  0.00
-0.15 |  100 |    0 on | -0.02  0.00 | -0.02  0.00 | -0.02  0.00
-0.25 |  100 |    0 on | -0.03  0.00 | -0.02  0.00 | -0.03  0.00
-0.04 |  100 |    0 on |  0.00  0.00 |  0.00  0.00 | -0.01  0.00
-0.06 |  100 |    0 on | -0.01  0.00 | -0.01  0.00 | -0.01  0.00
 1.00 | 1250 | 2000 on |  1.25  0.25 |  1.25  0.25 |  1.25  0.25
-1.00 | 1250 | 2000 on | -1.25 -0.25 | -1.25 -0.25 | -1.25 -0.25
 0.10 | 1250 | 2000 on |  0.13  0.03 |  0.12  0.02 |  0.12  0.02
-0.10 | 1250 | 2000 on | -0.13 -0.03 | -0.12 -0.02 | -0.13 -0.03
 1.00 |  100 |  500 on |  0.10  0.01 |  0.10  0.00 |  0.10  0.00
-1.00 |  100 |  500 on | -0.10 -0.01 | -0.10  0.00 | -0.10 -0.01
 3.00 |  100 |  500 on |  0.30  0.02 |  0.30  0.02 |  0.30  0.01
-3.00 |  100 |  500 on | -0.30 -0.02 | -0.30 -0.02 | -0.30 -0.02
 1.22 | 1000 | 2200 in |  1.22  0.22 |  1.22  0.22 |  1.22  0.22
-1.22 | 1000 | 2200 in | -1.22 -0.22 | -1.22 -0.22 | -1.22 -0.22
-0.01 | 1000 | 2200 in | -0.01  0.00 | -0.01  0.00 | -0.01 -0.01
-0.00000001 |  1 | 0 on |  0.00  0.00 |  0.00  0.00 | -0.01  0.00
";

fn tariff(price: &str, vat: Vat, rounding: Rounding, round_each: RoundEach) -> TariffParts {
    let ranges = vec![Range::plain(None, vec![price.parse().unwrap()])];
    TariffParts { vat, rounding, round_each, ..parts(RangeKind::Graduated, ranges) }
}

#[test]
fn every_sign_by_every_rule() {
    let mut count = 0;
    for row in TABLE.lines().filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [price, wh, vat, wants @ ..] = &cells[..] else { panic!("{row}") };
        let (rate, place) = vat.split_once(' ').unwrap();
        let vat = Vat { rate_e4: rate.parse().unwrap(), is_included: place == "in" };
        let wh: i64 = wh.parse().unwrap();
        let rules = [Rounding::HalfUp, Rounding::HalfEven, Rounding::Down];
        for (rounding, want) in rules.into_iter().zip(wants) {
            let want: Vec<Money> = want.split_whitespace().map(|text| text.parse().unwrap()).collect();
            let [line, tax] = want[..] else { panic!("{row}") };
            // One line: rounding it and rounding the bill are the same.
            for round_each in [RoundEach::Line, RoundEach::Bill] {
                let parts = tariff(price, vat, rounding, round_each);
                let bill = billed(vec![parts.clone()], &[(5, 5, wh)]);
                assert_eq!((bill.lines[0].amount, bill.vat[0].amount), (line, tax), "{row}: {rounding:?}");
                let total = if vat.is_included { line } else { line.checked_add(tax).unwrap() };
                assert_eq!(bill.total, total, "{row}: {rounding:?}");
                let plan = RatePlan::of(&Tariff::new(parts).unwrap()).unwrap();
                let point = RunningUse::from_parts([wh, 0, 0], 0, 28).unwrap();
                for rate in [rate_columns, rate_columns_wide] {
                    let mut totals = [0];
                    rate(&plan, &[point], &mut totals).unwrap();
                    assert_eq!(totals, [total.as_minor()], "{row}: {rounding:?}");
                }
                count += 1;
            }
        }
    }
    assert!(count >= 100, "{count}");
}

/// What is above zero and what is below are each other's image, but for rounding down.
#[test]
fn halves_are_symmetric() {
    for numerator in -2_000..=2_000 {
        for divisor in [1, 2, 3, 10, 1_000] {
            assert_eq!(div_half_up(numerator, divisor), -div_half_up(-numerator, divisor));
            assert_eq!(div_half_even(numerator, divisor), -div_half_even(-numerator, divisor));
        }
    }
}

/// Lines above and below zero in one bill, and what each party has of it.
#[test]
fn a_bill_below_zero_is_a_bill() {
    // day price, night price, Wh by day, Wh by night, the total and the payee's part at a cent a kilowatt-hour
    let table = [
        ("1.00", "-0.50", 1_000, 1_000, "0.50", "0.02"),
        ("1.00", "-0.50", 1_000, 2_000, "0.00", "0.00"),
        ("1.00", "-0.50", 1_000, 2_020, "-0.01", "0.00"),
        ("1.00", "-0.50", 0, 100_000, "-50.00", "0.00"),
        ("0.00", "-0.01", 3_000, 1_000, "-0.01", "0.00"),
        ("0.02", "-0.01", 1_000, 1_000, "0.01", "0.01"),
    ];
    for (day, night, day_wh, night_wh, total, part) in table {
        let mut parts = parts(
            RangeKind::Graduated,
            vec![Range::plain(None, vec![day.parse().unwrap(), night.parse().unwrap()])],
        );
        parts.zones[0].windows = vec![common::one_point::window(7 * 60, 23 * 60)];
        parts.zones.push(parts.zones[0].clone());
        parts.zones[1].name = common::label("night");
        parts.zones[1].windows = vec![common::one_point::window(23 * 60, 7 * 60)];
        parts.round_each = RoundEach::Bill;
        let bill = billed(vec![parts], &[(2, 12, day_wh), (2, 2, night_wh)]);
        let found = (bill.total.to_string(), bill.payee_part.to_string());
        assert_eq!(found, (total.to_owned(), part.to_owned()), "{day_wh} Wh by day, {night_wh} by night");
    }
}
