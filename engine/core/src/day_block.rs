//! The day block: one register, one local delivery day, one value and one quality an interval.
//!
//! It is what readings are assembled into, what is hashed, stored, estimated and billed.
//!
//! ```text
//!   RawReading, RawReading, …  ──judge──▶  DayBlock  ◀──merge──  DayBlock (another delivery, same day)
//! ```
//!
//! Merging is a join: commutative, associative, idempotent. So the accepted set, and with it every period
//! root, is the same for any order of arrival, any splitting into files, and any duplication.

use crate::calendar::{Day, LocalDay, UtcSeconds};
use crate::label::UsagePointId;
use crate::quality::Quality;
use crate::reading::{INTERVAL_MINUTES, Source};
use crate::register::Register;

/// The most intervals a day can have: 25 hours of 5 minutes.
pub const INTERVAL_COUNT_MAX: u16 = 300;

/// What a day block is the block *of*. Sorted by this, blocks prove absence by their neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// Which local delivery day.
    pub day: Day,
}

/// One register's local delivery day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayBlock {
    key: BlockKey,
    start: UtcSeconds,
    interval_minutes: u8,
    source: Source,
    values_wh: Vec<i32>,
    qualities: Vec<Quality>,
}

/// Where the intervals of one register-day lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayGrid {
    /// First instant of the day.
    pub start: UtcSeconds,
    /// Length of an interval.
    pub interval_minutes: u8,
    /// How many there are.
    pub interval_count: usize,
}

impl DayGrid {
    /// The interval that starts at `instant`, if there is one.
    #[must_use]
    pub fn interval_at(&self, instant: UtcSeconds) -> Option<usize> {
        let seconds = instant.0 - self.start.0;
        let step = i64::from(self.interval_minutes) * 60;
        if seconds < 0 || seconds % step != 0 {
            return None;
        }
        usize::try_from(seconds / step).ok().filter(|&at| at < self.interval_count)
    }
}

/// Why a day block cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DayBlockError {
    /// The interval length is not one we take.
    #[error("interval of {0} minutes, need 5, 15, 30 or 60")]
    IntervalMinutes(u8),
    /// No intervals, or more than [`INTERVAL_COUNT_MAX`].
    #[error("{0} intervals in a day, need 1 to {INTERVAL_COUNT_MAX}")]
    IntervalCount(usize),
    /// Values and qualities differ in number.
    #[error("{values} values but {qualities} qualities")]
    Lengths {
        /// Number of values.
        values: usize,
        /// Number of qualities.
        qualities: usize,
    },
    /// A negative value, or a missing interval whose value is not zero.
    #[error("interval {at} holds {value_wh} Wh, which its quality does not allow")]
    Value {
        /// Index of the interval.
        at: usize,
        /// Its value.
        value_wh: i32,
    },
    /// The day does not start a whole number of quarter-hours from UTC midnight, within 24 hours of it.
    #[error("day {day} starts at {start}, not a whole quarter-hour offset from UTC midnight")]
    Offset {
        /// The day.
        day: Day,
        /// Its first instant.
        start: UtcSeconds,
    },
}

/// What became of the intervals of one delivery when it was merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MergeCounts {
    /// Filled an interval that had no value.
    pub accepted: u64,
    /// Equal to what was there: ignored.
    pub duplicate: u64,
    /// Replaced, or was outranked by, a value of another rank.
    pub corrected: u64,
    /// Differed from a value of equal rank: the smaller stands.
    pub conflict: u64,
}

impl DayBlock {
    /// An empty day: every interval missing.
    ///
    /// # Errors
    /// [`DayBlockError`] if the interval length does not fill the day, or the day's offset is odd.
    pub fn empty(
        usage_point: UsagePointId,
        register: Register,
        local: LocalDay,
        interval_minutes: u8,
        source: Source,
    ) -> Result<Self, DayBlockError> {
        let count = local.interval_count(interval_minutes).map_or(0, usize::from);
        let key = BlockKey { usage_point, register, day: local.day };
        Self::from_parts(
            key,
            local.start,
            interval_minutes,
            source,
            vec![0; count],
            vec![Quality::Missing; count],
        )
    }

