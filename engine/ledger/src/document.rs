//! Canonical bytes of the documents that bills follow from: tariff versions and contracts. Agreements are in
//! [`crate::agreement_bytes`].
//!
//! ```text
//! every record   version = 1 ‖ kind ‖ fields in order, little-endian
//!
//! tariff 0x30    id[33] title source currency[3] from[i32] to[i32]
//!                zones[u32] × { name[33] windows[u32] × { days[u8] from[u16] to[u16] } }
//!                ranges[u32] × { up to[i64], Wh, 0 for no bound; a price[i64] a zone, 10^-8 }
//!                fixed[i64] VAT rate[u16] VAT included[u8] rounding[u8] round each[u8]
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
use tallywatt_core::hash::Published;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{
    Currency, DayKind, RANGE_COUNT_MAX, Range, RoundEach, TEXT_SIZE_MAX, Tariff, TariffParts, TariffZone,
    Vat, WINDOW_COUNT_MAX, Window, ZONE_COUNT_MAX,
};
use tallywatt_core::validity::Validity;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::tree::{Root, Tree, TreeKind};

/// The version of these bytes.
pub const DOCUMENT_VERSION: u8 = 1;
/// Kind byte of a tariff.
pub const TARIFF_KIND: u8 = 0x30;
/// Kind byte of a contract.
pub const CONTRACT_KIND: u8 = 0x32;
/// Longest name of a time zone, bytes; the longest of the database has 32.
pub const ZONE_NAME_SIZE_MAX: usize = 64;

/// A `to` that never comes.
const FOR_GOOD: i32 = -1;
/// The bound of the range that has none; a real bound is above zero.
const NO_BOUND: i64 = 0;

/// The canonical bytes of a tariff version.
#[must_use]
pub fn encode_tariff(tariff: &Tariff) -> Vec<u8> {
    let parts = tariff.parts();
    let mut writer = Writer::record(DOCUMENT_VERSION, TARIFF_KIND);
    writer.label(&parts.id).text(&parts.title).text(&parts.source).raw(&parts.currency.bytes());
    write_validity(&mut writer, parts.validity);
    writer.count(parts.zones.len());
    for zone in &parts.zones {
        writer.label(&zone.name).count(zone.windows.len());
        for window in &zone.windows {
            writer.u8(day_kind_code(window.days)).u16(window.from_minute).u16(window.to_minute);
        }
    }
    writer.count(parts.ranges.len());
    for range in &parts.ranges {
        writer.i64(range.up_to_wh.unwrap_or(NO_BOUND));
        for price in &range.prices {
            writer.i64(price.as_e8());
        }
    }
    writer.i64(parts.fixed_per_day.as_e8());
    write_vat(&mut writer, parts.vat);
    writer.u8(rounding_code(parts.rounding)).u8(round_each_code(parts.round_each));
    writer.finish()
}

/// The tariff version of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`Tariff::new`] refuses together.
pub fn decode_tariff(bytes: &[u8]) -> Result<Tariff, CodecError> {
    let mut reader = Reader::record(bytes, DOCUMENT_VERSION, TARIFF_KIND)?;
    let start = reader.at();
    let id = reader.label("tariff id")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", TEXT_SIZE_MAX)?.to_owned();
    let currency = read_currency(&mut reader)?;
    let validity = read_validity(&mut reader)?;
    let zone_count = read_count(&mut reader, "zones", ZONE_COUNT_MAX)?;
    let mut zones = Vec::with_capacity(zone_count);
    for _ in 0..zone_count {
        zones.push(read_tariff_zone(&mut reader)?);
    }
    let range_count = read_count(&mut reader, "ranges", RANGE_COUNT_MAX)?;
    let mut ranges = Vec::with_capacity(range_count);
    for _ in 0..range_count {
        let bound = reader.i64("range bound")?;
        let mut prices = Vec::with_capacity(zone_count);
        for _ in 0..zone_count {
            prices.push(PricePerKwh::from_e8(reader.i64("price")?));
        }
        ranges.push(Range { up_to_wh: (bound != NO_BOUND).then_some(bound), prices });
    }
    let fixed_per_day = PricePerKwh::from_e8(reader.i64("fixed charge")?);
    let vat = read_vat(&mut reader)?;
    let rounding = read_code(&mut reader, "rounding", rounding_from_code)?;
    let round_each = read_code(&mut reader, "round each", round_each_from_code)?;
    let refused = reader.refuse("tariff", start);
    reader.finish()?;
    Tariff::new(TariffParts {
        id,
        title,
        source,
        currency,
        validity,
        zones,
        ranges,
        fixed_per_day,
        vat,
        rounding,
        round_each,
    })
    .map_err(|_| refused)
}

