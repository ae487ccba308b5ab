//! Reserve: a part of a party's legs that the bank holds back until it is released.
//!
//! ```text
//!   leg of the party ──share, rounded down──▶ held by the bank ──order to release──▶ the party
//!                                                 ▲
//!                    always, or while the account's bill of that month is disputed
//! ```
//!
//! * What is held stands by account and month. A release gives back all of it, and ends the dispute.
//! * What a correction takes off a bill, or gives the other party, is let go first: no more is held of a leg than the leg.
//! * An order holds from then on: what was paid before a dispute was known is not held.
//! * A reversal takes what is held of its allocation first: that money is at hand, and the party has not seen it.
//! * Legs are held whole in the sums of what a party was due; the reserve is a second pair of legs between party and bank.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{AccountState, Allocation};
use crate::agreement::{Agreement, Party, SHARE_WHOLE};
use crate::calendar::{Day, Period};
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::Money;

/// Whose legs are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ReserveOf {
    /// The payee's.
    Payee = 1,
    /// The remainder taker's.
    Remainder = 2,
}

impl ReserveOf {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::Payee, Self::Remainder];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.code() == code)
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payee => "payee",
            Self::Remainder => "remainder",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }
}

/// When legs are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ReserveWhile {
    /// Of every payment.
    Always = 1,
    /// Of payments of a bill that is disputed.
    Disputed = 2,
}

impl ReserveWhile {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::Always, Self::Disputed];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|when| when.code() == code)
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Disputed => "disputed",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|when| when.name() == name)
    }
}

/// What an agreement says of a reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReserveTerms {
    /// Whose legs.
    pub of: ReserveOf,
    /// How much of each, in parts of [`SHARE_WHOLE`]; above zero.
    pub share: u32,
    /// When.
    pub when: ReserveWhile,
}

/// What an order is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ReserveAction {
    /// The account's bill of the month is disputed: hold from now on.
    Hold = 1,
    /// Give the party all that is held of the account and month.
    Release = 2,
}

impl ReserveAction {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::Hold, Self::Release];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.code() == code)
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// An order to hold or to release what is held of an account's bill of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReserveOrder {
    /// Its reference; it shares one set of them with payments.
    pub id: Label,
    /// Whose bill.
    pub account: AccountId,
    /// Of which month.
    pub period: Period,
    /// Since which day.
    pub booked: Day,
    /// What to do.
    pub action: ReserveAction,
}

/// An order carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveMove {
    /// The order.
    pub order: ReserveOrder,
    /// What is released, by the agreement under which it was held, ascending; nothing for a hold.
    pub released: Vec<(ContentHash, Money)>,
}

impl ReserveMove {
    /// What is released in all.
    #[must_use]
    pub fn amount(&self) -> Money {
        self.released.iter().map(|(_, amount)| *amount).sum()
    }
}

/// Why an order cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// No such bill.
    #[error("order {id}: account {account} has no bill of {period}")]
    NoBill {
        /// The order.
        id: Label,
        /// The account.
        account: AccountId,
        /// The month.
        period: Period,
    },
    /// The agreement holds nothing for disputes.
    #[error("order {id}: agreement {agreement} has no reserve for disputed bills")]
    NoTerms {
        /// The order.
        id: Label,
        /// The agreement of the bill.
        agreement: Label,
    },
    /// It is disputed already.
    #[error("order {id}: the bill of account {account} of {period} is disputed already")]
    Disputed {
        /// The order.
        id: Label,
        /// The account.
        account: AccountId,
        /// The month.
        period: Period,
    },
    /// Nothing is held, and nothing disputed.
    #[error("order {id}: nothing of account {account} is held or disputed for {period}")]
    Nothing {
        /// The order.
        id: Label,
        /// The account.
        account: AccountId,
        /// The month.
        period: Period,
    },
}

/// An account's month.
pub type ReserveKey = (AccountId, Period);

/// What is held, and of which allocation of which payment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReserveBook {
    disputed: BTreeSet<ReserveKey>,
    held: BTreeMap<ReserveKey, BTreeMap<HeldKey, HeldLeg>>,
}

/// A payment, and which of its allocations.
type HeldKey = (Label, usize);

