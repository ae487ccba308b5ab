//! Canonical bytes of a correction bill.
//!
//! ```text
//! correction 0x3f   version = 1 ‖ kind ‖ before[u8] = 0: nothing stood; = 1: hash[32] of the bill or correction before
//!                   day[i32] bill: bytes of its record
//!                   lines[u32] × { tariff[32] kind[u8] range[u8] zone[u8] quantity[i64] exact[i128] amount[i64] }
//!                   VAT lines[u32] × { rate[u16] included[u8] base[i64] amount[i64] }
//!                   total[i64] payee part[i128]        more than before
//!                   total[i64] payee part[i128]        owed from now on
//!                   total[i64] payee part[i128]        charged more than before
//!                   barred by[u8]                      months, 0 if all of the bill is charged
//! ```
//!
//! A record that decodes encodes to the same bytes and adds up as far as it can be told from it alone. That it follows from
//! what stood before, only who has that can tell. Also in `FORMAT.md` §3.

use tallywatt_core::bill::{LINE_COUNT_MAX, VERSION_COUNT_MAX};
use tallywatt_core::correction::{Correction, Delta, DeltaLine, DeltaVat, Owed};
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::payment_terms::BACK_BILLING_MONTHS_MAX;

use crate::bill_bytes::{decode_bill, encode_bill, read_charge, write_charge};
use crate::codec::{CodecError, Reader, Writer};
use crate::document::{read_day, read_vat, write_vat};

/// The version of these bytes.
pub const CORRECTION_VERSION: u8 = 1;
/// Kind byte of a correction.
pub const CORRECTION_KIND: u8 = 0x3f;
/// The most delta lines: those of two bills that have no charge in common.
pub const DELTA_LINE_COUNT_MAX: u32 = 2 * LINE_COUNT_MAX;
/// The most tax lines, likewise.
pub const DELTA_VAT_COUNT_MAX: u32 = 2 * VERSION_COUNT_MAX;

const NOTHING_STOOD: u8 = 0;
const STOOD: u8 = 1;
/// Months of a correction that holds nothing back.
const NOT_BARRED: u8 = 0;

/// The canonical bytes of a correction.
///
/// # Panics
/// Past [`DELTA_LINE_COUNT_MAX`] or [`DELTA_VAT_COUNT_MAX`], or if the bill has no canonical bytes.
#[must_use]
pub fn encode_correction(correction: &Correction) -> Vec<u8> {
    let Correction { before, day, bill, delta, owed, charged, barred_by } = correction;
    let fits = |count: usize, max: u32| u32::try_from(count).is_ok_and(|count| count <= max);
    assert!(fits(delta.lines.len(), DELTA_LINE_COUNT_MAX), "{} delta lines", delta.lines.len());
    assert!(fits(delta.vat.len(), DELTA_VAT_COUNT_MAX), "{} delta tax lines", delta.vat.len());
    let mut writer = Writer::record(CORRECTION_VERSION, CORRECTION_KIND);
    match before {
        None => writer.u8(NOTHING_STOOD),
        Some(before) => writer.u8(STOOD).hash(before),
    };
    writer.i32(day.number()).bytes(&encode_bill(bill)).count(delta.lines.len());
    for line in &delta.lines {
        writer.hash(&line.tariff);
        write_charge(&mut writer, line.kind);
        writer.i64(line.quantity).i128(line.exact.as_e11()).i64(line.amount.as_minor());
    }
    writer.count(delta.vat.len());
    for line in &delta.vat {
        write_vat(&mut writer, line.vat);
        writer.i64(line.base.as_minor()).i64(line.amount.as_minor());
    }
    for owed in [Owed { total: delta.total, payee_part: delta.payee_part }, *owed, *charged] {
        writer.i64(owed.total.as_minor()).i128(owed.payee_part.as_e11());
    }
    writer.u8(barred_by.unwrap_or(NOT_BARRED));
    writer.finish()
}

