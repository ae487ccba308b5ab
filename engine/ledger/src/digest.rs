//! BLAKE3 as used here: plain for content and leaves, derived keys for every other meaning.
//!
//! A leaf is hashed plainly, a tree node under [`Domain::TreeNode`]'s key. So no leaf can be shown as a node,
//! nor a root of one kind of tree as a root of another. Also in `FORMAT.md` §2.

use std::sync::OnceLock;

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
    fn domains_are_apart() {
        let all: Vec<ContentHash> = DOMAINS.iter().map(|(domain, _)| domain_hash(*domain, b"same")).collect();
        for (at, hash) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(hash));
            assert_ne!(*hash, content_hash(b"same"));
        }
    }
}
