//! What of a write-ahead folder still holds after a crash. Reads, and changes nothing.
//!
//! A group is written only when all before it are durable, a segment begun only when the one before it is full. So:
//!
//! ```text
//!   good good good 0000 │                  room that was laid out and not written yet
//!   good good good ▒▒00 │                  torn: the last write did not finish, was never acknowledged, is cut off
//!   good good ▒▒▒▒ good │                  rot: a later group proves that the bad one was durable
//!   good good ▒▒▒▒ │ 0000 …                rot: so does a later segment
//!   good good 0000 │ good …                rot, for the same reason
//! ```
//!
//! Rot is refused with its place, and nothing is touched. Past its end a segment reads as zeros. What this cannot tell
//! apart: rot in the very last group looks torn, unless it is in its padding. The number of bytes cut is reported.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tallywatt_core::hash::ContentHash;

use crate::direct::BLOCK_SIZE;
use crate::durable::DurableError;
use crate::write_ahead::error::WriteAheadError;
use crate::write_ahead::group::{self, Beginning, GroupHeader, GroupPlace};
use crate::write_ahead::segment::{self, Listing};

/// How much of a segment's unwritten room is read at a time.
const SCAN_SIZE: usize = 1 << 20;
const _: () = assert!(SCAN_SIZE.is_multiple_of(BLOCK_SIZE));

/// Where the payload of a record lies, so that it can be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPlace {
    /// Generation of the log.
    pub generation: u64,
    /// Segment of the generation, from 1.
    pub segment: u32,
    /// Bytes of the payload.
    pub size: u32,
    /// Where it starts in the segment, in bytes.
    pub offset: u64,
}

/// One record, as it was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Kind of the payload.
    pub kind: u8,
    /// Its number in its generation, from 1.
    pub number: u64,
    /// Where the payload lies.
    pub place: RecordPlace,
    /// The payload.
    pub payload: &'a [u8],
}

/// What was in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The generation.
    pub generation: u64,
    /// Its last segment; 0 when there is none.
    pub segment: u32,
    /// Whole groups.
    pub group_count: u64,
    /// Records in them.
    pub record_count: u64,
    /// Bytes up to the last one of an unfinished write; tell the operator when it is not 0.
    pub torn_size: u64,
}

/// A group that was durable is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("group {sequence} at {offset} is damaged, yet {proof}")]
pub struct Rot {
    /// Where the damaged group begins in its segment.
    pub offset: u64,
    /// Number of the damaged group.
    pub sequence: u64,
    /// What proves that it was durable.
    pub proof: Proof,
}

/// What proves that a damaged group was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A whole group further on in the same segment.
    LaterGroup {
        /// Where it begins.
        offset: u64,
    },
    /// A later segment.
    LaterSegment {
        /// Its number.
        number: u32,
    },
    /// The group itself: it is whole, but not the one that belongs there.
    OtherGroup {
        /// The number that it bears.
        sequence: u64,
    },
    /// The group itself: its hash holds, but what the hash does not cover, or what it must mean, does not.
    Itself,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LaterGroup { offset } => write!(f, "a whole group stands at {offset}"),
            Self::LaterSegment { number } => write!(f, "segment {number} was begun after it"),
            Self::OtherGroup { sequence } => {
                write!(f, "a whole group {sequence} of another history stands there")
            }
            Self::Itself => write!(f, "its hash holds"),
        }
    }
}

/// Where a generation goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) generation: u64,
    /// The last segment; 0 when there is none.
    pub(crate) number: u32,
    /// Where its last group ends.
    pub(crate) size: u64,
    pub(crate) file_size: u64,
    /// Bytes of all groups.
    pub(crate) used_size: u64,
    pub(crate) next_sequence: u64,
    pub(crate) last_hash: ContentHash,
    pub(crate) recovered: Recovered,
}

/// Looks through a folder without holding or changing it, and gives every record, in order.
///
/// # Errors
/// [`WriteAheadError`], or what `record` gave.
pub fn look_through<E: From<WriteAheadError>>(
    folder: &Path,
    record: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
) -> Result<Recovered, E> {
    Ok(recover(folder, &Listing::of(folder)?, record)?.recovered)
}

