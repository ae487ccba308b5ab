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
//! A file's bytes depend on its leaves and the batch alone. The archive can always be written again from the
//! batch file: it is never read to decide anything. Also in `FORMAT.md` §9.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest;
use tallywatt_ledger::seal::PARTITION_COUNT;

use crate::archive_order;
use crate::archive_rows::{self, HashedDay, RegisterDay, Rows};
use crate::durable::{self, DurableError};
use crate::threads::Threads;

/// The version of the columns and of the layout; in every file's metadata.
pub const ARCHIVE_SCHEMA_VERSION: u32 = 2;
/// The most shards: one a partition.
pub const SHARD_COUNT_MAX: u16 = 256;

const _: () = assert!(SHARD_COUNT_MAX as usize == PARTITION_COUNT);

/// What the files of one batch say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveBatch {
    /// Its number: the files are `part-<sequence>.parquet`.
    pub sequence: u64,
    /// The sealed root that its leaves are under.
    pub root: ContentHash,
    /// The zone whose days `delivery_date` counts.
    pub zone_name: String,
    /// Into how many shards each day is split, 1 to [`SHARD_COUNT_MAX`].
    pub shard_count: u16,
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

/// Writes the readings of a batch's leaves, one file a day and shard, and says which, in order of day and shard.
///
/// When this returns, every file survives a power cut. A crash before leaves some of them whole and none torn;
/// writing again replaces them with the same bytes.
///
/// # Errors
/// [`ArchiveError`].
pub fn write_parquet(
    folder: &Path,
    leaves: &[DayLeaf],
    batch: &ArchiveBatch,
    threads: &Threads,
) -> Result<Vec<ArchiveFile>, ArchiveError> {
    write_table(folder, leaves, batch, threads, |_, day| day)
}

/// Writes the hashes of a batch's leaves, one file a day and shard: a row for every 48 or so of
/// [`write_parquet`]. Whoever holds them all can compute the root; whoever holds a receipt finds its leaf.
///
/// When this returns, every file survives a power cut, as there.
///
/// # Errors
/// [`ArchiveError`].
pub fn write_leaf_hashes(
    folder: &Path,
    leaves: &[DayLeaf],
    batch: &ArchiveBatch,
    threads: &Threads,
) -> Result<Vec<ArchiveFile>, ArchiveError> {
    write_table(folder, leaves, batch, threads, |leaf, day| HashedDay { day, leaf_hash: leaf.hash() })
}

fn write_table<'a, R: Rows>(
    folder: &Path,
    leaves: &'a [DayLeaf],
    batch: &ArchiveBatch,
    threads: &Threads,
    rows_of: impl Fn(&'a DayLeaf, RegisterDay<'a>) -> R + Sync,
) -> Result<Vec<ArchiveFile>, ArchiveError> {
    if !(1..=SHARD_COUNT_MAX).contains(&batch.shard_count) {
        return Err(ArchiveError::ShardCount(batch.shard_count));
    }
    threads.pool().install(|| {
        let files = archive_order::files_of(leaves, batch.shard_count)?;
        files
            .into_par_iter()
            .map(|file| {
                let items: Vec<R> = file.leaves.iter().map(|leaf| rows_of(leaf, day_of(leaf))).collect();
                write_file(folder, (file.day, file.shard), &items, batch)
            })
            .collect()
    })
}

fn day_of(leaf: &DayLeaf) -> RegisterDay<'_> {
    let block = leaf.block();
    RegisterDay {
        usage_point: block.key().usage_point,
        register: block.key().register,
        start: block.start(),
        interval_seconds: i32::from(block.interval_minutes()) * 60,
        values_wh: block.values_wh(),
        qualities: block.qualities(),
        revision: i32::from(leaf.revision()),
    }
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

fn write_file<R: Rows>(
    folder: &Path,
    (day, shard): (Day, u16),
    items: &[R],
    batch: &ArchiveBatch,
) -> Result<ArchiveFile, ArchiveError> {
    let relative_folder = format!("{}/delivery_date={day}/shard={shard}", R::TABLE.name);
    let relative_path = format!("{relative_folder}/part-{}.parquet", batch.sequence);
    let path = folder.join(&relative_path);
    let metadata = [
        ("tallywatt.schema_version", ARCHIVE_SCHEMA_VERSION.to_string()),
        ("tallywatt.batch_root", batch.root.to_string()),
        ("tallywatt.batch_sequence", batch.sequence.to_string()),
        ("tallywatt.zone", batch.zone_name.clone()),
        ("tallywatt.shard_count", batch.shard_count.to_string()),
    ];
    let (bytes, row_count) = archive_rows::encode(items, &metadata)
        .map_err(|source| ArchiveError::Parquet { action: "encode", path: path.clone(), source })?;
    durable::create_folder_durably(&folder.join(relative_folder))?;
    durable::write_durably(&path, &bytes)?;
    let size = u64::try_from(bytes.len()).expect("a size in memory fits u64");
    Ok(ArchiveFile { relative_path, size, blake3: digest::content_hash(&bytes), row_count })
}
