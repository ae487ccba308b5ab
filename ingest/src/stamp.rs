//! Stamps as files write them, and the instants they mean.
//!
//! A pattern is made of `YYYY MM M DD D HH H mm ss`; every other character stands for itself. A doubled
//! letter takes exactly that many digits, a single one takes one or two. `rfc3339` (with an offset) and
//! `epoch` (seconds) name instants and need no zone.

use tallywatt_core::calendar::{Day, UtcSeconds, WallTime, Zone};
use tallywatt_core::rejection::RejectionCode;

/// The most parts a pattern may have.
const PART_COUNT_MAX: usize = 32;

/// How a file writes its stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StampPattern {
    /// A wall clock, by a pattern.
    Wall(Vec<Part>),
    /// `2015-11-22T00:00:00-06:00` (RFC 3339, without fractions of a second).
    Rfc3339,
    /// Seconds since 1970-01-01T00:00:00Z.
    Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Year,
    /// Two digits, or one or two.
    Month(Width),
    Day(Width),
    Hour(Width),
    Minute,
    Second,
    Literal(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Two,
    OneOrTwo,
}

/// A stamp, read but not yet placed in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    Wall(Day, u32),
    Instant(UtcSeconds),
}

impl StampPattern {
    /// From the words of a profile; `None` if a part is repeated or missing. `with_time` says whether the
    /// pattern must tell the time of day, or must not.
    pub(crate) fn parse(text: &str, with_time: bool) -> Option<Self> {
        match text {
            "rfc3339" => return with_time.then_some(Self::Rfc3339),
            "epoch" => return with_time.then_some(Self::Epoch),
            _ => (),
        }
        let mut parts = Vec::new();
        let mut rest = text.as_bytes();
        while let Some(&first) = rest.first() {
            let run = rest.iter().take_while(|&&byte| byte == first).count();
            let (part, size) = match (first, run) {
                (b'Y', 4) => (Part::Year, 4),
                (b'M', 2) => (Part::Month(Width::Two), 2),
                (b'M', 1) => (Part::Month(Width::OneOrTwo), 1),
                (b'D', 2) => (Part::Day(Width::Two), 2),
                (b'D', 1) => (Part::Day(Width::OneOrTwo), 1),
                (b'H', 2) => (Part::Hour(Width::Two), 2),
                (b'H', 1) => (Part::Hour(Width::OneOrTwo), 1),
                (b'm', 2) => (Part::Minute, 2),
                (b's', 2) => (Part::Second, 2),
                // A letter that looks like a part is a slip, but `T` between date and time is customary.
                (letter, _) if letter.is_ascii_alphabetic() && letter != b'T' => return None,
                (literal, _) if literal.is_ascii_graphic() || literal == b' ' => (Part::Literal(literal), 1),
                _ => return None,
            };
            parts.push(part);
            rest = &rest[size..];
        }
        let count = |wanted: fn(&Part) -> bool| parts.iter().filter(|part| wanted(part)).count();
        let years = count(|part| matches!(part, Part::Year));
        let months = count(|part| matches!(part, Part::Month(_)));
        let days = count(|part| matches!(part, Part::Day(_)));
        let hours = count(|part| matches!(part, Part::Hour(_)));
        let minutes = count(|part| matches!(part, Part::Minute));
        let seconds = count(|part| matches!(part, Part::Second));
        let date_is_whole = (years, months, days) == (1, 1, 1);
        let time_is_right = match with_time {
            true => hours == 1 && minutes <= 1 && seconds <= minutes,
            false => hours + minutes + seconds == 0,
        };
        (date_is_whole && time_is_right && parts.len() <= PART_COUNT_MAX).then_some(Self::Wall(parts))
    }

