//! The payment book: what corrections, and bills below zero, move of money that is here already. No bank money moves.
//!
//! ```text
//!   paid more than stands   WITHDRAWAL  parties ──back──▶ advance     of the newest payments, along their own legs
//!   parted otherwise        TRUE-UP     payee ◀──▶ remainder taker    what the next payments cannot make good
//!   below zero              CREDIT      parties ──back──▶ advance     under a reference of its own
//! ```
//!
//! * Each entry is of one payment, so that a reversal finds what it takes back where it stands now.
//! * A true-up settles a bill's part to the last unit of 10^-11; the limits of an agreement are limits of payments, and a
//!   true-up is none.

use std::collections::BTreeSet;

use super::{Agreements, PaymentBook, SettleError, without_held};
use crate::account::{Allocation, OpenBill, Parked, Payment, Restated, TotalChange, Unsettled};
use crate::agreement::{Agreement, Party};
use crate::calendar::Day;
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::{ExactAmount, Money};
use crate::payment_terms::SplitRounding;
use crate::placed_payment::{PlacedPayment, WayOff};
use crate::split::{
    Cause, Credit, LegKind, Legs, RunningSplit, Settled, TrueUp, Withdrawal, agreement_of, sum_of_kind,
};

/// A payment's live part on one bill: which allocation of it, and what is left of that.
#[derive(Debug, Clone, Copy)]
struct Live {
    payment: Label,
    booked: Day,
    at: usize,
    left: Allocation,
}

impl PaymentBook {
    /// Makes what an account owes for a month what a correction says. Gives what changed of which debt; credits below zero.
    pub fn restate(&mut self, account: AccountId, new: &Restated) -> Vec<TotalChange> {
        let state = self.accounts.entry(account).or_default();
        let before: Vec<OpenBill> = state.signed_bills_of(new.period);
        let changes = state.restate(new);
        let after: Vec<OpenBill> = state.signed_bills_of(new.period);
        before.iter().for_each(|bill| self.accrual.count_bill(bill, -1));
        after.iter().for_each(|bill| self.accrual.count_bill(bill, 1));
        let state = self.accounts.entry(account).or_default();
        // Back under the agreement by which it was paid, before that was settled: nothing has moved.
        let unsettled: Vec<ContentHash> = state.unsettled().map(|(bill, _)| bill.bill).collect();
        unsettled.iter().for_each(|bill| self.unmark(account, bill));
        changes
    }

    /// Settles what corrections left unsettled of an account.
    pub(super) fn settle_corrections(
        &mut self,
        account: AccountId,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        let Some(state) = self.accounts.get(&account) else { return Ok(()) };
        let unsettled: Vec<(OpenBill, Unsettled)> = state.unsettled().collect();
        for (bill, why) in unsettled {
            if state_of(self, &account).is_credit(&bill.bill) {
                if bill.paid == Money::ZERO {
                    self.give(account, &bill, &why, agreements, settled)?;
                } else {
                    self.true_up_credit(account, &bill, &why, agreements, settled)?;
                }
            } else {
                self.withdraw(account, &bill, &why, agreements, settled)?;
                self.true_up(account, &bill.bill, &why, agreements, settled)?;
            }
            let is_left = state_of(self, &account).unsettled().any(|(left, _)| left.bill == bill.bill);
            assert!(!is_left, "a correction is settled in one go: {bill:?}");
        }
        Ok(())
    }

    /// What of an account's payments lies on a bill, the newest first.
    fn live(&self, account: &AccountId, bill: &ContentHash) -> Vec<Live> {
        let own = self.payments_of.get(account).into_iter().flatten();
        let mut live: Vec<Live> = own
            .filter_map(|payment| self.payments.get(payment))
            .flat_map(|placed| {
                let Payment { id: payment, booked, .. } = *placed.payment();
                placed.live_on(bill).into_iter().map(move |(at, left)| Live { payment, booked, at, left })
            })
            .collect();
        live.sort_by_key(|one| std::cmp::Reverse((one.booked, one.payment, one.at)));
        live
    }

