//! A file to a sealed batch that survives a power cut: every stage of taking readings in, timed as one.
//!
//! ```text
//!   source ─ 1 MiB blocks ─▶ decoders ─ runs, frames ─▶ shards: judge, join ─▶ committer ─▶ write-ahead log, synced
//!                                                          │                                      │
//!                                                          └─────────── cut ◀── days let go of ◀──┘
//!                                                                        └──▶ batch file, synced
//! ```

use std::fs::{self, File};
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::Rejection;
use tallywatt_core::vee::judge::Limits;
use tallywatt_ingest::block_decoder::{BlockDecoder, BlockEnd, BlockError, BlockSum, BlockWorker, split};
use tallywatt_ingest::blocks::Block;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::{ReadingRun, ReadingSink};
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::seal::{SealKind, Sealed, partition_of};
use tallywatt_shards::batch_file::writer::BatchWriter;
use tallywatt_shards::cut::Cut;
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts};
use tallywatt_shards::lane::{Chunk, RunHead};
use tallywatt_shards::pipeline::{self, Feeder, PipelineLimits};
use tallywatt_shards::shard::{NoEarlierDays, Rules, Shard};
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits};

use super::files::{CSV_FILE, FRAMES_FILE, ZONE, energy_wh, reading_count};
use super::{Answer, Failure, Setup};
use crate::town::secret;

/// One value a row, as the rivals get them.
const CSV_PROFILE: &str = r#"
format = "csv"
layout = "long"
unit = "Wh"
stamp_format = "YYYY-MM-DD HH:mm:ss"
zone = "UTC"
interval_minutes = 30

[columns]
usage_point = "meter_id"
start = "ts"
value = "wh"
"#;
/// Chunks on the way at once: 16 MiB of text.
const CHUNK_COUNT: usize = 16;
/// After every reading.
const NOW: UtcSeconds = UtcSeconds(4_000_000_000);

/// What a file was made into.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// Root and totals.
    pub sealed: Sealed,
    /// What the batch file is known by.
    pub hash: ContentHash,
    /// Reading, decoding, judging, joining, writing ahead.
    pub intake: Duration,
    /// Sealing and writing the batch.
    pub cut: Duration,
    /// Bytes of the write-ahead log.
    pub ahead_size: u64,
    /// Bytes of the batch.
    pub batch_size: u64,
}

/// Loads [`CSV_FILE`].
///
/// # Errors
/// [`Failure`], also if the sums are not those of the country.
pub fn csv(setup: &Setup) -> Result<Answer, Failure> {
    answer(setup, &load_csv(setup)?)
}

/// Loads [`FRAMES_FILE`].
///
/// # Errors
/// As [`csv`].
pub fn frames(setup: &Setup) -> Result<Answer, Failure> {
    answer(setup, &load_frames(setup)?)
}

/// Loads [`CSV_FILE`], its sums unchecked.
///
/// # Errors
/// As [`load`].
pub fn load_csv(setup: &Setup) -> Result<Loaded, Failure> {
    load_and_remove(setup, &Profile::parse("long", CSV_PROFILE)?, CSV_FILE)
}

/// Loads [`FRAMES_FILE`], its sums unchecked.
///
/// # Errors
/// As [`load`].
pub fn load_frames(setup: &Setup) -> Result<Loaded, Failure> {
    load_and_remove(setup, &Profile::builtin("frames")?.with_zone(ZONE)?, FRAMES_FILE)
}

