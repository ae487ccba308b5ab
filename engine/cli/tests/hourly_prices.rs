//! Prices by the hour from file to proof: published, billed, explained, proven; below zero; and without them no bill.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fmt::Write as _;

use common::Place;

const TARIFF: &str = r#"kind = "tariff"
id = "hourly"
title = "By the hour"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "illustrative"
[vat]
rate_percent = "20"
included = false
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { all = { series = "dam", plus = "0.5" } }
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
A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,hourly,grid,2026-02-01,
A-2,P-2,1-0:1.8.0,Asia/Yekaterinburg,hourly,grid,2026-02-01,
";

const CASES: &str = r#"[[case]]
name = "a kilowatt-hour an hour"
tariffs = ["tariff.toml"]
market = ["february.csv"]
period = "2026-02"
zone = "Asia/Yekaterinburg"
minutes = 30
use = [{ wh = 500 }]
total = "2419.20"
lines = { "all" = "2016.00" }
[[case]]
name = "without prices"
tariffs = ["tariff.toml"]
period = "2026-02"
zone = "Asia/Yekaterinburg"
minutes = 60
use = [{ wh = 1000 }]
error = "price series dam has no price for 2026-01-31T19:00:00Z"
"#;

/// Three hours of every night at a rouble below zero, all others at three.
fn prices(days: u32) -> String {
    let mut text = format!(
        "#kind,price-series\n#name,dam\n#title,Day-ahead, Ural\n#source,illustrative\n#unit,RUB/MWh\n#zone,Asia/Yekaterinburg\n#minutes,60\n#valid_from,2026-02-01\n#valid_to,2026-{}\nstart,price\n",
        if days == 28 { "03-01".to_owned() } else { format!("02-{:02}", days + 1) }
    );
    for day in 1..=days {
        for hour in 0..24 {
            let price = if hour < 3 { "-1000.00" } else { "3000.00" };
            writeln!(text, "2026-02-{day:02}T{hour:02}:00:00+05:00,{price}").unwrap();
        }
    }
    text
}

/// A kilowatt-hour in every hour at P-1, and in the first three of each day at P-2.
fn readings() -> String {
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let mut text = format!("usage_point,obis,date{columns}\n");
    for day in 1..=28 {
        for point in ["P-1", "P-2"] {
            let value = |slot: u32| if point == "P-1" || slot < 6 { ",500" } else { ",0" };
            let values: String = (0..48).map(value).collect();
            writeln!(text, "{point},1-0:1.8.0,2026-02-{day:02}{values}").unwrap();
        }
    }
    text
}

fn place() -> Place {
    let place = Place::new();
    place.write("tariff.toml", TARIFF);
    place.write("agreement.toml", AGREEMENT);
    place.write("contracts.csv", CONTRACTS);
    place.write("february.csv", prices(28));
    place.write("readings.csv", readings());
    place
}

#[test]
fn a_month_by_the_hour() {
    let place = place();
    place.expect(0, "tallywatt tariff check tariff.toml agreement.toml february.csv");
    let shown = place.json("tallywatt tariff show tariff.toml");
    assert_eq!(shown["rows"][0]["price"], "dam + 0.50", "{shown}");
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, "tallywatt tariff publish tariff.toml agreement.toml --sign");
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --profile tallywatt --zone Asia/Yekaterinburg");
    // Without prices nobody is billed, and the reason names the first instant.
    let unpriced = place.expect(2, "tallywatt bill plan 2026-02");
    let reason = "price series dam has no price for 2026-01-31T19:00:00Z";
    assert!(unpriced.err.contains(reason), "{}", unpriced.err);
    place.expect(0, "tallywatt tariff publish february.csv");
    let listed = place.json("tallywatt tariff list");
    let kinds: Vec<&str> =
        listed["rows"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"price series"), "{listed}");
    // Another series of its days is refused.
    place.write("other.csv", prices(27));
    let overlap = place.expect(2, "tallywatt tariff publish other.csv");
    assert!(overlap.err.contains("overlaps"), "{}", overlap.err);

    place.expect(0, "tallywatt bill run 2026-02");
    // 28 days of 3 × -1 + 21 × 3 = 60, and 672 × 0.5: 2016; with 20 % on top 2419.20.
    let bill = place.json("tallywatt bill show A-1 2026-02");
    let line = &bill["rows"][0];
    assert_eq!((&line["price"], &line["exact"]), (&"mean 3.00".into(), &"2016.00".into()), "{bill}");
    assert_eq!((&bill["total"], &bill["energy_kwh"]), (&"2419.20 RUB".into(), &"672.000".into()), "{bill}");
    // 84 kilowatt-hours at -1 + 0.5: a bill below zero, of which nothing is the grid company's.
    let below = place.json("tallywatt bill show A-2 2026-02");
    assert_eq!(below["total"], "-50.40 RUB", "{below}");
    assert_eq!(below["payees_part_exact"], "0.00", "{below}");
    let day = place.json("tallywatt bill explain A-1 2026-02 --line 1 --day 2026-02-03");
    let rows = day["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 48, "{day}");
    assert_eq!((&rows[5]["price"], &rows[6]["price"]), (&"-0.50".into(), &"3.50".into()), "{day}");
    let compared = place.json("tallywatt tariff compare A-1 2026-02");
    assert_eq!(compared["rows"][0]["difference"], "0.00", "{compared}");
    for (account, total) in [("A-1", "2419.20"), ("A-2", "-50.40")] {
        place.expect(0, &format!("tallywatt prove bill {account} 2026-02"));
        let verify =
            format!("tallywatt verify bill-{account}-2026-02.receipt --policy tallywatt-data/trust.policy");
        let verified = place.expect(0, &verify);
        assert!(
            verified.out.contains(&format!("VALID    bill {account}, 2026-02, {total} RUB")),
            "{}",
            verified.out
        );
    }
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.contains("SOUND  0 findings"), "{}", audit.out);
}

#[test]
fn cases_and_caps() {
    let place = place();
    place.write("cases.toml", CASES);
    let tested = place.json("tallywatt tariff test cases.toml");
    assert_eq!((&tested["cases"], &tested["as_expected"]), (&2.into(), &2.into()), "{tested}");
    let cap = |rate: &str| {
        format!(
            "kind = \"price-cap\"\nname = \"cap\"\nsource = \"illustrative\"\nregion = \"Ural\"\ncurrency = \"RUB\"\nvalid_from = \"2026-01-01\"\nunit_rate = \"{rate}\"\nstanding_charge = \"0\"\ntax_included = true\n"
        )
    };
    // 3.5 and 20 % are 4.2.
    place.write("cap.toml", cap("4.2"));
    let kept = place.expect(0, "tallywatt tariff check tariff.toml february.csv --cap cap.toml");
    assert!(kept.err.contains("compared on the days of the files given"), "{}", kept.err);
    let unknown = place.expect(0, "tallywatt tariff check tariff.toml --cap cap.toml");
    assert!(unknown.err.contains("cannot be compared without its file"), "{}", unknown.err);
    place.write("cap.toml", cap("4.19999999"));
    let passed = place.expect(2, "tallywatt tariff check tariff.toml february.csv --cap cap.toml");
    let problem = "tariff.toml:16: zone all, range 1 at 2026-01-31T22:00:00Z costs 3.50 without tax, the cap cap is 4.19999999 with tax";
    assert!(passed.err.contains(problem), "{}", passed.err);
    let no_prices = place.expect(2, "tallywatt tariff check february.csv tariff.toml cap.toml");
    assert!(no_prices.err.contains("cap.toml:1: kind \"price-cap\" is not known"), "{}", no_prices.err);
}
