//! A layer: values that one source said, or took back, of one register-day, in one issue and for one reason.
//!
//! ```text
//!   Layer ─┬─ head: delivered or withdrawn, issue, origin      what is said of all its values
//!          └─ block: a value where it says one, missing where it says nothing
//! ```
//!
//! What follows from many layers is in [`crate::day_layers`].

use std::cmp::Ordering;

use crate::calendar::UtcSeconds;
use crate::day_block::DayBlock;
use crate::label::Label;
use crate::reading::Issued;

/// Whether values are given or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LayerKind {
    /// The values were measured, computed or set.
    Delivered = 1,
    /// These very values are taken back; their quality says nothing, and is [`crate::quality::Quality::Valid`].
    Withdrawn = 2,
}

impl LayerKind {
    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Delivered),
            2 => Some(Self::Withdrawn),
            _ => None,
        }
    }
}

/// Why values came, or were taken back: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CorrectionReason {
    /// Delivered in the ordinary way: no correction.
    Delivery = 0,
    /// The source delivered the same time again.
    Redelivery = 1,
    /// A person set the value.
    ManualEdit = 2,
    /// The meter or its transformers were at fault.
    MeterFault = 3,
    /// A measurement took the place of an estimate.
    EstimateReplaced = 4,
    /// The source took the value back.
    WithdrawnBySource = 5,
    /// The meter was exchanged, and its last or first reads were counted wrongly.
    MeterExchange = 6,
    /// The parties agreed on the value after a dispute.
    Settled = 7,
}

impl CorrectionReason {
    /// Every reason, by code.
    pub const ALL: [Self; 8] = [
        Self::Delivery,
        Self::Redelivery,
        Self::ManualEdit,
        Self::MeterFault,
        Self::EstimateReplaced,
        Self::WithdrawnBySource,
        Self::MeterExchange,
        Self::Settled,
    ];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The name that people type and read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Redelivery => "redelivery",
            Self::ManualEdit => "manual-edit",
            Self::MeterFault => "meter-fault",
            Self::EstimateReplaced => "estimate-replaced",
            Self::WithdrawnBySource => "withdrawn-by-source",
            Self::MeterExchange => "meter-exchange",
            Self::Settled => "settled",
        }
    }
}

/// Why a layer is there, by whom and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Why.
    pub reason: CorrectionReason,
    /// Who said so, if somebody is named.
    pub who: Option<Label>,
    /// When they said so, if that is known. Of a file it is not the time of its taking in: the same file twice is one layer.
    pub at: Option<UtcSeconds>,
}

impl Origin {
    /// A delivery like any other.
    pub const DELIVERY: Self = Self { reason: CorrectionReason::Delivery, who: None, at: None };
    /// A source takes back what it delivered.
    pub const WITHDRAWN_BY_SOURCE: Self =
        Self { reason: CorrectionReason::WithdrawnBySource, who: None, at: None };
}

/// What is said of all values of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerHead {
    /// Whether they are given or taken back.
    pub kind: LayerKind,
    /// Of which issue they are.
    pub issued: Issued,
    /// Why, by whom, when.
    pub origin: Origin,
}

impl LayerHead {
    /// Of values that a source delivered without a word of their issue: those of a plain day block.
    pub const BASE: Self = Self::delivered(Issued::UNSAID);

    /// Of values that a source delivered in an issue.
    #[must_use]
    pub const fn delivered(issued: Issued) -> Self {
        Self { kind: LayerKind::Delivered, issued, origin: Origin::DELIVERY }
    }

    /// Whether a withdrawal under this head takes back an equal value under `other`: one of its own issue, or without a word
    /// of the issue one of any that a source delivered. What a person set is taken back by its issue only, so that a value
    /// can be set again that was taken back before.
    #[must_use]
    pub fn strikes(&self, other: &Self) -> bool {
        let is_of_source = other.origin.who.is_none();
        let names = self.issued == other.issued || (self.issued == Issued::UNSAID && is_of_source);
        self.kind == LayerKind::Withdrawn && other.kind == LayerKind::Delivered && names
    }
}

/// Values of one register-day, and what is said of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What is said of them.
    pub head: LayerHead,
    /// The values; missing where it says nothing.
    pub block: DayBlock,
}

impl Ord for Layer {
    /// By register and day, then as they are said, then by what they say.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |layer: &Self| (layer.block.key(), layer.head);
        order(self).cmp(&order(other)).then_with(|| self.block.cmp(&other.block))
    }
}

impl PartialOrd for Layer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_a_bijection() {
        for reason in CorrectionReason::ALL {
            assert_eq!(CorrectionReason::from_code(reason.code()), Some(reason));
        }
        let known = |code: &u8| CorrectionReason::from_code(*code).is_some();
        assert_eq!((0..=255_u8).filter(known).count(), CorrectionReason::ALL.len());
        assert_eq!((0..=255_u8).filter_map(LayerKind::from_code).count(), 2);
    }
}
