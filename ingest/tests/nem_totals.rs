//! NEM12 and NEM13 files as providers sent them, against what two other readers found in them.
//!
//! Every expected entry is reproduced: totals, days, records, qualities, repeated days. Where ours takes less, or another
//! profile, a table says which file and why; it is closed, so that a new difference fails.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use common::{files_under, recorded};
use serde_json::Value;
use tallywatt_core::decimal::Decimal;
use tallywatt_core::quality::Quality;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::{DecodeSummary, decode_noted};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::Collected;
use tallywatt_ingest::source_notes::SourceNotes;

type Decoded = Result<(Collected, DecodeSummary, SourceNotes), FileRefusal>;

/// A file that ours does not take as the others do.
struct Difference {
    file: &'static str,
    /// What the profile `nem12` says.
    says: &'static str,
    why: &'static str,
    /// Whether it is taken, with the others' totals, where the frame may be missing.
    is_taken_unframed: bool,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        file: "Example_NEM12_15min_200_30min_300.csv",
        says: "R03×96@3 300,20230225,10,20,30,40,50,60,7",
        why: "48 values where the register has 96: one of the others fails too, one takes none of the day",
        is_taken_unframed: false,
    },
    Difference {
        file: "Example_NEM12_30min_200_15min_300.csv",
        says: "R03×48@3 300,20230225,0,10,20,30,40,50,60",
        why: "96 values where the register has 48: the others take the first half, and the 49th value for the quality",
        is_taken_unframed: false,
    },
    Difference {
        file: "Example_NEM12_empty.csv",
        says: "file holds no readings",
        why: "the others give nothing without a word",
        is_taken_unframed: false,
    },
    Difference {
        file: "Example_NEM12_missing_header.csv",
        says: "line 2: the first record is not the header record 100",
        why: "nothing tells the version, or that the file is whole",
        is_taken_unframed: true,
    },
    Difference {
        file: "Example_NEM12_powercor.csv",
        says: "line 2: the first record is not the header record 100",
        why: "two bodies with an end record each, and no header",
        is_taken_unframed: true,
    },
    Difference {
        file: "Example_empty_file.csv",
        says: "file is empty",
        why: "the others give nothing without a word",
        is_taken_unframed: false,
    },
];

const ESTIMATE: &str = "Example_NEM13_forward_estimate.csv";
const OPTIONAL: &str = "format = \"nem12\"\nframe = \"optional\"\n";

/// Records whose quantity is not what their dials say, and is not the dial's turning or a minus either: NMI and finding.
const QUANTITIES: &[(&str, &str)] = &[
    ("NEM1311002", "quantity 31 KWH, dials 38841 to 39013: 172.000000 kWh"),
    ("NEM1312026", "quantity -10.000 KWH, dials 290.00 to 290.00: 0.000000 kWh"),
    ("VDEF005890", "quantity 65 kWh, dials 0000950 to 0010015: 9065.000000 kWh"),
];

fn profile(name: &str) -> Profile {
    if name.contains('\n') {
        Profile::parse("optional", name).unwrap()
    } else {
        Profile::builtin(name).unwrap()
    }
}

/// Every member of a file, decoded.
fn members(profile: &Profile, path: &Path) -> Vec<(String, Decoded)> {
    let mut found = Vec::new();
    let name = path.file_name().unwrap().to_str().unwrap();
    each_member(name, File::open(path).unwrap(), &mut |name, bytes| {
        let mut sink = Collected::default();
        let decoded = decode_noted(profile, name, bytes, &mut sink);
        found.push((name.to_owned(), decoded.map(|(summary, notes)| (sink, summary, notes))));
        Ok::<(), FileRefusal>(())
    })
    .unwrap();
    found
}

fn expected(name: &str) -> Option<serde_json::Map<String, Value>> {
    let text = fs::read_to_string(recorded("expected")?.join(name)).unwrap();
    let Value::Object(entries) = serde_json::from_str(&text).unwrap() else { panic!("{name}") };
    Some(entries)
}

