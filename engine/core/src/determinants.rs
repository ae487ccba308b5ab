//! Billing determinants kept running: what a bill needs of a usage point, added up day by day.
//!
//! ```text
//!   day block, 48 × Wh ──┬── & lanes of zone 0 ──▶ + zone 0 ┐
//!                        ├── & lanes of zone 1 ──▶ + zone 1 │ RunningUse: 32 bytes a usage point,
//!                        ├── all − zones 0, 1 ───▶ + zone 2 │ kept at ingest, for 100 million of them
//!                        ├── & demand lanes ─────▶ max      │
//!                        └────────────────────────▶ days + 1 ┘
//!
//!   day blocks of a month ──▶ DayProfile: 48 sums and 48 maxima a kind of day ── zones, once ──▶ RunningUse
//! ```
//!
//! A [`DayPattern`] is a calendar's day compiled to lanes, so no zone is looked up for a reading: the inner loop is
//! sums over slices without a branch. A clock-change day has a pattern of its own, of 92 or 100 lanes.
//!
//! Invariants: no sum wraps. A value is below 2^31, a day has at most 300 and a use at most 65,535 days, so a zone
//! stays below 2^56; the 32-bit lanes are used only while the day's values allow it, and refused or widened
//! otherwise. A sum can be kept, not taken back: after a revision of a day the use is folded again.
//!
//! ```
//! use tallywatt_core::determinants::{DayPattern, RunningUse};
//! let pattern = DayPattern::new(&[2, 0, 0, 1], &[false, true, true, false])?;
//! let mut point = RunningUse::default();
//! point.add_day(&[1, 20, 30, 4], &pattern)?;
//! assert_eq!((point.zones_wh(), point.demand_wh(), point.day_count()), ([50, 4, 1], 30, 1));
//! # Ok::<(), tallywatt_core::determinants::UseError>(())
//! ```

use crate::calendar::{LocalDay, Zone};
use crate::day_block::INTERVAL_COUNT_MAX;
use crate::tariff::Tariff;

mod profile;

pub use profile::{DayProfile, LANE_WH_MAX, PROFILE_DAY_COUNT_MAX};

/// Zones a running use tells apart.
pub const USE_ZONE_COUNT: usize = 3;
/// The most watt-hours in a zone of a running use: 300 values a day below 2^31, on 65,535 days.
pub const ZONE_WH_MAX: i64 = 1 << 56;

/// Values below this are summed a day in 32 bits.
const NARROW_WH: i32 = 1 << 23;
const _: () = assert!(INTERVAL_COUNT_MAX as u64 * (NARROW_WH as u64 - 1) <= u32::MAX as u64);
const _: () = assert!((INTERVAL_COUNT_MAX as i64) * (1 << 31) * (u16::MAX as i64) <= ZONE_WH_MAX);
const _: () = assert!(size_of::<RunningUse>() == 32);

/// Why a day cannot be added, or a pattern not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UseError {
    /// The day has another number of intervals than the pattern.
    #[error("a day of {values} intervals does not fit a pattern of {lanes}")]
    Lanes {
        /// Intervals of the day.
        values: usize,
        /// Lanes of the pattern.
        lanes: usize,
    },
    /// A pattern without lanes, with too many, or with demand lanes of another number.
    #[error("{0} lanes, need 1 to {INTERVAL_COUNT_MAX}, and as many for the demand")]
    Pattern(usize),
    /// A zone beyond those a running use has.
    #[error("zone {0} of a pattern, a running use tells {USE_ZONE_COUNT} apart")]
    Zone(usize),
    /// A negative value, or one too large for a profile's lanes.
    #[error("a value of {value_wh} Wh, need 0 to {max}")]
    Value {
        /// The value.
        value_wh: i32,
        /// The largest taken.
        max: i32,
    },
    /// More days than are counted.
    #[error("more than {0} days")]
    Days(u16),
    /// A zone sum that no days add up to.
    #[error("{0} Wh in a zone, need 0 to {ZONE_WH_MAX}")]
    Sum(i64),
}

/// Some of the zones of a running use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ZoneSet(u8);

