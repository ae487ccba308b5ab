//! Days that arrived whole, each past all that its partition had before: kept as they were packed, and nowhere else.
//!
//! ```text
//!   partition p:  part │ part │ part │ … │ open        ascending, no two overlap: a key is in at most one
//!                   │     │
//!                   │     └─ packs in memory, while there is room
//!                   └─ its place in the write-ahead log, once it is durable
//! ```
//!
//! Most days are delivered once, by a file in order. Such a day takes the quarter of its frame, no slot and no entry in an
//! index. Should it be delivered again, its pack is found by the range of its part, and the day goes on in the
//! shard's table; the copy here is then older than any other. Whoever asks for one day mostly asks for the next one then,
//! so the keys of the pack that was looked into last are kept.

use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::LeafTag;
use tallywatt_ledger::day_pack::{PackReader, PackWriter};
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::seal::PARTITION_COUNT;

use crate::lane::{DayPart, Outcome};
use crate::let_go::LetGoError;
use crate::write_ahead::{RecordPlace, WriteAheadReader};

/// Days of one partition in one record.
#[derive(Debug)]
struct Part {
    first: LeafKey,
    last: LeafKey,
    size: usize,
    packs: Option<Box<[u8]>>,
    /// The record, and where in its payload the packs begin.
    place: Option<(RecordPlace, u32)>,
}

#[derive(Debug, Default)]
struct Partition {
    parts: Vec<Part>,
    /// The parts up to here are durable.
    written_count: usize,
}

/// The part that is being filled.
#[derive(Debug, Default)]
struct Open {
    partition: u8,
    range: Option<(LeafKey, LeafKey)>,
    packs: Vec<u8>,
    pack: PackWriter,
}

/// A pack that was looked into.
#[derive(Debug)]
struct Seen {
    pack: Vec<u8>,
    keys: Vec<LeafKey>,
    /// The first key of the pack behind it; none in the last of a part.
    next: Option<LeafKey>,
}

/// The days of a shard that arrived whole and in order.
#[derive(Debug)]
pub struct InOrder {
    partitions: Vec<Partition>,
    open: Open,
    size: usize,
    /// The last one looked into, of this partition and part.
    seen: Option<(u8, usize, Seen)>,
}

impl Default for InOrder {
    fn default() -> Self {
        let mut partitions = Vec::new();
        partitions.resize_with(PARTITION_COUNT, Partition::default);
        Self { partitions, open: Open::default(), size: 0, seen: None }
    }
}

impl InOrder {
    /// Bytes of the packs in memory.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The pack that the next day of the open part goes into.
    ///
    /// # Panics
    /// If the day is not after all days of its partition here, or the open part is another partition's.
    pub(crate) fn pack_for(&mut self, partition: u8, key: LeafKey) -> &mut PackWriter {
        let open = &mut self.open;
        match &mut open.range {
            Some((_, last)) => {
                assert!(open.partition == partition && *last < key, "a part is one partition's, in order");
                *last = key;
            }
            range => {
                let before = self.partitions[usize::from(partition)].parts.last();
                assert!(before.is_none_or(|part| part.last < key), "parts are in order");
                (open.partition, *range) = (partition, Some((key, key)));
            }
        }
        open.pack.make_room(&mut open.packs);
        &mut open.pack
    }

    /// Ends the open part, if there is one: it goes into the record, and stays here.
    pub(crate) fn close(&mut self, outcome: &mut Outcome) {
        let Open { partition, range, packs, pack } = &mut self.open;
        let Some((first, last)) = range.take() else { return };
        pack.finish(packs);
        let (offset, size) = (outcome.packs.len(), packs.len());
        outcome.packs.extend_from_slice(packs);
        outcome.parts.push(DayPart { partition: *partition, first, last, offset, size, is_in_order: true });
        let part = Part { first, last, size, packs: Some(packs.as_slice().into()), place: None };
        self.partitions[usize::from(*partition)].parts.push(part);
        self.size += size;
        packs.clear();
    }

    /// Learns where the first part that is not durable yet was written.
    ///
    /// # Panics
    /// If there is no such part.
    pub(crate) fn written(&mut self, partition: u8, place: RecordPlace, start: u32) {
        let Partition { parts, written_count } = &mut self.partitions[usize::from(partition)];
        parts[*written_count].place = Some((place, start));
        *written_count += 1;
    }

    /// Adds a part that was written before.
    ///
    /// # Panics
    /// If it is not after all parts of its partition.
    pub(crate) fn replay(&mut self, part: &DayPart, place: RecordPlace, start: u32) {
        let DayPart { partition, first, last, size, .. } = *part;
        let Partition { parts, written_count } = &mut self.partitions[usize::from(partition)];
        assert!(parts.last().is_none_or(|before| before.last < first), "parts are in order");
        parts.push(Part { first, last, size, packs: None, place: Some((place, start)) });
        *written_count += 1;
    }

