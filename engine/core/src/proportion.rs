//! Whole minor units in proportion to weights, by largest remainder: the parts add up to the whole, exactly.
//!
//! ```text
//!   share_i = ⌊whole × weight_i ÷ Σ weights⌋      what that leaves, fewer units than weights, goes one each
//!                                                 to the largest remainders, the first of equal ones first
//! ```

use std::cmp::Reverse;

use crate::money::Money;

/// The parts of `whole`, in the order of the weights.
///
/// # Panics
/// If the whole or a weight is negative, or all weights are zero: there is nothing to divide by.
#[must_use]
pub fn largest_remainder(whole: Money, weights: &[Money]) -> Vec<Money> {
    let sum: i128 = weights.iter().map(|weight| i128::from(weight.as_minor())).sum();
    let is_possible = whole >= Money::ZERO && weights.iter().all(|weight| *weight >= Money::ZERO) && sum > 0;
    assert!(is_possible, "a whole is divided by weights above zero");
    let whole_minor = i128::from(whole.as_minor());
    let mut shares = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (at, weight) in weights.iter().enumerate() {
        let product = whole_minor * i128::from(weight.as_minor());
        shares.push(i64::try_from(product / sum).expect("a share is at most the whole"));
        remainders.push((Reverse(product % sum), at));
    }
    let given: i128 = shares.iter().map(|share| i128::from(*share)).sum();
    let left = usize::try_from(whole_minor - given).expect("less than one unit is left of each weight");
    remainders.sort_unstable();
    for (_, at) in &remainders[..left] {
        shares[*at] += 1;
    }
    shares.into_iter().map(Money::from_minor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(whole: i64, weights: &[i64]) -> Vec<i64> {
        let weights: Vec<Money> = weights.iter().map(|weight| Money::from_minor(*weight)).collect();
        largest_remainder(Money::from_minor(whole), &weights).into_iter().map(Money::as_minor).collect()
    }

    #[test]
    fn table() {
        let most = i64::MAX;
        // whole, weights, parts; the first two are those of the reference (domain, golden vectors)
        let table: &[(i64, &[i64], &[i64])] = &[
            (10_000, &[1, 1, 1], &[3_334, 3_333, 3_333]),
            (10, &[1, 1, 1], &[4, 3, 3]),
            (0, &[1, 2], &[0, 0]),
            (7, &[5], &[7]),
            (1, &[0, 1, 1], &[0, 1, 0]),
            (5, &[1, 2, 3], &[1, 2, 2]),
            (2, &[1, 1, 4], &[1, 0, 1]), // remainders 2/6, 2/6, 2/6
            (most, &[most, most], &[most / 2 + 1, most / 2]),
        ];
        for (whole, weights, want) in table {
            assert_eq!(parts(*whole, weights), *want, "{whole} by {weights:?}");
        }
    }

    #[test]
    #[should_panic(expected = "weights above zero")]
    fn nothing_to_divide_by() {
        let _ = parts(5, &[0, 0]);
    }

    proptest! {
        #[test]
        fn parts_add_up_within_one_unit(whole in 0..i64::MAX, weights in prop::collection::vec(0..i64::MAX / 64, 1..40)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let sum: i128 = weights.iter().copied().map(i128::from).sum();
            let parts = parts(whole, &weights);
            prop_assert_eq!(parts.iter().copied().map(i128::from).sum::<i128>(), i128::from(whole));
            for (part, weight) in parts.iter().zip(&weights) {
                let off = i128::from(*part) * sum - i128::from(whole) * i128::from(*weight);
                prop_assert!(off.abs() < sum && *part >= 0);
            }
        }
    }
}
