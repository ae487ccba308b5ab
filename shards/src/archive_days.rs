//! The days of a stripe, unpacked, and in what order they are rows.
//!
//! ```text
//!   packs of a partition ─▶ PartitionDays ─┐
//!   packs of a partition ─▶ PartitionDays ─┼─▶ a day: places, sorted by usage point and register
//!     (side by side)            …         ─┘        └─▶ register-days, a row group at a time
//! ```

use std::collections::BTreeMap;

use rayon::prelude::*;
use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::{BlockKey, INTERVAL_COUNT_MAX};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{LABEL_SIZE_MAX, UsagePointId};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_pack::{Header, PACK_LEAF_COUNT_MAX, PackReader, Qualities};
use tallywatt_ledger::hash_many::Digest;
use tallywatt_ledger::leaf_key::is_after;

use crate::archive::ArchiveError;
use crate::archive_rows::{DayQualities, HashedDay, RegisterDay};
use crate::archive_stripes::{Name, Stripe, name_of};
use crate::batch_file::BatchFileError;
use crate::batch_file::reader::BatchReader;
use crate::partition_sealer::LeafGroup;

/// Bytes of a name that are compared as a number.
const NAME_PART_SIZE: usize = 8;

/// The days of a stripe.
pub(crate) struct StripeDays {
    parts: Vec<PartitionDays>,
    /// Each day's places, in the order of its rows.
    pub(crate) days: Vec<(Day, Vec<Place>)>,
}

/// Where a register's day is held, and its usage point as a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    name: u64,
    index: u32,
    part: u16,
    row_count: u16,
}

impl Place {
    /// How many readings the day has.
    pub(crate) fn row_count(&self) -> usize {
        usize::from(self.row_count)
    }
}

/// The days of a stripe in one partition, in the order of their leaves.
#[derive(Default)]
struct PartitionDays {
    days: Vec<StoredDay>,
    values_wh: Vec<i32>,
    /// Of the days that have several.
    qualities: Vec<Quality>,
    /// Of every leaf, if they were asked for.
    leaf_hashes: Vec<Digest>,
}

struct StoredDay {
    usage_point: UsagePointId,
    register: Register,
    day: Day,
    start: UtcSeconds,
    interval_minutes: u8,
    revision: u8,
    row_count: u16,
    values_at: usize,
    qualities: StoredQualities,
}

enum StoredQualities {
    All(Quality),
    At(usize),
}

impl StripeDays {
    /// Reads and unpacks a stripe. With the ledger's secret every pack is also hashed and compared with the index.
    pub(crate) fn read(
        reader: &BatchReader<'_>,
        stripe: &Stripe,
        secret: Option<&BlindingSecret>,
    ) -> Result<Self, ArchiveError> {
        let partitions: Vec<u8> = stripe.partitions.clone().filter_map(|at| u8::try_from(at).ok()).collect();
        let parts: Vec<Result<PartitionDays, BatchFileError>> =
            partitions.into_par_iter().map(|at| PartitionDays::read(reader, stripe, at, secret)).collect();
        let parts: Vec<PartitionDays> = parts.into_iter().collect::<Result<_, _>>()?;
        let mut stripe = Self { days: Vec::new(), parts };
        stripe.sort()?;
        Ok(stripe)
    }

