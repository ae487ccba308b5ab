//! XML from outside: text in a declared encoding, elements in order, and every limit there is on them.
//!
//! Document types and entities are refused before parsing: no sender of meter data needs them. Comments and processing
//! instructions are passed over.

use std::borrow::Cow;
use std::io::BufRead;

use memchr::memmem;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use crate::refusal::{FileRefusal, shown};

/// The deepest nesting taken.
const DEPTH_MAX: usize = 32;
/// The most attributes of one element.
const ATTRIBUTE_COUNT_MAX: usize = 64;
/// The longest element or attribute name, in bytes.
const NAME_SIZE_MAX: usize = 256;
/// The longest text of one element or attribute, in bytes.
const TEXT_SIZE_MAX: usize = 64 << 10;
/// Where an XML declaration must have ended.
const DECLARATION_SIZE_MAX: usize = 256;

/// What elements are read into.
pub(crate) trait Elements {
    /// An attribute of the element that is opened next.
    fn attribute(&mut self, name: &str, value: &str);

    /// An element begins; its name as written, with its prefix.
    fn open(&mut self, name: &str, line: u64) -> Result<(), FileRefusal>;

    /// Text of the innermost open element; it may come in parts. Says how long the element's text is by now, in bytes.
    fn add_text(&mut self, text: &str) -> usize;

    /// The innermost element ends.
    fn close(&mut self, line: u64) -> Result<(), FileRefusal>;

    /// Asked after each beginning and end of an element, with the file and the place behind it: what comes next that the
    /// elements take by a way of their own. It must be what the reader would have given: whole elements, and text around them.
    fn skip(&mut self, _text: &str, _at: usize, _line: u64) -> Skipped {
        Skipped::default()
    }
}

/// What was taken past the reader.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Bytes.
    pub(crate) size: usize,
    /// Line breaks in them.
    pub(crate) line_count: u64,
}

/// Reads all elements, and says the last line's number.
pub(crate) fn parse(text: &str, elements: &mut dyn Elements) -> Result<u64, FileRefusal> {
    refuse_document_types(text)?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut place = Place { text, at: 0, line: 1 };
    let mut depth = 0;
    loop {
        let event = reader.read_event();
        let line = place.advance(reader.buffer_position());
        match event.map_err(|error| refused(line, shown(&error.to_string())))? {
            Event::Start(element) => {
                open(elements, &element, depth, line)?;
                depth += 1;
                skip(elements, &mut reader, &mut place);
            }
            Event::Empty(element) => {
                open(elements, &element, depth, line)?;
                elements.close(line)?;
                skip(elements, &mut reader, &mut place);
            }
            Event::End(_) => {
                elements.close(line)?;
                // The reader matches ends with starts.
                depth -= 1;
                if depth > 0 {
                    skip(elements, &mut reader, &mut place);
                }
            }
            Event::Text(content) => add_text(elements, &content, depth, line)?,
            Event::CData(content) => add_text(elements, &content, depth, line)?,
            Event::GeneralRef(reference) => {
                let of_number =
                    reference.resolve_char_ref().map_err(|error| refused(line, error.to_string()))?;
                match (of_number, resolve_xml_entity(&reference)) {
                    (Some(character), _) => {
                        add_text(elements, character.encode_utf8(&mut [0; 4]), depth, line)?;
                    }
                    (None, Some(content)) => add_text(elements, content, depth, line)?,
                    (None, None) => return Err(refused(line, "an entity that XML does not define")),
                }
            }
            Event::DocType(_) => return Err(refused(line, "document types and entities are never taken")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => (),
            Event::Eof if depth > 0 => {
                return Err(FileRefusal::Truncated { line, what: "elements are still open".to_owned() });
            }
            Event::Eof => return Ok(place.advance(u64::MAX)),
        }
    }
}

fn skip(elements: &mut dyn Elements, reader: &mut Reader<&[u8]>, place: &mut Place<'_>) {
    let skipped = elements.skip(place.text, place.at, place.line);
    if skipped.size > 0 {
        reader.stream().consume(skipped.size);
        place.at += skipped.size;
        place.line += skipped.line_count;
    }
}

fn open(
    elements: &mut dyn Elements,
    element: &BytesStart<'_>,
    depth: usize,
    line: u64,
) -> Result<(), FileRefusal> {
    let name = element.name().0;
    if depth >= DEPTH_MAX || name.len() > NAME_SIZE_MAX {
        return Err(refused(line, "elements nested deeper than 32, or a name past 256 bytes"));
    }
    for (count, attribute) in element.attributes().enumerate() {
        let attribute = attribute.map_err(|error| refused(line, shown(&error.to_string())))?;
        let (name, size) = (attribute.key.0, attribute.value.len());
        if count >= ATTRIBUTE_COUNT_MAX || name.len() > NAME_SIZE_MAX || size > TEXT_SIZE_MAX {
            return Err(refused(line, "more than 64 attributes, or one that is too long"));
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|error| refused(line, shown(&error.to_string())))?;
        elements.attribute(name, &value);
    }
    elements.open(name, line)
}

fn add_text(elements: &mut dyn Elements, text: &str, depth: usize, line: u64) -> Result<(), FileRefusal> {
    if depth == 0 {
        return match text.trim() {
            "" => Ok(()),
            _ => Err(refused(line, "text outside the root element")),
        };
    }
    if elements.add_text(text) > TEXT_SIZE_MAX || text.len() > TEXT_SIZE_MAX {
        return Err(FileRefusal::TooLarge { what: "text of an element in bytes", limit: 64 << 10 });
    }
    Ok(())
}

/// The file as text, by its byte-order mark and XML declaration.
pub(crate) fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, FileRefusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match declared_encoding(bytes).as_deref() {
        None | Some("utf-8" | "utf8") => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
            let line = 1 + line_breaks(&bytes[..error.valid_up_to()]);
            FileRefusal::NotText { line, encoding: "utf-8" }
        }),
        Some("windows-1251" | "cp1251") => Ok(encoding_rs::WINDOWS_1251.decode_without_bom_handling(bytes).0),
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
    u64::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(u64::MAX)
}

/// Refuses `<!DOCTYPE` and `<!ENTITY` wherever they stand.
fn refuse_document_types(text: &str) -> Result<(), FileRefusal> {
    let bytes = text.as_bytes();
    let starts = |at: usize, word: &[u8]| {
        bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    };
    for at in memmem::find_iter(bytes, b"<!") {
        if starts(at + 2, b"DOCTYPE") || starts(at + 2, b"ENTITY") {
            let what = "document types and entities are never taken".to_owned();
            return Err(FileRefusal::Xml { line: 1 + line_breaks(&bytes[..at]), what });
        }
    }
    Ok(())
}

/// Lines of places in the text, asked for in order.
struct Place<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Place<'_> {
    fn advance(&mut self, position: u64) -> u64 {
        let to = usize::try_from(position).unwrap_or(usize::MAX).clamp(self.at, self.text.len());
        self.line += line_breaks(&self.text.as_bytes()[self.at..to]);
        self.at = to;
        self.line
    }
}

pub(crate) fn refused(line: u64, what: impl Into<String>) -> FileRefusal {
    FileRefusal::Xml { line, what: what.into() }
}
