//! Coincident demand of imported rates: months billed at the hours that a list publishes, against the readings
//! themselves, and what cannot be billed.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::bill_change::charge_name;
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{Tariff, TariffBook};
use tallywatt_core::validity::Validity;
use tallywatt_ingest::documents::{
    Document, DocumentError, UrdbOptions, import_urdb, parse_document, render_tariff,
};
use tallywatt_ledger::hour_list_bytes::publish_hour_list;
use tallywatt_ledger::tariff_bytes::publish_tariff;

/// Energy at one price, and coincident demand: summer afternoons cost more, above 100 kW less.
fn rate() -> Value {
    let month = |summer: bool| -> Vec<u8> {
        (0..24).map(|hour| u8::from(summer && (12..20).contains(&hour))).collect()
    };
    json!({
        "label": "x", "name": "General", "utility": "Someone", "startdate": 1_514_764_800,
        "energyratestructure": [[{"rate": 0.05}]],
        "energyweekdayschedule": vec![vec![0; 24]; 12],
        "energyweekendschedule": vec![vec![0; 24]; 12],
        "coincidentratestructure": [[{"rate": 4, "max": 100}, {"rate": 3}], [{"rate": 11.5, "adj": 0.5, "unit": "kW"}]],
        "coincidentrateschedule": (0..12).map(|at| month((5..9).contains(&at))).collect::<Vec<_>>(),
        "coincidentrateunit": "kW",
    })
}

fn options() -> UrdbOptions {
    UrdbOptions { coincident_hours: Some("system-peak".parse().unwrap()), ..UrdbOptions::default() }
}

fn imported(rate: &Value, options: &UrdbOptions) -> Result<Tariff, String> {
    let described = |error: DocumentError| format!("{error}; {}", error.next_step());
    let imported = import_urdb("r.json", &rate.to_string(), options).map_err(described)?;
    // What is imported can be written, and read again as the same tariff.
    let written = render_tariff(&imported.tariff);
    let read = parse_document("r.toml", &written).unwrap();
    assert_eq!(read, Document::Tariff(Box::new(imported.tariff.clone())), "{written}");
    Ok(imported.tariff)
}

/// What is used in a quarter-hour, Wh.
fn used_wh(day: Day, quarter: i64) -> i64 {
    21_000 + quarter * 577 % 9_001 + i64::from(day.number()) * 389 % 7_001
}

