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
use crate::hash_many::{Digest, Mode, hash_each};

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
    /// Settled entries of a registry.
    Payments = 7,
    /// Entries of a node's state.
    State = 8,
    /// Correction bills of one run.
    Corrections = 9,
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
    /// `levels[0]` are the leaves.
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Builds the tree over leaf hashes.
    #[must_use]
    pub fn new(kind: TreeKind, leaves: Vec<ContentHash>) -> Self {
        Self { kind, levels: levels_over(leaves.into_iter().map(|leaf| leaf.0).collect()) }
    }

    /// The root. An empty tree has one too: the kind and count 0 over an all-zero node.
    #[must_use]
    pub fn root(&self) -> Root {
        let count = u64::try_from(self.levels[0].len()).expect("a count in memory fits u64");
        Root { hash: root_hash(self.kind, count, &top_of(&self.levels)), count }
    }

    /// The sibling hashes from leaf `index` to the top, lowest first. `None` past the leaves.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<ContentHash>> {
        if index >= self.levels[0].len() {
            return None;
        }
        let mut path = Vec::with_capacity(self.levels.len());
        path.extend(siblings(&self.levels, index));
        Some(path)
    }
}

/// Height of the subtrees that [`TreeTop`] forgets.
pub const SUBTREE_HEIGHT: usize = 6;
/// Leaves of such a subtree.
pub const SUBTREE_LEAF_COUNT: usize = 1 << SUBTREE_HEIGHT;

/// The upper levels of a tree: whoever has the leaves of one subtree again can take any path through it. A tree
/// of a million leaves is kept in 1 MB instead of 64.
///
/// ```text
///   height 6  ▣      ▣      ▣      ▣       kept
///            ╱ ╲    ╱ ╲    ╱ ╲    ╱ ╲      hashed again when a path is asked for
///   leaves  0…63  64…127    …     …
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeTop {
    kind: TreeKind,
    count: u64,
    /// `levels[0]` are the nodes at [`SUBTREE_HEIGHT`].
    levels: Vec<Vec<Digest>>,
}

impl TreeTop {
    /// From the number of leaves and the top nodes of its subtrees, in order; `None` unless they fit.
    #[must_use]
    pub fn new(kind: TreeKind, count: u64, subtrees: Vec<Digest>) -> Option<Self> {
        let wanted = count.div_ceil(1 << SUBTREE_HEIGHT);
        let fits = count <= LEAF_COUNT_MAX && u64::try_from(subtrees.len()) == Ok(wanted);
        fits.then(|| Self { kind, count, levels: levels_over(subtrees) })
    }

    /// The root: that of [`Tree`] over the same leaves.
    #[must_use]
    pub fn root(&self) -> Root {
        Root { hash: root_hash(self.kind, self.count, &top_of(&self.levels)), count: self.count }
    }

    /// The top nodes of the subtrees, in order.
    #[must_use]
    pub fn subtrees(&self) -> &[Digest] {
        &self.levels[0]
    }

    /// The path of leaf `index`, given the leaves of its subtree: those from the last multiple of
    /// [`SUBTREE_LEAF_COUNT`] on. `None` past the leaves, and if these are not that subtree's leaves.
    #[must_use]
    pub fn path(&self, index: u64, subtree_leaves: &[ContentHash]) -> Option<Vec<ContentHash>> {
        let index = usize::try_from(index).ok().filter(|_| index < self.count)?;
        let subtree = index >> SUBTREE_HEIGHT;
        let within = levels_over(subtree_leaves.iter().map(|leaf| leaf.0).collect());
        if subtree_leaves.len() > SUBTREE_LEAF_COUNT || top_of(&within).0 != self.levels[0][subtree] {
            return None;
        }
        let mut path = Vec::with_capacity(within.len() + self.levels.len());
        path.extend(siblings(&within, index % SUBTREE_LEAF_COUNT));
        path.extend(siblings(&self.levels, subtree));
        Some(path)
    }
}