impl ZoneSet {
    /// No zone.
    pub const NONE: Self = Self(0);
    /// Every zone: the total.
    pub const ALL: Self = Self(0b111);

    /// Of these zones, counted from 0.
    ///
    /// # Panics
    /// If one is not below [`USE_ZONE_COUNT`].
    #[must_use]
    pub const fn of(zones: &[usize]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < zones.len() {
            assert!(zones[at] < USE_ZONE_COUNT, "a running use has three zones");
            bits |= 1 << zones[at];
            at += 1;
        }
        Self(bits)
    }

    /// Whether `zone` is one of them.
    #[must_use]
    pub const fn contains(self, zone: usize) -> bool {
        zone < USE_ZONE_COUNT && self.0 & (1 << zone) != 0
    }
}

/// The zones and demand window of one kind of day, a mask a lane: −1 keeps a value, 0 drops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPattern {
    zone_0: Vec<i32>,
    zone_1: Vec<i32>,
    demand: Vec<i32>,
}

impl DayPattern {
    /// From the zone of every interval, and whether it counts for the demand.
    ///
    /// # Errors
    /// [`UseError::Pattern`] or [`UseError::Zone`].
    pub fn new(zones: &[u8], demand: &[bool]) -> Result<Self, UseError> {
        if zones.is_empty() || zones.len() > usize::from(INTERVAL_COUNT_MAX) || demand.len() != zones.len() {
            return Err(UseError::Pattern(zones.len()));
        }
        if let Some(&zone) = zones.iter().find(|zone| usize::from(**zone) >= USE_ZONE_COUNT) {
            return Err(UseError::Zone(usize::from(zone)));
        }
        let lanes = |wanted: u8| zones.iter().map(|&zone| -i32::from(zone == wanted)).collect();
        let demand = demand.iter().map(|&counts| -i32::from(counts)).collect();
        Ok(Self { zone_0: lanes(0), zone_1: lanes(1), demand })
    }

    /// A tariff's zones over a local day of `zone`, clock changes and all; intervals of the zones in `demand` count
    /// for the demand.
    ///
    /// # Errors
    /// [`UseError::Pattern`] if the intervals do not fill the day; [`UseError::Zone`] if the tariff has too many zones.
    pub fn of_tariff(
        tariff: &Tariff,
        zone: &Zone,
        local: LocalDay,
        interval_minutes: u8,
        demand: ZoneSet,
    ) -> Result<Self, UseError> {
        let count = local.interval_count(interval_minutes).unwrap_or(0);
        let step_s = i64::from(interval_minutes) * 60;
        let starts = (0..count).map(|at| local.start.plus(i64::from(at) * step_s));
        let pattern = tariff.pattern_of(local.day);
        let zones: Vec<usize> =
            starts.map(|start| tariff.zone_at(pattern, zone.wall_minute(start))).collect();
        let codes: Vec<u8> = zones.iter().map(|&zone| u8::try_from(zone).unwrap_or(u8::MAX)).collect();
        Self::new(&codes, &zones.iter().map(|&zone| demand.contains(zone)).collect::<Vec<_>>())
    }

    /// How many intervals its days have.
    #[must_use]
    pub fn lane_count(&self) -> usize {
        self.demand.len()
    }
}

/// Energy by zone, the highest value of the demand window and the days of one usage point. 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunningUse {
    zones_wh: [i64; USE_ZONE_COUNT],
    demand_wh: i32,
    day_count: u16,
}

impl RunningUse {
    /// From its parts, as they were stored.
    ///
    /// # Errors
    /// [`UseError::Sum`] or [`UseError::Value`] if a part is out of range.
    pub fn from_parts(
        zones_wh: [i64; USE_ZONE_COUNT],
        demand_wh: i32,
        day_count: u16,
    ) -> Result<Self, UseError> {
        if let Some(&sum) = zones_wh.iter().find(|sum| !(0..=ZONE_WH_MAX).contains(*sum)) {
            return Err(UseError::Sum(sum));
        }
        if demand_wh < 0 {
            return Err(UseError::Value { value_wh: demand_wh, max: i32::MAX });
        }
        Ok(Self { zones_wh, demand_wh, day_count })
    }

