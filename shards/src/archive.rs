//! The archive that others read: Parquet, long form, one row an interval.
//!
//! ```text
//!   reading/delivery_date=2026-03-29/shard=3/part-17.parquet
//!           └ local delivery day      └ partition × shards / 256, no leading zeros
//! ```
//!
//! | column | type | what |
//! |---|---|---|
//! | `usage_point_id` | string | where |
//! | `obis` | string | which register, `1-0:1.8.0` |
//! | `interval_start` | timestamp, µs, UTC | first instant |
//! | `interval_seconds` | int32 | length |
//! | `energy_wh` | int64, null when missing | energy in the interval |
//! | `quality` | string | the name of the ESPI quality |
//! | `revision` | int32 | 0 for a first delivery |
//!
//! Rows are sorted by the first three. Beside it, in the same folders below `leaf/`, a row a leaf:
//! `usage_point_id`, `obis`, `revision` and `leaf_hash`, for those who check roots and not sums.
//!
//! ```text
//!   batch file ─ packs ─▶ stripe: its days unpacked, in row order ─▶ row groups, encoded ─┐   on all threads
//!        (a range of usage points at a time, out of every partition)                      │
//!   files ◀── hashed, written, synced as they grow ◀── stripes in order ◀── bounded ◀─────┘   on the caller's
//! ```
//!
//! Memory: some 70 MB for each stripe under way, one a thread and one more, and the index of the batch file. Where
//! stripes and row groups are cut follows from the batch: a file's bytes depend on the batch file and the layout alone.
//! The archive can always be written again from the batch file: it is never read to decide anything. Also in
//! `FORMAT.md` §9.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::seal::PARTITION_COUNT;

use crate::archive_days::{Place, StripeDays};
use crate::archive_file::TableWriter;
use crate::archive_rows::{self, HashedDay, ROW_GROUP_ROW_COUNT_MAX, RegisterDay, RowGroup, Rows, Table};
use crate::archive_stripes::{Stripe, stripes_of};
use crate::batch_file::BatchFileError;
use crate::batch_file::reader::BatchReader;
use crate::durable::DurableError;
use crate::threads::Threads;

/// The version of the columns and of the layout; in every file's metadata.
pub const ARCHIVE_SCHEMA_VERSION: u32 = 2;
/// The most shards: one a partition.
pub const SHARD_COUNT_MAX: u16 = 256;

const _: () = assert!(SHARD_COUNT_MAX as usize == PARTITION_COUNT);

/// How an archive lies in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveLayout {
    /// The zone whose days `delivery_date` counts.
    pub zone_name: String,
    /// Into how many shards each day is split, 1 to [`SHARD_COUNT_MAX`].
    pub shard_count: u16,
}

/// The files that were written, each table's in order of day and shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archived {
    /// A row a reading.
    pub readings: Vec<ArchiveFile>,
    /// A row a leaf, with its hash.
    pub leaves: Vec<ArchiveFile>,
}

/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Where, below the archive's folder, with `/` between the parts.
    pub relative_path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Hash of its bytes.
    pub blake3: ContentHash,
    /// Its rows.
    pub row_count: u64,
}

/// What a file holds, read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArchiveTotals {
    /// Rows.
    pub row_count: u64,
    /// Rows without a value.
    pub missing_count: u64,
    /// Sum of the values.
    pub energy_wh: i64,
}

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The number of shards is out of range.
    #[error("{0} shards, need 1 to {SHARD_COUNT_MAX}")]
    ShardCount(u16),
    /// A register-day is there twice: its readings would be counted twice.
    #[error("{usage_point} {register} {day} is there twice", usage_point = .0.usage_point,
        register = .0.register, day = .0.day)]
    Repeated(BlockKey),
    /// The batch file.
    #[error(transparent)]
    Batch(#[from] BatchFileError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// The Parquet library.
    #[error("cannot {action} {}: {source}", path.display())]
    Parquet {
        /// What was attempted.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the library said.
        source: ParquetError,
    },
    /// The file is not one of this archive.
    #[error("{} is not a file of this archive: {what}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What is unlike.
        what: &'static str,
    },
}

