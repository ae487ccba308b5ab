//! What a tariff asks for the deviation of what was taken from what was planned, hour by hour.
//!
//! ```text
//!   hour    fact > plan   (fact − plan) × price of the series `above`
//!           fact < plan   (plan − fact) × price of the series `below`
//! ```

use super::{TariffError, TariffParts};
use crate::label::Label;

/// The two series that price deviations from the hourly plan of a usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deviation {
    /// Name of the series for energy taken above the plan.
    pub above: Label,
    /// Name of the series for planned energy that was not taken.
    pub below: Label,
}

/// To which side of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DeviationSide {
    /// More was taken than planned.
    Above = 0,
    /// Less was taken than planned.
    Below = 1,
}

impl DeviationSide {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::Above, Self::Below];

    /// How much a fact lies to this side of a plan; zero if it does not.
    #[must_use]
    pub fn of(self, fact_wh: i64, planned_wh: i64) -> i64 {
        match self {
            Self::Above => fact_wh.saturating_sub(planned_wh).max(0),
            Self::Below => planned_wh.saturating_sub(fact_wh).max(0),
        }
    }
}

impl Deviation {
    /// The series that prices a side.
    #[must_use]
    pub const fn series(&self, side: DeviationSide) -> Label {
        match side {
            DeviationSide::Above => self.above,
            DeviationSide::Below => self.below,
        }
    }
}

pub(super) fn check(parts: &TariffParts) -> Result<(), TariffError> {
    match (&parts.deviation, &parts.netting) {
        (Some(_), Some(_)) => Err(TariffError::DeviationNetting),
        _ => Ok(()),
    }
}
