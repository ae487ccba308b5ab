//! Day packs end to end behind a magic: the way between machines of this system that spares the line.
//!
//! ```text
//!   magic │ pack ── day, day, … ──▶ handed over packed, each checked as its frame would be
//!         │ pack ── day, day, … ──▶ …
//! ```
//!
//! The bytes are those of `tallywatt_ledger::day_pack`. A file is ours or it is not: the first pack or frame that
//! is not canonical refuses it.

use std::io::{BufRead, Read};

use tallywatt_core::calendar::Zone;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::{LEAF_SIZE_MAX, LeafTag};
use tallywatt_ledger::day_pack::{PACK_FILE_MAGIC, PackReader};
use tallywatt_ledger::frame::check_day;

use crate::blocks::Blocks;
use crate::decode::Pace;
use crate::format::{Format, FormatKind, OpenedBlocks, SourceFile};
use crate::frames::{self, DayFile};
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "packs",
    keys: &[],
    zone: None,
    read: |_, _| Ok(Box::new(Packs)),
    profiles: &[("packs", include_str!("../profiles/packs.toml"))],
};

/// Packs of frames say everything.
#[derive(Debug)]
struct Packs;

impl Format for Packs {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        decode(file.bytes, file.pace, tally)
    }

    fn open_blocks<'a>(
        &self,
        _file_name: &str,
        _zone: &Zone,
        bytes: &'a mut dyn BufRead,
    ) -> Result<Option<OpenedBlocks<'a>>, FileRefusal> {
        open(bytes)?;
        let opened = DayFile { read: read_block, has_start: true };
        Ok(Some((Box::new(opened), Blocks::of_packs(bytes))))
    }
}

/// Decodes a file of packs. `line` of a reading is the number of its frame, through all packs.
fn decode(bytes: &mut dyn BufRead, pace: Pace, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
    open(bytes)?;
    frames::read_blocks(Blocks::of_packs(bytes), read_block, pace, tally)?;
    match tally.summary.line_count {
        0 => Err(FileRefusal::NoReadings),
        _ => Ok(()),
    }
}

/// Reads the magic.
fn open(bytes: &mut dyn BufRead) -> Result<(), FileRefusal> {
    let mut start = Vec::with_capacity(PACK_FILE_MAGIC.len());
    let size = u64::try_from(PACK_FILE_MAGIC.len()).unwrap_or(u64::MAX);
    bytes.take(size).read_to_end(&mut start).map_err(FileRefusal::from_io)?;
    let what = |what: &str| what.to_owned();
    match start.as_slice() {
        found if found == PACK_FILE_MAGIC => Ok(()),
        [] => Err(FileRefusal::Empty),
        found if PACK_FILE_MAGIC.starts_with(found) => {
            Err(FileRefusal::Truncated { line: 1, what: what("it ends inside the magic of a file of packs") })
        }
        // The name is there and what follows it is not.
        found if found.len() > 3 && found[1..4] == PACK_FILE_MAGIC[1..4] => Err(FileRefusal::Header {
            line: 1,
            what: what("the magic of a file of packs is spoilt: it was copied as text"),
        }),
        _ => Err(FileRefusal::NotThisFormat {
            line: 1,
            what: what("not a file of packs: its magic is missing"),
        }),
    }
}

/// Reads a block of whole packs; the last of a file may be cut off, and is refused then.
fn read_block(
    mut rest: &[u8],
    mut number: u64,
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    while !rest.is_empty() {
        let (mut pack, size) = PackReader::new(rest, LeafTag::Frame).map_err(|error| match error {
            CodecError::Truncated { .. } => FileRefusal::Truncated { line: number, what: error.to_string() },
            _ => refusal(number, &error),
        })?;
        while pack.advance().map_err(|error| refusal(number, &error))? {
            read_day(&pack, number, pace, tally)?;
            tally.summary.line_count = number;
            if tally.line_done(number).is_break() {
                return Ok(());
            }
            number += 1;
        }
        rest = &rest[size..];
    }
    Ok(())
}

/// Hands the day over packed; value by value, or to be refused, by its frame.
fn read_day(
    pack: &PackReader<'_>,
    number: u64,
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let day = pack.packed();
    if pace == Pace::ByLane
        && let Ok(header) = check_day(&day)
    {
        tally.day(&day, number, &header);
        return Ok(());
    }
    let mut frame = [0; LEAF_SIZE_MAX];
    let frame = &mut frame[..pack.leaf_size()];
    pack.write_leaf(frame);
    frames::read_frame(frame, number, pace, tally).map(|_| ())
}

/// Bytes behind a pack's last frame count as the frame after it.
fn refusal(frame: u64, error: &CodecError) -> FileRefusal {
    FileRefusal::Frame { frame, what: format!("pack: {error}") }
}
