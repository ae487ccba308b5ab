//! Canonical bytes of a tariff version.
//!
//! ```text
//! version = 5 ‖ 0x30 ‖ id[33] title source currency[3] from[i32] to[i32]
//!   holidays[u32] × day[i32]
//!   zones[u32] × { name[33] windows }
//!   counting[u8] bound unit[u8] range kind[u8]
//!   ranges[u32] × { up to[i64], Wh, 0 for no bound; a price[i64] a zone, 10^-8 }
//!   demand charges[u32] × { name[33] minutes[u8] windows ranges[u32] × { up to[i64], W, 0 for no bound; price[i64] } }
//!   fixed a day, a month, a year[3 × i64] minimum a month[i64]
//!   VAT rate[u16] VAT included[u8] rounding[u8] round each[u8]
//!   a range: package[i64], Wh, 0 for none; flat fee[i64]
//!   a demand charge: measure[u8]; 2: hours[33]
//!   series prices[u32] × { range[u8] zone[u8] series[33] times[i64], 10^-6, plus[i64] }
//!   netting[u8] 0 none, else the mode ‖ minutes[u8] a sell price[i64] a zone, pools zones[u8] settling month[u8], 0 none
//!   look-backs[u32] × { demand charge[u8] months[u8] 12 × part of a peak[u16], 10^-4 } minimum a year[i64]
//!   deviations[u8] 0 none; 1: series above[33] series below[33]
//!   eligibility[u8], a bit a bound that follows, 0 none ‖ peak at least, at most[i64], W; month at least, at most[i64], Wh
//! windows = count[u32] × { months[u16] days[u8] from[u16] to[u16] }
//! ```
//!
//! The rules of `document.rs` hold here too: one meaning, one code. Also in `FORMAT.md` §3.

use tallywatt_core::hash::Published;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::tariff::{
    BoundUnit, CarryRules, DEMAND_COUNT_MAX, DayKind, DemandCharge, DemandMeasure, DemandRange, Deviation,
    Eligibility, EligibilityBound, FixedCharges, HOLIDAY_COUNT_MAX, LookBack, MonthSet, Netting, NettingMode,
    RANGE_COUNT_MAX, Range, RangeCounting, RangeKind, RangeRule, RoundEach, SeriesPrice, TEXT_SIZE_MAX,
    Tariff, TariffParts, TariffZone, WINDOW_COUNT_MAX, Window, ZONE_COUNT_MAX,
};

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{
    read_code, read_count, read_currency, read_day, read_validity, read_vat, short_text, write_validity,
    write_vat,
};

/// The version of these bytes.
pub const TARIFF_VERSION: u8 = 5;
/// Kind byte of a tariff.
pub const TARIFF_KIND: u8 = 0x30;

/// The bound of the range that has none; a real bound is above zero.
const NO_BOUND: i64 = 0;
/// The package of a range by the kilowatt-hour; a real one is above zero.
const NO_PACKAGE: i64 = 0;
/// Codes of a demand charge's measure.
const HIGHEST: u8 = 0;
const MEAN_OF_DAILY_HIGHEST: u8 = 1;
const MEAN_AT_PUBLISHED_HOURS: u8 = 2;
/// The most series prices: every zone of every range.
const SERIES_PRICE_COUNT_MAX: usize = RANGE_COUNT_MAX * ZONE_COUNT_MAX;
/// The mode of a tariff that does not net.
const NO_NETTING: u8 = 0;
/// The bits of the eligibility bounds, in the order of their codes.
const ELIGIBILITY_BITS: [u8; EligibilityBound::ALL.len()] = [1, 2, 4, 8];
/// The settling month of credit that is settled when it ends.
const NO_MONTH: u8 = 0;

