//! A day as it is held while it fills up: the bytes of its frame, changed in place.
//!
//! ```text
//!   header 48 │ zeros 32 │ 4N values │ N qualities │ zeros        what is hashed, packed and billed later
//! ```
//!
//! No other form of a day exists between the wire and the sealed leaf, so nothing is converted on the way.

use std::ops::Range;

use tallywatt_core::calendar::{Day, LocalDay, UtcSeconds};
use tallywatt_core::day_block::{DayGrid, MergeCounts, join_counted};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ledger::day_leaf::{HEADER_SIZE, LEAF_VERSION, LeafTag, leaf_size};
use tallywatt_ledger::day_pack::Header;

const VALUES_AT: usize = 80;
const SOURCE_AT: usize = 6;
const REVISION_AT: usize = 7;
const DAY_AT: Range<usize> = 8..12;
const COUNT_AT: Range<usize> = 12..14;
const MIDNIGHT_AT: usize = 14;
const POINT_AT: usize = 15;

/// The first bytes of a frame.
///
/// # Panics
/// If there are fewer.
#[must_use]
pub fn header_of(frame: &[u8]) -> &Header {
    frame.first_chunk::<HEADER_SIZE>().expect("a frame has a header")
}

/// The day of a frame.
///
/// # Panics
/// If the header is of no canonical frame.
#[must_use]
pub fn day_of(header: &Header) -> Day {
    let number = i32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    Day::from_number(number).expect("frames are checked before they are held")
}

/// The grid of a frame.
#[must_use]
pub fn grid_of(header: &Header) -> DayGrid {
    let quarters = i64::from(i8::from_le_bytes([header[MIDNIGHT_AT]]));
    DayGrid {
        start: UtcSeconds(i64::from(day_of(header).number()) * 86_400 - quarters * 900),
        interval_minutes: header[2],
        interval_count: interval_count(header),
    }
}

/// How many intervals a frame has.
#[must_use]
pub fn interval_count(header: &Header) -> usize {
    usize::from(u16::from_le_bytes([header[COUNT_AT.start], header[COUNT_AT.start + 1]]))
}

/// Its source's code.
#[must_use]
pub const fn source_of(header: &Header) -> u8 {
    header[SOURCE_AT]
}

/// Sets its source.
pub fn set_source(frame: &mut [u8], source: u8) {
    frame[SOURCE_AT] = source;
}

/// Sets its revision: then it is a leaf to be sealed, no frame any more.
pub fn set_revision(leaf: &mut [u8], revision: u8) {
    leaf[REVISION_AT] = revision;
}

/// The header of a day without a value; `None` if intervals of that length do not fill it, or it does not begin a
/// whole number of quarter-hours from UTC midnight.
#[must_use]
pub fn empty_header(
    usage_point: &[u8; 33],
    register: Register,
    local: &LocalDay,
    minutes: u8,
    source: Source,
) -> Option<Header> {
    let count = local.interval_count(minutes)?;
    let seconds = i64::from(local.day.number()) * 86_400 - local.start.0;
    let quarters =
        i8::try_from(seconds / 900).ok().filter(|quarters| seconds % 900 == 0 && quarters.abs() <= 96)?;
    let mut header = [0; HEADER_SIZE];
    header[..SOURCE_AT + 1].copy_from_slice(&[
        LEAF_VERSION,
        LeafTag::Frame as u8,
        minutes,
        register.channel,
        register.flow.group_c(),
        register.zone,
        source.code(),
    ]);
    header[DAY_AT].copy_from_slice(&local.day.number().to_le_bytes());
    header[COUNT_AT].copy_from_slice(&count.to_le_bytes());
    header[MIDNIGHT_AT] = quarters.to_le_bytes()[0];
    header[POINT_AT..].copy_from_slice(usage_point);
    Some(header)
}

/// Writes the frame of a day without a value.
///
/// # Panics
/// If `frame` is not its size.
pub fn write_empty(header: &Header, frame: &mut [u8]) {
    let count = interval_count(header);
    assert_eq!(frame.len(), leaf_size(count), "the frame fits its place");
    frame.fill(0);
    frame[..HEADER_SIZE].copy_from_slice(header);
    frame[VALUES_AT + 4 * count..][..count].fill(Quality::Missing.code());
}

