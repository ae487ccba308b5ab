//! Points that deliver no readings at all: what Russian rules bill instead, by dated parameters.
//!
//! ```text
//!   period without readings   1      2      3      4      5
//!   household                 [ average use       ][ normative          … then the reading comes: true-up
//!   business                  [ last year   ][ the most it may draw     …
//! ```
//!
//! Households: Government decree 354 (2011), items 59 to 61; businesses: decree 442 (2012), item 166 and annex 3. The
//! texts have changed and local readings of them differ, so every number is a parameter with a validity, part of the
//! rule pack. Each answer says what it rests on.

pub mod business;
pub mod household;

use crate::calendar::UtcSeconds;
use crate::quality::Quality;
use crate::vee::consumption::{How, Span};
use crate::{meter::Multiplier, validity::Validity};

/// Parameters that hold for a time.
pub trait Dated {
    /// From when until when.
    fn validity(&self) -> Validity;
}

/// The version in force on a day; of several the last given.
#[must_use]
pub fn in_force<T: Dated>(versions: &[T], day: crate::calendar::Day) -> Option<&T> {
    versions.iter().rev().find(|version| version.validity().contains(day))
}

/// A calculated volume as a span, to be laid over hours by [`crate::vee::consumption::apportion`]: it is no measurement.
#[must_use]
pub fn as_span(from: UtcSeconds, to: UtcSeconds, energy_wh: i64) -> Span {
    let how =
        How { meter_count: 0, rolled_over: false, quality: Quality::Projected, multiplier: Multiplier::ONE };
    Span { from, to, energy_wh, how }
}

/// What a reading that came late changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrueUp {
    /// Between the last reading before and the one that came.
    pub actual_wh: i64,
    /// Billed meanwhile without readings.
    pub billed_wh: i64,
}

impl TrueUp {
    /// Recalculation when an actual reading comes after periods without (decree 354, item 61). `None` past `i64`.
    #[must_use]
    pub fn of(actual_wh: i64, billed_wh: &[i64]) -> Option<Self> {
        let billed_wh = billed_wh.iter().try_fold(0_i64, |sum, &wh| sum.checked_add(wh))?;
        actual_wh.checked_sub(billed_wh)?;
        Some(Self { actual_wh, billed_wh })
    }

    /// To be billed still, or given back if below zero.
    #[must_use]
    pub const fn difference_wh(&self) -> i64 {
        self.actual_wh - self.billed_wh
    }
}

#[cfg(test)]
mod tests;
