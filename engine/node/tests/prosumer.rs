//! A home with a roof: two channels over three months, bills that stand on one another, and their receipts.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::path::Path;

use common::{Ledger, ONE_RATE, SPLIT, tariff};
use tallywatt_core::agreement::Party;
use tallywatt_core::bill::ChargeKind;
use tallywatt_core::bill_change::line_name;
use tallywatt_core::calendar::Period;
use tallywatt_core::carried::{Carried, CarriedKind};
use tallywatt_core::tariff::FixedPer;
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::bill_bytes::{decode_bill, encode_bill};
use tallywatt_ledger::block::Block;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::receipt::Receipt;
use tallywatt_node::books::Input;
use tallywatt_node::prove::{bill_receipt, bill_receipt_of};
use tallywatt_verify::report::Verdict;
use tallywatt_verify::verify;

const CARRYING: &str = r#"
zone = [{ name = "all", windows = ["00:00-24:00"] }]
range = [{ price = { all = "10" } }]
minimum_per_year = "1"
netting = { mode = "month-carry", sell = { all = "4" } }
[[demand]]
name = "peak"
windows = ["00:00-24:00"]
minutes = 60
ranges = [{ price = "100" }]
look_back_months = 3
look_back = ["80"]
"#;

const ROWS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to,own_prices\n\
    SUN,ROOF,1-0:1.8.0,UTC,carrying,split,2010-01-01,,\n\
    SUN,ROOF,1-0:2.8.0,UTC,carrying,split,2010-01-01,,\n\
    TWO,FLAT-1,1-0:1.8.0,UTC,plain,split,2010-01-01,,\n\
    TWO,FLAT-2,1-0:1.8.0,UTC,plain,split,2010-01-01,,all=3.00;fixed_per_day=0.50\n";

/// Half-hours of a month: so many Wh each, the first two of the month so many more.
fn readings(path: &Path, period: Period, registers: &[(&str, &str, u32, u32)]) {
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let mut text = format!("usage_point,obis,date{columns}\n");
    for (point, obis, wh, first) in registers {
        for day in period.days() {
            let more = |slot: usize| if day == period.first_day() && slot < 2 { *first } else { 0 };
            let values: String = (0..48).map(|slot| format!(",{}", wh + more(slot))).collect();
            text += &format!("{point},{obis},{day}{values}\n");
        }
    }
    std::fs::write(path, text).unwrap();
}

fn month(text: &str) -> Period {
    text.parse().unwrap()
}

/// January: 148.8 kWh and 9.8 more in its first hour taken, 297.6 fed in. February: 403.2 and 134.4. March: 148.8 and 0.
const MONTHS: [(&str, u32, u32, u32); 3] =
    [("2026-01", 100, 4_900, 200), ("2026-02", 300, 0, 100), ("2026-03", 100, 0, 0)];

fn ledger(folder: &Path) -> Ledger {
    ledger_without(folder, "nothing")
}

/// Without the rows that begin so.
fn ledger_without(folder: &Path, lost: &str) -> Ledger {
    let mut ledger = Ledger::create(&folder.join("ledger"), 2);
    ledger.publish(&[&tariff("carrying", CARRYING), &tariff("plain", ONE_RATE), SPLIT]);
    ledger.contracts(ROWS);
    let profile = Profile::builtin("tallywatt").unwrap().with_zone("UTC").unwrap();
    for (name, import, peak, export) in MONTHS {
        let file = folder.join(format!("{name}.csv"));
        let registers = [
            ("ROOF", "1-0:1.8.0", import, peak),
            ("ROOF", "1-0:2.8.0", export, 0),
            ("FLAT-1", "1-0:1.8.0", 50, 0),
            ("FLAT-2", "1-0:1.8.0", 100, 0),
        ];
        readings(&file, month(name), &registers);
        let text = std::fs::read_to_string(&file).unwrap();
        let left: String =
            text.lines().filter(|row| !row.starts_with(lost)).map(|row| format!("{row}\n")).collect();
        std::fs::write(&file, left).unwrap();
        let (_, sealed) = ledger.ingest(&[file], &profile);
        assert!(sealed.is_some());
    }
    ledger
}

