//! What the ladder may do, and how reads of registers alone are laid over time; part of the rule pack.

/// Parameters of estimation. The default is what was done before there were parameters, so period roots stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimationParameters {
    /// The longest gap that is filled by a straight line, in minutes. In use: 60 (Ontario) to 120 (California).
    pub linear_minutes_max: u16,
    /// How many like days are averaged, the nearest first; [`EstimationParameters::ALL_DAYS`] takes every one.
    pub like_day_count: u8,
    /// The fewest like days whose mean stands for a missing slot.
    pub like_days_min: u8,
    /// How many days away a like day may be: before or after in its month, and before the month. Never after its end.
    /// The greatest number means the month's own days alone.
    pub like_days_back: u16,
    /// Whether a straight line may start or end in an interval flagged as a power failure.
    pub uses_outage_neighbours: bool,
    /// Whether the same weekday of the year before may stand.
    pub previous_year: bool,
    /// Whether a class profile times the average daily use may stand.
    pub class_profile: bool,
    /// How what a register counted is laid over a month that has no interval of it.
    pub apportioning: Apportioning,
}

/// How what a register counted between two reads is laid over the time between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Apportioning {
    /// Not at all: the month is not billed, and the account is named.
    #[default]
    Never,
    /// Every second alike.
    Evenly,
}

impl Apportioning {
    /// Every rule, by code.
    pub const ALL: [Self; 2] = [Self::Never, Self::Evenly];

    /// Its code in stored bytes.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Evenly => "evenly",
        }
    }
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
            apportioning: Apportioning::Never,
        }
    }
}