    /// The day at a place.
    pub(crate) fn register_day(&self, place: &Place) -> RegisterDay<'_> {
        let (part, day) = self.at(place);
        let count = usize::from(day.row_count);
        RegisterDay {
            usage_point: day.usage_point,
            register: day.register,
            start: day.start,
            interval_seconds: i32::from(day.interval_minutes) * 60,
            values_wh: &part.values_wh[day.values_at..day.values_at + count],
            qualities: match day.qualities {
                StoredQualities::All(quality) => DayQualities::All(quality),
                StoredQualities::At(at) => DayQualities::Each(&part.qualities[at..at + count]),
            },
            revision: i32::from(day.revision),
        }
    }

    /// The day at a place, and the hash of its leaf.
    ///
    /// # Panics
    /// If the stripe was read without the ledger's secret.
    pub(crate) fn hashed_day(&self, place: &Place) -> HashedDay<'_> {
        let index = usize::try_from(place.index).expect("an index in memory");
        let leaf_hash = ContentHash(self.parts[usize::from(place.part)].leaf_hashes[index]);
        HashedDay { day: self.register_day(place), leaf_hash }
    }

    fn at(&self, place: &Place) -> (&PartitionDays, &StoredDay) {
        let part = &self.parts[usize::from(place.part)];
        (part, &part.days[usize::try_from(place.index).expect("an index in memory")])
    }

    fn sort(&mut self) -> Result<(), ArchiveError> {
        let skipped = self.shared_size();
        let mut days: BTreeMap<Day, Vec<Place>> = BTreeMap::new();
        for (part, held) in (0..).zip(&self.parts) {
            for (index, day) in (0..).zip(&held.days) {
                let name = name_part(day.usage_point.padded(), skipped);
                days.entry(day.day).or_default().push(Place { name, index, part, row_count: day.row_count });
            }
        }
        let days: Vec<(Day, Vec<Place>)> = days.into_iter().collect();
        self.days = days
            .into_par_iter()
            .map(|(day, places)| Ok((day, self.in_row_order(places)?)))
            .collect::<Result<_, ArchiveError>>()?;
        Ok(())
    }

    fn in_row_order(&self, mut places: Vec<Place>) -> Result<Vec<Place>, ArchiveError> {
        let rest = |place: &Place| {
            let day = self.at(place).1;
            (day.usage_point, register_number(day.register))
        };
        places.sort_unstable_by(|a, b| a.name.cmp(&b.name).then_with(|| rest(a).cmp(&rest(b))));
        let repeated =
            places.windows(2).find(|pair| pair[0].name == pair[1].name && rest(&pair[0]) == rest(&pair[1]));
        match repeated.map(|pair| self.at(&pair[0]).1) {
            Some(StoredDay { usage_point, register, day, .. }) => {
                let (usage_point, register, day) = (*usage_point, *register, *day);
                Err(ArchiveError::Repeated(BlockKey { usage_point, register, day }))
            }
            None => Ok(places),
        }
    }

    /// How many bytes all names begin with alike: those of a partition are sorted, so its ends tell.
    fn shared_size(&self) -> usize {
        let ends = || {
            let ends = self.parts.iter().flat_map(|part| [part.days.first(), part.days.last()]);
            ends.flatten().map(|day| day.usage_point.padded())
        };
        let (Some(least), Some(most)) = (ends().min(), ends().max()) else { return 0 };
        least.iter().zip(most).take_while(|(a, b)| a == b).count()
    }
}

impl PartitionDays {
    fn read(
        reader: &BatchReader<'_>,
        stripe: &Stripe,
        partition: u8,
        secret: Option<&BlindingSecret>,
    ) -> Result<Self, BatchFileError> {
        let packs = stripe.packs_of(reader, partition);
        let mut days = Self::default();
        if let Some(first) = packs.clone().next() {
            let leaf_count = packs.len() * PACK_LEAF_COUNT_MAX;
            let row_count = row_count_of(&reader.entry(first).first).min(INTERVAL_COUNT_MAX);
            days.days.reserve(leaf_count);
            days.values_wh.reserve(leaf_count * usize::from(row_count));
        }
        let mut group = secret.map(|secret| LeafGroup::new(reader.kind(), partition, secret));
        let mut last: Option<Header> = None;
        let ends = [packs.start, packs.end.saturating_sub(1)];
        let mut packs = reader.packs(packs);
        while let Some((pack, bytes)) = packs.next_pack()? {
            let refuse = |within: usize, source| BatchFileError::Pack { pack, within, source };
            let (mut unpacked, size) =
                PackReader::new(bytes, reader.kind().leaf_tag()).map_err(|source| refuse(0, source))?;
            if size != bytes.len() {
                return Err(refuse(0, CodecError::Value { field: "pack size", at: 0 }));
            }
            let entry = reader.entry(pack);
            let mut within = 0;
            let mut taken = [false; PACK_LEAF_COUNT_MAX];
            while unpacked.advance().map_err(|source| refuse(within, source))? {
                let header = unpacked.header();
                if within == 0 && entry.first != *header {
                    return Err(BatchFileError::First { pack });
                }
                if last.as_ref().is_some_and(|last| !is_after(last, header)) {
                    return Err(BatchFileError::Order { pack, within });
                }
                last = Some(*header);
                taken[within] = !ends.contains(&pack) || stripe.contains(&name_of(header));
                if taken[within] {
                    days.push(&unpacked).map_err(|source| BatchFileError::Leaf { pack, within, source })?;
                }
                if let Some(group) = &mut group {
                    unpacked.write_leaf(group.place(unpacked.leaf_size()));
                }
                within += 1;
            }
            let Some(group) = &mut group else { continue };
            if let Some(within) = group.misplaced() {
                return Err(BatchFileError::Place { pack, within });
            }
            if group.seal() != entry.top {
                return Err(BatchFileError::Top { partition, pack });
            }
            let hashes = group.digests().iter().zip(taken).filter(|(_, taken)| *taken);
            days.leaf_hashes.extend(hashes.map(|(hash, _)| hash));
            assert_eq!(days.leaf_hashes.len(), days.days.len(), "a hash a leaf");
            group.clear();
        }
        Ok(days)
    }

