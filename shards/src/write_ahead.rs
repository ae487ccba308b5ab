//! The write-ahead log: what it has synced may be acknowledged. A folder of segments that hold groups of records.
//!
//! ```text
//!   append ──▶ pending group ──sync──▶ one write, one fdatasync ──▶ acknowledged
//!                                          │ fails once
//!                                          └──▶ poisoned: every later call fails; open again to go on
//!
//!   1-1.twa ─ 1-2.twa ─ 1-3.twa      a generation: its groups in order, each bound to its place and the one before
//!        └── start over ──▶ 2-1.twa  the next one: what is to be remembered of it
//! ```
//!
//! A group is written only when all before it are durable; that is what lets [`recovery`] tell a torn write from rot.
//! So what belongs to one acknowledgement belongs in one group: each group costs a sync, a record costs none.
//!
//! After a failed sync the system may have thrown the bytes away and marked them clean, so that a second sync would
//! succeed over nothing. Hence never retry. The bytes of a group are drawn in [`group`], the files in [`segment`].

mod error;
mod generation;
pub mod group;
mod reader;
pub mod recovery;
pub mod segment;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::direct::BLOCK_SIZE;
use crate::durable::{self, DurableError};
pub use crate::write_ahead::error::WriteAheadError;
use crate::write_ahead::generation::Generation;
pub use crate::write_ahead::generation::WriteAheadLimits;
pub use crate::write_ahead::reader::WriteAheadReader;
use crate::write_ahead::recovery::End;
pub use crate::write_ahead::recovery::{Record, RecordPlace, Recovered, look_through};
use crate::write_ahead::segment::Listing;

/// Bytes of a group when the log starts over: large enough that its sync costs little beside its bytes.
const START_OVER_GROUP_SIZE: usize = 16 << 20;
const _: () = assert!(START_OVER_GROUP_SIZE + group::PAYLOAD_SIZE_MAX < group::GROUP_SIZE_MAX);

/// An open write-ahead log. One process holds its folder at a time.
#[derive(Debug)]
pub struct WriteAhead {
    folder: PathBuf,
    limits: WriteAheadLimits,
    /// The folder itself; held locked for as long as the log is open.
    _lock: File,
    generation: Generation,
    reader: WriteAheadReader,
    is_poisoned: bool,
}

