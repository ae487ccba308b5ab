//! A payment and where its money is: on bills, in suspense, or taken back; and the way by which it goes back.
//!
//! ```text
//!   payment = Σ allocations + what is parked with its accounts + what is in suspense
//!   back:     parked, the account matched last first ──▶ suspense ──▶ allocations, the newest first
//! ```
//!
//! The money of a bill below zero is placed as a payment is: the parties gave it, and no bank takes it back.

use std::collections::BTreeMap;

use crate::account::{AccountState, Allocation, Payment};
use crate::hash::ContentHash;
use crate::label::AccountId;
use crate::money::{ExactAmount, Money, Rounding};

/// An allocation, whose bill it pays, and how much of it was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlacedAllocation {
    pub(crate) account: AccountId,
    allocation: Allocation,
    returned: Money,
}

/// A payment and where its money went. What is parked of it stands with its accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPayment {
    payment: Payment,
    allocations: Vec<PlacedAllocation>,
    suspended: Money,
    returned: Money,
    /// The accounts to which its money was matched, in that order, each once.
    matched: Vec<AccountId>,
    /// Of the money of a bill below zero, what the parties gave.
    given: Option<Allocation>,
}

/// What is taken off one bill.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WayOff {
    /// The newest first.
    pub(crate) allocations: Vec<Allocation>,
    /// Index of each among the payment's, and what is returned of it in all.
    pub(crate) returned: Vec<(usize, Money)>,
}

/// What a reversal takes back, and from where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WayBack {
    /// The newest first.
    pub(crate) allocations: Vec<Allocation>,
    /// Index of each among the payment's, whose bill it paid, and what is taken back of it in all.
    pub(crate) returned: Vec<(usize, AccountId, Money)>,
    /// By account.
    pub(crate) parked: Vec<(AccountId, Money)>,
    pub(crate) suspended: Money,
}

impl WayBack {
    /// What is taken of money that waits for a bill.
    pub(crate) fn parked_sum(&self) -> Money {
        self.parked.iter().map(|(_, amount)| *amount).sum()
    }
}

impl PlacedPayment {
    pub(crate) fn new(payment: Payment, suspended: Money) -> Self {
        let (allocations, matched) = (Vec::new(), Vec::new());
        Self { payment, allocations, suspended, returned: Money::ZERO, matched, given: None }
    }

    /// The money of a bill below zero.
    pub(crate) fn credit(payment: Payment, given: Allocation) -> Self {
        Self { given: Some(given), ..Self::new(payment, Money::ZERO) }
    }

    /// Of the money of a bill below zero, what the parties gave; `None` of a payment.
    pub(crate) const fn given(&self) -> Option<Allocation> {
        self.given
    }

    /// As the bank reported it.
    #[must_use]
    pub const fn payment(&self) -> &Payment {
        &self.payment
    }

    /// What was taken back of it.
    #[must_use]
    pub const fn returned(&self) -> Money {
        self.returned
    }

    /// What the bank holds of it because it found no account.
    #[must_use]
    pub const fn suspended(&self) -> Money {
        self.suspended
    }

    /// What can still be taken back.
    #[must_use]
    pub const fn left(&self) -> Money {
        Money::from_minor(self.payment.amount.as_minor() - self.returned.as_minor())
    }

    /// How many times its money was put on a bill.
    pub(crate) const fn allocation_count(&self) -> usize {
        self.allocations.len()
    }

    /// The accounts that may have got of its money: its own, and those it was matched to.
    pub(crate) fn accounts(&self) -> impl DoubleEndedIterator<Item = AccountId> {
        std::iter::once(self.payment.account).chain(self.matched.iter().copied())
    }

    /// Puts its money on bills of an account.
    pub(crate) fn allocate(&mut self, account: AccountId, allocations: &[Allocation]) {
        let whole = |one: &Allocation| PlacedAllocation { account, allocation: *one, returned: Money::ZERO };
        self.allocations.extend(allocations.iter().map(whole));
    }

    /// Moves money out of suspense to an account.
    ///
    /// `false`, and nothing is changed, if less is in it.
    #[must_use]
    pub(crate) fn match_to(&mut self, account: AccountId, amount: Money) -> bool {
        if amount > self.suspended {
            return false;
        }
        self.suspended = Money::from_minor(self.suspended.as_minor() - amount.as_minor());
        if !self.accounts().any(|known| known == account) {
            self.matched.push(account);
        }
        true
    }

