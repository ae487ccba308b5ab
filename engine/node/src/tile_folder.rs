//! The outer log in a folder that any web server can serve: tiles, the log's leaves, and the newest signed head (C2SP tlog-tiles).
//!
//! ```text
//! DIR/checkpoint             the head, with the signatures of log and witnesses; replaced, and written last
//! DIR/tile/<level>/<number>  hashes; never replaced
//! DIR/tile/entries/<number>  log leaves (FORMAT.md §5); never replaced
//! ```
//!
//! - Only a sealed head is published, one that all parties cosigned.
//! - A crash leaves the old head with tiles it needs, and some of those that the next one needs: writing again goes on from there.
//! - A file that is there with other bytes is of another log, or was changed: nothing is written over it.

use std::path::{Path, PathBuf};

use tallywatt_consensus::members::Standing;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::log::Log;
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note};
use tallywatt_ledger::tiles::{CHECKPOINT_NAME, TileError, entry_bundle, tiles};
use tallywatt_shards::durable::{self, DurableError};

use crate::node::Node;
use crate::store::StoreError;

/// Most bytes of a tile or bundle that is there and is compared: 256 entries of a size in two bytes.
pub const TILE_FILE_SIZE_MAX: u64 = 256 * (2 + 0xffff);

/// Why a folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TileFolderError {
    /// Not every party has cosigned the head.
    #[error("the head of {size} blocks has {count} of 3 signatures: only a sealed head is published")]
    NotSealed {
        /// Size of the log.
        size: u64,
        /// Signatures there are.
        count: usize,
    },
    /// The folder's head is not an earlier one of this log.
    #[error("{path} is no earlier head of this log: {why}")]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that never changes has other bytes.
    #[error("{path} has other bytes than this log gives it")]
    OtherBytes {
        /// The file.
        path: PathBuf,
    },
    /// Stored things do not fit together.
    #[error("{0}: run `tallywatt chain audit`")]
    Damaged(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DurableError),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTiles {
    /// The head that is served now.
    pub head: Checkpoint,
    /// Leaves that the folder's head had before; 0 without one.
    pub size_before: u64,
    /// Files written, the head counted.
    pub written_count: usize,
    /// Files that were there already.
    pub there_count: usize,
}

/// Brings a folder up to the newest head of a node.
///
/// # Errors
/// [`TileFolderError`]; what was written before it is whole, and of this log.
pub fn write(node: &Node, folder: &Path) -> Result<WrittenTiles, TileFolderError> {
    let member = node.member();
    let (log, size) = (member.log(), member.size());
    let count = member.cosigners(size).len();
    if member.standing(size) < Standing::Sealed {
        return Err(TileFolderError::NotSealed { size, count });
    }
    let damaged = |error: String| TileFolderError::Damaged(error);
    let note = member.head_note(size).map_err(|error| damaged(error.to_string()))?;
    let note = note.ok_or_else(|| damaged(format!("nobody has signed the head of size {size}")))?;
    let head = Checkpoint::parse(note.text()).map_err(|error| damaged(error.to_string()))?;
    let leaves: Vec<Vec<u8>> = node.store().blocks()?.iter().map(|stored| stored.leaf.encode()).collect();
    let head_path = folder.join(CHECKPOINT_NAME);
    let size_before = if head_path.exists() { earlier_size(&head_path, &head, log)? } else { 0 };
    durable::create_folder_durably(folder)?;
    let mut files = Files::default();
    for tile in tiles(size_before, size) {
        let told = |error: TileError| damaged(error.to_string());
        if let (Some(path), Some(range)) = (tile.entries_path(), tile.leaves()) {
            let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let entries = range.and_then(|(start, end)| leaves.get(start..end));
            let entries = entries.ok_or_else(|| damaged(format!("{path}: leaves are missing")))?;
            files.put(&folder.join(path), &entry_bundle(&tile, entries).map_err(told)?)?;
        }
        files.put(&folder.join(tile.path()), &tile.bytes(log).map_err(told)?)?;
    }
    // Before this a reader has the old head with all it needs, after it the new one with all that one needs.
    durable::write_durably(&head_path, note.encode().as_bytes())?;
    Ok(WrittenTiles {
        head,
        size_before,
        written_count: files.written_count + 1,
        there_count: files.there_count,
    })
}

/// Leaves of the head in a folder, if it is one that this log had.
fn earlier_size(path: &Path, head: &Checkpoint, log: &Log) -> Result<u64, TileFolderError> {
    let other = |why: String| TileFolderError::OtherLog { path: path.to_owned(), why };
    let limit = u64::try_from(NOTE_SIZE_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read_limited(path, limit)?;
    let text = String::from_utf8(bytes).map_err(|_| other("it is not text".to_owned()))?;
    let note = Note::parse(&text).map_err(|error| other(error.to_string()))?;
    let found = Checkpoint::parse(note.text()).map_err(|error| other(error.to_string()))?;
    if found.origin() != head.origin() {
        return Err(other(format!("it is of {}, this log is {}", found.origin(), head.origin())));
    }
    let root = log.root_at(found.size()).map_err(|error| other(error.to_string()))?;
    if root != found.root() {
        return Err(other(format!(
            "its root at size {} is {}, here it is {root}",
            found.size(),
            found.root()
        )));
    }
    Ok(found.size())
}

#[derive(Default)]
struct Files {
    written_count: usize,
    there_count: usize,
}

impl Files {
    /// Writes a file that never changes, unless it is there.
    fn put(&mut self, path: &Path, bytes: &[u8]) -> Result<(), TileFolderError> {
        if path.exists() {
            if durable::read_limited(path, TILE_FILE_SIZE_MAX)? != bytes {
                return Err(TileFolderError::OtherBytes { path: path.to_owned() });
            }
            self.there_count += 1;
            return Ok(());
        }
        let parent = path.parent().ok_or_else(|| DurableError::NotAFile(path.to_owned()))?;
        durable::create_folder_durably(parent)?;
        durable::write_durably(path, bytes)?;
        self.written_count += 1;
        Ok(())
    }
}
