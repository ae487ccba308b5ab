//! A stranger's Parquet file, written out as rows of delimited text: one row an interval, as the file has them.
//!
//! ```text
//!   │ meter_id │ ts │ kwh │ …   ─ columns by name ─▶   usage_point,start,value
//!                                                      A-1,2026-03-01T00:00:00Z,0.513
//!                                                      …
//!                                                      #end,00000000000000000001
//! ```
//!
//! No value is computed here: a number is written digit by digit as the file holds it, a null as an empty field, and what
//! cannot be meant (half seconds, years past the calendar) so that whoever reads the row rejects it. Every column is named
//! or ignored. The last line is the **end mark**, with the number of rows: text without one is not whole.
//!
//! A file from a stranger can make the library ask for more memory than there is, which no program survives. So this runs
//! in a process of its own, [limited](crate::own_limits), and its text is taken when it has ended well.

mod cells;

use std::fs::File;
use std::io::{self, Write};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;

use self::cells::ForeignColumn;
use crate::scan_pages::{ColumnError, guarded};

/// Rows that are decoded at a time.
const BATCH_ROW_COUNT: usize = 8 << 10;
/// The most row groups of a file, and the most columns.
pub const FOREIGN_GROUP_COUNT_MAX: usize = 1 << 16;
/// See [`FOREIGN_GROUP_COUNT_MAX`].
pub const FOREIGN_COLUMN_COUNT_MAX: usize = 4_096;
/// Bytes of the end mark, its line break with them.
pub const END_MARK_SIZE: usize = 26;

/// Which column is what, by the path of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignColumns {
    /// Texts or integers.
    pub usage_point: Option<String>,
    /// Texts.
    pub obis: Option<String>,
    /// Timestamps.
    pub start: String,
    /// Integers, decimals, texts, or binary floats if they are taken.
    pub value: String,
    /// Texts or integers.
    pub quality: Option<String>,
    /// Columns that are not read.
    pub ignore: Vec<String>,
}

/// What of a file may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignRules {
    /// Timestamps are read from a wall clock; otherwise they are instants.
    pub is_local: bool,
    /// Binary floats are taken, each as the shortest decimal that means it.
    pub takes_floats: bool,
}

