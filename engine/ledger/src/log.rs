//! The outer log: a SHA-256 Merkle tree over one leaf per block, with inclusion and consistency proofs.
//!
//! ```text
//! level 2        (0..4)                      a level keeps the roots of complete subtrees only:
//!               /      \                     level k, place i covers the leaves i*2^k .. (i+1)*2^k
//! level 1    (0..2)  (2..4)  (4..6)
//!            /   \    /  \    /  \           the root of 7 leaves is folded from the right edge:
//! level 0   0    1   2   3   4   5   6       node((0..4), node((4..6), 6))
//! ```
//!
//! - A leaf is `SHA-256(0x00 || bytes)`, a node `SHA-256(0x01 || left || right)`: no leaf can pass for a node.
//! - A tree of `n > 1` leaves splits at the largest power of two below `n`; a lone last leaf is never doubled.
//! - The shape of a proof follows from index and sizes alone, so its length is checked before anything is hashed.
//!
//! Source: RFC 6962, sections 2.1, 2.1.1 and 2.1.2 (the same tree as RFC 9162).
//!
//! ```
//! use tallywatt_ledger::log::{Log, leaf_hash, verify_inclusion};
//!
//! let mut log = Log::new();
//! for block in ["one", "two", "three"] {
//!     log.append(leaf_hash(block.as_bytes()))?;
//! }
//! let path = log.prove_inclusion(1, 3)?;
//! verify_inclusion(leaf_hash(b"two"), 1, 3, &path, log.root())?;
//! # Ok::<(), tallywatt_ledger::log::LogError>(())
//! ```

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Most leaves a log may have: 2^40, one leaf a second for 34,000 years.
pub const LOG_SIZE_MAX: u64 = 1 << 40;

/// Most hashes in an inclusion path: one a level below the root of the largest log.
pub const PATH_COUNT_MAX: usize = 40;

/// Most hashes in a consistency proof: a path, and the subtree it starts from.
pub const CONSISTENCY_COUNT_MAX: usize = PATH_COUNT_MAX + 1;

const _: () = assert!(LOG_SIZE_MAX == 1 << PATH_COUNT_MAX);

const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

/// What stopped the log, or why a proof is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The log holds all the leaves it may.
    #[error("cannot append leaf: log has {LOG_SIZE_MAX} leaves, at most {LOG_SIZE_MAX}")]
    Full,
    /// A tree size above [`LOG_SIZE_MAX`].
    #[error("tree size {size} is above the limit of {LOG_SIZE_MAX} leaves")]
    SizeAboveLimit {
        /// The size asked about.
        size: u64,
    },
    /// A tree size which this log has not reached.
    #[error("tree size {size} is beyond this log of {have} leaves")]
    SizeBeyondLog {
        /// The size asked about.
        size: u64,
        /// Leaves in this log.
        have: u64,
    },
    /// A leaf index at or past the end of its tree.
    #[error("leaf index {index} is outside a tree of {size} leaves")]
    IndexOutside {
        /// The index asked about, from 0.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// Consistency with the empty tree says nothing: every tree extends it.
    #[error("cannot show consistency from tree size 0, at least 1")]
    OldTreeEmpty,
    /// The old tree is the larger one.
    #[error("old tree size {old_size} is above new tree size {new_size}")]
    SizesSwapped {
        /// Leaves in the old tree.
        old_size: u64,
        /// Leaves in the new tree.
        new_size: u64,
    },
    /// A proof with hashes missing or left over.
    #[error("proof has {found} hashes, exactly {expected} needed")]
    ProofLength {
        /// Hashes the proof has.
        found: usize,
        /// Hashes that index and sizes call for.
        expected: usize,
    },
    /// The proof leads to another root.
    #[error("proof leads to root {found}, expected {expected}")]
    RootMismatch {
        /// The root the proof leads to.
        found: LogHash,
        /// The root it should lead to.
        expected: LogHash,
    },
    /// A text that is not the one base64 form of 32 bytes.
    #[error("hash text of {chars} characters is not the padded base64 of 32 bytes")]
    HashText {
        /// Characters in the text.
        chars: usize,
    },
}