    /// From its parts, checked.
    ///
    /// # Errors
    /// [`DayBlockError`] names the part that is out of range.
    pub fn from_parts(
        key: BlockKey,
        start: UtcSeconds,
        interval_minutes: u8,
        source: Source,
        values_wh: Vec<i32>,
        qualities: Vec<Quality>,
    ) -> Result<Self, DayBlockError> {
        if !INTERVAL_MINUTES.contains(&interval_minutes) {
            return Err(DayBlockError::IntervalMinutes(interval_minutes));
        }
        if values_wh.is_empty() || values_wh.len() > usize::from(INTERVAL_COUNT_MAX) {
            return Err(DayBlockError::IntervalCount(values_wh.len()));
        }
        if values_wh.len() != qualities.len() {
            return Err(DayBlockError::Lengths { values: values_wh.len(), qualities: qualities.len() });
        }
        for (at, (&value_wh, &quality)) in values_wh.iter().zip(&qualities).enumerate() {
            if value_wh < 0 || (quality == Quality::Missing && value_wh != 0) {
                return Err(DayBlockError::Value { at, value_wh });
            }
        }
        if offset_quarters(key.day, start).is_none() {
            return Err(DayBlockError::Offset { day: key.day, start });
        }
        Ok(Self { key, start, interval_minutes, source, values_wh, qualities })
    }

    /// What it is the block of.
    #[must_use]
    pub const fn key(&self) -> BlockKey {
        self.key
    }

    /// First instant of the day.
    #[must_use]
    pub const fn start(&self) -> UtcSeconds {
        self.start
    }

    /// Offset of local midnight from UTC midnight in quarter-hours: +20 in Yekaterinburg.
    ///
    /// # Panics
    /// Never: checked when the block was built.
    #[must_use]
    pub fn offset_quarters(&self) -> i8 {
        offset_quarters(self.key.day, self.start).expect("checked when the block was built")
    }

    /// Length of an interval.
    #[must_use]
    pub const fn interval_minutes(&self) -> u8 {
        self.interval_minutes
    }

    /// Where the values came from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Watt-hours an interval, in order of time.
    #[must_use]
    pub fn values_wh(&self) -> &[i32] {
        &self.values_wh
    }

    /// Quality an interval, in order of time.
    #[must_use]
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// Number of intervals.
    #[must_use]
    pub fn interval_count(&self) -> usize {
        self.values_wh.len()
    }

    /// First instant of interval `at`.
    #[must_use]
    pub fn interval_start(&self, at: usize) -> UtcSeconds {
        let steps = i64::try_from(at).expect("a day has at most 300 intervals");
        self.start.plus(steps * i64::from(self.interval_minutes) * 60)
    }

    /// Where its intervals lie.
    #[must_use]
    pub fn grid(&self) -> DayGrid {
        let (start, interval_minutes, interval_count) =
            (self.start, self.interval_minutes, self.values_wh.len());
        DayGrid { start, interval_minutes, interval_count }
    }

    /// The interval that starts at `instant`, if it is on this day's grid.
    #[must_use]
    pub fn interval_at(&self, instant: UtcSeconds) -> Option<usize> {
        self.grid().interval_at(instant)
    }

    /// The intervals of the hour from `start` on, if this day's grid tells it.
    #[must_use]
    pub fn hour_at(&self, start: UtcSeconds) -> Option<std::ops::Range<usize>> {
        let first = self.interval_at(start)?;
        let end = first + usize::from(60 / self.interval_minutes());
        (end <= self.interval_count()).then_some(first..end)
    }

    /// The energy of intervals of this day, Wh, if each has a value.
    ///
    /// # Panics
    /// If the day has not so many intervals.
    #[must_use]
    pub fn read_wh(&self, intervals: std::ops::Range<usize>) -> Option<i64> {
        let is_read = self.qualities[intervals.clone()].iter().all(|quality| quality.is_billable());
        is_read.then(|| self.values_wh[intervals].iter().map(|&wh| i64::from(wh)).sum())
    }

    /// Sum of the values.
    #[must_use]
    pub fn total_wh(&self) -> i64 {
        self.values_wh.iter().map(|&wh| i64::from(wh)).sum()
    }