/// The canonical bytes of a tariff version.
#[must_use]
pub fn encode_tariff(tariff: &Tariff) -> Vec<u8> {
    let parts = tariff.parts();
    let mut writer = Writer::record(TARIFF_VERSION, TARIFF_KIND);
    writer.label(&parts.id).text(&parts.title).text(&parts.source).raw(&parts.currency.bytes());
    write_validity(&mut writer, parts.validity);
    writer.count(parts.holidays.len());
    for holiday in &parts.holidays {
        writer.i32(holiday.number());
    }
    writer.count(parts.zones.len());
    for zone in &parts.zones {
        writer.label(&zone.name);
        write_windows(&mut writer, &zone.windows);
    }
    let RangeRule { counting, unit, kind } = parts.range_rule;
    writer.u8(counting as u8).u8(unit as u8).u8(kind as u8);
    writer.count(parts.ranges.len());
    for range in &parts.ranges {
        writer.i64(range.up_to_wh.unwrap_or(NO_BOUND));
        for price in &range.prices {
            writer.i64(price.as_e8());
        }
    }
    writer.count(parts.demands.len());
    for demand in &parts.demands {
        writer.label(&demand.name).u8(demand.minutes);
        write_windows(&mut writer, &demand.windows);
        writer.count(demand.ranges.len());
        for range in &demand.ranges {
            writer.i64(range.up_to_w.unwrap_or(NO_BOUND)).i64(range.price.as_e8());
        }
    }
    let FixedCharges { per_day, per_month, per_year } = parts.fixed;
    for price in [per_day, per_month, per_year, parts.minimum_per_month] {
        writer.i64(price.as_e8());
    }
    write_vat(&mut writer, parts.vat);
    writer.u8(rounding_code(parts.rounding)).u8(parts.round_each as u8);
    for range in &parts.ranges {
        writer.i64(range.package_wh.unwrap_or(NO_PACKAGE)).i64(range.flat.as_e8());
    }
    for demand in &parts.demands {
        match &demand.measure {
            DemandMeasure::Highest => writer.u8(HIGHEST),
            DemandMeasure::MeanOfDailyHighest => writer.u8(MEAN_OF_DAILY_HIGHEST),
            DemandMeasure::MeanAtPublishedHours(hours) => writer.u8(MEAN_AT_PUBLISHED_HOURS).label(hours),
        };
    }
    writer.count(parts.series.len());
    for SeriesPrice { range, zone, series, times_e6, plus } in &parts.series {
        writer.u8(*range).u8(*zone).label(series).i64(*times_e6).i64(plus.as_e8());
    }
    write_netting(&mut writer, parts.netting.as_ref());
    writer.count(parts.carry.look_backs.len());
    for look_back in &parts.carry.look_backs {
        writer.u8(look_back.charge).u8(look_back.months);
        for percent in look_back.percent_e2 {
            writer.u16(percent);
        }
    }
    writer.i64(parts.carry.minimum_per_year.as_e8());
    match &parts.deviation {
        None => writer.u8(0),
        Some(rule) => writer.u8(1).label(&rule.above).label(&rule.below),
    };
    write_eligibility(&mut writer, parts.eligibility.as_ref());
    writer.finish()
}

fn write_netting(writer: &mut Writer, netting: Option<&Netting>) {
    let Some(netting) = netting else {
        writer.u8(NO_NETTING);
        return;
    };
    writer.u8(netting.mode as u8).u8(netting.minutes);
    for price in &netting.sell {
        writer.i64(price.as_e8());
    }
    writer.u8(u8::from(netting.pools_zones)).u8(netting.settle_month.unwrap_or(NO_MONTH));
}

fn read_netting(reader: &mut Reader<'_>, zone_count: usize) -> Result<Option<Netting>, CodecError> {
    let mode = read_code(reader, "netting", |code| match code {
        NO_NETTING => Some(None),
        code => NettingMode::ALL.get(usize::from(code) - 1).copied().map(Some),
    })?;
    let Some(mode) = mode else { return Ok(None) };
    let minutes = reader.u8("netting minutes")?;
    let sell = (0..zone_count).map(|_| read_price(reader)).collect::<Result<_, _>>()?;
    let pools_zones = read_code(reader, "pools zones", |code| by_code(code, [false, true]))?;
    let month = reader.u8("settling month")?;
    let settle_month = (month != NO_MONTH).then_some(month);
    Ok(Some(Netting { mode, minutes, sell, pools_zones, settle_month }))
}

fn write_eligibility(writer: &mut Writer, rule: Option<&Eligibility>) {
    let limits = EligibilityBound::ALL.map(|bound| rule.and_then(|rule| rule.limit(bound)));
    let bits = limits.iter().zip(ELIGIBILITY_BITS).filter(|(limit, _)| limit.is_some());
    writer.u8(bits.map(|(_, bit)| bit).sum());
    limits.into_iter().flatten().for_each(|limit| {
        writer.i64(limit);
    });
}

fn read_eligibility(reader: &mut Reader<'_>) -> Result<Option<Eligibility>, CodecError> {
    let all: u8 = ELIGIBILITY_BITS.into_iter().sum();
    let bits = read_code(reader, "eligibility", |code| (code <= all).then_some(code))?;
    let mut limits = [None; EligibilityBound::ALL.len()];
    for (limit, bit) in limits.iter_mut().zip(ELIGIBILITY_BITS) {
        if bits & bit != 0 {
            *limit = Some(reader.i64("eligibility bound")?);
        }
    }
    let [peak_w_at_least, peak_w_at_most, month_wh_at_least, month_wh_at_most] = limits;
    let rule = Eligibility { peak_w_at_least, peak_w_at_most, month_wh_at_least, month_wh_at_most };
    Ok((bits != 0).then_some(rule))
}

