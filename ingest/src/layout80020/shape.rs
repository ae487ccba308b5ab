//! Where in the text of a period the parts stand that change from one to the next.

use std::ops::Range;

/// A period that holds one value, nothing else, and no references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Where the four digits of `start` stand.
    pub(super) start_at: usize,
    pub(super) end_at: usize,
    /// Behind the `>` of the period's start.
    pub(super) tag_end: usize,
    /// The value, without white space around.
    pub(super) number: Range<usize>,
}

impl Shape {
    /// `None` if `text` is anything but white space, then one such period.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut scan = Scan { text, at: 0 };
        let (mut start_at, mut end_at) = (None, None);
        scan.space();
        scan.word(b"<period")?;
        scan.attributes(|name, value| {
            let place = match name {
                b"start" => &mut start_at,
                b"end" => &mut end_at,
                _ => return Some(()),
            };
            // Two of a name are the reader's to refuse.
            (value.len() == 4 && place.replace(value.start).is_none()).then_some(())
        })?;
        let tag_end = scan.at;
        scan.space();
        scan.word(b"<value")?;
        scan.attributes(|_, _| Some(()))?;
        scan.space();
        let number = scan.run(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))?;
        scan.space();
        scan.end(b"</value")?;
        scan.space();
        scan.end(b"</period")?;
        let shape = Self { start_at: start_at?, end_at: end_at?, tag_end, number };
        (scan.at == text.len()).then_some(shape)
    }
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        Some(())
    }

    fn space(&mut self) {
        _ = self.run(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// The bytes from here on that are `wanted`, at least one.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> Option<Range<usize>> {
        let size = self.text.get(self.at..)?.iter().take_while(|&&byte| wanted(byte)).count();
        let run = self.at..self.at + size;
        self.at = run.end;
        (size > 0).then_some(run)
    }

    /// The attributes of a start that goes on to elements or text, and its `>`.
    fn attributes(&mut self, mut take: impl FnMut(&[u8], Range<usize>) -> Option<()>) -> Option<()> {
        loop {
            self.space();
            if self.word(b">").is_some() {
                return Some(());
            }
            let name = self.run(|byte| byte.is_ascii_alphanumeric())?;
            self.word(b"=")?;
            let quote = *self.text.get(self.at).filter(|quote| matches!(quote, b'"' | b'\''))?;
            self.at += 1;
            let value = self
                .run(|byte| {
                    byte != quote && matches!(byte, b' '..=b'~') && !matches!(byte, b'<' | b'>' | b'&')
                })
                .unwrap_or(self.at..self.at);
            self.word(&[quote])?;
            take(&self.text[name], value)?;
        }
    }

    /// The end of an element: `word`, then `>`.
    fn end(&mut self, word: &[u8]) -> Option<()> {
        self.word(word)?;
        self.space();
        self.word(b">")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two clocks and the number, if the period is an ordinary one.
    fn check(text: &str, want: Option<&str>) {
        let got = Shape::of(text.as_bytes()).map(|shape| {
            let clock = |at: usize| &text[at..at + 4];
            assert!(text[..shape.tag_end].ends_with('>'), "{text}");
            format!("{} {} {}", clock(shape.start_at), clock(shape.end_at), &text[shape.number])
        });
        assert_eq!(got.as_deref(), want, "{text}");
    }

    #[test]
    fn shapes() {
        let table = [
            ("<period start=\"0000\" end=\"0030\"><value>5</value></period>", Some("0000 0030 5")),
            (
                "\n <period end='0030' summer='0' start='0000' >\r\n<value status=\"0\" param1=\"\"> 5.25\n</value >\t</period\n>",
                Some("0000 0030 5.25"),
            ),
            ("<period start=\"0000\"><value>5</value></period>", None),
            ("<period start=\"0000\" end=\"030\"><value>5</value></period>", None),
            ("<period start=\"0000\" end=\"0030\" end=\"0030\"><value>5</value></period>", None),
            ("<period start=\"0000\" end=\"0030\"><value>5</value></period> ", None),
            ("x<period start=\"0000\" end=\"0030\"><value>5</value></period>", None),
            ("<periods start=\"0000\" end=\"0030\"><value>5</value></period>", None),
            ("<period start=\"0000\" end=\"0030\"><value>-5</value></period>", None),
            ("<period start=\"0000\" end=\"0030\"><value></value></period>", None),
            ("<period start=\"0000\" end=\"0030\"><value/></period>", None),
            ("<period start=\"0000\" end=\"0030\"><value>5</value><value>5</value></period>", None),
            ("<period start=\"0000\" end=\"0030\"><value>5<!-- --></value></period>", None),
            ("<period start=\"0000\" end=\"0030\" x=\"&lt;\"><value>5</value></period>", None),
            ("<period start=\"0000\" end=\"0030\" x=\"ж\"><value>5</value></period>", None),
            ("", None),
        ];
        for (text, want) in table {
            check(text, want);
        }
    }
}
