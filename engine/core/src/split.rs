//! Splitting a payment into settlement legs. Σ legs = payment, exactly, always.
//!
//! ```text
//!   placed on bills ──▶ part, exact ──▶ within the limits of the terms ──▶ payee's leg, whole; the remainder taker's is the rest
//!
//!   cumulative          due so far   S₀ ── + part ──▶ S₁              over all payments, 10^-11
//!                       leg          round(S₁) − round(S₀)            minor units
//!   largest remainder   the same, from S₀ = 0 at each payment
//! ```
//!
//! With cumulative rounding the payee is never more than half a minor unit off, after any number of payments. A reversal takes
//! legs back as they were paid, so it may leave more than that behind; the next payments make up for it, less than a minor
//! unit each. [`Settled::is_balanced`] (`split/balance.rs`) is the one place that says what adds up to what.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{AccountState, Allocation, Entry, Payment, Reversal};
use crate::accrual::Accrued;
use crate::agreement::{Agreement, Party};
use crate::calendar::Day;
use crate::hash::ContentHash;
use crate::label::{AccountId, LABEL_SIZE_MAX, Label};
use crate::money::{ExactAmount, Money, Rounding};
use crate::payment_terms::SplitRounding;
use crate::reserve::ReserveMove;
use crate::suspense::Match;

mod balance;

use balance::sum;

/// How the running sum is rounded, in every agreement.
const RUNNING_ROUNDING: Rounding = Rounding::HalfUp;

/// Why a leg is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LegKind {
    /// The payee's computed part.
    Part = 1,
    /// The rest, to the remainder taker.
    Remainder = 2,
    /// Paid beyond all bills: held for the account by the supplier.
    Advance = 3,
    /// No such account: held by the bank until it is matched.
    Suspense = 4,
    /// What the payee gets because it accrued, and has not come with payments; from the remainder taker.
    Accrual = 5,
    /// Held back by the bank; given up by the party whose it is.
    Reserve = 6,
}

/// How many kinds there are.
const KIND_COUNT: usize = 6;

impl LegKind {
    /// All, in the order of their codes.
    pub const ALL: [Self; KIND_COUNT] =
        [Self::Part, Self::Remainder, Self::Advance, Self::Suspense, Self::Accrual, Self::Reserve];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Part),
            2 => Some(Self::Remainder),
            3 => Some(Self::Advance),
            4 => Some(Self::Suspense),
            5 => Some(Self::Accrual),
            6 => Some(Self::Reserve),
            _ => None,
        }
    }

    /// Whether no agreement has split this money yet.
    #[must_use]
    pub const fn is_of_no_agreement(self) -> bool {
        matches!(self, Self::Advance | Self::Suspense)
    }

    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Remainder => "remainder",
            Self::Advance => "advance",
            Self::Suspense => "suspense",
            Self::Accrual => "accrual",
            Self::Reserve => "reserve",
        }
    }
}

/// What one party gets of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// Who.
    pub party: Party,
    /// Why.
    pub kind: LegKind,
    /// How much; above zero.
    pub amount: Money,
}

/// What an agreement's payee was due and has got, over all payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunningSplit {
    /// Due so far, exact.
    pub due: ExactAmount,
    /// Paid out so far.
    pub paid: Money,
}

impl RunningSplit {
    /// The split that stands when `due` is due so far: where a later part of a column begins.
    ///
    /// `None` past 64-bit minor units.
    #[must_use]
    pub fn at(due: ExactAmount) -> Option<Self> {
        Some(Self { due, paid: due.round(RUNNING_ROUNDING)? })
    }

    /// Takes back `amount`, of which `part` is the payee's, and gives what the payee gives of it: its part rounded down or
    /// up, whichever brings what it has got nearer to what it was due.
    ///
    /// # Panics
    /// As [`RunningSplit::split`].
    pub(crate) fn take_back(&mut self, amount: Money, part: ExactAmount) -> Money {
        let mut mirrored = Self {
            due: ExactAmount::from_e11(-self.due.as_e11()),
            paid: Money::from_minor(-self.paid.as_minor()),
        };
        let (payee, _) = mirrored.split(amount, part);
        self.due = ExactAmount::from_e11(-mirrored.due.as_e11());
        self.paid = Money::from_minor(-mirrored.paid.as_minor());
        payee
    }

