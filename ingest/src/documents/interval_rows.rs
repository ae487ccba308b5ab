//! Rows of a table that has a value for every interval of some days: each once, in order of time or the other way about.

use tallywatt_core::calendar::UtcSeconds;

use super::error::DocumentError;
use super::market_text::MarketText;
use super::rows::shown;
use crate::stamp::{Stamp, StampPattern};

const STAMP: &str = "write instants with their offset, such as 2026-03-01T00:00:00+01:00 or …Z";
const EVERY: &str = "give every interval of the days from valid_from to valid_to one row, in order of time or the other way about";

/// The intervals that rows must fill.
pub(super) struct Grid {
    /// What a row has for its interval, for messages.
    pub what: &'static str,
    /// Length of an interval.
    pub minutes: u8,
    /// When the first begins.
    pub first: UtcSeconds,
    /// How many there are.
    pub count: i64,
}

/// A row as it is written: its line, when it begins, when it says that it ends, its value.
struct IntervalRow<'t> {
    line: u64,
    start: UtcSeconds,
    end: Option<UtcSeconds>,
    value: &'t str,
}

fn rows_of<'t>(read: &MarketText<'t>, has_end: bool) -> Result<Vec<IntervalRow<'t>>, DocumentError> {
    let instant = |line: u64, text: &str| match StampPattern::Rfc3339.read(text.as_bytes()) {
        Some(Stamp::Instant(at)) => Ok(at),
        _ => Err(read.fail(line, format!("{} is not an instant", shown(text)), STAMP)),
    };
    let row = |(line, fields): &(u64, Vec<&'t str>)| {
        let start = instant(*line, fields[0])?;
        let end = if has_end { Some(instant(*line, fields[1])?) } else { None };
        let value = fields[if has_end { 2 } else { 1 }];
        Ok(IntervalRow { line: *line, start, end, value })
    };
    read.rows.iter().map(row).collect()
}

/// The values with their lines, in order of time; every interval of the grid has one. The first column is the start, the
/// next the end if there is one, then comes the value.
pub(super) fn in_order<'t>(
    read: &MarketText<'t>,
    has_end: bool,
    grid: &Grid,
) -> Result<Vec<(u64, &'t str)>, DocumentError> {
    let Grid { what, minutes, first, count } = *grid;
    let mut rows = rows_of(read, has_end)?;
    // Some publish the newest first.
    if let [first, .., last] = &rows[..]
        && first.start > last.start
    {
        rows.reverse();
    }
    let step_s = i64::from(minutes) * 60;
    let end = first.plus(count * step_s);
    let mut expected = first;
    let mut values = Vec::with_capacity(rows.len());
    for IntervalRow { line, start, end: own_end, value } in rows {
        let problem = match () {
            () if (start.0 - first.0).rem_euclid(step_s) != 0 => {
                Some(format!("{start} does not begin an interval of {minutes} minutes from {first} on"))
            }
            () if start < first || start >= end => {
                Some(format!("{start} is not on the days of the series, {first} to {end}"))
            }
            () if start.plus(step_s) == expected => Some(format!("a second {what} for {start}")),
            () if start < expected => Some(format!("{start} stands behind {}", expected.plus(-step_s))),
            () if start > expected => Some(format!("no {what} for {expected}: the next is for {start}")),
            () => own_end.filter(|own| *own != start.plus(step_s)).map(|own| {
                format!(
                    "the {what} from {start} to {own} is not of {minutes} minutes: it overlaps or leaves a gap"
                )
            }),
        };
        if let Some(problem) = problem {
            return Err(read.fail(line, problem, EVERY));
        }
        values.push((line, value));
        expected = start.plus(step_s);
    }
    if expected < end {
        let line = read.rows.iter().map(|(line, _)| *line).max().unwrap_or(1);
        return Err(read.fail(line, format!("no {what} for {expected}: the last is before it"), EVERY));
    }
    Ok(values)
}
