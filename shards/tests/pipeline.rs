//! The pipeline against the naive set: any number of shards, decoders and chunks gives the same days, counts and
//! rejections; a failure ends every stage.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{RawReading, Source};
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::Rejection;
use tallywatt_core::vee::judge::Limits;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::{DayLeaf, LeafTag};
use tallywatt_ledger::day_pack::{PackReader, PackWriter};
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::seal::SealKind;
use tallywatt_shards::accepted::{AcceptedSet, Outcome};
use tallywatt_shards::batch_file;
use tallywatt_shards::batch_file::writer::BatchWriter;
use tallywatt_shards::cut::Cut;
use tallywatt_shards::durable::DurableError;
use tallywatt_shards::intake_record::{IntakeCounts, parts_of};
use tallywatt_shards::lane::{Chunk, RunHead, shard_of};
use tallywatt_shards::pipeline::{Feeder, PipelineError, PipelineLimits, run};
use tallywatt_shards::shard::{EarlierDays, NoEarlierDays, Rules, SealedDay, Shard};
use tallywatt_shards::threads::Threads;
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits, WriteAheadReader};

/// Readings as they may come: mostly whole days, some of them again, otherwise, too late, too large, off the grid.
fn readings(rng: &mut TestRng, run_count: usize) -> Vec<RawReading> {
    let mut readings = Vec::new();
    let mut line = 0;
    for _ in 0..run_count {
        let mut upto = |n: i64| rng.random_range(0..n);
        let usage_point: UsagePointId = format!("EKB-{:03}", upto(12)).parse().unwrap();
        let flow = Flow::ALL[usize::try_from(upto(2)).unwrap()];
        let interval_minutes = if upto(8) > 0 { 30 } else { [60, 7][usize::try_from(upto(2)).unwrap()] };
        let quality = [Quality::EstimatedLinear, Quality::Missing]
            .get(usize::try_from(upto(12)).unwrap())
            .copied()
            .unwrap_or(Quality::Valid);
        // Around the night the clocks go forward in Amsterdam: 2026-03-29 01:00 UTC.
        let mut start = 1_774_656_000 + upto(4) * 86_400 - 3_600 + 60 * i64::from(upto(12) == 0);
        for _ in 0..[1, 3, 48, 60][usize::try_from(upto(4)).unwrap()] {
            line += 1;
            let energy_wh = match upto(60) {
                0 => -1,
                1 => i64::MAX,
                2 => 6_000_000_000,
                _ => upto(3),
            };
            let register = Register::total(flow, 0);
            let start_at = UtcSeconds(start);
            readings.push(RawReading {
                usage_point,
                register,
                start: start_at,
                interval_minutes,
                energy_wh,
                quality,
                line,
            });
            start += i64::from(interval_minutes) * 60;
        }
    }
    readings
}

#[derive(Debug, Default, PartialEq)]
struct Result {
    days: Vec<DayBlock>,
    counts: IntakeCounts,
    rejections: Vec<Rejection>,
}

fn zone() -> Zone {
    Zone::parse("Europe/Amsterdam").unwrap()
}

fn limits() -> Limits {
    Limits {
        power_max_w: 10_000_000_000,
        now: UtcSeconds(1_774_656_000 + 3 * 86_400),
        skew_s: 300,
        // Within the first night: some days are taken whole, of one the first intervals are stale.
        oldest: UtcSeconds(1_774_656_000 + 1_800),
    }
}

