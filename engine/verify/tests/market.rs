//! Receipts of bills by price series: what they prove, and how each lie about the prices is found.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use tallywatt_core::bill::ChargeKind;
use tallywatt_ledger::bill_bytes::{decode_bill, encode_bill};
use tallywatt_ledger::price_series_bytes::encode_price_series;
use tallywatt_ledger::receipt::{BillPart, Receipt};
use tallywatt_verify::report::{Report, Verdict};
use tallywatt_verify::verify;
use town::{Plan, SERIES_HEIGHT, Town, policy};

/// Held from the 27th on: under the version that prices nights by the series alone.
const ACCOUNT: &str = "A-000030";

fn town() -> Town {
    Town::planned(Plan { is_hourly: true, ..Plan::default() })
}

fn part(receipt: &mut Receipt) -> &mut BillPart {
    receipt.bill.as_mut().unwrap()
}

/// The receipt with another of the published series in place of the one that was used, and a bill that names it.
fn with_series(town: &Town, series: usize, account: &str) -> Receipt {
    let mut receipt = town.bill_receipt(account);
    let from = receipt.blocks.len() - 1;
    receipt.blocks[from] = town.placed_block(SERIES_HEIGHT + series);
    let part = part(&mut receipt);
    part.market = vec![encode_price_series(&town.market[series].body)];
    let mut bill = decode_bill(&part.bill.record).unwrap();
    bill.market = vec![town.market[series].hash];
    part.bill.record = encode_bill(&bill);
    receipt
}

#[test]
fn a_bill_by_a_series_is_proven() {
    let town = town();
    for account in [ACCOUNT, "A-000017"] {
        let bill = town.bills.iter().find(|bill| bill.account.as_str() == account).unwrap();
        assert!(bill.lines.iter().any(|line| matches!(line.kind, ChargeKind::Series { .. })));
        assert_eq!(bill.market, [town.market[0].hash]);
        let receipt = town.bill_receipt(account);
        assert_eq!(Receipt::parse(&receipt.encode()).as_ref(), Ok(&receipt));
        let report = verify(&receipt.encode(), &policy(3));
        assert_eq!(report.exit_code(), 0, "{report}");
        let documents = report.checks.iter().find(|check| check.name == "documents").unwrap();
        assert!(documents.detail.contains("price series x from 2026-03-01 until 2026-04-01"), "{report}");
    }
}

#[test]
fn each_lie_about_prices_fails_in_its_check() {
    type Lie = fn(&Town) -> Receipt;
    let table: &[(&str, &str, Lie)] = &[
        // The series is left out, or its block, or both.
        ("documents", "publications for", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            part(&mut receipt).market.clear();
            receipt
        }),
        ("documents", "was not published", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            receipt.blocks.pop();
            receipt
        }),
        ("documents", "other price series, lists of hours or plans", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            part(&mut receipt).market.clear();
            receipt.blocks.pop();
            receipt
        }),
        // Another published series that the bill does not name, in its place and beside it.
        ("documents", "other price series, lists of hours or plans", |town| {
            let mut receipt = with_series(town, 3, ACCOUNT);
            part(&mut receipt).bill = town.placed_bill(ACCOUNT);
            receipt
        }),
        ("documents", "other price series, lists of hours or plans", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            receipt.blocks.push(town.placed_block(SERIES_HEIGHT + 1));
            part(&mut receipt).market.push(encode_price_series(&town.market[1].body));
            receipt
        }),
        // A price made up: its hash is in no block.
        ("documents", "was not published", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            let record = &mut part(&mut receipt).market[0];
            let last = record.len() - 8;
            record[last] ^= 1;
            receipt
        }),
        ("file", "price series record", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            part(&mut receipt).market[0].pop();
            receipt
        }),
        ("file", "hour list record", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            part(&mut receipt).market[0][1] = 0x3f;
            receipt
        }),
        // Published and named, and still not what the bill follows from.
        ("amount", "price series x has no price for", |town| with_series(town, 1, ACCOUNT)),
        ("amount", "price series x is in EUR, the tariff in RUB", |town| with_series(town, 2, ACCOUNT)),
        ("amount", "the readings and tariff give", |town| with_series(town, 3, "A-000017")),
        ("amount", "list of price series, hours and plans", |town| {
            let mut receipt = town.bill_receipt(ACCOUNT);
            receipt.blocks.push(town.placed_block(SERIES_HEIGHT + 1));
            let part = part(&mut receipt);
            let mut both = [&town.market[0], &town.market[1]];
            both.sort_by_key(|series| series.hash);
            part.market = both.iter().map(|series| encode_price_series(&series.body)).collect();
            let mut bill = decode_bill(&part.bill.record).unwrap();
            bill.market = both.iter().map(|series| series.hash).collect();
            part.bill.record = encode_bill(&bill);
            receipt
        }),
    ];
    let town = town();
    for (row, (name, detail, lie)) in table.iter().enumerate() {
        let report: Report = verify(&lie(&town).encode(), &policy(3));
        assert_eq!(report.verdict, Verdict::Invalid, "row {row}: {report}");
        let stop = report.stopped_by().unwrap();
        assert_eq!(stop.name, *name, "row {row}: {}", stop.detail);
        assert!(stop.detail.contains(detail), "row {row}: {}", stop.detail);
    }
}

/// Every byte of the series' line and of the bill's, one bit: none of them leaves the receipt valid.
#[test]
fn no_flipped_byte_is_valid() {
    let receipt = town().bill_receipt(ACCOUNT).encode();
    let text = std::str::from_utf8(&receipt).unwrap();
    let line = |keyword: &str| {
        let from = text.find(&format!("\n{keyword} ")).unwrap() + 1;
        from..from + text[from..].find('\n').unwrap() + 1
    };
    let policy = policy(3);
    for at in line("market").chain(line("bill")) {
        let mut bytes = receipt.clone();
        bytes[at] ^= 1 << (at % 7);
        let report = verify(&bytes, &policy);
        assert_eq!(report.verdict, Verdict::Invalid, "byte {at}: {report}");
    }
}