/// The values, four bytes each, and the qualities of a frame.
#[must_use]
pub fn parts(frame: &[u8]) -> (&[[u8; 4]], &[u8]) {
    let count = interval_count(header_of(frame));
    let (values, rest) = frame[VALUES_AT..].split_at(4 * count);
    (values.as_chunks().0, &rest[..count])
}

/// The value and quality of one interval.
///
/// # Panics
/// If there is no such interval, or the frame is not canonical.
#[must_use]
pub fn interval(frame: &[u8], at: usize) -> (i32, Quality) {
    let (values, qualities) = parts(frame);
    let quality = Quality::from_code(qualities[at]).expect("frames are checked before they are held");
    (i32::from_le_bytes(values[at]), quality)
}

/// Joins one delivered value in, and says whether the frame is another now.
///
/// # Panics
/// If there is no such interval, or the value is negative.
pub fn put(frame: &mut [u8], at: usize, delivered: (i32, Quality), counts: &mut MergeCounts) -> bool {
    assert!(delivered.0 >= 0, "negative values are rejected before they reach a day");
    let known = interval(frame, at);
    let stands = join_counted(known, delivered, counts);
    if stands == known {
        return false;
    }
    let count = interval_count(header_of(frame));
    frame[VALUES_AT + 4 * at..][..4].copy_from_slice(&stands.0.to_le_bytes());
    frame[VALUES_AT + 4 * count + at] = stands.1.code();
    true
}

/// Puts delivered values, none of them negative, into consecutive intervals if none of these has a value: what [`put`] does
/// for each. Says whether it did.
///
/// # Panics
/// If there are no such intervals, or a value is past `i32`.
pub fn put_new(frame: &mut [u8], first: usize, values_wh: &[i64], quality: Quality) -> bool {
    let count = interval_count(header_of(frame));
    let (values, codes) = frame[VALUES_AT..].split_at_mut(4 * count);
    let codes = &mut codes[..count][first..first + values_wh.len()];
    let missing = Quality::Missing.code();
    if quality == Quality::Missing || codes.iter().any(|code| *code != missing) {
        return false;
    }
    codes.fill(quality.code());
    let places = &mut values.as_chunks_mut::<4>().0[first..first + values_wh.len()];
    for (place, &wh) in places.iter_mut().zip(values_wh) {
        *place = i32::try_from(wh).expect("values within the ceiling were checked to fit").to_le_bytes();
    }
    true
}

/// Whether a frame has no value.
#[must_use]
pub fn is_blank(frame: &[u8]) -> bool {
    parts(frame).1.iter().all(|code| *code == Quality::Missing.code())
}

/// Whether a delivered value differs from one of equal rank that is known: then both are to be kept.
///
/// # Panics
/// If there are no such intervals.
#[must_use]
pub fn has_conflict(frame: &[u8], first: usize, values_wh: &[i64], quality: Quality) -> bool {
    let (values, codes) = parts(frame);
    let known = values[first..].iter().zip(&codes[first..]).zip(values_wh);
    let rank_of = |code: u8| Quality::from_code(code).map_or(0, Quality::rank);
    quality != Quality::Missing
        && known.into_iter().any(|((value, code), wh)| {
            rank_of(*code) == quality.rank() && i64::from(i32::from_le_bytes(*value)) != *wh
        })
}

/// Whether delivered values say nothing else than what is known where there is a value.
///
/// # Panics
/// If there are no such intervals.
#[must_use]
pub fn agrees(frame: &[u8], first: usize, values_wh: &[i64], quality: Quality) -> bool {
    let (values, codes) = parts(frame);
    let known = values[first..].iter().zip(&codes[first..]).zip(values_wh);
    known.into_iter().all(|((value, code), wh)| {
        let rank = Quality::from_code(*code).map_or(0, Quality::rank);
        rank == 0 || (rank == quality.rank() && i64::from(i32::from_le_bytes(*value)) == *wh)
    })
}

/// Joins another delivery of the same day on the same grid in: what replaying a record does. Says whether the frame is
/// another now.
///
/// # Panics
/// If the grids differ.
pub fn join_frame(frame: &mut [u8], other: &[u8], counts: &mut MergeCounts) -> bool {
    assert_eq!(grid_of(header_of(frame)), grid_of(header_of(other)), "days of one grid are joined");
    let mut changed = false;
    for at in 0..interval_count(header_of(other)) {
        changed |= put(frame, at, interval(other, at), counts);
    }
    let source = source_of(header_of(other));
    if source > source_of(header_of(frame)) {
        set_source(frame, source);
        changed = true;
    }
    changed
}
