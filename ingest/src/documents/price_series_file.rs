//! The price series file: what energy costs in each interval of some local days, as CSV.
//!
//! ```text
//! #kind,price-series
//! #name,se3                      the name that tariffs use; files of later days share it
//! #title,Day-ahead prices, SE3
//! #source,illustrative
//! #unit,EUR/MWh                  or EUR/kWh, or 0.01 GBP/kWh for pence
//! #zone,Europe/Stockholm         whose local days these are
//! #minutes,60                    15, 30 or 60
//! #valid_from,2026-03-01
//! #valid_to,2026-04-01           the first day it has no prices for
//! start,price                    every interval once, the earliest or the latest first
//! 2026-03-01T00:00:00+01:00,45.12
//! …
//! ```
//!
//! Rows may also be `valid_from,valid_to,value_exc_vat` (or `value_inc_vat`, or `value`), as some suppliers publish them.

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::decimal::{Decimal, DecimalError};
use tallywatt_core::money::{PRICE_DECIMALS, PricePerKwh};
use tallywatt_core::price_series::{PriceSeries, PriceSeriesError, PriceSeriesParts, series_grid};
use tallywatt_core::tariff::Currency;

use super::error::DocumentError;
use super::market_text::{DATES, MarketText};
use super::rows::shown;
use crate::stamp::{Stamp, StampPattern};

const FIELDS: [&str; 9] =
    ["kind", "name", "title", "source", "unit", "zone", "minutes", "valid_from", "valid_to"];
/// What prices may be for, and by how many decimals a kilowatt-hour's price is finer.
const UNITS: [(&str, &str, u32); 3] = [("", "/kWh", 0), ("", "/MWh", 3), ("0.01 ", "/kWh", 2)];
const VALUES: [&str; 3] = ["value_exc_vat", "value_inc_vat", "value"];

const NAME: &str = "write 1 to 33 printable ASCII characters";
const TEXT: &str = "shorten it";
const UNIT: &str = "write the unit as EUR/MWh, EUR/kWh or 0.01 GBP/kWh";
const MINUTES: &str = "write 15, 30 or 60";
const COLUMNS: &str = "write the columns start,price or valid_from,valid_to,value_exc_vat";
const STAMP: &str = "write instants with their offset, such as 2026-03-01T00:00:00+01:00 or …Z";
const EVERY: &str = "give every interval of the days from valid_from to valid_to one price, in order of time or the other way about";
const PRICE: &str = "write a decimal number with a point; below zero is taken";

/// Reads a price series file.
pub(super) fn parse(file: &str, text: &str) -> Result<PriceSeries, DocumentError> {
    let read = MarketText::read(file, text, &FIELDS, 0)?;
    let (validity, zone) = (read.validity()?, read.zone()?);
    let minutes: u8 = read.parse("minutes", MINUTES)?;
    let (currency, decimals) = unit_of(&read)?;
    let grid = series_grid(&zone, validity, minutes).map_err(|error| {
        let field = if matches!(error, PriceSeriesError::Minutes(_)) { "minutes" } else { "valid_to" };
        let next_step = if field == "minutes" { MINUTES } else { DATES };
        read.fail(read.field(field).0, error.to_string(), next_step)
    })?;
    let prices = prices_of(&read, minutes, decimals, grid.start, grid.count)?;
    let (title, source) = (read.field("title"), read.field("source"));
    let parts = PriceSeriesParts {
        id: read.parse("name", NAME)?,
        title: title.1.to_owned(),
        source: source.1.to_owned(),
        currency,
        validity,
        zone,
        minutes,
        start: grid.start,
        prices,
    };
    PriceSeries::new(parts).map_err(|error| {
        let line = if error == PriceSeriesError::Text("title") { title.0 } else { source.0 };
        read.fail(line, error.to_string(), TEXT)
    })
}

/// The currency, and the decimals of a price in its unit.
fn unit_of(read: &MarketText<'_>) -> Result<(Currency, u32), DocumentError> {
    let (line, text) = read.field("unit");
    let known = UNITS.iter().find_map(|(before, after, finer)| {
        let currency = text.strip_prefix(before)?.strip_suffix(after)?;
        Some((currency.parse().ok()?, PRICE_DECIMALS - finer))
    });
    known.ok_or_else(|| read.fail(line, format!("unit {} is not known", shown(text)), UNIT))
}