fn lines(ledger: &Ledger, account: &str, period: &str) -> Vec<(ChargeKind, i64)> {
    let (bill, _) = ledger.proven(account, month(period));
    bill.lines.iter().map(|line| (line.kind, line.quantity)).collect()
}

const ENERGY: ChargeKind = ChargeKind::Energy { range: 0, zone: 0 };
const DEMAND: ChargeKind = ChargeKind::Demand { charge: 0, range: 0 };

#[test]
fn bills_stand_on_one_another_and_prove_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path());
    for (name, ..) in MONTHS {
        assert!(ledger.bill(month(name)).computed.unbilled.is_empty());
    }
    // 158.6 taken and 297.6 fed in: 139.0 to come. The first hour is 10 kW.
    assert_eq!(lines(&ledger, "SUN", "2026-01"), [(DEMAND, 10_000)]);
    // 403.2 less 134.4 less 139.0, and 80 % of January's peak.
    assert_eq!(lines(&ledger, "SUN", "2026-02"), [(ENERGY, 129_800), (DEMAND, 8_000)]);
    assert_eq!(lines(&ledger, "SUN", "2026-03"), [(ENERGY, 148_800), (DEMAND, 8_000)]);
    let (first, report) = ledger.proven("SUN", month("2026-01"));
    let credit = first.carried.iter().find(|one| matches!(one.kind, CarriedKind::Credit { .. })).unwrap();
    assert_eq!((first.previous, credit.quantity), (None, 139_000));
    assert!(report.not_checked.iter().any(|text| text.contains("that no bill of the month before carried")));
    let (second, report) = ledger.proven("SUN", month("2026-02"));
    assert_eq!(second.total.to_string(), "2098.00");
    assert_eq!(second.previous, Some(content_hash(&encode_bill(first))));
    let amount = report.checks.iter().find(|check| check.name == "amount").unwrap();
    assert!(amount.detail.ends_with("standing on the bill of 2026-01"), "{}", amount.detail);
    assert!(
        report.not_checked.iter().any(|text| text.contains("that the bill of 2026-01 before it is right"))
    );
    // Both channels are counted.
    assert_eq!(second.completeness.expected, 2 * 28 * 48);
    // A plain bill stands on nothing, and carries nothing.
    let (plain, report) = ledger.proven("TWO", month("2026-02"));
    assert_eq!((plain.previous, plain.carried.len()), (None, 0));
    assert!(!report.not_checked.iter().any(|text| text.contains("before")), "{report}");
    // Replaying the chain computes the same bills.
    let before = second.clone();
    drop(ledger);
    let ledger = Ledger::open(&folder.path().join("ledger"), 1);
    assert_eq!(*ledger.proven("SUN", month("2026-02")).0, before);
}

