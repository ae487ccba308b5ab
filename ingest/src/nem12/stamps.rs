//! The stamps of NEM12 and NEM13: `YYYYMMDD`, `YYYYMMDDhhmm` or `YYYYMMDDhhmmss`, in market time.
//!
//! A spreadsheet that opened the file and saved it writes `2.00405E+13` or `1/05/2004` in their place. What the stamp was
//! can no longer be told, so it is not guessed.

use std::borrow::Cow;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::reading::Issued;

use crate::stamp::{number, read_compact_day, second_of_day};

/// The most bytes of a damaged stamp that are shown.
const SHOWN_SIZE_MAX: usize = 32;

/// The instant of a stamp; `None` if it is none, or before 1970.
pub(crate) fn read(text: &[u8], zone: &Zone) -> Option<UtcSeconds> {
    read_by(text, |date| Some(zone.local_day(read_compact_day(date)?).start))
}

/// The same, with the first instant of a date from elsewhere.
#[inline]
pub(super) fn read_by(
    text: &[u8],
    start_of: impl FnOnce(&[u8; 8]) -> Option<UtcSeconds>,
) -> Option<UtcSeconds> {
    let (date, clock) = text.split_first_chunk()?;
    let second = match *clock {
        [] => 0,
        [_, _, _, _] => second_of_day(number(&clock[..2])?, number(&clock[2..])?, 0)?,
        [_, _, _, _, _, _] => {
            second_of_day(number(&clock[..2])?, number(&clock[2..4])?, number(&clock[4..])?)?
        }
        _ => return None,
    };
    Some(start_of(date)?.plus(i64::from(second))).filter(|instant| instant.0 >= 0)
}

/// The stamp as an issue: its seconds since 1970.
pub(crate) fn issued(text: &[u8], zone: &Zone) -> Option<Issued> {
    read(text, zone).and_then(as_issued)
}

/// Later instants are later issues.
pub(super) fn as_issued(instant: UtcSeconds) -> Option<Issued> {
    u64::try_from(instant.0).ok().map(Issued)
}

/// Whether this is what a spreadsheet makes of a stamp: an exponent, a date with separators, or a column of `#`.
pub(crate) fn is_damaged(text: &[u8]) -> bool {
    let has_digit = text.iter().any(u8::is_ascii_digit);
    let is_exponent = text.windows(2).any(|pair| matches!(pair, [b'E' | b'e', b'+' | b'0'..=b'9']));
    let is_split = text.iter().any(|byte| matches!(byte, b'/' | b'-' | b':' | b'.'));
    (has_digit && (is_exponent || is_split)) || text.starts_with(b"##")
}

/// The stamp and what happened to it, for a person.
pub(crate) fn damage(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN_SIZE_MAX)]);
    format!("{shown:?} was rewritten by a spreadsheet: take the file as it was sent")
}

/// The raw text of a rejected record: the record, behind the word that one of these stamps is damaged.
pub(crate) fn explained<'a>(record: &'a [u8], stamps: &[&[u8]]) -> Cow<'a, [u8]> {
    match stamps.iter().find(|text| is_damaged(text)) {
        None => Cow::Borrowed(record),
        Some(text) => Cow::Owned([damage(text).as_bytes(), b"; ", record].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps() {
        let zone = Zone::parse("+10:00").unwrap();
        for (text, want) in [
            ("20040501", Some("2004-04-30T14:00:00Z")),
            ("200405011135", Some("2004-05-01T01:35:00Z")),
            ("20040501113501", Some("2004-05-01T01:35:01Z")),
            ("19700101", None),
            ("2004050111", None),
            ("20040501256100", None),
            ("20040231", None),
            ("2004050111350a", None),
            ("", None),
        ] {
            let got = read(text.as_bytes(), &zone).map(|instant| instant.to_string());
            assert_eq!(got.as_deref(), want, "{text}");
        }
        assert_eq!(issued(b"200405011135", &zone), Some(Issued(1_083_375_300)));
    }

    #[test]
    fn what_spreadsheets_write() {
        for text in
            ["2.00405E+13", "2E+13", "2,00405e+13", "1/05/2004", "1/05/2004 11:35", "2004-05-01", "####"]
        {
            assert!(is_damaged(text.as_bytes()), "{text}");
        }
        for text in ["", "20040501", "200405011135", "2004050", "A", "E+", "x"] {
            assert!(!is_damaged(text.as_bytes()), "{text}");
        }
    }
}
