//! An agreement counts once both of its parties have signed it: what is refused, by name, and what follows from it.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use common::{AGREEMENT, Ledger, TARIFF};
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::hash::Published;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::activation::{Activation, consent_text};
use tallywatt_ledger::block::Attestation;
use tallywatt_ledger::note::Note;
use tallywatt_node::audit::audit;
use tallywatt_node::books::Input;
use tallywatt_node::books::records::document_bytes;
use tallywatt_node::prove::bill_receipt;
use tallywatt_verify::report::Verdict;
use tiny::{CONTRACTS, MONTH, payments, profile, write_day};

/// Tariff and agreement are published, contracts are in force, two days are sealed; nobody has signed.
fn proposed(path: &std::path::Path) -> Ledger {
    let mut ledger = Ledger::create(&path.join("data"), 1);
    for text in [TARIFF, AGREEMENT] {
        let bytes = document_bytes(&parse_document("test.toml", text).unwrap());
        ledger.propose(Party::Supplier, Input::Document(bytes));
    }
    ledger.contracts(CONTRACTS);
    let days = [("2026-03-30", 100), ("2026-03-31", 200)].map(|(day, wh)| write_day(path, day, wh));
    ledger.ingest(&days, &profile());
    ledger.propose(Party::Grid, Input::Period(MONTH.parse().unwrap()));
    ledger
}

fn agreement(ledger: &Ledger) -> Published<Agreement> {
    ledger.consortium.node(Party::Grid).books().agreements()[0].clone()
}

/// The activation from block `from` on, with the consents of both parties.
fn signed(ledger: &Ledger, from: u64) -> Activation {
    let agreement = agreement(ledger);
    let node = |party| ledger.consortium.node(party);
    let genesis = node(Party::Grid).books().genesis().unwrap();
    let text = consent_text(&genesis.origin, &agreement.body.id, &agreement.hash, from);
    let lines = [Party::Grid, Party::Supplier].map(|party| node(party).consent(&agreement, from).unwrap());
    let note = Note::new(&text, lines.to_vec()).unwrap();
    let keys = node(Party::Grid).books().keys_now().unwrap();
    Activation::of_note(&note, &agreement, &genesis.origin, keys).unwrap()
}

fn refused(ledger: &mut Ledger, input: Input) -> String {
    let before = ledger.consortium.node(Party::Supplier).member().size();
    let error = ledger.consortium.propose(Party::Supplier, input).unwrap_err().to_string();
    assert_eq!(ledger.consortium.node(Party::Supplier).member().size(), before, "{error}");
    error
}

#[test]
fn nothing_is_billed_before_both_have_signed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = proposed(folder.path());
    let month = MONTH.parse().unwrap();
    let unsigned = refused(&mut ledger, Input::Bills(month));
    assert!(unsigned.contains("agreement split is not signed by both its parties"), "{unsigned}");

    // It holds from two blocks after its own on.
    let from = ledger.consortium.node(Party::Grid).books().height() + 2;
    let activation = signed(&ledger, from);
    ledger.propose(Party::Supplier, Input::Activation(Box::new(activation)));
    let early = refused(&mut ledger, Input::Bills(month));
    assert!(early.contains(&format!("agreement split holds from block {from} on")), "{early}");
    ledger.contracts(&CONTRACTS.replace("A-2", "A-3"));
    ledger.propose(Party::Supplier, Input::Bills(month));
    ledger.propose(Party::Bank, Input::Payments(payments()));

    let node = ledger.consortium.node(Party::Supplier);
    let receipt = bill_receipt(node, "A-1".parse().unwrap(), month).unwrap();
    let policy = ledger.folder.policy().unwrap();
    let report = tallywatt_verify::verify(&receipt.encode(), &policy);
    assert_eq!(report.verdict, Verdict::Valid, "{report}");
    let mut without = receipt;
    let at = without.blocks.len() - 1;
    without.blocks.remove(at);
    let report = tallywatt_verify::verify(&without.encode(), &policy);
    assert!(report.to_string().contains("both parties must have signed it"), "{report}");

    // A node that opens again, and the audit, come to the same.
    let path = ledger.path.clone();
    drop(ledger);
    let ledger = Ledger::open(&path, 1);
    let agreement = agreement(&ledger);
    for party in Party::ALL {
        assert_eq!(ledger.consortium.node(party).books().active_from(&agreement.hash), Some(from));
        assert_eq!(ledger.consortium.node(party).member().state().active_from(&agreement.hash), Some(from));
    }
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
}

#[test]
fn every_node_refuses_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = proposed(folder.path());
    let honest = signed(&ledger, 0);
    let [grid, supplier] = honest.consents;
    let with = |consents| Input::Activation(Box::new(Activation { consents, ..honest.clone() }));
    let swapped = |party, from: Attestation| Attestation { party, signature: from.signature };
    let mut unknown = honest.clone();
    unknown.agreement.0[0] ^= 1;
    let table = [
        (with([swapped(Party::Grid, supplier), supplier]), "the signature of grid is not its own"),
        (with([grid, swapped(Party::Supplier, grid)]), "the signature of supplier is not its own"),
        (with([grid, swapped(Party::Bank, supplier)]), "is signed by bank, and is between grid and supplier"),
        (with([grid, grid]), "agreement split is not signed by supplier"),
        (with([supplier, supplier]), "agreement split is not signed by grid"),
        (Input::Activation(Box::new(unknown)), "is not published"),
    ];
    for (input, want) in table {
        let error = refused(&mut ledger, input);
        assert!(error.contains(want), "{error}");
    }
    let sooner = Input::Activation(Box::new(Activation { from: 1, ..honest.clone() }));
    let error = refused(&mut ledger, sooner);
    assert!(error.contains("the signature of grid is not its own"), "{error}");
    let mut bent = honest.clone();
    bent.consents[1].signature[10] ^= 1;
    let error = refused(&mut ledger, Input::Activation(Box::new(bent)));
    assert!(error.contains("the signature of supplier is not its own"), "{error}");
    ledger.propose(Party::Grid, Input::Activation(Box::new(honest.clone())));
    let twice = refused(&mut ledger, Input::Activation(Box::new(honest)));
    assert!(twice.contains("agreement split") && twice.contains("is active already"), "{twice}");
}
