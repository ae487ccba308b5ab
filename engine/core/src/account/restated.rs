//! What a correction makes of an account's month: its bill and the increases beside it, as they stand now.
//!
//! ```text
//!   more than stood   the increase is a debt of its own, with its own day          [ bill ][ increase ][ increase ]
//!   less              first what is open, then what was paid, the newest first     [ bill ][ incr…
//!   below zero        all of them have nothing to pay; the rest is a credit        [ ][ ] + credit
//!   the payee's part  the new debt takes of it what it can; the rest moves the parts of the others, the newest first
//! ```
//!
//! Here only what is to be paid changes. What was paid already too much, and what a payee holds that is not its part any
//! more, is moved by the next settlement (`payment_book/corrected.rs`): until then the bill is unsettled.

use std::collections::BTreeSet;

use super::{AccountState, OpenBill};
use crate::calendar::{Day, Period};
use crate::hash::ContentHash;
use crate::money::{ExactAmount, Money};

/// What an account owes for a month from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restated {
    /// Content hash of the correction: an increase is known by it.
    pub correction: ContentHash,
    /// Which month.
    pub period: Period,
    /// The correction's day.
    pub since: Day,
    /// The agreement by which payments are split from now on.
    pub agreement: ContentHash,
    /// What is to be paid for the month in all; below zero, the account gets it.
    pub total: Money,
    /// The payee's part of the total, exact.
    pub payee_part: ExactAmount,
}

/// How much more there is to pay of one debt than before; less, below zero.
pub type TotalChange = (ContentHash, Money);

/// Why a bill or credit is not settled as it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsettled {
    /// The correction; of a credit that was never given, itself.
    pub(crate) correction: ContentHash,
    /// Its day.
    pub(crate) day: Day,
    /// Its payments were split by another agreement.
    pub(crate) is_moved: bool,
}

impl OpenBill {
    /// A bill below zero, its amounts without the sign.
    pub(super) fn without_sign(self) -> Self {
        Self {
            total: Money::from_minor(-self.total.as_minor()),
            payee_part: ExactAmount::from_e11(-self.payee_part.as_e11()),
            ..self
        }
    }

    /// What the payee holds of it when it is settled: within its part, and so that the rest of its part lies within what is
    /// still open.
    #[must_use]
    pub(crate) fn payee_settled(&self) -> ExactAmount {
        let open = self.open().exact().max(ExactAmount::ZERO);
        let least = ExactAmount::from_e11(self.payee_part.as_e11() - open.as_e11());
        self.payee_paid.clamp(least, self.payee_part)
    }

    fn is_settled(&self) -> bool {
        self.paid <= self.total && self.payee_settled() == self.payee_paid
    }
}

/// The debts and credits of one month.
struct Month {
    /// The oldest first.
    debts: Vec<OpenBill>,
    credits: Vec<OpenBill>,
}

impl AccountState {
    /// A bill below zero that is still to be given to the account.
    pub(super) fn credit(&mut self, credit: OpenBill) {
        let why = Unsettled { correction: credit.bill, day: credit.since, is_moved: false };
        self.unsettled.insert(credit.bill, why);
        self.credits.push(credit);
    }

    /// Bills below zero, their amounts without the sign.
    #[must_use]
    pub fn credits(&self) -> &[OpenBill] {
        &self.credits
    }

