//! Exceptions, gaps and losses as a person and a program meet them, on a ledger small enough to work out by hand.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use serde_json::{Value, json};

const TARIFF: &str = r#"kind = "tariff"
id = "two"
title = "Day and night"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = { rate_percent = "22", included = true }
[[zone]]
name = "day"
windows = ["07:00-23:00"]
[[zone]]
name = "night"
windows = ["23:00-07:00"]
[[range]]
price = { day = "6.00", night = "2.00" }
"#;
const AGREEMENT: &str = r#"kind = "agreement"
id = "split"
title = "Split"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "1.00" }
"#;
const PACK: &str = r#"kind = "rule-pack"
id = "quiet"
title = "Without outliers"
source = "test"
valid_from = "2026-03-01"
[default]
off = ["V10"]
"#;

fn row(point: &str, day: u32, value: impl Fn(usize) -> u32) -> String {
    let values: Vec<String> = (0..48).map(|slot| value(slot).to_string()).collect();
    format!("{point},1-0:1.8.0,2026-03-{day:02},{}\n", values.join(","))
}

/// Ten days: `P-1` has a spike at noon of the 5th and `P-2` one at night; `P-3` falls silent after the 7th, `P-2` lacks
/// the 3rd. `H-1` gives 20 parts, `P-4` takes 9 of them and `P-5` 10: 5 % are lost. These three have no contract.
fn surveyed() -> Place {
    let place = Place::new();
    let columns: Vec<String> = (1..=48).map(|at| format!("v{at}")).collect();
    let mut text = format!("usage_point,obis,date,{}\n", columns.join(","));
    let plain = |slot: usize| 100 + u32::try_from(slot % 5).unwrap();
    for day in 1..=10 {
        text += &row("P-1", day, |slot| if day == 5 && slot == 24 { 5_000 } else { plain(slot) });
        if day != 3 {
            text += &row("P-2", day, |slot| if day == 5 && slot == 2 { 5_000 } else { plain(slot) });
        }
        if day <= 7 {
            text += &row("P-3", day, plain);
        }
        for (point, parts) in [("H-1", 20), ("P-4", 9), ("P-5", 10)] {
            text += &row(point, day, |slot| parts * (10 + u32::try_from(slot % 5).unwrap()));
        }
    }
    place.write("readings.csv", text);
    place.write("tariff.toml", TARIFF);
    place.write("agreement.toml", AGREEMENT);
    place.write("pack.toml", PACK);
    let mut contracts = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n".to_owned();
    for at in 1..=3 {
        contracts += &format!("A-{at},P-{at},1-0:1.8.0,Asia/Yekaterinburg,two,split,2026-03-01,\n");
    }
    place.write("contracts.csv", contracts);
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, "tallywatt tariff publish tariff.toml agreement.toml --sign");
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --zone Asia/Yekaterinburg");
    place
}

fn rows<'a>(object: &'a Value, fields: &[&str]) -> Vec<Vec<&'a Value>> {
    let rows = object["rows"].as_array().unwrap();
    rows.iter().map(|row| fields.iter().map(|field| &row[field]).collect()).collect()
}

