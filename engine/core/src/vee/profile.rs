//! A profile: how the energy of a day lies over its intervals, as weights without a unit.
//!
//! A class of customers has one a day. Weights stand on the day's own grid, so a day of 23 hours has two
//! half-hours fewer, and nothing has to be shifted when the clocks change.

use crate::calendar::{Day, UtcSeconds};

/// The weights of one local day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileDay {
    /// The day.
    pub day: Day,
    /// Its first instant.
    pub start: UtcSeconds,
    /// Length of an interval.
    pub interval_minutes: u8,
    /// One weight an interval, in order of time.
    pub weights: Vec<u32>,
}

impl ProfileDay {
    /// Its weights, if they stand on this grid.
    #[must_use]
    pub fn on_grid(&self, start: UtcSeconds, interval_minutes: u8, interval_count: usize) -> Option<&[u32]> {
        let same = self.start == start
            && self.interval_minutes == interval_minutes
            && self.weights.len() == interval_count;
        same.then_some(&self.weights)
    }
}

/// The day's profile; `days` are sorted by day.
#[must_use]
pub fn profile_of(days: &[ProfileDay], day: Day) -> Option<&ProfileDay> {
    days.binary_search_by_key(&day, |profile| profile.day).ok().map(|at| &days[at])
}
