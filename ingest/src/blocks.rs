//! A file in blocks of whole lines, whole frames or whole packs, each with the number of its first line or frame.
//!
//! ```text
//!   header │ 2 … 33 104 │ 33 105 … 65 980 │ 65 981 …      lines: cut after the last line break of a MiB
//!           1 … 13 107  │ 13 108 … 26 214 │ …             frames: cut where the headers say that one ends
//!           1 … 56 832  │ 56 833 …        │ …             packs: likewise; their heads say how many frames they hold
//! ```
//!
//! Blocks follow each other without a gap, and only what is past the limit of a line is left out.

use std::io::{self, BufRead};

use tallywatt_core::day_block::INTERVAL_COUNT_MAX;
use tallywatt_ledger::day_leaf::{LEAF_SIZE_MAX, leaf_size};
use tallywatt_ledger::day_pack::{PACK_SIZE_MAX, PackHead};

use crate::refusal::FileRefusal;

/// Bytes of a block of lines, but for the last and for one with a longer line.
pub const BLOCK_SIZE: usize = 1 << 20;
/// The most bytes of a block of lines: of a longer line, the first so many.
pub const BLOCK_SIZE_MAX: usize = 2 * BLOCK_SIZE;
/// Bytes of a block of frames or packs: what one chunk has of a partition is written in one piece, and pieces should be
/// of more than a page.
pub const DAY_BLOCK_SIZE: usize = 4 << 20;
/// Where a frame says how many intervals it has.
const INTERVAL_COUNT_AT: usize = 12;

/// What is cleared for the first bytes of a file; it doubles as more come.
const FIRST_ROOM_SIZE: usize = 64 << 10;

const _: () = assert!(LEAF_SIZE_MAX <= BLOCK_SIZE && PACK_SIZE_MAX <= BLOCK_SIZE);

/// Whole lines, frames or packs. Reading the next block into one that is done with spares its memory.
#[derive(Debug, Default)]
pub struct Block {
    /// Written before, so that nothing has to be cleared before it is read into; the first `size` bytes count.
    room: Vec<u8>,
    size: usize,
    first_line: u64,
    line_count: u64,
}

impl Block {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.room[..self.size]
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.size + bytes.len();
        if self.room.len() < end {
            self.room.resize(end, 0);
        }
        self.room[self.size..end].copy_from_slice(bytes);
        self.size = end;
    }

    /// Number of its first line or frame in the file, counted from 1.
    #[must_use]
    pub const fn first_line(&self) -> u64 {
        self.first_line
    }

    /// How many lines or frames it holds, as far as that can be seen without decoding.
    #[must_use]
    pub const fn line_count(&self) -> u64 {
        self.line_count
    }
}

/// Cuts a file into blocks.
pub struct Blocks<'a> {
    bytes: &'a mut dyn BufRead,
    content: Content,
    block_size: usize,
    next_line: u64,
    /// What was read past the end of the last block.
    rest: Vec<u8>,
    has_ended: bool,
    failed: Option<FileRefusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Lines,
    Frames,
    Packs,
}

impl Content {
    const fn block_size(self) -> usize {
        match self {
            Self::Lines => BLOCK_SIZE,
            Self::Frames | Self::Packs => DAY_BLOCK_SIZE,
        }
    }
}

impl<'a> Blocks<'a> {
    /// Of lines from the second on: the header is read.
    pub(crate) fn of_lines(bytes: &'a mut dyn BufRead) -> Self {
        Self::new(bytes, Content::Lines, 2)
    }

    /// Of lines, of which the first begins with bytes that are read already.
    pub(crate) fn of_lines_after(bytes: &'a mut dyn BufRead, first: Vec<u8>) -> Self {
        Self { rest: first, ..Self::new(bytes, Content::Lines, 1) }
    }

    /// Of frames.
    pub(crate) fn of_frames(bytes: &'a mut dyn BufRead) -> Self {
        Self::new(bytes, Content::Frames, 1)
    }