    /// Splits `amount`, of which `part` is the payee's, into (payee, remainder). The payee gets its part rounded down or up,
    /// whichever brings what it has got nearer to what it was due.
    ///
    /// # Panics
    /// If `part` is negative or above `amount`: a bill's part lies between nothing and its total.
    pub fn split(&mut self, amount: Money, part: ExactAmount) -> (Money, Money) {
        assert!(part >= ExactAmount::ZERO && part <= amount.exact(), "a part lies within the payment");
        let due = self.due.checked_add(part).expect("money due fits 128 bits");
        let target = due.round(RUNNING_ROUNDING).expect("money due fits 64-bit minor units");
        let down = part.round(Rounding::Down).expect("a part is at most its payment");
        let up = if down.exact() == part { down } else { Money::from_minor(down.as_minor() + 1) };
        let payee =
            target.checked_sub(self.paid).expect("both are sums of the same payments").clamp(down, up);
        let remainder = amount.checked_sub(payee).expect("a payee's leg is within the payment");
        assert!(payee >= Money::ZERO && remainder >= Money::ZERO, "legs are not negative");
        let paid = self.paid.checked_add(payee).expect("money paid fits 64-bit minor units");
        *self = Self { due, paid };
        (payee, remainder)
    }

    /// The split after an allocation.
    ///
    /// `None` past its numbers.
    pub(crate) fn with(self, allocation: &Allocation) -> Option<Self> {
        let due = self.due.checked_add(allocation.payee_part)?;
        Some(Self { due, paid: self.paid.checked_add(allocation.payee)? })
    }

    /// The split after an allocation was taken back. What bills below zero took back before may leave it below zero.
    ///
    /// `None` past its numbers.
    pub(crate) fn without(self, allocation: &Allocation) -> Option<Self> {
        let due = ExactAmount::from_e11(self.due.as_e11().checked_sub(allocation.payee_part.as_e11())?);
        Some(Self { due, paid: self.paid.checked_sub(allocation.payee)? })
    }
}

/// As what money was held before it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Held {
    /// Paid ahead: it goes to bills that were issued, or opened again, after it came.
    Advance = 1,
    /// In suspense: it goes to its account, which has become known.
    Suspense = 2,
}

impl Held {
    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Advance),
            2 => Some(Self::Suspense),
            _ => None,
        }
    }
}

/// Money that was held, and has found where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Whose money it is.
    pub payment: Label,
    /// The account.
    pub account: AccountId,
    /// On which day: the first on which both the money and the bills were there.
    pub booked: Day,
    /// How much.
    pub amount: Money,
    /// As what it was held.
    pub from: Held,
}

/// Money on a bill that was corrected to less: it waits for another bill. Parties give back what they have of it; no bank
/// money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawal {
    /// Whose money it is.
    pub payment: Label,
    /// The correction.
    pub correction: ContentHash,
    /// The account.
    pub account: AccountId,
    /// On which day: the first on which both the money and the correction were there.
    pub booked: Day,
    /// How much.
    pub amount: Money,
}

/// A payment of a bill whose parts are others now: the parties settle the difference between themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrueUp {
    /// Whose money it is.
    pub payment: Label,
    /// The correction.
    pub correction: ContentHash,
    /// The account.
    pub account: AccountId,
    /// On which day: the first on which both the money and the correction were there.
    pub booked: Day,
    /// How much of the payment is parted otherwise; none of it moves to or from a bill.
    pub amount: Money,
}

/// A bill below zero: the account gets it as an advance, from the parties as its parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Content hash of the bill or correction.
    pub bill: ContentHash,
    /// The account.
    pub account: AccountId,
    /// On which day: the first on which the bill stands.
    pub booked: Day,
    /// How much, above zero.
    pub amount: Money,
}

/// What a reference of the ledger's own begins with; no payment's does.
pub const OWN_REFERENCE: &str = "bill:";

