//! Canonical bytes of contracts, and what documents share. Tariffs are in [`crate::tariff_bytes`], agreements in
//! [`crate::agreement_bytes`].
//!
//! ```text
//! every record   version = 2 ‖ kind ‖ fields in order, little-endian
//!
//! contract 0x32  account[33] usage point[33] OBIS B, C, E[3] time zone tariff[33] agreement[33] from[i32] to[i32]
//!                own prices[u32] × { 1 ‖ zone[33] range[u8], 0 for all, else from 1; or 2 ‖ fixed[u8], 0 day, 1 month, 2 year;
//!                                    price[i64] }, in order, each once
//! ```
//!
//! A title, source or time zone is its size in a `u32`, then UTF-8. Days count from 1970-01-01; a `to` of -1
//! means for good. Every stored code has one meaning and every meaning one code, so a record that decodes
//! encodes to the same bytes. Also in `FORMAT.md` §3.
//!
//! ```
//! use tallywatt_core::{calendar::Zone, contract::Contract, register::Register, validity::Validity};
//! use tallywatt_ledger::document::{decode_contract, encode_contract};
//!
//! let contract = Contract {
//!     account: "EKB-000001".parse()?,
//!     usage_point: "66-000001".parse()?,
//!     register: Register::IMPORT,
//!     zone: Zone::parse("Asia/Yekaterinburg")?,
//!     tariff: "two-zone".parse()?,
//!     agreement: "grid-2026".parse()?,
//!     validity: Validity::new("2026-01-01".parse()?, None)?,
//!     overrides: Vec::new(),
//! };
//! assert_eq!(decode_contract(&encode_contract(&contract))?, contract);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use tallywatt_core::calendar::{Day, Zone};
use tallywatt_core::contract::{Contract, OVERRIDE_COUNT_MAX, Overridden, PriceOverride, overrides_in_order};
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{Currency, FixedPer, RANGE_COUNT_MAX, Vat};
use tallywatt_core::validity::Validity;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::tree::{Root, Tree, TreeKind};

/// The version of these bytes.
pub const DOCUMENT_VERSION: u8 = 2;
/// Kind byte of a contract.
pub const CONTRACT_KIND: u8 = 0x32;
/// Longest name of a time zone, bytes; the longest of the database has 32.
pub const ZONE_NAME_SIZE_MAX: usize = 64;

/// A `to` that never comes.
const FOR_GOOD: i32 = -1;

/// The canonical bytes of a contract.
#[must_use]
pub fn encode_contract(contract: &Contract) -> Vec<u8> {
    let mut writer = Writer::record(DOCUMENT_VERSION, CONTRACT_KIND);
    writer.label(&contract.account).label(&contract.usage_point);
    write_register(&mut writer, contract.register);
    writer.text(contract.zone.name());
    writer.label(&contract.tariff).label(&contract.agreement);
    write_validity(&mut writer, contract.validity);
    write_overrides(&mut writer, &contract.overrides);
    writer.finish()
}

/// The contract of these canonical bytes.
///
/// # Errors
/// [`CodecError`] names the first field that is not canonical.
pub fn decode_contract(bytes: &[u8]) -> Result<Contract, CodecError> {
    let mut reader = Reader::record(bytes, DOCUMENT_VERSION, CONTRACT_KIND)?;
    let account = reader.label("account")?;
    let usage_point = reader.label("usage point")?;
    let register = read_register(&mut reader)?;
    let zone = read_zone(&mut reader)?;
    let tariff = reader.label("tariff id")?;
    let agreement = reader.label("agreement id")?;
    let validity = read_validity(&mut reader)?;
    let overrides = read_overrides(&mut reader)?;
    reader.finish()?;
    Ok(Contract { account, usage_point, register, zone, tariff, agreement, validity, overrides })
}

/// The root over the contracts, given in the order of [`tallywatt_core::contract::in_order`].
///
/// # Panics
/// As [`contracts_tree`].
#[must_use]
pub fn contracts_root(contracts: &[Contract]) -> Root {
    contracts_tree(contracts).root()
}

/// The tree over the contracts' content hashes, given in the order of [`tallywatt_core::contract::in_order`].
///
/// # Panics
/// If they are not in that order: two nodes would then sign two roots for one list.
#[must_use]
pub fn contracts_tree(contracts: &[Contract]) -> Tree {
    let in_order = contracts.is_sorted_by(|a, b| {
        (a.account, a.usage_point, a.register, a.validity)
            < (b.account, b.usage_point, b.register, b.validity)
    });
    assert!(in_order, "contracts stand in canonical order, each once");
    let hashes = contracts.iter().map(|contract| digest::content_hash(&encode_contract(contract)));
    Tree::new(TreeKind::Contracts, hashes.collect())
}

