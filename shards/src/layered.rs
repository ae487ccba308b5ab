//! What a shard keeps beside its days: the layers of those that are not plain, and what is of no day.
//!
//! ```text
//!   day table, packs     the block that stands, of every day
//!   Layered              states: what it follows from, of days that are not plain      events: reads, meters, approvals
//! ```
//!
//! A plain day has no entry, and costs nothing here. States stay in memory until they are sealed, also of days whose
//! blocks were let go of: the sum of them is bounded by what a cut takes.

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::day_layers::DayState;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_ledger::leaf_key::LeafKey;

/// See the module's page.
#[derive(Debug, Default)]
pub struct Layered {
    states: BTreeMap<LeafKey, (u8, DayState)>,
    touched: BTreeSet<LeafKey>,
    events: BTreeSet<MeterEvent>,
    /// Of these, the ones that are not written ahead yet.
    fresh: Vec<MeterEvent>,
}

impl Layered {
    /// What is known of a day beside its block; nothing if it is plain.
    #[must_use]
    pub fn state(&self, key: &LeafKey) -> Option<&DayState> {
        // The ordinary case, and not worth a search.
        if self.states.is_empty() {
            return None;
        }
        self.states.get(key).map(|(_, state)| state)
    }

    /// Whether any day is not plain.
    pub(crate) fn has_states(&self) -> bool {
        !self.states.is_empty()
    }

    /// Every day that is not plain, with its partition, by key.
    pub fn states(&self) -> impl Iterator<Item = (&LeafKey, u8, &DayState)> {
        self.states.iter().map(|(key, (partition, state))| (key, *partition, state))
    }

    /// What is of no day, in order.
    #[must_use]
    pub const fn events(&self) -> &BTreeSet<MeterEvent> {
        &self.events
    }

    /// Remembers what was known of a day before.
    pub(crate) fn hold(&mut self, partition: u8, key: LeafKey, state: DayState) {
        self.states.entry(key).or_insert((partition, state));
    }

    /// Learns what is known of a day now; it will be written ahead. A day becomes plain again when a better rank leaves
    /// nothing of values that differed.
    pub(crate) fn learn(&mut self, partition: u8, key: LeafKey, state: Option<DayState>) {
        self.touched.insert(key);
        self.replay_state(partition, key, state);
    }

    /// A day's block changed: it is written ahead with what is known beside it.
    pub(crate) fn touch(&mut self, key: &LeafKey) {
        if self.state(key).is_some() {
            self.touched.insert(*key);
        }
    }

    /// Adds what is of no day, if it is new.
    pub(crate) fn add(&mut self, event: MeterEvent) {
        if self.events.insert(event.clone()) {
            self.fresh.push(event);
        }
    }

    /// Adds again what was written ahead before.
    pub(crate) fn replay(&mut self, event: MeterEvent) {
        self.events.insert(event);
    }

    /// Learns again what was written ahead before.
    pub(crate) fn replay_state(&mut self, partition: u8, key: LeafKey, state: Option<DayState>) {
        match state {
            Some(state) => self.states.insert(key, (partition, state)),
            None => self.states.remove(&key),
        };
    }

    /// What is to be written ahead since the last time.
    pub(crate) fn take_fresh(&mut self) -> Vec<MeterEvent> {
        let mut events = std::mem::take(&mut self.fresh);
        for key in std::mem::take(&mut self.touched) {
            if let Some(state) = self.state(&key) {
                events.extend(state.events(key.block_key()));
            }
        }
        events
    }

    /// Forgets everything: all of it is sealed.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
