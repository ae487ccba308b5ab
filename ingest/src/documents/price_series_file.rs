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

use tallywatt_core::decimal::{Decimal, DecimalError};
use tallywatt_core::money::{PRICE_DECIMALS, PricePerKwh};
use tallywatt_core::price_series::{PriceSeries, PriceSeriesError, PriceSeriesParts, series_grid};
use tallywatt_core::tariff::Currency;

use super::error::DocumentError;
use super::interval_rows::{Grid, in_order};
use super::market_text::{DATES, MarketText};
use super::rows::shown;

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
    let (columns_line, columns) = &read.columns;
    let has_end = match columns[..] {
        ["start", "price"] => false,
        ["valid_from", "valid_to", value] if VALUES.contains(&value) => true,
        _ => {
            let problem = format!("columns {} are not those of prices", shown(&columns.join(",")));
            return Err(read.fail(*columns_line, problem, COLUMNS));
        }
    };
    let grid_of_prices = Grid { what: "price", minutes, first: grid.start, count: grid.count };
    let rows = in_order(&read, has_end, &grid_of_prices)?;
    let prices = rows.into_iter().map(|(line, text)| price_of(&read, line, text, decimals));
    let prices = prices.collect::<Result<_, _>>()?;
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
