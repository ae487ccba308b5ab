//! Values that go to the layers of their day: of an issue, taken back, set by a person, or in conflict.
//!
//! ```text
//!   open ─▶ put, put, … ─▶ close ─▶ block and state changed? held, and written ahead
//!              └─ held back: would replace a billed value by much ─▶ a correction that waits
//! ```

use tallywatt_core::day_block::{DayBlock, MergeCounts, join_counted};
use tallywatt_core::day_layers::{DayLayers, DayState, Put};
use tallywatt_core::layer::{Layer, LayerHead, LayerKind};
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_core::vee::guard::ReplacementGuard;
use tallywatt_ledger::day_leaf::leaf_size;
use tallywatt_ledger::day_pack::Header;
use tallywatt_ledger::leaf_key::LeafKey;

use super::{LaneIntake, reading_outcome};
use crate::accepted::Outcome;
use crate::day_slot;
use crate::day_table::Slot;
use crate::lane::{Intent, Mark};
use crate::shard::block_of;

/// A day whose layers are at hand.
pub(super) struct OpenDay {
    partition: u8,
    key: LeafKey,
    /// As it was opened; nothing if it is new.
    before: Option<(Slot, DayBlock)>,
    layers: DayLayers,
    /// What bills used of it.
    billed: Option<(Vec<i32>, ReplacementGuard)>,
    /// Whether the values at hand would together leave the day too far from what was billed.
    is_too_far: bool,
    held_back: Vec<(usize, (i32, Quality))>,
}

impl OpenDay {
    /// Looks at values that are about to be put in, from interval `first` on: many small differences from what was
    /// billed are a large one of the day.
    pub(super) fn weigh(&mut self, first: usize, values_wh: &[i32], quality: Quality, mark: &Mark) {
        let Some((billed, guard)) = &self.billed else { return };
        if mark.intent != Intent::Deliver {
            return;
        }
        let head = LayerHead { kind: LayerKind::Delivered, issued: mark.issued, origin: mark.origin };
        let mut would = self.layers.clone();
        for (at, &wh) in (first..).zip(values_wh) {
            // What waits by itself moves nothing.
            if !self.is_held_back(at, (wh, quality), mark) {
                would.put(head, at, (wh, quality));
            }
        }
        let billed_wh: i64 = billed.iter().map(|&wh| i64::from(wh)).sum();
        let (stands_wh, would_wh) = (self.layers.fold().total_wh(), would.fold().total_wh());
        // What comes nearer to what was billed than it is may come.
        self.is_too_far = guard.holds_back(billed_wh, would_wh)
            && would_wh.abs_diff(billed_wh) > stands_wh.abs_diff(billed_wh);
    }

    /// Puts one value in that breaks no rule, and says what became of it.
    pub(super) fn put(&mut self, at: usize, value: (i32, Quality), mark: &Mark) -> Outcome {
        match mark.intent {
            Intent::Deliver if self.is_held_back(at, value, mark) => {
                self.held_back.push((at, value));
                Outcome::Rejected(RejectionCode::Replacement)
            }
            Intent::Deliver | Intent::Approve => self.deliver(at, value, mark),
            Intent::Withdraw => self.withdraw(at, value, mark),
            Intent::Edit => self.edit(at, value, mark),
        }
    }

    fn deliver(&mut self, at: usize, value: (i32, Quality), mark: &Mark) -> Outcome {
        let head = LayerHead { kind: LayerKind::Delivered, issued: mark.issued, origin: mark.origin };
        let before = self.layers.stands(at);
        // Without a word of issues it is what joining blocks gives, and is counted so.
        if head == LayerHead::BASE && self.layers.is_base_only() {
            let mut counts = MergeCounts::default();
            let _ = join_counted(before, value, &mut counts);
            return match self.layers.put(head, at, value) {
                Put::Full => Outcome::Rejected(RejectionCode::Conflict),
                Put::Known | Put::New => reading_outcome(counts),
            };
        }
        match self.layers.put(head, at, value) {
            Put::Known if self.layers.holds(&head, at, value) => Outcome::Duplicate,
            // Outranked, and not kept.
            Put::Known => Outcome::Corrected,
            Put::Full => Outcome::Rejected(RejectionCode::Conflict),
            Put::New if before.1 == Quality::Missing && self.layers.stands(at).1 != Quality::Missing => {
                Outcome::Accepted
            }
            Put::New if self.is_disputed(at, &head, value) => Outcome::Conflict,
            Put::New => Outcome::Corrected,
        }
    }

    fn withdraw(&mut self, at: usize, value: (i32, Quality), mark: &Mark) -> Outcome {
        let head = LayerHead { kind: LayerKind::Withdrawn, issued: mark.issued, origin: mark.origin };
        let before = self.layers.stands(at);
        match self.layers.put(head, at, value) {
            Put::Known => Outcome::Duplicate,
            Put::Full => Outcome::Rejected(RejectionCode::Conflict),
            Put::New if self.layers.stands(at) != before => Outcome::Corrected,
            // It is kept: what it names may come yet.
            Put::New => Outcome::Accepted,
        }
    }

