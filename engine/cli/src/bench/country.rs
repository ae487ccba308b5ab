//! A country's days on their whole way: a file of packs taken in and sealed, the batch read again, its uses rated.
//!
//! ```text
//!   packs file ─▶ Intake: decode, judge, join ─▶ write-ahead log, synced ─▶ cut ─▶ batch file, synced     take in, seal
//!                                                                                       │
//!                                        every leaf, tree and hash ◀── check batch ◀────┤
//!                     bills ◀── rate determinants ◀── uses of each meter ◀── fold batch ◀┘
//! ```
//!
//! The country and not the town: its days are made fast enough for files that are cut into many blocks.

use std::fs::{self, File};
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::columns::{ColumnError, rate_mixed};
use tallywatt_core::determinants::RunningUse;
use tallywatt_core::register::Register;
use tallywatt_fixtures::country::tariffs::{TARIFF_COUNT, patterns, plans};
use tallywatt_fixtures::country::write::{CountryFormat, write_country};
use tallywatt_fixtures::country::{Country, SLOT_COUNT, day};
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::leaf_size;
use tallywatt_ledger::hash_many::BLOCK_SIZE;
use tallywatt_ledger::seal::SealKind;
use tallywatt_node::books::Books;
use tallywatt_node::intake::{ImportEnd, ImportRun, Intake};
use tallywatt_shards::batch_file::BatchFileError;
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::batch_file::writer::BatchWriter;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::use_fold::{UsePeriod, fold_use};

use crate::failure::Failure;

use super::inputs::{Inputs, defect};
use super::measure::Work;
use super::stages::{Body, NODE_SIZE, whole};

/// Meters: their two days are 19 million readings, and packs of eight blocks.
const METER_COUNT: u64 = 200_000;
/// The same for a look: one block.
const METER_COUNT_QUICK: u64 = 10_000;
/// Days.
const DAY_COUNT: u16 = 2;
/// Bills rated in one repetition: the meters again and again.
const BILL_COUNT: usize = 1_000_000;
/// The same for a look.
const BILL_COUNT_QUICK: usize = 20_000;
/// What rating reads and writes of a bill: its use, its plan, its total.
const RATED_SIZE: usize = size_of::<RunningUse>() + 1 + size_of::<i64>();
/// After every reading.
const NOW: UtcSeconds = UtcSeconds(4_000_000_000);

/// What one taking in came to.
pub struct Batch {
    path: PathBuf,
    reading_count: usize,
    /// Bytes written: the write-ahead log and the batch file.
    written_size: usize,
    /// Bytes of the batch file.
    size: usize,
    /// Bytes that anybody hashes who seals or checks it: leaves, their nodes, their blindings, the file.
    hashed_size: usize,
}

/// A file of packs, to a batch file that survives a power cut, in a folder of its own each time.
///
/// # Errors
/// The disk; a reading that is not accepted, which is a defect.
pub fn take_in<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let packs = packs(inputs)?;
    let packs_size = size_of_file(&packs)?;
    Ok(Box::new(move |threads| {
        let room = inputs.room("take-in")?;
        let begun = Instant::now();
        let batch = take_in_packs(inputs, &packs, &room, threads)?;
        let time = begun.elapsed();
        fs::remove_dir_all(&room).map_err(|error| Failure::file("remove", &room, &error))?;
        // An import is known by the hash of its file, and every group of the log ends in its own.
        let hashed_size = packs_size + batch.written_size - batch.size + batch.hashed_size;
        Ok((Work::of_two(batch.reading_count, [batch.written_size, hashed_size]), time))
    }))
}

/// The batch file against itself: every leaf unpacked, blinded, hashed and counted, and the file's own hash.
///
/// # Errors
/// As [`take_in`].
pub fn check_batch<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let batch = batch(inputs)?;
    let work = Work::new(batch.reading_count, batch.hashed_size);
    whole(move |threads| {
        let reader = BatchReader::open(&batch.path).map_err(defect)?;
        reader.verify_all(&secret(), threads).map_err(defect)?;
        Ok(work)
    })
}

/// Every value of the batch file, folded into what bills need of its meter.
///
/// # Errors
/// As [`take_in`].
pub fn fold_batch<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let batch = batch(inputs)?;
    let work = Work::new(batch.reading_count, batch.size);
    whole(move |threads| {
        black_box(uses(batch, threads)?);
        Ok(work)
    })
}

