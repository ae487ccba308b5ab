//! A correction bill: a month's bill as it stands now, what stood before, and the difference line by line.
//!
//! ```text
//!   bill ──────────▶ correction 1 ──────────▶ correction 2        nothing that was issued is rewritten
//!   T₀, owed T₀      names the bill           names correction 1
//!                    T₁, delta T₁ − T₀        T₂, delta T₂ − T₁
//!                    owed T₁, or less         …
//!                    where an increase is barred
//! ```
//!
//! * Delta lines stand by (tariff version, charge): the differences of quantity, exact and rounded amount. With the
//!   differences of tax they add up to the difference of the totals, exactly.
//! * An increase that comes more than [`crate::payment_terms::PaymentTerms::back_billing_months`] after the month's end is
//!   shown and not charged; what the account owes stays as it was. A decrease is credited in full.
//! * What was barred stays barred: while an account owes less than its bill, no increase of that bill is charged. So it
//!   does not help to lower the bill first, or to publish other terms later.

use std::collections::BTreeMap;

use crate::bill::{Bill, ChargeKind};
use crate::calendar::{Day, Period};
use crate::hash::ContentHash;
use crate::money::{ExactAmount, Money};
use crate::tariff::Vat;

/// What an account is charged for a month, and the payee's part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owed {
    /// In minor units; below zero, the account is owed.
    pub total: Money,
    /// Exact.
    pub payee_part: ExactAmount,
}

impl Owed {
    /// All of a bill.
    #[must_use]
    pub const fn of(bill: &Bill) -> Self {
        Self { total: bill.total, payee_part: bill.payee_part }
    }

    fn less(self, other: Self) -> Option<Self> {
        let part = self.payee_part.as_e11().checked_sub(other.payee_part.as_e11())?;
        Some(Self { total: self.total.checked_sub(other.total)?, payee_part: ExactAmount::from_e11(part) })
    }
}

/// What stands for an account's month: its bill as it was issued, or its last correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stands<'a> {
    /// Content hash of the bill's or correction's record.
    pub hash: ContentHash,
    /// The bill.
    pub bill: &'a Bill,
    /// What the account is charged of it.
    pub owed: Owed,
    /// The day of the last correction; `None` of a bill as it was issued.
    pub corrected_on: Option<Day>,
    /// The months after which an increase was not charged any more; `None` if all of the bill is charged.
    pub barred_by: Option<u8>,
}

impl<'a> Stands<'a> {
    /// A bill as it was issued.
    #[must_use]
    pub const fn issued(hash: ContentHash, bill: &'a Bill) -> Self {
        Self { hash, bill, owed: Owed::of(bill), corrected_on: None, barred_by: None }
    }

    /// A corrected one.
    #[must_use]
    pub const fn corrected(hash: ContentHash, correction: &'a Correction) -> Self {
        let Correction { bill, owed, barred_by, day, .. } = correction;
        Self { hash, bill, owed: *owed, corrected_on: Some(*day), barred_by: *barred_by }
    }
}

/// The difference of one charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaLine {
    /// Content hash of the tariff version.
    pub tariff: ContentHash,
    /// For what.
    pub kind: ChargeKind,
    /// In the units of [`crate::bill::ChargeLine::quantity`].
    pub quantity: i64,
    /// Of the exact amounts.
    pub exact: ExactAmount,
    /// Of the rounded amounts.
    pub amount: Money,
}

/// The difference of the tax at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaVat {
    /// Rate, and whether the base contains the tax.
    pub vat: Vat,
    /// Of the bases.
    pub base: Money,
    /// Of the taxes.
    pub amount: Money,
}

/// The difference of two bills of one account and month. Of what did not change there is no line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// By (tariff version, kind).
    pub lines: Vec<DeltaLine>,
    /// By rate.
    pub vat: Vec<DeltaVat>,
    /// Of the totals.
    pub total: Money,
    /// Of the payee's parts.
    pub payee_part: ExactAmount,
}

/// Sums of the lines of one charge, wide enough that nothing from outside overflows.
#[derive(Clone, Copy, Default)]
struct Sums {
    quantity: i128,
    exact: i128,
    amount: i128,
}

impl Delta {
    /// What `after` has more than `before`; all of it where nothing stood before.
    ///
    /// `None` past the numbers of a line.
    #[must_use]
    pub fn between(before: Option<&Bill>, after: &Bill) -> Option<Self> {
        let mut lines: BTreeMap<(ContentHash, ChargeKind), Sums> = BTreeMap::new();
        let mut taxes: BTreeMap<Vat, (i128, i128)> = BTreeMap::new();
        for (bill, sign) in before.map(|bill| (bill, -1)).into_iter().chain([(after, 1)]) {
            for line in &bill.lines {
                let tariff = *bill.tariffs.get(usize::from(line.version))?;
                let sums = lines.entry((tariff, line.kind)).or_default();
                sums.quantity += sign * i128::from(line.quantity);
                sums.exact = sums.exact.checked_add(sign * line.exact.as_e11())?;
                sums.amount += sign * i128::from(line.amount.as_minor());
            }
            for line in &bill.vat {
                let (base, amount) = taxes.entry(line.vat).or_default();
                *base += sign * i128::from(line.base.as_minor());
                *amount += sign * i128::from(line.amount.as_minor());
            }
        }
        let money = |minor: i128| i64::try_from(minor).ok().map(Money::from_minor);
        let line = |((tariff, kind), sums): ((ContentHash, ChargeKind), Sums)| {
            Some(DeltaLine {
                tariff,
                kind,
                quantity: i64::try_from(sums.quantity).ok()?,
                exact: ExactAmount::from_e11(sums.exact),
                amount: money(sums.amount)?,
            })
        };
        let is_changed = |sums: &Sums| (sums.quantity, sums.exact, sums.amount) != (0, 0, 0);
        let vat = |(vat, (base, amount))| Some(DeltaVat { vat, base: money(base)?, amount: money(amount)? });
        let was = before.map_or(Owed::default(), Owed::of);
        let Owed { total, payee_part } = Owed::of(after).less(was)?;
        Some(Self {
            lines: lines.into_iter().filter(|(_, sums)| is_changed(sums)).map(line).collect::<Option<_>>()?,
            vat: taxes.into_iter().filter(|(_, sums)| *sums != (0, 0)).map(vat).collect::<Option<_>>()?,
            total,
            payee_part,
        })
    }

