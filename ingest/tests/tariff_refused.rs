//! Tariffs that no check lets through: each with its file, line, problem and what to do about it.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use tallywatt_ingest::documents::parse_document;

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
