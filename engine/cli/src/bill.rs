//! `bill`: plan, run, show, list, arrears; `correct` has a file of its own.

use std::fs;
use std::path::Path;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::bill::{Bill, ChargeKind, ChargeLine};
use tallywatt_core::bill_change::{charge_name, line_name};
use tallywatt_core::calendar::Period;
use tallywatt_core::carried::{Carried, CarriedKind};
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::Stands;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::energy::Energy;
use tallywatt_core::estimated::EstimatedShare;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::AccountId;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::rate::BlockIndex;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_node::books::records::read_bills;
use tallywatt_node::books::{Books, Computed, Input};
use tallywatt_node::compare;
use tallywatt_shards::durable;

use crate::args::{Arguments, Bill as BillArguments, BillAction};
use crate::bill_correct;
use crate::bill_qr;
use crate::bill_reasons;
use crate::eligibility;
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, open, period_of, record};
use crate::output::{Report, Table, word};
use crate::pay;
use crate::rounding::RoundingRule;

/// Bills.
pub fn run(bill: &BillArguments, arguments: &Arguments) -> Result<Report, Failure> {
    let mut opened = open(arguments)?;
    match &bill.action {
        BillAction::Plan { period, output } => {
            plan(&opened, period_of(period)?, output.as_deref(), arguments)
        }
        BillAction::Run { period, plan, leave_unbilled } => {
            let mut report = run_bills(&mut opened, period_of(period)?, plan.as_deref(), *leave_unbilled)?;
            // What was paid ahead is split by the new bills' own agreements, as soon as they are in the chain.
            pay::release(&mut opened, &mut report)?;
            report.then(format!("tallywatt{} bill list {period}", data_option(arguments)));
            report.then(format!("tallywatt{} pay run PAYMENTS.csv", data_option(arguments)));
            Ok(report)
        }
        BillAction::Correct(options) => bill_correct::run(&mut opened, options, arguments),
        BillAction::Show { account, period } => show(&opened, account, period_of(period)?, arguments),
        BillAction::Explain { account, period, line, day } => {
            bill_reasons::explain(&opened, account, period_of(period)?, *line, *day, arguments)
        }
        BillAction::Match { period, file } => {
            bill_reasons::compare(&opened, period_of(period)?, file, arguments)
        }
        BillAction::Why { account, earlier, later } => {
            bill_reasons::why(&opened, account, earlier, later, arguments)
        }
        BillAction::Qr { account, period, payee } => {
            bill_qr::run(&opened, account, period_of(period)?, payee, arguments)
        }
        BillAction::List { period } => list(&opened, period_of(period)?, arguments),
        BillAction::Arrears => Ok(arrears(&opened, arguments)),
    }
}

fn plan(
    opened: &Opened,
    period: Period,
    output: Option<&Path>,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Supplier).books();
    let computed = books.plan_bills(period)?;
    let mut report = Report::default();
    tell(&computed, &mut report)?;
    eligibility::tell(books, period, &mut report);
    report.fact("status", "planned, nothing recorded");
    if let (Some(path), Some(bytes)) = (output, &computed.file) {
        durable::write_durably(path, bytes)?;
        report.fact("plan", path.display().to_string());
        report.then(format!("tallywatt{} bill run {period} --plan {}", data_option(arguments), word(path)));
    } else {
        report.then(format!("tallywatt{} bill run {period}", data_option(arguments)));
    }
    Ok(report)
}

/// Closes the period if it is open, and records its bills; refuses if they differ from the plan.
pub fn run_bills(
    opened: &mut Opened,
    period: Period,
    plan: Option<&Path>,
    leave_unbilled: bool,
) -> Result<Report, Failure> {
    let supplier = opened.consortium.node(Party::Supplier);
    if supplier.books().bills(period).is_some() {
        return Err(Failure::usage(format!("{period} is billed already"), "see `tallywatt bill list`"));
    }
    let computed = supplier.books().plan_bills(period)?;
    if let Some(path) = plan {
        compare_plan(path, &computed, "bills/plan")?;
    }
    if let Some((account, reason)) = computed.unbilled.first().filter(|_| !leave_unbilled) {
        let count = computed.unbilled.len();
        return Err(Failure::usage(
            format!("{count} accounts cannot be billed for {period}, the first is {account}: {reason}"),
            "mend the cause and plan again, or leave them without a bill for good with --leave-unbilled",
        ));
    }
    let mut report = Report::default();
    if supplier.books().period_leaves(period).is_none() {
        let closed = opened.consortium.propose(Party::Grid, Input::Period(period))?;
        report.notes.extend(closed.findings.iter().cloned());
        if closed.height.is_none() {
            record(&mut report, &closed);
            return Ok(report);
        }
    }
    let outcome = opened.consortium.propose(Party::Supplier, Input::Bills(period))?;
    tell(&outcome.computed, &mut report)?;
    eligibility::tell(opened.consortium.node(Party::Supplier).books(), period, &mut report);
    record(&mut report, &outcome);
    Ok(report)
}

