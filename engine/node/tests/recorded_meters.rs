//! Recorded meters to proven bills: hourly files with clock changes, half-hourly ones with gaps and noise, and a
//! household's whole year. Every total is compared with a sum over the file's text, made here.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{
    Ledger, SPLIT, THREE_ZONE, contract_list, naive_wh, recorded, shared_data, tariff, text_of,
    three_zone_minor, three_zone_of,
};
use tallywatt_core::calendar::Period;
use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::intake::ImportReport;

/// Half-hours without an offset (the file's name is too long for a usage point): they run through both clock changes, so they are UTC.
const UK_HALF_HOURS: &str = r#"
format = "csv"
layout = "long"
unit = "kWh"
stamp_format = "YYYY-MM-DD HH:mm:ss"
zone = "UTC"
interval_minutes = 30
round_to_wh = true
usage_point = "P-1"
[columns]
start = "start"
value = "value"
"#;

/// Hours with an offset, by the clock of London.
const UK_HOURS: &str = r#"
format = "csv"
layout = "long"
unit = "kWh"
stamp_format = "rfc3339"
zone = "Europe/London"
interval_minutes = 60
round_to_wh = true
usage_point = "P-1"
[columns]
start = "start"
value = "value"
"#;

/// What one kind of file is read and billed by.
struct Case<'a> {
    file: &'a str,
    point: &'a str,
    profile: Profile,
    zone: &'a str,
    /// The local month and hour of a row's stamp, for the naive sum.
    local: fn(&str) -> (String, u32),
}

impl Case<'_> {
    /// Stamps with their Wh, each stamp once.
    fn rows(&self) -> BTreeMap<String, i64> {
        let row =
            |line: &str| line.split_once(',').map(|(stamp, kwh)| (stamp.to_owned(), naive_wh(kwh))).unwrap();
        text_of(&recorded(self.file)).lines().skip(1).map(row).collect()
    }

    /// Watt-hours and rows of a month, by zone of the tariff.
    fn naive(&self, period: &str) -> ([i64; 3], u32) {
        let (mut zones_wh, mut count) = ([0; 3], 0);
        for (stamp, wh) in self.rows() {
            let (month, hour) = (self.local)(&stamp);
            if month == period {
                zones_wh[three_zone_of(hour)] += wh;
                count += 1;
            }
        }
        (zones_wh, count)
    }

    /// A ledger that has taken the file in and has its contract.
    fn ledger(&self, folder: &tempfile::TempDir) -> (Ledger, ImportReport) {
        let mut ledger = Ledger::create(&folder.path().join("data"), 2);
        ledger.publish(&[&tariff("three-zone", THREE_ZONE), SPLIT]);
        ledger.contracts(&contract_list([("A-1", self.point, self.zone, "three-zone")]));
        let (reports, sealed) = ledger.ingest(&[recorded(self.file)], &self.profile);
        let [report] = reports.try_into().unwrap();
        assert_eq!(sealed.unwrap().totals.reading_count(), report.counts.accepted);
        assert_eq!(report.counts.accepted, u64::try_from(self.rows().len()).unwrap());
        (ledger, report)
    }

    /// Bills the month; the receipt is valid and the total is the naive one and that of the estimated rows.
    fn check(&self, ledger: &mut Ledger, month: &str, estimated: u32) {
        let period: Period = month.parse().unwrap();
        ledger.bill(period);
        let (mut zones_wh, count) = self.naive(month);
        for (hour, wh) in estimates(ledger, period, self.local) {
            zones_wh[three_zone_of(hour)] += wh;
        }
        let (bill, _) = ledger.proven("A-1", period);
        let completeness = bill.completeness;
        assert_eq!((completeness.measured, completeness.estimated), (count, estimated), "{month}");
        assert_eq!((completeness.expected, completeness.missing), (count + estimated, 0), "{month}");
        assert_eq!(bill.energy().as_wh(), zones_wh.iter().sum::<i64>(), "{month}");
        assert_eq!(bill.total.as_minor(), three_zone_minor(zones_wh), "{month}");
    }
}

/// Local hours and Wh of what the close of a period estimated.
fn estimates(ledger: &Ledger, period: Period, local: fn(&str) -> (String, u32)) -> Vec<(u32, i64)> {
    let mut found = Vec::new();
    for leaf in ledger.books().period_leaves(period).unwrap() {
        let block = leaf.block();
        for (at, quality) in block.qualities().iter().enumerate() {
            if matches!(quality, Quality::EstimatedLinear | Quality::EstimatedReferenceDay) {
                let stamp = block.interval_start(at).to_string().replace('T', " ");
                found.push((local(&stamp).1, block.values_wh()[at].into()));
            }
        }
    }
    found
}

