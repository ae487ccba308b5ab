//! Replies to messages in layouts 80020 and 80040: what became of one file, as its sender's system reads it.
//!
//! ```text
//!   message class="60091" version id datetime
//!     file name class number inn day
//!       reply status="ok" | "error"       readings taken, readings set aside, groups and flows passed over
//!         error line code readings        one for each thing set aside, or one for a refused file
//!           reason, text
//! ```
//!
//! `ok` says that nothing of the file was set aside, and nothing of it was amiss. A reply is a pure function of the message, of what became of it, and
//! of the clock it is given; it is written in the encoding that the message had.
//!
//! ```
//! use tallywatt_core::calendar::Zone;
//! use tallywatt_ingest::layout80020_reply::{MessageFacts, Outcome, Reply};
//! use tallywatt_ingest::{decode::decode, profile::Profile, sink::Collected};
//! let file = b"<message class=\"80020\" number=\"7\"><datetime><day>20260301</day></datetime></message>";
//! let mut found = Collected::default();
//! let decoded = decode(&Profile::builtin("80020")?, "7.xml", &mut &file[..], &mut found);
//! let problem = decoded.as_ref().err().map(ToString::to_string).unwrap_or_default();
//! let outcome = match &decoded {
//!     Ok(summary) => Outcome::Taken { summary, rejections: &found.rejections },
//!     Err(refusal) => {
//!         Outcome::Refused { problem: &problem, next_step: refusal.next_step(), line: refusal.line() }
//!     }
//! };
//! let zone = Zone::parse("Europe/Moscow")?;
//! let reply = Reply { id: 1, at: zone.local_day("2026-03-02".parse()?).start, zone: &zone };
//! let text = String::from_utf8(reply.write("7.xml", &MessageFacts::read(file), &outcome))?;
//! assert!(text.contains("datetime=\"20260302000000\"") && text.contains("file holds no readings"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt::Write as _;

use quick_xml::escape::escape;
use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::rejection::Rejection;

use super::attributes::Attributes;
use super::header::Header;
use super::message::Message;
use super::{Class, Layout80020};
use crate::decode::DecodeSummary;
use crate::refusal::FileRefusal;
use crate::scale::{Scale, Unit};
use crate::xml::{self, Elements};

pub use crate::xml::Encoding;

/// What replies call themselves.
const CLASS: &str = "60091";
const VERSION: &str = "1";
/// The most things set aside that a reply names; it says how many there are.
pub const ERROR_COUNT_MAX: usize = 1_000;
/// The most characters of a file name that a reply repeats.
const NAME_LENGTH_MAX: usize = 200;

/// What a message says of itself, as far as it can be read: as written, empty where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageFacts {
    /// `80020` or `80040`.
    pub class: String,
    /// The sender's running number.
    pub number: String,
    /// Tax number of the sender.
    pub sender_inn: String,
    /// `YYYYMMDD`.
    pub day: String,
    /// What the reply is written in too.
    pub encoding: Encoding,
}

/// What became of a file.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// Its values were taken, but for those that were set aside.
    Taken {
        /// What went through the decoder; its readings, taken and set aside, as they became in the end.
        summary: &'a DecodeSummary,
        /// What was set aside, in the order of the file; those that were found after decoding may follow.
        rejections: &'a [Rejection],
    },
    /// Nothing of it was taken.
    Refused {
        /// Why.
        problem: &'a str,
        /// What to do.
        next_step: &'a str,
        /// Where, counted from 1.
        line: Option<u64>,
    },
}

/// A reply's own number and time.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// Running number of the replies.
    pub id: u64,
    /// When it is written.
    pub at: UtcSeconds,
    /// The zone of that time on paper.
    pub zone: &'a Zone,
}

impl MessageFacts {
    /// Reads the start of a message, up to its first area, and stops where it cannot be read.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let Ok(text) = xml::text_of(bytes) else { return Self::default() };
        let scale = Scale::plain(Unit::KWH, false);
        let profile = Layout80020 { scale, class: Class::Any, groups: false };
        let mut start = Start { message: Message::new(profile), attributes: Attributes::default() };
        // Whatever stopped it, what came before is known.
        _ = xml::parse(&text, &mut start);
        let Header { class, number, sender_inn, day, .. } = start.message.header;
        let day = day.map(|day| day.to_string().replace('-', "")).unwrap_or_default();
        Self { class, number, sender_inn, day, encoding: text.encoding }
    }
}