/// The top node of a subtree of at most [`SUBTREE_LEAF_COUNT`] leaves, hashed in place.
///
/// # Panics
/// If there is no leaf, or one too many.
#[must_use]
pub fn subtree_top(leaves: &[Digest]) -> Digest {
    assert!((1..=SUBTREE_LEAF_COUNT).contains(&leaves.len()), "a subtree has 1 to 64 leaves");
    let (mut level, mut above) = ([[0; 32]; SUBTREE_LEAF_COUNT], [[0; 32]; SUBTREE_LEAF_COUNT / 2]);
    level[..leaves.len()].copy_from_slice(leaves);
    let mut count = leaves.len();
    while count > 1 {
        let pairs = count / 2;
        hash_pairs(&level[..pairs * 2], &mut above[..pairs]);
        if count % 2 == 1 {
            level[pairs] = level[count - 1];
        }
        level[..pairs].copy_from_slice(&above[..pairs]);
        count = pairs + count % 2;
    }
    level[0]
}

/// All levels, the lowest first; an unpaired last node is carried up as it is.
fn levels_over(lowest: Vec<Digest>) -> Vec<Vec<Digest>> {
    let mut levels = vec![lowest];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let pairs = below.len() / 2;
        let mut above = vec![[0; 32]; pairs];
        hash_pairs(&below[..pairs * 2], &mut above);
        above.extend_from_slice(&below[pairs * 2..]);
        levels.push(above);
    }
    levels
}

fn top_of(levels: &[Vec<Digest>]) -> ContentHash {
    ContentHash(levels.last().and_then(|level| level.first()).copied().unwrap_or_default())
}

/// The sibling of node `index` of the lowest level, and of each node above it.
fn siblings(levels: &[Vec<Digest>], index: usize) -> impl Iterator<Item = ContentHash> {
    let sibling_of = move |(height, level): (usize, &Vec<Digest>)| level.get((index >> height) ^ 1).copied();
    levels.iter().enumerate().filter_map(sibling_of).map(ContentHash)
}

/// Two children stand end to end, so a level is the input of the one above it.
fn hash_pairs(children: &[Digest], nodes: &mut [Digest]) {
    let key = digest::domain_key(Domain::TreeNode);
    hash_each(Mode::Keyed(key), children.as_flattened(), 2 * size_of::<Digest>(), nodes);
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

    /// The upper levels alone give the same root and, with one subtree's leaves, every path.
    #[test]
    fn a_tree_top_equals_the_tree() {
        for count in [1, 2, 63, 64, 65, 127, 128, 129, 200, 640, 1_000] {
            let leaves = leaves(count);
            let tree = Tree::new(TreeKind::Bills, leaves.clone());
            let digests: Vec<Digest> = leaves.iter().map(|leaf| leaf.0).collect();
            let subtrees: Vec<Digest> = digests.chunks(SUBTREE_LEAF_COUNT).map(subtree_top).collect();
            let leaf_count = u64::try_from(count).unwrap();
            let top = TreeTop::new(TreeKind::Bills, leaf_count, subtrees.clone()).unwrap();
            assert_eq!(top.root(), tree.root(), "{count}");
            for at in 0..count {
                let start = at - at % SUBTREE_LEAF_COUNT;
                let own = &leaves[start..count.min(start + SUBTREE_LEAF_COUNT)];
                let index = u64::try_from(at).unwrap();
                assert_eq!(top.path(index, own), tree.path(at), "{at} of {count}");
                assert_eq!(top.path(index, &own[1..]), None, "a subtree that lacks its first leaf");
            }
            assert_eq!(top.path(leaf_count, &leaves[..1]), None);
            assert_eq!(TreeTop::new(TreeKind::Bills, leaf_count + 64, subtrees), None);
        }
        let empty = TreeTop::new(TreeKind::Bills, 0, Vec::new()).unwrap();
        assert_eq!(empty.root(), Tree::new(TreeKind::Bills, Vec::new()).root());
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
