//! One column of one row group: pages whose bodies are ours, in metadata that is the Parquet library's.
//!
//! ```text
//!   header │ dictionary page, zstd │ header │ data page, zstd │ header │ data page, zstd │ …
//!   └ thrift, by the library                └ [definition levels] values
//! ```
//!
//! The library's own column writers take a value a row; here a body comes as it stands in the file.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, ParamSwitch};

/// zstd's fastest ordinary level.
pub(crate) const ZSTD_LEVEL: i32 = 1;
/// How far zstd skips ahead in bytes that do not repeat, as most bytes of a day of readings do not: faster than the level
/// alone, for somewhat more bytes.
const ZSTD_TARGET_LENGTH: u32 = 1_024;

/// A column being written.
pub(crate) struct ColumnChunk {
    sink: TrackedWrite<Vec<u8>>,
    compressor: Compressor<'static>,
    compressed: Vec<u8>,
    uncompressed_size: usize,
    value_count: usize,
    dictionary_size: Option<u64>,
    data_page_count: i32,
    encoding: Encoding,
}

/// A column that is written, to be put in its row group.
pub(crate) struct ClosedColumn {
    /// Its pages.
    pub(crate) bytes: Bytes,
    /// What the row group says of it.
    pub(crate) close: ColumnCloseResult,
}

impl ColumnChunk {
    /// A column whose data pages are all in `encoding`.
    pub(crate) fn new(encoding: Encoding) -> Result<Self, ParquetError> {
        let mut compressor = Compressor::new(ZSTD_LEVEL)?;
        compressor.set_parameter(CParameter::TargetLength(ZSTD_TARGET_LENGTH))?;
        // A target length alone would switch the entropy coder off, and that is all there is to gain here.
        compressor.set_parameter(CParameter::LiteralCompressionMode(ParamSwitch::Enable))?;
        Ok(Self {
            sink: TrackedWrite::new(Vec::new()),
            compressor,
            compressed: Vec::new(),
            uncompressed_size: 0,
            value_count: 0,
            dictionary_size: None,
            data_page_count: 0,
            encoding,
        })
    }

    /// The dictionary, before any data: `count` values, plain.
    pub(crate) fn push_dictionary(&mut self, body: &[u8], count: usize) -> Result<(), ParquetError> {
        assert!(self.sink.bytes_written() == 0, "a dictionary comes first");
        let page = Page::DictionaryPage {
            buf: self.compress(body)?,
            num_values: count_u32(count)?,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.dictionary_size = Some(self.write(page, body.len())?);
        Ok(())
    }

    /// `count` rows, missing ones among them.
    pub(crate) fn push_data(&mut self, body: &[u8], count: usize) -> Result<(), ParquetError> {
        let page = Page::DataPage {
            buf: self.compress(body)?,
            num_values: count_u32(count)?,
            encoding: self.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        self.write(page, body.len())?;
        self.value_count += count;
        self.data_page_count += 1;
        Ok(())
    }

    /// The column of a row group in which nothing repeats, one value a row.
    pub(crate) fn close(
        self,
        column: ColumnDescPtr,
        statistics: Option<Statistics>,
    ) -> Result<ClosedColumn, ParquetError> {
        let bytes = Bytes::from(self.sink.into_inner()?);
        let row_count = u64::try_from(self.value_count).expect("a count in memory fits u64");
        let page_kind = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
        let mut pages = vec![page_kind(PageType::DATA_PAGE, self.encoding, self.data_page_count)];
        let mut encodings = vec![Encoding::RLE, self.encoding];
        if self.dictionary_size.is_some() {
            pages.insert(0, page_kind(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1));
            encodings.push(Encoding::PLAIN);
        }
        let mut metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_encodings(encodings)
            .set_page_encoding_stats(pages)
            .set_total_compressed_size(size_i64(bytes.len())?)
            .set_total_uncompressed_size(size_i64(self.uncompressed_size)?)
            .set_num_values(size_i64(self.value_count)?)
            .set_dictionary_page_offset(self.dictionary_size.map(|_| 0))
            .set_data_page_offset(
                i64::try_from(self.dictionary_size.unwrap_or(0)).expect("below the column's size"),
            );
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: u64::try_from(bytes.len()).expect("a size in memory fits u64"),
            rows_written: row_count,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(ClosedColumn { bytes, close })
    }

    fn compress(&mut self, body: &[u8]) -> Result<Bytes, ParquetError> {
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(body.len()));
        self.compressor.compress_to_buffer(body, &mut self.compressed)?;
        Ok(Bytes::copy_from_slice(&self.compressed))
    }

    /// The size of header and body as they are in the file.
    fn write(&mut self, page: Page, body_size: usize) -> Result<u64, ParquetError> {
        let written =
            SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, body_size))?;
        self.uncompressed_size += written.uncompressed_size;
        Ok(written.bytes_written)
    }
}

fn count_u32(count: usize) -> Result<u32, ParquetError> {
    u32::try_from(count).map_err(|_| ParquetError::General(format!("{count} values in one page")))
}

fn size_i64(size: usize) -> Result<i64, ParquetError> {
    i64::try_from(size).map_err(|_| ParquetError::General(format!("{size} bytes in one column")))
}
