//! A ledger of one account: 6 kWh a day at 10.00, of which 2.00 are the grid company's.

use serde_json::Value;

use super::Place;

/// 10.00 a kilowatt-hour, tax included.
const TARIFF: &str = r#"kind = "tariff"
id = "one"
title = "One price"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = { rate_percent = "22", included = true }
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { all = "10.00" }
"#;
/// 2.00 of them for the grid company.
pub const AGREEMENT: &str = r#"kind = "agreement"
id = "split"
title = "Split"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
order = ["designated", "earlier", "current", "advance"]
rule = "per-kwh"
per_kwh = { all = "2.00" }
"#;
const CONTRACTS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to
A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-31,
";

/// 6 kWh a day from the last of March to the end of April: 60.00 and 1,800.00 to pay, none of it billed yet.
pub fn ledger() -> Place {
    ledger_under(AGREEMENT)
}

/// The same, under an agreement of this text.
pub fn ledger_under(agreement: &str) -> Place {
    let place = Place::new();
    write_inputs(&place, agreement);
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, "tallywatt tariff publish tariff.toml split.toml --sign");
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --zone Asia/Yekaterinburg");
    place
}

/// The files it is made of.
pub fn write_inputs(place: &Place, agreement: &str) {
    let columns: Vec<String> = (1..=48).map(|at| format!("v{at}")).collect();
    let mut text = format!("usage_point,obis,date,{}\n", columns.join(","));
    let days = (1..=30).map(|day| format!("2026-04-{day:02}"));
    for day in std::iter::once("2026-03-31".to_owned()).chain(days) {
        text += &format!("P-1,1-0:1.8.0,{day},{}\n", ["125"; 48].join(","));
    }
    for (name, text) in [
        ("tariff.toml", TARIFF),
        ("split.toml", agreement),
        ("contracts.csv", CONTRACTS),
        ("readings.csv", text.as_str()),
    ] {
        place.write(name, text);
    }
}

/// `grid part 12.00`: the rows of a report.
pub fn rows(report: &Value) -> Vec<String> {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let cell = |name: &str| row[name].as_str().unwrap().to_owned();
        format!("{} {} {}", cell("party"), cell("leg"), cell("amount"))
    })
    .collect()
}
