//! Layouts 80020 and 80040: half-hours and hours of measuring points, in XML, of the Russian market.
//!
//! ```text
//!   message class="80020" number
//!     datetime ─ timestamp, daylightsavingtime, day   YYYYMMDDHHMMSS, 0 1 2, YYYYMMDD
//!     sender ─ inn
//!     area …                                          one or more
//!       measuringpoint code                           also accountpoint, deliverypoint
//!         measuringchannel code                       01 import, 02 export, 03 and 04 reactive
//!           period start end [summer]                 HHMM, wall clock
//!             value [status] [extendedstatus]         kWh or kvarh
//!       deliverygroup code ─ period …                 a group of points
//!       peretok codefrom codeto ─ period …            a flow between areas
//! ```
//!
//! The file is read whole, and only then handed over: a message that breaks off gives nothing. Document types
//! and entities are refused before parsing. Both layouts have this skeleton; a profile's `class` names the one it takes.
//!
//! | `status` | extended status, in either spelling | quality |
//! |---|---|---|
//! | 0, empty, not there | not there, empty, zeros | valid |
//! | 0, empty, not there | 1114: measured by a group of points, past a bypass breaker | derived |
//! | 0, empty, not there | any other: its senders agree on no list | raw |
//! | 1: not for commercial use | any | raw |
//! | any other | any | rejected, R16 |
//!
//! Groups and flows repeat energy that points and neighbours deliver too, so they are counted and passed over, unless
//! the profile says `groups = true`: then a group is the usage point of its code, a flow that of `codefrom>codeto`, and
//! their periods are energy taken.
//!
//! Where the clock goes forward, files hold the hour that never was: its periods are passed over if they hold nothing or
//! zero, and rejected otherwise. Where it goes back, `summer="1"` marks the first pass; in a channel without any mark each
//! clock's second period is of the second pass.
//!
//! Of two messages of a day the one of the higher `number` stands, and of one number the one of the later `timestamp`: a
//! sender that mends a day sends it again under its next number. Both go into one issue of 64 bits. Beside a number of up to
//! 8 digits the timestamp counts by the second, beside one of up to 13 by the day, beside longer ones, up to 18, not at all:
//! then two messages of one number whose values differ are a conflict. A sender that counts anew mends nothing of before.
//!
//! A value may have a sign, thousands set apart by blanks (`12 345,6`), and no zero before its point.
//!
//! A file name that follows the sender's pattern is held against the message; what differs is told as a rejection of no
//! readings, and so is a number, a timestamp or a clock change that cannot be. Exporters round to whole kWh and carry the
//! remainder on: values are taken as they stand, and their sum is right to half a kWh.

mod attributes;
mod file_name;
mod header;
mod lane;
mod message;
mod period;
mod place;
pub mod reply;
mod shape;

use tallywatt_core::calendar::Zone;

use self::attributes::Attributes;
use self::lane::Lane;
use self::message::{Message, Part};
use crate::decode::Pace;
use crate::format::{Format, FormatKind, SourceFile};
use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::refusal::FileRefusal;
use crate::scale::{Scale, Unit};
use crate::tally::Tally;
use crate::xml::{self, Ahead, Elements};

pub(crate) const KIND: FormatKind = FormatKind {
    name: "80020",
    keys: &["unit", "multiplier", "round_to_wh", "class", "groups"],
    zone: None,
    read: |document, text| Ok(Box::new(Layout80020::read(&document, text)?)),
    profiles: &[("80020", include_str!("../profiles/80020.toml"))],
};

/// 80020 files carry no unit; kWh and kvarh by custom.
#[derive(Debug, Clone, Copy)]
struct Layout80020 {
    scale: Scale,
    class: Class,
    /// Groups and flows are usage points too.
    groups: bool,
}

/// Which messages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Any,
    Only80020,
    Only80040,
}

impl Layout80020 {
    fn read(document: &Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let class = match document.class.as_deref() {
            None => Class::Any,
            Some("80020") => Class::Only80020,
            Some("80040") => Class::Only80040,
            Some(other) => return Err(text.value("class", other, "80020 or 80040")),
        };
        let scale = document.scale(text, Some(Unit::KWH))?;
        Ok(Self { scale, class, groups: document.groups.unwrap_or(false) })
    }
}

