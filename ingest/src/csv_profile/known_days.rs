//! The days of a file by the text of their stamps, each looked into once.

use std::collections::HashMap;

use tallywatt_core::calendar::{UtcSeconds, WallTime, Zone};

use super::CsvProfile;
use crate::stamp::Stamp;

/// The most days that are remembered: later ones are read by rows.
const DAY_COUNT_MAX: usize = 1 << 14;

/// Days in the order in which they were first met.
#[derive(Debug, Default)]
pub(super) struct KnownDays {
    days: Vec<KnownDay>,
    /// By what stands before and after the time of day.
    places: HashMap<(Vec<u8>, Vec<u8>), usize>,
    last: usize,
}

/// A day, or why its clock cannot be foretold.
#[derive(Debug)]
pub(super) struct KnownDay {
    /// What stands before the time of day.
    pub(super) before: Vec<u8>,
    after: Vec<u8>,
    /// What midnight means; nothing for a day in which the clock is changed.
    pub(super) first: Option<UtcSeconds>,
}

impl KnownDay {
    /// Whether the text of `other` can be written over this one's.
    pub(super) fn is_spaced_as(&self, other: &Self) -> bool {
        self.before.len() == other.before.len() && self.after == other.after
    }

    fn is_written(&self, before: &[u8], after: &[u8]) -> bool {
        self.before == before && self.after == after
    }
}

impl KnownDays {
    pub(super) fn at(&self, place: usize) -> Option<&KnownDay> {
        self.days.get(place)
    }

    /// The place of a day; `first` is asked for the first instant of one not met before.
    pub(super) fn place(
        &mut self,
        before: &[u8],
        after: &[u8],
        first: impl FnOnce() -> Option<UtcSeconds>,
    ) -> Option<usize> {
        // The same day as last time, the next one, or the first: files are sorted, mostly.
        let near = [self.last, self.last + 1, 0];
        let near = near
            .into_iter()
            .find(|&place| self.days.get(place).is_some_and(|day| day.is_written(before, after)));
        if let Some(place) = near {
            self.last = place;
            return Some(place);
        }
        let key = (before.to_vec(), after.to_vec());
        let place = match self.places.get(&key) {
            Some(&place) => place,
            None if self.days.len() >= DAY_COUNT_MAX => return None,
            None => {
                let place = self.days.len();
                self.days.push(KnownDay { before: key.0.clone(), after: key.1.clone(), first: first() });
                self.places.insert(key, place);
                place
            }
        };
        self.last = place;
        Some(place)
    }
}

/// The first instant of the day that `stamp` lies in, if each of the `count` times of day on its grid means
/// one instant, `interval_s` after the one before. `by_offset` is what it is if the stamp names an instant.
pub(super) fn first_instant(
    profile: &CsvProfile,
    zone: &Zone,
    stamp: &[u8],
    by_offset: UtcSeconds,
    count: usize,
    interval_s: i64,
) -> Option<UtcSeconds> {
    let day = match profile.stamp.read(stamp)? {
        // The offset stands in the stamp: the whole day is as far from UTC as this time of it.
        Stamp::Instant(_) => return Some(by_offset),
        Stamp::Wall(day, _) => day,
    };
    let WallTime::Once(first) = zone.resolve(day, 0) else { return None };
    let seconds = (0..count).map(|slot| i64::try_from(slot).unwrap_or(0) * interval_s);
    let is_even = seconds.into_iter().all(|second| {
        u32::try_from(second).is_ok_and(|at| zone.resolve(day, at) == WallTime::Once(first.plus(second)))
    });
    is_even.then_some(first)
}
