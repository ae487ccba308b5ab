//! The pages of one column of a foreign file, decoded without a step a row where that is possible.
//!
//! ```text
//!   column chunk ──library──▶ page ──┬─ dictionary indexes ──▶ runs
//!                                    ├─ plain numbers ───────▶ slices
//!                                    └─ anything else: the whole column goes through the library's reader
//! ```

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::run_length_reader::{Run, RunError, RunLengthReader};

/// The most bytes of a column in one row group, packed or not.
pub const COLUMN_SIZE_MAX: u64 = 1 << 30;

/// Why a column cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum ColumnError {
    /// The library.
    #[error(transparent)]
    Library(#[from] ParquetError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
    /// A row without a value.
    #[error("row {0} has no value")]
    Null(usize),
    /// The file contradicts itself.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// The runs of a page.
    #[error("damaged: {0}")]
    Runs(#[from] RunErrorShown),
    /// Larger than we take.
    #[error("{0} bytes in one row group, at most {COLUMN_SIZE_MAX}")]
    TooLarge(u64),
    /// An instant that is not a whole second.
    #[error("row {0} does not start at a whole second")]
    Fraction(usize),
    /// A type that is none of ours.
    #[error("of type {0}, which is not one of those that are scanned")]
    Type(Type),
}

/// What is wrong with the runs of a page, as text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RunErrorShown(RunError);

impl From<RunError> for ColumnError {
    fn from(error: RunError) -> Self {
        Self::Runs(RunErrorShown(error))
    }
}

/// The values of a column, as they lie in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cells {
    /// 32-bit integers.
    Int32(Vec<i32>),
    /// 64-bit integers.
    Int64(Vec<i64>),
    /// Texts, each where it lies in a page.
    Text(Vec<Bytes>),
}

impl Cells {
    fn new(kind: Type) -> Result<Self, ColumnError> {
        Ok(match kind {
            Type::INT32 => Self::Int32(Vec::new()),
            Type::INT64 => Self::Int64(Vec::new()),
            Type::BYTE_ARRAY => Self::Text(Vec::new()),
            other => return Err(ColumnError::Type(other)),
        })
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Int32(cells) => cells.len(),
            Self::Int64(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
        }
    }

    /// As many plain values as there are, `count` of them.
    fn extend_plain(&mut self, bytes: &mut Bytes, count: usize) -> Result<(), ColumnError> {
        const SHORT: ColumnError = ColumnError::Damaged("values end before the page does");
        let size = match self {
            Self::Int32(_) => count.checked_mul(4),
            Self::Int64(_) => count.checked_mul(8),
            // A text is at least its length.
            Self::Text(_) => count.checked_mul(4),
        };
        let size = size.filter(|&size| size <= bytes.len()).ok_or(SHORT)?;
        match self {
            Self::Int32(cells) => {
                let taken = bytes.split_to(size);
                cells.extend(taken.as_chunks::<4>().0.iter().map(|cell| i32::from_le_bytes(*cell)));
            }
            Self::Int64(cells) => {
                let taken = bytes.split_to(size);
                cells.extend(taken.as_chunks::<8>().0.iter().map(|cell| i64::from_le_bytes(*cell)));
            }
            Self::Text(cells) => {
                for _ in 0..count {
                    if bytes.len() < 4 {
                        return Err(SHORT);
                    }
                    let size = usize::try_from(bytes.get_u32_le()).map_err(|_| SHORT)?;
                    if bytes.len() < size {
                        return Err(SHORT);
                    }
                    cells.push(bytes.split_to(size));
                }
            }
        }
        Ok(())
    }
}

/// What some rows hold, to be told apart by whoever takes them.
pub(crate) trait Sink {
    /// So many rows hold cell `index` of `dictionary`.
    fn equal(&mut self, dictionary: &Cells, index: usize, count: usize);
    /// These rows hold these cells of `dictionary`; every index is in it.
    fn indexed(&mut self, dictionary: &Cells, indexes: &[u32]);
    /// These rows hold these cells.
    fn plain(&mut self, cells: &Cells);
}

/// A column of one row group, read from first row to last.
pub(crate) struct Column {
    source: Source,
    row_at: usize,
    scratch: Cells,
}

enum Source {
    Pages(Box<Pages>),
    Library(Box<ColumnReader>),
}

struct Pages {
    pages: Box<dyn PageReader>,
    is_optional: bool,
    dictionary: Cells,
    /// Rows left in the present page.
    left: usize,
    values: PageValues,
}

enum PageValues {
    Indexed(RunLengthReader),
    Plain(Bytes),
}

