//! Money in suspense: what a payer wrote beside it, and how it is matched to an account later.
//!
//! ```text
//!   payment ─ no such account ─▶ suspense, held by the bank
//!                                   │ a match names the payment, an account and an amount      by a person
//!                                   │ the very account name of the payment becomes known       by itself
//!                                   ▼
//!                                account: open bills, and what they leave is paid ahead
//! ```
//!
//! * Nothing is guessed: by itself only money whose payment names the account exactly, to the byte, is matched.
//! * A payment may be matched in parts, to several accounts, and never to more than is in suspense of it.

use std::fmt;

use crate::calendar::Day;
use crate::label::{AccountId, Label};
use crate::money::Money;

/// The longest remittance text, bytes: 210 letters of two bytes, the longest of the forms in use.
pub const REMITTANCE_SIZE_MAX: usize = 420;

/// What a payer wrote beside a payment: 1 to [`REMITTANCE_SIZE_MAX`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remittance(Box<str>);

/// Why a text cannot stand beside a payment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemittanceError {
    /// Nothing there.
    #[error("empty remittance text")]
    Empty,
    /// Longer than [`REMITTANCE_SIZE_MAX`].
    #[error("remittance text of {0} bytes, at most {REMITTANCE_SIZE_MAX}")]
    TooLong(usize),
    /// A control character.
    #[error("remittance text has a control character at byte {0}")]
    Control(usize),
}

impl Remittance {
    /// Checks and takes `text`.
    ///
    /// # Errors
    /// [`RemittanceError`].
    pub fn new(text: &str) -> Result<Self, RemittanceError> {
        if text.is_empty() {
            return Err(RemittanceError::Empty);
        }
        if text.len() > REMITTANCE_SIZE_MAX {
            return Err(RemittanceError::TooLong(text.len()));
        }
        if let Some((at, _)) = text.char_indices().find(|(_, letter)| letter.is_control()) {
            return Err(RemittanceError::Control(at));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Remittance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A person's word that money in suspense is an account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The reference of the match itself; matches, payments and reversals share one set of them.
    pub id: Label,
    /// The payment whose money is in suspense.
    pub payment: Label,
    /// Whose it is.
    pub account: AccountId,
    /// On which day that was found.
    pub booked: Day,
    /// How much of it; above zero.
    pub amount: Money,
}

/// Why money cannot be matched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchError {
    /// A match of nothing.
    #[error("match {id} is of payment {payment}, which was never settled")]
    Unknown {
        /// The match.
        id: Label,
        /// The payment it names.
        payment: Label,
    },
    /// A match to an account that is not there.
    #[error("match {id} is to account {account}, which is not known")]
    Account {
        /// The match.
        id: Label,
        /// The account.
        account: AccountId,
    },
    /// A match that was found before its payment came.
    #[error("match {id} is of {booked}, its payment of {paid}")]
    Early {
        /// The match.
        id: Label,
        /// Its day.
        booked: Day,
        /// The payment's day.
        paid: Day,
    },
    /// More than is in suspense.
    #[error("match {id} takes {amount} out of suspense, {left} of payment {payment} is in it")]
    TooMuch {
        /// The match.
        id: Label,
        /// What it takes.
        amount: Money,
        /// What is there.
        left: Money,
        /// The payment.
        payment: Label,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remittance_texts() {
        let long = "x".repeat(REMITTANCE_SIZE_MAX);
        let table = [
            ("за свет, л/с 17", "ok"),
            (&long, "ok"),
            (" ", "ok"),
            ("", "empty remittance text"),
            (&format!("{long}x"), "remittance text of 421 bytes, at most 420"),
            ("a\nb", "remittance text has a control character at byte 1"),
            ("за\u{7f}", "remittance text has a control character at byte 4"),
        ];
        for (text, want) in table {
            let got = Remittance::new(text);
            if let Ok(remittance) = &got {
                assert_eq!(remittance.as_str(), text);
            }
            assert_eq!(got.map_or_else(|error| error.to_string(), |_| "ok".into()), want, "{text:?}");
        }
    }
}
