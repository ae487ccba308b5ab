//! SVG text: shapes with two decimals, words escaped.

use std::fmt::Write as _;

/// Which end of a text stands at its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its first letter.
    Start,
    /// Its middle.
    Middle,
    /// Its last letter.
    End,
}

/// Colours that read on white: the page's own background is white, whatever is around it.
const STYLE: &str = "\
text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328; }
.title { font-size: 20px; font-weight: 600; }
.section { font-size: 15px; font-weight: 600; }
.name, .rate { font-weight: 600; }
.quiet, .tick { fill: #59636e; }
.tick, .small { font-size: 12px; }
.full { fill: #0b6bcb; }
.pale { fill: #cfe3f8; }
.grid { stroke: #d8dee4; }
.base { stroke: #8c959f; }
";

/// A picture being drawn.
pub struct Svg {
    text: String,
}

impl Svg {
    /// A white page with a title and a description for those who do not see it.
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let (title, description) = (escaped(title), escaped(description));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"description\">{description}</desc>\n\
             <style>\n{STYLE}</style>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" fill=\"#ffffff\" stroke=\"#d1d9e0\"/>\n",
            width - 1.0,
            height - 1.0
        );
        Self { text }
    }

    /// Words at a point of their base line.
    pub fn text(&mut self, class: &str, x: f64, y: f64, anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let words = escaped(words);
        self.push(format_args!("<text class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\"{anchor}>{words}</text>\n"));
    }

    /// A bar from its upper left corner; one of no size is not drawn.
    pub fn bar(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        if width > 0.0 && height > 0.0 {
            self.push(format_args!(
                "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" rx=\"2\"/>\n"
            ));
        }
    }

    /// A line.
    pub fn line(&mut self, class: &str, x1: f64, y1: f64, x2: f64, y2: f64) {
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\"/>\n"
        ));
    }

    /// The text of the picture.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn push(&mut self, part: std::fmt::Arguments<'_>) {
        self.text.write_fmt(part).expect("a string takes all that is written to it");
    }
}

/// Text that XML takes as it is; what XML has no place for becomes a blank.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped() {
        assert_eq!(escaped("a<b> & \"c\"\u{7}\n"), "a&lt;b&gt; &amp; &quot;c&quot;  ");
        let mut svg = Svg::new(10.0, 10.0, "<t>", "&");
        svg.text("x", 1.0, 2.0, Anchor::End, "</text>");
        svg.bar("x", 0.0, 0.0, 0.0, 1.0);
        let text = svg.finish();
        assert!(text.contains("<title id=\"title\">&lt;t&gt;</title>") && text.contains("&lt;/text&gt;"));
        assert_eq!(text.matches("<rect").count(), 1, "no bar of no size");
        assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
    }
}
