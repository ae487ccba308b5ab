//! The file an import reads: its hash, and how far it was read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::rc::Rc;

use rayon::prelude::*;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::digest::{PART_SIZE, PartHash, content_hash, join_parts};
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

/// The hash of a file's bytes, read in parts by all threads: each is hashed where it still lies in the cache of the
/// one that read it.
pub(super) fn hash_file(path: &Path, threads: &Threads) -> Result<ContentHash, IntakeError> {
    let failed = |error| DurableError::io("read", path)(error);
    let file = File::open(path).map_err(DurableError::io("open", path))?;
    let size = file.metadata().map_err(failed)?.len();
    let part_size = u64::try_from(PART_SIZE).expect("a part's size fits u64");
    let read = |index: u64, part: &mut Vec<u8>| {
        let offset = index * part_size;
        let wanted = usize::try_from((size - offset).min(part_size)).expect("a part fits memory");
        part.resize(PART_SIZE, 0);
        file.read_exact_at(&mut part[..wanted], offset).map(|()| wanted)
    };
    let part_count = size.div_ceil(part_size);
    if part_count <= 1 {
        let mut part = Vec::new();
        let wanted = read(0, &mut part).map_err(failed)?;
        return Ok(content_hash(&part[..wanted]));
    }
    let hash = |part: &mut Vec<u8>, index| {
        let wanted = read(index, part)?;
        Ok(PartHash::of(index, &part[..wanted]))
    };
    let parts: io::Result<Vec<PartHash>> =
        threads.pool().install(|| (0..part_count).into_par_iter().map_init(Vec::new, hash).collect());
    Ok(join_parts(&parts.map_err(failed)?))
}