    /// Takes back all that might stand, and sets the value; the issue is later than any.
    fn edit(&mut self, at: usize, value: (i32, Quality), mark: &Mark) -> Outcome {
        let before = self.layers.stands(at);
        if before == value {
            return Outcome::Duplicate;
        }
        // An earlier edit in the same second must not be taken for this one.
        let issued = mark.issued.max(Issued(self.layers.last_issue().0.saturating_add(1)));
        let standing: Vec<(LayerHead, (i32, Quality))> = self.layers.unstruck(at).collect();
        for (other, struck) in standing {
            let head = LayerHead { kind: LayerKind::Withdrawn, issued: other.issued, origin: mark.origin };
            if self.layers.put(head, at, struck) == Put::Full {
                return Outcome::Rejected(RejectionCode::Conflict);
            }
        }
        let head = LayerHead { kind: LayerKind::Delivered, issued, origin: mark.origin };
        match self.layers.put(head, at, value) {
            Put::Full => Outcome::Rejected(RejectionCode::Conflict),
            _ if before.1 == Quality::Missing => Outcome::Accepted,
            _ => Outcome::Corrected,
        }
    }

    /// Whether the value is one of several that differ, of which the smallest stands.
    fn is_disputed(&self, at: usize, head: &LayerHead, value: (i32, Quality)) -> bool {
        let order = (value.1.rank(), head.issued);
        let is_rival = |(other, rival): (LayerHead, (i32, Quality))| {
            (rival.1.rank(), other.issued) == order && rival.0 != value.0
        };
        self.layers.standing_rank(at) == Some(order) && self.layers.unstruck(at).any(is_rival)
    }

    /// Whether a measured value would take the place of one that a bill used, and is far from it.
    fn is_held_back(&self, at: usize, value: (i32, Quality), mark: &Mark) -> bool {
        let Some((billed, guard)) = &self.billed else { return false };
        let head = LayerHead { kind: LayerKind::Delivered, issued: mark.issued, origin: mark.origin };
        let would_stand =
            self.layers.standing_rank(at).is_none_or(|rank| rank <= (value.1.rank(), mark.issued));
        let billed_wh = billed.get(at).copied().unwrap_or_default();
        value.1.rank() == Quality::Valid.rank()
            && (self.is_too_far || guard.holds_back(billed_wh.into(), value.0.into()))
            && would_stand
            && self.layers.stands(at).0 != value.0
            && !self.layers.holds(&head, at, value)
    }
}

impl LaneIntake<'_> {
    /// Takes a day at hand, known or not.
    pub(super) fn open_layers(
        &mut self,
        partition: u8,
        key: LeafKey,
        known: Option<Slot>,
        header: &Header,
    ) -> OpenDay {
        let block = match known {
            Some(slot) => block_of(self.shard.table.frame(slot)),
            None => {
                let frame = &mut self.frame[..leaf_size(day_slot::interval_count(header))];
                day_slot::write_empty(header, frame);
                block_of(frame)
            }
        };
        let layers = DayState::layers_of(self.shard.layered.state(&key), &block);
        let billed = if self.has_billed { self.earlier.billed(&key) } else { None };
        let before = known.map(|slot| (slot, block));
        OpenDay { partition, key, before, layers, billed, is_too_far: false, held_back: Vec::new() }
    }

    /// Holds what became of a day, and what waits of it.
    pub(super) fn close_layers(&mut self, day: OpenDay, mark: &Mark) {
        let OpenDay { partition, key, before, mut layers, held_back, .. } = day;
        if let Some(event) = waiting(&layers, &held_back, mark) {
            self.event(event);
        }
        // All that came was set aside: it leaves no trace, not even an empty day.
        if before.is_none() && layers.layers().is_empty() {
            return;
        }
        layers.raise_source(self.rules.source);
        let block = layers.fold();
        let state = DayState::of(layers);
        let has_changed = state.as_ref() != self.shard.layered.state(&key);
        if has_changed || before.is_none_or(|(_, before)| before != block) {
            let slot = self.shard.put_frame(partition, key, block);
            self.shard.table.touch(slot);
        }
        if has_changed {
            self.shard.layered.learn(partition, key, state);
        }
    }
}

/// The correction that waits, of values that were held back.
fn waiting(layers: &DayLayers, held_back: &[(usize, (i32, Quality))], mark: &Mark) -> Option<MeterEvent> {
    if held_back.is_empty() {
        return None;
    }
    let mut block = layers.fold().emptied();
    for (at, (value_wh, quality)) in held_back {
        block.put(*at, *value_wh, *quality, &mut MergeCounts::default());
    }
    let head = LayerHead { kind: LayerKind::Delivered, issued: mark.issued, origin: mark.origin };
    Some(MeterEvent::Pending(Layer { head, block }))
}
