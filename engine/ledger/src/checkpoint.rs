//! Checkpoints: the head of a log as three lines of text, ready to be signed as a note.
//!
//! ```text
//! tallywatt.example/region-66                       origin: which log
//! 37                                                size: leaves in it, decimal
//! J8kmCWcYgKAOmFCvVm8bl7bXl1DvRgOiv7A8NcDa7gI=      root: base64 of 32 bytes
//! ```
//!
//! - A checkpoint has one text, and a text that parses is the text of its checkpoint, byte for byte.
//! - Stricter than the standard: no extension lines, an origin without spaces, the one right root at size 0. Also in `FORMAT.md` §5.
//!
//! Source: C2SP tlog-checkpoint.
//!
//! ```
//! use tallywatt_ledger::checkpoint::Checkpoint;
//! use tallywatt_ledger::log::leaf_hash;
//!
//! let head = Checkpoint::new("tallywatt.example/region-66", 1, leaf_hash(b"genesis"))?;
//! assert_eq!(Checkpoint::parse(&head.to_text()), Ok(head));
//! # Ok::<(), tallywatt_ledger::checkpoint::CheckpointError>(())
//! ```

use crate::log::{LOG_SIZE_MAX, LogError, LogHash, empty_root};

/// Most bytes in the origin of a log.
pub const ORIGIN_SIZE_MAX: usize = 255;

/// Why a text or its parts are no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not exactly three lines, each ended by a newline.
    #[error("checkpoint has {found} lines ended by newlines, exactly 3 needed")]
    LineCount {
        /// Lines found.
        found: usize,
    },
    /// An origin that is empty, too long, or has a space, a plus or a control character.
    #[error(
        "origin {origin:?} is not 1 to {ORIGIN_SIZE_MAX} bytes without spaces, plus and control characters"
    )]
    Origin {
        /// The origin, cut to its first characters.
        origin: String,
    },
    /// A size that is not a decimal number without leading zeroes, up to [`LOG_SIZE_MAX`].
    #[error("tree size {size:?} is not a decimal of 0 to {LOG_SIZE_MAX} without leading zeroes")]
    Size {
        /// The size as written, cut to its first characters.
        size: String,
    },
    /// The root is not written as one.
    #[error("cannot read the root: {0}")]
    Root(LogError),
    /// A log without leaves whose root is not the empty one.
    #[error("root {found} of a log without leaves, expected {expected}")]
    EmptyRoot {
        /// The root given.
        found: LogHash,
        /// The only root that a log without leaves has.
        expected: LogHash,
    },
}

/// The head of a log: which log, how many leaves, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: LogHash,
}

impl Checkpoint {
    /// Puts a checkpoint together.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`], [`CheckpointError::Size`] and [`CheckpointError::EmptyRoot`].
    pub fn new(origin: &str, size: u64, root: LogHash) -> Result<Checkpoint, CheckpointError> {
        let is_refused = |character: char| character.is_whitespace() || character < ' ' || character == '+';
        if origin.is_empty() || origin.len() > ORIGIN_SIZE_MAX || origin.contains(is_refused) {
            return Err(CheckpointError::Origin { origin: shortened(origin) });
        }
        if size > LOG_SIZE_MAX {
            return Err(CheckpointError::Size { size: size.to_string() });
        }
        let expected = empty_root();
        if size == 0 && root != expected {
            return Err(CheckpointError::EmptyRoot { found: root, expected });
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }

    /// Reads the text of a note as a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] for every text that [`Checkpoint::to_text`] would not write.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let mut lines = text.split('\n');
        let parts = (lines.next(), lines.next(), lines.next(), lines.next(), lines.next());
        let (Some(origin), Some(size), Some(root), Some(""), None) = parts else {
            return Err(CheckpointError::LineCount { found: text.matches('\n').count() });
        };
        let leaves = parse_decimal(size).ok_or_else(|| CheckpointError::Size { size: shortened(size) })?;
        Checkpoint::new(origin, leaves, LogHash::from_base64(root).map_err(CheckpointError::Root)?)
    }

    /// The text of the checkpoint, with its last newline: what log and witnesses sign.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Which log: the name that its log keys bear.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaves in the log.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    pub fn root(&self) -> LogHash {
        self.root
    }
}

/// Reads a decimal as it is written back: no sign, no leading zero, nothing around it.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Enough of a text to recognise it in a message.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
