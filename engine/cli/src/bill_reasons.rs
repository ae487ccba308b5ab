//! `bill why | explain | match`: why a bill is higher than another, which readings a line counts, and what differs from bills
//! that another system issued.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::bill::{Bill, ChargeKind, ChargeLine};
use tallywatt_core::bill_change::{NamedBill, change, line_name};
use tallywatt_core::bill_match::{Verdict, match_bills};
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::energy::Energy;
use tallywatt_core::explain::{CountedInterval, DeviatingHour, Explained};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::tariff::Tariff;
use tallywatt_ingest::documents::parse_issued_bills;
use tallywatt_node::books::Books;

use crate::args::Arguments;
use crate::bill::{contracts_of, find};
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, period_of};
use crate::output::{Report, Table};
use crate::rounding::RoundingRule;

/// Why the later bill is not the earlier one.
pub fn why(
    opened: &Opened,
    account: &str,
    earlier: &str,
    later: &str,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Supplier).books();
    let (before, after) =
        (find(books, account, period_of(earlier)?)?, find(books, account, period_of(later)?)?);
    if before.currency != after.currency {
        let what = format!("a bill in {} and one in {}", before.currency, after.currency);
        return Err(Failure::usage(what, "compare bills of one currency"));
    }
    let (before_tariffs, after_tariffs) = (tariffs_of(books, before)?, tariffs_of(books, after)?);
    let terms = change(
        NamedBill { bill: before, tariffs: &before_tariffs },
        NamedBill { bill: after, tariffs: &after_tariffs },
    );
    let mut table = Table::new(&["charge", "because of", "amount"]);
    for term in &terms {
        table.row(vec![json!(term.charge), json!(term.cause.name()), json!(term.amount.to_string())]);
    }
    let sum: ExactAmount = terms.iter().map(|term| term.amount).sum();
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("account", before.account.to_string());
    report.fact("earlier", format!("{} in {}", before.total, before.period));
    report.fact("later", format!("{} in {}", after.total, after.period));
    report.fact("difference", sum.to_string());
    report.then(format!("tallywatt{} bill show {account} {later}", data_option(arguments)));
    Ok(report)
}

fn tariffs_of<'b>(books: &'b Books, bill: &Bill) -> Result<Vec<&'b Tariff>, Failure> {
    let versions = books.tariffs().versions();
    let version = |hash: &ContentHash| {
        versions.iter().find(|version| version.hash == *hash).map(|version| &version.body)
    };
    let tariffs: Option<Vec<&Tariff>> = bill.tariffs.iter().map(version).collect();
    tariffs
        .ok_or_else(|| Failure::usage("a tariff of the bill is not published", "run `tallywatt chain audit`"))
}

