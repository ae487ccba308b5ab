//! The Parquet archive of sealed batches, for those who read with other tools. Made from the sealed files.

use std::path::Path;

use tallywatt_ledger::command::Command;
use tallywatt_shards::archive::{ArchiveError, ArchiveLayout, Archived, write_parquet};
use tallywatt_shards::batch_file::BatchFileError;
use tallywatt_shards::batch_file::reader::BatchReader;

use crate::books::BooksError;
use crate::node::Node;
use crate::node_folder::file_of;
use crate::store::StoreError;

/// Why the archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch file is damaged.
    #[error(transparent)]
    Batch(#[from] BatchFileError),
    /// A batch file is sound, and another than the chain's.
    #[error("the file of batch {sequence} is not the batch that was committed")]
    Foreign {
        /// The batch.
        sequence: u64,
    },
    /// No readings are kept here.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Parquet.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Writes every sealed batch below `folder`, its readings and the hashes of its leaves, in order of batch, day and
/// shard; writing again replaces the same files with the same bytes. Every leaf is compared with the batch's root on
/// the way.
///
/// # Errors
/// [`ExportError`].
pub fn export(node: &Node, folder: &Path, shard_count: u16) -> Result<Archived, ExportError> {
    let layout = ArchiveLayout {
        zone_name: "each usage point's own; delivery_date is its local day".into(),
        shard_count,
    };
    let (secret, threads) = (node.books().secret()?, node.books().threads());
    let mut exported = Archived::default();
    for stored in node.store().blocks()? {
        let command = &stored.block.proposal.command;
        let (Command::Batch(commit), Some(relative)) = (command, file_of(command)) else { continue };
        let reader = BatchReader::open(&node.folder().path().join(relative))?;
        if (reader.sequence(), reader.sealed()) != (commit.sequence, commit.sealed) {
            return Err(ExportError::Foreign { sequence: commit.sequence });
        }
        let Archived { readings, leaves } = write_parquet(folder, &reader, &layout, Some(secret), threads)?;
        exported.readings.extend(readings);
        exported.leaves.extend(leaves);
    }
    Ok(exported)
}
