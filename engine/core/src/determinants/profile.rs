//! A month of one usage point by lane: the days of a kind laid over each other, zones summed once at the end.
//!
//! Cheaper a reading than a running use, because a day is added without any mask; larger, so it is made for one usage
//! point at a time, when a whole month is at hand.

use super::{DayPattern, RunningUse, UseError};

/// The largest value a profile takes, Wh; 64 of them fit a lane of 32 bits.
pub const LANE_WH_MAX: i32 = (1 << 26) - 1;
/// The most days a profile takes.
pub const PROFILE_DAY_COUNT_MAX: u16 = 64;

const _: () = assert!(LANE_WH_MAX as u64 * PROFILE_DAY_COUNT_MAX as u64 <= u32::MAX as u64);

/// Sums and maxima by lane, of working days and of weekends. `LANES` is 24, 48, 96 or 288: a day without a clock change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayProfile<const LANES: usize> {
    sums_wh: [[u32; LANES]; 2],
    maxima_wh: [[i32; LANES]; 2],
    day_count: u16,
}

impl<const LANES: usize> Default for DayProfile<LANES> {
    fn default() -> Self {
        Self { sums_wh: [[0; LANES]; 2], maxima_wh: [[0; LANES]; 2], day_count: 0 }
    }
}

impl<const LANES: usize> DayProfile<LANES> {
    /// Adds one day; if it cannot be added, nothing is changed.
    ///
    /// # Errors
    /// [`UseError::Value`] for a value below 0 or above [`LANE_WH_MAX`], [`UseError::Days`] past [`PROFILE_DAY_COUNT_MAX`].
    pub fn add_day(&mut self, values_wh: &[i32; LANES], is_weekend: bool) -> Result<(), UseError> {
        if self.day_count == PROFILE_DAY_COUNT_MAX {
            return Err(UseError::Days(PROFILE_DAY_COUNT_MAX));
        }
        let seen = values_wh.iter().fold(0, |seen, &wh| seen | wh);
        if !(0..=LANE_WH_MAX).contains(&seen) {
            return Err(out_of_range(values_wh));
        }
        let kind = usize::from(is_weekend);
        for (sum, &wh) in self.sums_wh[kind].iter_mut().zip(values_wh) {
            // Cannot wrap: 64 values below 2^26.
            *sum = sum.wrapping_add(wh.cast_unsigned());
        }
        for (maximum, &wh) in self.maxima_wh[kind].iter_mut().zip(values_wh) {
            *maximum = (*maximum).max(wh);
        }
        self.day_count += 1;
        Ok(())
    }

    /// Forgets the days.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The days as a running use, by the zones of a working day and of a weekend.
    ///
    /// # Errors
    /// [`UseError::Lanes`] if a pattern has not as many lanes.
    ///
    /// # Panics
    /// Never: 288 lanes below 2^32 are a zone's sum.
    pub fn fold(&self, working: &DayPattern, weekend: &DayPattern) -> Result<RunningUse, UseError> {
        let mut zones_wh = [0_i64; 3];
        let mut demand_wh = 0;
        for (kind, pattern) in [working, weekend].into_iter().enumerate() {
            if pattern.lane_count() != LANES {
                return Err(UseError::Lanes { values: LANES, lanes: pattern.lane_count() });
            }
            let masks = pattern.zone_0.iter().zip(&pattern.zone_1).zip(&pattern.demand);
            let lanes = self.sums_wh[kind].iter().zip(&self.maxima_wh[kind]);
            for ((&sum, &maximum), ((&zone_0, &zone_1), &demand)) in lanes.zip(masks) {
                let (first, second) = (sum & zone_0.cast_unsigned(), sum & zone_1.cast_unsigned());
                zones_wh[0] += i64::from(first);
                zones_wh[1] += i64::from(second);
                zones_wh[2] += i64::from(sum - first - second);
                demand_wh = demand_wh.max(maximum & demand);
            }
        }
        Ok(RunningUse::from_parts(zones_wh, demand_wh, self.day_count).expect("sums of lanes are in range"))
    }
}

#[cold]
fn out_of_range(values_wh: &[i32]) -> UseError {
    let value_wh = values_wh.iter().copied().find(|wh| !(0..=LANE_WH_MAX).contains(wh)).unwrap_or_default();
    UseError::Value { value_wh, max: LANE_WH_MAX }
}
