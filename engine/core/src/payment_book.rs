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
//! * A reversal runs back along what its payment paid, the newest first: what is parked, then allocation by allocation, each by
//!   its own legs and not by the rules of today. What it takes in all is exactly what the payment brought.

mod corrected;

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{AccountState, Allocation, Entry, OpenBill, Parked, Payment, Reversal};
use crate::agreement::{Agreement, Party};
use crate::calendar::{Day, Period};
use crate::day_sheet::DaySheet;
use crate::hash::ContentHash;
use crate::label::{AccountId, Label};
use crate::money::{ExactAmount, Money, Rounding};
use crate::split::{
    Cause, LegKind, Legs, OWN_REFERENCE, Release, RunningSplit, Settled, agreement_of, allocate,
};

/// Published agreements by hash.
pub type Agreements = BTreeMap<ContentHash, Agreement>;

/// An allocation, and how much of it was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PlacedAllocation {
    allocation: Allocation,
    returned: Money,
}

/// A payment and where its money went. What is parked of it stands with its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPayment {
    payment: Payment,
    allocations: Vec<PlacedAllocation>,
    suspended: Money,
    returned: Money,
    /// Of the money of a bill below zero, what the parties gave.
    given: Option<Allocation>,
}

impl PlacedPayment {
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

    /// What can still be taken back.
    #[must_use]
    pub const fn left(&self) -> Money {
        Money::from_minor(self.payment.amount.as_minor() - self.returned.as_minor())
    }
}

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
    /// Whose payments they are.
    payments_of: BTreeMap<AccountId, BTreeSet<Label>>,
    reversals: BTreeMap<Label, Reversal>,
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

    /// Whether parked money is due to be released.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.accounts.values().any(AccountState::is_waiting)
    }

    /// Whether an entry is settled, with this very content.
    #[must_use]
    pub fn is_settled(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Payment(payment) => {
                self.payments.get(&payment.id).is_some_and(|known| known.payment == *payment)
            }
            Entry::Reversal(reversal) => self.reversals.get(&reversal.id) == Some(reversal),
        }
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
        for entry in fresh {
            match entry {
                Entry::Payment(payment) => settled.push(draft.pay(payment, agreements)?),
                Entry::Reversal(reversal) => {
                    settled.push(draft.reverse(reversal, agreements)?);
                    draft.release(reversal.account, Some(reversal.booked), agreements, &mut settled)?;
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
        match settled.cause {
            Cause::Payment(payment) => self.apply_payment(&payment, settled)?,
            Cause::Reversal(reversal) => self.apply_reversal(&reversal, settled)?,
            Cause::Release(release) => {
                let account = self.accounts.get_mut(&release.account);
                let account = account.ok_or(SettleError::Record(settled.id()))?;
                follows(account.unpark(&release.payment, release.amount))?;
                follows(settled.allocations.iter().all(|allocation| account.book(allocation)))?;
                let placed = self.payments.get_mut(&release.payment);
                let placed = placed.ok_or(SettleError::Record(settled.id()))?;
                placed.allocations.extend(settled.allocations.iter().map(PlacedAllocation::whole));
            }
            Cause::Withdrawal(withdrawal) => self.apply_withdrawal(&withdrawal, settled)?,
            Cause::TrueUp(true_up) => self.apply_true_up(&true_up, settled)?,
            Cause::Credit(credit) => self.apply_credit(&credit, settled)?,
        }
        self.move_running(settled)?;
        self.days.entry(settled.booked()).or_default().add(settled);
        Ok(())
    }

    /// Moves the running splits on by money that was put on bills, or taken off them.
    fn move_running(&mut self, settled: &Settled) -> Result<(), SettleError> {
        let is_put = match settled.cause {
            Cause::Payment(_) | Cause::Release(_) => true,
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
        follows(!self.payments.contains_key(&payment.id) && !self.reversals.contains_key(&payment.id))?;
        self.received = self.received.checked_add(payment.amount).ok_or(SettleError::Overflow)?;
        let mut suspended = Money::ZERO;
        match self.accounts.get_mut(&payment.account) {
            Some(account) => {
                follows(!settled.is_suspended())?;
                follows(settled.allocations.iter().all(|allocation| account.book(allocation)))?;
                let allocated: Money = settled.allocations.iter().map(|allocation| allocation.amount).sum();
                let amount = Money::from_minor(payment.amount.as_minor() - allocated.as_minor());
                let Payment { id, booked, period, .. } = *payment;
                account.park(Parked { payment: id, booked, period, amount });
            }
            None => {
                follows(settled.is_suspended())?;
                suspended = payment.amount;
            }
        }
        let allocations = settled.allocations.iter().map(PlacedAllocation::whole).collect();
        let placed =
            PlacedPayment { payment: *payment, allocations, suspended, returned: Money::ZERO, given: None };
        self.insert_payment(placed);
        Ok(())
    }

    fn insert_payment(&mut self, placed: PlacedPayment) {
        let Payment { id, account, .. } = placed.payment;
        self.payments_of.entry(account).or_default().insert(id);
        self.payments.insert(id, placed);
    }

    fn apply_reversal(&mut self, reversal: &Reversal, settled: &Settled) -> Result<(), SettleError> {
        let follows = |holds: bool| if holds { Ok(()) } else { Err(SettleError::Record(reversal.id)) };
        follows(!self.payments.contains_key(&reversal.id) && !self.reversals.contains_key(&reversal.id))?;
        let way = self.way_back(reversal)?;
        follows(way.allocations == settled.allocations)?;
        let placed = self.payments.get_mut(&reversal.payment).ok_or(SettleError::Record(reversal.id))?;
        placed.suspended = Money::from_minor(placed.suspended.as_minor() - way.suspended.as_minor());
        placed.returned = Money::from_minor(placed.returned.as_minor() + reversal.amount.as_minor());
        for (at, returned) in way.returned {
            placed.allocations[at].returned = returned;
        }
        if let Some(account) = self.accounts.get_mut(&reversal.account) {
            follows(account.unpark(&reversal.payment, way.parked))?;
            follows(settled.allocations.iter().all(|allocation| account.reopen(allocation)))?;
        }
        self.reversals.insert(reversal.id, *reversal);
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
            if self.payments.contains_key(&id) || self.reversals.contains_key(&id) {
                return Err(SettleError::Content(id));
            }
            let (Entry::Payment(Payment { amount, .. }) | Entry::Reversal(Reversal { amount, .. })) = entry;
            if amount <= Money::ZERO {
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
            let account = match entry {
                Entry::Payment(payment) => payment.account,
                Entry::Reversal(reversal) => {
                    draft.borrow_payment(self, &reversal.payment);
                    reversal.account
                }
            };
            draft.borrow_account(self, account);
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
            self.insert_payment(placed.clone());
        }
    }

    fn pay(&mut self, payment: Payment, agreements: &Agreements) -> Result<Settled, SettleError> {
        let mut legs = Legs::default();
        let mut allocations = Vec::new();
        match self.accounts.get(&payment.account) {
            None => legs.add(Party::Bank, LegKind::Suspense, payment.amount),
            Some(account) => {
                allocations =
                    allocations_of(account, payment.amount, payment.period, agreements, &self.running);
                let allocated: Money = allocations.iter().map(|allocation| allocation.amount).sum();
                legs.add_all(&allocations, agreements);
                let advance = Money::from_minor(payment.amount.as_minor() - allocated.as_minor());
                legs.add(Party::Supplier, LegKind::Advance, advance);
            }
        }
        let settled = Settled::new(Cause::Payment(payment), allocations, legs, Legs::default());
        self.apply(&settled)?;
        Ok(settled)
    }

    fn reverse(&mut self, reversal: Reversal, agreements: &Agreements) -> Result<Settled, SettleError> {
        let way = self.way_back(&reversal)?;
        let mut back = Legs::default();
        back.add_all(&way.allocations, agreements);
        back.add(Party::Supplier, LegKind::Advance, way.parked);
        back.add(Party::Bank, LegKind::Suspense, way.suspended);
        let settled = Settled::new(Cause::Reversal(reversal), way.allocations, Legs::default(), back);
        self.apply(&settled)?;
        Ok(settled)
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
            let parked = state.parked()[0];
            let allocations = allocations_of(state, parked.amount, parked.period, agreements, &self.running);
            let ends = allocations.iter().filter_map(|allocation| {
                let bill = state.open.iter().find(|open| open.bill == allocation.bill)?;
                Some(bill.since)
            });
            let booked = ends.chain(since).fold(parked.booked, Day::max);
            let amount: Money = allocations.iter().map(|allocation| allocation.amount).sum();
            let (mut legs, mut back) = (Legs::default(), Legs::default());
            legs.add_all(&allocations, agreements);
            back.add(Party::Supplier, LegKind::Advance, amount);
            let release = Release { payment: parked.payment, account, booked, amount };
            // An order reaches every open bill, so money that waits beside one always moves, and this ends.
            let released = Settled::new(Cause::Release(release), allocations, legs, back);
            self.apply(&released)?;
            settled.push(released);
        }
        Ok(())
    }

    /// What a reversal takes back.
    fn way_back(&self, reversal: &Reversal) -> Result<WayBack, SettleError> {
        let Reversal { id, payment, account, booked, amount } = *reversal;
        let placed = self.payments.get(&payment).filter(|placed| placed.given.is_none());
        let placed = placed.ok_or(SettleError::Unknown { reversal: id, payment })?;
        let paid = placed.payment;
        match () {
            () if paid.account != account => {
                return Err(SettleError::Account { reversal: id, named: account, account: paid.account });
            }
            () if booked < paid.booked => {
                return Err(SettleError::Early { reversal: id, booked, paid: paid.booked });
            }
            () if amount > placed.left() => {
                return Err(SettleError::TooMuch { reversal: id, amount, left: placed.left(), payment });
            }
            () => {}
        }
        let parked = self.accounts.get(&account).map_or(Money::ZERO, |state| state.parked_of(&payment));
        let parked = parked.min(amount);
        let suspended = placed.suspended.min(amount);
        let mut left = amount.as_minor() - parked.as_minor() - suspended.as_minor();
        let mut way = WayBack { allocations: Vec::new(), returned: Vec::new(), parked, suspended };
        for (at, one) in placed.allocations.iter().enumerate().rev() {
            let taken = left.min(one.allocation.amount.as_minor() - one.returned.as_minor());
            if taken == 0 {
                continue;
            }
            let returned = Money::from_minor(one.returned.as_minor() + taken);
            way.allocations.push(one.between(returned));
            way.returned.push((at, returned));
            left -= taken;
        }
        assert_eq!(left, 0, "money is parked, in suspense, or allocated");
        Ok(way)
    }
}

/// What a reversal takes back, and from where.
struct WayBack {
    allocations: Vec<Allocation>,
    /// Index of an allocation of the payment, and what is taken back of it in all.
    returned: Vec<(usize, Money)>,
    parked: Money,
    suspended: Money,
}

impl PlacedAllocation {
    fn whole(allocation: &Allocation) -> Self {
        Self { allocation: *allocation, returned: Money::ZERO }
    }

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
            ..self.allocation
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
