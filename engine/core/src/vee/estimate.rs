//! Estimation when a period closes: gaps between known days are filled, marked, and never guessed as zero.
//!
//! The ladder, first that applies:
//! 1. *linear*: at most [`LINEAR_MINUTES_MAX`] between two known values, across midnight too;
//! 2. *like day*: the mean of the same wall-clock slot over the period's other days of the same kind
//!    (working day or weekend), at least [`LIKE_DAYS_MIN`] of them;
//! 3. otherwise the interval stays missing, and the bill says so.
//!
//! Only values of the period itself are used, so the result is a function of the accepted set alone.

use crate::day_block::DayBlock;
use crate::money::div_half_even;
use crate::quality::Quality;

/// The longest gap that is filled by a straight line.
pub const LINEAR_MINUTES_MAX: usize = 120;
/// The fewest like days whose mean stands for a missing slot.
pub const LIKE_DAYS_MIN: usize = 3;

/// Fills the gaps of one register's days, sorted by day without gaps between them.
///
/// # Panics
/// If the blocks are not of one register with consecutive days.
pub fn estimate(days: &mut [DayBlock]) {
    for pair in days.windows(2) {
        let (a, b) = (pair[0].key(), pair[1].key());
        let consecutive =
            a.usage_point == b.usage_point && a.register == b.register && b.day.since(a.day) == 1;
        assert!(consecutive, "estimation takes one register's consecutive days");
    }
    // Estimates are computed from what was known before any was made, so that none rests on another.
    let known: Vec<DayBlock> = days.to_vec();
    let line = Line::of(&known);
    for at in 0..line.values.len() {
        let (day, slot) = line.places[at];
        if line.values[at].is_some() {
            continue;
        }
        if let Some(value) = line.linear(at) {
            days[day].fill(slot, value, Quality::EstimatedLinear);
        } else if let Some(value) = like_days(&known, day, slot) {
            days[day].fill(slot, value, Quality::EstimatedReferenceDay);
        }
    }
}

/// The days' intervals end to end.
struct Line {
    places: Vec<(usize, usize)>,
    values: Vec<Option<i32>>,
    gap_count_max: usize,
}

impl Line {
    fn of(days: &[DayBlock]) -> Self {
        let mut line = Self { places: Vec::new(), values: Vec::new(), gap_count_max: 0 };
        for (day, block) in days.iter().enumerate() {
            line.gap_count_max = LINEAR_MINUTES_MAX / usize::from(block.interval_minutes());
            for (slot, (&value, &quality)) in block.values_wh().iter().zip(block.qualities()).enumerate() {
                line.places.push((day, slot));
                line.values.push(quality.is_billable().then_some(value));
            }
        }
        line
    }

    /// The value on the straight line between the known neighbours of a short gap, half to even.
    fn linear(&self, at: usize) -> Option<i32> {
        let before = (0..at).rev().take(self.gap_count_max).find(|&left| self.values[left].is_some())?;
        let after = (at + 1..self.values.len())
            .take(self.gap_count_max)
            .find(|&right| self.values[right].is_some())?;
        if after - before - 1 > self.gap_count_max {
            return None;
        }
        let (left, right) = (i128::from(self.values[before]?), i128::from(self.values[after]?));
        let steps = i128::try_from(after - before).ok()?;
        let step = i128::try_from(at - before).ok()?;
        i32::try_from(div_half_even(left * (steps - step) + right * step, steps)).ok()
    }
}

/// Mean of the slot over days of the same kind and length, half to even.
fn like_days(days: &[DayBlock], day: usize, slot: usize) -> Option<i32> {
    let target = &days[day];
    let like: Vec<i128> = days
        .iter()
        .filter(|block| block.interval_count() == target.interval_count())
        .filter(|block| block.key().day.is_weekend() == target.key().day.is_weekend())
        .filter(|block| block.qualities()[slot].is_billable())
        .map(|block| i128::from(block.values_wh()[slot]))
        .collect();
    if like.len() < LIKE_DAYS_MIN {
        return None;
    }
    let count = i128::try_from(like.len()).ok()?;
    i32::try_from(div_half_even(like.iter().sum(), count)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;
    use crate::day_block::MergeCounts;
    use crate::reading::Source;
    use crate::register::Register;

    type Cell = (usize, usize);

    /// Five working days (2026-03-02 is a Monday) of hourly values `10 * (day + 1) + hour`.
    fn week() -> Vec<DayBlock> {
        let zone = Zone::parse("UTC").unwrap();
        (0..5)
            .map(|day| {
                let local = zone.local_day(format!("2026-03-{:02}", day + 2).parse().unwrap());
                let mut block =
                    DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated)
                        .unwrap();
                for hour in 0..24 {
                    let wh = 10 * (day + 1) + i32::try_from(hour).unwrap();
                    block.put(hour, wh, Quality::Valid, &mut MergeCounts::default());
                }
                block
            })
            .collect()
    }

    /// The week with the named (day, hour) cells missing.
    fn without(cells: &[(usize, usize)]) -> Vec<DayBlock> {
        let mut days = week();
        for (day, block) in days.iter_mut().enumerate() {
            let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
            for &(_, hour) in cells.iter().filter(|cell| cell.0 == day) {
                (values[hour], qualities[hour]) = (0, Quality::Missing);
            }
            *block = DayBlock::from_parts(block.key(), block.start(), 60, block.source(), values, qualities)
                .unwrap();
        }
        days
    }

    #[test]
    fn the_ladder() {
        use Quality::{EstimatedLinear, EstimatedReferenceDay, Missing};
        // missing cells; a cell; what stands there
        let long: Vec<(usize, usize)> = (5..10).map(|hour| (2, hour)).collect();
        let too_few: Vec<(usize, usize)> =
            [0, 1, 2].into_iter().flat_map(|day| (5..10).map(move |h| (day, h))).collect();
        let at_start = [(0, 0)];
        let table: [(&[Cell], Cell, (i32, Quality)); 6] = [
            (&[(1, 5)], (1, 5), (25, EstimatedLinear)), // between 24 and 26
            (&[(1, 5), (1, 6)], (1, 6), (26, EstimatedLinear)), // 24 … 27
            (&[(0, 23)], (0, 23), (26, EstimatedLinear)), // between 32 and 20, over midnight
            (&long, (2, 7), (37, EstimatedReferenceDay)), // mean of 17, 27, 47, 57
            (&at_start, (0, 0), (35, EstimatedReferenceDay)), // no left neighbour; mean of 20, 30, 40, 50
            (&too_few, (1, 7), (0, Missing)),           // two like days only
        ];
        for (missing, (day, hour), want) in table {
            let mut days = without(missing);
            estimate(&mut days);
            let got = (days[day].values_wh()[hour], days[day].qualities()[hour]);
            assert_eq!(got, want, "day {day} hour {hour} of {missing:?}");
        }
    }

    #[test]
    fn nothing_missing_nothing_changed() {
        let mut days = week();
        estimate(&mut days);
        assert_eq!(days, week());
    }
}
