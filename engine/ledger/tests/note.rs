//! Notes and checkpoints: golden bytes made by another implementation, and one row for every refusal.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_ledger::checkpoint::{Checkpoint, CheckpointError, ORIGIN_SIZE_MAX};
use tallywatt_ledger::key::{Cosigner, LogSigner, VerifierKey};
use tallywatt_ledger::log::{LOG_SIZE_MAX, Log, leaf_hash};
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note, NoteError, SignatureLine};

/// Made with OpenSSL from the seeds below, with no code of this crate.
const GOLDEN: &str = include_str!("golden/region-66.tlog-proof");
const ORIGIN: &str = "tallywatt.example/region-66";
const LOG_KEY: &str = "tallywatt.example/region-66+7bcd26a9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const WITNESSES: [(&str, u8, &str); 3] = [
    ("grid.example", 11, "grid.example+9dd8eca9+BGa+fjMsekUzMr2dCn99sFX1xe8aBq2mbZizn7aBDEc6"),
    ("bank.example", 12, "bank.example+45016a5c+BAtROtm0kkAVygkC7QeQRNOsXb7CMG8GlIwQ2o62458t"),
    ("supplier.example", 13, "supplier.example+ed6f6011+BJGiigt0OBWTpNlGlXkgiSavyK2CyIObdkQ1m566mks6"),
];
const TIME: u64 = 1_795_000_000;

fn golden_note() -> &'static str {
    GOLDEN.split_once("\n\n").unwrap().1
}

fn golden_head() -> Checkpoint {
    let mut log = Log::new();
    for index in 0..13 {
        log.append(leaf_hash(format!("block-{index}").as_bytes())).unwrap();
    }
    Checkpoint::new(ORIGIN, 13, log.root()).unwrap()
}

fn flipped(line: &SignatureLine, place: usize) -> SignatureLine {
    let mut bytes = line.signature().to_vec();
    bytes[place] ^= 1;
    SignatureLine::new(line.name(), line.key_id(), bytes).unwrap()
}

#[test]
fn signing_gives_the_golden_bytes() {
    let text = golden_head().to_text();
    let log = LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
    assert_eq!(log.verifier_key().to_string(), LOG_KEY);
    let mut lines = vec![log.sign(&text).unwrap()];
    for ((name, seed, key), time) in WITNESSES.into_iter().zip(TIME..) {
        let witness = Cosigner::from_seed(name, &[seed; 32]).unwrap();
        assert_eq!(witness.verifier_key().to_string(), key);
        lines.push(witness.sign_cosignature(&text, time).unwrap());
    }
    assert_eq!(Note::new(&text, lines).unwrap().encode(), golden_note());
}

#[test]
fn golden_note_verifies_and_no_flipped_byte_does() {
    let note = Note::parse(golden_note()).unwrap();
    assert_eq!(note.encode(), golden_note());
    assert_eq!(Checkpoint::parse(note.text()), Ok(golden_head()));
    let log = VerifierKey::parse(LOG_KEY).unwrap();
    assert_eq!(log.verify_signature(note.text(), &note.signatures()[0]), Ok(()));
    for ((line, (_, _, key)), time) in note.signatures()[1..].iter().zip(WITNESSES).zip(TIME..) {
        let key = VerifierKey::parse(key).unwrap();
        assert_eq!(key.verify_cosignature(note.text(), line), Ok(time));
        for place in 0..line.signature().len() {
            let verdict = key.verify_cosignature(note.text(), &flipped(line, place));
            assert!(verdict.is_err(), "{} byte {place}", line.name());
        }
        assert!(key.verify_cosignature(&note.text().replace("13", "14"), line).is_err());
    }
    // Nothing between the first byte and the last may change and still be the same believed note.
    for place in 0..golden_note().len() {
        let mut bytes = golden_note().as_bytes().to_vec();
        bytes[place] ^= 1;
        let Ok(Ok(changed)) = String::from_utf8(bytes).map(|text| Note::parse(&text)) else {
            continue;
        };
        let holds = |(line, (_, _, key)): (&SignatureLine, (&str, u8, &str))| {
            VerifierKey::parse(key).unwrap().verify_cosignature(changed.text(), line).is_ok()
        };
        let witnesses_hold = changed.signatures()[1..].iter().zip(WITNESSES).all(holds);
        let log_holds = log.verify_signature(changed.text(), &changed.signatures()[0]).is_ok();
        assert!(!(witnesses_hold && log_holds), "byte {place}");
    }
}

/// The example in C2SP signed-note.
#[test]
fn published_example_verifies() {
    let key =
        VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
    let note = Note::parse(
        "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
    )
    .unwrap();
    assert_eq!(key.verify_signature(note.text(), &note.signatures()[0]), Ok(()));
}

