//! Rates of the United States' database: their bills against those of NREL's engine, and every refusal.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{recorded, run};
use serde_json::{Value, json};
use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::decimal::Decimal;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::money::{ExactAmount, PricePerKwh};
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{BoundUnit, EligibilityBound, Tariff, TariffBook};
use tallywatt_core::validity::Validity;
use tallywatt_ingest::documents::{Document, UrdbOptions, import_urdb, parse_document, render_tariff};
use tallywatt_ingest::profile::Profile;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A year without summer time that begins on a Monday: 2018, as the expected bills have it. Thousandths of a Wh by
/// interval: the loads are finer than a watt-hour.
fn load(name: &str) -> Option<(u8, Vec<i32>)> {
    let text = |path: &str| Some(fs::read_to_string(recorded(path)?).unwrap());
    let fine = |kilo: &str| {
        let (value, _) = Decimal::parse(kilo.trim().as_bytes(), b'.').unwrap().nearest(6).unwrap();
        i32::try_from(value).unwrap()
    };
    let customer = |file: &str| {
        let bytes = fs::read(recorded("greenbutton/official_customers")?.join(file)).unwrap();
        let (found, _) = run(&Profile::builtin("greenbutton").unwrap(), file, &bytes).unwrap();
        let by_start: BTreeMap<_, _> =
            found.readings.iter().map(|reading| (reading.start, reading.energy_wh)).collect();
        Some((60, by_start.into_values().map(|wh| i32::try_from(wh * 1_000).unwrap()).collect()))
    };
    match name {
        "gb_desert_single" => customer("Desert_Single_Family_Jan_1_2011_to_Jan_1_2012_RetailCustomer_7.xml"),
        "gb_coastal_multi" => customer("Coastal_Multi_Family_Jan_1_2011_to_Jan_1_2012_RetailCustomer_5.xml"),
        "ssc_residential" => {
            Some((60, text("loads_8760/pvsamv1_residential_load.csv")?.lines().map(fine).collect()))
        }
        "ssc_commercial" => Some((60, text("loads_8760/load_commercial.csv")?.lines().map(fine).collect())),
        "ausgrid12_halfhour" => {
            let text = text("interval/ausgrid_customer12/data_2011-2012.csv")?;
            let rows = text.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
            // In the order of the calendar, without the leap day.
            let by_date: BTreeMap<String, i32> = rows
                .filter(|row| !row[0].starts_with("2012-02-29"))
                .map(|row| (row[0][5..].to_owned(), fine(row[1])))
                .collect();
            Some((30, by_date.into_values().collect()))
        }
        other => panic!("no load {other}"),
    }
}

/// The same tariff for a load in units a thousandth as large: its bills are a thousand times as high, line by line.
fn enlarged(tariff: &Tariff) -> Tariff {
    let mut parts = tariff.parts().clone();
    let more = |price: &mut PricePerKwh| *price = PricePerKwh::from_e8(price.as_e8() * 1_000);
    more(&mut parts.fixed.per_month);
    more(&mut parts.minimum_per_month);
    if parts.range_rule.unit == BoundUnit::Month {
        parts.ranges.iter_mut().for_each(|range| range.up_to_wh = range.up_to_wh.map(|bound| bound * 1_000));
    }
    let ranges = parts.demands.iter_mut().flat_map(|demand| &mut demand.ranges);
    ranges.for_each(|range| range.up_to_w = range.up_to_w.map(|bound| bound * 1_000));
    Tariff::new(parts).unwrap()
}

