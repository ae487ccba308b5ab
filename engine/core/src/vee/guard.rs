//! The replacement guard: what a bill used is not replaced by much without a person's word.

/// How far a later measurement may be from what a bill used and still take its place by itself; part of the rule pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacementGuard {
    /// A difference up to this passes whatever was billed, in watt-hours an interval.
    pub least_wh: i64,
    /// A difference up to this share of what was billed passes, in per cent.
    pub share_percent: u8,
}

impl Default for ReplacementGuard {
    /// One kilowatt-hour, or a fifth.
    fn default() -> Self {
        Self { least_wh: 1_000, share_percent: 20 }
    }
}

impl ReplacementGuard {
    /// Whether `value_wh` waits for approval where `billed_wh` was billed.
    #[must_use]
    pub fn holds_back(&self, billed_wh: i32, value_wh: i32) -> bool {
        let (billed, value) = (i64::from(billed_wh), i64::from(value_wh));
        let difference = (value - billed).abs();
        difference > self.least_wh && difference * 100 > billed * i64::from(self.share_percent)
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
            (i32::MAX, 0, true),
        ] {
            assert_eq!(guard.holds_back(billed, value), want, "{billed} to {value}");
        }
    }
}
