//! `tariff show | test | import`: tariffs to read, to try and to take over.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Day;
use tallywatt_core::energy::Energy;
use tallywatt_core::hash::Published;
use tallywatt_core::market::MarketBook;
use tallywatt_core::tariff::{
    BoundUnit, DemandMeasure, FixedPer, RangeCounting, RangeKind, Tariff, TariffParts,
};
use tallywatt_ingest::documents::{
    Document, UrdbOptions, import_urdb, parse_document, parse_tariff_cases, render_tariff,
};
use tallywatt_ledger::hour_list_bytes::publish_hour_list;
use tallywatt_ledger::plan_series_bytes::publish_plan_series;
use tallywatt_ledger::price_series_bytes::publish_price_series;
use tallywatt_ledger::tariff_bytes::publish_tariff;

use crate::args::Arguments;
use crate::eligibility;
use crate::failure::{Failure, code};
use crate::open::open;
use crate::output::{Report, Table, word};

/// A tariff in full, from a file or from the chain.
pub fn show(name: &str, day: Option<Day>, arguments: &Arguments) -> Result<Report, Failure> {
    if Path::new(name).is_file() {
        return Ok(shown(&read_tariff(Path::new(name))?));
    }
    let opened = open(arguments)?;
    let books = opened.consortium.node(Party::Supplier).books();
    let mut versions =
        books.tariffs().versions().iter().filter(|known| known.body.parts().id.as_str() == name);
    let version = match day {
        Some(day) => versions.rfind(|known| known.body.parts().validity.contains(day)),
        None => versions.next_back(),
    };
    let next = "see `tallywatt tariff list`";
    let unknown =
        || Failure::usage(format!("{name} is neither a file nor a published tariff that holds"), next);
    Ok(shown(version.ok_or_else(unknown)?))
}

/// Reads a file and takes the tariff it must be.
pub fn read_tariff(file: &Path) -> Result<Published<Tariff>, Failure> {
    let text = read_text(file)?;
    let name = file.display().to_string();
    match parse_document(&name, &text)? {
        Document::Tariff(tariff) => Ok(publish_tariff(*tariff)),
        _ => Err(Failure::usage(format!("{name} is no tariff"), "name a file of kind = \"tariff\"")),
    }
}

/// Reads a file and adds the price series, the list of hours or the plan that it must be.
pub fn read_market(file: &Path, market: &mut MarketBook) -> Result<(), Failure> {
    let text = read_text(file)?;
    let name = file.display().to_string();
    let added = match parse_document(&name, &text)? {
        Document::PriceSeries(series) => market.publish_series(publish_price_series(*series)),
        Document::HourList(hours) => market.publish_hours(publish_hour_list(*hours)),
        Document::PlanSeries(plan) => market.publish_plan(publish_plan_series(*plan)),
        _ => {
            let next = "name files that begin with #kind,price-series, #kind,hour-list or #kind,plan-series";
            return Err(Failure::usage(format!("{name} is neither prices, hours nor a plan"), next));
        }
    };
    added.map_err(|error| Failure::usage(format!("{name}: {error}"), "name each day's figures once"))
}

pub fn read_text(file: &Path) -> Result<String, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{}: not UTF-8", file.display()), "save the file as UTF-8"))
}

fn shown(version: &Published<Tariff>) -> Report {
    let parts = version.body.parts();
    let mut report = Report { table: Some(price_table(parts)), ..Report::default() };
    report.fact("tariff", parts.id.to_string()).fact("title", parts.title.clone());
    report.fact("source", parts.source.clone()).fact("validity", parts.validity.to_string());
    report.fact("hash", version.hash.to_string());
    if parts.ranges.len() > 1 {
        report.fact("ranges", ranges_in_words(parts));
    }
    let rate = format!("{}.{:02}", parts.vat.rate_e4 / 100, parts.vat.rate_e4 % 100);
    let place = if parts.vat.is_included { "in the prices" } else { "on top" };
    report.fact("VAT", format!("{rate} %, {place}"));
    if let Some(rule) = &parts.eligibility {
        report.fact("who may take it", eligibility::rule_in_words(rule));
    }
    if !parts.holidays.is_empty() {
        let days: Vec<String> = parts.holidays.iter().map(Day::to_string).collect();
        report.fact("holidays", days.join(", "));
    }
    report
}

fn ranges_in_words(parts: &TariffParts) -> String {
    let kind = match parts.range_rule.kind {
        RangeKind::Graduated => "each part at its range's price",
        RangeKind::Volume => "all at the price of the range reached",
        RangeKind::Package => "each part in its range's packages, or at its price",
    };
    let counting = match parts.range_rule.counting {
        RangeCounting::InOrder => "all zones together in order of time",
        RangeCounting::Shares => "all zones together, each with its share",
        RangeCounting::EachZone => "each zone for itself",
    };
    format!("{kind}, {counting}")
}

