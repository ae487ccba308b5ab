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
//! fixed_per_day = "0"           # currency a day and usage point; also fixed_per_month, fixed_per_year
//! # minimum_per_month = "50"    # what a usage point pays at least, tax apart
//! # minimum_per_year = "600"    # the same for a year, settled in December
//! # holidays = ["2026-05-01"]   # days that windows can name
//! # range_counting = "in-order" # in-order | shares | each-zone
//! # range_unit = "month"        # what up_to_kwh is for: month | day | kw | kw-day
//! # range_kind = "graduated"    # graduated | volume | package
//! source = "illustrative"
//! [vat]
//! rate_percent = "22"           # at most two decimals
//! included = true
//! [[zone]]
//! name = "day"
//! windows = ["07:00-23:00"]     # local wall clock; "jun-sep weekday 07:00-23:00" then and on those days only
//! [[zone]]
//! name = "night"
//! windows = ["23:00-07:00"]
//! [[range]]                     # graduated; the last one has no up_to_kwh
//! up_to_kwh = "3900"
//! price = { day = "6.43", night = "3.02" }
//! [[range]]
//! price = { day = "8.27", night = "4.97" }   # below zero if need be; or of a published series: { series = "se3" }
//! # flat = "5"                  # once in a month that reaches the range
//! # package_kwh = "100"         # range_kind = "package": the price is that of each begun package
//! # [[demand]]                  # the month's highest power
//! # name = "peak"
//! # windows = ["weekday 07:00-23:00"]
//! # minutes = 30                # what power is averaged over
//! # measure = "highest"         # highest | mean of daily highest | mean at published hours
//! # hours = "so-ural"           # the list of hours, for the last of these
//! # ranges = [{ up_to_kw = "100", price = "13.5" }, { price = "12.1" }]
//! ```
//!
//! A price by the interval is `{ series = "se3", times = "1.0625", plus = "0.04" }`: the series' price times a
//! coefficient, at most six decimals, and something added; both may be left out.
//! What energy fed in does, and what a demand charge asks of earlier months, are in `netting_table.rs`; what deviations
//! from a plan cost in `deviation_table.rs`; who may take the tariff in `eligibility_table.rs`.

use std::collections::BTreeMap;
use std::ops::Range as Span;

use serde::Deserialize;
use tallywatt_core::calendar::Day;
use tallywatt_core::label::Label;
use tallywatt_core::money::{PRICE_DECIMALS, PricePerKwh, Rounding};
use tallywatt_core::tariff::{
    BoundUnit, CarryRules, DemandCharge, DemandMeasure, DemandRange, EligibilityBound, FixedCharges, Range,
    RangeCounting, RangeKind, RangeRule, RoundEach, SeriesPrice, TIMES_DECIMALS, TIMES_E6_MAX, Tariff,
    TariffError, TariffParts, TariffZone, Vat, Window,
};
use toml::{Spanned, Value};

use super::deviation_table::{DeviationTable, deviation_of};
use super::eligibility_table::{self, EligibilityTable, eligibility_of};
use super::error::DocumentError;
use super::field::{Field, Source};
use super::netting_table::{NettingTable, look_back_of, netting_of};
use super::windows::{self, WINDOWS};

/// Decimals of a kilowatt-hour down to the watt-hour.
const KWH_DECIMALS: u32 = 3;
/// Decimals of a per cent down to the unit of [`Vat::rate_e4`].
const VAT_DECIMALS: u32 = 2;
/// One hundred per cent in that unit.
const VAT_WHOLE: u16 = 10_000;

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const NAMED_TWICE: &str = "give each zone a name of its own";
const TILES: &str = "give every minute of the year to exactly one zone";
const RANGES: &str = "let the bounds ascend, and leave out up_to_kwh in the last range only";
const HOLIDAYS: &str = "write holidays as \"2026-05-01\", ascending, each once";
const DEMAND_NAMES: &str = "give each demand charge a name of its own";
const DEMAND_RANGES: &str = "let the bounds ascend, and leave out up_to_kw in the last range only";
const DEMAND_MINUTES: &str = "write minutes = 5, 15, 30 or 60";
const PACKAGES: &str = "write package_kwh above zero, and range_kind = \"package\"; with several zones range_counting = \"each-zone\"";
const SERIES: &str = "write { series = \"name\" }, with times = \"1.06\" and plus = \"0.04\" if need be";
const TIMES: &str = "write a coefficient above zero and at most 1000, such as \"1.06\"";
const SERIES_ORDER: &str =
    "leave one range, or write range_counting = \"in-order\" and range_kind = \"graduated\"";
