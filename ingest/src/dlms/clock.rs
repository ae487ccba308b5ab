//! Stamps of DLMS: twelve bytes of a wall clock, and how far it is from UTC, if it says so.

use std::cell::Cell;

use tallywatt_core::calendar::{Day, UtcSeconds, WallTime, Zone};
use tallywatt_core::rejection::RejectionCode;

use crate::stamp::{in_order, second_of_day};

/// Bytes of a date and time.
pub(super) const STAMP_SIZE: usize = 12;
/// Minutes from UTC that are not said.
const UNSAID: i16 = i16::MIN;
/// The farthest a clock is from UTC, in minutes: the standard's limit.
const DEVIATION_MAX: u16 = 840;
/// In the status: the clock is in summer time.
const SUMMER: u8 = 0x80;
/// A status that says nothing.
const NO_STATUS: u8 = 0xff;

/// A stamp as it is written.
pub(super) type Stamp = [u8; STAMP_SIZE];

/// Places stamps in a zone.
pub(super) struct Clock<'a> {
    zone: &'a Zone,
    believes_deviation: bool,
    /// The stamp before this one: an hour that comes twice is taken in order.
    previous: Cell<Option<UtcSeconds>>,
}

impl<'a> Clock<'a> {
    pub(super) const fn of(zone: &'a Zone, believes_deviation: bool) -> Self {
        Self { zone, believes_deviation, previous: Cell::new(None) }
    }

    /// The instant of a stamp.
    ///
    /// # Errors
    /// [`RejectionCode::Stamp`] or [`RejectionCode::NoSuchLocalTime`].
    pub(super) fn place(&self, stamp: Stamp) -> Result<UtcSeconds, RejectionCode> {
        let (day, second) = wall(&stamp).ok_or(RejectionCode::Stamp)?;
        let deviation = i16::from_be_bytes([stamp[9], stamp[10]]);
        let instant = if self.believes_deviation && deviation != UNSAID {
            if deviation.unsigned_abs() > DEVIATION_MAX {
                return Err(RejectionCode::Stamp);
            }
            // The deviation is what has to be added to the wall clock.
            let wall = i64::from(day.number()) * 86_400 + i64::from(second);
            UtcSeconds(wall + i64::from(deviation) * 60)
        } else {
            let is_summer = stamp[11] != NO_STATUS && stamp[11] & SUMMER != 0;
            match self.zone.resolve(day, second) {
                WallTime::Twice(first, _) if is_summer => first,
                wall => in_order(wall, self.previous.get())?,
            }
        };
        self.previous.set(Some(instant));
        Ok(instant)
    }
}

/// Year, month, day, day of the week, hour, minute, second, hundredths; the second may be left out.
fn wall(stamp: &Stamp) -> Option<(Day, u32)> {
    let [y0, y1, month, day, _, hour, minute, second, ..] = *stamp;
    let year = i16::from_be_bytes([y0, y1]);
    let day = Day::from_ymd(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?)?;
    day.plus(2)?;
    let second = if second == 0xff { 0 } else { second };
    Some((day, second_of_day(hour.into(), minute.into(), second.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(clock: &Clock<'_>, stamp: [u8; 12], want: &str) {
        let got = match clock.place(stamp) {
            Ok(instant) => instant.to_string(),
            Err(code) => code.to_string(),
        };
        assert_eq!(got, want, "{stamp:02x?}");
    }

    #[test]
    fn stamps() {
        let zone = Zone::parse("Europe/Oslo").unwrap();
        let clock = |believes| Clock::of(&zone, believes);
        let noon = |deviation: [u8; 2], status| {
            [0x07, 0xea, 3, 1, 7, 12, 0, 0, 0xff, deviation[0], deviation[1], status]
        };
        check(&clock(true), noon([0x80, 0], 0), "2026-03-01T11:00:00Z");
        check(&clock(true), noon([0xff, 0xc4], 0), "2026-03-01T11:00:00Z");
        check(&clock(true), noon([0, 0], 0), "2026-03-01T12:00:00Z");
        check(&clock(false), noon([0, 0], 0), "2026-03-01T11:00:00Z");
        check(&clock(true), noon([0x03, 0x49], 0), "R07");
        check(&clock(false), noon([0x03, 0x49], 0), "2026-03-01T11:00:00Z");
        // The hour that comes twice: by its status, else in order.
        let twice = |status| [0x07, 0xea, 10, 25, 7, 2, 30, 0xff, 0xff, 0x80, 0, status];
        let in_order = clock(true);
        check(&in_order, twice(0), "2026-10-25T00:30:00Z");
        check(&in_order, twice(0xff), "2026-10-25T01:30:00Z");
        check(&in_order, twice(0x80), "2026-10-25T00:30:00Z");
        check(&clock(true), [0x07, 0xea, 3, 29, 7, 2, 30, 0, 0xff, 0x80, 0, 0], "R08");
        for wrong in [
            [0xff, 0xff, 3, 1, 7, 12, 0, 0, 0xff, 0x80, 0, 0],
            [0x07, 0xea, 2, 30, 7, 12, 0, 0, 0xff, 0x80, 0, 0],
            [0x07, 0xea, 0xff, 1, 7, 12, 0, 0, 0xff, 0x80, 0, 0],
            [0x07, 0xea, 3, 1, 7, 25, 0, 0, 0xff, 0x80, 0, 0],
            [0x07, 0xea, 3, 1, 7, 0xff, 0, 0, 0xff, 0x80, 0, 0],
        ] {
            check(&clock(true), wrong, "R07");
        }
    }
}
