//! Receipts as text: one spelling, every limit, and the line that is wrong.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_core::hash::ContentHash;
use tallywatt_core::register::Register;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::key::LogSigner;
use tallywatt_ledger::log::{LogHash, leaf_hash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::receipt::{
    Before, BillPart, CorrectionPart, LoggedBlock, Placed, PlacedBlock, PlacedPartition, Receipt,
    ReceiptError, Subject,
};
use tallywatt_ledger::tlog_proof::TlogProof;

const ORIGIN: &str = "tallywatt.example/region-66";

fn proof(extra: Option<Vec<u8>>) -> TlogProof {
    let text = Checkpoint::new(ORIGIN, 1, leaf_hash(b"genesis")).unwrap().to_text();
    let line = LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap().sign(&text).unwrap();
    TlogProof::new(extra, 0, Vec::new(), Note::new(&text, vec![line]).unwrap()).unwrap()
}

fn placed(byte: u8, index: u64) -> Placed {
    Placed { record: vec![byte; 4], index, path: vec![ContentHash([byte; 32]); 2] }
}

fn bill(account: &str) -> Subject {
    Subject::Bill { period: "2026-03".parse().unwrap(), account: account.parse().unwrap() }
}

/// Parsing decodes no record, so that any bytes do.
fn receipt(subject: Subject) -> Receipt {
    let logged = LoggedBlock { record: vec![5; 5], log_leaf: vec![6; 6] };
    let path = vec![LogHash::from_bytes([7; 32])];
    let part = BillPart {
        bill: placed(1, 0),
        correction: None,
        tariffs: vec![vec![2; 3], vec![3; 2]],
        agreement: vec![4],
        contracts: vec![placed(8, 18), placed(9, 19)],
        market: vec![vec![13; 4], vec![14; 5]],
        previous: Some(placed(13, 3)),
    };
    Receipt {
        subject,
        bill: matches!(subject, Subject::Bill { .. }).then_some(part),
        partitions: vec![PlacedPartition { record: vec![10; 9], path: Vec::new() }],
        leaves: vec![placed(11, 0), placed(12, 10)],
        blocks: vec![PlacedBlock { logged: logged.clone(), path }],
        motions: Vec::new(),
        sealed_by: logged,
        proof: proof(None),
    }
}

#[test]
fn text_and_back() {
    let day = Subject::Day {
        day: "2026-03-14".parse().unwrap(),
        register: Register::IMPORT,
        usage_point: "EKB 17".parse().unwrap(),
    };
    let table = [
        (bill("A-000017"), "bill 2026-03 A-000017"),
        (bill("Klant 2"), "bill 2026-03 Klant 2"),
        (day, "day 2026-03-14 1-0:1.8.0 EKB 17"),
    ];
    for (subject, text) in table {
        let receipt = receipt(subject);
        let bytes = receipt.encode();
        assert!(bytes.starts_with(format!("tallywatt-receipt/v1\nsubject {text}\n").as_bytes()));
        assert_eq!(Receipt::parse(&bytes), Ok(receipt.clone()));
        // A bill that names no market documents has no such lines.
        let plain = Receipt {
            bill: receipt.bill.clone().map(|part| BillPart { market: Vec::new(), ..part }),
            ..receipt
        };
        assert_eq!(Receipt::parse(&plain.encode()), Ok(plain.clone()));
        assert!(!String::from_utf8(plain.encode()).unwrap().contains("\nmarket "));
        for end in 0..bytes.len() {
            assert!(Receipt::parse(&bytes[..end]).is_err(), "cut to {end}");
        }
        // Of a ledger whose keys changed there are the motions, in front of the sealing block.
        let moved = Receipt { motions: vec![plain.blocks[0].clone(); 2], ..plain };
        let text = String::from_utf8(moved.encode()).unwrap();
        assert_eq!(Receipt::parse(text.as_bytes()), Ok(moved.clone()));
        assert!(
            text.contains("\nmotion ") && !String::from_utf8(bytes.clone()).unwrap().contains("\nmotion ")
        );
        let line = text.lines().find(|line| line.starts_with("motion ")).unwrap();
        let more = text.replacen(line, &vec![line; 256].join("\n"), 1);
        assert!(
            Receipt::parse(more.as_bytes()).unwrap_err().to_string().contains("more than 256 motion lines")
        );
        // A bill stands on one bill, or on none.
        let text = String::from_utf8(bytes).unwrap();
        if let Some(line) = text.lines().find(|line| line.starts_with("previous ")) {
            let without = text.replace(&format!("{line}\n"), "");
            let parsed = Receipt::parse(without.as_bytes()).unwrap();
            assert_eq!((parsed.encode(), parsed.bill.unwrap().previous), (without.into_bytes(), None));
            let twice = text.replace(line, &format!("{line}\n{line}"));
            assert!(Receipt::parse(twice.as_bytes()).is_err());
        }
    }
}

/// A correction in the place of the bill, with what stood before and without.
fn corrected(has_before: bool) -> Receipt {
    let mut receipt = receipt(bill("A-000017"));
    let sealed_by = receipt.blocks[0].clone();
    let before = has_before.then_some(Before { record: placed(13, 3), sealed_by });
    receipt.bill.as_mut().unwrap().correction = Some(CorrectionPart { before });
    receipt
}

#[test]
fn a_correction_and_back() {
    for has_before in [true, false] {
        let receipt = corrected(has_before);
        let bytes = receipt.encode();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.starts_with("tallywatt-receipt/v1\nsubject bill 2026-03 A-000017\ncorrection AQEBAQ== 0 ")
        );
        assert_eq!(text.contains("\nbefore DQ0NDQ== 3 "), has_before);
        assert_eq!(text.contains("\nbefore-block BQUFBQU= BgYGBgYG "), has_before);
        assert_eq!(Receipt::parse(&bytes), Ok(receipt));
        for end in 0..bytes.len() {
            assert!(Receipt::parse(&bytes[..end]).is_err(), "cut to {end}");
        }
    }
    let table = [
        ("\nbefore-block", "\nbefore-bloc", 5, "expected before-block"),
        ("\nbefore DQ", "\nbehind DQ", 4, "expected tariff"),
        ("\nbefore DQ0NDQ== 3", "\nbefore DQ0NDQ== 03", 4, "leading zeros"),
        ("\ncorrection", "\ncorrections", 3, "expected bill"),
        ("\ncorrection", "\nbill", 4, "expected tariff"),
    ];
    let text = String::from_utf8(corrected(true).encode()).unwrap();
    for (from, to, line, message) in table {
        assert!(text.contains(from), "{from:?} in {text}");
        let error = Receipt::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.line(), Some(line), "{from:?} → {to:?}: {error}");
        assert!(error.to_string().contains(message), "{from:?} → {to:?}: {error}");
    }
}

