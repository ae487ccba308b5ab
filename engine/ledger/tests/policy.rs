//! Policies: what they accept of a golden note, how they are written, and one row for every refusal.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_ledger::key::{Cosigner, KeyKind, LogSigner, VerifierKey};
use tallywatt_ledger::note::{Note, NoteError, SignatureLine};
use tallywatt_ledger::policy::{Cosigned, DEFINITION_COUNT_MAX, POLICY_SIZE_MAX, Policy, PolicyError};

/// Made with OpenSSL, with no code of this crate.
const GOLDEN: &str = include_str!("golden/region-66.tlog-proof");
const LOG: &str = "tallywatt.example/region-66+7bcd26a9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const GRID: &str = "grid.example+9dd8eca9+BGa+fjMsekUzMr2dCn99sFX1xe8aBq2mbZizn7aBDEc6";
const BANK: &str = "bank.example+45016a5c+BAtROtm0kkAVygkC7QeQRNOsXb7CMG8GlIwQ2o62458t";
const SUPPLIER: &str = "supplier.example+ed6f6011+BJGiigt0OBWTpNlGlXkgiSavyK2CyIObdkQ1m566mks6";
const TIME: u64 = 1_795_000_000;

/// Writes the keys into a policy text: `$LOG`, `$GRID`, `$BANK`, `$SUPPLIER`.
fn filled(text: &str) -> String {
    [("$LOG", LOG), ("$GRID", GRID), ("$BANK", BANK), ("$SUPPLIER", SUPPLIER)]
        .into_iter()
        .fold(text.to_owned(), |text, (mark, key)| text.replace(mark, key))
}

const KNOWN: &str = "log $LOG\nwitness grid $GRID\nwitness bank $BANK\nwitness supplier $SUPPLIER\n";

fn policy(rules: &str) -> Policy {
    Policy::parse(&filled(&format!("{KNOWN}{rules}"))).unwrap()
}

fn golden_note() -> Note {
    Note::parse(GOLDEN.split_once("\n\n").unwrap().1).unwrap()
}

/// The golden note with only the lines of these keys; `log` is the log's own line.
fn note_of(signers: &str) -> Note {
    let note = golden_note();
    let is_kept = |line: &&SignatureLine| {
        signers.split(' ').any(|signer| {
            line.name() == format!("{signer}.example") || (signer == "log" && line.name().contains('/'))
        })
    };
    Note::new(note.text(), note.signatures().iter().filter(is_kept).cloned().collect()).unwrap()
}

#[test]
fn quorums_count_the_right_witnesses() {
    let nested = "group companies all grid bank\ngroup sealed 2 companies supplier\nquorum sealed\n";
    let cases = [
        ("quorum none\n", "log", true),
        ("quorum none\n", "grid", false),
        ("quorum bank\n", "log bank", true),
        ("quorum bank\n", "log grid supplier", false),
        ("quorum bank\n", "grid bank supplier", false),
        ("group g any grid bank\nquorum g\n", "log bank", true),
        ("group g any grid bank\nquorum g\n", "log supplier", false),
        ("group g 2 grid bank supplier\nquorum g\n", "log grid supplier", true),
        ("group g 2 grid bank supplier\nquorum g\n", "log supplier", false),
        ("group g all grid bank supplier\nquorum g\n", "log grid bank supplier", true),
        ("group g all grid bank supplier\nquorum g\n", "log grid bank", false),
        (nested, "log grid bank supplier", true),
        (nested, "log grid bank", false),
        (nested, "log grid supplier", false),
        ("group a any grid\ngroup b any a\nquorum b\n", "log grid", true),
    ];
    for (rules, signers, accepted) in cases {
        let verdict = policy(rules).evaluate(&note_of(signers)).unwrap();
        assert_eq!(verdict.accepted().is_some(), accepted, "{rules:?} by {signers}");
        assert_eq!(verdict.unknown, Vec::<String>::new());
    }
}

#[test]
fn a_verdict_names_everybody() {
    let policy = Policy::parse(&filled("log $LOG\nwitness the-bank $BANK\nquorum the-bank\n")).unwrap();
    let verdict = policy.evaluate(&golden_note()).unwrap();
    assert_eq!(verdict.checkpoint.size(), 13);
    assert_eq!(verdict.accepted(), Some(&verdict.checkpoint));
    assert_eq!(verdict.logs, ["tallywatt.example/region-66+7bcd26a9"]);
    assert_eq!(verdict.witnesses, [Cosigned { witness: "the-bank".to_owned(), time_unix_s: TIME + 1 }]);
    assert_eq!(verdict.unknown, ["grid.example+9dd8eca9", "supplier.example+ed6f6011"]);
}

