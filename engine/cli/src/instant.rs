//! Instants on the command line.

use tallywatt_core::calendar::{Day, UtcSeconds};

use crate::failure::Failure;

/// Reads an instant with its offset: `2026-03-14T06:00:00Z`, `2026-03-14T11:00+05:00`. Of a day alone one would have to
/// guess whose midnight it begins with.
pub fn instant_of(text: &str) -> Result<UtcSeconds, Failure> {
    read(text).ok_or_else(|| {
        Failure::usage(
            format!("{text:?} is not an instant"),
            "write it as 2026-03-14T06:00:00Z, or with its offset as 2026-03-14T11:00:00+05:00",
        )
    })
}

/// Seconds since midnight of `HH:MM` or `HH:MM:SS`.
pub fn clock_of(text: &str) -> Option<u32> {
    let mut seconds = 0;
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (part, (limit, weight)) in parts.iter().zip([(24, 3_600), (60, 60), (60, 1)]) {
        if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<u32>().ok().filter(|value| *value < limit)? * weight;
    }
    Some(seconds)
}

fn read(text: &str) -> Option<UtcSeconds> {
    let (day, rest) = text.split_once('T')?;
    let day: Day = day.parse().ok()?;
    let (clock, offset_s) = match rest.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let (clock, offset) = rest.split_at_checked(rest.rfind(['+', '-'])?)?;
            let seconds = clock_of(&offset[1..]).filter(|_| offset.len() == "+05:00".len())?;
            (clock, if offset.starts_with('-') { -i64::from(seconds) } else { i64::from(seconds) })
        }
    };
    let midnight = i64::from(day.number()) * 86_400;
    Some(UtcSeconds(midnight + i64::from(clock_of(clock)?) - offset_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_an_offset() {
        for (text, want) in [
            ("1970-01-01T00:00:01Z", Some(1)),
            ("1970-01-02T05:00+05:00", Some(86_400)),
            ("1970-01-01T00:00:00-00:30", Some(1_800)),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01", None),
            ("1970-01-01T", None),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T0:00Z", None),
            ("1970-01-01T00Z", None),
            ("1970-01-01T00:00+5:00", None),
            ("1970-13-01T00:00Z", None),
            ("1970-01-01T00:00+05:00:00", None),
            ("1970-01-01T\u{e9}Z", None),
            ("", None),
        ] {
            assert_eq!(read(text).map(|instant| instant.0), want, "{text:?}");
        }
    }
}