/// One reading after the other.
fn naive(readings: &[RawReading]) -> Result {
    let (mut set, mut counts, mut rejections) = (AcceptedSet::new(), IntakeCounts::default(), Vec::new());
    for reading in readings {
        counts.offered += 1;
        let code = match set.accept(reading, &zone(), Source::Automated, &limits()) {
            Outcome::Accepted => {
                counts.accepted += 1;
                continue;
            }
            Outcome::Duplicate => {
                counts.duplicate += 1;
                continue;
            }
            Outcome::Corrected => {
                counts.corrected += 1;
                continue;
            }
            Outcome::Conflict => {
                counts.conflict += 1;
                tallywatt_core::rejection::RejectionCode::Conflict
            }
            Outcome::Rejected(code) => {
                counts.rejected += 1;
                code
            }
        };
        let RawReading { usage_point, register, start, energy_wh, line, .. } = reading;
        let raw = format!("{usage_point} {register} {start} {energy_wh} Wh");
        rejections.push(Rejection::new(code, *line, 1, raw.as_bytes()));
    }
    let days = set.blocks_sorted().into_iter().cloned().collect();
    Result { days, counts, rejections }
}

/// How the same readings are cut into chunks.
#[derive(Debug, Clone, Copy)]
struct Shape {
    shards: usize,
    decoders: usize,
    chunks: usize,
    chunk_readings: usize,
    /// Whether runs are handed over whole, or value by value.
    as_runs: bool,
    /// What the shards may take before they let go of days.
    memory_size: usize,
}

fn fill<B: Default>(chunk: &mut Chunk<B>, readings: &[RawReading], as_runs: bool) {
    let mut rest = readings;
    while let Some(first) = rest.first() {
        let follows = |at: usize, reading: &RawReading| {
            let step = i64::try_from(at).unwrap();
            reading.start.0 == first.start.0 + step * i64::from(first.interval_minutes) * 60
                && (reading.usage_point, reading.register) == (first.usage_point, first.register)
                && (reading.interval_minutes, reading.quality) == (first.interval_minutes, first.quality)
        };
        let size =
            if as_runs { rest.iter().enumerate().take_while(|(at, r)| follows(*at, r)).count() } else { 1 };
        let (own, after) = rest.split_at(size);
        let head = RunHead {
            interval_minutes: first.interval_minutes,
            quality: first.quality,
            first_line: first.line,
            line_step: 1,
            usage_point: first.usage_point,
            register: first.register,
            start: first.start,
        };
        let values: Vec<i64> = own.iter().map(|reading| reading.energy_wh).collect();
        chunk.push_run(head, &values);
        chunk.cursor = own[own.len() - 1].line;
        rest = after;
    }
}

/// The days of a batch that the shards are cut into.
fn days_of(shards: &[Shard], reader: Option<&WriteAheadReader>) -> Vec<DayBlock> {
    let secret = BlindingSecret::new([7; 32]);
    let cut = Cut { shards, reader, earlier: &NoEarlierDays, secret: &secret, thread_count: 2 };
    let writer = BatchWriter::new(Vec::new(), SealKind::Batch, 1).unwrap();
    let (bytes, ..) = cut.seal(writer).unwrap().finish().unwrap();
    let file = batch_file::decode(&bytes, &secret, &Threads::new(1).unwrap()).unwrap();
    file.leaves.into_iter().map(DayLeaf::into_block).collect()
}

/// Chunks are written ahead to a folder, and what lies there is known by its place.
struct Ahead {
    folder: tempfile::TempDir,
    log: WriteAhead,
}

