//! Canonical bytes of what is owed: bills.
//!
//! ```text
//! every record   version ‖ kind ‖ fields in order, little-endian
//!
//! bill 0x33      version = 3; account[33] period[u32] currency[3] tariffs[u32] × hash[32] agreement[32] readings[32]
//!                lines[u32] × { version[u8] kind[u8] range[u8] zone[u8]      kind 1 energy; 2 fixed: range, zone 0; 7 series;
//!                                                                            8 fed in: range 0; 9 minimum of the year;
//!                                                                            10 deviation from the plan: range 0 above, 1 below
//!                               quantity[i64] price[i64] exact[i128] amount[i64] }
//!                VAT lines[u32] × { rate[u16] included[u8] base[i64] amount[i64] }
//!                expected[u32] measured[u32] estimated[u32] missing[u32] total[i64] payee part[i128]
//!                price series, hour lists and plans[u32] × hash[32]
//!                previous and carried, as in `carried_bytes.rs`
//! ```
//!
//! Quantities are Wh or days, prices 10^-8, exact amounts 10^-11, amounts minor units. A record that decodes
//! encodes to the same bytes and adds up: what is stored twice (a product, a sum) is stored for the reader, and
//! checked. That it also follows from its tariffs and readings only computing it again can tell.
//! Also in `FORMAT.md` §3.

use tallywatt_core::bill::{
    Bill, ChargeKind, ChargeLine, Completeness, LINE_COUNT_MAX, MARKET_COUNT_MAX, VERSION_COUNT_MAX, VatLine,
};
use tallywatt_core::calendar::Period;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, Money, PricePerKwh};
use tallywatt_core::tariff::{DEMAND_COUNT_MAX, DeviationSide, FixedPer, RANGE_COUNT_MAX, ZONE_COUNT_MAX};

use crate::carried_bytes::{read_carried, read_previous, write_carried, write_previous};
use crate::codec::{CodecError, Reader, Writer};
use crate::document::{read_currency, read_vat, write_vat};

/// The version of these bytes.
pub const BILL_VERSION: u8 = 3;
/// Kind byte of a bill.
pub const BILL_KIND: u8 = 0x33;

const ENERGY: u8 = 1;
const FIXED: u8 = 2;
const DEMAND: u8 = 3;
const MINIMUM: u8 = 4;
const PACKAGE: u8 = 5;
const FLAT: u8 = 6;
const SERIES: u8 = 7;
const EXPORT: u8 = 8;
const YEAR_MINIMUM: u8 = 9;
const DEVIATION: u8 = 10;
/// The whole of a VAT rate.
const RATE_WHOLE: i128 = 10_000;

/// The canonical bytes of a bill.
///
/// # Panics
/// Past [`LINE_COUNT_MAX`], [`VERSION_COUNT_MAX`] or [`MARKET_COUNT_MAX`]: rating gives no such bill.
#[must_use]
pub fn encode_bill(bill: &Bill) -> Vec<u8> {
    assert!(fits(bill.lines.len(), LINE_COUNT_MAX), "{} lines in a bill", bill.lines.len());
    assert!(fits(bill.market.len(), MARKET_COUNT_MAX), "{} market documents in a bill", bill.market.len());
    assert!(fits(bill.tariffs.len(), VERSION_COUNT_MAX), "{} tariff versions in a bill", bill.tariffs.len());
    let mut writer = Writer::record(BILL_VERSION, BILL_KIND);
    writer.label(&bill.account).u32(bill.period.number()).raw(&bill.currency.bytes());
    writer.count(bill.tariffs.len());
    for hash in &bill.tariffs {
        writer.hash(hash);
    }
    writer.hash(&bill.agreement).hash(&bill.readings);
    writer.count(bill.lines.len());
    for line in &bill.lines {
        write_line(&mut writer, line);
    }
    writer.count(bill.vat.len());
    for line in &bill.vat {
        write_vat(&mut writer, line.vat);
        writer.i64(line.base.as_minor()).i64(line.amount.as_minor());
    }
    let Completeness { expected, measured, estimated, missing } = bill.completeness;
    writer.u32(expected).u32(measured).u32(estimated).u32(missing);
    writer.i64(bill.total.as_minor()).i128(bill.payee_part.as_e11());
    writer.count(bill.market.len());
    for hash in &bill.market {
        writer.hash(hash);
    }
    write_previous(&mut writer, bill.previous.as_ref());
    write_carried(&mut writer, &bill.carried);
    writer.finish()
}

