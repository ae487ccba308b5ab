//! The inner Merkle tree: RFC 6962 shape over BLAKE3, the leaf count bound into the root.
//!
//! ```text
//!                root = H_root(kind, count, node)
//!                          node
//!                   ┌───────┴───────┐            split at the largest power of two below the count;
//!                 node             node          a last leaf without a partner rises, it is never doubled
//!               ┌──┴──┐          ┌──┴──┐
//!             leaf₀ leaf₁      leaf₂ leaf₃       leaf hash: plain BLAKE3; node: BLAKE3 keyed, 64 bytes
//! ```
//!
//! Invariants: a root names its kind and count, so it cannot be replayed for another tree; a path has exactly
//! the length its index and count give; a node can never be shown as a leaf.

use tallywatt_core::hash::ContentHash;

use crate::codec::Writer;
use crate::digest::{self, Domain};

/// The most leaves a tree may claim, so that no path is longer than [`PATH_LENGTH_MAX`].
pub const LEAF_COUNT_MAX: u64 = 1 << 40;
/// The longest path.
pub const PATH_LENGTH_MAX: usize = 40;

/// What the leaves of a tree are. The number goes into the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TreeKind {
    /// Day leaves of one partition of a batch.
    BatchPartition = 1,
    /// Partition summaries of a batch.
    Batch = 2,
    /// Day leaves of one partition of a period.
    PeriodPartition = 3,
    /// Partition summaries of a period.
    Period = 4,
    /// Bills of a period.
    Bills = 5,
    /// Contracts of a contract list.
    Contracts = 6,
    /// Settled payments of a registry.
    Payments = 7,
    /// Entries of a node's state.
    State = 8,
}

/// The root of a tree: hash and count together, never one without the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Root {
    /// The hash, with kind and count bound in.
    pub hash: ContentHash,
    /// Number of leaves.
    pub count: u64,
}

/// Why a path does not lead from the leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The index is not below the count, or the count is past [`LEAF_COUNT_MAX`].
    #[error("leaf {index} of a tree of {count} leaves")]
    Index {
        /// Claimed index.
        index: u64,
        /// Claimed count.
        count: u64,
    },
    /// The path has another length than index and count give.
    #[error("path of {got} hashes, leaf {index} of {count} needs {want}")]
    Length {
        /// Claimed index.
        index: u64,
        /// Claimed count.
        count: u64,
        /// Hashes needed.
        want: usize,
        /// Hashes given.
        got: usize,
    },
    /// It leads to another root.
    #[error("path leads to {got}, the root is {want}")]
    Root {
        /// The root given.
        want: ContentHash,
        /// Where the path leads.
        got: ContentHash,
    },
}

/// A tree with all its levels, from which paths are taken.
#[derive(Debug, Clone)]
pub struct Tree {
    kind: TreeKind,
    /// `levels[0]` are the leaves; an unpaired last node is carried up as it is.
    levels: Vec<Vec<ContentHash>>,
}

impl Tree {
    /// Builds the tree over leaf hashes.
    #[must_use]
    pub fn new(kind: TreeKind, leaves: Vec<ContentHash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(left, right),
                    [alone] => *alone,
                    _ => unreachable!("chunks of two hold one or two"),
                })
                .collect();
            levels.push(above);
        }
        Self { kind, levels }
    }

    /// The root. An empty tree has one too: the kind and count 0 over an all-zero node.
    #[must_use]
    pub fn root(&self) -> Root {
        let count = u64::try_from(self.levels[0].len()).expect("a count in memory fits u64");
        let top = self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default();
        Root { hash: root_hash(self.kind, count, &top), count }
    }

    /// The sibling hashes from leaf `index` to the top, lowest first. `None` past the leaves.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<ContentHash>> {
        if index >= self.levels[0].len() {
            return None;
        }
        let siblings =
            self.levels.iter().enumerate().filter_map(|(height, level)| level.get((index >> height) ^ 1));
        Some(siblings.copied().collect())
    }
}

