//! Usage points with hourly plans: published, billed hour by hour, proven, and no lie about a plan.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{Ledger, SPLIT, tariff};
use tallywatt_core::agreement::Party;
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::calendar::Period;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::tariff::DeviationSide;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::bill_bytes::{decode_bill, encode_bill};
use tallywatt_ledger::block::Block;
use tallywatt_ledger::command::{Command, DocumentKind};
use tallywatt_ledger::plan_series_bytes::{PLAN_SERIES_KIND, decode_plan_series, encode_plan_series};
use tallywatt_ledger::receipt::Receipt;
use tallywatt_node::books::Input;
use tallywatt_node::books::records::document_bytes;
use tallywatt_node::prove::bill_receipt;
use tallywatt_verify::report::Verdict;
use tallywatt_verify::verify;

const PLANNED: &str = r#"
zone = [{ name = "all", windows = ["00:00-24:00"] }]
range = [{ price = { all = "5" } }]
deviation = { above = "excess", below = "shortfall" }
"#;

const ROWS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
    MILL,MILL-1,1-0:1.8.0,UTC,planned,split,2010-01-01,\n\
    FORGE,FORGE-1,1-0:1.8.0,UTC,planned,split,2010-01-01,\n";

fn month() -> Period {
    "2026-03".parse().unwrap()
}

/// Every hour of the month in UTC: a head, and what `value` says of each.
fn hours(head: &str, columns: &str, value: impl Fn(usize) -> String) -> String {
    let mut text = format!("{head}#zone,UTC\n#valid_from,2026-03-01\n#valid_to,2026-04-01\n{columns}\n");
    for (number, day) in month().days().enumerate() {
        for hour in 0..24 {
            writeln!(text, "{day}T{hour:02}:00:00Z,{}", value(number * 24 + hour)).unwrap();
        }
    }
    text
}

fn prices(name: &str, price: &str) -> String {
    let head = format!(
        "#kind,price-series\n#name,{name}\n#title,{name}\n#source,test\n#unit,RUB/kWh\n#minutes,60\n"
    );
    hours(&head, "start,price", |_| price.to_owned())
}

/// 0.2 kWh every hour; of the month's second hour so much.
fn plan(point: &str, second: &str) -> String {
    let head = format!("#kind,plan-series\n#usage_point,{point}\n#title,Plan\n#source,test\n");
    hours(&head, "start,kwh", |hour| if hour == 1 { second.to_owned() } else { "0.2".to_owned() })
}

/// 100 Wh a half-hour, 250 in the first; FORGE-1 has no readings of the month's last day.
fn ledger(folder: &Path, documents: &[&str]) -> Ledger {
    let mut ledger = Ledger::create(&folder.join("ledger"), 2);
    let excess = prices("excess", "1.50");
    ledger.publish(&[&tariff("planned", PLANNED), SPLIT, &excess, &prices("shortfall", "0.40")]);
    ledger.publish(documents);
    ledger.contracts(ROWS);
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let mut text = format!("usage_point,obis,date{columns}\n");
    for point in ["MILL-1", "FORGE-1"] {
        let read_days = if point == "FORGE-1" { 30 } else { 31 };
        for day in month().days().take(read_days) {
            let is_first = day == month().first_day();
            let value = |slot: i32| if is_first && slot == 0 { ",250" } else { ",100" };
            writeln!(text, "{point},1-0:1.8.0,{day}{}", (0..48).map(value).collect::<String>()).unwrap();
        }
    }
    let file = folder.join("march.csv");
    std::fs::write(&file, text).unwrap();
    let profile = Profile::builtin("tallywatt").unwrap().with_zone("UTC").unwrap();
    assert!(ledger.ingest(&[file], &profile).1.is_some());
    ledger
}

fn lines(bill: &Bill) -> Vec<(ChargeKind, i64, String)> {
    bill.lines.iter().map(|line| (line.kind, line.quantity, line.exact.to_string())).collect()
}

const ENERGY: ChargeKind = ChargeKind::Energy { range: 0, zone: 0 };
const ABOVE: ChargeKind = ChargeKind::Deviation(DeviationSide::Above);
const BELOW: ChargeKind = ChargeKind::Deviation(DeviationSide::Below);

