//! EDIFACT syntax (ISO 9735): the signs that separate, and segments.
//!
//! ```text
//!   UNA:+.? '      component, element, decimal, release, reserved, end of segment
//!   QTY+220:36.300'
//!   │   └ element 1: components "220" and "36.300"
//!   └ element 0: the tag
//! ```
//!
//! Line breaks between and inside segments are passed over, as senders wrap lines at whatever width.

use std::borrow::Cow;

use crate::refusal::FileRefusal;
use crate::xml::line_breaks;

/// The longest segment taken, in bytes.
pub(super) const SEGMENT_SIZE_MAX: usize = 4 << 10;

/// Which sign means what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    component: u8,
    element: u8,
    pub(super) decimal: u8,
    /// Takes the meaning from the sign that follows; `None` where the file has no such sign.
    release: Option<u8>,
    end: u8,
}

impl Signs {
    const CUSTOMARY: Self =
        Self { component: b':', element: b'+', decimal: b'.', release: Some(b'?'), end: b'\'' };

    fn of_una(text: &[u8]) -> Option<Self> {
        let [component, element, decimal, release, _, end] = *text.first_chunk()?;
        let is_sign = |sign: u8| sign.is_ascii_punctuation();
        let signs =
            Self { component, element, decimal, release: Some(release).filter(|&sign| sign != b' '), end };
        let separators = [Some(component), Some(element), signs.release, Some(end)];
        let is_distinct = (1..separators.len())
            .all(|at| !separators[..at].contains(&separators[at]) || separators[at].is_none());
        let are_signs = separators.into_iter().flatten().all(|sign| is_sign(sign) || sign == b'\n')
            && matches!(decimal, b'.' | b',');
        (is_distinct && are_signs && component != b'\n' && element != b'\n').then_some(signs)
    }
}

/// The segments of a file, in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segments<'a> {
    signs: Signs,
    rest: &'a [u8],
    line: u64,
    number: u64,
}

/// One segment, without the sign at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) signs: Signs,
    pub(super) raw: &'a [u8],
    /// Where it begins.
    pub(super) line: u64,
    /// Which of the file's it is, counted from 1.
    pub(super) number: u64,
}

impl<'a> Segments<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, FileRefusal> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let (signs, rest) = match text.strip_prefix(b"UNA") {
            None => (Signs::CUSTOMARY, text),
            Some(rest) => match Signs::of_una(rest) {
                Some(signs) => (signs, &rest[6..]),
                None => {
                    let what = "UNA does not name six signs, all different".to_owned();
                    return Err(FileRefusal::Header { line: 1, what });
                }
            },
        };
        Ok(Self { signs, rest, line: 1, number: 0 })
    }

    /// Where the next sign that ends a segment stands.
    fn end(&self) -> Option<usize> {
        let mut from = 0;
        loop {
            let at = from
                + match self.signs.release {
                    Some(release) => memchr::memchr2(self.signs.end, release, &self.rest[from..])?,
                    None => memchr::memchr(self.signs.end, &self.rest[from..])?,
                };
            if self.rest[at] == self.signs.end {
                return Some(at);
            }
            from = at + 2;
            if from > self.rest.len() {
                return None;
            }
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, FileRefusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let blank = self.rest.iter().take_while(|&&byte| matches!(byte, b'\r' | b'\n' | b' ')).count();
        self.line += line_breaks(&self.rest[..blank]);
        self.rest = &self.rest[blank..];
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let Some(end) = self.end() else {
            self.rest = &[];
            let what = "a segment without its end".to_owned();
            return Some(Err(FileRefusal::Truncated { line, what }));
        };
        let raw = &self.rest[..end];
        self.line += line_breaks(&self.rest[..=end]);
        self.rest = &self.rest[end + 1..];
        self.number += 1;
        Some(Ok(Segment { signs: self.signs, raw, line, number: self.number }))
    }
}

impl<'a> Segment<'a> {
    pub(super) fn is_too_long(&self) -> bool {
        self.raw.len() > SEGMENT_SIZE_MAX
    }

