//! Lines that were set aside are tried again with a corrected profile: those lines, once, and nothing else.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use common::intake::{NEVER, books, check_counts, import, open, period_root, unsealed};
use common::now;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::intake::{ImportEnd, ImportReport, ImportRun, Intake};
use tallywatt_node::quarantine::Quarantined;

fn retry(
    intake: &mut Intake,
    set_aside: &Quarantined,
    profile: &Profile,
    interrupt: bool,
) -> Vec<ImportReport> {
    let lines: BTreeSet<u64> = set_aside.lines();
    let (interrupt, progress) = (AtomicBool::new(interrupt), &mut |_| {});
    let only_lines = Some(&lines);
    let books = &books();
    let mut run = ImportRun { profile, books, now: now(), interrupt: &interrupt, progress, only_lines };
    let reports = intake.retry(set_aside, &mut run).unwrap();
    reports.iter().for_each(check_counts);
    reports
}

const HOURS: &str = r#"
format = "csv"
layout = "long"
unit = "kWh"
stamp_format = "YYYY-MM-DD HH:mm"
zone = "UTC"
interval_minutes = 60
max_power_w = 2000
usage_point = "P-1"
[columns]
start = "start"
value = "value"
"#;

/// 48 hours, the power of every fifth above 2 kW.
fn hours_csv(first_day: u32) -> String {
    let row = |hour: u32| {
        let kwh = if hour.is_multiple_of(5) { "2.500" } else { "0.250" };
        format!("2026-03-{:02} {:02}:00,{kwh}\n", first_day + hour / 24, hour % 24)
    };
    (0..48).map(row).fold("start,value\n".to_owned(), |text, row| text + &row)
}

#[test]
fn a_retry_takes_the_lines_that_were_set_aside_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hours.csv");
    std::fs::write(&path, hours_csv(2)).unwrap();
    let low = Profile::parse("hours", HOURS).unwrap();
    let high = Profile::parse("hours", &HOURS.replace("2000", "15000")).unwrap();
    let data = folder.path().join("data");
    let mut intake = open(&data);
    let first = import(&mut intake, &path, &low, NEVER);
    assert_eq!((first.counts.accepted, first.counts.rejected), (38, 10));
    assert_eq!(first.rejected, BTreeMap::from([(RejectionCode::AboveCeiling, 10)]));
    let [set_aside] = intake.quarantined().unwrap().try_into().unwrap();
    let wanted: BTreeSet<u64> = (0..48).filter(|hour| hour % 5 == 0).map(|hour| hour + 2).collect();
    assert_eq!(set_aside.lines(), wanted);

    // Interrupted before it began, nothing is let go.
    assert_eq!(retry(&mut intake, &set_aside, &high, true), []);
    assert_eq!(intake.quarantined().unwrap(), std::slice::from_ref(&set_aside));
    // Under the same profile the same lines are set aside again.
    let [same] = retry(&mut intake, &set_aside, &low, false).try_into().unwrap();
    assert_eq!((same.counts.offered, same.counts.rejected), (10, 10));
    let [set_aside] = intake.quarantined().unwrap().try_into().unwrap();
    assert_eq!(set_aside.lines(), wanted);

    let [report] = retry(&mut intake, &set_aside, &high, false).try_into().unwrap();
    assert_eq!((report.counts.offered, report.counts.accepted), (10, 10));
    assert_eq!(intake.quarantined().unwrap(), []);
    let root = period_root(&intake);
    // Again, and again after opening: nothing changes.
    for _ in 0..2 {
        let [repeated] = retry(&mut intake, &set_aside, &high, false).try_into().unwrap();
        assert_eq!((repeated.end, repeated.counts), (ImportEnd::Repeated, report.counts));
        assert_eq!((period_root(&intake), intake.quarantined().unwrap()), (root, Vec::new()));
        drop(intake);
        intake = open(&data);
    }
    // As if the right profile had been there from the start.
    let mut right = open(&folder.path().join("right"));
    assert_eq!(import(&mut right, &path, &high, NEVER).counts.accepted, 48);
    assert_eq!(period_root(&right), root);
}

/// Two imports of one file set as many lines aside, but others: a retry of one is no retry of the other.
#[test]
fn retries_of_different_lines_are_different_imports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hours.csv");
    let text = hours_csv(2).replacen("00:00,2.500", "00:00,-1.000", 1).replace("05:00,2.500", "05:00,0.2505");
    std::fs::write(&path, text.replace(",2.500", ",1.000")).unwrap();
    let mut intake = open(&folder.path().join("data"));
    // Line 2 is negative under either profile; line 7 is finer than a watt-hour.
    let plain = Profile::parse("plain", HOURS).unwrap();
    let rounding = Profile::parse("rounding", &format!("round_to_wh = true\n{HOURS}")).unwrap();
    import(&mut intake, &path, &plain, NEVER);
    let [set_aside] = intake.quarantined().unwrap().try_into().unwrap();
    assert_eq!(set_aside.lines(), BTreeSet::from([2, 7]));
    let only = |line: u64| {
        let rejections = set_aside.rejections.iter().filter(|found| found.line == line).cloned().collect();
        Quarantined { header: set_aside.header.clone(), rejections }
    };
    let [negative] = retry(&mut intake, &only(2), &rounding, false).try_into().unwrap();
    assert_eq!((negative.counts.offered, negative.counts.rejected), (1, 1));
    let [finer] = retry(&mut intake, &only(7), &rounding, false).try_into().unwrap();
    assert_eq!((finer.end, finer.counts.accepted), (ImportEnd::Finished, 1));
}

