//! The corpus of the verifier's fuzzer: every text and record has a target and files to begin with, and each of them is read.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

#[path = "town/texts.rs"]
mod texts;
mod town;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use texts::{TARGETS, check, seeds};

/// The most bytes of all committed files, and of one: what the fuzzer reads of a file.
const CORPUS_SIZE_MAX: usize = 100_000;
const FILE_SIZE_MAX: usize = 8_192;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

/// The names of what lies in a folder, without what follows their last point.
fn names_in(path: &str) -> BTreeSet<String> {
    let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
    fs::read_dir(folder(path)).unwrap().map(|entry| stem(entry.unwrap())).collect()
}

#[test]
fn every_text_has_a_target() {
    let names: BTreeSet<String> = TARGETS.map(str::to_owned).into();
    assert_eq!(names_in("fuzz_targets"), names);
    assert_eq!(names_in("corpus"), names);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"\n")), "{name} is built");
        let text = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(text.contains(&format!("check(\"{name}\", bytes)")), "{name} reads its own");
    }
    assert_eq!(seeds().map(|(target, ..)| target.to_owned()).collect::<BTreeSet<_>>(), names);
}

/// Every file of the corpus, each with one byte changed at some places, cut, and twice.
#[test]
fn every_file_is_read() {
    let mut size = 0;
    for target in TARGETS {
        for entry in fs::read_dir(folder("corpus").join(target)).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(bytes.len() <= FILE_SIZE_MAX, "a file of {target} has {} bytes", bytes.len());
            size += bytes.len();
            check(target, &bytes);
            for at in (0..bytes.len()).step_by(7) {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << (at % 8);
                check(target, &bent);
                check(target, &bytes[..at]);
            }
            check(target, &[&bytes[..], &bytes].concat());
        }
    }
    assert!(size <= CORPUS_SIZE_MAX, "{size} bytes");
}

/// The sound files are what this version writes, so that fuzzing begins with what is read to its end.
#[test]
fn the_sound_files_are_those_of_this_version() {
    for (target, name, bytes) in seeds() {
        let path = folder("corpus").join(target).join(format!("sound-{name}"));
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "{}: `cargo run --bin seeds -- corpus` writes it",
            path.display()
        );
    }
}