impl Ahead {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = WriteAhead::open::<WriteAheadError>(folder.path(), LIMITS, &mut |_| Ok(())).unwrap();
        Self { folder, log }
    }

    fn shards(&self, shard_count: usize, memory_size: usize) -> Vec<Shard> {
        let mut shards: Vec<Shard> = Vec::new();
        shards.resize_with(shard_count, || Shard::bounded(memory_size));
        shards.iter_mut().for_each(|shard| shard.read_from(self.log.reader()));
        shards
    }

    fn write<B>(&mut self, chunks: &mut [Chunk<B>]) {
        for chunk in chunks {
            let mut packs_start = 0;
            for lane in &mut chunk.lanes {
                lane.outcome.packs_start = packs_start;
                packs_start += lane.outcome.packs.len();
            }
            let packs: Vec<&[u8]> = chunk.lanes.iter().map(|lane| lane.outcome.packs.as_slice()).collect();
            chunk.written = Some(self.log.append(1, &packs).unwrap());
        }
        self.log.sync().unwrap();
    }

    /// The days of shards that were filled with what was written.
    fn replayed(self, shard_count: usize, memory_size: usize) -> Vec<DayBlock> {
        let mut shards = self.shards(shard_count, memory_size);
        drop(self.log);
        let (log, _) = WriteAhead::open::<WriteAheadError>(self.folder.path(), LIMITS, &mut |record| {
            for (partition, range) in parts_of(record.payload).unwrap() {
                let place = (record.place, u32::try_from(range.start).unwrap());
                let shard = &mut shards[shard_of(partition, shard_count)];
                shard.replay(partition, &record.payload[range], place).unwrap();
            }
            Ok(())
        })
        .unwrap();
        shards.iter_mut().for_each(|shard| shard.read_from(log.reader()));
        days_of(&shards, Some(&log.reader()))
    }
}

const LIMITS: WriteAheadLimits = WriteAheadLimits { segment_size_min: 1 << 16, segment_size_max: 1 << 20 };

fn piped(readings: &[RawReading], shape: Shape) -> Result {
    let zone = zone();
    let rules = Rules { zone: &zone, source: Source::Automated, limits: limits() };
    let mut ahead = Ahead::new();
    let mut shards = ahead.shards(shape.shards, shape.memory_size);
    let mut result = Result::default();
    let mut last_cursor = 0;
    let source = |feeder: &mut Feeder<'_, u64>| {
        for part in readings.chunks(shape.chunk_readings) {
            let mut chunk = feeder.take().unwrap();
            if shape.decoders == 0 {
                fill(&mut chunk, part, shape.as_runs);
            } else {
                // A decoder is handed the place of its readings: the block stands for a stretch of the file.
                chunk.block = part[0].line - 1;
            }
            feeder.send(chunk);
        }
    };
    let decode = |chunk: &mut Chunk<u64>| {
        let start = usize::try_from(chunk.block).unwrap();
        let end = readings.len().min(start + shape.chunk_readings);
        fill(chunk, &readings[start..end], shape.as_runs);
    };
    let mut commit = |chunks: &mut [Chunk<u64>]| {
        ahead.write(chunks);
        for chunk in chunks {
            assert!(chunk.cursor > last_cursor, "chunks are committed in the order of the file");
            last_cursor = chunk.cursor;
            result.counts.add(&chunk.counts());
            result.rejections.extend(chunk.take_rejections());
        }
        Ok::<(), DurableError>(())
    };
    let limits = PipelineLimits { chunk_count: shape.chunks, decoder_count: shape.decoders };
    run(&mut shards, (&rules, &NoEarlierDays), limits, source, &|| Box::new(decode), &mut commit).unwrap();
    result.days = days_of(&shards, Some(&ahead.log.reader()));
    let replayed = ahead.replayed(shape.shards, shape.memory_size);
    assert_eq!(replayed, result.days, "what was written ahead gives the same days");
    result
}

#[test]
fn any_shape_gives_what_the_naive_set_gives() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for case in 0..3 {
        let readings = readings(&mut rng, 150);
        let mut want = naive(&readings);
        want.rejections.sort_by(|a, b| (a.line, a.code, &a.raw).cmp(&(b.line, b.code, &b.raw)));
        let IntakeCounts { accepted, conflict, rejected, .. } = want.counts;
        assert!(accepted > 100 && conflict > 10 && rejected > 10, "{:?}", want.counts);
        for (shards, decoders, chunks) in
            [(1, 0, 2), (2, 1, 2), (3, 2, 3), (8, 4, 8), (16, 3, 5), (256, 16, 64)]
        {
            for (chunk_readings, as_runs) in [(7, true), (64, false), (1_000, true), (1_000_000, true)] {
                let memory_size = [usize::MAX, 0, 20_000][case % 3];
                let shape = Shape { shards, decoders, chunks, chunk_readings, as_runs, memory_size };
                assert_eq!(piped(&readings, shape), want, "case {case}, {shape:?}");
            }
        }
    }
}