#[test]
fn deviations_are_billed_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), &[&plan("MILL-1", "0.9"), &plan("FORGE-1", "0.2")]);
    assert!(ledger.bill(month()).computed.unbilled.is_empty());
    // 744 hours of 0.2 kWh and 0.15 more in the first: 148.95 kWh at 5. 0.15 above at 1.50; 0.7 below at 0.40.
    let (bill, report) = ledger.proven("MILL", month());
    let want = [(ENERGY, 148_950, "744.75"), (ABOVE, 150, "0.225"), (BELOW, 700, "0.28")];
    assert_eq!(lines(bill), want.map(|(kind, wh, exact)| (kind, wh, exact.to_owned())));
    // Rounded once a bill: 745.255.
    assert_eq!((bill.total.to_string(), bill.market.len()), ("745.26".to_owned(), 3));
    let documents = report.checks.iter().find(|check| check.name == "documents").unwrap();
    assert!(documents.detail.contains("plan of MILL-1 from 2026-03-01 until 2026-04-01"), "{report}");
    // The day without readings tells of no deviation, and needs no price of one: 720 hours.
    let (bill, _) = ledger.proven("FORGE", month());
    let want = [(ENERGY, 144_150, "720.75"), (ABOVE, 150, "0.225")];
    assert_eq!(lines(bill), want.map(|(kind, wh, exact)| (kind, wh, exact.to_owned())));
    assert_eq!((bill.completeness.missing, bill.market.len()), (48, 2));
    // Replaying the chain computes the same bills.
    let before = bill.clone();
    drop(ledger);
    let ledger = Ledger::open(&folder.path().join("ledger"), 1);
    assert_eq!(*ledger.proven("FORGE", month()).0, before);
}

/// An account without a plan is not billed, and is when its plan comes; those of others are not touched by it.
#[test]
fn a_plan_that_comes_late() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), &[&plan("MILL-1", "0.9")]);
    let unbilled = ledger.bill(month()).computed.unbilled;
    let reason = "usage point FORGE-1 has no plan for the hour from 2026-03-01T00:00:00Z";
    assert_eq!(unbilled, [("FORGE".parse().unwrap(), reason.to_owned())]);
    ledger.publish(&[&plan("FORGE-1", "0.2")]);
    let day = "2026-05-01".parse().unwrap();
    let computed = ledger.propose(Party::Supplier, Input::Corrections(month(), day)).computed;
    assert!(computed.unbilled.is_empty(), "{:?}", computed.unbilled);
    let stands = |account: &str| ledger.books().stands(month(), &account.parse().unwrap());
    assert_eq!(stands("FORGE").unwrap().bill.total.to_string(), "720.98");
    assert!(ledger.books().corrections(month(), &"MILL".parse().unwrap()).is_empty());
}

/// No second plan for an hour: neither of the same days nor of the days of another zone.
#[test]
fn a_plan_is_not_changed_after_the_fact() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), &[&plan("MILL-1", "0.9")]);
    let east = "#kind,plan-series\n#usage_point,MILL-1\n#title,Plan\n#source,test\n#zone,Asia/Tokyo\n\
        #valid_from,2026-04-01\n#valid_to,2026-04-02\nstart,kwh\n";
    let mut east = east.to_owned();
    for hour in 0..24 {
        writeln!(east, "2026-04-01T{hour:02}:00:00+09:00,1").unwrap();
    }
    for (text, want) in [(plan("MILL-1", "0.3"), "overlaps"), (east, "overlaps")] {
        let bytes = document_bytes(&parse_document("plan.csv", &text).unwrap());
        let refused = ledger.consortium.propose(Party::Supplier, Input::Document(bytes));
        let error = refused.map(|outcome| outcome.findings).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    assert_eq!(ledger.books().market().plans().len(), 1);
}

