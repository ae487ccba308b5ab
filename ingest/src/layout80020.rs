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

use tallywatt_core::calendar::Zone;

use self::message::{Attributes, Message};
use crate::format::{Format, FormatKind, SourceFile};
use crate::refusal::FileRefusal;
use crate::scale::{Scale, Unit};
use crate::tally::Tally;
use crate::xml::{self, Elements};

pub(crate) const KIND: FormatKind = FormatKind {
    name: "80020",
    keys: &["unit", "multiplier", "round_to_wh"],
    zone: None,
    read: |document, text| Ok(Box::new(Layout80020 { scale: document.scale(text, Some(Unit::KWH))? })),
    profiles: &[("80020", include_str!("../profiles/80020.toml"))],
};

/// 80020 files carry no unit; kWh and kvarh by custom.
#[derive(Debug, Clone, Copy)]
struct Layout80020 {
    scale: Scale,
}

impl Format for Layout80020 {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        decode(self, file.zone, &bytes, tally)
    }
}

/// Decodes a whole file.
fn decode(
    profile: &Layout80020,
    zone: &Zone,
    bytes: &[u8],
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let text = xml::text_of(bytes)?;
    let mut parsing = Parsing { message: Message::new(profile.scale), attributes: Attributes::default() };
    let last_line = xml::parse(&text, &mut parsing)?;
    let message = parsing.message.finished(last_line)?;
    tally.summary.line_count = last_line;
    tally.summary.ignored_count = message.ignored_count;
    place::hand_over(message, zone, tally)
}

/// The message as it is read, and the attributes of the element that is opened next.
struct Parsing {
    message: Message,
    attributes: Attributes,
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
}
