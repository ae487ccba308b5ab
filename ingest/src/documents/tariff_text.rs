//! A tariff back as the text of a tariff file: what is written here is read as the same tariff.

use std::fmt::Write as _;

use tallywatt_core::decimal::write_scaled;
use tallywatt_core::energy::Energy;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::tariff::{
    BoundUnit, DemandMeasure, FixedCharges, RangeCounting, RangeKind, RoundEach, SeriesPrice, TIMES_DECIMALS,
    Tariff, TariffParts, Window,
};

use super::deviation_table::render_deviation;
use super::eligibility_table::render_eligibility;
use super::netting_table::{render_look_back, render_netting};
use super::windows;

/// The tariff file of a tariff.
#[must_use]
pub fn render_tariff(tariff: &Tariff) -> String {
    let parts = tariff.parts();
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} = {}", quoted(value));
    };
    line("kind", "tariff");
    line("id", parts.id.as_str());
    line("title", &parts.title);
    line("currency", &parts.currency.to_string());
    line("valid_from", &parts.validity.from().to_string());
    if let Some(to) = parts.validity.to() {
        line("valid_to", &to.to_string());
    }
    line(
        "rounding",
        match parts.rounding {
            Rounding::HalfUp => "half-up",
            Rounding::HalfEven => "half-even",
            Rounding::Down => "down",
        },
    );
    line(
        "round_each",
        match parts.round_each {
            RoundEach::Line => "line",
            RoundEach::Bill => "bill",
        },
    );
    let FixedCharges { per_day, per_month, per_year } = parts.fixed;
    for (name, price) in [
        ("fixed_per_day", per_day),
        ("fixed_per_month", per_month),
        ("fixed_per_year", per_year),
        ("minimum_per_month", parts.minimum_per_month),
        ("minimum_per_year", parts.carry.minimum_per_year),
    ] {
        if price != PricePerKwh::default() {
            line(name, &price.to_string());
        }
    }
    line("source", &parts.source);
    if !parts.holidays.is_empty() {
        let days: Vec<String> = parts.holidays.iter().map(|day| quoted(&day.to_string())).collect();
        let _ = writeln!(text, "holidays = [{}]", days.join(", "));
    }
    render_range_rule(&mut text, parts);
    let percent = format!("{}.{:02}", parts.vat.rate_e4 / 100, parts.vat.rate_e4 % 100);
    let _ = writeln!(text, "[vat]\nrate_percent = \"{percent}\"\nincluded = {}", parts.vat.is_included);
    for zone in &parts.zones {
        let name = quoted(zone.name.as_str());
        let _ = writeln!(text, "[[zone]]\nname = {name}\nwindows = {}", render_windows(&zone.windows));
    }
    for (at, range) in parts.ranges.iter().enumerate() {
        text.push_str("[[range]]\n");
        if let Some(bound) = range.up_to_wh {
            let _ = writeln!(text, "up_to_kwh = \"{}\"", Energy::from_wh(bound));
        }
        let prices = parts.zones.iter().zip(&range.prices);
        let prices = prices.enumerate().map(|(zone_at, (zone, price))| {
            let written = match series_of(parts, at, zone_at) {
                Some(series) => render_series(series),
                None => quoted(&price.to_string()),
            };
            format!("{} = {written}", quoted(zone.name.as_str()))
        });
        let prices: Vec<String> = prices.collect();
        let _ = writeln!(text, "price = {{ {} }}", prices.join(", "));
        if let Some(package_wh) = range.package_wh {
            let _ = writeln!(text, "package_kwh = \"{}\"", Energy::from_wh(package_wh));
        }
        if range.flat != PricePerKwh::default() {
            let _ = writeln!(text, "flat = \"{}\"", range.flat);
        }
    }
    for (at, demand) in parts.demands.iter().enumerate() {
        let name = quoted(demand.name.as_str());
        let _ = writeln!(text, "[[demand]]\nname = {name}\nwindows = {}", render_windows(&demand.windows));
        let ranges = demand.ranges.iter().map(|range| match range.up_to_w {
            Some(bound) => {
                format!("{{ up_to_kw = \"{}\", price = \"{}\" }}", Energy::from_wh(bound), range.price)
            }
            None => format!("{{ price = \"{}\" }}", range.price),
        });
        let ranges = ranges.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "minutes = {}\nranges = [{ranges}]", demand.minutes);
        match &demand.measure {
            DemandMeasure::Highest => {}
            DemandMeasure::MeanOfDailyHighest => text.push_str("measure = \"mean of daily highest\"\n"),
            DemandMeasure::MeanAtPublishedHours(hours) => {
                let hours = quoted(hours.as_str());
                let _ = writeln!(text, "measure = \"mean at published hours\"\nhours = {hours}");
            }
        }
        if let Some(look_back) = parts.carry.look_back(at) {
            render_look_back(&mut text, look_back);
        }
    }
    render_netting(&mut text, parts);
    render_deviation(&mut text, parts);
    render_eligibility(&mut text, parts);
    text
}

fn series_of(parts: &TariffParts, range: usize, zone: usize) -> Option<&SeriesPrice> {
    parts.series_of(u8::try_from(range).ok()?, u8::try_from(zone).ok()?)
}

fn render_series(price: &SeriesPrice) -> String {
    let times = Scaled(i128::from(price.times_e6), TIMES_DECIMALS);
    let (series, plus) = (quoted(price.series.as_str()), price.plus);
    format!("{{ series = {series}, times = \"{times}\", plus = \"{plus}\" }}")
}

/// A number of so many decimals.
struct Scaled(i128, u32);

impl std::fmt::Display for Scaled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_scaled(f, self.0, self.1, 0)
    }
}

/// Only what is not as a tariff file has it without saying.
fn render_range_rule(text: &mut String, parts: &TariffParts) {
    let counting = match parts.range_rule.counting {
        RangeCounting::InOrder => None,
        RangeCounting::Shares => Some("shares"),
        RangeCounting::EachZone => Some("each-zone"),
    };
    let unit = match parts.range_rule.unit {
        BoundUnit::Month => None,
        BoundUnit::Day => Some("day"),
        BoundUnit::Kw => Some("kw"),
        BoundUnit::KwDay => Some("kw-day"),
    };
    let kind = match parts.range_rule.kind {
        RangeKind::Graduated => None,
        RangeKind::Volume => Some("volume"),
        RangeKind::Package => Some("package"),
    };
    for (name, word) in [("range_counting", counting), ("range_unit", unit), ("range_kind", kind)] {
        if let Some(word) = word {
            let _ = writeln!(text, "{name} = \"{word}\"");
        }
    }
}

fn render_windows(windows: &[Window]) -> String {
    let windows: Vec<String> = windows.iter().map(|window| quoted(&windows::render(window))).collect();
    format!("[{}]", windows.join(", "))
}

/// A TOML string; names and titles have no control characters.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