/// The correction of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, lines out of order, or numbers that do not add up.
pub fn decode_correction(bytes: &[u8]) -> Result<Correction, CodecError> {
    let mut reader = Reader::record(bytes, CORRECTION_VERSION, CORRECTION_KIND)?;
    let at = reader.at();
    let before = match reader.u8("before")? {
        NOTHING_STOOD => None,
        STOOD => Some(reader.hash("before")?),
        _ => return Err(reader.refuse("before", at)),
    };
    let day_at = reader.at();
    let day = read_day(&mut reader, "correction day")?;
    let bill = decode_bill(reader.bytes("bill")?)?;
    if day < bill.period.end_day() {
        return Err(reader.refuse("correction day", day_at));
    }
    let delta_at = reader.at();
    let (lines, vat) = (read_lines(&mut reader)?, read_vat_lines(&mut reader)?);
    let sums = read_owed(&mut reader)?;
    let delta = Delta { lines, vat, total: sums.total, payee_part: sums.payee_part };
    let is_whole = before.is_some() || Delta::between(None, &bill).as_ref() == Some(&delta);
    if !delta.is_balanced() || !is_whole {
        return Err(reader.refuse("delta", delta_at));
    }
    let owed_at = reader.at();
    let (owed, charged) = (read_owed(&mut reader)?, read_owed(&mut reader)?);
    let barred_at = reader.at();
    let barred_by = match reader.u8("barred by")? {
        NOT_BARRED => None,
        months if months <= BACK_BILLING_MONTHS_MAX => Some(months),
        _ => return Err(reader.refuse("barred by", barred_at)),
    };
    let follows = match barred_by {
        None => owed == Owed::of(&bill) && (before.is_some() || charged == owed),
        Some(_) => owed.total < bill.total && charged == Owed::default(),
    };
    if !follows {
        return Err(reader.refuse("owed", owed_at));
    }
    reader.finish()?;
    Ok(Correction { before, day, bill, delta, owed, charged, barred_by })
}