/// Plan = run, byte for byte; else exit 4 and the first difference.
pub fn compare_plan(path: &Path, computed: &Computed, kind: &str) -> Result<(), Failure> {
    let planned = fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let bytes = computed.file.as_deref().unwrap_or_default();
    if planned == bytes {
        return Ok(());
    }
    let (record, what) = compare::first_difference(kind, &planned, bytes);
    Err(Failure::with_code(
        code::DIFFERENCES,
        format!("{}: not what a run gives now: {record}: {what} now", path.display()),
        "plan again and look at the difference; nothing was recorded",
    ))
}

fn tell(computed: &Computed, report: &mut Report) -> Result<(), Failure> {
    if let Command::Bills(commit) = &computed.command {
        report.fact("period", commit.period.to_string()).fact("bills", commit.bills.count);
        report.fact("energy kWh", Energy::from_wh(commit.energy_wh).to_string());
        report.fact("total", commit.total.to_string());
        report.fact("payees' part, exact", commit.payee_part.to_string());
        report.fact("readings root", commit.readings.hash.to_string());
        report.fact("bills root", commit.bills.hash.to_string());
    }
    let bills = read_bills(computed.file.as_deref().unwrap_or_default())?;
    let incomplete = bills.iter().filter(|bill| bill.completeness.missing > 0).count();
    let estimated: u64 = bills.iter().map(|bill| u64::from(bill.completeness.estimated)).sum();
    report.fact("estimated intervals", estimated).fact("bills with missing intervals", incomplete);
    report.fact("accounts not billed", computed.unbilled.len());
    for (account, reason) in computed.unbilled.iter().take(20) {
        report.notes.push(format!("account {account} is not billed: {reason}"));
    }
    if !computed.unbilled.is_empty() {
        report.code = code::SET_ASIDE;
    }
    Ok(())
}

/// The account's contracts in the list that the bill was computed from.
pub fn contracts_of<'a>(books: &'a Books, bill: &Bill) -> &'a [Contract] {
    let list = books.contracts_behind(bill.period, &bill.account).unwrap_or_default();
    // The list is in order of account.
    let from = list.partition_point(|contract| contract.account < bill.account);
    let count = list[from..].partition_point(|contract| contract.account == bill.account);
    &list[from..from + count]
}

/// How much of a bill is estimated; `block` finds a register-day of its period.
fn estimated_share<'b>(
    books: &Books,
    bill: &Bill,
    block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
) -> EstimatedShare {
    let keys = contracts_of(books, bill).iter().flat_map(|contract| {
        let Contract { usage_point, register, validity, .. } = *contract;
        let held = bill.period.days().filter(move |day| validity.contains(*day));
        held.map(move |day| BlockKey { usage_point, register, day })
    });
    EstimatedShare::of(&bill.completeness, keys.filter_map(|key| block(&key)))
}

/// A quantity that goes on to the next bill.
fn carried_in_words(one: &Carried) -> String {
    let thousandths =
        || i64::try_from(one.quantity).map_or_else(|_| String::new(), |wh| Energy::from_wh(wh).to_string());
    let amount = || ExactAmount::from_e11(one.quantity).to_string();
    match one.kind {
        CarriedKind::Credit { usage_point, zone } => {
            let zone = zone.map_or_else(|| "any zone".to_owned(), |zone| zone.to_string());
            format!("{} kWh fed in at {usage_point}, {zone}", thousandths())
        }
        CarriedKind::Peak { usage_point, register, charge, period } => {
            format!("peak {charge} of {usage_point} {register} in {period}: {} kW", thousandths())
        }
        CarriedKind::Charged { tariff } => format!("charged this year by {tariff}: {}", amount()),
        CarriedKind::Due { tariff } => format!("due this year by {tariff}: {}", amount()),
    }
}

