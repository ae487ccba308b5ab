//! How many there are of each thing in a feed.

/// What a feed holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct FeedCounts {
    /// Points of delivery.
    pub usage_point_count: u64,
    /// Series of a usage point.
    pub meter_reading_count: u64,
    /// What series measure.
    pub reading_type_count: u64,
    /// Blocks of readings.
    pub block_count: u64,
    /// Readings in them, with or without a value.
    pub interval_reading_count: u64,
    /// Summaries of usage, passed over.
    pub usage_summary_count: u64,
    /// Summaries of power quality, passed over.
    pub power_quality_summary_count: u64,
    /// Costs of readings, passed over.
    pub cost_count: u64,
}

impl FeedCounts {
    /// What carries no interval values.
    #[must_use]
    pub const fn ignored_count(&self) -> u64 {
        self.usage_summary_count + self.power_quality_summary_count + self.cost_count
    }
}
