//! Sealing on many threads: the same roots as `SealedTree::seal`, byte for byte, for any number of them.
//!
//! ```text
//!   blocks ─ leaves_of ─▶ leaves in seal order ─┬─ partition   0 ─▶ summary ─┐
//!                         (encoded and blinded  ├─ partition   1 ─▶ summary ─┤ gathered by index
//!                          on all threads)      └─ partition 255 ─▶ summary ─┘        │
//!                                                                                     ▼ SealedTree::join
//! ```

use std::borrow::Borrow;

use rayon::prelude::*;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::{SealError, SealKind, SealedTree, partition_of};

use crate::threads::Threads;

/// Seals leaves in seal order, partitions side by side.
///
/// # Errors
/// The [`SealError`] that `SealedTree::seal` gives.
pub fn seal(kind: SealKind, leaves: &[DayLeaf], threads: &Threads) -> Result<SealedTree, SealError> {
    let sealed: Result<Vec<_>, SealError> = threads.pool().install(|| {
        (0..=u8::MAX)
            .into_par_iter()
            .map(|partition| SealedTree::seal_partition(kind, partition, leaves_in(partition, leaves)))
            .collect()
    });
    match sealed {
        Ok(partitions) => Ok(SealedTree::join(kind, partitions)),
        // Which thread fails first is chance; the naive way names the first fault.
        Err(_) => SealedTree::seal(kind, leaves),
    }
}

/// The leaves of sealed blocks, blinded, in seal order.
///
/// `revision_of` is asked for batches only: a period's leaves all have revision 0.
pub fn leaves_of<B: Borrow<DayBlock> + Sync>(
    blocks: &[B],
    kind: SealKind,
    secret: &BlindingSecret,
    revision_of: impl Fn(&BlockKey) -> u8 + Sync,
    threads: &Threads,
) -> Vec<DayLeaf> {
    threads.pool().install(|| {
        let mut ordered: Vec<(u8, &DayBlock)> = blocks
            .par_iter()
            .map(|block| (partition_of(&block.borrow().key().usage_point), block.borrow()))
            .collect();
        // The same order as `seal_order`, hashing each usage point once.
        ordered.par_sort_unstable_by(|a, b| (a.0, a.1.key()).cmp(&(b.0, b.1.key())));
        ordered
            .par_iter()
            .map(|&(_, block)| match kind {
                SealKind::Batch => DayLeaf::batch(block.clone(), revision_of(&block.key()), secret),
                SealKind::Period => DayLeaf::period(block.clone(), secret),
            })
            .collect()
    })
}

/// The run of leaves that belongs to a partition, found by bisection.
///
/// When the leaves are out of order the bounds may be anything, but the runs still cover every leaf, and where
/// a bound goes back, some leaf twice: then a partition is given a leaf that is not its own, and refuses it.
pub(crate) fn leaves_in(partition: u8, leaves: &[DayLeaf]) -> &[DayLeaf] {
    let below =
        |bound: u8| leaves.partition_point(|leaf| partition_of(&leaf.block().key().usage_point) < bound);
    let start = below(partition);
    let end = partition.checked_add(1).map_or(leaves.len(), below);
    leaves.get(start..end).unwrap_or_default()
}