    /// What was paid of a bill beyond its total goes back to the account's advance.
    fn withdraw(
        &mut self,
        account: AccountId,
        bill: &OpenBill,
        why: &Unsettled,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        let mut excess = bill.paid.as_minor() - bill.total.as_minor();
        let live = self.live(&account, &bill.bill);
        for of_payment in live.chunk_by(|a, b| a.payment == b.payment) {
            let held: i64 = of_payment.iter().map(|one| one.left.amount.as_minor()).sum();
            let amount = Money::from_minor(excess.min(held));
            if amount <= Money::ZERO {
                break;
            }
            let Live { payment, booked, .. } = of_payment[0];
            let booked = why.day.max(booked);
            let withdrawal = Withdrawal { payment, correction: why.correction, account, booked, amount };
            let WayOff { mut allocations, returned } = self.way_off(&withdrawal, &bill.bill)?;
            let places = returned.iter().map(|(at, _)| (*at, account));
            self.let_go(&payment, &mut allocations, places, agreements);
            let (mut legs, mut back) = (Legs::default(), Legs::default());
            Legs::add_held(&mut back, &mut legs, &allocations, agreements);
            legs.add(Party::Supplier, LegKind::Advance, amount);
            back.add_all(&allocations, agreements);
            let entry = Settled::new(Cause::Withdrawal(withdrawal), allocations, legs, back);
            self.apply(&entry)?;
            settled.push(entry);
            excess -= amount.as_minor();
        }
        Ok(())
    }

    /// What a withdrawal takes off a bill, and how much is returned of which allocation then.
    fn way_off(&self, withdrawal: &Withdrawal, bill: &ContentHash) -> Result<WayOff, SettleError> {
        let placed = self.payments.get(&withdrawal.payment);
        let way = placed.and_then(|placed| placed.way_off(bill, withdrawal.amount));
        way.ok_or(SettleError::Record(withdrawal.payment))
    }

    pub(super) fn apply_withdrawal(
        &mut self,
        withdrawal: &Withdrawal,
        settled: &Settled,
    ) -> Result<(), SettleError> {
        let refused = SettleError::Record(withdrawal.payment);
        let follows = |holds: bool| if holds { Ok(()) } else { Err(refused.clone()) };
        let bill = settled.allocations.first().ok_or(refused.clone())?.bill;
        let WayOff { allocations, returned } = self.way_off(withdrawal, &bill)?;
        follows(without_held(&settled.allocations).eq(allocations.iter().copied()))?;
        for ((at, _), taken) in returned.iter().zip(&settled.allocations) {
            self.let_out((&withdrawal.payment, withdrawal.account), *at, taken)?;
        }
        let placed = self.payments.get_mut(&withdrawal.payment).ok_or(refused.clone())?;
        placed.take_off(&returned);
        let period = placed.payment().period;
        let account = self.accounts.get_mut(&withdrawal.account).ok_or(refused.clone())?;
        follows(allocations.iter().all(|allocation| account.reopen(allocation)))?;
        let Withdrawal { payment, booked, amount, .. } = *withdrawal;
        account.park(Parked { payment, booked, period, amount });
        self.unmark(withdrawal.account, &bill);
        Ok(())
    }

    /// Takes the mark off a bill that is settled: nothing on it is split by another agreement any more, and nothing too much.
    fn unmark(&mut self, account: AccountId, bill: &ContentHash) {
        let live = self.live(&account, bill);
        let Some(state) = self.accounts.get_mut(&account) else { return };
        let agreement = state.find(bill).map(|stands| stands.agreement);
        if live.iter().all(|one| Some(one.left.agreement) == agreement) {
            state.end_move(bill);
        }
        state.unmark(bill);
    }

    /// Parts the payments of a bill as it stands now, the newest first.
    fn true_up(
        &mut self,
        account: AccountId,
        bill: &ContentHash,
        why: &Unsettled,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        let Some(bill) = state_of(self, &account).find(bill) else { return Ok(()) };
        let mut change = bill.payee_settled().as_e11() - bill.payee_paid.as_e11();
        let live = self.live(&account, &bill.bill);
        for of_payment in live.chunk_by(|a, b| a.payment == b.payment) {
            let (mut after, mut is_other) = (Vec::with_capacity(of_payment.len()), false);
            for Live { left, .. } in of_payment {
                let part = ExactAmount::from_e11(left.payee_part.as_e11() + change)
                    .clamp(ExactAmount::ZERO, left.amount.exact());
                change -= part.as_e11() - left.payee_part.as_e11();
                let new = Allocation { payee_part: part, agreement: bill.agreement, ..*left };
                is_other |= new != *left;
                after.push(new);
            }
            if !is_other {
                continue;
            }
            let Live { payment, booked, .. } = of_payment[0];
            let old: Vec<Allocation> = of_payment.iter().map(|one| one.left).collect();
            let of = (payment, account, why.day.max(booked));
            let held: Vec<Money> = of_payment
                .iter()
                .map(|one| self.reserve.held_of(account, &one.left, &payment, one.at))
                .collect();
            let entry = self.parted(of, why.correction, (&old, after), (&held, false), agreements);
            self.apply(&entry)?;
            settled.push(entry);
        }
        Ok(())
    }

