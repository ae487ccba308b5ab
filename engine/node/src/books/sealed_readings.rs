//! What is sealed of readings: the accepted set, what its days follow from, what stood before, and what is of no day.
//!
//! ```text
//!   batch file ─ check: each leaf and each event follows from what was known ─▶ absorb
//!                                                                                │
//!   accepted   the block that stands, of every day     ◀─────────────────────────┤
//!   states     what it follows from, if it is not plain                          │
//!   superseded blocks that stood before it             history, as of a batch    │
//!   beside     reads, installations, corrections that wait ◀─────────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::day_layers::DayState;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::layer::Layer;
use tallywatt_core::meter::Installation;
use tallywatt_core::meter_event::{Approval, MeterEvent, ReceivedRead};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::meter_event_bytes::pending_hash;
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::batch_file::BatchFile;
use tallywatt_shards::threads::Threads;

use crate::books::BooksError;

/// A register-day as one batch sealed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The batch.
    pub batch: u64,
    /// How many times the day was sealed before.
    pub revision: u8,
    /// What stood then.
    pub block: DayBlock,
    /// What it followed from; of a plain day the block alone.
    pub layers: Vec<Layer>,
}

/// By which batch a day was sealed last, and how many times before.
#[derive(Debug, Clone, Copy)]
struct SealedAs {
    batch: u64,
    revision: u8,
}

/// What dials showed, and of which meters.
#[derive(Debug, Default)]
pub(super) struct Dials {
    pub(super) reads: Vec<ReceivedRead>,
    pub(super) installations: Vec<Installation>,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct SealedReadings {
    accepted: AcceptedSet,
    sealed_as: HashMap<BlockKey, SealedAs>,
    states: HashMap<BlockKey, DayState>,
    superseded: HashMap<BlockKey, Vec<Revision>>,
    /// Each with the batch that sealed it first.
    reads: BTreeMap<UsagePointId, BTreeMap<ReceivedRead, u64>>,
    installations: BTreeMap<UsagePointId, BTreeMap<Installation, u64>>,
    pending: BTreeMap<ContentHash, Layer>,
    approvals: BTreeSet<Approval>,
}

/// What the events of a batch say of its days.
type Said = BTreeMap<LeafKey, DayState>;

impl SealedReadings {
    pub(super) const fn accepted(&self) -> &AcceptedSet {
        &self.accepted
    }

    pub(super) fn revision(&self, key: &BlockKey) -> Option<u8> {
        self.sealed_as.get(key).map(|sealed| sealed.revision)
    }

    pub(super) fn state(&self, key: &BlockKey) -> Option<&DayState> {
        self.states.get(key)
    }

    pub(super) fn reads(&self, usage_point: &UsagePointId) -> impl Iterator<Item = &ReceivedRead> {
        self.reads.get(usage_point).into_iter().flat_map(BTreeMap::keys)
    }

    pub(super) fn installations(&self, usage_point: &UsagePointId) -> impl Iterator<Item = &Installation> {
        self.installations.get(usage_point).into_iter().flat_map(BTreeMap::keys)
    }

    /// The usage points with a meter, in order.
    pub(super) fn metered(&self) -> impl Iterator<Item = &UsagePointId> {
        self.installations.keys()
    }

    /// What was sealed of a usage point's dials when batch `batch` was the newest.
    pub(super) fn dials_as_of(&self, usage_point: &UsagePointId, batch: u64) -> Dials {
        let reads = self.reads.get(usage_point).into_iter().flatten();
        let installations = self.installations.get(usage_point).into_iter().flatten();
        Dials {
            reads: reads.filter(|(_, at)| **at <= batch).map(|(received, _)| *received).collect(),
            installations: installations.filter(|(_, at)| **at <= batch).map(|(one, _)| *one).collect(),
        }
    }

    pub(super) const fn pending(&self) -> &BTreeMap<ContentHash, Layer> {
        &self.pending
    }

    pub(super) const fn approvals(&self) -> &BTreeSet<Approval> {
        &self.approvals
    }

    /// Whether an event that is of no day is sealed.
    pub(super) fn holds(&self, event: &MeterEvent) -> bool {
        match event {
            MeterEvent::Read(read) => {
                self.reads.get(&read.read.usage_point).is_some_and(|own| own.contains_key(read))
            }
            MeterEvent::Installed(one) => {
                self.installations.get(&one.usage_point).is_some_and(|own| own.contains_key(one))
            }
            MeterEvent::Pending(layer) => self.pending.contains_key(&pending_hash(layer)),
            MeterEvent::Approved(approval) => self.approvals.contains(approval),
            MeterEvent::Stamp { .. } | MeterEvent::Layer(_) => false,
        }
    }