/// Totals of many bills from the uses, five tariffs in turn; the bills are dealt out to the threads.
///
/// # Errors
/// As [`take_in`].
pub fn rate_determinants<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let bill_count = if inputs.is_quick { BILL_COUNT_QUICK } else { BILL_COUNT };
    let alone = Threads::new(1).map_err(defect)?;
    let uses: Vec<RunningUse> = uses(batch(inputs)?, &alone)?.into_iter().cycle().take(bill_count).collect();
    let plan_of: Vec<u8> = (0_u8..).take(TARIFF_COUNT).cycle().take(bill_count).collect();
    let (plans, mut totals) = (plans(), Vec::new());
    let work = Work::new(bill_count, bill_count * RATED_SIZE);
    whole(move |threads| {
        totals.resize_with(threads.count(), Mutex::<Vec<i64>>::default);
        let part = bill_count.div_ceil(threads.count());
        let done = threads.pool().broadcast(|context| {
            let own = |at: usize| (at * part).min(bill_count)..((at + 1) * part).min(bill_count);
            let own = own(context.index());
            let mut totals = totals[context.index()].lock().unwrap_or_else(PoisonError::into_inner);
            totals.resize(own.len(), 0);
            rate_mixed(&plans, &plan_of[own.clone()], &uses[own], &mut totals)?;
            black_box(totals.as_slice());
            Ok(())
        });
        done.into_iter().collect::<Result<(), ColumnError>>().map_err(defect)?;
        Ok(work)
    })
}

/// The country's days as a head-end sends them, written once.
fn packs(inputs: &Inputs<'_>) -> Result<PathBuf, Failure> {
    let path = inputs.room("country")?.join("country.packs");
    if path.exists() {
        return Ok(path);
    }
    let fail = |action| {
        let path = path.clone();
        move |error: io::Error| Failure::file(action, &path, &error)
    };
    let mut file = File::create(&path).map_err(fail("create"))?;
    let country = Country::new(meter_count(inputs)).map_err(defect)?;
    let (meters, days) = (0..country.meter_count(), 0..u32::from(DAY_COUNT));
    write_country(country, CountryFormat::Packs, meters, days, &mut file).map_err(fail("write"))?;
    // What is measured next must not wait for what was prepared.
    file.sync_all().map_err(fail("sync"))?;
    Ok(path)
}

/// The batch of those days, made once.
fn batch<'i>(inputs: &'i Inputs<'_>) -> Result<&'i Batch, Failure> {
    if let Some(batch) = inputs.batch.get() {
        return Ok(batch);
    }
    let alone = Threads::new(1).map_err(defect)?;
    let batch = take_in_packs(inputs, &packs(inputs)?, &inputs.room("batch")?, &alone)?;
    Ok(inputs.batch.get_or_init(|| batch))
}

/// What `tallywatt ingest` does in a ledger's folder.
fn take_in_packs(
    inputs: &Inputs<'_>,
    packs: &Path,
    room: &Path,
    threads: &Threads,
) -> Result<Batch, Failure> {
    let profile = Profile::builtin("packs").and_then(|profile| profile.with_zone("UTC")).map_err(defect)?;
    let books = Books::new(secret(), threads.clone());
    let mut intake = Intake::open(room, &books)?;
    let interrupt = AtomicBool::new(false);
    let mut run = ImportRun {
        profile: &profile,
        books: &books,
        now: NOW,
        interrupt: &interrupt,
        progress: &mut |_| {},
        only_lines: None,
    };
    for report in intake.import(packs, &mut run)? {
        if report.end != ImportEnd::Finished || report.counts.accepted != report.counts.offered {
            return Err(defect(format!("not every reading was accepted: {report:?}")));
        }
    }
    let path = room.join("1.twb");
    let writer = BatchWriter::create(&path, SealKind::Batch, 1).map_err(not_written)?;
    let writer = intake.seal_into(&books, writer)?;
    let (_, sealed) = writer.finish_durably().map_err(not_written)?;
    let size = size_of_file(&path)?;
    let leaves_size = counted(sealed.totals.leaf_count) * (leaf_size(SLOT_COUNT) + NODE_SIZE + BLOCK_SIZE);
    let secrets_size = counted(meter_count(inputs)) * BLOCK_SIZE;
    Ok(Batch {
        path,
        reading_count: counted(sealed.totals.reading_count()),
        written_size: counted(intake.size()) + size,
        size,
        hashed_size: leaves_size + secrets_size + size,
    })
}

/// What each meter used.
fn uses(batch: &Batch, threads: &Threads) -> Result<Vec<RunningUse>, Failure> {
    let patterns = patterns();
    let first = day(0).ok_or_else(|| defect("the country has no first day"))?;
    let period = UsePeriod { register: Register::IMPORT, first, day_count: DAY_COUNT, patterns: &patterns };
    let reader = BatchReader::open(&batch.path).map_err(defect)?;
    let parts = fold_use(&reader, &period, threads).map_err(defect)?;
    Ok(parts.into_iter().flat_map(|part| part.uses).collect())
}

const fn meter_count(inputs: &Inputs<'_>) -> u64 {
    if inputs.is_quick { METER_COUNT_QUICK } else { METER_COUNT }
}

fn secret() -> BlindingSecret {
    BlindingSecret::new([7; 32])
}

fn not_written(error: BatchFileError) -> Failure {
    Failure::usage(error, "free some space, or name another folder with --folder")
}

fn size_of_file(path: &Path) -> Result<usize, Failure> {
    let metadata = fs::metadata(path).map_err(|error| Failure::file("stat", path, &error))?;
    Ok(counted(metadata.len()))
}

/// A count of a country whose size stands above.
fn counted(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
