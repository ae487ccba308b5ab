//! `bill correct`: what came late, in readings, contracts, tariffs or agreements, to correction bills.

pub mod options;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::bill::ChargeKind;
use tallywatt_core::calendar::Period;
use tallywatt_core::correction::{Correction, DeltaLine};
use tallywatt_core::energy::Energy;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::money::Money;
use tallywatt_ledger::command::Command;
use tallywatt_node::books::records::read_corrections;
use tallywatt_node::books::{Books, BooksError, Computed, Input};
use tallywatt_shards::durable;

use crate::args::Arguments;
use crate::bill::{compare_plan, facts_of, name_of, price_of};
use crate::bill_correct::options::CorrectOptions;
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, period_of, record};
use crate::output::{Report, Table, word};
use crate::pay;
use crate::rounding::RoundingRule;

/// Corrects a month's bills, or says how they would be.
pub fn run(opened: &mut Opened, options: &CorrectOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let (period, day) = (period_of(&options.period)?, options.on);
    let supplier = opened.consortium.node(Party::Supplier).books();
    if supplier.bills(period).is_none() {
        let next = "bill it first with `tallywatt bill run`";
        return Err(Failure::usage(format!("{period} is not billed"), next));
    }
    let mut report = Report::default();
    let computed = match supplier.plan_corrections(period, day) {
        Ok(computed) => computed,
        Err(BooksError::Nothing(what)) => {
            report.fact("period", period.to_string()).fact("corrections", 0).fact("status", what);
            return Ok(report);
        }
        Err(error) => return Err(error.into()),
    };
    if options.plan {
        tell(&computed, &mut report)?;
        report.fact("status", "planned, nothing recorded");
        next_of_plan(options, period, &computed, &mut report, arguments)?;
        return Ok(report);
    }
    if let Some(path) = &options.planned {
        compare_plan(path, &computed, "corrections/plan")?;
    }
    if supplier.has_changed_since_closed(period) {
        let closed = opened.consortium.propose(Party::Grid, Input::Period(period))?;
        report.notes.extend(closed.findings.iter().cloned());
        if closed.height.is_none() {
            record(&mut report, &closed);
            return Ok(report);
        }
    }
    let outcome = opened.consortium.propose(Party::Supplier, Input::Corrections(period, day))?;
    tell(&outcome.computed, &mut report)?;
    record(&mut report, &outcome);
    if outcome.height.is_some() {
        // What was paid too much, and what the parties owe each other now, follows at once.
        pay::release(opened, &mut report)?;
    }
    report.then(format!("tallywatt{} bill list {period}", data_option(arguments)));
    Ok(report)
}

fn next_of_plan(
    options: &CorrectOptions,
    period: Period,
    computed: &Computed,
    report: &mut Report,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let command = format!("tallywatt{} bill correct {period} --on {}", data_option(arguments), options.on);
    match (&options.output, &computed.file) {
        (Some(path), Some(bytes)) => {
            durable::write_durably(path, bytes)?;
            report.fact("plan", path.display().to_string());
            report.then(format!("{command} --planned {}", word(path)));
        }
        _ => {
            report.then(command);
        }
    }
    Ok(())
}

fn tell(computed: &Computed, report: &mut Report) -> Result<(), Failure> {
    let corrections = read_corrections(computed.file.as_deref().unwrap_or_default())?;
    if let Command::Corrections(commit) = &computed.command {
        report.fact("period", commit.period.to_string()).fact("on", commit.day.to_string());
        report.fact("corrections", commit.corrections.count);
        report.fact("first bills", corrections.iter().filter(|one| one.before.is_none()).count());
        report.fact("energy kWh", Energy::from_wh(commit.energy_wh).to_string());
        report.fact("total", commit.total.to_string()).fact("charged", commit.charged.to_string());
        report.fact("payees' part, exact", commit.payee_part.to_string());
        report.fact("readings root", commit.readings.hash.to_string());
        report.fact("corrections root", commit.corrections.hash.to_string());
    }
    let held_back = corrections.iter().filter(|one| one.barred_by.is_some()).count();
    report.fact("increases held back", held_back);
    report.fact("accounts not computed", computed.unbilled.len());
    let mut table = Table::new(&["account", "kWh", "before", "now", "change", "charged", "remark"]);
    for one in &corrections {
        let (now, change) = (one.bill.total, one.delta.total);
        let before = Money::from_minor(now.as_minor().saturating_sub(change.as_minor()));
        let energy_wh = i64::try_from(one.delta.energy_wh()).unwrap_or_default();
        table.row(vec![
            json!(one.bill.account.to_string()),
            json!(Energy::from_wh(energy_wh).to_string()),
            json!(one.before.map(|_| before.to_string())),
            json!(now.to_string()),
            json!(change.to_string()),
            json!(one.charged.total.to_string()),
            json!(remark(one)),
        ]);
    }
    report.table = Some(table);
    for (account, reason) in computed.unbilled.iter().take(20) {
        report.notes.push(format!("account {account} keeps what stands: {reason}"));
    }
    if !computed.unbilled.is_empty() {
        report.code = code::SET_ASIDE;
    }
    Ok(())
}

