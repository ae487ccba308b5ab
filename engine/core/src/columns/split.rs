//! The split of a column of bills: the payee's part by rate or share, rounded by cumulative residual down the column.
//!
//! ```text
//!   due so far   S₀ ── + part of row 0 ──▶ S₁ ── + part of row 1 ──▶ S₂     exact
//!   payee gets        round(S₁) − round(S₀)     round(S₂) − round(S₁)       the remainder taker the rest of each total
//! ```
//!
//! The fold is in order, but [`due_columns`] of the rows before gives any thread its S₀: the same legs for any number.

use super::narrow::EXACT_PER_MINOR;
use super::plan::PlanError;
use super::{CHUNK_ROW_COUNT, ColumnError, Largest, same_length};
use crate::agreement::{Agreement, SHARE_WHOLE, SplitRule, rate_for};
use crate::determinants::{RunningUse, USE_ZONE_COUNT};
use crate::money::{ExactAmount, Money, PricePerKwh};
use crate::payment_terms::{Limits, PaymentTerms, SplitRounding};
use crate::split::RunningSplit;
use crate::tariff::Tariff;

const HALF: u64 = EXACT_PER_MINOR / 2;
/// A share of one minor unit in exact units, a part of [`SHARE_WHOLE`]: no share is ever rounded.
const EXACT_PER_SHARE: i64 = (EXACT_PER_MINOR / SHARE_WHOLE as u64).cast_signed();
const _: () = assert!(EXACT_PER_MINOR.is_multiple_of(SHARE_WHOLE as u64));

/// How the payee's part follows from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A rate for each zone.
    PerKwh([PricePerKwh; USE_ZONE_COUNT]),
    /// Of the total, in parts of [`SHARE_WHOLE`].
    Share(u32),
}

/// An agreement compiled for one tariff's zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitPlan(Part);

/// An exact amount that is not negative: whole minor units, and 10^-11 below one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Due {
    whole: i64,
    rest: u64,
}

impl SplitPlan {
    /// The agreement's rule over the zones of `tariff`.
    ///
    /// # Errors
    /// [`PlanError::EachPayment`] if it rounds or limits each payment by itself, [`PlanError::Zones`] for too many zones,
    /// [`PlanError::Rate`] if one has no rate.
    pub fn of(agreement: &Agreement, tariff: &Tariff) -> Result<Self, PlanError> {
        let PaymentTerms { rounding, payee, remainder, .. } = &agreement.terms;
        if *rounding != SplitRounding::Cumulative
            || [payee, remainder].iter().any(|own| **own != Limits::default())
        {
            return Err(PlanError::EachPayment);
        }
        let rates = match &agreement.rule {
            SplitRule::Share(share) => return Ok(Self(Part::Share(*share))),
            SplitRule::PerKwh(rates) => rates,
        };
        let zones = &tariff.parts().zones;
        if zones.len() > USE_ZONE_COUNT {
            return Err(PlanError::Zones(zones.len()));
        }
        let mut by_zone = [PricePerKwh::default(); USE_ZONE_COUNT];
        for (rate, zone) in by_zone.iter_mut().zip(zones) {
            *rate = rate_for(rates, &zone.name).map_err(|_| PlanError::Rate)?;
        }
        Ok(Self(Part::PerKwh(by_zone)))
    }

    /// A rate for the energy of each zone, tax included.
    ///
    /// # Panics
    /// If a rate is negative: an agreement has none.
    #[must_use]
    pub fn per_kwh(rates: [PricePerKwh; USE_ZONE_COUNT]) -> Self {
        assert!(rates.iter().all(|rate| rate.as_e8() >= 0), "a rate is not negative");
        Self(Part::PerKwh(rates))
    }

    /// Whether the parts of rows up to `largest` and `total_minor` fit 63 bits.
    fn fits_narrow(self, largest: Largest, total_minor: i64) -> bool {
        let most = match self.0 {
            // All of the energy in the dearest zone.
            Part::PerKwh(rates) => {
                let dearest = rates.iter().map(|rate| rate.as_e8()).max().unwrap_or_default();
                i128::from(dearest) * i128::from(largest.total_wh)
            }
            Part::Share(share) => i128::from(total_minor) * i128::from(share) * i128::from(EXACT_PER_SHARE),
        };
        most <= i128::from(i64::MAX)
    }

    /// The part of one row in 64 bits; at most its total.
    fn part(self, point: &RunningUse, total_minor: i64) -> Due {
        let exact = match self.0 {
            Part::PerKwh(rates) => {
                let zones_wh = point.zones_wh();
                let charge = |zone: usize| zones_wh[zone].wrapping_mul(rates[zone].as_e8());
                charge(0).wrapping_add(charge(1)).wrapping_add(charge(2))
            }
            Part::Share(share) => total_minor.wrapping_mul(i64::from(share) * EXACT_PER_SHARE),
        }
        .cast_unsigned();
        let (whole, rest) = ((exact / EXACT_PER_MINOR).cast_signed(), exact % EXACT_PER_MINOR);
        if whole >= total_minor { Due { whole: total_minor, rest: 0 } } else { Due { whole, rest } }
    }