/// A SHA-256 hash of the outer log: a leaf, a node or a root.
///
/// Shown in hexadecimal by `Debug` and in padded base64, as C2SP texts have it, by `Display`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogHash([u8; 32]);

impl LogHash {
    /// Takes 32 bytes that already are a hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> LogHash {
        LogHash(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the 44 characters that `Display` writes: standard alphabet, padded (RFC 4648, section 4).
    ///
    /// # Errors
    /// [`LogError::HashText`] on any other text, also on one that a lenient decoder would take.
    pub fn from_base64(text: &str) -> Result<LogHash, LogError> {
        let refused = || LogError::HashText { chars: text.chars().count() };
        if text.len() != 44 {
            return Err(refused());
        }
        let bytes = STANDARD.decode(text).map_err(|_| refused())?;
        bytes.try_into().map(LogHash).map_err(|_| refused())
    }
}

impl fmt::Debug for LogHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Display for LogHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&STANDARD.encode(self.0))
    }
}

/// The hash of a leaf with these bytes (RFC 6962, section 2.1).
pub fn leaf_hash(bytes: &[u8]) -> LogHash {
    LogHash(Sha256::new().chain_update([LEAF_PREFIX]).chain_update(bytes).finalize().into())
}

/// The hash of a node over two subtrees (RFC 6962, section 2.1).
fn node_hash(left: LogHash, right: LogHash) -> LogHash {
    let mut bytes = [NODE_PREFIX; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    LogHash(Sha256::digest(bytes).into())
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> LogHash {
    LogHash(Sha256::digest([]).into())
}

/// A log in memory: the leaf hashes and the roots of all complete subtrees over them.
///
/// Takes 64 bytes a leaf. It only grows; nothing in it is ever replaced.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `levels[k][i]` is the root over the leaves `i*2^k .. (i+1)*2^k`; level 0 are the leaves.
    levels: Vec<Vec<LogHash>>,
}

impl Log {
    /// A log without leaves.
    pub fn new() -> Log {
        Log::default()
    }

    /// Leaves in the log.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| as_u64(leaves.len()))
    }

    /// Appends a leaf, made by [`leaf_hash`], and returns its index from 0.
    ///
    /// # Errors
    /// [`LogError::Full`] at [`LOG_SIZE_MAX`] leaves.
    pub fn append(&mut self, leaf: LogHash) -> Result<u64, LogError> {
        let index = self.size();
        if index >= LOG_SIZE_MAX {
            return Err(LogError::Full);
        }
        let mut carried = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let roots = &mut self.levels[level];
            roots.push(carried);
            match roots.as_slice() {
                [.., left, right] if roots.len().is_multiple_of(2) => carried = node_hash(*left, *right),
                _ => break,
            }
        }
        Ok(index)
    }

    /// The root over all leaves.
    pub fn root(&self) -> LogHash {
        self.range_root(0..self.size())
    }

    /// The root that the log had at an earlier size.
    ///
    /// # Errors
    /// [`LogError::SizeBeyondLog`] when the log has fewer leaves.
    pub fn root_at(&self, size: u64) -> Result<LogHash, LogError> {
        self.check_reached(size)?;
        Ok(self.range_root(0..size))
    }

    /// The leaf hash at an index from 0, if the log has it.
    pub fn leaf(&self, index: u64) -> Option<LogHash> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// The root over the `place`-th run of 2^`level` leaves, counted from 0: a node that no later leaf changes.
    ///
    /// # Errors
    /// [`LogError::SizeBeyondLog`] unless all of these leaves are there.
    pub fn subtree_root(&self, level: u32, place: u64) -> Result<LogHash, LogError> {
        let end = 1_u64.checked_shl(level).and_then(|width| place.checked_add(1)?.checked_mul(width));
        self.check_reached(end.unwrap_or(u64::MAX))?;
        Ok(self.complete_root(level, place << level))
    }

    /// The path from a leaf to the root of the first `size` leaves, the leaf's neighbour first (RFC 6962, section 2.1.1).
    ///
    /// # Errors
    /// [`LogError::SizeBeyondLog`] when the log has fewer leaves, [`LogError::IndexOutside`] unless `index < size`.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<LogHash>, LogError> {
        self.check_reached(size)?;
        let steps = inclusion_steps(index, size)?;
        Ok(steps.into_iter().rev().map(|step| self.range_root(step.sibling)).collect())
    }

    /// The proof that the first `old_size` leaves are a prefix of the first `new_size` (RFC 6962, section 2.1.2).
    ///
    /// Empty when the sizes are equal.
    ///
    /// # Errors
    /// [`LogError::SizeBeyondLog`] when the log has fewer leaves, [`LogError::OldTreeEmpty`] and
    /// [`LogError::SizesSwapped`] unless `1 <= old_size <= new_size`.
    pub fn prove_consistency(&self, old_size: u64, new_size: u64) -> Result<Vec<LogHash>, LogError> {
        self.check_reached(new_size)?;
        let walk = consistency_walk(old_size, new_size)?;
        let siblings = walk.steps.into_iter().rev().map(|step| step.sibling);
        Ok(walk.start.into_iter().chain(siblings).map(|range| self.range_root(range)).collect())
    }

    fn check_reached(&self, size: u64) -> Result<(), LogError> {
        let have = self.size();
        if size > have { Err(LogError::SizeBeyondLog { size, have }) } else { Ok(()) }
    }

    /// The root over a range that a split of some tree gives: complete, or at that tree's right edge.
    fn range_root(&self, range: Range<u64>) -> LogHash {
        let Range { mut start, end } = range;
        assert!(start <= end && end <= self.size(), "range {start}..{end} of {}", self.size());
        // Complete subtrees from the left, each smaller than the one before it: one a set bit of the width.
        let mut peaks = Vec::with_capacity(PATH_COUNT_MAX + 1);
        while start < end {
            let level = (end - start).ilog2();
            peaks.push(self.complete_root(level, start));
            start += 1 << level;
        }
        peaks.into_iter().rev().reduce(|right, left| node_hash(left, right)).unwrap_or_else(empty_root)
    }

    fn complete_root(&self, level: u32, start: u64) -> LogHash {
        assert!(start.is_multiple_of(1 << level), "leaf {start} does not start a subtree of level {level}");
        let place = usize::try_from(start >> level).expect("a place in a list held in memory fits usize");
        let level = usize::try_from(level).expect("a level is below 64");
        self.levels[level][place]
    }
}

