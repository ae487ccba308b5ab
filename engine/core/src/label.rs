//! Names that come from outside: usage points, accounts, tariffs. Short, printable ASCII, stored inline.

use std::fmt;
use std::str::FromStr;

/// The longest name. A German metering-location id has 33 characters, the longest of the codes in use.
pub const LABEL_SIZE_MAX: usize = 33;

/// A name of 1 to 33 printable ASCII characters (spaces inside, not at the ends).
///
/// ```
/// use tallywatt_core::label::Label;
/// assert_eq!("Klant 2".parse::<Label>()?.as_str(), "Klant 2");
/// assert!(" x".parse::<Label>().is_err());
/// # Ok::<(), tallywatt_core::label::LabelError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label([u8; LABEL_SIZE_MAX]);

/// The point of delivery at which energy is measured and billed.
pub type UsagePointId = Label;
/// The customer account a bill is issued to.
pub type AccountId = Label;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing there.
    #[error("empty name")]
    Empty,
    /// Longer than [`LABEL_SIZE_MAX`].
    #[error("name of {size} bytes, at most {LABEL_SIZE_MAX}")]
    TooLong {
        /// Its size.
        size: usize,
    },
    /// A control, non-ASCII or leading or trailing space character.
    #[error("byte {byte:#04x} at {at} is not allowed in a name")]
    Character {
        /// The offending byte.
        byte: u8,
        /// Its offset.
        at: usize,
    },
}

impl Label {
    /// Checks and takes `text`.
    ///
    /// # Errors
    /// [`LabelError`] says which rule the text breaks.
    pub fn new(text: &[u8]) -> Result<Self, LabelError> {
        if text.is_empty() {
            return Err(LabelError::Empty);
        }
        if text.len() > LABEL_SIZE_MAX {
            return Err(LabelError::TooLong { size: text.len() });
        }
        for (at, &byte) in text.iter().enumerate() {
            let at_end = at == 0 || at + 1 == text.len();
            if !(byte.is_ascii_graphic() || (byte == b' ' && !at_end)) {
                return Err(LabelError::Character { byte, at });
            }
        }
        let mut bytes = [0; LABEL_SIZE_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self(bytes))
    }

    /// From its zero-padded stored form.
    ///
    /// # Errors
    /// As [`Label::new`]; a zero inside the name is a character that is not allowed.
    pub fn from_padded(bytes: &[u8; LABEL_SIZE_MAX]) -> Result<Self, LabelError> {
        let size = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Self::new(&bytes[..size])
    }

    /// The stored form: the name, then zeros.
    #[must_use]
    pub const fn padded(&self) -> &[u8; LABEL_SIZE_MAX] {
        &self.0
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let size = self.0.iter().position(|&byte| byte == 0).unwrap_or(LABEL_SIZE_MAX);
        std::str::from_utf8(&self.0[..size]).expect("a label holds printable ASCII only")
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        Self::new(text.as_bytes())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside() {
        for good in ["A", "Klant 2", "DE000562668020O6G56M11SN51G21M24S", "EKB-000001"] {
            let label: Label = good.parse().unwrap();
            assert_eq!(label.as_str(), good);
            assert_eq!(Label::from_padded(label.padded()), Ok(label));
        }
        let table = [
            ("", LabelError::Empty),
            (&"x".repeat(34), LabelError::TooLong { size: 34 }),
            (" a", LabelError::Character { byte: b' ', at: 0 }),
            ("a ", LabelError::Character { byte: b' ', at: 1 }),
            ("a\nb", LabelError::Character { byte: b'\n', at: 1 }),
            ("é", LabelError::Character { byte: 0xc3, at: 0 }),
            ("a\0b", LabelError::Character { byte: 0, at: 1 }),
        ];
        for (text, want) in table {
            assert_eq!(text.parse::<Label>(), Err(want), "{text:?}");
        }
    }
}