/// Writes the readings of a batch file, one file a day and shard, and says which.
///
/// With the ledger's secret also the hashes of its leaves: a row for every 48 or so readings. Whoever holds them all
/// can compute the root; whoever holds a receipt finds its leaf. The whole batch is then compared with its root on the
/// way. Without the secret only its form is checked.
///
/// When this returns, every file survives a power cut. A crash before leaves some of them whole and none torn;
/// writing again replaces them with the same bytes.
///
/// # Errors
/// [`ArchiveError`].
pub fn write_parquet(
    folder: &Path,
    reader: &BatchReader<'_>,
    layout: &ArchiveLayout,
    secret: Option<&BlindingSecret>,
    threads: &Threads,
) -> Result<Archived, ArchiveError> {
    if !(1..=SHARD_COUNT_MAX).contains(&layout.shard_count) {
        return Err(ArchiveError::ShardCount(layout.shard_count));
    }
    if secret.is_some() {
        reader.check_index()?;
    }
    let schemas = Schemas::new(folder)?;
    let mut stripes: Vec<(u16, Stripe)> = Vec::new();
    for shard in 0..layout.shard_count {
        let own = stripes_of(reader, partitions_of_shard(shard, layout.shard_count))?;
        stripes.extend(own.into_iter().map(|stripe| (shard, stripe)));
    }
    let encode = |at: usize| encode_stripe(reader, &stripes[at].1, secret, &schemas);
    let metadata = [
        ("tallywatt.schema_version", ARCHIVE_SCHEMA_VERSION.to_string()),
        ("tallywatt.batch_root", reader.sealed().root.hash.to_string()),
        ("tallywatt.batch_sequence", reader.sequence().to_string()),
        ("tallywatt.zone", layout.zone_name.clone()),
        ("tallywatt.shard_count", layout.shard_count.to_string()),
    ];
    let name = format!("part-{}.parquet", reader.sequence());
    let table = |table| TableWriter::new(folder, table, &name, &metadata);
    let (mut readings, mut leaves) = (table(&RegisterDay::TABLE), table(&HashedDay::TABLE));
    in_order(threads, stripes.len(), encode, |at, days: Result<Vec<EncodedDay>, ArchiveError>| {
        let shard = stripes[at].0;
        for day in days? {
            readings.put((day.day, shard), day.readings)?;
            leaves.put((day.day, shard), day.leaves)?;
        }
        let is_last = stripes.get(at + 1).is_none_or(|(next, _)| *next != shard);
        if is_last {
            [&mut readings, &mut leaves].into_iter().try_for_each(|table| table.finish_shard(threads))
        } else {
            Ok(())
        }
    })?;
    Ok(Archived { readings: readings.into_written(), leaves: leaves.into_written() })
}

/// Those for which `partition × shards / 256` is the shard.
fn partitions_of_shard(shard: u16, shard_count: u16) -> Range<u16> {
    let first = |shard: u16| {
        let first = (u32::from(shard) * u32::from(SHARD_COUNT_MAX)).div_ceil(u32::from(shard_count));
        u16::try_from(first).expect("at most 256")
    };
    first(shard)..first(shard + 1)
}

/// Gives `take` what `make` makes of each number, in order; a few are made ahead on the threads.
fn in_order<T: Send, E>(
    threads: &Threads,
    count: usize,
    make: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    if threads.pool().current_thread_index().is_some() {
        // The caller is one of the threads, which must not wait for itself.
        return (0..count).try_for_each(|at| take(at, make(at)));
    }
    let ahead = threads.count() + 1;
    let (send, made) = crossbeam_channel::bounded(ahead);
    let make = &make;
    threads.pool().in_place_scope(|scope| {
        let start = |at: usize| {
            if at < count {
                let send = send.clone();
                // A panic is handed on: whoever waits for the number would wait forever. There is room for every
                // number under way, so nothing waits for a receiver that has left.
                scope.spawn(move |_| {
                    let result = panic::catch_unwind(AssertUnwindSafe(|| make(at)));
                    send.send((at, result)).unwrap_or_default();
                });
            }
        };
        (0..ahead).for_each(start);
        let mut early = BTreeMap::new();
        for wanted in 0..count {
            while !early.contains_key(&wanted) {
                let (at, result) = made.recv().expect("a sender is held here");
                early.insert(at, result);
            }
            match early.remove(&wanted).expect("waited for above") {
                Ok(result) => take(wanted, result)?,
                Err(panic) => panic::resume_unwind(panic),
            }
            start(wanted + ahead);
        }
        Ok(())
    })
}

