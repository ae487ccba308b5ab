//! Proof texts: a golden one made by another implementation, every flipped bit of it, and one row for every refusal.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::key::{LogSigner, VerifierKey};
use tallywatt_ledger::log::{Log, LogError, leaf_hash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::tlog_proof::{EXTRA_SIZE_MAX, TLOG_PROOF_SIZE_MAX, TlogProof, TlogProofError};

/// Made with OpenSSL and another Merkle tree, with no code of this crate: `block-9` of `block-0` to `block-12`.
const GOLDEN: &str = include_str!("golden/region-66.tlog-proof");
const KEYS: [&str; 4] = [
    "tallywatt.example/region-66+7bcd26a9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
    "grid.example+9dd8eca9+BGa+fjMsekUzMr2dCn99sFX1xe8aBq2mbZizn7aBDEc6",
    "bank.example+45016a5c+BAtROtm0kkAVygkC7QeQRNOsXb7CMG8GlIwQ2o62458t",
    "supplier.example+ed6f6011+BJGiigt0OBWTpNlGlXkgiSavyK2CyIObdkQ1m566mks6",
];

fn policy(threshold: usize) -> Policy {
    let [log, witnesses @ ..] = KEYS.map(|key| VerifierKey::parse(key).unwrap());
    Policy::parties(&[log], &witnesses.map(|key| (key.name().to_owned(), key)), threshold).unwrap()
}

fn log() -> Log {
    let mut log = Log::new();
    for index in 0..13 {
        log.append(leaf_hash(format!("block-{index}").as_bytes())).unwrap();
    }
    log
}

#[test]
fn golden_proof_verifies() {
    let proof = TlogProof::parse(GOLDEN).unwrap();
    assert_eq!(proof.encode(), GOLDEN);
    assert_eq!((proof.extra(), proof.index()), (Some(&b"row 7"[..]), 9));
    assert_eq!(proof.path(), log().prove_inclusion(9, 13).unwrap());
    assert_eq!(proof.checkpoint().root(), log().root());
    let verdict = proof.verify(leaf_hash(b"block-9"), &policy(3)).unwrap();
    assert_eq!(verdict.accepted(), Some(proof.checkpoint()));
    assert_eq!(verdict.witnesses.len(), 3);
    let rebuilt = TlogProof::new(Some(b"row 7".to_vec()), 9, proof.path().to_vec(), proof.note().clone());
    assert_eq!(rebuilt, Ok(proof));
}

#[test]
fn no_flipped_bit_verifies_but_in_what_nobody_signs() {
    let policy = policy(3);
    let extra = GOLDEN.find("cm93").unwrap()..GOLDEN.find("\nindex").unwrap();
    for (place, bit) in (0..GOLDEN.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
        let mut bytes = GOLDEN.as_bytes().to_vec();
        bytes[place] ^= 1 << bit;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let Ok(proof) = TlogProof::parse(&text) else {
            continue;
        };
        assert_eq!(proof.encode(), text, "byte {place} bit {bit}");
        let verdict = proof.verify(leaf_hash(b"block-9"), &policy);
        // The standard passes over lines of unknown keys: renaming the log's line or a witness leaves too few.
        assert_eq!(verdict.is_ok(), extra.contains(&place), "byte {place} bit {bit}: {verdict:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let proof = TlogProof::parse(GOLDEN).unwrap();
    let leaf = leaf_hash(b"block-9");
    let with =
        |index, path: &[_], note: &Note| TlogProof::new(None, index, path.to_vec(), note.clone()).unwrap();
    let only = |places: &[usize]| {
        let lines = places.iter().map(|place| proof.note().signatures()[*place].clone()).collect();
        with(9, proof.path(), &Note::new(proof.note().text(), lines).unwrap())
    };
    assert!(only(&[0, 1, 3]).verify(leaf, &policy(2)).is_ok());
    let outside = LogError::IndexOutside { index: 13, size: 13 };
    let short = LogError::ProofLength { found: 3, expected: 4 };
    let cases = [
        (only(&[1, 2, 3]), TlogProofError::NoLog),
        (only(&[0, 2]), TlogProofError::NoQuorum { found: 1 }),
        (with(13, proof.path(), proof.note()), TlogProofError::NotIncluded(outside)),
        (with(9, &proof.path()[..3], proof.note()), TlogProofError::NotIncluded(short)),
    ];
    for (changed, expected) in cases {
        assert_eq!(changed.verify(leaf, &policy(2)), Err(expected));
    }
    for (changed, other) in
        [(with(8, proof.path(), proof.note()), leaf), (proof.clone(), leaf_hash(b"block-8"))]
    {
        let found = changed.verify(other, &policy(2));
        assert!(
            matches!(found, Err(TlogProofError::NotIncluded(LogError::RootMismatch { .. }))),
            "{found:?}"
        );
    }
}

#[test]
fn proofs_have_one_spelling() {
    // A log of one leaf: the shortest proof there is, no extra line and no path.
    let signer = LogSigner::from_seed("o", &[5; 32]).unwrap();
    let text = Checkpoint::new("o", 1, leaf_hash(b"x")).unwrap().to_text();
    let note = Note::new(&text, vec![signer.sign(&text).unwrap()]).unwrap();
    let shortest = TlogProof::new(None, 0, Vec::new(), note.clone()).unwrap();
    assert_eq!(shortest.encode(), format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{}", note.encode()));
    assert_eq!(TlogProof::parse(&shortest.encode()), Ok(shortest));
    let largest =
        TlogProof::new(Some(vec![0xFF; EXTRA_SIZE_MAX]), u64::MAX, vec![leaf_hash(b"x"); 40], note.clone())
            .unwrap();
    assert_eq!(TlogProof::parse(&largest.encode()), Ok(largest));

    type IsExpected = fn(&TlogProofError) -> bool;
    let first: IsExpected = |error| matches!(error, TlogProofError::FirstLine { .. });
    let extra: IsExpected = |error| matches!(error, TlogProofError::Extra { .. });
    let index: IsExpected = |error| matches!(error, TlogProofError::Index { .. });
    let hash: IsExpected = |error| matches!(error, TlogProofError::PathHash { .. });
    let count: IsExpected = |error| matches!(error, TlogProofError::PathCount { .. });
    let missing: IsExpected = |error| matches!(error, TlogProofError::NoCheckpoint { .. });
    let bad_note: IsExpected = |error| matches!(error, TlogProofError::Note(_));
    let no_head: IsExpected = |error| matches!(error, TlogProofError::Checkpoint(_));
    let line = "Q4mXLuSArWxYxhr/VwN2fT+0TGo/oRSGbDqXmoxXqNs=\n";
    let cases = [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", first),
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\r", first),
        ("c2sp.org/tlog-proof@v1\n", "", first),
        ("extra cm93IDc=", "extra cm93IDc", extra),
        ("extra cm93IDc=", "extra cm93IDd=", extra),
        ("extra cm93IDc=", "extra ", extra),
        ("extra cm93IDc=", "extra  cm93IDc=", extra),
        ("extra cm93IDc=", "extra", index),
        ("extra cm93IDc=\n", "extra cm93IDc=\nextra cm93IDc=\n", index),
        ("index 9\n", "", index),
        ("index 9", "index 09", index),
        ("index 9", "index +9", index),
        ("index 9", "index  9", index),
        ("index 9", "index 9 ", index),
        ("index 9", "index 18446744073709551616", index),
        ("index 9", "index 9\nindex 9", hash),
        ("index 9\n", "index 9\nQ4mX\n", hash),
        (line, "Q4mXLuSArWxYxhr/VwN2fT+0TGo/oRSGbDqXmoxXqNt=\n", hash),
        (line, &line.repeat(38), count),
        ("=\n\ntally", "=\ntally", hash),
        ("=\n\ntally", "=\n\n\ntally", no_head),
        ("\n13\n", "\n013\n", no_head),
        ("\u{2014} grid", "- grid", bad_note),
        ("\n\n", "\n", missing),
    ];
    for (from, to, is_expected) in cases {
        let changed = GOLDEN.replace(from, to);
        assert_ne!(changed, GOLDEN, "{from:?} is not there");
        let found = TlogProof::parse(&changed).expect_err(to);
        assert!(is_expected(&found), "{to:?} gave {found:?}");
    }
    let long = "x".repeat(TLOG_PROOF_SIZE_MAX + 1);
    assert_eq!(TlogProof::parse(&long), Err(TlogProofError::TooLong { bytes: TLOG_PROOF_SIZE_MAX + 1 }));
    assert!(matches!(
        TlogProof::new(Some(Vec::new()), 0, Vec::new(), note.clone()),
        Err(TlogProofError::Extra { chars: 0 })
    ));
    assert!(matches!(
        TlogProof::new(None, 0, vec![leaf_hash(b"x"); 41], note),
        Err(TlogProofError::PathCount { count: 41 })
    ));
}
