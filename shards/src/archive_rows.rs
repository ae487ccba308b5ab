//! Day leaves to the bytes of one Parquet file, a column at a time.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType};
use parquet::data_type::{DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use tallywatt_core::quality::Quality;
use tallywatt_ledger::day_leaf::DayLeaf;

/// A row group is closed before it has more rows than this. The texts and hashes of so many half-hours fit
/// their dictionary pages; past that they would be stored a second time, plain.
const ROW_GROUP_ROW_COUNT_MAX: usize = 1 << 20;
/// Dictionary pages may grow to this; a leaf hash is 32 bytes a day of 24 rows or more.
const DICTIONARY_SIZE_MAX: usize = 4 << 20;
/// Rows read at a time.
pub(crate) const READ_ROW_COUNT: usize = 1 << 16;
/// Index of `energy_wh`.
pub(crate) const ENERGY_COLUMN: usize = 4;

const SCHEMA: &str = "
    message reading {
        REQUIRED BYTE_ARRAY usage_point_id (STRING);
        REQUIRED BYTE_ARRAY obis (STRING);
        REQUIRED INT64 interval_start (TIMESTAMP(MICROS, true));
        REQUIRED INT32 interval_seconds;
        OPTIONAL INT64 energy_wh;
        REQUIRED BYTE_ARRAY quality (STRING);
        REQUIRED INT32 revision;
        REQUIRED FIXED_LEN_BYTE_ARRAY (32) leaf_hash;
    }";

/// The bytes of one file and its number of rows.
pub(crate) fn encode(
    leaves: &[&DayLeaf],
    metadata: &[(&str, String)],
) -> Result<(Vec<u8>, u64), ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties(metadata)?))?;
    let mut row_count = 0;
    for group in row_groups(leaves) {
        let mut rows = writer.next_row_group()?;
        write_columns(&mut rows, group)?;
        rows.close()?;
        row_count += group.iter().map(|leaf| leaf.block().interval_count()).sum::<usize>();
    }
    let row_count = u64::try_from(row_count).expect("a count in memory fits u64");
    Ok((writer.into_inner()?, row_count))
}

fn properties(metadata: &[(&str, String)]) -> Result<WriterProperties, ParquetError> {
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let energy = ColumnPath::from("energy_wh");
    let leaf_hash = ColumnPath::from("leaf_hash");
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_page_size_limit(DICTIONARY_SIZE_MAX)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Values hardly repeat between usage points: differences are smaller than dictionary indexes.
        .set_column_dictionary_enabled(energy.clone(), false)
        .set_column_encoding(energy, Encoding::DELTA_BINARY_PACKED)
        // Nobody looks for a range of hashes.
        .set_column_statistics_enabled(leaf_hash, EnabledStatistics::None)
        .set_key_value_metadata(Some(pairs))
        .build())
}

/// Whole leaves, as many as fit a row group.
fn row_groups<'a, 'leaf>(mut leaves: &'a [&'leaf DayLeaf]) -> impl Iterator<Item = &'a [&'leaf DayLeaf]> {
    std::iter::from_fn(move || {
        let mut row_count = 0;
        let fitting = leaves.iter().take_while(|leaf| {
            row_count += leaf.block().interval_count();
            row_count <= ROW_GROUP_ROW_COUNT_MAX
        });
        let (group, rest) = leaves.split_at(fitting.count());
        leaves = rest;
        (!group.is_empty()).then_some(group)
    })
}

fn write_columns(
    rows: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    leaves: &[&DayLeaf],
) -> Result<(), ParquetError> {
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    write::<ByteArrayType>(rows, repeated(leaves, |leaf| text(leaf.block().key().usage_point.as_str())))?;
    write::<ByteArrayType>(rows, repeated(leaves, |leaf| text(&leaf.block().key().register.to_string())))?;
    write::<Int64Type>(rows, starts_us(leaves))?;
    write::<Int32Type>(rows, repeated(leaves, |leaf| i32::from(leaf.block().interval_minutes()) * 60))?;
    write_energy(rows, leaves)?;
    let names = Quality::ALL.map(|quality| text(quality.name()));
    let qualities = leaves.iter().flat_map(|leaf| leaf.block().qualities());
    write::<ByteArrayType>(rows, qualities.map(|quality| names[quality.position()].clone()).collect())?;
    write::<Int32Type>(rows, repeated(leaves, |leaf| i32::from(leaf.revision())))?;
    let hash = |leaf: &DayLeaf| FixedLenByteArray::from(leaf.hash().0.to_vec());
    write::<FixedLenByteArrayType>(rows, repeated(leaves, hash))
}

/// One value a leaf, given to each of its rows.
fn repeated<T: Clone>(leaves: &[&DayLeaf], value_of: impl Fn(&DayLeaf) -> T) -> Vec<T> {
    let mut values = Vec::new();
    for leaf in leaves {
        let end = values.len() + leaf.block().interval_count();
        values.resize(end, value_of(leaf));
    }
    values
}

fn starts_us(leaves: &[&DayLeaf]) -> Vec<i64> {
    let starts = leaves.iter().flat_map(|leaf| {
        let block = leaf.block();
        (0..block.interval_count()).map(|at| block.interval_start(at))
    });
    starts.map(|start| start.0 * 1_000_000).collect()
}

fn write_energy(
    rows: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    leaves: &[&DayLeaf],
) -> Result<(), ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for leaf in leaves {
        for (&wh, &quality) in leaf.block().values_wh().iter().zip(leaf.block().qualities()) {
            let is_present = quality != Quality::Missing;
            levels.push(i16::from(is_present));
            if is_present {
                values.push(i64::from(wh));
            }
        }
    }
    write_levels::<Int64Type>(rows, &values, Some(&levels))
}

fn write<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: Vec<T::T>,
) -> Result<(), ParquetError> {
    write_levels::<T>(rows, &values, None)
}

fn write_levels<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = rows
        .next_column()?
        .ok_or_else(|| ParquetError::General("more columns than the schema names".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}
