//! Uses folded from packs, and kept on disk, against sums over decoded leaves, zone by zone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::determinants::{DayPattern, RunningUse, UseError};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::{SealKind, partition_of, seal_order};
use tallywatt_shards::batch_file;
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::use_file::{KeptUse, UseFileError, UseReader, extend};
use tallywatt_shards::use_fold::{PartitionUse, UsePeriod, fold_each, fold_use};
use town::{Random, household_day};

const ZONES: ContentHash = ContentHash([6; 32]);
const GOLDEN: &str = "50dd5807228e182cae58177b0412b0cd25dc4b258d3f9e012c1f453067e111e8";

/// Peak from 7 to 10 on working days, night before 7, the rest between.
fn zone_of(is_weekend: bool, slot: usize) -> u8 {
    match slot {
        0..14 => 2,
        14..20 if !is_weekend => 0,
        _ => 1,
    }
}

fn patterns() -> [DayPattern; 2] {
    [false, true].map(|is_weekend| {
        let zones: Vec<u8> = (0..48).map(|slot| zone_of(is_weekend, slot)).collect();
        let demand: Vec<bool> = zones.iter().map(|zone| *zone == 0).collect();
        DayPattern::new(&zones, &demand).unwrap()
    })
}

fn first() -> Day {
    "2026-03-20".parse().unwrap()
}

/// The clocks go forward on the tenth day.
fn period(patterns: &[DayPattern; 2]) -> UsePeriod<'_> {
    UsePeriod { register: Register::IMPORT, first: first(), day_count: 12, patterns }
}

/// Some days of some usage points and both registers, a few of them irregular; days past the period too.
fn leaves(random: &mut Random, days: std::ops::Range<i32>, point_count: usize) -> Vec<DayLeaf> {
    let (secret, mut leaves) = (BlindingSecret::new([9; 32]), Vec::new());
    for point in 0..point_count {
        for register in [Register::IMPORT, Register::total(Flow::Export, 0)] {
            for at in days.clone().filter(|_| random.below(9) > 0).collect::<Vec<_>>() {
                let date = first().plus(at).unwrap().to_string();
                let block = household_day(point, register, &date, random);
                let revision = u8::from(random.below(20) == 0);
                leaves.push(DayLeaf::batch(odd(block, random), revision, &secret));
            }
        }
    }
    leaves.sort_by_key(|leaf| seal_order(&leaf.block().key()));
    leaves
}

/// Sometimes with a hole, an estimate, or a value past 23 bits.
fn odd(block: DayBlock, random: &mut Random) -> DayBlock {
    let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
    let at = random.below(values.len());
    match random.below(12) {
        0 => (values[at], qualities[at]) = (0, Quality::Missing),
        1 => qualities[at] = Quality::EstimatedLinear,
        2 => qualities.fill(Quality::EstimatedLinear),
        3 => values[at] = i32::MAX,
        4 => {
            values.fill(0);
            qualities.fill(Quality::Missing);
        }
        _ => {}
    }
    DayBlock::from_parts(block.key(), block.start(), 30, block.source(), values, qualities).unwrap()
}

fn sealed(sequence: u64, leaves: &[DayLeaf]) -> Vec<u8> {
    let (secret, threads) = (BlindingSecret::new([9; 32]), Threads::new(2).unwrap());
    batch_file::encode(SealKind::Batch, sequence, leaves, &secret, &threads).unwrap().0
}

#[derive(Debug, Default, PartialEq)]
struct Naive {
    uses: BTreeMap<UsagePointId, ([i64; 3], i32, u16)>,
    irregular: Vec<BlockKey>,
}

impl Naive {
    fn add(&mut self, leaves: &[DayLeaf]) {
        for leaf in leaves {
            let (block, key) = (leaf.block(), leaf.block().key());
            if key.register != Register::IMPORT || !(0..12).contains(&key.day.since(first())) {
                continue;
            }
            let (zones_wh, demand_wh, day_count) = self.uses.entry(key.usage_point).or_default();
            let is_whole = block.present_count() == 48 && block.interval_count() == 48;
            if !is_whole || leaf.revision() > 0 {
                self.irregular.push(key);
                continue;
            }
            *day_count += 1;
            for (slot, &wh) in block.values_wh().iter().enumerate() {
                let zone = zone_of(key.day.is_weekend(), slot);
                zones_wh[usize::from(zone)] += i64::from(wh);
                if zone == 0 {
                    *demand_wh = (*demand_wh).max(wh);
                }
            }
        }
    }

    fn of_parts(parts: &[PartitionUse]) -> Self {
        let mut all = Self::default();
        for part in parts {
            assert!(part.points.is_sorted(), "usage points stand in order");
            assert!(part.points.iter().all(|point| partition_of(point) == part.partition));
            all.irregular.extend(&part.irregular);
            all.put(&part.points, &part.uses);
        }
        all
    }

    fn put(&mut self, points: &[UsagePointId], uses: &[RunningUse]) {
        assert_eq!(points.len(), uses.len());
        for (point, one) in points.iter().zip(uses) {
            let parts = (one.zones_wh(), one.demand_wh(), one.day_count());
            assert_eq!(self.uses.insert(*point, parts), None, "{point} stands once");
        }
    }
}

#[test]
fn folds_are_the_sums_over_decoded_leaves() {
    let patterns = patterns();
    for seed in 0..4 {
        let leaves = leaves(&mut Random(seed), -1..13, 150);
        let bytes = sealed(1, &leaves);
        let reader = BatchReader::of(&bytes).unwrap();
        let mut want = Naive::default();
        want.add(&leaves);
        assert!(want.irregular.len() > 100 && want.uses.len() == 150, "seed {seed}");
        let one = fold_use(&reader, &period(&patterns), &Threads::new(1).unwrap()).unwrap();
        assert_eq!(Naive::of_parts(&one), want, "seed {seed}");
        for thread_count in [2, 5] {
            let threads = Threads::new(thread_count).unwrap();
            assert_eq!(fold_use(&reader, &period(&patterns), &threads).unwrap(), one, "seed {seed}");
        }
    }
}