/// Checks that `leaf` is leaf `index` of the tree with this root.
///
/// # Errors
/// [`PathError`]: index out of range, wrong length, or another root.
pub fn verify_path(
    kind: TreeKind,
    leaf: &ContentHash,
    index: u64,
    path: &[ContentHash],
    root: &Root,
) -> Result<(), PathError> {
    let count = root.count;
    if index >= count || count > LEAF_COUNT_MAX {
        return Err(PathError::Index { index, count });
    }
    let want = path_length(index, count);
    if path.len() != want {
        return Err(PathError::Length { index, count, want, got: path.len() });
    }
    let mut hash = *leaf;
    let mut siblings = path.iter();
    let (mut at, mut last) = (index, count - 1);
    while last > 0 {
        if at % 2 == 1 || at < last {
            let sibling = siblings.next().expect("the length was checked");
            hash = if at % 2 == 1 { node(sibling, &hash) } else { node(&hash, sibling) };
        }
        at /= 2;
        last /= 2;
    }
    let got = root_hash(kind, count, &hash);
    if got == root.hash { Ok(()) } else { Err(PathError::Root { want: root.hash, got }) }
}

/// How many siblings the path of leaf `index` has.
fn path_length(index: u64, count: u64) -> usize {
    let (mut at, mut last, mut length) = (index, count - 1, 0);
    while last > 0 {
        length += usize::from(at % 2 == 1 || at < last);
        at /= 2;
        last /= 2;
    }
    length
}

fn node(left: &ContentHash, right: &ContentHash) -> ContentHash {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&left.0);
    bytes[32..].copy_from_slice(&right.0);
    digest::domain_hash(Domain::TreeNode, &bytes)
}

fn root_hash(kind: TreeKind, count: u64, top: &ContentHash) -> ContentHash {
    let mut writer = Writer::default();
    writer.u8(kind as u8).u64(count).hash(top);
    digest::domain_hash(Domain::TreeRoot, &writer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<ContentHash> {
        (0..count).map(|at| digest::content_hash(&at.to_le_bytes())).collect()
    }

    /// RFC 6962 §2.1 as written: split at the largest power of two below the count.
    fn naive_top(leaves: &[ContentHash]) -> ContentHash {
        match leaves {
            [] => ContentHash::default(),
            [only] => *only,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&naive_top(&leaves[..split]), &naive_top(&leaves[split..]))
            }
        }
    }

    #[test]
    fn equals_the_naive_tree_and_every_path_verifies() {
        for count in 0..=130 {
            let leaves = leaves(count);
            let tree = Tree::new(TreeKind::Bills, leaves.clone());
            let root = tree.root();
            assert_eq!(root.hash, root_hash(TreeKind::Bills, root.count, &naive_top(&leaves)), "{count}");
            for (at, leaf) in leaves.iter().enumerate() {
                let index = u64::try_from(at).unwrap();
                let path = tree.path(at).unwrap();
                assert_eq!(
                    verify_path(TreeKind::Bills, leaf, index, &path, &root),
                    Ok(()),
                    "{at} of {count}"
                );
            }
            assert_eq!(tree.path(count), None);
        }
    }

    #[test]
    fn no_mutant_passes() {
        for count in [1, 2, 3, 5, 8, 13] {
            let leaves = leaves(count);
            let tree = Tree::new(TreeKind::Batch, leaves.clone());
            let root = tree.root();
            for (at, leaf) in leaves.iter().enumerate() {
                let index = u64::try_from(at).unwrap();
                let path = tree.path(at).unwrap();
                let check = |kind, leaf: &ContentHash, index, path: &[ContentHash], root: &Root| {
                    assert!(verify_path(kind, leaf, index, path, root).is_err(), "leaf {at} of {count}");
                };
                check(TreeKind::Period, leaf, index, &path, &root);
                check(TreeKind::Batch, &ContentHash([9; 32]), index, &path, &root);
                check(TreeKind::Batch, leaf, index + 1, &path, &root);
                check(TreeKind::Batch, leaf, index, &path, &Root { count: root.count + 1, ..root });
                check(TreeKind::Batch, leaf, index, &[&path[..], &[root.hash]].concat(), &root);
                for cut in 0..path.len() {
                    check(TreeKind::Batch, leaf, index, &path[..cut], &root);
                    let mut bent = path.clone();
                    bent[cut].0[31] ^= 1;
                    check(TreeKind::Batch, leaf, index, &bent, &root);
                }
            }
        }
        let huge = Root { hash: ContentHash::default(), count: u64::MAX };
        assert!(matches!(
            verify_path(TreeKind::Batch, &ContentHash::default(), 0, &[], &huge),
            Err(PathError::Index { .. })
        ));
    }

    #[test]
    fn no_suffix_doubles_a_leaf_unnoticed() {
        for count in 1..64 {
            let plain = leaves(count);
            let mut doubled = plain.clone();
            doubled.push(plain[count - 1]);
            assert_ne!(Tree::new(TreeKind::Bills, plain).root(), Tree::new(TreeKind::Bills, doubled).root());
        }
    }
}
