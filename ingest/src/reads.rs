//! What people read off dials or enter in place of a value: a table, a row an entry, with the name of whoever made it.
//!
//! | column | holds |
//! |---|---|
//! | `usage_point`, `obis` | where |
//! | `read_at` | when the dial showed it, by the profile's pattern; the start of the interval if `minutes` says one |
//! | `value`, `unit` | what it showed before the multiplier, in Wh, kWh, MWh, varh, kvarh, Mvarh; the energy of the interval |
//! | `who` | who entered it: never empty |
//! | `meter` | the number on the plate, or nothing |
//! | `minutes` | nothing for a dial; 5, 15, 30, 60 for the correction of one interval |
//! | `entered_at` | when it was entered, or nothing: among entries of one rank the later stands |
//! | `quality` | `edited` or nothing: [`Quality::Edited`]; `estimated`: [`Quality::Other`] |
//! | `reason` | for people; not kept here, the file is |
//!
//! Either quality ranks below what a meter sends, so an entry fills a gap and never overrules a measurement.

use tallywatt_core::calendar::Zone;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::RegisterRead;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{INTERVAL_MINUTES, Issued, RawReading};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use crate::dial::Dial;
use crate::format::{Format, FormatKind, SourceFile};
use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::refusal::FileRefusal;
use crate::scale::{Scale, Unit};
use crate::stamp::{StampPattern, number};
use crate::table::{self, Cells, Column};
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "reads",
    keys: &["delimiter", "decimal", "stamp_format", "round_to_wh"],
    zone: None,
    read: |document, text| Ok(Box::new(Reads::read(&document, text)?)),
    profiles: &[("reads", include_str!("../profiles/reads.toml"))],
};

const COLUMNS: [Column; 11] = [
    Column::needed("usage_point"),
    Column::needed("obis"),
    Column::needed("read_at"),
    Column::needed("value"),
    Column::needed("unit"),
    Column::needed("who"),
    Column::optional("meter"),
    Column::optional("minutes"),
    Column::optional("entered_at"),
    Column::optional("quality"),
    Column::optional("reason"),
];
// Places in it.
const USAGE_POINT: usize = 0;
const OBIS: usize = 1;
const READ_AT: usize = 2;
const VALUE: usize = 3;
const UNIT: usize = 4;
const WHO: usize = 5;
const METER: usize = 6;
const MINUTES: usize = 7;
const ENTERED_AT: usize = 8;
const QUALITY: usize = 9;

/// How the table is written.
#[derive(Debug)]
struct Reads {
    delimiter: u8,
    decimal: u8,
    stamp: StampPattern,
    rounds: bool,
}

impl Reads {
    fn read(document: &Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let pattern =
            document.stamp_format.as_deref().ok_or(ProfileError::Missing { key: "stamp_format" })?;
        let stamp = StampPattern::parse(pattern, true).ok_or_else(|| {
            text.value("stamp_format", pattern, "rfc3339, epoch, or a pattern such as YYYY-MM-DD HH:mm:ss")
        })?;
        let rounds = document.round_to_wh.unwrap_or(false);
        Ok(Self { delimiter: document.delimiter(text)?, decimal: document.decimal(text)?, stamp, rounds })
    }

    /// Hands a row over. Checks in the order of precedence.
    fn row(
        &self,
        cells: &Cells<'_>,
        line: u64,
        zone: &Zone,
        tally: &mut Tally<'_>,
    ) -> Result<(), RejectionCode> {
        let who = Label::new(cells.at(WHO)).map_err(|_| RejectionCode::Structure)?;
        let meter = match cells.at(METER) {
            b"" => None,
            serial => Some(Label::new(serial).map_err(|_| RejectionCode::Structure)?),
        };
        let usage_point = UsagePointId::new(cells.at(USAGE_POINT)).map_err(|_| RejectionCode::UsagePoint)?;
        let register = register(cells.at(OBIS))?;
        let unit = Unit::named_loosely(cells.at(UNIT)).filter(|unit| unit.measures(register.flow));
        let unit = unit.ok_or(RejectionCode::Unit)?;
        let at = table::instant(&self.stamp, zone, cells.at(READ_AT))?;
        let issued = match cells.at(ENTERED_AT) {
            b"" => Issued::UNSAID,
            text => {
                let entered = table::instant(&self.stamp, zone, text)?;
                Issued(u64::try_from(entered.0).map_err(|_| RejectionCode::Stamp)?)
            }
        };
        let minutes = interval_minutes(cells.at(MINUTES))?;
        if cells.at(VALUE).is_empty() {
            return Err(RejectionCode::NoValue);
        }
        let quality = quality(cells.at(QUALITY)).ok_or(RejectionCode::QualityFlag);
        match minutes {
            None => {
                let (dial, rounded) =
                    Dial { rounds: self.rounds }.written(cells.at(VALUE), self.decimal, unit)?;
                let read = RegisterRead { usage_point, register, at, meter, dial, quality: quality? };
                tally.summary.rounded_count += u64::from(rounded);
                tally.issued(issued);
                tally.register_read_by(&read, line, Some(who));
            }
            Some(interval_minutes) => {
                let scale = Scale::plain(unit, self.rounds);
                let (energy_wh, rounded) = scale.watt_hours(cells.at(VALUE), self.decimal)?;
                let (start, quality) = (at, quality?);
                tally.summary.rounded_count += u64::from(rounded);
                tally.issued(issued);
                tally.reading(RawReading {
                    usage_point,
                    register,
                    start,
                    interval_minutes,
                    energy_wh,
                    quality,
                    line,
                });
            }
        }
        Ok(())
    }
}

impl Format for Reads {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let zone = file.zone;
        table::each_row(file.bytes, self.delimiter, &COLUMNS, tally, &mut |cells, line, tally| {
            self.row(cells, line, zone, tally)
        })
    }
}

/// The energy register of a code.
pub(crate) fn register(code: &[u8]) -> Result<Register, RejectionCode> {
    std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).ok_or(RejectionCode::Register)
}

fn interval_minutes(text: &[u8]) -> Result<Option<u8>, RejectionCode> {
    if text.is_empty() {
        return Ok(None);
    }
    let minutes = number(text).and_then(|minutes| u8::try_from(minutes).ok());
    minutes.filter(|minutes| INTERVAL_MINUTES.contains(minutes)).map(Some).ok_or(RejectionCode::IntervalSize)
}

fn quality(word: &[u8]) -> Option<Quality> {
    match word {
        b"" | b"edited" => Some(Quality::Edited),
        b"estimated" => Some(Quality::Other),
        _ => None,
    }
}