    /// The way by which `amount` goes back.
    ///
    /// # Panics
    /// If more is asked for than [`PlacedPayment::left`]: that is refused before.
    pub(crate) fn way_back(&self, amount: Money, accounts: &BTreeMap<AccountId, AccountState>) -> WayBack {
        let mut left = amount.as_minor();
        let mut take = |held: Money| {
            let taken = held.as_minor().min(left);
            left -= taken;
            Money::from_minor(taken)
        };
        let id = self.payment.id;
        let held =
            |account: AccountId| accounts.get(&account).map_or(Money::ZERO, |state| state.parked_of(&id));
        let parked = self.accounts().rev().map(|account| (account, take(held(account))));
        let parked = parked.filter(|(_, taken)| *taken > Money::ZERO).collect();
        let suspended = take(self.suspended);
        let (mut allocations, mut returned) = (Vec::new(), Vec::new());
        for (at, one) in self.allocations.iter().enumerate().rev() {
            let open = one.allocation.amount.as_minor() - one.returned.as_minor();
            let taken = take(Money::from_minor(open));
            if taken > Money::ZERO {
                let sum = Money::from_minor(one.returned.as_minor() + taken.as_minor());
                allocations.push(one.between(sum));
                returned.push((at, one.account, sum));
            }
        }
        assert_eq!(left, 0, "money is parked, in suspense, or allocated");
        WayBack { allocations, returned, parked, suspended }
    }

    /// What lies on a bill: the index of each allocation and what is left of it, the newest first.
    pub(crate) fn live_on(&self, bill: &ContentHash) -> Vec<(usize, Allocation)> {
        let all = self.allocations.iter().enumerate().rev();
        let own = all.filter(|(_, one)| one.allocation.bill == *bill);
        let left = own.map(|(at, one)| (at, one.between(one.allocation.amount)));
        left.filter(|(_, left)| left.amount > Money::ZERO).collect()
    }

    /// What is taken off a bill, the newest first, and how much is returned then of which allocation; `None` if less lies on it.
    pub(crate) fn way_off(&self, bill: &ContentHash, amount: Money) -> Option<WayOff> {
        let mut left = amount.as_minor();
        let (mut allocations, mut returned) = (Vec::new(), Vec::new());
        for (at, live) in self.live_on(bill) {
            let taken = live.amount.as_minor().min(left);
            if taken > 0 {
                let one = &self.allocations[at];
                let sum = Money::from_minor(one.returned.as_minor() + taken);
                allocations.push(one.between(sum));
                returned.push((at, sum));
                left -= taken;
            }
        }
        (left == 0).then_some(WayOff { allocations, returned })
    }

    /// Takes it off.
    pub(crate) fn take_off(&mut self, returned: &[(usize, Money)]) {
        for (at, sum) in returned {
            self.allocations[*at].returned = *sum;
        }
    }

    /// Puts what is parted otherwise now in the place of what lies on a bill, the newest first; what was returned of it is over.
    pub(crate) fn part_again(&mut self, bill: &ContentHash, new: &[Allocation]) {
        if self.given.is_some_and(|given| given.bill == *bill) {
            self.given = new.first().copied();
            return;
        }
        for ((at, _), allocation) in self.live_on(bill).into_iter().zip(new) {
            let account = self.allocations[at].account;
            self.allocations[at] =
                PlacedAllocation { account, allocation: *allocation, returned: Money::ZERO };
        }
    }

    /// Goes that way.
    pub(crate) fn return_along(&mut self, way: &WayBack, amount: Money) {
        self.suspended = Money::from_minor(self.suspended.as_minor() - way.suspended.as_minor());
        self.returned = Money::from_minor(self.returned.as_minor() + amount.as_minor());
        for (at, _, returned) in &way.returned {
            self.allocations[*at].returned = *returned;
        }
    }
}

impl PlacedAllocation {
    /// What is taken back when `returned` is taken back in all: pro rata, so that all of it is all of the allocation.
    fn between(&self, returned: Money) -> Allocation {
        let before = self.returned;
        let Allocation { amount, payee_part, payee, .. } = self.allocation;
        let payee_of = |upto: Money| {
            let exact = payee.exact().portion(upto, amount);
            exact.round(Rounding::HalfUp).expect("a part of a leg fits 64 bits").as_minor()
        };
        let part_of = |upto: Money| payee_part.portion(upto, amount).as_e11();
        Allocation {
            amount: Money::from_minor(returned.as_minor() - before.as_minor()),
            payee_part: ExactAmount::from_e11(part_of(returned) - part_of(before)),
            payee: Money::from_minor(payee_of(returned) - payee_of(before)),
            // What the bank holds of it stands in the reserve.
            held: Money::ZERO,
            ..self.allocation
        }
    }
}
