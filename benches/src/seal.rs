//! Seal: a month's leaves to one root, on one thread and on two.

use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::{SealKind, SealedTree};
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;

use crate::town::{blocks, secret, town};

/// Period leaves in seal order, and who seals them.
pub struct Case {
    leaves: Vec<DayLeaf>,
    threads: Threads,
}

impl Case {
    /// The leaves of a town.
    ///
    /// # Panics
    /// If there can be no such town, or no so many threads.
    #[must_use]
    pub fn new(household_count: u64, day_count: u32, thread_count: usize) -> Self {
        let threads = Threads::new(thread_count).expect("a pool of few threads starts");
        let blocks = blocks(&town(household_count, day_count));
        let leaves = sealing::leaves_of(&blocks, SealKind::Period, &secret(), |_| 0, &threads);
        Self { leaves, threads }
    }

    /// How many leaves.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// The leaves.
    #[must_use]
    pub fn into_leaves(self) -> Vec<DayLeaf> {
        self.leaves
    }

    /// Seals them.
    ///
    /// # Panics
    /// Never: the leaves are in order.
    #[must_use]
    pub fn run(&self) -> SealedTree {
        sealing::seal(SealKind::Period, &self.leaves, &self.threads).expect("the leaves are in order")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_root_for_any_number_of_threads() {
        for thread_count in [1, 2] {
            let sealed = Case::new(16, 2, thread_count).run().sealed();
            assert_eq!((sealed.totals.leaf_count, sealed.totals.reading_count()), (32, 32 * 48));
            assert_eq!(
                sealed.root.hash.to_string(),
                "ff271f381c32200a5a9bf1c47ab11eb4e50e9c77808ab113a88ca9fadea45f1d"
            );
        }
    }
}
