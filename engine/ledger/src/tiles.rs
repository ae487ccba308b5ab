//! The outer log as a static tree of files, which any web server can serve and any client of tiled logs can read.
//!
//! ```text
//! tile/2/000.p/1                                  each hash: the root of a full tile one level below
//! tile/1/000   tile/1/001.p/17                    full tiles have 256 hashes, the last of a level may have fewer
//! tile/0/000   tile/0/001 …  tile/0/273.p/112     leaf hashes; the drawing is of 70,000 leaves
//! tile/entries/000 …         the leaves themselves, each behind its size in two bytes, big-endian
//! checkpoint                 the newest head, signed; written last, so that whatever it needs is there
//! ```
//!
//! - A file is a function of the log's first leaves alone. A log that grows adds files, and changes none but `checkpoint`.
//! - A tile that is not full has its width in its name, so that a later, wider one never takes its place.
//! - A reader rebuilds every proof from the tiles, and believes none that does not lead to a signed head.
//!
//! Source: C2SP tlog-tiles.
//!
//! ```
//! use tallywatt_ledger::log::{Log, leaf_hash};
//! use tallywatt_ledger::tiles::tiles;
//!
//! let mut log = Log::new();
//! for block in 0..257_u32 {
//!     log.append(leaf_hash(&block.to_le_bytes()))?;
//! }
//! let names: Vec<String> = tiles(0, log.size()).iter().map(|tile| tile.path()).collect();
//! assert_eq!(names, ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
//! # Ok::<(), tallywatt_ledger::log::LogError>(())
//! ```

use crate::log::{LOG_SIZE_MAX, Log, LogError};

/// Name of the file with the newest head.
pub const CHECKPOINT_NAME: &str = "checkpoint";

/// Levels of the tree that a tile spans.
pub const TILE_HEIGHT: u32 = 8;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// Most levels of tiles in the largest log.
pub const LEVEL_COUNT_MAX: u32 = LOG_SIZE_MAX.ilog2() / TILE_HEIGHT + 1;

/// Most bytes of an entry: its size stands in front of it in two bytes.
pub const ENTRY_SIZE_MAX: usize = 0xffff;

// Three digits a folder.
const PATH_BASE: u64 = 1_000;

/// Why a tile or a bundle cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The log does not reach to the tile's last hash.
    #[error("cannot write {path}: {cause}")]
    BeyondLog {
        /// The tile.
        path: String,
        /// Why not.
        cause: LogError,
    },
    /// Not as many entries as the tile has hashes.
    #[error("{path} has {expected} entries, {found} given")]
    EntryCount {
        /// The bundle.
        path: String,
        /// Entries given.
        found: usize,
        /// Entries needed.
        expected: u64,
    },
    /// An entry too long for its size in two bytes.
    #[error("entry {index} of {path} has {bytes} bytes, at most {ENTRY_SIZE_MAX}")]
    EntrySize {
        /// The bundle.
        path: String,
        /// Which entry of it, from 0.
        index: usize,
        /// Bytes of the entry.
        bytes: usize,
    },
}

/// The place of a tile: level, place in its level, and how many hashes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    level: u32,
    index: u64,
    width: u64,
}

/// The tiles to write when a log of `old_size` leaves has grown to `new_size`, level by level from the leaves up.
///
/// From 0: all of them. A tile of which nothing is new is not among them; sizes above [`LOG_SIZE_MAX`] count as that.
pub fn tiles(old_size: u64, new_size: u64) -> Vec<Tile> {
    let (old_size, new_size) = (old_size.min(LOG_SIZE_MAX), new_size.min(LOG_SIZE_MAX));
    let mut tiles = Vec::new();
    for level in 0..LEVEL_COUNT_MAX {
        let (old_count, new_count) = (old_size >> (TILE_HEIGHT * level), new_size >> (TILE_HEIGHT * level));
        if old_count >= new_count {
            break;
        }
        for index in old_count / TILE_WIDTH..new_count.div_ceil(TILE_WIDTH) {
            let width = TILE_WIDTH.min(new_count - index * TILE_WIDTH);
            tiles.push(Tile { level, index, width });
        }
    }
    tiles
}

impl Tile {
    /// Level: 0 for leaf hashes.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// How many hashes it has, 1 to [`TILE_WIDTH`].
    pub fn width(&self) -> u64 {
        self.width
    }

    /// The leaves that a bundle beside it holds; `None` unless it is of level 0.
    pub fn leaves(&self) -> Option<std::ops::Range<u64>> {
        let start = self.index * TILE_WIDTH;
        (self.level == 0).then_some(start..start + self.width)
    }

    /// Where the tile is served: `tile/0/x001/x234/067.p/112`.
    pub fn path(&self) -> String {
        self.path_below(&self.level.to_string())
    }

    /// Where the entries of a tile of level 0 are served; `None` of any other.
    pub fn entries_path(&self) -> Option<String> {
        (self.level == 0).then(|| self.path_below("entries"))
    }

    fn path_below(&self, folder: &str) -> String {
        let mut number = format!("{:03}", self.index % PATH_BASE);
        let mut rest = self.index / PATH_BASE;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % PATH_BASE);
            rest /= PATH_BASE;
        }
        let partial = if self.width == TILE_WIDTH { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{folder}/{number}{partial}")
    }

    /// The hashes of the tile, end to end.
    ///
    /// # Errors
    /// [`TileError::BeyondLog`] when the log is too short.
    pub fn bytes(&self, log: &Log) -> Result<Vec<u8>, TileError> {
        let mut bytes = Vec::with_capacity(32 * 256);
        let start = self.index * TILE_WIDTH;
        for place in start..start + self.width {
            let hash = log.subtree_root(TILE_HEIGHT * self.level, place);
            let hash = hash.map_err(|cause| TileError::BeyondLog { path: self.path(), cause })?;
            bytes.extend_from_slice(hash.as_bytes());
        }
        Ok(bytes)
    }
}

/// The bundle of a tile's entries; `entries` are the bytes of its leaves, in their order.
///
/// # Errors
/// [`TileError::EntryCount`] unless there are as many as the tile has hashes, [`TileError::EntrySize`].
pub fn entry_bundle(tile: &Tile, entries: &[Vec<u8>]) -> Result<Vec<u8>, TileError> {
    let path = || tile.path_below("entries");
    if u64::try_from(entries.len()) != Ok(tile.width) {
        return Err(TileError::EntryCount { path: path(), found: entries.len(), expected: tile.width });
    }
    let mut bytes = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let size = u16::try_from(entry.len());
        let size = size.map_err(|_| TileError::EntrySize { path: path(), index, bytes: entry.len() })?;
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}