/// A day of a stripe.
struct EncodedDay {
    day: Day,
    readings: Vec<RowGroup>,
    leaves: Vec<RowGroup>,
}

struct Schemas {
    reading: SchemaDescriptor,
    leaf: SchemaDescriptor,
}

impl Schemas {
    fn new(folder: &Path) -> Result<Self, ArchiveError> {
        let schema_of = |table: &Table| {
            let schema = table.schema().map(SchemaDescriptor::new);
            schema.map_err(|source| ArchiveError::Parquet {
                action: "begin",
                path: folder.to_owned(),
                source,
            })
        };
        Ok(Self { reading: schema_of(&RegisterDay::TABLE)?, leaf: schema_of(&HashedDay::TABLE)? })
    }
}

fn encode_stripe(
    reader: &BatchReader<'_>,
    stripe: &Stripe,
    secret: Option<&BlindingSecret>,
    schemas: &Schemas,
) -> Result<Vec<EncodedDay>, ArchiveError> {
    let stripe = StripeDays::read(reader, stripe, secret)?;
    let encode = |(day, places): &(Day, Vec<Place>)| {
        let readings =
            row_groups(places, &schemas.reading, Place::row_count, |place| stripe.register_day(place));
        let leaves = match secret {
            Some(_) => row_groups(places, &schemas.leaf, |_| 1, |place| stripe.hashed_day(place)),
            None => Ok(Vec::new()),
        };
        let path = || PathBuf::from(format!("delivery_date={day}"));
        let refuse = |source| ArchiveError::Parquet { action: "encode", path: path(), source };
        Ok(EncodedDay { day: *day, readings: readings.map_err(refuse)?, leaves: leaves.map_err(refuse)? })
    };
    stripe.days.par_iter().map(encode).collect()
}

/// Whole days, as many as fit a row group, side by side.
fn row_groups<R: Rows + Send>(
    places: &[Place],
    schema: &SchemaDescriptor,
    rows_of: impl Fn(&Place) -> usize,
    item_of: impl Fn(&Place) -> R + Sync,
) -> Result<Vec<RowGroup>, ParquetError> {
    let (mut groups, mut rest) = (Vec::new(), places);
    while !rest.is_empty() {
        let mut row_count = 0;
        let fitting = rest.iter().take_while(|place| {
            row_count += rows_of(place);
            row_count <= ROW_GROUP_ROW_COUNT_MAX
        });
        let (group, behind) = rest.split_at(fitting.count());
        assert!(!group.is_empty(), "a day is far smaller than a row group");
        groups.push(group);
        rest = behind;
    }
    let encode = |group: &[Place]| {
        let items: Vec<R> = group.iter().map(&item_of).collect();
        RowGroup::encode(&items, schema)
    };
    groups.into_par_iter().map(encode).collect()
}

/// Reads a file's `energy_wh` column back.
///
/// # Errors
/// [`ArchiveError`].
pub fn read_totals(path: &Path) -> Result<ArchiveTotals, ArchiveError> {
    let fail = |source| ArchiveError::Parquet { action: "read", path: path.to_owned(), source };
    let foreign = |what| ArchiveError::Foreign { path: path.to_owned(), what };
    let file = File::open(path).map_err(DurableError::io("open", path))?;
    let reader = SerializedFileReader::new(file).map_err(fail)?;
    let mut totals = ArchiveTotals::default();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(fail)?;
        let column = group.get_column_reader(archive_rows::ENERGY_COLUMN).map_err(fail)?;
        let ColumnReader::Int64ColumnReader(mut column) = column else {
            return Err(foreign("energy_wh is not a column of 64-bit integers"));
        };
        loop {
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            let (row_count, value_count, _) = column
                .read_records(archive_rows::READ_ROW_COUNT, Some(&mut levels), None, &mut values)
                .map_err(fail)?;
            if row_count == 0 {
                break;
            }
            totals.row_count += u64::try_from(row_count).map_err(|_| foreign("too many rows"))?;
            totals.missing_count +=
                u64::try_from(row_count - value_count).map_err(|_| foreign("too many rows"))?;
            for wh in values {
                totals.energy_wh =
                    totals.energy_wh.checked_add(wh).ok_or_else(|| foreign("energy past 64 bits"))?;
            }
        }
    }
    Ok(totals)
}