/// Checks that a leaf stands at `index` in the tree of `size` leaves with this root (RFC 6962, section 2.1.1).
///
/// `path` is as [`Log::prove_inclusion`] gives it. A path may have one shape at two sizes, so `size` and `root` must
/// come from one place that binds them, a signed checkpoint.
///
/// # Errors
/// [`LogError::SizeAboveLimit`] and [`LogError::IndexOutside`] for a place that cannot be,
/// [`LogError::ProofLength`] unless the path has exactly the hashes needed, [`LogError::RootMismatch`] when it leads elsewhere.
pub fn verify_inclusion(
    leaf: LogHash,
    index: u64,
    size: u64,
    path: &[LogHash],
    root: LogHash,
) -> Result<(), LogError> {
    let steps = inclusion_steps(index, size)?;
    check_length(path, steps.len())?;
    let found = steps.iter().rev().zip(path).fold(leaf, |below, (step, sibling)| step.climb(below, *sibling));
    check_root(found, root)
}

/// Checks that the tree of `old_size` leaves is a prefix of the tree of `new_size` leaves (RFC 6962, section 2.1.2).
///
/// `proof` is as [`Log::prove_consistency`] gives it: empty when the sizes are equal, which then asks for equal roots.
///
/// # Errors
/// [`LogError::SizeAboveLimit`], [`LogError::OldTreeEmpty`] and [`LogError::SizesSwapped`] for sizes that cannot be,
/// [`LogError::ProofLength`] unless the proof has exactly the hashes needed, [`LogError::RootMismatch`] when it leads elsewhere.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    proof: &[LogHash],
    old_root: LogHash,
    new_root: LogHash,
) -> Result<(), LogError> {
    let walk = consistency_walk(old_size, new_size)?;
    check_length(proof, walk.steps.len() + usize::from(walk.start.is_some()))?;
    // Where the old tree is itself a subtree of the new one, its root is where the climb starts.
    let (start, siblings) = match (walk.start, proof) {
        (Some(_), [start, siblings @ ..]) => (*start, siblings),
        _ => (old_root, proof),
    };
    let (mut old, mut new) = (start, start);
    for (step, sibling) in walk.steps.iter().rev().zip(siblings) {
        new = step.climb(new, *sibling);
        // What stands to the right of the old tree's last leaf is not in the old tree.
        if step.side == Side::Left {
            old = step.climb(old, *sibling);
        }
    }
    check_root(old, old_root)?;
    check_root(new, new_root)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// One level of a way down: the half that was not taken, and where it stands.
#[derive(Clone, Debug)]
struct Step {
    sibling: Range<u64>,
    side: Side,
}

impl Step {
    fn climb(&self, below: LogHash, sibling: LogHash) -> LogHash {
        match self.side {
            Side::Left => node_hash(sibling, below),
            Side::Right => node_hash(below, sibling),
        }
    }
}

/// The way down to the old tree's right edge, and the subtree it ends at unless that is the old tree itself.
struct ConsistencyWalk {
    start: Option<Range<u64>>,
    steps: Vec<Step>,
}

/// The way from the root of `size` leaves down to one leaf, top first.
fn inclusion_steps(index: u64, size: u64) -> Result<Vec<Step>, LogError> {
    check_size(size)?;
    if index >= size {
        return Err(LogError::IndexOutside { index, size });
    }
    let mut steps = Vec::with_capacity(PATH_COUNT_MAX);
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let side = if index < split(&tree) { Side::Right } else { Side::Left };
        steps.push(descend(&mut tree, side));
    }
    Ok(steps)
}

