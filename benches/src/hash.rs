//! Hash: each leaf for itself, against one stream of as many bytes, which is as fast as BLAKE3 gets.

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;

use crate::seal;

/// Leaves, and their bytes end to end.
pub struct Case {
    leaves: Vec<DayLeaf>,
    stream: Vec<u8>,
}

impl Case {
    /// The period leaves of a town.
    #[must_use]
    pub fn new(household_count: u64, day_count: u32) -> Self {
        let leaves = seal::Case::new(household_count, day_count, 1).into_leaves();
        let stream = leaves.iter().flat_map(|leaf| leaf.bytes()).copied().collect();
        Self { leaves, stream }
    }

    /// How many leaves.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// How many bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.stream.len()
    }

    /// The exclusive-or of all leaf hashes: every one is computed, none is stored.
    #[must_use]
    pub fn run_leaves(&self) -> ContentHash {
        let mut all = ContentHash::default();
        for leaf in &self.leaves {
            all.0.iter_mut().zip(leaf.hash().0).for_each(|(all, byte)| *all ^= byte);
        }
        all
    }

    /// The hash of all bytes at once.
    #[must_use]
    pub fn run_stream(&self) -> ContentHash {
        content_hash(&self.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        let case = Case::new(16, 2);
        assert_eq!((case.leaf_count(), case.size()), (32, 32 * 320));
        assert_eq!(
            case.run_leaves().to_string(),
            "41fd5f77a95020abca463b5bae5e57dbc3b62fb2ccc17d913728c00fa8820783"
        );
        assert_eq!(
            case.run_stream().to_string(),
            "3c58112eb003a87a6f2b30d4ecbcde49ba839d80325b032ef1c985a052ddecca"
        );
    }
}