#[test]
fn a_known_key_that_does_not_verify_is_an_error() {
    let policy = policy("quorum none\n");
    let note = golden_note();
    for (place, who) in
        [(0, "tallywatt.example/region-66+7bcd26a9"), (1, "grid"), (2, "bank"), (3, "supplier")]
    {
        let mut lines = note.signatures().to_vec();
        let mut bytes = lines[place].signature().to_vec();
        bytes[20] ^= 1;
        lines[place] = SignatureLine::new(lines[place].name(), lines[place].key_id(), bytes).unwrap();
        let key = lines[place].key();
        let expected =
            PolicyError::BadSignature { who: who.to_owned(), cause: NoteError::BadSignature { key } };
        assert_eq!(policy.evaluate(&Note::new(note.text(), lines).unwrap()), Err(expected));
    }

    let other = note.text().replace("region-66", "region-67");
    let log = LogSigner::from_seed("tallywatt.example/region-66", &[1; 32]).unwrap();
    let note = Note::new(&other, vec![log.sign(&other).unwrap()]).unwrap();
    let expected = PolicyError::OtherOrigin {
        key: log.verifier_key().key(),
        origin: "tallywatt.example/region-67".to_owned(),
    };
    assert_eq!(policy.evaluate(&note), Err(expected));

    let note = Note::new("hello\n", vec![log.sign("hello\n").unwrap()]).unwrap();
    assert!(matches!(policy.evaluate(&note), Err(PolicyError::Checkpoint(_))));
}

#[test]
fn texts_read_back_and_bend_only_where_the_standard_does() {
    let plain = filled(&format!("{KNOWN}group g 2 grid bank\ngroup h 1 g supplier\nquorum h\n"));
    let parsed = Policy::parse(&plain).unwrap();
    assert_eq!(parsed.to_string(), plain);
    let loose = filled(
        "# who we are\n\nwitness\tgrid   $GRID\n  log $LOG  \nwitness bank $BANK\n\t# more\nwitness supplier $SUPPLIER\ngroup g all grid bank\ngroup h any g supplier\nquorum h\n",
    );
    assert_eq!(Policy::parse(&loose), Ok(parsed));
    let none = policy("quorum none\n");
    assert_eq!(Policy::parse(&none.to_string()), Ok(none));
}

#[test]
fn parties_is_the_text_with_one_group() {
    let key = |text: &str| VerifierKey::parse(text).unwrap();
    let witnesses = [("grid", GRID), ("bank", BANK), ("supplier", SUPPLIER)]
        .map(|(name, text)| (name.to_owned(), key(text)));
    let parties = Policy::parties(&[key(LOG)], &witnesses, 2).unwrap();
    assert_eq!(parties, policy("group parties 2 grid bank supplier\nquorum parties\n"));
    assert_eq!(parties.logs(), [key(LOG)]);
    assert_eq!(parties.witnesses().map(|(name, _)| name).collect::<Vec<_>>(), ["grid", "bank", "supplier"]);
    for threshold in [0, 4] {
        let refused = PolicyError::Threshold { threshold: threshold.to_string(), members: 3 };
        assert_eq!(Policy::parties(&[key(LOG)], &witnesses, threshold), Err(refused));
    }
    assert_eq!(Policy::parties(&[], &witnesses, 2), Err(PolicyError::NoLog));
    assert_eq!(
        Policy::parties(&[key(LOG)], &[], 0),
        Err(PolicyError::Threshold { threshold: "0".to_owned(), members: 0 })
    );
}

