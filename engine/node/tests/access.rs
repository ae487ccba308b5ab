//! Access lists on the chain of three nodes: granted, expired, revoked by the next list, and refused where they are not the
//! party's to give.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use common::Ledger;
use tallywatt_consensus::machine::NotComputed;
use tallywatt_core::access::{Action, Denial, HolderKey, permits};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Day;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::block::Proposal;
use tallywatt_ledger::command::{Command, DocumentKind, Publication};
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::key::LogSigner;
use tallywatt_node::audit::audit;
use tallywatt_node::books::Input;
use tallywatt_node::books::records::{document_bytes, publication_of};

fn signer(name: &str) -> LogSigner {
    LogSigner::from_seed(name, &content_hash(name.as_bytes()).0).unwrap()
}

fn key(name: &str) -> HolderKey {
    *signer(name).verifier_key().public_key()
}

/// A list: each grant a name, a role and what else stands in it.
fn list(party: &str, number: u32, grants: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut text =
        format!("kind = \"access\"\nparty = \"{party}\"\nnumber = {number}\nvalid_from = \"2026-01-01\"\n");
    for (name, role, more) in grants {
        let key = signer(name).verifier_key().to_string();
        text +=
            &format!("[[grant]]\nkey = \"{key}\"\nrole = \"{role}\"\nvalid_from = \"2026-01-01\"\n{more}\n");
    }
    document_bytes(&parse_document("list.toml", &text).unwrap())
}

/// What every node says: the same.
fn told(ledger: &Ledger, name: &str, action: &Action<'_>, day: &str) -> String {
    let day: Day = day.parse().unwrap();
    let said = Party::ALL.map(|party| {
        let book = ledger.consortium.node(party).books().access();
        match permits(book, &key(name), action, day) {
            Ok(grant) => format!("{} permits", grant.role),
            Err(Denial::Unknown) => "unknown".to_owned(),
            Err(denial) => denial.to_string(),
        }
    });
    assert!(said[0] == said[1] && said[1] == said[2], "{said:?}");
    said[0].clone()
}

#[test]
fn granted_expired_and_revoked_on_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 1);
    let own = Action::OpenReceipt { account: "A-1".parse().unwrap() };
    let other = Action::OpenReceipt { account: "A-2".parse().unwrap() };
    assert_eq!(told(&ledger, "anna.test", &own, "2026-06-01"), "unknown");
    let anna = ("anna.test", "consumer", "accounts = [\"A-1\"]\nvalid_to = \"2026-07-01\"");
    let watch = ("watch.test", "regulator", "");
    let first = list("supplier", 1, &[anna, ("clerk.test", "supplier", ""), watch]);
    ledger.propose(Party::Supplier, Input::Document(first));
    ledger.propose(Party::Bank, Input::Document(list("bank", 1, &[("till.test", "bank", "")])));
    let table = [
        ("anna.test", &own, "2026-06-30", "consumer permits"),
        ("anna.test", &other, "2026-06-30", "A-2 is none of the accounts of anna.test"),
        ("anna.test", &own, "2026-07-01", "the grant of anna.test as consumer expired on 2026-07-01"),
        ("anna.test", &own, "2025-12-31", "the grant of anna.test as consumer holds from 2026-01-01 on"),
        ("clerk.test", &other, "2026-07-01", "supplier permits"),
        ("till.test", &own, "2026-06-01", "till.test is a bank, who may not have receipts"),
        ("till.test", &Action::ReadLog, "2026-06-01", "bank permits"),
        (
            "watch.test",
            &own,
            "2026-06-01",
            "watch.test is named as regulator by one party alone: two must name the key",
        ),
    ];
    for (name, action, day, want) in table {
        assert_eq!(told(&ledger, name, action, day), want, "{name} on {day}");
    }
    // The grid company names the regulator too; the supplier's next list leaves Anna out.
    let points = ["P-1".parse().unwrap()];
    let gate = ("gate.test", "gateway", "usage_points = [\"P-1\"]");
    ledger.propose(Party::Grid, Input::Document(list("grid", 1, &[gate, watch])));
    ledger.propose(
        Party::Supplier,
        Input::Document(list("supplier", 2, &[("clerk.test", "supplier", ""), watch])),
    );
    let check = |ledger: &Ledger| {
        let table = [
            ("anna.test", &own, "the grant of anna.test as consumer is revoked by list 2 of supplier"),
            ("watch.test", &own, "regulator permits"),
            ("clerk.test", &own, "supplier permits"),
            ("gate.test", &Action::SubmitReadings { points: &points }, "gateway permits"),
        ];
        for (name, action, want) in table {
            assert_eq!(told(ledger, name, action, "2026-06-01"), want, "{name}");
        }
    };
    check(&ledger);
    let path = ledger.path.clone();
    drop(ledger);
    let ledger = Ledger::open(&path, 1);
    check(&ledger);
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
}

#[test]
fn what_a_party_may_not_grant_every_node_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 1);
    let anna = ("anna.test", "consumer", "accounts = [\"A-1\"]");
    let good = list("supplier", 1, &[anna]);
    let size = |ledger: &Ledger| ledger.consortium.node(Party::Grid).member().size();
    let before = size(&ledger);

    // Another party's list, and a number that does not follow.
    for other in [Party::Grid, Party::Bank] {
        let error = ledger.consortium.propose(other, Input::Document(good.clone())).unwrap_err().to_string();
        assert!(error.contains(&format!("{other} may not propose the access list of supplier")), "{error}");
    }
    let later = Input::Document(list("supplier", 2, &[anna]));
    let error = ledger.consortium.propose(Party::Supplier, later).unwrap_err().to_string();
    assert!(error.contains("access list 2 of supplier does not follow: its next is 1"), "{error}");

    // The same grants under the grid company's name: no node computes it, whoever proposes.
    let mut bent = good.clone();
    bent[2] = Party::Grid.code();
    let error =
        ledger.consortium.propose(Party::Grid, Input::Document(bent.clone())).unwrap_err().to_string();
    assert!(error.contains("access list"), "{error}");
    let Publication { validity, .. } = publication_of(&good).unwrap();
    let publication = Publication {
        kind: DocumentKind::Access,
        id: "grid".parse().unwrap(),
        hash: content_hash(&bent),
        validity,
    };
    for party in Party::ALL {
        let node = ledger.consortium.node(party);
        let proposal = Proposal {
            chain: node.member().state().chain().unwrap(),
            parent: content_hash(b"any"),
            proposer: Party::Grid,
            number: 2,
            time_unix_s: common::NOW_UNIX_S,
            command: Command::Publish(publication.clone()),
        };
        let own = node.recompute(&proposal, Some(&bent));
        assert!(
            matches!(&own, Err(NotComputed::Fails(why)) if why.contains("access list")),
            "{party}: {own:?}"
        );
    }
    assert_eq!(size(&ledger), before, "nothing is recorded");
    ledger.propose(Party::Supplier, Input::Document(good));
}
