//! How much of a bill rests on estimates: of its intervals, and of the energy in them.
//!
//! Whole numbers all through. A share is shown in tenths of a per cent, rounded half up, with one exception at each end:
//! what is estimated never shows as nothing, and what is measured in part never shows as all estimated. The flag compares
//! the exact share, not the shown one.
//!
//! ```
//! use tallywatt_core::estimated::Share;
//! assert_eq!(Share { part: 1, whole: 2_976 }.to_string(), "0.1");
//! assert_eq!(Share { part: 2_975, whole: 2_976 }.to_string(), "99.9");
//! assert!(!Share { part: 1, whole: 10 }.is_above(100));
//! ```

use std::fmt;

use crate::bill::Completeness;
use crate::day_block::DayBlock;

/// A bill says so if more than this much of its energy is estimated, tenths of a per cent: one tenth of it.
pub const ESTIMATED_TENTHS_MAX: u32 = 100;

/// A part of a whole, both not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// The part.
    pub part: i64,
    /// The whole; nothing of nothing is a share of zero.
    pub whole: i64,
}

impl Share {
    /// Tenths of a per cent, as shown.
    #[must_use]
    pub fn tenths(self) -> u32 {
        let (part, whole) = (i128::from(self.part), i128::from(self.whole));
        if part <= 0 || whole <= 0 {
            return 0;
        }
        if part >= whole {
            return 1_000;
        }
        let rounded = (part * 2_000 + whole) / (whole * 2);
        u32::try_from(rounded.clamp(1, 999)).expect("between 1 and 999")
    }

    /// Whether the exact share is more than so many tenths of a per cent.
    #[must_use]
    pub fn is_above(self, tenths: u32) -> bool {
        i128::from(self.part) * 1_000 > i128::from(self.whole) * i128::from(tenths)
    }
}

/// Per cent with one decimal, without the sign.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.tenths();
        f.pad(&format!("{}.{}", tenths / 10, tenths % 10))
    }
}

/// What of a bill is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EstimatedShare {
    /// Of the intervals expected.
    pub intervals: Share,
    /// Of the watt-hours in the billed registers, taken and given alike.
    pub energy: Share,
}

impl EstimatedShare {
    /// Of a bill's completeness and the day blocks it bills, each once.
    #[must_use]
    pub fn of<'b>(completeness: &Completeness, blocks: impl IntoIterator<Item = &'b DayBlock>) -> Self {
        let intervals =
            Share { part: i64::from(completeness.estimated), whole: i64::from(completeness.expected) };
        let mut energy = Share::default();
        for block in blocks {
            for (&wh, quality) in block.values_wh().iter().zip(block.qualities()) {
                // A month of one account's registers stays far below the end of `i64`; a receipt may hold more.
                energy.whole = energy.whole.saturating_add(i64::from(wh));
                if quality.is_billable() && quality.is_estimated() {
                    energy.part = energy.part.saturating_add(i64::from(wh));
                }
            }
        }
        Self { intervals, energy }
    }

    /// Whether the bill is to say that much of it is estimated.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.energy.is_above(ESTIMATED_TENTHS_MAX)
    }

    /// `3.2 % of intervals, 2.9 % of kWh`, and whether that is more than the bill may have unsaid.
    #[must_use]
    pub fn in_words(&self) -> String {
        let flag = if self.is_flagged() {
            let (whole, tenth) = (ESTIMATED_TENTHS_MAX / 10, ESTIMATED_TENTHS_MAX % 10);
            format!(", above {whole}.{tenth} %")
        } else {
            String::new()
        };
        format!("{} % of intervals, {} % of kWh{flag}", self.intervals, self.energy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;
    use crate::day_block::BlockKey;
    use crate::quality::Quality;
    use crate::reading::Source;
    use crate::register::Register;

    #[test]
    fn shares() {
        // part, whole, shown, above a tenth; by hand: part ÷ whole in per cent, the third decimal decides
        for (part, whole, shown, above) in [
            (0, 0, "0.0", false),
            (0, 1_488, "0.0", false),
            (1, 1_000_000, "0.1", false),
            (1, 2_000, "0.1", false), // 0.05 %
            (1, 2_001, "0.1", false), // 0.04998 %: not nothing
            (3, 2_000, "0.2", false), // 0.15 %
            (1, 3, "33.3", true),
            (2, 3, "66.7", true),
            (100, 1_000, "10.0", false),   // just as much is not above
            (1_001, 10_000, "10.0", true), // 10.01 %: the exact share counts
            (999_999, 1_000_000, "99.9", true),
            (7, 7, "100.0", true),
            (i64::MAX, i64::MAX, "100.0", true),
            (i64::MAX / 2, i64::MAX, "50.0", true),
        ] {
            let share = Share { part, whole };
            assert_eq!(
                (share.to_string().as_str(), share.is_above(100)),
                (shown, above),
                "{part} of {whole}"
            );
        }
    }

    #[test]
    fn energy_follows_the_qualities() {
        let zone = Zone::parse("UTC").unwrap();
        let local = zone.local_day("2026-03-01".parse().unwrap());
        let key = BlockKey { usage_point: "P".parse().unwrap(), register: Register::IMPORT, day: local.day };
        let mut qualities = vec![Quality::Valid; 24];
        let mut values = vec![10; 24];
        (qualities[0], values[0]) = (Quality::EstimatedLinear, 70);
        (qualities[1], values[1]) = (Quality::Missing, 0);
        let block = DayBlock::from_parts(key, local.start, 60, Source::Automated, values, qualities).unwrap();
        let completeness = Completeness { expected: 24, measured: 22, estimated: 1, missing: 1 };
        let share = EstimatedShare::of(&completeness, [&block]);
        // 70 of 290 Wh, 1 of 24 intervals.
        assert_eq!(share.in_words(), "4.2 % of intervals, 24.1 % of kWh, above 10.0 %");
        assert_eq!(
            EstimatedShare::of(&Completeness::default(), []).in_words(),
            "0.0 % of intervals, 0.0 % of kWh"
        );
    }
}
