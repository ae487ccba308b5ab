//! Where telegrams begin and end, and whether they arrived as they were sent.

use crc::{CRC_16_ARC, Crc};
use tallywatt_core::rejection::RejectionCode;

/// The largest telegram, from `/` to `!`: a text message of 1,024 characters takes 2,048, thirteen months of peaks less.
pub(super) const TELEGRAM_SIZE_MAX: usize = 16 << 10;

const ARC: Crc<u16> = Crc::<u16>::new(&CRC_16_ARC);

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Its first line, counted from 1.
    pub(super) line: u64,
    pub(super) last_line: u64,
    /// Of a telegram: from `/` to `!`, both with it.
    pub(super) text: &'a [u8],
    pub(super) outcome: Outcome<'a>,
}

/// What a stretch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// A telegram, and what stands behind its `!`.
    Whole { crc: &'a [u8] },
    /// The beginning of one.
    Broken(RejectionCode, &'static str),
    /// Lines of no telegram, blank lines left out at both ends.
    Outside,
}

/// Cuts a file into telegrams and what stands between them.
pub(super) struct Pieces<'a> {
    bytes: &'a [u8],
    /// Where the next line begins, and its number.
    at: usize,
    line: u64,
}

impl<'a> Pieces<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The next line without its line break, and where it begins; it is not taken yet.
    fn peek(&self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return None;
        }
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn take_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |size| size + 1);
        self.line += 1;
    }

    fn telegram(&mut self) -> Piece<'a> {
        let (start, line) = (self.at, self.line);
        self.take_line();
        let ended = |pieces: &Self, code, why| Piece {
            line,
            last_line: pieces.line - 1,
            text: &pieces.bytes[start..pieces.at],
            outcome: Outcome::Broken(code, why),
        };
        loop {
            if self.at - start > TELEGRAM_SIZE_MAX {
                return ended(self, RejectionCode::LineTooLong, "telegram of more than 16384 bytes");
            }
            match self.peek() {
                None => return ended(self, RejectionCode::Structure, "cut off: no line begins with !"),
                Some([b'/', ..]) => {
                    return ended(self, RejectionCode::Structure, "cut off: the next telegram begins");
                }
                Some([b'!', crc @ ..]) => {
                    let text = &self.bytes[start..=self.at];
                    self.take_line();
                    let outcome = Outcome::Whole { crc: crc.trim_ascii() };
                    return Piece { line, last_line: self.line - 1, text, outcome };
                }
                Some(_) => self.take_line(),
            }
        }
    }

    fn outside(&mut self) -> Piece<'a> {
        let (start, line) = (self.at, self.line);
        let (mut end, mut last_line) = (start, line);
        while let Some(text) = self.peek().filter(|text| !text.starts_with(b"/")) {
            if !text.trim_ascii().is_empty() {
                (end, last_line) = (self.at + text.len(), self.line);
            }
            self.take_line();
        }
        Piece { line, last_line, text: &self.bytes[start..end], outcome: Outcome::Outside }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let text = self.peek()?;
            if text.starts_with(b"/") {
                return Some(self.telegram());
            }
            if !text.trim_ascii().is_empty() {
                return Some(self.outside());
            }
            self.take_line();
        }
    }
}

/// Lines of a file; the last needs no line break.
pub(super) fn line_count(bytes: &[u8]) -> u64 {
    let breaks = memchr::memchr_iter(b'\n', bytes).count();
    let rest = usize::from(!bytes.is_empty() && !bytes.ends_with(b"\n"));
    u64::try_from(breaks + rest).unwrap_or(u64::MAX)
}

/// Whether the four digits behind the `!` are the CRC-16/ARC of `text`.
///
/// # Errors
/// What they are instead.
pub(super) fn check_crc(text: &[u8], digits: &[u8]) -> Result<(), String> {
    let computed = ARC.checksum(text);
    let is_written = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
    let written = std::str::from_utf8(digits).ok().filter(|_| is_written);
    match written.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
        Some(crc) if crc == computed => Ok(()),
        Some(crc) => Err(format!("CRC {crc:04X}, computed {computed:04X}")),
        None => Err("no CRC of four digits behind !".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First and last line and kind of each piece.
    fn check(text: &str, want: &str) {
        let pieces = Pieces::of(text.as_bytes()).map(|piece| {
            let kind = match piece.outcome {
                Outcome::Whole { crc } => format!("whole {}", String::from_utf8_lossy(crc)),
                Outcome::Broken(..) => "broken".to_owned(),
                Outcome::Outside => "outside".to_owned(),
            };
            format!("{}-{} {kind} {}", piece.line, piece.last_line, piece.text.len())
        });
        assert_eq!(pieces.collect::<Vec<_>>().join("; "), want, "{text:?}");
    }

    #[test]
    fn pieces() {
        check("", "");
        check("\r\n\r\n", "");
        check("/a\r\nb\r\n!1234\r\n", "1-3 whole 1234 8");
        check("/a\nb\n!1234", "1-3 whole 1234 6");
        check("/a\nb\n!\n/c\n!\n", "1-3 whole  6; 4-5 whole  4");
        check("/a\nb\n/c\n!\n", "1-2 broken 5; 3-4 whole  4");
        check("/a\nb", "1-2 broken 4");
        check("\nx\n\ny\n\n/a\n!", "2-4 outside 4; 6-7 whole  4");
        check("x/a\n!", "1-2 outside 5");
        check(&format!("/{}\n!\n", "a".repeat(TELEGRAM_SIZE_MAX)), "1-1 broken 16386; 2-2 outside 1");
    }

    #[test]
    fn line_counts() {
        for (text, want) in [("", 0), ("a", 1), ("a\n", 1), ("a\n\nb", 3)] {
            assert_eq!(line_count(text.as_bytes()), want, "{text:?}");
        }
    }

    /// The check value of the catalogue of CRCs for `123456789`.
    #[test]
    fn crcs() {
        assert_eq!(check_crc(b"123456789", b"BB3D"), Ok(()));
        assert_eq!(check_crc(b"123456789", b"bb3d"), Ok(()));
        assert!(check_crc(b"123456788", b"BB3D").is_err());
        for digits in ["BB3", "0BB3D", "+B3D", ""] {
            assert!(check_crc(b"123456789", digits.as_bytes()).is_err(), "{digits:?}");
        }
    }
}