    /// Energy, Wh: below zero if less was used.
    #[must_use]
    pub fn energy_wh(&self) -> i128 {
        let energy = self.lines.iter().filter(|line| line.kind.energy_zone().is_some());
        energy.map(|line| i128::from(line.quantity)).sum()
    }

    /// Whether lines and tax on top of them add up to the total.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let lines = self.lines.iter().map(|line| line.amount);
        let on_top = self.vat.iter().filter(|line| !line.vat.is_included).map(|line| line.amount);
        let sum: i128 = lines.chain(on_top).map(|amount| i128::from(amount.as_minor())).sum();
        sum == i128::from(self.total.as_minor())
    }
}

/// A correction bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// What stood before: content hash of the bill, or of the correction before. `None` if the account had no bill.
    pub before: Option<ContentHash>,
    /// The day it is made on: an increase is a debt from then on.
    pub day: Day,
    /// The month's bill as it stands now.
    pub bill: Bill,
    /// What it has more than the bill before.
    pub delta: Delta,
    /// What the account is charged for the month from now on.
    pub owed: Owed,
    /// What it is charged more than before; zero where an increase is barred.
    pub charged: Owed,
    /// The months after which an increase is not charged, if that holds one back; `None` if all of the bill is charged.
    pub barred_by: Option<u8>,
}

/// Why there is no correction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// It would be of another account or month than what stands.
    #[error("a correction of {of} by a bill of {by}: account and month differ")]
    Other {
        /// What stands.
        of: String,
        /// The bill.
        by: String,
    },
    /// Its day is within the month, or before the correction before it.
    #[error("{period} cannot be corrected on {day}: the first day that can be named is {first}")]
    Early {
        /// The month.
        period: Period,
        /// The day.
        day: Day,
        /// The first that is possible.
        first: Day,
    },
    /// A difference beyond what can be written.
    #[error("a difference of account {0} does not fit 64-bit minor units")]
    Overflow(crate::label::AccountId),
}

impl Correction {
    /// The correction on `day` to a bill as it is computed now. `cap` is how many months after the month's end an
    /// increase is still charged, as the bill's agreement says; `None` for any time.
    ///
    /// # Errors
    /// [`CorrectionError`].
    pub fn new(
        before: Option<&Stands<'_>>,
        day: Day,
        bill: Bill,
        cap: Option<u8>,
    ) -> Result<Self, CorrectionError> {
        if let Some(before) = before
            && (before.bill.account, before.bill.period) != (bill.account, bill.period)
        {
            let named = |bill: &Bill| format!("{}, {}", bill.account, bill.period);
            return Err(CorrectionError::Other { of: named(before.bill), by: named(&bill) });
        }
        let corrected_on = before.and_then(|before| before.corrected_on);
        let first = corrected_on.map_or(bill.period.end_day(), |last| last.max(bill.period.end_day()));
        if day < first {
            return Err(CorrectionError::Early { period: bill.period, day, first });
        }
        let overflow = || CorrectionError::Overflow(bill.account);
        let delta = Delta::between(before.map(|before| before.bill), &bill).ok_or_else(overflow)?;
        let was = before.map_or(Owed::default(), |before| before.owed);
        let barred_by = barred_by(before, day, &bill, cap);
        let owed = if barred_by.is_some() { was } else { Owed::of(&bill) };
        let charged = owed.less(was).ok_or_else(overflow)?;
        Ok(Self { before: before.map(|before| before.hash), day, bill, delta, owed, charged, barred_by })
    }

    /// Whether a bill as it is computed now differs from the one that stands. The root of the readings is no difference: it
    /// changes when anybody's readings do; nor is the name of the bill before, as long as it gives the same.
    #[must_use]
    pub fn is_due(stands: &Bill, now: &Bill) -> bool {
        *stands != Bill { readings: stands.readings, previous: stands.previous, ..now.clone() }
    }
}

/// The months after which an increase of what is owed is not charged, if this is one that is not.
fn barred_by(before: Option<&Stands<'_>>, day: Day, bill: &Bill, cap: Option<u8>) -> Option<u8> {
    let was = before.map_or(Money::ZERO, |before| before.owed.total);
    if bill.total <= was {
        return None;
    }
    let barred_before = before.and_then(|before| before.barred_by);
    barred_before.or_else(|| cap.filter(|months| is_late(bill.period, day, *months)))
}

/// Whether a day lies more than so many months after the month's end: the first such day is that many months after the
/// first day behind the month.
#[must_use]
pub fn is_late(period: Period, day: Day, months: u8) -> bool {
    day.period().number() > period.number() + u32::from(months)
}
