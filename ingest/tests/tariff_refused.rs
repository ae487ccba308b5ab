//! Tariffs that no check lets through: each with its file, line, problem and what to do about it.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use tallywatt_ingest::documents::{Document, parse_document, render_tariff};

const TARIFF: &str = r#"kind = "tariff"
id = "two"
title = "Two zones"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "illustrative"
[vat]
rate_percent = "22"
included = true
[[zone]]
name = "day"
windows = ["07:00-23:00"]
[[zone]]
name = "night"
windows = ["23:00-07:00"]
[[range]]
up_to_kwh = "3900"
price = { day = "6.43", night = "3.02" }
[[range]]
price = { day = "8.27", night = "4.97" }
"#;

#[test]
fn by_name_line_and_suggestion() {
    assert!(parse_document("t.toml", TARIFF).is_ok());
    let bounds = "range 1: bounds must ascend from above zero, and only the last has none";
    let table = [
        // A price, a bound and a charge that no 64 bits hold.
        ("\"6.43\"", "\"92233720368.54775808\"", "20: prices", "more than 18 digits"),
        ("\"6.43\"", "\"99999999999999.99\"", "20: prices", "more than 18 digits"),
        ("\"3900\"", "\"9223372036854776\"", "19: up_to_kwh", "more than 18 digits"),
        (
            "source = ",
            "fixed_per_day = \"99999999999999999999\"\nsource = ",
            "8: fixed_per_day",
            "more than 18 digits",
        ),
        // A gap, an overlap.
        ("23:00-07:00", "23:00-06:00", "13: ", "no zone holds at 06:00 of a working day in jan"),
        (
            "23:00-07:00",
            "22:00-07:00",
            "16: ",
            "zones day and night both hold at 22:00 of a working day in jan",
        ),
        // A zone that is not there.
        ("night = \"4.97\"", "nacht = \"4.97\"", "22: ", "\"nacht\", which is no zone of this tariff"),
        // A range below zero.
        ("\"3900\"", "\"-3900\"", "20: ", bounds),
        // A price finer than is kept.
        ("\"8.27\"", "\"8.270000001\"", "22: prices", "8.270000001 has more than 8 decimals"),
    ];
    for (from, to, start, problem) in table {
        assert_eq!(TARIFF.matches(from).count(), 1, "{from}");
        let error = parse_document("t.toml", &TARIFF.replace(from, to)).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("t.toml:{start}")), "{to}: {shown}");
        assert!(shown.contains(problem), "{to}: {shown}");
        assert!(!error.next_step().is_empty(), "{to}");
    }
}

#[test]
fn who_may_take_it_by_line_and_suggestion() {
    let table = [
        ("", "23: eligibility without a bound", "leave the table out"),
        (
            "peak_kw_at_least = \"50\"\npeak_kw_at_most = \"49.999\"\n",
            "24: eligibility of at least 50000",
            "let the least",
        ),
        (
            "month_kwh_at_most = \"1\"\nmonth_kwh_at_least = \"2\"\n",
            "25: eligibility of at least 2000",
            "let the least",
        ),
        (
            "month_kwh_at_least = \"5\"\npeak_kw_at_most = \"-1\"\n",
            "25: eligibility bound of -1000",
            "write zero",
        ),
        (
            "peak_kw_at_most = \"0.0005\"\n",
            "24: peak_kw_at_most 0.0005 has more than 3 decimals",
            "write a decimal",
        ),
        ("peak_kw_at_most = 50\n", "24: write peak_kw_at_most as text", "double quotes"),
        ("peak_kw = \"50\"\n", "24: unknown field", "compare the file"),
    ];
    for (bounds, start, next_step) in table {
        let error = parse_document("t.toml", &format!("{TARIFF}[eligibility]\n{bounds}")).unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("t.toml:{start}")), "{bounds}: {shown}");
        assert!(error.next_step().contains(next_step), "{bounds}: {}", error.next_step());
    }
    let bounds = "[eligibility]\npeak_kw_at_least = \"0.000\"\npeak_kw_at_most = \"50.000\"\nmonth_kwh_at_least = \"1.500\"\nmonth_kwh_at_most = \"3000.000\"\n";
    let Ok(Document::Tariff(tariff)) = parse_document("t.toml", &format!("{TARIFF}{bounds}")) else {
        panic!("the bounds are good")
    };
    assert!(render_tariff(&tariff).ends_with(bounds));
}
