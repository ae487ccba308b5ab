//! The accepted set: what is known of every register-day.
//!
//! ```text
//!   RawReading ──▶ (usage point, register, local day) ──▶ slot ──▶ DayBlock
//!                   │ same as the reading before: no look-up        joined by `DayBlock::put`
//!                   └ otherwise one hash look-up
//! ```
//!
//! Invariants: a rejected reading leaves no trace, not even an empty day; a day's grid is that of its first
//! accepted reading; for readings of one grid the set is the same for any order, splitting or repetition.
//! Memory is the limit: about 600 bytes a register-day of half-hours.

use std::collections::HashMap;

use ahash::RandomState;
use tallywatt_core::calendar::{LocalDay, Period, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock, DayBlockError, MergeCounts};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{RawReading, Source};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_core::vee::judge::{Limits, judge};
use tallywatt_ledger::seal::seal_order;

/// What became of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The interval had no value before.
    Accepted,
    /// Equal to what was there.
    Duplicate,
    /// Replaced, or was outranked by, a value of another rank.
    Corrected,
    /// Differed from a value of equal rank. It was joined in; the caller also writes a
    /// [`RejectionCode::Conflict`].
    Conflict,
    /// Set aside: the set is as before.
    Rejected(RejectionCode),
}

/// Every register-day that any accepted reading or frame was for.
#[derive(Debug, Default)]
pub struct AcceptedSet {
    slots: Vec<Slot>,
    /// Keys come from outside, so the hash is seeded; it is never iterated.
    index: HashMap<BlockKey, usize, RandomState>,
    touched: Vec<usize>,
    recent_day: Option<RecentDay>,
    recent_slot: Option<RecentSlot>,
}

#[derive(Debug)]
struct Slot {
    block: DayBlock,
    is_touched: bool,
}

/// The local day of the last reading: the next one is mostly of the same.
#[derive(Debug)]
struct RecentDay {
    zone_name: String,
    local: LocalDay,
}

/// Where the last reading went. Valid for readings of the recent day only.
#[derive(Debug, Clone, Copy)]
struct RecentSlot {
    usage_point: UsagePointId,
    register: Register,
    local: LocalDay,
    slot: usize,
}

impl AcceptedSet {
    /// Nothing accepted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges one reading against the local day it falls in, and joins it in.
    ///
    /// `zone` is the usage point's: it decides the local day. Codes that need no grid come first only where
    /// the grid cannot be made: [`RejectionCode::Stamp`] outside 1970 to 2199, and
    /// [`RejectionCode::IntervalSize`] when the length does not fill the day.
    pub fn accept(&mut self, reading: &RawReading, zone: &Zone, source: Source, limits: &Limits) -> Outcome {
        let Some(local) = self.local_day_of(reading, zone) else {
            return Outcome::Rejected(RejectionCode::Stamp);
        };
        let known = self.recent_slot_of(reading, &local).or_else(|| {
            let key =
                BlockKey { usage_point: reading.usage_point, register: reading.register, day: local.day };
            self.index.get(&key).copied()
        });
        let result = match known {
            Some(slot) => self.accept_known(slot, reading, &local, source, limits),
            None => self.accept_new(reading, local, source, limits),
        };
        match result {
            Ok((slot, outcome)) => {
                let RawReading { usage_point, register, .. } = *reading;
                self.recent_slot = Some(RecentSlot { usage_point, register, local, slot });
                outcome
            }
            Err(code) => Outcome::Rejected(code),
        }
    }

    /// Joins a whole day in: a frame of the write-ahead log, or one that came over the wire.
    ///
    /// # Errors
    /// [`DayBlockError`] when the day is known on another grid: nothing is changed then.
    pub fn merge(&mut self, block: DayBlock) -> Result<MergeCounts, DayBlockError> {
        let Some(&slot) = self.index.get(&block.key()) else {
            let accepted = u64::try_from(block.present_count()).expect("a day has at most 300 intervals");
            self.insert(block);
            return Ok(MergeCounts { accepted, ..MergeCounts::default() });
        };
        let before = self.slots[slot].block.clone();
        let counts = self.slots[slot].block.merge(&block)?;
        if self.slots[slot].block != before {
            self.touch(slot);
        }
        Ok(counts)
    }

    /// Takes a day as it stands now, whatever was known of it: its layers say so.
    pub fn replace(&mut self, block: DayBlock) {
        match self.index.get(&block.key()) {
            None => {
                self.insert(block);
            }
            Some(&slot) if self.slots[slot].block != block => {
                self.slots[slot].block = block;
                self.touch(slot);
            }
            Some(_) => {}
        }
    }

    /// What is known of one register-day.
    #[must_use]
    pub fn get(&self, key: &BlockKey) -> Option<&DayBlock> {
        self.index.get(key).map(|&slot| &self.slots[slot].block)
    }

    /// The register-days that changed since the last [`AcceptedSet::take_touched`], sorted.
    #[must_use]
    pub fn touched(&self) -> Vec<BlockKey> {
        let mut keys: Vec<BlockKey> = self.touched.iter().map(|&slot| self.slots[slot].block.key()).collect();
        keys.sort_unstable();
        keys
    }

