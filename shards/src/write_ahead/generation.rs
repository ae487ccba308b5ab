//! A generation of the log that grows: records gather in one group, groups fill segments.
//!
//! ```text
//!   append ─▶ pending group ─ write_out ─▶ room laid out? ─▶ one write ─▶ one fdatasync ─▶ durable
//!
//!   segment 1            segment 2
//!   ├ group ┼ group ┼ gro│up ┤ ├ group ┼ 0000000 ┤       a group begins where its segment still has room, and may end
//!   └ room as laid out ──┘                               beyond it; so its place is known before it is full
//! ```
//!
//! Each segment is laid out as large as everything before it, within the limits: a small log takes little disk, a
//! large one few files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tallywatt_core::hash::ContentHash;

use crate::direct::{self, AlignedBuffer, BLOCK_SIZE};
use crate::durable::{self, DurableError};
use crate::write_ahead::error::WriteAheadError;
use crate::write_ahead::group::{
    self, GROUP_SIZE_MAX, GroupPlace, HEADER_SIZE, PAYLOAD_SIZE_MAX, RECORD_HEADER_SIZE,
};
use crate::write_ahead::recovery::{End, RecordPlace};
use crate::write_ahead::segment;

/// How much room is laid out at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteAheadLimits {
    /// The least, in bytes.
    pub segment_size_min: u64,
    /// The most, in bytes; only a group that is larger makes a larger segment.
    pub segment_size_max: u64,
}

impl Default for WriteAheadLimits {
    /// 1 MiB to 256 MiB.
    fn default() -> Self {
        Self { segment_size_min: 1 << 20, segment_size_max: 256 << 20 }
    }
}

/// See the module's page. After an error it must not be used again.
#[derive(Debug)]
pub(crate) struct Generation {
    folder: PathBuf,
    limits: WriteAheadLimits,
    pub(crate) generation: u64,
    /// Whether its first segment still bears the name of one that is not whole.
    is_unfinished: bool,
    /// The segment that grows, where its last group ends, and its room.
    pub(crate) number: u32,
    pub(crate) end: u64,
    room: u64,
    file: Option<File>,
    /// To read from, by number.
    pub(crate) to_read: Vec<Arc<File>>,
    pub(crate) used_size: u64,
    pending: AlignedBuffer,
    record_count: u32,
    next_sequence: u64,
    last_hash: ContentHash,
}

impl Generation {
    /// Goes on where recovery found the end, with the room that its last segment has.
    pub(crate) fn at(
        folder: &Path,
        limits: WriteAheadLimits,
        end: &End,
        room: u64,
    ) -> Result<Self, WriteAheadError> {
        let mut generation = Self::new(folder, limits, end.generation);
        for number in 1..=end.number {
            generation.open_to_read(&segment::path(folder, end.generation, number), number)?;
        }
        generation.number = end.number.max(1);
        (generation.end, generation.room) = (end.size, room);
        generation.used_size = end.used_size;
        (generation.next_sequence, generation.last_hash) = (end.next_sequence, end.last_hash);
        Ok(generation)
    }

    /// A generation that is taken for whole only when it is finished.
    pub(crate) fn unfinished(folder: &Path, limits: WriteAheadLimits, generation: u64) -> Self {
        Self { is_unfinished: true, ..Self::new(folder, limits, generation) }
    }

    fn new(folder: &Path, limits: WriteAheadLimits, generation: u64) -> Self {
        let mut pending = AlignedBuffer::default();
        group::begin(&mut pending);
        Self {
            folder: folder.to_owned(),
            limits,
            generation,
            is_unfinished: false,
            number: 1,
            end: 0,
            room: 0,
            file: None,
            to_read: Vec::new(),
            used_size: 0,
            pending,
            record_count: 0,
            next_sequence: 1,
            last_hash: ContentHash::default(),
        }
    }

    fn path(&self) -> PathBuf {
        if self.number == 1 && self.is_unfinished {
            segment::next_path(&self.folder, self.generation)
        } else {
            segment::path(&self.folder, self.generation, self.number)
        }
    }

    /// Segment and offset of the pending group.
    const fn pending_place(&self) -> (u32, u64) {
        // A segment without a group is taken however small it is: laying it out failed, or its only group was torn.
        if self.end >= self.room && self.end > 0 { (self.number + 1, 0) } else { (self.number, self.end) }
    }

    /// Bytes of the pending group; 0 without records.
    pub(crate) fn pending_size(&self) -> usize {
        if self.record_count == 0 { 0 } else { self.pending.len() }
    }