/// The twelve bills of a year's load.
fn bills(tariffs: &TariffBook, minutes: u8, values_wh: &[i32]) -> Vec<Bill> {
    let zone = Zone::parse("UTC").unwrap();
    let always = Validity::new(day("2000-01-01"), None).unwrap();
    let contract = Contract {
        account: "A".parse().unwrap(),
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        zone: zone.clone(),
        tariff: tariffs.versions()[0].body.parts().id,
        agreement: "a".parse().unwrap(),
        validity: always,
        overrides: Vec::new(),
    };
    let agreement = Agreement {
        id: "a".parse().unwrap(),
        title: String::new(),
        currency: "USD".parse().unwrap(),
        validity: always,
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::Share(0),
        terms: PaymentTerms::default(),
    };
    let per_day = 24 * 60 / usize::from(minutes);
    assert_eq!(values_wh.len(), 365 * per_day);
    let first = day("2018-01-01");
    let blocks: BTreeMap<BlockKey, DayBlock> = values_wh
        .chunks(per_day)
        .zip(0..)
        .map(|(values, at)| {
            let day = first.plus(at).unwrap();
            let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day };
            let (start, qualities) = (zone.local_day(day).start, vec![Quality::Valid; per_day]);
            let block =
                DayBlock::from_parts(key, start, minutes, Source::Automated, values.to_vec(), qualities);
            (key, block.unwrap())
        })
        .collect();
    (1..=12)
        .map(|month| {
            let period: Period = format!("2018-{month:02}").parse().unwrap();
            let inputs = BillInputs {
                account: contract.account,
                period,
                contracts: std::slice::from_ref(&contract),
                tariffs,
                agreement: &Published { hash: ContentHash::default(), body: agreement.clone() },
                readings: ContentHash::default(),
                market: &tallywatt_core::market::MarketBook::new(),
            };
            bill(&inputs, &|key| blocks.get(key)).unwrap()
        })
        .collect()
}

fn exact(text: &str) -> i128 {
    i128::from(Decimal::parse(text.as_bytes(), b'.').unwrap().scaled(8).unwrap()) * 1_000
}

/// The bill by the names of the expected files: each the exact sum of its lines.
fn by_name(book: &TariffBook, bill: &Bill) -> BTreeMap<&'static str, i128> {
    let mut sums: BTreeMap<&str, i128> =
        ["fixed", "energy", "demand_flat", "demand_tou", "minimum", "total"].map(|name| (name, 0)).into();
    for line in &bill.lines {
        let parts = book.versions()[usize::from(line.version)].body.parts();
        let name = match line.kind {
            ChargeKind::Energy { .. } => "energy",
            ChargeKind::Demand { charge, .. } => {
                let is_flat = parts.demands[usize::from(charge)].name.as_str().starts_with("flat");
                if is_flat { "demand_flat" } else { "demand_tou" }
            }
            ChargeKind::Fixed(_) => "fixed",
            ChargeKind::Minimum | ChargeKind::YearMinimum => "minimum",
            other => panic!("no rate has {other:?}"),
        };
        *sums.get_mut(name).unwrap() += line.exact.as_e11();
        *sums.get_mut("total").unwrap() += line.exact.as_e11();
    }
    sums
}

/// Six rates over five loads, 360 bills: each line and each total to a hundredth of a cent of what NREL's engine bills.
#[test]
fn bills_equal_those_of_nrels_engine() {
    // A hundredth of a cent, of bills a thousand times as high.
    const TOLERANCE: i128 = 10_000_000 * 1_000;
    let Some(expected) = recorded("expected/urdb_pysam_bills.json") else { return };
    let expected: Vec<Value> = serde_json::from_str(&fs::read_to_string(expected).unwrap()).unwrap();
    let mut bill_count = 0;
    for case in &expected {
        let (file, load_name) = (case["tariff"].as_str().unwrap(), case["load"].as_str().unwrap());
        let path = recorded("tariffs/urdb").unwrap().join(file);
        let options = UrdbOptions {
            from: Some(day("2018-01-01")),
            to: Some(day("2019-01-01")),
            ..UrdbOptions::default()
        };
        let imported = import_urdb(file, &fs::read_to_string(path).unwrap(), &options).unwrap();
        // What is imported can be written as a tariff file, and read again as the same tariff.
        let written = render_tariff(&imported.tariff);
        assert_eq!(
            parse_document(file, &written).unwrap(),
            Document::Tariff(Box::new(imported.tariff.clone())),
            "{written}"
        );
        let mut book = TariffBook::default();
        book.publish(Published { hash: ContentHash([1; 32]), body: enlarged(&imported.tariff) }).unwrap();
        let (minutes, values_wh) = load(load_name).unwrap();
        for (at, (bill, want)) in
            bills(&book, minutes, &values_wh).iter().zip(case["months"].as_array().unwrap()).enumerate()
        {
            for (name, got) in by_name(&book, bill) {
                let want = exact(want[name].as_str().unwrap()) * 1_000;
                assert!(
                    (got - want).abs() < TOLERANCE,
                    "{file}, {load_name}, month {}, {name}: {} for {}",
                    at + 1,
                    ExactAmount::from_e11(got),
                    ExactAmount::from_e11(want)
                );
            }
            bill_count += 1;
        }
    }
    assert_eq!(bill_count, 360);
}

