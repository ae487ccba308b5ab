//! What the bank transfers to each party day by day, where an agreement says a minimum below which an amount is carried on.
//!
//! ```text
//!   due + carried in  =  transferred + carried out          of every party, under every agreement, on every day
//!
//!   due      what the party has got of that day less what it gave back
//!   below the minimum, either way: carried to the next day; the last day of a month transfers what is left, if the terms say so
//! ```
//!
//! * A day that is over never changes: an entry that was booked before the newest day there is counts to that one, as late.
//! * A day below zero is handed back by the same rule. Money that is split by no agreement has no minimum.
//! * It follows from settled entries in their order, so every node has the same, and nothing of it is stored.

use std::collections::BTreeMap;

use crate::accrual::Accrued;
use crate::agreement::{Agreement, Party};
use crate::calendar::Day;
use crate::hash::ContentHash;
use crate::money::Money;
use crate::reserve::ReserveMove;
use crate::split::{Cause, Leg, Settled, agreement_of};

/// What becomes of an amount that stays below the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum TransferRelease {
    /// The last day of its month transfers it.
    #[default]
    MonthEnd = 1,
    /// It is carried until the minimum is reached.
    Minimum = 2,
}

impl TransferRelease {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::MonthEnd, Self::Minimum];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|release| release.code() == code)
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MonthEnd => "month-end",
            Self::Minimum => "minimum",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|release| release.name() == name)
    }
}

/// What an agreement says of transfers to its parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransferTerms {
    /// The least that is transferred to, or taken back from, a party on a day; not below zero.
    pub minimum: Money,
    /// What becomes of less.
    pub release: TransferRelease,
}

/// A party's money of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransferLine {
    /// Got that day, less what was given back.
    pub due: Money,
    /// How much of it was booked on an earlier day, which was over when it came.
    pub late: Money,
    /// Carried from the day before.
    pub carried_in: Money,
    /// Transferred; below zero, handed back.
    pub transferred: Money,
    /// Carried to the next day.
    pub carried_out: Money,
}

impl TransferLine {
    /// Whether what is due and carried in is what is transferred and carried out.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let wide = |money: Money| i128::from(money.as_minor());
        wide(self.due) + wide(self.carried_in) == wide(self.transferred) + wide(self.carried_out)
    }

    /// Two lines as one: of a party under several agreements.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            due: add(self.due, other.due),
            late: add(self.late, other.late),
            carried_in: add(self.carried_in, other.carried_in),
            transferred: add(self.transferred, other.transferred),
            carried_out: add(self.carried_out, other.carried_out),
        }
    }
}

/// Whose money, under which agreement; `None` for what is paid ahead, which no agreement has split yet.
pub type TransferKey = (Party, Option<ContentHash>);

/// The lines of one day.
pub type TransferSheet = BTreeMap<TransferKey, TransferLine>;

/// Money on its way from the bank to the parties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransferBook {
    /// Days that are over and had anything due, carried or transferred.
    days: BTreeMap<Day, TransferSheet>,
    open: OpenDay,
    terms: BTreeMap<ContentHash, TransferTerms>,
}

/// The newest day there is: what is due on it may still grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OpenDay {
    day: Option<Day>,
    due: BTreeMap<TransferKey, (Money, Money)>,
    carried: BTreeMap<TransferKey, Money>,
}

impl TransferBook {
    /// Adds what a settled entry gives to and takes from the parties.
    ///
    /// # Panics
    /// If an agreement is not among `agreements`, or the parts are not the legs: then we split wrongly.
    pub fn add(&mut self, settled: &Settled, agreements: &BTreeMap<ContentHash, Agreement>) {
        let moves = moves_of(settled, agreements);
        for (_, hash) in moves.keys() {
            if let Some(hash) = hash {
                self.terms.insert(*hash, agreement_of(agreements, hash).terms.transfer);
            }
        }
        self.due(settled.booked(), &moves);
    }

    fn due(&mut self, booked: Day, moves: &BTreeMap<TransferKey, Money>) {
        let day = self.open.day.map_or(booked, |open| open.max(booked));
        for (closed, sheet) in self.open.advance(day, &self.terms) {
            self.days.insert(closed, sheet);
        }
        for (key, amount) in moves {
            let (due, late) = self.open.due.entry(*key).or_default();
            *due = add(*due, *amount);
            if booked < day {
                *late = add(*late, *amount);
            }
        }
    }

    /// The lines of a day. Of the newest day there is, and of days after it, as they are if nothing more comes.
    #[must_use]
    pub fn day(&self, day: Day) -> TransferSheet {
        if self.open.day.is_none_or(|open| day < open) {
            return self.days.get(&day).cloned().unwrap_or_default();
        }
        let mut open = self.open.clone();
        open.advance(day, &self.terms);
        open.sheet(&self.terms).0
    }

    /// The newest day to which anything counts; those before it are over.
    #[must_use]
    pub const fn open_day(&self) -> Option<Day> {
        self.open.day
    }
}

