//! Who must sign a motion, which keys it may name, and when it counts.

use super::*;
use crate::attesters::Attesters;
use crate::checkpoint::Checkpoint;
use crate::codec::Reader;
use crate::command::Genesis;
use crate::key::{Cosigner, LogSigner, VerifierKey};
use crate::log::LogHash;
use crate::note::Note;
use crate::witness::WatchedLog;

const ORIGIN: &str = "tallywatt.test/governance";

/// The keys of a party in a generation: of another generation, others.
struct Own {
    log: LogSigner,
    witness: Cosigner,
    exec: LogSigner,
}

fn own(party: Party, generation: u8) -> Own {
    let seed = |use_: u8| [party.code() * 16 + generation * 64 + use_; 32];
    Own {
        log: LogSigner::from_seed(ORIGIN, &seed(1)).unwrap(),
        witness: Cosigner::from_seed(&format!("{ORIGIN}/{party}/witness"), &seed(2)).unwrap(),
        exec: LogSigner::from_seed(&format!("{ORIGIN}/{party}/exec"), &seed(3)).unwrap(),
    }
}

fn keys(party: Party, generation: u8) -> PartyKeys {
    let Own { log, witness, exec } = own(party, generation);
    PartyKeys {
        log: log.verifier_key().to_string(),
        witness: witness.verifier_key().to_string(),
        exec: exec.verifier_key().to_string(),
    }
}

fn regulator(seed: u8) -> String {
    Cosigner::from_seed("regulator.test", &[seed; 32]).unwrap().verifier_key().to_string()
}

fn genesis() -> Genesis {
    Genesis {
        origin: ORIGIN.into(),
        currency: "RUB".parse().unwrap(),
        tzdb: "2026a".into(),
        parties: Party::ALL.map(|party| keys(party, 0)),
        witness: Some(regulator(0x77)),
        attesters: Attesters::default(),
    }
}

fn history() -> KeyHistory {
    KeyHistory::of(&genesis()).unwrap()
}

/// The motion, as each party signs it with the key of a generation; of no generation it does not sign.
fn note(origin: &str, number: u64, motion: &Motion, from: u64, generations: [Option<u8>; 3]) -> Note {
    let text = motion_text(origin, number, motion, from);
    let signed = Party::ALL.into_iter().zip(generations);
    let lines = signed.filter_map(|(party, of)| Some(own(party, of?).exec.sign(&text).unwrap()));
    Note::new(&text, lines.collect()).unwrap()
}

fn bank(generation: u8) -> Motion {
    Motion::Keys { party: Party::Bank, keys: keys(Party::Bank, generation) }
}

fn told<T>(result: Result<T, GovernanceError>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "ok".into())
}

const ALL: [Option<u8>; 3] = [Some(0); 3];

#[test]
fn who_must_sign_what() {
    let other = "the note signs no motion of tallywatt.test/governance";
    let table = [
        (ORIGIN, ALL, "ok"),
        (ORIGIN, [Some(0), None, Some(0)], "motion 1 is not signed by bank"),
        (ORIGIN, [None, Some(0), Some(0)], "motion 1 is not signed by grid"),
        (ORIGIN, [Some(0), Some(0), None], "motion 1 is not signed by supplier"),
        ("tallywatt.test/other", ALL, other),
    ];
    for (origin, generations, want) in table {
        let note = note(origin, 1, &bank(1), 9, generations);
        assert_eq!(told(Governance::of_note(&note, &history())), want, "{generations:?}");
    }
    // The new key consents to nothing yet.
    let early = Governance::of_note(&note(ORIGIN, 1, &bank(1), 9, [Some(0), Some(1), Some(0)]), &history());
    assert!(told(early).ends_with("which no party consents with now"));
    let signed = note(ORIGIN, 1, &bank(1), 9, ALL);
    let governance = Governance::of_note(&signed, &history()).unwrap();
    assert_eq!(governance.text(ORIGIN), signed.text());
    // A consent is to this motion, at this height, under this number.
    let bent = [
        Governance { from: 10, ..governance.clone() },
        Governance { motion: bank(2), ..governance.clone() },
        Governance { motion: Motion::Witness(None), ..governance.clone() },
    ];
    for bent in bent {
        let refused = history().check(&bent, 5);
        assert_eq!(told(refused), "the signature of grid is not its own under motion 1");
    }
    let consents = [governance.consents[0], governance.consents[0], governance.consents[2]];
    let refused = history().check(&Governance { consents, ..governance }, 5);
    assert_eq!(told(refused), "the signature of bank is not its own under motion 1");
}

