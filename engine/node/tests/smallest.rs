//! The smallest ledger: one home, two days, one bill, proven.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use common::{Ledger, one_home};
use tallywatt_core::agreement::Party;
use tallywatt_node::audit::audit;
use tallywatt_node::prove::bill_receipt;
use tallywatt_verify::report::Verdict;

#[test]
fn one_home_two_days() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 1);
    let (file, profile) = one_home(&mut ledger, folder.path());
    let (reports, sealed) = ledger.ingest(&[file], &profile);
    assert_eq!((reports[0].counts.accepted, sealed.unwrap().totals.import_wh()), (96, 9_600));
    ledger.bill("2026-03".parse().unwrap());
    let node = ledger.consortium.node(Party::Supplier);
    let bill = &node.books().bills("2026-03".parse().unwrap()).unwrap()[0];
    assert_eq!((bill.total.as_minor(), bill.payee_part.to_string()), (4_800, "19.20".into()));

    let receipt = bill_receipt(node, "A-1".parse().unwrap(), "2026-03".parse().unwrap()).unwrap().encode();
    let report = tallywatt_verify::verify(&receipt, &ledger.folder.policy().unwrap());
    assert_eq!(report.verdict, Verdict::Valid, "{report}");
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    let found = audit(&held, &threads);
    assert_eq!(found.findings, []);
}
