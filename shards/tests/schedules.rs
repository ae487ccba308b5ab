//! The pipeline under shuttle: thousands of schedules of its threads and queues, none of which deadlocks, loses or
//! reorders a chunk. `cargo test -p tallywatt-shards --features shuttle --test schedules`

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::vee::judge::Limits;
use tallywatt_shards::durable::DurableError;
use tallywatt_shards::lane::{Chunk, RunHead};
use tallywatt_shards::pipeline::{Feeder, PipelineError, PipelineLimits, run};
use tallywatt_shards::shard::{EarlierDays, NoEarlierDays, Rules, SealedDay, Shard};

const SCHEDULE_COUNT: usize = 1_500;
const CHUNK_COUNT: u64 = 7;

/// One reading a shard in every chunk: the value is the chunk's number, so a lost or doubled one shows.
fn fill(chunk: &mut Chunk<u64>) {
    let line = chunk.block + 1;
    for point in ["A", "B", "C", "D", "E"] {
        let head = RunHead {
            usage_point: point.parse().unwrap(),
            register: Register::IMPORT,
            start: UtcSeconds(1_774_656_000 + i64::try_from(line).unwrap() * 1_800),
            interval_minutes: 30,
            quality: Quality::Valid,
            first_line: line,
            line_step: 1,
        };
        chunk.push_run(head, &[i64::try_from(line).unwrap()]);
    }
    chunk.cursor = line;
}

fn piped(
    (shard_count, limits): (usize, PipelineLimits),
    earlier: &dyn EarlierDays,
    fail_at: u64,
) -> Result<(u64, u64), PipelineError<u64>> {
    let zone = Zone::parse("UTC").unwrap();
    let rules =
        Rules { zone: &zone, source: Source::Automated, limits: Limits::generous(UtcSeconds(2_000_000_000)) };
    let mut shards: Vec<Shard> = Vec::new();
    shards.resize_with(shard_count, Shard::default);
    let (mut next, mut accepted) = (0, 0);
    let source = move |feeder: &mut Feeder<'_, u64>| {
        for at in 0..CHUNK_COUNT {
            let Some(mut chunk) = feeder.take() else { return };
            chunk.block = at;
            if limits.decoder_count == 0 {
                fill(&mut chunk);
            }
            feeder.send(chunk);
        }
    };
    let mut commit = |chunks: &mut [Chunk<u64>]| {
        for chunk in chunks {
            assert_eq!(chunk.block, next, "chunks are committed in the order of the file");
            next += 1;
            accepted += chunk.counts().accepted;
            if next == fail_at {
                return Err(next);
            }
        }
        Ok(())
    };
    run(&mut shards, (&rules, earlier), limits, source, &|| Box::new(fill), &mut commit)?;
    Ok((next, accepted))
}

#[test]
fn no_schedule_loses_or_reorders() {
    for (shard_count, chunk_count, decoder_count) in [(1, 2, 0), (2, 2, 0), (2, 3, 1), (3, 2, 2), (2, 4, 3)] {
        let limits = PipelineLimits { chunk_count, decoder_count };
        let check = move || {
            let done = piped((shard_count, limits), &NoEarlierDays, u64::MAX);
            assert!(matches!(done, Ok((CHUNK_COUNT, accepted)) if accepted == CHUNK_COUNT * 5));
        };
        shuttle::check_random(check, SCHEDULE_COUNT / 5);
        shuttle::check_pct(check, SCHEDULE_COUNT / 5, 3);
    }
}

#[test]
fn no_schedule_hangs_on_a_failed_commit() {
    for decoder_count in [0, 2] {
        let limits = PipelineLimits { chunk_count: 2, decoder_count };
        let check = move || {
            assert!(matches!(piped((2, limits), &NoEarlierDays, 3), Err(PipelineError::Commit(3))));
        };
        shuttle::check_random(check, SCHEDULE_COUNT);
    }
}

#[test]
fn no_schedule_hangs_on_a_disk_that_cannot_be_read() {
    struct Broken;
    impl EarlierDays for Broken {
        fn find(
            &self,
            _: u8,
            _: &tallywatt_ledger::leaf_key::LeafKey,
        ) -> Result<Option<SealedDay>, DurableError> {
            Err(DurableError::NotAFile("planted".into()))
        }
    }
    let limits = PipelineLimits { chunk_count: 3, decoder_count: 1 };
    let check = move || {
        assert!(matches!(piped((2, limits), &Broken, u64::MAX), Err(PipelineError::Shard(_))));
    };
    shuttle::check_random(check, SCHEDULE_COUNT);
}
