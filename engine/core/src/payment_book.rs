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
mod orders;
mod settling;

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{AccountState, Allocation, Entry, OpenBill, Parked, Payment, Reversal};
use crate::accrual::AccrualBook;
use crate::agreement::Agreement;
use crate::calendar::Day;
use crate::day_sheet::DaySheet;
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::Money;
use crate::placed_payment::{PlacedPayment, WayBack};
use crate::reserve::ReserveBook;
pub use crate::settle_error::SettleError;
use crate::split::{Cause, Held, LegKind, RunningSplit, Settled, sum_of_kind};
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
    accrual: AccrualBook,
    reserve: ReserveBook,
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
        self.accrual.count_bill(&bill, 1);
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

    /// What accrued in each month.
    #[must_use]
    pub const fn accrual(&self) -> &AccrualBook {
        &self.accrual
    }

    /// What the bank holds back, and what is disputed.
    #[must_use]
    pub const fn reserve(&self) -> &ReserveBook {
        &self.reserve
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
            Entry::Reversal(_) | Entry::Match(_) | Entry::Accrual(_) | Entry::Reserve(_) => {
                self.entries.get(&entry.id()) == Some(entry)
            }
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
                Entry::Accrual(closing) => settled.push(draft.accrue(closing, agreements)?),
                Entry::Reserve(order) => settled.push(draft.carry_out(order, agreements)?),
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
                self.book(&release.payment, release.account, settled)?;
            }
            Cause::Withdrawal(withdrawal) => self.apply_withdrawal(withdrawal, settled)?,
            Cause::TrueUp(true_up) => self.apply_true_up(true_up, settled)?,
            Cause::Credit(credit) => self.apply_credit(credit, settled)?,
            Cause::Accrual(accrued) => {
                self.apply_accrued(accrued)?;
                self.entries.insert(settled.id(), Entry::Accrual(accrued.closing));
            }
            Cause::Reserve(one) => {
                follows(!self.is_known(&one.order.id))?;
                self.apply_order(one)?;
                self.entries.insert(one.order.id, Entry::Reserve(one.order));
            }
        }
        self.move_running(settled)?;
        self.days.entry(settled.booked()).or_default().add(settled);
        Ok(())
    }

    /// Moves the running splits, and what payees have got of their months, on by money that was put on bills, or taken off them.
    fn move_running(&mut self, settled: &Settled) -> Result<(), SettleError> {
        let is_put = match settled.cause {
            Cause::Payment(_) | Cause::Release(_) | Cause::Match(_) => true,
            Cause::Reversal(_) | Cause::Withdrawal(_) => false,
            // Their own steps have moved them.
            Cause::TrueUp(_) | Cause::Credit(_) => return Ok(()),
            Cause::Accrual(_) | Cause::Reserve(_) => return Ok(()),
        };
        for allocation in &settled.allocations {
            let running = self.running.entry(allocation.agreement).or_default();
            let next = if is_put { running.with(allocation) } else { running.without(allocation) };
            *running = next.ok_or(SettleError::Record(settled.id()))?;
            self.accrual.count_payment(allocation, if is_put { 1 } else { -1 });
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
        self.book(payment, account, settled)?;
        let record = || SettleError::Record(settled.id());
        let state = self.accounts.get_mut(&account).ok_or_else(record)?;
        let placed = self.payments.get(payment).ok_or_else(record)?;
        let allocated: Money = settled.allocations.iter().map(|allocation| allocation.amount).sum();
        let amount = Money::from_minor(amount.as_minor() - allocated.as_minor());
        let Payment { id, booked, period, .. } = *placed.payment();
        self.payments_of.entry(account).or_default().insert(id);
        state.park(Parked { payment: id, booked, period, amount });
        Ok(())
    }

    /// Books what was allocated with an account's bills, and the reserve.
    fn book(&mut self, payment: &Label, account: AccountId, settled: &Settled) -> Result<(), SettleError> {
        let record = || SettleError::Record(settled.id());
        let state = self.accounts.get_mut(&account).ok_or_else(record)?;
        let placed = self.payments.get_mut(payment).ok_or_else(record)?;
        for (at, allocation) in (placed.allocation_count()..).zip(&settled.allocations) {
            if !state.book(allocation) {
                return Err(record());
            }
            self.reserve.hold(account, allocation, *payment, at, allocation.held);
        }
        placed.allocate(account, &settled.allocations);
        Ok(())
    }

    /// Takes what the bank lets go of an allocation out of the reserve. How much that is follows from the agreement; here, that it
    /// is no more than is held.
    fn let_out(
        &mut self,
        (payment, account): (&Label, AccountId),
        at: usize,
        taken: &Allocation,
    ) -> Result<(), SettleError> {
        let held = self.reserve.held_of(account, taken, payment, at);
        let left = Money::from_minor(held.as_minor() - taken.held.as_minor());
        if left < Money::ZERO {
            return Err(SettleError::Record(*payment));
        }
        self.reserve.hold(account, taken, *payment, at, left);
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
        follows(without_held(&settled.allocations).eq(way.allocations.iter().copied()))?;
        follows(sum_of_kind(&settled.back, LegKind::Suspense) == way.suspended)?;
        for (account, amount) in &way.parked {
            let state = self.accounts.get_mut(account).ok_or(SettleError::Record(reversal.id))?;
            follows(state.unpark(&reversal.payment, *amount))?;
        }
        for ((at, account, _), allocation) in way.returned.iter().zip(&settled.allocations) {
            let state = self.accounts.get_mut(account).ok_or(SettleError::Record(reversal.id))?;
            follows(state.reopen(allocation))?;
            self.let_out((&reversal.payment, *account), *at, allocation)?;
        }
        let placed = self.payments.get_mut(&reversal.payment).ok_or(SettleError::Record(reversal.id))?;
        placed.return_along(&way, reversal.amount);
        if placed.suspended() == Money::ZERO {
            self.suspense.remove(&reversal.payment);
        }
        self.entries.insert(reversal.id, Entry::Reversal(*reversal));
        Ok(())
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

/// Allocations as they follow from where money lies, whatever the bank holds of them.
fn without_held(allocations: &[Allocation]) -> impl Iterator<Item = Allocation> {
    allocations.iter().map(|one| Allocation { held: Money::ZERO, ..*one })
}