    /// Of packs, whose frames are counted: the magic is read.
    pub(crate) fn of_packs(bytes: &'a mut dyn BufRead) -> Self {
        Self::new(bytes, Content::Packs, 1)
    }

    fn new(bytes: &'a mut dyn BufRead, content: Content, next_line: u64) -> Self {
        Self {
            bytes,
            content,
            block_size: content.block_size(),
            next_line,
            rest: Vec::new(),
            has_ended: false,
            failed: None,
        }
    }

    /// In smaller blocks; what is decoded does not depend on it.
    #[must_use]
    pub fn in_blocks_of(mut self, block_size: usize) -> Self {
        self.block_size = block_size.clamp(1, self.content.block_size());
        self
    }

    /// Reads the next block into `block`; `false` at the end of the file.
    ///
    /// # Errors
    /// [`FileRefusal::Io`], [`FileRefusal::TooLarge`] or [`FileRefusal::Archive`], when the file cannot be read
    /// further. What was whole before has been given in a block of its own.
    pub fn read(&mut self, block: &mut Block) -> Result<bool, FileRefusal> {
        block.size = 0;
        block.append(&self.rest);
        self.rest.clear();
        (block.first_line, block.line_count) = (self.next_line, 0);
        let mut wanted = self.block_size;
        while !self.has_ended && self.failed.is_none() {
            self.fill(block, wanted);
            let (end, count) = self.whole(block.bytes());
            if end > 0 || self.has_ended {
                block.line_count = count;
                self.rest.extend_from_slice(&block.bytes()[end..]);
                block.size = end;
                break;
            }
            // One line longer than a block.
            if block.size >= BLOCK_SIZE_MAX {
                self.skip_line();
                block.append(b"\n");
                block.line_count = 1;
                break;
            }
            wanted = BLOCK_SIZE_MAX;
        }
        self.next_line += block.line_count;
        match (block.line_count, self.failed.take()) {
            (0, Some(failed)) => Err(failed),
            (0, None) => Ok(false),
            (_, failed) => {
                self.failed = failed;
                Ok(true)
            }
        }
    }

    /// Tops `block` up to `size` bytes, or to the end of the file.
    fn fill(&mut self, block: &mut Block, size: usize) {
        block.room.reserve(size.saturating_sub(block.room.len()));
        while block.size < size {
            // Room that no byte comes into is not cleared.
            if block.size == block.room.len() {
                let grown = block.room.len().saturating_mul(2).clamp(FIRST_ROOM_SIZE.min(size), size);
                block.room.resize(grown, 0);
            }
            let end = block.room.len().min(size);
            match self.bytes.read(&mut block.room[block.size..end]) {
                Ok(0) => return self.has_ended = true,
                Ok(count) => block.size += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return self.failed = Some(FileRefusal::from_io(error)),
            }
        }
    }

    fn skip_line(&mut self) {
        if let Err(error) = self.bytes.skip_until(b'\n') {
            self.failed = Some(FileRefusal::from_io(error));
        }
    }