/// A byte that is not as it was gives an error or other sums, never a panic.
#[test]
fn damaged_packs_do_not_panic() {
    let (patterns, threads) = (patterns(), Threads::new(2).unwrap());
    let bytes = sealed(1, &leaves(&mut Random(7), 0..3, 12));
    let packs_end = usize::try_from(u64::from_le_bytes(bytes[bytes.len() - 248..][..8].try_into().unwrap()));
    let mut refused = 0;
    for at in 64..packs_end.unwrap() {
        for flip in [1, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let reader = BatchReader::of(&bytes).unwrap();
            refused += usize::from(fold_each(&reader, &period(&patterns), &threads, |_| ()).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}

fn batches() -> Vec<Vec<DayLeaf>> {
    let mut random = Random(3);
    [(-1..4, 90), (4..5, 150), (5..13, 120)].map(|(days, count)| leaves(&mut random, days, count)).to_vec()
}

fn keep(path: &Path, batches: &[Vec<DayLeaf>], thread_count: usize) -> ContentHash {
    let (patterns, threads) = (patterns(), Threads::new(thread_count).unwrap());
    let mut hash = ContentHash::default();
    for (number, leaves) in (1..).zip(batches) {
        let bytes = sealed(number, leaves);
        let batch = BatchReader::of(&bytes).unwrap();
        let previous = (number > 1).then(|| UseReader::open(path).unwrap());
        hash = extend(path, previous.as_ref(), &batch, (&period(&patterns), ZONES), &threads).unwrap();
    }
    hash
}

#[test]
fn kept_uses_are_those_of_all_batches() {
    let folder = tempfile::tempdir().unwrap();
    let batches = batches();
    let mut want = Naive::default();
    batches.iter().for_each(|leaves| want.add(leaves));
    let mut known = Vec::new();
    for thread_count in [1, 2, 7] {
        let path = folder.path().join(format!("{thread_count}.twu"));
        let hash = keep(&path, &batches, thread_count);
        let reader = UseReader::open(&path).unwrap();
        assert_eq!((reader.hash(), reader.point_count()), (hash, 150));
        let kept: Vec<KeptUse> = reader.each(&Threads::new(2).unwrap(), |kept| kept).unwrap();
        let (mut got, mut counts) = (Naive::default(), BTreeMap::new());
        for part in &kept {
            assert!(part.points.is_sorted());
            got.put(&part.points, &part.uses);
            counts.extend(part.points.iter().copied().zip(part.irregular_counts.iter().copied()));
        }
        assert_eq!(got.uses, want.uses);
        let mut irregular: BTreeMap<UsagePointId, u16> = want.uses.keys().map(|key| (*key, 0)).collect();
        want.irregular.iter().for_each(|key| *irregular.get_mut(&key.usage_point).unwrap() += 1);
        assert_eq!(counts, irregular);
        known.push((hash, fs::read(&path).unwrap()));
    }
    assert!(known.iter().all(|one| *one == known[0]), "the same bytes for any number of threads");
    // A changed hash is a changed format: a decision, in a commit of its own.
    assert_eq!(content_hash(&known[0].1).to_string(), GOLDEN);
}

#[test]
fn what_cannot_be_added_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uses.twu");
    let (batches, threads, patterns) = (batches(), Threads::new(2).unwrap(), patterns());
    keep(&path, &batches[..1], 2);
    let again = |sequence, zones, period: UsePeriod<'_>| {
        let bytes = sealed(sequence, &batches[0]);
        let previous = UseReader::open(&path).unwrap();
        let batch = BatchReader::of(&bytes).unwrap();
        extend(&path, Some(&previous), &batch, (&period, zones), &threads).unwrap_err()
    };
    let period = period(&patterns);
    assert!(matches!(again(1, ZONES, period), UseFileError::Sequence { sequence: 1, last: 1 }));
    assert!(matches!(again(2, ContentHash([7; 32]), period), UseFileError::Other));
    assert!(matches!(again(2, ZONES, UsePeriod { day_count: 11, ..period }), UseFileError::Other));
    let full: Vec<DayLeaf> = leaves(&mut Random(5), 0..9, 3);
    let path = folder.path().join("full.twu");
    keep(&path, std::slice::from_ref(&full), 1);
    let bytes = sealed(2, &full);
    let (batch, previous) = (BatchReader::of(&bytes).unwrap(), UseReader::open(&path).unwrap());
    let ended = extend(&path, Some(&previous), &batch, (&period, ZONES), &threads);
    assert!(matches!(ended, Err(UseFileError::Use(UseError::Days(12)))), "{ended:?}");
}

/// Every byte of a use file counts.
#[test]
fn every_flipped_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uses.twu");
    keep(&path, &[leaves(&mut Random(11), 0..2, 3)], 1);
    let bytes = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.twu");
    let read = |bytes: &[u8]| -> Result<(), UseFileError> {
        fs::write(&damaged, bytes).unwrap();
        let reader = UseReader::open(&damaged)?;
        (0..=u8::MAX).try_for_each(|partition| reader.partition(partition).map(drop))
    };
    read(&bytes).unwrap();
    for at in (0..300).chain((300..bytes.len()).step_by(7)) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x20;
        assert!(read(&bytes).is_err(), "byte {at}");
    }
    for size in [0, 63, 64, 12_000, bytes.len() - 1] {
        assert!(read(&bytes[..size]).is_err(), "{size} bytes");
    }
}
