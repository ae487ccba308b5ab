//! Correction bills through the ledger: readings, contracts and tariffs that come after the bills.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::path::Path;

use common::{AGREEMENT, Ledger, TARIFF};
use tallywatt_core::account::{Entry, Payment};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::correction::Owed;
use tallywatt_core::money::Money;
use tallywatt_core::split::LegKind;
use tallywatt_ledger::command::Command;
use tallywatt_node::arrears::{Debt, arrears};
use tallywatt_node::audit::audit;
use tallywatt_node::books::records::{contracts_file, read_corrections};
use tallywatt_node::books::{Input, bill_hash};
use tallywatt_node::consortium::Outcome;
use tallywatt_node::node::Lie;
use tallywatt_node::prove::{bill_receipt, bill_receipt_of};
use tallywatt_verify::report::{Report, Verdict};

fn march() -> Period {
    tiny::MONTH.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Two homes whose 30th of March is billed: 4.8 kWh at 5.00 are 24.00, and 0.24 more at the second. The first pays in full. The
/// 31st comes then, 200 Wh a half-hour: 48.00 more.
fn late(folder: &Path, agreement: &str) -> Ledger {
    let mut ledger = Ledger::create(&folder.join("data"), 1);
    ledger.publish(&[TARIFF, agreement]);
    ledger.contracts(tiny::CONTRACTS);
    ledger.ingest(&[tiny::write_day(folder, "2026-03-30", 100)], &tiny::profile());
    ledger.bill(march());
    pay(&mut ledger, "PAY-1", 2_400);
    ledger.ingest(&[tiny::write_day(folder, "2026-03-31", 200)], &tiny::profile());
    ledger
}

fn pay(ledger: &mut Ledger, id: &str, minor: i64) {
    let payment = Payment {
        id: id.parse().unwrap(),
        account: "A-1".parse().unwrap(),
        booked: day("2026-04-05"),
        amount: Money::from_minor(minor),
        period: None,
        remittance: None,
    };
    ledger.propose(Party::Bank, Input::Payments(vec![Entry::Payment(payment)]));
}

/// Closes again if that changes the month, corrects, and settles what the corrections left. The run is the plan.
fn correct(ledger: &mut Ledger, on: &str) -> Outcome {
    let books = ledger.consortium.node(Party::Supplier).books();
    let planned = books.plan_corrections(march(), day(on)).unwrap();
    if books.has_changed_since_closed(march()) {
        ledger.propose(Party::Grid, Input::Period(march()));
    }
    let outcome = ledger.propose(Party::Supplier, Input::Corrections(march(), day(on)));
    assert_eq!((&planned.command, &planned.file), (&outcome.computed.command, &outcome.computed.file));
    if ledger.books().payments().is_waiting() {
        ledger.propose(Party::Bank, Input::Payments(Vec::new()));
    }
    outcome
}

/// Total, and what is owed, of what stands of an account's month.
fn stands(ledger: &Ledger, account: &str) -> (i64, i64) {
    let stands = ledger.books().stands(march(), &account.parse().unwrap()).unwrap();
    (stands.bill.total.as_minor(), stands.owed.total.as_minor())
}

fn verified(ledger: &Ledger, account: &str, number: Option<usize>) -> Report {
    let node = ledger.consortium.node(Party::Supplier);
    let account = account.parse().unwrap();
    let receipt = match number {
        None => bill_receipt(node, account, march()),
        Some(number) => bill_receipt_of(node, account, march(), number),
    };
    let report = tallywatt_verify::verify(&receipt.unwrap().encode(), &ledger.folder.policy().unwrap());
    assert_eq!(report.verdict, Verdict::Valid, "{report}");
    report
}

/// Opens the folder again, and audits it.
fn reopened(ledger: Ledger) -> Ledger {
    let path = ledger.path.clone();
    let Ledger { folder, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&folder, &threads).findings, []);
    drop(folder);
    Ledger::open(&path, 1)
}