impl Credit {
    /// The reference under which its money waits: `bill:` and the first 28 digits of its hash.
    ///
    /// # Panics
    /// Never: 33 printable characters are a name.
    #[must_use]
    pub fn reference(&self) -> Label {
        let text = format!("{OWN_REFERENCE}{}", self.bill);
        text[..LABEL_SIZE_MAX].parse().expect("33 printable characters are a name")
    }
}

/// What legs follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Money that came in.
    Payment(Payment),
    /// Money that went back.
    Reversal(Reversal),
    /// Money that was parked, or in suspense, and is released by itself.
    Release(Release),
    /// Money in suspense that is an account's, as a person says.
    Match(Match),
    /// Money that a bill has too much.
    Withdrawal(Withdrawal),
    /// Money whose parts are others now.
    TrueUp(TrueUp),
    /// A bill below zero.
    Credit(Credit),
    /// What accrued up to a month, beside what payments brought.
    Accrual(Accrued),
    /// A reserve held for a dispute, or released.
    Reserve(ReserveMove),
}

/// One entry, where its money went or came back from, and who gets or gives what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What it is.
    pub cause: Cause,
    /// Which bills it paid; of a reversal and a withdrawal, which have so much less paid, the newest allocation first; of a
    /// true-up, as they are parted from now on; of a credit, what each party gives.
    pub allocations: Vec<Allocation>,
    /// Who gets what, by (party, kind).
    pub legs: Vec<Leg>,
    /// Who gives what back, by (party, kind).
    pub back: Vec<Leg>,
}

/// Legs being summed, minor units.
#[derive(Debug, Default)]
pub(crate) struct Legs(BTreeMap<(Party, LegKind), i64>);

impl Legs {
    /// Adds one; nothing is no leg.
    pub(crate) fn add(&mut self, party: Party, kind: LegKind, amount: Money) {
        if amount != Money::ZERO {
            *self.0.entry((party, kind)).or_default() += amount.as_minor();
        }
    }

    /// Adds both legs of each allocation.
    ///
    /// # Panics
    /// If an agreement is not among `agreements`.
    pub(crate) fn add_all(
        &mut self,
        allocations: &[Allocation],
        agreements: &BTreeMap<ContentHash, Agreement>,
    ) {
        for allocation in allocations {
            let agreement = agreement_of(agreements, &allocation.agreement);
            self.add(agreement.payee, LegKind::Part, allocation.payee);
            self.add(agreement.remainder, LegKind::Remainder, allocation.remainder());
        }
    }

    /// What these are more than others by party and kind, and what they are less.
    pub(crate) fn less(self, others: Self) -> (Self, Self) {
        let (mut more, mut less) = (Self::default(), Self::default());
        let keys: BTreeSet<(Party, LegKind)> = self.0.keys().chain(others.0.keys()).copied().collect();
        for (party, kind) in keys {
            let of = |legs: &Self| legs.0.get(&(party, kind)).copied().unwrap_or_default();
            let change = of(&self) - of(&others);
            more.add(party, kind, Money::from_minor(change.max(0)));
            less.add(party, kind, Money::from_minor((-change).max(0)));
        }
        (more, less)
    }

    /// Adds what the bank takes of the legs of its parties, or lets go: `bank` and `party` are got and given, or given and got.
    ///
    /// # Panics
    /// As [`Legs::add_all`].
    pub(crate) fn add_held(
        bank: &mut Self,
        party: &mut Self,
        allocations: &[Allocation],
        agreements: &BTreeMap<ContentHash, Agreement>,
    ) {
        for allocation in allocations.iter().filter(|one| one.held > Money::ZERO) {
            let of = agreement_of(agreements, &allocation.agreement).reserve_party();
            bank.add(Party::Bank, LegKind::Reserve, allocation.held);
            party.add(
                of.expect("legs are held under agreements that say so"),
                LegKind::Reserve,
                allocation.held,
            );
        }
    }

    pub(crate) fn finish(self) -> Vec<Leg> {
        let leg = |((party, kind), minor)| Leg { party, kind, amount: Money::from_minor(minor) };
        self.0.into_iter().map(leg).collect()
    }
}

