//! The tariff file: one version of one tariff, as TOML.
//!
//! ```toml
//! kind = "tariff"
//! id = "ekb-two-zone"
//! title = "Two zones, city, Yekaterinburg"
//! currency = "RUB"
//! valid_from = "2026-01-01"
//! # valid_to = "2026-07-01"     # the first day it no longer holds
//! rounding = "half-up"          # half-up | half-even | down
//! round_each = "line"           # line | bill
//! fixed_per_day = "0"           # currency a day and usage point
//! source = "illustrative"
//! [vat]
//! rate_percent = "22"           # at most two decimals
//! included = true
//! [[zone]]
//! name = "day"
//! windows = ["07:00-23:00"]     # local wall clock; "weekday 07:00-23:00" and "weekend …" on those days only
//! [[zone]]
//! name = "night"
//! windows = ["23:00-07:00"]
//! [[range]]                     # graduated; the last one has no up_to_kwh
//! up_to_kwh = "3900"
//! price = { day = "6.43", night = "3.02" }
//! [[range]]
//! price = { day = "8.27", night = "4.97" }
//! ```

use std::collections::BTreeMap;
use std::ops::Range as Span;

use serde::Deserialize;
use tallywatt_core::label::Label;
use tallywatt_core::money::{PRICE_DECIMALS, PricePerKwh, Rounding};
use tallywatt_core::tariff::{
    DayKind, Range, RoundEach, Tariff, TariffError, TariffParts, TariffZone, Vat, Window,
};
use toml::Spanned;

use super::error::DocumentError;
use super::field::{Field, Source};

