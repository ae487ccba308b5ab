//! Holds `FORMAT.md` to the code: offsets, limits, golden hashes, and the sections that the code names.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ledger::blinding::{BLINDING_SIZE, BlindingSecret};
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, Proposal};
use tallywatt_ledger::command::{BatchCommit, Command};
use tallywatt_ledger::day_leaf::{DayLeaf, HEADER_SIZE};
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::seal::{PartitionSummary, SealKind, SealedTree, partition_of};

const PAGE: &str = include_str!("../FORMAT.md");

/// The leaf of `day_leaf.rs`'s golden vector, built from outside.
fn leaf() -> DayLeaf {
    let local = Zone::parse("Asia/Yekaterinburg").unwrap().local_day("2026-03-01".parse().unwrap());
    let point = "EKB-000017".parse().unwrap();
    let mut block = DayBlock::empty(point, Register::IMPORT, local, 30, Source::Synthetic).unwrap();
    for at in 0..47 {
        block.put(at, i32::try_from(at).unwrap() * 11, Quality::Valid, &mut MergeCounts::default());
    }
    DayLeaf::batch(block, 0, &BlindingSecret::new([7; 32]))
}

fn tree() -> SealedTree {
    SealedTree::seal(SealKind::Batch, &[leaf()]).unwrap()
}

fn summary() -> PartitionSummary {
    tree().prove(&leaf().block().key()).unwrap().summary
}

fn block() -> Block {
    let command =
        Command::Batch(BatchCommit { sequence: 1, file: ContentHash([4; 32]), sealed: tree().sealed() });
    Block {
        height: 5,
        proposal: Proposal {
            chain: ContentHash([2; 32]),
            parent: ContentHash([1; 32]),
            proposer: Party::Grid,
            number: 4,
            time_unix_s: 1_774_000_000,
            command,
        },
        attestations: vec![Attestation { party: Party::Supplier, signature: [8; 64] }],
    }
}

fn log_leaf() -> LogLeaf {
    let parent = LogHash::from_bytes([2; 32]);
    LogLeaf { height: 5, block: block().hash(), parent, state: ContentHash([3; 32]) }
}

/// The text from the heading that starts so, to the next of its kind.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n## {heading}")).unwrap_or_else(|| panic!("no section {heading}"));
    let rest = &page[start + 1..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// The cells of the first table below `mark` whose first column is `first`.
fn table<'a>(text: &'a str, mark: &str, first: &str) -> Vec<Vec<&'a str>> {
    let below = text.find(mark).map(|at| &text[at..]).unwrap_or_else(|| panic!("no {mark:?}"));
    let lines = below.lines().skip_while(|line| !line.starts_with(&format!("| {first} |"))).skip(2);
    let rows: Vec<Vec<&str>> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "no table of {first} below {mark:?}");
    rows
}

/// Checks a table's fixed part against a record: its fields stand end to end, and hold what is expected.
fn check_fields(text: &str, mark: &str, bytes: &[u8], fields: &[(&str, Vec<u8>)]) -> Result<usize, String> {
    let mut end = 0;
    let mut seen = Vec::new();
    for row in table(text, mark, "offset") {
        let (Ok(offset), Ok(width)) = (row[0].parse::<usize>(), row[1].parse::<usize>()) else { break };
        if offset != end {
            return Err(format!("{} at {offset}, the field before ends at {end}", row[2]));
        }
        end = offset + width;
        let want = fields.iter().find(|(name, _)| *name == row[2]).map(|(_, bytes)| bytes.as_slice());
        if bytes.get(offset..end) != want {
            return Err(format!("{} at {offset} is {:?}, not {want:?}", row[2], bytes.get(offset..end)));
        }
        seen.push(row[2]);
    }
    match fields.iter().find(|(name, _)| !seen.contains(name)) {
        Some((name, _)) => Err(format!("no field {name}")),
        None => Ok(end),
    }
}

fn padded(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(33, 0);
    bytes
}

