//! The cut: what the shards hold becomes a sealed batch, partition by partition, on all threads.
//!
//! ```text
//!   partition p ─ days in order, pack by pack ───┐ by key, the newest copy  ┌ as sealed before? left out
//!               ├ let-go days, read back ─┐ sort ├──────────────────────────┴ else its next revision ─▶ PartitionSealer
//!               └ days in memory ─────────┴──────┘                                                         │
//!   writer ◀── partitions in order ◀── bounded queue ◀── summary, packs, index ◀───────────────────────────┘
//! ```
//!
//! Beside the leaves goes what is new of other kinds: what days that are not plain follow from, and what is of no day.
//!
//! Memory: of a partition a thread, what is sealed and the frames that were not in order, and as much again on the way to
//! the writer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use tallywatt_core::day_layers::DayState;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::{LeafTag, leaf_size};
use tallywatt_ledger::day_pack::PackReader;
use tallywatt_ledger::leaf_key::LeafKey;
use tallywatt_ledger::seal::{PARTITION_COUNT, SealError, SealKind};

use crate::batch_file::BatchFileError;
use crate::batch_file::writer::{BatchWriter, Sink};
use crate::day_slot;
use crate::day_table::Slot;
use crate::durable::DurableError;
use crate::lane::shard_of;
use crate::let_go::LetGoError;
use crate::partition_sealer::{PartitionSealer, Room, SealedPartition};
use crate::queues::{Receiver, bounded, scope};
use crate::shard::{EarlierDays, Shard};
use crate::write_ahead::WriteAheadReader;

/// The most threads that seal.
pub const SEALER_COUNT_MAX: usize = 64;

