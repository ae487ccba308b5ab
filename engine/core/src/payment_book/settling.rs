//! How entries are settled: in a draft of the book, each applied before the next.

use std::collections::BTreeSet;

use crate::account::{Allocation, Entry, Parked, Payment, Reversal};
use crate::agreement::Party;
use crate::calendar::{Day, Period};
use crate::label::{AccountId, Label};
use crate::money::Money;
use crate::payment_book::{Agreements, PaymentBook, SettleError};
use crate::placed_payment::PlacedPayment;
use crate::split::{Cause, Held, LegKind, Legs, OWN_REFERENCE, Release, Settled, agreement_of, allocate};
use crate::suspense::Match;

impl PaymentBook {
    /// The entries that are new, in the order in which they are settled.
    pub(super) fn fresh(&self, entries: Vec<Entry>) -> Result<Vec<Entry>, SettleError> {
        let mut fresh: Vec<Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            let id = entry.id();
            if id.as_str().starts_with(OWN_REFERENCE) {
                return Err(SettleError::Reserved(id));
            }
            if self.is_settled(&entry) {
                continue;
            }
            if self.is_known(&id) {
                return Err(SettleError::Content(id));
            }
            if entry.amount().is_some_and(|amount| amount <= Money::ZERO) {
                return Err(SettleError::Amount(id));
            }
            fresh.push(entry);
        }
        let mut ids: Vec<Label> = fresh.iter().map(Entry::id).collect();
        ids.sort();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SettleError::Twice(pair[0]));
        }
        fresh.sort_by_key(Entry::order);
        Ok(fresh)
    }

    /// A book of its own with all that the entries can touch.
    pub(super) fn draft(&self, entries: &[Entry]) -> Self {
        let mut draft = Self {
            running: self.running.clone(),
            accrual: self.accrual.clone(),
            received: self.received,
            ..Self::default()
        };
        for entry in entries {
            match entry {
                Entry::Payment(payment) => draft.borrow_account(self, payment.account),
                Entry::Match(one) => {
                    draft.borrow_payment(self, &one.payment);
                    draft.borrow_account(self, one.account);
                }
                Entry::Reversal(reversal) => {
                    draft.borrow_payment(self, &reversal.payment);
                    draft.borrow_account(self, reversal.account);
                    let placed = self.payments.get(&reversal.payment);
                    let accounts = placed.into_iter().flat_map(PlacedPayment::accounts);
                    accounts.for_each(|account| draft.borrow_account(self, account));
                }
                Entry::Reserve(order) => draft.borrow_account(self, order.account),
                Entry::Accrual(_) => {}
            }
        }
        for placed in self.found() {
            draft.borrow_payment(self, &placed.payment().id);
            draft.borrow_account(self, placed.payment().account);
        }
        let waiting = self.accounts.iter().filter(|(_, state)| state.is_waiting());
        waiting.for_each(|(account, _)| draft.borrow_account(self, *account));
        draft.borrow_unsettled(self);
        draft.reserve = self.reserve.of_accounts(&draft.accounts);
        draft
    }

    pub(super) fn borrow_account(&mut self, from: &Self, account: AccountId) {
        if let (Some(state), false) = (from.accounts.get(&account), self.accounts.contains_key(&account)) {
            self.accounts.insert(account, state.clone());
            state.parked().iter().for_each(|parked| self.borrow_payment(from, &parked.payment));
        }
    }

    pub(super) fn borrow_payment(&mut self, from: &Self, payment: &Label) {
        if let Some(placed) = from.payments.get(payment) {
            self.payments.insert(*payment, placed.clone());
            if from.suspense.contains(payment) {
                self.suspense.insert(*payment);
            }
        }
    }

    pub(super) fn pay(&mut self, payment: Payment, agreements: &Agreements) -> Result<Settled, SettleError> {
        let Payment { account, amount, period, .. } = payment;
        let (mut legs, mut back) = (Legs::default(), Legs::default());
        let mut allocations = Vec::new();
        if self.accounts.contains_key(&account) {
            (allocations, legs, back) = self.legs_of(account, amount, period, agreements);
        } else {
            legs.add(Party::Bank, LegKind::Suspense, amount);
        }
        let settled = Settled::new(Cause::Payment(payment), allocations, legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    /// Where `amount` goes that a known account has got, who gets what of it, and what the bank holds of that.
    fn legs_of(
        &self,
        account: AccountId,
        amount: Money,
        period: Option<Period>,
        agreements: &Agreements,
    ) -> (Vec<Allocation>, Legs, Legs) {
        let allocations = self.allocations_of(account, amount, period, agreements);
        let allocated: Money = allocations.iter().map(|allocation| allocation.amount).sum();
        let (mut legs, mut back) = (Legs::default(), Legs::default());
        legs.add_all(&allocations, agreements);
        Legs::add_held(&mut legs, &mut back, &allocations, agreements);
        let advance = Money::from_minor(amount.as_minor() - allocated.as_minor());
        legs.add(Party::Supplier, LegKind::Advance, advance);
        (allocations, legs, back)
    }

    /// Money on an account's open bills, in the order of the newest open bill's agreement, split by each bill's own.
    fn allocations_of(
        &self,
        account: AccountId,
        amount: Money,
        period: Option<Period>,
        agreements: &Agreements,
    ) -> Vec<Allocation> {
        let state = &self.accounts[&account];
        let Some(newest) = state.open.last() else { return Vec::new() };
        let order = &agreement_of(agreements, &newest.agreement).terms.order;
        let placed = state.place(amount, period, order);
        let mut allocations = allocate(state, &placed, agreements, &self.running);
        for one in &mut allocations {
            let is_disputed = self.reserve.is_disputed(&(account, one.period));
            one.held = agreement_of(agreements, &one.agreement).held_of(one, is_disputed);
        }
        allocations
    }

    /// What the bank lets go of allocations when they are taken back: what it holds of their legs, first of all.
    pub(super) fn let_go(
        &self,
        payment: &Label,
        taken: &mut [Allocation],
        places: impl Iterator<Item = (usize, AccountId)>,
        agreements: &Agreements,
    ) {
        for (one, (at, account)) in taken.iter_mut().zip(places) {
            let reserve = agreement_of(agreements, &one.agreement).terms.reserve;
            let leg = reserve.map_or(Money::ZERO, |reserve| one.leg_of(reserve.of));
            one.held = self.reserve.held_of(account, one, payment, at).min(leg);
        }
    }

    pub(super) fn match_money(
        &mut self,
        one: Match,
        agreements: &Agreements,
    ) -> Result<Settled, SettleError> {
        let period = self.check_match(&one)?.payment().period;
        let (allocations, legs, mut back) = self.legs_of(one.account, one.amount, period, agreements);
        back.add(Party::Bank, LegKind::Suspense, one.amount);
        let settled = Settled::new(Cause::Match(one), allocations, legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    /// Gives money in suspense to its account, which has become known.
    pub(super) fn release_suspense(
        &mut self,
        placed: &PlacedPayment,
        agreements: &Agreements,
    ) -> Result<Settled, SettleError> {
        let Payment { id: payment, account, booked, period, .. } = *placed.payment();
        let amount = placed.suspended();
        let (allocations, legs, mut back) = self.legs_of(account, amount, period, agreements);
        let booked = self.ends_of(account, &allocations).fold(booked, Day::max);
        back.add(Party::Bank, LegKind::Suspense, amount);
        let release = Release { payment, account, booked, amount, from: Held::Suspense };
        let settled = Settled::new(Cause::Release(release), allocations, legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    /// What goes back, and the accounts whose bills are open again.
    pub(super) fn reverse(
        &mut self,
        reversal: Reversal,
        agreements: &Agreements,
    ) -> Result<(Settled, BTreeSet<AccountId>), SettleError> {
        let mut way = self.way_back(&reversal)?;
        let accounts = way.returned.iter().map(|(_, account, _)| *account).collect();
        let places = way.returned.iter().map(|(at, account, _)| (*at, *account));
        self.let_go(&reversal.payment, &mut way.allocations, places, agreements);
        let (mut legs, mut back) = (Legs::default(), Legs::default());
        Legs::add_held(&mut back, &mut legs, &way.allocations, agreements);
        back.add_all(&way.allocations, agreements);
        back.add(Party::Supplier, LegKind::Advance, way.parked_sum());
        back.add(Party::Bank, LegKind::Suspense, way.suspended);
        let settled = Settled::new(Cause::Reversal(reversal), way.allocations, legs, back);
        self.apply(&settled)?;
        Ok((settled, accounts))
    }

    /// Puts an account's parked money on its open bills, the oldest money first.
    pub(super) fn release(
        &mut self,
        account: AccountId,
        since: Option<Day>,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        while let Some(state) = self.accounts.get(&account).filter(|state| state.has_release()) {
            let Parked { payment, booked, period, amount } = state.parked()[0];
            let allocations = self.allocations_of(account, amount, period, agreements);
            let booked = self.ends_of(account, &allocations).chain(since).fold(booked, Day::max);
            let amount: Money = allocations.iter().map(|allocation| allocation.amount).sum();
            let (mut legs, mut back) = (Legs::default(), Legs::default());
            legs.add_all(&allocations, agreements);
            Legs::add_held(&mut legs, &mut back, &allocations, agreements);
            back.add(Party::Supplier, LegKind::Advance, amount);
            let release = Release { payment, account, booked, amount, from: Held::Advance };
            // An order reaches every open bill, so money that waits beside one always moves, and this ends.
            let released = Settled::new(Cause::Release(release), allocations, legs, back);
            self.apply(&released)?;
            settled.push(released);
        }
        Ok(())
    }

    /// The first days of the bills that are paid.
    fn ends_of(&self, account: AccountId, allocations: &[Allocation]) -> impl Iterator<Item = Day> {
        let open = &self.accounts[&account].open;
        allocations.iter().filter_map(|allocation| {
            let bill = open.iter().find(|open| open.bill == allocation.bill)?;
            Some(bill.since)
        })
    }
}