/// A row as it is written: its line, when it begins, when it says that it ends, its price.
struct PriceRow<'t> {
    line: u64,
    start: UtcSeconds,
    end: Option<UtcSeconds>,
    price: &'t str,
}

fn rows_of<'t>(read: &MarketText<'t>) -> Result<Vec<PriceRow<'t>>, DocumentError> {
    let instant = |line: u64, text: &str| match StampPattern::Rfc3339.read(text.as_bytes()) {
        Some(Stamp::Instant(at)) => Ok(at),
        _ => Err(read.fail(line, format!("{} is not an instant", shown(text)), STAMP)),
    };
    let (columns_line, columns) = &read.columns;
    let has_end = match columns[..] {
        ["start", "price"] => false,
        ["valid_from", "valid_to", value] if VALUES.contains(&value) => true,
        _ => {
            let problem = format!("columns {} are not those of prices", shown(&columns.join(",")));
            return Err(read.fail(*columns_line, problem, COLUMNS));
        }
    };
    let row = |(line, fields): &(u64, Vec<&'t str>)| {
        let start = instant(*line, fields[0])?;
        let end = if has_end { Some(instant(*line, fields[1])?) } else { None };
        let price = fields[if has_end { 2 } else { 1 }];
        Ok(PriceRow { line: *line, start, end, price })
    };
    read.rows.iter().map(row).collect()
}

/// The prices in order of time; every interval has one.
fn prices_of(
    read: &MarketText<'_>,
    minutes: u8,
    decimals: u32,
    first: UtcSeconds,
    count: i64,
) -> Result<Vec<PricePerKwh>, DocumentError> {
    let mut rows = rows_of(read)?;
    // Some publish the newest price first.
    if let [first, .., last] = &rows[..]
        && first.start > last.start
    {
        rows.reverse();
    }
    let step_s = i64::from(minutes) * 60;
    let end = first.plus(count * step_s);
    let mut expected = first;
    let mut prices = Vec::with_capacity(rows.len());
    for PriceRow { line, start, end: own_end, price } in rows {
        let problem = match () {
            () if (start.0 - first.0).rem_euclid(step_s) != 0 => {
                Some(format!("{start} does not begin an interval of {minutes} minutes from {first} on"))
            }
            () if start < first || start >= end => {
                Some(format!("{start} is not on the days of the series, {first} to {end}"))
            }
            () if start.plus(step_s) == expected => Some(format!("a second price for {start}")),
            () if start < expected => Some(format!("{start} stands behind {}", expected.plus(-step_s))),
            () if start > expected => Some(format!("no price for {expected}: the next is for {start}")),
            () => own_end.filter(|own| *own != start.plus(step_s)).map(|own| {
                format!(
                    "the price from {start} to {own} is not of {minutes} minutes: it overlaps or leaves a gap"
                )
            }),
        };
        if let Some(problem) = problem {
            return Err(read.fail(line, problem, EVERY));
        }
        prices.push(price_of(read, line, price, decimals)?);
        expected = start.plus(step_s);
    }
    if expected < end {
        let line = read.rows.iter().map(|(line, _)| *line).max().unwrap_or(1);
        return Err(read.fail(line, format!("no price for {expected}: the last is before it"), EVERY));
    }
    Ok(prices)
}

fn price_of(
    read: &MarketText<'_>,
    line: u64,
    text: &str,
    decimals: u32,
) -> Result<PricePerKwh, DocumentError> {
    let scaled = Decimal::parse(text.as_bytes(), b'.').and_then(|number| number.scaled(decimals));
    scaled.map(PricePerKwh::from_e8).map_err(|error| {
        let problem = match error {
            DecimalError::TooFine => format!("price {text} has more than {decimals} decimals"),
            other => format!("price {}: {other}", shown(text)),
        };
        read.fail(line, problem, PRICE)
    })
}