/// A rate of two periods: night and weekends are period 0.
fn rate() -> Value {
    let hours = |day: u64| -> Vec<u64> {
        (0..24).map(|hour| if (8..20).contains(&hour) { day } else { 0 }).collect()
    };
    json!({
        "label": "539f6a23ec4f024411ec8beb",
        "name": "General",
        "utility": "Someone",
        "startdate": 1_514_764_800,
        "enddate": 1_548_896_400,
        "energyratestructure": [[{"rate": 0.05, "adj": 1.5e-3, "max": 300, "unit": "kWh"}, {"rate": 0.07}], [{"rate": 0.11, "sell": 0.04}]],
        "energyweekdayschedule": vec![hours(1); 12],
        "energyweekendschedule": vec![hours(0); 12],
        "fixedchargefirstmeter": 12.5,
        "fixedchargeunits": "$/month",
        "peakkwcapacitymax": 50,
        "peakkwhusagemin": 0,
        "voltagecategory": "Secondary",
    })
}

#[test]
fn a_rate_becomes_a_tariff_file() {
    let options =
        UrdbOptions { holidays: vec![day("2018-07-04"), day("2018-12-25")], ..UrdbOptions::default() };
    let answer = json!({ "items": [rate()] }).to_string();
    let imported = import_urdb("r.json", &answer, &options).unwrap();
    let want = r#"kind = "tariff"
id = "urdb-539f6a23ec4f024411ec8beb"
title = "General, Someone"
currency = "USD"
valid_from = "2018-01-01"
valid_to = "2019-02-01"
rounding = "half-up"
round_each = "line"
fixed_per_month = "12.50"
source = "URDB"
holidays = ["2018-07-04", "2018-12-25"]
range_counting = "shares"
[vat]
rate_percent = "0.00"
included = false
[[zone]]
name = "period-0"
windows = ["weekday 00:00-08:00", "weekday 20:00-24:00", "day-off 00:00-24:00"]
[[zone]]
name = "period-1"
windows = ["weekday 08:00-20:00"]
[[range]]
up_to_kwh = "300.000"
price = { "period-0" = "0.0515", "period-1" = "0.11" }
[[range]]
price = { "period-0" = "0.07", "period-1" = "0.11" }
[eligibility]
peak_kw_at_most = "50.000"
"#;
    assert_eq!(render_tariff(&imported.tariff), want);
    // Tiers of each period by itself, if the importer knows that the rate means it so.
    let own = import_urdb("r.json", &answer, &UrdbOptions { each_period: true, ..options }).unwrap();
    assert_eq!(render_tariff(&own.tariff), want.replace("\"shares\"", "\"each-zone\""));
    assert_eq!(
        imported.left_out,
        [
            "voltagecategory = \"Secondary\": who may take the rate is not checked by it",
            "sell prices: energy given back needs a contract of its own"
        ]
    );
}

