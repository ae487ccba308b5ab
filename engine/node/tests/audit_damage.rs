//! Damage that is more than a flipped byte: copies changed alike, files missing, nodes ahead and behind.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::path::{Path, PathBuf};

use common::{AGREEMENT, Ledger};
use tallywatt_core::agreement::Party;
use tallywatt_core::day_block::DayBlock;
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest;
use tallywatt_ledger::seal::SealKind;
use tallywatt_node::audit::{Finding, audit};
use tallywatt_node::ledger_folder::HeldFolder;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::store::{self, ChainStore, TableName, Values};
use tallywatt_shards::batch_file;
use tallywatt_shards::threads::Threads;

const BATCH: &str = "batches/000001.twb";

fn findings(data: &Path) -> Vec<Finding> {
    audit(&HeldFolder::hold(data).unwrap(), &Threads::new(1).unwrap()).findings
}

fn built() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = tiny::build(folder.path());
    assert_eq!(findings(&data), [], "the undamaged ledger");
    (folder, data)
}

#[track_caller]
fn expect(data: &Path, parts: &[&str]) {
    let found = findings(data);
    let named = found.iter().any(|finding| {
        let text = format!("{}: {}", finding.place, finding.what);
        parts.iter().all(|part| text.contains(part))
    });
    assert!(named, "no finding names all of {parts:?}: {found:#?}");
}

fn open_store(data: &Path, party: Party) -> ChainStore {
    ChainStore::open(&data.join(party.name()).join("chain.redb")).unwrap()
}

/// Puts a value under a key with the hash it needs, as somebody with the program at hand would.
fn put(store: &ChainStore, table: TableName, key: &[u8], payload: &[u8]) {
    store.overwrite(table, key, &store::seal(table, key, payload)).unwrap();
}

fn newest(values: Values) -> (Vec<u8>, Vec<u8>) {
    values.into_iter().next_back().unwrap()
}

/// The first leaf of a batch file: its control byte, usage point `P-2`, day, shape, width, then values of 101 Wh in
/// seven bits each. The lowest bit of the second byte of these belongs to the second value.
const LEAF_AT: usize = 64 + 5;
const VALUE_AT: usize = LEAF_AT + 1 + 5 + 4 + 9 + 1 + 1;

fn change_everywhere(data: &Path, relative: &str, change: &dyn Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = fs::read(data.join("grid").join(relative)).unwrap();
    change(&mut bytes);
    for party in Party::ALL {
        let path = data.join(party.name()).join(relative);
        assert_eq!(path.exists(), party != Party::Bank || !is_of_readings(relative), "{}", path.display());
        if path.exists() {
            fs::write(path, &bytes).unwrap();
        }
    }
    bytes
}

/// The bank keeps none of these.
fn is_of_readings(relative: &str) -> bool {
    relative.starts_with("batches/") || relative.starts_with("periods/")
}

#[test]
fn copies_that_were_changed_and_hashed_again_everywhere_differ_from_the_block() {
    let (_folder, data) = built();
    let secret = NodeFolder::below(&data, Party::Grid).blinding_secret().unwrap();
    let threads = Threads::new(1).unwrap();
    let bytes = change_everywhere(&data, BATCH, &|bytes| {
        let mut leaves = batch_file::decode(bytes, &secret, &threads).unwrap().leaves;
        let block = leaves[0].block().clone();
        let mut values = block.values_wh().to_vec();
        values[2] += 1;
        let (minutes, qualities) = (block.interval_minutes(), block.qualities().to_vec());
        let block =
            DayBlock::from_parts(block.key(), block.start(), minutes, block.source(), values, qualities);
        leaves[0] = DayLeaf::batch(block.unwrap(), 0, &secret);
        *bytes = batch_file::encode(SealKind::Batch, 1, &leaves, &secret, &threads).unwrap().0;
    });
    let mut value = Writer::default();
    value.u64(u64::try_from(bytes.len()).unwrap()).hash(&digest::content_hash(&bytes));
    let value = value.finish();
    let keepers = [Party::Grid, Party::Supplier];
    for party in keepers {
        put(&open_store(&data, party), TableName::Files, BATCH.as_bytes(), &value);
    }
    for party in keepers {
        expect(
            &data,
            &[&format!("{party} block 5 (batch)"), BATCH, "import_wh: proposed 9648, computed 9649"],
        );
    }
}

