//! `pay`: a registry of payments to settlement legs.

use std::fs;
use std::path::Path;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;
use tallywatt_core::split::LegKind;
use tallywatt_ingest::documents::{PaymentRegistry, parse_payments};
use tallywatt_ledger::command::Command;
use tallywatt_node::books::records::read_settled;
use tallywatt_node::books::{Computed, Input};
use tallywatt_shards::durable;

use crate::args::{Arguments, Pay, PayAction};
use crate::bill::compare_plan;
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, open, record};
use crate::output::{Report, Table, word};

/// Payments.
pub fn run(pay: &Pay, arguments: &Arguments) -> Result<Report, Failure> {
    match &pay.action {
        PayAction::Plan { file, output } => {
            let registry = read(file)?;
            let opened = open(arguments)?;
            let computed = opened.consortium.plan(Party::Bank, Input::Payments(registry.payments))?;
            let mut report = Report::default();
            tell(&computed, &mut report)?;
            report.fact("status", "planned, nothing recorded");
            if let (Some(path), Some(bytes)) = (output, &computed.file) {
                durable::write_durably(path, bytes)?;
                report.fact("plan", path.display().to_string());
                report.then(format!(
                    "tallywatt{} pay run {} --plan {}",
                    data_option(arguments),
                    word(file),
                    word(path)
                ));
            } else {
                report.then(format!("tallywatt{} pay run {}", data_option(arguments), word(file)));
            }
            Ok(report)
        }
        PayAction::Run { file, plan } => {
            let registry = read(file)?;
            let mut opened = open(arguments)?;
            let mut report = run_payments(&mut opened, registry, plan.as_deref())?;
            report.then(format!("tallywatt{} pay split", data_option(arguments)));
            report.then(format!("tallywatt{} bill arrears", data_option(arguments)));
            Ok(report)
        }
        PayAction::Split => Ok(split(&open(arguments)?, arguments)),
    }
}

/// Reads a registry.
pub fn read(file: &Path) -> Result<PaymentRegistry, Failure> {
    let handle = fs::File::open(file).map_err(|error| Failure::file("open", file, &error))?;
    Ok(parse_payments(&file.display().to_string(), handle)?)
}

/// Settles a registry; what is settled already is passed over.
pub fn run_payments(
    opened: &mut Opened,
    registry: PaymentRegistry,
    plan: Option<&Path>,
) -> Result<Report, Failure> {
    let mut report = Report::default();
    let known = opened.consortium.node(Party::Bank).books().payments();
    let repeated = registry.payments.iter().filter(|payment| known.get(&payment.id) == Some(payment)).count();
    if repeated == registry.payments.len() {
        report.fact("payments", 0).fact("settled before", repeated).fact("status", "nothing new");
        return Ok(report);
    }
    if let Some(path) = plan {
        let computed = opened.consortium.plan(Party::Bank, Input::Payments(registry.payments.clone()))?;
        compare_plan(path, &computed, "settlements/plan")?;
    }
    let outcome = opened.consortium.propose(Party::Bank, Input::Payments(registry.payments))?;
    tell(&outcome.computed, &mut report)?;
    report.fact("settled before", repeated);
    record(&mut report, &outcome);
    if !outcome.is_sealed() {
        report.notes.push("money leaves on a sealed block only: nothing is to be paid out yet".into());
    }
    Ok(report)
}

fn tell(computed: &Computed, report: &mut Report) -> Result<(), Failure> {
    let Command::Settlement(commit) = &computed.command else { return Ok(()) };
    report.fact("settlement", commit.sequence).fact("payments", commit.payments.count);
    report.fact("paid", commit.paid.to_string());
    let mut table = Table::new(&["party", "leg", "amount"]);
    for leg in &commit.legs {
        table.row(vec![json!(leg.party.name()), json!(leg.kind.name()), json!(leg.amount.to_string())]);
    }
    let sum: Money = commit.legs.iter().map(|leg| leg.amount).sum();
    report.fact("sum of legs", sum.to_string());
    report.table = Some(table);
    let settled = read_settled(computed.file.as_deref().unwrap_or_default())?;
    let suspense: Vec<_> = settled
        .iter()
        .filter(|settled| settled.legs.iter().any(|leg| leg.kind == LegKind::Suspense))
        .collect();
    report.fact("in suspense", suspense.len());
    for settled in suspense.iter().take(20) {
        report.notes.push(format!(
            "payment {} of {} is for no account ({}): the bank holds it in suspense",
            settled.payment.id, settled.payment.amount, settled.payment.account
        ));
    }
    if !suspense.is_empty() {
        report.code = code::SET_ASIDE;
    }
    Ok(())
}

fn split(opened: &Opened, arguments: &Arguments) -> Report {
    let state = opened.consortium.node(Party::Bank).member().state();
    let mut table = Table::new(&["party", "leg", "amount"]);
    let mut sum = Money::ZERO;
    for party in Party::ALL {
        for kind in [LegKind::Part, LegKind::Remainder, LegKind::Advance, LegKind::Suspense] {
            let amount = state.paid(party, kind);
            if amount != Money::ZERO {
                sum = [sum, amount].into_iter().sum();
                table.row(vec![json!(party.name()), json!(kind.name()), json!(amount.to_string())]);
            }
        }
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("billed", state.billed().to_string()).fact("received", state.received().to_string());
    report.fact("sum of legs", sum.to_string());
    report.then(format!("tallywatt{} bill arrears", data_option(arguments)));
    if sum != state.received() {
        report.code = code::DIFFERENCES;
    }
    report
}
