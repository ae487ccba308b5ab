//! The witness among the signers: what its signature makes of a head, and what it never does.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_consensus::machine::{Action, Cosignature, Event, Member, MemberError, Report};
use tallywatt_consensus::members::{self, Directory, Keys, Signer, Standing};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::Proposal;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::log::{Log, LogHash, leaf_hash};

const ORIGIN: &str = "tallywatt.test/witness";

fn keys(party: Party) -> Keys {
    let seed = |use_: u8| [party.code() * 16 + use_; 32];
    Keys::from_seeds(ORIGIN, party, &[seed(1), seed(2), seed(3)]).unwrap()
}

fn witness() -> Cosigner {
    Cosigner::from_seed("regulator.test", &[0x77; 32]).unwrap()
}

fn genesis(witness: Option<String>) -> Genesis {
    let parties = Party::ALL.map(|party| keys(party).public());
    let currency = "RUB".parse().unwrap();
    Genesis {
        origin: ORIGIN.into(),
        currency,
        tzdb: "2026a".into(),
        parties,
        witness,
        attesters: Attesters::default(),
    }
}

fn own_key() -> Option<String> {
    Some(witness().verifier_key().to_string())
}

/// The supplier's member with the first block, which it computed and has not signed.
fn member(witness: Option<String>) -> Member {
    let command = Command::Genesis(Box::new(genesis(witness)));
    let (chain, parent) = (ContentHash::default(), ContentHash::default());
    let (proposer, time_unix_s) = (Party::Grid, 1_774_000_000);
    let proposal = Proposal { chain, parent, proposer, number: 1, time_unix_s, command: command.clone() };
    let attested = [Party::Grid, Party::Bank];
    let attestations =
        attested.map(|party| members::attest(&keys(party), party, &proposal)).into_iter().collect();
    let mut member = Member::new(Party::Supplier, keys(Party::Supplier), ORIGIN.into(), None);
    let entry = Entry { proposal: proposal.clone(), attestations };
    assert!(matches!(member.step(Event::Ordered(entry)).unwrap()[..], [Action::Recompute(_)]));
    let recomputed = Event::Recomputed { proposal, own: Ok(command), input: None, now_unix_s: time_unix_s };
    assert!(matches!(member.step(recomputed).unwrap()[..], [Action::Store { .. }]));
    member
}

fn other_root() -> LogHash {
    let mut log = Log::new();
    log.append(leaf_hash(b"another history")).unwrap();
    log.root()
}

fn signed(signer: Signer, root: LogHash) -> Event {
    let text = Checkpoint::new(ORIGIN, 1, root).unwrap().to_text();
    let line = match signer.party() {
        Some(party) => keys(party).witness.sign_cosignature(&text, 1_774_000_000),
        None => witness().sign_cosignature(&text, 1_774_000_000),
    };
    Event::Cosigned(Cosignature { signer, size: 1, root, line: line.unwrap() })
}

/// What is reported, signature by signature: `-` nothing, `F` final, `S` sealed.
#[test]
fn three_signers_seal_and_two_parties_are_among_them() {
    let signer = |letter| match letter {
        'g' => Signer::Party(Party::Grid),
        'b' => Signer::Party(Party::Bank),
        's' => Signer::Party(Party::Supplier),
        _ => Signer::Witness,
    };
    let table = [
        ("gbs", "- F S", Standing::Sealed),
        ("gbw", "- F S", Standing::Sealed),
        ("gwb", "- - FS", Standing::Sealed),
        ("wgb", "- - FS", Standing::Sealed),
        ("wgbs", "- - FS -", Standing::Sealed),
        ("gbsw", "- F S -", Standing::Sealed),
        ("gw", "- -", Standing::Ordered),
        ("wwg", "- - -", Standing::Ordered),
        ("w", "-", Standing::Ordered),
        ("bs", "- F", Standing::Final),
    ];
    for (signers, want, standing) in table {
        let mut member = member(own_key());
        let root = member.log().root();
        let mut told = Vec::new();
        for letter in signers.chars() {
            let actions = member.step(signed(signer(letter), root)).unwrap();
            let of = |action: &Action| match action {
                Action::Report(Report::Final(1)) => 'F',
                Action::Report(Report::Sealed(1)) => 'S',
                other => panic!("{signers}: {other:?}"),
            };
            let reports: String = actions.iter().map(of).collect();
            told.push(if reports.is_empty() { "-".to_owned() } else { reports });
        }
        assert_eq!((told.join(" ").as_str(), member.standing(1)), (want, standing), "{signers}");
        let lines = member.head_note(1).unwrap().map_or(0, |note| note.signatures().len());
        let distinct: std::collections::BTreeSet<char> = signers.chars().collect();
        assert_eq!(lines, 1 + distinct.len(), "{signers}: the head carries every signature");
    }
}

