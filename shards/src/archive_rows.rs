//! Register-days to row groups, a column at a time.

use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescriptor, TypePtr};
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;

use crate::archive_columns as columns;
use crate::column_chunk::ClosedColumn;

/// A row group is closed before it has more rows than this: eight pages of energy.
pub(crate) const ROW_GROUP_ROW_COUNT_MAX: usize = 1 << 20;
/// Rows read at a time.
pub(crate) const READ_ROW_COUNT: usize = 1 << 16;
/// Index of `energy_wh`.
pub(crate) const ENERGY_COLUMN: usize = 4;

const _: () = assert!(ROW_GROUP_ROW_COUNT_MAX.is_multiple_of(columns::PAGE_ROW_COUNT));

const READING_SCHEMA: &str = "
    message reading {
        REQUIRED BYTE_ARRAY usage_point_id (STRING);
        REQUIRED BYTE_ARRAY obis (STRING);
        REQUIRED INT64 interval_start (TIMESTAMP(MICROS, true));
        REQUIRED INT32 interval_seconds;
        OPTIONAL INT64 energy_wh;
        REQUIRED BYTE_ARRAY quality (STRING);
        REQUIRED INT32 revision;
    }";
const LEAF_SCHEMA: &str = "
    message leaf {
        REQUIRED BYTE_ARRAY usage_point_id (STRING);
        REQUIRED BYTE_ARRAY obis (STRING);
        REQUIRED INT32 revision;
        REQUIRED FIXED_LEN_BYTE_ARRAY (32) leaf_hash;
    }";

/// One register's day, by slices: what a row group is made of, wherever the readings lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RegisterDay<'a> {
    /// Where.
    pub(crate) usage_point: UsagePointId,
    /// Which register.
    pub(crate) register: Register,
    /// First instant.
    pub(crate) start: UtcSeconds,
    /// Length of an interval.
    pub(crate) interval_seconds: i32,
    /// Energy an interval.
    pub(crate) values_wh: &'a [i32],
    /// Quality an interval.
    pub(crate) qualities: DayQualities<'a>,
    /// 0 for a first delivery.
    pub(crate) revision: i32,
}

/// The qualities of a register's day.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DayQualities<'a> {
    /// Every interval's.
    All(Quality),
    /// Interval by interval; as many as values.
    Each(&'a [Quality]),
}

/// A register's day and the hash of its leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashedDay<'a> {
    /// The day.
    pub(crate) day: RegisterDay<'a>,
    /// The hash.
    pub(crate) leaf_hash: ContentHash,
}

/// What a table is made of.
pub(crate) trait Rows: Copy + Sync {
    /// The table.
    const TABLE: Table;

    /// The day that the rows are of.
    fn day(&self) -> &RegisterDay<'_>;

    /// How many rows.
    fn row_count(&self) -> usize;

    /// The columns of a row group.
    fn encode(items: &[Self], schema: &SchemaDescriptor) -> Result<Vec<ClosedColumn>, ParquetError>;
}

/// A table of the archive.
#[derive(Debug)]
pub(crate) struct Table {
    /// The folder that it lies in.
    pub(crate) name: &'static str,
    schema: &'static str,
    /// By which columns its rows are sorted.
    sorting_columns: &'static [i32],
}

impl Rows for RegisterDay<'_> {
    const TABLE: Table = Table { name: "reading", schema: READING_SCHEMA, sorting_columns: &[0, 1, 2] };

    fn day(&self) -> &RegisterDay<'_> {
        self
    }

    fn row_count(&self) -> usize {
        self.values_wh.len()
    }

    fn encode(days: &[Self], schema: &SchemaDescriptor) -> Result<Vec<ClosedColumn>, ParquetError> {
        let column = |at| schema.column(at);
        Ok(vec![
            columns::usage_points(column(0), days)?,
            columns::few(column(1), days, |day| day.register, push_register)?,
            columns::interval_starts(column(2), days)?,
            columns::few(column(3), days, |day| day.interval_seconds, push_number)?,
            columns::energies(column(ENERGY_COLUMN), days)?,
            columns::qualities(column(5), days)?,
            columns::few(column(6), days, |day| day.revision, push_number)?,
        ])
    }
}

impl Rows for HashedDay<'_> {
    const TABLE: Table = Table { name: "leaf", schema: LEAF_SCHEMA, sorting_columns: &[0, 1] };

    fn day(&self) -> &RegisterDay<'_> {
        &self.day
    }

    fn row_count(&self) -> usize {
        1
    }

    fn encode(leaves: &[Self], schema: &SchemaDescriptor) -> Result<Vec<ClosedColumn>, ParquetError> {
        let column = |at| schema.column(at);
        Ok(vec![
            columns::usage_points(column(0), leaves)?,
            columns::few(column(1), leaves, |day| day.register, push_register)?,
            columns::few(column(2), leaves, |day| day.revision, push_number)?,
            columns::leaf_hashes(column(3), leaves)?,
        ])
    }
}

fn push_number(number: &i32, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn push_register(register: &Register, bytes: &mut Vec<u8>) {
    columns::push_text(&register.to_string(), bytes);
}

impl Table {
    /// Its columns, as the library knows them.
    ///
    /// # Errors
    /// [`ParquetError`] if the text above is no schema.
    pub(crate) fn schema(&self) -> Result<TypePtr, ParquetError> {
        Ok(Arc::new(parse_message_type(self.schema)?))
    }

    /// What its files say of themselves.
    pub(crate) fn properties(&self, metadata: &[(&str, String)]) -> WriterProperties {
        let pairs =
            metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
        let ascending =
            |&column_idx: &i32| SortingColumn { column_idx, descending: false, nulls_first: false };
        WriterProperties::builder()
            .set_sorting_columns(Some(self.sorting_columns.iter().map(ascending).collect()))
            .set_key_value_metadata(Some(pairs))
            .build()
    }
}

/// A row group, to be put in its file.
pub(crate) struct RowGroup {
    /// Its columns, in order.
    pub(crate) columns: Vec<ClosedColumn>,
    /// How many rows.
    pub(crate) row_count: u64,
}

impl RowGroup {
    /// The rows of these items, at most [`ROW_GROUP_ROW_COUNT_MAX`].
    pub(crate) fn encode<R: Rows>(items: &[R], schema: &SchemaDescriptor) -> Result<Self, ParquetError> {
        let row_count: usize = items.iter().map(Rows::row_count).sum();
        assert!(row_count <= ROW_GROUP_ROW_COUNT_MAX, "a row group is closed in time");
        let row_count = u64::try_from(row_count).expect("a count in memory fits u64");
        Ok(Self { columns: R::encode(items, schema)?, row_count })
    }
}
