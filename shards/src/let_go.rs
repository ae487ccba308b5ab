//! Days that were let go of: written ahead, acknowledged, no longer in memory, found again where they were written.
//!
//! ```text
//!   table full ──▶ flight 1: filter │ partition 0: parts, partition 1: parts …
//!   full again ──▶ flight 2: …                     part = first key, last key, place in the write-ahead log
//!
//!   find: newest flight first; a flight whose filter says no is not looked into
//! ```
//!
//! A day that is found comes back into memory, is joined there, and is written ahead again as it then stands: so the
//! newest copy of a day is all of it.

use tallywatt_ledger::day_leaf::{LEAF_SIZE_MAX, LeafTag};
use tallywatt_ledger::day_pack::PackReader;
use tallywatt_ledger::leaf_key::LeafKey;

use crate::day_slot;
use crate::day_table::DayTable;
use crate::key_filter::KeyFilter;
use crate::lane::DayPart;
use crate::write_ahead::{RecordPlace, WriteAheadError, WriteAheadReader};

/// Days of one partition in one record.
#[derive(Debug, Clone, Copy)]
struct WrittenPart {
    first: LeafKey,
    last: LeafKey,
    place: RecordPlace,
    start: u32,
    size: u32,
}

/// What was let go of at once.
#[derive(Debug)]
struct Flight {
    filter: KeyFilter,
    /// By partition, then in the order they were written.
    parts: Vec<(u8, WrittenPart)>,
}

/// The days a shard let go of.
#[derive(Debug, Default)]
pub struct LetGo {
    flights: Vec<Flight>,
    /// Parts written since the last flight.
    open: Vec<(u8, WrittenPart)>,
}

/// Why a day that was let go of cannot be had again.
#[derive(Debug, thiserror::Error)]
pub enum LetGoError {
    /// The log cannot be read.
    #[error(transparent)]
    WriteAhead(#[from] WriteAheadError),
    /// What is read is not what was written.
    #[error("days written ahead are damaged: {0}")]
    Damaged(#[from] tallywatt_ledger::codec::CodecError),
}

impl LetGo {
    /// Notes where days were written: `start` is where their packs begin in the record.
    ///
    /// # Panics
    /// If they are past 4 GiB.
    pub fn note(&mut self, part: &DayPart, place: RecordPlace, start: u32) {
        let DayPart { partition, first, last, size, .. } = *part;
        let size = u32::try_from(size).expect("a record is below 4 GiB");
        self.open.push((partition, WrittenPart { first, last, place, start, size }));
    }

    /// Lets go of a table's days: what was noted since the last time is where they are.
    pub fn let_go(&mut self, table: &mut DayTable) {
        let mut filter = KeyFilter::new(table.len());
        table.keys().for_each(|key| filter.insert(&key));
        let mut parts = std::mem::take(&mut self.open);
        parts.sort_by_key(|(partition, _)| *partition);
        self.flights.push(Flight { filter, parts });
        table.clear();
    }

    /// Whether nothing was let go of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Forgets everything: what was let go of is sealed.
    pub fn clear(&mut self) {
        self.flights.clear();
        self.open.clear();
    }

    /// The newest frame of a day.
    ///
    /// # Errors
    /// [`LetGoError`].
    pub fn find(
        &self,
        partition: u8,
        key: &LeafKey,
        reader: &WriteAheadReader,
    ) -> Result<Option<Vec<u8>>, LetGoError> {
        for flight in self.flights.iter().rev().filter(|flight| flight.filter.may_hold(key)) {
            for part in flight.of(partition).rev().filter(|part| (part.first..=part.last).contains(key)) {
                let mut found = None;
                each_frame(&read(part, reader)?, &mut |frame| {
                    if LeafKey::of_header(day_slot::header_of(frame)) == *key {
                        found = Some(frame.to_vec());
                    }
                })?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Every frame of a partition, older copies of a day before newer ones.
    ///
    /// # Errors
    /// [`LetGoError`].
    pub fn each_of(
        &self,
        partition: u8,
        reader: &WriteAheadReader,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<(), LetGoError> {
        for part in self.flights.iter().flat_map(|flight| flight.of(partition)) {
            each_frame(&read(part, reader)?, each)?;
        }
        Ok(())
    }
}

impl Flight {
    fn of(&self, partition: u8) -> impl DoubleEndedIterator<Item = &WrittenPart> {
        let start = self.parts.partition_point(|(other, _)| *other < partition);
        let end = self.parts.partition_point(|(other, _)| *other <= partition);
        self.parts[start..end].iter().map(|(_, part)| part)
    }
}

fn read(part: &WrittenPart, reader: &WriteAheadReader) -> Result<Vec<u8>, WriteAheadError> {
    let mut packs = vec![0; part.size as usize];
    reader.read_at(part.place, part.start, &mut packs)?;
    Ok(packs)
}

/// Every frame of packs that stand end to end.
///
/// # Errors
/// The first thing in them that is not canonical.
pub fn each_frame(
    mut packs: &[u8],
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), tallywatt_ledger::codec::CodecError> {
    let mut frame = [0; LEAF_SIZE_MAX];
    while !packs.is_empty() {
        let (mut pack, size) = PackReader::new(packs, LeafTag::Frame)?;
        while pack.advance()? {
            let frame = &mut frame[..pack.leaf_size()];
            pack.write_leaf(frame);
            each(frame);
        }
        packs = &packs[size..];
    }
    Ok(())
}
