//! The columns of the archive: register-days in, pages out.
//!
//! | column | pages |
//! |---|---|
//! | texts, lengths, revisions, qualities | a dictionary of the distinct values, then runs of its indexes |
//! | `interval_start` | a dictionary of the instants; each day is a string of indexes, packed once and repeated |
//! | `energy_wh` | byte-stream split: all lowest bytes of a page, then all second bytes, … |
//! | `leaf_hash` | as it is |
//!
//! Nothing but the energy is touched a reading at a time.

use std::collections::BTreeMap;

use parquet::basic::Encoding;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;

use crate::archive_rows::{DayQualities, HashedDay, RegisterDay, Rows};
use crate::column_chunk::{ClosedColumn, ColumnChunk};
use crate::run_length::{BitString, BitWriter, GROUP_SIZE, RunLength, push_varint, width_of_index};

/// Readings in a page of `energy_wh`: one byte of each fills one block of zstd, so that every block has one
/// kind of byte and its own code for them. Pages of half the size make files a seventh larger.
pub(crate) const PAGE_ROW_COUNT: usize = 128 << 10;
/// Bytes of an `energy_wh`.
const ENERGY_SIZE: usize = 8;

/// Distinct values in the order in which they first came, as a Parquet dictionary page.
struct Dictionary<T> {
    values: Vec<T>,
    last: usize,
}

impl<T: PartialEq> Dictionary<T> {
    fn new() -> Self {
        Self { values: Vec::new(), last: 0 }
    }

    /// The index of `value`. Neighbours are mostly equal, and the values few.
    fn index(&mut self, value: T) -> usize {
        if self.values.get(self.last) != Some(&value) {
            self.last = self.values.iter().position(|known| *known == value).unwrap_or(self.values.len());
            if self.last == self.values.len() {
                self.values.push(value);
            }
        }
        self.last
    }
}

