//! Where each leaf lies in a batch file's bytes: to name what a damaged byte belongs to.

use std::ops::Range;

use tallywatt_core::meter_event::MeterEvent;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::PackReader;
use tallywatt_ledger::meter_event_bytes::decode_events;
use tallywatt_ledger::packed_values::{packed_size, width_of};
use tallywatt_ledger::seal::SealKind;

use super::HEADER_SIZE;
use super::layout::Footer;
use crate::batch_file::{BATCH_EVENTS_VERSION, BatchFileError, FOOTER_SIZE};

/// A packed leaf in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafPlace {
    /// Its pack.
    pub pack: Range<usize>,
    /// Index in its pack.
    pub within: usize,
    /// Its bytes.
    pub bytes: Range<usize>,
    /// Its packed values, the last part of these.
    pub values: Range<usize>,
    /// Bits of a value.
    pub width: u8,
    /// The leaf, with a blinding of zeros.
    pub leaf: DayLeaf,
}

/// The leaves of a file, as far as they can be read from its beginning on, and why no further. It asks for no
/// hashes and no index, so that it also reads what is damaged.
#[must_use]
pub fn places(kind: SealKind, bytes: &[u8]) -> (Vec<LeafPlace>, Option<BatchFileError>) {
    let mut places = Vec::new();
    let footer_at = bytes.len().saturating_sub(FOOTER_SIZE);
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let has_events = bytes.get(8) == Some(&BATCH_EVENTS_VERSION);
    let footer = Footer::decode(&bytes[footer_at..], size, has_events).ok();
    let end = footer.and_then(|(footer, _)| usize::try_from(footer.index_at).ok()).unwrap_or(footer_at);
    let (mut at, mut pack) = (HEADER_SIZE, 0);
    while at < end {
        match places_in_pack(kind, &bytes[..end], at, pack, &mut places) {
            Ok(size) => at += size,
            Err(error) => return (places, Some(error)),
        }
        pack += 1;
    }
    (places, None)
}

/// The events of a file, as far as its footer says where they are; none if it does not. It asks for no hashes either.
///
/// # Errors
/// [`CodecError`] if they are not canonical.
pub fn events(bytes: &[u8]) -> Result<Vec<MeterEvent>, CodecError> {
    let footer_at = bytes.len().saturating_sub(FOOTER_SIZE);
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let has_events = bytes.get(8) == Some(&BATCH_EVENTS_VERSION);
    let footer = Footer::decode(&bytes[footer_at..], size, has_events).ok().filter(|_| has_events);
    let start = footer.and_then(|(footer, _)| usize::try_from(footer.index_at + footer.index_size()).ok());
    start.map_or(Ok(Vec::new()), |start| decode_events(&bytes[start..footer_at]))
}

/// Leaf `within` of a pack, if it and those before it can be read.
#[must_use]
pub fn leaf_in_pack(kind: SealKind, pack: &[u8], within: usize) -> Option<DayLeaf> {
    let mut places = Vec::new();
    // An error behind the leaf does not matter.
    let _ = places_in_pack(kind, pack, 0, 0, &mut places);
    places.into_iter().nth(within).map(|place| place.leaf)
}

fn places_in_pack(
    kind: SealKind,
    bytes: &[u8],
    at: usize,
    pack: usize,
    places: &mut Vec<LeafPlace>,
) -> Result<usize, BatchFileError> {
    let mut within = 0;
    let refuse = |within, source| BatchFileError::Pack { pack, within, source };
    let (mut reader, size) =
        PackReader::new(&bytes[at..], kind.leaf_tag()).map_err(|source| refuse(0, source))?;
    loop {
        let start = at + reader.offset();
        if !reader.advance().map_err(|source| refuse(within, source))? {
            return Ok(size);
        }
        let mut leaf = vec![0; reader.leaf_size()];
        reader.write_leaf(&mut leaf);
        let leaf = DayLeaf::decode(&leaf).map_err(|source| BatchFileError::Leaf { pack, within, source })?;
        let width = width_of(reader.values_wh());
        let end = at + reader.offset();
        let values = end - packed_size(reader.values_wh().len(), width)..end;
        places.push(LeafPlace { pack: at..at + size, within, bytes: start..end, values, width, leaf });
        within += 1;
    }
}