/// Frames taken whole give what their readings give one by one, also onto days known from before.
#[test]
fn frames_give_what_their_readings_give() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let first: Vec<RawReading> = readings(&mut rng, 150);
    let mut accepted = AcceptedSet::new();
    for reading in &first {
        accepted.accept(reading, &zone(), Source::Synthetic, &limits());
    }
    let frames: Vec<DayLeaf> = accepted.blocks_sorted().into_iter().cloned().map(DayLeaf::frame).collect();
    let twice = [frames.clone(), frames].concat();
    check_days(&readings(&mut rng, 60), &twice, false);
}

/// Days that are whole and in order are done with at once; delivered again, the same or not, they are what their
/// readings are.
#[test]
fn days_in_order_give_what_their_readings_give() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut day = |point: usize, date: &str| {
        let local = zone().local_day(date.parse().unwrap());
        let point: UsagePointId = format!("EKB-{point:03}").parse().unwrap();
        let mut block = DayBlock::empty(point, Register::IMPORT, local, 30, Source::Automated).unwrap();
        for at in 0..block.interval_count() {
            block.put(at, rng.random_range(0..900), Quality::Valid, &mut MergeCounts::default());
        }
        DayLeaf::frame(block)
    };
    // One of the days is short: the clocks go forward in it.
    let dates = ["2026-03-27", "2026-03-28", "2026-03-29"];
    let first: Vec<DayLeaf> = (0..120)
        .flat_map(|point| dates.map(|date| (point, date)))
        .map(|(point, date)| day(point, date))
        .collect();
    // By day, as days come in: the second is between those of the first.
    let by_day: Vec<DayLeaf> =
        (0..3).flat_map(|date| first.iter().skip(date).step_by(3)).chain(&first[5..9]).cloned().collect();
    check_days(&[], &by_day, true);
    let again: Vec<DayLeaf> = first.iter().step_by(7).cloned().collect();
    let others: Vec<DayLeaf> = (0..120).step_by(11).map(|point| day(point, dates[point % 3])).collect();
    let next = [&first[first.len() - 1..], &[day(120, dates[0])], &[day(119, dates[2])]].concat();
    check_days(&[], &[first, again, others, next].concat(), true);
}

/// Delivers readings, then days, in every shape, and compares with the naive set.
fn check_days(also: &[RawReading], days: &[DayLeaf], are_in_order: bool) {
    let delivered: Vec<RawReading> =
        days.iter().enumerate().flat_map(|(at, frame)| expanded(at, frame)).collect();
    let mut want = naive(&[also, &delivered].concat());
    want.rejections = joined(&want.rejections);
    let zone = zone();
    let rules = Rules { zone: &zone, source: Source::Automated, limits: limits() };
    for (shard_count, memory_size) in [(1, usize::MAX), (2, 0), (5, usize::MAX), (3, 30_000)] {
        for (days_per_chunk, form) in [
            (1, Form::Frame),
            (days.len(), Form::Packed),
            (7, Form::Packed),
            (40, Form::Frame),
            (50, Form::Run),
        ] {
            let context =
                format!("{shard_count} shards, {memory_size} bytes, {days_per_chunk} a chunk, {form:?}");
            let mut ahead = Ahead::new();
            let mut shards = ahead.shards(shard_count, memory_size);
            let (mut counts, mut rejections) = (IntakeCounts::default(), Vec::new());
            let source = |feeder: &mut Feeder<'_>| {
                let mut chunk = feeder.take().unwrap();
                fill(&mut chunk, also, true);
                feeder.send(chunk);
                let numbered: Vec<(usize, &DayLeaf)> = days.iter().enumerate().collect();
                for some in numbered.chunks(days_per_chunk) {
                    let mut chunk = feeder.take().unwrap();
                    some.iter().for_each(|(at, day)| push(&mut chunk, day, *at, form));
                    feeder.send(chunk);
                }
            };
            let mut commit = |chunks: &mut [Chunk]| {
                ahead.write(chunks);
                for chunk in chunks {
                    counts.add(&chunk.counts());
                    rejections.extend(chunk.take_rejections());
                }
                Ok::<(), DurableError>(())
            };
            let limits = PipelineLimits { chunk_count: 4, decoder_count: 0 };
            let runs =
                run(&mut shards, (&rules, &NoEarlierDays), limits, source, &|| Box::new(|_| {}), &mut commit);
            runs.unwrap();
            let in_order_size: usize = shards.iter().map(|shard| shard.in_order().size()).sum();
            assert!(!are_in_order || in_order_size > 5_000 || memory_size < usize::MAX, "{context}");
            let days = days_of(&shards, Some(&ahead.log.reader()));
            assert_eq!(ahead.replayed(shard_count, memory_size), days, "as written ahead, {context}");
            assert_eq!(Result { days, counts, rejections: joined(&rejections) }, want, "{context}");
        }
    }
}

