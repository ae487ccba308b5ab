//! The files of a write-ahead folder: their names, their room, and how they are opened.
//!
//! ```text
//!   <generation>-<number>.twa         decimal without leading zeros, both from 1
//!   <generation>-1.twa.next           the first segment of a generation that is not whole yet
//! ```
//!
//! A segment's room is laid out before it is written, so that a sync need not make new extents durable, and that a full
//! disk is met there and not in the middle of a group. It is written past the page cache where the file system allows
//! that, and read through it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::durable::DurableError;
use crate::write_ahead::error::WriteAheadError;

const EXTENSION: &str = ".twa";
const NEXT_EXTENSION: &str = ".twa.next";
/// The most files in a write-ahead folder that are looked at.
pub const SEGMENT_COUNT_MAX: usize = 1 << 20;

/// Where a segment lies.
#[must_use]
pub fn path(folder: &Path, generation: u64, number: u32) -> PathBuf {
    folder.join(format!("{generation}-{number}{EXTENSION}"))
}

/// Where the first segment of a generation lies until the generation is whole.
pub(crate) fn next_path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("{generation}-1{NEXT_EXTENSION}"))
}

/// What lies in a write-ahead folder.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Numbers of segments by generation.
    pub(crate) generations: BTreeMap<u64, BTreeSet<u32>>,
    /// First segments of generations that were not finished.
    pub(crate) unfinished: BTreeMap<u64, PathBuf>,
}

impl Listing {
    /// Lists a folder; nothing if there is none.
    ///
    /// A file that ends as segments do and is not named as one is refused: it may hold what was acknowledged. Any other
    /// foreign file holds no records, and is left alone.
    pub(crate) fn of(folder: &Path) -> Result<Self, WriteAheadError> {
        let mut listing = Self::default();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
            entries => entries.map_err(DurableError::io("list", folder))?,
        };
        for (at, entry) in entries.enumerate() {
            let entry = entry.map_err(DurableError::io("list", folder))?;
            if at >= SEGMENT_COUNT_MAX {
                return Err(WriteAheadError::SegmentCount(folder.to_owned()));
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if let Some(stem) = name.strip_suffix(NEXT_EXTENSION) {
                if let Some((generation, 1)) = parse(stem) {
                    listing.unfinished.insert(generation, entry.path());
                }
            } else if let Some(stem) = name.strip_suffix(EXTENSION) {
                let Some((generation, number)) = parse(stem) else {
                    return Err(WriteAheadError::Foreign(entry.path()));
                };
                listing.generations.entry(generation).or_default().insert(number);
            }
        }
        Ok(listing)
    }

    /// The newest generation that is whole: whose first segment stands under its own name.
    pub(crate) fn newest(&self) -> Option<(u64, &BTreeSet<u32>)> {
        let mut whole = self.generations.iter().rev().filter(|(_, numbers)| numbers.contains(&1));
        whole.next().map(|(generation, numbers)| (*generation, numbers))
    }

    /// A generation that was whole once, newer than every whole one, whose first segment is gone: its other segments
    /// would not be there without it.
    pub(crate) fn beheaded(&self) -> Option<(u64, u32)> {
        let newest = self.newest().map_or(0, |(generation, _)| generation);
        let mut newer = self.generations.range(newest + 1..);
        let (generation, numbers) =
            newer.find(|(generation, _)| !self.unfinished.contains_key(generation))?;
        numbers.first().map(|number| (*generation, *number))
    }

    /// Segments that are not of this generation.
    pub(crate) fn leftovers(&self, folder: &Path, generation: u64) -> Vec<PathBuf> {
        let others = self.generations.iter().filter(|(other, _)| **other != generation);
        others
            .flat_map(|(other, numbers)| numbers.iter().map(|number| path(folder, *other, *number)))
            .collect()
    }
}

fn parse(stem: &str) -> Option<(u64, u32)> {
    let (generation, number) = stem.split_once('-')?;
    let parsed = (generation.parse().ok()?, number.parse().ok()?);
    // One name for each: no zeros in front, no plus sign.
    (parsed.0 > 0 && parsed.1 > 0 && stem == format!("{}-{}", parsed.0, parsed.1)).then_some(parsed)
}

/// Lays out room so that the file has at least `size` bytes. If that fails it has those that it had.
pub(crate) fn preallocate(file: &File, path: &Path, size: u64) -> Result<(), DurableError> {
    let size_before = file.metadata().map_err(DurableError::io("stat", path))?.len();
    if size_before >= size {
        return Ok(());
    }
    allocate(file, size).map_err(|error| {
        // Whoever is to make room finds what was taken in vain given back. If even that fails, the next opening takes
        // the zeros for room.
        let _ = file.set_len(size_before);
        DurableError::io("lay out", path)(error)
    })
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::{Errno, retry_on_intr};

    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, size)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(size),
        allocated => allocated.map_err(io::Error::from),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for stem in ["1-1", "18446744073709551615-4294967295"] {
            assert!(parse(stem).is_some(), "{stem}");
        }
        for stem in
            ["", "1", "0-1", "1-0", "01-1", "1-01", "+1-1", "1-+1", "1-4294967296", "1-1-1", "a-b", " 1-1"]
        {
            assert_eq!(parse(stem), None, "{stem}");
        }
    }
}