    /// Where the last whole line, frame or pack ends, and how many lines or frames there are. At the end of the
    /// file, what is left counts as one.
    fn whole(&mut self, bytes: &[u8]) -> (usize, u64) {
        let (end, count) = match self.content {
            Content::Lines => {
                let end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
                (end, memchr::memchr_iter(b'\n', &bytes[..end]).count())
            }
            Content::Frames => self.whole_parts(bytes, frame_at),
            Content::Packs => self.whole_parts(bytes, pack_at),
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if self.has_ended && end < bytes.len() { (bytes.len(), count + 1) } else { (end, count) }
    }

    fn whole_parts(&mut self, bytes: &[u8], part_at: impl Fn(&[u8]) -> Part) -> (usize, usize) {
        let (mut end, mut count) = (0, 0);
        loop {
            match part_at(&bytes[end..]) {
                Part::Sized { size, frame_count } if size <= bytes.len() - end => {
                    end += size;
                    count += frame_count;
                }
                Part::Sized { .. } | Part::Cut => return (end, count),
                Part::Broken => {
                    // Where it ends nobody knows, and nothing after it will be taken.
                    self.has_ended = true;
                    return (bytes.len(), count + 1);
                }
            }
        }
    }
}

/// What stands at the front of some bytes.
enum Part {
    /// So many bytes, perhaps more than there are, that hold so many frames.
    Sized { size: usize, frame_count: usize },
    /// Too little to say how long it is.
    Cut,
    /// A length that no part has.
    Broken,
}

fn frame_at(bytes: &[u8]) -> Part {
    let Some(low_high) = bytes.get(INTERVAL_COUNT_AT..).and_then(<[u8]>::first_chunk) else {
        return Part::Cut;
    };
    match u16::from_le_bytes(*low_high) {
        count @ 1..=INTERVAL_COUNT_MAX => Part::Sized { size: leaf_size(usize::from(count)), frame_count: 1 },
        _ => Part::Broken,
    }
}

fn pack_at(bytes: &[u8]) -> Part {
    match bytes.first_chunk().map(PackHead::read) {
        Some(Ok(head)) => Part::Sized { size: head.size, frame_count: usize::from(head.leaf_count) },
        Some(Err(_)) => Part::Broken,
        None => Part::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Read};

    /// Gives its bytes a few at a time, then fails if it is to.
    struct Drip<'a>(&'a [u8], bool);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.0.len().min(buffer.len()).min(300_007);
            if size == 0 && self.1 {
                return Err(io::Error::other("unplugged"));
            }
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn blocks_of(text: &[u8], fails: bool) -> (Vec<Block>, Option<FileRefusal>) {
        let mut reader = BufReader::new(Drip(text, fails));
        let mut blocks = Blocks::of_lines(&mut reader);
        let mut found = Vec::new();
        loop {
            let mut block = Block::default();
            match blocks.read(&mut block) {
                Ok(true) => found.push(block),
                Ok(false) => return (found, None),
                Err(refusal) => return (found, Some(refusal)),
            }
        }
    }

    #[test]
    fn blocks_are_the_file() {
        let text: Vec<u8> = (0..400_000).flat_map(|number| format!("{number},x\n").into_bytes()).collect();
        for cut in [0, 1, 5] {
            let text = &text[..text.len() - cut];
            let (blocks, refusal) = blocks_of(text, false);
            assert!(refusal.is_none() && blocks.len() > 3);
            let joined: Vec<u8> = blocks.iter().flat_map(|block| block.bytes().to_vec()).collect();
            assert!(joined == text, "cut {cut}");
            let mut line = 2;
            for block in &blocks {
                assert_eq!(block.first_line(), line);
                assert!(block.bytes().starts_with(format!("{},", line - 2).as_bytes()));
                assert!(block.bytes().len() <= BLOCK_SIZE);
                line += block.line_count();
            }
        }
        let (blocks, refusal) = blocks_of(&text[..text.len() - 3], true);
        assert!(matches!(refusal, Some(FileRefusal::Io(_))));
        let line_count: u64 = blocks.iter().map(Block::line_count).sum();
        assert_eq!(line_count, 399_999, "every whole line, and not the one that breaks off");
    }

    #[test]
    fn a_line_past_every_limit_is_cut() {
        for size in [BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, BLOCK_SIZE_MAX, BLOCK_SIZE_MAX + 1, 5 << 20]
        {
            let text = [b"a\n".to_vec(), vec![b'x'; size], b"\nb\n".to_vec()].concat();
            let (blocks, refusal) = blocks_of(&text, false);
            assert!(refusal.is_none());
            assert_eq!(blocks.iter().map(Block::line_count).sum::<u64>(), 3, "{size}");
            let joined: Vec<u8> = blocks.iter().flat_map(|block| block.bytes().to_vec()).collect();
            assert!(joined.len() >= text.len().min(BLOCK_SIZE_MAX), "{size}");
            assert!(joined.starts_with(b"a\nxx") && joined.ends_with(b"x\nb\n"), "{size}");
        }
    }
}