    /// Watt-hours by zone.
    #[must_use]
    pub const fn zones_wh(&self) -> [i64; USE_ZONE_COUNT] {
        self.zones_wh
    }

    /// Watt-hours of all zones: at most 3 × 2^56.
    #[must_use]
    pub const fn total_wh(&self) -> i64 {
        // Cannot wrap, and is asked of every bill.
        self.zones_wh[0].wrapping_add(self.zones_wh[1]).wrapping_add(self.zones_wh[2])
    }

    /// The highest interval of the demand window, Wh.
    #[must_use]
    pub const fn demand_wh(&self) -> i32 {
        self.demand_wh
    }

    /// Days added.
    #[must_use]
    pub const fn day_count(&self) -> u16 {
        self.day_count
    }

    /// Adds one day; if it cannot be added, nothing is changed.
    ///
    /// # Errors
    /// [`UseError::Lanes`], [`UseError::Value`] for a negative value, [`UseError::Days`].
    pub fn add_day(&mut self, values_wh: &[i32], pattern: &DayPattern) -> Result<(), UseError> {
        let lanes = pattern.lane_count();
        if values_wh.len() != lanes {
            return Err(UseError::Lanes { values: values_wh.len(), lanes });
        }
        let day_count = self.day_count.checked_add(1).ok_or(UseError::Days(u16::MAX))?;
        let day = narrow_sums(values_wh, pattern);
        let sums = match day.seen {
            0..NARROW_WH => day.sums.map(i64::from),
            NARROW_WH.. => wide_sums(values_wh, pattern),
            ..0 => return Err(negative(values_wh)),
        };
        let [all, zone_0, zone_1] = sums;
        self.zones_wh[0] += zone_0;
        self.zones_wh[1] += zone_1;
        self.zones_wh[2] += all - zone_0 - zone_1;
        self.demand_wh = self.demand_wh.max(day.demand_wh);
        self.day_count = day_count;
        Ok(())
    }

    /// Counts a day on which the usage point was held but has no readings: it pays the fixed charge.
    ///
    /// # Errors
    /// [`UseError::Days`].
    pub fn add_empty_day(&mut self) -> Result<(), UseError> {
        self.day_count = self.day_count.checked_add(1).ok_or(UseError::Days(u16::MAX))?;
        Ok(())
    }
}

/// One day's [all, zone 0, zone 1] in 32 bits, and every bit that was set in any value.
struct NarrowDay {
    sums: [u32; 3],
    demand_wh: i32,
    seen: i32,
}

/// The sums wrap if values are large; `seen` tells.
fn narrow_sums(values_wh: &[i32], pattern: &DayPattern) -> NarrowDay {
    let mut day = NarrowDay { sums: [0; 3], demand_wh: 0, seen: 0 };
    let masks = pattern.zone_0.iter().zip(&pattern.zone_1).zip(&pattern.demand);
    for (&wh, ((&zone_0, &zone_1), &demand)) in values_wh.iter().zip(masks) {
        day.sums[0] = day.sums[0].wrapping_add(wh.cast_unsigned());
        day.sums[1] = day.sums[1].wrapping_add((wh & zone_0).cast_unsigned());
        day.sums[2] = day.sums[2].wrapping_add((wh & zone_1).cast_unsigned());
        day.demand_wh = day.demand_wh.max(wh & demand);
        day.seen |= wh;
    }
    day
}

/// The same in 64 bits, for values that a day of 32 bits does not hold.
#[cold]
fn wide_sums(values_wh: &[i32], pattern: &DayPattern) -> [i64; 3] {
    let kept =
        |masks: &[i32]| -> i64 { values_wh.iter().zip(masks).map(|(&wh, &mask)| i64::from(wh & mask)).sum() };
    let all = values_wh.iter().map(|&wh| i64::from(wh)).sum();
    [all, kept(&pattern.zone_0), kept(&pattern.zone_1)]
}

#[cold]
fn negative(values_wh: &[i32]) -> UseError {
    let value_wh = values_wh.iter().copied().find(|&wh| wh < 0).unwrap_or_default();
    UseError::Value { value_wh, max: i32::MAX }
}

#[cfg(test)]
mod tests;
