//! The file an import reads: its hash, and how far it was read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::digest::ContentHasher;
use tallywatt_shards::durable::DurableError;
use tallywatt_shards::threads::Threads;

use crate::intake::IntakeError;

/// A file that says how far it was read.
pub(super) struct Counted {
    pub(super) file: File,
    pub(super) bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.file.read(buffer)?;
        self.bytes.set(self.bytes.get() + u64::try_from(size).unwrap_or(0));
        Ok(size)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.file.seek(to)?;
        self.bytes.set(at);
        Ok(at)
    }
}

/// Bytes that are hashed at once: enough that handing them out costs nothing.
const HASHED_SIZE: u64 = 8 << 20;

pub(super) fn hash_file(path: &Path, threads: &Threads) -> Result<ContentHash, IntakeError> {
    let mut file = File::open(path).map_err(DurableError::io("open", path))?;
    let mut hasher = ContentHasher::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        (&mut file).take(HASHED_SIZE).read_to_end(&mut buffer).map_err(DurableError::io("read", path))?;
        if buffer.is_empty() {
            return Ok(hasher.finish());
        }
        threads.pool().install(|| hasher.update_in_parallel(&buffer));
    }
}
