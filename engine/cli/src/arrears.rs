//! `arrears`: open bills by account and age, and what they cost by the published penalty table.

pub mod options;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Day;
use tallywatt_core::label::AccountId;
use tallywatt_core::money::Money;
use tallywatt_core::penalty::pieces::{Penalty, Piece};
use tallywatt_ingest::documents::builtin_penalty_table;
use tallywatt_node::arrears::{Age, Arrears as Found, Debt, arrears, debts_of};

use crate::args::Arguments;
use crate::arrears::options::{Arrears, ArrearsAction};
use crate::bill;
use crate::failure::Failure;
use crate::open::{data_option, now_unix_s, open, period_of};
use crate::output::{Report, Table};

/// The penalty table that `arrears table` shows.
const SHOWN_TABLE: &str = "russia-households-penalty";
/// Decimals of an exact penalty beside its fraction.
const SHOWN_UNIT: i128 = 10_000;

/// Arrears.
pub fn run(asked: &Arrears, arguments: &Arguments) -> Result<Report, Failure> {
    match &asked.action {
        None => {
            let as_of = day_of(asked.as_of.as_deref())?;
            let account = asked.account.as_deref().map(account_of).transpose()?;
            list(as_of, account, arguments)
        }
        Some(ArrearsAction::Explain { account, period }) => {
            let as_of = day_of(asked.as_of.as_deref())?;
            explain(&account_of(account)?, period, as_of, arguments)
        }
        Some(ArrearsAction::Table) => shown_table(arguments),
    }
}

/// The day that is asked for; today by the system's clock if none is.
pub fn day_of(text: Option<&str>) -> Result<Day, Failure> {
    let next = "write it as --as-of 2026-03-31";
    match text {
        Some(text) => text.parse().map_err(|error| Failure::usage(error, next)),
        None => {
            let today = i32::try_from(now_unix_s() / 86_400).ok().and_then(Day::from_number);
            today.ok_or_else(|| Failure::usage("the system's clock is past 2199", next))
        }
    }
}

fn account_of(text: &str) -> Result<AccountId, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("account: {error}"), "check the name"))
}

fn list(as_of: Day, account: Option<AccountId>, arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let books = opened.consortium.node(Party::Supplier).books();
    if let Some(account) = account.filter(|account| !books.accounts().contains_key(account)) {
        return Err(Failure::usage(format!("no account {account}"), "see `tallywatt contract list`"));
    }
    let found = arrears(books, as_of, account.as_ref());
    let mut report = Report::default();
    report.fact("as of", as_of.to_string()).fact("penalty table", table_name(&found));
    let mut accounts: Vec<AccountId> = found.debts.iter().map(|debt| debt.account).collect();
    accounts.dedup();
    report.fact("accounts", accounts.len()).fact("bills", found.debts.len());
    for (name, amount) in by_age(&found.debts) {
        report.fact(name, amount.to_string());
    }
    report.fact("owed", owed(&found.debts).to_string());
    report.fact("penalty", penalty_of(&found.debts));
    let asked = books.accounts().iter().filter(|(known, _)| account.is_none_or(|account| account == **known));
    let ahead: Money = asked.map(|(_, state)| state.advance()).sum();
    report.fact("paid ahead", ahead.to_string());
    let silent = found.debts.iter().filter_map(|debt| match &debt.penalty {
        Some(Err(error)) => Some(format!("account {}, {}: {error}", debt.account, debt.period)),
        _ => None,
    });
    report.notes.extend(silent.take(20));
    report.table = Some(if account.is_some() { by_bill(&found.debts) } else { by_account(&found.debts) });
    let option = data_option(arguments);
    let costly =
        found.debts.iter().find(|debt| debt.penalty_amount().is_some_and(|amount| amount > Money::ZERO));
    match costly {
        Some(Debt { account, period, .. }) => {
            report.then(format!("tallywatt{option} arrears explain {account} {period} --as-of {as_of}"))
        }
        None if found.table.is_none() => report.then("tallywatt arrears table > penalty.toml"),
        None => report.then(format!("tallywatt{option} pay plan PAYMENTS.csv")),
    };
    Ok(report)
}

/// `households 1a2b3c4d`.
fn table_name(found: &Found) -> String {
    found.table.map_or_else(|| "none published".into(), |(id, hash)| format!("{id} {}", hash.short()))
}

/// A row an account.
fn by_account(debts: &[Debt]) -> Table {
    let ages = Age::ALL.map(Age::name);
    let columns = [&["account", "bills", "oldest"][..], &ages, &["owed", "penalty"]].concat();
    let mut table = Table::new(&columns);
    for debts in debts.chunk_by(|a, b| a.account == b.account) {
        let oldest = &debts[0];
        let mut row =
            vec![json!(oldest.account.to_string()), json!(debts.len()), json!(oldest.period.to_string())];
        row.extend(by_age(debts).into_iter().map(|(_, amount)| json!(amount.to_string())));
        row.extend([json!(owed(debts).to_string()), penalty_of(debts)]);
        table.row(row);
    }
    table
}

/// A row a bill.
fn by_bill(debts: &[Debt]) -> Table {
    let columns = ["period", "total", "owed", "due", "days overdue", "age", "penalty", "of"];
    let mut table = Table::new(&columns);
    for debt in debts {
        table.row(vec![
            json!(debt.period.to_string()),
            json!(debt.total.to_string()),
            json!(debt.open.to_string()),
            json!(debt.due.to_string()),
            json!(debt.age().map(|_| debt.days_overdue)),
            json!(debt.age().map_or("paid", Age::name)),
            json!(debt.penalty_amount().map(|amount| amount.to_string())),
            json!(name_of(debt)),
        ]);
    }
    table
}

