//! An account's bills, what is owed and what is paid ahead; payments, and how one is put against open bills.
//!
//! ```text
//!   payment ──place, in the order of the terms──▶ (bill, amount)…  +  what is parked
//!             book                                bills are paid, and closed when paid in full
//!   reversal ──take back──▶ the same bills are open again
//! ```
//!
//! A bill that is corrected upwards has its increase beside it, as a debt of its own; one that is corrected downwards has less to
//! pay, and waits to be settled where more was paid already (`account/restated.rs`).

use std::collections::BTreeMap;

use crate::accrual::Closing;
use crate::calendar::{Day, Period};
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::{ExactAmount, Money};
use crate::payment_terms::Step;
use crate::proportion::largest_remainder;
use crate::reserve::ReserveOrder;
use crate::suspense::{Match, Remittance};

mod restated;

pub(crate) use restated::Unsettled;
pub use restated::{Restated, TotalChange};

/// One payment as the bank reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The bank's reference; a payment is known by it for ever.
    pub id: Label,
    /// Which account it is for.
    pub account: AccountId,
    /// On which day it was booked.
    pub booked: Day,
    /// How much; above zero.
    pub amount: Money,
    /// The month whose bill the payer named, if any.
    pub period: Option<Period>,
    /// What the payer wrote beside it, if the bank tells.
    pub remittance: Option<Remittance>,
}

/// A payment, or a part of it, that the bank takes back: a refund, a chargeback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reversal {
    /// The bank's reference of the reversal itself.
    pub id: Label,
    /// The payment it takes back.
    pub payment: Label,
    /// The account of that payment.
    pub account: AccountId,
    /// On which day it was booked.
    pub booked: Day,
    /// How much of it; above zero.
    pub amount: Money,
}

/// One line of the bank's registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Money that came in.
    Payment(Payment),
    /// Money that went back.
    Reversal(Reversal),
    /// Money in suspense whose account was found.
    Match(Match),
    /// A month on accrual that is trued up; in no registry.
    Accrual(Closing),
    /// A reserve that is held for a dispute, or released.
    Reserve(ReserveOrder),
}

impl Entry {
    /// The bank's reference; entries of all kinds share one set of them.
    #[must_use]
    pub fn id(&self) -> Label {
        match self {
            Self::Payment(payment) => payment.id,
            Self::Reversal(reversal) => reversal.id,
            Self::Match(one) => one.id,
            Self::Accrual(closing) => closing.id(),
            Self::Reserve(order) => order.id,
        }
    }

    /// How much, above zero; nothing is said of a true-up and of a reserve, whose amount follows.
    #[must_use]
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::Payment(payment) => Some(payment.amount),
            Self::Reversal(reversal) => Some(reversal.amount),
            Self::Match(one) => Some(one.amount),
            Self::Accrual(_) | Self::Reserve(_) => None,
        }
    }

    /// What came in; below zero for what went back, nothing for what only changes its place.
    #[must_use]
    pub const fn signed_amount(&self) -> Money {
        match self {
            Self::Payment(payment) => payment.amount,
            Self::Reversal(reversal) => Money::from_minor(-reversal.amount.as_minor()),
            Self::Match(_) | Self::Accrual(_) | Self::Reserve(_) => Money::ZERO,
        }
    }

    /// The order in which entries are settled: by day, payments before matches before reversals, by reference;
    /// orders of a reserve first, since they hold from their day on.
    #[must_use]
    pub fn order(&self) -> (Day, u8, Label) {
        match self {
            Self::Reserve(order) => (order.booked, 0, order.id),
            Self::Payment(payment) => (payment.booked, 1, payment.id),
            Self::Match(one) => (one.booked, 2, one.id),
            Self::Reversal(reversal) => (reversal.booked, 3, reversal.id),
            Self::Accrual(closing) => (closing.period.end_day(), 4, closing.id()),
        }
    }
}

