//! What a bill carries to the next one: a short, sorted list of named quantities.
//!
//! ```text
//!   bill of March ── credit, peaks, sums of the year ──▶ bill of April ──▶ …      each names the one before by its hash
//! ```
//!
//! A quantity is of one usage point, or of one tariff of the account. Nothing is carried that the next bill cannot be
//! computed with, and nothing is kept that it no longer needs.

use crate::calendar::Period;
use crate::hash::ContentHash;
use crate::label::{Label, UsagePointId};
use crate::register::Register;

/// The most quantities a bill may carry.
pub const CARRIED_COUNT_MAX: u32 = 4_096;
/// The most watts or watt-hours carried: a meter's life of the largest values.
pub const CARRIED_QUANTITY_MAX: i128 = 1 << 52;
/// The most of an amount carried, 10^-11 of the currency, either way.
pub const CARRIED_AMOUNT_MAX: i128 = 1 << 100;

/// What a quantity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarriedKind {
    /// Energy fed in that was not netted yet, Wh.
    Credit {
        /// Where.
        usage_point: UsagePointId,
        /// In which zone; `None` nets every zone.
        zone: Option<Label>,
    },
    /// The highest power of a month by a demand charge with a look-back, W, as it was measured.
    Peak {
        /// Where.
        usage_point: UsagePointId,
        /// By which register.
        register: Register,
        /// Of which demand charge.
        charge: Label,
        /// In which month.
        period: Period,
    },
    /// What the lines of a tariff with a minimum of the year came to in this year so far, 10^-11.
    Charged {
        /// The tariff.
        tariff: Label,
    },
    /// What they must come to at least for the days held in this year so far, 10^-11.
    Due {
        /// The tariff.
        tariff: Label,
    },
}

impl CarriedKind {
    /// Whether a quantity of this kind can be so large.
    #[must_use]
    pub fn takes(&self, quantity: i128) -> bool {
        match self {
            Self::Credit { .. } => (1..=CARRIED_QUANTITY_MAX).contains(&quantity),
            Self::Peak { .. } => (0..=CARRIED_QUANTITY_MAX).contains(&quantity),
            Self::Charged { .. } => (-CARRIED_AMOUNT_MAX..=CARRIED_AMOUNT_MAX).contains(&quantity),
            Self::Due { .. } => (0..=CARRIED_AMOUNT_MAX).contains(&quantity),
        }
    }
}

/// A quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carried {
    /// What it is.
    pub kind: CarriedKind,
    /// How much.
    pub quantity: i128,
}

/// The bill that another one stands on.
#[derive(Debug, Clone, Copy)]
pub struct PreviousBill<'a> {
    /// Its content hash.
    pub hash: ContentHash,
    /// Its month.
    pub period: Period,
    /// What it carried.
    pub carried: &'a [Carried],
}
