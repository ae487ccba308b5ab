//! What the codes of a series mean: OBIS, units, qualifiers of quantities, stamps.

use tallywatt_core::calendar::{UtcSeconds, WallTime, Zone};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::{Flow, Register};

use crate::scale::Unit;
use crate::stamp::{Stamp, number, read_compact_day, second_of_day};

/// A series' register, and whether a single instant makes a value of it a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) register: Register,
    pub(super) is_cumulative: bool,
}

/// From `1-b:c.d.e`, with or without `*f`; `None` for what is no energy of electricity.
pub(super) fn measured(code: &[u8]) -> Option<Measured> {
    let code = std::str::from_utf8(code).ok()?.trim();
    let (code, _) = code.split_once('*').unwrap_or((code, ""));
    let (channel, groups) = code.strip_prefix("1-")?.split_once(':')?;
    let mut groups = groups.split('.').map(|group| number(group.as_bytes()));
    let (c, d, e) = (groups.next()??, groups.next()??, groups.next()??);
    if groups.next().is_some() {
        return None;
    }
    let is_cumulative = match d {
        8 => true,
        9 | 10 | 29 => false,
        _ => return None,
    };
    let (flow, zone) = match (c, e) {
        (5 | 6, 0) => (Flow::ReactiveImport, c),
        (7 | 8, 0) => (Flow::ReactiveExport, c),
        _ => (Flow::from_group_c(u8::try_from(c).ok()?)?, e),
    };
    let channel = u8::try_from(number(channel.as_bytes())?).ok()?;
    Some(Measured { register: Register { flow, channel, zone: u8::try_from(zone).ok()? }, is_cumulative })
}

/// A unit by its code (UN/ECE recommendation 20, and the customary ones); `None` for what is no energy.
pub(super) fn unit(code: &[u8]) -> Option<Unit> {
    Some(match code {
        b"WHR" => Unit::WH,
        b"KWH" => Unit::KWH,
        b"MWH" => Unit::MWH,
        b"K3" | b"KVR" | b"KVH" => Unit::KVARH,
        _ => return None,
    })
}

/// The quality of a quantity, by its qualifier (6063).
pub(super) fn quality(qualifier: &[u8]) -> Option<Quality> {
    Some(match qualifier {
        b"220" | b"46" => Quality::Valid,
        b"67" | b"79" => Quality::Derived,
        b"187" => Quality::Projected,
        b"201" => Quality::Other,
        b"20" => Quality::Raw,
        _ => return None,
    })
}

/// A stamp of DTM by its format (2379): 102, 203, 204 by the wall clock, 303, 304 with an offset.
pub(super) fn stamp(text: &[u8], format: &[u8]) -> Option<Stamp> {
    let (size, has_offset) = match format {
        b"102" => (8, false),
        b"203" => (12, false),
        b"204" => (14, false),
        b"303" => (12, true),
        b"304" => (14, true),
        _ => return None,
    };
    let (clock, rest) = text.split_at_checked(size)?;
    if rest.is_empty() == has_offset {
        return None;
    }
    let (date, clock) = clock.split_at(8);
    let part = |at: usize| if clock.len() > at { number(&clock[at..at + 2]) } else { Some(0) };
    let day = read_compact_day(date)?;
    let second = second_of_day(part(0)?, part(2)?, part(4)?)?;
    if !has_offset {
        return Some(Stamp::Wall(day, second));
    }
    let wall = i64::from(day.number()) * 86_400 + i64::from(second);
    Some(Stamp::Instant(UtcSeconds(wall - offset_s(rest)?)))
}

/// `+01`, `-0330`, `UTC`.
fn offset_s(text: &[u8]) -> Option<i64> {
    let (sign, clock) = match text {
        b"UTC" | b"GMT" => return Some(0),
        [b'+', clock @ ..] => (1, clock),
        [b'-', clock @ ..] => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = match clock.len() {
        2 => (number(clock)?, 0),
        4 => (number(&clock[..2])?, number(&clock[2..])?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

/// The first instant that a stamp may mean; where only an order is wanted.
pub(super) fn first_instant(stamp: Stamp, zone: &Zone) -> Option<UtcSeconds> {
    match stamp.resolve(zone) {
        WallTime::Once(instant) | WallTime::Twice(instant, _) => Some(instant),
        WallTime::Never => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        for (code, want) in [
            ("1-1:1.29.0", "1-1:1.8.0"),
            ("1-1:1.29.0*255", "1-1:1.8.0"),
            ("1-0:2.8.1", "1-0:2.8.1 read"),
            ("1-1:1.10.0", "1-1:1.8.0"),
            ("1-1:5.29.0", "1-1:3.8.5"),
            ("1-1:6.29.0", "1-1:3.8.6"),
            ("1-1:7.29.0", "1-1:4.8.7"),
            ("1-2:8.29.0", "1-2:4.8.8"),
            ("1-1:3.29.0", "1-1:3.8.0"),
            ("1-1:5.29.1", "none"),
            ("1-1:9.29.0", "none"),
            ("1-1:1.6.0", "none"),
            ("7-1:99.33.17", "none"),
            ("1-1:1.29", "none"),
            ("1-1:1.29.0.0", "none"),
            ("1-300:1.29.0", "none"),
            ("AUA", "none"),
        ] {
            let got = measured(code.as_bytes()).map_or("none".to_owned(), |measured| {
                format!("{}{}", measured.register, if measured.is_cumulative { " read" } else { "" })
            });
            assert_eq!(got, want, "{code}");
        }
    }

    #[test]
    fn stamps() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        for (text, format, want) in [
            ("201912140000+01", "303", "2019-12-13T23:00:00Z"),
            ("201912140000-0330", "303", "2019-12-14T03:30:00Z"),
            ("201912140000UTC", "303", "2019-12-14T00:00:00Z"),
            ("20191214000030+00", "304", "2019-12-14T00:00:30Z"),
            ("201907140000", "203", "2019-07-13T22:00:00Z"),
            ("20190714000030", "204", "2019-07-13T22:00:30Z"),
            ("20190714", "102", "2019-07-13T22:00:00Z"),
            ("201912142400+01", "303", "2019-12-14T23:00:00Z"),
            ("201912140000", "303", "none"),
            ("201912140000+01", "203", "none"),
            ("201912140000+15", "303", "none"),
            ("201913140000+01", "303", "none"),
            ("201903310230", "203", "none"),
            ("2019", "102", "none"),
            ("20191214", "101", "none"),
        ] {
            let got = stamp(text.as_bytes(), format.as_bytes()).and_then(|stamp| first_instant(stamp, &zone));
            assert_eq!(got.map_or("none".to_owned(), |instant| instant.to_string()), want, "{text} {format}");
        }
    }
}
