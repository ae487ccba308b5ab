//! `YYMMDDhhmmssX`: a wall clock that says itself whether it is summer.

use tallywatt_core::calendar::{Day, UtcSeconds, WallTime, Zone};
use tallywatt_core::rejection::RejectionCode;

use crate::stamp::{Stamp, StampPattern, number};

/// Digits before the letter.
const DIGIT_COUNT: usize = 12;
const SECONDS_PER_DAY: i64 = 86_400;

/// Places stamps in a zone.
pub(super) struct Seasons<'a> {
    zone: &'a Zone,
    pattern: Option<StampPattern>,
}

impl<'a> Seasons<'a> {
    pub(super) fn of(zone: &'a Zone) -> Self {
        Self { zone, pattern: StampPattern::parse("YYYYMMDDHHmmss", true) }
    }

    /// The instant of a stamp. Its letter must be what the zone has at that time: a meter that stays in winter time all
    /// year would otherwise be an hour off from spring to autumn.
    ///
    /// # Errors
    /// [`RejectionCode::Stamp`] or [`RejectionCode::NoSuchLocalTime`].
    pub(super) fn place(&self, text: &[u8]) -> Result<UtcSeconds, RejectionCode> {
        let (day, second, is_summer) = self.read(text).ok_or(RejectionCode::Stamp)?;
        match self.zone.resolve(day, second) {
            WallTime::Never => Err(RejectionCode::NoSuchLocalTime),
            WallTime::Twice(first, second) => Ok(if is_summer { first } else { second }),
            WallTime::Once(instant) if self.has_season(text, day, second, instant, is_summer) => Ok(instant),
            WallTime::Once(_) => Err(RejectionCode::Stamp),
        }
    }

    fn read(&self, text: &[u8]) -> Option<(Day, u32, bool)> {
        let (digits, letter) = text.split_at_checked(DIGIT_COUNT)?;
        let is_summer = match letter {
            b"S" => true,
            b"W" => false,
            _ => return None,
        };
        let mut stamp = *b"20YYMMDDhhmmss";
        stamp[2..].copy_from_slice(digits);
        match self.pattern.as_ref()?.read(&stamp)? {
            Stamp::Wall(day, second) => Some((day, second, is_summer)),
            Stamp::Instant(_) => None,
        }
    }

    /// Whether the clock is as far ahead as in that season of that year.
    fn has_season(&self, text: &[u8], day: Day, second: u32, instant: UtcSeconds, is_summer: bool) -> bool {
        let year = text.get(..2).and_then(number).and_then(|year| i16::try_from(2_000 + year).ok());
        let ahead = |month| {
            let first = Day::from_ymd(year?, month, 1)?;
            match self.zone.resolve(first, 12 * 3_600) {
                WallTime::Once(instant) => Some(offset_s(first, 12 * 3_600, instant)),
                WallTime::Twice(..) | WallTime::Never => None,
            }
        };
        let (Some(january), Some(july)) = (ahead(1), ahead(7)) else { return false };
        let now = offset_s(day, second, instant);
        if is_summer { january != july && now == january.max(july) } else { now == january.min(july) }
    }
}

/// Seconds that the wall clock is ahead of UTC.
fn offset_s(day: Day, second: u32, instant: UtcSeconds) -> i64 {
    i64::from(day.number()) * SECONDS_PER_DAY + i64::from(second) - instant.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, text: &str, want: &str) {
        let zone = Zone::parse(zone).unwrap();
        let got = match Seasons::of(&zone).place(text.as_bytes()) {
            Ok(instant) => instant.to_string(),
            Err(code) => code.to_string(),
        };
        assert_eq!(got, want, "{text} in {}", zone.name());
    }

    #[test]
    fn stamps() {
        check("Europe/Amsterdam", "161113205757W", "2016-11-13T19:57:57Z");
        check("Europe/Brussels", "200512135409S", "2020-05-12T11:54:09Z");
        check("Europe/Amsterdam", "161113205757S", "R07");
        check("Europe/Brussels", "200512135409W", "R07");
        // The hour that comes twice.
        check("Europe/Amsterdam", "161030023000S", "2016-10-30T00:30:00Z");
        check("Europe/Amsterdam", "161030023000W", "2016-10-30T01:30:00Z");
        check("Europe/Amsterdam", "160327023000S", "R08");
        check("Europe/Amsterdam", "160327030000S", "2016-03-27T01:00:00Z");
        // Winter time all year.
        check("+01:00", "200712135409W", "2020-07-12T12:54:09Z");
        check("+01:00", "200712135409S", "R07");
        check("Australia/Sydney", "200112120000S", "2020-01-12T01:00:00Z");
        for text in
            ["", "W", "161113205757", "161113205757w", "161113205757WW", "16111320575/W", "161313205757W"]
        {
            check("Europe/Amsterdam", text, "R07");
        }
    }
}