/// What is held of one allocation, under its agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HeldLeg {
    agreement: ContentHash,
    amount: Money,
}

impl ReserveBook {
    /// Whether the account's bill of the month is disputed.
    #[must_use]
    pub fn is_disputed(&self, key: &ReserveKey) -> bool {
        self.disputed.contains(key)
    }

    /// What is held of an account's month.
    #[must_use]
    pub fn held(&self, key: &ReserveKey) -> Money {
        self.held_by_agreement(key).into_iter().map(|(_, amount)| amount).sum()
    }

    /// What is held of an account's month by agreement, ascending.
    #[must_use]
    pub fn held_by_agreement(&self, key: &ReserveKey) -> Vec<(ContentHash, Money)> {
        let mut sums: BTreeMap<ContentHash, Money> = BTreeMap::new();
        for leg in self.held.get(key).into_iter().flat_map(BTreeMap::values) {
            let sum = sums.entry(leg.agreement).or_default();
            *sum = [*sum, leg.amount].into_iter().sum();
        }
        sums.into_iter().collect()
    }

    /// Accounts' months of which something is held or that are disputed, in order.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<ReserveKey> {
        self.disputed.iter().chain(self.held.keys()).copied().collect()
    }

    /// What is held of one allocation of a payment.
    pub(crate) fn held_of(&self, account: AccountId, of: &Allocation, payment: &Label, at: usize) -> Money {
        let held = self.held.get(&(account, of.period)).and_then(|held| held.get(&(*payment, at)));
        held.map_or(Money::ZERO, |leg| leg.amount)
    }

    /// From now on, holds `amount` of an allocation.
    pub(crate) fn hold(
        &mut self,
        account: AccountId,
        of: &Allocation,
        payment: Label,
        at: usize,
        amount: Money,
    ) {
        let (key, held) = ((account, of.period), (payment, at));
        if amount > Money::ZERO {
            let leg = HeldLeg { agreement: of.agreement, amount };
            self.held.entry(key).or_default().insert(held, leg);
        } else if let Some(of_key) = self.held.get_mut(&key) {
            of_key.remove(&held);
            if of_key.is_empty() {
                self.held.remove(&key);
            }
        }
    }

    /// Carries an order out that was checked.
    pub(crate) fn carry_out(&mut self, order: &ReserveOrder) {
        let key = (order.account, order.period);
        match order.action {
            ReserveAction::Hold => {
                self.disputed.insert(key);
            }
            ReserveAction::Release => {
                self.disputed.remove(&key);
                self.held.remove(&key);
            }
        }
    }

    /// The part for the orders and payments of these accounts' months.
    pub(crate) fn of_accounts(&self, accounts: &BTreeMap<AccountId, AccountState>) -> Self {
        let is_of = |key: &&ReserveKey| accounts.contains_key(&key.0);
        Self {
            disputed: self.disputed.iter().filter(is_of).copied().collect(),
            held: self
                .held
                .iter()
                .filter(|(key, _)| is_of(key))
                .map(|(key, held)| (*key, held.clone()))
                .collect(),
        }
    }
}

impl Agreement {
    /// Whose legs are held under it, if anybody's.
    #[must_use]
    pub fn reserve_party(&self) -> Option<Party> {
        self.terms.reserve.map(|reserve| match reserve.of {
            ReserveOf::Payee => self.payee,
            ReserveOf::Remainder => self.remainder,
        })
    }

    /// What is held of an allocation.
    pub(crate) fn held_of(&self, allocation: &Allocation, is_disputed: bool) -> Money {
        let Some(reserve) = self.terms.reserve else { return Money::ZERO };
        if reserve.when == ReserveWhile::Disputed && !is_disputed {
            return Money::ZERO;
        }
        let leg = i128::from(allocation.leg_of(reserve.of).as_minor());
        let held = leg * i128::from(reserve.share) / i128::from(SHARE_WHOLE);
        Money::from_minor(i64::try_from(held).expect("a share of a leg is within it"))
    }
}

impl Allocation {
    /// The leg of payee or remainder taker.
    #[must_use]
    pub const fn leg_of(&self, of: ReserveOf) -> Money {
        match of {
            ReserveOf::Payee => self.payee,
            ReserveOf::Remainder => self.remainder(),
        }
    }
}