/// What a line counts: its days, or the intervals of one day.
pub fn explain(
    opened: &Opened,
    account: &str,
    period: Period,
    number: Option<usize>,
    day: Option<Day>,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Supplier).books();
    let bill = find(books, account, period)?;
    let contracts = contracts_of(books, bill);
    let tariffs = tariffs_of(books, bill)?;
    let next = format!("tallywatt{} bill show {account} {period}", data_option(arguments));
    let Some(number) = number else {
        let mut report = crate::bill::bill_report(books, bill);
        for at in 1..=bill.lines.len() {
            report.then(format!(
                "tallywatt{} bill explain {account} {period} --line {at}",
                data_option(arguments)
            ));
        }
        return Ok(report);
    };
    let line = number.checked_sub(1).and_then(|at| bill.lines.get(at));
    let line = line.ok_or_else(|| {
        Failure::usage(format!("the bill has lines 1 to {}", bill.lines.len()), format!("see `{next}`"))
    })?;
    let (tariff_book, market) = (books.tariffs(), books.market());
    let explained = Explained { bill, contracts, tariffs: tariff_book, market };
    // The bill is here, but not what it follows from, where no readings are kept.
    opened.readings()?;
    let intervals = explained.intervals(line, &|key| books.block_behind(bill, key));
    let tariff = tariffs[usize::from(line.version)];
    let mut report = Report::default();
    report.fact("line", line_name(line, tariff));
    report.fact("price", price_of(line, tariff));
    report.fact("exact", line.exact.to_string());
    if let Some(rule) = RoundingRule::of(books, bill) {
        report.fact("rounding", rule.of_line(line));
    }
    report.fact("amount", line.amount.to_string());
    let metered_wh: i64 = intervals.iter().map(|one| i64::from(one.energy_wh)).sum();
    match line.kind {
        ChargeKind::Energy { .. } | ChargeKind::Series { .. } => {
            let zone_wh = explained.zone_wh(line);
            // What was fed in is taken off before the lines: then the meter shows more.
            let nets = tariff.parts().netting.is_some();
            if metered_wh != zone_wh && (!nets || metered_wh < zone_wh) {
                let what = format!(
                    "the intervals of the zone come to {} kWh, its lines to {} kWh",
                    Energy::from_wh(metered_wh),
                    Energy::from_wh(zone_wh)
                );
                return Err(Failure::with_code(code::NO, what, "run `tallywatt chain audit`"));
            }
            report.fact("energy kWh", line.energy().to_string());
            report.fact("energy of its zone in all ranges kWh", Energy::from_wh(zone_wh).to_string());
            if nets {
                report.fact("metered in its zone kWh", Energy::from_wh(metered_wh).to_string());
            }
        }
        ChargeKind::Demand { .. } => {
            report.fact("peak in this range kW", Energy::from_wh(line.quantity).to_string());
        }
        ChargeKind::Deviation(_) => {
            let hours = explained.hours(line, &|key| books.block_behind(bill, key));
            let wh: i64 = hours.iter().map(DeviatingHour::wh).sum();
            if wh != line.quantity {
                let (found, billed) = (Energy::from_wh(wh), Energy::from_wh(line.quantity));
                let what = format!("the hours deviate by {found} kWh, the line by {billed} kWh");
                return Err(Failure::with_code(code::NO, what, "run `tallywatt chain audit`"));
            }
            report.fact("hours", hours.len()).fact("deviation kWh", Energy::from_wh(wh).to_string());
            report.table = Some(deviation_table(&hours, day));
        }
        ChargeKind::Fixed(_) => {
            report.fact("usage-point-days", line.quantity);
        }
        ChargeKind::Export { .. } => {
            report.fact("credited kWh", line.export_energy().to_string());
            report.fact("metered in its zone kWh", Energy::from_wh(metered_wh).to_string());
        }
        ChargeKind::Minimum | ChargeKind::YearMinimum => {
            report.fact("lacking to the minimum", line.exact.to_string());
        }
        ChargeKind::Package { .. } => {
            report.fact("packages begun", line.quantity);
        }
        ChargeKind::Flat { .. } => {
            report.fact("times due", line.quantity);
        }
    }
    if !intervals.is_empty() {
        report.table = Some(match day {
            Some(day) => interval_table(&intervals, day),
            None => day_table(&intervals),
        });
    }
    report.then(next);
    Ok(report)
}