fn read_look_back(reader: &mut Reader<'_>) -> Result<LookBack, CodecError> {
    let (charge, months) = (reader.u8("look-back charge")?, reader.u8("look-back months")?);
    let mut percent_e2 = [0; 12];
    for percent in &mut percent_e2 {
        *percent = reader.u16("look-back part")?;
    }
    Ok(LookBack { charge, months, percent_e2 })
}

fn write_windows(writer: &mut Writer, windows: &[Window]) {
    writer.count(windows.len());
    for window in windows {
        writer.u16(window.months.bits()).u8(window.days as u8);
        writer.u16(window.from_minute).u16(window.to_minute);
    }
}

/// The tariff version of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`Tariff::new`] refuses together.
pub fn decode_tariff(bytes: &[u8]) -> Result<Tariff, CodecError> {
    let mut reader = Reader::record(bytes, TARIFF_VERSION, TARIFF_KIND)?;
    let start = reader.at();
    let id = reader.label("tariff id")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", TEXT_SIZE_MAX)?.to_owned();
    let currency = read_currency(&mut reader)?;
    let validity = read_validity(&mut reader)?;
    let holidays = list(&mut reader, "holidays", HOLIDAY_COUNT_MAX, |reader| read_day(reader, "holiday"))?;
    let zones = list(&mut reader, "zones", ZONE_COUNT_MAX, |reader| {
        Ok(TariffZone { name: reader.label("zone name")?, windows: read_windows(reader)? })
    })?;
    let range_rule = RangeRule {
        counting: read_code(&mut reader, "range counting", |code| {
            by_code(code, [RangeCounting::InOrder, RangeCounting::Shares, RangeCounting::EachZone])
        })?,
        unit: read_code(&mut reader, "bound unit", |code| {
            by_code(code, [BoundUnit::Month, BoundUnit::Day, BoundUnit::Kw, BoundUnit::KwDay])
        })?,
        kind: read_code(&mut reader, "range kind", |code| {
            by_code(code, [RangeKind::Graduated, RangeKind::Volume, RangeKind::Package])
        })?,
    };
    let mut ranges = list(&mut reader, "ranges", RANGE_COUNT_MAX, |reader| {
        let up_to_wh = read_bound(reader)?;
        let prices = zones.iter().map(|_| read_price(reader)).collect::<Result<_, _>>()?;
        Ok(Range::plain(up_to_wh, prices))
    })?;
    let mut demands = list(&mut reader, "demand charges", DEMAND_COUNT_MAX, read_demand)?;
    let fixed = FixedCharges {
        per_day: read_price(&mut reader)?,
        per_month: read_price(&mut reader)?,
        per_year: read_price(&mut reader)?,
    };
    let minimum_per_month = read_price(&mut reader)?;
    let vat = read_vat(&mut reader)?;
    let rounding = read_code(&mut reader, "rounding", |code| {
        by_code(code.wrapping_sub(1), [Rounding::HalfUp, Rounding::HalfEven, Rounding::Down])
    })?;
    let round_each =
        read_code(&mut reader, "round each", |code| by_code(code, [RoundEach::Line, RoundEach::Bill]))?;
    for range in &mut ranges {
        let package_wh = reader.i64("package")?;
        range.package_wh = (package_wh != NO_PACKAGE).then_some(package_wh);
        range.flat = read_price(&mut reader)?;
    }
    for demand in &mut demands {
        demand.measure = read_measure(&mut reader)?;
    }
    let series = list(&mut reader, "series prices", SERIES_PRICE_COUNT_MAX, |reader| {
        let (range, zone) = (reader.u8("series range")?, reader.u8("series zone")?);
        let (series, times_e6) = (reader.label("series")?, reader.i64("times")?);
        Ok(SeriesPrice { range, zone, series, times_e6, plus: read_price(reader)? })
    })?;
    let netting = read_netting(&mut reader, zones.len())?;
    let look_backs = list(&mut reader, "look-backs", DEMAND_COUNT_MAX, read_look_back)?;
    let carry = CarryRules { look_backs, minimum_per_year: read_price(&mut reader)? };
    let deviation = match read_code(&mut reader, "deviations", |code| by_code(code, [false, true]))? {
        false => None,
        true => {
            Some(Deviation { above: reader.label("series above")?, below: reader.label("series below")? })
        }
    };
    let eligibility = read_eligibility(&mut reader)?;
    let refused = reader.refuse("tariff", start);
    reader.finish()?;
    Tariff::new(TariffParts {
        id,
        title,
        source,
        currency,
        validity,
        holidays,
        zones,
        range_rule,
        ranges,
        demands,
        fixed,
        minimum_per_month,
        vat,
        rounding,
        round_each,
        series,
        netting,
        carry,
        deviation,
        eligibility,
    })
    .map_err(|_| refused)
}

