//! Parquet of others by a profile: what the profile says of the file, and the rows that a helper makes of it.
//!
//! ```text
//!   file.parquet ─▶ helper process, by this file's columns ─▶ usage_point,obis,start,value,quality ─▶ the rows of long CSV
//!                   (the intake starts and limits it)         A,1-0:1.8.0,2026-03-01T00:00:00Z,513,
//! ```
//!
//! A damaged or crafted Parquet file can make its reader ask for more memory than there is, which ends the process. So the
//! file itself is never read here: [`Profile::foreign`](crate::profile::Profile::foreign) says how to read it, whoever
//! takes files in has it written out as rows, and this format decodes those. Lines are those of the rows, the header with
//! them: row 1 of the file is line 2.

use std::io::BufRead;

use tallywatt_core::calendar::Zone;

use crate::csv_profile::{CsvProfile, ROW_KEYS};
use crate::format::{Format, FormatKind, OpenedBlocks, SourceFile};
use crate::profile::ProfileError;
use crate::profile_text::{ColumnsTable, Document, Text};
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "parquet",
    keys: ROW_KEYS,
    zone: None,
    read: |document, text| Ok(Box::new(ForeignRows::new(document, text)?)),
    profiles: &[("parquet", include_str!("../profiles/parquet.toml"))],
};

/// What every Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

/// What a profile says of a file that a helper reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFile {
    /// Column of usage points; `None` if the profile says which it is.
    pub usage_point: Option<String>,
    /// Column of registers.
    pub obis: Option<String>,
    /// Column of stamps.
    pub start: String,
    /// Column of values.
    pub value: String,
    /// Column of qualities.
    pub quality: Option<String>,
    /// Columns that are not read.
    pub ignore: Vec<String>,
    /// Stamps are read from a wall clock; otherwise they are instants.
    pub is_local: bool,
    /// Binary floats are taken as the shortest decimals that mean them, and rounded.
    pub takes_floats: bool,
}

/// How the rows that a helper wrote are read.
#[derive(Debug)]
struct ForeignRows {
    file: ForeignFile,
    rows: CsvProfile,
}

impl ForeignRows {
    fn new(document: Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let (is_local, stamp_format) = match document.stamp_format.as_deref() {
            None | Some("utc") => (false, "rfc3339"),
            Some("local") => (true, "YYYY-MM-DDTHH:mm:ss"),
            Some(other) => return Err(text.value("stamp_format", other, "utc or local")),
        };
        let takes_floats = document.round_to_wh.unwrap_or(false);
        // Read once under its own names, for what may stand together, and once under those of the rows.
        let own = document.columns.clone().unwrap_or_default();
        let written = |column: &Option<String>, name: &str| column.as_ref().map(|_| name.to_owned());
        let columns = ColumnsTable {
            usage_point: written(&own.usage_point, "usage_point"),
            obis: written(&own.obis, "obis"),
            start: written(&own.start, "start"),
            value: written(&own.value, "value"),
            quality: written(&own.quality, "quality"),
            date: own.date.clone(),
            ignore: Vec::new(),
        };
        let rows = Document {
            layout: Some("long".to_owned()),
            stamp_format: Some(stamp_format.to_owned()),
            columns: Some(columns),
            ..document
        };
        let rows = rows.into_csv(text)?;
        let ColumnsTable { usage_point, obis, start, value, quality, ignore, .. } = own;
        let (start, value) = (start.unwrap_or_default(), value.unwrap_or_default());
        let file = ForeignFile { usage_point, obis, start, value, quality, ignore, is_local, takes_floats };
        Ok(Self { file, rows })
    }
}

/// Refuses the file itself, which is not read here.
fn is_rows(bytes: &mut dyn BufRead) -> Result<(), FileRefusal> {
    if bytes.fill_buf().map_err(FileRefusal::from_io)?.starts_with(MAGIC) {
        return Err(FileRefusal::Foreign {
            what: "it is read by a helper process, which was not started".to_owned(),
        });
    }
    Ok(())
}

impl Format for ForeignRows {
    fn is_named_by_file(&self) -> bool {
        self.rows.is_named_by_file()
    }

    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        is_rows(file.bytes)?;
        self.rows.decode(file, tally)
    }

    fn open_blocks<'a>(
        &self,
        file_name: &str,
        zone: &Zone,
        bytes: &'a mut dyn BufRead,
    ) -> Result<Option<OpenedBlocks<'a>>, FileRefusal> {
        is_rows(bytes)?;
        self.rows.open_blocks(file_name, zone, bytes)
    }

    fn foreign(&self) -> Option<&ForeignFile> {
        Some(&self.file)
    }
}