    /// Reads a stamp; `None` if it is not of the pattern or not a date and time.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Stamp> {
        match self {
            Self::Wall(parts) => read_wall(parts, text).map(|(day, second)| Stamp::Wall(day, second)),
            Self::Rfc3339 => read_rfc3339(text).map(Stamp::Instant),
            Self::Epoch => read_epoch(text).map(Stamp::Instant),
        }
    }

    /// Reads a stamp of a pattern without a time.
    pub(crate) fn read_day(&self, text: &[u8]) -> Option<Day> {
        match self.read(text)? {
            Stamp::Wall(day, 0) => Some(day),
            Stamp::Wall(..) | Stamp::Instant(_) => None,
        }
    }
}

/// The time of day in a stamp whose date stands before it: always as many bytes, digits always in the same
/// places. Only such stamps can be foretold from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClockText {
    /// Hour, minute, second and what stands between them.
    parts: Vec<Part>,
    /// Bytes of the time of day.
    pub(crate) size: usize,
    /// Bytes before it, where that is always as many.
    pub(crate) at: Option<usize>,
}

impl StampPattern {
    /// How the time of day is written, if it is foretellable.
    pub(crate) fn clock_text(&self) -> Option<ClockText> {
        let (parts, at) = match self {
            Self::Epoch => return None,
            Self::Rfc3339 => {
                let colon = Part::Literal(b':');
                (vec![Part::Hour(Width::Two), colon, Part::Minute, colon, Part::Second], Some(10 + 1))
            }
            Self::Wall(parts) => {
                let at = parts.iter().position(|part| matches!(part, Part::Hour(_)))?;
                let (date, clock) = parts.split_at(at);
                let is_clock = |part: &Part| matches!(part, Part::Minute | Part::Second | Part::Literal(_));
                let is_split = clock[0] == Part::Hour(Width::Two)
                    && clock[1..].iter().all(is_clock)
                    && !date.iter().any(|part| matches!(part, Part::Minute | Part::Second));
                if !is_split {
                    return None;
                }
                (clock.to_vec(), None)
            }
        };
        let size = parts.iter().map(|part| if matches!(part, Part::Literal(_)) { 1 } else { 2 }).sum();
        Some(ClockText { parts, size, at })
    }
}

impl ClockText {
    /// How `second_of_day` is written; `None` if the stamp is too coarse to tell it from others.
    pub(crate) fn of(&self, second_of_day: u32) -> Option<Vec<u8>> {
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        let tells = |wanted: Part| self.parts.contains(&wanted);
        if (minute > 0 && !tells(Part::Minute)) || (second > 0 && !tells(Part::Second)) {
            return None;
        }
        let mut text = Vec::with_capacity(self.size);
        for part in &self.parts {
            match *part {
                Part::Literal(byte) => text.push(byte),
                Part::Minute => text.extend_from_slice(format!("{minute:02}").as_bytes()),
                Part::Second => text.extend_from_slice(format!("{second:02}").as_bytes()),
                _ => text.extend_from_slice(format!("{hour:02}").as_bytes()),
            }
        }
        Some(text)
    }
}

impl Stamp {
    /// The instants it may mean.
    pub(crate) fn resolve(self, zone: &Zone) -> WallTime {
        match self {
            Self::Wall(day, second) => zone.resolve(day, second),
            Self::Instant(instant) => WallTime::Once(instant),
        }
    }
}

/// The first second that is not taken, in seconds since 1970: that of 2199-12-30, whose day and the one behind it lie in the
/// calendar in every zone.
pub(crate) const CALENDAR_END_S: i64 = 7_257_945_600;

/// Which of two instants a doubled wall-clock time means: the first until the register has got that far, then
/// the second. `previous` is the register's last resolved instant, before this one.
///
/// # Errors
/// [`RejectionCode::NoSuchLocalTime`] for a time that the clock never showed.
pub(crate) fn in_order(wall: WallTime, previous: Option<UtcSeconds>) -> Result<UtcSeconds, RejectionCode> {
    match wall {
        WallTime::Once(instant) => Ok(instant),
        WallTime::Twice(first, second) if previous.is_some_and(|previous| previous >= first) => Ok(second),
        WallTime::Twice(first, _) => Ok(first),
        WallTime::Never => Err(RejectionCode::NoSuchLocalTime),
    }
}

