//! A reading as a source delivers it, before anything is believed about it.

use crate::calendar::UtcSeconds;
use crate::label::UsagePointId;
use crate::quality::Quality;
use crate::register::Register;

/// Interval lengths taken, in minutes.
pub const INTERVAL_MINUTES: [u8; 4] = [5, 15, 30, 60];

/// One interval value as decoded: in whole watt-hours, its start resolved to UTC, nothing checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawReading {
    /// Where it was measured.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// First instant of the interval.
    pub start: UtcSeconds,
    /// Length of the interval.
    pub interval_minutes: u8,
    /// Energy in the interval, multiplier applied.
    pub energy_wh: i64,
    /// What the source says of it.
    pub quality: Quality,
    /// Line of the file it came from, counted from 1 (for XML: the line of the element).
    pub line: u64,
}

/// Which delivery of its source a value is of: a stamp or a running number of the source's own, 0 if it says none.
///
/// Among values of equal rank for one interval the one issued later stands; two of one issue that differ are a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Issued(pub u64);

impl Issued {
    /// The source says nothing of it.
    pub const UNSAID: Self = Self(0);
}

/// Where a reading's value came from; stored in the day block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Source {
    /// An automated metering system's export.
    Automated = 0,
    /// A person's entry.
    Manual = 1,
    /// A generated town: never real.
    Synthetic = 2,
}

impl Source {
    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Automated),
            1 => Some(Self::Manual),
            2 => Some(Self::Synthetic),
            _ => None,
        }
    }
}
