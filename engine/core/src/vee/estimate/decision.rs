//! What the ladder did, and what it refused: enough to compute every estimate again by hand.

use crate::calendar::{Day, UtcSeconds};
use crate::quality::Quality;
use crate::vee::consumption::Why;

/// One method over adjacent intervals of one day, with what it rested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Which day.
    pub day: Day,
    /// Its first interval, from 0.
    pub first_interval: u16,
    /// How many intervals.
    pub interval_count: u16,
    /// What they got together.
    pub energy_wh: i64,
    /// With which quality.
    pub quality: Quality,
    /// How, and from what.
    pub method: Method,
}

/// A rung of the ladder, and its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The check meter's values.
    CheckMeter,
    /// What registers counted and intervals do not show, laid over a reference.
    Scaled {
        /// First instant of the register span.
        from: UtcSeconds,
        /// The instant after its last.
        to: UtcSeconds,
        /// What the register counted.
        register_wh: i64,
        /// What its intervals show.
        known_wh: i64,
        /// Intervals without a value in it, also those outside the estimated days.
        missing_count: u32,
        /// Sum of the reference over them: watt-hours, or for [`Reference::Flat`] their number.
        reference_sum: i64,
        /// What it was laid over.
        reference: Reference,
    },
    /// Nothing, as the point is recorded as shut down.
    Zero {
        /// Since when.
        from: UtcSeconds,
        /// Until when.
        to: UtcSeconds,
    },
    /// A straight line between the neighbours of a gap.
    Linear {
        /// The value before.
        before_wh: i32,
        /// The value after.
        after_wh: i32,
        /// Intervals between.
        gap_count: u16,
    },
    /// The mean of the same slot over like days.
    LikeDays {
        /// How many.
        day_count: u16,
        /// The earliest.
        first: Day,
        /// The latest.
        last: Day,
    },
    /// The same weekday a year before.
    PreviousYear {
        /// Which.
        day: Day,
    },
    /// The class profile, scaled to the average daily use.
    ClassProfile {
        /// Of the point.
        daily_wh: i64,
        /// Of the day's profile.
        weight_sum: u64,
    },
}

/// What a register's remainder is laid over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// What the lower rungs would have given.
    LowerRungs,
    /// Every interval alike: some interval had no reference, or all references were zero.
    Flat,
}

impl Method {
    /// Its name in files and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CheckMeter => "check meter",
            Self::Scaled { .. } => "scaled to registers",
            Self::Zero { .. } => "zero, shut down",
            Self::Linear { .. } => "linear",
            Self::LikeDays { .. } => "like days",
            Self::PreviousYear { .. } => "previous year",
            Self::ClassProfile { .. } => "class profile",
        }
    }

    /// Its numbers in the list of AEMO (NEM12 substitution methods): first of interval meters read remotely, then of others.
    #[must_use]
    pub const fn aemo_numbers(&self) -> &'static [u8] {
        match self {
            Self::CheckMeter => &[11],
            Self::Scaled { .. } => &[24],
            Self::Zero { .. } => &[19, 58, 68],
            Self::Linear { .. } => &[17, 54],
            Self::LikeDays { .. } => &[14, 15, 20, 22],
            Self::PreviousYear { .. } => &[23, 51, 61],
            Self::ClassProfile { .. } => &[57, 63],
        }
    }
}

/// A span that was not scaled to; its intervals went on down the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// First instant of the span.
    pub from: UtcSeconds,
    /// The instant after its last.
    pub to: UtcSeconds,
    /// Why not.
    pub why: RefusedScaling,
}

/// Why intervals are not scaled to a register span, or not quite as evidence has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedScaling {
    /// A read lies within an interval.
    #[error("a register read lies within an interval")]
    OffGrid,
    /// Some of the span lies outside the days, where nothing is sealed yet, or a value that was not measured.
    #[error("an interval of the span outside the estimated days is not known")]
    UnknownOutside,
    /// Some of the span lies in a month that is closed, in an interval that got no value.
    #[error("an interval of the span lies in a month that was closed without a value there")]
    ClosedWithout,
    /// Some of the span lies in a day that intervals of the register's length do not fill.
    #[error("a day of the span is no whole number of the register's intervals")]
    NoGrid,
    /// No interval of the month is known, and reads alone do not make it.
    #[error("no interval of the month is known, and no rule lays the span over it")]
    NoInterval,
    /// Reads do not tell what the register counted.
    #[error("reads do not tell what was counted: {0}")]
    NotCounted(Why),
    /// Intervals already show more than the register.
    #[error("intervals show {known_wh} Wh, the register only {register_wh} Wh")]
    NegativeRemainder {
        /// What the register counted.
        register_wh: i64,
        /// What its intervals show.
        known_wh: i64,
    },
    /// An interval would get more than it can hold.
    #[error("an interval would get more than {max} Wh", max = i32::MAX)]
    PastRange,
    /// The register counted while the point is recorded as shut down. The record is not believed, the register is.
    #[error("the register counted {remainder_wh} Wh while the point was recorded as shut down")]
    UsedWhileShutDown {
        /// What it counted beyond the known intervals.
        remainder_wh: i64,
    },
}

/// What was done to one register's days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Estimation {
    /// Every estimate, in order of time.
    pub decisions: Vec<Decision>,
    /// Every span that was not scaled to, in order of time.
    pub refusals: Vec<Refusal>,
}
