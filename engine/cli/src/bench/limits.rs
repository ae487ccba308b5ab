//! What the machine can do: memory, BLAKE3, signatures, disk. Stages are told as shares of these.
//!
//! ```text
//!   memory read    each thread sums its part of a buffer larger than the caches
//!   memory copy    each thread copies its part of one; bytes copied, not bytes moved twice
//!   BLAKE3         each thread hashes a stream of its own: all lanes of the vector unit at work
//!   Ed25519        signatures checked one by one
//!   file write     a new file in order, with its fdatasync
//!   file read      each thread reads all of that file, from the page cache
//!   append         of 4 KiB with its fdatasync: the median, and what 99 of 100 stay below
//! ```

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::key::LogSigner;
use tallywatt_shards::threads::Threads;

use crate::failure::Failure;

use super::figure::{Figure, Kind, Unit};
use super::machine;
use super::measure::{Effort, Times, Work, real};

/// The buffer of the memory limits, all threads together: at least so much, and four times the largest cache.
const MEMORY_SIZE_MIN: usize = 256 << 20;
/// At most so much.
const MEMORY_SIZE_MAX: usize = 1 << 30;
/// So much for a look, which then measures caches.
const MEMORY_SIZE_QUICK: usize = 16 << 20;
/// The stream of a hashing thread.
const STREAM_SIZE: usize = 4 << 20;
/// The file that is written and read: about a second's work for a slow disk, all repetitions together.
const FILE_SIZE: usize = 128 << 20;
/// The same for a look.
const FILE_SIZE_QUICK: usize = 8 << 20;
/// What is written and read at once.
const PIECE_SIZE: usize = 1 << 20;
/// What is appended and made durable at once.
const APPEND_SIZE: usize = 4_096;
/// Sums kept side by side, so that no addition waits for the one before it.
const LANE_COUNT: usize = 32;
/// Signatures checked in one repetition.
const SIGNATURE_COUNT: usize = 8;

const _: () = assert!(FILE_SIZE.is_multiple_of(PIECE_SIZE) && FILE_SIZE_QUICK.is_multiple_of(PIECE_SIZE));

/// What holds a stage back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Bytes read from memory.
    MemoryRead,
    /// Bytes copied in memory.
    MemoryCopy,
    /// Bytes through BLAKE3.
    Hash,
    /// Ed25519 signatures checked.
    Signature,
    /// Bytes written to a file and made durable.
    FileWrite,
    /// Bytes read from a file in the page cache.
    FileRead,
    /// Waits for the disk.
    Sync,
}

impl Limit {
    /// Its name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MemoryRead => "memory read",
            Self::MemoryCopy => "memory copy",
            Self::Hash => "BLAKE3 stream",
            Self::Signature => "Ed25519 check",
            Self::FileWrite => "synced file write",
            Self::FileRead => "cached file read",
            Self::Sync => "synced append",
        }
    }
}

/// The limits, measured.
pub struct Limits {
    figures: Vec<Figure>,
    /// How much a second, by limit and threads.
    capacity: BTreeMap<(Limit, usize), f64>,
}

impl Limits {
    /// Measures all of them; files are written below `folder`.
    ///
    /// # Errors
    /// The disk; interrupted.
    pub fn measure(effort: &Effort<'_>, pools: &[Threads], folder: &Path) -> Result<Self, Failure> {
        let mut limits = Self { figures: Vec::new(), capacity: BTreeMap::new() };
        limits.memory(effort, pools)?;
        limits.hash(effort, pools)?;
        let measured = signatures(effort)?;
        limits.add(Limit::Signature, 1, Unit::SIGNATURES, &measured);
        limits.disk(effort, pools, folder)?;
        Ok(limits)
    }

    /// The figures, in the order they were measured.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// How much of a limit there is a second, for so many threads; how fast the disk writes is a matter of none.
    pub fn capacity(&self, limit: Limit, threads: usize) -> f64 {
        let alone = || self.capacity.get(&(limit, 1)).copied();
        let own = self.capacity.get(&(limit, threads)).copied();
        match limit {
            Limit::Signature => alone().map(|rate| rate * real(threads)),
            Limit::FileWrite | Limit::Sync => alone(),
            Limit::MemoryRead | Limit::MemoryCopy | Limit::Hash | Limit::FileRead => own,
        }
        .expect("every limit is measured before the stages, on the same threads")
    }