#[test]
fn each_other_spelling_names_its_line() {
    // what is replaced, by what, the line, part of the message
    let table = [
        ("receipt/v1", "receipt/v2", 1, "version 2"),
        ("receipt/v1", "receipt/v01", 1, "expected tallywatt-receipt/v1"),
        ("receipt/v1", "receipt/v1\r", 1, "expected tallywatt-receipt/v1"),
        ("subject bill", "subject  bill", 2, "is not"),
        ("2026-03 A", "2026-3 A", 2, "is not a month"),
        ("A-000017", "A-000017 ", 2, "is not an account"),
        ("bill 2026-03 A", "loan 2026-03 A", 2, "is not"),
        ("subject", "object", 2, "expected subject"),
        ("\nbill AQEBAQ==", "\nbill AQEBAQ", 3, "base64"),
        ("\nbill AQEBAQ==", "\nbill AQEBAR==", 3, "base64"),
        ("\nbill AQEBAQ==", "\nbill", 3, "a record, an index and a path"),
        ("AQEBAQ== 0 ", "AQEBAQ== 00 ", 3, "leading zeros"),
        ("AQEBAQ== 0 ", "AQEBAQ== +0 ", 3, "leading zeros"),
        ("AQEBAQ== 0 ", "AQEBAQ== 0  ", 3, "a record, an index and a path"),
        ("AQEBAQ== 0 ", "AQEBAQ== 18446744073709551616 ", 3, "leading zeros"),
        ("tariff AgIC\n", "tariff \n", 4, "base64"),
        ("tariff AgIC\n", "tariff AgIC \n", 4, "one record"),
        ("tariff AgIC\ntariff AwM=\n", "", 4, "expected tariff"),
        ("agreement BA==\n", "agreement BA==\nagreement BA==\n", 7, "expected contract"),
        ("agreement BA==\n", "", 6, "expected agreement"),
        ("market DQ0NDQ==\n", "market \n", 9, "base64"),
        ("market DQ0NDQ==\n", "market DQ0NDQ== 0\n", 9, "one record"),
        ("market DQ0NDQ==\n", "markets DQ0NDQ==\n", 9, "expected partition"),
        ("partition CgoKCgoKCgoK -", "partition CgoKCgoKCgoK ", 12, "a path"),
        ("partition CgoKCgoKCgoK -", "partition CgoKCgoKCgoK AAAA", 12, "a path"),
        ("partition CgoKCgoKCgoK -", "partition CgoKCgoKCgoK - -", 12, "a summary and a path"),
        ("leaf", "leaf\u{a0}", 13, "expected leaf"),
        ("sealed-by", "note x\nsealed-by", 16, "expected sealed-by"),
        ("\n\nc2sp", "\n\n\nc2sp", 18, "proof begins"),
        ("\n\nc2sp", "\nc2sp", 17, "one empty line"),
        ("index 0", "index 00", 18, "leading zeroes"),
        ("@v1\nindex", "@v1\nextra AAAA\nindex", 19, "nobody signs"),
    ];
    let text = String::from_utf8(receipt(bill("A-000017")).encode()).unwrap();
    for (from, to, line, message) in table {
        assert!(text.contains(from), "{from:?} in {text}");
        let error = Receipt::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.line(), Some(line), "{from:?} → {to:?}: {error}");
        assert!(error.to_string().contains(message), "{from:?} → {to:?}: {error}");
    }
}

