//! A node that computes something else is caught at that block and named; one that was outvoted stays frozen.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use common::{Ledger, NOW_UNIX_S, one_home};
use tallywatt_core::account::{Entry, Payment};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::Money;
use tallywatt_ledger::block::Proposal;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::Root;
use tallywatt_node::audit::audit;
use tallywatt_node::books::{Computed, Input};
use tallywatt_node::consortium::Outcome;
use tallywatt_node::derivation::first_difference;
use tallywatt_node::intake::{ImportRun, Intake};
use tallywatt_node::node::Lie;

/// A ledger with the home's readings taken in, and the batch file that would seal them.
fn ready(path: &Path) -> (Ledger, Vec<u8>) {
    let mut ledger = Ledger::create(&path.join("data"), 1);
    let (file, profile) = one_home(&mut ledger, path);
    let mut intake = Intake::open(&ledger.path, ledger.consortium.node(Party::Grid).books()).unwrap();
    let (interrupt, now) = (AtomicBool::new(false), UtcSeconds(i64::try_from(NOW_UNIX_S).unwrap()));
    let progress = &mut |_| {};
    let books = ledger.books();
    let mut run =
        ImportRun { profile: &profile, books, now, interrupt: &interrupt, progress, only_lines: None };
    intake.import(&file, &mut run).unwrap();
    let batch = intake.batch_file(books).unwrap().unwrap();
    (ledger, batch)
}

fn payment() -> Input {
    let (id, account) = ("P-1".parse().unwrap(), "A-1".parse().unwrap());
    let booked = "2026-04-05".parse().unwrap();
    let amount = Money::from_minor(4_800);
    let payment = Payment { id, account, booked, amount, period: None, remittance: None };
    Input::Payments(vec![Entry::Payment(payment)])
}

/// The steps of the ledger's life, from the first that carries figures.
fn steps(batch: &[u8]) -> Vec<(Party, Input, &'static str, &'static str)> {
    let period = "2026-03".parse().unwrap();
    vec![
        (Party::Grid, Input::Batch(batch.to_vec()), "batch", "import_wh: proposed 9600, computed 9601"),
        (Party::Grid, Input::Period(period), "period", "import_wh: proposed 9600, computed 9601"),
        (Party::Supplier, Input::Bills(period), "bills", "total: proposed 48.00, computed 48.01"),
        (Party::Bank, payment(), "settlement", "paid: proposed 48.00, computed 48.01"),
    ]
}

#[test]
fn whoever_computes_something_else_is_named_at_that_block() {
    for liar in Party::ALL {
        for lying_step in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let (mut ledger, batch) = ready(folder.path());
            for (at, (proposer, input, command, detail)) in steps(&batch).into_iter().enumerate() {
                if at < lying_step {
                    ledger.propose(proposer, input);
                    continue;
                }
                let height = ledger.consortium.node(Party::Grid).member().size();
                ledger.consortium.node_mut(liar).set_lie(Lie::Figures);
                let outcome = ledger.consortium.propose(proposer, input).unwrap();
                check(&outcome, liar, proposer, height, command, detail);
                break;
            }
        }
    }
}

fn check(outcome: &Outcome, liar: Party, proposer: Party, height: u64, command: &str, detail: &str) {
    let text = outcome.findings.join("\n");
    let of_readings = command != "settlement";
    let nothing =
        format!("block {height}: nobody else computed what {proposer} proposed: nothing is recorded");
    let named = format!(
        "block {height} ({command} proposed by {proposer}): {liar} computed something else: {detail}"
    );
    if of_readings && liar == Party::Bank {
        // Readings and bills are not the bank's to recompute: it is not asked.
        assert_eq!((outcome.status(), outcome.height, text.as_str()), ("sealed", Some(height), ""));
    } else if liar == proposer {
        // Whoever recomputes it contradicts it: nothing is recorded.
        assert_eq!(
            (outcome.status(), outcome.height),
            ("refused", None),
            "{liar} lies in a {command}: {text}"
        );
        assert!(text.contains(&nothing), "{text}");
        let evidence = match of_readings {
            true => {
                " signed another result, one of them is wrong; evidence: evidence/wrong-result-".to_owned()
            }
            false => {
                format!(": two parties signed another result than {liar}; evidence: evidence/wrong-result-")
            }
        };
        assert!(text.contains(&evidence), "{text}");
        assert_eq!(
            text.contains("bank computed something else"),
            !of_readings && liar != Party::Bank,
            "{text}"
        );
    } else if of_readings {
        // Grid company and supplier must both say the same.
        assert_eq!((outcome.status(), outcome.height), ("refused", None), "{text}");
        assert!(text.contains(&nothing) && text.contains(&named), "{text}");
    } else {
        // The bank and the other payee are two: the liar is named, with evidence, and they go on.
        assert!(text.contains(&named), "{text}");
        assert!(
            text.contains(&format!(": two parties signed another result than {liar}; evidence: ")),
            "{text}"
        );
        assert_eq!((outcome.status(), outcome.height), ("final", Some(height)));
        assert!(!outcome.cosigners.contains(&liar.into()));
    }
}