#[test]
fn exceptions_by_money_and_the_pack_that_made_them() {
    let place = surveyed();
    let found = place.json("tallywatt readings exceptions 2026-03 --rule V09");
    let fields = ["usage_point", "first_interval", "rule", "money_at_stake", "severity"];
    // 5,000 less 104 Wh at 6.00 by day, at 2.00 by night: 29.376 and 9.792.
    assert_eq!(
        rows(&found, &fields),
        [
            [
                &json!("P-1"),
                &json!("2026-03-05T12:00+05:00"),
                &json!("V09"),
                &json!("29.38"),
                &json!("estimate")
            ],
            [
                &json!("P-2"),
                &json!("2026-03-05T01:00+05:00"),
                &json!("V09"),
                &json!("9.79"),
                &json!("estimate")
            ],
        ]
    );
    assert_eq!(found["by_rule"], json!({ "V09": 2 }));
    assert_eq!(found["by_severity"], json!({ "estimate": 2 }));
    assert!(found["rule_pack"][0].as_str().unwrap().starts_with("generic 076b5cce"), "{found}");
    let all = place.json("tallywatt readings exceptions 2026-03");
    assert_eq!(all["by_rule"], json!({ "V09": 2, "V10": 2 }));

    place.expect(0, "tallywatt tariff check pack.toml");
    place.expect(0, "tallywatt tariff publish pack.toml");
    let again = place.json("tallywatt tariff publish pack.toml");
    assert_eq!((&again["published"], &again["published_before"]), (&json!(0), &json!(1)));
    let listed = place.json("tallywatt tariff list");
    let kinds: Vec<&str> =
        listed["rows"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["tariff", "agreement", "rule pack"]);
    let quiet = place.json("tallywatt readings exceptions 2026-03 --explain");
    assert_eq!(quiet["by_rule"], json!({ "V09": 2 }));
    let pack = quiet["rule_pack"][0].as_str().unwrap();
    let row = &quiet["rows"][0];
    assert_eq!(pack, format!("quiet {}", row["rule_pack"].as_str().unwrap()));
    assert!(pack.contains(listed["rows"][2]["hash"].as_str().unwrap()), "{pack}");
    assert_eq!(row["inputs"], "highest 5000 Wh, third highest 104 Wh; values 5000; in question 4896 Wh");
    assert_eq!(row["parameters"], "spike_thousandths_max 1800, spike_wh_min 1000, spike_spares_history 0");
    let shown = place.expect(0, "tallywatt readings exceptions 2026-03 --usage-point P-2");
    assert!(shown.out.lines().any(|line| line == format!("{:<13}  V09 1", "by rule")), "{}", shown.out);
    place.expect(0, "tallywatt chain audit");

    place.write("overlap.toml", PACK.replace("2026-03-01", "2026-04-01"));
    let ran = place.expect(2, "tallywatt tariff check pack.toml overlap.toml");
    assert!(ran.err.contains("overlap.toml: rule pack quiet"), "{}", ran.err);
    assert!(place.expect(2, "tallywatt tariff publish overlap.toml").err.contains("overlaps"));
    let ran = place.expect(2, "tallywatt readings exceptions 2026-03 --rule V31");
    assert!(ran.err.contains("write V01 to V30"), "{}", ran.err);
}