/// A day of January's export comes late: January is corrected, and then, in their turn, the months that stand on it.
#[test]
fn corrections_flow_on_to_the_months_after() {
    let folder = tempfile::tempdir().unwrap();
    let late = "ROOF,1-0:2.8.0,2026-01-31";
    let mut ledger = ledger_without(folder.path(), late);
    for (name, ..) in MONTHS {
        let _ = ledger.bill(month(name));
    }
    // A day of export that is not read is not nothing: January says that 48 values are missing. February has 9.6 kWh less
    // of credit by it.
    assert_eq!(ledger.proven("SUN", month("2026-01")).0.completeness.missing, 48);
    assert_eq!(lines(&ledger, "SUN", "2026-02"), [(ENERGY, 139_400), (DEMAND, 8_000)]);
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let file = folder.path().join("late.csv");
    std::fs::write(&file, format!("usage_point,obis,date{columns}\n{late}{}\n", ",300".repeat(48))).unwrap();
    let (_, sealed) =
        ledger.ingest(&[file], &Profile::builtin("tallywatt").unwrap().with_zone("UTC").unwrap());
    assert!(sealed.is_some());
    let day = "2026-05-01".parse().unwrap();
    ledger.propose(Party::Grid, Input::Period(month("2026-01")));
    for (name, ..) in MONTHS {
        let computed = ledger.propose(Party::Supplier, Input::Corrections(month(name), day)).computed;
        assert!(computed.unbilled.is_empty(), "{name}: {:?}", computed.unbilled);
        let again = ledger.consortium.propose(Party::Supplier, Input::Corrections(month(name), day));
        assert!(again.is_err(), "{name} is corrected once");
    }
    // 300 Wh in each of 48 half-hours: 14.4 kWh of credit more, which February uses.
    let account = "SUN".parse().unwrap();
    let quantities = |ledger: &Ledger, name: &str| {
        let stands = ledger.books().stands(month(name), &account).unwrap().bill.clone();
        let credit = |one: &Carried| matches!(one.kind, CarriedKind::Credit { .. }).then_some(one.quantity);
        let energy = stands.lines.iter().find(|line| line.kind == ENERGY).map(|line| line.quantity);
        (energy, stands.carried.iter().find_map(credit))
    };
    assert_eq!(quantities(&ledger, "2026-01"), (None, Some(143_800)));
    assert_eq!(quantities(&ledger, "2026-02"), (Some(125_000), None));
    assert_eq!(quantities(&ledger, "2026-03"), (Some(148_800), None));
    let policy = ledger.folder.policy().unwrap();
    let node = ledger.consortium.node(Party::Supplier);
    for (name, ..) in MONTHS {
        for number in 0..2 {
            let receipt = bill_receipt_of(node, account, month(name), number).unwrap();
            let report = verify(&receipt.encode(), &policy);
            assert_eq!(report.verdict, Verdict::Valid, "{name}, correction {number}: {report}");
        }
    }
    // A correction stands on a correction: neither the bill as it was issued nor another record passes for it.
    let sound = bill_receipt_of(node, account, month("2026-02"), 1).unwrap();
    let issued = bill_receipt_of(node, account, month("2026-02"), 0).unwrap();
    let mut lie = sound.clone();
    lie.bill.as_mut().unwrap().previous = issued.bill.unwrap().previous;
    let report = verify(&lie.encode(), &policy);
    assert!(report.verdict_line().contains("which is not here"), "{report}");
}

#[test]
fn prices_of_its_own_are_billed_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path());
    let _ = ledger.bill(month("2026-02"));
    let (bill, _) = ledger.proven("TWO", month("2026-02"));
    let shown: Vec<(ChargeKind, i64, String, String)> = bill
        .lines
        .iter()
        .map(|line| (line.kind, line.quantity, line.price.to_string(), line.exact.to_string()))
        .collect();
    // 28 days of 2.4 and 4.8 kWh; the fixed charge is of one flat only.
    let want = [
        (ENERGY, 134_400, "3.00", "403.20"),
        (ENERGY, 67_200, "4.87", "327.264"),
        (ChargeKind::Fixed(FixedPer::Day), 28, "0.50", "14.00"),
    ];
    assert_eq!(shown, want.map(|(kind, wh, price, exact)| (kind, wh, price.to_owned(), exact.to_owned())));
    let version = ledger.books().tariffs().versions().iter().find(|one| one.hash == bill.tariffs[0]).unwrap();
    let names: Vec<String> = bill.lines.iter().map(|line| line_name(line, &version.body)).collect();
    assert_eq!(names, ["all, own price", "all", "fixed by day, own price"]);
}