/// One value a day, of which there are few.
pub(crate) fn few<R: Rows, T: PartialEq>(
    column: ColumnDescPtr,
    items: &[R],
    value_of: impl Fn(&RegisterDay<'_>) -> T,
    plain: impl Fn(&T, &mut Vec<u8>),
) -> Result<ClosedColumn, ParquetError> {
    let mut dictionary = Dictionary::new();
    let runs: Vec<(usize, usize)> =
        items.iter().map(|item| (dictionary.index(value_of(item.day())), item.row_count())).collect();
    indexed(column, &dictionary.values, &runs, plain, None)
}

/// The usage points: as many as days or half of that, and equal ones side by side.
pub(crate) fn usage_points<R: Rows>(
    column: ColumnDescPtr,
    items: &[R],
) -> Result<ClosedColumn, ParquetError> {
    let mut names: Vec<UsagePointId> = Vec::new();
    let mut runs = Vec::with_capacity(items.len());
    for item in items {
        if names.last() != Some(&item.day().usage_point) {
            names.push(item.day().usage_point);
        }
        runs.push((names.len() - 1, item.row_count()));
    }
    let bound = |name: Option<&UsagePointId>| name.map(|name| ByteArray::from(name.as_str()));
    // Rows are sorted by them.
    let (min, max) = (bound(names.first()), bound(names.last()));
    let statistics = Statistics::byte_array(min, max, None, Some(0), false);
    indexed(column, &names, &runs, |name, bytes| push_text(name.as_str(), bytes), Some(statistics))
}

/// A text as it stands in a dictionary page.
pub(crate) fn push_text(text: &str, bytes: &mut Vec<u8>) {
    let size = u32::try_from(text.len()).expect("names and codes are short");
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The quality of each reading: one run a day, but where something is missing or estimated.
pub(crate) fn qualities(
    column: ColumnDescPtr,
    days: &[RegisterDay<'_>],
) -> Result<ClosedColumn, ParquetError> {
    let mut dictionary = Dictionary::new();
    let mut runs = Vec::with_capacity(days.len());
    for day in days {
        match day.qualities {
            DayQualities::All(quality) => runs.push((dictionary.index(quality), day.values_wh.len())),
            DayQualities::Each(qualities) => {
                for equal in qualities.chunk_by(|a, b| a == b) {
                    runs.push((dictionary.index(equal[0]), equal.len()));
                }
            }
        }
    }
    indexed(column, &dictionary.values, &runs, |quality, bytes| push_text(quality.name(), bytes), None)
}

/// A dictionary page and one page of runs of `(index, rows)`.
fn indexed<T>(
    column: ColumnDescPtr,
    values: &[T],
    runs: &[(usize, usize)],
    plain: impl Fn(&T, &mut Vec<u8>),
    statistics: Option<Statistics>,
) -> Result<ClosedColumn, ParquetError> {
    let mut dictionary = Vec::new();
    values.iter().for_each(|value| plain(value, &mut dictionary));
    let width = width_of_index(values.len());
    let mut encoder = RunLength::new(width);
    let mut row_count = 0;
    for &(index, count) in runs {
        encoder.push_run(u32::try_from(index).expect("a row group has fewer rows"), count);
        row_count += count;
    }
    let mut body = vec![width.to_le_bytes()[0]];
    body.append(&mut encoder.finish());
    let mut chunk = ColumnChunk::new(Encoding::RLE_DICTIONARY)?;
    chunk.push_dictionary(&dictionary, values.len())?;
    chunk.push_data(&body, row_count)?;
    chunk.close(column, statistics)
}

/// The days' instants: first one, step in seconds, how many.
type Grid = (UtcSeconds, i32, usize);

/// The first instant of each reading, in microseconds.
pub(crate) fn interval_starts(
    column: ColumnDescPtr,
    days: &[RegisterDay<'_>],
) -> Result<ClosedColumn, ParquetError> {
    let mut grids: BTreeMap<Grid, BitString> = BTreeMap::new();
    let grid_of = |day: &RegisterDay<'_>| (day.start, day.interval_seconds, day.values_wh.len());
    let mut last = None;
    for day in days {
        if last != Some(grid_of(day)) {
            last = Some(grid_of(day));
            grids.entry(grid_of(day)).or_default();
        }
    }
    let mut instants: Vec<i64> = grids.keys().copied().flat_map(instants_us).collect();
    instants.sort_unstable();
    instants.dedup();
    let width = width_of_index(instants.len());
    for (grid, string) in &mut grids {
        let index = |instant| {
            let at = instants.binary_search(&instant).expect("every grid's instants were gathered");
            u32::try_from(at).expect("a row group has fewer rows")
        };
        *string = BitString::new(instants_us(*grid).map(index), width);
    }
    let row_count: usize = days.iter().map(|day| day.values_wh.len()).sum();
    let mut body = vec![width.to_le_bytes()[0]];
    push_varint(&mut body, row_count.div_ceil(GROUP_SIZE) << 1 | 1);
    let groups_end =
        body.len() + row_count.div_ceil(GROUP_SIZE) * usize::try_from(width).expect("at most 32");
    let mut bits = BitWriter::new(body);
    let mut current: Option<(Grid, &BitString)> = None;
    for day in days {
        let string = match current {
            Some((grid, string)) if grid == grid_of(day) => string,
            _ => &grids[&grid_of(day)],
        };
        current = Some((grid_of(day), string));
        bits.append(string);
    }
    let mut body = bits.finish();
    body.resize(groups_end, 0);
    let dictionary: Vec<u8> = instants.iter().flat_map(|instant| instant.to_le_bytes()).collect();
    let mut chunk = ColumnChunk::new(Encoding::RLE_DICTIONARY)?;
    chunk.push_dictionary(&dictionary, instants.len())?;
    chunk.push_data(&body, row_count)?;
    let bounds = (instants.first().copied(), instants.last().copied());
    chunk.close(column, Some(Statistics::int64(bounds.0, bounds.1, None, Some(0), false)))
}

fn instants_us((start, step, count): Grid) -> impl Iterator<Item = i64> {
    let instants = std::iter::successors(Some(start), move |instant| Some(instant.plus(i64::from(step))));
    instants.take(count).map(|instant| instant.0.saturating_mul(1_000_000))
}

/// The energy of each reading, null where it is missing.
pub(crate) fn energies(
    column: ColumnDescPtr,
    days: &[RegisterDay<'_>],
) -> Result<ClosedColumn, ParquetError> {
    let mut pages = EnergyPages {
        chunk: ColumnChunk::new(Encoding::BYTE_STREAM_SPLIT)?,
        values: Vec::with_capacity(PAGE_ROW_COUNT),
        levels: RunLength::new(1),
        row_count: 0,
        missing_count: 0,
        bounds: (i32::MAX, i32::MIN),
        body: Vec::new(),
    };
    for day in days {
        match day.qualities {
            DayQualities::All(quality) => pages.push(day.values_wh, quality != Quality::Missing)?,
            DayQualities::Each(qualities) => {
                let mut at = 0;
                for equal in qualities.chunk_by(|a, b| a == b) {
                    pages.push(&day.values_wh[at..at + equal.len()], equal[0] != Quality::Missing)?;
                    at += equal.len();
                }
            }
        }
    }
    pages.close(column)
}

struct EnergyPages {
    chunk: ColumnChunk,
    values: Vec<i32>,
    levels: RunLength,
    row_count: usize,
    missing_count: u64,
    /// Of the present values; the smaller above the larger while there are none.
    bounds: (i32, i32),
    body: Vec<u8>,
}

impl EnergyPages {
    fn push(&mut self, mut values: &[i32], is_present: bool) -> Result<(), ParquetError> {
        while !values.is_empty() {
            let (fitting, rest) = values.split_at(values.len().min(PAGE_ROW_COUNT - self.row_count));
            self.levels.push_run(u32::from(is_present), fitting.len());
            self.row_count += fitting.len();
            if is_present {
                self.values.extend_from_slice(fitting);
            } else {
                self.missing_count += u64::try_from(fitting.len()).expect("a page's rows fit");
            }
            if self.row_count == PAGE_ROW_COUNT {
                self.write_page()?;
            }
            values = rest;
        }
        Ok(())
    }

    fn write_page(&mut self) -> Result<(), ParquetError> {
        let levels = std::mem::replace(&mut self.levels, RunLength::new(1)).finish();
        self.body.clear();
        self.body.extend_from_slice(&u32::try_from(levels.len()).expect("a page is small").to_le_bytes());
        self.body.extend_from_slice(&levels);
        split_bytes(&self.values, &mut self.body);
        self.bounds = self.values.iter().fold(self.bounds, |(min, max), &wh| (wh.min(min), wh.max(max)));
        self.chunk.push_data(&self.body, self.row_count)?;
        self.values.clear();
        self.row_count = 0;
        Ok(())
    }

    fn close(mut self, column: ColumnDescPtr) -> Result<ClosedColumn, ParquetError> {
        if self.row_count > 0 {
            self.write_page()?;
        }
        let (min, max) = Some(self.bounds)
            .filter(|(min, max)| min <= max)
            .map(|(min, max)| (i64::from(min), i64::from(max)))
            .unzip();
        self.chunk.close(column, Some(Statistics::int64(min, max, None, Some(self.missing_count), false)))
    }
}

/// All lowest bytes of the 64-bit values, then all second bytes, up to the eighth.
fn split_bytes(values: &[i32], body: &mut Vec<u8>) {
    let start = body.len();
    // Energy is not negative, so the upper half is zeros; a sign would fill it.
    body.resize(start + values.len() * ENERGY_SIZE, 0);
    if values.is_empty() {
        return;
    }
    let has_sign = values.iter().fold(0, |all, wh| all | wh) < 0;
    for (at, stream) in body[start..].chunks_exact_mut(values.len()).enumerate() {
        if at < 4 {
            let shift = 8 * at;
            stream.iter_mut().zip(values).for_each(|(byte, wh)| *byte = (wh >> shift).to_le_bytes()[0]);
        } else if has_sign {
            stream.iter_mut().zip(values).for_each(|(byte, wh)| *byte = (wh >> 31).to_le_bytes()[0]);
        }
    }
}

/// The hash of each leaf, as it is.
pub(crate) fn leaf_hashes(
    column: ColumnDescPtr,
    leaves: &[HashedDay<'_>],
) -> Result<ClosedColumn, ParquetError> {
    let body = leaves.iter().map(|leaf| leaf.leaf_hash.0).collect::<Vec<[u8; 32]>>().into_flattened();
    let mut chunk = ColumnChunk::new(Encoding::PLAIN)?;
    chunk.push_data(&body, leaves.len())?;
    chunk.close(column, None)
}