/// An account's bill of a month, as it stands now.
pub fn find<'a>(books: &'a Books, account: &str, period: Period) -> Result<&'a Bill, Failure> {
    stands(books, account, period).map(|stands| stands.bill)
}

fn stands<'a>(books: &'a Books, account: &str, period: Period) -> Result<Stands<'a>, Failure> {
    let account: AccountId =
        account.parse().map_err(|error| Failure::usage(format!("account: {error}"), "check the name"))?;
    let next = "see `tallywatt bill list`";
    if books.bills(period).is_none() {
        return Err(Failure::usage(format!("{period} is not billed"), next));
    }
    books
        .stands(period, &account)
        .ok_or_else(|| Failure::usage(format!("account {account} has no bill for {period}"), next))
}

fn show(opened: &Opened, account: &str, period: Period, arguments: &Arguments) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Supplier).books();
    let stands = stands(books, account, period)?;
    let corrections = books.corrections(period, &stands.bill.account);
    let mut report = match corrections.last() {
        Some(last) => bill_correct::corrected_report(books, last, corrections.len()),
        None => bill_report(books, stands.bill),
    };
    report.then(format!("tallywatt{} prove bill {account} {period}", data_option(arguments)));
    Ok(report)
}

/// A bill, line by line.
pub fn bill_report(books: &Books, bill: &Bill) -> Report {
    let mut table = Table::new(&["line", "quantity", "unit", "price", "exact", "rounding", "amount"]);
    let rule = RoundingRule::of(books, bill);
    for line in &bill.lines {
        let hash = &bill.tariffs[usize::from(line.version)];
        let version = books.tariffs().versions().iter().find(|version| version.hash == *hash);
        let name = version.map_or("?".to_owned(), |version| line_name(line, &version.body));
        let (quantity, unit) = line.kind.quantity_in_words(line.quantity);
        table.row(vec![
            json!(name),
            json!(quantity),
            json!(unit),
            json!(price_of(line)),
            json!(line.exact.to_string()),
            json!(rule.map(|rule| rule.of_line(line))),
            json!(line.amount.to_string()),
        ]);
    }
    let mut report = facts_of(books, bill);
    report.table = Some(table);
    report
}

/// What a charge of a tariff version is called.
pub fn name_of(books: &Books, tariff: &ContentHash, kind: ChargeKind) -> String {
    let version = books.tariffs().versions().iter().find(|version| version.hash == *tariff);
    version.map_or("?".to_owned(), |version| charge_name(kind, &version.body))
}

/// A bill without its lines.
pub fn facts_of(books: &Books, bill: &Bill) -> Report {
    let mut report = Report::default();
    report.fact("account", bill.account.to_string()).fact("period", bill.period.to_string());
    for hash in &bill.tariffs {
        let tariff = books.tariffs().versions().iter().find(|version| version.hash == *hash);
        let name = tariff.map_or_else(String::new, |tariff| format!("{} ", tariff.body.parts().id));
        report.fact("tariff", format!("{name}{}", hash.short()));
    }
    for hash in &bill.market {
        let series = books.market().series().iter().find(|known| known.hash == *hash);
        let hours = books.market().hours().iter().find(|known| known.hash == *hash);
        if let Some(series) = series {
            report.fact("price series", format!("{} {}", series.body.parts().id, hash.short()));
        } else if let Some(hours) = hours {
            report.fact("hour list", format!("{} {}", hours.body.parts().id, hash.short()));
        } else if let Some(plan) = books.market().plans().iter().find(|known| known.hash == *hash) {
            let parts = plan.body.parts();
            report.fact("plan", format!("{} {} {}", parts.usage_point, parts.validity, hash.short()));
        }
    }
    let complete = bill.completeness;
    report.fact(
        "readings",
        format!(
            "{} expected, {} measured, {} estimated, {} missing",
            complete.expected, complete.measured, complete.estimated, complete.missing
        ),
    );
    let share = estimated_share(books, bill, &|key| books.block_behind(bill, key));
    report.fact("estimated", share.in_words());
    report.fact("energy kWh", bill.energy().to_string()).fact("exact", bill.exact_total().to_string());
    if bill.export_energy() != Energy::ZERO {
        report.fact("fed in kWh", bill.export_energy().to_string());
    }
    if let Some(previous) = bill.previous {
        report.fact("stands on bill", previous.short());
    }
    if !bill.carried.is_empty() {
        let carried: Vec<String> = bill.carried.iter().map(carried_in_words).collect();
        report.fact("carries on", carried.join("; "));
    }
    let rule = RoundingRule::of(books, bill);
    if let Some(rule) = rule {
        report.fact("rounding", rule.in_words());
    }
    for vat in &bill.vat {
        let how = if vat.vat.is_included { "included" } else { "on top" };
        let rate = f_percent(vat.vat.rate_e4);
        let rounded = rule.map_or_else(String::new, |rule| format!(", {} of {}", rule.name(), vat.base));
        report.fact("VAT", format!("{} ({rate} %, {how}{rounded})", vat.amount));
    }
    report.fact("total", format!("{} {}", bill.total, bill.currency));
    report.fact("payee's part, exact", bill.payee_part.to_string());
    report
}