    /// The same, and from now on only later changes count.
    pub fn take_touched(&mut self) -> Vec<BlockKey> {
        let keys = self.touched();
        for slot in self.touched.drain(..) {
            self.slots[slot].is_touched = false;
        }
        keys
    }

    /// Every day block, in the order leaves are sealed in.
    #[must_use]
    pub fn blocks_sorted(&self) -> Vec<&DayBlock> {
        let mut blocks: Vec<&DayBlock> = self.slots.iter().map(|slot| &slot.block).collect();
        blocks.sort_by_cached_key(|block| seal_order(&block.key()));
        blocks
    }

    /// The day blocks of one billing month, sorted by key.
    #[must_use]
    pub fn blocks_of_period(&self, period: Period) -> Vec<&DayBlock> {
        let days = period.first_day()..period.end_day();
        let mut blocks: Vec<&DayBlock> = self
            .slots
            .iter()
            .map(|slot| &slot.block)
            .filter(|block| days.contains(&block.key().day))
            .collect();
        blocks.sort_unstable_by_key(|block| block.key());
        blocks
    }

    /// How many register-days are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn local_day_of(&mut self, reading: &RawReading, zone: &Zone) -> Option<LocalDay> {
        if let Some(recent) = &self.recent_day
            && recent.local.contains(reading.start)
            && recent.zone_name == zone.name()
        {
            return Some(recent.local);
        }
        let local = zone.local_day_of(reading.start)?;
        match &mut self.recent_day {
            Some(recent) if recent.zone_name == zone.name() => recent.local = local,
            recent => *recent = Some(RecentDay { zone_name: zone.name().to_owned(), local }),
        }
        Some(local)
    }

    fn recent_slot_of(&self, reading: &RawReading, local: &LocalDay) -> Option<usize> {
        let recent = self.recent_slot.as_ref()?;
        let same = recent.usage_point == reading.usage_point
            && recent.register == reading.register
            && recent.local == *local;
        same.then_some(recent.slot)
    }

    fn accept_known(
        &mut self,
        slot: usize,
        reading: &RawReading,
        local: &LocalDay,
        source: Source,
        limits: &Limits,
    ) -> Result<(usize, Outcome), RejectionCode> {
        let block = &mut self.slots[slot].block;
        // The usage point's zone was another when the day came in: its intervals are not this day's.
        if block.start() != local.start && block.interval_minutes() == reading.interval_minutes {
            return Err(RejectionCode::OffGrid);
        }
        let (at, value_wh) = judge(reading, &block.grid(), limits)?;
        if reading.quality == Quality::Missing {
            return Err(RejectionCode::NoValue);
        }
        let before = (block.values_wh()[at], block.qualities()[at], block.source());
        let outcome = put(block, at, value_wh, reading.quality);
        if source > block.source() {
            *block = with_source(block, source);
        }
        if before != (block.values_wh()[at], block.qualities()[at], block.source()) {
            self.touch(slot);
        }
        Ok((slot, outcome))
    }

    fn accept_new(
        &mut self,
        reading: &RawReading,
        local: LocalDay,
        source: Source,
        limits: &Limits,
    ) -> Result<(usize, Outcome), RejectionCode> {
        let RawReading { usage_point, register, interval_minutes, .. } = *reading;
        let mut block = DayBlock::empty(usage_point, register, local, interval_minutes, source)
            .map_err(|_| RejectionCode::IntervalSize)?;
        let (at, value_wh) = judge(reading, &block.grid(), limits)?;
        if reading.quality == Quality::Missing {
            return Err(RejectionCode::NoValue);
        }
        let outcome = put(&mut block, at, value_wh, reading.quality);
        Ok((self.insert(block), outcome))
    }

    fn insert(&mut self, block: DayBlock) -> usize {
        let slot = self.slots.len();
        let previous = self.index.insert(block.key(), slot);
        assert!(previous.is_none(), "a register-day has one slot");
        self.slots.push(Slot { block, is_touched: false });
        self.touch(slot);
        slot
    }

    fn touch(&mut self, slot: usize) {
        if !self.slots[slot].is_touched {
            self.slots[slot].is_touched = true;
            self.touched.push(slot);
        }
    }
}

fn put(block: &mut DayBlock, at: usize, value_wh: i32, quality: Quality) -> Outcome {
    let mut counts = MergeCounts::default();
    block.put(at, value_wh, quality, &mut counts);
    match counts {
        MergeCounts { accepted: 1, .. } => Outcome::Accepted,
        MergeCounts { duplicate: 1, .. } => Outcome::Duplicate,
        MergeCounts { corrected: 1, .. } => Outcome::Corrected,
        MergeCounts { conflict: 1, .. } => Outcome::Conflict,
        _ => unreachable!("a value that is not missing is counted once"),
    }
}

/// Rare: a day is delivered by one source, and sources join to the larger.
fn with_source(block: &DayBlock, source: Source) -> DayBlock {
    let (values_wh, qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
    DayBlock::from_parts(block.key(), block.start(), block.interval_minutes(), source, values_wh, qualities)
        .expect("only the source of a checked block changed")
}