/// Lines by (tariff, kind), of each something differs.
fn read_lines(reader: &mut Reader<'_>) -> Result<Vec<DeltaLine>, CodecError> {
    let mut lines: Vec<DeltaLine> = Vec::new();
    for _ in 0..reader.count("delta lines", DELTA_LINE_COUNT_MAX)? {
        let at = reader.at();
        let line = DeltaLine {
            tariff: reader.hash("tariff")?,
            kind: read_charge(reader, at)?,
            quantity: reader.i64("quantity")?,
            exact: ExactAmount::from_e11(reader.i128("exact amount")?),
            amount: Money::from_minor(reader.i64("line amount")?),
        };
        let is_after = lines.last().is_none_or(|last| (last.tariff, last.kind) < (line.tariff, line.kind));
        let is_zero = (line.quantity, line.exact, line.amount) == (0, ExactAmount::ZERO, Money::ZERO);
        if !is_after || is_zero {
            return Err(reader.refuse("delta line", at));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Tax lines by rate, of each something differs.
fn read_vat_lines(reader: &mut Reader<'_>) -> Result<Vec<DeltaVat>, CodecError> {
    let mut lines: Vec<DeltaVat> = Vec::new();
    for _ in 0..reader.count("delta tax lines", DELTA_VAT_COUNT_MAX)? {
        let at = reader.at();
        let vat = read_vat(reader)?;
        let base = Money::from_minor(reader.i64("VAT base")?);
        let line = DeltaVat { vat, base, amount: Money::from_minor(reader.i64("VAT amount")?) };
        let is_after = lines.last().is_none_or(|last| last.vat < line.vat);
        if !is_after || (line.base, line.amount) == (Money::ZERO, Money::ZERO) {
            return Err(reader.refuse("delta tax line", at));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn read_owed(reader: &mut Reader<'_>) -> Result<Owed, CodecError> {
    let total = Money::from_minor(reader.i64("total")?);
    Ok(Owed { total, payee_part: ExactAmount::from_e11(reader.i128("payee part")?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill_bytes::tests::bill;
    use crate::digest::content_hash;
    use tallywatt_core::bill::Bill;
    use tallywatt_core::correction::Stands;
    use tallywatt_core::hash::ContentHash;

    /// The bill with one line and its tax less.
    fn lower() -> Bill {
        let mut bill = bill();
        let line = bill.lines.remove(1);
        bill.vat[0].base = Money::from_minor(bill.vat[0].base.as_minor() - line.amount.as_minor());
        let tax = Money::from_minor((bill.vat[0].base.as_minor() * 2_000 + 5_000) / 10_000);
        let less = line.amount.as_minor() + bill.vat[0].amount.as_minor() - tax.as_minor();
        bill.vat[0].amount = tax;
        bill.total = Money::from_minor(bill.total.as_minor() - less);
        bill.payee_part = ExactAmount::from_e11(bill.total.exact().as_e11() / 3);
        bill
    }

    fn corrected(from: &Bill, to: Bill, on: &str) -> Correction {
        let stands = Stands::issued(ContentHash([6; 32]), from);
        Correction::new(Some(&stands), on.parse().unwrap(), to, Some(12)).unwrap()
    }

    fn down() -> Correction {
        corrected(&bill(), lower(), "2026-06-09")
    }

    fn barred() -> Correction {
        corrected(&lower(), bill(), "2027-06-09")
    }

    fn first() -> Correction {
        Correction::new(None, "2026-06-09".parse().unwrap(), bill(), None).unwrap()
    }

    /// Round trip; every truncation and an extra byte refused; every flipped bit refused or another value.
    #[test]
    fn bytes_and_values_are_one_to_one() {
        for value in [down(), barred(), first(), corrected(&lower(), bill(), "2026-06-09")] {
            let bytes = encode_correction(&value);
            assert_eq!(decode_correction(&bytes).as_ref(), Ok(&value));
            for size in 0..bytes.len() {
                assert!(decode_correction(&bytes[..size]).is_err(), "cut to {size} bytes");
            }
            assert_eq!(
                decode_correction(&[&bytes[..], &[0]].concat()),
                Err(CodecError::Trailing { count: 1 })
            );
            for bit in 0..bytes.len() * 8 {
                let mut bent = bytes.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                if let Ok(other) = decode_correction(&bent) {
                    assert_ne!(other, value, "bit {bit}");
                    assert_eq!(encode_correction(&other), bent, "bit {bit}");
                }
            }
        }
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let table = [
            ("down", down(), "313e85db4ce186c621b2a93b43fb9a5ac344555d85a55d61b9717254885ba2b4"),
            ("barred", barred(), "2170359a8131627c748fc490584256ed86a18453eae41deafbdba8522119e975"),
            ("first", first(), "2d5aa3e23afef0ee139ec96d687b952fabdd6431ab2b18adc3e20779d01520ff"),
        ];
        let got = table.each_ref().map(|(_, value, _)| content_hash(&encode_correction(value)).to_string());
        assert_eq!(got, table.map(|(_, _, want)| want.to_owned()));
    }

    /// The field that is refused, and what was done to the value before it was encoded.
    type Bent = (&'static str, fn() -> Correction, fn(&mut Correction));

    #[test]
    fn a_correction_adds_up() {
        let table: &[Bent] = &[
            ("delta", down, |one| one.delta.lines[0].amount = Money::from_minor(0)),
            ("delta", down, |one| one.delta.total = Money::from_minor(one.delta.total.as_minor() + 1)),
            ("delta", down, |one| one.delta.vat.clear()),
            ("delta", first, |one| one.delta.lines[0].quantity += 1),
            ("delta", first, |one| one.delta.payee_part = ExactAmount::ZERO),
            ("delta line", first, |one| one.delta.lines.swap(0, 1)),
            ("delta line", first, |one| one.delta.lines[1] = one.delta.lines[0]),
            ("delta line", down, |one| {
                one.delta.lines[0] = DeltaLine {
                    quantity: 0,
                    exact: ExactAmount::ZERO,
                    amount: Money::ZERO,
                    ..one.delta.lines[0]
                }
            }),
            ("delta tax line", first, |one| one.delta.vat.swap(0, 1)),
            ("correction day", down, |one| one.day = "2026-03-31".parse().unwrap()),
            ("owed", down, |one| one.owed.total = Money::from_minor(one.owed.total.as_minor() - 1)),
            ("owed", down, |one| one.owed.payee_part = ExactAmount::ZERO),
            ("owed", down, |one| one.barred_by = Some(12)),
            ("owed", first, |one| one.charged = Owed::default()),
            ("owed", barred, |one| one.charged.total = Money::from_minor(1)),
            ("owed", barred, |one| one.barred_by = None),
            ("owed", barred, |one| one.owed.total = one.bill.total),
            ("barred by", barred, |one| one.barred_by = Some(121)),
        ];
        for (want, make, bend) in table {
            let mut bent = make();
            bend(&mut bent);
            match decode_correction(&encode_correction(&bent)) {
                Err(CodecError::Value { field, .. }) => assert_eq!(field, *want),
                other => panic!("{want}: {other:?}"),
            }
        }
    }
}
