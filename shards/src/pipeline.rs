//! The pipeline: chunks of a file go from stage to stage, each on threads of its own, and come back empty.
//!
//! ```text
//!            free ◀───────────────────────────────────────────────────────────┐
//!             │                                                               │
//!          source ──▶ decoder 0…d ──▶ inbox of shard 0 ──▶ worker 0 ──┐       │
//!   (reads in order)  (optional)  ╲─▶ inbox of shard 1 ──▶ worker 1 ──┼─▶ committer: chunks in order,
//!                                  ╲─▶ …                      …     ──┘    as many as are there made durable at once,
//!                                                                          then acknowledged
//! ```
//!
//! There is a fixed number of chunks, and whoever has none waits: a slow disk or a slow consumer slows the source, and
//! memory is bounded by that number times the size of a chunk. Workers take chunks in the order of the file, so
//! what becomes of a reading does not depend on the number of threads. The source runs on the caller's thread.
//! When the committer fails, the queues close, every stage ends, and the error is returned.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lane::{Chunk, Lane};
use crate::queues::{Receiver, Scope, Sender, bounded, scope};
use crate::shard::{EarlierDays, Rules, Shard, ShardError};
use crate::write_ahead::RecordPlace;

/// The most chunks on the way at once.
pub const CHUNK_COUNT_MAX: usize = 64;
/// The most decoder threads.
pub const DECODER_COUNT_MAX: usize = 64;

/// How many of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelineLimits {
    /// Chunks on the way at once, 2 to [`CHUNK_COUNT_MAX`]: with their size, the bound on memory.
    pub chunk_count: usize,
    /// Decoder threads, 0 to [`DECODER_COUNT_MAX`]: with 0 the source hands over decoded chunks.
    pub decoder_count: usize,
}

/// Why a run ended before its source did.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError<E> {
    /// Chunks could not be made durable.
    #[error(transparent)]
    Commit(E),
    /// A day known from before could not be read.
    #[error(transparent)]
    Shard(ShardError),
}

/// Where the source gets empty chunks and leaves full ones.
pub struct Feeder<'a, B = ()> {
    free: Receiver<Chunk<B>>,
    next: Vec<Sender<Chunk<B>>>,
    inboxes: Vec<Sender<Share>>,
    heads: Sender<Finished<B>>,
    stop: &'a AtomicBool,
    sequence: u64,
}

impl<B: Default> Feeder<'_, B> {
    /// An empty chunk, as soon as there is one; `None` when the run has failed and nothing more is wanted.
    pub fn take(&mut self) -> Option<Chunk<B>> {
        if self.stop.load(Ordering::Acquire) {
            return None;
        }
        let mut chunk = self.free.recv().ok()?;
        chunk.clear();
        Some(chunk)
    }

    /// Sends a chunk on its way, in the order of the file.
    pub fn send(&mut self, mut chunk: Chunk<B>) {
        chunk.sequence = self.sequence;
        self.sequence += 1;
        if self.next.is_empty() {
            distribute(chunk, &self.inboxes, &self.heads);
        } else {
            let decoder = usize::try_from(chunk.sequence).unwrap_or(0) % self.next.len();
            // A closed queue means that the run has failed: the committer says why.
            drop(self.next[decoder].send(chunk));
        }
    }
}

/// One shard's lane of a numbered chunk.
struct Share {
    sequence: u64,
    lane: Lane,
}

/// What comes together again at the committer.
enum Finished<B> {
    /// A chunk without its lanes.
    Head(Chunk<B>),
    /// One of them, dealt with.
    Lane { sequence: u64, shard: usize, lane: Lane },
    /// A worker cannot go on.
    Failed(ShardError),
    /// A stage panicked: what it held will not come.
    Panicked,
}

/// Tells the committer when its thread panics: it would wait for ever for what that thread held.
struct Alarm<B>(Sender<Finished<B>>);

impl<B> Drop for Alarm<B> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.send(Finished::Panicked));
        }
    }
}

/// Makes chunks durable together.
pub type Commit<'a, B, E> = dyn FnMut(&mut [Chunk<B>]) -> Result<(), E> + Send + 'a;
/// What a decoder thread does to each chunk.
pub type Decode<'a, B> = Box<dyn FnMut(&mut Chunk<B>) + 'a>;

