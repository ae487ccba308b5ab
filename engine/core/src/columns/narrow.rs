//! Rating a chunk in 64 bits: a quantity column a line, a price, a division by a constant, a sum.
//!
//! The caller has proven that no sum of products passes 63 bits and that no price is negative, so nothing here can wrap
//! and floor division is truncation. Rounding is by quotient and remainder and equals
//! [`ExactAmount::round`](crate::money::ExactAmount::round) for amounts that are not negative.

use super::CHUNK_ROW_COUNT;
use super::plan::{Quantity, RatePlan};
use crate::determinants::RunningUse;
use crate::money::Rounding;
use crate::tariff::RoundEach;

/// Exact units, 10^-11, in a minor unit.
pub(super) const EXACT_PER_MINOR: u64 = 1_000_000_000;
/// Parts of a whole in a tax rate.
const TAX_WHOLE: u64 = 10_000;

// A half is a whole number of units.
const _: () = assert!(EXACT_PER_MINOR.is_multiple_of(2) && TAX_WHOLE.is_multiple_of(2));

/// A rounding rule, known when its loop is compiled.
trait Rule {
    /// Whether `quotient` goes up when `remainder` of a divisor with this half is left.
    fn goes_up(quotient: u64, remainder: u64, half: u64) -> bool;
}

struct HalfUp;
struct HalfEven;
struct Down;

impl Rule for HalfUp {
    fn goes_up(_: u64, remainder: u64, half: u64) -> bool {
        remainder >= half
    }
}

impl Rule for HalfEven {
    fn goes_up(quotient: u64, remainder: u64, half: u64) -> bool {
        // On a half, an odd quotient goes up: one comparison, no branch.
        remainder.wrapping_add(quotient & 1) > half
    }
}

impl Rule for Down {
    fn goes_up(_: u64, _: u64, _: u64) -> bool {
        false
    }
}

/// Neither step can wrap: a quotient times its divisor is at most the numerator, and a divisor is above 1.
fn divide<R: Rule, const DIVISOR: u64>(numerator: u64) -> u64 {
    let quotient = numerator / DIVISOR;
    let remainder = numerator.wrapping_sub(quotient.wrapping_mul(DIVISOR));
    quotient.wrapping_add(u64::from(R::goes_up(quotient, remainder, DIVISOR / 2)))
}

/// Rates at most [`CHUNK_ROW_COUNT`] rows.
pub(super) fn rate(plan: &RatePlan, uses: &[RunningUse], totals_minor: &mut [i64]) {
    assert!(uses.len() <= CHUNK_ROW_COUNT && uses.len() == totals_minor.len(), "one chunk of equal columns");
    match plan.rounding {
        Rounding::HalfUp => rate_by::<HalfUp>(plan, uses, totals_minor),
        Rounding::HalfEven => rate_by::<HalfEven>(plan, uses, totals_minor),
        Rounding::Down => rate_by::<Down>(plan, uses, totals_minor),
    }
}

fn rate_by<R: Rule>(plan: &RatePlan, uses: &[RunningUse], totals_minor: &mut [i64]) {
    let (mut quantities, mut sums) = ([0_u64; CHUNK_ROW_COUNT], [0_u64; CHUNK_ROW_COUNT]);
    let (quantities, sums) = (&mut quantities[..uses.len()], &mut sums[..uses.len()]);
    for line in &plan.lines {
        read(line.quantity, uses, quantities);
        let price_e8 = line.price.as_e8().unsigned_abs();
        match plan.round_each {
            RoundEach::Line => {
                for (sum, &quantity) in sums.iter_mut().zip(&*quantities) {
                    let exact = quantity.wrapping_mul(price_e8);
                    *sum = sum.wrapping_add(divide::<R, EXACT_PER_MINOR>(exact));
                }
            }
            RoundEach::Bill => {
                for (sum, &quantity) in sums.iter_mut().zip(&*quantities) {
                    *sum = sum.wrapping_add(quantity.wrapping_mul(price_e8));
                }
            }
        }
    }
    if plan.round_each == RoundEach::Bill {
        for sum in sums.iter_mut() {
            *sum = divide::<R, EXACT_PER_MINOR>(*sum);
        }
    }
    // At most 2^34 minor units and one a line are left: a tax cannot wrap either.
    let rate_e4 = if plan.vat.is_included { 0 } else { u64::from(plan.vat.rate_e4) };
    for (total_minor, &sum) in totals_minor.iter_mut().zip(&*sums) {
        let tax = divide::<R, TAX_WHOLE>(sum.wrapping_mul(rate_e4));
        *total_minor = sum.wrapping_add(tax).cast_signed();
    }
}

/// The quantity of every row, in thousandths of what the price is for; [`Quantity::of`] by column.
///
/// Zones are at most 2^56 and bounds not negative, so neither sums nor differences wrap.
fn read(quantity: Quantity, uses: &[RunningUse], quantities: &mut [u64]) {
    let rows = quantities.iter_mut().zip(uses);
    match quantity {
        Quantity::Energy(zones) => {
            let masks = [0, 1, 2].map(|zone| if zones.contains(zone) { -1_i64 } else { 0 });
            for (quantity, point) in rows {
                let zones_wh = point.zones_wh();
                let wh = (zones_wh[0] & masks[0]).wrapping_add(zones_wh[1] & masks[1]);
                *quantity = wh.wrapping_add(zones_wh[2] & masks[2]).cast_unsigned();
            }
        }
        Quantity::EnergyBetween { above_wh, up_to_wh } => {
            let up_to_wh = up_to_wh.unwrap_or(i64::MAX);
            for (quantity, point) in rows {
                *quantity = point.total_wh().min(up_to_wh).wrapping_sub(above_wh).max(0).cast_unsigned();
            }
        }
        Quantity::Demand { factor } => {
            for (quantity, point) in rows {
                *quantity = u64::from(point.demand_wh().cast_unsigned()) * u64::from(factor);
            }
        }
        Quantity::Days => {
            for (quantity, point) in rows {
                *quantity = u64::from(point.day_count()) * 1_000;
            }
        }
    }
}
