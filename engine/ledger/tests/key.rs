//! Keys: one spelling, one row for every refusal of a line, and nothing shown of a secret.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_ledger::key::{COSIGNATURE_TIME_MAX, Cosigner, KeyId, KeyKind, LogSigner, VerifierKey};
use tallywatt_ledger::note::{NoteError, SignatureLine};

const TIME: u64 = 1_795_000_000;

fn bank() -> Cosigner {
    Cosigner::from_seed("bank.example", &[12; 32]).unwrap()
}

#[test]
fn keys_have_one_spelling() {
    let key = |name: &str, id: &str, rest: &str| format!("{name}+{id}+{rest}");
    let code = "BAtROtm0kkAVygkC7QeQRNOsXb7CMG8GlIwQ2o62458t";
    let good = key("bank.example", "45016a5c", code);
    assert_eq!(VerifierKey::parse(&good).unwrap().to_string(), good);

    let shape = |bytes: usize| NoteError::KeyShape { bytes };
    // The neutral point: a key under which one signature fits every text.
    let weak = "BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let cases = [
        (String::new(), shape(0)),
        ("bank.example+45016a5c".to_owned(), shape(21)),
        (key("", "45016a5c", code), NoteError::KeyName { name: String::new() }),
        (key("bank example", "45016a5c", code), NoteError::KeyName { name: "bank example".to_owned() }),
        (key("bank.example", "45016A5C", code), shape(good.len())),
        (key("bank.example", "+5016a5c", code), shape(good.len())),
        (key("bank.example", "5016a5c", code), shape(good.len() - 1)),
        (key("bank.example", "45016a5c", &format!("{code}=")), shape(good.len() + 1)),
        (key("bank.example", "45016a5c", &code[..40]), shape(good.len() - 4)),
        (
            key("bank.example", "45016a5d", code),
            NoteError::KeyIdMismatch {
                name: "bank.example".to_owned(),
                found: KeyId([0x45, 0x01, 0x6a, 0x5d]),
                expected: KeyId([0x45, 0x01, 0x6a, 0x5c]),
            },
        ),
        (
            key("bank.example", "45016a5c", &code.replacen("BA", "Bg", 1)),
            NoteError::KeyAlgorithm { name: "bank.example".to_owned(), algorithm: 6 },
        ),
        (key("bank.example", "45016a5c", weak), NoteError::KeyPoint { name: "bank.example".to_owned() }),
    ];
    for (text, expected) in cases {
        assert_eq!(VerifierKey::parse(&text), Err(expected), "{text}");
    }
}

#[test]
fn lines_of_another_key_kind_text_or_time_are_refused() {
    let (bank, log) = (bank(), LogSigner::from_seed("bank.example", &[12; 32]).unwrap());
    let (cosigner_key, log_key) = (bank.verifier_key(), log.verifier_key());
    let line = bank.sign_cosignature("t\n", TIME).unwrap();
    let log_line = log.sign("t\n").unwrap();
    let short =
        |signature: Vec<u8>| SignatureLine::new("bank.example", cosigner_key.key_id(), signature).unwrap();
    let late = [(COSIGNATURE_TIME_MAX + 1).to_be_bytes().as_slice(), &line.signature()[8..]].concat();
    let key = || cosigner_key.key();
    let cases = [
        (cosigner_key.verify_cosignature("u\n", &line), NoteError::BadSignature { key: key() }),
        (
            cosigner_key.verify_cosignature("t\n", &log_line),
            NoteError::OtherKey { found: log_key.key(), expected: key() },
        ),
        (
            log_key.verify_cosignature("t\n", &log_line),
            NoteError::WrongKind { key: log_key.key(), found: KeyKind::Log, expected: KeyKind::Cosigner },
        ),
        (
            cosigner_key.verify_signature("t\n", &line).map(|()| 0),
            NoteError::WrongKind { key: key(), found: KeyKind::Cosigner, expected: KeyKind::Log },
        ),
        (
            cosigner_key.verify_cosignature("t\n", &short(vec![0; 7])),
            NoteError::SignatureSize { key: key(), bytes: 7, expected: 72 },
        ),
        (
            cosigner_key.verify_cosignature("t\n", &short(line.signature()[..71].to_vec())),
            NoteError::SignatureSize { key: key(), bytes: 71, expected: 72 },
        ),
        (
            cosigner_key.verify_cosignature("t\n", &short([line.signature(), &[0]].concat())),
            NoteError::SignatureSize { key: key(), bytes: 73, expected: 72 },
        ),
        (
            cosigner_key.verify_cosignature("t\n", &short(late)),
            NoteError::Time { time_unix_s: COSIGNATURE_TIME_MAX + 1 },
        ),
        (bank.sign_cosignature("t\n", u64::MAX).map(|_| 0), NoteError::Time { time_unix_s: u64::MAX }),
        (bank.sign_cosignature("t", TIME).map(|_| 0), NoteError::TextEnd { bytes: 1 }),
        (log.sign("").map(|_| 0), NoteError::TextEnd { bytes: 0 }),
    ];
    for (found, expected) in cases {
        assert_eq!(found, Err(expected));
    }
    let latest = bank.sign_cosignature("t\n", COSIGNATURE_TIME_MAX).unwrap();
    assert_eq!(cosigner_key.verify_cosignature("t\n", &latest), Ok(COSIGNATURE_TIME_MAX));
}

#[test]
fn debug_of_a_signer_shows_no_secret() {
    let seed = [0xAB; 32];
    let shown = format!("{:?}", Cosigner::from_seed("bank.example", &seed).unwrap());
    assert!(shown.starts_with("Cosigner(bank.example+"), "{shown}");
    assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171, 171"), "{shown}");
}