fn load_and_remove(setup: &Setup, profile: &Profile, file: &str) -> Result<Loaded, Failure> {
    let folder = setup.path(&format!("load-{}", std::process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let loaded = load(setup, profile, &setup.path(file), &folder);
    // Whatever came of it, it must not stand in the way of the next.
    fs::remove_dir_all(&folder)?;
    loaded
}

fn answer(setup: &Setup, loaded: &Loaded) -> Result<Answer, Failure> {
    let Loaded { sealed, intake, cut, ahead_size, batch_size, .. } = *loaded;
    let energy: i64 = sealed.totals.energy_wh.iter().sum();
    let readings = sealed.totals.reading_count();
    if (i128::from(readings), energy) != (reading_count(setup), energy_wh(setup)?) {
        return Err(format!("{readings} readings of {energy} Wh are not the country's").into());
    }
    let sums = vec![
        ("readings", readings.into()),
        ("energy_wh", energy.into()),
        ("ahead_bytes", ahead_size.into()),
        ("batch_bytes", batch_size.into()),
    ];
    let parts = vec![("intake_seconds", intake), ("cut_seconds", cut)];
    Ok(Answer { took: intake + cut, sums, parts })
}

/// Takes a file in and seals it, in a folder of its own.
///
/// # Errors
/// [`Failure`], also if a reading is not accepted: the country's all are.
pub fn load(setup: &Setup, profile: &Profile, file: &Path, folder: &Path) -> Result<Loaded, Failure> {
    let thread_count = setup.threads.count();
    let start = Instant::now();
    let limits = WriteAheadLimits::default();
    let (mut ahead, _) = WriteAhead::open::<WriteAheadError>(&folder.join("ahead"), limits, &mut |_| Ok(()))?;
    let memory_size = (setup.memory_mib << 20) / thread_count;
    let mut shards: Vec<Shard> =
        (0..thread_count).map(|_| Shard::bounded(memory_size, ahead.reader())).collect();
    take_in(profile, file, &mut shards, &mut ahead)?;
    let intake = start.elapsed();

    let path = folder.join("1.twb");
    let (reader, secret) = (ahead.reader(), secret());
    let cut = Cut {
        shards: &shards,
        reader: Some(&reader),
        earlier: &NoEarlierDays,
        secret: &secret,
        thread_count,
    };
    let writer = cut.seal(BatchWriter::create(&path, SealKind::Batch, 1)?)?;
    let (hash, sealed) = writer.finish_durably()?;
    let cut = start.elapsed() - intake;
    let batch_size = fs::metadata(&path)?.len();
    Ok(Loaded { sealed, hash, intake, cut, ahead_size: ahead.size(), batch_size })
}

/// A chunk's block, its decoder's memory, and what decoding came to.
struct Slot<'a> {
    block: Block,
    worker: BlockWorker<'a>,
    end: Option<Result<BlockEnd, BlockError>>,
}

fn take_in(
    profile: &Profile,
    path: &Path,
    shards: &mut [Shard],
    ahead: &mut WriteAhead,
) -> Result<(), Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file without a name")?;
    // The header is read twice: the decoder must outlive the threads that share it.
    let mut head = BufReader::new(File::open(path)?);
    let (decoder, _) = split(profile, name, &mut head)?.ok_or("a format that is read whole")?;
    let slots: Vec<Mutex<Slot<'_>>> = (0..CHUNK_COUNT).map(|_| Mutex::new(Slot::new(&decoder))).collect();
    // Chunks are committed in order, so of those on the way no two have one slot.
    let slot = |sequence: u64| {
        let at = usize::try_from(sequence).expect("as many chunks as fit a file") % CHUNK_COUNT;
        slots[at].lock().unwrap_or_else(PoisonError::into_inner)
    };
    let source = |feeder: &mut Feeder<'_>| -> Result<(), FileRefusal> {
        let mut file = BufReader::new(File::open(path).map_err(FileRefusal::Io)?);
        let Some((_, mut blocks)) = split(profile, name, &mut file)? else { return Ok(()) };
        for sequence in 0.. {
            let Some(mut chunk) = feeder.take() else { return Ok(()) };
            let mut slot = slot(sequence);
            if !blocks.read(&mut slot.block)? {
                return Ok(());
            }
            chunk.line_before = slot.block.first_line() - 1;
            chunk.cursor = chunk.line_before + slot.block.line_count();
            drop(slot);
            feeder.send(chunk);
        }
        Ok(())
    };
    let decode = |chunk: &mut Chunk| {
        let mut slot: MutexGuard<'_, Slot<'_>> = slot(chunk.sequence);
        let Slot { block, worker, end } = &mut *slot;
        *end = Some(worker.decode(block, &mut Routed(chunk)));
    };
    let (mut sum, mut counts) = (BlockSum::new(&decoder), IntakeCounts::default());
    let mut commit = |chunks: &mut [Chunk]| -> Result<(), Failure> {
        for chunk in chunks {
            let end = slot(chunk.sequence).end.take().ok_or("a chunk that was not decoded")?;
            sum.add(&end?)?;
            counts.add(&chunk.counts());
            if let Some(rejection) = chunk.take_rejections().first() {
                return Err(format!("line {}: {:?} {}", rejection.line, rejection.code, rejection.raw).into());
            }
            write_ahead(ahead, chunk, &counts, name)?;
        }
        Ok(ahead.sync()?)
    };
    let rules = Rules { zone: profile.zone(), source: profile.source(), limits: Limits::generous(NOW) };
    let limits = PipelineLimits { chunk_count: CHUNK_COUNT, decoder_count: shards.len() };
    pipeline::run(shards, (&rules, &NoEarlierDays), limits, source, &decode, &mut commit).map_err(
        |error| match error {
            pipeline::PipelineError::Commit(failure) => failure,
            pipeline::PipelineError::Shard(error) => error.into(),
        },
    )??;
    let summary = sum.finish()?;
    if counts.accepted != summary.reading_count || counts.offered != summary.reading_count {
        return Err(format!("{counts:?} of {} readings", summary.reading_count).into());
    }
    Ok(())
}

