//! The same weekday a year before.

use super::Estimate;
use super::decision::Method;
use super::evidence::measured;
use super::line::Line;
use crate::quality::Quality;

/// A year of whole weeks, so that a Monday stands for a Monday.
pub const YEAR_DAYS: i32 = 364;

/// The measured value of the slot 52 weeks before, if that day is as long.
pub(super) fn previous_year(line: &Line<'_>, at: usize) -> Option<Estimate> {
    let (block, slot) = line.place(at);
    let day = block.key().day.plus(-YEAR_DAYS)?;
    let days = line.evidence.previous_year;
    let before = &days[days.binary_search_by_key(&day, |other| other.key().day).ok()?];
    let as_long = before.interval_minutes() == block.interval_minutes()
        && before.interval_count() == block.interval_count();
    let value_wh = as_long.then(|| measured(before, slot)).flatten()?;
    let method = Method::PreviousYear { day };
    Some(Estimate { value_wh, quality: Quality::EstimatedReferenceDay, method })
}
