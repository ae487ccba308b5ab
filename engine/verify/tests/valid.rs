//! Receipts that hold: what the report says, to the byte.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use std::time::Instant;

use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::receipt::Receipt;
use tallywatt_verify::report::{Report, Status, Verdict};
use tallywatt_verify::{Proven, verify};
use town::{Plan, Town, policy};

/// A changed hash is a changed format: a decision, in a commit of its own.
const GOLDEN_BILL_RECEIPT: &str = "d6e57c05531d2239f63163aca2d1df73bd5d1edafaea4036874d7be296400bd3";
const GOLDEN_DAY_RECEIPT: &str = "209b8f3f7b1241ed00ba05bae0c53fe206287371075c702ec0519f51770d170e";

#[test]
fn golden() {
    // The genesis names the time-zone database, which is not ours to hold still.
    let town = Town::planned(Plan { tzdb: "2026a".to_owned(), ..Plan::default() });
    let hash = |receipt: &Receipt| content_hash(&receipt.encode()).to_string();
    let receipts = [town.bill_receipt("A-000017"), town.day_receipt("EKB-000017", "2026-03-14")];
    // Both at once, so that neither's change hides behind the other's.
    assert_eq!(receipts.each_ref().map(hash), [GOLDEN_BILL_RECEIPT, GOLDEN_DAY_RECEIPT]);
}

fn check(receipt: &Receipt) -> Report {
    let bytes = receipt.encode();
    assert_eq!(Receipt::parse(&bytes).unwrap(), *receipt);
    verify(&bytes, &policy(3))
}

#[test]
fn a_bill() {
    let town = Town::new();
    let receipt = town.bill_receipt("A-000017");
    let report = check(&receipt);
    println!("{report}");
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Valid, 0));
    assert!(report.checks.iter().all(|check| check.status == Status::Pass));
    let names: Vec<&str> = report.checks.iter().map(|check| check.name).collect();
    let expected = "file signatures inclusion chain documents contracts readings completeness amount record";
    assert_eq!(names.join(" "), expected);
    let bill = town.bills.iter().find(|bill| bill.account.as_str() == "A-000017").unwrap();
    assert_eq!(bill.tariffs.len(), 2, "the price changes within the month");
    let line = format!("VALID    bill A-000017, 2026-03, {} RUB\n", bill.total);
    assert!(report.to_string().ends_with(&line));
    assert!(matches!(&report.proven, Some(Proven::Bill(proven)) if proven.get() == bill));
    assert_eq!(report.figures.interval_count, Some(1_488));
}

#[test]
fn a_day() {
    let town = Town::new();
    let receipt = town.day_receipt("EKB-000017", "2026-03-14");
    let report = check(&receipt);
    println!("{report}");
    assert_eq!(report.exit_code(), 0);
    let contract = town.contracts.iter().find(|contract| contract.account.as_str() == "A-000017").unwrap();
    let block = town::block(contract, town::day("2026-03-14"));
    let line = format!(
        "VALID    day EKB-000017 1-0:1.8.0, 2026-03-14, {} Wh, 47 valid, 1 estimated_linear, revision 2\n",
        block.total_wh()
    );
    assert!(report.to_string().ends_with(&line));
    assert!(matches!(report.proven, Some(Proven::Day(proven)) if *proven.get() == block));
}

/// One silent day stands between neighbours, the other at the end, where a leaf could have been left out.
#[test]
fn days_without_readings_are_proven_or_told() {
    let report = check(&Town::new().bill_receipt("A-000040"));
    println!("{report}");
    assert_eq!(report.exit_code(), 0);
    let readings = report.checks.iter().find(|check| check.name == "readings").unwrap();
    assert!(readings.detail.ends_with("; days proven to have none: 1"), "{}", readings.detail);
    let told = "that no readings exist for EKB-000040 1-0:1.8.0 on 2026-03-31".to_owned();
    assert!(report.not_checked.contains(&told));
}

/// Equal results prove the bill whatever the database is called; a difference then proves nothing.
#[test]
fn another_time_zone_database_is_told() {
    let tzdb = || "1999a".to_owned();
    let same = check(&Town::planned(Plan { tzdb: tzdb(), ..Plan::default() }).bill_receipt("A-000030"));
    assert_eq!(same.exit_code(), 0);
    assert!(same.not_checked[0].contains("1999a"), "{:?}", same.not_checked);
    let edit_bill = |bill: &mut tallywatt_core::bill::Bill| bill.payee_part = Default::default();
    let other =
        check(&Town::planned(Plan { tzdb: tzdb(), edit_bill, ..Plan::default() }).bill_receipt("A-000030"));
    assert_eq!((other.verdict, other.exit_code()), (Verdict::Unchecked, 2));
    assert!(other.to_string().contains("\nUNCHECKED amount: the bill's payee's part"));
}

#[test]
fn json_has_the_same_fields_on_every_outcome() {
    let receipt = Town::new().bill_receipt("A-000030").encode();
    for (bytes, verdict) in
        [(&receipt[..], "valid"), (b"x\"\n", "invalid"), (b"tallywatt-receipt/v2\n", "unchecked")]
    {
        let json = verify(bytes, &policy(3)).to_json();
        assert!(json.starts_with(&format!("{{\"verdict\":\"{verdict}\",\"exit_code\":")), "{json}");
        let mut rest = json.as_str();
        for field in ["summary", "subject", "figures", "checks", "not_checked", "tool"] {
            let at = rest.find(&format!("\"{field}\":")).unwrap_or_else(|| panic!("{field} in {json}"));
            rest = &rest[at..];
        }
    }
}

#[test]
fn size_and_time_of_a_household_month() {
    let receipt = Town::new().bill_receipt("A-000017").encode();
    let policy = policy(3);
    let start = Instant::now();
    let count = 20;
    for _ in 0..count {
        assert_eq!(verify(&receipt, &policy).exit_code(), 0);
    }
    let each = start.elapsed() / count;
    println!("a household month: {} bytes, verified in {each:?}", receipt.len());
    assert!(receipt.len() < 64 * 1024);
}
