//! The sign lock: what a key has signed, so that it never signs a smaller head, nor two at one size.
//!
//! It is stored, durably and in a file of its own, before a signature leaves the process: a crash after that
//! leaves a lock without a signature, which is harmless; the other order could sign twice.

use tallywatt_ledger::log::LogHash;

/// The largest head signed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignLock {
    /// Size of the log under the head.
    pub size: u64,
    /// Root of the log at that size.
    pub root: LogHash,
}

/// Why a head must not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A larger head was signed before.
    #[error("cannot sign a head of size {size}: one of size {locked} was signed before")]
    Smaller {
        /// Size to be signed.
        size: u64,
        /// Size signed before.
        locked: u64,
    },
    /// Another root was signed at this size.
    #[error("cannot sign root {root} at size {size}: root {locked} was signed at this size")]
    OtherRoot {
        /// The size.
        size: u64,
        /// Root to be signed.
        root: LogHash,
        /// Root signed before.
        locked: LogHash,
    },
}

impl SignLock {
    /// The lock to store before signing a head, given the one stored last.
    ///
    /// # Errors
    /// [`LockError`] if the head must not be signed.
    pub fn advance(held: Option<Self>, size: u64, root: LogHash) -> Result<Self, LockError> {
        match held {
            Some(held) if size < held.size => Err(LockError::Smaller { size, locked: held.size }),
            Some(held) if size == held.size && root != held.root => {
                Err(LockError::OtherRoot { size, root, locked: held.root })
            }
            _ => Ok(Self { size, root }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_smaller_never_two_roots() {
        let root = |tag| LogHash::from_bytes([tag; 32]);
        let held = Some(SignLock { size: 5, root: root(1) });
        assert!(SignLock::advance(None, 1, root(9)).is_ok());
        assert!(SignLock::advance(held, 6, root(2)).is_ok());
        assert!(SignLock::advance(held, 5, root(1)).is_ok(), "the same head may be signed again");
        assert!(matches!(SignLock::advance(held, 5, root(2)), Err(LockError::OtherRoot { .. })));
        assert!(matches!(SignLock::advance(held, 4, root(1)), Err(LockError::Smaller { .. })));
    }
}