/// Runs a source through decoders and shards to the committer, until the source ends.
///
/// `decoder` makes what each decoder thread does; `commit` gets chunks in the order of the file, as many as are
/// ready, and makes them durable together.
///
/// # Errors
/// [`PipelineError`]; then the shards hold days that are not durable, and must be filled again.
///
/// # Panics
/// If a limit is out of range or there is no shard; if a stage panics.
pub fn run<'d, B: Default + Send, R, E: Send>(
    shards: &mut [Shard],
    (rules, earlier): (&Rules<'_>, &dyn EarlierDays),
    limits: PipelineLimits,
    source: impl FnOnce(&mut Feeder<'_, B>) -> R,
    decoder: &(dyn Fn() -> Decode<'d, B> + Sync),
    commit: &mut Commit<'_, B, E>,
) -> Result<R, PipelineError<E>> {
    assert!((2..=CHUNK_COUNT_MAX).contains(&limits.chunk_count), "2 to 64 chunks");
    assert!(
        limits.decoder_count <= DECODER_COUNT_MAX && !shards.is_empty(),
        "at most 64 decoders, some shards"
    );
    let shard_count = shards.len();
    let stop = AtomicBool::new(false);
    // No queue is ever fuller than there are chunks, so nobody but the source waits for room.
    let (give_back, free) = bounded(limits.chunk_count);
    for _ in 0..limits.chunk_count {
        drop(give_back.send(Chunk::new(shard_count)));
    }
    let (finish, finished) = bounded(limits.chunk_count * (shard_count + 1) + shard_count);
    scope(|threads| {
        let (mut inboxes, mut notify) = (Vec::with_capacity(shard_count), Vec::with_capacity(shard_count));
        for (at, shard) in shards.iter_mut().enumerate() {
            let (inbox, shares) = bounded(limits.chunk_count);
            // Of every chunk a lane comes before its notice, so there are never more than chunks.
            let (notice, notices) = bounded(2 * limits.chunk_count);
            inboxes.push(inbox);
            notify.push(notice);
            let alarm = Alarm(finish.clone());
            threads.spawn(move || work((at, shard), (rules, earlier), (&shares, &notices), &alarm.0));
        }
        let next = start_decoders(threads, limits, &inboxes, &finish, decoder);
        let stopped = &stop;
        let committer = threads.spawn(move || {
            let committed = gather(&finished, (&give_back, &notify), commit);
            // Whoever waits for a chunk gets none any more.
            stopped.store(true, Ordering::Release);
            committed
        });
        let sourced = {
            let mut feeder = Feeder { free, next, inboxes, heads: finish, stop: &stop, sequence: 0 };
            source(&mut feeder)
        };
        match committer.join() {
            Ok(committed) => committed.map(|()| sourced),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn start_decoders<'scope, 'd: 'scope, B: Default + Send + 'scope>(
    threads: &'scope Scope<'scope, '_>,
    limits: PipelineLimits,
    inboxes: &[Sender<Share>],
    finish: &Sender<Finished<B>>,
    decoder: &'scope (dyn Fn() -> Decode<'d, B> + Sync),
) -> Vec<Sender<Chunk<B>>> {
    let start = |_| {
        let (next, chunks) = bounded::<Chunk<B>>(limits.chunk_count);
        let (inboxes, alarm) = (inboxes.to_vec(), Alarm(finish.clone()));
        threads.spawn(move || {
            let mut decode = decoder();
            while let Ok(mut chunk) = chunks.recv() {
                decode(&mut chunk);
                distribute(chunk, &inboxes, &alarm.0);
            }
        });
        next
    };
    (0..limits.decoder_count).map(start).collect()
}

/// Sends each lane to its shard and the rest to the committer. A closed queue means that the run has failed.
fn distribute<B>(mut chunk: Chunk<B>, inboxes: &[Sender<Share>], heads: &Sender<Finished<B>>) {
    chunk.settle();
    let sequence = chunk.sequence;
    for (inbox, lane) in inboxes.iter().zip(&mut chunk.lanes) {
        drop(inbox.send(Share { sequence, lane: std::mem::take(lane) }));
    }
    drop(heads.send(Finished::Head(chunk)));
}

/// Where a lane's days were written.
struct Notice {
    sequence: u64,
    place: Option<RecordPlace>,
    packs_start: usize,
}

/// A worker: takes its lanes in the order of the file, whatever order the decoders finish them in; lets go of durable
/// days when there are too many.
fn work<B>(
    (at, shard): (usize, &mut Shard),
    (rules, earlier): (&Rules<'_>, &dyn EarlierDays),
    (shares, notices): (&Receiver<Share>, &Receiver<Notice>),
    finish: &Sender<Finished<B>>,
) {
    let mut early: BTreeMap<u64, Lane> = BTreeMap::new();
    let mut next = 0;
    while let Ok(Share { sequence, lane }) = shares.recv() {
        early.insert(sequence, lane);
        while let Some(mut lane) = early.remove(&next) {
            if let Err(error) = shard.take_in(&mut lane, rules, earlier) {
                drop(finish.send(Finished::Failed(error)));
                return;
            }
            shard.expect_written(next, &lane.outcome);
            if finish.send(Finished::Lane { sequence: next, shard: at, lane }).is_err() {
                return;
            }
            next += 1;
            while let Ok(notice) = notices.try_recv() {
                shard.written(notice.sequence, notice.place, notice.packs_start);
            }
            if shard.is_full() {
                if !wait_until_written(shard, notices) {
                    return;
                }
                shard.let_go_of_days();
            }
        }
    }
    wait_until_written(shard, notices);
}

/// `false` when that will not happen: the run has failed.
fn wait_until_written(shard: &mut Shard, notices: &Receiver<Notice>) -> bool {
    while shard.is_waiting() {
        let Ok(notice) = notices.recv() else { return false };
        shard.written(notice.sequence, notice.place, notice.packs_start);
    }
    true
}

/// Chunks whose parts have not all come back.
struct Gathering<B> {
    shard_count: usize,
    open: BTreeMap<u64, Parts<B>>,
}

struct Parts<B> {
    head: Option<Chunk<B>>,
    lanes: Vec<Option<Lane>>,
}

impl<B> Gathering<B> {
    fn parts(&mut self, sequence: u64) -> &mut Parts<B> {
        let shard_count = self.shard_count;
        self.open.entry(sequence).or_insert_with(|| {
            let mut lanes = Vec::new();
            lanes.resize_with(shard_count, || None);
            Parts { head: None, lanes }
        })
    }

    /// Takes a chunk out when it is whole.
    fn take(&mut self, sequence: u64) -> Option<Chunk<B>> {
        let parts = self.open.get(&sequence)?;
        if parts.head.is_none() || parts.lanes.iter().any(Option::is_none) {
            return None;
        }
        let parts = self.open.remove(&sequence)?;
        let mut chunk = parts.head?;
        chunk.lanes = parts.lanes.into_iter().flatten().collect();
        Some(chunk)
    }
}

/// The committer: brings chunks together, and commits those that are next in order.
fn gather<B, E>(
    finished: &Receiver<Finished<B>>,
    (give_back, notify): (&Sender<Chunk<B>>, &[Sender<Notice>]),
    commit: &mut Commit<'_, B, E>,
) -> Result<(), PipelineError<E>> {
    let mut gathering = Gathering { shard_count: notify.len(), open: BTreeMap::new() };
    let mut next = 0;
    let mut ready = Vec::new();
    while let Ok(first) = finished.recv() {
        let mut message = Some(first);
        // What has come in meanwhile shares one sync.
        while let Some(part) = message {
            match part {
                Finished::Head(chunk) => {
                    let sequence = chunk.sequence;
                    gathering.parts(sequence).head = Some(chunk);
                }
                Finished::Lane { sequence, shard, lane } => {
                    gathering.parts(sequence).lanes[shard] = Some(lane)
                }
                Finished::Failed(error) => return Err(PipelineError::Shard(error)),
                // The scope passes the panic on when all threads have ended.
                Finished::Panicked => return Ok(()),
            }
            message = finished.try_recv().ok();
        }
        while let Some(chunk) = gathering.take(next) {
            ready.push(chunk);
            next += 1;
        }
        if !ready.is_empty() {
            commit(&mut ready).map_err(PipelineError::Commit)?;
            for chunk in ready.drain(..) {
                let (sequence, place) = (chunk.sequence, chunk.written);
                for (notice, lane) in notify.iter().zip(&chunk.lanes) {
                    let packs_start = lane.outcome.packs_start;
                    drop(notice.send(Notice { sequence, place, packs_start }));
                }
                // Nobody takes chunks any more once the source has ended.
                drop(give_back.send(chunk));
            }
        }
    }
    assert!(gathering.open.is_empty(), "every chunk that was sent comes back whole");
    Ok(())
}
