//! JSON lines by a profile: one object a line, one value an object.
//!
//! ```text
//!   {"id": "A", "at": "2026-03-01T00:00:00Z", "wh": 513}      ─ keys ─▶  A │ 2026-03-01T00:00:00Z │ 513  ─▶ the rows of long CSV
//! ```
//!
//! The keys of the profile's `[columns]` are the columns of a row, and the row is read as one of delimited text in the
//! long layout: a value means the same in both, and what is wrong with it has the same code. A key that is not there, or
//! is `null`, is an empty field. Numbers are taken as they are written and never through a binary float; one with
//! an exponent is no number here, as it is none there.
//!
//! A line that is not one object (RFC 8259), that has a key twice, or that has a key which the profile neither names nor
//! ignores, is rejected; such a key in the first line refuses the file, as an unknown column does.

mod text;

use std::io::{BufRead, Read as _};

use tallywatt_core::calendar::Zone;

use self::text::{JsonText, JsonToken};
use crate::blocks::Blocks;
use crate::csv_profile::{CsvProfile, LINE_SIZE_MAX, Opened, ROW_KEYS, decode_rows, opened_file};
use crate::format::{Format, FormatKind, OpenedBlocks, SourceFile};
use crate::lines::{Fields, Row};
use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::refusal::{FileRefusal, shown};
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "json-lines",
    keys: ROW_KEYS,
    zone: None,
    read: |document, text| Ok(Box::new(JsonLines::new(document, text)?)),
    profiles: &[("json-lines", include_str!("../profiles/json-lines.toml"))],
};

/// A byte-order mark, which some writers put before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file of objects is read.
#[derive(Debug)]
struct JsonLines {
    /// How its rows are read.
    rows: CsvProfile,
    keys: Keys,
}

/// The keys of an object, in the order of a row's columns.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    named: Vec<String>,
    ignored: Vec<String>,
}

/// Why a line gives no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsplit {
    /// Not one object, a key twice, or a value that is none.
    Structure,
    /// A key that the profile neither names nor ignores.
    UnknownKey(String),
}

impl JsonLines {
    fn new(document: Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let rows = Document { layout: Some("long".to_owned()), ..document }.into_csv(text)?;
        let columns = &rows.columns;
        let point = columns.usage_point.iter().chain([&columns.start]);
        let named: Vec<String> = point
            .chain([&columns.value, &columns.obis, &columns.quality].into_iter().flatten())
            .cloned()
            .collect();
        let ignored = columns.ignore.clone();
        Ok(Self { rows, keys: Keys { named, ignored } })
    }

    /// Reads the first line, and looks whether it is of the profile; gives its bytes back.
    fn open(&self, file_name: &str, bytes: &mut dyn BufRead) -> Result<(Opened, Vec<u8>), FileRefusal> {
        // Room for a byte-order mark and `\r\n` beside the line itself: a block tells that it is too long.
        let limit = u64::try_from(LINE_SIZE_MAX + 3 + 2).unwrap_or(u64::MAX);
        let mut first = Vec::new();
        bytes.take(limit).read_until(b'\n', &mut first).map_err(FileRefusal::from_io)?;
        if first.is_empty() {
            return Err(FileRefusal::Empty);
        }
        if first.starts_with(BYTE_ORDER_MARK) {
            first.drain(..BYTE_ORDER_MARK.len());
        }
        let line = first.trim_ascii();
        if line.first().is_some_and(|&byte| byte != b'{') {
            let what = match line[0] {
                b'[' => "an array; JSON lines are one object a line",
                _ => "not JSON lines: the first line is no object",
            };
            return Err(FileRefusal::NotThisFormat { line: 1, what: what.to_owned() });
        }
        if let Err(Unsplit::UnknownKey(key)) = self.keys.split(&mut Fields::default(), line) {
            let expected: Vec<String> = self.keys.named.iter().map(|key| format!("{key:?}")).collect();
            return Err(FileRefusal::UnknownColumn { column: key, line: 1, expected: expected.join(", ") });
        }
        Ok((Opened::of_objects(&self.rows, file_name, self.keys.clone())?, first))
    }
}

impl Format for JsonLines {
    fn is_named_by_file(&self) -> bool {
        self.rows.is_named_by_file()
    }

    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let (opened, first) = self.open(file.name, file.bytes)?;
        let blocks = Blocks::of_lines_after(file.bytes, first);
        decode_rows((&self.rows, file.zone, &opened), blocks, file.pace, tally)
    }

    fn open_blocks<'a>(
        &self,
        file_name: &str,
        zone: &Zone,
        bytes: &'a mut dyn BufRead,
    ) -> Result<Option<OpenedBlocks<'a>>, FileRefusal> {
        let (opened, first) = self.open(file_name, bytes)?;
        Ok(Some((opened_file(&self.rows, zone, opened), Blocks::of_lines_after(bytes, first))))
    }
}

impl Keys {
    /// The keys that are columns, in order.
    pub(crate) fn named(&self) -> &[String] {
        &self.named
    }

    /// Cuts an object into the fields of a row.
    pub(crate) fn split<'a>(&self, fields: &'a mut Fields, line: &'a [u8]) -> Result<Row<'a>, Unsplit> {
        fields.begin(self.named.len());
        let mut text = JsonText::new(line);
        self.fill(fields, &mut text)?;
        Ok(fields.row(line))
    }

    fn fill(&self, fields: &mut Fields, text: &mut JsonText<'_>) -> Result<(), Unsplit> {
        let mut seen = Seen::default();
        text.expect(b'{').ok_or(Unsplit::Structure)?;
        let mut is_over = text.accept(b'}');
        while !is_over {
            let key = text.string().ok_or(Unsplit::Structure)?;
            let place = self
                .place(text.bytes_of(&key))
                .ok_or_else(|| Unsplit::UnknownKey(shown(&String::from_utf8_lossy(text.bytes_of(&key)))))?;
            text.expect(b':').filter(|()| seen.is_new(place)).ok_or(Unsplit::Structure)?;
            let value = if place < self.named.len() {
                text.scalar().map(|value| fill_one(fields, text, place, &value))
            } else {
                text.skip_value()
            };
            value.ok_or(Unsplit::Structure)?;
            is_over = !text.accept(b',');
            if is_over {
                text.expect(b'}').ok_or(Unsplit::Structure)?;
            }
        }
        if text.is_at_end() { Ok(()) } else { Err(Unsplit::Structure) }
    }

    /// The number of a key: of those that are columns, then of those that are ignored.
    fn place(&self, key: &[u8]) -> Option<usize> {
        let mut keys = self.named.iter().chain(&self.ignored);
        keys.position(|known| known.as_bytes() == key)
    }
}

fn fill_one(fields: &mut Fields, text: &JsonText<'_>, at: usize, value: &JsonToken) {
    match value {
        JsonToken::Plain(range) => fields.set(at, range.clone()),
        JsonToken::Unescaped(_) => fields.set_text(at, text.bytes_of(value)),
        JsonToken::Null => (),
    }
}

/// The keys that an object had so far.
#[derive(Debug, Default)]
struct Seen {
    first: u64,
    /// Keys past the first 64; few profiles ignore as many.
    others: Vec<usize>,
}

impl Seen {
    fn is_new(&mut self, key: usize) -> bool {
        if key < 64 {
            let bit = 1 << key;
            let is_new = self.first & bit == 0;
            self.first |= bit;
            return is_new;
        }
        let is_new = !self.others.contains(&key);
        self.others.push(key);
        is_new
    }
}