    /// The entry that parts allocations otherwise: their whole parts follow from the running splits. The bank lets go of what it
    /// holds beyond a leg, and of all that it held under another agreement.
    fn parted(
        &self,
        (payment, account, booked): (Label, AccountId, Day),
        correction: ContentHash,
        (old, mut new): (&[Allocation], Vec<Allocation>),
        (held, is_credit): (&[Money], bool),
        agreements: &Agreements,
    ) -> Settled {
        let mut running = self.running.clone();
        for (before, after) in old.iter().zip(&mut new) {
            if before == after {
                continue;
            }
            let agreement = agreement_of(agreements, &after.agreement);
            let undone = running.entry(before.agreement).or_default();
            *undone = (if is_credit { undone.with(before) } else { undone.without(before) })
                .expect("what was split fits the running split");
            let split = running.entry(after.agreement).or_default();
            after.payee = whole_part(split, agreement, after, is_credit);
        }
        let (mut was, mut is) = (Legs::default(), Legs::default());
        was.add_all(old, agreements);
        is.add_all(&new, agreements);
        let (mut legs, mut back) = if is_credit { was.less(is) } else { is.less(was) };
        for ((before, after), held) in old.iter().zip(&mut new).zip(held) {
            let agreement = agreement_of(agreements, &before.agreement);
            let Some((party, reserve)) = agreement.reserve_party().zip(agreement.terms.reserve) else {
                continue;
            };
            let is_same = before.agreement == after.agreement;
            after.held = if is_same { after.leg_of(reserve.of).min(*held) } else { Money::ZERO };
            let released = Money::from_minor(held.as_minor() - after.held.as_minor());
            legs.add(party, LegKind::Reserve, released);
            back.add(Party::Bank, LegKind::Reserve, released);
        }
        let amount = new.iter().map(|one| one.amount).sum();
        let true_up = TrueUp { payment, correction, account, booked, amount };
        Settled::new(Cause::TrueUp(true_up), new, legs, back)
    }

    pub(super) fn apply_true_up(&mut self, true_up: &TrueUp, settled: &Settled) -> Result<(), SettleError> {
        let refused = SettleError::Record(true_up.payment);
        let follows = |holds: bool| if holds { Ok(()) } else { Err(refused.clone()) };
        let bill = settled.allocations.first().ok_or(refused.clone())?.bill;
        let is_credit = self.accounts.get(&true_up.account).is_some_and(|state| state.is_credit(&bill));
        let mut live: Vec<Live> = Vec::new();
        let old: Vec<Allocation> = if is_credit {
            let placed = self.payments.get(&true_up.payment);
            placed.and_then(PlacedPayment::given).filter(|given| given.bill == bill).into_iter().collect()
        } else {
            live = self.live(&true_up.account, &bill);
            live.retain(|one| one.payment == true_up.payment);
            live.iter().map(|one| one.left).collect()
        };
        let parted: Vec<Allocation> = without_held(&settled.allocations).collect();
        let is_same = |(old, new): (&Allocation, &Allocation)| {
            (old.bill, old.period, old.amount) == (new.bill, new.period, new.amount)
        };
        follows(old.len() == parted.len())?;
        follows(old.iter().zip(&parted).all(is_same))?;
        let mut released = 0;
        for (Live { at, left, .. }, new) in live.iter().zip(&settled.allocations) {
            let held = self.reserve.held_of(true_up.account, left, &true_up.payment, *at);
            follows(new.held <= held && (new.held == Money::ZERO || new.agreement == left.agreement))?;
            released += held.as_minor() - new.held.as_minor();
            self.reserve.hold(true_up.account, new, true_up.payment, *at, new.held);
        }
        follows(sum_of_kind(&settled.back, LegKind::Reserve).as_minor() == released)?;
        let whole = |all: &[Allocation]| all.iter().map(|one| i128::from(one.payee.as_minor())).sum::<i128>();
        let moved = whole(&parted) - whole(&old);
        follows(settled.net(LegKind::Part) == if is_credit { -moved } else { moved })?;
        let mut change = 0;
        for (old, new) in old.iter().zip(&parted) {
            change += new.payee_part.as_e11() - old.payee_part.as_e11();
            if old == new {
                continue;
            }
            let undone = self.running.entry(old.agreement).or_default();
            let after = if is_credit { undone.with(old) } else { undone.without(old) };
            *undone = after.ok_or(refused.clone())?;
            let split = self.running.entry(new.agreement).or_default();
            let after = if is_credit { split.without(new) } else { split.with(new) };
            *split = after.ok_or(refused.clone())?;
            let sign = if is_credit { -1 } else { 1 };
            self.accrual.count_payment(old, -sign);
            self.accrual.count_payment(new, sign);
        }
        let placed = self.payments.get_mut(&true_up.payment).ok_or(refused.clone())?;
        placed.part_again(&bill, &parted);
        let account = self.accounts.get_mut(&true_up.account).ok_or(refused.clone())?;
        let stands = account.find(&bill).ok_or(refused.clone())?;
        let payee_paid = ExactAmount::from_e11(stands.payee_paid.as_e11() + change);
        follows(account.true_up(&bill, payee_paid))?;
        self.unmark(true_up.account, &bill);
        Ok(())
    }

