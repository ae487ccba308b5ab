//! Why entries of a registry cannot be settled.

use crate::accrual::AccrualError;
use crate::calendar::Day;
use crate::label::{AccountId, Label};
use crate::money::Money;
use crate::reserve::ReserveError;
use crate::split::OWN_REFERENCE;
use crate::suspense::MatchError;

/// Why entries cannot be settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// The reference is known with another content.
    #[error("payment {0} is already settled with other contents")]
    Content(Label),
    /// The reference stands twice.
    #[error("payment {0} stands twice in the registry")]
    Twice(Label),
    /// An amount that is not above zero.
    #[error("payment {0} is not above zero")]
    Amount(Label),
    /// A reference that only the ledger gives.
    #[error("payment {0} has a reference of the ledger's own: none of a bank begins with {OWN_REFERENCE}")]
    Reserved(Label),
    /// A reversal of nothing.
    #[error("reversal {reversal} is of payment {payment}, which was never settled")]
    Unknown {
        /// The reversal.
        reversal: Label,
        /// The payment it names.
        payment: Label,
    },
    /// A reversal that names another account than its payment.
    #[error("reversal {reversal} is of account {named}, its payment of {account}")]
    Account {
        /// The reversal.
        reversal: Label,
        /// The account it names.
        named: AccountId,
        /// The payment's.
        account: AccountId,
    },
    /// A reversal that was booked before its payment.
    #[error("reversal {reversal} is of {booked}, its payment of {paid}")]
    Early {
        /// The reversal.
        reversal: Label,
        /// Its day.
        booked: Day,
        /// The payment's day.
        paid: Day,
    },
    /// More is taken back than is left.
    #[error("reversal {reversal} takes {amount} back, at most {left} is left of payment {payment}")]
    TooMuch {
        /// The reversal.
        reversal: Label,
        /// What it takes.
        amount: Money,
        /// What is left.
        left: Money,
        /// The payment.
        payment: Label,
    },
    /// Money cannot be matched.
    #[error(transparent)]
    Match(#[from] MatchError),
    /// A month cannot be trued up.
    #[error(transparent)]
    Accrual(#[from] AccrualError),
    /// A reserve cannot be held or released.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// All payments there ever were pass 64-bit minor units.
    #[error("sums of all payments ever received do not fit 64 bits")]
    Overflow,
    /// There is nothing to settle.
    #[error("every payment is settled already: nothing is new")]
    Nothing,
    /// A settled entry that is not what the book gives.
    #[error("settled entry {0} does not follow from what was settled before")]
    Record(Label),
}
