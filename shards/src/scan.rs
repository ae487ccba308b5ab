//! A foreign Parquet file of readings, handed over by runs.
//!
//! ```text
//!   row group 0 ─▶ thread a: │ usage point │ start │ energy │ ─▶ ScanRun, ScanRun, … ─▶ accumulator 0
//!   row group 1 ─▶ thread b: │      …      │   …   │   …    │ ─▶ …                    ─▶ accumulator 1
//! ```
//!
//! Long form, one row an interval: a usage point (integer or text), the interval's first instant (a timestamp
//! of milli-, micro- or nanoseconds, or a bare 64-bit integer of seconds; taken as UTC) and the energy (an
//! integer, Wh). A **run** is a maximal sequence of consecutive rows of one usage point at equal steps of time.
//! It ends where its row group does, and every [`BATCH_ROW_COUNT`] rows of it, whatever the file's pages are.
//!
//! Files come from outside: what is wrong is an error that names row group and column, and memory is bounded by
//! threads × (three columns of [`COLUMN_SIZE_MAX`] packed, a page each unpacked, one batch).

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use rayon::prelude::*;
use tallywatt_core::calendar::UtcSeconds;

use crate::durable::DurableError;
pub use crate::scan_pages::{COLUMN_SIZE_MAX, ColumnError};
use crate::scan_pages::{Cells, Column, Sink, guarded};
use crate::threads::Threads;

/// Rows that are decoded at a time: their columns fit the second-level cache.
pub const BATCH_ROW_COUNT: usize = 64 << 10;

/// Which column is what.
#[derive(Debug, Clone, Copy)]
pub struct ScanColumns<'a> {
    /// Integers or texts.
    pub usage_point: &'a str,
    /// Timestamps.
    pub start: &'a str,
    /// Integers, Wh.
    pub energy: &'a str,
}

/// A usage point as the file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScanKey<'a> {
    /// By number.
    Number(i64),
    /// By name.
    Text(&'a str),
}

/// Energy in Wh, in the width of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanValues<'a> {
    /// Of a 32-bit column.
    Int32(&'a [i32]),
    /// Of a 64-bit column.
    Int64(&'a [i64]),
}

impl ScanValues<'_> {
    /// How many.
    #[must_use]
    pub const fn count(&self) -> usize {
        match self {
            Self::Int32(values) => values.len(),
            Self::Int64(values) => values.len(),
        }
    }
}

/// Consecutive rows of one usage point at equal steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanRun<'a> {
    /// Whose.
    pub usage_point: ScanKey<'a>,
    /// Start of the first interval.
    pub first_start: UtcSeconds,
    /// From each start to the next; 0 when there is one row only.
    pub step_seconds: u32,
    /// Energy of each interval.
    pub values_wh: ScanValues<'a>,
}

/// Why a file cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// It is not a Parquet file.
    #[error("cannot read {}: {source}", path.display())]
    Footer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ColumnError,
    },
    /// No column of that name, or one that cannot be what it should.
    #[error("column {column:?}: {what}")]
    Schema {
        /// Its name.
        column: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A row group's count of rows.
    #[error("row group {0} has no count of rows")]
    RowCount(usize),
    /// A column cannot be decoded.
    #[error("row group {row_group}, column {column:?}: {source}")]
    Column {
        /// Counted from 0.
        row_group: usize,
        /// Its name.
        column: String,
        /// What is wrong; rows are counted from 0 in the row group.
        source: ColumnError,
    },
}

/// A file that is open for scanning.
#[derive(Debug)]
pub struct ScanFile {
    path: PathBuf,
    metadata: ParquetMetaData,
    columns: [usize; 3],
    units_per_second: i64,
}