fn motion(number: u64, motion: &Motion, from: u64, generations: [Option<u8>; 3]) -> Governance {
    let (number, from, read) =
        parse_motion_text(ORIGIN, note(ORIGIN, number, motion, from, generations).text())
            .map(|(number, motion, from)| (number, from, motion))
            .unwrap();
    let text = motion_text(ORIGIN, number, &read, from);
    let sign = |(party, of): (Party, Option<u8>)| {
        own(party, of.unwrap()).exec.sign(&text).unwrap().signature().try_into().unwrap()
    };
    let signed: Vec<[u8; 64]> = Party::ALL.into_iter().zip(generations).map(sign).collect();
    Governance { number, from, motion: read, consents: signed.try_into().unwrap() }
}

#[test]
fn which_keys_and_when() {
    let mut ledger = history();
    let of = |party, log: u8, witness: u8, exec: u8| {
        let keys = PartyKeys {
            log: keys(party, log).log,
            witness: keys(party, witness).witness,
            exec: keys(party, exec).exec,
        };
        Motion::Keys { party, keys }
    };
    let grids = Motion::Keys { party: Party::Bank, keys: keys(Party::Grid, 0) };
    let swapped = Motion::Keys {
        party: Party::Bank,
        keys: PartyKeys { exec: keys(Party::Bank, 1).witness, ..keys(Party::Bank, 0) },
    };
    let twice = Motion::Keys {
        party: Party::Bank,
        keys: PartyKeys { log: elsewhere(1), exec: elsewhere(1), ..keys(Party::Bank, 0) },
    };
    let foreign =
        Motion::Keys { party: Party::Bank, keys: PartyKeys { log: elsewhere(1), ..keys(Party::Bank, 0) } };
    let named = Cosigner::from_seed(&format!("{ORIGIN}/bank/exec"), &[9; 32]).unwrap();
    let named = named.verifier_key().to_string();
    let table: [(Motion, u64, u64, &str); 13] = [
        (bank(1), 5, 6, "ok"),
        (of(Party::Bank, 0, 1, 0), 5, 5 + FROM_AHEAD_MAX, "ok"),
        (Motion::Witness(None), 5, 6, "ok"),
        (Motion::Witness(Some(regulator(0x78))), 5, 6, "ok"),
        (bank(1), 5, 5, "cannot take effect from block 5 on"),
        (bank(1), 5, 6 + FROM_AHEAD_MAX, "a motion after block 5 cannot take effect from block 1030 on"),
        (bank(0), 5, 6, "the motion changes no key"),
        (Motion::Witness(Some(regulator(0x77))), 5, 6, "the motion changes no key"),
        (grids, 5, 6, "is in use, or was once: a key never comes back"),
        (swapped, 5, 6, "the exec key of bank is of the wrong kind"),
        (twice, 5, 6, "is not named after the log"),
        (foreign, 5, 6, "is not named after the log tallywatt.test/governance"),
        (Motion::Witness(Some(named)), 5, 6, "is no cosigner key, or stands for a party too"),
    ];
    for (what, height, from, want) in &table {
        let refused = told(ledger.check(&motion(1, what, *from, ALL), *height));
        assert!(refused.contains(want), "{what} from {from} at {height}: {refused}");
    }
    let wrong = told(ledger.check(&motion(2, &bank(1), 6, ALL), 5));
    assert_eq!(wrong, "motion 2 is not the next, which is 1 of at most 256");

    // The first takes effect at 8: at 7 the old keys are in force, and no other motion may stand.
    let first = motion(1, &bank(1), 8, ALL);
    ledger.apply(&first, 5).unwrap();
    assert_eq!(ledger.at(7).of(Party::Bank).texts(), keys(Party::Bank, 0));
    assert_eq!(ledger.at(8).of(Party::Bank).texts(), keys(Party::Bank, 1));
    assert_eq!(ledger.of_head(8), ledger.at(7));
    assert_eq!(ledger.of_head(9), ledger.at(8));
    let pending = told(ledger.check(&motion(2, &Motion::Witness(None), 12, ALL), 7));
    assert_eq!(pending, "motion 1 takes effect from block 8 on: until then there is no other");
    let replayed = told(ledger.check(&first, 9));
    assert_eq!(replayed, "motion 1 is not the next, which is 2 of at most 256");
    // The old key does not consent any more, and does not come back; nor does that of a former witness.
    let old = told(ledger.check(&motion(2, &Motion::Witness(None), 12, ALL), 9));
    assert_eq!(old, "the signature of bank is not its own under motion 2");
    let now = [Some(0), Some(1), Some(0)];
    let back = told(ledger.check(&motion(2, &of(Party::Bank, 1, 1, 0), 12, now), 9));
    assert!(back.ends_with("a key never comes back"), "{back}");
    let back = told(
        ledger
            .check(&motion(2, &Motion::Keys { party: Party::Grid, keys: keys(Party::Bank, 0) }, 12, now), 9),
    );
    assert!(back.ends_with("a key never comes back"), "{back}");
    ledger.apply(&motion(2, &Motion::Witness(None), 10, now), 9).unwrap();
    assert_eq!((ledger.at(9).witness().is_some(), ledger.at(10).witness()), (true, None));
    let back = told(ledger.check(&motion(3, &Motion::Witness(Some(regulator(0x77))), 20, now), 11));
    assert!(back.contains("was once"), "{back}");
    let none = told(ledger.check(&motion(3, &Motion::Witness(None), 20, now), 11));
    assert_eq!(none, "the motion changes no key");
}