    /// How many intervals have a value.
    #[must_use]
    pub fn present_count(&self) -> usize {
        self.qualities.iter().filter(|quality| quality.is_billable()).count()
    }

    /// Joins one delivered value into interval `at`, and says what became of it.
    ///
    /// # Panics
    /// If `at` is past the day or `value_wh` is negative: both are rejected before.
    pub fn put(&mut self, at: usize, value_wh: i32, quality: Quality, counts: &mut MergeCounts) {
        assert!(value_wh >= 0, "negative values are rejected before they reach a day block");
        let known = (self.values_wh[at], self.qualities[at]);
        (self.values_wh[at], self.qualities[at]) = join_counted(known, (value_wh, quality), counts);
    }

    /// Joins another delivery of the same day into this one.
    ///
    /// # Errors
    /// [`DayBlockError::IntervalMinutes`] when the other's grid differs: nothing is changed then.
    ///
    /// # Panics
    /// If the other is the block of another register or day.
    pub fn merge(&mut self, other: &Self) -> Result<MergeCounts, DayBlockError> {
        assert_eq!(self.key, other.key, "only deliveries of one register-day are merged");
        self.same_grid(other)?;
        let mut counts = MergeCounts::default();
        for (at, (&value_wh, &quality)) in other.values_wh.iter().zip(&other.qualities).enumerate() {
            self.put(at, value_wh, quality, &mut counts);
        }
        self.source = self.source.max(other.source);
        Ok(counts)
    }

    /// Whether another block's intervals are this one's.
    pub(crate) fn same_grid(&self, other: &Self) -> Result<(), DayBlockError> {
        if self.interval_minutes != other.interval_minutes || self.start != other.start {
            return Err(DayBlockError::IntervalMinutes(other.interval_minutes));
        }
        if self.values_wh.len() != other.values_wh.len() {
            return Err(DayBlockError::IntervalCount(other.values_wh.len()));
        }
        Ok(())
    }

    /// The value and quality of interval `at`.
    ///
    /// # Panics
    /// If there is no such interval.
    #[must_use]
    pub fn interval(&self, at: usize) -> (i32, Quality) {
        (self.values_wh[at], self.qualities[at])
    }

    /// The same day without a value.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let (values_wh, qualities) =
            (vec![0; self.values_wh.len()], vec![Quality::Missing; self.qualities.len()]);
        Self { values_wh, qualities, ..*self }
    }

    /// Sets an interval to what is known by other means to stand there.
    pub(crate) fn set(&mut self, at: usize, (value_wh, quality): (i32, Quality)) {
        assert!(value_wh >= 0 && (quality != Quality::Missing || value_wh == 0), "a value as it is checked");
        (self.values_wh[at], self.qualities[at]) = (value_wh, quality);
    }

    /// Sets where the values came from.
    pub(crate) fn set_source(&mut self, source: Source) {
        self.source = source;
    }

    /// Sets an estimated value; only where there is none.
    ///
    /// # Panics
    /// If the interval has a value: an estimate never replaces one.
    pub fn fill(&mut self, at: usize, value_wh: i32, quality: Quality) {
        assert!(self.qualities[at] == Quality::Missing && quality.is_estimated() && value_wh >= 0);
        (self.values_wh[at], self.qualities[at]) = (value_wh, quality);
    }
}

/// Joins a delivered value to the known one, says which stands, and counts what became of it.
#[must_use]
pub fn join_counted(
    known: (i32, Quality),
    delivered: (i32, Quality),
    counts: &mut MergeCounts,
) -> (i32, Quality) {
    if delivered.1 == Quality::Missing {
        return known;
    }
    let tally = match (known.1.rank().cmp(&delivered.1.rank()), known.0 == delivered.0) {
        _ if known.1 == Quality::Missing => &mut counts.accepted,
        (std::cmp::Ordering::Equal, true) => &mut counts.duplicate,
        (std::cmp::Ordering::Equal, false) => &mut counts.conflict,
        _ => &mut counts.corrected,
    };
    *tally += 1;
    join(known, delivered)
}

