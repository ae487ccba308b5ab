//! One million leaves of 200 bytes in one tree, on one core: built, proved from, verified.
//!
//! A leaf is padded to 256 bytes, as ours are padded to whole blocks; that is not timed, for leaves lie so in our files.

use std::time::Instant;

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::hash_many::{Mode, hash_each, hash_one};
use tallywatt_ledger::tree::{Tree, TreeKind, verify_path};

use super::{Answer, Failure, Setup};

const LEAF_WORD_COUNT: u64 = 25;
const LEAF_SIZE: usize = 200;
const PADDED_SIZE: usize = 256;
const PROOF_COUNT: u64 = 20_000;
const KIND: TreeKind = TreeKind::BatchPartition;

/// Hashes every leaf and builds the tree over them.
///
/// # Errors
/// None.
pub fn build(setup: &Setup) -> Result<Answer, Failure> {
    let leaves = leaves(setup.leaf_count);
    let start = Instant::now();
    let tree = tree_over(&leaves);
    let root = tree.root();
    let took = start.elapsed();
    assert_eq!(root.count, setup.leaf_count as u64, "the root binds the count");
    Ok(Answer { took, sums: sums(setup, 0), parts: Vec::new() })
}

/// The paths of 20,000 leaves.
///
/// # Errors
/// None.
pub fn prove(setup: &Setup) -> Result<Answer, Failure> {
    let tree = tree_over(&leaves(setup.leaf_count));
    let proved = proved(setup);
    let start = Instant::now();
    let paths: Vec<_> = proved.iter().map(|&index| tree.path(index)).collect();
    let took = start.elapsed();
    assert!(paths.iter().all(Option::is_some), "every leaf has a path");
    Ok(Answer { took, sums: sums(setup, PROOF_COUNT), parts: Vec::new() })
}

/// Hashes 20,000 leaves and checks their paths against the root.
///
/// # Errors
/// [`Failure`] if one does not lead there.
pub fn verify(setup: &Setup) -> Result<Answer, Failure> {
    let leaves = leaves(setup.leaf_count);
    let tree = tree_over(&leaves);
    let (proved, root) = (proved(setup), tree.root());
    let paths: Vec<Vec<ContentHash>> =
        proved.iter().map(|&index| tree.path(index).expect("an index of a leaf")).collect();
    let start = Instant::now();
    for (&index, path) in proved.iter().zip(&paths) {
        let leaf = &leaves[index * PADDED_SIZE..(index + 1) * PADDED_SIZE];
        let hash = ContentHash(hash_one(Mode::Plain, leaf));
        verify_path(KIND, &hash, index as u64, path, &root)?;
    }
    let took = start.elapsed();
    Ok(Answer { took, sums: sums(setup, PROOF_COUNT), parts: Vec::new() })
}

fn leaves(count: usize) -> Vec<u8> {
    let mut leaves = vec![0; count * PADDED_SIZE];
    for (index, leaf) in (0..).zip(leaves.chunks_exact_mut(PADDED_SIZE)) {
        for (word, bytes) in (0..).zip(leaf[..LEAF_SIZE].as_chunks_mut::<8>().0) {
            *bytes = scramble(index * LEAF_WORD_COUNT + word).to_le_bytes();
        }
    }
    leaves
}

fn tree_over(leaves: &[u8]) -> Tree {
    let mut digests = vec![[0; 32]; leaves.len() / PADDED_SIZE];
    hash_each(Mode::Plain, leaves, PADDED_SIZE, &mut digests);
    Tree::new(KIND, digests.into_iter().map(ContentHash).collect())
}

fn proved(setup: &Setup) -> Vec<usize> {
    let index = |number| usize::try_from(scramble(number) % setup.leaf_count as u64);
    (0..PROOF_COUNT).map(|number| index(number).expect("an index in memory")).collect()
}

fn sums(setup: &Setup, proof_count: u64) -> Vec<(&'static str, i128)> {
    let leaf_count = setup.leaf_count as u64;
    let sum = (0..leaf_count * LEAF_WORD_COUNT).map(scramble).fold(0, u64::wrapping_add);
    vec![("leaves", leaf_count.into()), ("leaf_sum", sum.into()), ("proofs", proof_count.into())]
}

/// The finalizer of splitmix64.
const fn scramble(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
