//! Data folders that cannot be used: missing, half made, in use, damaged, badly set. Each code says which.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fs::{self, File};

use common::{Place, Ran};

/// Runs it as text and as JSON; both must say the same.
fn refused(place: &Place, line: &str, code: i32, says: &[&str]) -> Ran {
    let ran = place.expect(code, line);
    assert_eq!(ran.out, "", "{line}");
    for said in says {
        assert!(ran.err.contains(said), "{line} does not say {said}: {}", ran.err);
    }
    assert!(ran.err.contains("next: "), "{line}: {}", ran.err);
    let json = place.expect(code, &format!("{line} --format json"));
    assert_eq!(json.out, "", "{line}");
    let error: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(error["exit_code"], code, "{error}");
    assert!(says.iter().all(|said| error.to_string().contains(said)), "{error}");
    ran
}

fn ledger() -> Place {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place
}

#[test]
fn no_folder_is_10_for_every_command_that_needs_one() {
    let place = Place::new();
    place.write("a.csv", "a\n");
    place.write("f.csv", "head,usage_point,loss_permille_norm\n");
    place.write("p.csv", "payment_id,account,date,amount\n#TOTAL,0,0.00\n");
    for command in [
        "ingest a.csv",
        "ingest --retry",
        "readings totals",
        "readings gaps 2026-03",
        "readings exceptions 2026-03",
        "losses 2026-03 --feeders f.csv",
        "readings quarantine",
        "tariff list",
        "contract list",
        "bill plan 2026-03",
        "bill run 2026-03",
        "bill arrears",
        "pay run p.csv",
        "pay split",
        "prove bill A-1 2026-03",
        "chain status",
        "chain log",
        "chain audit",
        "export out",
        "config check",
        "config show",
    ] {
        refused(&place, &format!("tallywatt -C gone {command}"), 10, &["gone", "init"]);
    }
    assert!(!place.path().join("gone").exists() && !place.path().join("out").exists());
}

#[test]
fn a_folder_in_use_is_11() {
    let place = ledger();
    let before = place.status();
    let lock = File::options().read(true).write(true).open(place.path().join("tallywatt-data/LOCK")).unwrap();
    lock.lock().unwrap();
    for command in ["chain status", "chain audit", "bill arrears", "config show"] {
        refused(&place, &format!("tallywatt {command}"), 11, &["tallywatt-data is in use", "wait"]);
    }
    lock.unlock().unwrap();
    assert_eq!(place.status(), before);
}

#[test]
fn a_ledger_that_lost_its_settings_is_10_and_nobody_is_told_to_remove_it() {
    let place = ledger();
    fs::remove_file(place.path().join("tallywatt-data/tallywatt.toml")).unwrap();
    for command in ["chain status", "init"] {
        refused(&place, &format!("tallywatt {command}"), 10, &["holds a ledger", "restore tallywatt.toml"]);
    }
    assert!(place.path().join("tallywatt-data/grid/chain.redb").exists(), "nothing is removed for the user");
}

#[test]
fn a_half_made_folder_is_10_and_says_what_to_do() {
    let place = ledger();
    let data = place.path().join("tallywatt-data");
    fs::remove_file(data.join("tallywatt.toml")).unwrap();
    for party in ["grid", "bank", "supplier"] {
        for store in ["chain.redb", "signlock"] {
            fs::remove_file(data.join(party).join(store)).unwrap();
        }
    }
    for command in ["chain status", "init"] {
        refused(
            &place,
            &format!("tallywatt {command}"),
            10,
            &["half made", "remove the folder", "init again"],
        );
    }
    assert!(data.join("grid/keys.seeds").exists(), "nothing is removed for the user");
}

#[test]
fn a_second_init_is_refused() {
    let place = ledger();
    let before = place.status();
    refused(&place, "tallywatt init", 2, &["tallywatt-data", "already", "-C"]);
    assert_eq!(place.status(), before);
}

#[test]
fn a_damaged_key_is_12() {
    for party in ["grid", "bank", "supplier"] {
        for damage in [&b"short"[..], b""] {
            let place = ledger();
            let path = place.path().join(format!("tallywatt-data/{party}/keys.seeds"));
            let sound = fs::read(&path).unwrap();
            fs::write(&path, damage).unwrap();
            refused(&place, "tallywatt chain status", 12, &[&format!("{party}/keys.seeds"), "restore"]);
            fs::write(&path, sound).unwrap();
            place.status();
        }
    }
}

#[test]
fn a_foreign_key_is_refused() {
    let place = ledger();
    place.expect(0, "tallywatt -C other init --demonstration-keys 8");
    fs::copy(place.path().join("other/bank/keys.seeds"), place.path().join("tallywatt-data/bank/keys.seeds"))
        .unwrap();
    let ran = place.sh("tallywatt chain status");
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(ran.err.contains("bank") && ran.err.contains("next: "), "{}", ran.err);
}

#[test]
fn bad_settings_are_78_with_the_line() {
    for (line, bad, says) in [
        (10, "thread = 2", "thread"),
        (10, "threads = \"many\"", "threads"),
        (10, "threads = 65", "at most 64"),
        (7, "currency = \"rubles\"", "rubles"),
        (13, "archive_shards = 0", "1 to 256"),
    ] {
        let place = ledger();
        let text = place.text("tallywatt-data/tallywatt.toml");
        let mut lines: Vec<&str> = text.lines().collect();
        lines[line - 1] = bad;
        place.write("tallywatt-data/tallywatt.toml", lines.join("\n"));
        let at = format!("tallywatt-data/tallywatt.toml:{line}:");
        for command in ["config check", "chain status"] {
            refused(&place, &format!("tallywatt {command}"), 78, &[&at, says, "config check"]);
        }
        place.write("tallywatt-data/tallywatt.toml", text);
        place.expect(0, "tallywatt config check");
    }
}

#[test]
fn wrong_usage_is_2() {
    let place = Place::new();
    for line in ["frobnicate", "bill", "bill plan", "ingest --colour red", "--format xml config profiles"] {
        let ran = place.expect(2, &format!("tallywatt {line}"));
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{line}: {ran:?}");
    }
    for line in ["frobnicate", "bill", "bill plan"] {
        let ran = place.expect(2, &format!("tallywatt {line} --format json"));
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((&ran.out, &error["exit_code"]), (&String::new(), &2.into()), "{line}");
    }
    let ran = place.expect(0, "tallywatt --help");
    assert!(ran.err.is_empty() && ran.out.contains("verify"), "{ran:?}");
}
