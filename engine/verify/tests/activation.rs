//! A receipt whose agreement was not signed by both its parties, or not in time: refused, whoever attested the block.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod town;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::activation::Activation;
use tallywatt_verify::report::Verdict;
use tallywatt_verify::verify;
use town::{ACTIVATION_HEIGHT, BILLS_HEIGHT, Plan, Town, policy};

/// What all three parties have attested and signed, in a town that is otherwise honest.
fn report_of(active_from: usize, edit_activation: fn(&mut Activation)) -> (Verdict, String) {
    let active_from = u64::try_from(active_from).unwrap();
    let town = Town::planned(Plan { active_from, edit_activation, ..Plan::default() });
    let report = verify(&town.bill_receipt("A-000017").encode(), &policy(3));
    (report.verdict, report.to_string())
}

#[test]
fn signatures_are_checked_again() {
    type Row = (&'static str, fn(&mut Activation));
    let table: &[Row] = &[
        ("the signature of grid is not its own under agreement grid-2026", |activation| {
            activation.consents[0].signature = activation.consents[1].signature;
        }),
        ("the signature of supplier is not its own under agreement grid-2026", |activation| {
            activation.consents[1].signature[0] ^= 1;
        }),
        ("agreement grid-2026 is signed by bank, and is between grid and supplier", |activation| {
            activation.consents[0].party = Party::Bank;
        }),
        ("the activation is of agreement", |activation| activation.agreement.0[0] ^= 1),
        ("the signature of grid is not its own under agreement grid-2026", |activation| activation.from += 1),
    ];
    for (want, edit) in table {
        let (verdict, report) = report_of(0, *edit);
        assert_eq!(verdict, Verdict::Invalid, "{want}");
        assert!(report.contains(want), "{want}: {report}");
    }
    let (verdict, report) = report_of(BILLS_HEIGHT + 1, |_| {});
    assert_eq!(verdict, Verdict::Invalid, "{report}");
    let want = "agreement grid-2026 holds from block 9 on, the bills are of block 8";
    assert!(report.contains(want), "{report}");
    let (verdict, report) = report_of(BILLS_HEIGHT, |_| {});
    assert_eq!(verdict, Verdict::Valid, "{report}");
    assert!(report.contains("agreement grid-2026, signed by both its parties"), "{report}");
}

#[test]
fn one_activation_is_needed_and_no_more() {
    let town = Town::new();
    let mut without = town.bill_receipt("A-000017");
    without.blocks.retain(|placed| placed.logged != town.logged(ACTIVATION_HEIGHT));
    let report = verify(&without.encode(), &policy(3)).to_string();
    assert!(report.contains("0 activations of agreement grid-2026"), "{report}");
}
