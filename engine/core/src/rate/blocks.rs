//! Finding an account's day blocks: one look-up a register, then day by day.
//!
//! ```text
//!   blocks   A 1 │ A 2 │ … │ A 31 │ B 1 │ …      each register's days side by side
//!   index    A ─▶ 0..31,  B ─▶ 31..62            shared by all threads
//!   cursor   the block after the last one        one a thread: a bill asks for its days in order
//! ```

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::day_block::{BlockKey, DayBlock};
use crate::label::UsagePointId;
use crate::register::Register;

/// A period's day blocks by register.
#[derive(Debug, Clone)]
pub struct BlockIndex<'b> {
    blocks: Vec<&'b DayBlock>,
    registers: BTreeMap<(UsagePointId, Register), Range<usize>>,
}

impl<'b> BlockIndex<'b> {
    /// Of blocks in any order; fastest when each register's stand side by side by day, as sealed leaves do. Of two
    /// blocks of one day the later stands.
    #[must_use]
    pub fn new(blocks: impl IntoIterator<Item = &'b DayBlock>) -> Self {
        let mut blocks: Vec<&DayBlock> = blocks.into_iter().collect();
        if let Some(registers) = registers_of(&blocks) {
            return Self { blocks, registers };
        }
        blocks.sort_by_key(|block| block.key());
        blocks.dedup_by(|later, earlier| {
            let is_same = later.key() == earlier.key();
            if is_same {
                *earlier = *later;
            }
            is_same
        });
        let registers = registers_of(&blocks).expect("sorted blocks stand side by side");
        Self { blocks, registers }
    }

    /// A cursor for one thread.
    #[must_use]
    pub const fn cursor(&self) -> BlockCursor<'_, 'b> {
        BlockCursor { index: self, next: Cell::new(0) }
    }
}

/// Where each register's blocks stand; `None` if they are not side by side with ascending days.
fn registers_of(blocks: &[&DayBlock]) -> Option<BTreeMap<(UsagePointId, Register), Range<usize>>> {
    let register = |block: &DayBlock| (block.key().usage_point, block.key().register);
    let mut registers = BTreeMap::new();
    let mut start = 0;
    for run in blocks.chunk_by(|a, b| register(a) == register(b)) {
        let is_ascending = run.windows(2).all(|pair| pair[0].key().day < pair[1].key().day);
        let places = start..start + run.len();
        start = places.end;
        if !is_ascending || registers.insert(register(run[0]), places).is_some() {
            return None;
        }
    }
    Some(registers)
}

/// Finds blocks in an index, at once when asked in their order.
#[derive(Debug, Clone)]
pub struct BlockCursor<'i, 'b> {
    index: &'i BlockIndex<'b>,
    next: Cell<usize>,
}

impl<'b> BlockCursor<'_, 'b> {
    /// The block of a register-day.
    #[must_use]
    pub fn find(&self, key: &BlockKey) -> Option<&'b DayBlock> {
        let BlockIndex { blocks, registers } = self.index;
        let next = self.next.get();
        if let Some(block) = blocks.get(next).filter(|block| block.key() == *key) {
            self.next.set(next + 1);
            return Some(block);
        }
        let places = registers.get(&(key.usage_point, key.register))?.clone();
        let at = blocks[places.clone()].binary_search_by_key(&key.day, |block| block.key().day).ok()?;
        self.next.set(places.start + at + 1);
        Some(blocks[places.start + at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;
    use crate::reading::Source;

    #[test]
    fn every_block_is_found_in_any_order() {
        let zone = Zone::parse("UTC").unwrap();
        let period: crate::calendar::Period = "2026-02".parse().unwrap();
        let block = |point: &str, day, minutes| {
            let local = zone.local_day(day);
            DayBlock::empty(point.parse().unwrap(), Register::IMPORT, local, minutes, Source::Synthetic)
        };
        let mut blocks: Vec<DayBlock> = Vec::new();
        for point in ["B", "A", "C"] {
            let days = period.days().filter(|day| day.number() % 5 != 0);
            blocks.extend(days.map(|day| block(point, day, 30).unwrap()));
        }
        let sealed = BlockIndex::new(&blocks);
        // Of two blocks of one day the later stands, wherever it stands.
        let mut shuffled: Vec<DayBlock> = blocks.clone();
        shuffled.rotate_left(7);
        shuffled.reverse();
        shuffled.insert(0, block("A", period.first_day().plus(1).unwrap(), 60).unwrap());
        let shuffled = BlockIndex::new(&shuffled);
        for index in [&sealed, &shuffled] {
            let cursor = index.cursor();
            for step in [1, 3, 11] {
                for (point, day) in ["A", "B", "C", "D"]
                    .into_iter()
                    .flat_map(|point| period.days().map(move |day| (point, day)))
                    .cycle()
                    .step_by(step)
                    .take(200)
                {
                    let key =
                        BlockKey { usage_point: point.parse().unwrap(), register: Register::IMPORT, day };
                    let want = blocks.iter().find(|block| block.key() == key);
                    assert_eq!(cursor.find(&key), want, "{point} {day}");
                }
            }
        }
    }
}