    /// Keeps no packs in memory: they are found where they were written.
    ///
    /// # Panics
    /// If some are not durable.
    pub(crate) fn let_go(&mut self) {
        assert!(self.open.range.is_none(), "only durable days are let go of");
        for Partition { parts, written_count } in &mut self.partitions {
            assert_eq!(parts.len(), *written_count, "only durable days are let go of");
            // What is in memory came last.
            for part in parts.iter_mut().rev().take_while(|part| part.packs.is_some()) {
                part.packs = None;
            }
        }
        self.size = 0;
    }

    /// Forgets every day.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The pack that holds a day, if it is here.
    ///
    /// # Errors
    /// [`LetGoError`].
    pub(crate) fn find(
        &mut self,
        partition: u8,
        key: &LeafKey,
        reader: Option<&WriteAheadReader>,
    ) -> Result<Option<Vec<u8>>, LetGoError> {
        let open = &mut self.open;
        if open.partition == partition
            && open.range.is_some_and(|(first, last)| first <= *key && *key <= last)
        {
            // A pack may be shorter than it could be.
            open.pack.finish(&mut open.packs);
            return Ok(Seen::at(&open.packs, key)?.filter(|seen| seen.holds(key)).map(|seen| seen.pack));
        }
        let parts = &self.partitions[usize::from(partition)].parts;
        let at = parts.partition_point(|part| part.last < *key);
        let Some(part) = parts.get(at).filter(|part| part.first <= *key) else { return Ok(None) };
        let is_seen =
            |(of, other, seen): &(u8, usize, Seen)| (*of, *other) == (partition, at) && seen.spans(key);
        if !self.seen.as_ref().is_some_and(is_seen) {
            let seen = Seen::at(part.packs(reader, &mut Vec::new())?, key)?;
            self.seen = seen.map(|seen| (partition, at, seen));
        }
        let seen = self.seen.as_ref().map(|(_, _, seen)| seen).filter(|seen| seen.holds(key));
        Ok(seen.map(|seen| seen.pack.clone()))
    }

    /// Says that a partition will be asked for soon, so that what was let go of is fetched meanwhile.
    pub(crate) fn will_need(&self, partition: u8, reader: &WriteAheadReader) {
        let let_go = self.partitions[usize::from(partition)].parts.iter().filter(|part| part.packs.is_none());
        for part in let_go {
            if let Some((place, start)) = part.place {
                reader.will_need(place, start, part.size);
            }
        }
    }

    /// Gives the packs of each part of a partition, in order.
    ///
    /// # Errors
    /// [`LetGoError`], or what `each` gave.
    pub(crate) fn each_of<E: From<LetGoError>>(
        &self,
        partition: u8,
        reader: Option<&WriteAheadReader>,
        each: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let parts = &self.partitions[usize::from(partition)].parts;
        let mut read = Vec::new();
        parts.iter().try_for_each(|part| each(part.packs(reader, &mut read)?))
    }
}

impl Part {
    /// Its packs: as held, or read into `read`.
    fn packs<'a>(
        &'a self,
        reader: Option<&WriteAheadReader>,
        read: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], LetGoError> {
        if let Some(packs) = &self.packs {
            return Ok(packs);
        }
        let (place, start) = self.place.expect("what is not in memory is durable");
        read.resize(self.size, 0);
        reader.expect("only what can be read again is let go of").read_at(place, start, read)?;
        Ok(read)
    }
}

impl Seen {
    /// Of packs end to end the one that holds the day if any does: the last that begins no later.
    fn at(packs: &[u8], key: &LeafKey) -> Result<Option<Self>, CodecError> {
        let (mut rest, mut last, mut next) = (packs, None, None);
        while !rest.is_empty() {
            let (mut pack, size) = PackReader::new(rest, LeafTag::Frame)?;
            pack.advance()?;
            let first = LeafKey::of_header(pack.header());
            if first > *key {
                next = Some(first);
                break;
            }
            (last, rest) = (Some(&rest[..size]), &rest[size..]);
        }
        let Some(bytes) = last else { return Ok(None) };
        let (mut pack, mut keys) = (PackReader::new(bytes, LeafTag::Frame)?.0, Vec::new());
        while pack.advance()? {
            keys.push(LeafKey::of_header(pack.header()));
        }
        Ok(Some(Self { pack: bytes.to_vec(), keys, next }))
    }

    /// Whether no other pack of its part can hold the day.
    fn spans(&self, key: &LeafKey) -> bool {
        self.keys.first().is_some_and(|first| first <= key) && self.next.is_none_or(|next| *key < next)
    }

    fn holds(&self, key: &LeafKey) -> bool {
        self.keys.binary_search(key).is_ok()
    }
}