#[test]
fn who_may_take_a_rate() {
    let whole = "no bound in whole W or Wh";
    // The four bounds; those taken over, W and Wh; what is left out.
    let table = [
        (
            json!([20, 199.5, 1e2, 6000]),
            [Some(20_000), Some(199_500), Some(100_000), Some(6_000_000)],
            Vec::new(),
        ),
        (json!([null, 0, 3000, null]), [None, None, Some(3_000_000), None], Vec::new()),
        (
            json!([0.0005, -1, "many", 7]),
            [None, None, None, Some(7_000)],
            vec![
                format!("peakkwcapacitymin = 0.0005: {whole}"),
                format!("peakkwcapacitymax = -1: {whole}"),
                format!("peakkwhusagemin = \"many\": {whole}"),
            ],
        ),
        (
            json!([50, 20, 1, null]),
            [None, None, Some(1_000), None],
            vec!["peakkwcapacitymin is above peakkwcapacitymax: nobody could take the rate".to_owned()],
        ),
        (json!([0, null, 0, null]), [None; 4], Vec::new()),
    ];
    let names = ["peakkwcapacitymin", "peakkwcapacitymax", "peakkwhusagemin", "peakkwhusagemax"];
    for (bounds, want, want_left_out) in table {
        let mut rate = rate();
        for (name, bound) in names.iter().zip(bounds.as_array().unwrap()) {
            rate[*name] = bound.clone();
        }
        let imported = import_urdb("r.json", &rate.to_string(), &UrdbOptions::default()).unwrap();
        let rule = imported.tariff.parts().eligibility;
        let found = rule.map_or([None; 4], |rule| EligibilityBound::ALL.map(|bound| rule.limit(bound)));
        assert_eq!(found, want, "{bounds}");
        assert_eq!(rule.is_some(), want != [None; 4], "{bounds}");
        let left_out = imported.left_out.iter().filter(|one| one.starts_with("peakkw"));
        assert!(left_out.eq(&want_left_out), "{bounds}: {:?}", imported.left_out);
        let written = render_tariff(&imported.tariff);
        let Document::Tariff(read) = parse_document("t.toml", &written).unwrap() else { panic!("{written}") };
        assert_eq!(*read, imported.tariff, "{written}");
    }
}