/// `2016-03-13T03:00:00-05:00`: the wall clock is what is written.
fn as_written(stamp: &str) -> (String, u32) {
    (stamp[..7].to_owned(), stamp[11..13].parse().unwrap())
}

/// A UTC stamp of March 2021 by the clock of London, which went forward at 01:00 of the 28th.
fn london_2021_03(stamp: &str) -> (String, u32) {
    let (month, hour) = as_written(stamp);
    let is_summer = &stamp[..13] >= "2021-03-28 01";
    match hour + u32::from(is_summer) {
        24 if &stamp[..10] == "2021-03-31" => ("2021-04".into(), 0),
        hour => (month, hour % 24),
    }
}

#[test]
fn chicago_hours_are_billed_through_both_clock_changes() {
    for file in ["il-electricity-cdd-hdd-hourly.csv.gz", "il-electricity-cdd-only-hourly.csv.gz"] {
        let profile = Profile::builtin("opendsm").unwrap();
        let point = file.split('.').next().unwrap();
        let case = Case { file, point, profile, zone: "America/Chicago", local: as_written };
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, report) = case.ledger(&folder);
        assert_eq!(
            (report.counts.offered, report.counts.accepted, report.of_run.rounded),
            (19_417, 19_417, 0)
        );
        // 743 hours, 721 hours, and an ordinary month.
        for (month, hour_count) in [("2016-03", 743), ("2016-11", 721), ("2016-07", 744)] {
            assert_eq!(case.naive(month).1, hour_count);
            case.check(&mut ledger, month, 0);
        }
    }
}

#[test]
fn float_noise_is_rounded_and_counted_or_set_aside() {
    let file = "uk-electricity-hdd-only-hourly-sample-0.csv.gz";
    let finer = text_of(&recorded(file))
        .lines()
        .skip(1)
        .filter(|line| line.rsplit('.').next().is_some_and(|decimals| decimals.len() > 3))
        .count();
    let finer = u64::try_from(finer).unwrap();
    assert_eq!(finer, 5_429);
    let profile = Profile::parse("uk-hours", UK_HOURS).unwrap();
    let case = Case { file, point: "P-1", profile, zone: "Europe/London", local: london_2021_03 };
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, report) = case.ledger(&folder);
    assert_eq!(
        (report.counts.offered, report.counts.accepted, report.of_run.rounded),
        (23_508, 23_508, finer)
    );
    assert_eq!(case.naive("2021-03").1, 743);
    case.check(&mut ledger, "2021-03", 0);

    let strict = Profile::parse("strict", &UK_HOURS.replace("round_to_wh = true", "")).unwrap();
    let mut ledger = Ledger::create(&folder.path().join("strict"), 1);
    let (reports, _) = ledger.ingest(&[recorded(file)], &strict);
    assert_eq!(reports[0].rejected, BTreeMap::from([(RejectionCode::FinerThanWattHour, finer)]));
    assert_eq!(reports[0].counts.accepted, 23_508 - finer);
}

#[test]
fn repeated_midnights_are_duplicates_and_lost_half_hours_are_estimated() {
    let file = "uk-electricity-hdd-only-hourly-sample-1.csv.gz";
    let profile = Profile::parse("uk-half-hours", UK_HALF_HOURS).unwrap();
    let case = Case { file, point: "P-1", profile, zone: "UTC", local: as_written };
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, report) = case.ledger(&folder);
    let counts = report.counts;
    assert_eq!((counts.offered, counts.accepted, counts.duplicate), (22_536, 22_521, 15));
    assert_eq!((report.rejected.len(), report.of_run.rounded), (0, 96));
    // Whole; one lost half-hour; that and the 48 after 8 November 00:00.
    for (month, lost) in [("2013-06", 0), ("2012-12", 1), ("2012-11", 49)] {
        case.check(&mut ledger, month, lost);
    }
    // 2012-12-11 14:30 stands on the line between its neighbours.
    let rows = case.rows();
    let (before, after) = (rows["2012-12-11 14:00:00"], rows["2012-12-11 15:00:00"]);
    let half_even = (before + after) / 2 + i64::from((before + after) % 4 == 3);
    assert_eq!(estimates(&ledger, "2012-12".parse().unwrap(), as_written), [(14, half_even)]);

    // By the clock of London the half-hours of 31 March 01:00 never were.
    let london = case.profile.with_zone("Europe/London").unwrap();
    let mut ledger = Ledger::create(&folder.path().join("london"), 1);
    let (reports, _) = ledger.ingest(&[recorded(file)], &london);
    assert_eq!(reports[0].rejected, BTreeMap::from([(RejectionCode::NoSuchLocalTime, 2)]));
}

