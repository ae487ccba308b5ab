//! What adds up to what in a settled entry: parts and remainders, what accrued, and what the bank holds.

use super::{Cause, Held, Leg, LegKind, Release, Settled};
use crate::account::Allocation;
use crate::agreement::Party;
use crate::money::Money;

impl Settled {
    /// Whether everything adds up:
    ///
    /// * every allocation and every leg is above zero, and a payee's leg lies within its allocation;
    /// * the legs of a payment are the payment, none is given back; those given back by a reversal are the reversal, none is
    ///   got; a release gives back an advance, or what was in suspense, as a match does, and gets as much; a withdrawal and a
    ///   credit are the other way about, and get an advance;
    /// * of a true-up, parts and remainders that are got are as much as those given back, and no party gets and gives one kind;
    /// * parts are what the payees get of the allocations, remainders the rest, and advance or suspense is what was not
    ///   allocated; money that comes in suspense is allocated to nothing;
    /// * what accrued is got by one party and given by another;
    /// * what the bank holds of the legs, or lets go, is what stands beside the allocations, and changes no sum.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let is_within = |one: &Allocation| {
            let is_split = one.amount > Money::ZERO && one.payee >= Money::ZERO && one.payee <= one.amount;
            is_split && one.held >= Money::ZERO && one.held <= one.amount
        };
        let is_above_zero = self.legs.iter().chain(&self.back).all(|leg| leg.amount > Money::ZERO);
        let amount = i128::from(self.amount().as_minor());
        let may_be_nothing = matches!(self.cause, Cause::Accrual(_) | Cause::Reserve(_));
        is_above_zero
            && (amount > 0 || may_be_nothing && amount == 0)
            && self.allocations.iter().all(is_within)
            && self.is_split(amount)
            && self.is_accrued(amount)
            && self.is_held(amount)
    }

    /// Parts, remainders, advance and suspense.
    fn is_split(&self, amount: i128) -> bool {
        let allocated = sum(self.allocations.iter().map(|one| one.amount));
        let payee = sum(self.allocations.iter().map(|one| one.payee));
        let rest = amount - allocated;
        let (nothing, split, held) = ([0; 4], [payee, allocated - payee, rest, 0], [0, 0, 0, amount]);
        let (legs, back) = (by_kind(&self.legs), by_kind(&self.back));
        let is_alone = self.allocations.is_empty();
        match &self.cause {
            Cause::Payment(_) => rest >= 0 && (legs == split || is_alone && legs == held) && back == nothing,
            Cause::Reversal(_) => {
                let [part, remainder, advance, suspense] = back;
                rest >= 0 && [part, remainder, advance + suspense, 0] == split && legs == nothing
            }
            Cause::Release(Release { from: Held::Advance, .. }) => {
                rest == 0 && legs == split && back == [0, 0, amount, 0]
            }
            Cause::Release(_) | Cause::Match(_) => rest >= 0 && legs == split && back == held,
            Cause::Withdrawal(_) | Cause::Credit(_) => {
                rest == 0 && back == split && legs == [0, 0, amount, 0]
            }
            Cause::TrueUp(_) => {
                let is_between = |legs: [i128; 4]| legs[2..] == [0, 0];
                let is_given =
                    |leg: &Leg| self.back.iter().any(|back| (back.party, back.kind) == (leg.party, leg.kind));
                let sum = |legs: [i128; 4]| legs.iter().sum::<i128>();
                rest == 0
                    && is_between(legs)
                    && is_between(back)
                    && sum(legs) == sum(back)
                    && !self.legs.iter().any(is_given)
            }
            Cause::Accrual(_) | Cause::Reserve(_) => is_alone && legs == nothing && back == nothing,
        }
    }

    /// What accrued: one leg got and one given back, between two parties that are not the bank.
    fn is_accrued(&self, amount: i128) -> bool {
        let of = |legs: &[Leg]| -> Vec<Leg> {
            legs.iter().filter(|leg| leg.kind == LegKind::Accrual).copied().collect()
        };
        match (&of(&self.legs)[..], &of(&self.back)[..]) {
            ([], []) => amount == 0 || !matches!(self.cause, Cause::Accrual(_)),
            ([got], [given]) => {
                let is_between = got.party != given.party && ![got.party, given.party].contains(&Party::Bank);
                let is_whole = [got, given].iter().all(|leg| i128::from(leg.amount.as_minor()) == amount);
                matches!(self.cause, Cause::Accrual(_)) && is_between && is_whole
            }
            _ => false,
        }
    }

    /// What the bank holds back of it.
    fn is_held(&self, amount: i128) -> bool {
        let of = |legs: &[Leg], is_bank: bool| {
            let own = legs.iter().filter(|leg| leg.kind == LegKind::Reserve);
            sum(own.filter(|leg| (leg.party == Party::Bank) == is_bank).map(|leg| leg.amount))
        };
        let held = sum(self.allocations.iter().map(|one| one.held));
        let got = (of(&self.legs, true), of(&self.legs, false));
        let given = (of(&self.back, true), of(&self.back, false));
        match &self.cause {
            Cause::Payment(_) | Cause::Release(_) | Cause::Match(_) => (got, given) == ((held, 0), (0, held)),
            Cause::Reversal(_) | Cause::Withdrawal(_) => (got, given) == ((0, held), (held, 0)),
            // How much is let go follows from what was held before.
            Cause::TrueUp(_) => got.0 == 0 && given.1 == 0 && got.1 == given.0,
            Cause::Credit(_) | Cause::Accrual(_) => held == 0 && (got, given) == ((0, 0), (0, 0)),
            Cause::Reserve(_) => (got, given) == ((0, amount), (amount, 0)),
        }
    }
}

/// Sums of parts, remainders, advance and suspense.
fn by_kind(legs: &[Leg]) -> [i128; 4] {
    use LegKind::{Advance, Part, Remainder, Suspense};
    let of_kind = |kind| sum(legs.iter().filter(|leg| leg.kind == kind).map(|leg| leg.amount));
    [Part, Remainder, Advance, Suspense].map(of_kind)
}

/// Minor units, wide enough that nothing from outside overflows.
pub(super) fn sum(amounts: impl Iterator<Item = Money>) -> i128 {
    amounts.map(|amount| i128::from(amount.as_minor())).sum()
}
