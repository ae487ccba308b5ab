//! What is known beside the days that are estimated. All of it may be absent.

use crate::calendar::{UtcSeconds, Zone};
use crate::day_block::{DayBlock, DayGrid};
use crate::quality::Quality;
use crate::vee::consumption::{Failure, Span};
use crate::vee::profile::ProfileDay;

use super::decision::RefusedScaling;

/// A stretch of time, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// First instant.
    pub from: UtcSeconds,
    /// The instant after the last.
    pub to: UtcSeconds,
}

impl Stretch {
    /// Whether the other lies in it whole.
    #[must_use]
    pub fn holds(&self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }
}

/// A class of customers: how its days lie, and how much of it a day of this point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassProfile<'a> {
    /// Its days, sorted.
    pub days: &'a [ProfileDay],
    /// Average daily use of the point.
    pub daily_wh: i64,
}

/// An interval outside the estimated days, as a register span that reaches it takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideInterval {
    /// When it is.
    pub at: Stretch,
    /// What is known of it.
    pub state: Outside,
}

/// What is known of an interval outside the estimated days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Watt-hours that stand.
    Known(i32),
    /// No value: it shares in what the span has left, as it will when its own month is closed.
    Missing {
        /// What the lower rungs would give it.
        reference_wh: Option<i32>,
        /// Whether the point is recorded as shut down.
        is_shut: bool,
    },
    /// No span that reaches it can be used.
    Refused(RefusedScaling),
}

/// What the ladder may rest on. Every list is sorted by time and without overlaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence<'a> {
    /// Days of the check meter, or of an alternate channel that counts the same energy the same way.
    pub check_meter: &'a [DayBlock],
    /// What the register of the same meter counted, read to read.
    pub register_spans: &'a [Span],
    /// Where reads of that register do not tell what it counted.
    pub register_failures: &'a [Failure],
    /// Days of the same register beside the estimated ones that may be like them: never one after the month's end.
    pub days_around: &'a [DayBlock],
    /// Intervals that register spans reach before and after the estimated days. Those within the days are not looked at.
    pub outside: &'a [OutsideInterval],
    /// The zone of the days. Without it the day of a clock change is like no day of another length.
    pub zone: Option<&'a Zone>,
    /// Days of the same register 52 weeks before.
    pub previous_year: &'a [DayBlock],
    /// The class of the point.
    pub class_profile: Option<ClassProfile<'a>>,
    /// When the meter or the grid company reported a power failure.
    pub outages: &'a [Stretch],
    /// When the point is recorded as shut down: disconnected, and nothing drawn.
    pub shutdowns: &'a [Stretch],
}

/// The block of another series that stands on the same grid.
pub(super) fn on_grid<'d>(blocks: &'d [DayBlock], block: &DayBlock) -> Option<&'d DayBlock> {
    let at = blocks.binary_search_by_key(&block.key().day, |other| other.key().day).ok()?;
    let same: DayGrid = block.grid();
    Some(&blocks[at]).filter(|other| other.grid() == same)
}

/// The value of an interval if it was measured, and nobody disputes it.
pub(super) fn measured(block: &DayBlock, slot: usize) -> Option<i32> {
    let quality = block.qualities()[slot];
    let stands = quality.rank() >= Quality::Valid.rank() && quality != Quality::Questionable;
    stands.then(|| block.values_wh()[slot])
}

/// When an interval is.
pub(super) fn stretch(block: &DayBlock, slot: usize) -> Stretch {
    Stretch { from: block.interval_start(slot), to: block.interval_start(slot + 1) }
}