/// The records of the newest whole generation, and where it goes on.
pub(crate) fn recover<E: From<WriteAheadError>>(
    folder: &Path,
    listing: &Listing,
    record: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
) -> Result<End, E> {
    if let Some((generation, number)) = listing.beheaded() {
        let rot = End::of_nothing(generation).rot(0, Proof::LaterSegment { number });
        return Err(WriteAheadError::Rot { path: segment::path(folder, generation, 1), rot }.into());
    }
    let none = BTreeSet::new();
    let (generation, numbers) = listing.newest().unwrap_or((1, &none));
    let mut walk = Walk { bytes: Vec::new(), end: End::of_nothing(generation) };
    let last = numbers.last().copied().unwrap_or(0);
    for (number, expected) in numbers.iter().copied().zip(1..) {
        if number != expected {
            let rot = walk.end.rot(0, Proof::LaterSegment { number });
            let path = segment::path(folder, generation, expected);
            return Err(WriteAheadError::Rot { path, rot }.into());
        }
        walk.segment(&Segment::open(folder, generation, number)?, number == last, record)?;
    }
    Ok(walk.end)
}

impl End {
    fn of_nothing(generation: u64) -> Self {
        let (last_hash, recovered) =
            (ContentHash::default(), Recovered { generation, ..Recovered::default() });
        Self {
            generation,
            number: 0,
            size: 0,
            file_size: 0,
            used_size: 0,
            next_sequence: 1,
            last_hash,
            recovered,
        }
    }

    fn rot(&self, offset: u64, proof: Proof) -> Rot {
        Rot { offset, sequence: self.next_sequence, proof }
    }
}

/// A segment that is read.
struct Segment {
    file: File,
    path: PathBuf,
    generation: u64,
    number: u32,
    size: u64,
}

impl Segment {
    fn open(folder: &Path, generation: u64, number: u32) -> Result<Self, WriteAheadError> {
        let path = segment::path(folder, generation, number);
        let file = File::open(&path).map_err(DurableError::io("open", &path))?;
        let size = file.metadata().map_err(DurableError::io("stat", &path))?.len();
        Ok(Self { file, path, generation, number, size })
    }

    /// Fills the buffer from an offset; past the end there are zeros.
    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), WriteAheadError> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (there, beyond) = buffer.split_at_mut(left.min(buffer.len()));
        self.file.read_exact_at(there, offset).map_err(DurableError::io("read", &self.path))?;
        beyond.fill(0);
        Ok(())
    }

    fn refused(&self, rot: Rot) -> WriteAheadError {
        WriteAheadError::Rot { path: self.path.clone(), rot }
    }
}

/// What stands at a place.
enum Found {
    Whole(GroupHeader, ContentHash),
    OtherVersion(u8),
    Nothing,
}

/// Goes through a generation, one group in memory at a time.
struct Walk {
    bytes: Vec<u8>,
    end: End,
}

impl Walk {
    fn segment<E: From<WriteAheadError>>(
        &mut self,
        segment: &Segment,
        is_last: bool,
        record: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.end.number = segment.number;
        self.end.recovered.segment = segment.number;
        self.end.file_size = segment.size;
        let mut at = 0;
        while at < segment.size {
            match self.group(segment, at)? {
                Found::Nothing => break,
                Found::OtherVersion(version) => {
                    let path = segment.path.clone();
                    return Err(WriteAheadError::Version { path, offset: at, version }.into());
                }
                Found::Whole(header, hash) => {
                    at = self.take(segment, at, &header, hash, record)?;
                }
            }
        }
        self.end.size = at;
        if is_last {
            self.end.recovered.torn_size = self.rest(segment, at)?;
        } else if at < segment.size {
            let proof = Proof::LaterSegment { number: segment.number + 1 };
            return Err(segment.refused(self.end.rot(at, proof)).into());
        }
        Ok(())
    }

