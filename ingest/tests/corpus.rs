//! The corpus of the fuzzer: every format has a target and files to begin with, and each of them is decoded.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/targets.rs"]
mod targets;
#[path = "common/ways.rs"]
mod ways;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::files_under;
use tallywatt_ingest::profile::Profile;
use targets::{CONTAINERS, TARGETS};

/// The most bytes of all committed files, and of one: what the fuzzer reads of a file.
const CORPUS_SIZE_MAX: usize = 200_000;
const FILE_SIZE_MAX: usize = 4_096;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

fn target_names() -> impl Iterator<Item = &'static str> {
    TARGETS.into_iter().map(|(name, ..)| name).chain([CONTAINERS])
}

/// The names of what lies in a folder, without what follows their last point.
fn names_in(path: &str) -> BTreeSet<String> {
    let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
    fs::read_dir(folder(path)).unwrap().map(|entry| stem(entry.unwrap())).collect()
}

#[test]
fn every_format_has_a_target() {
    let decoded: BTreeSet<&str> =
        TARGETS.into_iter().flat_map(|(_, names, _)| names.iter().copied()).collect();
    // Every format has a built-in profile.
    assert_eq!(decoded, Profile::builtin_names().collect());

    let names: BTreeSet<String> = target_names().map(str::to_owned).collect();
    assert_eq!(names_in("fuzz_targets"), names);
    assert_eq!(names_in("corpus"), names);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"\n")), "{name} is built");
        let text = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(text.contains(&format!("check(\"{name}\", bytes)")), "{name} decodes its own");
    }
}

#[test]
fn every_file_is_decoded() {
    let (mut size, mut count) = (0, 0);
    for target in target_names() {
        let files = files_under(folder("corpus").join(target));
        assert!(!files.is_empty(), "{target} has files to begin with");
        let profiles = targets::profiles(if target == CONTAINERS { "nem12" } else { target });
        for path in files {
            let bytes = fs::read(&path).unwrap();
            assert!(bytes.len() <= FILE_SIZE_MAX, "{}: {} bytes", path.display(), bytes.len());
            match target {
                CONTAINERS => targets::check_container(&profiles[0], &bytes),
                _ => targets::check(target, &profiles, &bytes),
            }
            size += bytes.len();
            count += 1;
        }
    }
    println!("{count} files, {size} bytes");
    assert!(size <= CORPUS_SIZE_MAX, "{size} bytes");
}

#[test]
fn what_fuzzing_begins_with_is_sound() {
    for (target, names, _) in TARGETS {
        for name in names {
            let path = folder("corpus").join(target).join(format!("sound-{name}"));
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let decoded = common::run(&Profile::builtin(name).unwrap(), "a.b", &bytes);
            assert!(decoded.is_ok(), "{name}: {decoded:?}");
        }
    }
}
