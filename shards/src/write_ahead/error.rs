//! Why a write-ahead log cannot be used.

use std::path::PathBuf;

use crate::durable::DurableError;
use crate::write_ahead::group::{GROUP_SIZE_MAX, GROUP_VERSION, PAYLOAD_SIZE_MAX};
use crate::write_ahead::recovery::Rot;
use crate::write_ahead::segment::SEGMENT_COUNT_MAX;

/// Why a write-ahead log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WriteAheadError {
    /// The system refused. After a write or a sync the log is poisoned.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// Another process holds the folder.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// A durable group is damaged. Nothing was changed; get the segment from a peer.
    #[error("{}: {rot}", path.display())]
    Rot {
        /// The segment.
        path: PathBuf,
        /// What is damaged.
        rot: Rot,
    },
    /// A group was written by another version of the program. Nothing was changed.
    #[error("{}: the group at {offset} is of version {version}, this reads version {GROUP_VERSION}", path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// Where the group stands.
        offset: u64,
        /// Its version.
        version: u8,
    },
    /// A file that may hold records has a name that no segment has. Nothing was changed.
    #[error("{} is no segment of the log, but ends as one; move it elsewhere", .0.display())]
    Foreign(PathBuf),
    /// More files than a log has.
    #[error("{} holds more than {SEGMENT_COUNT_MAX} files", .0.display())]
    SegmentCount(PathBuf),
    /// An earlier write or sync failed.
    #[error("an earlier write to {} failed, nothing more is taken until it is opened again", .0.display())]
    Poisoned(PathBuf),
    /// The payload is too large for one record.
    #[error("cannot append a payload of {size} bytes, at most {PAYLOAD_SIZE_MAX}")]
    PayloadSize {
        /// Its size.
        size: usize,
    },
    /// Too much waits for a sync.
    #[error("cannot append {size} bytes to a group of {pending_size}, at most {GROUP_SIZE_MAX}")]
    GroupSize {
        /// Bytes of the new record.
        size: usize,
        /// Bytes of the group so far.
        pending_size: usize,
    },
    /// What is to be read back does not lie there: it is not synced, or its generation is gone.
    #[error("cannot read {size} bytes at {offset} of segment {segment}, generation {generation}: {why}")]
    NotThere {
        /// Generation of the place.
        generation: u64,
        /// Segment of the place.
        segment: u32,
        /// Offset in the segment.
        offset: u64,
        /// Bytes that were asked for.
        size: usize,
        /// Why not.
        why: &'static str,
    },
}
