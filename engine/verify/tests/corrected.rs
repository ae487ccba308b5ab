//! Receipts of corrected bills: those that hold, and each lie in the check that is there for it.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use std::collections::BTreeSet;

use tallywatt_core::agreement::Party;
use tallywatt_core::correction::{Correction, Owed};
use tallywatt_core::money::Money;
use tallywatt_ledger::correction_bytes::{decode_correction, encode_correction};
use tallywatt_ledger::receipt::{Before, Receipt, Subject};
use tallywatt_verify::report::{Report, Status, Verdict};
use tallywatt_verify::verify;
use town::corrected::{Corrected, corrected};
use town::{BILLS_HEIGHT, Plan, policy, witness};

/// Within a year of the month, and after it.
const EARLY: [&str; 2] = ["2026-06-09", "2026-07-09"];
const LATE: [&str; 2] = ["2027-06-09", "2027-07-09"];
const ACCOUNT: &str = "A-000040";

fn plain(days: [&str; 2]) -> Corrected {
    corrected(Plan { back_billing_months: Some(12), ..Plan::default() }, days, |_| {})
}

fn check(receipt: &Receipt) -> Report {
    verify(&receipt.encode(), &policy(3))
}

#[test]
fn what_stands_and_what_stood_is_proven() {
    let all = plain(EARLY);
    for (account, number) in [(ACCOUNT, 1), (ACCOUNT, 2), ("A-000030", 1), ("A-000030", 2)] {
        let receipt = all.receipt(account, number);
        let report = check(&receipt);
        assert_eq!(report.verdict, Verdict::Valid, "{report}");
        assert!(report.checks.iter().all(|check| check.status == Status::Pass));
        let names: Vec<&str> = report.checks.iter().map(|check| check.name).collect();
        assert_eq!(
            names.join(" "),
            "file signatures inclusion chain documents contracts readings completeness amount before delta record"
        );
        let own = decode_correction(&receipt.bill.as_ref().unwrap().bill.record).unwrap();
        let (total, change, charged) = (own.bill.total, own.delta.total, own.charged.total);
        let line = format!(
            "VALID    bill {account}, 2026-03, {total} RUB, corrected by {change}, charged {charged}"
        );
        assert_eq!(report.verdict_line(), line);
        assert_eq!(charged, change, "in time, all of it is charged");
        let json = report.to_json();
        assert!(json.contains(&format!("\"change\":\"{change}\",\"charged\":\"{charged}\"")), "{json}");
    }
    // The bill as it was issued is proven as before.
    let issued = check(&all.town.bill_receipt(ACCOUNT));
    assert_eq!(issued.verdict, Verdict::Valid, "{issued}");
    assert!(issued.to_json().contains("\"change\":null,\"charged\":null"));
}

#[test]
fn an_increase_that_comes_late_is_held_back() {
    let all = plain(LATE);
    let report = check(&all.receipt(ACCOUNT, 1));
    assert_eq!(report.verdict, Verdict::Valid, "{report}");
    assert!(report.verdict_line().ends_with("charged 0.00"), "{report}");
    let delta = report.checks.iter().find(|check| check.name == "delta").unwrap();
    assert!(
        delta
            .detail
            .ends_with("charged 0.00: an increase more than 12 months after the month is not charged")
    );
    // The second lowers the bill, below what was charged: credited.
    let own = &all.runs[1].corrections.iter().find(|one| one.bill.account.as_str() == ACCOUNT).unwrap();
    assert!(own.charged.total < Money::ZERO && own.owed == Owed::of(&own.bill));
    assert_eq!(check(&all.receipt(ACCOUNT, 2)).verdict, Verdict::Valid);
}

/// One lie, and the check that must find it.
struct Lie {
    check: &'static str,
    detail: &'static str,
    tell: fn(&Corrected, &mut Receipt),
}

const fn lie(check: &'static str, detail: &'static str, tell: fn(&Corrected, &mut Receipt)) -> Lie {
    Lie { check, detail, tell }
}

fn before(receipt: &mut Receipt) -> &mut Option<Before> {
    &mut receipt.bill.as_mut().unwrap().correction.as_mut().unwrap().before
}

