//! Every byte of everything that is kept, flipped in turn: the audit names the place, or nothing has changed.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::ops::Range;
use std::panic;
use std::path::{Path, PathBuf};

use tallywatt_core::agreement::Party;
use tallywatt_ledger::bill_bytes::decode_bill;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::settled_bytes::decode_settled;
use tallywatt_node::audit::{
    AuditReport, audit, audit_beside, audit_party, audit_sealed_files, audit_values,
};
use tallywatt_node::ledger_folder::HeldFolder;
use tallywatt_node::list_file::{self, ListKind};
use tallywatt_node::store::{self, ChainStore, TableName, Values};
use tallywatt_shards::batch_file::places;
use tallywatt_shards::threads::Threads;
use tiny::Random;

/// Every byte with its last bit flipped; every so-many-th with its first, too.
const FIRST_BIT_STRIDE: usize = 7;

struct Built {
    _folder: tempfile::TempDir,
    data: PathBuf,
    held: HeldFolder,
    threads: Threads,
}

fn built() -> Built {
    // In memory where there is such a place: tens of thousands of small writes.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let data = tiny::build(folder.path());
    let (held, threads) = (HeldFolder::hold(&data).unwrap(), Threads::new(1).unwrap());
    assert_eq!(audit(&held, &threads).findings, [], "the undamaged ledger");
    Built { _folder: folder, data, held, threads }
}

