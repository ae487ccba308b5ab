//! Green Button: energy usage as NAESB REQ.21 (ESPI) writes it, in Atom feeds or single entries.
//!
//! ```text
//!   feed ── entry ── link rel="self|up|related" href, updated, content
//!     UsagePoint      ServiceCategory kind            0: electricity
//!     MeterReading                                    ties a usage point to a type
//!     ReadingType     uom, powerOfTenMultiplier, flowDirection, accumulationBehaviour …
//!     IntervalBlock   one or more in an entry
//!       IntervalReading   timePeriod (start, duration), value, ReadingQuality, cost
//!
//!   IntervalBlock ──up──▶ MeterReading ──related──▶ ReadingType         what a value means
//!                               └──up──▶ UsagePoint                     whose it is
//! ```
//!
//! Names are taken without their prefix, so that feeds of any and of no namespace are read. An entry without a single link
//! belongs to what stands before it, and so does a series that links to no type. A link that leads nowhere is never replaced by a
//! guess: `unit` and `obis` of the profile say what blocks without a type measure, and where they do not the block is rejected.
//!
//! | written | taken as |
//! |---|---|
//! | uom 72, 73 | Wh, varh, times ten to the multiplier; any other unit: the block is rejected, its unit named |
//! | flowDirection 1, 19 | import, export; any other: rejected; none: `obis` of the profile |
//! | accumulationBehaviour none, 0, 4 | energy of the interval |
//! | accumulationBehaviour 1, 9 | a register read at the end of the time period |
//! | tou of the type | the zone of the register |
//! | duration 300, 900, 1800, 3600 | an interval |
//! | duration 0 | the hour that the clock passed over: no value, if it is 0; else rejected |
//! | duration 7200 | the doubled hour as one number: rejected, for to halve it would be to invent two values |
//! | duration of a day, a month | rejected: no interval energy; value, start and length stand in the rejection |
//! | no timePeriod | the next interval of the block, of the type's intervalLength |
//! | ReadingQuality | the quality of that code; of several the one of least rank; 15, normalized for weather, is rejected: nobody measured it |
//! | defaultQuality of the type | of readings that name none; else valid |
//! | updated of the entry, else of the feed | the issue; without an offset it is taken as UTC |
//! | cost, UsageSummary and its kin | ignored, counted |
//!
//! The usage point is named by the profile, or else by its link: `…/RetailCustomer/5/UsagePoint/1` is `5/1`, because the last
//! part alone is `1` for every customer. Without a link its entry's UUID is the name, without dashes. A name past 33 characters
//! is not cut: the profile must say one. A link past 2 KiB is not followed and told (R03); its entry is tied to nothing.
//!
//! A file is read whole before anything is handed over: a feed that breaks off gives nothing.

mod counts;
mod feed;
mod meaning;
mod place;
mod resource;
mod shape;
mod ties;

use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;

pub use self::counts::FeedCounts;
use self::feed::Feed;
use crate::decode::Pace;
use crate::format::{Format, FormatKind, SourceFile};
use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::refusal::FileRefusal;
use crate::scale::Scale;
use crate::tally::Tally;
use crate::xml;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "greenbutton",
    keys: &["unit", "obis", "round_to_wh", "usage_point", "usage_point_from"],
    zone: None,
    read: |document, text| Ok(Box::new(GreenButton::read(&document, text)?)),
    profiles: &[("greenbutton", include_str!("../profiles/greenbutton.toml"))],
};

/// What a feed leaves to its profile.
#[derive(Debug, Clone)]
struct GreenButton {
    rounds: bool,
    /// Of blocks without a type.
    untyped: Option<Scale>,
    /// Of blocks without a type or a direction.
    register: Option<Register>,
    point: PointFrom,
}

/// Where the usage point stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointFrom {
    Feed,
    File,
    Profile(UsagePointId),
}

impl GreenButton {
    fn read(document: &Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let register = document.obis.as_deref().map(|code| {
            let expected = "the code of an energy register, such as 1-0:1.8.0";
            code.parse().map_err(|_| text.value("obis", code, expected))
        });
        Ok(Self {
            rounds: document.round_to_wh.unwrap_or(false),
            untyped: document.unit.as_ref().map(|_| document.scale(text, None)).transpose()?,
            register: register.transpose()?,
            point: match (document.usage_point.as_deref(), document.usage_point_from.as_deref()) {
                (None, None) => PointFrom::Feed,
                (None, Some("file")) => PointFrom::File,
                (None, Some(other)) => return Err(text.value("usage_point_from", other, "file")),
                (Some(name), None) => PointFrom::Profile(
                    UsagePointId::new(name.as_bytes())
                        .map_err(|_| text.value("usage_point", name, "1 to 33 printable ASCII characters"))?,
                ),
                (Some(_), Some(_)) => return Err(text.unused("usage_point_from")),
            },
        })
    }
}

impl Format for GreenButton {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        let (feed, last_line) = read(&bytes, file.pace)?;
        if feed.blocks.iter().all(|block| block.readings.is_empty()) {
            return Err(FileRefusal::NoReadings);
        }
        tally.summary.line_count = last_line;
        tally.summary.ignored_count = feed.counts.ignored_count();
        place::hand_over(self, &feed, file.name, tally)
    }
}

/// Reads a whole file, and says its last line.
fn read(bytes: &[u8], pace: Pace) -> Result<(Feed, u64), FileRefusal> {
    let text = xml::text_of(bytes)?;
    let mut feed = Feed::new(pace);
    let last_line = xml::parse(&text, &mut feed)?;
    feed.finished(last_line)?;
    Ok((feed, last_line))
}

/// What a feed holds, before anything is decided of it.
///
/// # Errors
/// [`FileRefusal`]: it is no feed, or broken.
pub fn count(bytes: &[u8]) -> Result<FeedCounts, FileRefusal> {
    read(bytes, Pace::ByLane).map(|(feed, _)| feed.counts)
}
