//! What the intake holds against what the books have sealed: the days that are new, and the batch made of them.

use tallywatt_core::day_block::DayBlock;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::seal::SealKind;
use tallywatt_shards::batch_file::writer::{BatchWriter, Sink};
use tallywatt_shards::cut::{Cut, CutError, SEALER_COUNT_MAX};
use tallywatt_shards::durable::DurableError;
use tallywatt_shards::shard::{EarlierDays, SealedDay};

use crate::books::Books;
use crate::intake::{Intake, IntakeError};

/// The days that the books have sealed.
pub(super) struct SealedDays<'a>(pub(super) &'a Books);

impl EarlierDays for SealedDays<'_> {
    fn find(&self, _: u8, key: &LeafKey) -> Result<Option<SealedDay>, DurableError> {
        let accepted = self.0.accepted();
        if accepted.is_empty() {
            return Ok(None);
        }
        let key = key.block_key();
        let sealed = accepted.get(&key).zip(self.0.revision(&key));
        Ok(sealed.map(|(block, revision)| SealedDay {
            frame: DayLeaf::frame(block.clone()).bytes().to_vec(),
            revision,
        }))
    }
}

impl Intake {
    /// Seals the days that are new as the next batch, and gives its file; `None` if nothing is new.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn batch_file(&self, books: &Books) -> Result<Option<Vec<u8>>, IntakeError> {
        let writer = BatchWriter::new(Vec::new(), SealKind::Batch, books.batch_count() + 1);
        let sealed = self.seal_into(books, writer.map_err(CutError::from)?)?;
        let (bytes, _, sealed) = sealed.finish().map_err(CutError::from)?;
        Ok((sealed.totals.leaf_count > 0).then_some(bytes))
    }

    /// Seals the days that are new into a batch file that need not fit memory.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn seal_into<S: Sink>(
        &self,
        books: &Books,
        writer: BatchWriter<S>,
    ) -> Result<BatchWriter<S>, IntakeError> {
        self.check()?;
        let cut = Cut {
            shards: &self.shards,
            reader: Some(&self.write_ahead.reader()),
            earlier: &SealedDays(books),
            secret: books.secret(),
            thread_count: books.threads().count().min(SEALER_COUNT_MAX),
        };
        Ok(cut.seal(writer)?)
    }

    /// The days that are not sealed yet, by partition, usage point, register and day: for people and tests; a batch is
    /// made by [`Intake::batch_file`].
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn unsealed_blocks(&self, books: &Books) -> Result<Vec<DayBlock>, IntakeError> {
        match self.batch_file(books)? {
            None => Ok(Vec::new()),
            Some(bytes) => {
                let file = books.decode_sealed(&bytes).map_err(CutError::from)?;
                Ok(file.leaves.into_iter().map(DayLeaf::into_block).collect())
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), IntakeError> {
        if self.is_failed { Err(IntakeError::Failed) } else { Ok(()) }
    }
}