/// A log key under another log's name.
fn elsewhere(seed: u8) -> String {
    LogSigner::from_seed("tallywatt.test/elsewhere", &[seed; 32]).unwrap().verifier_key().to_string()
}

#[test]
fn texts_have_one_spelling() {
    for motion in [bank(1), Motion::Witness(None), Motion::Witness(Some(regulator(1)))] {
        let text = motion_text(ORIGIN, 3, &motion, 70);
        assert_eq!(parse_motion_text(ORIGIN, &text).as_ref(), Ok(&(3, motion, 70)));
        assert!(parse_motion_text("tallywatt.test/other", &text).is_err());
        for bent in [
            text.replace("motion 3", "motion 03"),
            text.replace("from block 70", "from block +70"),
            text.replace("governance/v1", "governance/v2"),
            format!("{text}\n"),
            text.replace('\n', "\r\n"),
        ] {
            assert!(parse_motion_text(ORIGIN, &bent).is_err(), "{bent}");
        }
        for size in 0..text.len() {
            assert!(parse_motion_text(ORIGIN, &text[..size]).is_err(), "cut to {size}");
        }
    }
}

/// The same again from bytes; any flipped bit gives other bytes, and no consent that counts.
#[test]
fn bytes_and_values_are_one_to_one() {
    for what in [bank(1), Motion::Witness(None)] {
        let value = motion(1, &what, 8, ALL);
        let mut writer = Writer::default();
        value.write(&mut writer);
        let bytes = writer.finish();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let value = Governance::read(&mut reader)?;
            reader.finish().map(|()| value)
        };
        assert_eq!(read(&bytes).as_ref(), Ok(&value));
        for size in 0..bytes.len() {
            assert!(read(&bytes[..size]).is_err(), "cut to {size} bytes");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let Ok(other) = read(&bent) else { continue };
            assert_ne!(other, value, "bit {bit}");
            assert!(history().check(&other, 5).is_err(), "bit {bit}");
        }
    }
}

/// A witness sees heads alone: by the notes of the motions it knows whose signatures each of them must carry.
#[test]
fn a_witness_follows_the_notes() {
    let head = |size: u64, generation: u8| {
        let text = Checkpoint::new(ORIGIN, size, LogHash::from_bytes([1; 32])).unwrap().to_text();
        let (grid, bank) = (own(Party::Grid, 0), own(Party::Bank, generation));
        let lines = [
            bank.log.sign(&text),
            grid.witness.sign_cosignature(&text, 5),
            bank.witness.sign_cosignature(&text, 5),
        ];
        Note::new(&text, lines.map(Result::unwrap).to_vec()).unwrap()
    };
    let first = note(ORIGIN, 1, &bank(1), 8, ALL);
    let second = note(ORIGIN, 2, &Motion::Witness(Some(regulator(0x78))), 12, [Some(0), Some(1), Some(0)]);
    let watched = WatchedLog::of_genesis(&genesis(), &[first.clone(), second.clone()]).unwrap();
    let knowing_nothing = WatchedLog::of_genesis(&genesis(), &[]).unwrap();
    for (size, generation, is_signed) in [(8, 0, true), (8, 1, false), (9, 0, false), (9, 1, true)] {
        assert_eq!(watched.check_signed(&head(size, generation)).is_ok(), is_signed, "{size} {generation}");
        assert_eq!(knowing_nothing.check_signed(&head(size, generation)).is_ok(), generation == 0);
    }
    let key = |seed| VerifierKey::parse(&regulator(seed)).unwrap();
    assert!(watched.names(&key(0x77)) && watched.names(&key(0x78)) && !watched.names(&key(0x79)));
    for notes in [vec![second.clone()], vec![second, first.clone()], vec![first.clone(), first]] {
        assert!(WatchedLog::of_genesis(&genesis(), &notes).is_err());
    }
}