fn read_demand(reader: &mut Reader<'_>) -> Result<DemandCharge, CodecError> {
    let name = reader.label("demand charge")?;
    let minutes = reader.u8("demand minutes")?;
    let windows = read_windows(reader)?;
    let ranges = list(reader, "demand ranges", RANGE_COUNT_MAX, |reader| {
        Ok(DemandRange { up_to_w: read_bound(reader)?, price: read_price(reader)? })
    })?;
    Ok(DemandCharge { name, windows, minutes, ranges, measure: DemandMeasure::Highest })
}

fn read_measure(reader: &mut Reader<'_>) -> Result<DemandMeasure, CodecError> {
    let at = reader.at();
    match reader.u8("measure")? {
        HIGHEST => Ok(DemandMeasure::Highest),
        MEAN_OF_DAILY_HIGHEST => Ok(DemandMeasure::MeanOfDailyHighest),
        MEAN_AT_PUBLISHED_HOURS => Ok(DemandMeasure::MeanAtPublishedHours(reader.label("hours")?)),
        _ => Err(reader.refuse("measure", at)),
    }
}

fn read_windows(reader: &mut Reader<'_>) -> Result<Vec<Window>, CodecError> {
    list(reader, "windows", WINDOW_COUNT_MAX, |reader| {
        let months_at = reader.at();
        let months = MonthSet::from_bits(reader.u16("window months")?);
        let months = months.ok_or_else(|| reader.refuse("window months", months_at))?;
        let days = read_code(reader, "window days", |code| by_code(code, DayKind::ALL))?;
        let (from_minute, to_minute) = (reader.u16("window start")?, reader.u16("window end")?);
        Ok(Window { months, days, from_minute, to_minute })
    })
}

fn read_bound(reader: &mut Reader<'_>) -> Result<Option<i64>, CodecError> {
    let bound = reader.i64("range bound")?;
    Ok((bound != NO_BOUND).then_some(bound))
}

fn read_price(reader: &mut Reader<'_>) -> Result<PricePerKwh, CodecError> {
    reader.i64("price").map(PricePerKwh::from_e8)
}

fn list<'a, T>(
    reader: &mut Reader<'a>,
    field: &'static str,
    max: usize,
    mut item: impl FnMut(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let count = read_count(reader, field, max)?;
    (0..count).map(|_| item(reader)).collect()
}

/// The value whose code is its place.
fn by_code<T: Copy, const COUNT: usize>(code: u8, values: [T; COUNT]) -> Option<T> {
    values.get(usize::from(code)).copied()
}

const fn rounding_code(rounding: Rounding) -> u8 {
    match rounding {
        Rounding::HalfUp => 1,
        Rounding::HalfEven => 2,
        Rounding::Down => 3,
    }
}

