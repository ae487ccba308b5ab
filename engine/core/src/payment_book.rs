//! The payment book: accounts, payments and where their money is. Entries of the bank's registry in, settled entries out.
//!
//! ```text
//!   bills ──issue──▶ accounts          Entry[] ──settle──▶ Settled[]      a pure function of the book: every node computes it
//!                                                             │ in the chain
//!                                                             ▼
//!                                                           apply         the book moves on, and checks what it is told
//! ```
//!
//! * A payment is known by the bank's reference for ever: the same again is passed over, another content is refused.
//! * Money that finds no open bill is parked. Before the next entries it is released to the bills issued since, under their
//!   own agreements; so nothing is parked while the account owes.
//! * Money for no account is in suspense. It goes to an account when a match says so, or when the account of that very name
//!   becomes known: then before the next entries, as parked money does.
//! * A reversal runs back along what its payment paid, the newest first: what is parked, what is in suspense, then
//!   allocation by allocation, each by its own legs and not by the rules of today. What it takes in all is exactly what the payment brought.
//! * Before anything else comes what corrections left unsettled (`payment_book/corrected.rs`).

mod corrected;

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{AccountState, Allocation, Entry, OpenBill, Parked, Payment, Reversal};
use crate::agreement::{Agreement, Party};
use crate::calendar::{Day, Period};
use crate::day_sheet::DaySheet;
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::Money;
use crate::placed_payment::{PlacedPayment, WayBack};
pub use crate::settle_error::SettleError;
use crate::split::{
    Cause, Held, LegKind, Legs, OWN_REFERENCE, Release, RunningSplit, Settled, agreement_of, allocate,
    sum_of_kind,
};
use crate::suspense::{Match, MatchError};

/// Published agreements by hash.
pub type Agreements = BTreeMap<ContentHash, Agreement>;

/// What entries come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// In the order in which they are settled.
    pub settled: Vec<Settled>,
    /// The running splits that they change, after them.
    pub running: BTreeMap<ContentHash, RunningSplit>,
}

/// Accounts, payments and where their money is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentBook {
    accounts: BTreeMap<AccountId, AccountState>,
    payments: BTreeMap<Label, PlacedPayment>,
    /// The payments that an account got money of.
    payments_of: BTreeMap<AccountId, BTreeSet<Label>>,
    /// Every other entry that was settled, by its reference.
    entries: BTreeMap<Label, Entry>,
    /// Payments of which money is in suspense.
    suspense: BTreeSet<Label>,
    running: BTreeMap<ContentHash, RunningSplit>,
    days: BTreeMap<Day, DaySheet>,
    /// All payments and credits there ever were, so that no sum of parts can pass 64 bits.
    received: Money,
}

impl PaymentBook {
    /// Makes an account known; money for any other is held by the bank.
    pub fn open_account(&mut self, account: AccountId) {
        self.accounts.entry(account).or_default();
    }

    /// Adds a bill to its account.
    pub fn issue(&mut self, account: AccountId, bill: OpenBill) {
        self.accounts.entry(account).or_default().issue(bill);
    }

    /// Accounts and what they owe.
    #[must_use]
    pub const fn accounts(&self) -> &BTreeMap<AccountId, AccountState> {
        &self.accounts
    }

    /// Payments settled so far, by the bank's reference.
    #[must_use]
    pub const fn payments(&self) -> &BTreeMap<Label, PlacedPayment> {
        &self.payments
    }

    /// The payments of which money is in suspense, by the day on which they were booked.
    #[must_use]
    pub fn suspense(&self) -> Vec<&PlacedPayment> {
        let mut held: Vec<&PlacedPayment> = self.suspense.iter().map(|id| &self.payments[id]).collect();
        held.sort_by_key(|placed| (placed.payment().booked, placed.payment().id));
        held
    }

    /// What each agreement's payee was due and has got.
    #[must_use]
    pub const fn running(&self) -> &BTreeMap<ContentHash, RunningSplit> {
        &self.running
    }

    /// The days on which money was booked.
    #[must_use]
    pub const fn days(&self) -> &BTreeMap<Day, DaySheet> {
        &self.days
    }

