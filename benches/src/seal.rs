//! Seal: a month's leaves to one root, on one thread and on two.

use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::{SealKind, Sealed, SealedTree};
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::partition_sealer::SealedPartition;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::{batch_file, sealing};

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

/// The same leaves through the partition sealer into the bytes of a batch file.
pub struct FileCase {
    leaves: Vec<DayLeaf>,
    secret: BlindingSecret,
    threads: Threads,
}

impl FileCase {
    /// The leaves of a town.
    ///
    /// # Panics
    /// As [`Case::new`].
    #[must_use]
    pub fn new(household_count: u64, day_count: u32, thread_count: usize) -> Self {
        let Case { leaves, threads } = Case::new(household_count, day_count, thread_count);
        Self { leaves, secret: secret(), threads }
    }

    /// How many readings.
    #[must_use]
    pub fn reading_count(&self) -> usize {
        self.leaves.iter().map(|leaf| leaf.block().interval_count()).sum()
    }

    /// Seals every partition: blinded, hashed, packed.
    ///
    /// # Panics
    /// Never: the leaves are in order.
    #[must_use]
    pub fn run_partitions(&self) -> Vec<SealedPartition> {
        batch_file::seal_all(SealKind::Period, &self.leaves, &self.secret, &self.threads)
            .expect("the leaves are in order")
    }

    /// Seals and writes the file's bytes.
    ///
    /// # Panics
    /// Never: the leaves are in order.
    #[must_use]
    pub fn run_file(&self) -> (Vec<u8>, Sealed) {
        batch_file::encode(SealKind::Period, 1, &self.leaves, &self.secret, &self.threads)
            .expect("the leaves are in order")
    }

    /// Checks a file.
    ///
    /// # Panics
    /// If it is damaged.
    #[must_use]
    pub fn run_check(&self, bytes: &[u8]) -> Sealed {
        let checked =
            BatchReader::of(bytes).and_then(|reader| reader.verify_all(&self.secret, &self.threads));
        checked.expect("the file is whole")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sealed_to_the_same_root() {
        for thread_count in [1, 2] {
            let case = FileCase::new(16, 2, thread_count);
            let (bytes, sealed) = case.run_file();
            assert_eq!(sealed, Case::new(16, 2, thread_count).run().sealed());
            assert_eq!(case.run_check(&bytes), sealed);
            assert_eq!((case.run_partitions().len(), case.reading_count()), (256, 32 * 48));
        }
    }

    #[test]
    fn one_root_for_any_number_of_threads() {
        for thread_count in [1, 2] {
            let sealed = Case::new(16, 2, thread_count).run().sealed();
            assert_eq!((sealed.totals.leaf_count, sealed.totals.reading_count()), (32, 32 * 48));
            assert_eq!(
                sealed.root.hash.to_string(),
                "1d3e23831f027ff6e05cbfb06a8f97784e52edf9070d927212352934596d7b68"
            );
        }
    }
}
