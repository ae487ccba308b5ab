//! The days a shard holds in memory: frames in slabs, found by key, the changed ones remembered.
//!
//! ```text
//!   LeafKey ──hash──▶ slot ──▶ slab of its size: │ frame │ frame │ frame │ …
//!                              touched: slots changed since they were last written ahead
//! ```
//!
//! Invariants: a key has one slot; the table is never iterated by hash. Memory is the slabs and about 60 bytes a day.

use std::collections::HashMap;

use ahash::RandomState;
use tallywatt_ledger::day_leaf::{LEAF_ALIGN, LEAF_SIZE_MAX};
use tallywatt_ledger::leaf_key::LeafKey;

use crate::day_slot;

const SLAB_COUNT: usize = LEAF_SIZE_MAX / LEAF_ALIGN + 1;

/// Where a day is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u32);

#[derive(Debug, Clone, Copy)]
struct Place {
    partition: u8,
    is_touched: bool,
    /// Size of the frame, in units of [`LEAF_ALIGN`].
    blocks: u16,
    /// Its number among frames of that size.
    at: u32,
}

/// The days a shard holds in memory.
#[derive(Debug)]
pub struct DayTable {
    /// Keys come from outside, so the hash is seeded; it is never iterated.
    index: HashMap<LeafKey, u32, RandomState>,
    places: Vec<Place>,
    /// Frames of one size end to end, by size.
    slabs: Vec<Vec<u8>>,
    touched: Vec<u32>,
    size: usize,
}

impl Default for DayTable {
    fn default() -> Self {
        Self {
            index: HashMap::default(),
            places: Vec::new(),
            slabs: vec![Vec::new(); SLAB_COUNT],
            touched: Vec::new(),
            size: 0,
        }
    }
}

/// What a day costs beside its frame: its key and slot in the index, its place, its number among the touched.
const OVERHEAD_SIZE: usize = 64;

impl DayTable {
    /// Bytes in use, about.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// How many days.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Finds a day.
    #[must_use]
    pub fn find(&self, key: &LeafKey) -> Option<Slot> {
        self.index.get(key).copied().map(Slot)
    }

    /// The frame of a day.
    #[must_use]
    pub fn frame(&self, slot: Slot) -> &[u8] {
        let place = self.places[slot.0 as usize];
        let size = usize::from(place.blocks) * LEAF_ALIGN;
        &self.slabs[usize::from(place.blocks)][place.at as usize * size..][..size]
    }

    /// The frame of a day, to be changed; the caller says so with [`DayTable::touch`].
    pub fn frame_mut(&mut self, slot: Slot) -> &mut [u8] {
        let place = self.places[slot.0 as usize];
        let size = usize::from(place.blocks) * LEAF_ALIGN;
        &mut self.slabs[usize::from(place.blocks)][place.at as usize * size..][..size]
    }

    /// Its partition.
    #[must_use]
    pub fn partition(&self, slot: Slot) -> u8 {
        self.places[slot.0 as usize].partition
    }

    /// Holds a new day, untouched.
    ///
    /// # Panics
    /// If the key is known, or past 2^32 days.
    pub fn insert(&mut self, key: LeafKey, partition: u8, frame: &[u8]) -> Slot {
        let slot = u32::try_from(self.places.len()).expect("a shard holds fewer than 2^32 days in memory");
        let previous = self.index.insert(key, slot);
        assert!(previous.is_none(), "a register-day has one slot");
        let blocks = frame.len() / LEAF_ALIGN;
        let slab = &mut self.slabs[blocks];
        let at = u32::try_from(slab.len() / frame.len()).expect("fewer than the slots");
        slab.extend_from_slice(frame);
        let blocks = u16::try_from(blocks).expect("a frame has at most 25 blocks");
        self.places.push(Place { partition, is_touched: false, blocks, at });
        self.size += frame.len() + OVERHEAD_SIZE;
        Slot(slot)
    }

    /// Remembers that a day changed.
    pub fn touch(&mut self, slot: Slot) {
        let place = &mut self.places[slot.0 as usize];
        if !place.is_touched {
            place.is_touched = true;
            self.touched.push(slot.0);
        }
    }

    /// The days that changed since the last call, by partition and key.
    pub fn take_touched(&mut self) -> Vec<Slot> {
        let mut touched = std::mem::take(&mut self.touched);
        for &slot in &touched {
            self.places[slot as usize].is_touched = false;
        }
        let order = |slot: u32| {
            let frame = self.frame(Slot(slot));
            (self.places[slot as usize].partition, LeafKey::of_header(day_slot::header_of(frame)))
        };
        if !touched.is_sorted_by_key(|&slot| order(slot)) {
            touched.sort_by_cached_key(|&slot| order(slot));
        }
        touched.into_iter().map(Slot).collect()
    }

    /// All days, by partition and key.
    #[must_use]
    pub fn sorted(&self) -> Vec<Slot> {
        let count = u32::try_from(self.places.len()).expect("checked when they were inserted");
        let mut slots: Vec<(u8, LeafKey, u32)> = (0..count)
            .map(|slot| {
                let key = LeafKey::of_header(day_slot::header_of(self.frame(Slot(slot))));
                (self.places[slot as usize].partition, key, slot)
            })
            .collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, _, slot)| Slot(slot)).collect()
    }

    /// The key of every day, in the order they came in.
    pub fn keys(&self) -> impl Iterator<Item = LeafKey> {
        let count = u32::try_from(self.places.len()).expect("checked when they were inserted");
        (0..count).map(|slot| LeafKey::of_header(day_slot::header_of(self.frame(Slot(slot)))))
    }

    /// Forgets every day; their memory is kept for the next.
    pub fn clear(&mut self) {
        self.index.clear();
        self.places.clear();
        self.slabs.iter_mut().for_each(Vec::clear);
        self.touched.clear();
        self.size = 0;
    }
}
