//! `bench`: the shape of what it tells, what it leaves behind, and what it refuses. No figure is asserted.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use common::{BINARY, Place, Ran};

const STAGES: [&str; 15] = [
    "decode frames",
    "decode day CSV",
    "decode wide CSV",
    "append and sync",
    "hash leaves",
    "build tree",
    "seal month",
    "take in and seal",
    "check batch",
    "fold batch",
    "write Parquet",
    "rate bills",
    "rate determinants",
    "prove a day",
    "verify receipt",
];
const LIMITS: [&str; 8] = [
    "memory read",
    "memory copy",
    "BLAKE3 stream",
    "Ed25519 check",
    "synced file write",
    "cached file read",
    "synced append",
    "synced append, p99",
];

#[test]
fn limits_come_first_and_every_stage_has_its_share() {
    let place = Place::new();
    place.write("disk/mine.txt", "keep me");
    let ran = place
        .expect(0, "tallywatt bench --quick --threads 2 --folder disk --svg out/bench.svg --format json");
    let object = ran.object();
    for fact in ["machine", "version", "disk", "picture"] {
        assert!(object[fact].as_str().is_some_and(|text| !text.is_empty()), "{fact}: {object}");
    }
    let rows = object["rows"].as_array().unwrap();
    let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert!(kinds.is_sorted() && kinds.contains(&"limit") && kinds.contains(&"stage"), "{kinds:?}");
    let names: BTreeSet<&str> = rows.iter().map(|row| row["what"].as_str().unwrap()).collect();
    for name in STAGES.iter().chain(&LIMITS) {
        assert!(names.contains(name), "{name} is not measured: {names:?}");
    }
    for row in rows {
        let number = |name: &str| row[name].as_f64();
        assert!(number("rate").unwrap() > 0.0 && number("spread").unwrap() >= 0.0, "{row}");
        let is_stage = row["kind"] == "stage";
        assert_eq!(number("share").is_some_and(|share| share > 0.0), is_stage, "{row}");
        assert_eq!(row["of_limit"].as_str().is_some_and(|limit| names.contains(limit)), is_stage, "{row}");
        let threads = number("threads").unwrap();
        assert_eq!(number("speed_up").is_some(), threads > 1.0, "{row}");
        assert!(threads <= 2.0, "{row}");
    }
    let picture = place.text("out/bench.svg");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    assert!(STAGES.iter().all(|name| picture.contains(name)), "{picture}");
    assert_eq!(fs::read_dir(place.path().join("disk")).unwrap().count(), 1, "what was written is removed");
    assert_eq!(place.text("disk/mine.txt"), "keep me");
}

#[test]
fn people_get_a_table_and_programs_rows() {
    let place = Place::new();
    let table = place.expect(0, "tallywatt bench --quick --threads 1 --folder .");
    assert!(table.out.starts_with("machine "), "{}", table.out);
    for name in STAGES.iter().chain(&LIMITS) {
        assert!(table.out.contains(name), "{name}: {}", table.out);
    }
    assert!(table.err.contains("note: --quick") && !table.next_commands().is_empty(), "{}", table.err);
    let csv = place.expect(0, "tallywatt bench --quick --threads 1 --folder . --format csv --quiet");
    assert_eq!(csv.err, "");
    assert_eq!(csv.out.lines().next(), Some("kind,what,threads,rate,unit,spread,share,of_limit,speed_up"));
    let header_and_facts = 1 + table.out.lines().take_while(|line| !line.is_empty()).count();
    assert_eq!(csv.out.lines().count(), table.out.lines().count() - header_and_facts, "{}", csv.out);
}

#[test]
fn wrong_input_is_refused_before_anything_is_measured() {
    let place = Place::new();
    place.write("file", "");
    for (words, says) in [
        ("--folder absent", "cannot write below absent"),
        ("--folder file", "cannot write below file"),
        ("--threads 65", "65 threads, need 1 to 64"),
        ("--threads none", "invalid value 'none'"),
        ("--svg .", "--svg: . does not name a file"),
        ("--svg file/x.svg", "cannot create"),
    ] {
        let ran = place.expect(2, &format!("tallywatt bench --quick {words}"));
        assert!(ran.err.contains(says), "{words}: {}", ran.err);
        assert_eq!(ran.out, "", "{words}");
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left behind");
}

/// As everywhere, 0 threads are as many as the machine has.
#[test]
fn no_threads_are_those_of_the_machine() {
    let place = Place::new();
    let object = place.json("tallywatt bench --quick --threads 0 --folder .");
    let most = object["rows"].as_array().unwrap().iter().filter_map(|row| row["threads"].as_u64()).max();
    let machine = std::thread::available_parallelism().unwrap().get().min(64);
    assert_eq!(most, u64::try_from(machine).ok());
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let place = Place::new();
    fs::create_dir(place.path().join("disk")).unwrap();
    let mut command = place.command(BINARY);
    command.args(["bench", "--folder", "disk"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // Its Ctrl-C handler is there before the first file is.
    while place.files("disk").is_empty() {
        std::thread::yield_now();
    }
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert!(signalled.success());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.out.is_empty() && ran.err.contains("interrupted before all was measured"), "{ran:?}");
    assert_eq!(fs::read_dir(place.path().join("disk")).unwrap().count(), 0);
}