impl Column {
    /// Reads the column's bytes and begins at its first row.
    pub(crate) fn open(
        path: &Path,
        metadata: &ColumnChunkMetaData,
        row_count: usize,
    ) -> Result<Self, ColumnError> {
        let descriptor = metadata.column_descr_ptr();
        let pages = Box::new(SerializedPageReader::new(
            Arc::new(ChunkBytes::read(path, metadata)?),
            metadata,
            row_count,
            None,
        )?);
        if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
            return Err(ColumnError::Damaged("a column inside others"));
        }
        let scratch = Cells::new(descriptor.physical_type())?;
        let ours = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
        let source = if metadata.encodings().all(|encoding| ours.contains(&encoding)) {
            Source::Pages(Box::new(Pages {
                pages,
                is_optional: descriptor.max_def_level() == 1,
                dictionary: scratch.clone(),
                left: 0,
                values: PageValues::Plain(Bytes::new()),
            }))
        } else {
            Source::Library(Box::new(get_column_reader(descriptor, pages)))
        };
        Ok(Self { source, row_at: 0, scratch })
    }

    /// Gives the next `count` rows to `sink`.
    pub(crate) fn read(&mut self, count: usize, sink: &mut impl Sink) -> Result<(), ColumnError> {
        let mut left = count;
        while left > 0 {
            let taken = match &mut self.source {
                Source::Pages(pages) => pages.read(left, self.row_at, &mut self.scratch, sink)?,
                Source::Library(reader) => {
                    let taken = read_library(reader, left, self.row_at, &mut self.scratch)?;
                    sink.plain(&self.scratch);
                    taken
                }
            };
            left -= taken;
            self.row_at += taken;
        }
        Ok(())
    }
}

impl Pages {
    /// Gives at most `count` rows of one page; says how many.
    fn read(
        &mut self,
        count: usize,
        row: usize,
        scratch: &mut Cells,
        sink: &mut impl Sink,
    ) -> Result<usize, ColumnError> {
        while self.left == 0 {
            self.open_page(row)?;
        }
        let count = count.min(self.left);
        let taken = match &mut self.values {
            PageValues::Plain(bytes) => {
                clear(scratch);
                scratch.extend_plain(bytes, count)?;
                sink.plain(scratch);
                count
            }
            PageValues::Indexed(reader) => match reader.next_run(count)? {
                Run::Equal(index, count) => {
                    sink.equal(&self.dictionary, within(&self.dictionary, index)?, count);
                    count
                }
                Run::Values(indexes) => {
                    let largest = indexes.iter().fold(0, |largest, &index| largest.max(index));
                    within(&self.dictionary, largest)?;
                    sink.indexed(&self.dictionary, indexes);
                    indexes.len()
                }
            },
        };
        self.left -= taken;
        Ok(taken)
    }

    fn open_page(&mut self, row: usize) -> Result<(), ColumnError> {
        let page = guarded(|| self.pages.get_next_page())?
            .ok_or(ColumnError::Damaged("pages end before the rows do"))?;
        let count = usize::try_from(page.num_values()).map_err(|_| ColumnError::Damaged("a page's size"))?;
        let (mut values, encoding) = match page {
            Page::DictionaryPage { mut buf, .. } => {
                clear(&mut self.dictionary);
                return self.dictionary.extend_plain(&mut buf, count);
            }
            Page::DataPage { mut buf, encoding, def_level_encoding, .. } => {
                if self.is_optional {
                    if def_level_encoding != Encoding::RLE {
                        return Err(ColumnError::Damaged(
                            "levels of an encoding that nobody writes any more",
                        ));
                    }
                    const SHORT: ColumnError = ColumnError::Damaged("levels end before the page does");
                    let size = buf.try_get_u32_le().map_err(|_| SHORT)?;
                    let size = usize::try_from(size).ok().filter(|&size| size <= buf.len()).ok_or(SHORT)?;
                    all_present(buf.split_to(size), count, row)?;
                }
                (buf, encoding)
            }
            Page::DataPageV2 { mut buf, encoding, def_levels_byte_len, rep_levels_byte_len, .. } => {
                const SHORT: ColumnError = ColumnError::Damaged("levels end before the page does");
                let size = |length: u32| usize::try_from(length).map_err(|_| SHORT);
                let (repetition, definition) = (size(rep_levels_byte_len)?, size(def_levels_byte_len)?);
                if repetition.saturating_add(definition) > buf.len() {
                    return Err(SHORT);
                }
                buf.advance(repetition);
                let levels = buf.split_to(definition);
                if self.is_optional {
                    all_present(levels, count, row)?;
                }
                (buf, encoding)
            }
        };
        self.left = count;
        self.values = if encoding == Encoding::PLAIN {
            PageValues::Plain(values)
        } else if count == 0 {
            PageValues::Plain(Bytes::new())
        } else {
            let width = values.try_get_u8().map_err(|_| ColumnError::Damaged("a page without a width"))?;
            PageValues::Indexed(RunLengthReader::new(values, width)?)
        };
        Ok(())
    }
}