    /// Everything that is known beside blocks, as events in order: a function of what was sealed, not of the cuts.
    pub(super) fn events(&self) -> Vec<MeterEvent> {
        let states = self.states.iter().flat_map(|(key, state)| state.events(*key));
        let mut events: Vec<MeterEvent> = states.collect();
        events.extend(self.reads.values().flat_map(BTreeMap::keys).copied().map(MeterEvent::Read));
        events
            .extend(self.installations.values().flat_map(BTreeMap::keys).copied().map(MeterEvent::Installed));
        events.extend(self.pending.values().cloned().map(MeterEvent::Pending));
        events.extend(self.approvals.iter().copied().map(MeterEvent::Approved));
        // A hash map gave them in no order.
        events.sort_unstable();
        events
    }

    /// Every time a day was sealed, the first first.
    pub(super) fn history(&self, key: &BlockKey) -> Vec<Revision> {
        let mut all = self.superseded.get(key).cloned().unwrap_or_default();
        all.extend(self.newest(key));
        all
    }

    /// What was accepted when batch `batch` was the newest.
    pub(super) fn as_of(&self, batch: u64) -> AcceptedSet {
        let mut accepted = AcceptedSet::new();
        for block in self.accepted.blocks_sorted() {
            let key = block.key();
            let is_newest = self.sealed_as.get(&key).is_some_and(|sealed| sealed.batch <= batch);
            let mut before = self.superseded.get(&key).into_iter().flatten();
            let stood = before.rfind(|revision| revision.batch <= batch);
            match (is_newest, stood) {
                (true, _) => accepted.replace(block.clone()),
                (false, Some(revision)) => accepted.replace(revision.block.clone()),
                (false, None) => {}
            }
        }
        accepted.take_touched();
        accepted
    }

    fn newest(&self, key: &BlockKey) -> Option<Revision> {
        let (block, sealed) = self.accepted.get(key).zip(self.sealed_as.get(key))?;
        let layers = DayState::layers_of(self.states.get(key), block).layers().to_vec();
        Some(Revision { batch: sealed.batch, revision: sealed.revision, block: block.clone(), layers })
    }

    /// Checks a batch against what was sealed before, leaf by leaf and event by event.
    pub(super) fn check(&self, file: &BatchFile, threads: &Threads) -> Result<(), BooksError> {
        let said = said(file)?;
        let check = |(at, leaf): (usize, &DayLeaf)| {
            let key = leaf.block().key();
            self.check_leaf(leaf, said.get(&LeafKey::new(&key)))
                .map_err(|what| leaf_error(file.sequence, at, &key, what))
        };
        let checked: Vec<Result<(), BooksError>> =
            threads.pool().install(|| file.leaves.par_iter().enumerate().map(check).collect());
        checked.into_iter().collect::<Result<(), BooksError>>()?;
        let with_leaf: BTreeSet<LeafKey> =
            file.leaves.iter().map(|leaf| LeafKey::new(&leaf.block().key())).collect();
        for (key, state) in said.iter().filter(|(key, _)| !with_leaf.contains(key)) {
            let key = key.block_key();
            self.check_state(&key, state).map_err(|what| BooksError::State {
                sequence: file.sequence,
                key,
                what,
            })?;
        }
        self.check_approvals(file)
    }

    /// A leaf carries its next revision, is what its layers give, and takes back nothing known before.
    fn check_leaf(&self, leaf: &DayLeaf, said: Option<&DayState>) -> Result<(), &'static str> {
        let (block, key) = (leaf.block(), leaf.block().key());
        let next = self.revision(&key).map_or(0, |last| last.saturating_add(1));
        if next != leaf.revision() {
            return Err("its revision is not the next");
        }
        if let Some(DayState::Layered(layers)) = said
            && layers.fold() != *block
        {
            return Err("it is not what its layers give");
        }
        let Some(known) = self.accepted.get(&key) else { return Ok(()) };
        if self.states.contains_key(&key) || said.is_some() {
            return self.check_layers(known, said, block);
        }
        let mut joined = known.clone();
        let same_grid = joined.merge(block).is_ok();
        if !same_grid || joined.values_wh() != block.values_wh() || joined.qualities() != block.qualities() {
            return Err("it takes back readings accepted before");
        }
        Ok(())
    }

