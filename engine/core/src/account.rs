//! An account's open bills, and how a payment is put against them.

use crate::calendar::{Day, Period};
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::{ExactAmount, Money};

/// One payment as the bank reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The bank's reference; a payment is known by it for ever.
    pub id: Label,
    /// Which account it is for.
    pub account: AccountId,
    /// On which day it was booked.
    pub booked: Day,
    /// How much; above zero.
    pub amount: Money,
}

/// A bill that is not paid in full yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenBill {
    /// Content hash of the bill.
    pub bill: ContentHash,
    /// Its period; the oldest is paid first.
    pub period: Period,
    /// Its agreement.
    pub agreement: ContentHash,
    /// What was to be paid.
    pub total: Money,
    /// What has been.
    pub paid: Money,
    /// The payee's part of the total, exact.
    pub payee_part: ExactAmount,
}

/// A part of a payment that pays part of one bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// Which bill.
    pub bill: ContentHash,
    /// Its agreement.
    pub agreement: ContentHash,
    /// How much of the payment.
    pub amount: Money,
    /// The payee's part of it, exact.
    pub payee_part: ExactAmount,
}

/// What an account owes and has paid ahead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountState {
    /// Open bills, oldest first.
    pub open: Vec<OpenBill>,
    /// Paid beyond all bills.
    pub advance: Money,
}

impl AccountState {
    /// Adds a bill. One with nothing to pay never opens.
    pub fn issue(&mut self, bill: OpenBill) {
        if bill.total > Money::ZERO {
            self.open.push(bill);
            self.open.sort_by_key(|open| (open.period, open.bill));
        }
    }

    /// What is owed.
    #[must_use]
    pub fn debt(&self) -> Money {
        self.open.iter().map(|open| Money::from_minor(open.total.as_minor() - open.paid.as_minor())).sum()
    }

    /// Puts a payment against the open bills, oldest first; what is left over is paid ahead.
    ///
    /// # Panics
    /// If the amount is not above zero: such a payment is refused before.
    pub fn pay(&mut self, amount: Money) -> (Vec<Allocation>, Money) {
        assert!(amount > Money::ZERO, "a payment is above zero");
        let mut left = amount.as_minor();
        let mut allocations = Vec::new();
        for open in &mut self.open {
            let due = open.total.as_minor() - open.paid.as_minor();
            let taken = due.min(left);
            if taken == 0 {
                continue;
            }
            let before = payee_part_of(open);
            open.paid = Money::from_minor(open.paid.as_minor() + taken);
            let payee_part = ExactAmount::from_e11(payee_part_of(open).as_e11() - before.as_e11());
            let amount = Money::from_minor(taken);
            allocations.push(Allocation { bill: open.bill, agreement: open.agreement, amount, payee_part });
            left -= taken;
        }
        self.open.retain(|open| open.paid < open.total);
        let advance = Money::from_minor(left);
        self.advance = [self.advance, advance].into_iter().sum();
        (allocations, advance)
    }
}

/// The payee's part of what has been paid of a bill so far: in proportion, and all of it when all is paid.
fn payee_part_of(open: &OpenBill) -> ExactAmount {
    let (total, paid) = (i128::from(open.total.as_minor()), i128::from(open.paid.as_minor()));
    let part = open.payee_part.as_e11();
    // part × paid may pass i128 only beyond 10^15 currency units; split the product to stay exact.
    ExactAmount::from_e11(part / total * paid + part % total * paid / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(period: &str, total: i64, part_e11: i128) -> OpenBill {
        OpenBill {
            bill: ContentHash([u8::try_from(total % 251).unwrap(); 32]),
            period: period.parse().unwrap(),
            agreement: ContentHash::default(),
            total: Money::from_minor(total),
            paid: Money::ZERO,
            payee_part: ExactAmount::from_e11(part_e11),
        }
    }

    #[test]
    fn oldest_first_then_ahead() {
        let mut account = AccountState::default();
        account.issue(open("2026-02", 5_000, 1));
        account.issue(open("2026-01", 3_000, 1));
        assert_eq!(account.debt(), Money::from_minor(8_000));
        let (allocations, advance) = account.pay(Money::from_minor(4_000));
        let amounts: Vec<i64> = allocations.iter().map(|part| part.amount.as_minor()).collect();
        assert_eq!((amounts, advance), (vec![3_000, 1_000], Money::ZERO));
        let (allocations, advance) = account.pay(Money::from_minor(4_500));
        assert_eq!((allocations.len(), advance), (1, Money::from_minor(500)));
        assert!(account.open.is_empty() && account.debt() == Money::ZERO);
    }

    #[test]
    fn parts_of_a_bill_add_up_exactly() {
        let part = 123_456_789_012_345_678;
        let mut account = AccountState::default();
        account.issue(open("2026-01", 9_999_991, part));
        let mut sum = 0;
        for step in 1..=2_000 {
            let (allocations, _) = account.pay(Money::from_minor(step * 5));
            sum += allocations.iter().map(|allocation| allocation.payee_part.as_e11()).sum::<i128>();
        }
        assert_eq!(sum, part);
    }
}
