//! The figures as rows.

use std::path::Path;

use serde_json::{Value, json};

use crate::output::{Report, Table, word};

use super::figure::{Figure, Kind, digits, number};
use super::limits::Limit;
use super::machine::{self, Machine};

/// A report of the machine, its limits and the stages.
pub fn of(
    machine: &Machine,
    folder: &Path,
    figures: &[Figure],
    picture: Option<&Path>,
    is_quick: bool,
) -> Report {
    let mut report = Report::default();
    let file_system = machine::file_system(folder);
    let on = file_system.as_ref().map_or_else(String::new, |kind| format!(" ({kind})"));
    report.fact("machine", machine.to_string());
    report.fact("version", format!("tallywatt {}", env!("CARGO_PKG_VERSION")));
    report.fact("disk", format!("{}{on}", folder.display()));
    if let Some(path) = picture {
        report.fact("picture", path.display().to_string());
    }
    report.table = Some(table(figures));
    report.notes = notes(figures, file_system.as_deref(), is_quick);
    report.then(match picture {
        Some(path) => format!("xdg-open {}", word(path)),
        None => "tallywatt bench --svg bench.svg".to_owned(),
    });
    report
}

fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new(&[
        "kind", "what", "threads", "rate", "unit", "spread %", "share %", "of limit", "speed-up",
    ]);
    for figure in figures {
        let percent = |part: f64| number(100.0 * part);
        table.row(vec![
            json!(figure.kind.name()),
            json!(figure.name),
            json!(figure.threads),
            number(figure.in_unit()),
            json!(figure.unit.name),
            percent(figure.spread),
            figure.share.map_or(Value::Null, percent),
            figure.limit.map_or(Value::Null, Value::from),
            figure.speed_up.map_or(Value::Null, number),
        ]);
    }
    table
}

/// What makes these figures worth less than they look.
fn notes(figures: &[Figure], file_system: Option<&str>, is_quick: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if cfg!(debug_assertions) {
        notes.push("built without optimisation: measure a release build".to_owned());
    }
    if is_quick {
        notes.push(
            "--quick: inputs that fit caches, and short times: the figures are worth little".to_owned(),
        );
    }
    if let Some(kind) = file_system.filter(|kind| ["tmpfs", "ramfs"].contains(kind)) {
        notes.push(format!("the folder is on {kind}, which is memory: name one on a disk with --folder"));
    }
    let limit = |name: &str| figures.iter().find(|figure| figure.kind == Kind::Limit && figure.name == name);
    // A copy reads as much as it copies, and writes besides.
    if let (Some(read), Some(copy)) = (limit(Limit::MemoryRead.name()), limit(Limit::MemoryCopy.name()))
        && read.rate < copy.rate
    {
        notes.push(format!(
            "memory read at {} GB/s is slower than copying at {}: do not trust either",
            digits(read.in_unit()),
            digits(copy.in_unit())
        ));
    }
    let restless = figures.iter().filter(|figure| figure.spread > 0.25).count();
    if restless > 0 {
        notes.push(format!("{restless} figures spread over more than 25 %: something else is running here"));
    }
    notes
}