/// The agreement that a bill names.
///
/// # Panics
/// If it is not there: a bill names a published agreement.
pub(crate) fn agreement_of<'a>(
    agreements: &'a BTreeMap<ContentHash, Agreement>,
    hash: &ContentHash,
) -> &'a Agreement {
    agreements.get(hash).expect("a bill names a published agreement")
}

impl Settled {
    /// With its invariants held.
    ///
    /// # Panics
    /// If it is not balanced: then we split wrongly.
    #[must_use]
    pub(crate) fn new(cause: Cause, allocations: Vec<Allocation>, legs: Legs, back: Legs) -> Self {
        let settled = Self { cause, allocations, legs: legs.finish(), back: back.finish() };
        assert!(settled.is_balanced(), "legs of {} add up to it: {settled:?}", settled.id());
        settled
    }

    /// The payment or reversal it is of; of money that is moved, the payment or credit whose money it is.
    #[must_use]
    pub fn id(&self) -> Label {
        match &self.cause {
            Cause::Payment(payment) => payment.id,
            Cause::Reversal(reversal) => reversal.id,
            Cause::Release(release) => release.payment,
            Cause::Match(one) => one.id,
            Cause::Withdrawal(withdrawal) => withdrawal.payment,
            Cause::TrueUp(true_up) => true_up.payment,
            Cause::Credit(credit) => credit.reference(),
            Cause::Accrual(accrued) => accrued.closing.id(),
            Cause::Reserve(one) => one.order.id,
        }
    }

    /// The account; a true-up of what accrued is of none, and has its name here.
    #[must_use]
    pub fn account(&self) -> AccountId {
        match &self.cause {
            Cause::Payment(payment) => payment.account,
            Cause::Reversal(reversal) => reversal.account,
            Cause::Release(release) => release.account,
            Cause::Match(one) => one.account,
            Cause::Withdrawal(withdrawal) => withdrawal.account,
            Cause::TrueUp(true_up) => true_up.account,
            Cause::Credit(credit) => credit.account,
            Cause::Accrual(accrued) => accrued.closing.id(),
            Cause::Reserve(one) => one.order.account,
        }
    }

    /// The day it counts to.
    #[must_use]
    pub const fn booked(&self) -> Day {
        match &self.cause {
            Cause::Payment(payment) => payment.booked,
            Cause::Reversal(reversal) => reversal.booked,
            Cause::Release(release) => release.booked,
            Cause::Match(one) => one.booked,
            Cause::Withdrawal(withdrawal) => withdrawal.booked,
            Cause::TrueUp(true_up) => true_up.booked,
            Cause::Credit(credit) => credit.booked,
            Cause::Accrual(accrued) => accrued.booked,
            Cause::Reserve(one) => one.order.booked,
        }
    }

    /// How much money it moves.
    #[must_use]
    pub fn amount(&self) -> Money {
        match &self.cause {
            Cause::Payment(payment) => payment.amount,
            Cause::Reversal(reversal) => reversal.amount,
            Cause::Release(release) => release.amount,
            Cause::Match(one) => one.amount,
            Cause::Withdrawal(withdrawal) => withdrawal.amount,
            Cause::TrueUp(true_up) => true_up.amount,
            Cause::Credit(credit) => credit.amount,
            Cause::Accrual(accrued) => Money::from_minor(accrued.amount.as_minor().saturating_abs()),
            Cause::Reserve(one) => one.amount(),
        }
    }

    /// The line of the registry it settles; what moves money that was paid before settles none.
    #[must_use]
    pub fn entry(&self) -> Option<Entry> {
        match &self.cause {
            Cause::Payment(payment) => Some(Entry::Payment(payment.clone())),
            Cause::Reversal(reversal) => Some(Entry::Reversal(*reversal)),
            Cause::Match(one) => Some(Entry::Match(*one)),
            Cause::Accrual(accrued) => Some(Entry::Accrual(accrued.closing)),
            Cause::Reserve(one) => Some(Entry::Reserve(one.order)),
            Cause::Release(_) | Cause::Withdrawal(_) | Cause::TrueUp(_) | Cause::Credit(_) => None,
        }
    }