/// The value that stands when two are known: higher rank; at equal rank the smaller value with its own quality, and two
/// *measured* values that differ make it questionable, for good.
pub(crate) fn join(a: (i32, Quality), b: (i32, Quality)) -> (i32, Quality) {
    match a.1.rank().cmp(&b.1.rank()) {
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Equal => {
            let measured = a.1.rank() == Quality::Questionable.rank();
            let disputed = a.1 == Quality::Questionable || b.1 == Quality::Questionable || a.0 != b.0;
            match a.0.cmp(&b.0) {
                _ if measured && disputed => (a.0.min(b.0), Quality::Questionable),
                std::cmp::Ordering::Less => a,
                std::cmp::Ordering::Greater => b,
                std::cmp::Ordering::Equal => (a.0, a.1.max(b.1)),
            }
        }
    }
}

fn offset_quarters(day: Day, start: UtcSeconds) -> Option<i8> {
    let seconds = i64::from(day.number()) * 86_400 - start.0;
    if seconds % 900 != 0 {
        return None;
    }
    i8::try_from(seconds / 900).ok().filter(|quarters| quarters.unsigned_abs() <= 96)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = (i32, Quality)> {
        (0..4_i32, 0..Quality::ALL.len()).prop_map(|(value, at)| match Quality::ALL[at] {
            Quality::Missing => (0, Quality::Missing),
            quality => (value, quality),
        })
    }

    proptest! {
        #[test]
        fn join_is_a_join(a in any_value(), b in any_value(), c in any_value()) {
            prop_assert_eq!(join(a, a), a);
            prop_assert_eq!(join(a, b), join(b, a));
            prop_assert_eq!(join(join(a, b), c), join(a, join(b, c)));
        }
    }

    #[test]
    fn what_becomes_of_a_delivery() {
        use Quality::{Edited, EstimatedLinear, Missing, Other, Projected, Questionable, Raw, Valid};
        // there, delivered, stands, (accepted, duplicate, corrected, conflict)
        let table = [
            ((0, Missing), (5, Valid), (5, Valid), (1, 0, 0, 0)),
            ((5, Valid), (5, Valid), (5, Valid), (0, 1, 0, 0)),
            ((5, Valid), (7, Valid), (5, Questionable), (0, 0, 0, 1)),
            ((5, Questionable), (5, Valid), (5, Questionable), (0, 1, 0, 0)),
            ((5, EstimatedLinear), (7, Valid), (7, Valid), (0, 0, 1, 0)),
            ((7, Valid), (5, EstimatedLinear), (7, Valid), (0, 0, 1, 0)),
            ((7, Edited), (5, Raw), (7, Edited), (0, 0, 1, 0)),
            ((7, Other), (5, Projected), (7, Other), (0, 0, 1, 0)),
            ((7, Other), (5, EstimatedLinear), (5, EstimatedLinear), (0, 0, 0, 1)),
            ((5, EstimatedLinear), (5, Other), (5, Other), (0, 1, 0, 0)),
            ((7, Valid), (0, Missing), (7, Valid), (0, 0, 0, 0)),
        ];
        let local = Zone::parse("UTC").unwrap().local_day("2026-03-01".parse().unwrap());
        for (there, delivered, stands, want) in table {
            let mut block =
                DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated)
                    .unwrap();
            block.put(3, there.0, there.1, &mut MergeCounts::default());
            let mut counts = MergeCounts::default();
            block.put(3, delivered.0, delivered.1, &mut counts);
            assert_eq!((block.values_wh()[3], block.qualities()[3]), stands, "{there:?} then {delivered:?}");
            let got = (counts.accepted, counts.duplicate, counts.corrected, counts.conflict);
            assert_eq!(got, want, "{there:?} then {delivered:?}");
        }
    }

    #[test]
    fn grid() {
        let local = Zone::parse("Asia/Yekaterinburg").unwrap().local_day("2026-03-01".parse().unwrap());
        let block =
            DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 30, Source::Automated).unwrap();
        assert_eq!((block.interval_count(), block.offset_quarters()), (48, 20));
        assert_eq!(block.interval_at(block.interval_start(47)), Some(47));
        assert_eq!(block.interval_at(block.interval_start(47).plus(60)), None);
        assert_eq!(block.interval_at(local.end), None);
        assert_eq!(block.interval_at(local.start.plus(-1_800)), None);
        let odd = DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 7, Source::Automated);
        assert!(odd.is_err());
    }
}