    pub(super) fn tag(&self) -> Cow<'a, [u8]> {
        // Most begin with a tag of three letters.
        match self.raw.split_at_checked(3) {
            Some((tag, [next, ..])) if *next == self.signs.element && tag.is_ascii() => {
                self.plain(tag).map_or_else(|| self.component(0, 0), Cow::Borrowed)
            }
            _ => self.component(0, 0),
        }
    }

    fn plain(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let is_plain = text.iter().all(u8::is_ascii_alphanumeric);
        is_plain.then_some(text)
    }

    /// A component of an element, both counted from 0, its releases undone; empty if it is not there.
    pub(super) fn component(&self, element: usize, component: usize) -> Cow<'a, [u8]> {
        let raw = &self.raw[..self.raw.len().min(SEGMENT_SIZE_MAX)];
        let (mut elements, mut components) = (0, 0);
        let mut start = 0;
        let mut at = 0;
        while at < raw.len() {
            let byte = raw[at];
            if Some(byte) == self.signs.release {
                at += 2;
                continue;
            }
            if byte == self.signs.element || byte == self.signs.component {
                if (elements, components) == (element, component) {
                    return self.undone(&raw[start..at]);
                }
                start = at + 1;
                if byte == self.signs.element {
                    if elements == element {
                        return Cow::Borrowed(&[]);
                    }
                    (elements, components) = (elements + 1, 0);
                } else {
                    components += 1;
                }
            }
            at += 1;
        }
        if (elements, components) == (element, component) {
            self.undone(&raw[start..])
        } else {
            Cow::Borrowed(&[])
        }
    }

    fn undone(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let is_odd = |byte: u8| Some(byte) == self.signs.release || matches!(byte, b'\r' | b'\n');
        if !text.iter().any(|&byte| is_odd(byte)) {
            return Cow::Borrowed(text);
        }
        let mut whole = Vec::with_capacity(text.len());
        let mut bytes = text.iter().copied();
        while let Some(byte) = bytes.next() {
            if Some(byte) == self.signs.release {
                whole.extend(bytes.next());
            } else if !matches!(byte, b'\r' | b'\n') {
                whole.push(byte);
            }
        }
        Cow::Owned(whole)
    }

    /// Of a UNH: whether its message is ours.
    pub(super) fn is_mscons(&self) -> bool {
        &*self.component(2, 0) == b"MSCONS"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Components as `a|b;c` by elements, of each segment.
    fn check(text: &str, want: &[&str]) {
        let got: Vec<String> = Segments::of(text.as_bytes())
            .unwrap()
            .map(|segment| {
                let segment = segment.unwrap();
                let part = |element, component| {
                    String::from_utf8(segment.component(element, component).into_owned()).unwrap()
                };
                format!(
                    "{}:{} {};{}|{};{}",
                    segment.line,
                    part(0, 0),
                    part(1, 0),
                    part(1, 1),
                    part(1, 2),
                    part(2, 0)
                )
            })
            .collect();
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn segments() {
        check("QTY+220:36.300'\r\nUNT+1+x'", &["1:QTY 220;36.300|;", "2:UNT 1;|;x"]);
        check("PIA+5+1-1?:1.29.0'A'", &["1:PIA 5;|;1-1:1.29.0", "1:A ;|;"]);
        check("A+b?'c??:d?+e'", &["1:A b'c?;d+e|;"]);
        check("UNA;*,! |A*b;c!|d|", &["1:A b;c|d|;"]);
        check("UNA:+.  'A+b?'", &["1:A b?;|;"]);
        check("A+b\r\nc:d'", &["1:A bc;d|;"]);
        for bad in ["UNA", "UNA:+.? ", "UNA::.? '", "UNA:+.+ '", "UNAa+.? '", "UNA:+;? '"] {
            assert!(Segments::of(bad.as_bytes()).is_err(), "{bad}");
        }
        for cut in ["A+b", "A+b?'", "A+b?"] {
            let last = Segments::of(cut.as_bytes()).unwrap().last().unwrap();
            assert!(matches!(last, Err(FileRefusal::Truncated { .. })), "{cut}");
        }
    }
}