fn clear(cells: &mut Cells) {
    match cells {
        Cells::Int32(cells) => cells.clear(),
        Cells::Int64(cells) => cells.clear(),
        Cells::Text(cells) => cells.clear(),
    }
}

fn within(dictionary: &Cells, index: u32) -> Result<usize, ColumnError> {
    let index = usize::try_from(index).ok().filter(|&index| index < dictionary.len());
    index.ok_or(ColumnError::Damaged("an index past the dictionary"))
}

/// Every definition level is 1; the first that is not is a row without a value.
fn all_present(levels: Bytes, count: usize, row: usize) -> Result<(), ColumnError> {
    let mut reader = RunLengthReader::new(levels, 1)?;
    let mut at = 0;
    while at < count {
        match reader.next_run(count - at)? {
            Run::Equal(1, count) => at += count,
            Run::Equal(..) => return Err(ColumnError::Null(row + at)),
            Run::Values(levels) => {
                if let Some(index) = levels.iter().position(|&level| level != 1) {
                    return Err(ColumnError::Null(row + at + index));
                }
                at += levels.len();
            }
        }
    }
    Ok(())
}

/// The slow way that takes every encoding; at most `count` rows, at least one.
fn read_library(
    reader: &mut ColumnReader,
    count: usize,
    row: usize,
    cells: &mut Cells,
) -> Result<usize, ColumnError> {
    clear(cells);
    match (reader, cells) {
        (ColumnReader::Int32ColumnReader(reader), Cells::Int32(cells)) => {
            read_records(reader, count, row, cells)
        }
        (ColumnReader::Int64ColumnReader(reader), Cells::Int64(cells)) => {
            read_records(reader, count, row, cells)
        }
        (ColumnReader::ByteArrayColumnReader(reader), Cells::Text(cells)) => {
            let mut texts = Vec::new();
            let taken = read_records(reader, count, row, &mut texts)?;
            cells.extend(texts.iter().map(|text| Bytes::copy_from_slice(text.data())));
            Ok(taken)
        }
        _ => Err(ColumnError::Damaged("a column of two types")),
    }
}

fn read_records<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    row: usize,
    values: &mut Vec<T::T>,
) -> Result<usize, ColumnError> {
    let mut levels = Vec::new();
    let (row_count, value_count, _) =
        guarded(|| reader.read_records(count, Some(&mut levels), None, values))?;
    if row_count == 0 {
        return Err(ColumnError::Damaged("pages end before the rows do"));
    }
    if value_count < row_count {
        let null = levels.iter().position(|&level| level == 0).unwrap_or(0);
        return Err(ColumnError::Null(row + null));
    }
    Ok(row_count)
}

/// What the library says. It panics on some damaged pages (60.1: texts past the end of theirs), which is an
/// error of the file and not of ours; what it was working on is thrown away with the column.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ColumnError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => Ok(result?),
        Err(_) => Err(ColumnError::Damaged("the Parquet library gave up on a page")),
    }
}

/// The bytes of one column chunk, under their offsets in the file: read at once, and no handle is shared.
struct ChunkBytes {
    start: u64,
    bytes: Bytes,
}

impl ChunkBytes {
    fn read(path: &Path, metadata: &ColumnChunkMetaData) -> Result<Self, ColumnError> {
        const OFFSET: ColumnError = ColumnError::Damaged("a column outside the file");
        let start = metadata.dictionary_page_offset().unwrap_or(metadata.data_page_offset());
        let start = u64::try_from(start).map_err(|_| OFFSET)?;
        let size = u64::try_from(metadata.compressed_size()).map_err(|_| OFFSET)?;
        let unpacked_size = u64::try_from(metadata.uncompressed_size()).map_err(|_| OFFSET)?;
        if size.max(unpacked_size) > COLUMN_SIZE_MAX {
            return Err(ColumnError::TooLarge(size.max(unpacked_size)));
        }
        let mut file = File::open(path)?;
        if start.checked_add(size).is_none_or(|end| end > file.metadata().map_or(0, |file| file.len())) {
            return Err(OFFSET);
        }
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| OFFSET)?];
        file.read_exact(&mut bytes)?;
        Ok(Self { start, bytes: Bytes::from(bytes) })
    }

    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|&at| at <= self.bytes.len());
        at.map(|at| self.bytes.slice(at..))
            .ok_or_else(|| ParquetError::EOF("an offset outside the column".to_owned()))
    }
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.start + u64::try_from(self.bytes.len()).expect("a size in memory fits u64")
    }
}

impl ChunkReader for ChunkBytes {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(Cursor::new(self.from(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("bytes outside the column".to_owned()));
        }
        Ok(bytes.slice(..length))
    }
}