fn read_wall(parts: &[Part], text: &[u8]) -> Option<(Day, u32)> {
    let mut rest = text;
    let (mut year, mut month, mut day, mut hour, mut minute, mut second) = (0, 0, 0, 0, 0, 0);
    for part in parts {
        match *part {
            Part::Year => year = take(&mut rest, 4)?,
            Part::Month(width) => month = take_width(&mut rest, width)?,
            Part::Day(width) => day = take_width(&mut rest, width)?,
            Part::Hour(width) => hour = take_width(&mut rest, width)?,
            Part::Minute => minute = take(&mut rest, 2)?,
            Part::Second => second = take(&mut rest, 2)?,
            Part::Literal(byte) => rest = rest.strip_prefix(&[byte])?,
        }
    }
    if !rest.is_empty() {
        return None;
    }
    Some((day_of(year, month, day)?, second_of_day(hour, minute, second)?))
}

fn take_width(rest: &mut &[u8], width: Width) -> Option<u32> {
    let two = rest.get(1).is_some_and(u8::is_ascii_digit);
    match width {
        Width::OneOrTwo if !two => take(rest, 1),
        Width::Two | Width::OneOrTwo => take(rest, 2),
    }
}

/// The next `size` bytes as a number, if all are ASCII digits.
fn take(rest: &mut &[u8], size: usize) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(size)?;
    *rest = after;
    number(digits)
}

/// At most 9 ASCII digits as a number.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// `YYYYMMDD`.
pub(crate) fn read_compact_day(text: &[u8]) -> Option<Day> {
    let mut rest = text;
    let (year, month, day) = (take(&mut rest, 4)?, take(&mut rest, 2)?, take(&mut rest, 2)?);
    if rest.is_empty() { day_of(year, month, day) } else { None }
}

fn day_of(year: u32, month: u32, day: u32) -> Option<Day> {
    let day = Day::from_ymd(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?)?;
    // Its end must be a day of the calendar too.
    day.plus(2).map(|_| day)
}

/// 24:00 is the next midnight: files that stamp the end of an interval write it.
pub(crate) fn second_of_day(hour: u32, minute: u32, second: u32) -> Option<u32> {
    let in_day = hour < 24 || (hour == 24 && minute == 0 && second == 0);
    (in_day && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

fn read_rfc3339(text: &[u8]) -> Option<UtcSeconds> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut date = date;
    let year = take(&mut date, 4)?;
    date = date.strip_prefix(b"-")?;
    let month = take(&mut date, 2)?;
    date = date.strip_prefix(b"-")?;
    let day = day_of(year, month, take(&mut date, 2)?)?;
    let mut rest = rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b" "))?;
    let hour = take(&mut rest, 2)?;
    rest = rest.strip_prefix(b":")?;
    let minute = take(&mut rest, 2)?;
    rest = rest.strip_prefix(b":")?;
    let second = second_of_day(hour, minute, take(&mut rest, 2)?)?;
    let offset_s = match rest {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), clock @ ..] => {
            let mut clock = clock;
            let hours = take(&mut clock, 2)?;
            clock = clock.strip_prefix(b":")?;
            let minutes = take(&mut clock, 2)?;
            if !clock.is_empty() || hours > 14 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours * 3_600 + minutes * 60);
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let wall = i64::from(day.number()) * 86_400 + i64::from(second);
    Some(UtcSeconds(wall - offset_s))
}

