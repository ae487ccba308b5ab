//! The walls of the house: which crate may depend on which, and through which crate an outside package comes in.
//!
//! Dependencies of tests are free. The doors are written once, behind the packages in the workspace's manifest.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crate, its folder, and the crates of the house that it may use. Siblings never use each other.
const FLOORS: &[(&str, &str, &[&str])] = &[
    ("core", "engine/core", &[]),
    ("ledger", "engine/ledger", &["core"]),
    ("fixtures", "fixtures", &["core", "ledger"]),
    ("consensus", "engine/consensus", &["core", "ledger"]),
    ("verify", "engine/verify", &["core", "ledger"]),
    ("ingest", "ingest", &["core", "ledger"]),
    ("shards", "shards", &["core", "ledger"]),
    ("node", "engine/node", &["core", "ledger", "consensus", "verify", "ingest", "shards"]),
    ("cli", "engine/cli", &["core", "ledger", "fixtures", "consensus", "verify", "ingest", "shards", "node"]),
    (
        "benches",
        "benches",
        &["core", "ledger", "fixtures", "consensus", "verify", "ingest", "shards", "node"],
    ),
];
/// Packages without a door: any crate may use them, a pure one only those of [`PURE_FREE`].
const FREE: &[&str] = &["proptest", "serde", "serde_json", "tempfile", "thiserror"];
/// The crates that compute what is signed.
const PURE: &[&str] = &["core", "ledger", "consensus", "verify"];
const PURE_FREE: &[&str] = &["thiserror"];

#[test]
fn the_house_stands() {
    let manifest = read("Cargo.toml");
    let doors = doors(&manifest);
    for package in workspace_packages(&manifest) {
        assert!(doors.contains_key(&package) || FREE.contains(&package.as_str()), "{package} has no door");
    }
    for (name, folder, _) in FLOORS {
        assert!(manifest.contains(&format!("\"{folder}\",\n")), "{name} is a member of the workspace");
        let faults = faults(name, &read(&format!("{folder}/Cargo.toml")), &doors);
        assert!(faults.is_empty(), "{faults:#?}");
    }
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    assert_eq!(
        members.lines().filter(|line| line.contains('"')).count(),
        FLOORS.len(),
        "every member has a floor"
    );
}

#[test]
fn every_door_is_used() {
    for (package, crates) in doors(&read("Cargo.toml")) {
        for name in crates {
            let (_, folder, _) = FLOORS.iter().find(|(floor, ..)| *floor == name).unwrap();
            let used = dependencies(&read(&format!("{folder}/Cargo.toml")));
            assert!(used.contains(&package), "{package} has a door in {name}, which does not use it");
        }
    }
}

/// The fuzzers have flags and a runtime of their own, so they are no members; the rules of the house hold for them all the same.
#[test]
fn the_fuzzers_stand_beside_the_house() {
    let house = read("Cargo.toml");
    let both: [(&str, &[&str]); 2] = [
        ("ingest/fuzz", &["core", "ingest", "ledger"]),
        ("engine/verify/fuzz", &["consensus", "core", "ledger", "verify"]),
    ];
    for (folder, crates) in both {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let want = crates.iter().map(|name| format!("tallywatt-{name}")).chain(["libfuzzer-sys".to_owned()]);
        assert_eq!(dependencies(&manifest), want.collect());
        assert!(manifest.contains("\n[workspace]\n") && manifest.contains("\npublish = false\n"));
        for table in ["rust", "clippy"] {
            let lints = |manifest: &str, head: String| -> String {
                manifest.split_once(&head).unwrap().1.split("\n\n").next().unwrap().to_owned()
            };
            let want = lints(&house, format!("[workspace.lints.{table}]\n"));
            assert_eq!(lints(&manifest, format!("[lints.{table}]\n")), want, "lints of {table} in {folder}");
        }
    }
}

#[test]
fn a_breach_is_found() {
    let doors = doors(&read("Cargo.toml"));
    let table = [
        ("ingest", "tallywatt-shards.workspace = true", 1),
        ("core", "tallywatt-ledger.workspace = true", 1),
        ("ledger", "tallywatt-verify = { path = \"../verify\" }", 1),
        ("node", "blake3.workspace = true", 1),
        ("node", "blake3 = \"1\"\nredb.workspace = true", 1),
        ("shards", "rayon.workspace = true", 0),
        ("verify", "serde.workspace = true", 1),
        ("node", "serde.workspace = true", 0),
        ("ingest", "unheard-of = \"1\"", 1),
        ("cli", "rust_decimal.workspace = true", 1),
    ];
    for (name, line, want) in table {
        let manifest =
            format!("[package]\nname = \"x\"\n\n[dependencies]\n{line}\n\n[dev-dependencies]\nzip = \"1\"\n");
        assert_eq!(faults(name, &manifest, &doors).len(), want, "{name}: {line}");
    }
    let target =
        "[target.'cfg(unix)'.dependencies]\nblake3 = \"1\"\n\n[dependencies.redb]\nversion = \"4\"\n";
    assert_eq!(faults("cli", target, &doors).len(), 2);
}

/// What a crate's manifest depends on and may not.
fn faults(name: &str, manifest: &str, doors: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let (_, _, below) = FLOORS.iter().find(|(floor, ..)| *floor == name).unwrap();
    let is_allowed = |package: &str| match package.strip_prefix("tallywatt-") {
        Some(inside) => below.contains(&inside),
        None if FREE.contains(&package) => !PURE.contains(&name) || PURE_FREE.contains(&package),
        None => doors.get(package).is_some_and(|crates| crates.contains(name)),
    };
    let used = dependencies(manifest);
    used.iter()
        .filter(|package| !is_allowed(package))
        .map(|package| format!("{name} uses {package}"))
        .collect()
}

/// The packages that a manifest's dependencies name, those of tests left out.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut packages = BTreeSet::new();
    let mut is_inside = false;
    for line in manifest.lines() {
        let table = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        if let Some(table) = table {
            let (before, after) = table.split_once("dependencies").unwrap_or(("dev-", ""));
            is_inside = !before.ends_with("dev-") && after.is_empty();
            if !before.ends_with("dev-") && after.starts_with('.') {
                packages.insert(after[1..].to_owned());
            }
        } else if is_inside && line.contains('=') && !line.starts_with('#') {
            packages.insert(line.split(['.', '=', ' ']).next().unwrap().to_owned());
        }
    }
    packages
}

/// Which crates an outside package comes in through: the names behind it, up to a colon.
fn doors(manifest: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut doors = BTreeMap::new();
    for line in outside(manifest) {
        let Some((package, comment)) =
            line.split_once(" = ").and_then(|(package, rest)| Some((package, rest.rsplit_once("# ")?.1)))
        else {
            continue;
        };
        let names = comment.split(':').next().unwrap().split(", ").filter(|name| !name.ends_with("'s tests"));
        doors.insert(package.to_owned(), names.map(str::to_owned).collect());
    }
    assert!(doors.len() >= 20, "{} doors found", doors.len());
    doors
}

fn workspace_packages(manifest: &str) -> Vec<String> {
    outside(manifest).filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
}

/// The lines of the workspace's dependencies that are not crates of the house.
fn outside(manifest: &str) -> impl Iterator<Item = &str> {
    let table = manifest.split_once("[workspace.dependencies]\n").unwrap().1;
    table.lines().take_while(|line| !line.starts_with('[')).filter(|line| !line.starts_with("tallywatt-"))
}

fn read(file: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}