/// The hours of a deviation: those of one day, or each day's together.
fn deviation_table(hours: &[DeviatingHour<'_>], day: Option<Day>) -> Table {
    let kwh = |wh: i64| json!(Energy::from_wh(wh).to_string());
    let Some(day) = day else {
        let mut table = Table::new(&["usage point", "day", "hours", "planned kWh", "kWh", "deviation kWh"]);
        for of_day in hours.chunk_by(|a, b| (a.usage_point, a.day) == (b.usage_point, b.day)) {
            let sum = |of: fn(&DeviatingHour<'_>) -> i64| kwh(of_day.iter().map(of).sum());
            table.row(vec![
                json!(of_day[0].usage_point.to_string()),
                json!(of_day[0].day.to_string()),
                json!(of_day.len()),
                sum(|hour| hour.planned_wh),
                sum(|hour| hour.fact_wh),
                sum(|hour| hour.wh()),
            ]);
        }
        return table;
    };
    let mut table = Table::new(&["usage point", "start", "planned kWh", "kWh", "deviation kWh", "price"]);
    for hour in hours.iter().filter(|hour| hour.day == day) {
        table.row(vec![
            json!(hour.usage_point.to_string()),
            json!(hour.zone.wall_clock(hour.start)),
            kwh(hour.planned_wh),
            kwh(hour.fact_wh),
            kwh(hour.wh()),
            json!(hour.price.map(|price| price.to_string())),
        ]);
    }
    table
}

/// The price of a line; by a series its name and the mean, which is for reading only.
fn price_of(line: &ChargeLine, tariff: &Tariff) -> String {
    let parts = tariff.parts();
    let series = match line.kind {
        ChargeKind::Series { range, zone } => parts.series_of(range, zone).map(ToString::to_string),
        ChargeKind::Deviation(side) => parts.deviation.map(|rule| rule.series(side).to_string()),
        _ => return line.price.to_string(),
    };
    let series = series.unwrap_or_default();
    match line.mean_price() {
        Some(mean) => format!("{series}, mean {mean}"),
        None => series,
    }
}

fn day_table(intervals: &[CountedInterval<'_>]) -> Table {
    let mut table = Table::new(&["usage point", "day", "intervals", "estimated", "kWh", "highest Wh"]);
    for day in intervals.chunk_by(|a, b| (a.usage_point, a.day) == (b.usage_point, b.day)) {
        let sum_wh = day.iter().map(|one| i64::from(one.energy_wh)).sum();
        let estimated = day.iter().filter(|one| one.quality.is_estimated()).count();
        let highest_wh = day.iter().map(|one| one.energy_wh).max();
        table.row(vec![
            json!(day[0].usage_point.to_string()),
            json!(day[0].day.to_string()),
            json!(day.len()),
            json!(estimated),
            json!(Energy::from_wh(sum_wh).to_string()),
            json!(highest_wh),
        ]);
    }
    table
}

fn interval_table(intervals: &[CountedInterval<'_>], day: Day) -> Table {
    let has_prices = intervals.iter().any(|one| one.price.is_some());
    let columns: &[&str] = if has_prices {
        &["usage point", "start", "Wh", "quality", "price"]
    } else {
        &["usage point", "start", "Wh", "quality"]
    };
    let mut table = Table::new(columns);
    for one in intervals.iter().filter(|one| one.day == day) {
        let mut row = vec![
            json!(one.usage_point.to_string()),
            json!(one.zone.wall_clock(one.start)),
            json!(one.energy_wh),
            json!(one.quality.name()),
        ];
        if has_prices {
            row.push(json!(one.price.map(|price| price.to_string())));
        }
        table.row(row);
    }
    table
}

/// Our bills of a month beside a list of another system's. Exit code 4 if one differs.
pub fn compare(
    opened: &Opened,
    period: Period,
    file: &Path,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let books = opened.consortium.node(Party::Supplier).books();
    let next = "see `tallywatt bill list`";
    let standing =
        books.standing(period).ok_or_else(|| Failure::usage(format!("{period} is not billed"), next))?;
    let bills: Vec<Bill> = standing.into_iter().map(|stands| stands.bill.clone()).collect();
    let input = File::open(file).map_err(|error| Failure::file("read", file, &error))?;
    let theirs = parse_issued_bills(&file.display().to_string(), input)?;
    let mut table =
        Table::new(&["account", "here", "there", "difference", "kWh here", "kWh there", "verdict"]);
    let mut counts: BTreeMap<Verdict, u64> = BTreeMap::new();
    for one in match_bills(&bills, &theirs) {
        *counts.entry(one.verdict).or_default() += 1;
        if one.verdict == Verdict::Same {
            continue;
        }
        let shown = |amount: Option<Money>| amount.map_or(String::new(), |amount| amount.to_string());
        let kwh = |wh: Option<i64>| wh.map_or(String::new(), |wh| Energy::from_wh(wh).to_string());
        let (here, there) = (one.ours.map(|bill| bill.total), one.theirs.map(|bill| bill.total));
        let difference = here.zip(there).and_then(|(here, there)| there.checked_sub(here));
        table.row(vec![
            json!(one.account.to_string()),
            json!(shown(here)),
            json!(shown(there)),
            json!(shown(difference)),
            json!(kwh(one.ours.map(|bill| bill.energy().as_wh()))),
            json!(kwh(one.theirs.and_then(|bill| bill.energy_wh))),
            json!(one.verdict.name()),
        ]);
    }
    let mut report = Report::default();
    report.fact("period", period.to_string());
    for (verdict, count) in &counts {
        report.fact(verdict.name(), *count);
    }
    if let Some(row) = table.rows.first() {
        report.code = code::DIFFERENCES;
        let account = row[0].as_str().unwrap_or_default();
        report.then(format!("tallywatt{} bill explain {account} {period}", data_option(arguments)));
    }
    report.table = Some(table);
    Ok(report)
}