/// Seconds of the years 1970 to 2199.
fn read_epoch(text: &[u8]) -> Option<UtcSeconds> {
    if text.is_empty() || text.len() > 10 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = text.iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let day = i32::try_from(seconds / 86_400).ok()?;
    Day::from_number(day)?.plus(2).map(|_| UtcSeconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in Amsterdam and says what it may mean.
    fn check(pattern: &str, text: &str, want: &str) {
        let zone = Zone::parse("Europe/Amsterdam").unwrap();
        let read = StampPattern::parse(pattern, true).unwrap().read(text.as_bytes());
        let got = match read.map(|stamp| stamp.resolve(&zone)) {
            None => "not a stamp".to_owned(),
            Some(WallTime::Once(instant)) => instant.to_string(),
            Some(WallTime::Twice(first, second)) => format!("{first} or {second}"),
            Some(WallTime::Never) => "never".to_owned(),
        };
        assert_eq!(got, want, "{text:?} by {pattern:?}");
    }

    #[test]
    fn stamps() {
        let table = [
            ("D-M-YYYY HH:mm", "1-1-2013 00:15", "2012-12-31T23:15:00Z"),
            ("D-M-YYYY HH:mm", "31-12-2013 00:15", "2013-12-30T23:15:00Z"),
            ("D-M-YYYY HH:mm", "31-3-2013 02:15", "never"),
            ("D-M-YYYY HH:mm", "27-10-2013 02:15", "2013-10-27T00:15:00Z or 2013-10-27T01:15:00Z"),
            ("D-M-YYYY HH:mm", "01-01-2013 0:15", "not a stamp"),
            ("D-M-YYYY H:mm", "01-01-2013 0:15", "2012-12-31T23:15:00Z"),
            ("YYYY-MM-DD HH:mm:ss", "2013-01-01 24:00:00", "2013-01-01T23:00:00Z"),
            ("YYYY-MM-DD HH:mm:ss", "2013-01-01 24:00:01", "not a stamp"),
            ("YYYY-MM-DD HH:mm:ss", "2013-02-29 00:00:00", "not a stamp"),
            ("YYYY-MM-DD HH:mm:ss", "2013-1-01 00:00:00", "not a stamp"),
            ("YYYY-MM-DD HH:mm:ss", "2013-01-01 00:00:00 ", "not a stamp"),
            ("YYYY-MM-DDTHH", "2013-07-01T10", "2013-07-01T08:00:00Z"),
            ("YYYYMMDDHHmm", "201307011000", "2013-07-01T08:00:00Z"),
            ("rfc3339", "2015-11-22T00:00:00-06:00", "2015-11-22T06:00:00Z"),
            ("rfc3339", "2015-11-22T00:00:00Z", "2015-11-22T00:00:00Z"),
            ("rfc3339", "2015-11-22T00:00:00", "not a stamp"),
            ("rfc3339", "2015-11-22T00:00:00+15:00", "not a stamp"),
            ("epoch", "1448150400", "2015-11-22T00:00:00Z"),
            ("epoch", "-1", "not a stamp"),
            ("epoch", "99999999999", "not a stamp"),
        ];
        for (pattern, text, want) in table {
            check(pattern, text, want);
        }
    }

    #[test]
    fn patterns() {
        for bad in
            ["", "YYYY-MM", "YY-MM-DD HH", "YYYY-MM-DD mm", "YYYY-MM-DD HH:HH", "YYYY-MM-DD HH:ss", "q"]
        {
            assert_eq!(StampPattern::parse(bad, true), None, "{bad:?}");
        }
        assert!(StampPattern::parse("DD.MM.YYYY", false).is_some());
        for bad in ["DD.MM.YYYY HH", "rfc3339", "epoch"] {
            assert_eq!(StampPattern::parse(bad, false), None, "{bad:?}");
        }
    }

    #[test]
    fn a_doubled_hour_is_taken_in_order() {
        let fold = WallTime::Twice(UtcSeconds(100), UtcSeconds(200));
        let table = [(None, 100), (Some(99), 100), (Some(100), 200), (Some(150), 200), (Some(900), 200)];
        for (previous, want) in table {
            assert_eq!(in_order(fold, previous.map(UtcSeconds)), Ok(UtcSeconds(want)), "{previous:?}");
        }
        assert_eq!(in_order(WallTime::Never, None), Err(RejectionCode::NoSuchLocalTime));
    }
}