/// Puts a chunk in line for the next sync: the head of an intake record, then the packs of the days that changed.
fn write_ahead(
    ahead: &mut WriteAhead,
    chunk: &mut Chunk,
    counts: &IntakeCounts,
    name: &str,
) -> Result<(), Failure> {
    let mut head = Writer::record(1, INTAKE_KIND);
    head.hash(&ContentHash::default()).text(name).u64(chunk.cursor).u8(0);
    let IntakeCounts { offered, accepted, duplicate, corrected, conflict, rejected, refused } = *counts;
    for count in [offered, accepted, duplicate, corrected, conflict, rejected, refused] {
        head.u64(count);
    }
    let head = head.finish();
    let mut start = head.len();
    for lane in &mut chunk.lanes {
        lane.outcome.packs_start = start;
        start += lane.outcome.packs.len();
    }
    let packs = chunk.lanes.iter().map(|lane| lane.outcome.packs.as_slice());
    let parts: Vec<&[u8]> = std::iter::once(head.as_slice()).chain(packs).collect();
    chunk.written = Some(ahead.append(INTAKE_KIND, &parts)?);
    Ok(())
}

impl<'a> Slot<'a> {
    fn new(decoder: &'a BlockDecoder) -> Self {
        Self { block: Block::default(), worker: decoder.worker(), end: None }
    }
}

/// Routes what a decoder finds to the lanes of a chunk.
struct Routed<'a>(&'a mut Chunk);

impl ReadingSink for Routed<'_> {
    fn reading(&mut self, reading: RawReading) {
        let RawReading { usage_point, register, start, interval_minutes, energy_wh, quality, line } = reading;
        let (first_line, line_step) = (line, 1);
        let head = RunHead { usage_point, register, start, interval_minutes, quality, first_line, line_step };
        self.0.push_run(head, &[energy_wh]);
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        let ReadingRun { usage_point, register, start, interval_minutes, quality, .. } = *run;
        let (first_line, line_step) = (run.first_line, run.lines_per_value);
        let head = RunHead { usage_point, register, start, interval_minutes, quality, first_line, line_step };
        self.0.push_run(head, run.values_wh);
    }

    fn frame(&mut self, frame: &[u8], line: u64) {
        let name = frame[15..].first_chunk().expect("a frame has a name");
        let point = UsagePointId::from_padded(name).expect("a decoder hands over canonical frames");
        self.0.push_frame(frame, partition_of(&point), line);
    }

    fn reject(&mut self, rejection: Rejection) {
        self.0.rejections.push(rejection);
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