/// The bill of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, lines out of order, or numbers that do not add up.
pub fn decode_bill(bytes: &[u8]) -> Result<Bill, CodecError> {
    let mut reader = Reader::record(bytes, BILL_VERSION, BILL_KIND)?;
    let account = reader.label("account")?;
    let period_at = reader.at();
    let period = Period::from_number(reader.u32("period")?);
    let period = period.ok_or_else(|| reader.refuse("period", period_at))?;
    let currency = read_currency(&mut reader)?;
    let tariffs = read_tariffs(&mut reader)?;
    let agreement = reader.hash("agreement")?;
    let readings = reader.hash("readings")?;
    let lines = read_lines(&mut reader, tariffs.len(), period)?;
    let vat = read_vat_lines(&mut reader, &lines)?;
    let completeness = read_completeness(&mut reader)?;
    let total_at = reader.at();
    let total = Money::from_minor(reader.i64("total")?);
    let on_top = vat.iter().filter(|line| !line.vat.is_included).map(|line| line.amount);
    if i128::from(total.as_minor()) != sum(lines.iter().map(|line| line.amount).chain(on_top)) {
        return Err(reader.refuse("total", total_at));
    }
    let payee_part = read_payee_part(&mut reader, total)?;
    let market = read_market(&mut reader)?;
    let previous = read_previous(&mut reader)?;
    let carried = read_carried(&mut reader)?;
    reader.finish()?;
    Ok(Bill {
        account,
        period,
        currency,
        tariffs,
        agreement,
        readings,
        lines,
        vat,
        completeness,
        total,
        payee_part,
        market,
        previous,
        carried,
    })
}

/// Appends what a line charges for: kind, range, zone.
pub(crate) fn write_charge(writer: &mut Writer, kind: ChargeKind) {
    let (kind, range, zone) = match kind {
        ChargeKind::Energy { range, zone } => (ENERGY, range, zone),
        ChargeKind::Demand { charge, range } => (DEMAND, range, charge),
        ChargeKind::Fixed(per) => (FIXED, per as u8, 0),
        ChargeKind::Minimum => (MINIMUM, 0, 0),
        ChargeKind::Package { range, zone } => (PACKAGE, range, zone),
        ChargeKind::Flat { range } => (FLAT, range, 0),
        ChargeKind::Series { range, zone } => (SERIES, range, zone),
        ChargeKind::Export { zone } => (EXPORT, 0, zone),
        ChargeKind::YearMinimum => (YEAR_MINIMUM, 0, 0),
        ChargeKind::Deviation(side) => (DEVIATION, side as u8, 0),
    };
    writer.u8(kind).u8(range).u8(zone);
}

fn write_line(writer: &mut Writer, line: &ChargeLine) {
    writer.u8(line.version);
    write_charge(writer, line.kind);
    writer.i64(line.quantity).i64(line.price.as_e8());
    writer.i128(line.exact.as_e11()).i64(line.amount.as_minor());
}

fn read_tariffs(reader: &mut Reader<'_>) -> Result<Vec<ContentHash>, CodecError> {
    let count_at = reader.at();
    let count = reader.count("tariffs", VERSION_COUNT_MAX)?;
    let mut tariffs = Vec::with_capacity(count);
    for _ in 0..count {
        let at = reader.at();
        let hash = reader.hash("tariff")?;
        if tariffs.contains(&hash) {
            return Err(reader.refuse("tariff", at));
        }
        tariffs.push(hash);
    }
    if tariffs.is_empty() { Err(reader.refuse("tariffs", count_at)) } else { Ok(tariffs) }
}