    /// The bills and credits that are not settled as they stand now, and why.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = (OpenBill, Unsettled)> {
        self.unsettled.iter().map(|(bill, why)| {
            let found = self.find(bill).expect("what is unsettled is a debt or a credit of the account");
            (found, *why)
        })
    }

    /// A debt or credit as it stands now.
    pub(crate) fn find(&self, bill: &ContentHash) -> Option<OpenBill> {
        let mut all = self.open.iter().chain(&self.closed).chain(&self.credits);
        all.find(|known| known.bill == *bill).copied()
    }

    /// Whether this is a credit.
    pub(crate) fn is_credit(&self, bill: &ContentHash) -> bool {
        self.credits.iter().any(|credit| credit.bill == *bill)
    }

    /// A payee holds so much of a debt or credit from now on; `false` if there is none.
    pub(crate) fn true_up(&mut self, bill: &ContentHash, payee_paid: ExactAmount) -> bool {
        let mut all = self.open.iter_mut().chain(&mut self.closed).chain(&mut self.credits);
        let Some(found) = all.find(|known| known.bill == *bill) else { return false };
        found.payee_paid = payee_paid;
        true
    }

    /// All payments of a debt or credit are split by its agreement now.
    pub(crate) fn end_move(&mut self, bill: &ContentHash) {
        if let Some(why) = self.unsettled.get_mut(bill) {
            why.is_moved = false;
        }
    }

    /// A credit is given to the account; `false` if there is none that waits.
    pub(crate) fn give(&mut self, bill: &ContentHash, amount: Money, payee_part: ExactAmount) -> bool {
        let mut waiting = self.credits.iter_mut();
        let is_waiting = |credit: &OpenBill| credit.bill == *bill && credit.paid == Money::ZERO;
        let Some(credit) = waiting.find(|credit| is_waiting(credit)) else { return false };
        if (amount, payee_part) != (credit.total, credit.payee_part) {
            return false;
        }
        (credit.paid, credit.payee_paid) = (amount, payee_part);
        true
    }

    /// Takes the mark off a bill or credit that is settled as it stands now.
    pub(crate) fn unmark(&mut self, bill: &ContentHash) {
        let is_done = |one: OpenBill| one.is_settled() && (one.paid == one.total || !self.is_credit(bill));
        let is_moved = self.unsettled.get(bill).is_some_and(|why| why.is_moved);
        if !is_moved && self.find(bill).is_none_or(is_done) {
            self.unsettled.remove(bill);
        }
    }

    /// Makes what is to be paid for a month what a correction says. Gives what changed of which debt; credits below zero.
    pub fn restate(&mut self, new: &Restated) -> Vec<TotalChange> {
        let mut month = self.take_month(new.period);
        let before = month.totals();
        let stands: i128 = before.iter().map(|(_, total)| i128::from(total.as_minor())).sum();
        let change = i128::from(new.total.as_minor()) - stands;
        let amount = Money::from_minor(i64::try_from(change.abs()).expect("a month's sum fits 64 bits"));
        let fresh = OpenBill {
            bill: new.correction,
            period: new.period,
            since: new.since,
            agreement: new.agreement,
            total: amount,
            paid: Money::ZERO,
            payee_part: ExactAmount::ZERO,
            payee_paid: ExactAmount::ZERO,
        };
        if change > 0 {
            month.debts.push(fresh);
        } else {
            let left = month.lower(amount);
            if left > Money::ZERO {
                month.credits.push(OpenBill { total: left, ..fresh });
            }
        }
        let mut moved = BTreeSet::new();
        for one in month.debts.iter_mut().chain(&mut month.credits) {
            if one.agreement != new.agreement && one.paid > Money::ZERO {
                moved.insert(one.bill);
            }
            one.agreement = new.agreement;
        }
        month.share(new.payee_part);
        let after = month.totals();
        self.put_month(month, new, &moved);
        let known = |hash: &ContentHash| before.iter().find(|(own, _)| own == hash).map(|(_, total)| *total);
        let changes = after.into_iter().map(|(hash, total)| {
            let was = known(&hash).unwrap_or_default();
            (hash, Money::from_minor(total.as_minor() - was.as_minor()))
        });
        changes.filter(|(_, change)| *change != Money::ZERO).collect()
    }

    fn take_month(&mut self, period: Period) -> Month {
        let of_month = |bill: &mut OpenBill| bill.period == period;
        let mut debts: Vec<OpenBill> = self.open.extract_if(.., of_month).collect();
        debts.extend(self.closed.extract_if(.., of_month));
        debts.sort_by_key(|debt| (debt.since, debt.bill));
        Month { debts, credits: self.credits.extract_if(.., of_month).collect() }
    }

    fn put_month(&mut self, month: Month, new: &Restated, moved: &BTreeSet<ContentHash>) {
        let mut mark = |bill: ContentHash| {
            let was_moved = self.unsettled.get(&bill).is_some_and(|why| why.is_moved);
            let is_moved = was_moved || moved.contains(&bill);
            let why = Unsettled { correction: new.correction, day: new.since, is_moved };
            self.unsettled.insert(bill, why);
        };
        let all: Vec<ContentHash> = month
            .debts
            .iter()
            .chain(&month.credits)
            .map(|one| one.bill)
            .inspect(|bill| mark(*bill))
            .collect();
        month.debts.into_iter().for_each(|debt| self.place_bill(debt));
        self.credits.extend(month.credits);
        all.iter().for_each(|bill| self.unmark(bill));
    }
}

impl Month {
    /// What is to be paid by debt; credits below zero.
    fn totals(&self) -> Vec<TotalChange> {
        let debts = self.debts.iter().map(|debt| (debt.bill, debt.total));
        let credits =
            self.credits.iter().map(|credit| (credit.bill, Money::from_minor(-credit.total.as_minor())));
        debts.chain(credits).collect()
    }

    /// Takes an amount off the debts: what is open of them first, then what was paid, each time the newest first. Gives what
    /// they do not have.
    fn lower(&mut self, amount: Money) -> Money {
        let mut left = amount.as_minor();
        let rooms: [fn(&OpenBill) -> Money; 2] = [OpenBill::open, |debt| debt.total];
        for room in rooms {
            for debt in self.debts.iter_mut().rev() {
                let taken = left.min(room(debt).as_minor().max(0));
                debt.total = Money::from_minor(debt.total.as_minor() - taken);
                left -= taken;
            }
        }
        Money::from_minor(left)
    }

    /// Divides the payee's part of the month over its debts and credits, each within its total.
    fn share(&mut self, part: ExactAmount) {
        for debt in &mut self.debts {
            debt.payee_part = debt.payee_part.min(debt.total.exact());
        }
        let debts: i128 = self.debts.iter().map(|debt| debt.payee_part.as_e11()).sum();
        let credits: i128 = self.credits.iter().map(|credit| credit.payee_part.as_e11()).sum();
        let mut left = part.as_e11() - (debts - credits);
        // A new credit is the last that was pushed, and takes of the part what it can before the debts, as a new debt does.
        for credit in self.credits.iter_mut().rev().filter(|credit| credit.paid == Money::ZERO) {
            left += move_part(credit, -left);
        }
        for debt in self.debts.iter_mut().rev() {
            left -= move_part(debt, left);
        }
        for credit in self.credits.iter_mut().rev() {
            left += move_part(credit, -left);
        }
    }
}

/// Moves a payee's part by `change`, within the total; gives by how much it was moved.
fn move_part(bill: &mut OpenBill, change: i128) -> i128 {
    let was = bill.payee_part;
    let moved = ExactAmount::from_e11(was.as_e11() + change);
    bill.payee_part = moved.clamp(ExactAmount::ZERO, bill.total.exact());
    bill.payee_part.as_e11() - was.as_e11()
}