    /// How much less was paid of each bill, below zero, or more: nothing of what is only parted otherwise.
    pub fn paid_of_bills(&self) -> impl Iterator<Item = (ContentHash, Money)> {
        let sign = match self.cause {
            Cause::Payment(_) | Cause::Release(_) | Cause::Match(_) => 1,
            Cause::Reversal(_) | Cause::Withdrawal(_) => -1,
            Cause::TrueUp(_) | Cause::Credit(_) | Cause::Accrual(_) | Cause::Reserve(_) => 0,
        };
        let paid = self.allocations.iter().map(move |one| (one.bill, sign * one.amount.as_minor()));
        paid.filter(|(_, minor)| *minor != 0).map(|(bill, minor)| (bill, Money::from_minor(minor)))
    }

    /// Legs of a kind that are got, less those given back, minor units.
    pub(crate) fn net(&self, kind: LegKind) -> i128 {
        let of = |legs: &[Leg]| sum(legs.iter().filter(|leg| leg.kind == kind).map(|leg| leg.amount));
        of(&self.legs) - of(&self.back)
    }

    /// Whether the bank holds the money because there is no such account.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.legs.iter().any(|leg| leg.kind == LegKind::Suspense)
    }
}

/// The sum of the legs of one kind.
pub(crate) fn sum_of_kind(legs: &[Leg], kind: LegKind) -> Money {
    legs.iter().filter(|leg| leg.kind == kind).map(|leg| leg.amount).sum()
}

/// What one payment has brought one agreement so far.
struct Group<'a> {
    agreement: &'a Agreement,
    amount: Money,
    /// The payee's part before limits.
    unlimited: ExactAmount,
    /// The payee's part within limits.
    part: ExactAmount,
    running: RunningSplit,
}

/// Splits money that [`AccountState::place`] put on open bills.
///
/// `running` are the splits before it, and nothing is held yet; the limits of an agreement hold over all its bills that the payment pays.
///
/// # Panics
/// If an open bill's agreement is not among `agreements`.
#[must_use]
pub fn allocate(
    account: &AccountState,
    placed: &[(usize, Money)],
    agreements: &BTreeMap<ContentHash, Agreement>,
    running: &BTreeMap<ContentHash, RunningSplit>,
) -> Vec<Allocation> {
    let mut groups: Vec<(ContentHash, Group<'_>)> = Vec::new();
    let mut allocations = Vec::with_capacity(placed.len());
    for (at, amount) in placed {
        let open = &account.open[*at];
        let group = match groups.iter().position(|(hash, _)| *hash == open.agreement) {
            Some(at) => &mut groups[at].1,
            None => {
                let group =
                    Group::start(agreement_of(agreements, &open.agreement), running.get(&open.agreement));
                groups.push((open.agreement, group));
                &mut groups.last_mut().expect("one was pushed").1
            }
        };
        let (payee_part, payee) = group.take(*amount, open.payee_part_of_next(*amount));
        allocations.push(Allocation {
            bill: open.bill,
            period: open.period,
            agreement: open.agreement,
            amount: *amount,
            payee_part,
            payee,
            held: Money::ZERO,
        });
    }
    allocations
}

impl<'a> Group<'a> {
    fn start(agreement: &'a Agreement, running: Option<&RunningSplit>) -> Self {
        let running = match agreement.terms.rounding {
            SplitRounding::Cumulative => running.copied().unwrap_or_default(),
            SplitRounding::LargestRemainder => RunningSplit::default(),
        };
        Self {
            agreement,
            amount: Money::ZERO,
            unlimited: ExactAmount::ZERO,
            part: ExactAmount::ZERO,
            running,
        }
    }

    /// The payee's part of `amount` more, of which `part` is the payee's without limits: exact, and whole.
    fn take(&mut self, amount: Money, part: ExactAmount) -> (ExactAmount, Money) {
        self.amount = self.amount.checked_add(amount).expect("a payment is its parts");
        self.unlimited = self.unlimited.checked_add(part).expect("parts lie within the payment");
        let limited = self.agreement.terms.within_limits(self.unlimited, self.amount);
        let part = ExactAmount::from_e11(limited.as_e11() - self.part.as_e11());
        self.part = limited;
        (part, self.running.split(amount, part).0)
    }
}

#[cfg(test)]
mod tests;
