//! Rating row by row in 128 bits: for amounts that 64 bits may not hold, and as the reference of those that they do.

use super::plan::RatePlan;
use crate::determinants::RunningUse;
use crate::money::{ExactAmount, Money};
use crate::rate::tax;
use crate::tariff::RoundEach;

/// Rates every row; `Err` with the first row whose amounts do not fit.
pub(super) fn rate(plan: &RatePlan, uses: &[RunningUse], totals_minor: &mut [i64]) -> Result<(), usize> {
    for (row, (point, total_minor)) in uses.iter().zip(totals_minor).enumerate() {
        *total_minor = total(plan, point).ok_or(row)?.as_minor();
    }
    Ok(())
}

fn total(plan: &RatePlan, point: &RunningUse) -> Option<Money> {
    let exact = plan.lines.iter().map(|line| {
        // At most 2^58 × 2^63.
        ExactAmount::from_e11(i128::from(line.price.as_e8()) * i128::from(line.quantity.of(point)))
    });
    let before_tax = match plan.round_each {
        RoundEach::Line => {
            let mut rounded = exact.map(|line| line.round(plan.rounding));
            rounded.try_fold(Money::ZERO, |sum, line| sum.checked_add(line?))?
        }
        RoundEach::Bill => exact.sum::<ExactAmount>().round(plan.rounding)?,
    };
    if plan.vat.is_included {
        return Some(before_tax);
    }
    before_tax.checked_add(tax(plan.vat, before_tax, plan.rounding))
}