impl OpenDay {
    /// Goes on to `day`; gives the sheets of the days that are over now, without empty ones.
    fn advance(
        &mut self,
        day: Day,
        terms: &BTreeMap<ContentHash, TransferTerms>,
    ) -> Vec<(Day, TransferSheet)> {
        let mut closed = Vec::new();
        while let Some(open) = self.day.filter(|open| *open < day) {
            let (sheet, carried) = self.sheet(terms);
            if !sheet.is_empty() {
                closed.push((open, sheet));
            }
            let next = open.plus(1).expect("a day before another has a next one");
            // Only the last of a month moves what is carried.
            let stop = next.period().end_day().plus(-1).unwrap_or(day);
            let next = if carried.is_empty() { day } else { stop.min(day) };
            *self = Self { day: Some(next), due: BTreeMap::new(), carried };
        }
        self.day = Some(day);
        closed
    }

    /// The lines of the day if it ended now, and what is carried on.
    fn sheet(
        &self,
        terms: &BTreeMap<ContentHash, TransferTerms>,
    ) -> (TransferSheet, BTreeMap<TransferKey, Money>) {
        let is_last = self.day.is_some_and(|day| day.plus(1) == Some(day.period().end_day()));
        let (mut sheet, mut carried) = (TransferSheet::new(), BTreeMap::new());
        for key in self.due.keys().chain(self.carried.keys()) {
            let (due, late) = self.due.get(key).copied().unwrap_or_default();
            let carried_in = self.carried.get(key).copied().unwrap_or_default();
            let at_hand = add(due, carried_in);
            let terms = key.1.and_then(|hash| terms.get(&hash)).copied().unwrap_or_default();
            let is_enough = at_hand.as_minor().unsigned_abs() >= terms.minimum.as_minor().unsigned_abs();
            let is_released = is_last && terms.release == TransferRelease::MonthEnd;
            let transferred = if is_enough || is_released { at_hand } else { Money::ZERO };
            let carried_out = Money::from_minor(at_hand.as_minor() - transferred.as_minor());
            let line = TransferLine { due, late, carried_in, transferred, carried_out };
            assert!(line.is_balanced(), "what is due and carried in is transferred or carried out: {line:?}");
            if carried_out != Money::ZERO {
                carried.insert(*key, carried_out);
            }
            sheet.insert(*key, line);
        }
        (sheet, carried)
    }
}

/// What an entry gives to, and below zero takes from, each party under each agreement.
fn moves_of(
    settled: &Settled,
    agreements: &BTreeMap<ContentHash, Agreement>,
) -> BTreeMap<TransferKey, Money> {
    let mut moves: BTreeMap<TransferKey, Money> = BTreeMap::new();
    let mut more = |key, amount: Money, is_back: bool| {
        let sum = moves.entry(key).or_default();
        let minor = amount.as_minor();
        *sum = add(*sum, Money::from_minor(if is_back { -minor } else { minor }));
    };
    let is_back = matches!(settled.cause, Cause::Reversal(_) | Cause::Withdrawal(_) | Cause::Credit(_));
    // A true-up tells how its allocations are parted from now on: what that moves is in its legs alone.
    let (parted, placed) = match settled.cause {
        Cause::TrueUp(_) => (settled.allocations.first(), &[][..]),
        _ => (None, &settled.allocations[..]),
    };
    for allocation in placed {
        let agreement = agreement_of(agreements, &allocation.agreement);
        more((agreement.payee, Some(allocation.agreement)), allocation.payee, is_back);
        more((agreement.remainder, Some(allocation.agreement)), allocation.remainder(), is_back);
        // What the bank holds is not the party's to get, and what it lets go not the party's to give.
        if let Some(party) = agreement.reserve_party() {
            more((party, Some(allocation.agreement)), allocation.held, !is_back);
        }
    }
    match &settled.cause {
        Cause::Accrual(Accrued { closing, amount, .. }) => {
            let agreement = agreement_of(agreements, &closing.agreement);
            more((agreement.payee, Some(closing.agreement)), *amount, false);
            more((agreement.remainder, Some(closing.agreement)), *amount, true);
        }
        Cause::Reserve(ReserveMove { released, .. }) => {
            for (hash, amount) in released {
                if let Some(party) = agreement_of(agreements, hash).reserve_party() {
                    more((party, Some(*hash)), *amount, false);
                }
            }
        }
        _ => {}
    }
    let legs = settled.legs.iter().map(|leg| (leg, false)).chain(settled.back.iter().map(|leg| (leg, true)));
    for (Leg { party, kind, amount }, is_back) in legs.clone() {
        if kind.is_of_no_agreement() {
            more((*party, None), *amount, is_back);
        } else if let Some(parted) = parted {
            more((*party, Some(parted.agreement)), *amount, is_back);
        }
    }
    for party in [Party::Grid, Party::Supplier] {
        let of_party = moves.iter().filter(|((own, _), _)| *own == party);
        let moved: i128 = of_party.map(|(_, amount)| i128::from(amount.as_minor())).sum();
        let of_legs = legs.clone().filter(|(leg, _)| leg.party == party).map(|(leg, is_back)| {
            let minor = i128::from(leg.amount.as_minor());
            if is_back { -minor } else { minor }
        });
        assert_eq!(moved, of_legs.sum::<i128>(), "{party} gets its legs of {}", settled.id());
    }
    // What the bank holds goes nowhere.
    moves.retain(|(party, _), amount| *party != Party::Bank && *amount != Money::ZERO);
    moves
}

/// A sum of parts of all there ever was.
fn add(a: Money, b: Money) -> Money {
    a.checked_add(b).expect("transfers are parts of all money ever received, which fits 64 bits")
}

#[cfg(test)]
mod tests;