/// How a day is handed over.
#[derive(Debug, Clone, Copy)]
enum Form {
    Frame,
    Packed,
    Run,
}

fn push(chunk: &mut Chunk, day: &DayLeaf, at: usize, form: Form) {
    let line = u64::try_from(at).unwrap() + 1_000_000;
    match form {
        Form::Frame => chunk.push_frame(day.bytes(), line),
        Form::Packed => {
            let (mut writer, mut packs) = (PackWriter::default(), Vec::new());
            writer.push(day.bytes());
            writer.finish(&mut packs);
            let (mut pack, _) = PackReader::new(&packs, LeafTag::Frame).unwrap();
            assert!(pack.advance().unwrap());
            chunk.push_day(&pack.packed(), line);
        }
        Form::Run => {
            for run in expanded(at, day).chunk_by(|a, b| a.quality == b.quality && a.line == b.line) {
                push_stretch(chunk, run);
            }
        }
    }
}

/// Readings of one line, as runs.
fn push_stretch(chunk: &mut Chunk, readings: &[RawReading]) {
    let follows =
        |a: &RawReading, b: &RawReading| a.start.0 + i64::from(a.interval_minutes) * 60 == b.start.0;
    for own in readings.chunk_by(follows) {
        let first = own[0];
        let head = RunHead {
            usage_point: first.usage_point,
            register: first.register,
            start: first.start,
            interval_minutes: first.interval_minutes,
            quality: first.quality,
            first_line: first.line,
            line_step: 0,
        };
        let values: Vec<i64> = own.iter().map(|reading| reading.energy_wh).collect();
        chunk.push_run(head, &values);
    }
}

/// What is set aside of a frame is told once a code: counted, with the first reading's text left out here.
fn joined(rejections: &[Rejection]) -> Vec<Rejection> {
    let mut counts: BTreeMap<_, u32> = BTreeMap::new();
    for Rejection { line, code, reading_count, .. } in rejections {
        *counts.entry((*line, *code)).or_default() += reading_count;
    }
    let joined = |((line, code), reading_count)| Rejection { code, line, reading_count, raw: String::new() };
    counts.into_iter().map(joined).collect()
}

fn expanded(at: usize, frame: &DayLeaf) -> Vec<RawReading> {
    let block = frame.block();
    let reading = |(interval, (&wh, &quality)): (usize, (&i32, &Quality))| RawReading {
        usage_point: block.key().usage_point,
        register: block.key().register,
        start: block.interval_start(interval),
        interval_minutes: block.interval_minutes(),
        energy_wh: i64::from(wh),
        quality,
        line: u64::try_from(at).unwrap() + 1_000_000,
    };
    let values = block.values_wh().iter().zip(block.qualities()).enumerate();
    values.filter(|(_, (_, quality))| **quality != Quality::Missing).map(reading).collect()
}