const MEASURES: &str =
    "write highest, mean of daily highest, or mean at published hours with hours = \"name of a list\"";
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
    fixed_per_month: Option<Field>,
    fixed_per_year: Option<Field>,
    minimum_per_month: Option<Field>,
    minimum_per_year: Option<Field>,
    source: Field,
    holidays: Option<Spanned<Vec<Field>>>,
    range_counting: Option<Field>,
    range_unit: Option<Field>,
    range_kind: Option<Field>,
    vat: VatTable,
    zone: Vec<Spanned<ZoneTable>>,
    range: Vec<Spanned<RangeTable>>,
    #[serde(default)]
    demand: Vec<Spanned<DemandTable>>,
    netting: Option<NettingTable>,
    deviation: Option<DeviationTable>,
    eligibility: Option<Spanned<EligibilityTable>>,
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
    package_kwh: Option<Field>,
    flat: Option<Field>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DemandTable {
    name: Field,
    windows: Vec<Field>,
    minutes: Spanned<u8>,
    ranges: Spanned<Vec<DemandRangeTable>>,
    measure: Option<Field>,
    hours: Option<Field>,
    look_back_months: Option<Field>,
    look_back: Option<Spanned<Vec<Field>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DemandRangeTable {
    up_to_kw: Option<Field>,
    price: Field,
}

/// Where prices stand in a tariff file.
pub(super) struct Places {
    prices: Vec<Vec<Span<usize>>>,
    /// The first of the fixed charges.
    pub(super) fixed: Span<usize>,
    pub(super) currency: Span<usize>,
}

impl Places {
    /// Of a range and zone, both counted from 0.
    pub(super) fn price(&self, range: usize, zone: usize) -> Span<usize> {
        self.prices[range][zone].clone()
    }
}

/// Reads a tariff file, and tells where its prices stand.
pub(super) fn parse_with_places(source: &Source<'_>) -> Result<(Tariff, Places), DocumentError> {
    let tariff = parse(source)?;
    let file: TariffFile = source.read()?;
    let zones = &tariff.parts().zones;
    let prices = file.range.iter().map(|range| {
        let price = &range.get_ref().price;
        let place = |zone: &TariffZone| {
            price.get_ref().get(zone.name.as_str()).map_or_else(|| price.span(), Spanned::span)
        };
        zones.iter().map(place).collect()
    });
    let fixed = [&file.fixed_per_day, &file.fixed_per_month, &file.fixed_per_year];
    let fixed = fixed.into_iter().flatten().next().map_or_else(|| file.id.span(), Spanned::span);
    let places = Places { prices: prices.collect(), fixed, currency: file.currency.span() };
    Ok((tariff, places))
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
    let mut series = Vec::new();
    let ranges = (1..)
        .zip(&file.range)
        .map(|(number, range)| range_of(source, number, range.get_ref(), &zones, &mut series))
        .collect::<Result<Vec<_>, _>>()?;
    let demands = file
        .demand
        .iter()
        .map(|demand| demand_of(source, demand.get_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    let price = |name: &str, field: &Option<Field>| match field {
        Some(field) => price_of(source, name, field),
        None => Ok(PricePerKwh::default()),
    };
    let netting = file.netting.as_ref().map(|table| netting_of(source, table, &zones)).transpose()?;
    let mut look_backs = Vec::new();
    for (at, demand) in file.demand.iter().map(Spanned::get_ref).enumerate() {
        look_backs.extend(look_back_of(
            source,
            at,
            demand.look_back_months.as_ref(),
            demand.look_back.as_ref(),
        )?);
    }
    let parts = TariffParts {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        source: source.text("source", &file.source)?.to_owned(),
        currency: source.parse("currency", &file.currency, "write three capital letters, such as \"RUB\"")?,
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        holidays: holidays_of(source, file.holidays.as_ref())?,
        zones,
        range_rule: range_rule_of(source, &file)?,
        ranges,
        demands,
        fixed: FixedCharges {
            per_day: price("fixed_per_day", &file.fixed_per_day)?,
            per_month: price("fixed_per_month", &file.fixed_per_month)?,
            per_year: price("fixed_per_year", &file.fixed_per_year)?,
        },
        minimum_per_month: price("minimum_per_month", &file.minimum_per_month)?,
        vat: vat_of(source, &file.vat)?,
        rounding: rounding_of(source, &file.rounding)?,
        round_each: round_each_of(source, &file.round_each)?,
        series,
        netting,
        carry: CarryRules {
            look_backs,
            minimum_per_year: price("minimum_per_year", &file.minimum_per_year)?,
        },
        deviation: file.deviation.as_ref().map(|table| deviation_of(source, table)).transpose()?,
        eligibility: file
            .eligibility
            .as_ref()
            .map(|table| eligibility_of(source, table.get_ref()))
            .transpose()?,
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
    windows::parse(text).ok_or_else(|| {
        source.fail(&field.span(), format!("window {text:?} is not a stretch of a day"), WINDOWS)
    })
}

fn demand_of(source: &Source<'_>, demand: &DemandTable) -> Result<DemandCharge, DocumentError> {
    let name = source.parse("demand charge", &demand.name, NAMES)?;
    let windows = demand.windows.iter().map(|field| window_of(source, field)).collect::<Result<_, _>>()?;
    let range = |range: &DemandRangeTable| {
        let up_to_w = range.up_to_kw.as_ref().map(|field| source.decimal("up_to_kw", field, KWH_DECIMALS));
        Ok(DemandRange { up_to_w: up_to_w.transpose()?, price: price_of(source, "price", &range.price)? })
    };
    let ranges = demand.ranges.get_ref().iter().map(range).collect::<Result<_, _>>()?;
    let measure = measure_of(source, demand)?;
    Ok(DemandCharge { name, windows, minutes: *demand.minutes.get_ref(), ranges, measure })
}

fn measure_of(source: &Source<'_>, demand: &DemandTable) -> Result<DemandMeasure, DocumentError> {
    let text = match &demand.measure {
        Some(field) => source.text("measure", field)?,
        None => "highest",
    };
    let span = demand.measure.as_ref().or(demand.hours.as_ref()).map_or(demand.name.span(), Spanned::span);
    match (text, &demand.hours) {
        ("highest", None) => Ok(DemandMeasure::Highest),
        ("mean of daily highest", None) => Ok(DemandMeasure::MeanOfDailyHighest),
        ("mean at published hours", Some(hours)) => {
            Ok(DemandMeasure::MeanAtPublishedHours(source.parse("hours", hours, NAMES)?))
        }
        ("mean at published hours", None) => {
            Err(source.fail(&span, format!("measure {text:?} without hours"), MEASURES))
        }
        ("highest" | "mean of daily highest", Some(_)) => {
            Err(source.fail(&span, format!("hours beside measure {text:?}"), MEASURES))
        }
        _ => Err(source.fail(&span, format!("measure {text:?} is not known"), MEASURES)),
    }
}

fn holidays_of(source: &Source<'_>, days: Option<&Spanned<Vec<Field>>>) -> Result<Vec<Day>, DocumentError> {
    let days = days.into_iter().flat_map(Spanned::get_ref);
    days.map(|day| source.parse("holiday", day, HOLIDAYS)).collect()
}

fn range_rule_of(source: &Source<'_>, file: &TariffFile) -> Result<RangeRule, DocumentError> {
    let counting = [
        ("in-order", RangeCounting::InOrder),
        ("shares", RangeCounting::Shares),
        ("each-zone", RangeCounting::EachZone),
    ];
    let unit = [
        ("month", BoundUnit::Month),
        ("day", BoundUnit::Day),
        ("kw", BoundUnit::Kw),
        ("kw-day", BoundUnit::KwDay),
    ];
    let kind =
        [("graduated", RangeKind::Graduated), ("volume", RangeKind::Volume), ("package", RangeKind::Package)];
    Ok(RangeRule {
        counting: word_of(
            source,
            "range_counting",
            file.range_counting.as_ref(),
            &counting,
            "write in-order, shares or each-zone",
        )?,
        unit: word_of(
            source,
            "range_unit",
            file.range_unit.as_ref(),
            &unit,
            "write month, day, kw or kw-day",
        )?,
        kind: word_of(
            source,
            "range_kind",
            file.range_kind.as_ref(),
            &kind,
            "write graduated, volume or package",
        )?,
    })
}

/// The value that a word stands for; the default where the field is left out.
fn word_of<T: Copy + Default>(
    source: &Source<'_>,
    name: &str,
    field: Option<&Field>,
    words: &[(&str, T)],
    next_step: &'static str,
) -> Result<T, DocumentError> {
    let Some(field) = field else { return Ok(T::default()) };
    let text = source.text(name, field)?;
    let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    known.ok_or_else(|| source.fail(&field.span(), format!("{name} {text:?} is not known"), next_step))
}

fn range_of(
    source: &Source<'_>,
    number: usize,
    range: &RangeTable,
    zones: &[TariffZone],
    series: &mut Vec<SeriesPrice>,
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
    let package_wh =
        range.package_kwh.as_ref().map(|field| source.decimal("package_kwh", field, KWH_DECIMALS));
    let package_wh = package_wh.transpose()?;
    let mut prices = Vec::with_capacity(zones.len());
    for (at, zone) in zones.iter().enumerate() {
        let field = given.get(zone.name.as_str()).ok_or_else(|| {
            let problem = format!("range {number} has no price for zone {}", zone.name);
            source.fail(&range.price.span(), problem, PRICES)
        })?;
        prices.push(match (field.get_ref(), package_wh) {
            (Value::Table(_), Some(_)) => {
                let problem = format!("range {number} sells packages at the prices of a series");
                return Err(source.fail(&field.span(), problem, PRICES));
            }
            (Value::Table(table), None) => {
                series.push(series_of(source, field.span(), table, (number, at))?);
                PricePerKwh::default()
            }
            (_, Some(_)) => price_of(source, "price", field)?,
            (_, None) => energy_price_of(source, "prices", field)?,
        });
    }
    let flat = range.flat.as_ref().map(|field| price_of(source, "flat", field)).transpose()?;
    Ok(Range { up_to_wh, prices, package_wh, flat: flat.unwrap_or_default() })
}

/// A price that a series says, of the range so numbered from 1 and the zone so numbered from 0.
fn series_of(
    source: &Source<'_>,
    span: Span<usize>,
    table: &toml::Table,
    (number, zone): (usize, usize),
) -> Result<SeriesPrice, DocumentError> {
    // Values within a value have no place of their own: all of them stand in its line.
    let field = |name: &str| table.get(name).map(|value| Spanned::new(span.clone(), value.clone()));
    if let Some(name) = table.keys().find(|name| !matches!(name.as_str(), "series" | "times" | "plus")) {
        return Err(source.fail(&span, format!("unknown field {name:?} in a series price"), SERIES));
    }
    let series = field("series")
        .ok_or_else(|| source.fail(&span, format!("range {number} has a price without a series"), SERIES))?;
    let times_e6 = match field("times") {
        Some(times) => source.decimal("times", &times, TIMES_DECIMALS)?,
        None => 10_i64.pow(TIMES_DECIMALS),
    };
    if !(1..=TIMES_E6_MAX).contains(&times_e6) {
        return Err(source.fail(&span, "times is not above zero and at most 1000", TIMES));
    }
    let plus = field("plus").map(|plus| energy_price_of(source, "plus", &plus)).transpose()?;
    let small = |number: usize| {
        u8::try_from(number).map_err(|_| source.fail(&span, "too many ranges or zones", "split the tariff"))
    };
    Ok(SeriesPrice {
        range: small(number - 1)?,
        zone: small(zone)?,
        series: source.parse("series", &series, NAMES)?,
        times_e6,
        plus: plus.unwrap_or_default(),
    })
}

/// A price of energy: below zero where energy costs less than nothing.
fn energy_price_of(source: &Source<'_>, name: &str, field: &Field) -> Result<PricePerKwh, DocumentError> {
    Ok(PricePerKwh::from_e8(source.decimal(name, field, PRICE_DECIMALS)?))
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
        file.zone.iter().rfind(named).map(|zone| zone.get_ref().name.span())
    };
    let demand = |name: &Label| {
        let named =
            |demand: &&Spanned<DemandTable>| demand.get_ref().name.get_ref().as_str() == Some(name.as_str());
        file.demand.iter().rfind(named).map(Spanned::get_ref)
    };
    let demand_name = |name: &Label| demand(name).map_or(top.clone(), |demand| demand.name.span());
    let zone_or_demand = |name: &Label| zone(name).unwrap_or_else(|| demand_name(name));
    let range = |number: usize| {
        file.range.get(number.wrapping_sub(1)).map_or(top.clone(), |range| range.get_ref().price.span())
    };
    let netting = file.netting.as_ref().map_or(top.clone(), |netting| netting.mode.span());
    let eligibility = |bound: Option<EligibilityBound>| {
        let table = file.eligibility.as_ref();
        let place = bound.and_then(|bound| table?.get_ref().place(bound));
        place.or_else(|| table.map(Spanned::span)).unwrap_or_else(|| top.clone())
    };
    match error {
        TariffError::Text("title") => (file.title.span(), "shorten it"),
        TariffError::Text(_) => (file.source.span(), "shorten it"),
        TariffError::Currency(_) => (file.currency.span(), "write three capital letters"),
        TariffError::Count { .. } => (top, "split the tariff, or leave something out"),
        TariffError::Holidays => (file.holidays.as_ref().map_or(top, Spanned::span), HOLIDAYS),
        TariffError::ZoneName(name) => (zone_or_demand(name), NAMED_TWICE),
        TariffError::DemandName(name) => (demand_name(name), DEMAND_NAMES),
        TariffError::Window { zone: name, .. } => (zone_or_demand(name), WINDOWS),
        TariffError::Overlap { second, .. } => (zone_or_demand(second), TILES),
        TariffError::DemandMinutes(name) => {
            (demand(name).map_or(top, |demand| demand.minutes.span()), DEMAND_MINUTES)
        }
        TariffError::DemandBounds(name) => {
            (demand(name).map_or(top, |demand| demand.ranges.span()), DEMAND_RANGES)
        }
        TariffError::BoundsPerKw => (
            file.range_unit.as_ref().map_or(top, Spanned::span),
            "write range_counting = \"shares\" or \"each-zone\"",
        ),
        TariffError::Gap(_) => (file.zone.first().map_or(top, |zone| zone.get_ref().name.span()), TILES),
        TariffError::Bounds(number) => (range(*number), RANGES),
        TariffError::Prices { range: number, .. } => (range(*number), PRICES),
        TariffError::Package(number) => (
            file.range
                .get(number.wrapping_sub(1))
                .and_then(|range| range.get_ref().package_kwh.as_ref())
                .map_or_else(|| range(*number), Spanned::span),
            PACKAGES,
        ),
        TariffError::NoPackage | TariffError::SharedPackage => {
            (file.range_kind.as_ref().map_or(top, Spanned::span), PACKAGES)
        }
        TariffError::Series { range: number } => (range(*number), SERIES),
        TariffError::Times { .. } => (top, TIMES),
        TariffError::SeriesOrder => (
            file.range_kind
                .as_ref()
                .or(file.range_counting.as_ref())
                .or(file.range_unit.as_ref())
                .map_or(top, Spanned::span),
            SERIES_ORDER,
        ),
        TariffError::HourMinutes(name) => {
            (demand(name).map_or(top, |demand| demand.minutes.span()), "write minutes = 60")
        }
        TariffError::Negative(_) => (top, "write zero or more"),
        TariffError::SellPrices { .. } => (netting, "give each zone one sell price"),
        TariffError::NettingMinutes(_) => (netting, "leave minutes out, or write mode = \"interval\""),
        TariffError::NettingCredit => {
            (netting, "write mode = \"month-carry\", and one sell price to pool zones")
        }
        TariffError::NettingOrder => (netting, "write range_counting = \"shares\" or \"each-zone\""),
        TariffError::DeviationNetting => (
            file.deviation.as_ref().map_or(top, |table| table.above.span()),
            "leave the table deviation or the table netting out",
        ),
        TariffError::LookBack(name) => (
            demand(name).and_then(|demand| demand.look_back.as_ref()).map_or(top, Spanned::span),
            "write look_back_months = 1 to 12 and a per cent above 0, at most 100",
        ),
        TariffError::EligibilityEmpty => (eligibility(None), eligibility_table::BOUNDS),
        TariffError::EligibilityNegative { bound, .. } => {
            (eligibility(Some(*bound)), eligibility_table::NEGATIVE)
        }
        TariffError::EligibilityCrossed { bound, .. } => {
            (eligibility(Some(*bound)), eligibility_table::CROSSED)
        }
        TariffError::Vat(_) => (file.vat.rate_percent.span(), "write the rate in per cent"),
    }
}
