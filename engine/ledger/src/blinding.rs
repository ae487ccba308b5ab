//! Blindings: 32 bytes in every leaf without which nobody can guess its values.
//!
//! ```text
//!   ledger's secret ─▶ point key ─ keyed over the usage point, zero-padded to 64 bytes ─▶ secret of the point
//!                                                                                           │
//!   keyed under its domain over  secret of the point ‖ bytes 0 to 14 of the leaf ‖ zeros  ◀─┘  ─▶ blinding
//! ```
//!
//! Both hashes are over one block of 64 bytes, so that a register full of leaves is blinded at once. The point's
//! secret stands for bytes 15 to 47, its name. Three nodes derive the same blinding; whoever deletes the secret of a
//! point has closed its leaves for ever. Also in `FORMAT.md` §1.

use std::ops::Range;

use tallywatt_core::label::{LABEL_SIZE_MAX, UsagePointId};

use crate::digest::{self, Domain};
use crate::hash_many::{BLOCK_SIZE, Digest, Mode, hash_each, hash_one};

/// Bytes of the blinding.
pub const BLINDING_SIZE: usize = 32;
/// Where it stands in a leaf.
pub(crate) const BLINDING_AT: Range<usize> = 48..48 + BLINDING_SIZE;
/// Where the usage point stands in a leaf.
pub(crate) const POINT_AT: Range<usize> = 15..15 + LABEL_SIZE_MAX;

const _: () = assert!(POINT_AT.end == BLINDING_AT.start);

/// How many leaves are blinded at once.
const GROUP_COUNT: usize = 64;

/// A block to be hashed.
type Block = [u8; BLOCK_SIZE];

/// The secret from which a ledger's blindings follow. Whoever has it can open leaves; it is never on the chain.
#[derive(Clone)]
pub struct BlindingSecret {
    secret: [u8; 32],
    point_key: Digest,
}

impl BlindingSecret {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let point_key = hash_one(Mode::Keyed(&secret), digest::domain_key(Domain::PointSecret));
        Self { secret, point_key }
    }

    /// The bytes, to be stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The secret of one usage point: deleting it leaves that point's leaves closed for ever.
    #[must_use]
    pub fn of_point(&self, usage_point: &UsagePointId) -> PointSecret {
        PointSecret(hash_one(Mode::Keyed(&self.point_key), &point_block(usage_point.padded())))
    }

    /// Writes their blindings into leaves of `leaf_size` bytes that stand end to end.
    ///
    /// # Panics
    /// If `leaves` is not a whole number of leaves, or these are too small to be any.
    pub fn blind(&self, leaves: &mut [u8], leaf_size: usize) {
        assert!(leaf_size >= BLINDING_AT.end && leaves.len().is_multiple_of(leaf_size), "whole leaves");
        for group in leaves.chunks_mut(leaf_size * GROUP_COUNT) {
            self.blind_group(group, leaf_size);
        }
    }

    /// At most [`GROUP_COUNT`] leaves. The secret of a point is derived once for its consecutive days.
    fn blind_group(&self, leaves: &mut [u8], leaf_size: usize) {
        let count = leaves.len() / leaf_size;
        let mut points = [[0; BLOCK_SIZE]; GROUP_COUNT];
        let mut point_of = [0; GROUP_COUNT];
        let mut point_count = 0;
        for (leaf, place) in leaves.chunks_exact(leaf_size).zip(&mut point_of) {
            let name = &leaf[POINT_AT];
            if point_count == 0 || points[point_count - 1][..LABEL_SIZE_MAX] != *name {
                points[point_count][..LABEL_SIZE_MAX].copy_from_slice(name);
                point_count += 1;
            }
            *place = point_count - 1;
        }
        let mut secrets = [[0; 32]; GROUP_COUNT];
        let points = points[..point_count].as_flattened();
        hash_each(Mode::Keyed(&self.point_key), points, BLOCK_SIZE, &mut secrets[..point_count]);

        let mut blocks = [[0; BLOCK_SIZE]; GROUP_COUNT];
        for ((leaf, block), point) in leaves.chunks_exact(leaf_size).zip(&mut blocks).zip(point_of) {
            *block = leaf_block(&secrets[point], leaf);
        }
        let mut blindings = [[0; 32]; GROUP_COUNT];
        let key = Mode::Keyed(digest::domain_key(Domain::Blinding));
        hash_each(key, blocks[..count].as_flattened(), BLOCK_SIZE, &mut blindings[..count]);
        for (leaf, blinding) in leaves.chunks_exact_mut(leaf_size).zip(&blindings) {
            leaf[BLINDING_AT].copy_from_slice(blinding);
        }
    }
}

/// The secret of one usage point's blindings.
#[derive(Clone)]
pub struct PointSecret(Digest);

impl PointSecret {
    /// The blinding of the leaf that begins with these bytes.
    ///
    /// # Panics
    /// If there are fewer than a leaf's first fields.
    #[must_use]
    pub fn blinding(&self, leaf: &[u8]) -> [u8; BLINDING_SIZE] {
        hash_one(Mode::Keyed(digest::domain_key(Domain::Blinding)), &leaf_block(&self.0, leaf))
    }
}

/// A name as the hashes of names take it: zero-padded to one block.
pub(crate) fn point_block(name: &[u8; LABEL_SIZE_MAX]) -> Block {
    let mut block = [0; BLOCK_SIZE];
    block[..LABEL_SIZE_MAX].copy_from_slice(name);
    block
}

fn leaf_block(secret: &Digest, leaf: &[u8]) -> Block {
    let mut block = [0; BLOCK_SIZE];
    block[..secret.len()].copy_from_slice(secret);
    block[secret.len()..][..POINT_AT.start].copy_from_slice(&leaf[..POINT_AT.start]);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of one point, points that come back, more than one group, any leaf size.
    #[test]
    fn many_at_once_equal_one_by_one() {
        let secret = BlindingSecret::new([3; 32]);
        for leaf_size in [128, 256, 320, 1_536] {
            for count in [0, 1, 2, 63, 64, 65, 200] {
                let mut leaves: Vec<u8> =
                    (0..leaf_size * count).map(|at: usize| (at * 37 % 61).to_le_bytes()[0]).collect();
                for (at, leaf) in leaves.chunks_exact_mut(leaf_size).enumerate() {
                    let name = format!("P-{}", at / 3 % 7);
                    leaf[POINT_AT].copy_from_slice(name.parse::<UsagePointId>().unwrap().padded());
                }
                let mut blinded = leaves.clone();
                secret.blind(&mut blinded, leaf_size);
                for (leaf, blinded) in leaves.chunks_exact(leaf_size).zip(blinded.chunks_exact(leaf_size)) {
                    let name = leaf[POINT_AT].try_into().unwrap();
                    let point = secret.of_point(&UsagePointId::from_padded(name).unwrap());
                    let mut naive = leaf.to_vec();
                    naive[BLINDING_AT].copy_from_slice(&point.blinding(leaf));
                    assert_eq!(naive, blinded);
                }
            }
        }
    }
}
