//! The replacement guard: what a bill used is not replaced by much without a person's word.

use crate::vee::parameters::RuleParameters;

/// How far a later measurement may be from what a bill used and still take its place by itself. Asked of an interval, and
/// of the day that it would be then: many small differences are a large one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacementGuard {
    /// A difference up to this passes whatever was billed, Wh.
    pub least_wh: i64,
    /// A difference up to this share of what was billed passes, in per cent.
    pub share_percent: i64,
}

impl Default for ReplacementGuard {
    /// One kilowatt-hour, or a fifth.
    fn default() -> Self {
        Self { least_wh: 1_000, share_percent: 20 }
    }
}

impl ReplacementGuard {
    /// That of V30 in a rule pack.
    #[must_use]
    pub const fn of(parameters: &RuleParameters) -> Self {
        Self { least_wh: parameters.replacement_wh_max, share_percent: parameters.replacement_percent_max }
    }

    /// Whether `value_wh` waits for approval where `billed_wh` was billed.
    #[must_use]
    pub fn holds_back(&self, billed_wh: i64, value_wh: i64) -> bool {
        let difference = i128::from(value_wh) - i128::from(billed_wh);
        let difference = difference.abs();
        difference > self.least_wh.into()
            && difference * 100 > i128::from(billed_wh).abs() * i128::from(self.share_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_both_bounds_waits() {
        let guard = ReplacementGuard::default();
        for (billed, value, want) in [
            (0, 1_000, false),
            (0, 1_001, true),
            (10_000, 12_000, false),
            (10_000, 12_001, true),
            (10_000, 8_000, false),
            (10_000, 7_999, true),
            (2_000, 3_000, false),
            (i64::MAX, i64::MIN, true),
        ] {
            assert_eq!(guard.holds_back(billed, value), want, "{billed} to {value}");
        }
    }
}
