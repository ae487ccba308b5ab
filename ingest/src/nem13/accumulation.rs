//! The 250 of a NEM13 file: what a register showed at the previous read and at the current one.
//!
//! The register is told by three fields. The direction is the network's: `E`, out of the network, is what the customer
//! takes; `I`, into the network, is what he feeds in. The unit tells active from reactive energy. The suffix is two digits,
//! such as `11` or `41`, and its number is the channel: `41` is `1-41:1.8.0`. Which circuit or tariff a suffix stands for
//! (a `41` is often a controlled load) the networks agree on among themselves, so nothing is taken from it but that two
//! suffixes are two registers.
//!
//! Dials are kept as written, before any multiplier, and nothing is billed on the stated quantity. It is held against the
//! dials: past its last nine a dial starts again from zero, and a quantity into the network may be written with a minus.
//! Where it still differs, both reads are kept and a finding names the two, and the factor if it is a whole one: a
//! multiplier that the meter's installation must carry.

use std::borrow::Cow;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::decimal::{Decimal, DecimalError};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::meter::{DialReading, MeterSerial, RegisterRead};
use tallywatt_core::reading::Issued;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;

use crate::lines::Row;
use crate::nem12::quality::{self, Flag};
use crate::nem12::stamps;
use crate::scale::Unit;
use crate::stamp::number;
use crate::tally::Tally;

/// Reads in a record.
pub(super) const READ_COUNT: u32 = 2;
/// Where the fields of the two reads begin: dial, stamp, quality, reason, description.
const PREVIOUS_AT: usize = 8;
const CURRENT_AT: usize = 13;
const QUANTITY_AT: usize = 18;
const UNIT_AT: usize = 19;
const UPDATE_AT: usize = 21;
/// Decimals of a watt-hour on a dial.
const DIAL_DECIMALS: u32 = 3;
/// The most dials before the point: more do not fit a dial's number in any unit.
const DIAL_DIGIT_COUNT_MAX: usize = 12;

/// Whose reads they are.
pub(super) struct Accumulation {
    usage_point: UsagePointId,
    register: Register,
    meter: Option<MeterSerial>,
    unit: Unit,
    /// Written with a minus or without.
    is_fed_in: bool,
    issued: Issued,
    previous_at: UtcSeconds,
    current_at: UtcSeconds,
}

/// A dial as written.
#[derive(Clone, Copy)]
struct Dial {
    reading: DialReading,
    /// One past what it can show.
    end: i64,
}

impl Accumulation {
    /// `250,NMI,configuration,register id,suffix,data stream,serial,direction`, twice `dial,stamp,quality,reason,
    /// description`, and `quantity,unit,next read,update[,load]`.
    pub(super) fn read(row: Row<'_>, zone: &Zone, created: Issued) -> Result<Self, RejectionCode> {
        if !matches!(row.len(), 20..=23) {
            return Err(RejectionCode::Structure);
        }
        let usage_point = UsagePointId::new(row.field(1)).map_err(|_| RejectionCode::UsagePoint)?;
        let is_fed_in = match row.field(7) {
            b"E" => false,
            b"I" => true,
            _ => return Err(RejectionCode::Register),
        };
        let unit = Unit::named_loosely(row.field(UNIT_AT)).ok_or(RejectionCode::Unit)?;
        let channel = channel_of(row.field(4)).ok_or(RejectionCode::Register)?;
        let register = Register::total(flow_of(is_fed_in, unit), channel);
        let meter = match row.field(6) {
            b"" => None,
            serial => Some(MeterSerial::new(serial).map_err(|_| RejectionCode::Structure)?),
        };
        let at = |field| stamps::read(row.field(field), zone).ok_or(RejectionCode::Stamp);
        let (previous_at, current_at) = (at(PREVIOUS_AT + 1)?, at(CURRENT_AT + 1)?);
        let issued = match row.field(UPDATE_AT) {
            b"" => created,
            text => stamps::issued(text, zone).ok_or(RejectionCode::Stamp)?,
        };
        Ok(Self { usage_point, register, meter, unit, is_fed_in, issued, previous_at, current_at })
    }

    /// Hands over the reads that can be read, and says where the quantity is not what they say.
    pub(super) fn hand_over(&self, row: Row<'_>, line: u64, tally: &mut Tally<'_>) {
        tally.issued(self.issued);
        let previous = self.hand_over_read(row, PREVIOUS_AT, self.previous_at, line, tally);
        let current = self.hand_over_read(row, CURRENT_AT, self.current_at, line, tally);
        let quantity = match row.field(QUANTITY_AT) {
            b"" => return,
            text => signed(text, self.unit),
        };
        match (quantity, previous, current) {
            (Err(code), ..) => tally.reject(code, line, 0, row.field(QUANTITY_AT)),
            (Ok(quantity), Some(previous), Some(current)) => {
                if let Some(difference) = self.mismatch(quantity, previous, current) {
                    let text = told(row, self.unit, quantity, difference);
                    tally.reject(RejectionCode::Conflict, line, 0, text.as_bytes());
                }
            }
            _ => (),
        }
    }