/// The price of a line; by a series the mean, said to be one: nothing is computed from it.
pub fn price_of(line: &ChargeLine) -> String {
    line.mean_price().map_or_else(|| line.price.to_string(), |mean| format!("mean {mean}"))
}

/// Hundredths of a per cent as per cent.
fn f_percent(rate_e4: u16) -> String {
    if rate_e4.is_multiple_of(100) {
        (rate_e4 / 100).to_string()
    } else {
        format!("{}.{:02}", rate_e4 / 100, rate_e4 % 100)
    }
}

fn list(opened: &Opened, period: Period, arguments: &Arguments) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Supplier).books();
    let standing = books
        .standing(period)
        .ok_or_else(|| Failure::usage(format!("{period} is not billed"), "run `tallywatt bill run` first"))?;
    let mut table = Table::new(&[
        "account",
        "kWh",
        "expected",
        "estimated",
        "missing",
        "total",
        "estimated share %",
        "estimated energy share %",
        "charged",
        "corrections",
    ]);
    // Bills that rest on readings of an earlier close are few.
    let blocks = BlockIndex::new(books.period_leaves(period).unwrap_or_default().iter().map(DayLeaf::block));
    let (cursor, newest) = (blocks.cursor(), books.period_root(period).map(|root| root.hash));
    let mut flagged = 0_u64;
    for Stands { bill, owed, .. } in &standing {
        let share = match newest == Some(bill.readings) {
            true => estimated_share(books, bill, &|key| cursor.find(key)),
            false => estimated_share(books, bill, &|key| books.block_behind(bill, key)),
        };
        flagged += u64::from(share.is_flagged());
        table.row(vec![
            json!(bill.account.to_string()),
            json!(bill.energy().to_string()),
            json!(bill.completeness.expected),
            json!(bill.completeness.estimated),
            json!(bill.completeness.missing),
            json!(bill.total.to_string()),
            json!(share.intervals.to_string()),
            json!(share.energy.to_string()),
            json!(owed.total.to_string()),
            json!(books.corrections(period, &bill.account).len()),
        ]);
    }
    let total: Money = standing.iter().map(|stands| stands.bill.total).sum();
    let charged: Money = standing.iter().map(|stands| stands.owed.total).sum();
    let corrected = standing.iter().filter(|stands| stands.corrected_on.is_some()).count();
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("period", period.to_string()).fact("bills", standing.len());
    report.fact("corrected", corrected).fact("total", total.to_string());
    report.fact("charged", charged.to_string());
    report.fact("bills with much estimated", flagged);
    report.then(format!("tallywatt{} bill show ACCOUNT {period}", data_option(arguments)));
    Ok(report)
}

fn arrears(opened: &Opened, arguments: &Arguments) -> Report {
    let books = opened.consortium.node(Party::Supplier).books();
    let mut table = Table::new(&["account", "open bills", "oldest", "owed", "paid ahead"]);
    let (mut owed, mut ahead) = (Money::ZERO, Money::ZERO);
    for (account, state) in books.accounts() {
        owed = [owed, state.debt()].into_iter().sum();
        ahead = [ahead, state.advance()].into_iter().sum();
        if state.open.is_empty() && state.advance() == Money::ZERO {
            continue;
        }
        let oldest = state.open.first().map(|open| open.period.to_string());
        table.row(vec![
            json!(account.to_string()),
            json!(state.open.len()),
            json!(oldest),
            json!(state.debt().to_string()),
            json!(state.advance().to_string()),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("owed", owed.to_string()).fact("paid ahead", ahead.to_string());
    report.then(format!("tallywatt{} pay plan PAYMENTS.csv", data_option(arguments)));
    report
}
