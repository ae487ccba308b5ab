//! The write-ahead file: what it has synced may be acknowledged. Its bytes are drawn in [`recovery`].
//!
//! ```text
//!   append ──▶ pending ──sync──▶ write, fdatasync, one record after the other ──▶ acknowledged
//!                                     │ fails once
//!                                     └──▶ poisoned: every later call fails; open again to go on
//! ```
//!
//! A record is written only when the one before it is durable; that is what lets [`recovery`] tell a torn
//! write from rot. So what belongs to one acknowledgement belongs in one record: each record costs a sync.
//!
//! After a failed sync the system may have thrown the bytes away and marked them clean, so that a second sync
//! would succeed over nothing. Hence never retry.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tallywatt_core::hash::ContentHash;

use crate::durable::{self, DurableError};
use crate::recovery::{self, HASH_SIZE, HEADER_SIZE, PAYLOAD_SIZE_MAX, Recovery, Rot};

/// The largest write-ahead file: recovery reads it whole.
pub const FILE_SIZE_MAX: u64 = 4 << 30;
/// The most bytes that wait for a sync.
pub const PENDING_SIZE_MAX: usize = 256 << 20;

const _: () = assert!(PENDING_SIZE_MAX > 2 * (HEADER_SIZE + PAYLOAD_SIZE_MAX + HASH_SIZE));
const _: () = assert!(FILE_SIZE_MAX > PENDING_SIZE_MAX as u64);

/// Why the write-ahead file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WriteAheadError {
    /// The system refused. After a write or a sync the file is poisoned.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// Another process holds the file.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// A durable record is damaged. Nothing was changed; get the file from a peer.
    #[error("{}: {rot}", path.display())]
    Rot {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        rot: Rot,
    },
    /// An earlier write or sync failed.
    #[error("an earlier write to {} failed, nothing more is taken until it is opened again", .0.display())]
    Poisoned(PathBuf),
    /// The payload is too large for one record.
    #[error("cannot append a payload of {size} bytes, at most {PAYLOAD_SIZE_MAX}")]
    PayloadSize {
        /// Its size.
        size: usize,
    },
    /// Too much waits for a sync.
    #[error("cannot append {size} bytes to {pending_size} that wait for a sync, at most {PENDING_SIZE_MAX}")]
    PendingSize {
        /// Bytes of the new record.
        size: usize,
        /// Bytes that wait.
        pending_size: usize,
    },
    /// The file is full.
    #[error("cannot append {size} bytes to a write-ahead file of {file_size}, at most {FILE_SIZE_MAX}")]
    FileSize {
        /// Bytes of the new record.
        size: usize,
        /// Bytes of the file, with those that wait.
        file_size: u64,
    },
}

/// One record, as it was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Kind of the payload.
    pub kind: u8,
    /// Its number, from 1.
    pub sequence: u64,
    /// The payload.
    pub payload: &'a [u8],
}

/// What was in the file when it was opened.
#[derive(Debug)]
pub struct Recovered {
    bytes: Vec<u8>,
    recovery: Recovery,
}

impl Recovered {
    /// The records, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.recovery.records.iter().map(|range| Record {
            kind: range.kind,
            sequence: range.sequence,
            payload: &self.bytes[range.payload.clone()],
        })
    }

    /// Bytes of an unfinished write that were cut off; tell the operator when it is not 0.
    #[must_use]
    pub fn torn_size(&self) -> usize {
        self.recovery.torn_size
    }
}

/// An open write-ahead file. One process holds it at a time.
#[derive(Debug)]
pub struct WriteAhead {
    file: File,
    path: PathBuf,
    pending: Vec<Vec<u8>>,
    pending_size: usize,
    /// With what is pending.
    file_size: u64,
    next_sequence: u64,
    last_hash: ContentHash,
    is_poisoned: bool,
}