    /// The same in 128 bits.
    fn part_wide(self, point: &RunningUse, total_minor: i64) -> Due {
        let exact = match self.0 {
            Part::PerKwh(rates) => {
                let charges = rates.iter().zip(point.zones_wh());
                charges.map(|(rate, wh)| i128::from(rate.as_e8()) * i128::from(wh)).sum()
            }
            Part::Share(share) => i128::from(total_minor) * i128::from(i64::from(share) * EXACT_PER_SHARE),
        };
        let clamped = exact.min(Money::from_minor(total_minor).exact().as_e11());
        Due::of(ExactAmount::from_e11(clamped)).expect("a part is at most its total")
    }

    /// Calls `each` with every row's part, in order.
    fn parts(
        self,
        uses: &[RunningUse],
        totals_minor: &[i64],
        mut each: impl FnMut(usize, Due) -> Result<(), ColumnError>,
    ) -> Result<(), ColumnError> {
        same_length(uses.len(), totals_minor.len())?;
        let chunks = uses.chunks(CHUNK_ROW_COUNT).zip(totals_minor.chunks(CHUNK_ROW_COUNT));
        for (number, (uses, totals_minor)) in chunks.enumerate() {
            let first = number * CHUNK_ROW_COUNT;
            if let Some(at) = totals_minor.iter().position(|&total| total < 0) {
                return Err(ColumnError::Negative { row: first + at, total_minor: totals_minor[at] });
            }
            let highest = totals_minor.iter().copied().max().unwrap_or_default();
            let is_narrow = self.fits_narrow(Largest::of(uses), highest);
            for (at, (point, &total)) in uses.iter().zip(totals_minor).enumerate() {
                let part = if is_narrow { self.part(point, total) } else { self.part_wide(point, total) };
                each(first + at, part)?;
            }
        }
        Ok(())
    }
}

impl Due {
    /// `None` if negative or past 64-bit minor units.
    fn of(exact: ExactAmount) -> Option<Self> {
        let unit = i128::from(EXACT_PER_MINOR);
        let whole = i64::try_from(exact.as_e11().div_euclid(unit)).ok().filter(|whole| *whole >= 0)?;
        let rest = u64::try_from(exact.as_e11().rem_euclid(unit)).ok()?;
        Some(Self { whole, rest })
    }

    fn exact(self) -> ExactAmount {
        ExactAmount::from_e11(i128::from(self.whole) * i128::from(EXACT_PER_MINOR) + i128::from(self.rest))
    }

    /// The sum, or `None` past 64-bit minor units.
    fn plus(self, part: Self) -> Option<Self> {
        let rest = self.rest + part.rest;
        let carry = i64::from(rest >= EXACT_PER_MINOR);
        let rest = if rest >= EXACT_PER_MINOR { rest - EXACT_PER_MINOR } else { rest };
        Some(Self { whole: self.whole.checked_add(part.whole)?.checked_add(carry)?, rest })
    }

    /// Halves up, as every running split: this is never negative.
    fn rounded(self) -> Option<i64> {
        self.whole.checked_add(i64::from(self.rest >= HALF))
    }
}

/// What all rows' parts add up to, exact: where the rows after them begin.
///
/// # Errors
/// [`ColumnError::Lengths`], [`ColumnError::Negative`], [`ColumnError::Overflow`].
pub fn due_columns(
    plan: SplitPlan,
    uses: &[RunningUse],
    totals_minor: &[i64],
) -> Result<ExactAmount, ColumnError> {
    let mut due = Due::default();
    plan.parts(uses, totals_minor, |row, part| {
        due = due.plus(part).ok_or(ColumnError::Overflow { row })?;
        Ok(())
    })?;
    Ok(due.exact())
}

/// Splits every total, in order of rows, as [`RunningSplit::split`] would one by one: `payee_minor[i]` and
/// `remainder_minor[i]` add up to `totals_minor[i]`. `running` goes on from row to row, and from call to call.
///
/// # Errors
/// [`ColumnError::Lengths`], [`ColumnError::Negative`], [`ColumnError::Overflow`]; `running` is then unchanged.
///
/// # Panics
/// If `running` is not rounded as every running split is.
pub fn split_columns(
    plan: SplitPlan,
    uses: &[RunningUse],
    totals_minor: &[i64],
    running: &mut RunningSplit,
    payee_minor: &mut [i64],
    remainder_minor: &mut [i64],
) -> Result<(), ColumnError> {
    same_length(uses.len(), payee_minor.len())?;
    same_length(uses.len(), remainder_minor.len())?;
    let mut due = Due::of(running.due).ok_or(ColumnError::Overflow { row: 0 })?;
    let mut paid = running.paid.as_minor();
    assert_eq!(due.rounded(), Some(paid), "what was paid is what was due, rounded");
    plan.parts(uses, totals_minor, |row, part| {
        let next = due.plus(part).ok_or(ColumnError::Overflow { row })?;
        let target = next.rounded().ok_or(ColumnError::Overflow { row })?;
        // A part lies between nothing and its total, so its leg does: both ends are rounded the same way.
        payee_minor[row] = target - paid;
        remainder_minor[row] = totals_minor[row] - payee_minor[row];
        (due, paid) = (next, target);
        Ok(())
    })?;
    *running = RunningSplit { due: due.exact(), paid: Money::from_minor(paid) };
    Ok(())
}
