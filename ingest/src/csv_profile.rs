//! Delimited text by a profile: one value a row, one column a usage point, or one row a register-day.
//!
//! A row that cannot be read is one rejection that counts the values lost with it; decoding goes on with the
//! next line. Only the header, an empty file and the limits refuse a file.

mod header;
mod rows;

use std::io::BufRead;

use tallywatt_core::calendar::Zone;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use crate::lines::{Fields, Line, LineReader};
use crate::refusal::FileRefusal;
use crate::scale::Scale;
use crate::stamp::StampPattern;
use crate::tally::Tally;

/// The longest line of the long and day layouts, in bytes.
const LINE_SIZE_MAX: usize = 64 << 10;
/// The longest line of the wide layout, in bytes: it has a column for every usage point.
const WIDE_LINE_SIZE_MAX: usize = 1 << 20;

/// How a file of delimited text is read.
#[derive(Debug, Clone)]
pub(crate) struct CsvProfile {
    pub(crate) layout: Layout,
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    /// What stands before the decimals.
    pub(crate) decimal: u8,
    pub(crate) scale: Scale,
    /// The register of rows that name none.
    pub(crate) register: Register,
    /// Of the stamp column, or of the date column in the day layout.
    pub(crate) stamp: StampPattern,
    /// Stamps name the end of the interval.
    pub(crate) at_end: bool,
    pub(crate) interval_minutes: u8,
    pub(crate) points: PointFrom,
    pub(crate) columns: Columns,
}

/// How values stand in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One value a row.
    Long,
    /// One stamp a row, one column a usage point.
    Wide,
    /// One register-day a row, one column an interval.
    Day,
}

/// Encodings of delimited text. Both hold ASCII as itself, so rows are split before they are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Windows1251,
}

/// Where a row's usage point is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointFrom {
    Column,
    /// The wide layout: in the header.
    Header,
    Constant(UsagePointId),
    /// The file's name up to its first dot.
    File,
}

/// The columns a profile names.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) usage_point: Option<String>,
    /// The stamp; in the day layout the date.
    pub(crate) start: String,
    pub(crate) value: Option<String>,
    pub(crate) obis: Option<String>,
    pub(crate) quality: Option<String>,
    pub(crate) ignore: Vec<String>,
}

impl Layout {
    const fn line_size_max(self) -> usize {
        match self {
            Self::Long | Self::Day => LINE_SIZE_MAX,
            Self::Wide => WIDE_LINE_SIZE_MAX,
        }
    }
}

impl Encoding {
    const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1251 => "windows-1251",
        }
    }

    /// Whether `bytes` are text in this encoding.
    fn holds(self, bytes: &[u8]) -> bool {
        match self {
            Self::Utf8 => bytes.is_ascii() || std::str::from_utf8(bytes).is_ok(),
            Self::Windows1251 => true,
        }
    }

    /// The text of a name or a raw line.
    fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Windows1251 => encoding_rs::WINDOWS_1251.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}

/// Decodes a file of delimited text.
pub(crate) fn decode(
    profile: &CsvProfile,
    zone: &Zone,
    file_name: &str,
    bytes: &mut dyn BufRead,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let mut lines = LineReader::new(bytes, profile.layout.line_size_max());
    let mut fields = Fields::default();
    let plan = match lines.next()? {
        Line::End => return Err(FileRefusal::Empty),
        Line::TooLong => {
            let limit = u64::try_from(profile.layout.line_size_max()).unwrap_or(u64::MAX);
            return Err(FileRefusal::TooLarge { what: "header line in bytes", limit });
        }
        Line::Whole => header::read(profile, file_name, lines.text(), &mut fields)?,
    };
    tally.summary.line_count = 1;
    let mut rows = rows::Rows::new(profile, zone, &plan);
    let mut row_count = 0_u64;
    loop {
        let kind = lines.next()?;
        let (line, text) = (lines.number(), lines.text());
        tally.summary.line_count = line;
        match kind {
            Line::End => break,
            Line::Whole if text.trim_ascii().is_empty() => continue,
            Line::TooLong => {
                tally.reject(RejectionCode::LineTooLong, line, plan.reading_count(), text);
            }
            Line::Whole if !profile.encoding.holds(text) => {
                tally.reject(RejectionCode::NotText, line, plan.reading_count(), text);
            }
            Line::Whole => match fields.split(text, profile.delimiter) {
                Some(row) if row.len() == plan.column_count => rows.hand_over(row, text, line, tally)?,
                Some(_) | None => {
                    let raw = profile.encoding.text(text);
                    tally.reject(RejectionCode::Structure, line, plan.reading_count(), raw.as_bytes());
                }
            },
        }
        row_count += 1;
        if tally.line_done(line).is_break() {
            return Ok(());
        }
    }
    if row_count == 0 { Err(FileRefusal::NoReadings) } else { Ok(()) }
}