impl ScanFile {
    /// Reads what the file says of itself, and finds the columns.
    ///
    /// # Errors
    /// [`ScanError`] when it is not a Parquet file, or has no such columns.
    pub fn open(path: &Path, columns: ScanColumns<'_>) -> Result<Self, ScanError> {
        let file = File::open(path).map_err(DurableError::io("open", path))?;
        let reader = guarded(|| SerializedFileReader::new(file))
            .map_err(|source| ScanError::Footer { path: path.to_owned(), source })?;
        let metadata = reader.metadata().clone();
        let column = |name: &str, kinds: &[Type]| find(&metadata, name, kinds);
        let point = column(columns.usage_point, &[Type::INT32, Type::INT64, Type::BYTE_ARRAY])?;
        let start = column(columns.start, &[Type::INT64])?;
        let energy = column(columns.energy, &[Type::INT32, Type::INT64])?;
        let units_per_second = units_per_second(&metadata.file_metadata().schema_descr().column(start))
            .ok_or_else(|| ScanError::Schema { column: columns.start.to_owned(), what: "not a timestamp" })?;
        Ok(Self { path: path.to_owned(), metadata, columns: [point, start, energy], units_per_second })
    }

    /// How many row groups.
    #[must_use]
    pub fn row_group_count(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Folds the runs of each row group, in order of its rows; the accumulators come in order of row groups.
    ///
    /// # Errors
    /// [`ScanError`], of the first row group that has one.
    pub fn fold<A: Send>(
        &self,
        threads: &Threads,
        new: impl Fn() -> A + Sync,
        each: impl Fn(&mut A, ScanRun<'_>) + Sync,
    ) -> Result<Vec<A>, ScanError> {
        let folded: Vec<Result<A, ScanError>> = threads.pool().install(|| {
            (0..self.row_group_count())
                .into_par_iter()
                .map(|row_group| {
                    let mut accumulator = new();
                    self.scan_row_group(row_group, |run| each(&mut accumulator, run))?;
                    Ok(accumulator)
                })
                .collect()
        });
        folded.into_iter().collect()
    }

    fn scan_row_group(&self, at: usize, mut each: impl FnMut(ScanRun<'_>)) -> Result<(), ScanError> {
        let group = self.metadata.row_group(at);
        let row_count = usize::try_from(group.num_rows()).map_err(|_| ScanError::RowCount(at))?;
        let fail = |column: usize| {
            move |source| {
                let column = group.column(column).column_descr().name().to_owned();
                ScanError::Column { row_group: at, column, source }
            }
        };
        let open =
            |column: usize| Column::open(&self.path, group.column(column), row_count).map_err(fail(column));
        let [point, start, energy] = self.columns;
        let mut columns = [open(point)?, open(start)?, open(energy)?];
        let mut batch = Batch::new(self.units_per_second);
        let mut row_at = 0;
        while row_at < row_count {
            let count = BATCH_ROW_COUNT.min(row_count - row_at);
            batch.clear(row_at);
            columns[0].read(count, &mut batch.points).map_err(fail(point))?;
            columns[1].read(count, &mut batch.starts).map_err(fail(start))?;
            columns[2].read(count, &mut batch.energies).map_err(fail(energy))?;
            batch.each_run(&mut each).map_err(|error| match error {
                ColumnError::Fraction(_) => fail(start)(error),
                _ => fail(point)(error),
            })?;
            row_at += count;
        }
        Ok(())
    }
}

fn find(metadata: &ParquetMetaData, name: &str, kinds: &[Type]) -> Result<usize, ScanError> {
    let fail = |what| ScanError::Schema { column: name.to_owned(), what };
    let schema = metadata.file_metadata().schema_descr();
    let mut named = (0..schema.num_columns()).filter(|&at| schema.column(at).path().string() == name);
    let (Some(at), None) = (named.next(), named.next()) else {
        return Err(fail("not there, or more than once"));
    };
    let column = schema.column(at);
    if !kinds.contains(&column.physical_type()) {
        return Err(fail("of another type"));
    }
    if column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Err(fail("inside another"));
    }
    Ok(at)
}

fn units_per_second(column: &ColumnDescriptor) -> Option<i64> {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(timestamp)), _) => Some(match timestamp.unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        }),
        (_, ConvertedType::TIMESTAMP_MILLIS) => Some(1_000),
        (_, ConvertedType::TIMESTAMP_MICROS) => Some(1_000_000),
        (None, ConvertedType::NONE) => Some(1),
        _ => None,
    }
}

