//! What comes out, for people and for programs; plan = run; imports that go on; formats that agree.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use common::{BINARY, Place, Ran};
use tallywatt_shards::archive::read_totals;
use tallywatt_shards::write_ahead::{WriteAheadError, look_through};

/// Every command on a ledger with March billed.
const COMMANDS: &str = "\
chain status
chain log
chain show 12
chain audit
config check
config show
config profiles
config profiles nem12
readings totals
readings gaps 2026-03
readings gaps 2026-03 --by point
readings gaps 2026-03 --by day --at 2026-03-20T06:00:00Z
readings exceptions 2026-03
readings exceptions 2026-03 --usage-point EKB-000001 --rule V09 --explain
readings decisions 2026-03
readings quarantine
readings show EKB-000001 2026-03-02
readings show EKB-000001 2026-03-02 --history
readings show EKB-000001 2026-03-02 --as-of 1
readings pending
tariff list
tariff check town/tariffs/ekb-ranges-2026-01-01.toml town/agreements/grid-split-ekb.toml
tariff publish town/tariffs/ekb-ranges-2026-01-01.toml
contract list
contract publish town/contracts.csv
bill list 2026-03
bill show A-000001 2026-03
bill arrears
arrears --as-of 2026-09-30
arrears --as-of 2026-09-30 --account A-000001
arrears table
pay plan new.csv
pay run new.csv
pay split
ingest town/readings/yekaterinburg.csv --zone Asia/Yekaterinburg
ingest --retry
prove bill A-000001 2026-03 --output bill.receipt
prove day EKB-000001 2026-03-02 --output day.receipt
verify bill.receipt
verify day.receipt
export archive
synth --output other --meters 20 --days 1
-C third init
";

fn billed() -> Place {
    let place = Place::new();
    place.town(20, 31);
    place.expect(0, "tallywatt bill run 2026-03");
    let payment = "P-1,A-000001,2026-04-02,10.00\n#TOTAL,1,10.00\n";
    place.write("new.csv", format!("payment_id,account,date,amount\n{payment}"));
    place
}

fn is_plain(text: &str) -> bool {
    !text.contains(['\u{1b}', '\r'])
}

#[test]
fn every_command_gives_one_object_and_as_many_rows_as_csv() {
    let place = billed();
    for command in COMMANDS.lines() {
        let line = format!("tallywatt {command}");
        let ran = place.expect(0, &line);
        assert!(!ran.out.is_empty() && is_plain(&ran.out) && is_plain(&ran.err), "{line}: {ran:?}");
        let next = ran.err.lines().filter(|line| line.starts_with("next: ")).count();
        assert!(next >= 1, "{line}: {}", ran.err);
        // A second init of one folder is refused.
        let line = line.replace("third", "fourth");
        let json = place.expect(0, &format!("{line} --format json"));
        let object = json.object();
        assert!(object["exit_code"] == 0 || object["verdict"] == "valid", "{line}: {object}");
        for hint in json.err.lines() {
            let hint: serde_json::Value = serde_json::from_str(hint).unwrap();
            assert!(hint["message_type"].is_string(), "{line}: {hint}");
        }
        let line = line.replace("fourth", "fifth");
        let csv = place.expect(0, &format!("{line} --format csv"));
        let header = csv.out.lines().next().unwrap_or_default();
        assert!(header.contains(',') && !header.contains([' ', '"']), "{line}: {header}");
        if let Some(rows) = object["rows"].as_array() {
            assert_eq!(rows.len(), csv.out.lines().count() - 1, "{line}: {}", csv.out);
        }
        let line = line.replace("fifth", "sixth");
        let quiet = place.expect(0, &format!("{line} --quiet"));
        assert_eq!(quiet.err, "", "{line}");
    }
}