/// Where the file of an entry lies here: under its own name, in one of these folders.
fn paths(folders: &[&str]) -> BTreeMap<String, PathBuf> {
    let files = folders.iter().flat_map(|folder| files_under(recorded(folder).unwrap()));
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

fn suffix(register: Register) -> String {
    let letter = match register.flow {
        Flow::Import => 'E',
        Flow::Export => 'B',
        Flow::ReactiveImport => 'Q',
        Flow::ReactiveExport => 'K',
    };
    format!("{letter}{}", register.channel)
}

/// `NMI/suffix` → watt-hours, from `NMI/suffix/unit` → units.
fn in_watt_hours(sums: &Value) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for (key, sum) in sums.as_object().unwrap() {
        let (register, unit) = key.rsplit_once('/').unwrap();
        let decimals = if unit.to_ascii_lowercase().starts_with('k') { 3 } else { 0 };
        let sum = Decimal::parse(sum.as_str().unwrap().as_bytes(), b'.').unwrap();
        *totals.entry(register.to_owned()).or_insert(0) += sum.scaled(decimals).unwrap();
    }
    totals
}

fn counts(of: &Value) -> BTreeMap<String, u64> {
    of.as_object().unwrap().iter().map(|(key, count)| (key.clone(), count.as_u64().unwrap())).collect()
}

fn check_member(name: &str, want: &Value, decoded: Decoded) {
    let (found, summary, notes) = decoded.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    assert_eq!(found.rejections, [], "{name}");
    let mut totals = BTreeMap::new();
    let mut lines: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
    for reading in &found.readings {
        let key = format!("{}/{}", reading.usage_point, suffix(reading.register));
        *totals.entry(key.clone()).or_insert(0) += reading.energy_wh;
        let day = (reading.start.0 + 10 * 3_600).div_euclid(86_400);
        lines.entry((key, day)).or_default().insert(reading.line);
    }
    assert_eq!(totals, in_watt_hours(&want["totals"]), "{name}");
    let mut days = BTreeMap::new();
    lines.keys().for_each(|(key, _)| *days.entry(key.clone()).or_insert(0) += 1);
    let mut want_days = BTreeMap::new();
    for (key, count) in counts(&want["days"]) {
        *want_days.entry(key.rsplit_once('/').unwrap().0.to_owned()).or_insert(0) += count;
    }
    assert_eq!(days, want_days, "{name}");
    let repeated: usize = lines.values().map(|lines| lines.len() - 1).sum();
    assert_eq!(repeated as u64, want["repeat_days"].as_u64().unwrap(), "{name}");
    assert_eq!((summary.null_count, summary.ignored_count), (0, want["b2b_500"].as_u64().unwrap()), "{name}");

    let (mut of_days, mut of_runs, mut records) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (note, counts) in notes.iter() {
        *records.entry(note.record.to_string()).or_insert(0) += counts.record_count;
        match note.record.as_str() {
            "300" => *of_days.entry(note.flag.to_string()).or_insert(0) += counts.record_count,
            _ => *of_runs.entry(note.flag.to_string()).or_insert(0) += counts.value_count,
        }
    }
    assert_eq!(of_days, counts(&want["quality_300"]), "{name}");
    assert_eq!(of_runs, counts(&want["quality_400_intervals"]), "{name}");
    let want_records = counts(&want["records"]);
    for kind in ["300", "400"] {
        assert_eq!(records.get(kind), want_records.get(kind), "{name}");
    }
    // Every line that is not blank is one of them.
    assert!(want_records.values().sum::<u64>() <= summary.line_count, "{name}");
    assert!(want["errors"].as_array().unwrap().is_empty(), "{name}");
}

#[test]
fn nem12_totals() {
    let Some(expected) = expected("nem12_totals.json") else { return };
    let mut files = paths(&["nem12", "malformed/nem12"]);
    let mut differences: BTreeMap<_, _> = DIFFERENCES.iter().map(|row| (row.file, row)).collect();
    let mut compared = 0;
    for (key, entry) in &expected {
        let name = key.rsplit('/').next().unwrap();
        let Some(path) = files.remove(name) else { panic!("{name} is not here") };
        let decoded = members(&profile("nem12"), &path);
        assert_eq!(decoded.len(), entry["own"].as_object().unwrap().len(), "{name}");
        for (at, (member, decoded)) in decoded.into_iter().enumerate() {
            let want = &entry["own"][&member];
            let Some(difference) = differences.remove(member.as_str()) else {
                check_member(&member, want, decoded);
                compared += 1;
                continue;
            };
            let said = match decoded {
                Err(refusal) => refusal.to_string(),
                Ok((found, ..)) => {
                    assert_eq!(found.readings, [], "{member}");
                    let first = &found.rejections[0];
                    let raw: String = first.raw.chars().take(32).collect();
                    format!("{}×{}@{} {raw}", first.code, first.reading_count, first.line)
                }
            };
            assert_eq!(said, difference.says, "{member}: {}", difference.why);
            if difference.is_taken_unframed {
                check_member(&member, want, members(&profile(OPTIONAL), &path).swap_remove(at).1);
                compared += 1;
            }
        }
    }
    assert!(differences.is_empty(), "no longer different: {:?}", differences.keys());
    // The one NEM13 file in the folder is expected with the others of its version.
    assert!(files.keys().eq([ESTIMATE]), "without an entry: {files:?}");
    assert_eq!(compared, 54);
}