#[test]
fn bills_that_stand_on_one_another_are_issued_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut gap = ledger(folder.path());
    let _ = gap.bill(month("2026-01"));
    let refused = gap.bill(month("2026-03")).computed.unbilled;
    let want = "2026-02 is not billed, and the bill of 2026-03 would stand on it";
    assert_eq!(refused, [("SUN".parse().unwrap(), want.to_owned())]);
    // Nothing later stands yet, so February may still be billed.
    assert!(gap.bill(month("2026-02")).computed.unbilled.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let mut late = ledger(folder.path());
    let _ = late.bill(month("2026-02"));
    let refused = late.bill(month("2026-01")).computed.unbilled;
    let want = "the bill of 2026-02 was issued without that of 2026-01, on which it would stand";
    assert_eq!(refused, [("SUN".parse().unwrap(), want.to_owned())]);
}

/// What is bent, what the verifier says, and how.
type Lie = (&'static str, fn(&mut Receipt, &Receipt));

#[test]
fn no_receipt_lies_about_the_bill_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path());
    for (name, ..) in MONTHS {
        let _ = ledger.bill(month(name));
    }
    let policy = ledger.folder.policy().unwrap();
    let node = ledger.consortium.node(Party::Supplier);
    let receipt = |account: &str, name| bill_receipt(node, account.parse().unwrap(), month(name)).unwrap();
    let (sound, third) = (receipt("SUN", "2026-02"), receipt("SUN", "2026-03"));
    let table: [Lie; 7] = [
        ("which is not here", |lie, _| lie.bill.as_mut().unwrap().previous = None),
        ("expected a publication", |lie, _| {
            let before = lie.bill.as_mut().unwrap().previous.take();
            assert!(before.is_some());
        }),
        ("which is not here", |lie, _| {
            lie.blocks.retain(|placed| {
                let block = Block::decode(&placed.logged.record).unwrap();
                !matches!(block.proposal.command, Command::Bills(_))
            });
        }),
        ("which is not here", |lie, other| {
            lie.bill.as_mut().unwrap().previous = other.bill.as_ref().unwrap().previous.clone();
        }),
        ("which is not here", |lie, _| {
            let before = lie.bill.as_mut().unwrap().previous.as_mut().unwrap();
            let mut bill = decode_bill(&before.record).unwrap();
            let credit = bill.carried.iter_mut().find(|one| matches!(one.kind, CarriedKind::Credit { .. }));
            credit.unwrap().quantity += 1_000;
            before.record = encode_bill(&bill);
        }),
        ("the bill before was not issued", |lie, _| {
            lie.bill.as_mut().unwrap().previous.as_mut().unwrap().index ^= 1;
        }),
        ("the bill before was not issued", |lie, _| {
            let before = lie.bill.as_mut().unwrap().previous.as_mut().unwrap();
            before.path[0].0[0] ^= 1;
        }),
    ];
    for (at, (want, bend)) in table.into_iter().enumerate() {
        let mut lie = sound.clone();
        bend(&mut lie, &third);
        let report = verify(&lie.encode(), &policy);
        assert_eq!(report.verdict, Verdict::Invalid, "lie {at}: {report}");
        // The first lie leaves the block of the bills before in: then that block is what shows first.
        let is_told = report.verdict_line().contains(want) || at == 0;
        assert!(is_told, "lie {at}: {report}");
    }
    // Every character of the bill before, and of all the other lines' ends: none bends unnoticed.
    let text = String::from_utf8(sound.encode()).unwrap();
    let from = text.find("\nprevious ").unwrap() + 1;
    let to = from + text[from..].find('\n').unwrap();
    assert_eq!(verify(text.as_bytes(), &policy).verdict, Verdict::Valid);
    let mut bytes = text.clone().into_bytes();
    for at in (from..to).step_by(3) {
        let sound = bytes[at];
        bytes[at] = if sound == b'A' { b'B' } else { b'A' };
        assert_ne!(verify(&bytes, &policy).verdict, Verdict::Valid, "byte {at}");
        bytes[at] = sound;
    }
}
