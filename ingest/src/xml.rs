//! XML from outside: text in a declared encoding, elements in order, and every limit there is on them.
//!
//! Document types and entities are refused before parsing: no sender of meter data needs them. Comments and processing
//! instructions are passed over.

mod text;

use memchr::memmem;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use self::text::Cursor;
pub use self::text::Encoding;
pub(crate) use self::text::{XmlText, line_breaks, text_of};
use crate::refusal::{FileRefusal, shown};

/// The deepest nesting taken.
const DEPTH_MAX: usize = 32;
/// The most attributes of one element.
const ATTRIBUTE_COUNT_MAX: usize = 64;
/// The longest element or attribute name, in bytes.
const NAME_SIZE_MAX: usize = 256;
/// The longest text of one element or attribute, in bytes.
const TEXT_SIZE_MAX: usize = 64 << 10;

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

    /// After an element's start or end: `bytes` is the file, `at` where the reader stands, in this line. What is taken
    /// here the reader never sees: it must be whole, well-formed elements, and end where one ends.
    fn take_ahead(&mut self, _bytes: &[u8], _at: usize, _line: u64) -> Ahead {
        Ahead::default()
    }
}

/// What was taken ahead of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ahead {
    /// Bytes of the file.
    pub(crate) size: usize,
    /// Line breaks in them.
    pub(crate) line_breaks: u64,
}

/// Reads all elements, and says the last line's number.
pub(crate) fn parse(text: &XmlText<'_>, elements: &mut dyn Elements) -> Result<u64, FileRefusal> {
    refuse_document_types(text.bytes)?;
    let mut reader = Reader::from_reader(Cursor::new(*text));
    reader.config_mut().enable_all_checks(true);
    let mut place = Place { bytes: text.bytes, at: 0, line: 1 };
    let mut depth = 0;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer);
        let line = place.advance(reader.get_ref().at);
        match event.map_err(|error| refused(line, shown(&error.to_string())))? {
            Event::Start(element) => {
                open(elements, &element, depth, line)?;
                depth += 1;
                pass_over(&mut reader, &mut place, elements);
            }
            Event::Empty(element) => {
                open(elements, &element, depth, line)?;
                elements.close(line)?;
            }
            Event::End(_) => {
                elements.close(line)?;
                // The reader matches ends with starts.
                depth -= 1;
                pass_over(&mut reader, &mut place, elements);
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
            Event::Eof => return Ok(place.advance(text.bytes.len())),
        }
    }
}

/// Lets the elements take what they know ahead of the reader, which stands behind a `>`.
fn pass_over(reader: &mut Reader<Cursor<'_>>, place: &mut Place<'_>, elements: &mut dyn Elements) {
    let ahead = elements.take_ahead(place.bytes, place.at, place.line);
    if ahead.size > 0 {
        reader.get_mut().pass_over(ahead.size);
        place.at += ahead.size;
        place.line += ahead.line_breaks;
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

/// Refuses `<!DOCTYPE` and `<!ENTITY` wherever they stand.
fn refuse_document_types(bytes: &[u8]) -> Result<(), FileRefusal> {
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

/// Lines of places in the file, asked for in order.
struct Place<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Place<'_> {
    fn advance(&mut self, to: usize) -> u64 {
        self.line += line_breaks(&self.bytes[self.at..to]);
        self.at = to;
        self.line
    }
}

pub(crate) fn refused(line: u64, what: impl Into<String>) -> FileRefusal {
    FileRefusal::Xml { line, what: what.into() }
}
