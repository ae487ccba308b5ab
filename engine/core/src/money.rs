//! Money: exact products in fixed point, rounded once, in one named place, then whole minor units.
//!
//! ```text
//!   Wh (i64)  ×  price, 10^-8 currency per kWh (i64)  =  exact amount, 10^-11 currency (i128)
//!                                                        │ Rounding, once
//!                                                        ▼
//!                                                    minor units, 10^-2 currency (i64)
//! ```

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use crate::decimal::{Decimal, DecimalError, write_scaled};
use crate::energy::Energy;

/// Decimals of a price: 10^-8 of the currency unit.
pub const PRICE_DECIMALS: u32 = 8;
/// Decimals of an exact amount: a price times a watt-hour, so 8 + 3.
pub const EXACT_DECIMALS: u32 = 11;
/// Decimals of the minor unit. Currencies with other minor units are not taken yet.
pub const MINOR_DECIMALS: u32 = 2;
/// Exact units in one minor unit.
const EXACT_PER_MINOR: i128 = 10_i128.pow(EXACT_DECIMALS - MINOR_DECIMALS);

/// Whole minor units of a currency (kopecks, cents). May be negative: a correction, a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From whole minor units.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// In whole minor units.
    #[must_use]
    pub const fn as_minor(self) -> i64 {
        self.0
    }

    /// The sum, or `None` past `i64` minor units.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` past `i64` minor units.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The same amount as an exact one.
    #[must_use]
    pub fn exact(self) -> ExactAmount {
        ExactAmount(i128::from(self.0) * EXACT_PER_MINOR)
    }
}

impl Sum for Money {
    /// # Panics
    /// Past `i64` minor units: more than the money there is.
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |total, part| {
            total.checked_add(part).expect("a sum of money fits i64 minor units")
        })
    }
}

/// `1234.50`: always with two decimals.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, i128::from(self.0), MINOR_DECIMALS, MINOR_DECIMALS)
    }
}

impl FromStr for Money {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Decimal::parse(text.as_bytes(), b'.')?.scaled(MINOR_DECIMALS).map(Self)
    }
}

/// A price in 10^-8 currency units: per kilowatt-hour, or per day for a fixed charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PricePerKwh(i64);

impl PricePerKwh {
    /// From 10^-8 currency units.
    #[must_use]
    pub const fn from_e8(e8: i64) -> Self {
        Self(e8)
    }

    /// In 10^-8 currency units.
    #[must_use]
    pub const fn as_e8(self) -> i64 {
        self.0
    }

    /// What `energy` costs, exact: no rounding.
    #[must_use]
    pub fn charge(self, energy: Energy) -> ExactAmount {
        ExactAmount(i128::from(self.0) * i128::from(energy.as_wh()))
    }

    /// What `days` days cost when this is a price per day, exact.
    #[must_use]
    pub fn charge_days(self, days: u32) -> ExactAmount {
        ExactAmount(i128::from(self.0) * i128::from(days) * 1_000)
    }
}

impl FromStr for PricePerKwh {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Decimal::parse(text.as_bytes(), b'.')?.scaled(PRICE_DECIMALS).map(Self)
    }
}

impl fmt::Display for PricePerKwh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, i128::from(self.0), PRICE_DECIMALS, 2)
    }
}

/// An amount before rounding, in 10^-11 currency units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ExactAmount(i128);

impl ExactAmount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From 10^-11 currency units.
    #[must_use]
    pub const fn from_e11(e11: i128) -> Self {
        Self(e11)
    }

    /// In 10^-11 currency units.
    #[must_use]
    pub const fn as_e11(self) -> i128 {
        self.0
    }

    /// The sum, or `None` past `i128`.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// As much of it as `some` is of `whole`, cut off below 10^-11 towards zero: all of it for the whole.
    ///
    /// # Panics
    /// If not 0 ≤ `some` ≤ `whole`, or `whole` is zero.
    #[must_use]
    pub fn portion(self, some: Money, whole: Money) -> Self {
        assert!(Money::ZERO <= some && some <= whole && whole > Money::ZERO, "{some} of {whole}");
        let (some, whole) = (i128::from(some.0), i128::from(whole.0));
        // Their product may pass i128; in two parts it is as exact, and cannot.
        Self(self.0 / whole * some + self.0 % whole * some / whole)
    }

    /// Rounds to whole minor units; the one place where an amount loses anything.
    ///
    /// `None` past `i64` minor units.
    #[must_use]
    pub fn round(self, rounding: Rounding) -> Option<Money> {
        let minor = match rounding {
            Rounding::HalfUp => div_half_up(self.0, EXACT_PER_MINOR),
            Rounding::HalfEven => div_half_even(self.0, EXACT_PER_MINOR),
            Rounding::Down => self.0.div_euclid(EXACT_PER_MINOR),
        };
        i64::try_from(minor).ok().map(Money)
    }
}

impl Sum for ExactAmount {
    /// # Panics
    /// Past `i128`.
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |total, part| {
            total.checked_add(part).expect("a sum of exact amounts fits i128")
        })
    }
}

impl fmt::Display for ExactAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, EXACT_DECIMALS, 2)
    }
}