    /// Puts a record into the pending group.
    pub(crate) fn append(&mut self, kind: u8, parts: &[&[u8]]) -> Result<RecordPlace, WriteAheadError> {
        let size = parts.iter().fold(0, |size: usize, part| size.saturating_add(part.len()));
        if size > PAYLOAD_SIZE_MAX {
            return Err(WriteAheadError::PayloadSize { size });
        }
        let group_size = group::padded_size(self.pending.len() - HEADER_SIZE + RECORD_HEADER_SIZE + size);
        if group_size > GROUP_SIZE_MAX {
            let size = RECORD_HEADER_SIZE + size;
            return Err(WriteAheadError::GroupSize { size, pending_size: self.pending.len() });
        }
        let (segment, start) = self.pending_place();
        let offset = group::add_record(&mut self.pending, kind, size, parts);
        self.record_count += 1;
        let offset = start + u64::try_from(offset).expect("offsets in a group fit u64");
        let size = u32::try_from(size).expect("payloads are limited");
        Ok(RecordPlace { generation: self.generation, segment, size, offset })
    }

    /// Makes the pending group durable.
    pub(crate) fn write_out(&mut self) -> Result<(), WriteAheadError> {
        if self.record_count == 0 {
            return Ok(());
        }
        let (number, offset) = self.pending_place();
        if number != self.number {
            (self.number, self.end, self.room, self.file) = (number, 0, 0, None);
        }
        let place = GroupPlace { generation: self.generation, segment: number, offset };
        let hash =
            group::seal(&mut self.pending, place, self.next_sequence, self.record_count, &self.last_hash);
        let size = u64::try_from(self.pending.len()).expect("a group's size fits u64");
        let path = self.path();
        self.make_room(&path, offset + size)?;
        let file = self.file.as_ref().expect("making room opens the segment");
        // A crash here leaves some of these bytes, in any order: a torn write, never acknowledged.
        file.write_all_at(self.pending.as_slice(), offset).map_err(DurableError::io("write", &path))?;
        // A crash here, the same. A crash after: the group is there, whether or not the sender was told; if
        // not, it sends again, and the same readings join to the same days.
        file.sync_data().map_err(DurableError::io("sync", &path))?;
        self.end += size;
        self.used_size += size;
        self.last_hash = hash;
        self.next_sequence += 1;
        self.record_count = 0;
        group::begin(&mut self.pending);
        Ok(())
    }

    /// Opens the segment, and lays out room up to `size` at least.
    fn make_room(&mut self, path: &Path, size: u64) -> Result<(), WriteAheadError> {
        if self.file.is_none() {
            self.file = Some(direct::open_to_write(path)?);
        }
        if size <= self.room {
            return Ok(());
        }
        let block = u64::try_from(BLOCK_SIZE).expect("a block's size fits u64");
        let WriteAheadLimits { segment_size_min, segment_size_max } = self.limits;
        let planned = self.used_size.clamp(segment_size_min, segment_size_max).next_multiple_of(block);
        let is_empty = self.end == 0;
        let room = if is_empty { size.max(planned) } else { size };
        let file = self.file.as_ref().expect("it was opened above");
        // A crash here leaves a segment without a group, of any size: the next opening goes on in it.
        segment::preallocate(file, path, room)?;
        if is_empty {
            file.sync_all().map_err(DurableError::io("sync", path))?;
            // A crash here may lose the name of a segment that holds nothing yet.
            durable::sync_folder(&self.folder)?;
            self.open_to_read(path, self.number)?;
        }
        self.room = room;
        Ok(())
    }

    /// Opens a segment to read from, unless that was done when it held nothing yet.
    fn open_to_read(&mut self, path: &Path, number: u32) -> Result<(), WriteAheadError> {
        if self.to_read.len() < usize::try_from(number).expect("numbers of segments fit") {
            self.to_read.push(Arc::new(File::open(path).map_err(DurableError::io("open", path))?));
        }
        Ok(())
    }

    /// Makes a generation the newest whole one.
    pub(crate) fn finish(&mut self) -> Result<(), WriteAheadError> {
        assert!(self.is_unfinished && self.record_count == 0, "all is written out before it is finished");
        let (next, own) = (
            segment::next_path(&self.folder, self.generation),
            segment::path(&self.folder, self.generation, 1),
        );
        if self.to_read.is_empty() {
            let file = direct::open_to_write(&next)?;
            file.sync_all().map_err(DurableError::io("sync", &next))?;
            self.open_to_read(&next, 1)?;
            self.file = Some(file);
        }
        // A crash before this leaves the old generation, a crash after it the new one; each is whole.
        durable::rename_durably(&next, &own)?;
        self.is_unfinished = false;
        Ok(())
    }

    /// Stands for a disk that fails: the next write goes to this file.
    #[cfg(test)]
    pub(crate) fn write_to(&mut self, file: File) {
        self.file = Some(file);
    }
}
