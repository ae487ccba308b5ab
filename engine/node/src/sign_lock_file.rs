//! The sign lock on disk: two slots in one file, written in turn, each with one sync.
//!
//! ```text
//!   signlock   │ slot 0: the lock before the last    │ slot 1: the last lock                │
//!              └ 4,096 bytes, a record and zeros     └ likewise
//!   the next lock goes into the older slot ─▶ fdatasync ─▶ the signature may leave
//!              └ a crash here: the slot is torn, and the other holds the lock before: nothing was signed since
//! ```
//!
//! A file that is replaced needs three: of its bytes, of its name, of its folder's. Here the room is laid out once, so a lock
//! moves no metadata. Bytes in `FORMAT.md` §7.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use tallywatt_consensus::lock::SignLock;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::digest;
use tallywatt_ledger::log::LogHash;
use tallywatt_shards::durable::{self, DurableError};

use crate::node_folder::FolderError;

/// A slot: the largest piece that a disk writes as one, so that a torn write cannot reach the other.
pub const SLOT_SIZE: usize = 4_096;
/// The file: two slots.
pub const FILE_SIZE: usize = 2 * SLOT_SIZE;
const LOCK_KIND: u8 = 0x64;
const VERSION: u8 = 1;

/// What a file of two slots says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredLock {
    /// The last lock.
    pub lock: SignLock,
    /// How often a lock was stored, from 1.
    pub sequence: u64,
    /// Whether the other slot is what it should be: the lock before, or empty before there was one. A crash while a lock was
    /// stored leaves it torn, until the next lock.
    pub is_whole: bool,
}

impl StoredLock {
    fn encode(lock: &SignLock, sequence: u64) -> [u8; SLOT_SIZE] {
        let mut writer = Writer::record(VERSION, LOCK_KIND);
        writer.u64(sequence).u64(lock.size).raw(lock.root.as_bytes());
        let mut record = writer.finish();
        let hash = digest::content_hash(&record);
        record.extend_from_slice(&hash.0);
        let mut slot = [0; SLOT_SIZE];
        slot[..record.len()].copy_from_slice(&record);
        slot
    }

    fn decode_slot(slot: &[u8]) -> Option<(u64, SignLock)> {
        let read = || -> Result<(u64, SignLock), CodecError> {
            let mut reader = Reader::record(slot, VERSION, LOCK_KIND)?;
            let (sequence, size) = (reader.u64("sequence")?, reader.u64("size")?);
            let root: ContentHash = reader.hash("root")?;
            Ok((sequence, SignLock { size, root: LogHash::from_bytes(root.0) }))
        };
        // One spelling: hash and zeros are those that this lock is written with.
        let (sequence, lock) = read().ok()?;
        (Self::encode(&lock, sequence) == slot).then_some((sequence, lock))
    }

    /// From the bytes of a file: the newer of two locks that follow one another, or the one that is whole. `None` if neither
    /// is, or they are of no one history.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(SLOT_SIZE).filter(|_| bytes.len() == FILE_SIZE)?;
        let of = |found: (u64, SignLock), is_whole| Self { sequence: found.0, lock: found.1, is_whole };
        match (Self::decode_slot(first), Self::decode_slot(second)) {
            (Some(one), Some(other)) => {
                let (newer, older) = if one.0 > other.0 { (one, other) } else { (other, one) };
                let follows = newer.0 == older.0 + 1 && newer.1.size >= older.1.size;
                follows.then(|| of(newer, true))
            }
            // Before the second lock the other slot is empty, and empty only then.
            (Some(only), None) => Some(of(only, only.0 == 1 && second.iter().all(|byte| *byte == 0))),
            (None, Some(only)) => Some(of(only, false)),
            (None, None) => None,
        }
    }

    /// Which slot holds this lock: the first lock is in the first.
    const fn slot(sequence: u64) -> u64 {
        sequence.wrapping_sub(1) % 2
    }
}

/// Reads the lock; `None` if there is no file: nothing was signed.
///
/// # Errors
/// [`FolderError`]: without any whole lock the key must not sign any more.
pub fn read(path: &Path) -> Result<Option<StoredLock>, FolderError> {
    if !path.exists() {
        return Ok(None);
    }
    let size_max = u64::try_from(FILE_SIZE).unwrap_or(u64::MAX);
    let bytes = durable::read_limited(path, size_max)?;
    let what = "no size and root in either slot";
    let malformed = || FolderError::Malformed { path: path.to_owned(), what };
    StoredLock::decode(&bytes).map(Some).ok_or_else(malformed)
}

/// Makes a lock durable in place of the one before the last. A crash after it leaves a lock without a signature: sign again.
///
/// # Errors
/// [`FolderError`]. After a failed sync nothing is retried.
pub fn store(path: &Path, lock: &SignLock) -> Result<(), FolderError> {
    let Some(held) = read(path)? else {
        let mut bytes = StoredLock::encode(lock, 1).to_vec();
        bytes.resize(FILE_SIZE, 0);
        return Ok(durable::write_durably(path, &bytes)?);
    };
    let sequence = held.sequence + 1;
    let offset = StoredLock::slot(sequence) * u64::try_from(SLOT_SIZE).unwrap_or(0);
    let file = File::options().write(true).open(path).map_err(DurableError::io("open", path))?;
    let slot = StoredLock::encode(lock, sequence);
    file.write_all_at(&slot, offset).map_err(DurableError::io("write", path))?;
    // A crash before this returns leaves the other slot as it was.
    Ok(file.sync_data().map_err(DurableError::io("sync", path))?)
}