/// A disk that is full at the third commit: the run ends with that error, whatever every stage was doing.
/// Sealed days that cannot be read.
struct Unreadable;

impl EarlierDays for Unreadable {
    fn find(&self, _: u8, _: &LeafKey) -> std::result::Result<Option<SealedDay>, DurableError> {
        Err(DurableError::NotAFile("sealed".into()))
    }
}

#[test]
fn a_failed_cut_ends_every_sealer() {
    let (send, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut shards = vec![Shard::default()];
        let zone = zone();
        let rules = Rules { zone: &zone, source: Source::Automated, limits: limits() };
        let mut chunk: Chunk = Chunk::new(1);
        fill(&mut chunk, &readings(&mut TestRng::deterministic_rng(RngAlgorithm::ChaCha), 300), false);
        for lane in &mut chunk.lanes {
            shards[0].take_in(lane, &rules, &NoEarlierDays).unwrap();
        }
        let secret = BlindingSecret::new([7; 32]);
        let cut =
            Cut { shards: &shards, reader: None, earlier: &Unreadable, secret: &secret, thread_count: 2 };
        let writer = BatchWriter::new(Vec::new(), SealKind::Batch, 1).unwrap();
        send.send(cut.seal(writer).map(drop).unwrap_err().to_string()).unwrap();
    });
    let told = ended.recv_timeout(std::time::Duration::from_secs(60)).expect("nobody waits for ever");
    assert_eq!(told, "sealed does not name a file");
}

#[test]
fn a_failed_commit_ends_every_stage() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let readings = readings(&mut rng, 400);
    let zone = zone();
    let rules = Rules { zone: &zone, source: Source::Automated, limits: limits() };
    for decoder_count in [0, 3] {
        let mut shards: Vec<Shard> = Vec::new();
        shards.resize_with(4, Shard::default);
        let (mut commits, sent) = (0, AtomicUsize::new(0));
        let source = |feeder: &mut Feeder<'_>| {
            for part in readings.chunks(5) {
                let Some(mut chunk) = feeder.take() else { return };
                fill(&mut chunk, part, true);
                sent.fetch_add(1, Ordering::Relaxed);
                feeder.send(chunk);
            }
        };
        let mut commit = |chunks: &mut [Chunk]| {
            commits += chunks.len();
            if commits < 3 { Ok(()) } else { Err("no space left") }
        };
        let limits = PipelineLimits { chunk_count: 3, decoder_count };
        let ended =
            run(&mut shards, (&rules, &NoEarlierDays), limits, source, &|| Box::new(|_| {}), &mut commit);
        assert!(matches!(ended, Err(PipelineError::Commit("no space left"))));
        assert!(sent.into_inner() <= commits + 3, "the source was slowed, not run ahead of the disk");
    }
}

/// A stage that panics does not leave the others waiting.
#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_is_passed_on() {
    struct Broken;
    impl EarlierDays for Broken {
        fn find(&self, _: u8, _: &LeafKey) -> std::result::Result<Option<SealedDay>, DurableError> {
            panic!("planted")
        }
    }
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let readings = readings(&mut rng, 400);
    let zone = zone();
    let rules = Rules { zone: &zone, source: Source::Automated, limits: limits() };
    let mut shards = [Shard::default(), Shard::default()];
    let source = |feeder: &mut Feeder<'_>| {
        for part in readings.chunks(5) {
            let Some(mut chunk) = feeder.take() else { return };
            fill(&mut chunk, part, true);
            feeder.send(chunk);
        }
    };
    let limits = PipelineLimits { chunk_count: 2, decoder_count: 0 };
    let mut commit = |_: &mut [Chunk]| Ok::<(), DurableError>(());
    let ended = run(&mut shards, (&rules, &Broken), limits, source, &|| Box::new(|_| {}), &mut commit);
    assert!(ended.is_err(), "not reached");
}
