//! Lines of a comma-separated table, streamed, with their numbers and the columns its header names.
//!
//! One row is one line: no field of ours holds a line break, so a stray quote cannot swallow the file.

use std::io::{BufRead, BufReader, Read, Take};

use super::error::DocumentError;
use super::{LINE_SIZE_MAX, TABLE_SIZE_MAX};

const BYTE_ORDER_MARK: &str = "\u{feff}";
/// The longest piece of a value that a message shows, characters.
const SHOWN_CHARS_MAX: usize = 40;

/// A table being read.
pub(super) struct Rows<'f, R> {
    file: &'f str,
    reader: BufReader<Take<R>>,
    size_max: u64,
    size: u64,
    line: u64,
    buffer: Vec<u8>,
}

impl<'f, R: Read> Rows<'f, R> {
    pub(super) fn new(file: &'f str, input: R) -> Self {
        Self::limited(file, input, TABLE_SIZE_MAX)
    }

    fn limited(file: &'f str, input: R, size_max: u64) -> Self {
        // One byte more than is taken, so that a file past the limit is seen and not cut.
        let reader = BufReader::new(input.take(size_max + 1));
        Self { file, reader, size_max, size: 0, line: 0, buffer: Vec::new() }
    }

    /// The number of the line read last.
    pub(super) const fn line(&self) -> u64 {
        self.line
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

    /// The position in each row of the wanted columns. The header names each of them once and nothing else.
    pub(super) fn header<const N: usize>(&mut self, wanted: [&str; N]) -> Result<Columns<N>, DocumentError> {
        self.header_with(wanted, N)
    }

    /// The same, where only the first `required` columns must be there. A field of a column that is not is empty.
    pub(super) fn header_with<const N: usize>(
        &mut self,
        wanted: [&str; N],
        required: usize,
    ) -> Result<Columns<N>, DocumentError> {
        const HEADER: &str = "name every column of the format once in the first line, and no others";
        let names = self.next_row()?.unwrap_or_default();
        for (at, name) in names.iter().enumerate() {
            let problem = match () {
                () if !wanted.contains(&name.as_str()) => "unknown column",
                () if names[..at].contains(name) => "repeated column",
                () => continue,
            };
            return Err(self.fail(self.line.max(1), format!("{problem} {}", shown(name)), HEADER));
        }
        let places = wanted.map(|want| names.iter().position(|name| name == want));
        if let Some(missing) = places[..required].iter().position(Option::is_none) {
            return Err(self.fail(self.line.max(1), format!("no column {}", wanted[missing]), HEADER));
        }
        Ok(Columns { names: wanted.map(str::to_owned), places, width: names.len() })
    }

    /// The fields of the next line that is not empty; `None` at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<Vec<String>>, DocumentError> {
        loop {
            self.buffer.clear();
            let limit = u64::try_from(LINE_SIZE_MAX + 1).unwrap_or(u64::MAX);
            let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer);
            self.line += 1;
            let size = read.map_err(|error| {
                self.fail(self.line, format!("cannot read: {error}"), "check that the file can be read")
            })?;
            if size == 0 {
                self.line -= 1;
                return Ok(None);
            }
            self.size += u64::try_from(size).unwrap_or(u64::MAX);
            if self.size > self.size_max {
                let problem = format!("file of more than {} bytes", self.size_max);
                return Err(self.fail(self.line, problem, "split the file"));
            }
            if size > LINE_SIZE_MAX {
                let problem = format!("line of more than {LINE_SIZE_MAX} bytes");
                return Err(self.fail(self.line, problem, "check that this is the right file"));
            }
            let text = std::str::from_utf8(&self.buffer)
                .map_err(|_| self.fail(self.line, "line is not UTF-8 text", "save the file as UTF-8"))?;
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let text = if self.line == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
            if !text.is_empty() {
                return self.fields(text).map(Some);
            }
        }
    }

    fn fields(&self, text: &str) -> Result<Vec<String>, DocumentError> {
        if !text.contains('"') {
            return Ok(text.split(',').map(str::to_owned).collect());
        }
        let mut quoted =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut records = quoted.records();
        // The csv reader closes a quote that the line leaves open; we do not guess where it should have ended.
        let is_closed = text.matches('"').count().is_multiple_of(2);
        match (records.next(), records.next()) {
            (Some(Ok(record)), None) if is_closed => Ok(record.iter().map(str::to_owned).collect()),
            _ => Err(self.fail(self.line, "line is not comma-separated fields", "check the quotes")),
        }
    }
}

/// Where the wanted columns stand.
pub(super) struct Columns<const N: usize> {
    names: [String; N],
    /// `None` for a column that is not there.
    places: [Option<usize>; N],
    width: usize,
}

impl<const N: usize> Columns<N> {
    /// The fields of a row in the wanted order.
    pub(super) fn pick<'r, R: Read>(
        &self,
        rows: &Rows<'_, R>,
        row: &'r [String],
    ) -> Result<[&'r str; N], DocumentError> {
        if row.len() != self.width {
            let problem = format!("{} fields, the header names {}", row.len(), self.width);
            return Err(rows.fail(rows.line(), problem, "give every row a field for each column"));
        }
        Ok(self.places.map(|place| place.map_or("", |at| row[at].as_str())))
    }

    /// The name of the wanted column `at`.
    pub(super) fn name(&self, at: usize) -> &str {
        &self.names[at]
    }
}

/// A value from outside, quoted and cut short.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(SHOWN_CHARS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last row or failure of a table of which at most 64 bytes are taken.
    fn check(text: &str, want: &str) {
        let mut rows = Rows::limited("f", text.as_bytes(), 64);
        let mut last = String::new();
        let got = loop {
            match rows.next_row() {
                Ok(Some(row)) => last = format!("{}: {}", rows.line(), row.join("|")),
                Ok(None) => break last,
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(got, want, "{text:?}");
    }

    #[test]
    fn lines_and_limits() {
        check("", "");
        check("\n\n\n", "");
        check("a,b\r\n\r\nc,\"d,e\"\r\n", "3: c|d,e");
        check("a,\"b\"\"c\"", "1: a|b\"c");
        check("a,\"b\nc\"", "f:1: line is not comma-separated fields");
        check(&"\n".repeat(64), "");
        check(&"\n".repeat(65), "f:65: file of more than 64 bytes");
        check(&"a".repeat(64), &format!("1: {}", "a".repeat(64)));
        check(&"a".repeat(1_000), "f:1: file of more than 64 bytes");
    }
}