#[test]
fn late_readings_raise_bills() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = late(folder.path(), AGREEMENT);
    assert_eq!((stands(&ledger, "A-1"), stands(&ledger, "A-2")), ((2_400, 2_400), (2_424, 2_424)));
    let issued = ledger.books().bills(march()).unwrap().to_vec();
    let outcome = correct(&mut ledger, "2026-06-09");
    let Command::Corrections(commit) = outcome.computed.command else { unreachable!("they are corrections") };
    // 9.6 kWh more at the first and 9.648 at the second, at 5.00; 2.00 of it the grid company's.
    assert_eq!(
        (commit.energy_wh, commit.total.as_minor(), commit.charged.as_minor()),
        (19_248, 9_624, 9_624)
    );
    assert_eq!((commit.payee_part.to_string(), commit.corrections.count), ("38.496".into(), 2));
    let corrections = read_corrections(&outcome.computed.file.unwrap()).unwrap();
    assert_eq!(corrections[0].before, Some(bill_hash(&issued[0])));
    assert_eq!(corrections[0].delta.lines[0].quantity, 9_600);
    assert_eq!(corrections[0].bill.completeness.missing, 0);
    assert_eq!((stands(&ledger, "A-1"), stands(&ledger, "A-2")), ((7_200, 7_200), (7_248, 7_248)));
    // The bill itself is as it was.
    assert_eq!(ledger.books().bills(march()).unwrap(), issued);
    for node in ledger.consortium.nodes() {
        // The bank has the corrections, not what they follow from.
        let closed = if node.party() == Party::Bank { 0 } else { 2 };
        assert_eq!(node.books().close_count(march()), closed);
        assert_eq!(node.books().corrections(march(), &"A-1".parse().unwrap()).len(), 1);
        assert_eq!(node.member().state().billed().as_minor(), 7_200 + 7_248);
    }
    let report = verified(&ledger, "A-1", None);
    assert_eq!(
        report.verdict_line(),
        "VALID    bill A-1, 2026-03, 72.00 RUB, corrected by 48.00, charged 48.00"
    );
    assert_eq!(verified(&ledger, "A-1", Some(0)).verdict_line(), "VALID    bill A-1, 2026-03, 24.00 RUB");
    pay(&mut ledger, "PAY-2", 4_800);
    let ledger = reopened(ledger);
    assert_eq!(stands(&ledger, "A-1"), (7_200, 7_200));
    let state = ledger.consortium.node(Party::Bank).member().state();
    // All of the first account's 14.4 kWh are paid: 2.00 each to the grid company.
    assert_eq!(state.paid(Party::Grid, LegKind::Part).as_minor(), 2_880);
    verified(&ledger, "A-2", None);
    verified(&ledger, "A-2", Some(0));
}

