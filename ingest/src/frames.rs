//! Day-block frames end to end: the fast way between machines of this system.
//!
//! The bytes are those of [`DayLeaf`], tag `Frame`. A file is ours or it is not: the first frame that is not
//! canonical refuses it.

use std::io::BufRead;
use std::ops::ControlFlow;

use tallywatt_core::quality::Quality;
use tallywatt_core::reading::RawReading;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::{DayLeaf, LEAF_SIZE_MAX, LeafTag};

use crate::refusal::FileRefusal;
use crate::tally::Tally;

/// Decodes a file of frames. `line` of a reading is the number of its frame.
pub(crate) fn decode(bytes: &mut dyn BufRead, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
    let mut window = Vec::with_capacity(2 * LEAF_SIZE_MAX);
    loop {
        fill(bytes, &mut window)?;
        if window.is_empty() {
            break;
        }
        let frame = tally.summary.line_count + 1;
        let size = hand_over(&window, frame, tally)?;
        window.drain(..size);
        tally.summary.line_count = frame;
        if let ControlFlow::Break(()) = tally.line_done(frame) {
            return Ok(());
        }
    }
    match tally.summary.line_count {
        0 => Err(FileRefusal::Empty),
        _ => Ok(()),
    }
}

/// Tops `window` up to the size of the largest frame, or to the end of the file.
fn fill(bytes: &mut dyn BufRead, window: &mut Vec<u8>) -> Result<(), FileRefusal> {
    while window.len() < LEAF_SIZE_MAX {
        let found = bytes.fill_buf().map_err(FileRefusal::from_io)?;
        if found.is_empty() {
            break;
        }
        let size = found.len().min(LEAF_SIZE_MAX);
        window.extend_from_slice(&found[..size]);
        bytes.consume(size);
    }
    Ok(())
}

fn hand_over(window: &[u8], frame: u64, tally: &mut Tally<'_>) -> Result<usize, FileRefusal> {
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
