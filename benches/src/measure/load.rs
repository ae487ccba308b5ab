//! A file to a sealed batch that survives a power cut: every stage of taking readings in, timed as one.
//!
//! ```text
//!   source ─ blocks ─▶ decoders ─ runs, packed days ─▶ shards: judge, join ─▶ committer ─▶ write-ahead log, synced
//!                                                          │                                      │
//!                                                          └─────────── cut ◀── days let go of ◀──┘
//!                                                                        └──▶ batch file, synced
//! ```

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::ContentHash;
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::seal::{SealKind, Sealed};
use tallywatt_node::books::Books;
use tallywatt_node::intake::{ImportEnd, ImportRun, Intake, IntakeLimits};
use tallywatt_shards::batch_file::writer::BatchWriter;

use super::files::{CSV_FILE, FRAMES_FILE, PACKS_FILE, ZONE, csv_profile, energy_wh, reading_count};
use super::{Answer, Failure, Setup};
use crate::town::secret;

/// What is sealed, in the folder it was loaded in.
pub const BATCH_FILE: &str = "1.twb";
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

/// Loads [`PACKS_FILE`].
///
/// # Errors
/// As [`csv`].
pub fn packs(setup: &Setup) -> Result<Answer, Failure> {
    answer(setup, &load_packs(setup)?)
}

/// Loads [`CSV_FILE`], its sums unchecked.
///
/// # Errors
/// As [`load`].
pub fn load_csv(setup: &Setup) -> Result<Loaded, Failure> {
    load_and_remove(setup, &csv_profile()?, CSV_FILE)
}

/// Loads [`FRAMES_FILE`], its sums unchecked.
///
/// # Errors
/// As [`load`].
pub fn load_frames(setup: &Setup) -> Result<Loaded, Failure> {
    load_and_remove(setup, &Profile::builtin("frames")?.with_zone(ZONE)?, FRAMES_FILE)
}

/// Loads [`PACKS_FILE`], its sums unchecked.
///
/// # Errors
/// As [`load`].
pub fn load_packs(setup: &Setup) -> Result<Loaded, Failure> {
    load_and_remove(setup, &Profile::builtin("packs")?.with_zone(ZONE)?, PACKS_FILE)
}

fn load_and_remove(setup: &Setup, profile: &Profile, file: &str) -> Result<Loaded, Failure> {
    in_folder(setup, |folder| load(setup, profile, &setup.path(file), folder))
}

/// What `run` gives in a folder of its own, which is gone afterwards: whatever came of it, it must not stand in the way
/// of the next.
pub(super) fn in_folder<T>(
    setup: &Setup,
    run: impl FnOnce(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let folder = setup.path(&format!("load-{}", std::process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let done = run(&folder);
    fs::remove_dir_all(&folder)?;
    done
}

fn answer(setup: &Setup, loaded: &Loaded) -> Result<Answer, Failure> {
    let Loaded { intake, cut, .. } = *loaded;
    let sums = sums(setup, loaded)?;
    let parts = vec![("intake_seconds", intake), ("cut_seconds", cut)];
    Ok(Answer { took: intake + cut, sums, parts })
}

/// What was loaded, compared with the country.
///
/// # Errors
/// [`Failure`], if it is something else.
pub(super) fn sums(setup: &Setup, loaded: &Loaded) -> Result<Vec<(&'static str, i128)>, Failure> {
    let Loaded { sealed, ahead_size, batch_size, .. } = *loaded;
    let energy: i64 = sealed.totals.energy_wh.iter().sum();
    let readings = sealed.totals.reading_count();
    if (i128::from(readings), energy) != (reading_count(setup), energy_wh(setup)?) {
        return Err(format!("{readings} readings of {energy} Wh are not the country's").into());
    }
    Ok(vec![
        ("readings", readings.into()),
        ("energy_wh", energy.into()),
        ("ahead_bytes", ahead_size.into()),
        ("batch_bytes", batch_size.into()),
    ])
}

/// Takes a file in and seals it, in a folder of its own, as `tallywatt ingest` does in a ledger's.
///
/// # Errors
/// [`Failure`], also if a reading is not accepted: the country's all are.
pub fn load(setup: &Setup, profile: &Profile, file: &Path, folder: &Path) -> Result<Loaded, Failure> {
    let start = Instant::now();
    let books = Books::new(secret(), setup.threads.clone());
    let limits = IntakeLimits { memory_size: setup.memory_mib << 20, ..IntakeLimits::default() };
    let mut intake = Intake::open_bounded(folder, &books, limits)?;
    let (interrupt, progress) = (AtomicBool::new(false), &mut |_| {});
    let mut run =
        ImportRun { profile, books: &books, now: NOW, interrupt: &interrupt, progress, only_lines: None };
    for report in intake.import(file, &mut run)? {
        let is_whole = report.end == ImportEnd::Finished && report.counts.accepted == report.counts.offered;
        if !is_whole {
            return Err(format!("not every reading was accepted: {report:?}").into());
        }
    }
    let took = start.elapsed();
    let path = folder.join(BATCH_FILE);
    let writer = intake.seal_into(&books, BatchWriter::create(&path, SealKind::Batch, 1)?)?;
    let (hash, sealed) = writer.finish_durably()?;
    let cut = start.elapsed() - took;
    let batch_size = fs::metadata(&path)?.len();
    Ok(Loaded { sealed, hash, intake: took, cut, ahead_size: intake.size(), batch_size })
}
