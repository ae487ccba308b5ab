//! Price series and lists of hours as text: lines `#field,value`, then a table.
//!
//! ```text
//! #kind,price-series            the first line says what it is
//! #name,se3                     a value runs to the end of its line, commas and all
//! start,price                   the columns
//! 2026-03-01T00:00:00+01:00,0.4512
//! ```
//!
//! No value is quoted: none of the table holds a comma.

use std::fmt::Display;
use std::str::FromStr;

use tallywatt_core::calendar::Zone;
use tallywatt_core::validity::Validity;

use super::error::DocumentError;
use super::rows::shown;

/// How the first line of such a file begins.
const FIRST: &str = "#kind,";
/// The largest such file, bytes: a leap year of quarter-hours, each with its start and end.
pub const MARKET_SIZE_MAX: usize = 4 << 20;

pub(super) const DATES: &str =
    "write dates as 2026-03-01; valid_to is the first day it no longer holds, and must be there";
const ZONE: &str = "write a zone of the time zone database, such as Europe/Berlin, or UTC";
const FIELDS: &str = "write each field of its kind once, as #name,se3, before the table";
const COLUMNS: &str = "give every row a field for each column";

/// The kind that a file says it is, if it is such a file.
pub(super) fn kind_of(text: &str) -> Option<&str> {
    let first = text.strip_prefix('\u{feff}').unwrap_or(text).lines().next()?;
    first.strip_prefix(FIRST).map(str::trim_end)
}

/// A row: its line and its fields.
pub(super) type Row<'t> = (u64, Vec<&'t str>);

/// Such a file, cut into fields.
pub(super) struct MarketText<'t> {
    file: &'t str,
    fields: Vec<(u64, &'t str, &'t str)>,
    pub(super) columns: Row<'t>,
    pub(super) rows: Vec<Row<'t>>,
}

impl<'t> MarketText<'t> {
    /// Cuts a file that has these fields; the last `optional` of them may be left out.
    pub(super) fn read(
        file: &'t str,
        text: &'t str,
        known: &[&str],
        optional: usize,
    ) -> Result<Self, DocumentError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut found = Self { file, fields: Vec::new(), columns: (1, Vec::new()), rows: Vec::new() };
        let mut has_columns = false;
        for (line, row) in (1..).zip(text.lines()).filter(|(_, row)| !row.is_empty()) {
            match row.strip_prefix('#') {
                Some(field) if !has_columns => {
                    let (name, value) = field.split_once(',').unwrap_or((field, ""));
                    if !known.contains(&name) {
                        return Err(found.fail(line, format!("unknown field {}", shown(name)), FIELDS));
                    }
                    if found.fields.iter().any(|(_, other, _)| *other == name) {
                        return Err(found.fail(line, format!("field {name} stands twice"), FIELDS));
                    }
                    found.fields.push((line, name, value));
                }
                _ if !has_columns => {
                    found.columns = (line, row.split(',').collect());
                    has_columns = true;
                }
                _ => {
                    let fields: Vec<&str> = row.split(',').collect();
                    if fields.len() != found.columns.1.len() {
                        let count = found.columns.1.len();
                        let problem = format!("{} fields, the table has {count} columns", fields.len());
                        return Err(found.fail(line, problem, COLUMNS));
                    }
                    found.rows.push((line, fields));
                }
            }
        }
        let missing = known[..known.len() - optional]
            .iter()
            .find(|name| !found.fields.iter().any(|(_, other, _)| other == *name));
        match missing {
            Some(name) => Err(found.fail(1, format!("no field {name}"), FIELDS)),
            None if found.rows.is_empty() => Err(found.fail(1, "no rows", COLUMNS)),
            None => Ok(found),
        }
    }

    /// A failure on a line.
    pub(super) fn fail(
        &self,
        line: u64,
        problem: impl Into<String>,
        next_step: &'static str,
    ) -> DocumentError {
        DocumentError::new(self.file, Some(line), problem, next_step)
    }

    /// A field's line and text; that of the first line without it.
    pub(super) fn field(&self, name: &str) -> (u64, &'t str) {
        let found = self.fields.iter().find(|(_, known, _)| *known == name);
        found.map_or((1, ""), |(line, _, value)| (*line, value))
    }

    /// A field that some type of `core` takes from its text.
    pub(super) fn parse<T>(&self, name: &str, next_step: &'static str) -> Result<T, DocumentError>
    where
        T: FromStr<Err: Display>,
    {
        let (line, value) = self.field(name);
        value.parse().map_err(|error| self.fail(line, format!("{name}: {error}"), next_step))
    }

    /// The zone whose local days it tells of.
    pub(super) fn zone(&self) -> Result<Zone, DocumentError> {
        let (line, value) = self.field("zone");
        Zone::parse(value).map_err(|error| self.fail(line, format!("zone: {error}"), ZONE))
    }

    /// The days it tells of.
    pub(super) fn validity(&self) -> Result<Validity, DocumentError> {
        let (from, to) = (self.parse("valid_from", DATES)?, self.parse("valid_to", DATES)?);
        let line = self.field("valid_to").0;
        Validity::new(from, Some(to)).map_err(|error| self.fail(line, error.to_string(), DATES))
    }
}
