//! The 32-byte name of some content. This crate only carries it; `tallywatt-ledger` computes it.

use std::fmt;
use std::str::FromStr;

/// A 32-byte digest that names content: a tariff, a bill, a tree root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The first eight hex digits, enough for a person to compare on a screen; never enough to trust.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not 64 lowercase hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a content hash: {0:?}, need 64 lowercase hex digits")]
pub struct HashTextError(String);

impl FromStr for ContentHash {
    type Err = HashTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || HashTextError(text.chars().take(80).collect());
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(fail());
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                return Err(fail());
            };
            *byte = (high << 4) | low;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A document together with the hash under which it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published<T> {
    /// The content hash of the document's canonical bytes.
    pub hash: ContentHash,
    /// The document itself.
    pub body: T,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let hash = ContentHash([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("A5".repeat(32).parse::<ContentHash>().is_err());
        assert!("a5".repeat(31).parse::<ContentHash>().is_err());
    }
}
