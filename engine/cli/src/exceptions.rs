//! `readings exceptions`: what the rules found in a month, most money at stake first.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_core::vee::rule::Rule;
use tallywatt_node::exceptions::{Exception, Wanted, exceptions};

use crate::args::{Arguments, ExceptionsOptions};
use crate::failure::Failure;
use crate::open::{Opened, data_option, period_of, usage_point_of};
use crate::output::{Report, Table, word};

const COLUMNS: [&str; 11] = [
    "usage point",
    "register",
    "day",
    "first interval",
    "rule",
    "name",
    "measured",
    "limit",
    "unit",
    "severity",
    "money at stake",
];
/// What `--explain` adds.
const EXPLAINED: [&str; 4] = ["inputs", "class", "parameters", "rule pack"];

/// Puts the month's accepted days, and what lies between register reads, to the rules.
pub fn exceptions_of(
    opened: &Opened,
    options: &ExceptionsOptions,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let wanted = Wanted {
        period: period_of(&options.period)?,
        usage_point: options.usage_point.as_deref().map(usage_point_of).transpose()?,
        rule: options.rule.as_deref().map(rule_of).transpose()?,
    };
    let found = exceptions(opened.readings()?, &wanted);
    let mut columns = COLUMNS.to_vec();
    if options.explain {
        columns.extend(EXPLAINED);
    }
    let mut table = Table::new(&columns);
    for row in &found.rows {
        table.row(fields(row, options.explain));
    }
    let mut report = Report::default();
    report.fact("period", wanted.period.to_string());
    pack_facts(&mut report, &found.packs);
    report.fact("register-days", found.day_count).fact("exceptions", found.rows.len());
    report
        .fact("by severity", counts(found.rows.iter().map(|row| row.finding.rule.severity().name().into())));
    report.fact("by rule", counts(found.rows.iter().map(|row| row.finding.rule.to_string())));
    if found.day_count == 0 {
        report.notes.push("nothing was looked at: no such readings are sealed".to_owned());
    }
    let option = data_option(arguments);
    match found.rows.first() {
        None => report.then(format!("tallywatt{option} readings gaps {}", wanted.period)),
        Some(row) if options.explain && row.between.is_some() => report.then(format!(
            "tallywatt{option} readings registers {} --obis {}",
            word(Path::new(row.key.usage_point.as_str())),
            row.key.register
        )),
        Some(row) if options.explain => report.then(format!(
            "tallywatt{option} readings show {} {} --obis {}",
            word(Path::new(row.key.usage_point.as_str())),
            row.key.day,
            row.key.register
        )),
        Some(row) => report.then(format!(
            "tallywatt{option} readings exceptions {} --usage-point {} --rule {} --explain",
            wanted.period,
            word(Path::new(row.key.usage_point.as_str())),
            row.finding.rule
        )),
    };
    report.table = Some(table);
    Ok(report)
}

/// The packs that were in force: name and content hash, each.
pub fn pack_facts(report: &mut Report, packs: &[(Label, ContentHash)]) {
    for (id, hash) in packs {
        report.fact("rule pack", format!("{id} {hash}"));
    }
}

fn fields(row: &Exception, is_explained: bool) -> Vec<Value> {
    let rule = row.finding.rule;
    let mut fields = vec![
        json!(row.key.usage_point.to_string()),
        json!(row.key.register.to_string()),
        json!(row.key.day.to_string()),
        json!(row.first_interval),
        json!(rule.to_string()),
        json!(rule.name()),
        json!(row.finding.measured),
        json!(row.finding.limit),
        json!(rule.unit()),
        json!(rule.severity().name()),
        json!(row.money.map(|money| money.to_string())),
    ];
    if is_explained {
        let explained = [row.inputs.clone(), row.class.name().into(), row.parameters.clone()];
        fields.extend(explained.map(Value::String));
        fields.push(json!(row.pack.to_string()));
    }
    fields
}

/// How often each name stands, by name.
fn counts(names: impl Iterator<Item = String>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    json!(counts)
}

/// A rule from the command line: `V09`.
fn rule_of(text: &str) -> Result<Rule, Failure> {
    let number = text.strip_prefix(['V', 'v']).and_then(|number| number.parse().ok());
    number
        .and_then(Rule::from_number)
        .ok_or_else(|| Failure::usage(format!("{text:?} is not a rule"), "write V01 to V30"))
}
