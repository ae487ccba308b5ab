//! The shape of a reading: everything but its numbers and comments, so that the next one like it need not be parsed.
//!
//! ```text
//!   <IntervalReading>↵ <cost>974</cost>↵ <timePeriod>… <start>1330578000</start><!-- 5:00 -->↵ … <value>282</value>…
//!   └───── literal ───────┘ · └──────── literal ─────────┘··········└ literal ┘ ····· └──── literal ────┘ · └ …
//! ```
//!
//! It is learnt from a reading that the reader has found well-formed and regular. What it takes differs from that one in
//! runs of digits and in comments of one line only, so the reader would have found it well-formed too, with those numbers.

use super::resource::{DIGIT_COUNT_MAX, IntervalReading};
use crate::digits;
use crate::xml::line_breaks;

/// The longest reading that a shape is learnt from, in bytes.
const SHAPE_SIZE_MAX: usize = 4 << 10;
/// The most slots of one.
const SLOT_COUNT_MAX: usize = 32;

/// What follows a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Start,
    Duration,
    Value,
    Quality,
    /// A number that nobody asks for.
    Cost,
    Comment,
    End,
}

/// What readings of one kind have in common.
#[derive(Debug)]
pub(super) struct Shape {
    literals: Vec<u8>,
    /// Where each literal ends in them, and what comes then.
    parts: Vec<(usize, Slot)>,
    line_count: u64,
    cost_count: u64,
    has_quality: bool,
}

/// A reading of the shape.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) reading: IntervalReading,
    pub(super) size: usize,
    pub(super) line_count: u64,
}

impl Shape {
    /// From a reading, its tags included; `None` if it has parts that a shape cannot foretell.
    pub(super) fn learn(text: &str) -> Option<Self> {
        if text.len() > SHAPE_SIZE_MAX {
            return None;
        }
        let mut learning = Learning::default();
        let mut rest = text;
        while !rest.is_empty() {
            rest = learning.step(rest)?;
            if learning.parts.len() > SLOT_COUNT_MAX {
                return None;
            }
        }
        learning.end(Slot::End);
        let has = |wanted: Slot| learning.parts.iter().filter(|(_, slot)| *slot == wanted).count();
        let is_regular = has(Slot::Start) == 1 && has(Slot::Duration) == 1 && has(Slot::Value) == 1;
        let (has_quality, twice) = (has(Slot::Quality) == 1, has(Slot::Quality) > 1);
        (is_regular && !twice && learning.open.is_empty()).then_some(Self {
            line_count: line_breaks(&learning.literals),
            literals: learning.literals,
            parts: learning.parts,
            cost_count: learning.cost_count,
            has_quality,
        })
    }

    pub(super) fn cost_count(&self) -> u64 {
        self.cost_count
    }

    /// The reading at `at`, behind white space, if it is of this shape.
    pub(super) fn read(&self, bytes: &[u8], at: usize, line: u64) -> Option<Taken> {
        let first = at;
        let (mut at, mut gap_line_count) = (at, 0);
        loop {
            match bytes.get(at)? {
                b'\n' => gap_line_count += 1,
                b' ' | b'\t' | b'\r' => (),
                _ => break,
            }
            at += 1;
        }
        let (mut start, mut duration, mut value, mut quality, mut cost) = (0, 0, 0, 0, 0);
        let mut from = 0;
        for &(end, slot) in &self.parts {
            let literal = &self.literals[from..end];
            if bytes.get(at..at + literal.len())? != literal {
                return None;
            }
            at += literal.len();
            from = end;
            let number = match slot {
                Slot::End => break,
                Slot::Comment => {
                    at = comment_end(bytes, at)?;
                    continue;
                }
                Slot::Start => &mut start,
                Slot::Duration => &mut duration,
                Slot::Value => &mut value,
                Slot::Quality => &mut quality,
                Slot::Cost => &mut cost,
            };
            (*number, at) = digits::whole_at(bytes, at)?;
        }
        let quality = self.has_quality.then_some(quality);
        let reading = IntervalReading::regular(line + gap_line_count, start, duration, value, quality)?;
        Some(Taken { reading, size: at - first, line_count: gap_line_count + self.line_count })
    }
}

/// Where the comment's text ends, if it is of one line and holds no two dashes.
fn comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let text = bytes.get(at..)?;
    if matches!(text.first(), Some(b'-' | b'>')) {
        return None;
    }
    let mut from = 0;
    loop {
        let dash = from + memchr::memchr2(b'-', b'\n', &text[from..])?;
        match text.get(dash..dash + 3)? {
            b"-->" => return Some(at + dash),
            [b'-', next, _] if *next != b'-' => from = dash + 1,
            _ => return None,
        }
    }
}

/// A shape so far.
#[derive(Debug, Default)]
struct Learning {
    literals: Vec<u8>,
    parts: Vec<(usize, Slot)>,
    cost_count: u64,
    /// Open elements, without prefixes.
    open: Vec<String>,
}

