//! The Parquet archive of sealed batches, for those who read with other tools. Made from the sealed files.

use std::path::Path;

use tallywatt_ledger::command::Command;
use tallywatt_ledger::seal::SealKind;
use tallywatt_shards::archive::{ArchiveBatch, ArchiveError, ArchiveFile, write_leaf_hashes, write_parquet};
use tallywatt_shards::batch_file::BatchFileError;

use crate::node::Node;
use crate::node_folder::FolderError;
use crate::store::StoreError;

/// Why the archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A sealed file.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch file is damaged.
    #[error(transparent)]
    Batch(#[from] BatchFileError),
    /// Parquet.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// The files that were written, in order of batch, day and shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// A row a reading.
    pub readings: Vec<ArchiveFile>,
    /// A row a leaf, with its hash.
    pub leaves: Vec<ArchiveFile>,
}

/// Writes every sealed batch below `folder`, its readings and the hashes of its leaves; writing again replaces the same files with the same bytes.
///
/// # Errors
/// [`ExportError`].
pub fn export(node: &Node, folder: &Path, shard_count: u16) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    for stored in node.store().blocks()? {
        let Command::Batch(commit) = &stored.block.proposal.command else { continue };
        let bytes = node.folder().read_file(&stored.block.proposal.command)?.unwrap_or_default();
        let file = node.books().decode_sealed(&bytes)?;
        debug_assert_eq!(file.kind, SealKind::Batch);
        let batch = ArchiveBatch {
            sequence: commit.sequence,
            root: commit.sealed.root.hash,
            zone_name: "each usage point's own; delivery_date is its local day".into(),
            shard_count,
        };
        let threads = node.books().threads();
        exported.readings.extend(write_parquet(folder, &file.leaves, &batch, threads)?);
        exported.leaves.extend(write_leaf_hashes(folder, &file.leaves, &batch, threads)?);
    }
    Ok(exported)
}