#[test]
fn two_versions_of_a_tariff_are_both_told() {
    let place = Place::new();
    place.town(20, 31);
    let text = place.text("town/tariffs/ekb-one-rate-2026-01-01.toml");
    let head =
        text.replace("valid_from = \"2026-01-01\"", "valid_from = \"2026-01-01\"\nvalid_to = \"2026-03-16\"");
    let tail = text.replace("2026-01-01", "2026-03-16").replace("5.93", "6.93");
    place.write("head.toml", head.replace("ekb-one-rate", "changed"));
    place.write("tail.toml", tail.replace("ekb-one-rate", "changed"));
    place.expect(0, "tallywatt tariff publish head.toml tail.toml");
    let contracts = place.text("town/contracts.csv").replace(",ekb-one-rate,", ",changed,");
    place.write("contracts.csv", contracts);
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt bill run 2026-03");
    let bill = place.json("tallywatt bill show A-000002 2026-03");
    let tariffs: BTreeSet<&str> =
        bill["tariff"].as_array().unwrap().iter().filter_map(|t| t.as_str()).collect();
    assert_eq!(tariffs.len(), 2, "{bill}");
    let prices: Vec<&str> =
        bill["rows"].as_array().unwrap().iter().filter_map(|row| row["price"].as_str()).collect();
    assert_eq!(prices, ["5.93", "6.93"], "{bill}");
}

#[test]
fn a_plan_is_the_run_byte_for_byte() {
    let place = Place::new();
    place.town(20, 31);
    for (name, threads) in [("a", 1), ("b", 3), ("c", 1)] {
        place.expect(0, &format!("tallywatt bill plan 2026-03 --threads {threads} --output bills-{name}"));
    }
    assert_eq!(place.read("bills-a"), place.read("bills-b"));
    assert_eq!(place.read("bills-a"), place.read("bills-c"));
    place.expect(0, "tallywatt bill run 2026-03 --plan bills-b --threads 1");
    place.write(
        "pay.csv",
        "payment_id,account,date,amount\nP-1,A-000001,2026-04-02,10.00\nP-2,A-000002,2026-04-03,9999.99\n#TOTAL,2,10009.99\n",
    );
    for (name, threads) in [("a", 1), ("b", 3), ("c", 1)] {
        place.expect(0, &format!("tallywatt pay plan pay.csv --threads {threads} --output pay-{name}"));
    }
    assert_eq!(place.read("pay-a"), place.read("pay-b"));
    assert_eq!(place.read("pay-a"), place.read("pay-c"));
    let ran = place.expect(0, "tallywatt pay run pay.csv --plan pay-b --format json").object();
    assert_eq!((&ran["paid"], &ran["sum_of_legs"]), (&"10009.99".into(), &"10009.99".into()));
    // What was planned is what lies in every party's folder.
    for (plan, kind) in [("bills-a", "bills"), ("pay-a", "settlements")] {
        for party in ["grid", "bank", "supplier"] {
            let stored = place.files(&format!("tallywatt-data/{party}/{kind}"));
            assert_eq!(stored.len(), 1, "{party} {kind}");
            assert_eq!(std::fs::read(&stored[0]).unwrap(), place.read(plan), "{party} {kind}");
        }
    }
}