const OVERRIDES_ENERGY: u8 = 1;
const OVERRIDES_FIXED: u8 = 2;

fn write_overrides(writer: &mut Writer, overrides: &[PriceOverride]) {
    writer.count(overrides.len());
    for one in overrides {
        match one.what {
            Overridden::Energy { zone, range } => {
                writer.u8(OVERRIDES_ENERGY).label(&zone).u8(range.map_or(0, |range| range + 1));
            }
            Overridden::Fixed(per) => {
                writer.u8(OVERRIDES_FIXED).u8(per as u8);
            }
        }
        writer.i64(one.price.as_e8());
    }
}

fn read_overrides(reader: &mut Reader<'_>) -> Result<Vec<PriceOverride>, CodecError> {
    let at = reader.at();
    let mut overrides = Vec::new();
    for _ in 0..read_count(reader, "own prices", OVERRIDE_COUNT_MAX)? {
        let kind_at = reader.at();
        let what = match reader.u8("own price")? {
            OVERRIDES_ENERGY => {
                let zone = reader.label("zone")?;
                let range = read_code(reader, "range", |code| {
                    (usize::from(code) <= RANGE_COUNT_MAX).then(|| code.checked_sub(1))
                })?;
                Overridden::Energy { zone, range }
            }
            OVERRIDES_FIXED => Overridden::Fixed(read_code(reader, "fixed charge", |code| {
                FixedPer::ALL.get(usize::from(code)).copied()
            })?),
            _ => return Err(reader.refuse("own price", kind_at)),
        };
        overrides.push(PriceOverride { what, price: PricePerKwh::from_e8(reader.i64("price")?) });
    }
    match overrides_in_order(overrides.clone()) {
        Ok(ordered) if ordered == overrides => Ok(overrides),
        _ => Err(reader.refuse("own prices", at)),
    }
}

/// Appends OBIS groups B, C and E.
pub(crate) fn write_register(writer: &mut Writer, register: Register) {
    let Register { flow, channel, zone } = register;
    writer.u8(channel).u8(flow.group_c()).u8(zone);
}

/// Takes OBIS groups B, C and E.
pub(crate) fn read_register(reader: &mut Reader<'_>) -> Result<Register, CodecError> {
    let channel = reader.u8("channel")?;
    let flow = read_code(reader, "flow", Flow::from_group_c)?;
    Ok(Register { flow, channel, zone: reader.u8("zone register")? })
}

/// Appends rate and whether it is included.
pub(crate) fn write_vat(writer: &mut Writer, vat: Vat) {
    writer.u16(vat.rate_e4).u8(u8::from(vat.is_included));
}

/// Takes rate and whether it is included; a rate past 100 % is for the caller to refuse.
pub(crate) fn read_vat(reader: &mut Reader<'_>) -> Result<Vat, CodecError> {
    let rate_e4 = reader.u16("VAT rate")?;
    let is_included = read_code(reader, "VAT included", |code| match code {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })?;
    Ok(Vat { rate_e4, is_included })
}

/// Takes three capital letters.
pub(crate) fn read_currency(reader: &mut Reader<'_>) -> Result<Currency, CodecError> {
    let at = reader.at();
    let letters = reader.raw("currency", 3)?;
    let currency = <[u8; 3]>::try_from(letters).ok().and_then(Currency::from_bytes);
    currency.ok_or_else(|| reader.refuse("currency", at))
}

/// Takes one byte that must be a known code.
pub(crate) fn read_code<T>(
    reader: &mut Reader<'_>,
    field: &'static str,
    from_code: impl Fn(u8) -> Option<T>,
) -> Result<T, CodecError> {
    let at = reader.at();
    let code = reader.u8(field)?;
    from_code(code).ok_or_else(|| reader.refuse(field, at))
}

/// Takes a day that lies in the range of the calendar.
pub(crate) fn read_day(reader: &mut Reader<'_>, field: &'static str) -> Result<Day, CodecError> {
    let at = reader.at();
    let number = reader.i32(field)?;
    Day::from_number(number).ok_or_else(|| reader.refuse(field, at))
}

/// Appends first day and the day after the last.
pub(crate) fn write_validity(writer: &mut Writer, validity: Validity) {
    writer.i32(validity.from().number()).i32(validity.to().map_or(FOR_GOOD, Day::number));
}

/// Takes two days that are a validity.
pub(crate) fn read_validity(reader: &mut Reader<'_>) -> Result<Validity, CodecError> {
    let from = read_day(reader, "valid from")?;
    let at = reader.at();
    let to = match reader.i32("valid to")? {
        FOR_GOOD => None,
        number => Some(Day::from_number(number).ok_or_else(|| reader.refuse("valid to", at))?),
    };
    Validity::new(from, to).map_err(|_| reader.refuse("valid to", at))
}

