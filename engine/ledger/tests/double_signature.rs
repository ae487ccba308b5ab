//! Evidence of a double signature: who is convicted, who is not, and that no byte of it may be another.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::double_signature::{DoubleSignature, EVIDENCE_SIZE_MAX, EvidenceError};
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::log::leaf_hash;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;

const ORIGIN: &str = "tallywatt.example/region-66";

fn log() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap()
}

fn witness(name: &str) -> Cosigner {
    let seed = [u8::try_from(name.len()).unwrap(); 32];
    Cosigner::from_seed(&format!("{name}.example"), &seed).unwrap()
}

fn policy() -> Policy {
    let named =
        ["grid", "banks", "supplier"].map(|name| (name.to_owned(), witness(name).verifier_key().clone()));
    Policy::parties(&[log().verifier_key().clone()], &named, 2).unwrap()
}

/// A head of this size over a root of this name, signed by the log if asked, and by witnesses.
fn head(origin: &str, size: u64, root: &str, is_logged: bool, witnesses: &[&str]) -> Note {
    let text = Checkpoint::new(origin, size, leaf_hash(root.as_bytes())).unwrap().to_text();
    let mut lines = Vec::new();
    if is_logged {
        lines.push(LogSigner::from_seed(origin, &[1; 32]).unwrap().sign(&text).unwrap());
    }
    for (name, time) in witnesses.iter().zip(1_795_000_000..) {
        lines.push(witness(name).sign_cosignature(&text, time).unwrap());
    }
    Note::new(&text, lines).unwrap()
}

/// Of one head and of the other: whether the log signed it, and which witnesses; then who is convicted.
type Row = (bool, &'static [&'static str], bool, &'static [&'static str], &'static [&'static str]);

#[test]
fn whoever_signed_both_is_named() {
    let table: [Row; 6] = [
        (true, &["grid", "banks"], false, &["supplier", "banks"], &["banks"]),
        (true, &["grid"], true, &["supplier"], &[ORIGIN]),
        (true, &["grid", "banks"], true, &["grid", "banks"], &[ORIGIN, "grid", "banks"]),
        (true, &["grid"], false, &["supplier"], &[]),
        (false, &["stranger"], false, &["stranger"], &[]),
        (false, &["stranger", "supplier"], false, &["stranger", "supplier"], &["supplier"]),
    ];
    for (is_logged, witnesses, is_other_logged, others, expected) in table {
        let one = head(ORIGIN, 9, "one", is_logged, witnesses);
        let other = head(ORIGIN, 9, "other", is_other_logged, others);
        let evidence = DoubleSignature::new(one.clone(), other.clone()).unwrap();
        assert_eq!(DoubleSignature::new(other, one).unwrap().encode(), evidence.encode(), "in either order");
        assert_eq!(DoubleSignature::parse(evidence.encode().as_bytes()), Ok(evidence.clone()));
        let found = evidence.signers(&policy());
        let names: Vec<String> = found.iter().flatten().map(|signer| signer.name.clone()).collect();
        assert_eq!(names, expected, "{witnesses:?} and {others:?}");
        if expected.is_empty() {
            assert_eq!(found, Err(EvidenceError::Nobody { size: 9 }));
        }
    }
}

#[test]
fn heads_that_may_stand_side_by_side_are_no_evidence() {
    let refused = |one: Note, other: Note| DoubleSignature::new(one, other).unwrap_err().to_string();
    let own = || head(ORIGIN, 9, "one", true, &["grid"]);
    let table = [
        (head(ORIGIN, 10, "other", true, &["grid"]), "the heads are of size 9 and 10: a log may grow"),
        (head(ORIGIN, 9, "one", true, &["banks"]), "both heads have root"),
        (head("other.example/log", 9, "other", true, &["grid"]), "two logs may differ"),
    ];
    for (other, want) in table {
        let text = refused(own(), other);
        assert!(text.contains(want), "{text}");
    }
    let text = Note::new("not a head\n", vec![log().sign("not a head\n").unwrap()]).unwrap();
    assert!(refused(own(), text).contains("cannot read the head of note 2"));
}

#[test]
fn no_other_byte_convicts() {
    let (one, other) = (head(ORIGIN, 9, "one", false, &["grid"]), head(ORIGIN, 9, "other", false, &["grid"]));
    let text = DoubleSignature::new(one, other).unwrap().encode().into_bytes();
    for at in 0..text.len() {
        for mask in [1, 2, 4, 32, 128] {
            let mut bent = text.clone();
            bent[at] ^= mask;
            let convicted = DoubleSignature::parse(&bent).and_then(|evidence| evidence.signers(&policy()));
            assert!(convicted.is_err(), "byte {at} ^ {mask}");
        }
        assert!(DoubleSignature::parse(&text[..at]).is_err(), "cut to {at}");
    }
    assert_eq!(DoubleSignature::parse(&[&text[..], b"\n"].concat()), Err(EvidenceError::Shape));
    let newer = DoubleSignature::parse(b"tallywatt-evidence/v2\n");
    assert!(matches!(newer, Err(EvidenceError::Version { .. })), "{newer:?}");
    let endless = DoubleSignature::parse(&vec![b'x'; EVIDENCE_SIZE_MAX + 1]);
    assert!(matches!(endless, Err(EvidenceError::TooLong { .. })), "{endless:?}");
}