#[test]
fn copies_that_were_changed_alike_are_located_without_an_intact_one() {
    let (_folder, data) = built();
    for (relative, at, parts) in [
        (BATCH, VALUE_AT, &["leaf 0", "P-2", "2026-03-30", "interval from"][..]),
        (BATCH, LEAF_AT, &["leaf 0"]),
        (BATCH, 5, &["offset 5"]),
        ("periods/2026-03.twb", VALUE_AT, &["leaf 0", "P-2", "2026-03-30", "interval from"]),
        ("bills/2026-03.twl", 60, &["A-1"]),
        ("settlements/000001.twl", 100, &["payment PAY-1"]),
    ] {
        let intact = fs::read(data.join("grid").join(relative)).unwrap();
        change_everywhere(&data, relative, &|bytes| bytes[at] ^= 1);
        for party in Party::ALL {
            let place = format!("{party}/{relative}");
            match (party, relative) {
                (Party::Bank, _) if is_of_readings(relative) => {}
                // It took them as they were attested: it sees that they are not what the block says.
                (Party::Bank, "bills/2026-03.twl") => expect(&data, &[&place]),
                _ => expect(&data, &[&[place.as_str()], parts].concat()),
            }
        }
        change_everywhere(&data, relative, &|bytes| bytes.clone_from(&intact));
    }
    assert_eq!(findings(&data), []);
}

#[test]
fn a_replaced_block_is_found() {
    let (_folder, data) = built();
    let store = open_store(&data, Party::Bank);
    let blocks = store.values(TableName::Blocks).unwrap();
    put(&store, TableName::Blocks, &blocks[2].0, &blocks[1].1);
    drop(store);
    expect(&data, &["bank block 2"]);
}

#[test]
fn a_head_of_another_size_is_found() {
    let (_folder, data) = built();
    let store = open_store(&data, Party::Bank);
    let heads = store.values(TableName::Heads).unwrap();
    let (older, newer) = (&heads[heads.len() - 2], &heads[heads.len() - 1]);
    fs::write(data.join("bank/checkpoint"), &older.1).unwrap();
    drop(store);
    expect(&data, &["bank/checkpoint"]);

    fs::write(data.join("bank/checkpoint"), &newer.1).unwrap();
    let store = open_store(&data, Party::Bank);
    put(&store, TableName::Heads, &newer.0, &older.1);
    drop(store);
    expect(&data, &["bank/chain.redb heads 10"]);
}

#[test]
fn a_missing_file_is_found_and_not_made_again() {
    let (folder, data) = built();
    for relative in [BATCH, "chain.redb", "signlock", "checkpoint", "keys.seeds", "blinding.secret"] {
        let (path, aside) = (data.join("supplier").join(relative), folder.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        expect(&data, &[&format!("supplier/{relative}")]);
        assert!(!path.exists(), "the audit made {relative}");
        fs::rename(&aside, &path).unwrap();
    }
    fs::remove_file(data.join("trust.policy")).unwrap();
    expect(&data, &["trust.policy"]);
}

#[test]
fn a_lost_or_stray_entry_of_the_file_table_is_found() {
    let (_folder, data) = built();
    let store = open_store(&data, Party::Grid);
    let (_, value) = newest(store.values(TableName::Files).unwrap());
    fs::copy(data.join("grid/settlements/000001.twl"), data.join("grid/settlements/000002.twl")).unwrap();
    put(&store, TableName::Files, b"settlements/000002.twl", &value);
    drop(store);
    expect(&data, &["grid/chain.redb files settlements/000002.twl", "no block"]);
}

/// One ledger goes on by a block; one party's folder is exchanged between it and the ledger before.
#[test]
fn a_node_ahead_or_behind_is_named() {
    for (ahead, named) in [(true, "10 blocks, bank has 12"), (false, "bank: it has 10 blocks")] {
        let (folder, data) = built();
        let before = folder.path().join("before");
        tiny::copy(&data, &before);
        let mut ledger = Ledger::open(&data, 1);
        let later = AGREEMENT.replace("id = \"split\"", "id = \"later\"");
        ledger.publish(&[&later]);
        drop(ledger);
        let (to, from) = if ahead { (&before, &data) } else { (&data, &before) };
        fs::remove_dir_all(to.join("bank")).unwrap();
        tiny::copy(&from.join("bank"), &to.join("bank"));
        expect(to, &[named]);
    }
}

#[test]
fn a_signlock_from_before_the_last_signature_is_found() {
    let (folder, data) = built();
    let before = fs::read(data.join("bank/signlock")).unwrap();
    let mut ledger = Ledger::open(&data, 1);
    ledger.publish(&[&AGREEMENT.replace("id = \"split\"", "id = \"later\"")]);
    drop(ledger);
    fs::write(data.join("bank/signlock"), before).unwrap();
    expect(&data, &["bank/signlock"]);
    drop(folder);
}
