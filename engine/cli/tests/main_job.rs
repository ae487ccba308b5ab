//! The main job as a newcomer meets it: the demonstration, what it tells to run next, and a lie in it.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fs;

use common::Place;

#[test]
fn the_demonstration_ends_valid_and_its_next_commands_work() {
    let place = Place::new();
    let demo = place.expect(0, "tallywatt demo");
    let last = demo.out.lines().last().unwrap();
    assert_eq!(last, "VALID    bill A-000017, 2026-03, 7706.10 RUB", "{}", demo.out);
    for figures in ["619008 accepted, 0 set aside", "400 bills", "total                7706.10 RUB"] {
        assert!(demo.out.contains(figures), "{figures}: {}", demo.out);
    }
    assert!(!demo.out.contains("next:"), "hints are no result: {}", demo.out);
    let next = demo.next_commands();
    assert!(next.len() >= 4, "{}", demo.err);
    let (tamper, others) = next.split_last().unwrap();
    for command in others {
        assert!(!place.expect(0, command).out.is_empty(), "{command}");
    }
    assert!(place.sh(others[0]).out.lines().last().unwrap().starts_with("VALID"), "{}", others[0]);
    assert!(tamper.contains("demo tamper") && tamper.contains("chain audit"), "{tamper}");
    let audit = place.expect(1, tamper);
    // The demonstration says what it flipped; the audit names the same usage point and day.
    let flipped = audit.out.lines().find_map(|line| line.strip_prefix("that is")).unwrap().trim();
    let (point, rest) = flipped.split_once(' ').unwrap();
    let day = rest.split([' ', ',']).find(|word| word.starts_with("2026-03-")).unwrap();
    let named = audit.out.lines().find(|line| line.contains("grid/batches/000001.twb")).unwrap();
    let place_of = audit.out.lines().find(|line| line.contains(&format!("usage point {point}")));
    assert!(place_of.is_some_and(|line| line.contains(day)), "{flipped}: {named}\n{}", audit.out);
    assert!(audit.out.contains("Wh here, ") && audit.out.ends_with("DAMAGED  3 findings\n"), "{}", audit.out);
}

#[test]
fn a_damaged_file_is_mended_from_another_partys_copy() {
    let place = Place::new();
    place.expect(0, "tallywatt demo --households 20");
    place.expect(0, "tallywatt demo tamper");
    place.expect(1, "tallywatt -C tallywatt-demo/data chain audit");
    place.expect(0, "cp tallywatt-demo/data/supplier/batches/000001.twb tallywatt-demo/data/grid/batches/");
    let audit = place.expect(0, "tallywatt -C tallywatt-demo/data chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}

#[test]
fn a_liar_is_named_with_the_block() {
    for (liar, code, says) in [
        ("grid", 1, "block 14: nobody else computed what grid proposed"),
        // Readings and bills are not the bank's to compute: its first figures are of a settlement.
        ("bank", 1, "block 17: nobody else computed what bank proposed"),
        ("supplier", 1, "block 14 (batch proposed by grid): supplier computed something else"),
    ] {
        let place = Place::new();
        let line = format!("tallywatt demo --households 20 --liar {liar}");
        let ran = place.expect(code, &line);
        assert!(ran.err.contains(says), "{liar}: {}", ran.err);
        assert!(ran.out.contains("caught"), "{liar}: {}", ran.out);
        assert!(!ran.out.contains("VALID"), "{liar}: {}", ran.out);
        let ran = place.expect(code, &format!("{line} --format json"));
        assert_eq!(ran.out, "", "{liar}");
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert!(error["error"].as_str().unwrap().contains(says), "{liar}: {error}");
        assert_eq!(error["exit_code"], code, "{liar}");
    }
}

#[test]
fn as_json_it_is_one_object_with_the_verdict_and_the_receipt() {
    let place = Place::new();
    let ran = place.expect(0, "tallywatt demo --households 20 --format json");
    let object = ran.object();
    assert_eq!(object["verdict"], "valid");
    assert_eq!(object["bills"], 20);
    assert_eq!(object["readings_accepted"], 32_736);
    assert_eq!(object["paid"], object["sum_of_legs"]);
    assert_eq!(object["tariff"].as_array().map(Vec::len), Some(1));
    let receipt = object["receipt"].as_str().unwrap();
    let policy = object["policy"].as_str().unwrap();
    place.expect(0, &format!("tallywatt verify {receipt} --policy {policy}"));
}

#[test]
fn the_demonstration_replaces_only_its_own_folder() {
    let place = Place::new();
    place.write("mine/letter.txt", "keep me");
    let ran = place.expect(2, "tallywatt demo --households 20 --folder mine");
    assert!(ran.err.contains("mine is there already") && ran.err.contains("next: "), "{}", ran.err);
    assert_eq!(place.text("mine/letter.txt"), "keep me");
    assert_eq!(fs::read_dir(place.path().join("mine")).unwrap().count(), 1);
    let first = place.expect(0, "tallywatt demo --households 20 --folder own --format json").object();
    let again = place.expect(0, "tallywatt demo --households 20 --folder own --format json").object();
    assert_eq!(first, again, "the same seed tells the same story");
}
