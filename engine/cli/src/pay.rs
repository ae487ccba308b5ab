//! `pay`: a registry of payments to settlement legs.

mod day;
pub mod options;
mod reserve;
mod suspense;
mod true_up;

use std::fs;
use std::path::Path;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;
use tallywatt_core::split::{Cause, Held, LegKind, Settled};
use tallywatt_ingest::documents::{PaymentRegistry, parse_payments};
use tallywatt_ledger::command::Command;
use tallywatt_node::books::records::read_settled;
use tallywatt_node::books::{Computed, Input};
use tallywatt_shards::durable;

use crate::args::Arguments;
use crate::bill::compare_plan;
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, open, period_of, record};
use crate::output::{Report, Table, word};
use crate::pay::options::{Pay, PayAction};

/// How many payments had money waiting that went to bills.
const RELEASED: &str = "advances released";
/// How many entries settled corrections: money taken off bills, parts trued up, bills below zero given to accounts.
const SETTLED: &str = "corrections settled";

/// Payments.
pub fn run(pay: &Pay, arguments: &Arguments) -> Result<Report, Failure> {
    match &pay.action {
        PayAction::Plan { file, output } => {
            let registry = read(file)?;
            let opened = open(arguments)?;
            let computed = opened.consortium.plan(Party::Bank, Input::Payments(registry.entries))?;
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
        PayAction::Split { day: None } => Ok(split(&open(arguments)?, arguments)),
        PayAction::Split { day: Some(day) } => {
            let day =
                day.parse().map_err(|error| Failure::usage(format!("{error}"), "write it as 2026-04-02"))?;
            day::split(&open(arguments)?, day)
        }
        PayAction::TrueUp { period: None } => true_up::list(arguments),
        PayAction::TrueUp { period: Some(period) } => true_up::run(period_of(period)?, arguments),
        PayAction::Reserve => reserve::list(arguments),
        PayAction::Suspense { as_of } => suspense::list(as_of.as_deref(), arguments),
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
    let repeated = registry.entries.iter().filter(|entry| known.is_settled(entry)).count();
    if repeated == registry.entries.len() && !known.is_waiting() {
        report.fact("payments", 0).fact("settled before", repeated).fact("status", "nothing new");
        return Ok(report);
    }
    if let Some(path) = plan {
        let computed = opened.consortium.plan(Party::Bank, Input::Payments(registry.entries.clone()))?;
        compare_plan(path, &computed, "settlements/plan")?;
    }
    let outcome = opened.consortium.propose(Party::Bank, Input::Payments(registry.entries))?;
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
    let settled = read_settled(computed.file.as_deref().unwrap_or_default())?;
    let is_order = |settled: &&Settled| matches!(settled.cause, Cause::Accrual(_) | Cause::Reserve(_));
    let orders = settled.iter().filter(is_order).count();
    report.fact("settlement", commit.sequence).fact("payments", settled.len() - orders);
    if orders > 0 {
        report.fact("orders", orders);
    }
    report.fact("paid", commit.paid.to_string());
    if commit.reversed != Money::ZERO {
        report.fact("reversed", commit.reversed.to_string());
    }
    let mut table = Table::new(&["party", "leg", "amount"]);
    // Legs got and given back add up to what came in less what went back; what is given back is written below zero.
    let mut sum = 0_i64;
    let got = commit.legs.iter().map(|leg| (leg, leg.amount.as_minor()));
    let given = commit.back.iter().map(|leg| (leg, -leg.amount.as_minor()));
    for (leg, minor) in got.chain(given) {
        sum = sum.saturating_add(minor);
        let amount = Money::from_minor(minor).to_string();
        table.row(vec![json!(leg.party.name()), json!(leg.kind.name()), json!(amount)]);
    }
    report.fact("sum of legs", Money::from_minor(sum).to_string());
    report.table = Some(table);
    let released = settled
        .iter()
        .filter(|settled| matches!(&settled.cause, Cause::Release(release) if release.from == Held::Advance))
        .count();
    if released > 0 {
        report.fact(RELEASED, released);
    }
    let is_correction =
        |cause: &Cause| matches!(cause, Cause::Withdrawal(_) | Cause::TrueUp(_) | Cause::Credit(_));
    let corrected = settled.iter().filter(|settled| is_correction(&settled.cause)).count();
    if corrected > 0 {
        report.fact(SETTLED, corrected);
    }
    let found = settled.iter().filter(|settled| match &settled.cause {
        Cause::Match(_) => true,
        Cause::Release(release) => release.from == Held::Suspense,
        _ => false,
    });
    let matched: Vec<_> = found.collect();
    if !matched.is_empty() {
        report.fact("matched", matched.len());
    }
    for settled in matched.iter().filter(|settled| settled.entry().is_none()).take(20) {
        report.notes.push(format!(
            "account {} has become known: {} of payment {} leaves suspense for it",
            settled.account(),
            settled.amount(),
            settled.id()
        ));
    }
    let suspense: Vec<_> = settled.iter().filter(|settled| settled.is_suspended()).collect();
    report.fact("in suspense", suspense.len());
    for settled in suspense.iter().take(20) {
        report.notes.push(format!(
            "payment {} of {} is for no account ({}): the bank holds it in suspense",
            settled.id(),
            settled.amount(),
            settled.account()
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
        for kind in LegKind::ALL {
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

/// Settles what corrections left, and what was paid ahead for bills issued since, and tells it in the report of what issued them.
pub fn release(opened: &mut Opened, report: &mut Report) -> Result<(), Failure> {
    if !opened.consortium.node(Party::Bank).books().payments().is_waiting() {
        return Ok(());
    }
    let released = run_payments(opened, PaymentRegistry::default(), None)?;
    report.facts.extend(released.facts.into_iter().filter(|(name, _)| [RELEASED, SETTLED].contains(name)));
    report.notes.extend(released.notes);
    report.code = report.code.max(released.code);
    Ok(())
}