/// Lines by (version, kind, price), each a product, each amount within one minor unit of it.
fn read_lines(
    reader: &mut Reader<'_>,
    version_count: usize,
    period: Period,
) -> Result<Vec<ChargeLine>, CodecError> {
    let count = reader.count("lines", LINE_COUNT_MAX)?;
    let mut lines: Vec<ChargeLine> = Vec::new();
    for _ in 0..count {
        let at = reader.at();
        let line = read_line(reader, period)?;
        let place = |line: &ChargeLine| (line.version, line.kind, line.price);
        let is_after = lines.last().is_none_or(|last| place(last) < place(&line));
        if !is_after || usize::from(line.version) >= version_count {
            return Err(reader.refuse("line", at));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Takes what a line charges for; refused at `at`, where the line begins.
pub(crate) fn read_charge(reader: &mut Reader<'_>, at: usize) -> Result<ChargeKind, CodecError> {
    let (code, range, zone) = (reader.u8("line kind")?, reader.u8("line range")?, reader.u8("line zone")?);
    Ok(match (code, range, zone) {
        (code @ (ENERGY | PACKAGE | SERIES), range, zone)
            if usize::from(range) < RANGE_COUNT_MAX && usize::from(zone) < ZONE_COUNT_MAX =>
        {
            match code {
                ENERGY => ChargeKind::Energy { range, zone },
                PACKAGE => ChargeKind::Package { range, zone },
                _ => ChargeKind::Series { range, zone },
            }
        }
        (FLAT, range, 0) if usize::from(range) < RANGE_COUNT_MAX => ChargeKind::Flat { range },
        (DEMAND, range, charge)
            if usize::from(range) < RANGE_COUNT_MAX && usize::from(charge) < DEMAND_COUNT_MAX =>
        {
            ChargeKind::Demand { charge, range }
        }
        (FIXED, per @ 0..=2, 0) => ChargeKind::Fixed(FixedPer::ALL[usize::from(per)]),
        (MINIMUM, 0, 0) => ChargeKind::Minimum,
        (EXPORT, 0, zone) if usize::from(zone) < ZONE_COUNT_MAX => ChargeKind::Export { zone },
        (YEAR_MINIMUM, 0, 0) => ChargeKind::YearMinimum,
        (DEVIATION, side @ 0..=1, 0) => ChargeKind::Deviation(DeviationSide::ALL[usize::from(side)]),
        _ => return Err(reader.refuse("line kind", at)),
    })
}

fn read_line(reader: &mut Reader<'_>, period: Period) -> Result<ChargeLine, CodecError> {
    let at = reader.at();
    let version = reader.u8("line version")?;
    let kind = read_charge(reader, at)?;
    let (quantity, price) = (reader.i64("quantity")?, PricePerKwh::from_e8(reader.i64("price")?));
    let exact = ExactAmount::from_e11(reader.i128("exact amount")?);
    let amount = Money::from_minor(reader.i64("line amount")?);
    let line = ChargeLine { version, kind, quantity, price, exact, amount };
    // No bill has four billion days or packages, and no product of so many passes 128 bits.
    let is_count =
        matches!(kind, ChargeKind::Fixed(_) | ChargeKind::Package { .. } | ChargeKind::Flat { .. });
    let is_in_range = !is_count || u32::try_from(quantity).is_ok();
    // Rounding a line moves it by less than a minor unit; a share of a rounded bill by at most one.
    let one = Money::from_minor(1).exact().as_e11();
    let off = amount.exact().as_e11().abs_diff(exact.as_e11());
    // Only energy may cost less than nothing. What a series makes of it only its prices can tell.
    let is_product = match kind {
        kind if kind.is_by_interval() => price == PricePerKwh::default(),
        ChargeKind::Energy { .. } => kind.charge(quantity, price, period) == exact,
        _ => is_in_range && price.as_e8() >= 0 && kind.charge(quantity, price, period) == exact,
    };
    if !is_product || quantity < 0 || off > one.unsigned_abs() {
        return Err(reader.refuse("line", at));
    }
    Ok(line)
}

/// Tax lines by rate, over bases that add up to the lines, each tax within one minor unit.
fn read_vat_lines(reader: &mut Reader<'_>, lines: &[ChargeLine]) -> Result<Vec<VatLine>, CodecError> {
    let count_at = reader.at();
    let count = reader.count("VAT lines", VERSION_COUNT_MAX)?;
    let mut vat_lines: Vec<VatLine> = Vec::new();
    for _ in 0..count {
        let at = reader.at();
        let vat = read_vat(reader)?;
        let base = Money::from_minor(reader.i64("VAT base")?);
        let amount = Money::from_minor(reader.i64("VAT amount")?);
        let rate = i128::from(vat.rate_e4);
        let whole = if vat.is_included { RATE_WHOLE + rate } else { RATE_WHOLE };
        let off = (i128::from(amount.as_minor()) * whole).abs_diff(i128::from(base.as_minor()) * rate);
        let is_after = vat_lines.last().is_none_or(|last| last.vat < vat);
        if !is_after || rate > RATE_WHOLE || off >= whole.unsigned_abs() {
            return Err(reader.refuse("VAT line", at));
        }
        vat_lines.push(VatLine { vat, base, amount });
    }
    let bases = sum(vat_lines.iter().map(|line| line.base));
    if bases != sum(lines.iter().map(|line| line.amount)) || lines.is_empty() != vat_lines.is_empty() {
        return Err(reader.refuse("VAT lines", count_at));
    }
    Ok(vat_lines)
}

fn read_completeness(reader: &mut Reader<'_>) -> Result<Completeness, CodecError> {
    let at = reader.at();
    let completeness = Completeness {
        expected: reader.u32("expected intervals")?,
        measured: reader.u32("measured intervals")?,
        estimated: reader.u32("estimated intervals")?,
        missing: reader.u32("missing intervals")?,
    };
    let Completeness { expected, measured, estimated, missing } = completeness;
    if u64::from(measured) + u64::from(estimated) + u64::from(missing) != u64::from(expected) {
        return Err(reader.refuse("expected intervals", at));
    }
    Ok(completeness)
}

/// Price series and hour lists, ascending, each once.
fn read_market(reader: &mut Reader<'_>) -> Result<Vec<ContentHash>, CodecError> {
    let mut market: Vec<ContentHash> = Vec::new();
    for _ in 0..reader.count("market documents", MARKET_COUNT_MAX)? {
        let at = reader.at();
        let hash = reader.hash("market document")?;
        if market.last().is_some_and(|last| *last >= hash) {
            return Err(reader.refuse("market document", at));
        }
        market.push(hash);
    }
    Ok(market)
}

/// The payee's part: from nothing to all of `whole`; nothing of what is below zero.
pub(crate) fn read_payee_part(reader: &mut Reader<'_>, whole: Money) -> Result<ExactAmount, CodecError> {
    let at = reader.at();
    let part = ExactAmount::from_e11(reader.i128("payee part")?);
    let is_within = part >= ExactAmount::ZERO && part <= whole.exact().max(ExactAmount::ZERO);
    if is_within { Ok(part) } else { Err(reader.refuse("payee part", at)) }
}

/// Minor units, wide enough that nothing from outside overflows.
fn sum(amounts: impl Iterator<Item = Money>) -> i128 {
    amounts.map(|amount| i128::from(amount.as_minor())).sum()
}

pub(crate) fn fits(count: usize, max: u32) -> bool {
    u32::try_from(count).is_ok_and(|count| count <= max)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::digest::content_hash;
    use std::fmt::Debug;
    use tallywatt_core::carried::{CARRIED_AMOUNT_MAX, CARRIED_QUANTITY_MAX, Carried, CarriedKind};
    use tallywatt_core::money::Rounding;
    use tallywatt_core::register::Register;
    use tallywatt_core::tariff::Vat;

    fn line(version: u8, kind: ChargeKind, quantity: i64, price: &str) -> ChargeLine {
        let price: PricePerKwh = price.parse().unwrap();
        let exact = kind.charge(quantity, price, "2026-03".parse().unwrap());
        let amount = exact.round(Rounding::HalfUp).unwrap();
        ChargeLine { version, kind, quantity, price, exact, amount }
    }

    fn series(version: u8, wh: i64, e11: i128) -> ChargeLine {
        let (exact, price) = (ExactAmount::from_e11(e11), PricePerKwh::default());
        let amount = exact.round(Rounding::HalfUp).unwrap();
        let kind = ChargeKind::Series { range: 0, zone: 2 };
        ChargeLine { version, kind, quantity: wh, price, exact, amount }
    }

    fn deviation(version: u8, side: DeviationSide, wh: i64, e11: i128) -> ChargeLine {
        ChargeLine { kind: ChargeKind::Deviation(side), ..series(version, wh, e11) }
    }

    /// Two versions, one with VAT on top and one with VAT included.
    pub(crate) fn bill() -> Bill {
        let energy = |range, zone| ChargeKind::Energy { range, zone };
        let lines = vec![
            line(0, energy(0, 0), 123_456, "6.43"),
            line(0, energy(1, 1), 7_001, "4.97"),
            line(0, ChargeKind::Demand { charge: 1, range: 0 }, 5_200, "13.5"),
            line(0, ChargeKind::Fixed(FixedPer::Day), 14, "1.5"),
            line(0, ChargeKind::Fixed(FixedPer::Month), 14, "88.67"),
            line(1, energy(0, 0), 250_000, "7.125"),
            line(1, energy(0, 0), 1_000, "7.2"),
            line(1, ChargeKind::Minimum, 1_234_567_890_123, "100"),
            line(1, ChargeKind::Package { range: 1, zone: 0 }, 3, "12.5"),
            line(1, ChargeKind::Flat { range: 1 }, 1, "4"),
            series(1, 20_500, -123_456_789_012_345),
            line(1, ChargeKind::Export { zone: 1 }, 40_000, "4"),
            line(1, ChargeKind::YearMinimum, 5_000_000_000_000, "730"),
        ];
        let base =
            |version: u8| lines.iter().filter(|line| line.version == version).map(|line| line.amount).sum();
        let vat = |rate_e4, is_included, base: Money| {
            let whole = if is_included { 10_000 + i64::from(rate_e4) } else { 10_000 };
            let amount = Money::from_minor((base.as_minor() * i64::from(rate_e4) + whole / 2) / whole);
            VatLine { vat: Vat { rate_e4, is_included }, base, amount }
        };
        let vat = vec![vat(2_000, false, base(0)), vat(2_200, true, base(1))];
        let total: Money = lines.iter().map(|line| line.amount).chain([vat[0].amount]).sum();
        Bill {
            account: "EKB-000001".parse().unwrap(),
            period: "2026-03".parse().unwrap(),
            currency: "RUB".parse().unwrap(),
            tariffs: vec![ContentHash([1; 32]), ContentHash([2; 32])],
            agreement: ContentHash([3; 32]),
            readings: ContentHash([4; 32]),
            lines,
            vat,
            completeness: Completeness { expected: 1_488, measured: 1_480, estimated: 6, missing: 2 },
            total,
            payee_part: ExactAmount::from_e11(total.exact().as_e11() / 3),
            market: vec![ContentHash([5; 32]), ContentHash([6; 32])],
            previous: Some(ContentHash([5; 32])),
            carried: carried(),
        }
    }

    /// Above the plan and below it, the latter at a price below zero.
    fn deviating() -> Bill {
        let lines = vec![
            deviation(0, DeviationSide::Above, 7_300, 987_654_321_012),
            deviation(0, DeviationSide::Below, 12_000, -1_234),
        ];
        let total: Money = lines.iter().map(|line| line.amount).sum();
        let vat = Vat { rate_e4: 0, is_included: false };
        let vat = vec![VatLine { vat, base: total, amount: Money::ZERO }];
        Bill { lines, vat, total, payee_part: ExactAmount::ZERO, ..bill() }
    }

    /// One of each kind, and two of some.
    fn carried() -> Vec<Carried> {
        let (usage_point, charge) = ("66-000001".parse().unwrap(), "peak".parse().unwrap());
        let tariff = "ekb-three".parse().unwrap();
        let peak = |period: &str| CarriedKind::Peak {
            usage_point,
            register: Register::IMPORT,
            charge,
            period: period.parse().unwrap(),
        };
        [
            (CarriedKind::Credit { usage_point, zone: None }, 12),
            (CarriedKind::Credit { usage_point, zone: Some("day".parse().unwrap()) }, 1),
            (peak("2026-02"), 0),
            (peak("2026-03"), 5_200),
            (CarriedKind::Charged { tariff }, -7),
            (CarriedKind::Due { tariff }, 1 << 90),
        ]
        .map(|(kind, quantity)| Carried { kind, quantity })
        .to_vec()
    }

    /// Round trip; every truncation and an extra byte refused; every flipped bit refused or another value.
    fn check<T: PartialEq + Debug>(
        value: &T,
        encode: impl Fn(&T) -> Vec<u8>,
        decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    ) {
        let bytes = encode(value);
        assert_eq!(decode(&bytes).as_ref(), Ok(value));
        for size in 0..bytes.len() {
            assert!(decode(&bytes[..size]).is_err(), "cut to {size} bytes");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing { count: 1 }));
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = decode(&bent) {
                assert_ne!(other, *value, "bit {bit}");
                assert_eq!(encode(&other), bent, "bit {bit}");
            }
        }
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        check(&bill(), encode_bill, decode_bill);
        let nothing = Bill {
            lines: Vec::new(),
            vat: Vec::new(),
            total: Money::ZERO,
            payee_part: ExactAmount::ZERO,
            ..bill()
        };
        check(&nothing, encode_bill, decode_bill);
        check(&Bill { previous: None, carried: Vec::new(), ..bill() }, encode_bill, decode_bill);
        check(&deviating(), encode_bill, decode_bill);
        // More fed in than taken: nothing is left to divide.
        let mut credited = nothing;
        credited.lines = vec![line(0, ChargeKind::Export { zone: 0 }, 1_000, "5")];
        credited.total = credited.lines[0].amount;
        let vat = Vat { rate_e4: 0, is_included: false };
        credited.vat = vec![VatLine { vat, base: credited.total, amount: Money::ZERO }];
        assert!(credited.total < Money::ZERO);
        check(&credited, encode_bill, decode_bill);
        let vat = Vat { rate_e4: 2_000, is_included: false };
        let lines = vec![line(0, ChargeKind::Energy { range: 0, zone: 0 }, 1_000, "-6.43")];
        let (base, amount) = (Money::from_minor(-643), Money::from_minor(-129));
        let below_zero = Bill {
            lines,
            vat: vec![VatLine { vat, base, amount }],
            total: Money::from_minor(-772),
            payee_part: ExactAmount::ZERO,
            market: Vec::new(),
            ..bill()
        };
        check(&below_zero, encode_bill, decode_bill);
        let bent = Bill { payee_part: ExactAmount::from_e11(-1), ..below_zero };
        assert!(decode_bill(&encode_bill(&bent)).is_err());
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let table = [(
            "bill",
            encode_bill(&bill()),
            "2d4625df88d91340bd42e5db6cbc7c862756410e492f818710154692b6cc015e",
        )];
        for (name, bytes, want) in table {
            assert_eq!(content_hash(&bytes).to_string(), want, "{name}");
        }
    }

    /// The field that is refused, and what was done to the value before it was encoded.
    type Bent<T> = (&'static str, fn(&mut T));

    #[test]
    fn a_bill_adds_up() {
        let table: &[Bent<Bill>] = &[
            ("line", |bill| bill.lines[0].exact = ExactAmount::from_e11(bill.lines[0].exact.as_e11() + 1)),
            ("line", |bill| bill.lines[0].quantity += 1),
            ("line", |bill| bill.lines[0].amount = Money::from_minor(bill.lines[0].amount.as_minor() + 2)),
            ("line", |bill| bill.lines[0] = line(0, bill.lines[0].kind, -5, "6.43")),
            ("line", |bill| bill.lines[3].quantity = 1 << 32),
            ("line", |bill| bill.lines.swap(0, 1)),
            ("line", |bill| bill.lines[1] = bill.lines[0]),
            ("line", |bill| bill.lines[5].version = 2),
            ("line", |bill| bill.lines.swap(5, 6)),
            ("line", |bill| bill.lines[6].price = bill.lines[5].price),
            ("line", |bill| bill.lines[8].exact = ExactAmount::from_e11(-bill.lines[8].exact.as_e11())),
            ("line kind", |bill| bill.lines[8].kind = ChargeKind::Export { zone: 16 }),
            ("carried", |bill| bill.carried.swap(0, 1)),
            ("carried", |bill| bill.carried[1] = bill.carried[0]),
            ("carried", |bill| bill.carried[0].quantity = 0),
            ("carried", |bill| bill.carried[0].quantity = CARRIED_QUANTITY_MAX + 1),
            ("carried", |bill| bill.carried[2].quantity = -1),
            ("carried", |bill| bill.carried[4].quantity = -CARRIED_AMOUNT_MAX - 1),
            ("carried", |bill| bill.carried[5].quantity = -1),
            ("line kind", |bill| bill.lines[0].kind = ChargeKind::Energy { range: 16, zone: 0 }),
            ("line kind", |bill| bill.lines[0].kind = ChargeKind::Energy { range: 0, zone: 16 }),
            ("tariff", |bill| bill.tariffs[1] = bill.tariffs[0]),
            ("tariffs", |bill| bill.tariffs.clear()),
            ("VAT line", |bill| bill.vat.swap(0, 1)),
            ("VAT line", |bill| bill.vat[0].vat.rate_e4 = 10_001),
            ("VAT line", |bill| bill.vat[0].amount = Money::from_minor(bill.vat[0].amount.as_minor() + 2)),
            ("VAT lines", |bill| bill.vat.truncate(1)),
            ("expected intervals", |bill| bill.completeness.missing += 1),
            ("expected intervals", |bill| bill.completeness.measured = u32::MAX),
            ("total", |bill| bill.total = Money::from_minor(bill.total.as_minor() + 1)),
            ("payee part", |bill| bill.payee_part = ExactAmount::from_e11(bill.total.exact().as_e11() + 1)),
            ("payee part", |bill| bill.payee_part = ExactAmount::from_e11(-1)),
            ("line", |bill| bill.lines[2] = line(0, bill.lines[2].kind, 5, "-1")),
            ("line", |bill| bill.lines[7] = line(1, bill.lines[7].kind, 5, "-1")),
            ("line", |bill| bill.lines[7].quantity = 1 << 32),
            ("line", |bill| bill.lines[8].quantity = -1),
            ("line", |bill| bill.lines[9].price = PricePerKwh::from_e8(1)),
            ("line", |bill| bill.lines[9].exact = ExactAmount::ZERO),
            ("line", |bill| bill.lines[9].quantity = -1),
            ("line kind", |bill| bill.lines[9].kind = ChargeKind::Series { range: 16, zone: 0 }),
            ("line kind", |bill| bill.lines[8].kind = ChargeKind::Flat { range: 16 }),
            ("line", |bill| {
                bill.lines = vec![ChargeLine { price: PricePerKwh::from_e8(1), ..deviating().lines[0] }]
            }),
            ("line", |bill| bill.lines = vec![ChargeLine { quantity: -1, ..deviating().lines[0] }]),
            ("line", |bill| bill.lines = deviating().lines.into_iter().rev().collect()),
            ("market document", |bill| bill.market.swap(0, 1)),
            ("market document", |bill| bill.market[1] = bill.market[0]),
        ];
        for (want, bend) in table {
            let mut bent = bill();
            bend(&mut bent);
            match decode_bill(&encode_bill(&bent)) {
                Err(CodecError::Value { field, .. }) => assert_eq!(field, *want),
                other => panic!("{want}: {other:?}"),
            }
        }
    }
}
