//! Why a reading is set aside: a closed, numbered list, in order of precedence.
//!
//! A rejection is not an error: one bad reading never fails a batch. It is kept with its file, line and raw
//! text, counted, explained, and can be retried.

use std::fmt;

/// Why a line or a reading was not accepted. The number is stable and shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RejectionCode {
    /// The line is longer than the format's limit.
    LineTooLong = 1,
    /// The line is not text in the declared encoding.
    NotText = 2,
    /// The record has the wrong fields for its kind, or stands where it may not.
    Structure = 3,
    /// The usage point's name is empty, too long or not printable.
    UsagePoint = 4,
    /// The register, channel or suffix is not one of energy.
    Register = 5,
    /// The unit is not one of energy.
    Unit = 6,
    /// The date or time cannot be read.
    Stamp = 7,
    /// The wall clock never showed that time: the clocks went forward over it.
    NoSuchLocalTime = 8,
    /// The interval length is none of 5, 15, 30, 60 minutes, or differs from the day's.
    IntervalSize = 9,
    /// The interval does not start on the grid of its local day.
    OffGrid = 10,
    /// The value is not a number.
    NotANumber = 11,
    /// The value has parts of a watt-hour and the profile does not allow rounding them.
    FinerThanWattHour = 12,
    /// Negative energy; feed-in belongs on its own register.
    Negative = 13,
    /// More than the interval's physical ceiling.
    AboveCeiling = 14,
    /// The interval lies in the future.
    Future = 15,
    /// The quality flag is not one the format defines.
    QualityFlag = 16,
    /// There is no value where one was expected.
    NoValue = 17,
    /// Differs from a value of equal rank; the smaller stands, marked questionable.
    Conflict = 18,
    /// Would replace a value that a bill used, by more than the guard lets pass: it waits for approval.
    Replacement = 20,
}

impl RejectionCode {
    /// Every code, in order of precedence.
    pub const ALL: [Self; 19] = [
        Self::LineTooLong,
        Self::NotText,
        Self::Structure,
        Self::UsagePoint,
        Self::Register,
        Self::Unit,
        Self::Stamp,
        Self::NoSuchLocalTime,
        Self::IntervalSize,
        Self::OffGrid,
        Self::NotANumber,
        Self::FinerThanWattHour,
        Self::Negative,
        Self::AboveCeiling,
        Self::Future,
        Self::QualityFlag,
        Self::NoValue,
        Self::Conflict,
        Self::Replacement,
    ];

    /// Its stable number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// From its number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// What it means, for the person who has to mend it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::LineTooLong => "line longer than the limit",
            Self::NotText => "not text in the declared encoding",
            Self::Structure => "record is not of the format",
            Self::UsagePoint => "not a usage point name",
            Self::Register => "not an energy register",
            Self::Unit => "not a unit of energy",
            Self::Stamp => "not a date and time of the profile",
            Self::NoSuchLocalTime => "local time does not exist (clocks went forward)",
            Self::IntervalSize => "interval length not taken, or unlike the rest of the day",
            Self::OffGrid => "interval start off the day's grid",
            Self::NotANumber => "not a number",
            Self::FinerThanWattHour => "value finer than one watt-hour",
            Self::Negative => "negative energy",
            Self::AboveCeiling => "above the physical ceiling",
            Self::Future => "interval in the future",
            Self::QualityFlag => "quality flag not of the format",
            Self::NoValue => "no value",
            Self::Conflict => "differs from another value of equal rank",
            Self::Replacement => "would replace a billed value by much: it waits for approval",
        }
    }
}

/// `R08`.
impl fmt::Display for RejectionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{:02}", self.number())
    }
}

/// One thing set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub code: RejectionCode,
    /// Line of the file, counted from 1.
    pub line: u64,
    /// How many readings the line held that are lost with it; 1 for a single value.
    pub reading_count: u32,
    /// The offending field or line, cut to [`RAW_SIZE_MAX`] bytes, control characters escaped.
    pub raw: String,
}

/// The longest raw text kept of a rejected line.
pub const RAW_SIZE_MAX: usize = 240;

impl Rejection {
    /// Keeps `raw` as printable text: escaped, and cut at [`RAW_SIZE_MAX`].
    #[must_use]
    pub fn new(code: RejectionCode, line: u64, reading_count: u32, raw: &[u8]) -> Self {
        let head = &raw[..raw.len().min(RAW_SIZE_MAX)];
        let mut text = String::with_capacity(head.len());
        for character in String::from_utf8_lossy(head).chars() {
            if character.is_control() {
                text.extend(character.escape_default())
            } else {
                text.push(character)
            }
        }
        Self { code, line, reading_count, raw: text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_known_and_in_order() {
        assert!(RejectionCode::ALL.is_sorted_by(|a, b| a.number() < b.number()));
        for code in RejectionCode::ALL {
            assert_eq!(RejectionCode::from_number(code.number()), Some(code));
        }
        assert_eq!(RejectionCode::NoSuchLocalTime.to_string(), "R08");
    }

    #[test]
    fn raw_text_is_safe_to_print() {
        let rejection = Rejection::new(RejectionCode::Structure, 7, 1, b"a\x1b[31m\r\n\xff");
        assert_eq!(rejection.raw, "a\\u{1b}[31m\\r\\n\u{fffd}");
        assert_eq!(Rejection::new(RejectionCode::Structure, 7, 1, &[b'x'; 999]).raw.len(), RAW_SIZE_MAX);
    }
}