#[test]
fn notes_have_one_spelling() {
    let line = "\u{2014} a AAAAAAE=\n";
    let other = "\u{2014} b AAAAAAE=\n";
    let taken = [
        format!("t\n\n{line}"),
        format!("t\n\n{line}{other}"),
        format!("\n\n{line}"),
        format!("t\n\n\n{line}"),
        format!("a\n\nb\n\n{line}"),
        format!("é \u{2014} x\n\n{line}"),
        format!("t\n\n{}", (0..16).map(|n| format!("\u{2014} a{n} AAAAAAE=\n")).collect::<String>()),
    ];
    for note in taken {
        assert_eq!(Note::parse(&note).map(|parsed| parsed.encode()), Ok(note));
    }

    let many: String = (0..17).map(|n| format!("\u{2014} a{n} AAAAAAE=\n")).collect();
    let name = |text: &str| NoteError::KeyName { name: text.to_owned() };
    let bytes = || NoteError::SignatureBytes { name: "a".to_owned() };
    let cases: Vec<(String, NoteError)> = vec![
        (String::new(), NoteError::NoSeparator { bytes: 0 }),
        ("t\n".to_owned(), NoteError::NoSeparator { bytes: 2 }),
        (format!("t\n{line}"), NoteError::NoSeparator { bytes: 2 + line.len() }),
        ("t\n\n".to_owned(), NoteError::SignatureCount { count: 0 }),
        (format!("t\n\n{many}"), NoteError::SignatureCount { count: 17 }),
        (format!("t\n\n{line}{line}"), NoteError::SignedTwice { key: "a+00000000".to_owned() }),
        (format!("t\r\n\n{line}"), NoteError::ControlCharacter { code: 13, offset: 1 }),
        (format!("t\0\n\n{line}"), NoteError::ControlCharacter { code: 0, offset: 1 }),
        (format!("t\n\n{}", line.trim_end()), NoteError::SignatureLine { line: 1 }),
        (format!("t\n\n{line}x"), NoteError::SignatureLine { line: 2 }),
        ("t\n\n- a AAAAAAE=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("t\n\n\u{2014} aAAAAAAE=\n".to_owned(), NoteError::SignatureLine { line: 1 }),
        ("t\n\n\u{2014}  AAAAAAE=\n".to_owned(), name("")),
        ("t\n\n\u{2014} a+b AAAAAAE=\n".to_owned(), name("a+b")),
        ("t\n\n\u{2014} a\u{a0}b AAAAAAE=\n".to_owned(), name("a\u{a0}b")),
        ("t\n\n\u{2014} a\tb AAAAAAE=\n".to_owned(), name("a\tb")),
        ("t\n\n\u{2014} a  AAAAAAE=\n".to_owned(), bytes()),
        ("t\n\n\u{2014} a AAAAAAE= \n".to_owned(), bytes()),
        ("t\n\n\u{2014} a AAAAAAE\n".to_owned(), bytes()),
        ("t\n\n\u{2014} a AAAAAAF=\n".to_owned(), bytes()),
        ("t\n\n\u{2014} a AAAAAA==\n".to_owned(), bytes()),
        ("t\n\n\u{2014} a AAAAAAE=\r\n".to_owned(), bytes()),
        (format!("t\n\n\u{2014} a {}\n", "A".repeat(12_000)), bytes()),
        (
            format!("{}\n\n{line}", "t".repeat(NOTE_SIZE_MAX)),
            NoteError::NoteSize { bytes: NOTE_SIZE_MAX + 2 + line.len() },
        ),
    ];
    for (note, expected) in cases {
        assert_eq!(Note::parse(&note), Err(expected), "{:?}", note.chars().take(80).collect::<String>());
    }
}

#[test]
fn checkpoints_have_one_text() {
    let root = leaf_hash(b"x");
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for text in [
        format!("o\n1\n{root}\n"),
        format!("o\n{LOG_SIZE_MAX}\n{root}\n"),
        format!("o\n0\n{empty}\n"),
        format!("{}\n7\n{root}\n", "o".repeat(ORIGIN_SIZE_MAX)),
    ] {
        assert_eq!(Checkpoint::parse(&text).map(|head| head.to_text()), Ok(text));
    }
    type IsExpected = fn(&CheckpointError) -> bool;
    let count: IsExpected = |error| matches!(error, CheckpointError::LineCount { .. });
    let origin: IsExpected = |error| matches!(error, CheckpointError::Origin { .. });
    let size: IsExpected = |error| matches!(error, CheckpointError::Size { .. });
    let hash: IsExpected = |error| matches!(error, CheckpointError::Root(_));
    let nothing: IsExpected = |error| matches!(error, CheckpointError::EmptyRoot { .. });
    let cases = [
        (String::new(), count),
        (format!("o\n1\n{root}"), count),
        (format!("o\n1\n{root}\n\n"), count),
        (format!("o\n1\n{root}\nextension\n"), count),
        (format!("\n1\n{root}\n"), origin),
        (format!("o p\n1\n{root}\n"), origin),
        (format!("o+p\n1\n{root}\n"), origin),
        (format!("o\r\n1\n{root}\n"), origin),
        (format!("{}\n1\n{root}\n", "o".repeat(ORIGIN_SIZE_MAX + 1)), origin),
        (format!("o\n\n{root}\n"), size),
        (format!("o\n01\n{root}\n"), size),
        (format!("o\n+1\n{root}\n"), size),
        (format!("o\n-1\n{root}\n"), size),
        (format!("o\n 1\n{root}\n"), size),
        (format!("o\n{}\n{root}\n", LOG_SIZE_MAX + 1), size),
        (format!("o\n99999999999999999999\n{root}\n"), size),
        (format!("o\n1\n{root}=\n"), hash),
        ("o\n1\n\n".to_owned(), hash),
        (format!("o\n0\n{root}\n"), nothing),
    ];
    for (text, is_expected) in cases {
        let found = Checkpoint::parse(&text).expect_err(&text);
        assert!(is_expected(&found), "{text:?} gave {found:?}");
    }
}
