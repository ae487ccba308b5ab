//! What a settlement must hold against the chain's own sums: nobody gives back what it has not got.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use tallywatt_consensus::state::{Invalid, State};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::split::{Leg, LegKind, RunningSplit};
use tallywatt_core::validity::Validity;
use tallywatt_ledger::activation::Activation;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::command::{Command, DocumentKind, Genesis, PartyKeys, Publication, SettlementCommit};
use tallywatt_ledger::tree::Root;

const CHAIN: ContentHash = ContentHash([1; 32]);
const AGREEMENT: ContentHash = ContentHash([2; 32]);

fn apply(state: &mut State, proposer: Party, command: Command) -> Result<(), Invalid> {
    let chain = state.chain().unwrap_or_default();
    let number = state.next_number(proposer);
    let proposal =
        Proposal { chain, parent: ContentHash::default(), proposer, number, time_unix_s: 0, command };
    state.apply(&proposal, CHAIN).map(drop)
}

/// `g part 30, s remainder 60`: legs in minor units.
fn legs(text: &str) -> Vec<Leg> {
    let leg = |text: &str| {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let party = match fields[0] {
            "g" => Party::Grid,
            "b" => Party::Bank,
            _ => Party::Supplier,
        };
        let kind = LegKind::ALL.into_iter().find(|kind| kind.name() == fields[1]).unwrap();
        Leg { party, kind, amount: Money::from_minor(fields[2].parse().unwrap()) }
    };
    text.split_terminator(", ").map(leg).collect()
}

fn settlement(state: &State, row: (&str, &str, i64), running: ContentHash) -> Command {
    let (got, back, paid_out) = row;
    let (legs, back) = (legs(got), legs(back));
    let sum = |legs: &[Leg]| Money::from_minor(legs.iter().map(|leg| leg.amount.as_minor()).sum());
    let (paid, reversed) = (sum(&legs), sum(&back));
    let paid_out = Money::from_minor(paid_out);
    let split = RunningSplit { due: paid_out.exact(), paid: paid_out };
    Command::Settlement(SettlementCommit {
        sequence: state.settlement_count() + 1,
        file: ContentHash([3; 32]),
        payments: Root { hash: ContentHash([4; 32]), count: 1 },
        paid,
        reversed,
        credited: Money::ZERO,
        legs,
        back,
        running: vec![(running, split)],
    })
}

/// Its signatures are checked where the keys are, not by the state.
fn activation(agreement: ContentHash) -> Command {
    let consent = |party| Attestation { party, signature: [7; 64] };
    let consents = [consent(Party::Grid), consent(Party::Supplier)];
    Command::Activate(Activation { agreement, from: 2, consents })
}

/// A ledger with an agreement, of whose payments the grid company has got 0.30 and the supplier 0.60, and 0.10 ahead.
fn settled() -> State {
    let mut state = State::default();
    let keys = || PartyKeys { log: String::new(), witness: String::new(), exec: String::new() };
    let (origin, currency) = ("tallywatt.test/settlements".into(), "RUB".parse().unwrap());
    let parties = [keys(), keys(), keys()];
    let attesters = Attesters::default();
    let genesis = Genesis { origin, currency, tzdb: "2026a".into(), parties, witness: None, attesters };
    apply(&mut state, Party::Grid, Command::Genesis(Box::new(genesis))).unwrap();
    let publication = Publication {
        kind: DocumentKind::Agreement,
        id: "split".parse().unwrap(),
        hash: AGREEMENT,
        validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
    };
    apply(&mut state, Party::Supplier, Command::Publish(publication)).unwrap();
    let early = settlement(&state, ("g part 30, s remainder 60, s advance 10", "", 30), AGREEMENT);
    assert_eq!(apply(&mut state, Party::Bank, early), Err(Invalid::Running), "nobody has signed it");
    let unknown = activation(ContentHash([9; 32]));
    let refused = apply(&mut state, Party::Supplier, unknown);
    assert_eq!(refused, Err(Invalid::Unpublished(ContentHash([9; 32]))));
    let refused = apply(&mut state, Party::Bank, activation(AGREEMENT));
    assert_eq!(refused, Err(Invalid::Proposer { proposer: Party::Bank, command: "activation" }));
    apply(&mut state, Party::Grid, activation(AGREEMENT)).unwrap();
    assert_eq!(state.active_from(&AGREEMENT), Some(2));
    let twice = apply(&mut state, Party::Supplier, activation(AGREEMENT));
    assert_eq!(twice, Err(Invalid::Active(AGREEMENT)));
    let first = settlement(&state, ("g part 30, s remainder 60, s advance 10", "", 30), AGREEMENT);
    apply(&mut state, Party::Bank, first).unwrap();
    state
}