#[test]
fn nem13_totals() {
    let Some(expected) = expected("nem13_totals.json") else { return };
    let mut files = paths(&["nem13"]);
    files.insert(ESTIMATE.to_owned(), recorded("nem12/examples").unwrap().join(ESTIMATE));
    let mut findings = Vec::new();
    for (key, entry) in &expected {
        let name = key.rsplit('/').next().unwrap();
        let Some(path) = files.remove(name) else { panic!("{name} is not here") };
        let [(member, decoded)] = members(&profile("nem13"), &path).try_into().unwrap();
        let (found, summary, notes) = decoded.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let want = entry.as_array().unwrap();
        assert_eq!(found.register_reads.len(), 2 * want.len(), "{member}");
        assert_eq!(summary.register_read_count, 2 * want.len() as u64, "{member}");
        let noted: u64 = notes.iter().map(|(_, counts)| counts.value_count).sum();
        assert_eq!(noted, 2 * want.len() as u64, "{member}");
        let mut differing = found.rejections.iter();
        for (want, reads) in want.iter().zip(found.register_reads.chunks(2)) {
            let text = |key: &str| want[key].as_str().unwrap();
            let milliwatt_hours =
                |key| Decimal::parse(text(key).as_bytes(), b'.').unwrap().scaled(6).unwrap();
            assert!(text("uom").eq_ignore_ascii_case("kwh"), "{member}");
            for ((read, _), dial) in reads.iter().zip(["prev", "cur"]) {
                assert_eq!(read.usage_point.to_string(), text("nmi"), "{member}");
                assert_eq!(read.register.channel.to_string(), text("suffix"), "{member}");
                assert_eq!(read.dial.as_milliwatt_hours(), milliwatt_hours(dial), "{member}");
            }
            let flow = if text("qty").starts_with('-') { Flow::Export } else { Flow::Import };
            assert_eq!(reads[0].0.register, Register::total(flow, reads[0].0.register.channel), "{member}");
            let quality = match text("qual").split_at(1).0 {
                "A" => Quality::Valid,
                "E" => Quality::Projected,
                "S" => Quality::Other,
                other => panic!("{member}: {other}"),
            };
            assert_eq!(reads[1].0.quality, quality, "{member}");
            let is_listed = |row: &&(&str, &str)| {
                row.0 == text("nmi")
                    && row.1.contains(&format!("quantity {} ", text("qty")))
                    && row.1.contains(&format!("dials {} to", text("prev")))
            };
            // Where the other reader found the quantity to be the plain difference, so do we.
            if QUANTITIES.iter().any(|row| is_listed(&row)) {
                assert_eq!(want["diff_matches"], Value::Bool(false), "{member}");
                findings.push((text("nmi").to_owned(), differing.next().unwrap().clone()));
            }
        }
        assert_eq!(differing.next(), None, "{member}");
    }
    assert!(files.is_empty(), "without an entry: {files:?}");
    let mut told: Vec<(&str, &str)> =
        findings.iter().map(|(nmi, found)| (nmi.as_str(), found.raw.as_str())).collect();
    let mut want = QUANTITIES.to_vec();
    want.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, want);
    assert!(
        findings.iter().all(|(_, found)| found.code == RejectionCode::Conflict && found.reading_count == 0)
    );
}

/// Each profile refuses the other's files with the name of the profile to take.
#[test]
fn the_other_version_is_named() {
    for (folder, taken, says) in [
        ("nem13", "nem12", "line 1: a NEM13 file: take the profile nem13"),
        ("nem12/aemo_mdp_scenarios", "nem13", "line 1: a NEM12 file: take the profile nem12"),
    ] {
        let Some(folder) = recorded(folder) else { return };
        for path in files_under(folder) {
            for (name, decoded) in members(&profile(taken), &path) {
                assert_eq!(decoded.unwrap_err().to_string(), says, "{name}");
            }
        }
    }
}