    /// Whether parked money, or money in suspense, is due to be released.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.accounts.values().any(AccountState::is_waiting) || self.found().next().is_some()
    }

    /// Payments in suspense whose account became known, the oldest first.
    fn found(&self) -> impl Iterator<Item = &PlacedPayment> {
        self.suspense().into_iter().filter(|placed| self.accounts.contains_key(&placed.payment().account))
    }

    /// Whether an entry is settled, with this very content.
    #[must_use]
    pub fn is_settled(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Payment(payment) => {
                self.payments.get(&payment.id).is_some_and(|known| known.payment() == payment)
            }
            Entry::Reversal(_) | Entry::Match(_) => self.entries.get(&entry.id()) == Some(entry),
        }
    }

    fn is_known(&self, id: &Label) -> bool {
        self.payments.contains_key(id) || self.entries.contains_key(id)
    }

    /// Settles entries, in any order; those settled already are passed over. First comes what is due to be released.
    ///
    /// # Errors
    /// [`SettleError`]; the book does not change either way.
    ///
    /// # Panics
    /// If an open bill's agreement is not among `agreements`, or legs do not add up.
    pub fn settle(&self, entries: Vec<Entry>, agreements: &Agreements) -> Result<Vec<Settled>, SettleError> {
        self.settlement(entries, agreements).map(|settlement| settlement.settled)
    }

    /// The same, with the running splits after it.
    ///
    /// # Errors
    /// As [`PaymentBook::settle`].
    ///
    /// # Panics
    /// As [`PaymentBook::settle`].
    pub fn settlement(
        &self,
        entries: Vec<Entry>,
        agreements: &Agreements,
    ) -> Result<Settlement, SettleError> {
        let fresh = self.fresh(entries)?;
        let mut draft = self.draft(&fresh);
        let mut settled = Vec::with_capacity(fresh.len());
        let waiting =
            self.accounts.iter().filter(|(_, state)| state.is_waiting()).map(|(account, _)| *account);
        for account in waiting {
            draft.settle_corrections(account, agreements, &mut settled)?;
            draft.release(account, None, agreements, &mut settled)?;
        }
        for placed in self.found() {
            settled.push(draft.release_suspense(placed, agreements)?);
        }
        for entry in fresh {
            match entry {
                Entry::Payment(payment) => settled.push(draft.pay(payment, agreements)?),
                Entry::Match(one) => settled.push(draft.match_money(one, agreements)?),
                Entry::Reversal(reversal) => {
                    let (reversed, accounts) = draft.reverse(reversal, agreements)?;
                    settled.push(reversed);
                    for account in accounts {
                        draft.release(account, Some(reversal.booked), agreements, &mut settled)?;
                    }
                }
            }
        }
        if settled.is_empty() {
            return Err(SettleError::Nothing);
        }
        let is_new = |hash: &ContentHash, split: &RunningSplit| self.running.get(hash) != Some(split);
        let running = draft.running.into_iter().filter(|(hash, split)| is_new(hash, split)).collect();
        Ok(Settlement { settled, running })
    }

    /// Moves the book on by a settled entry, in the order in which they were settled.
    ///
    /// # Errors
    /// [`SettleError::Record`] if it does not follow from what was applied before; [`SettleError::Overflow`].
    pub fn apply(&mut self, settled: &Settled) -> Result<(), SettleError> {
        let follows = |holds: bool| if holds { Ok(()) } else { Err(SettleError::Record(settled.id())) };
        follows(settled.is_balanced())?;
        match &settled.cause {
            Cause::Payment(payment) => self.apply_payment(payment, settled)?,
            Cause::Reversal(reversal) => self.apply_reversal(reversal, settled)?,
            Cause::Match(one) => {
                follows(!self.is_known(&one.id))?;
                self.check_match(one)?;
                self.take_out_of_suspense(&one.payment, one.account, one.amount, settled)?;
                self.entries.insert(one.id, Entry::Match(*one));
            }
            Cause::Release(release) if release.from == Held::Suspense => {
                follows(self.found().any(|placed| placed.payment().id == release.payment))?;
                self.take_out_of_suspense(&release.payment, release.account, release.amount, settled)?;
            }
            Cause::Release(release) => {
                let account = self.accounts.get_mut(&release.account);
                let account = account.ok_or(SettleError::Record(settled.id()))?;
                follows(account.unpark(&release.payment, release.amount))?;
                follows(settled.allocations.iter().all(|allocation| account.book(allocation)))?;
                let placed = self.payments.get_mut(&release.payment);
                let placed = placed.ok_or(SettleError::Record(settled.id()))?;
                placed.allocate(release.account, &settled.allocations);
            }
            Cause::Withdrawal(withdrawal) => self.apply_withdrawal(withdrawal, settled)?,
            Cause::TrueUp(true_up) => self.apply_true_up(true_up, settled)?,
            Cause::Credit(credit) => self.apply_credit(credit, settled)?,
        }
        self.move_running(settled)?;
        self.days.entry(settled.booked()).or_default().add(settled);
        Ok(())
    }

    /// Moves the running splits on by money that was put on bills, or taken off them.
    fn move_running(&mut self, settled: &Settled) -> Result<(), SettleError> {
        let is_put = match settled.cause {
            Cause::Payment(_) | Cause::Release(_) | Cause::Match(_) => true,
            Cause::Reversal(_) | Cause::Withdrawal(_) => false,
            // Their own steps have moved them.
            Cause::TrueUp(_) | Cause::Credit(_) => return Ok(()),
        };
        for allocation in &settled.allocations {
            let running = self.running.entry(allocation.agreement).or_default();
            let next = if is_put { running.with(allocation) } else { running.without(allocation) };
            *running = next.ok_or(SettleError::Record(settled.id()))?;
        }
        Ok(())
    }

    fn apply_payment(&mut self, payment: &Payment, settled: &Settled) -> Result<(), SettleError> {
        let follows = |holds: bool| if holds { Ok(()) } else { Err(SettleError::Record(payment.id)) };
        follows(!self.is_known(&payment.id))?;
        self.received = self.received.checked_add(payment.amount).ok_or(SettleError::Overflow)?;
        follows(self.accounts.contains_key(&payment.account) != settled.is_suspended())?;
        let suspended = if settled.is_suspended() { payment.amount } else { Money::ZERO };
        self.payments.insert(payment.id, PlacedPayment::new(payment.clone(), suspended));
        if settled.is_suspended() {
            self.suspense.insert(payment.id);
            return Ok(());
        }
        self.place(&payment.id, payment.account, payment.amount, settled)
    }

    /// Books what was allocated of `amount` with its account, and parks the rest.
    fn place(
        &mut self,
        payment: &Label,
        account: AccountId,
        amount: Money,
        settled: &Settled,
    ) -> Result<(), SettleError> {
        let record = || SettleError::Record(settled.id());
        let state = self.accounts.get_mut(&account).ok_or_else(record)?;
        if !settled.allocations.iter().all(|allocation| state.book(allocation)) {
            return Err(record());
        }
        let placed = self.payments.get_mut(payment).ok_or_else(record)?;
        placed.allocate(account, &settled.allocations);
        let allocated: Money = settled.allocations.iter().map(|allocation| allocation.amount).sum();
        let amount = Money::from_minor(amount.as_minor() - allocated.as_minor());
        let Payment { id, booked, period, .. } = *placed.payment();
        self.payments_of.entry(account).or_default().insert(id);
        state.park(Parked { payment: id, booked, period, amount });
        Ok(())
    }

    fn take_out_of_suspense(
        &mut self,
        payment: &Label,
        account: AccountId,
        amount: Money,
        settled: &Settled,
    ) -> Result<(), SettleError> {
        let record = || SettleError::Record(settled.id());
        let placed = self.payments.get_mut(payment).ok_or_else(record)?;
        if !placed.match_to(account, amount) {
            return Err(record());
        }
        if placed.suspended() == Money::ZERO {
            self.suspense.remove(payment);
        }
        self.place(payment, account, amount, settled)
    }

    fn apply_reversal(&mut self, reversal: &Reversal, settled: &Settled) -> Result<(), SettleError> {
        let follows = |holds: bool| if holds { Ok(()) } else { Err(SettleError::Record(reversal.id)) };
        follows(!self.is_known(&reversal.id))?;
        let way = self.way_back(reversal)?;
        follows(way.allocations == settled.allocations)?;
        follows(sum_of_kind(&settled.back, LegKind::Suspense) == way.suspended)?;
        for (account, amount) in &way.parked {
            let state = self.accounts.get_mut(account).ok_or(SettleError::Record(reversal.id))?;
            follows(state.unpark(&reversal.payment, *amount))?;
        }
        for ((_, account, _), allocation) in way.returned.iter().zip(&way.allocations) {
            let state = self.accounts.get_mut(account).ok_or(SettleError::Record(reversal.id))?;
            follows(state.reopen(allocation))?;
        }
        let placed = self.payments.get_mut(&reversal.payment).ok_or(SettleError::Record(reversal.id))?;
        placed.return_along(&way, reversal.amount);
        if placed.suspended() == Money::ZERO {
            self.suspense.remove(&reversal.payment);
        }
        self.entries.insert(reversal.id, Entry::Reversal(*reversal));
        Ok(())
    }

    /// The entries that are new, in the order in which they are settled.
    fn fresh(&self, entries: Vec<Entry>) -> Result<Vec<Entry>, SettleError> {
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
            if entry.amount() <= Money::ZERO {
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
    fn draft(&self, entries: &[Entry]) -> Self {
        let mut draft = Self { running: self.running.clone(), received: self.received, ..Self::default() };
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
            }
        }
        for placed in self.found() {
            draft.borrow_payment(self, &placed.payment().id);
            draft.borrow_account(self, placed.payment().account);
        }
        let waiting = self.accounts.iter().filter(|(_, state)| state.is_waiting());
        waiting.for_each(|(account, _)| draft.borrow_account(self, *account));
        draft.borrow_unsettled(self);
        draft
    }

    fn borrow_account(&mut self, from: &Self, account: AccountId) {
        if let (Some(state), false) = (from.accounts.get(&account), self.accounts.contains_key(&account)) {
            self.accounts.insert(account, state.clone());
            state.parked().iter().for_each(|parked| self.borrow_payment(from, &parked.payment));
        }
    }

    fn borrow_payment(&mut self, from: &Self, payment: &Label) {
        if let Some(placed) = from.payments.get(payment) {
            self.payments.insert(*payment, placed.clone());
            if from.suspense.contains(payment) {
                self.suspense.insert(*payment);
            }
        }
    }

    fn pay(&mut self, payment: Payment, agreements: &Agreements) -> Result<Settled, SettleError> {
        let Payment { account, amount, period, .. } = payment;
        let mut legs = Legs::default();
        let mut allocations = Vec::new();
        if self.accounts.contains_key(&account) {
            (allocations, legs) = self.legs_of(account, amount, period, agreements);
        } else {
            legs.add(Party::Bank, LegKind::Suspense, amount);
        }
        let settled = Settled::new(Cause::Payment(payment), allocations, legs, Legs::default());
        self.apply(&settled)?;
        Ok(settled)
    }

    /// Where `amount` goes that a known account has got, and who gets what of it.
    fn legs_of(
        &self,
        account: AccountId,
        amount: Money,
        period: Option<Period>,
        agreements: &Agreements,
    ) -> (Vec<Allocation>, Legs) {
        let allocations = allocations_of(&self.accounts[&account], amount, period, agreements, &self.running);
        let allocated: Money = allocations.iter().map(|allocation| allocation.amount).sum();
        let mut legs = Legs::default();
        legs.add_all(&allocations, agreements);
        let advance = Money::from_minor(amount.as_minor() - allocated.as_minor());
        legs.add(Party::Supplier, LegKind::Advance, advance);
        (allocations, legs)
    }

    fn match_money(&mut self, one: Match, agreements: &Agreements) -> Result<Settled, SettleError> {
        let period = self.check_match(&one)?.payment().period;
        let (allocations, legs) = self.legs_of(one.account, one.amount, period, agreements);
        let mut back = Legs::default();
        back.add(Party::Bank, LegKind::Suspense, one.amount);
        let settled = Settled::new(Cause::Match(one), allocations, legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    /// The payment that a match is of.
    fn check_match(&self, one: &Match) -> Result<&PlacedPayment, MatchError> {
        let Match { id, payment, account, booked, amount } = *one;
        let placed = self.payments.get(&payment).ok_or(MatchError::Unknown { id, payment })?;
        let (paid, left) = (placed.payment().booked, placed.suspended());
        match () {
            () if !self.accounts.contains_key(&account) => Err(MatchError::Account { id, account }),
            () if booked < paid => Err(MatchError::Early { id, booked, paid }),
            () if amount > left => Err(MatchError::TooMuch { id, amount, left, payment }),
            () => Ok(placed),
        }
    }

    /// Gives money in suspense to its account, which has become known.
    fn release_suspense(
        &mut self,
        placed: &PlacedPayment,
        agreements: &Agreements,
    ) -> Result<Settled, SettleError> {
        let Payment { id: payment, account, booked, period, .. } = *placed.payment();
        let amount = placed.suspended();
        let (allocations, legs) = self.legs_of(account, amount, period, agreements);
        let booked = self.ends_of(account, &allocations).fold(booked, Day::max);
        let mut back = Legs::default();
        back.add(Party::Bank, LegKind::Suspense, amount);
        let release = Release { payment, account, booked, amount, from: Held::Suspense };
        let settled = Settled::new(Cause::Release(release), allocations, legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    /// What goes back, and the accounts whose bills are open again.
    fn reverse(
        &mut self,
        reversal: Reversal,
        agreements: &Agreements,
    ) -> Result<(Settled, BTreeSet<AccountId>), SettleError> {
        let way = self.way_back(&reversal)?;
        let accounts = way.returned.iter().map(|(_, account, _)| *account).collect();
        let mut back = Legs::default();
        back.add_all(&way.allocations, agreements);
        back.add(Party::Supplier, LegKind::Advance, way.parked_sum());
        back.add(Party::Bank, LegKind::Suspense, way.suspended);
        let settled = Settled::new(Cause::Reversal(reversal), way.allocations, Legs::default(), back);
        self.apply(&settled)?;
        Ok((settled, accounts))
    }

    /// Puts an account's parked money on its open bills, the oldest money first.
    fn release(
        &mut self,
        account: AccountId,
        since: Option<Day>,
        agreements: &Agreements,
        settled: &mut Vec<Settled>,
    ) -> Result<(), SettleError> {
        while let Some(state) = self.accounts.get(&account).filter(|state| state.has_release()) {
            let Parked { payment, booked, period, amount } = state.parked()[0];
            let allocations = allocations_of(state, amount, period, agreements, &self.running);
            let booked = self.ends_of(account, &allocations).chain(since).fold(booked, Day::max);
            let amount: Money = allocations.iter().map(|allocation| allocation.amount).sum();
            let (mut legs, mut back) = (Legs::default(), Legs::default());
            legs.add_all(&allocations, agreements);
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

    /// What a reversal takes back.
    fn way_back(&self, reversal: &Reversal) -> Result<WayBack, SettleError> {
        let Reversal { id, payment, account, booked, amount } = *reversal;
        let placed = self.payments.get(&payment).filter(|placed| placed.given().is_none());
        let placed = placed.ok_or(SettleError::Unknown { reversal: id, payment })?;
        let paid = placed.payment();
        match () {
            () if paid.account != account => {
                Err(SettleError::Account { reversal: id, named: account, account: paid.account })
            }
            () if booked < paid.booked => Err(SettleError::Early { reversal: id, booked, paid: paid.booked }),
            () if amount > placed.left() => {
                Err(SettleError::TooMuch { reversal: id, amount, left: placed.left(), payment })
            }
            () => Ok(placed.way_back(amount, &self.accounts)),
        }
    }
}

/// Money on an account's open bills, in the order of the newest open bill's agreement, split by each bill's own.
fn allocations_of(
    account: &AccountState,
    amount: Money,
    period: Option<Period>,
    agreements: &Agreements,
    running: &BTreeMap<ContentHash, RunningSplit>,
) -> Vec<Allocation> {
    let Some(newest) = account.open.last() else { return Vec::new() };
    let order = &agreement_of(agreements, &newest.agreement).terms.order;
    let placed = account.place(amount, period, order);
    allocate(account, &placed, agreements, running)
}