/// A file that is bent all through differs from one's own in a line, which is said as either side has it.
#[test]
fn a_bent_bill_is_found_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, batch) = ready(folder.path());
    for (proposer, input, _, _) in steps(&batch).into_iter().take(2) {
        ledger.propose(proposer, input);
    }
    let bills = || Input::Bills("2026-03".parse().unwrap());
    let own = ledger.consortium.node(Party::Grid).compute(bills()).unwrap().file.unwrap();
    ledger.consortium.node_mut(Party::Supplier).set_lie(Lie::Bill);
    let lied = ledger.consortium.node(Party::Supplier).compute(bills()).unwrap();
    let books = ledger.consortium.node(Party::Grid).books();
    let said = |theirs: &[u8]| first_difference(books, &lied.command, &own, theirs).unwrap();
    let want = "bill of account A-1, 2026-03, line 1: computed all, 9.600 kWh × 5.00 = 48.00, rounded 48.00, of 96 intervals \
                with 9.600 kWh, 0 of them estimated; proposed 9.600 kWh × 5.00 = 48.00, rounded 48.01";
    assert_eq!(said(lied.file.as_deref().unwrap()), want);
    assert!(said(&own).starts_with("its file has root "), "the honest file is not the one that it names");
    assert!(said(b"garbage").starts_with("the proposer's file cannot be read: "), "{}", said(b"garbage"));
    let contracts = Command::Contracts(Root { hash: ContentHash([1; 32]), count: 1 });
    assert_eq!(first_difference(books, &contracts, &own, &own), None);
}

/// What the bank attests it has computed itself: of a settlement that is bent by a kopeck it says so, whoever orders it.
#[test]
fn the_bank_catches_a_settlement_that_is_bent() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, batch) = ready(folder.path());
    for (proposer, input, _, _) in steps(&batch).into_iter().take(3) {
        ledger.propose(proposer, input);
    }
    let bank = ledger.consortium.node(Party::Bank);
    assert!(!bank.books().keeps_readings());
    let Computed { command, file, .. } = bank.compute(payment()).unwrap();
    let (chain, parent) = (bank.member().state().chain().unwrap(), ContentHash::default());
    let proposal = |command| Proposal {
        chain,
        parent,
        proposer: Party::Bank,
        number: 1,
        time_unix_s: NOW_UNIX_S,
        command,
    };
    assert_eq!(bank.recompute(&proposal(command.clone()), file.as_deref()), Ok(command.clone()));
    let Command::Settlement(mut bent) = command.clone() else { unreachable!("it is a settlement") };
    bent.legs[0].amount = Money::from_minor(bent.legs[0].amount.as_minor() + 1);
    bent.legs[1].amount = Money::from_minor(bent.legs[1].amount.as_minor() - 1);
    let own = bank.recompute(&proposal(Command::Settlement(bent)), file.as_deref());
    assert_eq!(own, Ok(command), "it computes its own, which is another");
}

#[test]
fn an_honest_party_that_was_outvoted_does_not_sign_after_a_restart_either() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, batch) = ready(folder.path());
    for (proposer, input, _, _) in steps(&batch).into_iter().take(3) {
        ledger.propose(proposer, input);
    }
    for liar in [Party::Grid, Party::Bank] {
        ledger.consortium.node_mut(liar).set_lie(Lie::Figures);
    }
    let outcome = ledger.consortium.propose(Party::Bank, payment()).unwrap();
    assert_eq!(
        (outcome.status(), &outcome.cosigners),
        ("final", &vec![Party::Grid.into(), Party::Bank.into()])
    );
    let path = ledger.path.clone();
    drop(ledger);

    let ledger = Ledger::open(&path, 1);
    let supplier = ledger.consortium.node(Party::Supplier);
    assert!(supplier.member().frozen().is_some());
    assert_eq!(ledger.consortium.cosigners(supplier.member().size()).len(), 2);
    let findings = supplier.store().findings().unwrap().join("\n");
    assert!(
        findings.contains("supplier computed something else: paid: proposed 48.01, computed 48.00"),
        "{findings}"
    );
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    let found = audit(&held, &threads).findings;
    let place = "supplier block 8 (settlement), settlements/000001.twl";
    assert!(found.iter().any(|finding| finding.place == place && finding.what.contains("paid")), "{found:?}");
}

#[test]
fn a_payment_that_stands_twice_is_not_settled_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, batch) = ready(folder.path());
    for (proposer, input, _, _) in steps(&batch).into_iter().take(3) {
        ledger.propose(proposer, input);
    }
    let Input::Payments(payments) = payment() else { unreachable!("payments are payments") };
    let twice = Input::Payments([payments.clone(), payments].concat());
    let refused = ledger.consortium.propose(Party::Bank, twice).unwrap_err().to_string();
    assert!(refused.contains("payment P-1 stands twice"), "{refused}");
    let far =
        Payment { id: "P-2".parse().unwrap(), amount: Money::from_minor(i64::MAX - 1), ..first(payment()) };
    let farther = Payment { id: "P-3".parse().unwrap(), ..far.clone() };
    let refused = ledger
        .consortium
        .propose(Party::Bank, Input::Payments([far, farther].map(Entry::Payment).to_vec()))
        .unwrap_err();
    assert!(refused.to_string().contains("do not fit 64 bits"), "{refused}");
}

fn first(input: Input) -> Payment {
    let Input::Payments(payments) = input else { unreachable!("payments are payments") };
    match payments.into_iter().next() {
        Some(Entry::Payment(payment)) => payment,
        other => unreachable!("it is one payment: {other:?}"),
    }
}

#[test]
fn a_party_that_mends_itself_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, batch) = ready(folder.path());
    for (proposer, input, _, _) in steps(&batch).into_iter().take(3) {
        ledger.propose(proposer, input);
    }
    ledger.consortium.node_mut(Party::Supplier).set_lie(Lie::Figures);
    let outcome = ledger.consortium.propose(Party::Bank, payment()).unwrap();
    assert_eq!(outcome.status(), "final");
    let path = ledger.path.clone();
    drop(ledger);

    let ledger = Ledger::open(&path, 1);
    let grid = ledger.consortium.node(Party::Grid);
    assert_eq!(ledger.consortium.cosigners(grid.member().size()).len(), 3, "recomputed honestly, it signs");
    assert!(grid.store().findings().unwrap().join("\n").contains("supplier computed something else"));
}