/// A contract list that begins a day later, and a tariff version that comes late.
#[test]
fn contracts_and_tariffs_lower_bills() {
    let folder = tempfile::tempdir().unwrap();
    let until = TARIFF
        .replace("valid_from = \"2026-01-01\"", "valid_from = \"2026-01-01\"\nvalid_to = \"2026-03-31\"");
    let mut ledger = Ledger::create(&folder.path().join("data"), 1);
    ledger.publish(&[TARIFF, AGREEMENT, &until.replace("\"one\"", "\"other\"").replace("5.00", "3.00")]);
    ledger.contracts(tiny::CONTRACTS);
    for (day, wh) in [("2026-03-30", 100), ("2026-03-31", 200)] {
        ledger.ingest(&[tiny::write_day(folder.path(), day, wh)], &tiny::profile());
    }
    ledger.bill(march());
    assert_eq!((stands(&ledger, "A-1"), stands(&ledger, "A-2")), ((7_200, 7_200), (7_248, 7_248)));
    pay(&mut ledger, "PAY-1", 7_200);
    // The first account's contract began on the 31st: 24.00 less, which it has paid. The second names a tariff that has no
    // version for the 31st: its bill stays.
    let list = tiny::CONTRACTS.replace(
        "A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-30",
        "A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-31",
    );
    ledger.contracts(
        &list.replace(
            "A-2,P-2,1-0:1.8.0,Asia/Yekaterinburg,one",
            "A-2,P-2,1-0:1.8.0,Asia/Yekaterinburg,other",
        ),
    );
    let outcome = correct(&mut ledger, "2026-05-02");
    let unbilled: Vec<String> =
        outcome.computed.unbilled.iter().map(|(who, why)| format!("{who}: {why}")).collect();
    assert_eq!(unbilled, ["A-2: tariff other has no version that holds on 2026-03-31"]);
    assert_eq!((stands(&ledger, "A-1"), stands(&ledger, "A-2")), ((4_800, 4_800), (7_248, 7_248)));
    let advance = |ledger: &Ledger| ledger.books().accounts()[&"A-1".parse().unwrap()].advance().as_minor();
    assert_eq!(advance(&ledger), 2_400);
    // Nothing new: nothing to correct, and the account that could not be computed is told again.
    let again = ledger.books().plan_corrections(march(), day("2026-05-03")).unwrap_err().to_string();
    assert_eq!(
        again,
        "no bill of 2026-03 is another now: tariff other has no version that holds on 2026-03-31"
    );
    // The version of the 31st comes late: 4.848 kWh at 3.00 are 14.54, and 9.648 at 6.00 57.89.
    let from =
        TARIFF.replace("\"one\"", "\"other\"").replace("5.00", "6.00").replace("2026-01-01", "2026-03-31");
    ledger.publish(&[&from]);
    let outcome = correct(&mut ledger, "2026-05-04");
    assert!(outcome.computed.unbilled.is_empty());
    assert_eq!(stands(&ledger, "A-2"), (1_454 + 5_789, 1_454 + 5_789));
    let early = ledger.books().plan_corrections(march(), day("2026-05-01")).unwrap_err().to_string();
    assert_eq!(early, "no bill of 2026-03 is another now");
    verified(&ledger, "A-1", None);
    verified(&ledger, "A-1", Some(0));
    verified(&ledger, "A-2", None);
    let ledger = reopened(ledger);
    assert_eq!((advance(&ledger), stands(&ledger, "A-1")), (2_400, (4_800, 4_800)));
}

/// Twelve months after March 2026 an increase is shown and not charged; a decrease is credited.
#[test]
fn increases_that_come_too_late_are_not_charged() {
    let folder = tempfile::tempdir().unwrap();
    let capped = AGREEMENT.replace("rule =", "back_billing_months = 12\nrule =");
    let mut ledger = late(folder.path(), &capped);
    correct(&mut ledger, "2027-04-01");
    assert_eq!((stands(&ledger, "A-1"), stands(&ledger, "A-2")), ((7_200, 2_400), (7_248, 2_424)));
    assert_eq!(ledger.books().accounts()[&"A-1".parse().unwrap()].debt(), Money::ZERO);
    let last = &ledger.books().corrections(march(), &"A-1".parse().unwrap())[0].body;
    assert_eq!((last.charged, last.barred_by), (Owed::default(), Some(12)));
    let report = verified(&ledger, "A-1", None);
    let delta = report.checks.iter().find(|check| check.name == "delta").unwrap();
    assert_eq!(
        delta.detail,
        "48.00 in 1 lines, charged 0.00: an increase more than 12 months after the month is not charged"
    );
    // Only the 31st from now on: 48.00, less than the bill that stands, and more than is owed; then nothing at all of it.
    let list = tiny::CONTRACTS.replace("2026-03-30", "2026-03-31");
    ledger.contracts(&list);
    correct(&mut ledger, "2027-04-02");
    assert_eq!(stands(&ledger, "A-1"), (4_800, 2_400));
    let second = verified(&ledger, "A-1", None);
    assert!(second.verdict_line().ends_with("48.00 RUB, corrected by -24.00, charged 0.00"), "{second}");
    verified(&ledger, "A-1", Some(1));
    drop(reopened(ledger));
}

