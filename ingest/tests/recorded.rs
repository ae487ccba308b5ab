//! Recorded files, against totals that other programs computed from them.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use common::{files_under, recorded, run};
use serde_json::Value;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::{DecodeSummary, decode};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::Collected;

type Decoded = Result<(Collected, DecodeSummary), FileRefusal>;

/// Every member of a file, decoded.
fn members(profile: &Profile, path: &Path) -> Vec<(String, Decoded)> {
    let mut found = Vec::new();
    let name = path.file_name().unwrap().to_str().unwrap();
    each_member(name, File::open(path).unwrap(), &mut |name, bytes| {
        let mut sink = Collected::default();
        let decoded = decode(profile, name, bytes, &mut sink).map(|summary| (sink, summary));
        found.push((name.to_owned(), decoded));
        Ok::<(), FileRefusal>(())
    })
    .unwrap();
    found
}

fn expected(name: &str) -> Option<Value> {
    let path = recorded("expected")?.join(name);
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

const ZONNEDAEL: &str = "interval/zonnedael_56m/liander_zonnedael_2013_original.csv";

#[test]
fn zonnedael_household_by_household() {
    let (Some(path), Some(expected)) = (recorded(ZONNEDAEL), expected("interval_totals.json")) else {
        return;
    };
    let text = fs::read(path).unwrap();
    let (found, summary) = run(&Profile::builtin("zonnedael").unwrap(), "x", &text).unwrap();
    assert_eq!((summary.reading_count, summary.rejected_count), (973_056, 0));
    assert_eq!(found.readings.iter().map(|reading| reading.energy_wh).sum::<i64>(), 99_321_634);
    let mut totals = BTreeMap::new();
    for reading in &found.readings {
        *totals.entry(reading.usage_point.to_string()).or_insert(0) += reading.energy_wh;
    }
    let want: BTreeMap<String, i64> = expected["zonnedael"]["per_meter_Wh"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, sum)| (name.clone(), sum.as_i64().unwrap()))
        .collect();
    assert_eq!(totals, want);
}

/// The file runs through 02:00 to 02:45 of 31 March, which no Dutch clock showed that day.
#[test]
fn zonnedael_by_the_dutch_clock() {
    let Some(path) = recorded(ZONNEDAEL) else { return };
    let profile = Profile::builtin("zonnedael").unwrap().with_zone("Europe/Amsterdam").unwrap();
    let (found, summary) = run(&profile, "x", &fs::read(path).unwrap()).unwrap();
    assert_eq!((summary.reading_count, summary.rejected_count), (973_056 - 224, 224));
    assert!(found.rejections.iter().all(|rejection| rejection.code == RejectionCode::NoSuchLocalTime));
    let lines: Vec<u64> = found.rejections.iter().map(|rejection| rejection.line).collect();
    assert_eq!(lines, [8_554, 8_555, 8_556, 8_557]);
}

#[test]
fn a_london_year() {
    let Some(path) = recorded("interval/lcl_one_year/LCL_london_consumption_2013_original.csv") else {
        return;
    };
    let text = fs::read(path).unwrap();
    let rounding = Profile::builtin("lcl").unwrap();
    let (_, summary) = run(&rounding, "x", &text).unwrap();
    assert_eq!((summary.reading_count, summary.rejected_count, summary.rounded_count), (17_531, 0, 6));
    let strict = rounding.content().replace("round_to_wh = true", "round_to_wh = false");
    let (found, summary) = run(&Profile::parse("strict", &strict).unwrap(), "x", &text).unwrap();
    assert_eq!((summary.reading_count, summary.rejected_count), (17_525, 6));
    assert!(found.rejections.iter().all(|rejection| rejection.code == RejectionCode::FinerThanWattHour));
}

#[test]
fn hourly_files_in_gzip() {
    let Some(folder) = recorded("interval/opendsm") else { return };
    let profile = Profile::builtin("opendsm").unwrap();
    let mut file_count = 0;
    for path in files_under(folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with("-hourly.csv.gz") {
            continue;
        }
        for (_, decoded) in members(&profile, &path) {
            let (found, summary) = decoded.unwrap();
            assert_eq!((summary.reading_count, summary.rejected_count), (19_417, 0), "{name}");
            let point = found.readings[0].usage_point.to_string();
            assert_eq!(Some(point.as_str()), name.strip_suffix(".csv.gz"));
            file_count += 1;
        }
    }
    assert_eq!(file_count, 4);
}