/// Decimals of a kilowatt-hour down to the watt-hour.
const KWH_DECIMALS: u32 = 3;
/// Decimals of a per cent down to the unit of [`Vat::rate_e4`].
const VAT_DECIMALS: u32 = 2;
/// One hundred per cent in that unit.
const VAT_WHOLE: u16 = 10_000;

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const NAMED_TWICE: &str = "give each zone a name of its own";
const WINDOWS: &str = "write windows as \"07:00-23:00\" on five-minute marks; midnight at the end is 24:00";
const TILES: &str = "give every minute of the week to exactly one zone";
const RANGES: &str = "let the bounds ascend, and leave out up_to_kwh in the last range only";
const PRICES: &str = "give each range one price for each zone";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffFile {
    #[serde(rename = "kind")]
    _kind: Field,
    id: Field,
    title: Field,
    currency: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    rounding: Field,
    round_each: Field,
    fixed_per_day: Option<Field>,
    source: Field,
    vat: VatTable,
    zone: Vec<Spanned<ZoneTable>>,
    range: Vec<Spanned<RangeTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VatTable {
    rate_percent: Field,
    included: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneTable {
    name: Field,
    windows: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeTable {
    up_to_kwh: Option<Field>,
    price: Spanned<BTreeMap<String, Field>>,
}

/// Reads a tariff file.
pub(super) fn parse(source: &Source<'_>) -> Result<Tariff, DocumentError> {
    let file: TariffFile = source.read()?;
    let zones =
        file.zone.iter().map(|zone| zone_of(source, zone.get_ref())).collect::<Result<Vec<_>, _>>()?;
    // Before the prices: a zone named twice would show there as a price for no zone.
    for (at, zone) in zones.iter().enumerate() {
        if zones[..at].iter().any(|other| other.name == zone.name) {
            let span = file.zone[at].get_ref().name.span();
            return Err(source.fail(&span, TariffError::ZoneName(zone.name).to_string(), NAMED_TWICE));
        }
    }
    let ranges = (1..)
        .zip(&file.range)
        .map(|(number, range)| range_of(source, number, range.get_ref(), &zones))
        .collect::<Result<Vec<_>, _>>()?;
    let fixed_per_day = match &file.fixed_per_day {
        Some(field) => price_of(source, "fixed_per_day", field)?,
        None => PricePerKwh::default(),
    };
    let parts = TariffParts {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        source: source.text("source", &file.source)?.to_owned(),
        currency: source.parse("currency", &file.currency, "write three capital letters, such as \"RUB\"")?,
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        zones,
        ranges,
        fixed_per_day,
        vat: vat_of(source, &file.vat)?,
        rounding: rounding_of(source, &file.rounding)?,
        round_each: round_each_of(source, &file.round_each)?,
    };
    Tariff::new(parts).map_err(|error| {
        let (span, next_step) = place_of(&error, &file);
        source.fail(&span, error.to_string(), next_step)
    })
}

fn zone_of(source: &Source<'_>, zone: &ZoneTable) -> Result<TariffZone, DocumentError> {
    let name = source.parse("zone name", &zone.name, NAMES)?;
    let windows = zone.windows.iter().map(|field| window_of(source, field)).collect::<Result<Vec<_>, _>>()?;
    Ok(TariffZone { name, windows })
}

fn window_of(source: &Source<'_>, field: &Field) -> Result<Window, DocumentError> {
    let text = source.text("window", field)?;
    let (days, clocks) = match text.split_once(' ') {
        Some(("weekday", clocks)) => (DayKind::Weekday, clocks),
        Some(("weekend", clocks)) => (DayKind::Weekend, clocks),
        _ => (DayKind::Every, text),
    };
    let minutes = clocks.split_once('-').and_then(|(from, to)| Some((minute_of(from)?, minute_of(to)?)));
    match minutes {
        Some((from_minute @ ..1_440, to_minute @ 1..)) => Ok(Window { days, from_minute, to_minute }),
        _ => Err(source.fail(&field.span(), format!("window {text:?} is not a stretch of a day"), WINDOWS)),
    }
}

/// `07:05` → 425; up to `24:00`.
fn minute_of(clock: &str) -> Option<u16> {
    let (hours, minutes) = clock.split_once(':')?;
    let two_digits = |text: &str| -> Option<u16> {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain { text.parse().ok() } else { None }
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 1_440).then_some(minute)
}

fn range_of(
    source: &Source<'_>,
    number: usize,
    range: &RangeTable,
    zones: &[TariffZone],
) -> Result<Range, DocumentError> {
    let up_to_wh = match &range.up_to_kwh {
        Some(field) => Some(source.decimal("up_to_kwh", field, KWH_DECIMALS)?),
        None => None,
    };
    let given = range.price.get_ref();
    if let Some((name, field)) =
        given.iter().find(|(name, _)| !zones.iter().any(|zone| zone.name.as_str() == name.as_str()))
    {
        let problem = format!("range {number} has a price for {name:?}, which is no zone of this tariff");
        return Err(source.fail(&field.span(), problem, PRICES));
    }
    let price = |zone: &TariffZone| match given.get(zone.name.as_str()) {
        Some(field) => price_of(source, "prices", field),
        None => {
            let problem = format!("range {number} has no price for zone {}", zone.name);
            Err(source.fail(&range.price.span(), problem, PRICES))
        }
    };
    Ok(Range { up_to_wh, prices: zones.iter().map(price).collect::<Result<Vec<_>, _>>()? })
}

/// A price that is not negative.
pub(super) fn price_of(source: &Source<'_>, name: &str, field: &Field) -> Result<PricePerKwh, DocumentError> {
    let price = PricePerKwh::from_e8(source.decimal(name, field, PRICE_DECIMALS)?);
    if price.as_e8() < 0 {
        return Err(source.fail(&field.span(), format!("negative price {price}"), "write zero or more"));
    }
    Ok(price)
}

fn vat_of(source: &Source<'_>, vat: &VatTable) -> Result<Vat, DocumentError> {
    let rate = source.decimal("rate_percent", &vat.rate_percent, VAT_DECIMALS)?;
    match u16::try_from(rate) {
        Ok(rate_e4) if rate_e4 <= VAT_WHOLE => Ok(Vat { rate_e4, is_included: vat.included }),
        _ => {
            let problem = "rate_percent is not from 0 to 100";
            Err(source.fail(&vat.rate_percent.span(), problem, "write the rate in per cent, such as \"22\""))
        }
    }
}

fn rounding_of(source: &Source<'_>, field: &Field) -> Result<Rounding, DocumentError> {
    match source.text("rounding", field)? {
        "half-up" => Ok(Rounding::HalfUp),
        "half-even" => Ok(Rounding::HalfEven),
        "down" => Ok(Rounding::Down),
        other => {
            let problem = format!("rounding {other:?} is not known");
            Err(source.fail(&field.span(), problem, "write half-up, half-even or down"))
        }
    }
}

fn round_each_of(source: &Source<'_>, field: &Field) -> Result<RoundEach, DocumentError> {
    match source.text("round_each", field)? {
        "line" => Ok(RoundEach::Line),
        "bill" => Ok(RoundEach::Bill),
        other => {
            let problem = format!("round_each {other:?} is not known");
            Err(source.fail(&field.span(), problem, "write line or bill"))
        }
    }
}

/// Where in the file a mistake stands that shows only when the parts are put together.
fn place_of(error: &TariffError, file: &TariffFile) -> (Span<usize>, &'static str) {
    let top = file.id.span();
    let zone = |name: &Label| {
        let named =
            |zone: &&Spanned<ZoneTable>| zone.get_ref().name.get_ref().as_str() == Some(name.as_str());
        file.zone.iter().rfind(named).map_or(top.clone(), |zone| zone.get_ref().name.span())
    };
    let range = |number: usize| {
        file.range.get(number.wrapping_sub(1)).map_or(top.clone(), |range| range.get_ref().price.span())
    };
    match error {
        TariffError::Text("title") => (file.title.span(), "shorten it"),
        TariffError::Text(_) => (file.source.span(), "shorten it"),
        TariffError::Currency(_) => (file.currency.span(), "write three capital letters"),
        TariffError::Count { .. } => (top, "split the tariff, or leave something out"),
        TariffError::ZoneName(name) => (zone(name), NAMED_TWICE),
        TariffError::Window { zone: name, .. } => (zone(name), WINDOWS),
        TariffError::Overlap { second, .. } => (zone(second), TILES),
        TariffError::Gap(_) => (file.zone.first().map_or(top, |zone| zone.get_ref().name.span()), TILES),
        TariffError::Bounds(number) => (range(*number), RANGES),
        TariffError::Prices { range: number, .. } => (range(*number), PRICES),
        TariffError::Negative(_) => (top, "write zero or more"),
        TariffError::Vat(_) => (file.vat.rate_percent.span(), "write the rate in per cent"),
    }
}
