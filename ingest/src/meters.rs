//! Which meter counts where: master data as a table, a row an installation.
//!
//! | column | holds |
//! |---|---|
//! | `usage_point`, `obis`, `meter` | which register of which meter |
//! | `from`, `first` | when it was put in, and what its dial showed then, in kWh or kvarh |
//! | `to`, `last` | when it was taken out, and what it showed; both or neither |
//! | `digits` | dials before the point, 1 to 12 |
//! | `multiplier` | of its transformers; 1 if there is nothing |
//!
//! At one register one meter counts at a time: a row that overlaps an earlier one of the file is set aside.

use std::collections::HashMap;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::{DialReading, Installation, Multiplier};
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;

use crate::dial::Dial;
use crate::format::{Format, FormatKind, SourceFile};
use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::reads::register;
use crate::refusal::FileRefusal;
use crate::scale::Unit;
use crate::stamp::{StampPattern, number};
use crate::table::{self, Cells, Column};
use crate::tally::Tally;

/// The most installations of one register in a file: a meter a year for a century.
const INSTALLATION_COUNT_MAX: usize = 100;
/// The most registers that one file's installations are compared for; further ones are set aside.
const REGISTER_COUNT_MAX: usize = 4 << 20;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "meters",
    keys: &["delimiter", "decimal", "stamp_format"],
    zone: None,
    read: |document, text| Ok(Box::new(Meters::read(&document, text)?)),
    profiles: &[("meters", include_str!("../profiles/meters.toml"))],
};

const COLUMNS: [Column; 9] = [
    Column::needed("usage_point"),
    Column::needed("obis"),
    Column::needed("meter"),
    Column::needed("from"),
    Column::needed("first"),
    Column::needed("digits"),
    Column::optional("to"),
    Column::optional("last"),
    Column::optional("multiplier"),
];
// Places in it.
const USAGE_POINT: usize = 0;
const OBIS: usize = 1;
const METER: usize = 2;
const FROM: usize = 3;
const FIRST: usize = 4;
const DIGITS: usize = 5;
const TO: usize = 6;
const LAST: usize = 7;
const MULTIPLIER: usize = 8;

/// How the table is written.
#[derive(Debug)]
struct Meters {
    delimiter: u8,
    decimal: u8,
    stamp: StampPattern,
}

impl Meters {
    fn read(document: &Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let pattern =
            document.stamp_format.as_deref().ok_or(ProfileError::Missing { key: "stamp_format" })?;
        // A date alone is its midnight.
        let stamp = StampPattern::parse(pattern, true).or_else(|| StampPattern::parse(pattern, false));
        let stamp = stamp.ok_or_else(|| {
            text.value("stamp_format", pattern, "rfc3339, epoch, or a pattern such as YYYY-MM-DD HH:mm:ss")
        })?;
        Ok(Self { delimiter: document.delimiter(text)?, decimal: document.decimal(text)?, stamp })
    }

    /// Reads a row. Checks in the order of precedence.
    fn row(&self, cells: &Cells<'_>, zone: &Zone) -> Result<Installation, RejectionCode> {
        let meter = Label::new(cells.at(METER)).map_err(|_| RejectionCode::Structure)?;
        let digits = number(cells.at(DIGITS)).and_then(|digits| u8::try_from(digits).ok());
        let digits = digits.filter(|digits| (1..=Installation::DIGITS_MAX).contains(digits));
        let digits = digits.ok_or(RejectionCode::Structure)?;
        if cells.at(TO).is_empty() != cells.at(LAST).is_empty() {
            return Err(RejectionCode::Structure);
        }
        let usage_point = UsagePointId::new(cells.at(USAGE_POINT)).map_err(|_| RejectionCode::UsagePoint)?;
        let register = register(cells.at(OBIS))?;
        let instant = |at| table::instant(&self.stamp, zone, cells.at(at));
        let from = instant(FROM)?;
        let out = if cells.at(TO).is_empty() { None } else { Some(instant(TO)?) };
        if out.is_some_and(|out| out <= from) {
            return Err(RejectionCode::Stamp);
        }
        let first = self.dial(cells.at(FIRST), register)?;
        let to = match out {
            None => None,
            Some(out) => Some((out, self.dial(cells.at(LAST), register)?)),
        };
        let multiplier = self.multiplier(cells.at(MULTIPLIER))?;
        let installation = Installation { usage_point, register, from, meter, first, to, digits, multiplier };
        let end = installation.dial_end();
        let is_shown = first < end && to.is_none_or(|(_, last)| last < end);
        if is_shown { Ok(installation) } else { Err(RejectionCode::AboveCeiling) }
    }

    fn dial(&self, text: &[u8], register: Register) -> Result<DialReading, RejectionCode> {
        let is_reactive = matches!(register.flow, Flow::ReactiveImport | Flow::ReactiveExport);
        let unit = if is_reactive { Unit::KVARH } else { Unit::KWH };
        if text.is_empty() {
            return Err(RejectionCode::NoValue);
        }
        Dial { rounds: false }.written(text, self.decimal, unit).map(|(dial, _)| dial)
    }

    fn multiplier(&self, text: &[u8]) -> Result<Multiplier, RejectionCode> {
        if text.is_empty() {
            return Ok(Multiplier::ONE);
        }
        let text = std::str::from_utf8(text).map_err(|_| RejectionCode::NotANumber)?;
        let text = if self.decimal == b',' { text.replace(',', ".") } else { text.to_owned() };
        Multiplier::parse(&text).map_err(|_| RejectionCode::NotANumber)
    }
}

impl Format for Meters {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let zone = file.zone;
        let mut placed = Placed::default();
        table::each_row(file.bytes, self.delimiter, &COLUMNS, tally, &mut |cells, line, tally| {
            let installation = self.row(cells, zone)?;
            placed.add(&installation)?;
            tally.installation(&installation, line);
            Ok(())
        })
    }
}

/// Which times of which registers are taken already.
#[derive(Debug, Default)]
struct Placed(HashMap<(UsagePointId, Register), Vec<Span>>);

/// From when to when, if it has an end.
type Span = (UtcSeconds, Option<UtcSeconds>);

impl Placed {
    fn add(&mut self, installation: &Installation) -> Result<(), RejectionCode> {
        let key = (installation.usage_point, installation.register);
        if self.0.len() >= REGISTER_COUNT_MAX && !self.0.contains_key(&key) {
            return Err(RejectionCode::Structure);
        }
        let spans = self.0.entry(key).or_default();
        if spans.len() >= INSTALLATION_COUNT_MAX {
            return Err(RejectionCode::Structure);
        }
        let (from, to) = (installation.from, installation.to.map(|(to, _)| to));
        let is_before = |end: Option<UtcSeconds>, start| end.is_some_and(|end| end <= start);
        if spans.iter().all(|&(start, end)| is_before(end, from) || is_before(to, start)) {
            spans.push((from, to));
            Ok(())
        } else {
            Err(RejectionCode::Conflict)
        }
    }
}