impl WriteAhead {
    /// Opens or creates the folder, gives every record that it holds, in order and one group in memory at a time, cuts
    /// a torn write off, and removes what a crash left of other generations.
    ///
    /// # Errors
    /// [`WriteAheadError`], or what `record` gave; the files are as they were then, and what `record` was given of a
    /// log that is refused in the end is to be thrown away.
    ///
    /// # Panics
    /// If the limits are the wrong way round.
    pub fn open<E: From<WriteAheadError>>(
        folder: &Path,
        limits: WriteAheadLimits,
        record: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(Self, Recovered), E> {
        assert!(limits.segment_size_min <= limits.segment_size_max, "the least room is at most the most");
        let lock = hold(folder)?;
        let listing = Listing::of(folder)?;
        let end = recovery::recover(folder, &listing, record)?;
        let room = settle(folder, &listing, &end)?;
        let generation = Generation::at(folder, limits, &end, room)?;
        let reader = WriteAheadReader::default();
        reader.publish(&generation);
        let folder = folder.to_owned();
        let write_ahead = Self { folder, limits, _lock: lock, generation, reader, is_poisoned: false };
        Ok((write_ahead, end.recovered))
    }

    /// Puts one record, whose payload is the parts end to end, in line for the next [`WriteAhead::sync`]; gives where
    /// the payload will lie. Nothing is durable yet.
    ///
    /// # Errors
    /// [`WriteAheadError`] names the limit; the record is not taken then. After [`WriteAheadError::GroupSize`] a sync
    /// makes room.
    pub fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<RecordPlace, WriteAheadError> {
        self.check_poison()?;
        self.generation.append(kind, parts)
    }

    /// Makes every appended record durable, all or none. Only when this has returned may the sender be told.
    ///
    /// # Errors
    /// [`WriteAheadError::Disk`], and from then on [`WriteAheadError::Poisoned`].
    pub fn sync(&mut self) -> Result<(), WriteAheadError> {
        self.check_poison()?;
        // Set first, so that no way out but the last can leave the log usable.
        self.is_poisoned = true;
        self.generation.write_out()?;
        self.reader.publish(&self.generation);
        self.is_poisoned = false;
        Ok(())
    }

    /// Begins a new generation that holds just these records; when this returns, it is durable, and the old one gone.
    /// Places of records of the old one cannot be read any more.
    ///
    /// # Errors
    /// [`WriteAheadError::Disk`] or what `records` gave, and from then on [`WriteAheadError::Poisoned`]: opened again,
    /// the log is the old one or the new one.
    ///
    /// # Panics
    /// If records wait for a sync: they would be neither here nor there.
    pub fn start_over<E: From<WriteAheadError>>(
        &mut self,
        records: &mut dyn Iterator<Item = Result<(u8, Vec<u8>), E>>,
    ) -> Result<(), E> {
        self.check_poison()?;
        assert_eq!(self.pending_size(), 0, "what waits is synced before the log starts over");
        self.is_poisoned = true;
        let mut next = Generation::unfinished(&self.folder, self.limits, self.generation.generation + 1);
        // A crash up to the end of `finish` leaves the old generation whole, and beside it a part of the next, known
        // by the name of its first segment: the next opening removes it.
        for record in records {
            let (kind, payload) = record?;
            next.append(kind, &[&payload])?;
            if next.pending_size() >= START_OVER_GROUP_SIZE {
                next.write_out()?;
            }
        }
        next.write_out()?;
        next.finish()?;
        // A crash from here leaves the new generation whole, and beside it some of the old: the same.
        let old = std::mem::replace(&mut self.generation, next);
        self.reader.publish(&self.generation);
        for number in 1..=old.number {
            durable::remove_if_there(&segment::path(&self.folder, old.generation, number))
                .map_err(WriteAheadError::from)?;
        }
        durable::sync_folder(&self.folder).map_err(WriteAheadError::from)?;
        self.is_poisoned = false;
        Ok(())
    }

    /// Reads records back, from any thread, while this log grows.
    #[must_use]
    pub fn reader(&self) -> WriteAheadReader {
        self.reader.clone()
    }

    /// Bytes that wait for a sync.
    #[must_use]
    pub fn pending_size(&self) -> usize {
        self.generation.pending_size()
    }

    /// Bytes of all synced groups: what decides when to start over.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.generation.used_size
    }

    fn check_poison(&self) -> Result<(), WriteAheadError> {
        if self.is_poisoned { Err(WriteAheadError::Poisoned(self.folder.clone())) } else { Ok(()) }
    }
}