/// Why days cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// Days that were let go of cannot be had again.
    #[error(transparent)]
    LetGo(#[from] LetGoError),
    /// Days sealed before cannot be read.
    #[error(transparent)]
    Sealed(#[from] DurableError),
    /// The leaves cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The batch cannot be written.
    #[error(transparent)]
    BatchFile(#[from] BatchFileError),
}

/// What is sealed, and from where it is known.
pub struct Cut<'a> {
    /// The shards, in order.
    pub shards: &'a [Shard],
    /// Reads the days they let go of.
    pub reader: Option<&'a WriteAheadReader>,
    /// The days sealed before.
    pub earlier: &'a dyn EarlierDays,
    /// The ledger's secret.
    pub secret: &'a BlindingSecret,
    /// Threads to seal with, 1 to [`SEALER_COUNT_MAX`].
    pub thread_count: usize,
}

impl Cut<'_> {
    /// Seals all days that changed since they were sealed last into a batch, and gives its writer back.
    ///
    /// # Errors
    /// [`CutError`]; the shards are as they were.
    ///
    /// # Panics
    /// If the number of threads is out of range, or a thread panics.
    pub fn seal<S: Sink>(&self, mut writer: BatchWriter<S>) -> Result<BatchWriter<S>, CutError> {
        assert!((1..=SEALER_COUNT_MAX).contains(&self.thread_count), "1 to 64 threads");
        writer.put_events(&self.new_events()?)?;
        let tables = self.sorted_tables();
        let next = AtomicUsize::new(0);
        let (send, sealed) = bounded(2 * self.thread_count);
        scope(|threads| {
            // It ends with this closure, also on an error: then sending fails, and every thread ends.
            let sealed = sealed;
            let mut give_back = Vec::with_capacity(self.thread_count);
            for thread in 0..self.thread_count {
                // Nobody waits to give room back: there is never more of it than there are partitions.
                let (room, rooms) = bounded(PARTITION_COUNT);
                give_back.push(room);
                let (send, next, tables) = (send.clone(), &next, &tables);
                threads.spawn(move || {
                    self.seal_some(next, tables, &rooms, &|sealed| {
                        send.send(sealed.map(|part| (thread, part))).is_ok()
                    })
                });
            }
            drop(send);
            let mut early: BTreeMap<u8, (usize, SealedPartition)> = BTreeMap::new();
            let mut wanted = 0_u16;
            while let Ok(result) = sealed.recv() {
                let (thread, part) = result?;
                early.insert(part.summary.partition, (thread, part));
                while let Some((thread, part)) =
                    u8::try_from(wanted).ok().and_then(|partition| early.remove(&partition))
                {
                    writer.put(&part)?;
                    wanted += 1;
                    // The thread may have ended.
                    drop(give_back[thread].send(part.into()));
                }
            }
            Ok(writer)
        })
    }

    /// Everything new that is no leaf, in order.
    fn new_events(&self) -> Result<Vec<MeterEvent>, CutError> {
        let mut events = Vec::new();
        for shard in self.shards {
            for (key, partition, state) in shard.layered().states() {
                if self.is_new(shard, partition, key, state)? {
                    events.extend(state.events(key.block_key()));
                }
            }
            let of_no_day = shard.layered().events().iter().filter(|event| !self.earlier.holds(event));
            events.extend(of_no_day.cloned());
        }
        events.sort_unstable();
        events.dedup();
        Ok(events)
    }

    /// Whether what is known of a day is not as it was sealed before: then it goes with the leaf, or alone if that is
    /// the same.
    fn is_new(
        &self,
        shard: &Shard,
        partition: u8,
        key: &LeafKey,
        state: &DayState,
    ) -> Result<bool, CutError> {
        if self.earlier.state(partition, key)?.as_ref() != Some(state) {
            return Ok(true);
        }
        // All that a stamp says beside is in the leaf.
        let DayState::Stamped(_) = state else { return Ok(false) };
        let before = self.earlier.find(partition, key)?.map(|day| day.frame);
        let now = shard.newest_frame(partition, key, self.reader)?;
        Ok(now.is_some() && now != before)
    }

    /// The slots of each shard's days in memory, by partition and key.
    fn sorted_tables(&self) -> Vec<Vec<(u8, Slot)>> {
        scope(|threads| {
            let sort = |shard: &'_ Shard| {
                let table = shard.table();
                table.sorted().into_iter().map(|slot| (table.partition(slot), slot)).collect::<Vec<_>>()
            };
            let sorted: Vec<_> = self.shards.iter().map(|shard| threads.spawn(move || sort(shard))).collect();
            sorted.into_iter().map(|sorted| sorted.join().expect("sorting does not panic")).collect()
        })
    }

    fn seal_some(
        &self,
        next: &AtomicUsize,
        tables: &[Vec<(u8, Slot)>],
        rooms: &Receiver<Room>,
        pass_on: &dyn Fn(Result<SealedPartition, CutError>) -> bool,
    ) {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Ok(partition) = u8::try_from(at) else { return };
            // The disk is at work on what comes next while this one is sealed.
            self.will_need(at + self.thread_count);
            let room = rooms.try_recv().unwrap_or_default();
            if !pass_on(self.seal_partition(partition, tables, room)) {
                return;
            }
        }
    }

    fn will_need(&self, partition: usize) {
        if let (Ok(partition), Some(reader)) = (u8::try_from(partition), self.reader) {
            self.shards[shard_of(partition, self.shards.len())].in_order().will_need(partition, reader);
        }
    }

    fn seal_partition(
        &self,
        partition: u8,
        tables: &[Vec<(u8, Slot)>],
        room: Room,
    ) -> Result<SealedPartition, CutError> {
        let at = shard_of(partition, self.shards.len());
        let days = self.days(partition, &self.shards[at], &tables[at])?;
        let mut sealer = PartitionSealer::with_room(SealKind::Batch, partition, self.secret, room);
        let mut others = days.newest().peekable();
        let in_order = self.shards[at].in_order();
        in_order.each_of::<CutError>(partition, self.reader, &mut |packs| {
            each_day(packs, &mut |day| {
                let key = LeafKey::of_header(day.header());
                while let Some((other, frame)) = others.next_if(|(other, _)| **other < key) {
                    self.seal_frame(partition, other, frame, &mut sealer)?;
                }
                if let Some((_, frame)) = others.next_if(|(other, _)| **other == key) {
                    return self.seal_frame(partition, &key, frame, &mut sealer);
                }
                if self.earlier.find(partition, &key)?.is_some() {
                    let mut frame = vec![0; day.leaf_size()];
                    day.write_leaf(&mut frame);
                    return self.seal_frame(partition, &key, &frame, &mut sealer);
                }
                Ok(sealer.push_day(day)?)
            })
        })?;
        for (key, frame) in others {
            self.seal_frame(partition, key, frame, &mut sealer)?;
        }
        Ok(sealer.finish()?)
    }

    /// Seals a day if it is not as it was sealed before.
    fn seal_frame(
        &self,
        partition: u8,
        key: &LeafKey,
        frame: &[u8],
        sealer: &mut PartitionSealer<'_>,
    ) -> Result<(), CutError> {
        let Some(before) = self.earlier.find(partition, key)? else { return Ok(sealer.push(frame)?) };
        if before.frame == frame {
            return Ok(());
        }
        let mut leaf = frame.to_vec();
        day_slot::set_revision(&mut leaf, before.revision.saturating_add(1));
        Ok(sealer.push(&leaf)?)
    }

    /// Every copy of every day of a partition that was not in order, older before newer.
    fn days(&self, partition: u8, shard: &Shard, table: &[(u8, Slot)]) -> Result<Days, CutError> {
        let mut days = Days::default();
        if let Some(reader) = self.reader {
            shard.let_go().each_of(partition, reader, &mut |frame| days.push(frame))?;
        }
        let start = table.partition_point(|(other, _)| *other < partition);
        let own = table[start..].iter().take_while(|(other, _)| *other == partition);
        own.for_each(|(_, slot)| days.push(shard.table().frame(*slot)));
        days.sort();
        Ok(days)
    }
}

/// Gives each day of packs that stand end to end.
fn each_day(
    mut packs: &[u8],
    each: &mut dyn FnMut(&PackReader<'_>) -> Result<(), CutError>,
) -> Result<(), CutError> {
    while !packs.is_empty() {
        let (mut pack, size) = PackReader::new(packs, LeafTag::Frame).map_err(LetGoError::from)?;
        while pack.advance().map_err(LetGoError::from)? {
            each(&pack)?;
        }
        packs = &packs[size..];
    }
    Ok(())
}

/// Frames end to end, and where each is.
#[derive(Default)]
struct Days {
    frames: Vec<u8>,
    places: Vec<(LeafKey, usize)>,
}

impl Days {
    fn push(&mut self, frame: &[u8]) {
        self.places.push((LeafKey::of_header(day_slot::header_of(frame)), self.frames.len()));
        self.frames.extend_from_slice(frame);
    }

    fn sort(&mut self) {
        // What arrives in order is in order; of copies the newest stays last.
        if !self.places.is_sorted() {
            self.places.sort_unstable();
        }
    }

    fn newest(&self) -> impl Iterator<Item = (&LeafKey, &[u8])> {
        let copies = self.places.chunk_by(|a, b| a.0 == b.0);
        copies.map(|copies| {
            let (key, at) = &copies[copies.len() - 1];
            let size = leaf_size(day_slot::interval_count(day_slot::header_of(&self.frames[*at..])));
            (key, &self.frames[*at..*at + size])
        })
    }
}

const _: () = assert!(PARTITION_COUNT == 256);
