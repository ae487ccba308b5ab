//! Tables that people keep: delimited text in UTF-8 whose first line names its columns, in any order.
//!
//! ```text
//!   usage_point;obis;read_at;value;unit;who      each column that the format needs, once; others it knows; no more
//!   EKB-000001;1-0:1.8.0;…                       a row a line, streamed
//! ```

use std::io::BufRead;

use tallywatt_core::calendar::{UtcSeconds, WallTime, Zone};
use tallywatt_core::rejection::RejectionCode;

use crate::lines::{Fields, Line, LineReader, Row};
use crate::refusal::{FileRefusal, shown};
use crate::stamp::StampPattern;
use crate::tally::Tally;

/// The longest row, in bytes.
const ROW_SIZE_MAX: usize = 4 << 10;

/// A column that a format knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Whether a table without it is refused.
    pub(crate) is_needed: bool,
}

impl Column {
    pub(crate) const fn needed(name: &'static str) -> Self {
        Self { name, is_needed: true }
    }

    pub(crate) const fn optional(name: &'static str) -> Self {
        Self { name, is_needed: false }
    }
}

/// The fields of one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    row: Row<'a>,
    /// Where each known column stands, in the order of the format.
    places: &'a [Option<usize>],
}

impl<'a> Cells<'a> {
    /// The field of the known column `at`; empty if the table has no such column.
    pub(crate) fn at(&self, at: usize) -> &'a [u8] {
        match self.places.get(at) {
            Some(Some(place)) => self.row.field(*place),
            Some(None) | None => b"",
        }
    }
}

/// Reads a table; `take` hands each row over, or says why it is set aside.
///
/// # Errors
/// [`FileRefusal`] for a header that is not of these columns, and for a table without rows.
pub(crate) fn each_row(
    bytes: &mut dyn BufRead,
    delimiter: u8,
    columns: &[Column],
    tally: &mut Tally<'_>,
    take: &mut dyn FnMut(&Cells<'_>, u64, &mut Tally<'_>) -> Result<(), RejectionCode>,
) -> Result<(), FileRefusal> {
    let mut lines = LineReader::new(bytes, ROW_SIZE_MAX);
    let mut fields = Fields::default();
    let (places, column_count) = match lines.next()? {
        Line::End => return Err(FileRefusal::Empty),
        Line::TooLong => return Err(header("the first line is too long to be a header".to_owned())),
        Line::Whole => read_header(lines.text(), delimiter, columns, &mut fields)?,
    };
    tally.summary.line_count = 1;
    let mut row_count = 0_u64;
    loop {
        let kind = lines.next()?;
        if kind == Line::End {
            return if row_count == 0 { Err(FileRefusal::NoReadings) } else { Ok(()) };
        }
        tally.summary.line_count += 1;
        let (line, text) = (tally.summary.line_count, lines.text());
        if text.trim_ascii().is_empty() {
            continue;
        }
        row_count += 1;
        let taken = match kind {
            Line::TooLong => Err(RejectionCode::LineTooLong),
            _ if std::str::from_utf8(text).is_err() || text.contains(&0) => Err(RejectionCode::NotText),
            _ => match fields.split(text, delimiter).filter(|row| row.len() == column_count) {
                Some(row) => take(&Cells { row, places: &places }, line, tally),
                None => Err(RejectionCode::Structure),
            },
        };
        if let Err(code) = taken {
            tally.reject(code, line, 1, text);
        }
        if tally.line_done(line).is_break() {
            return Ok(());
        }
    }
}

/// Where each known column stands, and how many columns there are.
fn read_header(
    text: &[u8],
    delimiter: u8,
    columns: &[Column],
    fields: &mut Fields,
) -> Result<(Vec<Option<usize>>, usize), FileRefusal> {
    if std::str::from_utf8(text).is_err() {
        return Err(FileRefusal::NotText { line: 1, encoding: "utf-8" });
    }
    let row = fields.split(text, delimiter).ok_or_else(|| header("quotes do not match".to_owned()))?;
    let mut places = vec![None; columns.len()];
    for at in 0..row.len() {
        let name = String::from_utf8_lossy(row.field(at));
        let Some(known) = columns.iter().position(|column| column.name == name) else {
            let expected: Vec<&str> = columns.iter().map(|column| column.name).collect();
            let expected = expected.join(", ");
            return Err(FileRefusal::UnknownColumn { column: shown(&name), line: 1, expected });
        };
        if places[known].replace(at).is_some() {
            return Err(header(format!("column {:?} stands there twice", shown(&name))));
        }
    }
    match columns.iter().zip(&places).find(|(column, place)| column.is_needed && place.is_none()) {
        Some((column, _)) => Err(FileRefusal::MissingColumn { column: column.name.to_owned(), line: 1 }),
        None => Ok((places, row.len())),
    }
}

fn header(what: String) -> FileRefusal {
    FileRefusal::Header { line: 1, what }
}

/// The one instant that a person's stamp means.
///
/// # Errors
/// [`RejectionCode::Stamp`] also for an hour that came twice: rows of a table follow no clock that would tell which;
/// [`RejectionCode::NoSuchLocalTime`].
pub(crate) fn instant(pattern: &StampPattern, zone: &Zone, text: &[u8]) -> Result<UtcSeconds, RejectionCode> {
    match pattern.read(text).ok_or(RejectionCode::Stamp)?.resolve(zone) {
        WallTime::Once(instant) => Ok(instant),
        WallTime::Twice(..) => Err(RejectionCode::Stamp),
        WallTime::Never => Err(RejectionCode::NoSuchLocalTime),
    }
}
