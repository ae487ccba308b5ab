//! Splits on accrual: what a payee is due of what was billed, whether it was paid or not.
//!
//! ```text
//!   bills up to a month ──▶ accrued  = Σ payee's parts as the bills stand, rounded once
//!   their payments      ──▶ split    = Σ payee's legs of them, less what went back
//!                           true-up  = accrued − split − true-ups before     remainder taker ──▶ payee, or back
//! ```
//!
//! * A month is trued up once, and months in their order. Right after it the payee has got exactly what accrued up to it.
//! * It is a layer over the split of payments, which stays what it is: what is paid late, taken back, or corrected after a
//!   true-up is in the next one. So is a bill that comes late.
//! * Limits hold over payments; a true-up makes up for them.

use std::collections::BTreeMap;

use crate::account::{Allocation, OpenBill};
use crate::calendar::{Day, Period};
use crate::hash::ContentHash;
use crate::label::Label;
use crate::money::{ExactAmount, Money, Rounding};

/// The last day of a month on which an accrued part may be due: every month has it.
pub const ACCRUAL_DUE_DAY_MAX: u8 = 28;

/// What a payee's part is counted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// Of what is paid.
    #[default]
    Cash,
    /// Of what is billed; due on this day of the month after, 1 to [`ACCRUAL_DUE_DAY_MAX`].
    Accrual(u8),
}

/// The word that a month is to be trued up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Under which agreement.
    pub agreement: ContentHash,
    /// Which month.
    pub period: Period,
}

impl Closing {
    /// Its name: `true-up 2026-03` and half of the agreement's short hash.
    ///
    /// # Panics
    /// Never: it has 32 letters and digits.
    #[must_use]
    pub fn id(&self) -> Label {
        let hash = self.agreement.to_string();
        let text = format!("true-up {} {}", self.period, &hash[..16]);
        text.parse().expect("a month and sixteen digits fit a name")
    }
}

/// A month trued up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accrued {
    /// What for.
    pub closing: Closing,
    /// On which day the payee was due it.
    pub booked: Day,
    /// What the payee gets; below zero, what it gives back.
    pub amount: Money,
}

/// Why a month cannot be trued up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccrualError {
    /// No such agreement.
    #[error("true-up of {period} names agreement {agreement}, which is not published")]
    Unknown {
        /// The agreement.
        agreement: ContentHash,
        /// The month.
        period: Period,
    },
    /// An agreement on cash.
    #[error("true-up of {period}: agreement {id} splits what is paid, not what accrues")]
    Cash {
        /// The agreement.
        id: Label,
        /// The month.
        period: Period,
    },
    /// There is nothing to true up.
    #[error("true-up of {period}: no bill up to it is under agreement {id}")]
    Nothing {
        /// The agreement.
        id: Label,
        /// The month.
        period: Period,
    },
    /// A later month is trued up already, and what this one lacks with it.
    #[error("true-up of {period}: {last} is trued up already, and all before it")]
    Late {
        /// The month.
        period: Period,
        /// The newest that is trued up.
        last: Period,
    },
    /// Sums past 64-bit minor units.
    #[error("true-up of {0}: what accrued does not fit 64 bits")]
    Overflow(Period),
}

/// What accrued in a month under one agreement, and what payments have brought the payee of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccruedMonth {
    /// Bills as they stand, minor units.
    pub billed: i128,
    /// The payee's parts of them, exact.
    pub part: ExactAmount,
    /// Paid of them, less what went back, minor units.
    pub paid: i128,
    /// The payee's legs of that, less those it gave back, minor units.
    pub payee: i128,
    /// What the payee got when the month was trued up, if it was.
    pub true_up: Option<Money>,
}

impl AccruedMonth {
    /// What accrued, in whole minor units; `None` past 64 bits.
    #[must_use]
    pub fn accrued(&self) -> Option<Money> {
        self.part.round(Rounding::HalfUp)
    }
}

/// Months by agreement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccrualBook {
    months: BTreeMap<(ContentHash, Period), AccruedMonth>,
}

impl AccrualBook {
    /// Every month with bills or a true-up, by agreement and month; under an agreement on cash there is nothing to true up in it.
    #[must_use]
    pub const fn months(&self) -> &BTreeMap<(ContentHash, Period), AccruedMonth> {
        &self.months
    }

    /// Counts a bill to its month as it stands, or takes it out again; one below zero as what it gives back.
    pub(crate) fn count_bill(&mut self, bill: &OpenBill, sign: i128) {
        let month = self.month(bill.agreement, bill.period);
        month.billed += sign * i128::from(bill.total.as_minor());
        month.part = ExactAmount::from_e11(month.part.as_e11() + sign * bill.payee_part.as_e11());
    }

    /// Counts what an allocation brings its payee, or what is taken off it again.
    pub(crate) fn count_payment(&mut self, allocation: &Allocation, sign: i128) {
        let month = self.month(allocation.agreement, allocation.period);
        month.paid += sign * i128::from(allocation.amount.as_minor());
        month.payee += sign * i128::from(allocation.payee.as_minor());
    }

    fn month(&mut self, agreement: ContentHash, period: Period) -> &mut AccruedMonth {
        self.months.entry((agreement, period)).or_default()
    }

    /// What a true-up would give the payee now; `None` if there is no bill up to its month.
    ///
    /// # Errors
    /// [`AccrualError::Late`], [`AccrualError::Overflow`].
    pub(crate) fn open(&self, closing: &Closing) -> Result<Option<Money>, AccrualError> {
        let Closing { agreement, period } = *closing;
        let done = self.of(agreement).filter(|(_, month)| month.true_up.is_some()).map(|(period, _)| period);
        if let Some(last) = done.max().filter(|last| *last >= period) {
            return Err(AccrualError::Late { period, last });
        }
        if !self.has_bills(agreement, period) {
            return Ok(None);
        }
        self.balance(agreement, period).map(Some).ok_or(AccrualError::Overflow(period))
    }

    /// Whether anything accrued up to a month.
    #[must_use]
    pub fn has_bills(&self, agreement: ContentHash, upto: Period) -> bool {
        self.of(agreement).any(|(period, _)| period <= upto)
    }

    /// What the payee is still due of what accrued up to a month; below zero, it has got more. `None` past 64 bits.
    #[must_use]
    pub fn balance(&self, agreement: ContentHash, upto: Period) -> Option<Money> {
        let (mut part, mut got) = (0_i128, 0_i128);
        for (_, month) in self.of(agreement).filter(|(period, _)| *period <= upto) {
            part += month.part.as_e11();
            got += month.payee + month.true_up.map_or(0, |amount| i128::from(amount.as_minor()));
        }
        let accrued = ExactAmount::from_e11(part).round(Rounding::HalfUp)?;
        i64::try_from(i128::from(accrued.as_minor()) - got).ok().map(Money::from_minor)
    }

    fn of(&self, agreement: ContentHash) -> impl Iterator<Item = (Period, &AccruedMonth)> {
        let own = self.months.iter().filter(move |((hash, _), _)| *hash == agreement);
        own.map(|((_, period), month)| (*period, month))
    }

    /// Marks a month as trued up, which [`AccrualBook::open`] has checked.
    pub(crate) fn true_up(&mut self, accrued: &Accrued) {
        let Closing { agreement, period } = accrued.closing;
        self.month(agreement, period).true_up = Some(accrued.amount);
    }
}

/// The day of the month after `period` on which its accrued part is due.
#[must_use]
pub fn due_day(period: Period, day: u8) -> Day {
    let first = period.end_day();
    first.plus(i32::from(day) - 1).unwrap_or(first)
}