/// Some rows, decoded.
struct Batch {
    points: Points,
    starts: Starts,
    energies: Energies,
}

impl Batch {
    fn new(units_per_second: i64) -> Self {
        Self {
            points: Points { runs: Vec::new() },
            starts: Starts { units_per_second, instants: Vec::new(), row_at: 0 },
            energies: Energies { values: Cells::Int32(Vec::new()), is_new: true },
        }
    }

    fn clear(&mut self, row_at: usize) {
        self.points.runs.clear();
        self.starts.instants.clear();
        self.starts.row_at = row_at;
        self.energies.is_new = true;
    }

    fn each_run(&self, each: &mut impl FnMut(ScanRun<'_>)) -> Result<(), ColumnError> {
        let mut row_at = 0;
        for (point, count) in &self.points.runs {
            let usage_point = match point {
                Point::Number(number) => ScanKey::Number(*number),
                Point::Text(text) => ScanKey::Text(
                    std::str::from_utf8(text)
                        .map_err(|_| ColumnError::Damaged("a text that is not UTF-8"))?,
                ),
            };
            let end = row_at + count;
            while row_at < end {
                let starts = &self.starts;
                let (step, count) = leading_steps(&starts.instants[row_at..end], starts.step_max());
                let first_start = starts.seconds(starts.instants[row_at], row_at)?;
                // A whole start and a whole step make every start of the run whole.
                let step = starts.seconds(step, row_at + 1)?;
                each(ScanRun {
                    usage_point,
                    first_start: UtcSeconds(first_start),
                    step_seconds: u32::try_from(step).expect("no longer than the longest"),
                    values_wh: self.energies.slice(row_at, count),
                });
                row_at += count;
            }
        }
        Ok(())
    }
}

/// The step of the first instants, and how many of them keep it.
fn leading_steps(instants: &[i64], step_max: i64) -> (i64, usize) {
    let [first, second, ..] = *instants else { return (0, instants.len()) };
    let step = match second.checked_sub(first) {
        Some(step) if (1..=step_max).contains(&step) => step,
        _ => return (0, 1),
    };
    // Sixteen at a time without a branch between them; the odd ones one by one.
    const STRIDE: usize = 16;
    let mut count = 2;
    while let (Some(before), Some(here)) =
        (instants.get(count - 1..count - 1 + STRIDE), instants.get(count..count + STRIDE))
    {
        let difference = before
            .iter()
            .zip(here)
            .fold(0, |seen, (before, here)| seen | (here.wrapping_sub(*before) ^ step));
        if difference != 0 {
            break;
        }
        count += STRIDE;
    }
    let rest = instants[count - 1..].windows(2).take_while(|pair| pair[1].wrapping_sub(pair[0]) == step);
    (step, count + rest.count())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Point {
    Number(i64),
    Text(Bytes),
}

/// Usage points, as runs.
struct Points {
    runs: Vec<(Point, usize)>,
}

impl Points {
    fn push(&mut self, cells: &Cells, index: usize, count: usize) {
        // The last run is compared before a text is shared: most rows only make it longer.
        if let Some((last, last_count)) = self.runs.last_mut() {
            let is_same = match (&*last, cells) {
                (Point::Number(last), Cells::Int32(cells)) => *last == i64::from(cells[index]),
                (Point::Number(last), Cells::Int64(cells)) => *last == cells[index],
                (Point::Text(last), Cells::Text(cells)) => *last == cells[index],
                _ => false,
            };
            if is_same {
                *last_count += count;
                return;
            }
        }
        let point = match cells {
            Cells::Int32(cells) => Point::Number(i64::from(cells[index])),
            Cells::Int64(cells) => Point::Number(cells[index]),
            Cells::Text(cells) => Point::Text(cells[index].clone()),
        };
        self.runs.push((point, count));
    }
}

impl Sink for Points {
    fn equal(&mut self, dictionary: &Cells, index: usize, count: usize) {
        self.push(dictionary, index, count);
    }

    fn indexed(&mut self, dictionary: &Cells, indexes: &[u32]) {
        for equal in indexes.chunk_by(|a, b| a == b) {
            self.push(dictionary, position(equal[0]), equal.len());
        }
    }

    fn plain(&mut self, cells: &Cells) {
        for index in 0..cells.len() {
            self.push(cells, index, 1);
        }
    }
}

/// An index that was compared with its dictionary.
fn position(index: u32) -> usize {
    usize::try_from(index).expect("below the size of a dictionary in memory")
}

/// First instants, in the file's unit.
struct Starts {
    units_per_second: i64,
    instants: Vec<i64>,
    row_at: usize,
}

impl Starts {
    /// The longest step whose seconds fit 32 bits.
    fn step_max(&self) -> i64 {
        i64::from(u32::MAX).saturating_mul(self.units_per_second)
    }

    /// `units` in whole seconds; they are those of row `row` of the batch.
    fn seconds(&self, units: i64, row: usize) -> Result<i64, ColumnError> {
        if units % self.units_per_second == 0 {
            Ok(units / self.units_per_second)
        } else {
            Err(ColumnError::Fraction(self.row_at + row))
        }
    }
}

impl Sink for Starts {
    fn equal(&mut self, dictionary: &Cells, index: usize, count: usize) {
        if let Cells::Int64(instants) = dictionary {
            self.instants.resize(self.instants.len() + count, instants[index]);
        }
    }

    fn indexed(&mut self, dictionary: &Cells, indexes: &[u32]) {
        if let Cells::Int64(instants) = dictionary {
            self.instants.extend(indexes.iter().map(|&index| instants[position(index)]));
        }
    }

    fn plain(&mut self, cells: &Cells) {
        if let Cells::Int64(instants) = cells {
            self.instants.extend_from_slice(instants);
        }
    }
}

/// Energies, in the file's width.
struct Energies {
    values: Cells,
    is_new: bool,
}

impl Energies {
    fn push(
        &mut self,
        cells: &Cells,
        take32: impl Fn(&[i32], &mut Vec<i32>),
        take64: impl Fn(&[i64], &mut Vec<i64>),
    ) {
        if std::mem::take(&mut self.is_new) {
            match (&mut self.values, cells) {
                (Cells::Int32(values), Cells::Int32(_)) => values.clear(),
                (Cells::Int64(values), Cells::Int64(_)) => values.clear(),
                (values, Cells::Int32(_)) => *values = Cells::Int32(Vec::new()),
                (values, _) => *values = Cells::Int64(Vec::new()),
            }
        }
        match (&mut self.values, cells) {
            (Cells::Int32(values), Cells::Int32(cells)) => take32(cells, values),
            (Cells::Int64(values), Cells::Int64(cells)) => take64(cells, values),
            _ => {}
        }
    }

    fn slice(&self, start: usize, count: usize) -> ScanValues<'_> {
        match &self.values {
            Cells::Int32(values) => ScanValues::Int32(&values[start..start + count]),
            Cells::Int64(values) => ScanValues::Int64(&values[start..start + count]),
            Cells::Text(_) => ScanValues::Int64(&[]),
        }
    }
}

impl Sink for Energies {
    fn equal(&mut self, dictionary: &Cells, index: usize, count: usize) {
        self.push(
            dictionary,
            |cells, values| values.resize(values.len() + count, cells[index]),
            |cells, values| values.resize(values.len() + count, cells[index]),
        );
    }

    fn indexed(&mut self, dictionary: &Cells, indexes: &[u32]) {
        self.push(
            dictionary,
            |cells, values| values.extend(indexes.iter().map(|&index| cells[position(index)])),
            |cells, values| values.extend(indexes.iter().map(|&index| cells[position(index)])),
        );
    }

    fn plain(&mut self, cells: &Cells) {
        self.push(
            cells,
            |cells, values| values.extend_from_slice(cells),
            |cells, values| values.extend_from_slice(cells),
        );
    }
}
