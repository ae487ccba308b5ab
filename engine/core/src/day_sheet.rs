//! A day's money: what came in and went back, and what each party is handed over of it.
//!
//! ```text
//!   payments − reversals  =  grid's legs + supplier's legs + bank's legs       less what each gives back
//!                         =  hand-over lists               + suspense + reserve
//! ```
//!
//! Releases of parked money, matches of money in suspense, and what corrections move, stand on both sides of the parties' legs:
//! they move money between parties and change no sum.

use std::collections::BTreeMap;

use crate::agreement::Party;
use crate::money::Money;
use crate::split::{Cause, Leg, LegKind, Settled};

/// The sums of one day, by the day on which the bank booked the money.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DaySheet {
    paid: Money,
    reversed: Money,
    /// What a party gets less what it gives back.
    legs: BTreeMap<(Party, LegKind), Money>,
}

impl DaySheet {
    /// Adds one entry.
    ///
    /// # Panics
    /// If the day's equation does not hold any more, or past 64-bit minor units: all money ever received fits them.
    pub(crate) fn add(&mut self, settled: &Settled) {
        let more = |sum: &mut Money, minor: i64| {
            *sum = sum
                .checked_add(Money::from_minor(minor))
                .expect("a day's money is part of all there ever was");
        };
        match &settled.cause {
            Cause::Payment(payment) => more(&mut self.paid, payment.amount.as_minor()),
            Cause::Reversal(reversal) => more(&mut self.reversed, reversal.amount.as_minor()),
            Cause::Release(_)
            | Cause::Match(_)
            | Cause::Withdrawal(_)
            | Cause::TrueUp(_)
            | Cause::Credit(_)
            | Cause::Accrual(_)
            | Cause::Reserve(_) => {}
        }
        for Leg { party, kind, amount } in &settled.legs {
            more(self.legs.entry((*party, *kind)).or_default(), amount.as_minor());
        }
        for Leg { party, kind, amount } in &settled.back {
            more(self.legs.entry((*party, *kind)).or_default(), -amount.as_minor());
        }
        self.legs.retain(|_, amount| *amount != Money::ZERO);
        assert!(self.is_balanced(), "payments of a day are its legs: {self:?}");
    }

    /// What came in.
    #[must_use]
    pub const fn paid(&self) -> Money {
        self.paid
    }

    /// What went back.
    #[must_use]
    pub const fn reversed(&self) -> Money {
        self.reversed
    }

    /// What each party gets less what it gives back, by (party, kind), without zeros. Below zero, it hands money over.
    #[must_use]
    pub const fn legs(&self) -> &BTreeMap<(Party, LegKind), Money> {
        &self.legs
    }

    /// What a party is handed over; below zero, what it hands back. Of the bank, what it holds in suspense and in reserve.
    #[must_use]
    pub fn handed_over(&self, party: Party) -> Money {
        self.legs.iter().filter(|((of, _), _)| *of == party).map(|(_, amount)| *amount).sum()
    }

    /// What a party gets of one kind, less what it gives back.
    #[must_use]
    pub fn of(&self, party: Party, kind: LegKind) -> Money {
        self.legs.get(&(party, kind)).copied().unwrap_or_default()
    }

    /// Whether payments less reversals are the sum over all parties.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let legs: i128 = self.legs.values().map(|amount| i128::from(amount.as_minor())).sum();
        legs == i128::from(self.paid.as_minor()) - i128::from(self.reversed.as_minor())
    }
}