/// Why what is charged is not the change, or what is special in it; empty if nothing is.
pub fn remark(correction: &Correction) -> String {
    match (correction.barred_by, correction.before) {
        (Some(months), _) => format!("not charged: an increase more than {months} months after the month"),
        (None, None) => "first bill".to_owned(),
        (None, Some(_)) => String::new(),
    }
}

/// A corrected bill as it stands now: its lines with what changed of them, and those that are gone.
pub fn corrected_report(books: &Books, last: &Published<Correction>, count: usize) -> Report {
    let Correction { before, day, bill, delta, owed, charged, .. } = &last.body;
    let mut report = facts_of(books, bill);
    let mut table = Table::new(&[
        "line",
        "quantity",
        "unit",
        "price",
        "exact",
        "rounding",
        "amount",
        "change",
        "exact change",
        "amount change",
    ]);
    let rule = RoundingRule::of(books, bill);
    let change_of = |tariff: &ContentHash, kind: ChargeKind| {
        delta.lines.iter().find(|line| line.tariff == *tariff && line.kind == kind)
    };
    for line in &bill.lines {
        let tariff = &bill.tariffs[usize::from(line.version)];
        let (quantity, unit) = line.kind.quantity_in_words(line.quantity);
        let mut row = vec![
            json!(name_of(books, tariff, line.kind)),
            json!(quantity),
            json!(unit),
            json!(price_of(line)),
            json!(line.exact.to_string()),
            json!(rule.map(|rule| rule.of_line(line))),
            json!(line.amount.to_string()),
        ];
        row.extend(changes(change_of(tariff, line.kind)));
        table.row(row);
    }
    let is_there = |gone: &&DeltaLine| {
        bill.lines
            .iter()
            .any(|line| bill.tariffs[usize::from(line.version)] == gone.tariff && line.kind == gone.kind)
    };
    for gone in delta.lines.iter().filter(|line| !is_there(line)) {
        let unit = gone.kind.quantity_in_words(gone.quantity).1;
        let mut row = vec![json!(name_of(books, &gone.tariff, gone.kind)), json!(""), json!(unit)];
        row.extend([json!(""), json!(""), json!(""), json!("")]);
        row.extend(changes(Some(gone)));
        table.row(row);
    }
    report.table = Some(table);
    report.fact("correction", format!("{count} of {count}, {}", last.hash.short()));
    report.fact("made on", day.to_string());
    let before = before.map_or_else(|| "nothing: there was no bill".to_owned(), |hash| hash.short());
    report.fact("corrects", before);
    for vat in &delta.vat {
        report.fact("VAT change", vat.amount.to_string());
    }
    report.fact("change", delta.total.to_string()).fact("charged", charged.total.to_string());
    report.fact("owed for the month", owed.total.to_string());
    report.fact("payee's part, change", delta.payee_part.to_string());
    let remark = remark(&last.body);
    if !remark.is_empty() {
        report.fact("remark", remark);
    }
    report
}

/// Quantity, exact amount and amount, more than before; empty of a line that is as it was.
fn changes(line: Option<&DeltaLine>) -> [serde_json::Value; 3] {
    let Some(line) = line else { return [json!(""), json!(""), json!("")] };
    let quantity = line.kind.quantity_in_words(line.quantity).0;
    [json!(quantity), json!(line.exact.to_string()), json!(line.amount.to_string())]
}
