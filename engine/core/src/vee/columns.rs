//! What a register-day is judged by: its columns, and what is known around it.

use crate::calendar::UtcSeconds;
use crate::day_block::{DayBlock, INTERVAL_COUNT_MAX};
use crate::meter::{DialReading, Installation, Multiplier};
use crate::quality::Quality;
use crate::reading::INTERVAL_MINUTES;
use crate::vee::pack::RegisterClass;
use crate::vee::rules::status::DeviceStatus;
use crate::vee::state::MeterState;

/// One register-day: as many values as qualities, none below zero, a missing one zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayColumns<'a> {
    start: UtcSeconds,
    interval_minutes: u8,
    values_wh: &'a [i32],
    qualities: &'a [Quality],
}

impl<'a> DayColumns<'a> {
    /// Of a day block, which was checked when it was built.
    #[must_use]
    pub fn of(block: &'a DayBlock) -> Self {
        Self {
            start: block.start(),
            interval_minutes: block.interval_minutes(),
            values_wh: block.values_wh(),
            qualities: block.qualities(),
        }
    }

    /// From its parts; `None` if they are not columns of a day.
    #[must_use]
    pub fn new(
        start: UtcSeconds,
        interval_minutes: u8,
        values_wh: &'a [i32],
        qualities: &'a [Quality],
    ) -> Option<Self> {
        let fits = INTERVAL_MINUTES.contains(&interval_minutes)
            && (1..=usize::from(INTERVAL_COUNT_MAX)).contains(&values_wh.len())
            && values_wh.len() == qualities.len();
        let holds = |(&wh, &quality): (&i32, &Quality)| wh >= 0 && (quality != Quality::Missing || wh == 0);
        (fits && values_wh.iter().zip(qualities).all(holds)).then_some(Self {
            start,
            interval_minutes,
            values_wh,
            qualities,
        })
    }

    /// First instant.
    #[must_use]
    pub const fn start(&self) -> UtcSeconds {
        self.start
    }

    /// First instant of interval `at`; of the next day for the count of intervals.
    #[must_use]
    pub fn instant(&self, at: usize) -> UtcSeconds {
        let steps = i64::try_from(at).unwrap_or(i64::MAX);
        self.start.plus(steps.saturating_mul(i64::from(self.interval_minutes) * 60))
    }

    /// Length of an interval.
    #[must_use]
    pub const fn interval_minutes(&self) -> u8 {
        self.interval_minutes
    }

    /// Watt-hours an interval, in order of time.
    #[must_use]
    pub const fn values_wh(&self) -> &'a [i32] {
        self.values_wh
    }

    /// Quality an interval, in order of time.
    #[must_use]
    pub const fn qualities(&self) -> &'a [Quality] {
        self.qualities
    }

    /// The intervals that have a value: place and value. Rules see these, so what is missing is stepped over.
    pub fn present(&self) -> impl DoubleEndedIterator<Item = (usize, i32)> + Clone + 'a {
        let values = self.values_wh.iter().zip(self.qualities).enumerate();
        values.filter(|(_, (_, quality))| quality.is_billable()).map(|(at, (&wh, _))| (at, wh))
    }

    /// Sum of the values.
    #[must_use]
    pub fn total_wh(&self) -> i64 {
        self.values_wh.iter().map(|&wh| i64::from(wh)).sum()
    }

    /// Intervals without a value.
    #[must_use]
    pub fn missing_count(&self) -> usize {
        self.qualities.iter().filter(|&&quality| quality == Quality::Missing).count()
    }
}

/// What a cumulative register showed at both ends of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterSpan {
    /// At the day's first instant.
    pub start: DialReading,
    /// At the next day's.
    pub end: DialReading,
}

/// What a day's zone registers and the total register counted, or showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneDials<'a> {
    /// One a zone.
    pub zones: &'a [DialReading],
    /// Of all zones.
    pub total: DialReading,
}

/// What is known around a register-day. A rule says nothing where what it needs is not known.
#[derive(Debug, Clone, Copy)]
pub struct DayContext<'a> {
    /// Which parameters hold.
    pub class: RegisterClass,
    /// Intervals of the local day, by its zone's calendar.
    pub expected_count: usize,
    /// What the meter's days before come to.
    pub state: Option<&'a MeterState>,
    /// The day before.
    pub previous: Option<DayColumns<'a>>,
    /// The register's installations, in order of time; none if they are not known.
    pub installations: &'a [Installation],
    /// What the register showed.
    pub span: Option<RegisterSpan>,
    /// What the zone registers showed.
    pub zone_dials: Option<ZoneDials<'a>>,
    /// The multiplier that came with the values.
    pub multiplier: Option<Multiplier>,
    /// How far the meter's clock was ahead, seconds.
    pub clock_ahead_s: Option<i64>,
    /// What the device said of each interval; none if it says nothing.
    pub statuses: &'a [DeviceStatus],
    /// Somebody lives or works there.
    pub is_occupied: bool,
    /// The supply was disconnected all day.
    pub is_disconnected: bool,
    /// The use is known to be irregular: a holiday house, a building site.
    pub is_irregular: bool,
    /// The check meter's day.
    pub check: Option<DayColumns<'a>>,
    /// The day of the active energy taken, for a reactive register.
    pub active: Option<DayColumns<'a>>,
    /// The day of the active energy fed in, for a reactive register.
    pub active_export: Option<DayColumns<'a>>,
    /// The day of the register that counts the other way.
    pub opposite: Option<DayColumns<'a>>,
    /// What the connection can carry, watts.
    pub capacity_w: Option<i64>,
}

impl DayContext<'_> {
    /// An occupied, connected point of which nothing else is known.
    #[must_use]
    pub const fn plain(class: RegisterClass, expected_count: usize) -> Self {
        Self {
            class,
            expected_count,
            state: None,
            previous: None,
            installations: &[],
            span: None,
            zone_dials: None,
            multiplier: None,
            clock_ahead_s: None,
            statuses: &[],
            is_occupied: true,
            is_disconnected: false,
            is_irregular: false,
            check: None,
            active: None,
            active_export: None,
            opposite: None,
            capacity_w: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_columns_of_a_day() {
        use Quality::{Missing, Valid};
        let of = |minutes, values: &[i32], qualities: &[Quality]| {
            DayColumns::new(UtcSeconds(0), minutes, values, qualities).is_some()
        };
        assert!(of(30, &[1, 0], &[Valid, Missing]));
        assert!(!of(20, &[1], &[Valid]));
        assert!(!of(30, &[], &[]));
        assert!(!of(30, &[1, 2], &[Valid]));
        assert!(!of(30, &[-1], &[Valid]));
        assert!(!of(30, &[1], &[Missing]));
        assert!(!of(5, &[1; 301], &[Valid; 301]));
    }
}
