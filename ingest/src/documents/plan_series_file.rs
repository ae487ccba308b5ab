//! The plan file: how much energy a usage point is to take in each hour of some local days, as CSV.
//!
//! ```text
//! #kind,plan-series
//! #title,Workshop on Lenina, March
//! #source,application of 2026-02-25
//! #usage_point,EKB-000017
//! #zone,Asia/Yekaterinburg       whose local days these are
//! #valid_from,2026-03-01
//! #valid_to,2026-04-01           the first day it has no plan for
//! start,kwh                      every hour once, the earliest or the latest first
//! 2026-03-01T00:00:00+05:00,120.5
//! …
//! ```

use tallywatt_core::decimal::Decimal;
use tallywatt_core::plan_series::{PlanSeries, PlanSeriesError, PlanSeriesParts, plan_grid};

use super::error::DocumentError;
use super::interval_rows::{Grid, in_order};
use super::market_text::{DATES, MarketText};
use super::rows::shown;

const FIELDS: [&str; 7] = ["kind", "title", "source", "usage_point", "zone", "valid_from", "valid_to"];
/// Decimals of a kilowatt-hour down to the watt-hour.
const KWH_DECIMALS: u32 = 3;
/// Length of a plan's intervals.
const HOUR_MINUTES: u8 = 60;

const NAME: &str = "write 1 to 33 printable ASCII characters";
const TEXT: &str = "shorten it";
const COLUMNS: &str = "write the columns start,kwh";
const ENERGY: &str =
    "write kilowatt-hours as a decimal number with a point, at most three decimals, not below zero";

/// Reads a plan file.
pub(super) fn parse(file: &str, text: &str) -> Result<PlanSeries, DocumentError> {
    let read = MarketText::read(file, text, &FIELDS, 0)?;
    let (validity, zone) = (read.validity()?, read.zone()?);
    let grid = plan_grid(&zone, validity);
    let (start, count) =
        grid.map_err(|error| read.fail(read.field("valid_to").0, error.to_string(), DATES))?;
    let (columns_line, columns) = &read.columns;
    if columns[..] != ["start", "kwh"] {
        let problem = format!("columns {} are not those of a plan", shown(&columns.join(",")));
        return Err(read.fail(*columns_line, problem, COLUMNS));
    }
    let grid = Grid { what: "plan", minutes: HOUR_MINUTES, first: start, count };
    let rows = in_order(&read, false, &grid)?;
    let first_line = rows.first().map_or(1, |(line, _)| *line);
    let planned_wh = rows.into_iter().map(|(line, text)| {
        let scaled = Decimal::parse(text.as_bytes(), b'.').and_then(|number| number.scaled(KWH_DECIMALS));
        let refuse = |problem: String| read.fail(line, problem, ENERGY);
        let wh = scaled.map_err(|error| refuse(format!("plan {}: {error}", shown(text))))?;
        if wh < 0 { Err(refuse(format!("plan {text} is below zero"))) } else { Ok(wh) }
    });
    let planned_wh = planned_wh.collect::<Result<_, _>>()?;
    let (title, source) = (read.field("title"), read.field("source"));
    let parts = PlanSeriesParts {
        title: title.1.to_owned(),
        source: source.1.to_owned(),
        usage_point: read.parse("usage_point", NAME)?,
        validity,
        zone,
        start,
        planned_wh,
    };
    PlanSeries::new(parts).map_err(|error| {
        let (line, next_step) = match error {
            PlanSeriesError::Text("title") => (title.0, TEXT),
            PlanSeriesError::Text(_) => (source.0, TEXT),
            _ => (first_line, ENERGY),
        };
        read.fail(line, error.to_string(), next_step)
    })
}
