//! Bytes of commands: one to one with values, and golden.

use super::*;
use crate::seal::{SealKind, SealedTree};

fn publication(kind: DocumentKind) -> Command {
    Command::Publish(Publication {
        kind,
        id: "generic".parse().unwrap(),
        hash: ContentHash([9; 32]),
        validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
    })
}

#[test]
fn every_kind_of_document_has_one_code() {
    use DocumentKind::{
        Access, Agreement, HourList, PenaltyTable, PlanSeries, PriceSeries, RulePack, SharingGroup, Tariff,
    };
    // Version, kind and command stand before the document's code.
    let code_at = 3;
    for (code, kind, name) in [
        (1, Tariff, "tariff"),
        (2, Agreement, "agreement"),
        (3, RulePack, "rule pack"),
        (4, PenaltyTable, "penalty table"),
        (5, PriceSeries, "price series"),
        (6, HourList, "hour list"),
        (7, SharingGroup, "sharing group"),
        (8, PlanSeries, "plan"),
        (9, Access, "access list"),
    ] {
        let bytes = publication(kind).encode();
        assert_eq!((bytes[code_at], kind.name()), (code, name));
        assert_eq!(Command::decode(&bytes), Ok(publication(kind)));
    }
    for code in [0, 10, 255] {
        let mut bytes = publication(RulePack).encode();
        bytes[code_at] = code;
        let refused = CodecError::Value { field: "document kind", at: code_at };
        assert_eq!(Command::decode(&bytes), Err(refused), "{code}");
    }
}

fn root(tag: u8) -> Root {
    Root { hash: ContentHash([tag; 32]), count: u64::from(tag) }
}

fn corrections() -> Command {
    Command::Corrections(CorrectionsCommit {
        sequence: 3,
        period: "2026-03".parse().unwrap(),
        day: "2026-06-09".parse().unwrap(),
        readings: root(1),
        contracts: root(2),
        corrections: root(3),
        file: ContentHash([4; 32]),
        energy_wh: -1_250,
        total: Money::from_minor(-805),
        payee_part: ExactAmount::from_e11(-288_000_000_000),
        charged: Money::from_minor(-905),
    })
}

fn period(revision: u32) -> Command {
    let sealed = SealedTree::seal(SealKind::Period, &[]).unwrap().sealed();
    Command::Period(PeriodCommit { period: "2026-03".parse().unwrap(), revision, batches: 2, sealed })
}

/// Round trip; every truncation and an extra byte refused; every flipped bit refused or another value. What was 5, a
/// period without a revision, and 8, a settlement without credits, is no command.
#[test]
fn corrections_and_revisions_one_to_one() {
    for command in [corrections(), period(0), period(7)] {
        let bytes = command.encode();
        assert_eq!(Command::decode(&bytes).as_ref(), Ok(&command));
        for size in 0..bytes.len() {
            assert!(Command::decode(&bytes[..size]).is_err(), "cut to {size} bytes");
        }
        assert!(Command::decode(&[&bytes[..], &[0]].concat()).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Command::decode(&bent) {
                assert_ne!(other, command, "bit {bit}");
                assert_eq!(other.encode(), bent, "bit {bit}");
                assert!(!command.difference(&other).is_empty(), "bit {bit}");
            }
        }
        for code in [5, 7, 8, 14] {
            let mut other = bytes.clone();
            other[2] = code;
            assert_eq!(Command::decode(&other), Err(CodecError::Value { field: "command", at: 2 }));
        }
    }
    let Command::Corrections(own) = corrections() else { unreachable!("they are corrections") };
    let more = Command::Corrections(CorrectionsCommit { charged: Money::ZERO, ..own });
    assert_eq!(corrections().difference(&more), "charged: proposed -9.05, computed 0.00");
}

/// A changed hash here is a change of every ledger that exists: never in passing.
#[test]
fn golden_corrections() {
    let got = [corrections(), period(1)].map(|command| command.digest().to_string());
    assert_eq!(
        got,
        [
            "e46b34424a08fcddd24786f44a182a7728b38694034c698ec5bc9f38225f5571",
            "15a289a055831e88fc6fa5f256eec17460116ec90115aeaf7a9f83da02b2fe0a"
        ]
    );
}

/// A changed hash here is a change of every ledger that exists: never in passing.
#[test]
fn golden_publication() {
    let want = "909d1f435813e24e1e8e705e439f4d57ed72ba86a6b24a2c1388fe22a591e1af";
    assert_eq!(publication(DocumentKind::RulePack).digest().to_string(), want);
}