fn day_leaf_fields(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("version", vec![1]),
        ("tag", vec![1]),
        ("interval length", vec![30]),
        ("channel", vec![0]),
        ("flow", vec![1]),
        ("zone register", vec![0]),
        ("source", vec![2]),
        ("revision", vec![0]),
        // 2026-03-01 is day 20,513.
        ("delivery day", 20_513_i32.to_le_bytes().to_vec()),
        ("interval count", 48_u16.to_le_bytes().to_vec()),
        ("midnight", vec![20]),
        ("usage point", padded("EKB-000017")),
        ("blinding", bytes[HEADER_SIZE..HEADER_SIZE + BLINDING_SIZE].to_vec()),
    ]
}

#[test]
fn day_leaf_table() {
    let leaf = leaf();
    let bytes = leaf.bytes();
    let text = section(PAGE, "§1");
    assert_eq!(check_fields(text, "| offset |", bytes, &day_leaf_fields(bytes)), Ok(80));
    let tail: Vec<Vec<&str>> = table(text, "| offset |", "offset").split_off(13);
    let offsets: Vec<&str> = tail.iter().map(|row| row[0]).collect();
    assert_eq!(offsets, ["80", "80+4N", "80+5N"]);
    let values: Vec<u8> = leaf.block().values_wh().iter().flat_map(|wh| wh.to_le_bytes()).collect();
    assert_eq!(bytes[80..80 + 4 * 48], values);
    assert_eq!(bytes[80 + 4 * 48..80 + 5 * 48], [[0; 47].as_slice(), &[255]].concat());
    assert_eq!(bytes.len(), 320);
}

#[test]
fn a_wrong_page_is_found() {
    let leaf = leaf();
    let text = section(PAGE, "§1");
    for (right, wrong) in [
        ("| 14 | 1 | midnight", "| 13 | 1 | midnight"),
        ("| 8 | 4 | delivery day", "| 8 | 5 | delivery day"),
        ("| 3 | 1 | channel", "| 3 | 1 | flow"),
        ("| 6 | 1 | source | code |\n", ""),
    ] {
        assert!(text.contains(right), "{right}");
        let bent = text.replacen(right, wrong, 1);
        let fields = day_leaf_fields(leaf.bytes());
        assert!(check_fields(&bent, "| offset |", leaf.bytes(), &fields).is_err(), "{wrong}");
    }
}

#[test]
fn summary_table() {
    let summary = summary();
    let bytes = summary.encode();
    let fields = [
        ("version", vec![1]),
        ("kind", vec![0x20]),
        ("partition", vec![partition_of(&leaf().block().key().usage_point)]),
        ("root hash", summary.root.hash.0.to_vec()),
        ("root count", 1_u64.to_le_bytes().to_vec()),
        ("totals", bytes[43..].to_vec()),
    ];
    let text = section(PAGE, "§2");
    assert_eq!(check_fields(text, "A **partition summary**", &bytes, &fields), Ok(bytes.len()));
    let totals = &bytes[43..];
    let import_wh: i64 = (0..47).map(|at| at * 11).sum();
    let energy: Vec<u8> = [import_wh, 0, 0, 0].into_iter().flat_map(i64::to_le_bytes).collect();
    let mut counts = [0_u64; 14];
    (counts[0], counts[13]) = (47, 1);
    let fields = [
        ("leaf count", 1_u64.to_le_bytes().to_vec()),
        ("interval count", 48_u64.to_le_bytes().to_vec()),
        ("energy", energy),
        ("qualities", counts.into_iter().flat_map(u64::to_le_bytes).collect()),
    ];
    assert_eq!(check_fields(text, "**Totals**", totals, &fields), Ok(160));
}

