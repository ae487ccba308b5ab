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
//! | `leaf_hash` | 32 bytes | BLAKE3 of the leaf that the row is part of |
//!
//! Rows are sorted by the first three. A file's bytes depend on its leaves and the batch alone. The archive can
//! always be written again from the batch file: it is never read to decide anything. Also in `FORMAT.md` §9.

use std::collections::BTreeMap;
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
use tallywatt_ledger::seal::{PARTITION_COUNT, partition_of};

use crate::archive_rows;
use crate::durable::{self, DurableError};
use crate::threads::Threads;

/// The version of the columns and of the layout; in every file's metadata.
pub const ARCHIVE_SCHEMA_VERSION: u32 = 1;
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

/// Writes a batch's leaves, one file a day and shard, and says which, in order of day and shard.
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
    if !(1..=SHARD_COUNT_MAX).contains(&batch.shard_count) {
        return Err(ArchiveError::ShardCount(batch.shard_count));
    }
    let mut files: BTreeMap<(Day, u16), Vec<&DayLeaf>> = BTreeMap::new();
    for leaf in leaves {
        let key = leaf.block().key();
        let shard = u16::from(partition_of(&key.usage_point)) * batch.shard_count / SHARD_COUNT_MAX;
        files.entry((key.day, shard)).or_default().push(leaf);
    }
    let files: Vec<((Day, u16), Vec<&DayLeaf>)> = files.into_iter().collect();
    threads.pool().install(|| {
        files
            .into_par_iter()
            .map(|((day, shard), leaves)| write_file(folder, day, shard, leaves, batch))
            .collect()
    })
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

fn write_file(
    folder: &Path,
    day: Day,
    shard: u16,
    leaves: Vec<&DayLeaf>,
    batch: &ArchiveBatch,
) -> Result<ArchiveFile, ArchiveError> {
    let leaves = in_row_order(leaves)?;
    let relative_folder = format!("reading/delivery_date={day}/shard={shard}");
    let relative_path = format!("{relative_folder}/part-{}.parquet", batch.sequence);
    let path = folder.join(&relative_path);
    let metadata = [
        ("tallywatt.schema_version", ARCHIVE_SCHEMA_VERSION.to_string()),
        ("tallywatt.batch_root", batch.root.to_string()),
        ("tallywatt.batch_sequence", batch.sequence.to_string()),
        ("tallywatt.zone", batch.zone_name.clone()),
        ("tallywatt.shard_count", batch.shard_count.to_string()),
    ];
    let (bytes, row_count) = archive_rows::encode(&leaves, &metadata)
        .map_err(|source| ArchiveError::Parquet { action: "encode", path: path.clone(), source })?;
    durable::create_folder_durably(&folder.join(relative_folder))?;
    durable::write_durably(&path, &bytes)?;
    let size = u64::try_from(bytes.len()).expect("a size in memory fits u64");
    Ok(ArchiveFile { relative_path, size, blake3: digest::content_hash(&bytes), row_count })
}

/// Sorted as the text columns sort, for readers that rely on it.
fn in_row_order(leaves: Vec<&DayLeaf>) -> Result<Vec<&DayLeaf>, ArchiveError> {
    let mut keyed: Vec<(BlockKey, String, &DayLeaf)> = leaves
        .into_iter()
        .map(|leaf| (leaf.block().key(), leaf.block().key().register.to_string(), leaf))
        .collect();
    keyed.sort_by(|a, b| (a.0.usage_point, &a.1).cmp(&(b.0.usage_point, &b.1)));
    match keyed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(ArchiveError::Repeated(pair[0].0)),
        None => Ok(keyed.into_iter().map(|(_, _, leaf)| leaf).collect()),
    }
}