/// A bill of an account with something to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenBill {
    /// Content hash of the bill.
    pub bill: ContentHash,
    /// Its period; the oldest is paid first.
    pub period: Period,
    /// The first day on which it is owed: the day after its period; of an increase, the day of its correction.
    pub since: Day,
    /// Its agreement.
    pub agreement: ContentHash,
    /// What was to be paid.
    pub total: Money,
    /// What has been.
    pub paid: Money,
    /// The payee's part of the total, exact.
    pub payee_part: ExactAmount,
    /// The payee's part of what has been paid, exact.
    pub payee_paid: ExactAmount,
}

impl OpenBill {
    /// What is still to be paid.
    #[must_use]
    pub const fn open(&self) -> Money {
        Money::from_minor(self.total.as_minor() - self.paid.as_minor())
    }

    /// The payee's part of the next `amount`: as much as it has then of its part in proportion, and all of it when all is
    /// paid; never below zero, never above the amount.
    ///
    /// # Panics
    /// If the amount is more than is open.
    #[must_use]
    pub fn payee_part_of_next(&self, amount: Money) -> ExactAmount {
        let paid = Money::from_minor(self.paid.as_minor() + amount.as_minor());
        let due = self.payee_part.portion(paid, self.total);
        ExactAmount::from_e11(due.as_e11() - self.payee_paid.as_e11())
            .clamp(ExactAmount::ZERO, amount.exact())
    }
}

/// A part of a payment that pays part of one bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// Which bill.
    pub bill: ContentHash,
    /// Its month.
    pub period: Period,
    /// Its agreement.
    pub agreement: ContentHash,
    /// How much of the payment.
    pub amount: Money,
    /// The payee's part of it, exact.
    pub payee_part: ExactAmount,
    /// What the payee gets of it, in whole minor units; the remainder taker gets the rest.
    pub payee: Money,
    /// What the bank holds of a party's leg; of what is taken back, what it lets go of it; of what is parted otherwise, what it
    /// holds from now on.
    pub held: Money,
}

impl Allocation {
    /// What the remainder taker gets.
    #[must_use]
    pub const fn remainder(&self) -> Money {
        Money::from_minor(self.amount.as_minor() - self.payee.as_minor())
    }
}

/// What is left of a payment when no bill is open: it waits for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    /// Whose money it is.
    pub payment: Label,
    /// On which day that was booked.
    pub booked: Day,
    /// The month its payer named, if any.
    pub period: Option<Period>,
    /// How much is left; above zero.
    pub amount: Money,
}

/// What an account owes and has paid ahead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountState {
    /// Open bills, oldest first.
    pub open: Vec<OpenBill>,
    /// Bills paid in full: a reversal opens them again.
    closed: Vec<OpenBill>,
    /// Bills below zero, their amounts without the sign: paid when they were given to the account.
    credits: Vec<OpenBill>,
    /// Money that waits for a bill, in the order it came.
    parked: Vec<Parked>,
    /// Bills and credits that are not settled as they stand now.
    unsettled: BTreeMap<ContentHash, Unsettled>,
}

impl AccountState {
    /// Adds a bill. One with nothing to pay never opens; one below zero waits to be given to the account.
    pub fn issue(&mut self, bill: OpenBill) {
        if bill.total < Money::ZERO {
            self.credit(bill.without_sign());
        } else if bill.total > Money::ZERO {
            self.place_bill(bill);
        }
    }

    /// Puts a bill with the open ones or with those that have nothing open.
    fn place_bill(&mut self, bill: OpenBill) {
        if bill.open() > Money::ZERO {
            self.open.push(bill);
            self.open.sort_by_key(|open| (open.period, open.since, open.bill));
        } else {
            self.closed.push(bill);
        }
    }

    /// The account's bill of a month, and increases of it, that had something to pay.
    pub fn bills_of(&self, period: Period) -> impl Iterator<Item = &OpenBill> {
        self.open.iter().chain(&self.closed).filter(move |bill| bill.period == period)
    }

    /// All its debts and credits of a month, the credits below zero.
    pub(crate) fn signed_bills_of(&self, period: Period) -> Vec<OpenBill> {
        let credits = self.credits.iter().filter(|credit| credit.period == period);
        self.bills_of(period).copied().chain(credits.map(|credit| credit.without_sign())).collect()
    }

