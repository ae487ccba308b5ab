//! The file of a list of hours at which power counts, as CSV.
//!
//! ```text
//! #kind,hour-list
//! #name,so-ural                  the name that demand charges use; files of later days share it
//! #title,Peak hours, Ural
//! #source,illustrative
//! #zone,Asia/Yekaterinburg       whose local days these are
//! #valid_from,2026-03-01
//! #valid_to,2026-04-01           the first day it does not tell of
//! #each,working-day              what has an hour at least: working-day, or month; working-day if left out
//! day,hour                       the hour that begins then on the wall, 0 to 23
//! 2026-03-02,9
//! …
//! ```
//!
//! Rows may also be one column `start`, instants with their offset: the only way to tell the two hours of a clock that
//! goes back apart.

use tallywatt_core::calendar::{Day, UtcSeconds, WallTime, Zone};
use tallywatt_core::hour_list::{HOUR_S, HourList, HourListError, HourListParts, HourNeed};

use super::error::DocumentError;
use super::market_text::{DATES, MarketText};
use super::rows::shown;
use crate::stamp::{Stamp, StampPattern};

const FIELDS: [&str; 8] = ["kind", "name", "title", "source", "zone", "valid_from", "valid_to", "each"];

const NAME: &str = "write 1 to 33 printable ASCII characters";
const TEXT: &str = "shorten it";
const EACH: &str = "write working-day or month";
const COLUMNS: &str = "write the columns day,hour or the column start";
const STAMP: &str = "write instants with their offset, such as 2026-03-02T09:00:00+05:00 or …Z";
const DAY: &str = "write days as 2026-03-02";
const HOUR: &str =
    "write the hour that it begins at, 0 to 23; where a clock change makes it none or two, write instants";
const ORDER: &str = "write hours in order of time, each once, on days from valid_from until valid_to";
const MONTH: &str = "write an hour for each month, or the months that it tells of";

/// Reads a file of hours.
pub(super) fn parse(file: &str, text: &str) -> Result<HourList, DocumentError> {
    let read = MarketText::read(file, text, &FIELDS, 1)?;
    let (validity, zone) = (read.validity()?, read.zone()?);
    let each = match read.field("each") {
        (_, "" | "working-day") => HourNeed::WorkingDay,
        (_, "month") => HourNeed::Month,
        (line, other) => return Err(read.fail(line, format!("each {} is not known", shown(other)), EACH)),
    };
    let starts = starts_of(&read, &zone)?;
    let (title, source) = (read.field("title"), read.field("source"));
    let parts = HourListParts {
        id: read.parse("name", NAME)?,
        title: title.1.to_owned(),
        source: source.1.to_owned(),
        validity,
        zone,
        each,
        starts: starts.iter().map(|(_, start)| *start).collect(),
    };
    HourList::new(parts).map_err(|error| {
        let of = |at: &UtcSeconds| starts.iter().rfind(|(_, start)| start == at).map_or(1, |(line, _)| *line);
        let (line, next_step) = match &error {
            HourListError::Text("title") => (title.0, TEXT),
            HourListError::Text(_) => (source.0, TEXT),
            HourListError::Order(at) | HourListError::Outside(at) => (of(at), ORDER),
            HourListError::Month(_) => (read.field("each").0, MONTH),
            HourListError::Endless | HourListError::Count(_) => (read.field("valid_to").0, DATES),
        };
        read.fail(line, error.to_string(), next_step)
    })
}

/// First instants with the lines they stand on.
fn starts_of(read: &MarketText<'_>, zone: &Zone) -> Result<Vec<(u64, UtcSeconds)>, DocumentError> {
    let (columns_line, columns) = &read.columns;
    let is_wall = match columns[..] {
        ["day", "hour"] => true,
        ["start"] => false,
        _ => {
            let problem = format!("columns {} are not those of hours", shown(&columns.join(",")));
            return Err(read.fail(*columns_line, problem, COLUMNS));
        }
    };
    let start = |(line, fields): &(u64, Vec<&str>)| {
        if !is_wall {
            return match StampPattern::Rfc3339.read(fields[0].as_bytes()) {
                Some(Stamp::Instant(at)) => Ok((*line, at)),
                _ => Err(read.fail(*line, format!("{} is not an instant", shown(fields[0])), STAMP)),
            };
        }
        let day: Day = fields[0].parse().map_err(|error| read.fail(*line, format!("{error}"), DAY))?;
        let hour = fields[1].parse::<u32>().ok().filter(|hour| *hour < 24);
        let hour =
            hour.ok_or_else(|| read.fail(*line, format!("hour {} is not 0 to 23", shown(fields[1])), HOUR))?;
        match zone.resolve(day, hour * u32::try_from(HOUR_S).expect("an hour is short")) {
            WallTime::Once(at) => Ok((*line, at)),
            WallTime::Twice(..) => {
                Err(read.fail(*line, format!("hour {hour} of {day} comes twice in {zone}"), HOUR))
            }
            WallTime::Never => Err(read.fail(*line, format!("no hour {hour} of {day} in {zone}"), HOUR)),
        }
    };
    read.rows.iter().map(start).collect()
}
