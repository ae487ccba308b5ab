//! Documents of prosumers: netting and look-back in tariff files, sharing groups, own prices, and rates that have them.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use serde_json::{Value, json};
use tallywatt_core::sharing::SharingMode;
use tallywatt_core::tariff::{NettingMode, Tariff};
use tallywatt_ingest::documents::{
    Document, UrdbOptions, import_urdb, parse_contracts, parse_document, render_own_prices, render_tariff,
};

const TARIFF: &str = r#"kind = "tariff"
id = "sun"
title = "Sun"
currency = "EUR"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
minimum_per_year = "60.00"
source = "test"
range_counting = "shares"
[vat]
rate_percent = "19.00"
included = false
[[zone]]
name = "day"
windows = ["07:00-23:00"]
[[zone]]
name = "night"
windows = ["23:00-07:00"]
[[range]]
up_to_kwh = "100.000"
price = { "day" = "0.30", "night" = "0.20" }
[[range]]
price = { "day" = "0.40", "night" = "0.25" }
[[demand]]
name = "peak"
windows = ["00:00-24:00"]
minutes = 15
ranges = [{ price = "5.00" }]
look_back_months = 11
look_back = ["nov-feb 50.00", "jun-sep 80.00"]
[netting]
mode = "month-carry"
sell = { "day" = "0.08", "night" = "0.08" }
pool_zones = true
settle_month = 3
"#;