    /// Gives a bill below zero to the account.
    fn give(
        &mut self,
        account: AccountId,
        bill: &OpenBill,
        why: &Unsettled,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        let credit = Credit { bill: bill.bill, account, booked: why.day, amount: bill.total };
        let mut allocation = Allocation {
            bill: bill.bill,
            period: bill.period,
            agreement: bill.agreement,
            amount: bill.total,
            payee_part: bill.payee_part,
            payee: Money::ZERO,
            held: Money::ZERO,
        };
        let agreement = agreement_of(agreements, &bill.agreement);
        let mut running = self.running.get(&bill.agreement).copied().unwrap_or_default();
        allocation.payee = whole_part(&mut running, agreement, &allocation, true);
        let (mut legs, mut back) = (Legs::default(), Legs::default());
        legs.add(Party::Supplier, LegKind::Advance, bill.total);
        back.add_all(&[allocation], agreements);
        let entry = Settled::new(Cause::Credit(credit), vec![allocation], legs, back);
        self.apply(&entry)?;
        settled.push(entry);
        Ok(())
    }

    pub(super) fn apply_credit(&mut self, credit: &Credit, settled: &Settled) -> Result<(), SettleError> {
        let id = credit.reference();
        let refused = SettleError::Record(id);
        let follows = |holds: bool| if holds { Ok(()) } else { Err(refused.clone()) };
        follows(!self.payments.contains_key(&id))?;
        let [given] = settled.allocations[..] else { return Err(refused) };
        follows(given.bill == credit.bill)?;
        self.received = self.received.checked_add(credit.amount).ok_or(SettleError::Overflow)?;
        let account = self.accounts.get_mut(&credit.account).ok_or(refused.clone())?;
        follows(account.give(&credit.bill, given.amount, given.payee_part))?;
        let Credit { account: name, booked, amount, .. } = *credit;
        account.park(Parked { payment: id, booked, period: None, amount });
        let payment = Payment { id, account: name, booked, amount, period: None, remittance: None };
        self.payments.insert(id, PlacedPayment::credit(payment, given));
        self.payments_of.entry(name).or_default().insert(id);
        let running = self.running.entry(given.agreement).or_default();
        *running = running.without(&given).ok_or(refused)?;
        self.accrual.count_payment(&given, -1);
        self.unmark(name, &credit.bill);
        Ok(())
    }

    /// Parts a credit that was given as it stands now.
    fn true_up_credit(
        &mut self,
        account: AccountId,
        bill: &OpenBill,
        why: &Unsettled,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        let credit = Credit { bill: bill.bill, account, booked: why.day, amount: bill.total };
        let payment = credit.reference();
        let given = self.payments.get(&payment).and_then(PlacedPayment::given);
        let given = given.ok_or(SettleError::Record(payment))?;
        let new = Allocation { payee_part: bill.payee_part, agreement: bill.agreement, ..given };
        let of = (payment, account, why.day);
        let entry = self.parted(of, why.correction, (&[given], vec![new]), (&[], true), agreements);
        self.apply(&entry)?;
        settled.push(entry);
        Ok(())
    }

    /// Accounts with something unsettled, and the payments that may be moved.
    pub(super) fn borrow_unsettled(&mut self, from: &Self) {
        let unsettled: BTreeSet<AccountId> = from
            .accounts
            .iter()
            .filter(|(_, state)| state.unsettled().next().is_some())
            .map(|(account, _)| *account)
            .collect();
        if unsettled.is_empty() {
            return;
        }
        for account in unsettled {
            self.borrow_account(from, account);
            let own = from.payments_of.get(&account).cloned().unwrap_or_default();
            own.iter().for_each(|payment| self.borrow_payment(from, payment));
            self.payments_of.insert(account, own);
        }
    }
}

fn state_of<'a>(book: &'a PaymentBook, account: &AccountId) -> &'a crate::account::AccountState {
    book.accounts.get(account).expect("its corrections are being settled")
}

/// What the payee gets of an allocation in whole minor units, or gives of a credit, by the running split before it.
fn whole_part(
    running: &mut RunningSplit,
    agreement: &Agreement,
    allocation: &Allocation,
    is_credit: bool,
) -> Money {
    let mut own = RunningSplit::default();
    let running = match agreement.terms.rounding {
        SplitRounding::Cumulative => running,
        SplitRounding::LargestRemainder => &mut own,
    };
    let Allocation { amount, payee_part, .. } = *allocation;
    if is_credit { running.take_back(amount, payee_part) } else { running.split(amount, payee_part).0 }
}
