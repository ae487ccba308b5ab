//! What the ladder may do; part of the rule pack.

/// Parameters of estimation. The default is what was done before there were parameters, so period roots stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimationParameters {
    /// The longest gap that is filled by a straight line, in minutes. In use: 60 (Ontario) to 120 (California).
    pub linear_minutes_max: u16,
    /// How many like days are averaged, the nearest first; [`EstimationParameters::ALL_DAYS`] takes every one.
    pub like_day_count: u8,
    /// The fewest like days whose mean stands for a missing slot.
    pub like_days_min: u8,
    /// How many days away a like day may be, before or after.
    pub like_days_back: u16,
    /// Whether a straight line may start or end in an interval flagged as a power failure.
    pub uses_outage_neighbours: bool,
    /// Whether the same weekday of the year before may stand.
    pub previous_year: bool,
    /// Whether a class profile times the average daily use may stand.
    pub class_profile: bool,
}

impl EstimationParameters {
    /// As [`EstimationParameters::like_day_count`]: no limit.
    pub const ALL_DAYS: u8 = u8::MAX;
}

impl Default for EstimationParameters {
    fn default() -> Self {
        Self {
            linear_minutes_max: 120,
            like_day_count: Self::ALL_DAYS,
            like_days_min: 3,
            like_days_back: u16::MAX,
            uses_outage_neighbours: true,
            previous_year: false,
            class_profile: false,
        }
    }
}
