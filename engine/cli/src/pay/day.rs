//! `pay split --day`: what was booked on one day, and what is transferred of it, day by day.

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Day;
use tallywatt_core::day_sheet::DaySheet;
use tallywatt_core::money::Money;
use tallywatt_core::split::LegKind;
use tallywatt_core::transfer::TransferLine;

use crate::failure::{Failure, code};
use crate::open::Opened;
use crate::output::{Report, Table};

/// A party, and what its amounts of a day are called: due, booked late, carried in, transferred, carried on.
const NAMES: [(Party, [&str; 5]); 2] = [
    (
        Party::Grid,
        ["due to grid", "late for grid", "carried in for grid", "transferred to grid", "carried on for grid"],
    ),
    (
        Party::Supplier,
        [
            "due to supplier",
            "late for supplier",
            "carried in for supplier",
            "transferred to supplier",
            "carried on for supplier",
        ],
    ),
];

/// A day's hand-over lists, what is in suspense, and the equation of the day for each party.
pub fn split(opened: &Opened, day: Day) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Bank).books();
    let transfers = books.transfers().day(day);
    let sheet = books.payments().days().get(&day).cloned();
    if sheet.is_none() && transfers.is_empty() {
        return Err(Failure::usage(
            format!("no payment was booked on {day}"),
            "see `tallywatt pay split` for all days",
        ));
    }
    let sheet = sheet.unwrap_or_else(DaySheet::default);
    let mut table = Table::new(&["party", "leg", "amount"]);
    for ((party, kind), amount) in sheet.legs() {
        table.row(vec![json!(party.name()), json!(kind.name()), json!(amount.to_string())]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("day", day.to_string()).fact("paid", sheet.paid().to_string());
    report.fact("reversed", sheet.reversed().to_string());
    let mut sum = Money::ZERO;
    for (name, amount) in [
        ("handed over to grid", sheet.handed_over(Party::Grid)),
        ("handed over to supplier", sheet.handed_over(Party::Supplier)),
        ("in suspense", sheet.of(Party::Bank, LegKind::Suspense)),
        ("held in reserve", sheet.of(Party::Bank, LegKind::Reserve)),
    ] {
        sum = [sum, amount].into_iter().sum();
        report.fact(name, amount.to_string());
    }
    report.fact("sum", sum.to_string());
    let mut is_balanced = sheet.is_balanced();
    for (party, [due, late, carried_in, transferred, carried_out]) in NAMES {
        let lines = transfers.iter().filter(|((of, _), _)| *of == party).map(|(_, line)| *line);
        let line = lines.reduce(TransferLine::with).unwrap_or_default();
        report.fact(due, line.due.to_string());
        if line.late != Money::ZERO {
            report.fact(late, line.late.to_string());
        }
        report.fact(carried_in, line.carried_in.to_string());
        report.fact(transferred, line.transferred.to_string());
        report.fact(carried_out, line.carried_out.to_string());
        is_balanced &= line.is_balanced();
    }
    if books.transfers().open_day().is_none_or(|open| day >= open) {
        report.notes.push("the day is not over: more may be booked on it".into());
    }
    if !is_balanced {
        report.code = code::DIFFERENCES;
    }
    Ok(report)
}