#[test]
fn a_witness_of_another_history_is_named_and_stops_nobody() {
    let mut member = member(own_key());
    let (own, other) = (member.log().root(), other_root());
    let actions = member.step(signed(Signer::Witness, other)).unwrap();
    let diverged = Report::Diverged { height: 0, signer: Signer::Witness, root: other, own };
    assert!(matches!(&actions[..], [Action::Report(report)] if *report == diverged), "{actions:?}");
    let actions = member.step(signed(Party::Grid.into(), other)).unwrap();
    assert!(matches!(&actions[..], [Action::Report(Report::Diverged { .. })]), "{actions:?}");
    assert_eq!(member.frozen(), None, "one party and a witness are not two parties");
    assert!(member.cosigners(1).is_empty());
    // The same key under this member's root: evidence against the witness.
    let actions = member.step(signed(Signer::Witness, own)).unwrap();
    let [Action::Report(Report::DoubleSigned { own_root, other_root })] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!((own_root.signer, other_root.signer), (Signer::Witness, Signer::Witness));
    assert_eq!((own_root.root, other_root.root), (own, other));
    let actions = member.step(signed(Party::Bank.into(), other)).unwrap();
    assert!(matches!(actions.last(), Some(Action::Report(Report::Frozen(_)))), "{actions:?}");
}

#[test]
fn a_witness_that_the_genesis_does_not_name_counts_for_nothing() {
    let mut unnamed = member(None);
    let root = unnamed.log().root();
    let refused = unnamed.step(signed(Signer::Witness, root)).unwrap_err();
    assert!(matches!(refused, MemberError::NoWitness(1)), "{refused}");
    let other = Cosigner::from_seed("regulator.test", &[0x78; 32]).unwrap().verifier_key().to_string();
    let mut other = member(Some(other));
    assert!(other.step(signed(Signer::Witness, root)).is_err());
    assert!(other.cosigners(1).is_empty());
}

#[test]
fn the_key_of_a_witness_is_nobody_elses() {
    let of = |witness: String| Directory::of(&genesis(Some(witness)));
    assert!(of(own_key().unwrap()).is_ok());
    let log = LogSigner::from_seed("regulator.test", &[0x77; 32]).unwrap().verifier_key().to_string();
    // The key of the bank's witness key under another name, and another key under the bank's name.
    let bank = Cosigner::from_seed("regulator.test", &[Party::Bank.code() * 16 + 2; 32]).unwrap();
    let name = keys(Party::Bank).witness.verifier_key().name().to_owned();
    let named = Cosigner::from_seed(&name, &[0x77; 32]).unwrap();
    for key in [log, bank.verifier_key().to_string(), named.verifier_key().to_string()] {
        let refused = of(key.clone()).unwrap_err().to_string();
        assert!(refused.contains("is no cosigner key, or stands for a party too"), "{key}: {refused}");
    }
    assert!(of("regulator".to_owned()).is_err());
}
