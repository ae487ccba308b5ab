//! The files of a table while they are written, row group by row group.
//!
//! ```text
//!   row groups ─▶ library: offsets, footer ─▶ pieces of 1 MiB ─▶ hash
//!                                                            └─▶ <name>.tmp, synced as it grows ─▶ <name>
//! ```

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_ledger::digest::ContentHasher;

use crate::archive::{ArchiveError, ArchiveFile};
use crate::archive_rows::{RowGroup, Table};
use crate::durable::{self, DurableError, DurableFile};
use crate::threads::Threads;

/// Bytes that are hashed and written at a time.
const PIECE_SIZE: usize = 1 << 20;
/// Bytes after which a file is synced: the disk then works while row groups are encoded, and not at the end.
const SYNC_SIZE: u64 = 64 << 20;

/// The most files of a table of which a handle is held.
const HANDLE_COUNT_MAX: usize = 64;

/// Which file of a table: a delivery day, and a shard.
type FileKey = (Day, u16);

/// Writes the files of one table, shard by shard.
pub(crate) struct TableWriter<'a> {
    folder: &'a Path,
    table: &'static Table,
    name: &'a str,
    metadata: &'a [(&'a str, String)],
    /// Of the shard that is written.
    open: BTreeMap<FileKey, OpenFile>,
    written: BTreeMap<FileKey, ArchiveFile>,
}

impl<'a> TableWriter<'a> {
    /// A table without files, below the archive's folder; each will have this name and metadata.
    pub(crate) fn new(
        folder: &'a Path,
        table: &'static Table,
        name: &'a str,
        metadata: &'a [(&'a str, String)],
    ) -> Self {
        Self { folder, table, name, metadata, open: BTreeMap::new(), written: BTreeMap::new() }
    }

    /// Adds row groups to a file, which is begun if it is not there.
    pub(crate) fn put(&mut self, key: FileKey, groups: Vec<RowGroup>) -> Result<(), ArchiveError> {
        if groups.is_empty() {
            return Ok(());
        }
        let file = match self.open.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let (day, shard) = key;
                let folder = format!("{}/delivery_date={day}/shard={shard}", self.table.name);
                entry.insert(OpenFile::create(self.folder, (&folder, self.name), self.table, self.metadata)?)
            }
        };
        groups.into_iter().try_for_each(|group| file.append(group))?;
        let is_crowded = self.open.len() > HANDLE_COUNT_MAX;
        match self.open.get_mut(&key).filter(|_| is_crowded) {
            Some(file) => file.rest(),
            None => Ok(()),
        }
    }

    /// Ends the open files, side by side; when this returns, they survive a power cut.
    pub(crate) fn finish_shard(&mut self, threads: &Threads) -> Result<(), ArchiveError> {
        let open: Vec<(FileKey, OpenFile)> = std::mem::take(&mut self.open).into_iter().collect();
        let finish = |(key, file): (FileKey, OpenFile)| Ok((key, file.finish()?));
        let written: Vec<Result<(FileKey, ArchiveFile), ArchiveError>> =
            threads.pool().install(|| open.into_par_iter().map(finish).collect());
        for file in written {
            self.written.extend([file?]);
        }
        Ok(())
    }

    /// What was written, in order of day and shard.
    pub(crate) fn into_written(self) -> Vec<ArchiveFile> {
        assert!(self.open.is_empty(), "every shard is finished");
        self.written.into_values().collect()
    }
}

/// A file being written, which is not there before [`OpenFile::finish`].
struct OpenFile {
    writer: SerializedFileWriter<Pieces>,
    relative_path: String,
    path: PathBuf,
    row_count: u64,
}

struct Pieces {
    file: DurableFile,
    hasher: ContentHasher,
    piece: Vec<u8>,
    size: u64,
    synced_size: u64,
}

impl OpenFile {
    /// Begins the file `name` of a folder below the archive's, which is made if it is not there.
    fn create(
        archive: &Path,
        (relative_folder, name): (&str, &str),
        table: &Table,
        metadata: &[(&str, String)],
    ) -> Result<Self, ArchiveError> {
        let relative_path = format!("{relative_folder}/{name}");
        let path = archive.join(&relative_path);
        durable::create_folder_durably(&archive.join(relative_folder))?;
        let pieces = Pieces {
            file: DurableFile::create(&path)?,
            hasher: ContentHasher::default(),
            piece: Vec::new(),
            size: 0,
            synced_size: 0,
        };
        let properties = Arc::new(table.properties(metadata));
        let writer = table.schema().and_then(|schema| SerializedFileWriter::new(pieces, schema, properties));
        let writer = writer.map_err(refuse("begin", &path))?;
        Ok(Self { writer, relative_path, path, row_count: 0 })
    }

    /// Adds a row group, whose rows stand behind those before.
    fn append(&mut self, group: RowGroup) -> Result<(), ArchiveError> {
        self.row_count += group.row_count;
        self.append_columns(group).map_err(refuse("write", &self.path))?;
        self.writer.inner_mut().end_group()?;
        Ok(())
    }

    /// Gives its handle back until the next row group.
    fn rest(&mut self) -> Result<(), ArchiveError> {
        Ok(self.writer.inner_mut().file.rest()?)
    }

    /// Ends the file; when this returns, it survives a power cut.
    fn finish(self) -> Result<ArchiveFile, ArchiveError> {
        let mut pieces = self.writer.into_inner().map_err(refuse("end", &self.path))?;
        pieces.write_piece()?;
        pieces.file.commit()?;
        Ok(ArchiveFile {
            relative_path: self.relative_path,
            size: pieces.size,
            blake3: pieces.hasher.finish(),
            row_count: self.row_count,
        })
    }

    fn append_columns(&mut self, group: RowGroup) -> Result<(), ParquetError> {
        let mut writer = self.writer.next_row_group()?;
        for column in group.columns {
            writer.append_column(&column.bytes, column.close)?;
        }
        writer.close().map(|_| ())
    }
}

impl Pieces {
    /// So that a file waiting for its next row group holds no piece.
    fn end_group(&mut self) -> Result<(), DurableError> {
        self.write_piece()?;
        self.piece = Vec::new();
        if self.size - self.synced_size >= SYNC_SIZE {
            self.file.sync()?;
            self.synced_size = self.size;
        }
        Ok(())
    }

    fn write_piece(&mut self) -> Result<(), DurableError> {
        self.hasher.update(&self.piece);
        self.file.write(&self.piece)?;
        self.size += u64::try_from(self.piece.len()).expect("a size in memory fits u64");
        self.piece.clear();
        Ok(())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_SIZE {
            self.write_piece().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Pieces are written when they are full; the last, when the file is ended.
        Ok(())
    }
}

fn refuse(action: &'static str, path: &Path) -> impl FnOnce(ParquetError) -> ArchiveError {
    move |source| ArchiveError::Parquet { action, path: path.to_owned(), source }
}