/// Both members have a line that is too much, on lines 2 and 4. A retry of one leaves the other's alone, which the
/// corrected unit would change.
#[test]
fn a_retry_of_an_archive_takes_the_member_that_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.zip");
    let member = |day: u32, values: [&str; 3]| {
        let row = |(hour, kwh)| format!("2026-03-{day:02} {hour:02}:00,{kwh}\n");
        (0..3).zip(values).map(row).fold("start,value\n".to_owned(), |text, row| text + &row)
    };
    let first = member(2, ["2500", "1", "2"]);
    let second = member(3, ["1", "2", "2500"]);
    std::fs::write(&path, stored_zip(&[("first.csv", &first), ("second.csv", &second)])).unwrap();
    let kwh = Profile::parse("kwh", HOURS).unwrap();
    let wh = Profile::parse("wh", &HOURS.replace("kWh", "Wh").replace("2000", "15000")).unwrap();
    let mut intake = open(&folder.path().join("data"));
    let (interrupt, progress) = (AtomicBool::new(false), &mut |_| {});
    let books = &books();
    let mut run =
        ImportRun { profile: &kwh, books, now: now(), interrupt: &interrupt, progress, only_lines: None };
    let reports = intake.import(&path, &mut run).unwrap();
    let counts = reports.iter().map(|report| (report.counts.accepted, report.counts.rejected));
    assert_eq!(counts.collect::<Vec<_>>(), [(2, 1), (2, 1)]);
    let total = |intake: &Intake| unsealed(intake).iter().map(|block| block.total_wh()).sum::<i64>();
    assert_eq!(total(&intake), 6_000);

    let mut set_aside = intake.quarantined().unwrap();
    set_aside.sort_by_key(|set_aside| set_aside.header.member);
    for (set_aside, (line, total_wh)) in set_aside.iter().zip([(2, 8_500), (4, 11_000)]) {
        assert_eq!(set_aside.lines(), BTreeSet::from([line]));
        let reports = retry(&mut intake, set_aside, &wh, false);
        let counts = reports.iter().map(|report| (report.counts.offered, report.counts.accepted));
        assert_eq!(counts.collect::<Vec<_>>(), [(1, 1)], "line {line}");
        assert_eq!(total(&intake), total_wh);
    }
    assert_eq!(intake.quarantined().unwrap(), []);
}

/// A zip of members as they are (APPNOTE 6.3, method 0).
fn stored_zip(members: &[(&str, &str)]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    let u32_of = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    for (name, text) in members {
        // Version, flags, method, time and date; CRC and both sizes; lengths of the name and of nothing.
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common
            .extend([crc32(text.as_bytes()).to_le_bytes(), u32_of(text.len()), u32_of(text.len())].concat());
        common.extend(u32_of(name.len()));
        directory.extend(
            [&b"PK\x01\x02\x0a\0"[..], &common, &[0; 10], &u32_of(zip.len()), name.as_bytes()].concat(),
        );
        zip.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), text.as_bytes()].concat());
    }
    let count = u8::try_from(members.len()).unwrap();
    let end = [
        &b"PK\x05\x06\0\0\0\0"[..],
        &[count, 0, count, 0],
        &u32_of(directory.len()),
        &u32_of(zip.len()),
        &[0; 2],
    ];
    [zip, directory, end.concat()].concat()
}

/// CRC-32 as ISO 3309 has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn a_source_that_changed_or_went_is_refused_and_its_lines_stay_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hours.csv");
    std::fs::write(&path, hours_csv(2)).unwrap();
    let low = Profile::parse("hours", HOURS).unwrap();
    let high = Profile::parse("hours", &HOURS.replace("2000", "15000")).unwrap();
    let mut intake = open(&folder.path().join("data"));
    import(&mut intake, &path, &low, NEVER);
    let before = intake.quarantined().unwrap();
    // The very same retry twice within one second of the clock is one import.
    for _ in 0..2 {
        let [set_aside] = intake.quarantined().unwrap().try_into().unwrap();
        retry(&mut intake, &set_aside, &low, false);
        assert_eq!(intake.quarantined().unwrap()[0].lines(), before[0].lines());
    }
    std::fs::write(&path, hours_csv(9)).unwrap();
    let [set_aside] = intake.quarantined().unwrap().try_into().unwrap();
    let [changed] = retry(&mut intake, &set_aside, &high, false).try_into().unwrap();
    assert!(matches!(&changed.end, ImportEnd::Refused { problem, .. } if problem.contains("has changed")));
    std::fs::remove_file(&path).unwrap();
    let [gone] = retry(&mut intake, &set_aside, &high, false).try_into().unwrap();
    assert!(matches!(&gone.end, ImportEnd::Refused { problem, .. } if problem.contains("hours.csv")));
    assert_eq!(intake.quarantined().unwrap()[0].lines(), before[0].lines());
}
