//! `chain tiles`: the served folder alone proves the log, and grows without changing what was served.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::Place;
use common::one_account::ledger;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::log::{Log, leaf_hash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::tiles::tiles;

/// Every served file by its path in the folder.
fn served(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let root = place.path().join("served");
    let name = |path: &std::path::Path| path.strip_prefix(&root).unwrap().display().to_string();
    place.files("served").iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

/// Reads the log back from the files, and holds it against the head that all parties signed; the head's size.
fn read_back(place: &Place, files: &BTreeMap<String, Vec<u8>>) -> u64 {
    let policy = Policy::parse(&place.text("tallywatt-data/trust.policy")).unwrap();
    let note = Note::parse(std::str::from_utf8(&files["checkpoint"]).unwrap()).unwrap();
    let head: Checkpoint = policy.evaluate(&note).unwrap().accepted().unwrap().clone();
    let tile = tiles(0, head.size())[0];
    assert!(head.size() < 256, "one tile has it all");
    let mut log = Log::new();
    let mut entries = files[&tile.entries_path().unwrap()].as_slice();
    while let Some((size, rest)) = entries.split_first_chunk() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*size)));
        assert_eq!(entry.len(), 106, "a log leaf");
        log.append(leaf_hash(entry)).unwrap();
        entries = rest;
    }
    assert_eq!((log.size(), log.root()), (head.size(), head.root()));
    assert_eq!(files[&tile.path()], tile.bytes(&log).unwrap());
    head.size()
}

#[test]
fn the_log_is_served_and_grows() {
    let place = ledger();
    let first = place.json("tallywatt chain tiles served");
    let before = served(&place);
    let size = read_back(&place, &before);
    assert_eq!((&first["leaves"], &first["leaves_before"]), (&size.into(), &0.into()));
    assert_eq!(before.len(), 3, "head, tile and entries: {:?}", before.keys());

    let again = place.json("tallywatt chain tiles served");
    assert_eq!((&again["files_written"], &again["leaves_before"]), (&1.into(), &size.into()));
    assert_eq!(served(&place).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());

    place.expect(0, "tallywatt bill run 2026-04");
    place.expect(0, "tallywatt chain tiles served");
    let after = served(&place);
    assert!(read_back(&place, &after) > size);
    for (path, bytes) in before.iter().filter(|(path, _)| *path != "checkpoint") {
        assert_eq!(after[path], *bytes, "{path} is as it was");
    }

    // Without its head a folder is filled again, and what stands there is compared.
    fs::remove_file(place.path().join("served/checkpoint")).unwrap();
    place.expect(0, "tallywatt chain tiles served");
    assert_eq!(served(&place)["checkpoint"], after["checkpoint"]);
}

#[test]
fn nothing_is_written_over_another_log() {
    let place = ledger();
    place.expect(0, "tallywatt chain tiles served");
    let whole = served(&place);
    let tile = whole.keys().find(|path| path.starts_with("tile/0/")).unwrap();
    let mut bent = whole[tile].clone();
    bent[0] ^= 1;
    place.write(&format!("served/{tile}"), &bent);
    fs::remove_file(place.path().join("served/checkpoint")).unwrap();
    let refused = place.expect(1, "tallywatt chain tiles served");
    assert!(refused.err.contains("has other bytes than this log gives it"), "{}", refused.err);
    assert_eq!(served(&place)[tile], bent);
    assert!(!place.path().join("served/checkpoint").exists(), "no head without all it needs");

    place.write(&format!("served/{tile}"), &whole[tile]);
    place.write("served/checkpoint", &whole["checkpoint"]);
    for (words, why) in [
        ("init --demonstration-keys 7 --origin other.example/log", "it is of "),
        ("init --demonstration-keys 8", "is beyond this log of 1 leaves"),
    ] {
        fs::remove_dir_all(place.path().join("tallywatt-data")).unwrap();
        place.expect(0, &format!("tallywatt {words}"));
        let refused = place.expect(1, "tallywatt chain tiles served");
        assert!(
            refused.err.contains("is no earlier head of this log") && refused.err.contains(why),
            "{}",
            refused.err
        );
        assert_eq!(served(&place), whole);
    }
    place.write("served/checkpoint", "not a note\n");
    let refused = place.expect(1, "tallywatt chain tiles served");
    assert!(refused.err.contains("is no earlier head of this log"), "{}", refused.err);
}