fn edit(receipt: &mut Receipt, edit: fn(&mut Correction)) {
    let placed = &mut receipt.bill.as_mut().unwrap().bill;
    let mut correction = decode_correction(&placed.record).unwrap();
    edit(&mut correction);
    placed.record = encode_correction(&correction);
    decode_correction(&placed.record).unwrap();
}

fn more(money: Money, minor: i64) -> Money {
    Money::from_minor(money.as_minor() + minor)
}

/// One kopeck goes from one line of the difference to another.
fn bend_lines(correction: &mut Correction) {
    let lines = &mut correction.delta.lines;
    (lines[0].amount, lines[1].amount) = (more(lines[0].amount, 1), more(lines[1].amount, -1));
}

/// All of the bill is charged, whenever it comes.
fn charge_all(correction: &mut Correction) {
    let was = Money::from_minor(correction.owed.total.as_minor() - correction.charged.total.as_minor());
    let part = correction.owed.payee_part.as_e11() - correction.charged.payee_part.as_e11();
    correction.owed = Owed::of(&correction.bill);
    correction.charged = Owed {
        total: Money::from_minor(correction.owed.total.as_minor() - was.as_minor()),
        payee_part: tallywatt_core::money::ExactAmount::from_e11(correction.owed.payee_part.as_e11() - part),
    };
    correction.barred_by = None;
}

/// Of the second correction of an account, in time.
const LIES: &[Lie] = &[
    lie("inclusion", "exactly", |_, receipt| {
        before(receipt).as_mut().unwrap().sealed_by.path.pop();
    }),
    lie("inclusion", "is to stand before block", |all, receipt| {
        before(receipt).as_mut().unwrap().sealed_by = all.town.placed_block(all.runs[1].height);
    }),
    lie("chain", "cannot seal", |all, receipt| {
        let contracts = all.runs[0].height + 1;
        receipt.sealed_by = all.town.logged(contracts);
        receipt.proof = all.town.proof(contracts, &Party::ALL.map(witness));
    }),
    lie("contracts", "path leads to", |all, receipt| {
        receipt.sealed_by = all.town.logged(all.runs[0].height);
        receipt.proof = all.town.proof(all.runs[0].height, &Party::ALL.map(witness));
        *before(receipt) = all.receipt(ACCOUNT, 1).bill.unwrap().correction.unwrap().before;
    }),
    lie("readings", "path leads to", |all, receipt| {
        // The leaves as they were before the month was closed again.
        let other = all.town.bill_receipt(ACCOUNT);
        receipt.leaves = other.leaves.into_iter().skip(27).take(2).collect();
        receipt.partitions[0].path = receipt.partitions[0].path.clone();
    }),
    lie("amount", "payee's part is not what the readings and tariff give", |_, receipt| {
        edit(receipt, |one| {
            one.bill.payee_part = Default::default();
            one.owed = Owed::of(&one.bill);
        });
    }),
    lie("before", "is not there", |_, receipt| *before(receipt) = None),
    lie("before", "the correction names", |all, receipt| {
        *before(receipt) = all.receipt(ACCOUNT, 1).bill.unwrap().correction.unwrap().before;
    }),
    lie("before", "the correction names", |_, receipt| {
        edit(receipt, |one| one.before.as_mut().unwrap().0[0] ^= 1);
    }),
    lie("before", "names nothing as before", |_, receipt| {
        edit(receipt, |one| {
            *one = Correction::new(None, one.day, one.bill.clone(), None).unwrap();
        });
    }),
    lie("before", "cannot commit it", |all, receipt| {
        before(receipt).as_mut().unwrap().sealed_by = all.town.placed_block(BILLS_HEIGHT);
    }),
    lie("before", "was not issued", |_, receipt| before(receipt).as_mut().unwrap().record.index ^= 1),
    lie("before", "was not issued", |_, receipt| {
        before(receipt).as_mut().unwrap().record.path.clear();
    }),
    lie("delta", "line 1 of the difference says", |_, receipt| edit(receipt, bend_lines)),
    lie("delta", "line 1 of the difference says", |_, receipt| {
        edit(receipt, |one| one.delta.lines[0].quantity += 1);
    }),
    lie("delta", "or another tax or part", |_, receipt| {
        edit(receipt, |one| one.delta.vat[0].base = more(one.delta.vat[0].base, 1));
    }),
    lie("delta", "is charged and", |_, receipt| {
        edit(receipt, |one| one.charged.total = more(one.charged.total, 1));
    }),
    lie("delta", "its block of another day", |_, receipt| {
        edit(receipt, |one| one.day = one.day.plus(1).unwrap());
    }),
    lie("record", "was not issued", |_, receipt| receipt.bill.as_mut().unwrap().bill.index ^= 1),
    lie("record", "the subject is", |_, receipt| {
        receipt.subject = Subject::Bill { period: town::month(), account: "A-000001".parse().unwrap() };
    }),
];

