//! Reads records back from any thread, while the log grows.
//!
//! ```text
//!   RecordPlace {generation, segment, offset, size} ──▶ behind what is synced? ──▶ refused
//!                                                   └─▶ pread from the segment, through the page cache
//! ```
//!
//! What is read is not checked against the group's hash again: the payload's own decoder has the last word.

use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use crate::durable::DurableError;
use crate::write_ahead::error::WriteAheadError;
use crate::write_ahead::generation::Generation;
use crate::write_ahead::recovery::RecordPlace;

/// What may be read.
#[derive(Debug, Default)]
struct Synced {
    generation: u64,
    segments: Vec<Arc<File>>,
    /// The last segment, and where its last synced group ends.
    end: (u32, u64),
}

/// Reads records of an open log back. Clones share what they see.
#[derive(Debug, Clone, Default)]
pub struct WriteAheadReader {
    synced: Arc<RwLock<Synced>>,
}

impl WriteAheadReader {
    /// Lets what a generation has made durable be read, and nothing of any other.
    pub(crate) fn publish(&self, generation: &Generation) {
        let mut synced = self.synced.write().unwrap_or_else(PoisonError::into_inner);
        if synced.generation != generation.generation {
            *synced = Synced { generation: generation.generation, ..Synced::default() };
        }
        let known_count = synced.segments.len();
        synced.segments.extend(generation.to_read.iter().skip(known_count).cloned());
        synced.end = (generation.number, generation.end);
    }

    /// The payload of a record.
    ///
    /// # Errors
    /// [`WriteAheadError::NotThere`] or [`WriteAheadError::Disk`].
    pub fn read(&self, place: RecordPlace) -> Result<Vec<u8>, WriteAheadError> {
        // Before room is made for it: a place may have been stored and come back wrong.
        self.segment_of(place, 0, usize::try_from(place.size).unwrap_or(usize::MAX))?;
        let mut payload = vec![0; usize::try_from(place.size).unwrap_or(usize::MAX)];
        self.read_at(place, 0, &mut payload)?;
        Ok(payload)
    }

    /// Fills `into` with the payload's bytes from `start` on.
    ///
    /// # Errors
    /// [`WriteAheadError::NotThere`] if that is past the payload's end, is not synced, or was let go when the log
    /// started over; [`WriteAheadError::Disk`].
    pub fn read_at(&self, place: RecordPlace, start: u32, into: &mut [u8]) -> Result<(), WriteAheadError> {
        let file = self.segment_of(place, start, into.len())?;
        let name = format!("{}-{}.twa", place.generation, place.segment);
        file.read_exact_at(into, place.offset + u64::from(start))
            .map_err(|error| DurableError::io("read", Path::new(&name))(error).into())
    }

    /// Says that a part of a record will be read soon, so that it is fetched meanwhile. Only speed depends on it.
    pub fn will_need(&self, place: RecordPlace, start: u32, size: usize) {
        let (Ok(file), Ok(size)) = (self.segment_of(place, start, size), u64::try_from(size)) else { return };
        let start = place.offset + u64::from(start);
        // The system may know better.
        let _ = rustix::fs::fadvise(&file, start, NonZeroU64::new(size), rustix::fs::Advice::WillNeed);
    }

    /// The segment that holds the bytes, shared so that it outlives a log that starts over.
    fn segment_of(&self, place: RecordPlace, start: u32, size: usize) -> Result<Arc<File>, WriteAheadError> {
        let RecordPlace { generation, segment, offset, .. } = place;
        let refused = |why| WriteAheadError::NotThere { generation, segment, offset, size, why };
        let wanted = u64::from(start).saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
        if wanted > u64::from(place.size) {
            return Err(refused("the payload ends before"));
        }
        let synced = self.synced.read().unwrap_or_else(PoisonError::into_inner);
        if generation != synced.generation {
            return Err(refused("the log has started over"));
        }
        let end = offset.saturating_add(u64::from(place.size));
        if (segment, end) > synced.end {
            return Err(refused("it is not synced"));
        }
        let index = usize::try_from(segment).ok().and_then(|number| number.checked_sub(1));
        let file = index.and_then(|index| synced.segments.get(index));
        file.cloned().ok_or_else(|| refused("there is no such segment"))
    }
}