fn consistency_walk(old_size: u64, new_size: u64) -> Result<ConsistencyWalk, LogError> {
    check_size(new_size)?;
    if old_size == 0 {
        return Err(LogError::OldTreeEmpty);
    }
    if old_size > new_size {
        return Err(LogError::SizesSwapped { old_size, new_size });
    }
    let mut steps = Vec::with_capacity(PATH_COUNT_MAX);
    let mut tree = 0..new_size;
    while tree.end != old_size {
        let side = if old_size <= split(&tree) { Side::Right } else { Side::Left };
        steps.push(descend(&mut tree, side));
    }
    let start = if tree.start == 0 { None } else { Some(tree) };
    Ok(ConsistencyWalk { start, steps })
}

/// Narrows a tree to the half opposite `side`, and tells what was left on that side.
fn descend(tree: &mut Range<u64>, side: Side) -> Step {
    let middle = split(tree);
    let (kept, sibling) = match side {
        Side::Left => (middle..tree.end, tree.start..middle),
        Side::Right => (tree.start..middle, middle..tree.end),
    };
    *tree = kept;
    Step { sibling, side }
}

/// Where a tree of at least two leaves splits: after the largest power of two below its width.
fn split(tree: &Range<u64>) -> u64 {
    let width = tree.end - tree.start;
    assert!(width > 1, "a tree of {width} leaves does not split");
    tree.start + (1 << (width - 1).ilog2())
}

fn check_size(size: u64) -> Result<(), LogError> {
    if size > LOG_SIZE_MAX { Err(LogError::SizeAboveLimit { size }) } else { Ok(()) }
}

fn check_length(proof: &[LogHash], expected: usize) -> Result<(), LogError> {
    let found = proof.len();
    if found == expected { Ok(()) } else { Err(LogError::ProofLength { found, expected }) }
}

fn check_root(found: LogHash, expected: LogHash) -> Result<(), LogError> {
    if found == expected { Ok(()) } else { Err(LogError::RootMismatch { found, expected }) }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).expect("usize is at most 64 bits wide")
}
