//! A batch file against itself: every leaf, pack, partition, the root, the hash.

use rayon::prelude::*;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::PACK_LEAF_COUNT_MAX;
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::seal::{Sealed, Totals};

use super::BatchFileError;
use super::reader::BatchReader;
use crate::partition_sealer::LeafGroup;
use crate::threads::Threads;

impl BatchReader<'_> {
    /// Checks everything: what who receives a file does, and the audit. The file is read twice, a piece at a time.
    ///
    /// # Errors
    /// [`BatchFileError`] names the first damage, with partition, pack and leaf where there is one.
    pub fn verify_all(&self, secret: &BlindingSecret, threads: &Threads) -> Result<Sealed, BatchFileError> {
        self.each_partition(threads, |partition| self.check_partition(partition, secret, &mut |_| {}))?;
        self.events()?;
        self.check_hash()?;
        Ok(self.sealed())
    }

    /// All leaves, in seal order, checked as [`BatchReader::verify_all`] checks.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn leaves(&self, secret: &BlindingSecret, threads: &Threads) -> Result<Vec<DayLeaf>, BatchFileError> {
        let partitions = self.each_partition(threads, |partition| {
            let mut leaves = Vec::new();
            self.check_partition(partition, secret, &mut |leaf| leaves.push(leaf))?;
            Ok(leaves)
        })?;
        self.check_hash()?;
        Ok(partitions.into_iter().flatten().collect())
    }

    /// Results by partition; the error, if any, is that of the first.
    fn each_partition<T: Send>(
        &self,
        threads: &Threads,
        check: impl Fn(u8) -> Result<T, BatchFileError> + Sync + Send,
    ) -> Result<Vec<T>, BatchFileError> {
        let checked: Vec<Result<T, BatchFileError>> =
            threads.pool().install(|| (0..=u8::MAX).into_par_iter().map(check).collect());
        checked.into_iter().collect()
    }

    fn check_partition(
        &self,
        partition: u8,
        secret: &BlindingSecret,
        take: &mut dyn FnMut(DayLeaf),
    ) -> Result<(), BatchFileError> {
        let mut packs = self.partition(partition);
        let mut group = LeafGroup::new(self.kind(), partition, secret);
        let (mut totals, mut last): (Totals, Option<LeafKey>) = (Totals::default(), None);
        let end = self.packs_of(partition).end;
        while let Some((pack, bytes)) = packs.next_pack()? {
            self.unpack(pack, bytes, &mut group)?;
            if pack + 1 < end && group.count() != PACK_LEAF_COUNT_MAX {
                return Err(BatchFileError::Summary { partition });
            }
            let top = group.seal();
            let entry = self.entry(pack);
            for (within, bytes) in group.leaves().enumerate() {
                let refuse = |source| BatchFileError::Leaf { pack, within, source };
                let leaf = DayLeaf::decode(bytes).map_err(refuse)?;
                let header = bytes.first_chunk().expect("a leaf has a header");
                let order = Some(LeafKey::of_header(header));
                if last >= order {
                    return Err(BatchFileError::Order { pack, within });
                }
                if within == 0 && entry.first != *header {
                    return Err(BatchFileError::First { pack });
                }
                last = order;
                totals.add_leaf(&leaf);
                take(leaf);
            }
            if let Some(within) = group.misplaced() {
                return Err(BatchFileError::Place { pack, within });
            }
            if top != entry.top {
                return Err(BatchFileError::Top { partition, pack });
            }
        }
        let summary = self.summary(partition);
        let is_sum = totals == summary.totals
            && self.tree_top(partition).is_some_and(|top| top.root() == summary.root);
        if is_sum { Ok(()) } else { Err(BatchFileError::Summary { partition }) }
    }
}