/// The month's lines by name, 10^-11, with hours published as `day,hour` rows of the wall clock.
fn billed(month: &str, hours: &[&str]) -> Result<BTreeMap<String, i128>, String> {
    let period: Period = month.parse().unwrap();
    let zone = Zone::parse("America/Denver").unwrap();
    let head = "#kind,hour-list\n#name,system-peak\n#title,System peak\n#source,illustrative\n#zone,America/Denver\n";
    let mut market = MarketBook::new();
    if !hours.is_empty() {
        let text = format!(
            "{head}#valid_from,{}\n#valid_to,{}\n#each,month\nday,hour\n{}\n",
            period.first_day(),
            period.end_day(),
            hours.join("\n")
        );
        match parse_document("peak.csv", &text).unwrap() {
            Document::HourList(list) => market.publish_hours(publish_hour_list(*list)).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    let mut tariffs = TariffBook::default();
    tariffs.publish(publish_tariff(imported(&rate(), &options()).unwrap())).unwrap();
    let tariff = &tariffs.versions()[0].body;
    let contract = Contract {
        account: "A".parse().unwrap(),
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        zone: zone.clone(),
        tariff: tariff.parts().id,
        agreement: "a".parse().unwrap(),
        validity: Validity::new(period.first_day(), None).unwrap(),
        overrides: Vec::new(),
    };
    let blocks: Vec<DayBlock> = period
        .days()
        .map(|day| {
            let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day };
            let values = (0..96).map(|at| i32::try_from(used_wh(day, at)).unwrap()).collect();
            let (start, quality) = (zone.local_day(day).start, vec![Quality::Valid; 96]);
            DayBlock::from_parts(key, start, 15, Source::Synthetic, values, quality).unwrap()
        })
        .collect();
    let body = Agreement {
        id: "a".parse().unwrap(),
        title: String::new(),
        currency: "USD".parse().unwrap(),
        validity: contract.validity,
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::Share(0),
        terms: PaymentTerms::default(),
    };
    let inputs = BillInputs {
        account: contract.account,
        period,
        contracts: std::slice::from_ref(&contract),
        tariffs: &tariffs,
        agreement: &Published { hash: ContentHash::default(), body },
        readings: ContentHash::default(),
        market: &market,
    };
    let bill = bill(&inputs, &|key| blocks.iter().find(|block| block.key() == *key));
    let bill = bill.map_err(|error| error.to_string())?;
    let mut lines = BTreeMap::new();
    for line in &bill.lines {
        // A graduated charge has a line a range.
        let name = charge_name(line.kind, tariff);
        let charge = name.split(',').next().unwrap().to_owned();
        *lines.entry(charge).or_default() += line.exact.as_e11();
    }
    Ok(lines)
}

/// The energy of an hour of the wall clock, which is its mean power in watts: four quarter-hours.
fn hour_wh(day: &str, hour: i64) -> i64 {
    (hour * 4..hour * 4 + 4).map(|quarter| used_wh(day.parse().unwrap(), quarter)).sum()
}

/// Hours of a month, and what coincident demand comes to by the schedule's period: worked from the readings.
#[test]
fn months_at_published_hours() {
    // Four dollars a kilowatt up to 100 kW, three above; a watt at a dollar a kilowatt is 10^8 of 10^-11 dollars.
    const DOLLAR: i128 = 100_000_000;
    let tiered = |w: i64| (i128::from(w.min(100_000)) * 4 + i128::from((w - 100_000).max(0)) * 3) * DOLLAR;
    let half_up = |sum: i64, count: i64| (2 * sum + count) / (2 * count);
    let july = hour_wh("2026-07-14", 16);
    let night = hour_wh("2026-07-14", 22);
    let january = hour_wh("2026-01-09", 18);
    assert!(january > 100_000, "both tiers are reached");
    let mean = half_up(hour_wh("2026-08-04", 12) + hour_wh("2026-08-06", 19) + hour_wh("2026-08-20", 17), 3);
    let table = [
        // A summer afternoon is of period 1, twelve dollars with its adjustment.
        ("2026-07", vec!["2026-07-14,16"], vec![("coincident-demand-1", i128::from(july) * 12 * DOLLAR)]),
        // The same day at night is of period 0.
        ("2026-07", vec!["2026-07-14,22"], vec![("coincident-demand-0", tiered(night))]),
        ("2026-01", vec!["2026-01-09,18"], vec![("coincident-demand-0", tiered(january))]),
        // Several hours of a period: their mean; each period its own.
        (
            "2026-08",
            vec!["2026-08-04,12", "2026-08-06,19", "2026-08-20,17", "2026-08-21,20"],
            vec![
                ("coincident-demand-0", tiered(hour_wh("2026-08-21", 20))),
                ("coincident-demand-1", i128::from(mean) * 12 * DOLLAR),
            ],
        ),
    ];
    for (month, hours, want) in table {
        let mut lines = billed(month, &hours).unwrap();
        let period: Period = month.parse().unwrap();
        let used: i64 = period.days().flat_map(|day| (0..96).map(move |at| used_wh(day, at))).sum();
        assert_eq!(lines.remove("period-0"), Some(i128::from(used) * 5_000_000), "{month}");
        let want: BTreeMap<String, i128> =
            want.into_iter().map(|(name, e11)| (name.to_owned(), e11)).collect();
        assert_eq!(lines, want, "{month} at {hours:?}");
    }
    let missing = billed("2026-07", &[]).unwrap_err();
    assert_eq!(missing, "list of hours system-peak has no hour for 2026-07-01");
}

/// A look-back is for the highest peaks of the rate, not for what is taken at published hours.
#[test]
fn look_backs_leave_it_alone() {
    let mut rate = rate();
    rate["flatdemandstructure"] = json!([[{"rate": 3}]]);
    rate["flatdemandmonths"] = json!(vec![0; 12]);
    rate["lookbackpercent"] = json!(0.5);
    rate["demandwindow"] = json!(30);
    let tariff = imported(&rate, &options()).unwrap();
    let parts = tariff.parts();
    let names: Vec<&str> = parts.demands.iter().map(|demand| demand.name.as_str()).collect();
    assert_eq!(names, ["flat-demand-0", "coincident-demand-0", "coincident-demand-1"]);
    assert_eq!(parts.carry.look_backs.iter().map(|one| one.charge).collect::<Vec<_>>(), [0]);
    assert_eq!(parts.demands.iter().map(|demand| demand.minutes).collect::<Vec<_>>(), [30, 60, 60]);
    let left_out = import_urdb("r.json", &rate.to_string(), &options()).unwrap().left_out;
    assert_eq!(left_out, ["demandwindow = 30: coincident demand is taken over the whole published hour"]);
}

/// What was changed, at a JSON pointer, and the message with its suggestion.
#[test]
fn what_cannot_be_billed_is_refused_with_place_and_suggestion() {
    const COMPARE: &str = "compare the rate with its page in the database";
    const BY_HAND: &str = "write the tariff file by hand, or leave the charge out if it does not apply";
    const NAMED: &str = "name the list that publishes the hours with --coincident-hours";
    let unnamed = imported(&rate(), &UrdbOptions::default()).unwrap_err();
    assert_eq!(
        unnamed,
        format!("r.json: coincidentratestructure: demand at hours that the rate does not name; {NAMED}")
    );
    let table = [
        (
            "/coincidentrateschedule",
            json!([]),
            format!("coincidentrateschedule: 0 months, need 12; {COMPARE}"),
        ),
        (
            "/coincidentrateschedule/3",
            json!([0, 1]),
            format!("coincidentrateschedule[3]: 2 hours, need 24; {COMPARE}"),
        ),
        (
            "/coincidentrateschedule/6/12",
            json!(2),
            format!("coincidentrateschedule[6][12]: period 2, of which there are 2; {COMPARE}"),
        ),
        (
            "/coincidentratestructure",
            json!([]),
            format!("coincidentrateschedule[0][0]: period 0, of which there are 0; {COMPARE}"),
        ),
        (
            "/coincidentratestructure/1",
            json!([]),
            format!("coincidentratestructure[1]: a period without tiers; {COMPARE}"),
        ),
        (
            "/coincidentratestructure/0/0/max",
            json!(-1),
            format!("coincidentratestructure[0][0].max: bounds do not ascend; {COMPARE}"),
        ),
        (
            "/coincidentratestructure/1/0/unit",
            json!("kW daily"),
            format!("coincidentratestructure[1][0].unit: demand in \"kW daily\", not in kW; {BY_HAND}"),
        ),
        (
            "/coincidentrateunit",
            json!("kVA"),
            format!("coincidentrateunit: demand in \"kVA\", not in kW; {BY_HAND}"),
        ),
        ("/coincidentratestructure/1/0/rate", json!(-12), format!("rate: negative price -11.50; {BY_HAND}")),
    ];
    for (pointer, value, want) in table {
        let mut bent = rate();
        *bent.pointer_mut(pointer).unwrap() = value;
        assert_eq!(imported(&bent, &options()).unwrap_err(), format!("r.json: {want}"), "{pointer}");
    }
    let mut free = rate();
    free["coincidentratestructure"] = json!([[{"rate": 0}]]);
    free["coincidentrateschedule"] = json!([]);
    assert_eq!(imported(&free, &UrdbOptions::default()).unwrap().parts().demands, []);
    free["coincidentratestructure"] = json!([]);
    assert_eq!(
        imported(&free, &options()).unwrap_err(),
        "r.json: coincidentratestructure: the rate has no coincident demand; leave --coincident-hours out"
    );
}
