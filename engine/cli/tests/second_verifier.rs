//! The verifier in Python takes receipts as the program writes them: bills that stand on bills, corrected bills, days.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::path::Path;

use common::Place;

const TARIFF: &str = r#"kind = "tariff"
id = "sun"
title = "Sun"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = { rate_percent = "20", included = true }
zone = [{ name = "all", windows = ["00:00-24:00"] }]
range = [{ price = { all = "10" } }]
netting = { mode = "month-carry", sell = { all = "4" } }
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
const CONTRACTS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
    SUN,ROOF,1-0:1.8.0,UTC,sun,split,2026-01-01,\nSUN,ROOF,1-0:2.8.0,UTC,sun,split,2026-01-01,\n";

/// A day of each register of the roof, by month and day.
fn readings(days: &[(u8, u8)], taken_wh: u32) -> String {
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let mut text = format!("usage_point,obis,date{columns}\n");
    for (month, day) in days {
        for (obis, wh) in [("1-0:1.8.0", taken_wh), ("1-0:2.8.0", 100)] {
            text += &format!("ROOF,{obis},2026-{month:02}-{day:02}{}\n", format!(",{wh}").repeat(48));
        }
    }
    text
}

#[test]
fn what_the_program_writes_is_valid_in_python() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verify/python/tallywatt_verify.py");
    let place = Place::new();
    let days = (1..=30).map(|day| (4, day)).chain((1..=31).map(|day| (5, day)));
    let days: Vec<(u8, u8)> = days.filter(|day| *day != (5, 7)).collect();
    for (name, text) in [
        ("sun.toml", TARIFF),
        ("split.toml", AGREEMENT),
        ("contracts.csv", CONTRACTS),
        ("readings.csv", &readings(&days, 10)),
        ("late.csv", &readings(&[(5, 7)], 30)),
    ] {
        place.write(name, text);
    }
    for line in [
        "init --demonstration-keys 7",
        "tariff publish sun.toml split.toml --sign",
        "contract publish contracts.csv",
        "ingest readings.csv --zone UTC",
        "bill run 2026-04",
        "bill run 2026-05",
        "prove bill SUN 2026-04 --output april",
        "prove bill SUN 2026-05 --output may",
        "prove day ROOF 2026-04-07 --output day",
        "ingest late.csv --zone UTC",
        "bill correct 2026-05 --on 2026-06-20",
        "prove bill SUN 2026-05 --output corrected",
    ] {
        place.expect(0, &format!("tallywatt {line}"));
    }
    assert!(place.text("may").contains("\nprevious "), "the bill of May stands on that of April");
    assert!(place.text("corrected").contains("\ncorrection "), "May was corrected");
    for name in ["april", "may", "day", "corrected"] {
        place.expect(0, &format!("tallywatt verify {name}"));
        let line = format!("python3 {} {name} --policy tallywatt-data/trust.policy", script.display());
        let ran = place.expect(0, &line);
        assert!(ran.out.lines().last().unwrap().starts_with("VALID    "), "{}", ran.out);
        // Of the bill before it, another record in the same place is refused.
        let forged = place.text(name).replacen("\nprevious A", "\nprevious B", 1);
        place.write("forged", forged);
        let code = i32::from(name == "may" || name == "corrected");
        place.expect(code, "tallywatt verify forged");
        place.expect(code, &line.replace(name, "forged"));
    }
}
