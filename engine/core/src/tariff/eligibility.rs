//! Whom a tariff is for, by what a month of a usage point came to. Said, not billed: a bill is what the contract says.
//!
//! ```text
//!   a month ── peak, W ────┬─▶ at least ≤ figure ≤ at most, each bound included ─▶ bounds that are passed
//!           └─ energy, Wh ─┘
//! ```
//!
//! A least is asked of whole months only: of a part, nobody knows what the rest would have come to.

use std::fmt;

use super::{TariffError, TariffParts};
use crate::energy::Energy;

/// One of the bounds that a tariff may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum EligibilityBound {
    /// The least that the highest demand of a month must be, W.
    PeakAtLeast = 0,
    /// The most that it may be, W.
    PeakAtMost = 1,
    /// The least energy of a month, Wh.
    EnergyAtLeast = 2,
    /// The most energy of a month, Wh.
    EnergyAtMost = 3,
}

impl EligibilityBound {
    /// All, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::PeakAtLeast, Self::PeakAtMost, Self::EnergyAtLeast, Self::EnergyAtMost];

    /// Whether it is a least.
    #[must_use]
    pub const fn is_least(self) -> bool {
        matches!(self, Self::PeakAtLeast | Self::EnergyAtLeast)
    }
}

/// Who may take a tariff: at least one bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Eligibility {
    /// The least that the highest demand of a month must be, W.
    pub peak_w_at_least: Option<i64>,
    /// The most that it may be, W.
    pub peak_w_at_most: Option<i64>,
    /// The least energy of a month, Wh.
    pub month_wh_at_least: Option<i64>,
    /// The most energy of a month, Wh.
    pub month_wh_at_most: Option<i64>,
}

/// What a month of one register came to under one version of a tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MonthFigures {
    /// The highest mean power, W, as the tariff's demand charges take it.
    pub peak_w: i64,
    /// The energy, Wh.
    pub energy_wh: i64,
    /// Every interval of the month is there, and all of it under this version.
    pub is_whole: bool,
}

/// A bound that a month passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedBound {
    /// Which.
    pub bound: EligibilityBound,
    /// The bound, W or Wh.
    pub limit: i64,
    /// What the month came to, W or Wh.
    pub found: i64,
}

impl Eligibility {
    /// A bound, W or Wh; `None` if it is not set.
    #[must_use]
    pub const fn limit(&self, bound: EligibilityBound) -> Option<i64> {
        match bound {
            EligibilityBound::PeakAtLeast => self.peak_w_at_least,
            EligibilityBound::PeakAtMost => self.peak_w_at_most,
            EligibilityBound::EnergyAtLeast => self.month_wh_at_least,
            EligibilityBound::EnergyAtMost => self.month_wh_at_most,
        }
    }

    /// The bounds that a month is not within, in the order of their codes; none: the tariff is for it.
    #[must_use]
    pub fn passed(&self, month: &MonthFigures) -> Vec<PassedBound> {
        let passed = |bound: EligibilityBound| {
            let limit = self.limit(bound)?;
            let found = match bound {
                EligibilityBound::PeakAtLeast | EligibilityBound::PeakAtMost => month.peak_w,
                EligibilityBound::EnergyAtLeast | EligibilityBound::EnergyAtMost => month.energy_wh,
            };
            let is_passed = if bound.is_least() { month.is_whole && found < limit } else { found > limit };
            is_passed.then_some(PassedBound { bound, limit, found })
        };
        EligibilityBound::ALL.into_iter().filter_map(passed).collect()
    }
}

impl fmt::Display for PassedBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, limit) = (Energy::from_wh(self.found), Energy::from_wh(self.limit));
        match self.bound {
            EligibilityBound::PeakAtLeast => write!(f, "peak {found} kW, need at least {limit} kW"),
            EligibilityBound::PeakAtMost => write!(f, "peak {found} kW, at most {limit} kW"),
            EligibilityBound::EnergyAtLeast => {
                write!(f, "{found} kWh in the month, need at least {limit} kWh")
            }
            EligibilityBound::EnergyAtMost => write!(f, "{found} kWh in the month, at most {limit} kWh"),
        }
    }
}

pub(super) fn check(parts: &TariffParts) -> Result<(), TariffError> {
    let Some(rule) = &parts.eligibility else { return Ok(()) };
    let limits = EligibilityBound::ALL.map(|bound| (bound, rule.limit(bound)));
    if limits.iter().all(|(_, limit)| limit.is_none()) {
        return Err(TariffError::EligibilityEmpty);
    }
    for (bound, limit) in limits {
        if let Some(limit) = limit.filter(|limit| *limit < 0) {
            return Err(TariffError::EligibilityNegative { bound, limit });
        }
    }
    let pairs = [
        (EligibilityBound::PeakAtLeast, rule.peak_w_at_least, rule.peak_w_at_most),
        (EligibilityBound::EnergyAtLeast, rule.month_wh_at_least, rule.month_wh_at_most),
    ];
    for (bound, least, most) in pairs {
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            return Err(TariffError::EligibilityCrossed { bound, least, most });
        }
    }
    Ok(())
}