    /// What is known of a day whose leaf is not in the batch.
    fn check_state(&self, key: &BlockKey, said: &DayState) -> Result<(), &'static str> {
        let known = self.accepted.get(key).ok_or("it has layers and no leaf")?;
        if self.states.get(key) == Some(said) {
            return Err("nothing of its layers is new");
        }
        if let DayState::Layered(layers) = said
            && layers.fold() != *known
        {
            return Err("it is not what its layers give");
        }
        self.check_layers(known, Some(said), known)
    }

    /// What is said of a day now includes all that was known.
    fn check_layers(
        &self,
        known: &DayBlock,
        said: Option<&DayState>,
        block: &DayBlock,
    ) -> Result<(), &'static str> {
        let now = DayState::layers_of(said, block);
        let mut all = now.clone();
        all.unite(&DayState::layers_of(self.states.get(&known.key()), known))
            .map_err(|_| "its grid is another than before")?;
        if all == now { Ok(()) } else { Err("it takes back layers known before") }
    }

    /// Only a correction that waits is let pass.
    fn check_approvals(&self, file: &BatchFile) -> Result<(), BooksError> {
        let own: BTreeSet<ContentHash> = file
            .events
            .iter()
            .filter_map(|event| match event {
                MeterEvent::Pending(layer) => Some(pending_hash(layer)),
                _ => None,
            })
            .collect();
        for event in &file.events {
            if let MeterEvent::Approved(Approval { layer, who, .. }) = event
                && !own.contains(layer)
                && !self.pending.contains_key(layer)
            {
                return Err(BooksError::Conflict(format!("{who} approves {layer}, which does not wait")));
            }
        }
        Ok(())
    }

    /// Moves on by a batch that was checked.
    pub(super) fn absorb(&mut self, file: BatchFile) -> Result<(), BooksError> {
        let mut said = said(&file)?;
        let batch = file.sequence;
        for leaf in file.leaves {
            let key = leaf.block().key();
            let sealed = SealedAs { batch, revision: leaf.revision() };
            let before = self.newest(&key);
            let state = said.remove(&LeafKey::new(&key));
            let is_plain = state.is_none() && !self.states.contains_key(&key);
            let block = leaf.into_block();
            if self.accepted.get(&key).is_some_and(|known| known.grid() != block.grid()) {
                return Err(BooksError::Conflict(format!(
                    "{} on {} changed its grid",
                    key.usage_point, key.day
                )));
            }
            if is_plain {
                // The source may be greater than the leaf says.
                self.accepted.merge(block).map_err(|error| BooksError::Conflict(error.to_string()))?;
            } else {
                self.accepted.replace(block);
            }
            if let Some(before) = before {
                self.superseded.entry(key).or_default().push(before);
            }
            self.sealed_as.insert(key, sealed);
            self.learn(key, state);
        }
        for (key, state) in said {
            self.learn(key.block_key(), Some(state));
        }
        self.accepted.take_touched();
        file.events.into_iter().for_each(|event| self.add(event, batch));
        Ok(())
    }

    fn learn(&mut self, key: BlockKey, state: Option<DayState>) {
        match state {
            Some(state) => self.states.insert(key, state),
            None => self.states.remove(&key),
        };
    }

    fn add(&mut self, event: MeterEvent, batch: u64) {
        match event {
            MeterEvent::Stamp { .. } | MeterEvent::Layer(_) => {}
            MeterEvent::Read(read) => {
                self.reads.entry(read.read.usage_point).or_default().entry(read).or_insert(batch);
            }
            MeterEvent::Installed(one) => {
                self.installations.entry(one.usage_point).or_default().entry(one).or_insert(batch);
            }
            MeterEvent::Pending(layer) => {
                self.pending.insert(pending_hash(&layer), layer);
            }
            MeterEvent::Approved(approval) => {
                self.approvals.insert(approval);
            }
        }
    }
}

/// What the events of a batch say of its days, each in its one form.
fn said(file: &BatchFile) -> Result<Said, BooksError> {
    let days = file.events.iter().take_while(|event| event.day_of_state().is_some()).count();
    let mut said = Said::new();
    for same in file.events[..days].chunk_by(|a, b| a.day_of_state() == b.day_of_state()) {
        let Some(key) = same[0].day_of_state() else { continue };
        let what = "its layers are not in their one form";
        let wrong = || BooksError::State { sequence: file.sequence, key, what };
        let state = DayState::of_events(same).ok_or_else(wrong)?;
        if said.insert(LeafKey::new(&key), state).is_some() {
            return Err(wrong());
        }
    }
    Ok(said)
}

fn leaf_error(sequence: u64, at: usize, key: &BlockKey, what: &'static str) -> BooksError {
    BooksError::Leaf { sequence, at, usage_point: key.usage_point, day: key.day.to_string(), what }
}