/// What is bent, and what the verifier says.
type Lie = (&'static str, fn(&mut Receipt, &Receipt));

fn is_plan(record: &[u8]) -> bool {
    record.get(1) == Some(&PLAN_SERIES_KIND)
}

fn publishes_plan(placed: &tallywatt_ledger::receipt::PlacedBlock) -> bool {
    let block = Block::decode(&placed.logged.record).unwrap();
    matches!(block.proposal.command, Command::Publish(known) if known.kind == DocumentKind::PlanSeries)
}

/// The other's plan, with the block that published it, in the place of the own one.
fn take_plan(lie: &mut Receipt, other: &Receipt) {
    lie.blocks.retain(|placed| !publishes_plan(placed));
    lie.blocks.extend(other.blocks.iter().filter(|placed| publishes_plan(placed)).cloned());
    lie.blocks.sort_by_key(|placed| Block::decode(&placed.logged.record).unwrap().height);
    let market = &mut lie.bill.as_mut().unwrap().market;
    market.retain(|record| !is_plan(record));
    market.extend(other.bill.as_ref().unwrap().market.iter().filter(|record| is_plan(record)).cloned());
}

/// Puts the market records in the order of their hashes, and the hashes into the bill.
fn name_market(lie: &mut Receipt) {
    let part = lie.bill.as_mut().unwrap();
    part.market.sort_by_key(|record| tallywatt_ledger::digest::content_hash(record));
    let mut bill = decode_bill(&part.bill.record).unwrap();
    bill.market = part.market.iter().map(|record| tallywatt_ledger::digest::content_hash(record)).collect();
    part.bill.record = encode_bill(&bill);
}

#[test]
fn no_receipt_lies_about_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), &[&plan("MILL-1", "0.9"), &plan("FORGE-1", "0.2")]);
    let _ = ledger.bill(month());
    let policy = ledger.folder.policy().unwrap();
    let node = ledger.consortium.node(Party::Supplier);
    let receipt = |account: &str| bill_receipt(node, account.parse().unwrap(), month()).unwrap();
    let (sound, other) = (receipt("MILL"), receipt("FORGE"));
    assert_eq!(verify(&sound.encode(), &policy).verdict, Verdict::Valid);
    let table: [Lie; 7] = [
        // The plan is left out, its block too.
        ("was not published", |lie, _| lie.blocks.retain(|placed| !publishes_plan(placed))),
        ("other price series, lists of hours or plans", |lie, _| {
            lie.blocks.retain(|placed| !publishes_plan(placed));
            lie.bill.as_mut().unwrap().market.retain(|record| !is_plan(record));
        }),
        // A watt-hour more was planned, and nobody published it; the bill names what is shown.
        ("was not published", |lie, _| {
            let market = &mut lie.bill.as_mut().unwrap().market;
            let record = market.iter_mut().find(|record| is_plan(record)).unwrap();
            let mut parts = decode_plan_series(record).unwrap().parts().clone();
            parts.planned_wh[0] += 1;
            *record = encode_plan_series(&tallywatt_core::plan_series::PlanSeries::new(parts).unwrap());
            name_market(lie);
        }),
        // The published plan of another usage point.
        ("other price series, lists of hours or plans", |lie, other| take_plan(lie, other)),
        ("usage point MILL-1 has no plan for the hour from 2026-03-01T00:00:00Z", |lie, other| {
            take_plan(lie, other);
            name_market(lie);
        }),
        // Less excess than there was, in a bill that adds up.
        ("the readings and tariff give", |lie, _| {
            let part = lie.bill.as_mut().unwrap();
            let mut bill = decode_bill(&part.bill.record).unwrap();
            let line = bill.lines.iter_mut().find(|line| line.kind == ABOVE).unwrap();
            line.quantity = 50;
            line.exact = ExactAmount::from_e11(7_500_000_000);
            let off = line.amount.as_minor() - 8;
            line.amount = Money::from_minor(8);
            bill.total = Money::from_minor(bill.total.as_minor() - off);
            let base = bill.vat[0].base.as_minor() - off;
            bill.vat[0].base = Money::from_minor(base);
            bill.vat[0].amount = Money::from_minor((base * 2_000 + 6_000) / 12_000);
            part.bill.record = encode_bill(&bill);
        }),
        ("plan record", |lie, _| {
            let market = &mut lie.bill.as_mut().unwrap().market;
            market.iter_mut().find(|record| is_plan(record)).unwrap().pop();
        }),
    ];
    for (at, (want, bend)) in table.into_iter().enumerate() {
        let mut lie = sound.clone();
        bend(&mut lie, &other);
        let report = verify(&lie.encode(), &policy);
        assert_eq!(report.verdict, Verdict::Invalid, "lie {at}: {report}");
        assert!(report.verdict_line().contains(want), "lie {at}: {report}");
    }
    // Every third character of the plan's line: none bends unnoticed.
    let text = String::from_utf8(sound.encode()).unwrap();
    let lines = text.match_indices("\nmarket ").map(|(at, _)| at + 1);
    let ranges: Vec<_> = lines.map(|from| from..from + text[from..].find('\n').unwrap()).collect();
    assert_eq!(ranges.len(), 3);
    let mut bytes = text.into_bytes();
    for at in ranges.into_iter().flatten().step_by(37) {
        let sound = bytes[at];
        bytes[at] = if sound == b'A' { b'B' } else { b'A' };
        assert_ne!(verify(&bytes, &policy).verdict, Verdict::Valid, "byte {at}");
        bytes[at] = sound;
    }
}
