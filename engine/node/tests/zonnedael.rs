//! 56 Dutch households, half a year of quarter-hours: recorded readings to bills, against sums made elsewhere.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{
    Ledger, ONE_RATE, SPLIT, THREE_ZONE, TWO_ZONE, contract_list, copy_folder, shared_data, tariff,
};
use serde_json::Value;
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::calendar::Period;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::intake::{ImportEnd, Intake};

const FILE: &str = "interval/zonnedael_56m/liander_zonnedael_2013_original.csv";
const READING_COUNT: u64 = 973_056;
const TOTAL_WH: i64 = 99_321_634;
const ZONE: &str = "+01:00";

/// Graduated prices of a Russian region, one rate.
const BANDS: &str = r#"
zone = [{ name = "all", windows = ["00:00-24:00"] }]
range = [
    { up_to_kwh = "3900", price = { all = "4.93" } },
    { up_to_kwh = "6000", price = { all = "8.27" } },
    { price = { all = "9.47" } },
]
"#;

fn expected(shared: &Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(shared.join("expected").join(name)).unwrap()).unwrap()
}

fn months() -> impl Iterator<Item = (String, Period)> {
    (1..=6).map(|month| (month.to_string(), format!("2013-{month:02}").parse().unwrap()))
}

/// `"1041.33"` as 104,133 kopecks.
fn minor(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// A table of whole numbers by name.
fn numbers(table: &Value) -> BTreeMap<String, i64> {
    table.as_object().unwrap().iter().map(|(name, sum)| (name.clone(), sum.as_i64().unwrap())).collect()
}

/// Watt-hours of each zone of the bill's tariff.
fn zones_wh(bill: &Bill) -> BTreeMap<u8, i64> {
    let mut zones = BTreeMap::new();
    for line in &bill.lines {
        if let ChargeKind::Energy { zone, .. } = line.kind {
            *zones.entry(zone).or_default() += line.quantity;
        }
    }
    zones
}

/// The copy of a ledger at `from`, with one more tariff and the contracts of these (account, usage point).
fn billed_copy(from: &Path, to: &Path, text: &str, points: &[(String, String)]) -> Ledger {
    copy_folder(from, to);
    let mut ledger = Ledger::open(to, 2);
    ledger.publish(&[&tariff("tariff", text), SPLIT]);
    let rows = points.iter().map(|(account, point)| (account.as_str(), point.as_str(), ZONE, "tariff"));
    ledger.contracts(&contract_list(rows));
    for (_, period) in months() {
        let outcome = ledger.bill(period);
        assert_eq!(outcome.computed.unbilled, []);
    }
    ledger
}

/// Ingested once; then billed in four ledgers that go on from there, for a register-day has one contract.
#[test]
fn every_reading_is_sealed_and_every_bill_is_right_to_the_kopeck() {
    let Some(shared) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ingested = folder.path().join("ingested");
    let mut ledger = Ledger::create(&ingested, 2);
    let (reports, sealed) = ledger.ingest(&[shared.join(FILE)], &Profile::builtin("zonnedael").unwrap());
    let counts = reports[0].counts;
    assert_eq!((reports[0].end.clone(), reports[0].of_run.rounded), (ImportEnd::Finished, 0));
    assert_eq!((counts.offered, counts.accepted), (READING_COUNT, READING_COUNT));
    assert_eq!(sealed.unwrap().totals.import_wh(), TOTAL_WH);
    check_sums(&ledger, &expected(&shared, "interval_totals.json")["zonnedael"]);
    drop(ledger);

    let households = &expected(&shared, "ru_zonnedael.json")["per_meter"];
    for (name, text) in [("one_rate", ONE_RATE), ("two_zone", TWO_ZONE), ("three_zone", THREE_ZONE)] {
        let to = folder.path().join(name);
        check_households(&ingested, &to, (name, text), households);
    }
    let totals = &expected(&shared, "interval_totals.json")["zonnedael"];
    let points: Vec<(String, String)> =
        numbers(&totals["per_meter_Wh"]).into_keys().map(|point| ("ALL".to_owned(), point)).collect();
    assert_eq!(points.len(), 56);
    let ledger = billed_copy(&ingested, &folder.path().join("bands"), BANDS, &points);
    let bands = &expected(&shared, "ru_zonnedael.json")["bands_ulyanovsk_2025"];
    for (month, period) in months() {
        let (bill, _) = ledger.proven("ALL", period);
        assert_eq!(bill.total.as_minor(), minor(&bands[&month]["bill"]), "{period}");
        let quantities: Vec<i64> = bill.lines.iter().map(|line| line.quantity).collect();
        let rest = totals["by_month_Wh"][&month].as_i64().unwrap() - 6_000_000;
        assert_eq!(quantities, [3_900_000, 2_100_000, rest], "{period}");
    }
}

/// Sealed sums by meter and by month.
fn check_sums(ledger: &Ledger, totals: &Value) {
    let (mut by_meter, mut by_month) = (BTreeMap::new(), BTreeMap::new());
    for block in ledger.books().accepted().blocks_sorted() {
        let key = block.key();
        assert_eq!(block.present_count(), 96, "{} on {}", key.usage_point, key.day);
        *by_meter.entry(key.usage_point.to_string()).or_default() += block.total_wh();
        *by_month.entry(key.day.period().to_string()).or_default() += block.total_wh();
    }
    assert_eq!(by_meter, numbers(&totals["per_meter_Wh"]));
    assert_eq!(by_month.values().sum::<i64>(), TOTAL_WH);
    let want: Vec<i64> = numbers(&totals["by_month_Wh"]).into_values().collect();
    assert_eq!(by_month.into_values().collect::<Vec<_>>(), want);
}

fn check_households(ingested: &Path, to: &Path, (name, text): (&str, &str), households: &Value) {
    let households = households.as_object().unwrap();
    let points: Vec<(String, String)> =
        households.keys().map(|point| (point.replace(' ', "-"), point.clone())).collect();
    assert_eq!(points.len(), 20);
    let ledger = billed_copy(ingested, to, text, &points);
    for (month, period) in months() {
        let bills = ledger.books().bills(period).unwrap();
        assert_eq!(bills.len(), points.len());
        for (account, point) in &points {
            let want = &households[point][&month];
            let bill = bills.iter().find(|bill| bill.account.as_str() == account).unwrap();
            assert_eq!(bill.total.as_minor(), minor(&want[name]), "{point}, {period}, {name}");
            let wh = |zone: &str| want["wh"][zone].as_i64().unwrap();
            let zones = zones_wh(bill);
            if name == "three_zone" {
                let want = BTreeMap::from([(0, wh("night")), (1, wh("half_peak")), (2, wh("peak"))]);
                assert_eq!(zones, want, "{point}, {period}");
            } else {
                let want = wh("night") + wh("half_peak") + wh("peak");
                assert_eq!(zones.values().sum::<i64>(), want, "{point}, {period}");
            }
        }
    }
    ledger.proven(&points[0].0, "2013-03".parse().unwrap());
}

/// By the Dutch clock the file runs through an hour that no clock showed: those readings are set aside, and said.
#[test]
fn the_hour_that_was_not_is_set_aside_by_the_dutch_clock() {
    let Some(shared) = shared_data() else { return };
    let path: PathBuf = shared.join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let skipped: Vec<(u64, &str)> =
        (1..).zip(text.lines()).filter(|(_, row)| row.starts_with("31-3-2013 02:")).collect();
    let skipped_wh: i64 = skipped
        .iter()
        .flat_map(|(_, row)| row.split(',').skip(1))
        .map(|value| value.parse::<i64>().unwrap())
        .sum();
    assert_eq!(skipped.len(), 4);

    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 2);
    let profile = Profile::builtin("zonnedael").unwrap().with_zone("Europe/Amsterdam").unwrap();
    let (reports, sealed) = ledger.ingest(&[path], &profile);
    let counts = reports[0].counts;
    assert_eq!((counts.offered, counts.accepted, counts.rejected), (READING_COUNT, READING_COUNT - 224, 224));
    assert_eq!(reports[0].rejected, BTreeMap::from([(RejectionCode::NoSuchLocalTime, 224)]));
    let totals = sealed.unwrap().totals;
    assert_eq!(totals.import_wh(), TOTAL_WH - skipped_wh);
    assert_eq!(totals.reading_count(), READING_COUNT - 224);

    let quarantined = Intake::open(&ledger.path, ledger.books()).unwrap().quarantined().unwrap();
    assert_eq!(quarantined.len(), 1);
    let found: Vec<(u64, RejectionCode, u32, String)> = quarantined[0]
        .rejections
        .iter()
        .map(|found| (found.line, found.code, found.reading_count, found.raw.clone()))
        .collect();
    let want: Vec<(u64, RejectionCode, u32, String)> = skipped
        .iter()
        .map(|(line, row)| (*line, RejectionCode::NoSuchLocalTime, 56, row[..15].to_owned()))
        .collect();
    assert_eq!(found, want);
}