/// The tariff together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_tariff(tariff: Tariff) -> Published<Tariff> {
    Published { hash: digest::content_hash(&encode_tariff(&tariff)), body: tariff }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::check;
    use tallywatt_core::tariff::Vat;
    use tallywatt_core::validity::Validity;

    fn window(months: u16, days: DayKind, from_minute: u16, to_minute: u16) -> Window {
        Window { months: MonthSet::from_bits(months).unwrap(), days, from_minute, to_minute }
    }

    fn tariff() -> Tariff {
        let zone = |name: &str, windows| TariffZone { name: name.parse().unwrap(), windows };
        let prices = |texts: [&str; 3]| texts.map(|text| text.parse().unwrap()).to_vec();
        let demand_range = |up_to_w, price: &str| DemandRange { up_to_w, price: price.parse().unwrap() };
        let demand = |name: &str, minutes, measure| DemandCharge {
            name: name.parse().unwrap(),
            windows: vec![window(0x0E0, DayKind::Every, 0, 1_440)],
            minutes,
            ranges: vec![demand_range(Some(100_000), "13.5"), demand_range(None, "12.1")],
            measure,
        };
        Tariff::new(TariffParts {
            id: "ekb-three".parse().unwrap(),
            title: "Три зоны".into(),
            source: "illustrative".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), Some("2026-07-01".parse().unwrap()))
                .unwrap(),
            holidays: vec!["2026-01-01".parse().unwrap(), "2026-05-01".parse().unwrap()],
            zones: vec![
                zone("peak", vec![window(0xFFF, DayKind::Weekday, 420, 1_380)]),
                zone("night", vec![window(0xFFF, DayKind::Every, 1_380, 420)]),
                zone("quiet", vec![window(0xFFF, DayKind::DayOff, 420, 1_380)]),
            ],
            range_rule: RangeRule {
                counting: RangeCounting::EachZone,
                unit: BoundUnit::Kw,
                kind: RangeKind::Package,
            },
            ranges: vec![
                Range {
                    package_wh: Some(50_000),
                    ..Range::plain(Some(3_900_000), prices(["6.43", "3.02", "5.5"]))
                },
                Range { flat: "99.5".parse().unwrap(), ..Range::plain(None, prices(["-8.27", "4.97", "0"])) },
            ],
            demands: vec![
                demand("summer", 30, DemandMeasure::MeanOfDailyHighest),
                demand("system", 60, DemandMeasure::MeanAtPublishedHours("so-ural".parse().unwrap())),
            ],
            fixed: FixedCharges {
                per_day: "1.5".parse().unwrap(),
                per_month: "88.67".parse().unwrap(),
                per_year: "12".parse().unwrap(),
            },
            minimum_per_month: "100".parse().unwrap(),
            vat: Vat { rate_e4: 2_200, is_included: true },
            rounding: Rounding::HalfEven,
            round_each: RoundEach::Bill,
            series: Vec::new(),
            netting: Some(Netting {
                mode: NettingMode::MonthCarry,
                minutes: 0,
                sell: prices(["4", "4", "4"]),
                pools_zones: true,
                settle_month: Some(3),
            }),
            carry: CarryRules {
                look_backs: vec![LookBack {
                    charge: 0,
                    months: 11,
                    percent_e2: std::array::from_fn(|month| if month < 6 { 8_000 } else { 0 }),
                }],
                minimum_per_year: "730".parse().unwrap(),
            },
            deviation: None,
            eligibility: Some(Eligibility {
                peak_w_at_most: Some(150_000),
                month_wh_at_least: Some(0),
                ..Eligibility::default()
            }),
        })
        .unwrap()
    }

    /// The same without ranges, a zone of it by the interval.
    fn hourly() -> Tariff {
        let mut parts = tariff().parts().clone();
        parts.range_rule = RangeRule::default();
        parts.ranges.remove(0);
        let (series, plus) = ("se3".parse().unwrap(), "-0.00000001".parse().unwrap());
        parts.netting = None;
        let (above, below) = ("above".parse().unwrap(), "below".parse().unwrap());
        parts.deviation = Some(Deviation { above, below });
        parts.eligibility = None;
        parts.series = vec![SeriesPrice { range: 0, zone: 2, series, times_e6: 1_062_500, plus }];
        Tariff::new(parts).unwrap()
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        check(&tariff(), encode_tariff, decode_tariff);
        check(&hourly(), encode_tariff, decode_tariff);
        // A tariff without any of what is beyond a month.
        let plain = TariffParts { netting: None, carry: CarryRules::default(), ..tariff().parts().clone() };
        check(&Tariff::new(plain).unwrap(), encode_tariff, decode_tariff);
        // All bounds of who may take it.
        let every = Eligibility {
            peak_w_at_least: Some(1),
            peak_w_at_most: Some(2),
            month_wh_at_least: Some(3),
            month_wh_at_most: Some(i64::MAX),
        };
        let bounded = TariffParts { eligibility: Some(every), ..hourly().parts().clone() };
        check(&Tariff::new(bounded).unwrap(), encode_tariff, decode_tariff);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hash() {
        let hash = publish_tariff(tariff()).hash.to_string();
        assert_eq!(hash, "d2637e442de15cb857168b17b27cae21163ce5c05dc3be59c39076d4d07b15f6");
        let hash = publish_tariff(hourly()).hash.to_string();
        assert_eq!(hash, "a2d90a49aa790bc9eaa8141376d7132ceb4e1ce7217f50ad9241b51c5982972e");
    }

    #[test]
    fn limits_come_before_content() {
        let mut writer = Writer::record(TARIFF_VERSION, TARIFF_KIND);
        writer.label(&"t".parse().unwrap()).text(&"x".repeat(TEXT_SIZE_MAX + 1));
        match decode_tariff(&writer.finish()) {
            Err(CodecError::TooLong { field, .. }) => assert_eq!(field, "title"),
            other => panic!("{other:?}"),
        }
    }
}