/// What was changed, at a JSON pointer, and the message.
#[test]
fn what_cannot_be_billed_is_refused_with_its_place() {
    let mut demand = rate();
    demand["demandratestructure"] = json!([[{"rate": 0}], [{"rate": 12}]]);
    demand["demandweekdayschedule"] = demand["energyweekdayschedule"].clone();
    demand["demandweekendschedule"] = demand["energyweekendschedule"].clone();
    demand["flatdemandstructure"] = json!([[{"rate": 3}]]);
    demand["flatdemandmonths"] = json!(vec![0; 12]);
    assert!(import_urdb("r.json", &demand.to_string(), &UrdbOptions::default()).is_ok());
    let table = [
        ("/energyweekdayschedule/3", json!([0, 1]), "energyweekdayschedule[3]: 2 hours, need 24"),
        ("/energyweekdayschedule", json!([]), "energyweekdayschedule: 0 months, need 12"),
        (
            "/energyweekendschedule/11/23",
            json!(2),
            "energyweekendschedule[11][23]: period 2, of which there are 2",
        ),
        (
            "/demandweekdayschedule/0/5",
            json!(7),
            "demandweekdayschedule[0][5]: period 7, of which there are 2",
        ),
        ("/demandweekendschedule", json!([[0]]), "demandweekendschedule: 1 months, need 12"),
        ("/flatdemandmonths", json!([0]), "flatdemandmonths: 1 months, need 12"),
        ("/flatdemandmonths/4", json!(1), "flatdemandmonths[4]: period 1, of which there are 1"),
        ("/energyratestructure", json!([]), "energyratestructure: the rate has no energy prices"),
        ("/energyratestructure/1", json!([]), "energyratestructure[1]: a period without tiers"),
        ("/energyratestructure/0/0/max", json!(0), "energyratestructure[0][0].max: bounds do not ascend"),
        (
            "/energyratestructure/0/0/max",
            json!(null),
            "energyratestructure[0][0].max: only the last tier may be without a bound",
        ),
        (
            "/energyratestructure/0/0/unit",
            json!("kWh/hp"),
            "energyratestructure[0][0].unit: \"kWh/hp\" is not known",
        ),
        (
            "/energyratestructure/0/0/rate",
            json!(1e-9),
            "energyratestructure[0][0].rate: 1e-9: more decimals than the unit carries",
        ),
        (
            "/energyratestructure/0/0/rate",
            json!("0.05"),
            "energyratestructure[0][0].rate: \"0.05\": not a decimal number",
        ),
        (
            "/energyratestructure/0/0/rate",
            json!(1e30),
            "energyratestructure[0][0].rate: 1e+30: not a decimal number",
        ),
        ("/fixedchargefirstmeter", json!(-0.07), "rate: negative price -0.07"),
        ("/fixedchargeunits", json!("$/hour"), "fixedchargeunits: \"$/hour\" is not known"),
        ("/mincharge", json!(5), "minchargeunits: a minimum in $/day, not in $/month or $/year"),
        ("/annualmincharge", json!(-50), "rate: negative price -50.00"),
        ("/lookbackpercent", json!(80), "lookbackpercent: 80 is no part of one"),
        (
            "/lookbackmonths",
            json!(vec![1; 12]),
            "lookbackmonths: months of a look-back without lookbackpercent",
        ),
        ("/demandratchetpercentage", json!([0.5]), "demandratchetpercentage: 1 months, need 12"),
        (
            "/demandratchetpercentage",
            json!([0, 0, 0, 0, 0, 1.5, 0, 0, 0, 0, 0, 0]),
            "demandratchetpercentage[5]: 1.5 is no part of one",
        ),
        ("/dgrules", json!("Net Nothing"), "dgrules: \"Net Nothing\" is not known"),
        (
            "/dgrules",
            json!("Net Billing Hourly"),
            "energyratestructure[0][0].sell: no sell price for energy fed in",
        ),
        (
            "/coincidentratestructure",
            json!([[{"rate": 1}]]),
            "coincidentratestructure: demand at hours that the rate does not name",
        ),
        (
            "/coincidentrateschedule",
            json!([[0, 1]]),
            "coincidentratestructure: demand at hours that the rate does not name",
        ),
        ("/coincidentrateunit", json!("kVA"), "coincidentrateunit: demand in \"kVA\", not in kW"),
        (
            "/demandreactivepowercharge",
            json!(0.3),
            "demandreactivepowercharge: this charge cannot be billed by a tariff file",
        ),
        ("/demandrateunit", json!("hp"), "demandrateunit: demand in \"hp\", not in kW"),
        (
            "/demandwindow",
            json!(45),
            "rate: demand charge flat-demand-0: a window must be 5, 15, 30 or 60 minutes",
        ),
        ("/demandwindow", json!(600), "demandwindow: 600 minutes"),
        ("/label", json!(null), "label: the rate has none"),
        ("/startdate", json!(null), "startdate: the rate has none"),
        ("/startdate", json!(-1), "startdate: no day"),
        ("/enddate", json!(1_500_000_000), "enddate: valid_to 2017-07-15 is not after valid_from 2018-01-01"),
    ];
    for (pointer, value, want) in table {
        let mut bent = demand.clone();
        bent["minchargeunits"] = json!("$/day");
        match bent.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => bent[&pointer[1..]] = value,
        }
        let error = import_urdb("r.json", &bent.to_string(), &UrdbOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("r.json: {want}"), "{pointer}");
    }
    for (text, want) in [
        (
            "{\"label\": \"x\",\n\"startdate\": \"2018\"}",
            "r.json:2: invalid type: string \"2018\", expected i64 at line 2 column 19",
        ),
        ("{\"items\": []}", "r.json: 0 rates"),
        ("[1]", "r.json:1: invalid type: integer `1`, expected a string at line 1 column 2"),
    ] {
        let error = import_urdb("r.json", text, &UrdbOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
}
