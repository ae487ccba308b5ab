//! A house with a roof, as its supplier types it: shares of the generation, a bill with energy fed in, and its explanation.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

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
netting = { mode = "interval", sell = { all = "4" } }
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

const GROUP: &str = r#"kind = "sharing-group"
id = "house"
title = "House"
valid_from = "2026-01-01"
mode = "capped"
[generator]
usage_point = "ROOF"
obis = "1-0:2.8.0"
[[participant]]
usage_point = "FLAT-2"
obis = "1-0:1.8.0"
share_percent = "25"
[[participant]]
usage_point = "FLAT-1"
obis = "1-0:1.8.0"
share_percent = "50"
"#;

const CONTRACTS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to,own_prices\n\
    SUN,ROOF,1-0:1.8.0,UTC,sun,split,2026-01-01,,\nSUN,ROOF,1-0:2.8.0,UTC,sun,split,2026-01-01,,\n\
    ONE,FLAT-1,1-0:1.8.0,UTC,sun,split,2026-01-01,,all=9.00\nTWO,FLAT-2,1-0:1.8.0,UTC,sun,split,2026-01-01,,\n";

/// April 2026: 1,440 half-hours. The roof takes 10 Wh each and feeds in 100 Wh; the flats take 30 and 80 Wh.
fn house(place: &Place) {
    for (name, text) in
        [("sun.toml", TARIFF), ("split.toml", AGREEMENT), ("house.toml", GROUP), ("contracts.csv", CONTRACTS)]
    {
        place.write(name, text);
    }
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let mut text = format!("usage_point,obis,date{columns}\n");
    for (point, obis, wh) in [
        ("ROOF", "1-0:1.8.0", 10),
        ("ROOF", "1-0:2.8.0", 100),
        ("FLAT-1", "1-0:1.8.0", 30),
        ("FLAT-2", "1-0:1.8.0", 80),
    ] {
        for day in 1..=30 {
            text += &format!("{point},{obis},2026-04-{day:02}{}\n", format!(",{wh}").repeat(48));
        }
    }
    place.write("readings.csv", text);
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, "tallywatt tariff check sun.toml split.toml house.toml");
    place.expect(0, "tallywatt tariff publish sun.toml split.toml house.toml --sign");
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --zone UTC");
}

#[test]
fn a_roof_is_shared_and_billed() {
    let place = Place::new();
    house(&place);
    let early = place.expect(2, "tallywatt readings share house 2026-04");
    assert!(early.err.contains("2026-04 is not closed"), "{}", early.err);
    place.expect(0, "tallywatt bill run 2026-04");
    // Half-hour by half-hour: 50 of the 100 for FLAT-1, which used 30; 25 for FLAT-2; the other 45 are fed in.
    for group in ["house", "house.toml"] {
        let shared = place.json(&format!("tallywatt readings share {group} 2026-04"));
        let rows = shared["rows"].as_array().unwrap();
        let row = |at: usize| {
            let field = |name: &str| rows[at][name].as_str().unwrap().to_owned();
            (field("usage_point"), field("given_kwh"), field("left_to_buy_kwh"), field("own"))
        };
        let want = |name: &str, given: &str, left: &str, own: &str| {
            (name.to_owned(), given.to_owned(), left.to_owned(), own.to_owned())
        };
        assert_eq!(row(0), want("FLAT-1", "43.200", "0.000", "100.0"), "{shared}");
        assert_eq!(row(1), want("FLAT-2", "36.000", "79.200", "31.3"), "{shared}");
        assert_eq!(shared["generated_kwh"], "144.000");
        assert_eq!(shared["given_kwh"], "79.200");
        assert_eq!(shared["fed_in_kwh"], "64.800");
        assert_eq!((&shared["values_missing"], &shared["mode"]), (&0.into(), &"capped".into()));
    }
    let unknown = place.expect(2, "tallywatt readings share barn 2026-04");
    assert!(unknown.err.contains("no sharing group barn holds in 2026-04"), "{}", unknown.err);
    let listed = place.json("tallywatt tariff list");
    let is_group = |row: &&serde_json::Value| row["kind"] == "sharing group" && row["id"] == "house";
    assert!(listed["rows"].as_array().unwrap().iter().any(|row| is_group(&row)), "{listed}");
    // 10 taken and 100 fed in: 90 Wh of each of 1,440 half-hours at 4.00 come back.
    let bill = place.json("tallywatt bill show SUN 2026-04");
    assert_eq!(bill["rows"][0]["line"], "all, fed in", "{bill}");
    assert_eq!(bill["rows"][0]["quantity"], "129.600");
    assert_eq!(bill["fed_in_kwh"], "129.600");
    assert!(bill["total"].as_str().unwrap().starts_with("-518.40"), "{bill}");
    let told = place.json("tallywatt bill explain SUN 2026-04 --line 1");
    assert_eq!(
        (&told["credited_kwh"], &told["metered_in_its_zone_kwh"]),
        (&"129.600".into(), &"144.000".into())
    );
    // A price of its own is said to be one.
    let own = place.json("tallywatt bill show ONE 2026-04");
    assert_eq!(
        (&own["rows"][0]["line"], &own["rows"][0]["price"]),
        (&"all, own price".into(), &"9.00".into())
    );
    assert_eq!(place.json("tallywatt bill show TWO 2026-04")["rows"][0]["line"], "all");
    let listed = place.json("tallywatt contract list");
    assert_eq!(listed["rows"][0]["own_prices"], "all=9.00", "{listed}");
    for account in ["SUN", "ONE"] {
        place.expect(0, &format!("tallywatt prove bill {account} 2026-04 --output bill.receipt"));
        assert!(place.expect(0, "tallywatt verify bill.receipt").out.contains("VALID"));
    }
    // Payments pass by a bill below zero without harm.
    place.write("paid.csv", "payment_id,account,date,amount\nP-1,SUN,2026-05-02,10.00\n#TOTAL,1,10.00\n");
    place.expect(0, "tallywatt pay run paid.csv");
    assert!(place.expect(0, "tallywatt chain audit").out.contains("SOUND"));
}
