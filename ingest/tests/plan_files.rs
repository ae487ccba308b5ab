//! Plan files: what is read, and every mistake by its line with what to do; the tariff's table that names prices for
//! deviations, read and written.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::fmt::Write as _;

use tallywatt_core::plan_series::PlanSeries;
use tallywatt_ingest::documents::{Document, DocumentError, parse_document, render_tariff};

/// The day of the autumn clock change: 25 hours, the third of them twice on the wall.
fn text() -> String {
    let mut text =
        "#kind,plan-series\n#usage_point,EKB-000017\n#title,Workshop, October\n#source,application\n\
        #zone,Europe/Berlin\n#valid_from,2026-10-25\n#valid_to,2026-10-26\nstart,kwh\n"
            .to_owned();
    for hour in 0..25 {
        let (wall, offset) = if hour < 3 { (hour, 2) } else { (hour - 1, 1) };
        writeln!(text, "2026-10-25T{wall:02}:00:00+{offset:02}:00,{}.{hour:03}", hour * 2).unwrap();
    }
    text
}

fn plan(text: &str) -> Result<PlanSeries, DocumentError> {
    match parse_document("p.csv", text)? {
        Document::PlanSeries(plan) => Ok(*plan),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plan() {
    let read = plan(&text()).unwrap();
    let parts = read.parts();
    assert_eq!((parts.usage_point.as_str(), parts.title.as_str()), ("EKB-000017", "Workshop, October"));
    assert_eq!(parts.start.to_string(), "2026-10-24T22:00:00Z");
    let want: Vec<i64> = (0..25).map(|hour| hour * 2_000 + hour).collect();
    assert_eq!(parts.planned_wh, want);
    // The newest hour first is the same plan.
    let (head, rows) = text().split_once("start,kwh\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let turned: Vec<&str> = rows.lines().rev().collect();
    assert_eq!(plan(&format!("{head}start,kwh\n{}\n", turned.join("\n"))).unwrap(), read);
}

#[test]
fn mistakes_in_a_plan() {
    let table = [
        ("#usage_point,EKB-000017\n", "", "1: no field usage_point"),
        ("EKB-000017", "", "2: usage_point: "),
        ("Workshop, October", &"x".repeat(241), "3: title is longer than 240 bytes"),
        ("Europe/Berlin", "Berlin", "5: zone: "),
        ("2026-10-26", "2026-10-25", "7: valid_to 2026-10-25 is not after"),
        ("2026-10-26", "2027-10-27", "7: 8808 hours, at most 8784"),
        ("start,kwh", "start,mwh", "8: columns \"start,mwh\" are not those of a plan"),
        ("2026-10-25T00:00:00+02:00", "2026-10-25T00:00:00", "9: \"2026-10-25T00:00:00\" is not an instant"),
        (
            "2026-10-25T00:00:00+02:00",
            "2026-10-25T00:30:00+02:00",
            "9: 2026-10-24T22:30:00Z does not begin an interval",
        ),
        ("2026-10-25T01:00:00+02:00,2.001\n", "", "10: no plan for 2026-10-24T23:00:00Z: the next is for"),
        ("T02:00:00+01:00", "T02:00:00+02:00", "12: a second plan for 2026-10-25T00:00:00Z"),
        (
            "2026-10-25T23:00:00+01:00,48.024\n",
            "",
            "32: no plan for 2026-10-25T22:00:00Z: the last is before it",
        ),
        (",2.001", ",-2.001", "10: plan -2.001 is below zero"),
        (",2.001", ",2.0001", "10: plan \"2.0001\": more decimals than the unit carries"),
        (",2.001", ",2e3", "10: plan \"2e3\": not a decimal number"),
        (",2.001", ",1000000001", "9: 1000000001000 Wh planned for an hour, need 0 to 1000000000000"),
        ("plan-series", "plan", "1: kind \"plan\" is not known"),
    ];
    for (from, to, want) in table {
        let bent = text().replacen(from, to, 1);
        let error = plan(&bent).unwrap_err();
        assert!(error.to_string().starts_with(&format!("p.csv:{want}")), "{error}, expected {want}");
        assert!(!error.next_step().is_empty(), "{error}");
    }
}

const TARIFF: &str = r#"kind = "tariff"
id = "planned"
title = "By the plan"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "illustrative"
[vat]
rate_percent = "22.00"
included = false
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { "all" = "5.00" }
[deviation]
above = "excess"
below = "shortfall"
"#;

#[test]
fn a_tariff_with_deviations() {
    let Document::Tariff(tariff) = parse_document("t.toml", TARIFF).unwrap() else { panic!("no tariff") };
    assert!(render_tariff(&tariff).ends_with("[deviation]\nabove = \"excess\"\nbelow = \"shortfall\"\n"));
    let again = parse_document("t.toml", &render_tariff(&tariff)).unwrap();
    assert_eq!(again, Document::Tariff(tariff));
    for (from, to, want) in [
        ("below = \"shortfall\"\n", "", "t.toml:17: missing field `below`"),
        ("\"excess\"", "\"\"", "t.toml:18: above: "),
        ("below =", "beneath =", "t.toml:19: unknown field `beneath`"),
        (
            "[deviation]",
            "[netting]\nmode = \"none\"\nsell = { all = \"1\" }\n[deviation]",
            "t.toml:21: a tariff that nets energy cannot charge for deviations from a plan",
        ),
    ] {
        let error = parse_document("t.toml", &TARIFF.replace(from, to)).unwrap_err();
        assert!(error.to_string().starts_with(want), "{error}, expected {want}");
        assert!(!error.next_step().is_empty(), "{error}");
    }
}