/// How a tariff rounds to whole minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Halves go away from zero: 0.005 → 0.01, −0.005 → −0.01.
    HalfUp,
    /// Halves go to the even neighbour: 0.005 → 0.00, 0.015 → 0.02.
    HalfEven,
    /// Towards minus infinity: 0.019 → 0.01.
    Down,
}

impl Rounding {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfUp => "half up",
            Self::HalfEven => "half even",
            Self::Down => "down",
        }
    }
}

/// `numerator / divisor`, halves away from zero. `divisor` must be positive.
///
/// # Panics
/// If `divisor` is not positive.
#[must_use]
pub fn div_half_up(numerator: i128, divisor: i128) -> i128 {
    assert!(divisor > 0, "divisor {divisor} must be positive");
    let (quotient, remainder) = (numerator / divisor, numerator % divisor);
    // Compares the remainder with what is left to the next whole, so nothing is doubled and nothing overflows.
    if remainder.abs() >= divisor - remainder.abs() { quotient + numerator.signum() } else { quotient }
}

/// `numerator / divisor`, halves to the even neighbour. `divisor` must be positive.
///
/// # Panics
/// If `divisor` is not positive.
#[must_use]
pub fn div_half_even(numerator: i128, divisor: i128) -> i128 {
    assert!(divisor > 0, "divisor {divisor} must be positive");
    let (quotient, remainder) = (numerator / divisor, numerator % divisor);
    match remainder.abs().cmp(&(divisor - remainder.abs())) {
        std::cmp::Ordering::Greater => quotient + numerator.signum(),
        std::cmp::Ordering::Equal if quotient % 2 != 0 => quotient + numerator.signum(),
        _ => quotient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_table() {
        // (10^-11 units, half-up, half-even, down), in minor units.
        let table: &[(i128, i64, i64, i64)] = &[
            (0, 0, 0, 0),
            (499_999_999, 0, 0, 0),
            (500_000_000, 1, 0, 0),
            (500_000_001, 1, 1, 0),
            (1_500_000_000, 2, 2, 1),
            (2_500_000_000, 3, 2, 2),
            (-500_000_000, -1, 0, -1),
            (-1_500_000_000, -2, -2, -2),
            (-2_500_000_001, -3, -3, -3),
        ];
        for &(e11, up, even, down) in table {
            let exact = ExactAmount::from_e11(e11);
            assert_eq!(exact.round(Rounding::HalfUp), Some(Money(up)), "half-up of {e11}");
            assert_eq!(exact.round(Rounding::HalfEven), Some(Money(even)), "half-even of {e11}");
            assert_eq!(exact.round(Rounding::Down), Some(Money(down)), "down of {e11}");
        }
        assert_eq!(ExactAmount::from_e11(i128::MAX).round(Rounding::HalfUp), None);
        assert_eq!(div_half_up(i128::MAX, i128::MAX), 1);
        assert_eq!(div_half_even(i128::MIN + 1, i128::MAX), -1);
    }

    /// `rust_decimal` is the oracle: another author's arithmetic, to the last digit.
    #[test]
    fn products_and_rounding_equal_rust_decimal() {
        use rust_decimal::{Decimal as Oracle, RoundingStrategy};
        let mut state = 0x0074_6c77_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        for _ in 0..20_000 {
            let wh = i64::try_from(next() % 50_000_000).unwrap();
            let price = i64::try_from(next() % 4_000_000_000).unwrap();
            let exact = PricePerKwh::from_e8(price).charge(Energy::from_wh(wh));
            let oracle = Oracle::new(price, 8) * Oracle::new(wh, 3);
            assert_eq!(Oracle::from_i128_with_scale(exact.as_e11(), 11), oracle, "{wh} Wh at {price} e-8");
            for (ours, theirs) in [
                (Rounding::HalfUp, RoundingStrategy::MidpointAwayFromZero),
                (Rounding::HalfEven, RoundingStrategy::MidpointNearestEven),
            ] {
                let want = oracle.round_dp_with_strategy(2, theirs);
                let got = exact.round(ours).unwrap();
                assert_eq!(Oracle::new(got.as_minor(), 2), want, "{wh} Wh at {price} e-8, {ours:?}");
            }
        }
    }

    #[test]
    fn portions() {
        let most = i64::MAX;
        // exact units, some of whole, what that is
        let table = [
            (100, 1, 3, 33),
            (100, 3, 3, 100),
            (100, 0, 3, 0),
            (-100, 2, 3, -66),
            (i128::from(most) * EXACT_PER_MINOR, most, most, i128::from(most) * EXACT_PER_MINOR),
            (i128::MAX, most, most, i128::MAX),
        ];
        for (e11, some, whole, want) in table {
            let got = ExactAmount(e11).portion(Money(some), Money(whole));
            assert_eq!(got, ExactAmount(want), "{e11} × {some} ÷ {whole}");
        }
    }

    #[test]
    fn shows() {
        assert_eq!(Money(-5).to_string(), "-0.05");
        assert_eq!(Money(123_450).to_string(), "1234.50");
        assert_eq!("6.43".parse::<PricePerKwh>().unwrap().to_string(), "6.43");
        assert_eq!(ExactAmount(135_891_620_000_000).to_string(), "1358.9162");
        assert_eq!(Energy::from_wh(18_206_230).to_string(), "18206.230");
    }
}