#[test]
fn limits() {
    let own = receipt(bill("A-000017"));
    let refused = |edit: fn(&mut Receipt)| {
        let mut receipt = own.clone();
        edit(&mut receipt);
        Receipt::parse(&receipt.encode()).unwrap_err().to_string()
    };
    let tariffs = refused(|receipt| receipt.bill.as_mut().unwrap().tariffs = vec![vec![1]; 65]);
    assert_eq!(tariffs, "line 68: more than 64 tariff lines");
    let market = refused(|receipt| receipt.bill.as_mut().unwrap().market = vec![vec![1]; 129]);
    assert_eq!(market, "line 137: more than 128 market lines");
    let blocks = refused(|receipt| receipt.blocks = vec![receipt.blocks[0].clone(); 197]);
    assert_eq!(blocks, "line 211: more than 196 block lines");
    let path = refused(|receipt| receipt.leaves[0].path = vec![ContentHash([0; 32]); 41]);
    assert!(path.starts_with("line 13: ") && path.len() < 200, "{path}");
    let line = refused(|receipt| receipt.leaves[0].record = vec![0; 1 << 20]);
    assert!(line.starts_with("line 13: line has "), "{line}");
    let whole = Receipt::parse(&vec![b'a'; (64 << 20) + 1]);
    assert_eq!(whole, Err(ReceiptError::TooLong { bytes: (64 << 20) + 1 }));
    let text = Receipt::parse(b"tallywatt-receipt/v1\nsubject \xff\n").unwrap_err();
    assert_eq!(text.to_string(), "line 2: bytes are not text in UTF-8");
}
