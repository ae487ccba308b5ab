//! Canonical bytes of contracts, and what documents share. Tariffs are in [`crate::tariff_bytes`], agreements in
//! [`crate::agreement_bytes`].
//!
//! ```text
//! every record   version = 1 ‖ kind ‖ fields in order, little-endian
//!
//! contract 0x32  account[33] usage point[33] OBIS B, C, E[3] time zone tariff[33] agreement[33] from[i32] to[i32]
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
//! };
//! assert_eq!(decode_contract(&encode_contract(&contract))?, contract);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use tallywatt_core::calendar::{Day, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{Currency, Vat};
use tallywatt_core::validity::Validity;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::tree::{Root, Tree, TreeKind};

/// The version of these bytes.
pub const DOCUMENT_VERSION: u8 = 1;
/// Kind byte of a contract.
pub const CONTRACT_KIND: u8 = 0x32;
/// Longest name of a time zone, bytes; the longest of the database has 32.
pub const ZONE_NAME_SIZE_MAX: usize = 64;

/// A `to` that never comes.
const FOR_GOOD: i32 = -1;

/// The canonical bytes of a contract.
#[must_use]
pub fn encode_contract(contract: &Contract) -> Vec<u8> {
    let Register { flow, channel, zone } = contract.register;
    let mut writer = Writer::record(DOCUMENT_VERSION, CONTRACT_KIND);
    writer.label(&contract.account).label(&contract.usage_point);
    writer.u8(channel).u8(flow.group_c()).u8(zone).text(contract.zone.name());
    writer.label(&contract.tariff).label(&contract.agreement);
    write_validity(&mut writer, contract.validity);
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
    let channel = reader.u8("channel")?;
    let flow = read_code(&mut reader, "flow", Flow::from_group_c)?;
    let register = Register { flow, channel, zone: reader.u8("zone register")? };
    let zone = read_zone(&mut reader)?;
    let tariff = reader.label("tariff id")?;
    let agreement = reader.label("agreement id")?;
    let validity = read_validity(&mut reader)?;
    reader.finish()?;
    Ok(Contract { account, usage_point, register, zone, tariff, agreement, validity })
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
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let contracts = [contract("A", "UTC"), contract("B", "+05:00")];
        let table = [
            (
                "contract",
                digest::content_hash(&encode_contract(&contracts[0])),
                "762395024e0bc4f3836380f91ae75b40fe70bef75cf917a0a908af2edc51c001",
            ),
            (
                "contracts",
                contracts_root(&contracts).hash,
                "b9c88f8cb552cc2d3e764ec5c60e76839aa71c2a4bdd661fc84453477e89cb63",
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
        let kind = CodecError::Kind { kind: CONTRACT_KIND + 1, version: 1, want: CONTRACT_KIND };
        assert_eq!(decode_contract(&bytes), Err(kind));
    }

    #[test]
    #[should_panic(expected = "canonical order")]
    fn contracts_out_of_order() {
        let _ = contracts_root(&[contract("B", "UTC"), contract("A", "UTC")]);
    }
}
