//! Lines and fields of delimited text, with limits.
//!
//! Lines are read one at a time and never grow past their limit. The dialect is strict: a quoted field may
//! hold the delimiter and doubled quotes, but not a line break, so that a stray quote cannot swallow the rest
//! of a file. Spaces around a field are dropped.

use std::io::{BufRead, Read};
use std::ops::Range;

use crate::refusal::FileRefusal;

/// What stands on the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing: the file has ended.
    End,
    /// A line within the limit.
    Whole,
    /// A line past the limit: its first bytes are kept, the rest is skipped.
    TooLong,
}

/// Reads lines, counted from 1.
pub(crate) struct LineReader<'a> {
    bytes: &'a mut dyn BufRead,
    size_max: usize,
    buffer: Vec<u8>,
    number: u64,
}

impl<'a> LineReader<'a> {
    /// Lines of at most `size_max` bytes, the line break not counted.
    pub(crate) fn new(bytes: &'a mut dyn BufRead, size_max: usize) -> Self {
        Self { bytes, size_max, buffer: Vec::new(), number: 0 }
    }

    /// The number of the line read last.
    #[cfg(test)]
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The line read last, without its line break; cut if it was too long.
    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads the next line; a byte-order mark before the first is dropped.
    pub(crate) fn next(&mut self) -> Result<Line, FileRefusal> {
        self.buffer.clear();
        // Room for a byte-order mark and `\r\n` beside the line itself: what fills it all is too long.
        let limit = u64::try_from(self.size_max + 3 + 2).unwrap_or(u64::MAX);
        let size = (&mut *self.bytes)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)
            .map_err(FileRefusal::from_io)?;
        if size == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        let ended = self.buffer.last() == Some(&b'\n');
        if ended {
            self.buffer.pop();
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
        }
        if self.buffer.len() <= self.size_max {
            return Ok(Line::Whole);
        }
        if !ended {
            self.bytes.skip_until(b'\n').map_err(FileRefusal::from_io)?;
        }
        Ok(Line::TooLong)
    }
}

/// Reads the lines of a block of bytes that ends where a line ends, as [`LineReader`] does, but in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockLines<'a> {
    bytes: &'a [u8],
    at: usize,
    size_max: usize,
    number: u64,
}

impl<'a> BlockLines<'a> {
    /// `first_line` is the number of the first of them; a byte-order mark is no longer looked for.
    pub(crate) const fn new(bytes: &'a [u8], first_line: u64, size_max: usize) -> Self {
        Self { bytes, at: 0, size_max, number: first_line - 1 }
    }

    /// The number of the line read last.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The block, and where in it the next line begins.
    pub(crate) const fn rest(&self) -> (&'a [u8], usize) {
        (self.bytes, self.at)
    }

    /// `count` lines were read elsewhere; the next begins at `at`.
    pub(crate) const fn skip_to(&mut self, at: usize, count: u64) {
        self.at = at;
        self.number += count;
    }

    /// Reads the next line, without its line break; cut if it is too long.
    pub(crate) fn next(&mut self) -> (Line, &'a [u8]) {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return (Line::End, rest);
        }
        let size = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += (size + 1).min(rest.len());
        self.number += 1;
        // As much as a reader of the stream would have taken before it gave up.
        let limit = self.size_max + 3 + 2;
        let text = &rest[..size.min(limit)];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        (if text.len() <= self.size_max { Line::Whole } else { Line::TooLong }, text)
    }
}

/// Splits lines into fields; keeps its memory from line to line.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// Quoted fields, with their quotes resolved.
    unquoted: Vec<u8>,
    ranges: Vec<FieldRange>,
}

#[derive(Debug, Clone)]
enum FieldRange {
    OfLine(Range<usize>),
    Unquoted(Range<usize>),
}

/// The fields of one line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    line: &'a [u8],
    fields: &'a Fields,
}

impl<'a> Row<'a> {
    pub(crate) fn len(&self) -> usize {
        self.fields.ranges.len()
    }

    /// The field at `at`, empty past the end.
    pub(crate) fn field(&self, at: usize) -> &'a [u8] {
        match self.fields.ranges.get(at) {
            Some(FieldRange::OfLine(range)) => self.line[range.clone()].trim_ascii(),
            Some(FieldRange::Unquoted(range)) => self.fields.unquoted[range.clone()].trim_ascii(),
            None => b"",
        }
    }
}

impl Fields {
    /// Begins a row of `count` fields, all empty, to be filled in any order.
    pub(crate) fn begin(&mut self, count: usize) {
        self.unquoted.clear();
        self.ranges.clear();
        self.ranges.resize(count, FieldRange::OfLine(0..0));
    }

    /// Field `at` is what stands there in the line.
    pub(crate) fn set(&mut self, at: usize, range: Range<usize>) {
        self.ranges[at] = FieldRange::OfLine(range);
    }

    /// Field `at` is this text, which does not stand in the line as it is.
    pub(crate) fn set_text(&mut self, at: usize, text: &[u8]) {
        let start = self.unquoted.len();
        self.unquoted.extend_from_slice(text);
        self.ranges[at] = FieldRange::Unquoted(start..self.unquoted.len());
    }

