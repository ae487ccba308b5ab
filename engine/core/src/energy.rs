//! Energy in whole watt-hours. An interval is never rounded.

use std::fmt;
use std::iter::Sum;

/// An amount of energy, in whole watt-hours (or volt-ampere-reactive-hours for a reactive register).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Energy(i64);

impl Energy {
    /// No energy.
    pub const ZERO: Self = Self(0);

    /// From watt-hours.
    #[must_use]
    pub const fn from_wh(wh: i64) -> Self {
        Self(wh)
    }

    /// In watt-hours.
    #[must_use]
    pub const fn as_wh(self) -> i64 {
        self.0
    }

    /// The sum, or `None` past `i64` watt-hours (9.2 million TWh: a defect upstream, not a meter).
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl Sum for Energy {
    /// # Panics
    /// Past `i64` watt-hours.
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |total, part| {
            total.checked_add(part).expect("a sum of energies fits i64 watt-hours: 9.2 million TWh")
        })
    }
}

/// In kilowatt-hours with three decimals: `18206.230`.
impl fmt::Display for Energy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::decimal::write_scaled(f, i128::from(self.0), 3, 3)
    }
}