fn tariff(text: &str) -> Tariff {
    match parse_document("sun.toml", text).unwrap() {
        Document::Tariff(tariff) => *tariff,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tariff_file_is_read_and_written() {
    let read = tariff(TARIFF);
    assert_eq!(render_tariff(&read), TARIFF);
    let netting = read.parts().netting.as_ref().unwrap();
    assert_eq!(
        (netting.mode, netting.settle_month, netting.pools_zones),
        (NettingMode::MonthCarry, Some(3), true)
    );
    let look_back = read.parts().carry.look_back(0).unwrap();
    assert_eq!(look_back.percent_e2, [5_000, 5_000, 0, 0, 0, 8_000, 8_000, 8_000, 8_000, 0, 5_000, 5_000]);
    let hourly = TARIFF
        .replace("month-carry\"", "interval\"\nminutes = 60")
        .replace("pool_zones = true\nsettle_month = 3\n", "")
        .replace("look_back = [\"nov-feb 50.00\", \"jun-sep 80.00\"]", "look_back = [\"80.00\"]");
    assert_eq!(render_tariff(&tariff(&hourly)), hourly);
}

/// What is replaced, by what, and the message with its line.
#[test]
fn what_is_wrong_is_named_with_its_line() {
    let table = [
        ("month-carry", "sometimes", "33: netting mode \"sometimes\" is not known"),
        (
            "month-carry",
            "net-billing",
            "33: a settling month from 1 to 12 and pooled zones of one sell price are for mode month-carry only",
        ),
        ("sell = { \"day\" = \"0.08\", ", "sell = { ", "34: sell has no price for zone day"),
        (
            "sell = { ",
            "sell = { \"peak\" = \"1\", ",
            "34: sell has a price for \"peak\", which is no zone of this tariff",
        ),
        (
            "\"0.08\" }",
            "\"0.07\" }",
            "33: a settling month from 1 to 12 and pooled zones of one sell price are for mode month-carry only",
        ),
        ("\"0.08\" }", "\"-0.08\" }", "34: negative price -0.08"),
        ("settle_month = 3", "settle_month = 13", "36: settle_month is not a whole number from 1 to 12"),
        (
            "settle_month = 3",
            "minutes = 60",
            "33: netting over 60 minutes: only mode interval has a grid, of 5, 15, 30 or 60 minutes",
        ),
        ("pool_zones = true", "pool_zones = 1", "35: pool_zones is neither true nor false"),
        (
            "range_counting = \"shares\"\n",
            "",
            "32: netting over the month leaves no order of time by which ranges could be filled or intervals priced",
        ),
        ("look_back_months = 11\n", "", "30: look_back_months is missing"),
        (
            "look_back_months = 11",
            "look_back_months = 13",
            "30: look_back_months is not a whole number from 1 to 12",
        ),
        ("look_back = [", "#", "30: look_back is missing"),
        ("nov-feb 50.00", "nov-jun 50.00", "31: look_back has jun twice"),
        ("nov-feb 50.00", "nov-feb 100.01", "31: look_back \"nov-feb 100.01\" is no part of peaks"),
        ("nov-feb 50.00", "nov-foo 50", "31: look_back \"nov-foo 50\" is no part of peaks"),
        ("nov-feb 50.00", "0", "31: look_back \"0\" is no part of peaks"),
        ("minimum_per_year = \"60.00\"", "minimum_per_year = \"-1\"", "8: negative price -1.00"),
    ];
    for (from, to, want) in table {
        assert!(TARIFF.contains(from), "{from}");
        let error = parse_document("sun.toml", &TARIFF.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.to_string(), format!("sun.toml:{want}"), "{from} → {to}");
    }
    let bare = TARIFF.replace("sell = { \"day\" = \"0.08\", \"night\" = \"0.08\" }\n", "");
    assert!(parse_document("sun.toml", &bare).is_ok(), "credit that is worth nothing at the end");
    let error = parse_document("sun.toml", &bare.replace("month-carry", "interval")).unwrap_err();
    assert_eq!(error.to_string(), "sun.toml:33: netting without sell prices");
}

const GROUP: &str = r#"kind = "sharing-group"
id = "house-12"
title = "House 12"
valid_from = "2026-01-01"
mode = "capped"
[generator]
usage_point = "ROOF"
obis = "1-0:2.8.0"
[[participant]]
usage_point = "FLAT-2"
obis = "1-0:1.8.0"
share_percent = "33.333333"
[[participant]]
usage_point = "FLAT-1"
obis = "1-0:1.8.0"
share_percent = "10"
"#;

#[test]
fn a_sharing_group_is_read_or_refused() {
    let Document::SharingGroup(group) = parse_document("g.toml", GROUP).unwrap() else { panic!("a group") };
    let parts = group.parts();
    assert_eq!(
        (parts.mode, parts.participants[0].part, parts.participants[1].part),
        (SharingMode::Capped, 10_000_000, 33_333_333)
    );
    assert_eq!(parts.participants[0].consumes.usage_point.as_str(), "FLAT-1");
    let table = [
        ("capped", "fair", "5: sharing mode \"fair\" is not known"),
        (
            "capped",
            "dynamic",
            "14: participant FLAT-1: a static part is above zero, a dynamic group has none",
        ),
        ("\"10\"", "\"66.666668\"", "13: parts add up to 100000001 of 100000000"),
        ("\"10\"", "\"0\"", "16: share_percent is not above 0, up to 100"),
        ("\"10\"", "\"100.1\"", "16: share_percent is not above 0, up to 100"),
        ("\"10\"", "\"0.0000001\"", "16: share_percent 0.0000001 has more than 6 decimals"),
        ("\"10\"", "10", "16: write share_percent as text, 10 loses digits as a number"),
        (
            "share_percent = \"10\"\n",
            "",
            "14: participant FLAT-1: a static part is above zero, a dynamic group has none",
        ),
        ("FLAT-1", "FLAT-2", "14: participant FLAT-2 stands twice"),
        ("FLAT-1", "ROOF", "14: the generator ROOF is among the participants"),
        ("1-0:2.8.0", "1-0:1.8.0", "8: register 1-0:1.8.0 of ROOF counts no export"),
        (
            "FLAT-2\"\nobis = \"1-0:1.8.0",
            "FLAT-2\"\nobis = \"1-0:2.8.0",
            "11: register 1-0:2.8.0 of FLAT-2 counts no import",
        ),
        ("title = \"House 12\"\n", "", "1: missing field `title`"),
    ];
    for (from, to, want) in table {
        assert!(GROUP.contains(from), "{from}");
        let error = parse_document("g.toml", &GROUP.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.to_string(), format!("g.toml:{want}"), "{from} → {to}");
    }
    let (head, _) = GROUP.split_once("[[participant]]").unwrap();
    let none = parse_document("g.toml", head).unwrap_err();
    assert_eq!(none.to_string(), "g.toml:2: 0 participants, need 1 to 256");
}

#[test]
fn contracts_may_have_prices_of_their_own() {
    let list = |own: &str| {
        format!(
            "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to,own_prices\n\
             A,P,1-0:1.8.0,UTC,t,a,2026-01-01,,{own}\nB,Q,1-0:1.8.0,UTC,t,a,2026-01-01,,\n"
        )
    };
    let contracts = parse_contracts("c.csv", list("day=6.1;fixed_per_month=100").as_bytes()).unwrap();
    assert_eq!(render_own_prices(&contracts[0].overrides), "day=6.10;fixed_per_month=100.00");
    assert!(contracts[1].overrides.is_empty());
    let error = parse_contracts("c.csv", list("day=6.1;day=7").as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "c.csv:2: own_prices: a contract overrides one price twice");
    // The column may be left out.
    let plain = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\nA,P,1-0:1.8.0,UTC,t,a,2026-01-01,\n";
    assert!(parse_contracts("c.csv", plain.as_bytes()).unwrap()[0].overrides.is_empty());
}

/// A rate of two periods with a demand charge of each; `more` are its other fields.
fn rate(more: &Value) -> String {
    let hours =
        |day: u64| (0..24).map(|hour| if (8..20).contains(&hour) { day } else { 0 }).collect::<Vec<u64>>();
    let mut rate = json!({
        "label": "x", "name": "General", "utility": "Someone", "startdate": 1_514_764_800,
        "energyratestructure": [[{"rate": 0.05, "sell": 0.03}], [{"rate": 0.11, "sell": 0.04, "max": 300}, {"rate": 0.12, "sell": 0.04}]],
        "energyweekdayschedule": vec![hours(1); 12],
        "energyweekendschedule": vec![hours(0); 12],
        "flatdemandstructure": [[{"rate": 3}]],
        "flatdemandmonths": vec![0; 12],
    });
    for (name, value) in more.as_object().unwrap() {
        rate[name] = value.clone();
    }
    rate.to_string()
}

fn imported(more: Value) -> Result<Tariff, String> {
    let imported = import_urdb("r.json", &rate(&more), &UrdbOptions::default());
    let tariff = imported.map_err(|error| error.to_string())?.tariff;
    // What is imported can be written, and read again as the same tariff.
    assert_eq!(self::tariff(&render_tariff(&tariff)), tariff);
    Ok(tariff)
}

#[test]
fn rules_of_rates_for_energy_fed_in() {
    let of = |more| {
        let netting = imported(more).unwrap().parts().netting.clone().unwrap();
        let sell: Vec<String> = netting.sell.iter().map(ToString::to_string).collect();
        (netting.mode, netting.minutes, sell.join(" "), netting.settle_month)
    };
    let sells = || "0.03 0.04".to_owned();
    assert_eq!(of(json!({"dgrules": "Net Metering"})), (NettingMode::MonthCarry, 0, sells(), Some(12)));
    assert_eq!(of(json!({"dgRules": "Net Billing Hourly"})), (NettingMode::Interval, 60, sells(), None));
    assert_eq!(
        of(json!({"dgrules": "Net Billing Instantaneous"})),
        (NettingMode::Interval, 0, sells(), None)
    );
    assert_eq!(of(json!({"dgrules": "Buy All Sell All"})), (NettingMode::Separate, 0, sells(), None));
    assert_eq!(imported(json!({})).unwrap().parts().netting, None);
    let unsold = json!([[{"rate": 0.05}], [{"rate": 0.11}]]);
    let free = json!({"dgrules": "Net Metering", "energyratestructure": unsold});
    assert_eq!(of(free), (NettingMode::MonthCarry, 0, "0.00 0.00".to_owned(), Some(12)));
    let tiers = json!([[{"rate": 0.05, "sell": 0.03}], [{"rate": 0.11, "max": 9, "sell": 0.04}, {"rate": 0.12, "sell": 0.05}]]);
    let error = imported(json!({"dgrules": "Net Metering", "energyratestructure": tiers})).unwrap_err();
    assert_eq!(error, "r.json: energyratestructure[1][1].sell: tiers of a period sell at different prices");
}

#[test]
fn look_backs_and_minima_of_rates() {
    let of = |more| {
        let carry = imported(more).unwrap().parts().carry.clone();
        let look_back = carry.look_backs.first().map(|one| (one.months, one.percent_e2));
        (look_back, carry.minimum_per_year.to_string())
    };
    let none = "0.00".to_owned();
    assert_eq!(of(json!({"annualmincharge": 240})), (None, "240.00".to_owned()));
    let charge = json!({"mincharge": 120, "minchargeunits": "$/year"});
    assert_eq!(of(charge.clone()), (None, "120.00".to_owned()));
    assert_eq!(imported(charge).unwrap().parts().minimum_per_month.as_e8(), 0);
    assert_eq!(
        of(json!({"lookbackpercent": 0.8, "lookbackrange": 6})),
        (Some((6, [8_000; 12])), none.clone())
    );
    assert_eq!(of(json!({"lookbackPercent": 0.5})), (Some((11, [5_000; 12])), none.clone()));
    let summer = json!({"lookbackpercent": 0.75, "lookbackmonths": [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]});
    let percents = std::array::from_fn(|month| if (5..9).contains(&month) { 7_500 } else { 0 });
    assert_eq!(of(summer), (Some((11, percents)), none.clone()));
    let ratchet = json!({"demandratchetpercentage": [0.35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]});
    let percents = [3_500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5_000];
    assert_eq!(of(ratchet), (Some((11, percents)), none.clone()));
    assert_eq!(of(json!({"lookbackpercent": 0, "demandratchetpercentage": vec![0; 12]})), (None, none));
    for (more, want) in [
        (
            json!({"annualmincharge": 240, "mincharge": 120, "minchargeunits": "$/year"}),
            "annualmincharge: beside a mincharge in $/year",
        ),
        (json!({"lookbackpercent": 0.8, "lookbackrange": 24}), "lookbackrange: 24 months, at most 12"),
        (json!({"lookbackpercent": 0.8, "lookbackmonths": [2]}), "lookbackmonths: 1 months, need 12"),
        (
            json!({"lookbackpercent": 0.8, "lookbackmonths": vec![2; 12]}),
            "lookbackmonths: 2 is neither true nor false",
        ),
        (
            json!({"lookbackpercent": 0.8, "demandratchetpercentage": vec![0.5; 12]}),
            "demandratchetpercentage: a ratchet beside a look-back",
        ),
    ] {
        assert_eq!(imported(more).unwrap_err(), format!("r.json: {want}"));
    }
}
