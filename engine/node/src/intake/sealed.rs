//! What the intake holds against what the books have sealed: the days that are new, and the batch made of them.

use tallywatt_core::day_block::DayBlock;
use tallywatt_core::day_layers::DayState;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::vee::guard::ReplacementGuard;
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

    fn state(&self, _: u8, key: &LeafKey) -> Result<Option<DayState>, DurableError> {
        Ok(self.0.day_state(&key.block_key()).cloned())
    }

    fn holds(&self, event: &MeterEvent) -> bool {
        self.0.holds(event)
    }

    fn billed(&self, key: &LeafKey) -> Option<(Vec<i32>, ReplacementGuard)> {
        let key = key.block_key();
        self.0.billed(&key).map(|values_wh| (values_wh, self.0.replacement_guard(&key)))
    }

    fn has_billed(&self) -> bool {
        self.0.has_billed()
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
        if sealed.is_empty() {
            return Ok(None);
        }
        let (bytes, ..) = sealed.finish().map_err(CutError::from)?;
        Ok(Some(bytes))
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
            secret: books.secret()?,
            thread_count: books.threads().count().min(SEALER_COUNT_MAX),
        };
        Ok(cut.seal(writer)?)
    }

    /// What is not sealed yet and is no day, in order: what goes beside the leaves of the next batch.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn unsealed_events(&self, books: &Books) -> Result<Vec<MeterEvent>, IntakeError> {
        match self.batch_file(books)? {
            None => Ok(Vec::new()),
            Some(bytes) => Ok(books.decode_sealed(&bytes)?.events),
        }
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
                let file = books.decode_sealed(&bytes)?;
                Ok(file.leaves.into_iter().map(DayLeaf::into_block).collect())
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), IntakeError> {
        if self.is_failed { Err(IntakeError::Failed) } else { Ok(()) }
    }
}