/// A message up to its first area.
struct Start {
    message: Message,
    attributes: Attributes,
}

impl Elements for Start {
    fn attribute(&mut self, name: &str, value: &str) {
        self.attributes.keep(name, value.trim());
    }

    fn open(&mut self, name: &str, line: u64) -> Result<(), FileRefusal> {
        if name == "area" {
            return Err(FileRefusal::NoReadings);
        }
        self.message.open(name, std::mem::take(&mut self.attributes), line)
    }

    fn add_text(&mut self, text: &str) -> usize {
        self.message.add_text(text)
    }

    fn close(&mut self, line: u64) -> Result<(), FileRefusal> {
        self.message.close(line)
    }
}

impl Reply<'_> {
    /// The bytes of the reply to one file.
    #[must_use]
    pub fn write(&self, file_name: &str, facts: &MessageFacts, outcome: &Outcome<'_>) -> Vec<u8> {
        let encoding = match facts.encoding {
            Encoding::Utf8 => "utf-8",
            Encoding::Windows1251 => "windows-1251",
        };
        let mut text = String::new();
        let stamp = self.stamp();
        line(&mut text, format_args!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>"));
        line(
            &mut text,
            format_args!(
                "<message class=\"{CLASS}\" version=\"{VERSION}\" id=\"{}\" datetime=\"{stamp}\">",
                self.id
            ),
        );
        let name: String = file_name.chars().take(NAME_LENGTH_MAX).collect();
        line(
            &mut text,
            format_args!(
                "<file name=\"{}\" class=\"{}\" number=\"{}\" inn=\"{}\" day=\"{}\">",
                plain(&name),
                plain(&facts.class),
                plain(&facts.number),
                plain(&facts.sender_inn),
                plain(&facts.day)
            ),
        );
        write_outcome(&mut text, outcome);
        line(&mut text, format_args!("</file>"));
        line(&mut text, format_args!("</message>"));
        match facts.encoding {
            Encoding::Utf8 => text.into_bytes(),
            // Letters that it lacks become character references.
            Encoding::Windows1251 => encoding_rs::WINDOWS_1251.encode(&text).0.into_owned(),
        }
    }

    /// `YYYYMMDDHHMMSS` on the wall clock; nothing outside 1970 to 2199.
    fn stamp(&self) -> String {
        let Some(local) = self.zone.local_day_of(self.at) else { return String::new() };
        let minute = self.zone.wall_minute(self.at);
        let day = local.day.to_string().replace('-', "");
        format!("{day}{:02}{:02}{:02}", minute / 60, minute % 60, self.at.0.rem_euclid(60))
    }
}

fn write_outcome(text: &mut String, outcome: &Outcome<'_>) {
    match outcome {
        Outcome::Refused { problem, next_step, line: at } => {
            line(text, format_args!("<reply status=\"error\" readings=\"0\" errors=\"1\">"));
            let at = at.map(|line| format!(" line=\"{line}\"")).unwrap_or_default();
            line(
                text,
                format_args!(
                    "<error{at}><reason>{}</reason><step>{}</step></error>",
                    plain(problem),
                    plain(next_step)
                ),
            );
        }
        Outcome::Taken { summary, rejections } => {
            let is_ok = rejections.is_empty() && summary.rejected_count == 0;
            let status = if is_ok { "ok" } else { "error" };
            line(
                text,
                format_args!(
                    "<reply status=\"{status}\" readings=\"{}\" rejected=\"{}\" groups=\"{}\" flows=\"{}\" errors=\"{}\">",
                    summary.reading_count,
                    summary.rejected_count,
                    summary.ignored_group_count,
                    summary.ignored_flow_count,
                    rejections.len()
                ),
            );
            for rejection in rejections.iter().take(ERROR_COUNT_MAX) {
                line(
                    text,
                    format_args!(
                        "<error line=\"{}\" code=\"{}\" readings=\"{}\"><reason>{}</reason><text>{}</text></error>",
                        rejection.line,
                        rejection.code,
                        rejection.reading_count,
                        plain(rejection.code.reason()),
                        plain(&rejection.raw)
                    ),
                );
            }
        }
    }
    line(text, format_args!("</reply>"));
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("a string takes all that is written to it");
}

/// Text as XML may hold it in an attribute or an element.
fn plain(text: &str) -> String {
    let is_allowed = |letter: char| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}');
    let text: String = text.chars().map(|letter| if is_allowed(letter) { letter } else { ' ' }).collect();
    escape(text.as_str()).into_owned()
}
