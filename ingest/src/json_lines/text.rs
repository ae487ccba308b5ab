//! The text of one line of JSON (RFC 8259), read once from left to right; nothing is made of what need not be.

use std::ops::Range;

/// The deepest nesting of a value that is skipped.
pub(super) const DEPTH_MAX: u32 = 32;

/// A line of JSON, and how far it was read.
#[derive(Debug)]
pub(super) struct JsonText<'a> {
    line: &'a [u8],
    at: usize,
    /// Strings whose escapes are resolved, end to end.
    unescaped: Vec<u8>,
}

/// A string, a number, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JsonToken {
    /// As it stands in the line, without quotes.
    Plain(Range<usize>),
    /// A string with escapes, where they are resolved.
    Unescaped(Range<usize>),
    /// `null`.
    Null,
}

impl<'a> JsonText<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0, unescaped: Vec::new() }
    }

    pub(super) fn bytes_of(&self, token: &JsonToken) -> &[u8] {
        match token {
            JsonToken::Plain(range) => &self.line[range.clone()],
            JsonToken::Unescaped(range) => &self.unescaped[range.clone()],
            JsonToken::Null => b"",
        }
    }

    /// Goes past white space to the next byte.
    fn next(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r') = self.line.get(self.at) {
            self.at += 1;
        }
        self.line.get(self.at).copied()
    }

    /// Takes `byte`, if it comes next.
    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let is_there = self.next() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.accept(byte).then_some(())
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.next().is_none()
    }

    /// A string; none has control characters or escapes that mean nothing.
    pub(super) fn string(&mut self) -> Option<JsonToken> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.line.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(JsonToken::Plain(start..self.at - 1));
                }
                b'\\' => return self.string_with_escapes(start),
                0..b' ' => return None,
                _ => self.at += 1,
            }
        }
    }

    /// The string that began at `start` and has its first escape here.
    fn string_with_escapes(&mut self, start: usize) -> Option<JsonToken> {
        let from = self.unescaped.len();
        self.unescaped.extend_from_slice(&self.line[start..self.at]);
        loop {
            let byte = *self.line.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(JsonToken::Unescaped(from..self.unescaped.len())),
                b'\\' => {
                    let character = self.escape()?;
                    self.unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..b' ' => return None,
                _ => self.unescaped.push(byte),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let byte = *self.line.get(self.at)?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut unit = u32::from(self.code_unit()?);
                // The first half of a pair; the other must follow.
                if (0xd800..0xdc00).contains(&unit) {
                    self.at += self.line[self.at..].starts_with(b"\\u").then_some(2)?;
                    let low = u32::from(self.code_unit()?).checked_sub(0xdc00).filter(|&low| low < 0x400)?;
                    unit = 0x1_0000 + ((unit - 0xd800) << 10) + low;
                }
                char::from_u32(unit)?
            }
            _ => return None,
        })
    }

    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.line.get(self.at..self.at + 4)?;
        self.at += 4;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
        u16::from_str_radix(digits, 16).ok()
    }

    /// A number, of which the text is kept.
    fn number(&mut self) -> Option<JsonToken> {
        let start = self.at;
        self.at += usize::from(self.line.get(self.at) == Some(&b'-'));
        let first = self.at;
        let count = self.digits();
        if count == 0 || (count > 1 && self.line[first] == b'0') {
            return None;
        }
        if self.line.get(self.at) == Some(&b'.') {
            self.at += 1;
            (self.digits() > 0).then_some(())?;
        }
        if let Some(b'e' | b'E') = self.line.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.line.get(self.at), Some(b'+' | b'-')));
            (self.digits() > 0).then_some(())?;
        }
        Some(JsonToken::Plain(start..self.at))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.line.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.at += self.line[self.at..].starts_with(word).then_some(word.len())?;
        Some(())
    }

    /// A string, a number or `null`.
    pub(super) fn scalar(&mut self) -> Option<JsonToken> {
        match self.next()? {
            b'"' => self.string(),
            b'n' => self.word(b"null").map(|()| JsonToken::Null),
            _ => self.number(),
        }
    }

    /// Goes past any value that is not nested deeper than [`DEPTH_MAX`].
    pub(super) fn skip_value(&mut self) -> Option<()> {
        self.skip_at(DEPTH_MAX)
    }

    fn skip_at(&mut self, depth: u32) -> Option<()> {
        let (open, close) = match self.next()? {
            b'{' => (b'{', b'}'),
            b'[' => (b'[', b']'),
            b't' => return self.word(b"true"),
            b'f' => return self.word(b"false"),
            _ => return self.scalar().map(|_| ()),
        };
        let depth = depth.checked_sub(1)?;
        self.expect(open)?;
        if self.accept(close) {
            return Some(());
        }
        loop {
            if open == b'{' {
                self.string()?;
                self.expect(b':')?;
            }
            self.skip_at(depth)?;
            if self.accept(close) {
                return Some(());
            }
            self.expect(b',')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether a whole text is one value, and what it is if it is a scalar.
    fn read(text: &str) -> Option<Option<String>> {
        let mut json = JsonText::new(text.as_bytes());
        let scalar = json.scalar().filter(|_| json.is_at_end());
        let scalar = scalar.map(|token| String::from_utf8_lossy(json.bytes_of(&token)).into_owned());
        let mut json = JsonText::new(text.as_bytes());
        (json.skip_value().is_some() && json.is_at_end()).then_some(scalar)
    }

    #[test]
    fn values() {
        let told = |text: &str| Some(Some(text.to_owned()));
        let table: &[(&str, Option<Option<String>>)] = &[
            ("12", told("12")),
            (" -0.50e+7 ", told("-0.50e+7")),
            ("100000000000000000000000.000000000001", told("100000000000000000000000.000000000001")),
            (r#""a\"\\\/\b\n\u0041\ud83d\ude00""#, told("a\"\\/\u{8}\nA\u{1f600}")),
            ("null", told("")),
            ("true", Some(None)),
            (r#"{"a":[1,{"b":null}],"c":""}"#, Some(None)),
            ("[]", Some(None)),
            ("01", None),
            ("1.", None),
            (".5", None),
            ("+1", None),
            ("1e", None),
            ("NaN", None),
            ("\"a", None),
            ("\"\t\"", None),
            (r#""\x""#, None),
            (r#""\ud83d""#, None),
            (r#""\udc00""#, None),
            (r#""\u00g0""#, None),
            ("[1,]", None),
            ("{\"a\"}", None),
            ("{a:1}", None),
            ("nul", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(read(text), *want, "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let most = usize::try_from(DEPTH_MAX).unwrap();
        assert!(read(&nested(most)).is_some());
        assert!(read(&nested(most + 1)).is_none() && read(&nested(60_000)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// What another reader takes for a value, this one does; strings mean the same.
        #[test]
        fn values_are_those_of_another_reader(text in r#"[\[\]{}":,\\untrue0-9.eE+ -]{0,16}"#) {
            let want = serde_json::from_str::<serde_json::Value>(&text);
            // Numbers past its range are numbers here.
            let is_out_of_range = want.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            if !is_out_of_range {
                prop_assert_eq!(read(&text).is_some(), want.is_ok(), "{}", text);
            }
            if let Ok(serde_json::Value::String(string)) = want {
                prop_assert_eq!(read(&text), Some(Some(string)));
            }
        }
    }
}
