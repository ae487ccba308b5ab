//! A file's bytes as the reader takes them: UTF-8 as it stands, windows-1251 turned into it letter by letter.
//!
//! ```text
//!   <measuringchannel desc="│акт│. │прием│"><period …><value>5</value></period>
//!   ASCII, lent as it stands │ turned │         what is passed over is never turned
//! ```
//!
//! Both encodings write ASCII as ASCII, so places, line breaks and markup are those of the file's own bytes.

use std::io::{self, BufRead, Read};

use crate::refusal::FileRefusal;

/// Where an XML declaration must have ended.
const DECLARATION_SIZE_MAX: usize = 256;
/// How far the end of ASCII is looked for at a time, in bytes.
const ASCII_SIZE_MAX: usize = 64;
/// The most letters turned at a time.
const LETTER_COUNT_MAX: usize = 64;

/// An encoding that is read, and written in replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8: also where nothing is declared.
    #[default]
    Utf8,
    /// windows-1251, a byte a letter.
    Windows1251,
}

/// A file whose encoding is known and whose bytes are text in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct XmlText<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) encoding: Encoding,
}

/// The file as text, by its byte-order mark and XML declaration.
pub(crate) fn text_of(bytes: &[u8]) -> Result<XmlText<'_>, FileRefusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match declared_encoding(bytes).as_deref() {
        None | Some("utf-8" | "utf8") => match std::str::from_utf8(bytes) {
            Ok(_) => Ok(XmlText { bytes, encoding: Encoding::Utf8 }),
            Err(error) => {
                let line = 1 + line_breaks(&bytes[..error.valid_up_to()]);
                Err(FileRefusal::NotText { line, encoding: "utf-8" })
            }
        },
        Some("windows-1251" | "cp1251") => Ok(XmlText { bytes, encoding: Encoding::Windows1251 }),
        Some(_) => Err(FileRefusal::NotText { line: 1, encoding: "utf-8 or windows-1251" }),
    }
}

/// The encoding of the XML declaration in small letters, if there is one.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(DECLARATION_SIZE_MAX)];
    let head = String::from_utf8_lossy(head);
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (name, _) = rest[1..].split_once(quote)?;
    Some(name.to_ascii_lowercase())
}

pub(crate) fn line_breaks(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(u64::MAX)
}

/// Gives a text in UTF-8, a part at a time.
pub(super) struct Cursor<'a> {
    text: XmlText<'a>,
    /// How much of the file's own bytes is given.
    pub(super) at: usize,
    /// Where the ASCII ends that begins at `at`, as far as was looked.
    ascii_end: usize,
    /// Turned letters, given up to `letters_at`.
    letters: Vec<u8>,
    letters_at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: XmlText<'a>) -> Self {
        Self { text, at: 0, ascii_end: 0, letters: Vec::new(), letters_at: 0 }
    }

    /// Goes on behind `size` bytes of the file, which must be whole characters; no turned letter may be left over.
    pub(super) fn pass_over(&mut self, size: usize) {
        assert!(self.letters_at == self.letters.len(), "letters are passed over behind an ASCII byte only");
        self.at += size;
    }
}

impl BufRead for Cursor<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.text.bytes;
        if self.text.encoding == Encoding::Utf8 {
            return Ok(&bytes[self.at..]);
        }
        if self.letters_at < self.letters.len() {
            return Ok(&self.letters[self.letters_at..]);
        }
        if self.at >= self.ascii_end {
            let next = &bytes[self.at..bytes.len().min(self.at + ASCII_SIZE_MAX)];
            let size = if next.is_ascii() { next.len() } else { leading(next, ASCII_SIZE_MAX, u8::is_ascii) };
            self.ascii_end = self.at + size;
        }
        if self.at < self.ascii_end {
            return Ok(&bytes[self.at..self.ascii_end]);
        }
        let count = leading(&bytes[self.at..], LETTER_COUNT_MAX, |byte| !byte.is_ascii());
        let (turned, _) =
            encoding_rs::WINDOWS_1251.decode_without_bom_handling(&bytes[self.at..self.at + count]);
        self.letters.clear();
        self.letters.extend_from_slice(turned.as_bytes());
        self.letters_at = 0;
        self.at += count;
        Ok(&self.letters)
    }

    fn consume(&mut self, size: usize) {
        if self.letters_at < self.letters.len() {
            self.letters_at += size;
        } else {
            self.at += size;
        }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut given = self.fill_buf()?;
        let size = given.read(room)?;
        self.consume(size);
        Ok(size)
    }
}

/// How many of the first bytes are `wanted`, counted up to `limit`.
fn leading(bytes: &[u8], limit: usize, wanted: fn(&u8) -> bool) -> usize {
    bytes.iter().take(limit).take_while(|byte| wanted(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte, turned in parts of every size, is what the whole gives at once.
    #[test]
    fn letters_are_turned_the_same_in_parts() {
        let mut bytes: Vec<u8> = (0..=255).chain((0xc0..0xc7).cycle().take(600)).collect();
        let mixed = |at: u32| at.wrapping_mul(2_654_435_761).to_be_bytes()[0];
        bytes.extend((0..2_000).map(mixed));
        let (want, _) = encoding_rs::WINDOWS_1251.decode_without_bom_handling(&bytes);
        for size in [1, 2, 3, 7, 300] {
            let mut cursor = Cursor::new(XmlText { bytes: &bytes, encoding: Encoding::Windows1251 });
            let mut got = Vec::new();
            loop {
                let part = cursor.fill_buf().unwrap();
                let part = part[..part.len().min(size)].to_vec();
                if part.is_empty() {
                    break;
                }
                cursor.consume(part.len());
                got.extend(part);
            }
            assert_eq!(std::str::from_utf8(&got), Ok(&*want), "parts of {size}");
            assert_eq!(cursor.at, bytes.len());
        }
    }
}
