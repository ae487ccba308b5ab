//! Settlement legs as bytes: of one payment, and summed over a settlement. One rule for both.

use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;
use tallywatt_core::split::{Leg, LegKind};

use crate::codec::{CodecError, Reader, Writer};

/// The most legs: three parties, six kinds.
pub const LEG_COUNT_MAX: u32 = 18;

/// Appends legs: a count, then (party, kind, amount) each.
pub fn write_legs(writer: &mut Writer, legs: &[Leg]) {
    writer.count(legs.len());
    for leg in legs {
        writer.u8(leg.party.code()).u8(leg.kind.code()).i64(leg.amount.as_minor());
    }
}

/// Takes legs: sorted by (party, kind), each once, above zero, each kind with a party that may hold it.
///
/// # Errors
/// [`CodecError`].
pub fn read_legs(reader: &mut Reader<'_>) -> Result<Vec<Leg>, CodecError> {
    let mut legs: Vec<Leg> = Vec::new();
    for _ in 0..reader.count("legs", LEG_COUNT_MAX)? {
        let at = reader.at();
        let refuse = || CodecError::Value { field: "leg", at };
        let party = Party::from_code(reader.u8("leg party")?).ok_or_else(refuse)?;
        let kind = LegKind::from_code(reader.u8("leg kind")?).ok_or_else(refuse)?;
        let amount_at = reader.at();
        let amount = Money::from_minor(reader.i64("leg amount")?);
        if amount <= Money::ZERO {
            return Err(CodecError::Value { field: "leg amount", at: amount_at });
        }
        let follows = legs.last().is_none_or(|last| (last.party, last.kind) < (party, kind));
        if !follows || !may_hold(party, kind) {
            return Err(refuse());
        }
        legs.push(Leg { party, kind, amount });
    }
    Ok(legs)
}

/// The bank only holds what it cannot match, and reserves; an advance is held by the supplier.
fn may_hold(party: Party, kind: LegKind) -> bool {
    match kind {
        LegKind::Part | LegKind::Remainder | LegKind::Accrual => party != Party::Bank,
        LegKind::Advance => party == Party::Supplier,
        LegKind::Suspense => party == Party::Bank,
        LegKind::Reserve => true,
    }
}
