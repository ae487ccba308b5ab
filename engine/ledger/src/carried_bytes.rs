//! Canonical bytes of what a bill stands on and carries to the next one, as they stand at the end of a bill.
//!
//! ```text
//! previous[u8] 0 none, 1 ‖ hash[32]
//! carried[u32] × { kind[u8] ‖ fields ‖ quantity[i128] }, ascending, each once
//!   1 credit    usage point[33] zone[u8] 0 any, 1 ‖ name[33]      Wh, above 0
//!   2 peak      usage point[33] OBIS B, C, E[3] charge[33] month[u32]   W
//!   3 charged   tariff[33]                                        10^-11 of the currency
//!   4 due       tariff[33]                                        ditto, not negative
//! ```
//!
//! Also in `FORMAT.md` §3.

use tallywatt_core::calendar::Period;
use tallywatt_core::carried::{CARRIED_COUNT_MAX, Carried, CarriedKind};
use tallywatt_core::hash::ContentHash;

use crate::codec::{CodecError, Reader, Writer};
use crate::document::{read_code, read_register, write_register};

const CREDIT: u8 = 1;
const PEAK: u8 = 2;
const CHARGED: u8 = 3;
const DUE: u8 = 4;

pub(crate) fn write_previous(writer: &mut Writer, previous: Option<&ContentHash>) {
    writer.u8(u8::from(previous.is_some()));
    if let Some(hash) = previous {
        writer.hash(hash);
    }
}

pub(crate) fn read_previous(reader: &mut Reader<'_>) -> Result<Option<ContentHash>, CodecError> {
    match read_flag(reader, "previous bill")? {
        true => reader.hash("previous bill").map(Some),
        false => Ok(None),
    }
}

pub(crate) fn write_carried(writer: &mut Writer, carried: &[Carried]) {
    writer.count(carried.len());
    for one in carried {
        match one.kind {
            CarriedKind::Credit { usage_point, zone } => {
                writer.u8(CREDIT).label(&usage_point).u8(u8::from(zone.is_some()));
                if let Some(zone) = zone {
                    writer.label(&zone);
                }
            }
            CarriedKind::Peak { usage_point, register, charge, period } => {
                writer.u8(PEAK).label(&usage_point);
                write_register(writer, register);
                writer.label(&charge).u32(period.number());
            }
            CarriedKind::Charged { tariff } => {
                writer.u8(CHARGED).label(&tariff);
            }
            CarriedKind::Due { tariff } => {
                writer.u8(DUE).label(&tariff);
            }
        }
        writer.i128(one.quantity);
    }
}

/// Ascending, each once, each within what its kind takes.
pub(crate) fn read_carried(reader: &mut Reader<'_>) -> Result<Vec<Carried>, CodecError> {
    let count = reader.count("carried", CARRIED_COUNT_MAX)?;
    let mut carried: Vec<Carried> = Vec::new();
    for _ in 0..count {
        let at = reader.at();
        let kind = read_kind(reader)?;
        let one = Carried { kind, quantity: reader.i128("carried quantity")? };
        if !kind.takes(one.quantity) || carried.last().is_some_and(|last| last.kind >= kind) {
            return Err(reader.refuse("carried", at));
        }
        carried.push(one);
    }
    Ok(carried)
}

fn read_kind(reader: &mut Reader<'_>) -> Result<CarriedKind, CodecError> {
    let at = reader.at();
    Ok(match reader.u8("carried kind")? {
        CREDIT => {
            let usage_point = reader.label("usage point")?;
            let has_zone = read_flag(reader, "credit zone")?;
            let zone = if has_zone { Some(reader.label("zone")?) } else { None };
            CarriedKind::Credit { usage_point, zone }
        }
        PEAK => {
            let usage_point = reader.label("usage point")?;
            let register = read_register(reader)?;
            let charge = reader.label("demand charge")?;
            let period_at = reader.at();
            let period = Period::from_number(reader.u32("peak month")?);
            let period = period.ok_or_else(|| reader.refuse("peak month", period_at))?;
            CarriedKind::Peak { usage_point, register, charge, period }
        }
        CHARGED => CarriedKind::Charged { tariff: reader.label("tariff id")? },
        DUE => CarriedKind::Due { tariff: reader.label("tariff id")? },
        _ => return Err(reader.refuse("carried kind", at)),
    })
}

fn read_flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, CodecError> {
    read_code(reader, field, |code| match code {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })
}