fn failed(report: &Report) -> (&'static str, &str) {
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Invalid, 1), "{report}");
    let check = report.stopped_by().unwrap();
    (check.name, &check.detail)
}

#[test]
fn each_lie_fails_in_its_check() {
    let all = plain(EARLY);
    let valid = all.receipt(ACCOUNT, 2);
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (at, lie) in LIES.iter().enumerate() {
        let mut receipt = valid.clone();
        (lie.tell)(&all, &mut receipt);
        assert_ne!(receipt, valid, "lie {at}");
        let report = check(&receipt);
        let (name, detail) = failed(&report);
        if name != lie.check || !detail.contains(lie.detail) {
            wrong.push(format!(
                "lie {at} is found by {name}: {detail}; expected {}: {}",
                lie.check, lie.detail
            ));
        }
        seen.insert(name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(["before", "delta", "record"].iter().all(|check| seen.contains(check)), "{seen:?}");
}

/// A plan, the days of its two corrections, what is bent in them, which of them is proved, and what the verifier says.
type LyingLedger<'a> = (Plan, [&'a str; 2], fn(&mut Correction), usize, &'a str);

/// The parties agreed on it: nothing is forged, and still it does not hold.
#[test]
fn each_ledger_that_lies_fails_in_its_check() {
    let capped = || Plan { back_billing_months: Some(12), ..Plan::default() };
    let late = "is charged, an increase more than 12 months after the month";
    let table: [LyingLedger<'_>; 3] = [
        (capped(), EARLY, bend_lines, 1, "line 1 of the difference says"),
        (capped(), LATE, charge_all, 1, late),
        // No terms hold it back, and more is charged than the bills give.
        (Plan::default(), LATE, |one| one.charged.total = more(one.charged.total, 1), 1, "is charged and"),
    ];
    for (at, (plan, days, edit, number, detail)) in table.into_iter().enumerate() {
        let report = check(&corrected(plan, days, edit).receipt(ACCOUNT, number));
        let found = failed(&report);
        assert_eq!(found.0, "delta", "ledger {at}: {}", found.1);
        assert!(found.1.contains(detail), "ledger {at}: {}", found.1);
    }
}

/// Every byte, three bits: none of them leaves the receipt valid.
#[test]
fn no_flipped_byte_is_valid() {
    let all = plain(EARLY);
    let receipt = all.receipt("A-000030", 2).encode();
    let policy = policy(3);
    assert_eq!(verify(&receipt, &policy).exit_code(), 0);
    let run = |first: usize| {
        let mut seen: BTreeSet<&'static str> = BTreeSet::new();
        for at in (first..receipt.len()).step_by(2) {
            for mask in [0x01, 0x20, 0x80] {
                let mut bytes = receipt.clone();
                bytes[at] ^= mask;
                let report = verify(&bytes, &policy);
                assert_ne!(report.verdict, Verdict::Valid, "byte {at} ^ {mask:#04x}");
                seen.insert(report.stopped_by().unwrap().name);
            }
        }
        seen
    };
    let seen: BTreeSet<&'static str> = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        run(0).into_iter().chain(other.join().unwrap()).collect()
    });
    println!("{} bytes flipped thrice, found by {seen:?}", receipt.len());
    assert!(seen.is_superset(&BTreeSet::from([
        "file",
        "signatures",
        "inclusion",
        "readings",
        "before",
        "record"
    ])));
}

#[test]
fn a_cut_receipt_is_refused() {
    let bytes = plain(EARLY).receipt("A-000030", 2).encode();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    for end in ends.flat_map(|at| [at, at + 1]).filter(|end| *end < bytes.len()) {
        let report = verify(&bytes[..end], &policy(3));
        let name = failed(&report).0;
        assert!(name == "file" || name == "signatures", "cut to {end}: {report}");
    }
}
