//! An hourly plan from file to proof: published, billed, explained hour by hour, proven; and each rounded figure with its
//! rule.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fmt::Write as _;

use common::Place;

const TARIFF: &str = r#"kind = "tariff"
id = "planned"
title = "By the plan"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "illustrative"
[vat]
rate_percent = "22"
included = false
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { all = "5.00001" }
[deviation]
above = "excess"
below = "shortfall"
"#;

const AGREEMENT: &str = r#"kind = "agreement"
id = "grid"
title = "Grid and supplier"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "1" }
"#;

const CONTRACTS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to
A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,planned,grid,2026-02-01,
";

/// February: a value for each hour.
fn february(head: &str, columns: &str, value: impl Fn(u32, u32) -> String) -> String {
    let days = "#zone,Asia/Yekaterinburg\n#valid_from,2026-02-01\n#valid_to,2026-03-01\n";
    let mut text = format!("{head}#title,Illustrative\n#source,illustrative\n{days}{columns}\n");
    for day in 1..=28 {
        for hour in 0..24 {
            writeln!(text, "2026-02-{day:02}T{hour:02}:00:00+05:00,{}", value(day, hour)).unwrap();
        }
    }
    text
}

fn place() -> Place {
    let place = Place::new();
    place.write("tariff.toml", TARIFF);
    place.write("agreement.toml", AGREEMENT);
    place.write("contracts.csv", CONTRACTS);
    let prices = |name: &str| format!("#kind,price-series\n#name,{name}\n#unit,RUB/kWh\n#minutes,60\n");
    place.write("excess.csv", february(&prices("excess"), "start,price", |_, _| "1.2345".into()));
    place.write(
        "shortfall.csv",
        february(&prices("shortfall"), "start,price", |_, hour| format!("0.{hour:02}")),
    );
    // A kilowatt-hour an hour; on the 3rd half of it at seven, and two at nine.
    let plan =
        february("#kind,plan-series\n#usage_point,P-1\n", "start,kwh", |day, hour| match (day, hour) {
            (3, 7) => "0.5".into(),
            (3, 9) => "2".into(),
            _ => "1".into(),
        });
    place.write("plan.csv", plan);
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let mut readings = format!("usage_point,obis,date{columns}\n");
    for day in 1..=28 {
        writeln!(readings, "P-1,1-0:1.8.0,2026-02-{day:02}{}", ",500".repeat(48)).unwrap();
    }
    place.write("readings.csv", readings);
    place
}

#[test]
fn a_month_by_the_plan() {
    let place = place();
    let files = "tariff.toml agreement.toml excess.csv shortfall.csv";
    place.expect(0, &format!("tallywatt tariff check {files} plan.csv"));
    let shown = place.json("tallywatt tariff show tariff.toml");
    let row = &shown["rows"][1];
    assert_eq!((&row["charge"], &row["price"]), (&"above the plan".into(), &"excess".into()), "{shown}");
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, &format!("tallywatt tariff publish {files} --sign"));
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --profile tallywatt --zone Asia/Yekaterinburg");
    let unplanned = place.expect(2, "tallywatt bill plan 2026-02");
    let reason = "usage point P-1 has no plan for the hour from 2026-01-31T19:00:00Z";
    assert!(unplanned.err.contains(reason), "{}", unplanned.err);
    place.expect(0, "tallywatt tariff publish plan.csv");
    place.write(
        "again.csv",
        std::fs::read_to_string(place.path().join("plan.csv")).unwrap().replace(",2\n", ",3\n"),
    );
    let again = place.expect(2, "tallywatt tariff publish again.csv");
    assert!(again.err.contains("overlaps"), "{}", again.err);

    place.expect(0, "tallywatt bill run 2026-02");
    // 672 × 5.00001 = 3360.00672; 0.5 above at 1.2345 = 0.61725; 1 below at 0.09.
    let bill = place.json("tallywatt bill show A-1 2026-02");
    let fields = ["line", "quantity", "price", "exact", "rounding", "amount"];
    let rows: Vec<Vec<&str>> = bill["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| fields.map(|field| row[field].as_str().unwrap()).to_vec())
        .collect();
    let want = [
        ["all", "672.000", "5.00001", "3360.00672", "half up, +0.00328", "3360.01"],
        ["above the plan", "0.500", "mean 1.2345", "0.61725", "half up, +0.00275", "0.62"],
        ["below the plan", "1.000", "mean 0.09", "0.09", "exact", "0.09"],
    ];
    assert_eq!(rows, want, "{bill}");
    // 22 % of 3360.72 is 739.3584.
    assert_eq!(bill["vat"][0], "739.36 (22 %, on top, half up of 3360.72)", "{bill}");
    assert_eq!(bill["rounding"], "each line and each tax half up to 0.01; the total is their sum", "{bill}");
    assert_eq!(bill["total"], "4100.08 RUB", "{bill}");
    assert!(bill["plan"].as_str().unwrap().starts_with("P-1 from 2026-02-01 until 2026-03-01"), "{bill}");

    let days = place.json("tallywatt bill explain A-1 2026-02 --line 2");
    assert_eq!(
        (&days["rounding"], &days["price"]),
        (&"half up, +0.00275".into(), &"excess, mean 1.2345".into())
    );
    assert_eq!(days["rows"].as_array().unwrap().len(), 1, "{days}");
    let hours = place.json("tallywatt bill explain A-1 2026-02 --line 3 --day 2026-02-03");
    let row = &hours["rows"][0];
    let fields = ["planned_kwh", "kwh", "deviation_kwh", "price"].map(|field| row[field].as_str().unwrap());
    assert_eq!(fields, ["2.000", "1.000", "1.000", "0.09"], "{hours}");
    assert!(row["start"].as_str().unwrap().contains("09:00"), "{hours}");

    place.expect(0, "tallywatt prove bill A-1 2026-02");
    let verify = "tallywatt verify bill-A-1-2026-02.receipt --policy tallywatt-data/trust.policy";
    let verified = place.expect(0, verify);
    assert!(verified.out.contains("VALID    bill A-1, 2026-02, 4100.08 RUB"), "{}", verified.out);
    assert!(verified.out.contains("plan of P-1 from 2026-02-01"), "{}", verified.out);
    place.expect(0, "tallywatt chain audit");
}

/// Rounded once a bill: each line is a share of the rounded sum.
#[test]
fn a_bill_rounded_as_one() {
    let place = place();
    let tariff =
        TARIFF.replace("round_each = \"line\"", "round_each = \"bill\"").replace("half-up", "half-even");
    place.write("tariff.toml", tariff);
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(
        0,
        "tallywatt tariff publish tariff.toml agreement.toml excess.csv shortfall.csv plan.csv --sign",
    );
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --profile tallywatt --zone Asia/Yekaterinburg");
    place.expect(0, "tallywatt bill run 2026-02");
    let bill = place.json("tallywatt bill show A-1 2026-02");
    // 3360.00672, 3360.62397 and 3360.71397 are 3360.01, 3360.62 and 3360.71.
    let rows = bill["rows"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["rounding"].as_str().unwrap(), row["amount"].as_str().unwrap())).collect();
    let want = [
        ("share of the bill half even, +0.00328", "3360.01"),
        ("share of the bill half even, -0.00725", "0.61"),
        ("exact", "0.09"),
    ];
    assert_eq!(told, want, "{bill}");
    let rule = "the sum of the lines half even to 0.01, each line its share of it; each tax half even";
    assert_eq!(bill["rounding"], rule, "{bill}");
}
