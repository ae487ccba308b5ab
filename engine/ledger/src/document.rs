//! Canonical bytes of the documents that bills follow from: agreements and contracts. Tariffs stand in `tariff_bytes.rs`.
//!
//! ```text
//! every record   version = 1 ‖ kind ‖ fields in order, little-endian
//!
//! agreement 0x31 id[33] title currency[3] from[i32] to[i32] payee[u8] remainder[u8]
//!                rule[u8] = 1: rates[u32] × { zone[33] rate[i64] }
//!                rule[u8] = 2: share[u32], of 10^8
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

use tallywatt_core::agreement::{Agreement, Party, RATE_COUNT_MAX, SplitRule};
use tallywatt_core::calendar::{Day, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::hash::Published;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{Currency, TEXT_SIZE_MAX, Vat};
use tallywatt_core::validity::Validity;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::tree::{Root, Tree, TreeKind};

/// The version of these bytes.
pub const DOCUMENT_VERSION: u8 = 1;
/// Kind byte of an agreement.
pub const AGREEMENT_KIND: u8 = 0x31;
/// Kind byte of a contract.
pub const CONTRACT_KIND: u8 = 0x32;
/// Longest name of a time zone, bytes; the longest of the database has 32.
pub const ZONE_NAME_SIZE_MAX: usize = 64;

/// A `to` that never comes.
const FOR_GOOD: i32 = -1;
const RULE_PER_KWH: u8 = 1;
const RULE_SHARE: u8 = 2;

/// The canonical bytes of an agreement.
///
/// # Panics
/// If the agreement is not one that [`Agreement::check`] gave back.
#[must_use]
pub fn encode_agreement(agreement: &Agreement) -> Vec<u8> {
    assert_eq!(
        agreement.clone().check().as_ref(),
        Ok(agreement),
        "an agreement is checked before it is published"
    );
    let mut writer = Writer::record(DOCUMENT_VERSION, AGREEMENT_KIND);
    writer.label(&agreement.id).text(&agreement.title).raw(&agreement.currency.bytes());
    write_validity(&mut writer, agreement.validity);
    writer.u8(agreement.payee.code()).u8(agreement.remainder.code());
    match &agreement.rule {
        SplitRule::PerKwh(rates) => {
            writer.u8(RULE_PER_KWH).count(rates.len());
            for (zone, rate) in rates {
                writer.label(zone).i64(rate.as_e8());
            }
        }
        SplitRule::Share(share) => {
            writer.u8(RULE_SHARE).u32(*share);
        }
    }
    writer.finish()
}

/// The agreement of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`Agreement::check`] refuses together.
pub fn decode_agreement(bytes: &[u8]) -> Result<Agreement, CodecError> {
    let mut reader = Reader::record(bytes, DOCUMENT_VERSION, AGREEMENT_KIND)?;
    let start = reader.at();
    let id = reader.label("agreement id")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let currency = read_currency(&mut reader)?;
    let validity = read_validity(&mut reader)?;
    let payee = read_code(&mut reader, "payee", Party::from_code)?;
    let remainder = read_code(&mut reader, "remainder", Party::from_code)?;
    let rule_at = reader.at();
    let rule = match reader.u8("rule")? {
        RULE_PER_KWH => {
            let rate_count = read_count(&mut reader, "rates", RATE_COUNT_MAX)?;
            let mut rates = Vec::with_capacity(rate_count);
            for _ in 0..rate_count {
                let zone = reader.label("rate zone")?;
                rates.push((zone, PricePerKwh::from_e8(reader.i64("rate")?)));
            }
            SplitRule::PerKwh(rates)
        }
        RULE_SHARE => SplitRule::Share(reader.u32("share")?),
        _ => return Err(reader.refuse("rule", rule_at)),
    };
    let refused = reader.refuse("agreement", start);
    reader.finish()?;
    Agreement { id, title, currency, validity, payee, remainder, rule }.check().map_err(|_| refused)
}

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
    let zone_at = reader.at();
    let zone_name = short_text(&mut reader, "time zone", ZONE_NAME_SIZE_MAX)?;
    let zone = Zone::parse(zone_name).map_err(|_| reader.refuse("time zone", zone_at))?;
    let tariff = reader.label("tariff id")?;
    let agreement = reader.label("agreement id")?;
    let validity = read_validity(&mut reader)?;
    reader.finish()?;
    Ok(Contract { account, usage_point, register, zone, tariff, agreement, validity })
}

/// The agreement together with the content hash of its canonical bytes.
///
/// # Panics
/// As [`encode_agreement`].
#[must_use]
pub fn publish_agreement(agreement: Agreement) -> Published<Agreement> {
    Published { hash: digest::content_hash(&encode_agreement(&agreement)), body: agreement }
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

    fn agreement(rule: SplitRule) -> Agreement {
        Agreement {
            id: "grid-2026".parse().unwrap(),
            title: "Grid and supplier".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            payee: Party::Grid,
            remainder: Party::Supplier,
            rule,
        }
    }

    fn per_kwh() -> Agreement {
        let rate = |zone: &str, rate: &str| (zone.parse().unwrap(), rate.parse().unwrap());
        agreement(SplitRule::PerKwh(vec![rate("night", "1.1"), rate("all", "2.3")]))
    }

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
        check(&per_kwh(), encode_agreement, decode_agreement);
        check(&agreement(SplitRule::Share(45_123_000)), encode_agreement, decode_agreement);
        check(&contract("A", "Europe/Amsterdam"), encode_contract, decode_contract);
        check(&contract("A", "+05:00"), encode_contract, decode_contract);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let contracts = [contract("A", "UTC"), contract("B", "+05:00")];
        let table = [
            (
                "per kWh",
                publish_agreement(per_kwh()).hash,
                "0ae4d0d17ec26a940e41a38048b2c4fffd83960725551c74dd635d37d05679c3",
            ),
            (
                "share",
                publish_agreement(agreement(SplitRule::Share(45_123_000))).hash,
                "87634a5a2cdc430e2f64512227094ff6d203343f186587406b442e18f30d1c9d",
            ),
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
        let too_long = |decoded: Result<(), CodecError>, want: &str| match decoded {
            Err(CodecError::TooLong { field, .. }) => assert_eq!(field, want),
            other => panic!("{want}: {other:?}"),
        };
        let mut bytes = encode_agreement(&per_kwh());
        let count_at = 2 + 33 + 4 + "Grid and supplier".len() + 3 + 8 + 2 + 1;
        bytes[count_at] = 17;
        too_long(decode_agreement(&bytes).map(drop), "rates");
        let zone_at = 2 + 66 + 3;
        let mut bytes = encode_contract(&contract("A", "UTC"));
        bytes.splice(zone_at..zone_at + 7, [65, 0, 0, 0].into_iter().chain([b'x'; 65]));
        too_long(decode_contract(&bytes).map(drop), "time zone");
    }

    #[test]
    fn kinds_are_apart() {
        let bytes = encode_contract(&contract("A", "UTC"));
        let kind = CodecError::Kind { kind: CONTRACT_KIND, version: 1, want: AGREEMENT_KIND };
        assert_eq!(decode_agreement(&bytes), Err(kind));
    }

    #[test]
    #[should_panic(expected = "canonical order")]
    fn contracts_out_of_order() {
        let _ = contracts_root(&[contract("B", "UTC"), contract("A", "UTC")]);
    }
}