#[test]
fn sums_never_fall_below_zero() {
    // legs got, legs given back, what the payee has got in all
    let table = [
        ("", "g part 30, s remainder 60, s advance 10", 0, true),
        ("g part 3, s remainder 7", "s advance 10", 33, true),
        ("g part 5, b suspense 7", "g part 1", 34, true),
        ("", "g part 31", -1, false),
        ("", "s remainder 61", 30, false),
        ("", "b suspense 1", 30, false),
        ("g part 3, s remainder 8", "s advance 11", 33, false),
        ("", "g part 10", 21, false), // not what was given back
        ("g part 5", "g part 1", 35, false),
        // What accrued comes from the other party, and goes back to it; no running split moves with it.
        ("g accrual 5", "s accrual 5", 30, true),
        ("s accrual 5", "g accrual 5", 30, true),
        ("g accrual 5, g part 1", "s accrual 5", 31, true),
        ("g accrual 5", "s accrual 5", 35, false),
        ("g accrual 5", "s accrual 4", 30, false),
        ("g accrual 5", "s remainder 5", 30, false),
        // The bank lets go of no more than it holds, and holds what a party gives.
        ("b reserve 5", "g reserve 5", 30, true),
        ("g reserve 5", "b reserve 5", 30, false),
        ("b reserve 5", "g reserve 4", 30, false),
    ];
    for (got, back, paid_out, is_valid) in table {
        let mut state = settled();
        let command = settlement(&state, (got, back, paid_out), AGREEMENT);
        let applied = apply(&mut state, Party::Bank, command);
        let want = if is_valid { Ok(()) } else { Err(Invalid::Running) };
        assert_eq!(applied, want, "{got} and back {back}");
        if is_valid {
            let sum = |text: &str| legs(text).iter().map(|leg| leg.amount.as_minor()).sum::<i64>();
            assert_eq!(state.received().as_minor(), 100 + sum(got) - sum(back), "{got} and back {back}");
            assert_eq!(state.running(&AGREEMENT).paid.as_minor(), paid_out);
        }
    }
    let mut state = settled();
    let other = settlement(&state, ("g part 5", "", 5), ContentHash([9; 32]));
    assert_eq!(apply(&mut state, Party::Bank, other), Err(Invalid::Running), "no such agreement");
    let Command::Settlement(mut below) = settlement(&state, ("", "", 30), AGREEMENT) else {
        unreachable!("it is a settlement")
    };
    below.running[0].1.due = ExactAmount::from_e11(-1);
    assert_eq!(apply(&mut state, Party::Bank, Command::Settlement(below)), Err(Invalid::Running));
}

/// Each party proposes its own access list, and each version replaces the one before.
#[test]
fn access_lists_are_each_partys_own() {
    let mut state = settled();
    let list = |id: &str, hash: u8, from: &str| {
        Command::Publish(Publication {
            kind: DocumentKind::Access,
            id: id.parse().unwrap(),
            hash: ContentHash([hash; 32]),
            validity: Validity::new(from.parse().unwrap(), None).unwrap(),
        })
    };
    for (at, party) in (20..).zip(Party::ALL) {
        for other in Party::ALL.into_iter().filter(|other| *other != party) {
            let refused = apply(&mut state, other, list(party.name(), at, "2026-01-01")).unwrap_err();
            assert!(refused.is_denial(), "{refused}");
            assert_eq!(refused.to_string(), format!("{other} may not propose the access list of {party}"));
        }
        apply(&mut state, party, list(party.name(), at, "2026-01-01")).unwrap();
        let twice = apply(&mut state, party, list(party.name(), at, "2026-01-01"));
        assert_eq!(twice, Err(Invalid::Published(ContentHash([at; 32]))));
        // Another one from an earlier day on: no version of another document could.
        apply(&mut state, party, list(party.name(), at + 10, "2025-06-01")).unwrap();
    }
    let nobodys = apply(&mut state, Party::Grid, list("city", 50, "2026-01-01")).unwrap_err();
    assert!(nobodys.is_denial(), "{nobodys}");
    assert!(!Invalid::Published(AGREEMENT).is_denial());
}