#[test]
fn gaps_by_day_and_by_point() {
    let place = surveyed();
    let found = place.json("tallywatt readings gaps 2026-03");
    let fields = ["usage_point", "day", "intervals", "missing", "complete", "state"];
    let lacking = |point: &str, day: u32, state: &str| {
        [json!(point), json!(format!("2026-03-{day:02}")), json!(48), json!(48), json!("0.0"), json!(state)]
    };
    assert_eq!(
        rows(&found, &fields),
        [
            lacking("P-2", 3, "UNDER_COVERED").each_ref(),
            lacking("P-3", 8, "SILENT").each_ref(),
            lacking("P-3", 9, "SILENT").each_ref(),
            lacking("P-3", 10, "SILENT").each_ref(),
        ]
    );
    for (fact, want) in [("days_with_gaps", 4), ("days_absent", 4), ("under_covered", 1)] {
        assert_eq!(found[fact], want, "{fact}: {found}");
    }
    assert_eq!(found["until"], "2026-03-10T19:00:00Z");
    let by_point = place.json("tallywatt readings gaps 2026-03 --by point");
    let states: Vec<String> = rows(&by_point, &["usage_point", "complete", "state"])
        .iter()
        .map(|row| row.iter().map(|field| field.as_str().unwrap()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        states,
        [
            "H-1 100.0 COMPLETE",
            "P-1 100.0 COMPLETE",
            "P-2 90.0 UNDER_COVERED",
            "P-3 70.0 SILENT",
            "P-4 100.0 COMPLETE",
            "P-5 100.0 COMPLETE",
        ]
    );
    let by_day = place.json("tallywatt readings gaps 2026-03 --by day --at 2026-03-07T19:00:00Z");
    assert_eq!(by_day["rows"].as_array().unwrap().len(), 7);
    assert_eq!(
        rows(&by_day, &["day", "registers_absent", "missing", "complete", "state"])[2],
        [&json!("2026-03-03"), &json!(1), &json!(48), &json!("83.3"), &json!("GAP")]
    );
    let ran = place.expect(2, "tallywatt readings gaps 2026-03 --at tomorrow");
    assert!(ran.err.contains("2026-03-14T06:00:00Z"), "{}", ran.err);
}

/// 48 intervals a day: 20 × (48 × 10 + 93) = 11,460 Wh given, 19 parts or 10,887 Wh taken, 573 Wh or 5 % lost.
#[test]
fn losses_of_a_feeder() {
    let place = surveyed();
    let list = |norm: u32, more: &str| {
        format!("head,usage_point,loss_permille_norm\nH-1,P-4,{norm}\nH-1,P-5,{norm}\n{more}")
    };
    let fields = ["head_kwh", "meters_kwh", "difference_kwh", "loss", "norm", "lacking", "verdict"];
    let check = |code: i32, norm: u32, more: &str, want: &[&[Value]]| {
        place.write("feeders.csv", list(norm, more));
        let ran = place.expect(code, "tallywatt losses 2026-03 --feeders feeders.csv --format json");
        let object = ran.object();
        assert_eq!(object["exit_code"], code, "{object}");
        let rows = rows(&object, &fields);
        let rows: Vec<Vec<Value>> =
            rows.iter().map(|row| row.iter().map(|&field| field.clone()).collect()).collect();
        assert_eq!(rows, want, "{norm} {more}");
        ran
    };
    let row = |norm: &str, verdict: &str| {
        let texts = ["114.600", "108.870", "5.730", "5.0", norm].map(|text| json!(text));
        [&texts[..], &[json!(0), json!(verdict)]].concat()
    };
    check(0, 50, "", &[&row("5.0", "WITHIN_NORM")]);
    check(4, 49, "", &[&row("4.9", "ABOVE_NORM")]);
    let none = [
        json!("0.000"),
        json!("0.000"),
        json!("0.000"),
        json!(null),
        json!("6.0"),
        json!(0),
        json!("INCOMPLETE"),
    ];
    let ran = check(4, 50, "H-2,P-8,60\n", &[&row("5.0", "WITHIN_NORM"), &none]);
    for said in
        ["usage point H-2 of feeder H-2 has no readings", "usage point P-8 of feeder H-2 has no readings"]
    {
        assert!(ran.err.contains(said), "{}", ran.err);
    }

    place.write("feeders.csv", list(50, ""));
    let by_day = place.json("tallywatt losses 2026-03 --feeders feeders.csv --by day");
    let days = by_day["rows"].as_array().unwrap();
    assert_eq!((days.len(), &by_day["within_norm"]), (10, &json!(10)));
    assert_eq!(
        (&days[9]["day"], &days[9]["head_kwh"], &days[9]["meters_kwh"], &days[9]["loss"]),
        (&json!("2026-03-10"), &json!("11.460"), &json!("10.887"), &json!("5.0"))
    );
    // The spike makes a meter of its feeder count more than its head.
    place.write("feeders.csv", "head,usage_point,loss_permille_norm\nH-1,P-1,60\nH-1,P-5,60\n");
    let by_day =
        place.expect(4, "tallywatt losses 2026-03 --feeders feeders.csv --by day --format json").object();
    let verdicts: Vec<&Value> = rows(&by_day, &["verdict"]).into_iter().map(|row| row[0]).collect();
    let counted = |verdict: &str| verdicts.iter().filter(|&&found| found == verdict).count();
    assert_eq!((verdicts[4], counted("ABOVE_NORM")), (&json!("OUT_OF_RANGE"), 9), "{by_day}");

    place.write("feeders.csv", list(50, "H-1,P-4,50\n"));
    let ran = place.expect(2, "tallywatt losses 2026-03 --feeders feeders.csv");
    assert!(ran.err.contains("feeders.csv:4: usage point P-4 stands on line 2 already"), "{}", ran.err);
    let ran = place.expect(2, "tallywatt losses 2026-03 --feeders none.csv");
    assert!(ran.err.contains("none.csv"), "{}", ran.err);
}

#[test]
fn what_a_source_says_of_its_values_is_told() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    let values = vec!["0.5"; 48].join(",");
    place.write(
        "n.csv",
        format!(
            "100,NEM12,202603040000,SENDER,TAKER\n200,N-1,E1,E1,E1,N1,,kWh,30,\n300,20260302,{values},A,,,,\n\
             300,20260303,{values},V,,,,\n400,1,40,A,,\n400,41,48,F14,76,\n900\n"
        ),
    );
    let taken = place.json("tallywatt ingest n.csv --profile nem12");
    assert_eq!(
        taken["source_says"],
        "300 A: 1 records, 48 values; 300 V: 1 records, 0 values; 400 A: 1 records, 40 values; \
         400 F14 reason 76 (retrospective like day): 1 records, 8 values"
    );
}
