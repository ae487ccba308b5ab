//! BLAKE3 as used here: plain for content and leaves, derived keys for every other meaning.
//!
//! A leaf is hashed plainly, a tree node under [`Domain::TreeNode`]'s key. So no leaf can be shown as a node,
//! nor a root of one kind of tree as a root of another. Also in `FORMAT.md` §2.

use std::sync::OnceLock;

use blake3::hazmat::{self, HasherExt as _};
use tallywatt_core::hash::ContentHash;

/// What a keyed hash is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The inner node of a tree over two children.
    TreeNode,
    /// The root of a tree, over its kind, leaf count and top node.
    TreeRoot,
    /// A block's canonical bytes.
    Block,
    /// A node's whole state.
    State,
    /// The secret of one usage point, derived from the ledger's.
    PointSecret,
    /// The blinding of one leaf, derived from its usage point's secret.
    Blinding,
}

const DOMAINS: [(Domain, &str); 6] = [
    (Domain::TreeNode, "tallywatt 2026-11 tree node v1"),
    (Domain::TreeRoot, "tallywatt 2026-11 tree root v1"),
    (Domain::Block, "tallywatt 2026-11 block v1"),
    (Domain::State, "tallywatt 2026-11 state v1"),
    (Domain::PointSecret, "tallywatt 2026-11 usage point secret v1"),
    (Domain::Blinding, "tallywatt 2026-11 leaf blinding v1"),
];

/// The plain BLAKE3 hash of content: what files, documents and leaves are named by.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    ContentHash(*blake3::hash(bytes).as_bytes())
}

/// The hash of `bytes` under a domain's key.
#[must_use]
pub fn domain_hash(domain: Domain, bytes: &[u8]) -> ContentHash {
    ContentHash(*blake3::keyed_hash(domain_key(domain), bytes).as_bytes())
}

/// A secret-keyed hash, for blindings.
#[must_use]
pub fn keyed_hash(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(key, bytes).as_bytes()
}

/// Hashes content that does not fit memory, piece by piece; the same result as [`content_hash`].
#[derive(Debug, Default, Clone)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds bytes on all threads of the pool this is called in.
    #[cfg(feature = "rayon")]
    pub fn update_in_parallel(&mut self, bytes: &[u8]) {
        self.0.update_rayon(bytes);
    }

    /// The hash of all bytes so far.
    #[must_use]
    pub fn finish(&self) -> ContentHash {
        ContentHash(*self.0.finalize().as_bytes())
    }
}

/// Bytes of a part of content that is hashed by itself, but for the last: whole subtrees of BLAKE3's tree.
pub const PART_SIZE: usize = 256 << 10;
const _: () = assert!(PART_SIZE.is_power_of_two() && PART_SIZE >= blake3::CHUNK_LEN);

/// What one part of content comes to: parts can be hashed in any order, wherever each is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartHash(hazmat::ChainingValue);

impl PartHash {
    /// Of part `index` of content that has more than one, counted from 0.
    ///
    /// # Panics
    /// If the part is empty or larger than [`PART_SIZE`].
    #[must_use]
    pub fn of(index: u64, bytes: &[u8]) -> Self {
        assert!((1..=PART_SIZE).contains(&bytes.len()), "a part has 1 to PART_SIZE bytes");
        let offset = index * u64::try_from(PART_SIZE).expect("a part's size fits u64");
        Self(blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root())
    }
}

/// The hash of content from its parts, each but the last of [`PART_SIZE`] bytes; the same as [`content_hash`].
///
/// # Panics
/// If there are fewer than two: a single part is hashed as content.
#[must_use]
pub fn join_parts(parts: &[PartHash]) -> ContentHash {
    assert!(parts.len() > 1, "at least two parts");
    let (left, right) = parts.split_at(left_count(parts.len()));
    let root = hazmat::merge_subtrees_root(&subtree(left), &subtree(right), hazmat::Mode::Hash);
    ContentHash(*root.as_bytes())
}

fn subtree(parts: &[PartHash]) -> hazmat::ChainingValue {
    if let [part] = parts {
        return part.0;
    }
    let (left, right) = parts.split_at(left_count(parts.len()));
    hazmat::merge_subtrees_non_root(&subtree(left), &subtree(right), hazmat::Mode::Hash)
}

/// Parts left of the top node: the largest power of two below all of them (BLAKE3 specification, 2.1).
const fn left_count(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// The key of a domain, for many hashes at once.
pub(crate) fn domain_key(domain: Domain) -> &'static [u8; 32] {
    static KEYS: OnceLock<[[u8; 32]; DOMAINS.len()]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| DOMAINS.map(|(_, context)| blake3::derive_key(context, b"")));
    let at = DOMAINS.iter().position(|(known, _)| *known == domain).expect("DOMAINS lists every domain");
    &keys[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn official_vector() {
        // The BLAKE3 test vector for the empty input.
        let want = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(content_hash(b"").to_string(), want);
    }

    #[test]
    fn parts_join_to_the_whole() {
        let bytes: Vec<u8> = (0..5 * PART_SIZE + 1).map(|at| (at * 131 % 251).to_le_bytes()[0]).collect();
        let one = PART_SIZE;
        for size in [one + 1, 2 * one, 2 * one + 1_025, 3 * one, 4 * one - 1, 4 * one, 5 * one + 1] {
            let parts: Vec<PartHash> =
                (0..).zip(bytes[..size].chunks(PART_SIZE)).map(|(at, part)| PartHash::of(at, part)).collect();
            assert_eq!(join_parts(&parts), content_hash(&bytes[..size]), "{size} bytes");
        }
    }

    #[test]
    fn domains_are_apart() {
        let all: Vec<ContentHash> = DOMAINS.iter().map(|(domain, _)| domain_hash(*domain, b"same")).collect();
        for (at, hash) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(hash));
            assert_ne!(*hash, content_hash(b"same"));
        }
    }
}