#[test]
fn the_archive_holds_every_sealed_reading() {
    let place = Place::new();
    place.town(20, 3);
    let totals = place.json("tallywatt readings totals");
    let export = place.json("tallywatt export archive");
    let (mut rows, mut wh) = (0, 0);
    for file in place.files("archive/reading") {
        let read = read_totals(&file).unwrap();
        rows += read.row_count;
        wh += read.energy_wh;
    }
    assert_eq!(totals["readings"], rows);
    assert_eq!(totals["wh_over_all_registers"], wh);
    assert_eq!(export["rows"], rows);
    // Every day of this town has 48 readings.
    assert_eq!(export["leaves"].as_u64().map(|leaves| leaves * 48), Some(rows));
    assert_eq!(export["files"], place.files("archive/reading").len() + place.files("archive/leaf").len());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_all_formats_the_same_totals() {
    let mut expected = None;
    let formats = [
        ("csv", "tallywatt"),
        ("80020", "80020"),
        ("nem12", "nem12"),
        ("frames", "frames"),
        ("packs", "packs"),
    ];
    for (format, profile) in formats {
        let place = Place::new();
        for folder in ["a", "b"] {
            place.expect(
                0,
                &format!("tallywatt synth --output {folder} --to {format} --meters 20 --days 3 --seed 5"),
            );
        }
        place.expect(0, &format!("tallywatt synth --output c --to {format} --meters 20 --days 3 --seed 6"));
        place.expect(0, "diff -r a b");
        place.expect(1, "diff -rq a c");
        place.expect(0, "tallywatt init");
        place.ingest_town("a", profile);
        let totals = place.expect(0, "tallywatt readings totals --format csv").out;
        // NEM12 names its first channel; the others leave it at none.
        let totals = totals.replace(",1-1:1.8.0,", ",1-0:1.8.0,");
        assert_eq!(&totals, expected.get_or_insert_with(|| totals.clone()), "{format}");
    }
    assert!(expected.is_some_and(|totals| totals.lines().count() > 20));
}

#[test]
fn what_comes_late_or_differs_is_told_and_changes_no_bill() {
    let place = billed();
    let bill = place.json("tallywatt bill show A-000001 2026-03");
    let rows = place.text("town/readings/yekaterinburg.csv");
    let mut lines = rows.lines();
    let (header, day) = (lines.next().unwrap(), lines.next().unwrap());
    let mut fields: Vec<String> = day.split(',').map(str::to_owned).collect();
    let was: i64 = fields[3].parse().unwrap();
    fields[3] = (was - 1).to_string();
    place.write("other.csv", format!("{header}\n{}\n", fields.join(",")));
    let ran = place.expect(3, "tallywatt ingest other.csv --zone Asia/Yekaterinburg");
    for said in ["other.csv:2: R18", "the smaller value stands", "2026-03 is closed"] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    let shown = place.json(&format!("tallywatt readings show {} {}", fields[0], fields[2]));
    assert_eq!((&shown["revision"], &shown["rows"][0]["wh"]), (&1.into(), &(was - 1).into()), "{shown}");
    assert_eq!(shown["rows"][0]["quality"], "questionable");
    assert_eq!(place.json("tallywatt bill show A-000001 2026-03"), bill);
    place.expect(0, "tallywatt prove bill A-000001 2026-03 --output bill.receipt");
    place.expect(0, "tallywatt verify bill.receipt");
    place.expect(0, "tallywatt chain audit");
}

/// Starts an import and interrupts it once something is durable; `None` if all of it was.
fn interrupted(place: &Place, words: &[&str]) -> Option<Ran> {
    let intake = place.path().join("tallywatt-data/intake");
    // While it is written to, it may be read half old, half new: that is no progress yet.
    let durable_count = || {
        let looked = look_through::<WriteAheadError>(&intake, &mut |_| Ok(()));
        looked.map_or(0, |recovered| recovered.group_count)
    };
    let before = durable_count();
    let mut command = place.command(BINARY);
    let mut child = command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while durable_count() <= before {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::yield_now();
    }
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    let is_in_time = ran.code != 0 && ran.out.contains("interrupted after line");
    (signalled.success() && is_in_time).then_some(ran)
}

#[test]
fn an_interrupted_import_goes_on_and_doubles_nothing() {
    for meters in [4_000, 16_000, 40_000] {
        let place = Place::new();
        place.expect(0, &format!("tallywatt synth --output town --meters {meters} --days 10"));
        place.expect(0, "tallywatt init");
        let file = "town/readings/yekaterinburg.csv";
        let Some(ran) = interrupted(&place, &["ingest", file, "--zone", "Asia/Yekaterinburg"]) else {
            continue;
        };
        assert_eq!(ran.code, 130, "{ran:?}");
        assert!(ran.err.contains("next: run the same command again"), "{}", ran.err);
        assert_eq!(place.json("tallywatt readings totals")["readings"], 0, "nothing is sealed yet");
        let line = format!("tallywatt ingest {file} --zone Asia/Yekaterinburg");
        let again = place.json(&line);
        assert!(again["rows"][0]["end"].as_str().unwrap().contains("went on behind line"), "{again}");
        assert_eq!((&again["accepted"], &again["duplicate"]), (&again["readings_offered"], &0.into()));
        let third = place.json(&line);
        assert_eq!(third["rows"][0]["end"], "known already, not read again");
        let resumed = place.expect(0, "tallywatt readings totals --format csv").out;
        let whole = Place::new();
        whole.expect(0, "tallywatt init");
        let source = place.path().join(file);
        whole.expect(0, &format!("tallywatt ingest {} --zone Asia/Yekaterinburg", source.display()));
        assert_eq!(resumed, whole.expect(0, "tallywatt readings totals --format csv").out);
        return;
    }
    panic!("every import was done before the signal came");
}
