//! What NEM12 and NEM13 share: records by lines, between one 100 and one 900.
//!
//! ```text
//!   100 ─ version, creation stamp     first, once
//!     …   at least one record of readings
//!   900 ─                             last, once
//! ```
//!
//! A profile with `frame = "optional"` takes files that lack either, or hold several such frames one after another;
//! then nothing tells that a file was cut off.

use tallywatt_core::calendar::Zone;
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;

use super::stamps;
use crate::lines::Row;
use crate::profile::ProfileError;
use crate::profile_text::Text;
use crate::refusal::{FileRefusal, shown};
use crate::tally::Tally;

/// The longest record, in bytes: 288 values of 18 digits take a third of it.
pub(crate) const RECORD_SIZE_MAX: usize = 64 << 10;

/// Whether a file must have its records 100 and 900.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    Required,
    Optional,
}

impl Frame {
    /// From a profile's `frame`.
    pub(crate) fn read(word: Option<&str>, text: Text<'_>) -> Result<Self, ProfileError> {
        match word {
            None | Some("required") => Ok(Self::Required),
            Some("optional") => Ok(Self::Optional),
            Some(other) => Err(text.value("frame", other, "required or optional")),
        }
    }
}

/// The two kinds of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Nem12,
    Nem13,
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::Nem12 => "NEM12",
            Self::Nem13 => "NEM13",
        }
    }

    const fn profile(self) -> &'static str {
        match self {
            Self::Nem12 => "nem12",
            Self::Nem13 => "nem13",
        }
    }

    /// The record that holds readings.
    const fn record(self) -> &'static [u8] {
        match self {
            Self::Nem12 => b"300",
            Self::Nem13 => b"250",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Nem12 => Self::Nem13,
            Self::Nem13 => Self::Nem12,
        }
    }
}

/// The records of a file with their lines; blank lines are passed over.
#[derive(Debug, Clone)]
pub(crate) struct Records<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Records<'a> {
    /// From the first record; a byte-order mark before it is dropped.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text), at: 0, line: 1 }
    }

    /// The text, where in it the next line begins, and that line's number, counted from 1.
    pub(crate) const fn rest(&self) -> (&'a [u8], usize, u64) {
        (self.text, self.at, self.line)
    }

    /// Lines were read elsewhere; the next one begins at `at`.
    pub(crate) const fn skip_to(&mut self, at: usize, line: u64) {
        self.at = at;
        self.line = line;
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let size = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = self.line;
            self.skip_to(self.at + size + 1, line + 1);
            let record = &rest[..size];
            let record = record.strip_suffix(b"\r").unwrap_or(record);
            if !record.trim_ascii().is_empty() {
                return Some((line, record));
            }
        }
    }
}

/// The record's kind: what stands before its first comma.
pub(crate) fn kind(record: &[u8]) -> &[u8] {
    match record {
        [a, b, c, b',', ..] if [a, b, c].iter().all(|byte| byte.is_ascii_digit()) => &record[..3],
        _ => record.split(|&byte| byte == b',').next().unwrap_or_default().trim_ascii(),
    }
}

/// Looks over the whole file before anything of it is handed over.
pub(crate) fn check(text: &[u8], version: Version, frame: Frame) -> Result<(), FileRefusal> {
    let header = |line, what: &str| FileRefusal::Header { line, what: what.to_owned() };
    let is_strict = frame == Frame::Required;
    let (mut count, mut other_line) = (0_u64, None);
    let (mut first, mut ended) = (true, false);
    let mut last_line = 1;
    for (line, record) in Records::new(text) {
        if str::from_utf8(record).is_err() {
            return Err(FileRefusal::NotText { line, encoding: "utf-8" });
        }
        if ended && is_strict {
            return Err(header(line, "a record after the end record 900"));
        }
        match (kind(record), first) {
            (b"100", false) if is_strict => return Err(header(line, "a second header record 100")),
            (b"100", _) => check_header(record, line, version)?,
            (_, true) if is_strict => {
                return Err(header(line, "the first record is not the header record 100"));
            }
            (b"900", _) => ended = true,
            (kind, _) if kind == version.record() => count += 1,
            (kind, _) if kind == version.other().record() => other_line = other_line.or(Some(line)),
            _ => (),
        }
        first = false;
        last_line = line;
    }
    match (count, other_line) {
        _ if first => Err(FileRefusal::Empty),
        _ if !ended && is_strict => {
            Err(FileRefusal::Truncated { line: last_line, what: "no end record 900".to_owned() })
        }
        (0, Some(line)) => Err(of_other_version(line, version.other())),
        (0, None) => Err(FileRefusal::NoReadings),
        _ => Ok(()),
    }
}

fn check_header(record: &[u8], line: u64, version: Version) -> Result<(), FileRefusal> {
    let mut fields = record.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).skip(1);
    let named = fields.next().unwrap_or_default();
    if named == version.other().name().as_bytes() {
        return Err(of_other_version(line, version.other()));
    }
    if named != version.name().as_bytes() {
        let what = format!("version {:?}, not {}", shown(&String::from_utf8_lossy(named)), version.name());
        return Err(FileRefusal::NotThisFormat { line, what });
    }
    let created = fields.next().unwrap_or_default();
    if stamps::is_damaged(created) {
        let what = format!("creation stamp {}", stamps::damage(created));
        return Err(FileRefusal::Header { line, what });
    }
    Ok(())
}

fn of_other_version(line: u64, other: Version) -> FileRefusal {
    let what = format!("a {} file: take the profile {}", other.name(), other.profile());
    FileRefusal::NotThisFormat { line, what }
}

/// When the file was made, from its 100: the issue of records that do not name one of their own.
pub(crate) fn created(row: Row<'_>, record: &[u8], line: u64, zone: &Zone, tally: &mut Tally<'_>) -> Issued {
    match row.field(2) {
        b"" => Issued::UNSAID,
        text => stamps::issued(text, zone).unwrap_or_else(|| {
            tally.reject(RejectionCode::Stamp, line, 0, record);
            Issued::UNSAID
        }),
    }
}