/// Why a file cannot be written out.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// It is not a Parquet file, or a damaged one.
    #[error("{0}")]
    File(#[from] ColumnError),
    /// The library.
    #[error("{0}")]
    Library(#[from] ParquetError),
    /// A column that is not there, not expected, or cannot be what it should.
    #[error("column {column:?}: {what}")]
    Schema {
        /// Its name, cut to a printable length.
        column: String,
        /// What is wrong.
        what: &'static str,
    },
    /// More of something than is taken.
    #[error("{count} {what}, at most {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The rows cannot be written.
    #[error("cannot write rows: {0}")]
    Write(#[from] io::Error),
}

/// What stands behind the last of `row_count` rows.
#[must_use]
pub fn end_mark(row_count: u64) -> String {
    format!("#end,{row_count:020}\n")
}

/// The number of rows in an end mark; `None` for anything else.
#[must_use]
pub fn rows_of_end_mark(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.strip_prefix(b"#end,")?.strip_suffix(b"\n").filter(|digits| digits.len() == 20)?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

/// Writes the header, a row for each row of the file, and the end mark.
///
/// # Errors
/// [`ForeignError`]; then there is no end mark.
pub fn write_rows(
    file: File,
    columns: &ForeignColumns,
    rules: ForeignRules,
    out: &mut impl Write,
) -> Result<u64, ForeignError> {
    let reader = guarded(|| SerializedFileReader::new(file))?;
    let metadata = reader.metadata();
    let group_count = metadata.num_row_groups();
    within("row groups", group_count, FOREIGN_GROUP_COUNT_MAX)?;
    let plan = Plan::new(metadata.file_metadata().schema_descr(), columns)?;
    let names: Vec<&str> = plan.columns.iter().map(|(name, ..)| *name).collect();
    writeln!(out, "{}", names.join(","))?;
    let (mut row_count, mut text) = (0_u64, Vec::new());
    for at in 0..group_count {
        let group = guarded(|| reader.get_row_group(at))?;
        let mut left = usize::try_from(group.metadata().num_rows())
            .map_err(|_| ColumnError::Damaged("a row group without a count of rows"))?;
        let mut open = Vec::with_capacity(plan.columns.len());
        for &(_, role, column) in &plan.columns {
            let reader = guarded(|| group.get_column_reader(column))?;
            open.push(ForeignColumn::new(
                reader,
                group.metadata().column(column).column_descr(),
                role,
                rules,
            )?);
        }
        while left > 0 {
            let count = left.min(BATCH_ROW_COUNT);
            open.iter_mut().try_for_each(|column| column.read(count))?;
            for _ in 0..count {
                for (at, column) in open.iter_mut().enumerate() {
                    if at > 0 {
                        text.push(b',');
                    }
                    column.write_next(&mut text);
                }
                text.push(b'\n');
            }
            out.write_all(&text)?;
            text.clear();
            left -= count;
            row_count += u64::try_from(count).unwrap_or(u64::MAX);
        }
    }
    if i64::try_from(row_count) != Ok(metadata.file_metadata().num_rows()) {
        return Err(ColumnError::Damaged("the file's count of rows is not that of its row groups").into());
    }
    out.write_all(end_mark(row_count).as_bytes())?;
    out.flush()?;
    Ok(row_count)
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Name,
    Stamp,
    Value,
}

/// The columns that are read, in the order of a row: what they are called there, what they are, and which they are.
struct Plan {
    columns: Vec<(&'static str, Role, usize)>,
}

impl Plan {
    fn new(schema: &SchemaDescriptor, columns: &ForeignColumns) -> Result<Self, ForeignError> {
        within("columns", schema.num_columns(), FOREIGN_COLUMN_COUNT_MAX)?;
        let ForeignColumns { usage_point, obis, start, value, quality, ignore } = columns;
        let wanted = [
            ("usage_point", Role::Name, usage_point.as_ref()),
            ("obis", Role::Name, obis.as_ref()),
            ("start", Role::Stamp, Some(start)),
            ("value", Role::Value, Some(value)),
            ("quality", Role::Name, quality.as_ref()),
        ];
        let paths: Vec<String> =
            (0..schema.num_columns()).map(|at| schema.column(at).path().string()).collect();
        let mut found = Vec::new();
        for (called, role, name) in wanted {
            let Some(name) = name else { continue };
            let fail = |what| ForeignError::Schema { column: shown(name), what };
            let mut named = (0..paths.len()).filter(|&at| paths[at] == *name);
            let (Some(at), None) = (named.next(), named.next()) else {
                return Err(fail("not there, or more than once"));
            };
            let column = schema.column(at);
            if column.max_rep_level() > 0 || column.max_def_level() > 1 {
                return Err(fail("inside another"));
            }
            found.push((called, role, at));
        }
        let is_known =
            |at: usize| found.iter().any(|&(.., known)| known == at) || ignore.contains(&paths[at]);
        match (0..paths.len()).find(|&at| !is_known(at)) {
            Some(at) => Err(ForeignError::Schema {
                column: shown(&paths[at]),
                what: "neither named nor ignored by the profile",
            }),
            None => Ok(Self { columns: found }),
        }
    }
}

fn within(what: &'static str, count: usize, max: usize) -> Result<(), ForeignError> {
    if count > max { Err(ForeignError::TooMany { what, count, max }) } else { Ok(()) }
}

/// At most 80 characters of a name from outside, for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_marks() {
        for count in [0, 1, 10_000_000, u64::MAX] {
            let mark = end_mark(count);
            assert_eq!((mark.len(), rows_of_end_mark(mark.as_bytes())), (END_MARK_SIZE, Some(count)));
        }
        for other in [
            "",
            "#end,1\n",
            "#end,0000000000000000000x\n",
            "#end,00000000000000000001",
            "#end,99999999999999999999\n",
        ] {
            assert_eq!(rows_of_end_mark(other.as_bytes()), None, "{other:?}");
        }
    }
}