    fn memory(&mut self, effort: &Effort<'_>, pools: &[Threads]) -> Result<(), Failure> {
        let size = memory_size(effort.is_quick());
        for threads in pools {
            let count = threads.count();
            let words = size / count / 8 / LANE_COUNT * LANE_COUNT;
            let parts: Vec<Mutex<[Vec<u64>; 2]>> =
                (0..count).map(|at| Mutex::new([seeded(words, at), vec![0; words]])).collect();
            let of = |at: usize| parts[at].lock().unwrap_or_else(PoisonError::into_inner);
            let work = Work::new(8 * words, 8 * words).times(count);
            let read = effort.repeat(&mut || {
                threads.pool().broadcast(|context| black_box(sum(black_box(&of(context.index())[0]))));
                Ok(work)
            })?;
            self.add(Limit::MemoryRead, count, Unit::BYTES, &read);
            let copied = effort.repeat(&mut || {
                threads.pool().broadcast(|context| {
                    let [from, to] = &mut *of(context.index());
                    to.copy_from_slice(from);
                    black_box(to.as_slice());
                });
                Ok(work)
            })?;
            self.add(Limit::MemoryCopy, count, Unit::BYTES, &copied);
        }
        Ok(())
    }

    fn hash(&mut self, effort: &Effort<'_>, pools: &[Threads]) -> Result<(), Failure> {
        let stream = bytes(STREAM_SIZE);
        for threads in pools {
            let work = Work::new(STREAM_SIZE, STREAM_SIZE).times(threads.count());
            let measured = effort.repeat(&mut || {
                threads.pool().broadcast(|_| black_box(content_hash(black_box(&stream))));
                Ok(work)
            })?;
            self.add(Limit::Hash, threads.count(), Unit::BYTES, &measured);
        }
        Ok(())
    }

