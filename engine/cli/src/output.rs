//! How results are written: a table for people, one JSON object, or the rows as CSV.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::args::Format;
use crate::failure::Failure;

/// Rows under named columns.
#[derive(Debug, Default)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// Rows, as many fields as columns. Numbers are right-aligned.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, fields: Vec<Value>) {
        assert_eq!(fields.len(), self.columns.len(), "a row has a field a column");
        self.rows.push(fields);
    }
}

/// What a command gives.
#[derive(Debug, Default)]
pub struct Report {
    /// Named facts, in order.
    pub facts: Vec<(&'static str, Value)>,
    /// Rows, if any.
    pub table: Option<Table>,
    /// Text to print as it is, instead of facts and rows, when people read.
    pub text: Option<String>,
    /// JSON to print as it is, when programs read.
    pub json: Option<String>,
    /// What people should know besides, on stderr.
    pub notes: Vec<String>,
    /// Next commands.
    pub next: Vec<String>,
    /// Exit code.
    pub code: u8,
}

impl Report {
    /// Adds a fact.
    pub fn fact(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.facts.push((name, value.into()));
        self
    }

    /// Adds a next command.
    pub fn then(&mut self, command: impl Into<String>) -> &mut Self {
        self.next.push(command.into());
        self
    }
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
    quiet: bool,
}

impl Output {
    /// For a format.
    pub const fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// Whether people read the result.
    pub fn is_for_people(self) -> bool {
        self.format == Format::Table
    }

    /// Whether a progress bar may be drawn.
    pub fn draws_progress(self) -> bool {
        !self.quiet && self.is_for_people() && io::stderr().is_terminal()
    }

    /// Whether progress is told at all.
    pub const fn tells_progress(self) -> bool {
        !self.quiet
    }

    /// One line of a story in steps, on stdout when people read.
    pub fn step(self, text: &str) -> Result<(), Failure> {
        if self.is_for_people() { print(&format!("{text}\n")) } else { Ok(()) }
    }

    /// Writes the report and gives the exit code. A result that did not reach its reader is a failure.
    pub fn finish(self, report: &Report) -> ExitCode {
        let text = match self.format {
            Format::Table => people(report),
            Format::Json => report.json.clone().unwrap_or_else(|| format!("{}\n", object(report))),
            Format::Csv => csv(report.table.as_ref()),
        };
        if let Err(failure) = print(&text) {
            return self.fail(&failure);
        }
        if !self.quiet {
            let mut hints = String::new();
            for note in &report.notes {
                hints.push_str(&format!("note: {note}\n"));
            }
            for command in &report.next {
                hints.push_str(&format!("next: {command}\n"));
            }
            complain(&hints);
        }
        ExitCode::from(report.code)
    }

    /// Says why a command failed.
    pub fn fail(self, failure: &Failure) -> ExitCode {
        match self.format {
            Format::Json => complain(&format!(
                "{}\n",
                json!({ "message_type": "error", "error": failure.what, "next": failure.next, "exit_code": failure.code })
            )),
            _ => complain(&format!("error: {}\n next: {}\n", failure.what, failure.next)),
        }
        ExitCode::from(failure.code)
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| {
        Failure::usage(format!("cannot write the result: {error}"), "check where stdout goes")
    })
}

/// Hints that cannot be written are lost: there is nowhere left to say so.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn people(report: &Report) -> String {
    if let Some(text) = &report.text {
        return text.clone();
    }
    let width = report.facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text: String =
        report.facts.iter().map(|(name, value)| format!("{name:<width$}  {}\n", plain(value))).collect();
    if let Some(table) = &report.table {
        if !text.is_empty() && !table.rows.is_empty() {
            text.push('\n');
        }
        text.push_str(&aligned(table));
    }
    text
}

fn aligned(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let cells: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let width = |at: usize| {
        let fields = cells.iter().map(|row| row[at].chars().count());
        fields.max().unwrap_or(0).max(table.columns[at].chars().count())
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let is_number = |at: usize| {
        table.rows.iter().all(|row| row[at].is_number() || is_decimal(&row[at]) || row[at].is_null())
    };
    let right: Vec<bool> = (0..table.columns.len()).map(is_number).collect();
    let line = |fields: Vec<&str>| {
        let padded = fields.iter().enumerate().map(|(at, field)| {
            let pad = " ".repeat(widths[at].saturating_sub(field.chars().count()));
            if right[at] { format!("{pad}{field}") } else { format!("{field}{pad}") }
        });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(table.columns.clone());
    for row in &cells {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

fn is_decimal(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
            && text.bytes().filter(|byte| *byte == b'-').count() <= 1
    })
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn object(report: &Report) -> Value {
    let mut object = Map::new();
    for (name, value) in &report.facts {
        object.insert(name.replace(' ', "_"), value.clone());
    }
    if let Some(table) = &report.table {
        let rows = table.rows.iter().map(|row| {
            let fields =
                table.columns.iter().zip(row).map(|(name, value)| (name.replace(' ', "_"), value.clone()));
            Value::Object(fields.collect())
        });
        object.insert("rows".into(), rows.collect());
    }
    object.insert("notes".into(), json!(report.notes));
    object.insert("exit_code".into(), json!(report.code));
    Value::Object(object)
}

fn csv(table: Option<&Table>) -> String {
    let Some(table) = table else { return String::new() };
    let mut text = format!("{}\n", table.columns.join(","));
    for row in &table.rows {
        let fields: Vec<String> = row.iter().map(csv_field).collect();
        text.push_str(&format!("{}\n", fields.join(",")));
    }
    text
}

/// Quoted where needed; a text that a spreadsheet would run as a formula gets an apostrophe in front.
fn csv_field(value: &Value) -> String {
    let text = plain(value);
    let is_formula =
        value.is_string() && !is_decimal(value) && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_first_byte_makes_a_formula() {
        for byte in 0..=255_u8 {
            let text = format!("{}x", char::from(byte));
            let field = csv_field(&Value::String(text));
            let bare = field.strip_prefix('"').unwrap_or(&field);
            assert!(!bare.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']), "first byte {byte}");
        }
        assert_eq!(csv_field(&json!("-1.50")), "-1.50");
    }
}