    /// Gives the records of the whole group in `bytes`, and where the next begins.
    fn take<E: From<WriteAheadError>>(
        &mut self,
        segment: &Segment,
        at: u64,
        header: &GroupHeader,
        hash: ContentHash,
        record: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        if header.sequence != self.end.next_sequence || header.previous != self.end.last_hash {
            let proof = Proof::OtherGroup { sequence: header.sequence };
            return Err(segment.refused(self.end.rot(at, proof)).into());
        }
        // Both before any record is given. A torn write leaves zeros in the padding, as there were.
        let is_sound = group::is_zero(&self.bytes[header.hashed_size()..])
            && group::records(header, &self.bytes).all(|record| record.is_some());
        if !is_sound {
            return Err(segment.refused(self.end.rot(at, Proof::Itself)).into());
        }
        let (generation, number) = (segment.generation, segment.number);
        for (kind, offset, payload) in group::records(header, &self.bytes).flatten() {
            self.end.recovered.record_count += 1;
            let offset = at + u64::try_from(offset).expect("offsets in a group fit u64");
            let size = u32::try_from(payload.len()).expect("a record's size is a u32");
            let place = RecordPlace { generation, segment: number, offset, size };
            record(Record { kind, number: self.end.recovered.record_count, place, payload })?;
        }
        let size = u64::try_from(self.bytes.len()).expect("a group's size fits u64");
        self.end.recovered.group_count += 1;
        self.end.next_sequence += 1;
        self.end.last_hash = hash;
        self.end.used_size += size;
        Ok(at + size)
    }

    /// Reads what begins at `at`; a whole group is in `bytes` then, with its padding.
    fn group(&mut self, segment: &Segment, at: u64) -> Result<Found, WriteAheadError> {
        self.bytes.resize(BLOCK_SIZE, 0);
        segment.read(&mut self.bytes, at)?;
        let header = match group::beginning(&self.bytes) {
            Beginning::Group(header) => header,
            Beginning::OtherVersion(version) => return Ok(Found::OtherVersion(version)),
            Beginning::Nothing => return Ok(Found::Nothing),
        };
        let place = GroupPlace { generation: segment.generation, segment: segment.number, offset: at };
        let hashed_size = u64::try_from(header.hashed_size()).expect("a group's size fits u64");
        // Nothing is read, or made room for, that the segment is too short for.
        if header.place != place || at + hashed_size > segment.size {
            return Ok(Found::Nothing);
        }
        self.bytes.resize(group::padded_size(header.size), 0);
        let rest = at + u64::try_from(BLOCK_SIZE).expect("a block's size fits u64");
        segment.read(&mut self.bytes[BLOCK_SIZE..], rest)?;
        Ok(group::whole(&header, &self.bytes).map_or(Found::Nothing, |hash| Found::Whole(header, hash)))
    }

    /// Reads the last segment behind its last group: gives the size of a torn write, or the rot that a later group
    /// proves.
    fn rest(&mut self, segment: &Segment, end: u64) -> Result<u64, WriteAheadError> {
        let mut chunk = vec![0; SCAN_SIZE];
        let mut torn_size = 0;
        let (mut at, step) = (end, u64::try_from(BLOCK_SIZE).expect("a block's size fits u64"));
        while at < segment.size {
            segment.read(&mut chunk, at)?;
            if group::is_zero(&chunk) {
                at += u64::try_from(SCAN_SIZE).expect("a chunk's size fits u64");
                continue;
            }
            for block in chunk.chunks(BLOCK_SIZE) {
                if let Some(last) = block.iter().rposition(|&byte| byte != 0) {
                    torn_size = at - end + u64::try_from(last).expect("offsets in a block fit u64") + 1;
                    if let Beginning::Group(_) = group::beginning(block)
                        && let Found::Whole(header, _) = self.group(segment, at)?
                        && header.sequence >= self.end.next_sequence
                    {
                        return Err(segment.refused(self.end.rot(end, Proof::LaterGroup { offset: at })));
                    }
                }
                at += step;
            }
        }
        Ok(torn_size)
    }
}
