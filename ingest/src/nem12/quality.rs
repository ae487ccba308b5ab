//! The quality codes of NEM12 and NEM13: a flag, two digits of the method, and a reason.
//!
//! | flag | in the market | here | rank |
//! |---|---|---|---|
//! | `A` | actual | `valid` | measured |
//! | `F` | final substitute | `derived` | final substitute |
//! | `S` | substitute | `other` | estimate |
//! | `E` | forward estimate | `projected` | estimate |
//! | `N` | null: no value | nothing is handed over | |
//! | `V` | varies, in a 300 only | as its 400s say | |
//!
//! The method does not change what a value ranks, and its numbers have changed their meaning over the years, so it goes to
//! the [notes](crate::source_notes) with the reason; a number that no document lists goes there too.

use tallywatt_core::quality::Quality;

use crate::source_notes::{Mark, SourceNote};

/// The methods of the market's metrology procedure: types 1 to 4, 5, 6 and 7 begin at 11, 51, 61 and 71.
const METHODS: &[(u8, &str)] = &[
    (11, "check meter"),
    (12, "calculated"),
    (13, "SCADA"),
    (14, "retrospective like day"),
    (15, "retrospective average like day"),
    (16, "agreed"),
    (17, "linear"),
    (18, "alternate"),
    (19, "zero"),
    (20, "prospective like day"),
    (21, "five-minute without history"),
    (22, "prospective average like day"),
    (23, "previous year"),
    (24, "data scaling"),
    (25, "average daily load"),
    (51, "previous year"),
    (52, "previous read"),
    (53, "revision"),
    (54, "linear"),
    (55, "agreed"),
    (56, "agreed before the first read"),
    (57, "customer class"),
    (58, "zero"),
    (59, "five-minute without history"),
    (61, "previous year"),
    (62, "previous read"),
    (63, "customer class"),
    (64, "agreed"),
    (65, "average daily load"),
    (66, "revision"),
    (67, "customer read"),
    (68, "zero"),
    (69, "linear extrapolation"),
    (71, "recalculation"),
    (72, "revised table"),
    (73, "revised algorithm"),
    (74, "agreed"),
    (75, "existing table"),
];

/// What a quality flag says of an interval or a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    Of(Quality),
    /// `N`: there is no value.
    Null,
    /// `V`: the 400s that follow say it.
    Varies,
}

impl Flag {
    /// A letter, alone or with two digits of the method, whichever they are.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (&letter, method) = text.split_first()?;
        if !(method.is_empty() || (method.len() == 2 && method.iter().all(u8::is_ascii_digit))) {
            return None;
        }
        Some(match letter {
            b'A' => Self::Of(Quality::Valid),
            // Estimated for the time being.
            b'E' => Self::Of(Quality::Projected),
            // A final substitute.
            b'F' => Self::Of(Quality::Derived),
            b'S' => Self::Of(Quality::Other),
            b'N' => Self::Null,
            b'V' => Self::Varies,
            _ => return None,
        })
    }
}

/// What a record says beside the flag's quality.
pub(crate) fn note(record: &[u8], flag: &[u8], reason: &[u8]) -> SourceNote {
    let method = match flag {
        [b'E' | b'F' | b'S', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => (tens - b'0') * 10 + (ones - b'0'),
        _ => 0,
    };
    let meaning = METHODS.iter().find(|(number, _)| *number == method).map_or("", |(_, meaning)| meaning);
    SourceNote { record: Mark::of(record), flag: Mark::of(flag), reason: Mark::of(reason), meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        for (text, want) in [
            ("A", Some(Flag::Of(Quality::Valid))),
            ("E62", Some(Flag::Of(Quality::Projected))),
            ("F99", Some(Flag::Of(Quality::Derived))),
            ("S", Some(Flag::Of(Quality::Other))),
            ("N", Some(Flag::Null)),
            ("V", Some(Flag::Varies)),
            ("a", None),
            ("F1", None),
            ("F123", None),
            ("Fxx", None),
            ("", None),
            ("1", None),
        ] {
            assert_eq!(Flag::read(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn methods_are_named_where_they_are_known() {
        for (flag, want) in [
            ("F14", "retrospective like day"),
            ("E75", "existing table"),
            ("S99", ""),
            ("A14", ""),
            ("A", ""),
        ] {
            assert_eq!(note(b"400", flag.as_bytes(), b"").meaning, want, "{flag}");
        }
        let groups = [11..=25, 51..=59, 61..=69, 71..=75];
        assert!(groups.into_iter().flatten().eq(METHODS.iter().map(|(number, _)| *number)));
    }
}
