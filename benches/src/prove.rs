//! Prove: the way of one leaf among many to the sealed root, and back.

use tallywatt_core::day_block::BlockKey;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::{LeafProof, PARTITION_COUNT, SealKind, Sealed, SealedTree};
use tallywatt_ledger::tree::{PathError, Root, verify_path};

use crate::{seal, wide};

/// A sealed month and its leaves.
pub struct Case {
    tree: SealedTree,
    leaves: Vec<DayLeaf>,
}

impl Case {
    /// The month of a town.
    #[must_use]
    pub fn new(household_count: u64, day_count: u32) -> Self {
        let sealing = seal::Case::new(household_count, day_count, 1);
        Self { tree: sealing.run(), leaves: sealing.into_leaves() }
    }

    /// How many leaves.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// The root all proofs lead to.
    #[must_use]
    pub fn sealed(&self) -> Sealed {
        self.tree.sealed()
    }

    /// Leaf `at`, counted round and round, spread over the tree.
    #[must_use]
    pub fn leaf(&self, at: usize) -> &DayLeaf {
        // A step that shares no factor with the count visits every leaf, far from the one before.
        &self.leaves[at.wrapping_mul(7_919) % self.leaves.len()]
    }

    /// Proves leaf `at`.
    ///
    /// # Panics
    /// Never: the leaf is in the tree.
    #[must_use]
    pub fn run(&self, at: usize) -> LeafProof {
        let key: BlockKey = self.leaf(at).block().key();
        self.tree.prove(&key).expect("the leaf is in the tree")
    }
}

/// Checks a leaf's bytes against a sealed root.
///
/// # Errors
/// [`PathError`] if the proof leads elsewhere.
pub fn check(leaf: &DayLeaf, proof: &LeafProof, sealed: Root) -> Result<(), PathError> {
    let LeafProof { index, path, summary, upper_path } = proof;
    let kind = SealKind::Period;
    verify_path(kind.partition_tree(), &leaf.hash(), *index, path, &summary.root)?;
    let upper = Root { count: wide(PARTITION_COUNT), ..sealed };
    verify_path(kind.upper_tree(), &summary.hash(), summary.partition.into(), upper_path, &upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proof_holds_and_no_other_leaf_fits() {
        let case = Case::new(16, 2);
        let root = case.sealed().root;
        assert_eq!(case.leaf_count(), 32);
        let mut seen: Vec<BlockKey> = (0..32).map(|at| case.leaf(at).block().key()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 32, "every leaf is visited");
        for at in 0..32 {
            let proof = case.run(at);
            assert_eq!(check(case.leaf(at), &proof, root), Ok(()));
            assert!(check(case.leaf(at + 1), &proof, root).is_err());
        }
    }
}