    fn hand_over_read(
        &self,
        row: Row<'_>,
        first: usize,
        at: UtcSeconds,
        line: u64,
        tally: &mut Tally<'_>,
    ) -> Option<Dial> {
        let (text, flag) = (row.field(first), row.field(first + 2));
        let quality = match Flag::read(flag) {
            Some(Flag::Of(quality)) => quality,
            Some(Flag::Null) => {
                tally.note(&quality::note(b"250", flag, row.field(first + 3)), 1);
                tally.summary.null_count += 1;
                return None;
            }
            Some(Flag::Varies) | None => {
                tally.reject(RejectionCode::QualityFlag, line, 1, flag);
                return None;
            }
        };
        tally.note(&quality::note(b"250", flag, row.field(first + 3)), 1);
        match Dial::read(text, self.unit) {
            Ok(dial) => {
                let (usage_point, register, meter) = (self.usage_point, self.register, self.meter);
                let read = RegisterRead { usage_point, register, at, meter, dial: dial.reading, quality };
                tally.register_read(&read, line);
                Some(dial)
            }
            Err(code) => {
                tally.reject(code, line, 1, text);
                None
            }
        }
    }

    /// What the dials say, if the quantity is not it.
    fn mismatch(&self, quantity: i64, previous: Dial, current: Dial) -> Option<i64> {
        let plain = current.reading.as_milliwatt_hours() - previous.reading.as_milliwatt_hours();
        let turned = if plain < 0 { plain + previous.end.max(current.end) } else { plain };
        let is_same = [plain, turned].contains(&quantity)
            || (self.is_fed_in && [plain, turned].contains(&quantity.saturating_neg()));
        (!is_same).then_some(turned)
    }
}

impl Dial {
    fn read(text: &[u8], unit: Unit) -> Result<Self, RejectionCode> {
        if text.first() == Some(&b'-') {
            return Err(RejectionCode::Negative);
        }
        let whole = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = u32::try_from(whole)
            .ok()
            .filter(|_| whole <= DIAL_DIGIT_COUNT_MAX)
            .and_then(|whole| 10_i64.checked_pow(whole + unit.decimals() + DIAL_DECIMALS))
            .ok_or(RejectionCode::NotANumber)?;
        signed(text, unit).map(|number| Self { reading: DialReading::from_milliwatt_hours(number), end })
    }
}

/// A number of this unit in thousandths of a watt-hour.
fn signed(text: &[u8], unit: Unit) -> Result<i64, RejectionCode> {
    let scaled = Decimal::parse(text, b'.').and_then(|number| number.scaled(unit.decimals() + DIAL_DECIMALS));
    scaled.map_err(|error| match error {
        DecimalError::TooFine => RejectionCode::FinerThanWattHour,
        DecimalError::Syntax | DecimalError::TooLong => RejectionCode::NotANumber,
    })
}

/// `41` → 41.
fn channel_of(suffix: &[u8]) -> Option<u8> {
    let [b'1'..=b'9', b'1'..=b'9'] = suffix else { return None };
    u8::try_from(number(suffix)?).ok()
}

fn flow_of(is_fed_in: bool, unit: Unit) -> Flow {
    let flows = [[Flow::Import, Flow::Export], [Flow::ReactiveImport, Flow::ReactiveExport]];
    let [taken, fed_in] = if unit.measures(Flow::Import) { flows[0] } else { flows[1] };
    if is_fed_in { fed_in } else { taken }
}

/// The raw text of a record that is set aside, with a word on a stamp that a spreadsheet rewrote.
pub(super) fn text<'a>(row: Row<'_>, record: &'a [u8]) -> Cow<'a, [u8]> {
    let stamps = [PREVIOUS_AT + 1, CURRENT_AT + 1, UPDATE_AT].map(|at| row.field(at));
    stamps::explained(record, &stamps)
}

/// The quantity and the dials, for a person.
fn told(row: Row<'_>, unit: Unit, quantity: i64, difference: i64) -> String {
    let shown = |at| String::from_utf8_lossy(row.field(at)).into_owned();
    let difference_shown = DialReading::from_milliwatt_hours(difference);
    let factor = match quantity.checked_rem(difference) {
        Some(0) if (quantity / difference) > 1 => {
            format!(", a multiplier of {}", quantity / difference)
        }
        _ => String::new(),
    };
    let kilo = if unit.measures(Flow::Import) { "kWh" } else { "kvarh" };
    format!(
        "quantity {} {}, dials {} to {}: {difference_shown} {kilo}{factor}",
        shown(QUANTITY_AT),
        shown(UNIT_AT),
        shown(PREVIOUS_AT),
        shown(CURRENT_AT),
    )
}
