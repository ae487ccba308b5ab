//! What comes off a meter, or is said of it, beside interval values: kept as a set, in which order and repetition do not show.
//!
//! ```text
//!   Stamp, Layer          how a day came to stand as it does       only of days that are not plain
//!   Pending, Approved     a correction that waits, and who let it pass
//!   Read, Installed       dials, and which meter counted when
//! ```
//!
//! Two events that contradict each other are both kept: whoever computes from them names the conflict.

use crate::calendar::UtcSeconds;
use crate::day_block::BlockKey;
use crate::day_layers::{DayLayers, DayState};
use crate::hash::ContentHash;
use crate::label::{Label, UsagePointId};
use crate::layer::Layer;
use crate::meter::{Installation, RegisterRead};
use crate::reading::Issued;

/// A read of a cumulative register, and how it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceivedRead {
    /// What the dial showed.
    pub read: RegisterRead,
    /// Who read it, if the source says.
    pub who: Option<Label>,
    /// When the source had it or a person entered it, if that is said: not the time of taking in.
    pub received: Option<UtcSeconds>,
}

impl ReceivedRead {
    /// Of an issue: formats that give reads of dials count their issues in seconds since 1970.
    #[must_use]
    pub fn of_issue(read: RegisterRead, who: Option<Label>, issued: Issued) -> Self {
        let seconds = UtcSeconds(i64::try_from(issued.0).unwrap_or(i64::MAX));
        Self { read, who, received: (issued != Issued::UNSAID).then_some(seconds) }
    }

    /// Among reads of one register at one instant the greatest stands: the highest rank, of one rank the latest received.
    /// Two that are equal here and show different dials are a conflict.
    #[must_use]
    pub const fn precedence(&self) -> (u8, Option<UtcSeconds>) {
        (self.read.quality.rank(), self.received)
    }
}

/// A word of a person that lets a waiting correction pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approval {
    /// The content hash of the waiting correction's record.
    pub layer: ContentHash,
    /// Who.
    pub who: Label,
    /// When.
    pub at: UtcSeconds,
}

/// One event. The order is that of the variants, then that of their fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MeterEvent {
    /// All that is known of a day was delivered in one issue.
    Stamp {
        /// The day.
        key: BlockKey,
        /// The issue, never [`Issued::UNSAID`].
        issued: Issued,
    },
    /// One of the layers of a day that has several, or one out of the ordinary.
    Layer(Layer),
    /// A delivered layer that is not applied: it would replace what a bill used, by much.
    Pending(Layer),
    /// A waiting correction was let pass; its values are among the day's layers.
    Approved(Approval),
    /// A dial was read.
    Read(ReceivedRead),
    /// A meter counted, from when to when.
    Installed(Installation),
}

impl MeterEvent {
    /// The usage point it is of; of an approval none, it is of a record.
    #[must_use]
    pub const fn usage_point(&self) -> Option<UsagePointId> {
        match self {
            Self::Stamp { key, .. } => Some(key.usage_point),
            Self::Layer(layer) | Self::Pending(layer) => Some(layer.block.key().usage_point),
            Self::Approved(_) => None,
            Self::Read(received) => Some(received.read.usage_point),
            Self::Installed(installation) => Some(installation.usage_point),
        }
    }

    /// The day whose state it is a part of.
    #[must_use]
    pub const fn day_of_state(&self) -> Option<BlockKey> {
        match self {
            Self::Stamp { key, .. } => Some(*key),
            Self::Layer(layer) => Some(layer.block.key()),
            _ => None,
        }
    }
}

impl DayState {
    /// The events that say it, of the day with this key; in order.
    #[must_use]
    pub fn events(&self, key: BlockKey) -> Vec<MeterEvent> {
        match self {
            Self::Stamped(issued) => vec![MeterEvent::Stamp { key, issued: *issued }],
            Self::Layered(layers) => {
                let mut events: Vec<MeterEvent> =
                    layers.layers().iter().cloned().map(MeterEvent::Layer).collect();
                events.sort_unstable();
                events
            }
        }
    }

    /// What the events of one day say, in order; `None` if they are not what [`DayState::events`] gives.
    #[must_use]
    pub fn of_events(events: &[MeterEvent]) -> Option<Self> {
        let state = match events {
            [MeterEvent::Stamp { issued, .. }] if *issued != Issued::UNSAID => Self::Stamped(*issued),
            layers => {
                let layer = |event: &MeterEvent| match event {
                    MeterEvent::Layer(layer) => Some(layer.clone()),
                    _ => None,
                };
                let layers: Vec<Layer> = layers.iter().map(layer).collect::<Option<_>>()?;
                let days = layers.iter().map(|layer| layer.block.key());
                if days.clone().any(|key| Some(key) != days.clone().next()) {
                    return None;
                }
                Self::of(DayLayers::union_of(&layers).ok()??)?
            }
        };
        let key = events.first()?.day_of_state()?;
        (state.events(key) == events).then_some(state)
    }
}