    /// Where in its line a field stands; nothing if it does not stand there as it is.
    pub(crate) fn range(&self, at: usize) -> Option<Range<usize>> {
        match self.ranges.get(at)? {
            FieldRange::OfLine(range) => Some(range.clone()),
            FieldRange::Unquoted(_) => None,
        }
    }

    /// The row that was begun.
    pub(crate) const fn row<'a>(&'a self, line: &'a [u8]) -> Row<'a> {
        Row { line, fields: self }
    }

    /// Splits `line`; `None` if its quotes do not match, or stand inside a field.
    pub(crate) fn split<'a>(&'a mut self, line: &'a [u8], delimiter: u8) -> Option<Row<'a>> {
        self.ranges.clear();
        self.unquoted.clear();
        if memchr::memchr(b'"', line).is_some() {
            self.split_quoted(line, delimiter)?;
        } else {
            let mut start = 0;
            for at in memchr::memchr_iter(delimiter, line) {
                self.ranges.push(FieldRange::OfLine(start..at));
                start = at + 1;
            }
            self.ranges.push(FieldRange::OfLine(start..line.len()));
        }
        Some(Row { line, fields: self })
    }

    fn split_quoted(&mut self, line: &[u8], delimiter: u8) -> Option<()> {
        let mut at = 0;
        loop {
            at = if line.get(at) == Some(&b'"') {
                self.take_quoted(line, at + 1)?
            } else {
                let size = line[at..].iter().take_while(|&&byte| byte != delimiter).count();
                if line[at..at + size].contains(&b'"') {
                    return None;
                }
                self.ranges.push(FieldRange::OfLine(at..at + size));
                at + size
            };
            match line.get(at) {
                None => return Some(()),
                Some(&byte) if byte == delimiter => at += 1,
                Some(_) => return None,
            }
        }
    }

    /// Takes the field whose opening quote stands before `at`; gives the place after its closing quote.
    fn take_quoted(&mut self, line: &[u8], mut at: usize) -> Option<usize> {
        let start = self.unquoted.len();
        loop {
            match (line.get(at)?, line.get(at + 1)) {
                (b'"', Some(b'"')) => {
                    self.unquoted.push(b'"');
                    at += 2;
                }
                (b'"', _) => {
                    self.ranges.push(FieldRange::Unquoted(start..self.unquoted.len()));
                    return Some(at + 1);
                }
                (&byte, _) => {
                    self.unquoted.push(byte);
                    at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_have_a_limit() {
        let text = b"\xef\xbb\xbf12345\r\n\n123456\n12345\n1234567890\r\n12345";
        let mut reader = &text[..];
        let mut lines = LineReader::new(&mut reader, 5);
        let mut got = Vec::new();
        while let kind @ (Line::Whole | Line::TooLong) = lines.next().unwrap() {
            got.push((lines.number(), kind, lines.text().len()));
        }
        let want = [
            (1, Line::Whole, 5),
            (2, Line::Whole, 0),
            (3, Line::TooLong, 6),
            (4, Line::Whole, 5),
            (5, Line::TooLong, 10),
            (6, Line::Whole, 5),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn fields_of_a_line() {
        let table: &[(&str, Option<&[&str]>)] = &[
            ("", Some(&[""])),
            ("a,b", Some(&["a", "b"])),
            (" a , b,", Some(&["a", "b", ""])),
            ("\"a,b\",c", Some(&["a,b", "c"])),
            ("\"a\"\"b\",\"\"", Some(&["a\"b", ""])),
            ("\"a", None),
            ("\"a\"b,c", None),
            ("a\"b,c", None),
        ];
        for (line, want) in table {
            let mut fields = Fields::default();
            let got = fields.split(line.as_bytes(), b',').map(|row| {
                (0..row.len())
                    .map(|at| String::from_utf8_lossy(row.field(at)).into_owned())
                    .collect::<Vec<_>>()
            });
            let want = want.map(|fields| fields.iter().map(|&field| field.to_owned()).collect());
            assert_eq!(got, want, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_of_a_block_are_those_of_a_reader(text in "[a\r\n]{0,40}", size_max in 0..6_usize) {
            let (mut head_and_text, mut want) = (format!("\n{text}"), Vec::new());
            let mut reader = head_and_text.as_bytes();
            let mut lines = LineReader::new(&mut reader, size_max);
            lines.next().unwrap();
            loop {
                let kind = lines.next().unwrap();
                want.push((kind, lines.number(), lines.text().to_vec()));
                if kind == Line::End {
                    break;
                }
            }
            head_and_text.remove(0);
            let mut lines = BlockLines::new(head_and_text.as_bytes(), 2, size_max);
            for want in want {
                let (kind, line) = lines.next();
                prop_assert_eq!((kind, lines.number(), line.to_vec()), want);
            }
        }

        /// Where we take a line, the csv crate reads the same fields.
        #[test]
        fn fields_are_those_of_another_reader(line in "[a\",; ]{1,24}") {
            let mut fields = Fields::default();
            if let Some(row) = fields.split(line.as_bytes(), b',') {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
                let record = reader.byte_records().next().unwrap().unwrap();
                let want: Vec<&[u8]> = record.iter().map(|field| field.trim_ascii()).collect();
                let got: Vec<&[u8]> = (0..row.len()).map(|at| row.field(at)).collect();
                prop_assert_eq!(got, want);
            }
        }
    }
}
