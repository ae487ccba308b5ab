//! An intake on its own, on top of empty books.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tallywatt_core::day_block::DayBlock;
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::Root;
use tallywatt_node::books::{Books, Input};
use tallywatt_node::intake::{ImportReport, ImportRun, Intake, IntakeLimits};
use tallywatt_shards::threads::Threads;

use super::now;

pub fn books() -> Books {
    Books::new(BlindingSecret::new([7; 32]), Threads::new(2).unwrap())
}

pub fn open(data: &Path) -> Intake {
    // So small that a small file is many chunks, and few of them are on the way at once.
    let limits = IntakeLimits {
        chunks_per_shard: 1,
        chunk_reading_count: 1_024,
        block_size: 8_192,
        ..IntakeLimits::default()
    };
    Intake::open_bounded(data, &books(), limits).unwrap()
}

/// The first segment of the write-ahead log, as long as it has not started over.
pub fn write_ahead_of(data: &Path) -> PathBuf {
    data.join("intake/1-1.twa")
}

/// The same, without the room that nothing is written in yet.
pub fn write_ahead_bytes(data: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(write_ahead_of(data)).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes.truncate(used + 1);
    bytes
}

/// What the intake holds on top of empty books.
pub fn unsealed(intake: &Intake) -> Vec<DayBlock> {
    intake.unsealed_blocks(&books()).unwrap()
}

/// The root of March 2026 over what the intake holds unsealed.
pub fn period_root(intake: &Intake) -> Root {
    let mut books = books();
    let file = intake.batch_file(&books).unwrap().unwrap();
    let batch = books.compute(Input::Batch(file)).unwrap();
    books.absorb(&batch.command, batch.file.as_deref()).unwrap();
    let closed = books.compute(Input::Period("2026-03".parse().unwrap())).unwrap().command;
    let Command::Period(commit) = closed else { unreachable!("a period was computed") };
    commit.sealed.root
}

/// Imports a file; interrupted after `stop_after` chunks.
pub fn import(intake: &mut Intake, file: &Path, profile: &Profile, stop_after: usize) -> ImportReport {
    let interrupt = AtomicBool::new(false);
    let mut chunk_count = 0;
    let mut progress = |_| {
        chunk_count += 1;
        interrupt.store(chunk_count >= stop_after, Ordering::Relaxed);
    };
    let books = &books();
    let progress = &mut progress;
    let mut run = ImportRun { profile, books, now: now(), interrupt: &interrupt, progress, only_lines: None };
    let [report] = intake.import(file, &mut run).unwrap().try_into().unwrap();
    check_counts(&report);
    report
}

pub const NEVER: usize = usize::MAX;

/// Each reading was offered once and became one thing; each that was set aside has its line.
pub fn check_counts(report: &ImportReport) {
    let counts = report.counts;
    let dealt_with = counts.accepted + counts.duplicate + counts.corrected + counts.quarantined();
    assert_eq!(counts.offered, dealt_with + counts.refused, "{report:?}");
    assert!(counts.is_balanced(), "{report:?}");
    assert_eq!(report.rejected.values().sum::<u64>(), counts.rejected + counts.conflict, "{report:?}");
}