fn read_tariff_zone(reader: &mut Reader<'_>) -> Result<TariffZone, CodecError> {
    let name = reader.label("zone name")?;
    let window_count = read_count(reader, "windows", WINDOW_COUNT_MAX)?;
    let mut windows = Vec::with_capacity(window_count);
    for _ in 0..window_count {
        let days = read_code(reader, "window days", day_kind_from_code)?;
        let (from_minute, to_minute) = (reader.u16("window start")?, reader.u16("window end")?);
        windows.push(Window { days, from_minute, to_minute });
    }
    Ok(TariffZone { name, windows })
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

/// The tariff together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_tariff(tariff: Tariff) -> Published<Tariff> {
    Published { hash: digest::content_hash(&encode_tariff(&tariff)), body: tariff }
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

const fn day_kind_code(days: DayKind) -> u8 {
    match days {
        DayKind::Every => 0,
        DayKind::Weekday => 1,
        DayKind::Weekend => 2,
    }
}

const fn day_kind_from_code(code: u8) -> Option<DayKind> {
    match code {
        0 => Some(DayKind::Every),
        1 => Some(DayKind::Weekday),
        2 => Some(DayKind::Weekend),
        _ => None,
    }
}

const fn rounding_code(rounding: Rounding) -> u8 {
    match rounding {
        Rounding::HalfUp => 1,
        Rounding::HalfEven => 2,
        Rounding::Down => 3,
    }
}

const fn rounding_from_code(code: u8) -> Option<Rounding> {
    match code {
        1 => Some(Rounding::HalfUp),
        2 => Some(Rounding::HalfEven),
        3 => Some(Rounding::Down),
        _ => None,
    }
}

const fn round_each_code(round_each: RoundEach) -> u8 {
    match round_each {
        RoundEach::Line => 0,
        RoundEach::Bill => 1,
    }
}

const fn round_each_from_code(code: u8) -> Option<RoundEach> {
    match code {
        0 => Some(RoundEach::Line),
        1 => Some(RoundEach::Bill),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    fn window(days: DayKind, from_minute: u16, to_minute: u16) -> Window {
        Window { days, from_minute, to_minute }
    }

    fn tariff() -> Tariff {
        let zone = |name: &str, windows| TariffZone { name: name.parse().unwrap(), windows };
        let prices = |texts: [&str; 3]| texts.map(|text| text.parse().unwrap()).to_vec();
        Tariff::new(TariffParts {
            id: "ekb-three".parse().unwrap(),
            title: "Три зоны".into(),
            source: "illustrative".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), Some("2026-07-01".parse().unwrap()))
                .unwrap(),
            zones: vec![
                zone("peak", vec![window(DayKind::Weekday, 420, 1_380)]),
                zone("night", vec![window(DayKind::Every, 1_380, 420)]),
                zone("quiet", vec![window(DayKind::Weekend, 420, 1_380)]),
            ],
            ranges: vec![
                Range { up_to_wh: Some(3_900_000), prices: prices(["6.43", "3.02", "5.5"]) },
                Range { up_to_wh: None, prices: prices(["8.27", "4.97", "7.125"]) },
            ],
            fixed_per_day: "1.5".parse().unwrap(),
            vat: Vat { rate_e4: 2_200, is_included: true },
            rounding: Rounding::HalfEven,
            round_each: RoundEach::Bill,
        })
        .unwrap()
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
        check(&tariff(), encode_tariff, decode_tariff);
        check(&contract("A", "Europe/Amsterdam"), encode_contract, decode_contract);
        check(&contract("A", "+05:00"), encode_contract, decode_contract);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let contracts = [contract("A", "UTC"), contract("B", "+05:00")];
        let table = [
            (
                "tariff",
                publish_tariff(tariff()).hash,
                "315317ee0381d82a32147f14965c0344ea911caf110b5a3bcb88e41e549770e7",
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
        let mut writer = Writer::record(DOCUMENT_VERSION, TARIFF_KIND);
        writer.label(&"t".parse().unwrap()).text(&"x".repeat(TEXT_SIZE_MAX + 1));
        too_long(decode_tariff(&writer.finish()).map(drop), "title");
        let zone_at = 2 + 66 + 3;
        let mut bytes = encode_contract(&contract("A", "UTC"));
        bytes.splice(zone_at..zone_at + 7, [65, 0, 0, 0].into_iter().chain([b'x'; 65]));
        too_long(decode_contract(&bytes).map(drop), "time zone");
    }

    #[test]
    fn kinds_are_apart() {
        let bytes = encode_contract(&contract("A", "UTC"));
        let kind = CodecError::Kind { kind: CONTRACT_KIND, version: 1, want: TARIFF_KIND };
        assert_eq!(decode_tariff(&bytes), Err(kind));
    }

    #[test]
    #[should_panic(expected = "canonical order")]
    fn contracts_out_of_order() {
        let _ = contracts_root(&[contract("B", "UTC"), contract("A", "UTC")]);
    }
}