#[test]
fn exchanged_days_and_months_leave_gaps_that_are_said() {
    let file = "uk-electricity-hdd-only-hourly-sample-2.csv.gz";
    let profile = Profile::parse("uk-half-hours", UK_HALF_HOURS).unwrap();
    let case = Case { file, point: "P-1", profile, zone: "UTC", local: as_written };
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, report) = case.ledger(&folder);
    let counts = report.counts;
    assert_eq!((counts.offered, counts.accepted, counts.duplicate), (35_468, 35_444, 24));
    assert_eq!((report.rejected.len(), report.of_run.rounded), (0, 1_369));
    // Whole; one lost half-hour; and the ten days of January 2014 that stand in other months.
    for (month, lost) in [("2013-05", 0), ("2013-03", 1), ("2014-01", 480)] {
        case.check(&mut ledger, month, lost);
    }
}

#[test]
fn a_london_year_is_billed_and_proven_month_by_month() {
    let Some(shared) = shared_data() else { return };
    let path = shared.join("interval/lcl_one_year/LCL_london_consumption_2013_original.csv");
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 2);
    ledger.publish(&[&tariff("three-zone", THREE_ZONE), SPLIT]);
    ledger.contracts(&contract_list([("A-1", "MAC000033", "UTC", "three-zone")]));
    let (reports, sealed) = ledger.ingest(std::slice::from_ref(&path), &Profile::builtin("lcl").unwrap());
    let counts = reports[0].counts;
    assert_eq!((counts.offered, counts.accepted, counts.duplicate), (17_531, 17_519, 12));
    assert_eq!((reports[0].rejected.len(), reports[0].of_run.rounded), (0, 6));
    // What was recorded, and nothing estimated: 2,748.9550002 kWh with the noise of its floats.
    let text = std::fs::read_to_string(path).unwrap();
    let rows: BTreeMap<&str, i64> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|fields| (fields[2], naive_wh(fields[3])))
        .collect();
    assert_eq!(sealed.unwrap().totals.import_wh(), rows.values().sum::<i64>());

    // Of the year's 17,520 half-hours one is missing; it stands on the line between its neighbours.
    let missing = "2013-03-23 04:30:00";
    let stamps: BTreeSet<String> = (0..17_520)
        .map(|at| {
            let start = tallywatt_core::calendar::UtcSeconds(1_356_998_400 + at * 1_800);
            start.to_string().replace('T', " ").replace('Z', "")
        })
        .collect();
    let absent: Vec<&String> = stamps.iter().filter(|stamp| !rows.contains_key(stamp.as_str())).collect();
    assert_eq!(absent, [missing]);
    let estimate = (rows["2013-03-23 04:00:00"] + rows["2013-03-23 05:00:00"]) / 2;
    assert_eq!(estimate, 62);
    for month in 1..=12 {
        let name = format!("2013-{month:02}");
        let period: Period = name.parse().unwrap();
        ledger.bill(period);
        let (mut zones_wh, mut count) = ([0; 3], 0);
        for (stamp, wh) in rows.iter().filter(|(stamp, _)| stamp.starts_with(&name)) {
            zones_wh[three_zone_of(as_written(stamp).1)] += wh;
            count += 1;
        }
        let estimated: Vec<(u32, i64)> = if month == 3 { vec![(4, estimate)] } else { Vec::new() };
        for (hour, wh) in &estimated {
            zones_wh[three_zone_of(*hour)] += wh;
        }
        assert_eq!(estimates(&ledger, period, as_written), estimated, "{name}");
        let (bill, report) = ledger.proven("A-1", period);
        assert_eq!(bill.total.as_minor(), three_zone_minor(zones_wh), "{name}");
        assert_eq!(bill.completeness.measured, count, "{name}");
        assert_eq!(bill.completeness.estimated, u32::from(month == 3), "{name}");
        let linear =
            report.figures.quality_counts.iter().find(|(quality, _)| *quality == Quality::EstimatedLinear);
        assert_eq!(linear.map(|(_, count)| *count), (month == 3).then_some(1), "{name}");
    }
}