/// A row a zone and range, then demand, fixed charges and minimum.
fn price_table(parts: &TariffParts) -> Table {
    let mut table = Table::new(&["charge", "holds", "up to", "price", "per"]);
    let mut row = |charge: String, holds: String, up_to: String, price: String, per: &str| {
        table.row(vec![json!(charge), json!(holds), json!(up_to), json!(price), json!(per)]);
    };
    let unit = match parts.range_rule.unit {
        BoundUnit::Month => "kWh",
        BoundUnit::Day => "kWh a day",
        BoundUnit::Kw => "kWh a kW",
        BoundUnit::KwDay => "kWh a kW and day",
    };
    let up_to = |bound: Option<i64>, unit: &str| {
        bound.map_or(String::new(), |bound| format!("{} {unit}", Energy::from_wh(bound)))
    };
    for (at, zone) in parts.zones.iter().enumerate() {
        for (number, range) in parts.ranges.iter().enumerate() {
            let holds = windows_in_words(&zone.windows);
            let per = range
                .package_wh
                .map_or("kWh".to_owned(), |wh| format!("package of {} kWh", Energy::from_wh(wh)));
            let price = price_in_words(parts, number, at);
            row(zone.name.to_string(), holds, up_to(range.up_to_wh, unit), price, &per);
        }
    }
    for range in parts.ranges.iter().filter(|range| range.flat.as_e8() != 0) {
        let price = range.flat.to_string();
        row(
            "flat fee".into(),
            String::new(),
            up_to(range.up_to_wh, unit),
            price,
            "month that reaches the range",
        );
    }
    for demand in &parts.demands {
        for range in &demand.ranges {
            let measure = match &demand.measure {
                DemandMeasure::Highest => String::new(),
                DemandMeasure::MeanOfDailyHighest => ", mean of daily highest".to_owned(),
                DemandMeasure::MeanAtPublishedHours(hours) => format!(", mean at the hours of {hours}"),
            };
            let windows = windows_in_words(&demand.windows);
            let holds = format!("{windows}, {} min{measure}", demand.minutes);
            row(
                demand.name.to_string(),
                holds,
                up_to(range.up_to_w, "kW"),
                range.price.to_string(),
                "kW, month",
            );
        }
    }
    if let Some(rule) = &parts.deviation {
        for (charge, series) in [("above the plan", rule.above), ("below the plan", rule.below)] {
            row(charge.into(), "each hour".into(), String::new(), series.to_string(), "kWh");
        }
    }
    for (per, unit) in FixedPer::ALL.into_iter().zip(["day", "month", "year"]) {
        let price = parts.fixed.price(per);
        if price.as_e8() != 0 {
            row("fixed".into(), String::new(), String::new(), price.to_string(), unit);
        }
    }
    if parts.minimum_per_month.as_e8() != 0 {
        row("minimum".into(), String::new(), String::new(), parts.minimum_per_month.to_string(), "month");
    }
    table
}

/// The price of a range and zone, counted from 0; `se3 × 1.06 + 0.04` where a series says it.
fn price_in_words(parts: &TariffParts, range: usize, zone: usize) -> String {
    let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    match parts.series_of(small(range), small(zone)) {
        Some(price) => price.to_string(),
        None => parts.ranges[range].prices[zone].to_string(),
    }
}

fn windows_in_words(windows: &[tallywatt_core::tariff::Window]) -> String {
    let words: Vec<String> = windows.iter().map(tallywatt_ingest::documents::render_window).collect();
    words.join("; ")
}

/// Runs cases. Exit code 4 if one differs.
pub fn test(files: &[PathBuf]) -> Result<Report, Failure> {
    let mut table = Table::new(&["case", "place", "result"]);
    let mut known: BTreeMap<PathBuf, Published<Tariff>> = BTreeMap::new();
    let (mut case_count, mut differing_count) = (0_u64, 0_u64);
    for file in files {
        let text = read_text(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for case in parse_tariff_cases(&file.display().to_string(), &text)? {
            let mut versions = Vec::new();
            for path in case.files(folder) {
                if !known.contains_key(&path) {
                    known.insert(path.clone(), read_tariff(&path)?);
                }
                versions.push(known[&path].clone());
            }
            let mut market = MarketBook::new();
            for path in case.market_files(folder) {
                read_market(&path, &mut market)?;
            }
            let differing = case.run(versions, &market);
            let result = if differing.is_empty() { "as expected".to_owned() } else { differing.join("; ") };
            case_count += 1;
            differing_count += u64::from(!differing.is_empty());
            let place = format!("{}:{}", file.display(), case.line);
            table.row(vec![json!(case.name), json!(place), json!(result)]);
        }
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("cases", case_count).fact("as expected", case_count - differing_count);
    if differing_count > 0 {
        report.fact("differing", differing_count);
        report.code = code::DIFFERENCES;
    }
    Ok(report)
}

/// Writes a rate as a new tariff file.
pub fn import(rate: &Path, file: &Path, options: &UrdbOptions) -> Result<Report, Failure> {
    let imported = import_urdb(&rate.display().to_string(), &read_text(rate)?, options)?;
    let written = render_tariff(&imported.tariff);
    let mut new = File::create_new(file).map_err(|error| Failure::file("write", file, &error))?;
    new.write_all(written.as_bytes()).map_err(|error| Failure::file("write", file, &error))?;
    let parts = imported.tariff.parts();
    let mut report = Report::default();
    report.fact("tariff", parts.id.to_string()).fact("title", parts.title.clone());
    report.fact("validity", parts.validity.to_string()).fact("file", file.display().to_string());
    report.notes.extend(imported.left_out.iter().map(|left_out| format!("left out: {left_out}")));
    report.then(format!("tallywatt tariff show {}", word(file)));
    report.then(format!("tallywatt tariff publish {}", word(file)));
    Ok(report)
}