/// Takes the name of a time zone.
pub(crate) fn read_zone(reader: &mut Reader<'_>) -> Result<Zone, CodecError> {
    let at = reader.at();
    let name = short_text(reader, "time zone", ZONE_NAME_SIZE_MAX)?;
    Zone::parse(name).map_err(|_| reader.refuse("time zone", at))
}

/// Takes a count of at most `max`.
pub(crate) fn read_count(
    reader: &mut Reader<'_>,
    field: &'static str,
    max: usize,
) -> Result<usize, CodecError> {
    reader.count(field, u32::try_from(max).expect("limits of documents are far below four billion"))
}

/// Takes a text of at most `max` bytes.
pub(crate) fn short_text<'a>(
    reader: &mut Reader<'a>,
    field: &'static str,
    max: usize,
) -> Result<&'a str, CodecError> {
    let at = reader.at();
    let text = reader.text(field)?;
    if text.len() > max {
        let wide = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        return Err(CodecError::TooLong { field, at, count: wide(text.len()), max: wide(max) });
    }
    Ok(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fmt::Debug;

    fn contract(account: &str, zone: &str) -> Contract {
        Contract {
            account: account.parse().unwrap(),
            usage_point: "66-000001".parse().unwrap(),
            register: "1-2:2.8.1".parse().unwrap(),
            zone: Zone::parse(zone).unwrap(),
            tariff: "ekb-three".parse().unwrap(),
            agreement: "grid-2026".parse().unwrap(),
            validity: Validity::new("2026-03-15".parse().unwrap(), None).unwrap(),
            overrides: Vec::new(),
        }
    }

    /// Round trip; every truncation and an extra byte refused; every flipped bit refused or another value.
    pub(crate) fn check<T: PartialEq + Debug>(
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
        check(&contract("A", "Europe/Amsterdam"), encode_contract, decode_contract);
        check(&contract("A", "+05:00"), encode_contract, decode_contract);
        check(&Contract { overrides: overrides(), ..contract("A", "UTC") }, encode_contract, decode_contract);
    }

    fn overrides() -> Vec<PriceOverride> {
        let own = |what, price: &str| PriceOverride { what, price: price.parse().unwrap() };
        let energy = |zone: &str, range| Overridden::Energy { zone: zone.parse().unwrap(), range };
        vec![
            own(energy("day", None), "6.1"),
            own(energy("day", Some(1)), "7"),
            own(energy("night", Some(0)), "0"),
            own(Overridden::Fixed(FixedPer::Month), "100"),
        ]
    }

    #[test]
    fn own_prices_stand_in_order_each_once() {
        let table: [fn(&mut Vec<PriceOverride>); 4] = [
            |own| own.swap(0, 1),
            |own| own[1] = own[0],
            |own| own[1].what = own[0].what,
            |own| own[3].price = PricePerKwh::from_e8(-1),
        ];
        for bend in table {
            let mut bent = overrides();
            bend(&mut bent);
            let bytes = encode_contract(&Contract { overrides: bent, ..contract("A", "UTC") });
            match decode_contract(&bytes) {
                Err(CodecError::Value { field, .. }) => assert_eq!(field, "own prices"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let contracts = [contract("A", "UTC"), contract("B", "+05:00")];
        let table = [
            (
                "contract",
                digest::content_hash(&encode_contract(&contracts[0])),
                "39edf81beefa2f7408c30810bcfbd711a2602ed9eab8d6b2ae4e33ead43a7003",
            ),
            (
                "contracts",
                contracts_root(&contracts).hash,
                "c13c58f91265e678c562c2c696dc61d6fc50b837e34d85cc3ab515e48ec5d864",
            ),
        ];
        for (name, got, want) in table {
            assert_eq!(got.to_string(), want, "{name}");
        }
    }

    #[test]
    fn limits_come_before_content() {
        let zone_at = 2 + 66 + 3;
        let mut bytes = encode_contract(&contract("A", "UTC"));
        bytes.splice(zone_at..zone_at + 7, [65, 0, 0, 0].into_iter().chain([b'x'; 65]));
        match decode_contract(&bytes) {
            Err(CodecError::TooLong { field, .. }) => assert_eq!(field, "time zone"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn kinds_are_apart() {
        let mut bytes = encode_contract(&contract("A", "UTC"));
        bytes[1] += 1;
        let kind =
            CodecError::Kind { kind: CONTRACT_KIND + 1, version: DOCUMENT_VERSION, want: CONTRACT_KIND };
        assert_eq!(decode_contract(&bytes), Err(kind));
    }

    #[test]
    #[should_panic(expected = "canonical order")]
    fn contracts_out_of_order() {
        let _ = contracts_root(&[contract("B", "UTC"), contract("A", "UTC")]);
    }
}