    fn push(&mut self, unpacked: &PackReader<'_>) -> Result<(), CodecError> {
        let header = unpacked.header();
        let refuse = |field, at| CodecError::Value { field, at };
        let name = name_of(header);
        let usage_point = match self.days.last() {
            Some(last) if *last.usage_point.padded() == name => last.usage_point,
            _ => UsagePointId::from_padded(&name).map_err(|_| refuse("usage point", 15))?,
        };
        let flow = Flow::from_group_c(header[4]).ok_or(refuse("OBIS group C", 4))?;
        let number = i32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let day = Day::from_number(number).ok_or(refuse("delivery day", 8))?;
        let offset_quarters = i8::from_le_bytes([header[14]]);
        let values_at = self.values_wh.len();
        self.values_wh.extend_from_slice(unpacked.values_wh());
        let quality = |&code: &u8| Quality::from_code(code).ok_or(refuse("quality", 0));
        let qualities = match unpacked.qualities() {
            Qualities::All(code) => StoredQualities::All(quality(&code)?),
            Qualities::Each(codes) => {
                let at = self.qualities.len();
                for code in codes {
                    self.qualities.push(quality(code)?);
                }
                StoredQualities::At(at)
            }
        };
        self.days.push(StoredDay {
            usage_point,
            register: Register { flow, channel: header[3], zone: header[5] },
            day,
            start: UtcSeconds(i64::from(number) * 86_400 - i64::from(offset_quarters) * 900),
            interval_minutes: header[2],
            revision: header[7],
            row_count: row_count_of(header),
            values_at,
            qualities,
        });
        Ok(())
    }
}

fn row_count_of(header: &Header) -> u16 {
    u16::from_le_bytes([header[12], header[13]])
}

/// Eight bytes of a name behind `skipped`, as a number that sorts as they do.
fn name_part(name: &Name, skipped: usize) -> u64 {
    let mut part = [0; NAME_PART_SIZE];
    let rest = &name[skipped.min(LABEL_SIZE_MAX)..];
    let size = rest.len().min(NAME_PART_SIZE);
    part[..size].copy_from_slice(&rest[..size]);
    u64::from_be_bytes(part)
}

/// Sorts registers as their texts `1-channel:flow.8.zone` sort. A colon, which sorts behind the digits, follows the
/// channel, and nothing the zone.
fn register_number(register: Register) -> [u8; 7] {
    let [a, b, c] = digits(register.channel, b':');
    let [x, y, z] = digits(register.zone, 0);
    [a, b, c, register.flow.group_c(), x, y, z]
}

fn digits(number: u8, behind: u8) -> [u8; 3] {
    let [hundreds, tens, ones] = [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit);
    match number {
        0..10 => [ones, behind, behind],
        10..100 => [tens, ones, behind],
        _ => [hundreds, tens, ones],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_sort_as_their_texts() {
        let numbers = [0, 1, 2, 9, 10, 11, 12, 19, 20, 99, 100, 101, 110, 199, 200, 255];
        let mut registers = Vec::new();
        for channel in numbers {
            for zone in numbers {
                registers.extend(Flow::ALL.map(|flow| Register { flow, channel, zone }));
            }
        }
        for a in &registers {
            for b in &registers {
                let want = a.to_string().cmp(&b.to_string());
                assert_eq!(register_number(*a).cmp(&register_number(*b)), want, "{a} {b}");
            }
        }
    }

    #[test]
    fn parts_of_names_sort_as_names() {
        let name = |text: &str| *text.parse::<UsagePointId>().unwrap().padded();
        assert!(name_part(&name("NL-1"), 3) < name_part(&name("NL-10"), 3));
        assert!(name_part(&name("NL-10"), 3) < name_part(&name("NL-2"), 3));
        assert_eq!(name_part(&name("A"), LABEL_SIZE_MAX), 0);
    }
}