    fn disk(&mut self, effort: &Effort<'_>, pools: &[Threads], folder: &Path) -> Result<(), Failure> {
        let path = folder.join("limits");
        let fail = |action| {
            let path = &path;
            move |error| Failure::file(action, path, &error)
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let mut file = options.open(&path).map_err(fail("create"))?;
        let size = if effort.is_quick() { FILE_SIZE_QUICK } else { FILE_SIZE };
        let piece = bytes(PIECE_SIZE);
        let written = effort.repeat_timed(&mut || {
            file.set_len(0).and_then(|()| file.rewind()).map_err(fail("empty"))?;
            let begun = Instant::now();
            for _ in 0..size / PIECE_SIZE {
                file.write_all(&piece).map_err(fail("write"))?;
            }
            file.sync_data().map_err(fail("sync"))?;
            Ok((Work::new(size, size), begun.elapsed()))
        })?;
        self.add(Limit::FileWrite, 1, Unit::BYTES, &written);
        for threads in pools {
            let work = Work::new(size, size).times(threads.count());
            let read = effort.repeat(&mut || {
                let done = threads.pool().broadcast(|_| read_whole(&file, size));
                done.into_iter().collect::<io::Result<()>>().map_err(fail("read"))?;
                Ok(work)
            })?;
            self.add(Limit::FileRead, threads.count(), Unit::BYTES, &read);
        }
        self.appends(effort, &mut file).map_err(|error| match error {
            Ok(failure) => failure,
            Err(error) => fail("append to")(error),
        })
    }

    /// Each append makes the file longer, as those of a write-ahead file do.
    fn appends(&mut self, effort: &Effort<'_>, file: &mut File) -> Result<(), Result<Failure, io::Error>> {
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(Err)?;
        let page = bytes(APPEND_SIZE);
        let mut failed = None;
        let measured = effort.repeat(&mut || {
            let done = file.write_all(&page).and_then(|()| file.sync_data());
            done.map_err(|error| {
                failed = Some(error);
                Failure::usage("", "")
            })?;
            Ok(Work::new(1, 1))
        });
        let (work, times) = measured.map_err(|failure| failed.take().map_or(Ok(failure), Err))?;
        self.capacity.insert((Limit::Sync, 1), work.limited[0] / times.median_s());
        self.figures.push(latency(Limit::Sync.name(), times.median_s(), times.spread()));
        self.figures.push(latency("synced append, p99", times.quantile_s(990), times.spread()));
        Ok(())
    }

    fn add(&mut self, limit: Limit, threads: usize, unit: Unit, (work, times): &(Work, Times)) {
        let rate = work.count / times.median_s();
        self.capacity.insert((limit, threads), work.limited[0] / times.median_s());
        let alone = self.capacity.get(&(limit, 1)).copied();
        self.figures.push(Figure {
            kind: Kind::Limit,
            name: limit.name(),
            threads,
            unit,
            rate,
            spread: times.spread(),
            limit: None,
            share: None,
            speed_up: alone.filter(|_| threads > 1).map(|alone| rate / alone),
        });
    }
}

/// Reads a file of `size` bytes a piece at a time.
fn read_whole(file: &File, size: usize) -> io::Result<()> {
    let mut piece = vec![0; PIECE_SIZE];
    for at in (0_u64..).take(size / PIECE_SIZE) {
        file.read_exact_at(&mut piece, at * PIECE_SIZE as u64)?;
        black_box(&piece);
    }
    Ok(())
}

fn latency(name: &'static str, seconds: f64, spread: f64) -> Figure {
    Figure {
        kind: Kind::Limit,
        name,
        threads: 1,
        unit: Unit::MICROSECONDS,
        rate: seconds,
        spread,
        limit: None,
        share: None,
        speed_up: None,
    }
}

fn signatures(effort: &Effort<'_>) -> Result<(Work, Times), Failure> {
    let defect = |error| Failure::usage(error, "this is a defect: report it");
    let signer = LogSigner::from_seed("tallywatt.bench/limit", &[7; 32]).map_err(defect)?;
    let text = "tallywatt.bench/limit\n16\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let line = signer.sign(text).map_err(defect)?;
    let key = signer.verifier_key();
    effort.repeat(&mut || {
        for _ in 0..SIGNATURE_COUNT {
            key.verify_signature(black_box(text), black_box(&line)).map_err(defect)?;
        }
        Ok(Work::new(SIGNATURE_COUNT, SIGNATURE_COUNT))
    })
}

/// Larger than the caches, and never so large that it presses others out of memory.
fn memory_size(is_quick: bool) -> usize {
    if is_quick {
        return MEMORY_SIZE_QUICK;
    }
    let beyond_cache = machine::cache_size().unwrap_or_default().saturating_mul(4);
    let wanted = beyond_cache.clamp(MEMORY_SIZE_MIN, MEMORY_SIZE_MAX);
    wanted.min(machine::spare_memory().unwrap_or(MEMORY_SIZE_MIN)).max(MEMORY_SIZE_QUICK)
}

/// The sum of all words, wrapping.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0_u64; LANE_COUNT];
    let (pieces, rest) = words.as_chunks::<LANE_COUNT>();
    for piece in pieces {
        for (sum, word) in sums.iter_mut().zip(piece) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().chain(rest).fold(0, |sum, word| sum.wrapping_add(*word))
}

/// Words that no system can fold into one page, nor a disk compress.
fn seeded(count: usize, seed: usize) -> Vec<u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * u64::try_from(seed).unwrap_or_default() + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(|_| next()).collect()
}

fn bytes(size: usize) -> Vec<u8> {
    seeded(size / 8, 1).into_iter().flat_map(u64::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_sum() {
        for count in [0, 1, 31, 32, 33, 1_000] {
            let words = seeded(count, 3);
            let want = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
            assert_eq!(sum(&words), want, "{count}");
        }
        assert_eq!(bytes(APPEND_SIZE).len(), APPEND_SIZE);
        assert_ne!(seeded(4, 0), seeded(4, 1));
    }
}
