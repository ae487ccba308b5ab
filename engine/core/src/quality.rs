//! How good a reading is: the ESPI quality codes, and which value wins when two arrive for one interval.

use std::fmt;

/// Quality of one interval value. The number is the code of NAESB REQ.21 (ESPI `ReadingQuality`);
/// 255 is ours, for an interval that was expected and has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Quality {
    /// Measured and delivered as such.
    Valid = 0,
    /// Set by a person.
    Edited = 7,
    /// Estimated from like days.
    EstimatedReferenceDay = 8,
    /// Estimated by linear interpolation.
    EstimatedLinear = 9,
    /// Two deliveries of equal rank disagree; the smaller value stands until it is corrected.
    Questionable = 10,
    /// Computed from other measurements; a final substitute.
    Derived = 11,
    /// A forecast.
    Projected = 12,
    /// An aggregate of several qualities.
    Mixed = 13,
    /// Delivered, but marked unreliable by the source.
    Raw = 14,
    /// Estimated by the source, method unknown.
    Other = 16,
    /// Passed the source's validation.
    Validated = 17,
    /// Verified against the register.
    Verified = 18,
    /// Certified for billing by the source.
    Revenue = 19,
    /// Expected, and not there. Its value is zero and means nothing.
    Missing = 255,
}

/// Number of distinct qualities.
pub const QUALITY_COUNT: usize = 14;

impl Quality {
    /// Every quality, in the order of its code: the order of the counts in a sealed summary.
    pub const ALL: [Self; QUALITY_COUNT] = [
        Self::Valid,
        Self::Edited,
        Self::EstimatedReferenceDay,
        Self::EstimatedLinear,
        Self::Questionable,
        Self::Derived,
        Self::Projected,
        Self::Mixed,
        Self::Raw,
        Self::Other,
        Self::Validated,
        Self::Verified,
        Self::Revenue,
        Self::Missing,
    ];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code; `None` for a number that is no quality.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Valid,
            7 => Self::Edited,
            8 => Self::EstimatedReferenceDay,
            9 => Self::EstimatedLinear,
            10 => Self::Questionable,
            11 => Self::Derived,
            12 => Self::Projected,
            13 => Self::Mixed,
            14 => Self::Raw,
            16 => Self::Other,
            17 => Self::Validated,
            18 => Self::Verified,
            19 => Self::Revenue,
            255 => Self::Missing,
            _ => return None,
        })
    }

    /// Position in [`Quality::ALL`].
    #[must_use]
    pub fn position(self) -> usize {
        Self::ALL.iter().position(|&quality| quality == self).expect("ALL lists every quality")
    }

    /// The name in files that others read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Edited => "edited",
            Self::EstimatedReferenceDay => "estimated_reference_day",
            Self::EstimatedLinear => "estimated_linear",
            Self::Questionable => "questionable",
            Self::Derived => "derived",
            Self::Projected => "projected",
            Self::Mixed => "mixed",
            Self::Raw => "raw",
            Self::Other => "other",
            Self::Validated => "validated",
            Self::Verified => "verified",
            Self::Revenue => "revenue",
            Self::Missing => "missing",
        }
    }

    /// Which of two values for one interval stands: the higher rank.
    ///
    /// Measured 6, set or agreed by a person 5, final substitute 4, substitute 3, forecast 2, unreliable 1, missing 0.
    /// [`Quality::Questionable`] ranks as measured, because it stands for two measured values.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Valid | Self::Validated | Self::Verified | Self::Revenue | Self::Questionable => 6,
            Self::Edited => 5,
            Self::Derived => 4,
            Self::EstimatedReferenceDay | Self::EstimatedLinear | Self::Mixed | Self::Other => 3,
            Self::Projected => 2,
            Self::Raw => 1,
            Self::Missing => 0,
        }
    }

    /// Whether a bill may be built on it. A missing value is not billable.
    #[must_use]
    pub const fn is_billable(self) -> bool {
        !matches!(self, Self::Missing)
    }

    /// Whether a meter measured it, and the source calls it good.
    #[must_use]
    pub const fn is_measured(self) -> bool {
        self.rank() == Self::Valid.rank()
    }

    /// Whether the value stands in for a measurement.
    #[must_use]
    pub const fn is_estimated(self) -> bool {
        matches!(self.rank(), 2..=4)
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_a_bijection() {
        for (position, quality) in Quality::ALL.into_iter().enumerate() {
            assert_eq!(Quality::from_code(quality.code()), Some(quality));
            assert_eq!(quality.position(), position);
        }
        assert_eq!((0..=255_u8).filter_map(Quality::from_code).count(), QUALITY_COUNT);
    }
}
