//! What is left behind by a refused proposal, by a crash, and by whoever holds the folder.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::path::Path;

use common::{AGREEMENT, Ledger, clock};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::note::Note;
use tallywatt_node::audit::{Finding, audit};
use tallywatt_node::books::Input;
use tallywatt_node::ledger_folder::HeldFolder;
use tallywatt_node::store::{self, ChainStore, TableName};
use tallywatt_shards::threads::Threads;

fn findings(data: &Path) -> Vec<Finding> {
    audit(&HeldFolder::hold(data).unwrap(), &Threads::new(1).unwrap()).findings
}

/// A period that is closed again has a file of its own for each time, and a proposal that cannot stand touches none.
#[test]
fn closing_a_period_again_leaves_its_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = tiny::build(folder.path());
    let sealed = fs::read(data.join("grid/periods/2026-03.twb")).unwrap();
    let mut ledger = Ledger::open(&data, 1);
    let same = ledger.consortium.propose(Party::Grid, Input::Period(tiny::MONTH.parse().unwrap()));
    let same = same.unwrap_err().to_string();
    assert!(same.contains("2026-03 is closed already, and nothing sealed since changes it"), "{same}");
    // A day of March that comes late: the period would now be another.
    let late = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
        A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-29,\n";
    ledger.contracts(late);
    ledger.ingest(&[tiny::write_day(folder.path(), "2026-03-29", 50)], &tiny::profile());
    ledger.propose(Party::Grid, Input::Period(tiny::MONTH.parse().unwrap()));
    let again = ledger.consortium.propose(Party::Grid, Input::Period(tiny::MONTH.parse().unwrap()));
    assert!(again.is_err(), "nothing is new");
    drop(ledger);
    let second = fs::read(data.join("grid/periods/2026-03-revision-1.twb")).unwrap();
    assert!(second.len() > sealed.len(), "three days instead of two");
    assert!(
        fs::read(data.join("grid/periods/2026-03.twb")).unwrap() == sealed,
        "the sealed file was changed"
    );
    assert_eq!(findings(&data), []);
}

/// What a crash leaves between the last block and the head over it: blocks on all nodes, no signature kept.
#[test]
fn a_head_signed_again_after_a_crash_is_kept_and_published() {
    let folder = tempfile::tempdir().unwrap();
    let data = tiny::build(folder.path());
    for party in Party::ALL {
        let store = ChainStore::open(&data.join(party.name()).join("chain.redb")).unwrap();
        let (size, note) = store.values(TableName::Heads).unwrap().into_iter().next_back().unwrap();
        let note = Note::parse(std::str::from_utf8(&note).unwrap()).unwrap();
        let unsigned = Note::new(note.text(), note.signatures()[..1].to_vec()).unwrap().encode();
        let sealed = store::seal(TableName::Heads, &size, unsigned.as_bytes());
        store.overwrite(TableName::Heads, &size, &sealed).unwrap();
        fs::write(data.join(party.name()).join("checkpoint"), &unsigned).unwrap();
    }
    let held = HeldFolder::hold(&data).unwrap();
    let consortium = held.open(&Threads::new(1).unwrap(), clock).unwrap();
    drop((consortium, held));
    for party in Party::ALL {
        let published = fs::read_to_string(data.join(party.name()).join("checkpoint")).unwrap();
        assert_eq!(Note::parse(&published).unwrap().signatures().len(), 4, "{party}: {published}");
    }
    assert_eq!(findings(&data), []);
}

/// What a crash leaves while a block is stored: one node has it, or two.
#[test]
fn nodes_that_are_behind_follow_and_sign() {
    for behind in [&[Party::Bank][..], &[Party::Bank, Party::Supplier], &[Party::Grid, Party::Bank]] {
        let folder = tempfile::tempdir().unwrap();
        let (data, before) = (tiny::build(folder.path()), folder.path().join("before"));
        tiny::copy(&data, &before);
        let mut ledger = Ledger::open(&data, 1);
        ledger.publish(&[&AGREEMENT.replace("id = \"split\"", "id = \"later\"")]);
        drop(ledger);
        for party in behind {
            fs::remove_dir_all(data.join(party.name())).unwrap();
            tiny::copy(&before.join(party.name()), &data.join(party.name()));
        }
        let ledger = Ledger::open(&data, 1);
        for node in ledger.consortium.nodes() {
            assert_eq!((node.member().size(), node.member().cosigners(12).len()), (12, 3), "{behind:?}");
        }
        drop(ledger);
        assert_eq!(findings(&data), [], "{behind:?}");
    }
}

/// A store that is being made is cut short under its own name only if it was whole before.
#[test]
fn a_store_that_was_half_made_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.redb");
    fs::write(folder.path().join("chain.redb.new"), [0; 4096]).unwrap();
    drop(ChainStore::open(&path).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
