//! `losses`: what each feeder gave, what its meters took, and whether the difference is in its norm.

use std::fs;

use serde_json::{Value, json};
use tallywatt_core::energy::Energy;
use tallywatt_ingest::documents::parse_feeders;
use tallywatt_node::losses::{Balance, Verdict, losses};

use crate::args::{Arguments, Losses, LossesBy};
use crate::exceptions::pack_facts;
use crate::failure::{Failure, code};
use crate::open::{data_option, open, period_of};
use crate::output::{Report, Table};

/// Balances the feeders of a list. A balance that is not within its norm, or cannot be said, is a difference found.
pub fn run(asked: &Losses, arguments: &Arguments) -> Result<Report, Failure> {
    let period = period_of(&asked.period)?;
    let file = &asked.feeders;
    let handle = fs::File::open(file).map_err(|error| Failure::file("open", file, &error))?;
    let feeders = parse_feeders(&file.display().to_string(), handle)?;
    let opened = open(arguments)?;
    let books = opened.readings()?;
    let is_by_day = asked.by == Some(LossesBy::Day);
    let found = losses(books, period, &feeders, is_by_day);
    let mut columns = vec!["feeder"];
    if is_by_day {
        columns.push("day");
    }
    columns.extend(["head kWh", "meters kWh", "difference kWh", "loss %", "norm %", "lacking", "verdict"]);
    let mut table = Table::new(&columns);
    for balance in &found.balances {
        table.row(fields(balance));
    }
    let mut report = Report::default();
    report.fact("period", period.to_string());
    pack_facts(&mut report, &found.packs);
    report.fact("feeders", feeders.len());
    let counted = [
        ("within norm", Verdict::WithinNorm),
        ("above norm", Verdict::AboveNorm),
        ("out of range", Verdict::OutOfRange),
        ("incomplete", Verdict::Incomplete),
    ];
    for (name, verdict) in counted {
        report.fact(name, found.balances.iter().filter(|balance| balance.verdict == verdict).count());
    }
    for (head, point) in &found.without_readings {
        report.notes.push(format!("usage point {point} of feeder {head} has no readings in {period}"));
    }
    if found.balances.iter().any(|balance| balance.verdict != Verdict::WithinNorm)
        || !found.without_readings.is_empty()
    {
        report.code = code::DIFFERENCES;
    }
    let next = if found.balances.iter().any(|balance| balance.verdict == Verdict::Incomplete) {
        format!("readings gaps {period} --by point")
    } else {
        format!("readings exceptions {period}")
    };
    report.then(format!("tallywatt{} {next}", data_option(arguments)));
    report.table = Some(table);
    Ok(report)
}

fn fields(balance: &Balance) -> Vec<Value> {
    let kwh = |wh: i64| json!(Energy::from_wh(wh).to_string());
    let mut fields = vec![json!(balance.head.to_string())];
    fields.extend(balance.day.map(|day| json!(day.to_string())));
    fields.extend([
        kwh(balance.head_wh),
        kwh(balance.meters_wh),
        kwh(balance.loss_wh()),
        json!(balance.loss_thousandths().map(percent)),
        json!(percent(balance.norm_thousandths.into())),
        json!(balance.lacking_count),
        json!(balance.verdict.name()),
    ]);
    fields
}

/// Thousandths as per cent: `5.0`.
fn percent(thousandths: i128) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", thousandths.abs() / 10, thousandths.abs() % 10)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn thousandths_as_per_cent() {
        for (thousandths, want) in [(0, "0.0"), (50, "5.0"), (-7, "-0.7"), (1_000, "100.0"), (-123, "-12.3")]
        {
            assert_eq!(percent(thousandths), want);
        }
    }
}