#[test]
fn block_and_log_leaf_tables() {
    let text = section(PAGE, "§5");
    let (block, leaf) = (block(), log_leaf());
    let fields = [
        ("version", vec![1]),
        ("kind", vec![0x41]),
        ("chain", vec![2; 32]),
        ("height", 5_u64.to_le_bytes().to_vec()),
        ("parent", vec![1; 32]),
        ("time", 1_774_000_000_u64.to_le_bytes().to_vec()),
        ("proposer", vec![1]),
        ("number", 4_u64.to_le_bytes().to_vec()),
    ];
    assert_eq!(check_fields(text, "**Block**", &block.encode(), &fields), Ok(91));
    let fields = [
        ("version", vec![1]),
        ("kind", vec![0x42]),
        ("height", 5_u64.to_le_bytes().to_vec()),
        ("block", block.hash().0.to_vec()),
        ("parent", vec![2; 32]),
        ("state", vec![3; 32]),
    ];
    assert_eq!(check_fields(text, "**Log leaf**", &leaf.encode(), &fields), Ok(106));
}

#[test]
fn golden_hashes() {
    let empty = SealedTree::seal(SealKind::Batch, &[]).unwrap();
    let log_leaf_hash = ContentHash(*log_leaf().hash().as_bytes());
    let made: BTreeMap<&str, ContentHash> = BTreeMap::from([
        ("BLAKE3 of nothing", content_hash(b"")),
        ("day leaf", leaf().hash()),
        ("partition summary of that leaf", summary().hash()),
        ("sealed root over that leaf", tree().sealed().root.hash),
        ("root of a batch without leaves", empty.sealed().root.hash),
        ("batch command", block().proposal.command.digest()),
        ("block", block().hash()),
        ("log leaf", log_leaf_hash),
    ]);
    let rows = table(section(PAGE, "Golden"), "", "example");
    let (mut checked, mut differing) = (0, Vec::new());
    for row in &rows {
        let (example, hash, file) = (row[0], row[1].trim_matches('`'), row[2].trim_matches('`'));
        if let Some(hash_made) = made.get(example) {
            if hash != hash_made.to_string() {
                differing.push(format!("{example}: made {hash_made}"));
            }
            checked += 1;
        } else {
            assert!(!file.is_empty(), "{example} is made nowhere");
        }
        assert!(
            file.is_empty() || source(file).contains(&format!("\"{hash}\"")),
            "{example} is not in {file}"
        );
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(checked, made.len(), "every hash made here stands in the page");
}

#[test]
fn limits() {
    let rows = table(section(PAGE, "Limits"), "", "constant");
    for row in &rows {
        let [name, file, value] = [row[0], row[1], row[2]].map(|cell| cell.trim_matches('`'));
        let source = source(file);
        let stated = source.lines().find_map(|line| {
            let (head, rest) = line.trim_end_matches(';').split_once(" = ")?;
            let defined = head.split_once("const ")?.1.split(':').next()?;
            (defined == name).then_some(rest)
        });
        assert_eq!(stated, Some(value), "{name} in {file}");
    }
    // What a section calls a limit stands in the table.
    let named = PAGE.lines().filter_map(|line| line.strip_prefix("| limits | "));
    for name in named.flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let short = name.rsplit("::").next().unwrap();
        let follows = ["TLOG_PROOF_SIZE_MAX", "LEAF_SIZE_MAX"].contains(&short);
        assert!(follows || rows.iter().any(|row| row[0].trim_matches('`') == short), "{name}");
    }
}

#[test]
fn sections_and_code_name_each_other() {
    let mut reference_count = 0;
    for file in rust_files(&root()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        for after in text.split("`FORMAT.md` §").skip(1) {
            let number: String = after.chars().take_while(char::is_ascii_digit).collect();
            let named = section(PAGE, &format!("§{number} ")).contains(&format!("{name}`"));
            assert!(named, "{name} names §{number}, which does not name {name}");
            reference_count += 1;
        }
    }
    assert!(reference_count >= 12, "{reference_count} references found");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The sources of the crates, without those of tests.
fn rust_files(root: &Path) -> Vec<PathBuf> {
    let crates =
        ["engine/core", "engine/ledger", "engine/consensus", "engine/node", "engine/verify", "shards"];
    let mut folders: Vec<PathBuf> = crates.map(|folder| root.join(folder).join("src")).to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
