//! `readings`: what is sealed, what lacks, how it was filled, what was set aside.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::energy::Energy;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_node::intake::Intake;

use crate::args::{Arguments, Readings, ReadingsAction};
use crate::by_hand::{self, meters};
use crate::exceptions::exceptions_of;
use crate::failure::Failure;
use crate::gaps::gaps;
use crate::history::{changes, known};
use crate::open::{Opened, data_option, open, period_of, usage_point_of};
use crate::output::{Report, Table, word};
use crate::readings_decisions::decisions;
use crate::readings_share::share;

/// Looks at readings.
pub fn run(readings: &Readings, arguments: &Arguments) -> Result<Report, Failure> {
    let mut opened = open(arguments)?;
    match &readings.action {
        ReadingsAction::Show { usage_point, day, obis, history, as_of } => {
            let key = block_key(usage_point, day, obis)?;
            if *history { changes(&opened, &key, arguments) } else { show(&opened, key, *as_of, arguments) }
        }
        ReadingsAction::Edit(options) => by_hand::edit(&mut opened, options, arguments),
        ReadingsAction::Exchange(options) => meters::exchange(&mut opened, options, arguments),
        ReadingsAction::Pending => by_hand::pending(&opened, arguments),
        ReadingsAction::Approve(options) => by_hand::approve(&mut opened, options, arguments),
        ReadingsAction::Registers(options) => meters::registers(&opened, options, arguments),
        ReadingsAction::Share(options) => share(&opened, options, arguments),
        ReadingsAction::Gaps(options) => gaps(&opened, options, arguments),
        ReadingsAction::Exceptions(options) => exceptions_of(&opened, options, arguments),
        ReadingsAction::Decisions { period, usage_point } => {
            decisions(&opened, period_of(period)?, usage_point.as_deref(), arguments)
        }
        ReadingsAction::Quarantine => quarantine(&opened, arguments),
        ReadingsAction::Totals => totals(&opened, arguments),
    }
}

/// A register-day from the command line.
pub fn block_key(usage_point: &str, day: &str, obis: &str) -> Result<BlockKey, Failure> {
    let usage_point = usage_point_of(usage_point)?;
    let day: Day = day.parse().map_err(|error| Failure::usage(error, "write it as 2026-03-14"))?;
    let register: Register = obis.parse().map_err(|error| Failure::usage(error, "write it as 1-0:1.8.0"))?;
    Ok(BlockKey { usage_point, register, day })
}

fn show(
    opened: &Opened,
    key: BlockKey,
    as_of: Option<u64>,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let books = opened.readings()?;
    let (block, revision) = known(books, &key, as_of)?;
    let mut table = Table::new(&["interval start", "minutes", "Wh", "quality"]);
    for (at, (wh, quality)) in block.values_wh().iter().zip(block.qualities()).enumerate() {
        let start = block.interval_start(at).to_string();
        let value = if quality.is_billable() { json!(wh) } else { json!(null) };
        table.row(vec![json!(start), json!(block.interval_minutes()), value, json!(quality.name())]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("usage point", key.usage_point.to_string()).fact("register", key.register.to_string());
    report.fact("day", key.day.to_string()).fact("kWh", Energy::from_wh(block.total_wh()).to_string());
    report.fact("intervals", block.interval_count()).fact("with a value", block.present_count());
    report.fact("revision", revision);
    report.then(format!(
        "tallywatt{} prove day {} {} --obis {}",
        data_option(arguments),
        word(Path::new(&key.usage_point.to_string())),
        key.day,
        key.register
    ));
    Ok(report)
}

fn quarantine(opened: &Opened, arguments: &Arguments) -> Result<Report, Failure> {
    let intake = Intake::open(&arguments.data, opened.readings()?)?;
    let mut by_code: BTreeMap<(String, RejectionCode), (u64, u64)> = BTreeMap::new();
    for quarantined in intake.quarantined()? {
        for rejection in &quarantined.rejections {
            let entry = by_code
                .entry((quarantined.header.name.clone(), rejection.code))
                .or_insert((rejection.line, 0));
            entry.1 += u64::from(rejection.reading_count);
        }
    }
    let mut table = Table::new(&["file", "code", "reason", "first line", "readings"]);
    let (mut total, mut waiting) = (0, 0);
    for ((file, code), (line, count)) in by_code {
        total += count;
        waiting += if code == RejectionCode::Replacement { count } else { 0 };
        table.row(vec![
            json!(file),
            json!(code.to_string()),
            json!(code.reason()),
            json!(line),
            json!(count),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("set aside", total);
    if total > 0 {
        report.fact("kept in", arguments.data.join("quarantine").display().to_string());
        if waiting > 0 {
            report.then(format!("tallywatt{} readings pending", data_option(arguments)));
        }
        if total > waiting {
            report.then(format!("tallywatt{} ingest --retry --profile CORRECTED", data_option(arguments)));
        }
    } else {
        report.then(format!("tallywatt{} readings totals", data_option(arguments)));
    }
    Ok(report)
}

fn totals(opened: &Opened, arguments: &Arguments) -> Result<Report, Failure> {
    let books = opened.readings()?;
    let mut sums: BTreeMap<(String, String, String), (u64, u64, i64)> = BTreeMap::new();
    for block in books.accepted().blocks_sorted() {
        let key = block.key();
        let at = (key.usage_point.to_string(), key.register.to_string(), key.day.period().to_string());
        let sum = sums.entry(at).or_default();
        sum.0 += 1;
        sum.1 += u64::try_from(block.present_count()).unwrap_or(0);
        sum.2 += block.total_wh();
    }
    let mut table = Table::new(&["usage point", "register", "month", "days", "readings", "Wh"]);
    let (mut readings, mut wh) = (0, 0);
    let mut newest = None;
    for ((point, register, month), (days, count, sum)) in sums {
        newest = newest.max(Some(month.clone()));
        readings += count;
        wh += sum;
        table.row(vec![json!(point), json!(register), json!(month), json!(days), json!(count), json!(sum)]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("readings", readings).fact("Wh over all registers", wh);
    match newest {
        Some(month) => report.then(format!("tallywatt{} readings gaps {month}", data_option(arguments))),
        None => report.then(format!("tallywatt{} ingest FILES --profile NAME", data_option(arguments))),
    };
    Ok(report)
}
