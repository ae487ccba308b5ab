//! Writes a batch file, partition by partition, in the memory of one.

use std::path::Path;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_ledger::digest::ContentHasher;
use tallywatt_ledger::meter_event_bytes::encode_events;
use tallywatt_ledger::seal::{PartitionSummary, SealKind, Sealed};

use super::layout::{self, ENTRY_SIZE, Footer, SUMMARY_SIZE, wide};
use super::{
    BATCH_EVENTS_VERSION, BATCH_FILE_SIZE_MAX, BATCH_FILE_VERSION, BatchFileError, EVENTS_SIZE_MAX,
    FOOTER_SIZE, all_summaries, seal_summaries,
};
use crate::durable::{DurableError, DurableFile};
use crate::partition_sealer::{PackEntry, SealedPartition};

/// Where the bytes of a batch file go.
pub trait Sink {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`DurableError`].
    fn append(&mut self, bytes: &[u8]) -> Result<(), DurableError>;
}

impl Sink for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DurableError> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl Sink for DurableFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DurableError> {
        self.write(bytes)
    }
}

/// Writes a batch file: the same bytes into a file and into memory.
pub struct BatchWriter<S> {
    sink: S,
    kind: SealKind,
    sequence: u64,
    size: u64,
    hasher: ContentHasher,
    entries: Vec<u8>,
    summaries: Vec<PartitionSummary>,
    /// A set of events, encoded; nothing if there are none.
    events: Vec<u8>,
}

impl BatchWriter<DurableFile> {
    /// Into a file, which is not there before [`BatchWriter::finish_durably`].
    ///
    /// # Errors
    /// [`BatchFileError::Disk`].
    pub fn create(path: &Path, kind: SealKind, sequence: u64) -> Result<Self, BatchFileError> {
        Self::new(DurableFile::create(path)?, kind, sequence)
    }

    /// Ends the file, and gives the hash it is known by. When this returns, it survives a power cut; a crash before
    /// leaves the old file or none.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn finish_durably(self) -> Result<(ContentHash, Sealed), BatchFileError> {
        let (file, hash, sealed) = self.finish()?;
        file.commit()?;
        Ok((hash, sealed))
    }
}

impl<S: Sink> BatchWriter<S> {
    /// A file without leaves.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn new(sink: S, kind: SealKind, sequence: u64) -> Result<Self, BatchFileError> {
        Ok(Self {
            sink,
            kind,
            sequence,
            size: 0,
            hasher: ContentHasher::default(),
            entries: Vec::new(),
            summaries: Vec::new(),
            events: Vec::new(),
        })
    }

    /// Gives what stands beside the leaves, in order, each once; with some the file is of the version that has them.
    ///
    /// # Errors
    /// [`BatchFileError::Size`] past [`EVENTS_SIZE_MAX`].
    ///
    /// # Panics
    /// If a partition was put before, or a period is sealed: it has no events of its own.
    pub fn put_events(&mut self, events: &[MeterEvent]) -> Result<(), BatchFileError> {
        assert!(self.size == 0, "events are given before the first partition");
        if !events.is_empty() {
            assert_eq!(self.kind, SealKind::Batch, "a period has no events");
            self.events = encode_events(events);
        }
        let (size, max) = (wide(self.events.len()), EVENTS_SIZE_MAX);
        if size > max { Err(BatchFileError::Size { size, max }) } else { Ok(()) }
    }

    /// Whether it has no leaf and no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.summaries.is_empty() && self.events.is_empty()
    }

    /// The header, once it is known whether there are events.
    fn begin(&mut self) -> Result<(), BatchFileError> {
        if self.size > 0 {
            return Ok(());
        }
        let version = if self.events.is_empty() { BATCH_FILE_VERSION } else { BATCH_EVENTS_VERSION };
        self.append(&layout::header(self.kind, self.sequence, version))
    }

    /// Adds a partition; those that are left out have no leaves.
    ///
    /// # Errors
    /// [`BatchFileError::Size`], [`BatchFileError::Disk`]; then the file cannot be ended.
    ///
    /// # Panics
    /// If it was sealed for another kind of file, or does not follow the one before.
    pub fn put(&mut self, partition: &SealedPartition) -> Result<(), BatchFileError> {
        assert_eq!(partition.kind, self.kind, "sealed for this kind of file");
        let last = self.summaries.last().map(|last| last.partition);
        assert!(last.is_none_or(|last| last < partition.summary.partition), "partitions are put in order");
        if partition.index.is_empty() {
            return Ok(());
        }
        self.begin()?;
        for entry in &partition.index {
            let entry = PackEntry { offset: self.size + entry.offset, ..*entry };
            layout::write_entry(&entry, &mut self.entries);
        }
        self.append(&partition.packs)?;
        self.summaries.push(partition.summary);
        Ok(())
    }

    /// Ends the file, and gives the hash it is known by.
    ///
    /// # Errors
    /// [`BatchFileError`].
    pub fn finish(mut self) -> Result<(S, ContentHash, Sealed), BatchFileError> {
        self.begin()?;
        let sealed = seal_summaries(self.kind, &all_summaries(self.kind, &self.summaries))
            .expect("energy fits i64 Wh");
        let footer = Footer {
            index_at: self.size,
            pack_count: wide(self.entries.len() / ENTRY_SIZE),
            partition_count: wide(self.summaries.len()),
            sealed,
        };
        let mut tail = std::mem::take(&mut self.entries);
        for summary in &self.summaries {
            let bytes = summary.encode();
            assert_eq!(bytes.len(), SUMMARY_SIZE, "a summary is 203 bytes");
            tail.extend_from_slice(&bytes);
        }
        tail.extend_from_slice(&self.events);
        tail.extend_from_slice(&footer.encode());
        self.append(&tail)?;
        let content = self.hasher.finish();
        self.append(&content.0)?;
        assert_eq!(
            self.size,
            footer.index_at + footer.index_size() + wide(self.events.len()) + wide(FOOTER_SIZE),
            "as the footer says"
        );
        let hash = self.hasher.finish();
        Ok((self.sink, hash, sealed))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), BatchFileError> {
        self.size += wide(bytes.len());
        if self.size > BATCH_FILE_SIZE_MAX {
            return Err(BatchFileError::Size { size: self.size, max: BATCH_FILE_SIZE_MAX });
        }
        self.hasher.update(bytes);
        Ok(self.sink.append(bytes)?)
    }
}
