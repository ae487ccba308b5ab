//! From which local day a document holds, and until which.

use std::fmt;

use crate::calendar::Day;

/// Half-open in local days: holds from `from`, no longer on `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Validity {
    from: Day,
    to: Option<Day>,
}

/// The end is not after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("valid_to {to} is not after valid_from {from}")]
pub struct ValidityError {
    from: Day,
    to: Day,
}

impl Validity {
    /// From `from` until the day before `to`, or for good.
    ///
    /// # Errors
    /// [`ValidityError`] if that is no day at all.
    pub fn new(from: Day, to: Option<Day>) -> Result<Self, ValidityError> {
        match to {
            Some(to) if to <= from => Err(ValidityError { from, to }),
            _ => Ok(Self { from, to }),
        }
    }

    /// The first day.
    #[must_use]
    pub const fn from(self) -> Day {
        self.from
    }

    /// The day after the last; `None` for good.
    #[must_use]
    pub const fn to(self) -> Option<Day> {
        self.to
    }

    /// Whether it holds on `day`.
    #[must_use]
    pub fn contains(self, day: Day) -> bool {
        day >= self.from && self.to.is_none_or(|to| day < to)
    }

    /// Whether both hold on some day.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.to.is_none_or(|to| other.from < to) && other.to.is_none_or(|to| self.from < to)
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "from {} until {to}", self.from),
            None => write!(f, "from {}", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity(from: &str, to: &str) -> Validity {
        let to = (!to.is_empty()).then(|| to.parse().unwrap());
        Validity::new(from.parse().unwrap(), to).unwrap()
    }

    #[test]
    fn overlap_table() {
        let table = [
            ("2026-01-01", "2026-07-01", "2026-07-01", "", false),
            ("2026-01-01", "2026-07-02", "2026-07-01", "", true),
            ("2026-01-01", "", "2027-01-01", "", true),
            ("2026-05-01", "", "2026-01-01", "2026-05-01", false),
        ];
        for (a_from, a_to, b_from, b_to, want) in table {
            let (a, b) = (validity(a_from, a_to), validity(b_from, b_to));
            assert_eq!((a.overlaps(b), b.overlaps(a)), (want, want), "{a} and {b}");
        }
        let day = "2026-01-01".parse().unwrap();
        assert!(Validity::new(day, Some(day)).is_err());
    }
}