/// An increase has an age of its own, from the day of its correction.
#[test]
fn arrears_of_an_increase() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = late(folder.path(), AGREEMENT);
    correct(&mut ledger, "2026-06-09");
    let of = |on: &str, account: &str| {
        let found = arrears(ledger.books(), day(on), Some(&account.parse().unwrap()));
        let told = |debt: &Debt| {
            let kind = if debt.correction.is_some() { "increase" } else { "bill" };
            format!("{kind} {} of {} due {}", debt.open, debt.total, debt.due)
        };
        found.debts.iter().map(told).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(of("2026-06-08", "A-1"), "");
    assert_eq!(of("2026-06-09", "A-1"), "increase 48.00 of 48.00 due 2026-06-09");
    assert_eq!(of("2026-06-08", "A-2"), "bill 24.24 of 24.24 due 2026-03-31");
    assert_eq!(
        of("2026-07-01", "A-2"),
        "bill 24.24 of 24.24 due 2026-03-31; increase 48.24 of 48.24 due 2026-06-09"
    );
    pay(&mut ledger, "PAY-2", 4_800);
    let of = |on: &str| arrears(ledger.books(), day(on), Some(&"A-1".parse().unwrap())).debts.len();
    assert_eq!(of("2026-07-01"), 0);
}

/// One minor unit more in the differences: refused if the proposer says it, and the one is named who computes it.
#[test]
fn whoever_lies_in_a_correction_is_named() {
    for liar in Party::ALL {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = late(folder.path(), AGREEMENT);
        ledger.propose(Party::Grid, Input::Period(march()));
        let height = ledger.consortium.node(Party::Grid).member().size();
        ledger.consortium.node_mut(liar).set_lie(Lie::Figures);
        let input = Input::Corrections(march(), day("2026-06-09"));
        let outcome = ledger.consortium.propose(Party::Supplier, input).unwrap();
        let text = outcome.findings.join("\n");
        if liar == Party::Bank {
            // It is not asked.
            assert_eq!((outcome.status(), text.as_str()), ("sealed", ""));
            continue;
        }
        assert_eq!((outcome.status(), outcome.height), ("refused", None), "{text}");
        let nothing = format!("block {height}: nobody else computed what supplier proposed");
        assert!(text.contains(&nothing), "{text}");
        if liar == Party::Grid {
            let named = format!(
                "block {height} (corrections proposed by supplier): {liar} computed something else: \
                 total: proposed 96.24, computed 96.25"
            );
            assert!(text.contains(&named), "{text}");
        }
    }
}

/// A correction that stands when the process ends goes on: the settlement that follows from it is due, and made.
#[test]
fn what_a_correction_left_is_settled_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = late(folder.path(), AGREEMENT);
    correct(&mut ledger, "2026-06-09");
    pay(&mut ledger, "PAY-2", 4_800);
    ledger.contracts(&tiny::CONTRACTS.replace("2026-03-30", "2026-03-31"));
    ledger.propose(Party::Supplier, Input::Corrections(march(), day("2026-06-10")));
    let mut ledger = reopened(ledger);
    assert!(ledger.books().payments().is_waiting());
    ledger.propose(Party::Bank, Input::Payments(Vec::new()));
    let mut ledger = reopened(ledger);
    assert!(!ledger.books().payments().is_waiting());
    let state = &ledger.books().accounts()[&"A-1".parse().unwrap()];
    assert_eq!((state.advance().as_minor(), state.debt().as_minor()), (2_400, 0));
    // The same again is refused, and so is a day before it.
    let contracts = contracts_file(ledger.books().contracts());
    ledger.propose(Party::Supplier, Input::Contracts(contracts));
    let again = ledger.consortium.propose(Party::Supplier, Input::Corrections(march(), day("2026-06-11")));
    assert_eq!(again.unwrap_err().to_string(), "supplier: no bill of 2026-03 is another now");
    ledger.contracts(tiny::CONTRACTS);
    let early = ledger.consortium.propose(Party::Supplier, Input::Corrections(march(), day("2026-06-09")));
    let early = early.unwrap_err().to_string();
    assert!(early.contains("the first day that can be named is 2026-06-10"), "{early}");
    drop(reopened(ledger));
}