impl Format for Layout80020 {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        let lane = match file.pace {
            Pace::ByLane => self.scale.plain_decimals().map(Lane::new),
            Pace::ByRow => None,
        };
        let parsing = Parsing { message: Message::new(*self), attributes: Attributes::default(), lane };
        decode(parsing, file.name, file.zone, &bytes, tally)
    }

    fn is_replied_to(&self) -> bool {
        true
    }
}

/// Decodes a whole file.
fn decode(
    mut parsing: Parsing,
    file_name: &str,
    zone: &Zone,
    bytes: &[u8],
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let last_line = xml::parse(&xml::text_of(bytes)?, &mut parsing)?;
    let message = parsing.message.finished(last_line)?;
    tally.summary.line_count = last_line;
    tally.summary.ignored_count = message.ignored.count;
    tally.summary.ignored_group_count = message.ignored.group_count;
    tally.summary.ignored_flow_count = message.ignored.flow_count;
    place::hand_over(&message, file_name, zone, tally)
}

/// The message as it is read, and the attributes of the element that is opened next.
struct Parsing {
    message: Message,
    attributes: Attributes,
    lane: Option<Lane>,
}

impl Elements for Parsing {
    fn attribute(&mut self, name: &str, value: &str) {
        self.attributes.keep(name, value.trim());
    }

    fn open(&mut self, name: &str, line: u64) -> Result<(), FileRefusal> {
        self.message.open(name, std::mem::take(&mut self.attributes), line)
    }

    fn add_text(&mut self, text: &str) -> usize {
        self.message.add_text(text)
    }

    fn close(&mut self, line: u64) -> Result<(), FileRefusal> {
        self.message.close(line)
    }

    fn take_ahead(&mut self, bytes: &[u8], at: usize, line: u64) -> Ahead {
        let Some(lane) = &mut self.lane else { return Ahead::default() };
        let Some((channel, values_wh)) = self.message.channel_between_periods() else {
            return Ahead::default();
        };
        match channel.parts.last() {
            None => lane.begin(),
            Some(Part::One(period)) => lane.learn(bytes, at, period),
            // Not a period was read, but something beside it.
            Some(Part::Stretch(_)) => (),
        }
        let Some((stretch, ahead)) = lane.gather(bytes, at, line, values_wh) else { return Ahead::default() };
        channel.parts.push(Part::Stretch(stretch));
        ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a message's periods the short way takes, and how many the reader.
    fn counts(text: &str) -> (usize, usize) {
        let profile = Layout80020 { scale: Scale::plain(Unit::KWH, false), class: Class::Any, groups: true };
        let mut parsing = Parsing {
            message: Message::new(profile),
            attributes: Attributes::default(),
            lane: profile.scale.plain_decimals().map(Lane::new),
        };
        xml::parse(&xml::text_of(text.as_bytes()).unwrap(), &mut parsing).unwrap();
        let parts = || parsing.message.channels.iter().flat_map(|channel| &channel.parts);
        let ones = parts().filter(|part| matches!(part, Part::One(_))).count();
        (parsing.message.values_wh.len(), ones)
    }

    #[test]
    fn only_the_first_period_of_a_message_is_read() {
        let channel = |minutes: u32, midnight: &str, point: char| {
            let clock = |minute: u32| format!("{:02}{:02}", minute / 60, minute % 60);
            let period = |start: u32| {
                let end = if start + minutes == 1_440 { midnight.to_owned() } else { clock(start + minutes) };
                let start = clock(start);
                format!(
                    "\n<period start=\"{start}\" end=\"{end}\">\n<value> {}{point}5\n</value></period>",
                    minutes * 7
                )
            };
            (0..1_440).step_by(minutes as usize).map(period).collect::<String>()
        };
        let message = |body: &str| {
            format!(
                "<message class=\"80040\"><datetime><day>20260301</day></datetime><area>{body}</area></message>"
            )
        };
        let table =
            [(30, "0000", '.', 48), (30, "2400", ',', 48), (60, "0000", '.', 24), (15, "2400", '.', 96)];
        for (minutes, midnight, point, count) in table {
            let periods = channel(minutes, midnight, point);
            let point = format!(
                "<measuringpoint code=\"P\"><measuringchannel code=\"01\">{periods}</measuringchannel>\
                 <measuringchannel code=\"02\">{periods}</measuringchannel></measuringpoint>\
                 <deliverygroup code=\"G\">{periods}</deliverygroup>"
            );
            assert_eq!(counts(&message(&point.repeat(3))), (9 * count - 1, 1), "{minutes} {midnight}");
        }
    }
}
