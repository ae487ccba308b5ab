//! What is left behind by a refused proposal, by a crash, and by whoever holds the folder.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::path::Path;

use common::Ledger;
use tallywatt_core::agreement::Party;
use tallywatt_node::audit::{Finding, audit};
use tallywatt_node::books::Input;
use tallywatt_node::ledger_folder::HeldFolder;
use tallywatt_shards::threads::Threads;

fn findings(data: &Path) -> Vec<Finding> {
    audit(&HeldFolder::hold(data).unwrap(), &Threads::new(1).unwrap()).findings
}

/// A proposal that cannot stand must not touch what is sealed.
#[test]
fn closing_a_period_again_leaves_its_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = tiny::build(folder.path());
    let sealed = fs::read(data.join("grid/periods/2026-03.twb")).unwrap();
    let mut ledger = Ledger::open(&data, 1);
    // A day of March that comes late: the period would now be another.
    let late = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
        A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-29,\n";
    ledger.contracts(late);
    ledger.ingest(&[tiny::write_day(folder.path(), "2026-03-29", 50)], &tiny::profile());
    let again = ledger.consortium.propose(Party::Grid, Input::Period(tiny::MONTH.parse().unwrap()));
    assert!(again.is_err(), "the period is closed already");
    drop(ledger);
    assert!(
        fs::read(data.join("grid/periods/2026-03.twb")).unwrap() == sealed,
        "the sealed file was changed"
    );
    assert_eq!(findings(&data), []);
}