/// Flips the bytes of a file in turn; each time a finding must name `place` and what `part_at` says of the offset.
fn flip_file(
    built: &Built,
    place: &str,
    part_at: &dyn Fn(usize) -> Vec<String>,
    audited: &dyn Fn() -> AuditReport,
) -> usize {
    let path = built.data.join(place);
    let intact = fs::read(&path).unwrap();
    let mut flip_count = 0;
    let mut check = |at: usize, mask: u8, report: AuditReport| {
        flip_count += 1;
        let named = report.findings.iter().any(|finding| {
            finding.place.starts_with(place) && part_at(at).iter().all(|part| finding.place.contains(part))
        });
        assert!(named, "{place}, byte {at} ^ {mask:#x}: not {:?} in {:#?}", part_at(at), report.findings);
    };
    for at in 0..intact.len() {
        for mask in [1, 0x80] {
            if mask == 1 || at % FIRST_BIT_STRIDE == 0 {
                let mut bytes = intact.clone();
                bytes[at] ^= mask;
                fs::write(&path, &bytes).unwrap();
                check(at, mask, audited());
            }
        }
    }
    // The whole audit sees what its parts see.
    let mut bytes = intact.clone();
    bytes[intact.len() / 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    check(intact.len() / 2, 1, audit(&built.held, &built.threads));
    fs::write(&path, &intact).unwrap();
    flip_count
}

/// The records of a sealed file: where each lies, and how people call it.
fn records(relative: &str, bytes: &[u8]) -> Vec<(Range<usize>, Vec<String>)> {
    let (folder, _) = relative.split_once('/').unwrap();
    let kind = match folder {
        "batches" | "periods" => {
            let kind = if folder == "batches" { SealKind::Batch } else { SealKind::Period };
            let (places, damage) = places::places(kind, bytes);
            assert!(damage.is_none() && !places.is_empty());
            let named = places.into_iter().enumerate().map(|(index, place)| {
                let key = place.leaf.block().key();
                let names = vec![format!("leaf {index}:"), key.usage_point.to_string(), key.day.to_string()];
                (place.bytes, names)
            });
            return named.collect();
        }
        "bills" => ListKind::Bills,
        "settlements" => ListKind::Settlement,
        _ => return Vec::new(),
    };
    let mut at = 20;
    let mut records = Vec::new();
    for record in list_file::decode(kind, bytes).unwrap() {
        let name = match kind {
            ListKind::Bills => format!("account {}", decode_bill(record).unwrap().account),
            _ => format!("payment {}", decode_settled(record).unwrap().id()),
        };
        records.push((at..at + 4 + record.len(), vec![name]));
        at += 4 + record.len();
    }
    records
}

#[test]
fn every_byte_of_every_sealed_file_is_named() {
    let built = built();
    let party = Party::Supplier;
    let (mut byte_count, mut flip_count) = (0, 0);
    let files = tiny::sealed_files(&built.data, party);
    assert_eq!(files.len(), 8, "{files:?}");
    for relative in &files {
        let place = format!("{party}/{relative}");
        let bytes = fs::read(built.data.join(&place)).unwrap();
        let records = records(relative, &bytes);
        let part_at = |at: usize| {
            let record = records.iter().find(|(range, _)| range.contains(&at));
            let names = record.map(|(_, names)| names.clone()).unwrap_or_default();
            [vec![format!("offset {at}")], names].concat()
        };
        byte_count += bytes.len();
        flip_count += flip_file(&built, &place, &part_at, &|| audit_sealed_files(&built.held, party));
    }
    assert_eq!(audit(&built.held, &built.threads).findings, []);
    println!("sealed files: {byte_count} bytes, {flip_count} flips, all named");
}

#[test]
fn every_byte_of_keys_lock_head_policy_and_write_ahead_log_is_named() {
    let built = built();
    let beside = || audit_beside(&built.held, &[]);
    let mut flip_count = 0;
    // The bank has no secret that blinds readings.
    let (bank, supplier) = (Party::Bank, Party::Supplier);
    for (party, name) in [(bank, "checkpoint"), (bank, "keys.seeds"), (supplier, "blinding.secret")] {
        let whole = || audit_party(&built.held, party, &built.threads);
        flip_count += flip_file(&built, &format!("{party}/{name}"), &|_| Vec::new(), &whole);
    }
    let of_bank = || audit_party(&built.held, bank, &built.threads);
    flip_count += flip_lock(&built, &format!("{bank}/signlock"), &of_bank);
    flip_count += flip_file(&built, "trust.policy", &|_| Vec::new(), &beside);
    flip_count += flip_write_ahead(&built, &beside);
    assert_eq!(audit(&built.held, &built.threads).findings, []);
    println!("keys, lock, head, policy, write-ahead log: {flip_count} flips, all named");
}

/// The sign lock: every byte of its two records, and a stride of the zeros behind each.
fn flip_lock(built: &Built, place: &str, audited: &dyn Fn() -> AuditReport) -> usize {
    let path = built.data.join(place);
    let whole = fs::read(&path).unwrap();
    let mut flip_count = 0;
    for at in 0..whole.len() {
        if whole[at] == 0 && at % 97 != 0 {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let report = audited();
        assert!(report.findings.iter().any(|finding| finding.place == place), "lock, byte {at}: {report:?}");
        flip_count += 1;
    }
    fs::write(&path, &whole).unwrap();
    flip_count
}

/// The last segment: every byte of its groups, and a stride of the room behind them.
fn flip_write_ahead(built: &Built, audited: &dyn Fn() -> AuditReport) -> usize {
    let names = fs::read_dir(built.data.join("intake")).unwrap();
    let names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    let place = format!("intake/{name}");
    let path = built.data.join(&place);
    let whole = fs::read(&path).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap().next_multiple_of(4_096);
    let mut flip_count = 0;
    for at in (used..whole.len()).step_by(4_093) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let report = audited();
        assert!(report.findings.iter().any(|finding| finding.place == place), "room, byte {at}: {report:?}");
        flip_count += 1;
    }
    // Past its end a segment reads as zeros: without its room it is the same, and read faster.
    fs::write(&path, &whole[..used]).unwrap();
    assert_eq!(audited().findings, []);
    flip_count += flip_file(built, &place, &|_| Vec::new(), audited);
    fs::write(&path, &whole).unwrap();
    flip_count
}

fn open_store(built: &Built, party: Party) -> ChainStore {
    ChainStore::open(&built.data.join(party.name()).join("chain.redb")).unwrap()
}

fn expect_value(party: Party, table: TableName, key: &[u8], what: &str, report: &AuditReport) {
    let place = format!("{party}/chain.redb {} {}", table.name(), store::printable(table, key));
    let named = report.findings.iter().any(|finding| finding.place == place);
    assert!(named, "{place}: {what}: {:#?}", report.findings);
}

/// Puts something else in the place of a stored value.
fn damage_value(store: &ChainStore, party: Party, table: TableName, key: &[u8], value: &[u8], what: &str) {
    store.overwrite(table, key, value).unwrap();
    expect_value(party, table, key, what, &audit_values(party, store));
}

#[test]
fn every_byte_of_every_stored_value_is_named() {
    let built = built();
    let (mut value_count, mut flip_count, mut other_count) = (0, 0, 0);
    for party in Party::ALL {
        // Every byte at one party; at the others the first, the last and a stride between.
        let stride = if party == Party::Grid { 1 } else { 31 };
        for table in TableName::ALL {
            let store = open_store(&built, party);
            let values = store.sealed_values(table).unwrap();
            for (at, (key, value)) in values.iter().enumerate() {
                value_count += 1;
                let offsets = (0..value.len()).step_by(stride).chain([value.len() - 1]);
                for offset in offsets {
                    let mut bytes = value.clone();
                    bytes[offset] ^= if offset % 2 == 0 { 1 } else { 0x80 };
                    damage_value(&store, party, table, key, &bytes, &format!("byte {offset}"));
                    flip_count += 1;
                }
                let neighbour = &values[(at + 1) % values.len()].1;
                let cut = &value[..value.len() - 1];
                let long = [&value[..], &[0]].concat();
                for (other, what) in [
                    (&neighbour[..], "another key's"),
                    (cut, "cut"),
                    (&long[..], "longer"),
                    (&[][..], "empty"),
                ] {
                    damage_value(&store, party, table, key, other, what);
                    other_count += 1;
                }
                store.overwrite(table, key, value).unwrap();
            }
            let Some((key, value)) = values.first() else { continue };
            store.overwrite(table, key, &value[..value.len() / 2]).unwrap();
            drop(store);
            expect_value(party, table, key, "the whole audit", &audit(&built.held, &built.threads));
            open_store(&built, party).overwrite(table, key, value).unwrap();
        }
    }
    assert_eq!(audit(&built.held, &built.threads).findings, []);
    println!(
        "stored values: {value_count} values, {flip_count} flips, {other_count} otherwise damaged, all named"
    );
}

/// Every table as it is read from the file, or nothing if it cannot be.
fn read_all(path: &Path) -> Option<Vec<Values>> {
    let store = ChainStore::open_to_read(path).ok()?;
    TableName::ALL.into_iter().map(|table| store.sealed_values(table).ok()).collect()
}

#[test]
fn a_flipped_byte_of_the_store_file_is_found_or_has_no_effect() {
    const SEED: u64 = 20_261_122;
    const FLIP_COUNT: usize = 600;
    let built = built();
    let party = Party::Supplier;
    let path = built.data.join(party.name()).join("chain.redb");
    let (intact, before) = (fs::read(&path).unwrap(), read_all(&path).unwrap());
    let used: Vec<usize> = (0..intact.len()).filter(|at| intact[*at] != 0).collect();
    let mut random = Random(SEED);
    let (mut found_count, mut without_effect) = (0, 0);
    // The library panics on some damage; the audit must turn that into a finding.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut outcome = Vec::new();
    for flip in 0..FLIP_COUNT {
        // A third anywhere, mostly in unused space; two thirds where there is something.
        let at = if flip % 3 == 0 { random.index(intact.len()) } else { used[random.index(used.len())] };
        let mask = 1 << random.below(8);
        let mut bytes = intact.clone();
        bytes[at] ^= mask;
        fs::write(&path, &bytes).unwrap();
        let report = audit_party(&built.held, party, &built.threads);
        if report.findings.is_empty() {
            without_effect += 1;
            outcome.push((at, mask, read_all(&path).as_ref() == Some(&before)));
        } else {
            found_count += 1;
        }
    }
    panic::set_hook(hook);
    let silent: Vec<_> = outcome.iter().filter(|(_, _, same)| !same).collect();
    assert!(silent.is_empty(), "seed {SEED}: the values changed, nothing was found: {silent:?}");
    assert!(found_count > 0 && without_effect > 0);
    fs::write(&path, &intact).unwrap();
    assert_eq!(audit(&built.held, &built.threads).findings, []);
    println!(
        "store file of {} bytes, seed {SEED}: {found_count} flips found, {without_effect} without effect",
        intact.len()
    );
}