    /// What is owed.
    #[must_use]
    pub fn debt(&self) -> Money {
        self.open.iter().map(OpenBill::open).sum()
    }

    /// What is paid ahead.
    #[must_use]
    pub fn advance(&self) -> Money {
        self.parked.iter().map(|parked| parked.amount).sum()
    }

    /// Money that waits for a bill, in the order it came.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// Whether something is due to be settled before the next payment.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.has_release() || !self.unsettled.is_empty()
    }

    /// Whether money waits although a bill is open: it is due to be released.
    #[must_use]
    pub(crate) fn has_release(&self) -> bool {
        !self.parked.is_empty() && !self.open.is_empty()
    }

    /// Where `amount` goes: indices of open bills with what each gets, above zero, in the order of the steps. What they leave
    /// finds no open bill.
    ///
    /// # Panics
    /// If the amount is not above zero: such a payment is refused before.
    #[must_use]
    pub fn place(&self, amount: Money, period: Option<Period>, order: &[Step]) -> Vec<(usize, Money)> {
        assert!(amount > Money::ZERO, "a payment is above zero");
        let newest = self.open.iter().chain(&self.closed).map(|bill| bill.period).max();
        let mut left = amount.as_minor();
        let mut placed: Vec<(usize, Money)> = Vec::new();
        for step in order {
            let is_reached = |bill: &OpenBill| match step {
                Step::Designated => Some(bill.period) == period,
                Step::Earlier => Some(bill.period) < newest,
                Step::Current => Some(bill.period) == newest,
                Step::Proportional => true,
            };
            // A bill that an earlier step reached is paid in full, or nothing is left.
            let rest: Vec<usize> = (0..self.open.len())
                .filter(|at| is_reached(&self.open[*at]) && placed.iter().all(|(known, _)| known != at))
                .collect();
            let dues: Vec<Money> = rest.iter().map(|at| self.open[*at].open()).collect();
            let due: i128 = dues.iter().map(|due| i128::from(due.as_minor())).sum();
            if left == 0 || due == 0 {
                continue;
            }
            let takes: Vec<Money> = if *step == Step::Proportional && i128::from(left) < due {
                largest_remainder(Money::from_minor(left), &dues)
            } else {
                let mut upto = left;
                let mut take = |due: &Money| {
                    let taken = due.as_minor().min(upto);
                    upto -= taken;
                    Money::from_minor(taken)
                };
                dues.iter().map(&mut take).collect()
            };
            for (at, taken) in rest.into_iter().zip(takes).filter(|(_, taken)| *taken > Money::ZERO) {
                placed.push((at, taken));
                left -= taken.as_minor();
            }
        }
        placed
    }

    /// Books an allocation on its bill; a bill that is paid in full closes.
    ///
    /// `false`, and nothing is changed, if the bill is not open or has less to pay.
    #[must_use]
    pub fn book(&mut self, allocation: &Allocation) -> bool {
        let Some(at) = self
            .open
            .iter()
            .position(|open| (open.bill, open.period) == (allocation.bill, allocation.period))
        else {
            return false;
        };
        let open = &mut self.open[at];
        let payee_paid = open.payee_paid.checked_add(allocation.payee_part);
        let (Some(payee_paid), true) = (payee_paid, allocation.amount <= open.open()) else { return false };
        open.paid = Money::from_minor(open.paid.as_minor() + allocation.amount.as_minor());
        open.payee_paid = payee_paid;
        if open.open() == Money::ZERO {
            self.closed.push(self.open.remove(at));
        }
        true
    }

    /// Takes an allocation back from its bill, which is open again.
    ///
    /// `false`, and nothing is changed, if the bill is not known or had less paid.
    #[must_use]
    pub fn reopen(&mut self, allocation: &Allocation) -> bool {
        let is_bill = |bill: &OpenBill| bill.bill == allocation.bill;
        let held = self.open.iter().chain(&self.closed).find(|bill| is_bill(bill));
        let Some(mut bill) = held.copied().filter(|bill| bill.paid >= allocation.amount) else {
            return false;
        };
        self.open.retain(|bill| !is_bill(bill));
        self.closed.retain(|bill| !is_bill(bill));
        bill.paid = Money::from_minor(bill.paid.as_minor() - allocation.amount.as_minor());
        bill.payee_paid = ExactAmount::from_e11(bill.payee_paid.as_e11() - allocation.payee_part.as_e11());
        self.place_bill(bill);
        true
    }

    /// Parks what found no open bill, or was put on one that has less to pay now, beside what is parked of the payment already.
    pub fn park(&mut self, parked: Parked) {
        if let Some(known) = self.parked.iter_mut().find(|known| known.payment == parked.payment) {
            known.amount = Money::from_minor(known.amount.as_minor() + parked.amount.as_minor());
            known.booked = known.booked.max(parked.booked);
        } else if parked.amount > Money::ZERO {
            self.parked.push(parked);
        }
    }

    /// How much of a payment is parked.
    #[must_use]
    pub fn parked_of(&self, payment: &Label) -> Money {
        let of_payment = self.parked.iter().find(|parked| parked.payment == *payment);
        of_payment.map_or(Money::ZERO, |parked| parked.amount)
    }

    /// Takes `amount` of a payment's parked money away.
    ///
    /// `false`, and nothing is changed, if less is parked.
    #[must_use]
    pub fn unpark(&mut self, payment: &Label, amount: Money) -> bool {
        if amount > self.parked_of(payment) {
            return false;
        }
        for parked in self.parked.iter_mut().filter(|parked| parked.payment == *payment) {
            parked.amount = Money::from_minor(parked.amount.as_minor() - amount.as_minor());
        }
        self.parked.retain(|parked| parked.amount > Money::ZERO);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_terms::tests::order;

    fn open(period: &str, total: i64, part_e11: i128) -> OpenBill {
        let period: Period = period.parse().unwrap();
        OpenBill {
            bill: ContentHash([u8::try_from(total % 251).unwrap(); 32]),
            period,
            since: period.end_day(),
            agreement: ContentHash::default(),
            total: Money::from_minor(total),
            paid: Money::ZERO,
            payee_part: ExactAmount::from_e11(part_e11),
            payee_paid: ExactAmount::ZERO,
        }
    }

    fn allocation(bill: &OpenBill, amount: Money) -> Allocation {
        Allocation {
            bill: bill.bill,
            period: bill.period,
            agreement: bill.agreement,
            amount,
            payee_part: bill.payee_part_of_next(amount),
            payee: Money::ZERO,
            held: Money::ZERO,
        }
    }

    /// January to March: 30.00, 50.00 and 20.01 open.
    fn account() -> AccountState {
        let mut account = AccountState::default();
        for (period, total) in [("2026-02", 5_000), ("2026-03", 2_001), ("2026-01", 3_000)] {
            account.issue(open(period, total, 1));
        }
        account
    }

    #[test]
    fn where_money_goes() {
        // order, month named, amount, what January, February and March get in the order of the steps
        let table = [
            ("designated earlier current", "", 2_000, "01 2000"),
            ("designated earlier current", "", 4_000, "01 3000, 02 1000"),
            ("designated earlier current", "", 99_999, "01 3000, 02 5000, 03 2001"),
            ("designated earlier current", "2026-02", 6_000, "02 5000, 01 1000"),
            ("designated earlier current", "2025-12", 1, "01 1"),
            ("current earlier", "2026-02", 2_500, "03 2001, 01 499"),
            ("designated current earlier", "2026-02", 8_000, "02 5000, 03 2001, 01 999"),
            ("earlier current", "2026-03", 1, "01 1"),
            ("proportional", "2026-02", 1_000, "01 300, 02 500, 03 200"),
            ("proportional", "", 1, "02 1"), // the largest remainder
            ("proportional", "", 10_000, "01 3000, 02 4999, 03 2001"),
            ("proportional", "", 10_001, "01 3000, 02 5000, 03 2001"),
            ("designated proportional", "2026-03", 2_801, "03 2001, 01 300, 02 500"),
            ("current proportional", "", 2_802, "03 2001, 01 300, 02 501"),
        ];
        for (steps, period, amount, want) in table {
            let period = (!period.is_empty()).then(|| period.parse().unwrap());
            let account = account();
            let placed = account.place(Money::from_minor(amount), period, &order(steps));
            let month = |at: usize| account.open[at].period.to_string()[5..].to_owned();
            let got: Vec<String> =
                placed.iter().map(|(at, taken)| format!("{} {}", month(*at), taken.as_minor())).collect();
            assert_eq!(got.join(", "), want, "{steps} {period:?} {amount}");
        }
    }

    /// The newest month stays the newest when it is paid: an older bill does not become the current one.
    #[test]
    fn a_paid_month_is_still_the_newest() {
        let mut account = account();
        let march = account.open[2];
        assert!(account.book(&allocation(&march, march.total)));
        let placed = account.place(Money::from_minor(9_000), None, &order("current earlier"));
        assert_eq!(placed, [(0, Money::from_minor(3_000)), (1, Money::from_minor(5_000))]);
    }

    #[test]
    fn bills_close_and_open_again() {
        let mut account = account();
        let january = account.open[0];
        let whole = allocation(&january, january.total);
        assert!(account.book(&whole));
        assert_eq!((account.open.len(), account.debt()), (2, Money::from_minor(7_001)));
        assert!(!account.book(&whole), "it is closed");
        let part = Allocation { amount: Money::from_minor(1_000), payee_part: ExactAmount::ZERO, ..whole };
        assert!(account.reopen(&part));
        assert_eq!((account.open[0].open(), account.open[0].period), (part.amount, january.period));
        assert!(!account.reopen(&whole), "only 20.00 of it are paid");
        assert!(!account.book(&Allocation { amount: Money::from_minor(1_001), ..part }), "10.00 are open");
        assert!(account.reopen(&part) && account.reopen(&part));
        assert_eq!(account.debt(), Money::from_minor(10_001));
        assert!(!account.reopen(&Allocation { bill: ContentHash([255; 32]), ..part }), "no such bill");
    }

    #[test]
    fn money_waits_and_leaves() {
        let mut account = AccountState::default();
        let id = |name: &str| name.parse::<Label>().unwrap();
        for (payment, minor) in [("p-2", 50), ("p-1", 70), ("p-3", 0)] {
            let booked = "2026-04-01".parse().unwrap();
            account.park(Parked {
                payment: id(payment),
                booked,
                period: None,
                amount: Money::from_minor(minor),
            });
        }
        assert_eq!((account.parked().len(), account.advance()), (2, Money::from_minor(120)));
        assert!(
            !account.unpark(&id("p-2"), Money::from_minor(51))
                && !account.unpark(&id("p-4"), Money::from_minor(1))
        );
        assert!(account.unpark(&id("p-2"), Money::from_minor(20)));
        assert_eq!(account.parked_of(&id("p-2")), Money::from_minor(30));
        assert!(account.unpark(&id("p-2"), Money::from_minor(30)));
        assert_eq!((account.parked().len(), account.parked_of(&id("p-2"))), (1, Money::ZERO));
        assert!(!account.is_waiting());
        account.issue(open("2026-02", 5_000, 1));
        assert!(account.is_waiting());
    }

    #[test]
    fn parts_of_a_bill_add_up_exactly() {
        let part = 3_456_789_012_345_678;
        let mut account = AccountState::default();
        account.issue(open("2026-01", 9_999_991, part));
        let mut sum = 0;
        for step in 1.. {
            let Some(bill) = account.open.first().copied() else { break };
            let next = allocation(&bill, Money::from_minor(step * 5).min(bill.open()));
            sum += next.payee_part.as_e11();
            assert!(account.book(&next));
        }
        assert_eq!(sum, part);
    }
}