impl Learning {
    /// Takes a tag, a comment or a text; gives what is left.
    fn step<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(comment) = text.strip_prefix("<!--") {
            self.literal("<!--");
            let end = comment_end(comment.as_bytes(), 0)?;
            self.end(Slot::Comment);
            self.literal("-->");
            return comment.get(end + 3..);
        }
        if !text.starts_with('<') {
            let (content, rest) = text.split_at(text.find('<')?);
            self.text(content)?;
            return Some(rest);
        }
        let (tag, rest) = text.split_at(text.find('>')? + 1);
        self.tag(&tag[1..tag.len() - 1])?;
        self.literal(tag);
        // Nothing follows the reading's own end.
        (!self.open.is_empty() || rest.is_empty()).then_some(rest)
    }

    fn tag(&mut self, inside: &str) -> Option<()> {
        if inside.starts_with('/') {
            return self.open.pop().map(|_| ());
        }
        let name = inside.strip_suffix('/').unwrap_or(inside).trim_ascii_end();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.');
        if name.is_empty() || !name.bytes().all(is_plain) {
            return None;
        }
        let name = name.rsplit_once(':').map_or(name, |(_, local)| local);
        self.cost_count += u64::from(self.open.len() == 1 && name == "cost");
        if !inside.ends_with('/') {
            self.open.push(name.to_owned());
        }
        Some(())
    }

    fn text(&mut self, content: &str) -> Option<()> {
        let number = content.trim_matches([' ', '\t', '\r', '\n']);
        let path: Vec<&str> = self.open.iter().map(String::as_str).collect();
        let slot = match path.as_slice() {
            _ if number.is_empty() => None,
            ["IntervalReading", "value"] => Some(Slot::Value),
            ["IntervalReading", "cost"] => Some(Slot::Cost),
            ["IntervalReading", "timePeriod", "start"] => Some(Slot::Start),
            ["IntervalReading", "timePeriod", "duration"] => Some(Slot::Duration),
            ["IntervalReading", "ReadingQuality", "quality"] => Some(Slot::Quality),
            // Text right inside the reading: nothing that a sound feed has.
            ["IntervalReading"] => return None,
            _ => None,
        };
        let is_plain =
            (1..=DIGIT_COUNT_MAX).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        match slot {
            Some(slot) if is_plain => {
                let (before, after) = content.split_once(number)?;
                self.literal(before);
                self.end(slot);
                self.literal(after);
            }
            // A cost is of no use, whatever it says.
            Some(Slot::Cost) | None => self.literal(content),
            Some(_) => return None,
        }
        Some(())
    }

    fn literal(&mut self, text: &str) {
        self.literals.extend_from_slice(text.as_bytes());
    }

    fn end(&mut self, slot: Slot) {
        self.parts.push((self.literals.len(), slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: &str = "<e:IntervalReading>\n<e:cost>9</e:cost><e:timePeriod><e:duration>900</e:duration>\
        <e:start> 1330578000<!-- 5 --> </e:start></e:timePeriod><e:value>282</e:value>\n</e:IntervalReading>";

    /// What `text` is by the shape of [`READING`].
    fn check(text: &str, want: Option<(i64, u32, &str)>) {
        let text = format!("\n  {text}<x>         ");
        let taken = Shape::learn(READING).unwrap().read(text.as_bytes(), 0, 7);
        let got = taken.map(|taken| {
            assert_eq!(text[taken.size..].trim_end(), "<x>", "{text}");
            assert_eq!((taken.reading.line, taken.line_count), (8, 3), "{text}");
            let reading = taken.reading;
            (reading.start().unwrap(), reading.duration_s().unwrap(), reading.value().told())
        });
        assert_eq!(got, want.map(|(start, seconds, value)| (start, seconds, value.to_owned())), "{text}");
    }

    #[test]
    fn what_is_of_a_shape() {
        check(READING, Some((1_330_578_000, 900, "282")));
        check(
            &READING.replace("9</", "1234</").replace(" 5 ", " 12-3 ").replace("282", "0"),
            Some((1_330_578_000, 900, "0")),
        );
        let table = [
            (" 5 ", " 5--6 "),
            (" 5 ", ">"),
            (" 5 ", "\n"),
            (" 5 ", "->"),
            ("282", "-282"),
            ("282", "2.5"),
            ("282", ""),
            ("282", "12345678901234567"),
            ("1330578000", "9330578000"),
            ("900", "99999999999"),
            ("<e:value>", "<value>"),
            ("\n<e:cost>", " <e:cost>"),
        ];
        for (from, to) in table {
            check(&READING.replace(from, to), None);
        }
    }

    #[test]
    fn what_gives_no_shape() {
        let table = [
            ("282", "-282"),
            ("282", "<![CDATA[282]]>"),
            ("282", "&#50;"),
            ("<e:IntervalReading>", "<e:IntervalReading a='1'>"),
            ("<e:value>282</e:value>", ""),
            ("<e:value>", "<e:value>1</e:value><e:value>"),
            ("<e:cost>", "text<e:cost>"),
            (" 5 ", "\n5 "),
        ];
        for (from, to) in table {
            assert!(Shape::learn(&READING.replace(from, to)).is_none(), "{to}");
        }
    }
}