#[test]
fn refusals_name_the_line() {
    let name = |text: &str| text.to_owned();
    let log_id = "tallywatt.example/region-66+7bcd26a9";
    let key_id = "bank.example+45016a5c";
    // The same public key under another name, and so under another id.
    let same = Cosigner::from_seed("teller.example", &[12; 32]).unwrap().verifier_key().to_string();
    let shared = LogSigner::from_seed("bank.example", &[12; 32]).unwrap().verifier_key().clone();
    let words = |keyword, expected, found| PolicyError::WordCount { keyword, expected, found };
    let threshold = |threshold: &str| PolicyError::Threshold { threshold: threshold.to_owned(), members: 2 };
    let long = "n".repeat(256);
    // The rules begin at line 5.
    let cases: Vec<(String, usize, PolicyError)> = vec![
        (name("quorums grid\n"), 5, PolicyError::Keyword { found: name("quorums") }),
        (name("quorum\n"), 5, words("quorum", "a name", 0)),
        (name("quorum grid bank\n"), 5, words("quorum", "a name", 2)),
        (name("log $LOG https://log.example\n"), 5, words("log", "a key", 2)),
        (name("witness $BANK\n"), 5, words("witness", "a name and a key", 1)),
        (name("group g 1\n"), 5, words("group", "a name, a threshold and members", 2)),
        (name("\nlog x\n"), 6, PolicyError::Key(NoteError::KeyShape { bytes: 1 })),
        (
            name("log $BANK\n"),
            5,
            PolicyError::WrongKind { key: name(key_id), found: KeyKind::Cosigner, expected: KeyKind::Log },
        ),
        (
            name("witness w $LOG\n"),
            5,
            PolicyError::WrongKind { key: name(log_id), found: KeyKind::Log, expected: KeyKind::Cosigner },
        ),
        (name("log $LOG\n"), 5, PolicyError::KeyTwice { key: name(log_id) }),
        (name("witness w $BANK\n"), 5, PolicyError::KeyTwice { key: name(key_id) }),
        (
            format!("witness w {same}\n"),
            5,
            PolicyError::KeyTwice { key: same[..same.rfind("+B").unwrap()].to_owned() },
        ),
        (format!("log {shared}\n"), 5, PolicyError::KeyTwice { key: shared.key() }),
        (name("group bank any grid\n"), 5, PolicyError::NameTwice { name: name("bank") }),
        (name("group none any grid\n"), 5, PolicyError::Name { name: name("none") }),
        (format!("group {long} any grid\n"), 5, PolicyError::Name { name: long[..64].to_owned() }),
        (name("group g any g\n"), 5, PolicyError::NameUnknown { name: name("g") }),
        (name("group g any none\n"), 5, PolicyError::NameUnknown { name: name("none") }),
        (name("quorum g\ngroup g any grid\n"), 5, PolicyError::NameUnknown { name: name("g") }),
        (name("group g any grid grid\n"), 5, PolicyError::MemberTwice { name: name("grid") }),
        (name("group g any grid\ngroup h any grid\n"), 6, PolicyError::MemberTwice { name: name("grid") }),
        (name("group g 0 grid bank\n"), 5, threshold("0")),
        (name("group g 3 grid bank\n"), 5, threshold("3")),
        (name("group g 02 grid bank\n"), 5, threshold("02")),
        (name("group g +2 grid bank\n"), 5, threshold("+2")),
        (name("group g ALL grid bank\n"), 5, threshold("ALL")),
        (name("quorum grid\nquorum bank\n"), 6, PolicyError::QuorumTwice),
        (name("quorum none\nquorum none\n"), 6, PolicyError::QuorumTwice),
        (name("quorum grid\r\n"), 5, PolicyError::ControlCharacter { code: 13 }),
        (name("# bell \u{7}\n"), 5, PolicyError::ControlCharacter { code: 7 }),
        (name("# del \u{7f}\n"), 5, PolicyError::ControlCharacter { code: 127 }),
    ];
    for (rules, line, cause) in cases {
        let expected = PolicyError::Line { line, cause: Box::new(cause) };
        assert_eq!(Policy::parse(&filled(&format!("{KNOWN}{rules}"))), Err(expected), "{rules:?}");
    }

    let whole = [
        (String::new(), PolicyError::TextEnd { bytes: 0 }),
        (name("quorum none"), PolicyError::TextEnd { bytes: 11 }),
        (name("quorum none\n"), PolicyError::NoLog),
        (filled("log $LOG\n"), PolicyError::NoQuorum),
        ("#\n".repeat(POLICY_SIZE_MAX), PolicyError::TooLong { bytes: 2 * POLICY_SIZE_MAX }),
    ];
    for (text, expected) in whole {
        assert_eq!(Policy::parse(&text), Err(expected));
    }
}

#[test]
fn definitions_have_a_limit() {
    let most = u8::try_from(DEFINITION_COUNT_MAX).unwrap();
    let log = |seed| format!("log {}\n", LogSigner::from_seed("o", &[seed; 32]).unwrap().verifier_key());
    let witness =
        |seed| format!("witness w{seed} {}\n", Cosigner::from_seed("w", &[seed; 32]).unwrap().verifier_key());
    let group = |number: u8| match number {
        0 => "group g0 any w100\n".to_owned(),
        _ => format!("group g{number} any g{}\n", number - 1),
    };
    let all: String =
        (0..most).map(log).chain((100..100 + most).map(witness)).chain((0..most).map(group)).collect();
    let full = format!("{all}quorum g31\n");
    assert!(Policy::parse(&full).is_ok());
    for (extra, what) in [(log(most), "logs"), (witness(100 + most), "witnesses"), (group(most), "groups")] {
        let expected = PolicyError::Line { line: 97, cause: Box::new(PolicyError::TooMany { what }) };
        assert_eq!(Policy::parse(&format!("{all}{extra}quorum none\n")), Err(expected));
    }
}
