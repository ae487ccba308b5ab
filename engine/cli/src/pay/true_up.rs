//! `pay true-up`: what accrued in each month, and its difference to what payments have brought, settled once a month.

use serde_json::json;
use tallywatt_core::account::Entry;
use tallywatt_core::accrual::{Basis, Closing, due_day};
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::calendar::Period;
use tallywatt_core::hash::Published;
use tallywatt_core::money::Money;
use tallywatt_ingest::documents::PaymentRegistry;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::open::{Opened, data_option, open};
use crate::output::{Report, Table};
use crate::pay::run_payments;

/// An agreement on accrual, and the day of the next month on which it is due.
fn on_accrual(known: &Published<Agreement>) -> Option<(&Published<Agreement>, u8)> {
    match known.body.terms.basis {
        Basis::Accrual(day) => Some((known, day)),
        Basis::Cash => None,
    }
}

/// Lists every month under an agreement on accrual.
pub fn list(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let books = opened.consortium.node(Party::Bank).books();
    let mut table = Table::new(&[
        "period",
        "agreement",
        "due",
        "billed",
        "paid",
        "accrued",
        "split",
        "true-up",
        "balance",
    ]);
    let mut open_months = Vec::new();
    let accrual = books.payments().accrual();
    for ((hash, period), month) in accrual.months() {
        let known = books.agreements().iter().find(|known| known.hash == *hash);
        let Some((known, day)) = known.and_then(on_accrual) else { continue };
        let minor = |minor: i128| {
            i64::try_from(minor)
                .map_or_else(|_| minor.to_string(), |minor| Money::from_minor(minor).to_string())
        };
        if month.true_up.is_none() {
            open_months.push(*period);
        }
        table.row(vec![
            json!(period.to_string()),
            json!(known.body.id.to_string()),
            json!(due_day(*period, day).to_string()),
            json!(minor(month.billed)),
            json!(minor(month.paid)),
            json!(month.accrued().map_or_else(|| "past 64 bits".into(), |accrued| accrued.to_string())),
            json!(minor(month.payee)),
            json!(month.true_up.map_or_else(|| "open".into(), |amount| amount.to_string())),
            json!(
                accrual.balance(*hash, *period).map_or_else(|| "past 64 bits".into(), |due| due.to_string())
            ),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("open months", open_months.len());
    report
        .notes
        .push("balance: what the payee is due of all months up to this one, less what it has got".into());
    open_months.sort();
    match open_months.first() {
        Some(period) => report.then(format!("tallywatt{} pay true-up {period}", data_option(arguments))),
        None => report.then(format!("tallywatt{} pay split", data_option(arguments))),
    };
    Ok(report)
}

/// Settles a month under every agreement on accrual that has bills up to it; what is settled already is passed over.
pub fn run(period: Period, arguments: &Arguments) -> Result<Report, Failure> {
    let mut opened = open(arguments)?;
    let entries = closings(&opened, period);
    if entries.is_empty() {
        let text = format!("no bill up to {period} is under an agreement on accrual");
        return Err(Failure::usage(text, "see `tallywatt pay true-up` for all months"));
    }
    let registry = PaymentRegistry { entries, total: Money::ZERO };
    let mut report = run_payments(&mut opened, registry, None)?;
    report.then(format!("tallywatt{} pay true-up", data_option(arguments)));
    Ok(report)
}

fn closings(opened: &Opened, period: Period) -> Vec<Entry> {
    let books = opened.consortium.node(Party::Bank).books();
    let accrual = books.payments().accrual();
    let agreements = books.agreements().iter().filter_map(on_accrual).map(|(known, _)| known.hash);
    let with_bills = agreements.filter(|agreement| accrual.has_bills(*agreement, period));
    with_bills.map(|agreement| Entry::Accrual(Closing { agreement, period })).collect()
}