/// What is open by age, each age told.
fn by_age(debts: &[Debt]) -> Vec<(&'static str, Money)> {
    let mut sums: BTreeMap<Age, Vec<Money>> = BTreeMap::new();
    for debt in debts {
        if let Some(age) = debt.age() {
            sums.entry(age).or_default().push(debt.open);
        }
    }
    let sum = |age: &Age| sums.get(age).into_iter().flatten().copied().sum();
    Age::ALL.iter().map(|age| (age.name(), sum(age))).collect()
}

fn owed(debts: &[Debt]) -> Money {
    debts.iter().map(|debt| debt.open).sum()
}

/// The sum of the penalties, each rounded by itself; nothing where one cannot be said.
fn penalty_of(debts: &[Debt]) -> Value {
    let sum = debts.iter().try_fold(Money::ZERO, |sum, debt| sum.checked_add(debt.penalty_amount()?));
    let has_table = debts.iter().any(|debt| debt.penalty.is_some());
    json!(sum.filter(|_| has_table || debts.is_empty()).map(|sum| sum.to_string()))
}

fn explain(account: &AccountId, period: &str, as_of: Day, arguments: &Arguments) -> Result<Report, Failure> {
    let period = period_of(period)?;
    let opened = open(arguments)?;
    let books = opened.consortium.node(Party::Supplier).books();
    let _ = bill::find(books, account.as_str(), period)?;
    let debts = debts_of(books, period, account, as_of);
    let Some(table) = books.penalty_table_on(as_of) else {
        return Err(Failure::usage(
            format!("no penalty table is published that holds on {as_of}"),
            "see `tallywatt arrears table` for one, and publish it with `tallywatt tariff publish`",
        ));
    };
    let mut penalties: Vec<(&Debt, &Penalty)> = Vec::new();
    for debt in &debts {
        match &debt.penalty {
            Some(Ok(penalty)) => penalties.push((debt, penalty)),
            Some(Err(error)) => {
                let next = "publish a table that says it with `tallywatt tariff publish`";
                return Err(Failure::usage(format!("account {account}, {period}: {error}"), next));
            }
            None => {}
        }
    }
    let mut report = Report::default();
    report.fact("account", account.to_string()).fact("period", period.to_string());
    report.fact("as of", as_of.to_string());
    report.fact("penalty table", format!("{} {}", table.body.parts().id, table.hash.short()));
    for (debt, penalty) in &penalties {
        if debt.correction.is_some() {
            report.fact("debt", name_of(debt));
        }
        report.fact("total", debt.total.to_string()).fact("owed", debt.open.to_string());
        report.fact("due", debt.due.to_string());
        report.fact("days overdue", json!(debt.age().map(|_| debt.days_overdue)));
        report.fact("sum of the pieces", penalty.exact().to_string());
        report.fact("penalty", json!(penalty.amount().map(|amount| amount.to_string())));
    }
    report.fact("rounded", "once a debt, halves up");
    report.table = Some(pieces_of(&penalties));
    report.then(format!("tallywatt{} bill show {account} {period}", data_option(arguments)));
    Ok(report)
}

/// `bill`, or `increase 1a2b3c4d` of a correction.
fn name_of(debt: &Debt) -> String {
    debt.correction.map_or_else(|| "bill".to_owned(), |hash| format!("increase {}", hash.short()))
}

/// A row a piece, of one debt after the other.
fn pieces_of(penalties: &[(&Debt, &Penalty)]) -> Table {
    let columns = ["from", "to", "days", "debt", "rate %", "divisor", "exact", "about", "of"];
    let mut table = Table::new(&columns);
    let pieces = penalties
        .iter()
        .flat_map(|(debt, penalty)| penalty.pieces.iter().map(|piece| (name_of(debt), piece)));
    for (of, piece) in pieces {
        let Piece { from, to, debt, charge, exact } = piece;
        table.row(vec![
            json!(from.to_string()),
            json!(to.to_string()),
            json!(piece.day_count()),
            json!(debt.to_string()),
            json!(charge.map(|charge| charge.rate.to_string())),
            json!(charge.map(|charge| charge.divisor.get())),
            json!(exact.to_string()),
            json!(decimal(exact.nearest_e4())),
            json!(of),
        ]);
    }
    table
}

/// `0.3167`.
fn decimal(e4: i128) -> String {
    format!("{}.{:04}", e4 / SHOWN_UNIT, e4 % SHOWN_UNIT)
}

fn shown_table(arguments: &Arguments) -> Result<Report, Failure> {
    let text = builtin_penalty_table(SHOWN_TABLE)
        .ok_or_else(|| Failure::usage("the table is not there", "write one as the documentation says"))?;
    let mut report = Report { text: Some(text.to_owned()), ..Report::default() };
    report.fact("name", SHOWN_TABLE).fact("text", text);
    report.then("tallywatt arrears table > penalty.toml");
    report.then(format!("tallywatt{} tariff publish penalty.toml", data_option(arguments)));
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn four_decimals() {
        for (e4, want) in [(0, "0.0000"), (3_167, "0.3167"), (409_231, "40.9231")] {
            assert_eq!(decimal(e4), want);
        }
    }
}
