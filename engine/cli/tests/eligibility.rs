//! Tariffs that are not for the accounts that took them: told when planned, run and compared, and billed all the same.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fmt::Write as _;

use common::Place;

const AGREEMENT: &str = common::one_account::AGREEMENT;
const FACT: &str = "accounts_whose_tariff_is_not_for_them";

/// 10.00 a kilowatt-hour for anyone, or for those within bounds.
fn tariff(id: &str, price: &str, bounds: &str) -> String {
    format!(
        r#"kind = "tariff"
id = "{id}"
title = "One price"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = {{ rate_percent = "22", included = true }}
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = {{ all = "{price}" }}
{bounds}"#
    )
}

/// `count` points of 6 kWh a day in April, a quarter of a kilowatt all along; `P-01` takes 2 kWh in a half-hour of the 9th.
fn place(count: usize) -> Place {
    let place = Place::new();
    let columns: String = (1..=48).map(|at| format!(",v{at}")).collect();
    let mut readings = format!("usage_point,obis,date{columns}\n");
    let mut contracts = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n".to_owned();
    for point in 1..=count {
        for day in 1..=30 {
            let first = if (point, day) == (1, 9) { 2_000 } else { 125 };
            writeln!(readings, "P-{point:02},1-0:1.8.0,2026-04-{day:02},{first}{}", ",125".repeat(47))
                .unwrap();
        }
        // The last takes a tariff for anyone.
        let tariff = if point == count { "plain" } else { "small" };
        writeln!(
            contracts,
            "A-{point:02},P-{point:02},1-0:1.8.0,Asia/Yekaterinburg,{tariff},split,2026-04-01,"
        )
        .unwrap();
    }
    place.write("readings.csv", readings);
    place.write("contracts.csv", contracts);
    place.write("split.toml", AGREEMENT);
    place.write("plain.toml", tariff("plain", "10.00", ""));
    place
}

fn publish(place: &Place, files: &str) {
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, &format!("tallywatt tariff publish {files} --sign"));
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --zone Asia/Yekaterinburg");
}

#[test]
fn a_month_under_a_tariff_for_others() {
    let place = place(3);
    let bounds = "[eligibility]\npeak_kw_at_most = \"3\"\nmonth_kwh_at_most = \"181\"\n";
    place.write("small.toml", tariff("small", "8.00", bounds));
    publish(&place, "small.toml plain.toml split.toml");
    let shown = place.json("tallywatt tariff show small.toml");
    assert_eq!(
        shown["who_may_take_it"], "of a month peak at most 3.000 kW, energy at most 181.000 kWh",
        "{shown}"
    );

    // 2 kWh in half an hour are 4 kW; 30 × 6 kWh and 1.875 more are 181.875 kWh.
    let said = "account A-01 took tariff small, which is not for it: P-01 1-0:1.8.0: peak 4.000 kW, at most 3.000 kW; \
                P-01 1-0:1.8.0: 181.875 kWh in the month, at most 181.000 kWh";
    let plan = place.expect(0, "tallywatt bill plan 2026-04 --output april.plan --format json");
    assert!(plan.err.contains(said), "{}", plan.err);
    assert!(!plan.err.contains("account A-02") && !plan.err.contains("account A-03"), "{}", plan.err);
    assert_eq!(plan.object()[FACT], 1, "{}", plan.out);
    let run = place.expect(0, "tallywatt bill run 2026-04 --plan april.plan --format json");
    assert!(run.err.contains(said), "{}", run.err);
    assert_eq!(run.object()[FACT], 1, "{}", run.out);
    // The bill is what the contract says.
    let bill = place.json("tallywatt bill show A-01 2026-04");
    assert_eq!(bill["total"], "1455.00 RUB", "{bill}");

    let compared = place.json("tallywatt tariff compare A-01 2026-04");
    let rows: Vec<[&str; 3]> = compared["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["tariff", "total", "not_for_it"].map(|field| row[field].as_str().unwrap()))
        .collect();
    let bounds = said.split_once("not for it: ").unwrap().1;
    assert_eq!(rows, [["small", "1455.00", bounds], ["plain", "1818.75", ""]], "{compared}");
}

#[test]
fn twenty_are_named_and_all_are_counted() {
    let place = place(23);
    // Nobody comes to a megawatt-hour.
    place.write("small.toml", tariff("small", "8.00", "[eligibility]\nmonth_kwh_at_least = \"1000\"\n"));
    publish(&place, "small.toml plain.toml split.toml");
    let plan = place.expect(0, "tallywatt bill plan 2026-04 --format json");
    assert_eq!(plan.object()[FACT], 22, "{}", plan.out);
    assert_eq!(plan.err.matches("which is not for it").count(), 20, "{}", plan.err);
    assert!(plan.err.contains("180.000 kWh in the month, need at least 1000.000 kWh"), "{}", plan.err);
}

#[test]
fn nothing_is_said_of_tariffs_for_anyone() {
    let place = place(1);
    publish(&place, "plain.toml split.toml");
    let plan = place.expect(0, "tallywatt bill plan 2026-04 --format json").object();
    assert!(plan.get(FACT).is_none(), "{plan}");
    place.expect(0, "tallywatt bill run 2026-04");
    let compared = place.json("tallywatt tariff compare A-01 2026-04");
    assert!(compared["rows"][0].get("not_for_it").is_none(), "{compared}");
}
