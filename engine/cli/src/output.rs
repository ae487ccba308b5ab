//! How results are written: a table for people, one JSON object, or the rows as CSV.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
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
    /// Whether people are spared the rows: there are too many for a screen. Programs get them all the same.
    pub is_folded: bool,
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

/// Facts that are a list in JSON even when there is only one: programs need not ask which it is.
const REPEATED_FACTS: [&str; 4] = ["file", "rule_pack", "tariff", "vat"];

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
            Format::Csv => csv(report),
        };
        if let Err(failure) = print(&text) {
            return self.fail(&failure);
        }
        if !self.quiet {
            let hints = report.notes.iter().map(|note| ("note", note));
            for (name, text) in hints.chain(report.next.iter().map(|command| ("next", command))) {
                self.hint(name, text);
            }
        }
        ExitCode::from(report.code)
    }

    /// A line on stderr beside the result; a JSON object of its own when programs read.
    pub fn hint(self, name: &str, text: &str) {
        match self.format {
            Format::Json => complain(&format!("{}\n", json!({ "message_type": name, "text": text }))),
            _ => complain(&format!("{name}: {text}\n")),
        }
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
    match written {
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(Failure::usage(format!("cannot write the result: {error}"), "check where stdout goes"))
        }
        Ok(()) => Ok(()),
    }
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
    if let Some(table) = report.table.as_ref().filter(|_| !report.is_folded) {
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
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The report as one object. A fact that is told several times is a list, of one too where there may be more.
fn object(report: &Report) -> Value {
    let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in &report.facts {
        values.entry(key(name)).or_default().push(value.clone());
    }
    let mut object = Map::new();
    for (name, mut list) in values {
        let is_list = list.len() > 1 || REPEATED_FACTS.contains(&name.as_str());
        let value = if is_list { Value::Array(list) } else { list.remove(0) };
        object.insert(name, value);
    }
    if let Some(table) = &report.table {
        let rows = table.rows.iter().map(|row| {
            let fields = table.columns.iter().zip(row).map(|(name, value)| (key(name), value.clone()));
            Value::Object(fields.collect())
        });
        object.insert("rows".into(), rows.collect());
    }
    object.insert("notes".into(), json!(report.notes));
    object.insert("next".into(), json!(report.next));
    object.insert("exit_code".into(), json!(report.code));
    Value::Object(object)
}

/// A name for programs: lower case, one `_` for whatever stands between words.
fn key(name: &str) -> String {
    let words = name.replace('\'', "").to_lowercase();
    words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// The rows under their header; without a table, a row a fact.
fn csv(report: &Report) -> String {
    let line = |fields: Vec<String>| format!("{}\n", fields.join(","));
    let Some(table) = &report.table else {
        let facts = report.facts.iter().map(|(name, value)| line(vec![key(name), csv_field(value)]));
        return std::iter::once("name,value\n".to_owned()).chain(facts).collect();
    };
    let header = line(table.columns.iter().map(|name| key(name)).collect());
    let rows = table.rows.iter().map(|row| line(row.iter().map(csv_field).collect()));
    std::iter::once(header).chain(rows).collect()
}

/// A path as a word of a command that can be pasted into a shell.
pub fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
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

    #[test]
    fn a_fact_told_twice_is_a_list() {
        let mut report = Report::default();
        report.fact("tariff", "a").fact("tariff", "b").fact("payee's part, exact", "1");
        let object = object(&report);
        assert_eq!(object["tariff"], json!(["a", "b"]));
        assert_eq!(object["payees_part_exact"], json!("1"));
        let mut one = Report::default();
        one.fact("tariff", "a");
        assert_eq!(super::object(&one)["tariff"], json!(["a"]));
    }

    #[test]
    fn without_rows_csv_has_a_row_a_fact() {
        let mut report = Report::default();
        report.fact("energy kWh", "1.500").fact("bills", 2);
        assert_eq!(csv(&report), "name,value\nenergy_kwh,1.500\nbills,2\n");
    }

    #[test]
    fn a_path_is_one_word_of_a_command() {
        for (path, expected) in [("a/b-1.csv", "a/b-1.csv"), ("my data", "'my data'"), ("it's", "'it'\\''s'")]
        {
            assert_eq!(word(Path::new(path)), expected);
        }
    }
}
