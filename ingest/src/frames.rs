//! Day-block frames end to end: the fast way between machines of this system.
//!
//! The bytes are those of [`DayLeaf`], tag `Frame`. A file is ours or it is not: the first frame that is not
//! canonical refuses it.

use std::io::BufRead;

use tallywatt_core::calendar::Zone;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::RawReading;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::{DayLeaf, LEAF_SIZE_MAX, LeafTag};
use tallywatt_ledger::frame::check_frame;

use crate::block_decoder::BlockError;
use crate::blocks::{Block, Blocks};
use crate::decode::Pace;
use crate::format::{BlockCounts, BlockReader, Format, FormatKind, OpenedBlocks, OpenedFile, SourceFile};
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "frames",
    keys: &[],
    zone: None,
    read: |_, _| Ok(Box::new(Frames)),
    profiles: &[("frames", include_str!("../profiles/frames.toml"))],
};

/// Frames say everything.
#[derive(Debug)]
struct Frames;

impl Format for Frames {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        decode(file.bytes, file.pace, tally)
    }

    fn open_blocks<'a>(
        &self,
        _file_name: &str,
        _zone: &Zone,
        bytes: &'a mut dyn BufRead,
    ) -> Result<Option<OpenedBlocks<'a>>, FileRefusal> {
        let opened = DayFile { read: read_block, has_start: false };
        Ok(Some((Box::new(opened), Blocks::of_frames(bytes))))
    }
}

/// A file of days whose blocks need no header.
#[derive(Debug)]
pub(crate) struct DayFile {
    pub(crate) read: ReadBlock,
    pub(crate) has_start: bool,
}

impl OpenedFile for DayFile {
    fn reader(&self) -> Box<dyn BlockReader + '_> {
        Box::new(DayReader(self.read))
    }

    fn has_start(&self) -> bool {
        self.has_start
    }
}

#[derive(Debug)]
struct DayReader(ReadBlock);

impl BlockReader for DayReader {
    fn read(&mut self, block: &Block, tally: &mut Tally<'_>) -> Result<BlockCounts, BlockError> {
        (self.0)(block.bytes(), block.first_line(), Pace::ByLane, tally)?;
        Ok(BlockCounts::default())
    }
}

/// Decodes a file of frames. `line` of a reading is the number of its frame.
fn decode(bytes: &mut dyn BufRead, pace: Pace, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
    read_blocks(Blocks::of_frames(bytes), read_block, pace, tally)?;
    match tally.summary.line_count {
        0 => Err(FileRefusal::Empty),
        _ => Ok(()),
    }
}

/// Reads a block that begins with a frame of this number.
pub(crate) type ReadBlock = fn(&[u8], u64, Pace, &mut Tally<'_>) -> Result<(), FileRefusal>;

/// Reads block after block, until the sink wants no more.
pub(crate) fn read_blocks(
    mut blocks: Blocks<'_>,
    read: ReadBlock,
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let mut block = Block::default();
    while !tally.summary.stopped && blocks.read(&mut block)? {
        read(block.bytes(), block.first_line(), pace, tally)?;
    }
    Ok(())
}

/// Reads a block of whole frames; the last of a file may be cut off, and is refused then.
pub(crate) fn read_block(
    mut rest: &[u8],
    mut number: u64,
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    while !rest.is_empty() {
        let size = read_frame(rest, number, pace, tally)?;
        rest = &rest[size..];
        tally.summary.line_count = number;
        if tally.line_done(number).is_break() {
            return Ok(());
        }
        number += 1;
    }
    Ok(())
}

/// Reads the frame at the front of `rest`, and says how long it is.
pub(crate) fn read_frame(
    rest: &[u8],
    number: u64,
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<usize, FileRefusal> {
    let header = (pace == Pace::ByLane).then(|| check_frame(rest).ok()).flatten();
    let Some(header) = header else { return hand_over(rest, number, tally) };
    tally.frame(&rest[..header.size], number, &header);
    Ok(header.size)
}

/// The reference: decodes the frame, and hands its values over one by one.
fn hand_over(rest: &[u8], frame: u64, tally: &mut Tally<'_>) -> Result<usize, FileRefusal> {
    let window = &rest[..rest.len().min(LEAF_SIZE_MAX)];
    let (leaf, size) = DayLeaf::decode_first(window).map_err(|error| match error {
        CodecError::Truncated { .. } => FileRefusal::Truncated { line: frame, what: error.to_string() },
        _ => FileRefusal::Frame { frame, what: error.to_string() },
    })?;
    if leaf.tag() != LeafTag::Frame {
        return Err(FileRefusal::Frame { frame, what: "a sealed leaf, not a frame".to_owned() });
    }
    let block = leaf.block();
    for (at, (&energy_wh, &quality)) in block.values_wh().iter().zip(block.qualities()).enumerate() {
        if quality == Quality::Missing {
            tally.summary.null_count += 1;
            continue;
        }
        tally.reading(RawReading {
            usage_point: block.key().usage_point,
            register: block.key().register,
            start: block.interval_start(at),
            interval_minutes: block.interval_minutes(),
            energy_wh: i64::from(energy_wh),
            quality,
            line: frame,
        });
    }
    Ok(size)
}