/// Makes the folder and holds it.
fn hold(folder: &Path) -> Result<File, WriteAheadError> {
    durable::create_folder_durably(folder)?;
    let lock = File::open(folder).map_err(DurableError::io("open folder", folder))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(WriteAheadError::Locked(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(DurableError::io("lock", folder)(error).into()),
    }
}

/// Brings a folder that was recovered in order; gives the room of the last segment.
fn settle(folder: &Path, listing: &Listing, end: &End) -> Result<u64, WriteAheadError> {
    let block = u64::try_from(BLOCK_SIZE).expect("a block's size fits u64");
    let is_torn = end.recovered.torn_size > 0;
    let room = if is_torn { end.size } else { end.size.max(end.file_size / block * block) };
    if end.number > 0 {
        let path = segment::path(folder, end.generation, end.number);
        let file = OpenOptions::new().write(true).open(&path).map_err(DurableError::io("open", &path))?;
        if room != end.file_size {
            // A crash here leaves the torn write, or part of it: the next opening cuts it again.
            file.set_len(room).map_err(DurableError::io("cut the torn end of", &path))?;
        }
        // A process that was killed may have left groups in the page cache only. They are about to be believed, so
        // they are made durable first; those of earlier segments were before this one was begun. A crash here: as if
        // never opened.
        file.sync_all().map_err(DurableError::io("sync", &path))?;
    }
    // Names, too: the newest generation's before the others go.
    durable::sync_folder(folder)?;
    let leftovers = listing.leftovers(folder, end.generation);
    for path in &leftovers {
        durable::remove_if_there(path)?;
    }
    // A crash here leaves some of them. What marks a generation as unfinished goes last, so that its other segments
    // never stand without.
    if !leftovers.is_empty() {
        durable::sync_folder(folder)?;
    }
    for path in listing.unfinished.values() {
        durable::remove_if_there(path)?;
    }
    if !listing.unfinished.is_empty() {
        durable::sync_folder(folder)?;
    }
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Got = Vec<(u8, Vec<u8>)>;

    fn open(folder: &Path) -> (WriteAhead, Recovered, Got) {
        let mut got = Vec::new();
        let (write_ahead, recovered) =
            WriteAhead::open::<WriteAheadError>(folder, WriteAheadLimits::default(), &mut |record| {
                got.push((record.kind, record.payload.to_vec()));
                Ok(())
            })
            .unwrap();
        (write_ahead, recovered, got)
    }

    /// Files that fail each in its way: one not open for writing, and a disk that is full.
    #[test]
    fn a_failed_write_poisons_and_what_was_acknowledged_is_recovered() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("beside"), b"").unwrap();
        let read_only = File::open(folder.path().join("beside")).unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        for (at, (file, said)) in
            [(read_only, "Bad file descriptor"), (full, "No space left")].into_iter().enumerate()
        {
            let (mut write_ahead, _, before) = open(folder.path());
            write_ahead.append(1, &[b"acknowledged"]).unwrap();
            write_ahead.sync().unwrap();
            write_ahead.append(2, &[b"lost"]).unwrap();
            write_ahead.generation.write_to(file);
            let error = write_ahead.sync().unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("1-1.twa"), "{error}");
            assert!(matches!(write_ahead.sync(), Err(WriteAheadError::Poisoned(_))));
            assert!(matches!(write_ahead.append(1, &[b"y"]), Err(WriteAheadError::Poisoned(_))));
            let mut none = std::iter::empty::<Result<_, WriteAheadError>>();
            assert!(matches!(write_ahead.start_over(&mut none), Err(WriteAheadError::Poisoned(_))));
            drop(write_ahead);
            let (_, recovered, after) = open(folder.path());
            assert_eq!((before.len(), after.len()), (at, at + 1));
            assert!(after.iter().all(|record| *record == (1, b"acknowledged".to_vec())));
            assert_eq!(recovered.torn_size, 0);
        }
    }

    #[test]
    fn limits_are_refused_without_poison() {
        let folder = tempfile::tempdir().unwrap();
        let (mut write_ahead, ..) = open(folder.path());
        let huge = vec![0; group::PAYLOAD_SIZE_MAX];
        let error = write_ahead.append(1, &[&huge, b"x"]);
        assert!(matches!(error, Err(WriteAheadError::PayloadSize { size }) if size == huge.len() + 1));
        for _ in 0..group::GROUP_SIZE_MAX / group::PAYLOAD_SIZE_MAX - 1 {
            write_ahead.append(1, &[&huge]).unwrap();
        }
        let pending_size = write_ahead.pending_size();
        let error = write_ahead.append(1, &[&huge]);
        assert!(matches!(error, Err(WriteAheadError::GroupSize { .. })), "{error:?}");
        assert_eq!(write_ahead.pending_size(), pending_size);
        write_ahead.append(1, &[]).unwrap();
    }
}
