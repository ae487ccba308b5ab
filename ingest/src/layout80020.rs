//! Layouts 80020 and 80040: half-hours and hours of measuring points, in XML, of the Russian market.
//!
//! ```text
//!   message class="80020"
//!     datetime ─ day                                  YYYYMMDD
//!     area …                                          one or more
//!       measuringpoint code                           also accountpoint, deliverypoint
//!         measuringchannel code                       01 import, 02 export, 03 and 04 reactive
//!           period start end [summer]                 HHMM, wall clock
//!             value [status]                          kWh or kvarh; 0 commercial, 1 not
//! ```
//!
//! The file is read whole, and only then handed over: a message that breaks off gives nothing. Document types
//! and entities are refused before parsing. Groups of points and flows between areas are counted, not read.

mod message;
mod place;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use tallywatt_core::calendar::Zone;

use self::message::{Attributes, Message};
use crate::profile::Layout80020Profile;
use crate::refusal::{FileRefusal, shown};
use crate::tally::Tally;

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

/// Decodes a whole file.
pub(crate) fn decode(
    profile: &Layout80020Profile,
    zone: &Zone,
    bytes: &[u8],
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let text = text_of(bytes)?;
    refuse_document_types(&text)?;
    let message = parse(&text, profile)?;
    tally.summary.line_count = 1 + line_breaks(text.as_bytes());
    tally.summary.ignored_count = message.ignored_count;
    place::hand_over(message, zone, tally)
}

/// The file as text, by its byte-order mark and XML declaration.
fn text_of(bytes: &[u8]) -> Result<String, FileRefusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match declared_encoding(bytes).as_deref() {
        None | Some("utf-8" | "utf8") => std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
            let line = 1 + line_breaks(&bytes[..error.valid_up_to()]);
            FileRefusal::NotText { line, encoding: "utf-8" }
        }),
        Some("windows-1251" | "cp1251") => {
            Ok(encoding_rs::WINDOWS_1251.decode_without_bom_handling(bytes).0.into_owned())
        }
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

fn line_breaks(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(u64::MAX)
}

/// Refuses `<!DOCTYPE` and `<!ENTITY` wherever they stand: no sender of this layout needs them.
fn refuse_document_types(text: &str) -> Result<(), FileRefusal> {
    let bytes = text.as_bytes();
    let starts = |at: usize, word: &[u8]| {
        bytes.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    };
    for (at, _) in text.match_indices("<!") {
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

fn xml(line: u64, what: impl Into<String>) -> FileRefusal {
    FileRefusal::Xml { line, what: what.into() }
}

/// Reads the elements into a message; every limit of XML is held here.
fn parse(text: &str, profile: &Layout80020Profile) -> Result<Message, FileRefusal> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut place = Place { text, at: 0, line: 1 };
    let mut message = Message::new(profile.scale);
    loop {
        let event = reader.read_event();
        let line = place.advance(reader.buffer_position());
        match event.map_err(|error| xml(line, shown(&error.to_string())))? {
            Event::Start(element) => open(&mut message, &element, line)?,
            Event::Empty(element) => {
                open(&mut message, &element, line)?;
                message.close(line)?;
            }
            Event::End(_) => message.close(line)?,
            Event::Text(content) => add_text(&mut message, &content, line)?,
            Event::CData(content) => add_text(&mut message, &content, line)?,
            Event::GeneralRef(reference) => {
                let of_number = reference.resolve_char_ref().map_err(|error| xml(line, error.to_string()))?;
                match (of_number, resolve_xml_entity(&reference)) {
                    (Some(character), _) => add_text(&mut message, character.encode_utf8(&mut [0; 4]), line)?,
                    (None, Some(content)) => add_text(&mut message, content, line)?,
                    (None, None) => return Err(xml(line, "an entity that XML does not define")),
                }
            }
            Event::DocType(_) => return Err(xml(line, "document types and entities are never taken")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => (),
            Event::Eof if message.depth() > 0 => {
                return Err(FileRefusal::Truncated { line, what: "elements are still open".to_owned() });
            }
            Event::Eof => return message.finished(line),
        }
    }
}

fn open(message: &mut Message, element: &BytesStart<'_>, line: u64) -> Result<(), FileRefusal> {
    if message.depth() >= DEPTH_MAX || element.name().0.len() > NAME_SIZE_MAX {
        return Err(xml(line, "elements nested deeper than 32, or a name past 256 bytes"));
    }
    let attributes = attributes_of(element, line)?;
    message.open(element.name().0, attributes, line)
}

fn add_text(message: &mut Message, content: &str, line: u64) -> Result<(), FileRefusal> {
    if message.depth() == 0 && !content.trim().is_empty() {
        return Err(xml(line, "text outside the message"));
    }
    if message.add_text(content) > TEXT_SIZE_MAX || content.len() > TEXT_SIZE_MAX {
        return Err(FileRefusal::TooLarge { what: "text of an element in bytes", limit: 64 << 10 });
    }
    Ok(())
}

/// Checks every attribute and keeps those that this layout reads.
fn attributes_of(element: &BytesStart<'_>, line: u64) -> Result<Attributes, FileRefusal> {
    let mut kept = Attributes::default();
    for (count, attribute) in element.attributes().enumerate() {
        let attribute = attribute.map_err(|error| xml(line, shown(&error.to_string())))?;
        let (name, size) = (attribute.key.0, attribute.value.len());
        if count >= ATTRIBUTE_COUNT_MAX || name.len() > NAME_SIZE_MAX || size > TEXT_SIZE_MAX {
            return Err(xml(line, "more than 64 attributes, or one that is too long"));
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|error| xml(line, shown(&error.to_string())))?;
        kept.keep(name, value.trim());
    }
    Ok(kept)
}
