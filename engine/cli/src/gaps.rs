//! `readings gaps`: what lacks in a month, by register-day, by register or by day, and who is silent.

use serde_json::{Value, json};
use tallywatt_node::completeness::{Completeness, Coverage, State, completeness};

use crate::args::{Arguments, GapsBy, GapsOptions};
use crate::exceptions::pack_facts;
use crate::failure::Failure;
use crate::instant::instant_of;
use crate::open::{Opened, data_option, period_of};
use crate::output::{Report, Table};

/// What lacks in a month.
pub fn gaps(opened: &Opened, options: &GapsOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let books = opened.readings()?;
    let period = period_of(&options.period)?;
    let at = options.at.as_deref().map(instant_of).transpose()?;
    let found = completeness(books, period, at);
    let mut report = Report::default();
    let lacking: usize = found
        .registers
        .iter()
        .map(|register| register.days.iter().filter(|day| day.state != State::Complete).count())
        .sum();
    report.fact("period", period.to_string()).fact("days with gaps", lacking);
    let absent: usize = found.registers.iter().map(|register| register.absent_count()).sum();
    report.fact("days absent", absent);
    for (name, state) in [("silent", State::Silent), ("under-covered", State::UnderCovered)] {
        report.fact(name, found.registers.iter().filter(|register| register.state == state).count());
    }
    if let Some(until) = found.until {
        report.fact("until", until.to_string());
    }
    let pack = books.rule_pack_on(period.first_day());
    pack_facts(&mut report, &[(pack.body.parts().id, pack.hash)]);
    let option = data_option(arguments);
    if lacking == 0 {
        report.then(format!("tallywatt{option} bill plan {period}"));
    } else {
        report.then(format!("tallywatt{option} ingest FILES, with the values that are missing"));
    }
    report.table = Some(match options.by {
        None => by_register_day(&found),
        Some(GapsBy::Point) => by_point(&found),
        Some(GapsBy::Day) => by_day(&found),
    });
    Ok(report)
}

/// A row a register-day in which something lacks.
fn by_register_day(found: &Completeness) -> Table {
    let mut table =
        Table::new(&["usage point", "register", "day", "intervals", "missing", "complete %", "state"]);
    for register in &found.registers {
        for day in register.days.iter().filter(|day| day.state != State::Complete) {
            table.row(vec![
                json!(register.usage_point.to_string()),
                json!(register.register.to_string()),
                json!(day.day.to_string()),
                json!(day.coverage.expected),
                json!(day.coverage.missing()),
                percent(day.coverage),
                json!(day.state.name()),
            ]);
        }
    }
    table
}

/// A row a register, complete or not.
fn by_point(found: &Completeness) -> Table {
    let mut table = Table::new(&[
        "usage point",
        "register",
        "days",
        "days absent",
        "intervals",
        "missing",
        "complete %",
        "last value",
        "state",
    ]);
    for register in &found.registers {
        table.row(vec![
            json!(register.usage_point.to_string()),
            json!(register.register.to_string()),
            json!(register.days.len()),
            json!(register.absent_count()),
            json!(register.coverage.expected),
            json!(register.coverage.missing()),
            percent(register.coverage),
            json!(register.last_seen.map(|seen| seen.to_string())),
            json!(register.state.name()),
        ]);
    }
    table
}

/// A row a day of all registers together.
fn by_day(found: &Completeness) -> Table {
    let mut table = Table::new(&["day", "registers absent", "intervals", "missing", "complete %", "state"]);
    for (day, (coverage, absent)) in found.by_day() {
        let state = if coverage.is_complete() && absent == 0 { State::Complete } else { State::Gap };
        table.row(vec![
            json!(day.to_string()),
            json!(absent),
            json!(coverage.expected),
            json!(coverage.missing()),
            percent(coverage),
            json!(state.name()),
        ]);
    }
    table
}

/// `99.5`: down, so that only what is whole shows 100.0.
fn percent(coverage: Coverage) -> Value {
    json!(coverage.thousandths().map(|part| format!("{}.{}", part / 10, part % 10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_is_a_hundred_per_cent() {
        let table = [(1_000, Some(1_000), json!("100.0")), (9_999, Some(10_000), json!("99.9"))];
        for (delivered, expected, want) in table {
            assert_eq!(percent(Coverage { expected, delivered }), want);
        }
        assert_eq!(percent(Coverage::default()), json!(null));
    }
}