impl WriteAhead {
    /// Opens or creates the file, cuts a torn tail off, and gives what it holds.
    ///
    /// # Errors
    /// [`WriteAheadError`]; after [`WriteAheadError::Rot`] the file is as it was.
    pub fn open(path: &Path) -> Result<(Self, Recovered), WriteAheadError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(DurableError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WriteAheadError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(DurableError::io("lock", path)(error).into()),
        }
        let bytes = durable::read_handle_limited(&mut file, path, FILE_SIZE_MAX)?;
        let recovery =
            recovery::recover(&bytes).map_err(|rot| WriteAheadError::Rot { path: path.to_owned(), rot })?;
        let file_size = u64::try_from(recovery.valid_size).expect("the file's size fits u64");
        if recovery.torn_size > 0 {
            // A crash here leaves the torn tail, or part of it: the next opening cuts it again.
            file.set_len(file_size).map_err(DurableError::io("cut the torn tail of", path))?;
        }
        // A process that was killed may have left records in the page cache only. They are about to be
        // believed, so they are made durable first. A crash here: as if never opened.
        file.sync_all().map_err(DurableError::io("sync", path))?;
        // A crash before this may lose the name of a new file, which holds nothing yet.
        durable::sync_folder(durable::folder_of(path)?)?;
        file.seek(SeekFrom::Start(file_size)).map_err(DurableError::io("seek in", path))?;
        let next_sequence = recovery.records.last().map_or(1, |record| record.sequence + 1);
        let last_hash = recovery.last_hash;
        let write_ahead = Self::at_end(file, path, file_size, next_sequence, last_hash);
        Ok((write_ahead, Recovered { bytes, recovery }))
    }

    fn at_end(file: File, path: &Path, file_size: u64, next_sequence: u64, last_hash: ContentHash) -> Self {
        let (pending, pending_size) = (Vec::new(), 0);
        let path = path.to_owned();
        Self { file, path, pending, pending_size, file_size, next_sequence, last_hash, is_poisoned: false }
    }

    /// Gives the file another name, in place of a file of that name; when this returns, it survives a power cut.
    ///
    /// A crash before leaves both files under their old names, a crash after the new one; each is whole.
    ///
    /// # Errors
    /// [`WriteAheadError::Disk`].
    pub fn rename(&mut self, to: &Path) -> Result<(), WriteAheadError> {
        durable::rename_durably(&self.path, to)?;
        to.clone_into(&mut self.path);
        Ok(())
    }

    /// Puts one record in line for the next [`WriteAhead::sync`], and gives its number. Nothing is durable yet.
    ///
    /// # Errors
    /// [`WriteAheadError`] names the limit; the record is not taken then.
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> Result<u64, WriteAheadError> {
        self.check_poison()?;
        if payload.len() > PAYLOAD_SIZE_MAX {
            return Err(WriteAheadError::PayloadSize { size: payload.len() });
        }
        let size = HEADER_SIZE + payload.len() + HASH_SIZE;
        let added = u64::try_from(size).expect("a record's size fits u64");
        if self.file_size + added > FILE_SIZE_MAX {
            return Err(WriteAheadError::FileSize { size, file_size: self.file_size });
        }
        if self.pending_size + size > PENDING_SIZE_MAX {
            return Err(WriteAheadError::PendingSize { size, pending_size: self.pending_size });
        }
        let sequence = self.next_sequence;
        let (bytes, hash) = recovery::encode(kind, sequence, self.file_size, &self.last_hash, payload);
        assert_eq!(bytes.len(), size, "a record is header, payload and hash");
        self.pending.push(bytes);
        self.pending_size += size;
        self.file_size += added;
        self.last_hash = hash;
        self.next_sequence += 1;
        Ok(sequence)
    }

    /// Makes every appended record durable. Only when this has returned may the sender be told.
    ///
    /// # Errors
    /// [`WriteAheadError::Disk`], and from then on [`WriteAheadError::Poisoned`].
    pub fn sync(&mut self) -> Result<(), WriteAheadError> {
        self.check_poison()?;
        // Set first, so that no way out of the loop but the last can leave the file usable.
        self.is_poisoned = true;
        for bytes in self.pending.drain(..) {
            // A crash here leaves some of these bytes, in any order: a torn tail, never acknowledged.
            self.file.write_all(&bytes).map_err(DurableError::io("write", &self.path))?;
            // A crash here, the same. A crash after: the record is there, whether or not the sender was
            // told; if not, it sends again, and the same readings join to the same days.
            self.file.sync_data().map_err(DurableError::io("sync", &self.path))?;
        }
        self.pending_size = 0;
        self.is_poisoned = false;
        Ok(())
    }

    /// Size of the file when all that waits is synced: what decides when to start another.
    #[must_use]
    pub const fn file_size(&self) -> u64 {
        self.file_size
    }

    fn check_poison(&self) -> Result<(), WriteAheadError> {
        if self.is_poisoned { Err(WriteAheadError::Poisoned(self.path.clone())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_poisons() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ahead");
        std::fs::write(&path, b"").unwrap();
        // A handle that cannot be written to stands for a disk that fails.
        let file = File::open(&path).unwrap();
        let mut write_ahead = WriteAhead::at_end(file, &path, 0, 1, ContentHash::default());
        write_ahead.append(1, b"x").unwrap();
        assert!(matches!(write_ahead.sync(), Err(WriteAheadError::Disk(_))));
        assert!(matches!(write_ahead.sync(), Err(WriteAheadError::Poisoned(_))));
        assert!(matches!(write_ahead.append(1, b"y"), Err(WriteAheadError::Poisoned(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn limits_are_refused_without_poison() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ahead");
        let (mut write_ahead, _) = WriteAhead::open(&path).unwrap();
        let huge = vec![0; PAYLOAD_SIZE_MAX + 1];
        assert!(matches!(write_ahead.append(1, &huge), Err(WriteAheadError::PayloadSize { .. })));
        write_ahead.file_size = FILE_SIZE_MAX;
        assert!(matches!(write_ahead.append(1, b""), Err(WriteAheadError::FileSize { .. })));
        write_ahead.file_size = 0;
        write_ahead.pending_size = PENDING_SIZE_MAX;
        assert!(matches!(write_ahead.append(1, b""), Err(WriteAheadError::PendingSize { .. })));
        write_ahead.pending_size = 0;
        assert_eq!(write_ahead.append(1, b"").unwrap(), 1);
        write_ahead.sync().unwrap();
    }
}
