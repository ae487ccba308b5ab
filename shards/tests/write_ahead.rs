//! Crash images of the write-ahead file, and what is recovered of each.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::fs;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord, IntakeRecordError};
use tallywatt_shards::recovery::{self, recover};
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError};
use town::{Random, town as blocks_of_town};

const SIZES: [usize; 5] = [0, 1, 100, 257, 40];

/// A file of five records and where each ends.
fn five_records() -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let mut previous = ContentHash::default();
    for (at, size) in SIZES.into_iter().enumerate() {
        let sequence = u64::try_from(at).unwrap() + 1;
        let offset = u64::try_from(bytes.len()).unwrap();
        let payload = vec![u8::try_from(at).unwrap(); size];
        let (record, hash) = recovery::encode(7, sequence, offset, &previous, &payload);
        bytes.extend(record);
        ends.push(bytes.len());
        previous = hash;
    }
    (bytes, ends)
}

fn check_torn(image: &[u8], complete: usize, ends: &[usize], what: &str) {
    let recovery = recover(image).unwrap_or_else(|rot| panic!("{what}: {rot}"));
    let valid_size = if complete == 0 { 0 } else { ends[complete - 1] };
    assert_eq!(recovery.records.len(), complete, "{what}");
    assert_eq!((recovery.valid_size, recovery.torn_size), (valid_size, image.len() - valid_size), "{what}");
    for (at, record) in recovery.records.iter().enumerate() {
        assert_eq!(record.sequence, u64::try_from(at).unwrap() + 1);
        assert_eq!((record.kind, record.payload.len()), (7, SIZES[at]));
        assert!(image[record.payload.clone()].iter().all(|&byte| usize::from(byte) == at));
    }
}

#[test]
fn every_prefix_recovers_its_complete_records() {
    let (bytes, ends) = five_records();
    for size in 0..=bytes.len() {
        let complete = ends.iter().filter(|&&end| end <= size).count();
        check_torn(&bytes[..size], complete, &ends, &format!("cut to {size}"));
    }
}

#[test]
fn every_flip_is_rot_but_in_the_last_record() {
    let (bytes, ends) = five_records();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut image = bytes.clone();
            image[at] ^= 1 << bit;
            if at >= ends[3] {
                check_torn(&image, 4, &ends, &format!("byte {at} bit {bit}"));
                continue;
            }
            let damaged = ends.iter().filter(|&&end| end <= at).count();
            let rot = recover(&image).expect_err("a whole record follows");
            assert_eq!(rot.sequence, u64::try_from(damaged).unwrap() + 1, "byte {at} bit {bit}");
            assert_eq!(rot.offset, if damaged == 0 { 0 } else { ends[damaged - 1] });
            assert_eq!(rot.witness_offset, ends[damaged], "byte {at} bit {bit}");
        }
    }
}

#[test]
fn tails_that_a_power_cut_leaves() {
    let (bytes, ends) = five_records();
    let mut random = Random(3);
    for size in [1, 7, 96, 5_000] {
        let zeros = vec![0; size];
        check_torn(&[&bytes[..], &zeros].concat(), 5, &ends, "zeros");
        let garbage: Vec<u8> = (0..size).map(|_| random.next().to_le_bytes()[0]).collect();
        check_torn(&[&bytes[..], &garbage].concat(), 5, &ends, "garbage");
    }
    // The last write torn at any byte, the rest of its room zeros, or its front lost and its end kept.
    for cut in ends[3]..ends[4] {
        let mut lost_end = bytes.clone();
        lost_end[cut..].fill(0);
        let complete = if lost_end == bytes { 5 } else { 4 };
        check_torn(&lost_end, complete, &ends, &format!("zeros from {cut}"));
        let mut lost_front = bytes.clone();
        lost_front[ends[3]..=cut].fill(0);
        check_torn(&lost_front, 4, &ends, &format!("zeros up to {cut}"));
    }
}

#[test]
fn whole_records_out_of_place_are_rot_and_embedded_ones_are_payload() {
    let (bytes, ends) = five_records();
    let span = |at: usize| if at == 0 { 0..ends[0] } else { ends[at - 1]..ends[at] };
    let encode = |sequence, offset: usize, previous: ContentHash| {
        recovery::encode(7, sequence, u64::try_from(offset).unwrap(), &previous, b"x").0
    };
    // A record of another history, or out of sequence, where the sixth belongs.
    let last_hash = recover(&bytes).unwrap().last_hash;
    for (sequence, previous) in [(6, ContentHash::default()), (5, last_hash), (7, last_hash)] {
        let image = [&bytes[..], &encode(sequence, bytes.len(), previous)].concat();
        assert_eq!(recover(&image).unwrap_err().sequence, 6);
    }
    let image = [&bytes[..], &encode(6, bytes.len(), last_hash)].concat();
    assert_eq!(recover(&image).unwrap().records.len(), 6);
    // A copy of a record somewhere else is garbage: its offset is not its own.
    for at in 0..5 {
        check_torn(&[&bytes[..], &bytes[span(at)]].concat(), 5, &ends, "copied record");
    }
    // A torn record whose payload looks like records is torn.
    let (outer, _) = recovery::encode(7, 1, 0, &ContentHash::default(), &bytes);
    assert_eq!(recover(&outer[..outer.len() - 1]).unwrap().records, []);
}

#[test]
fn open_cuts_what_is_torn_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ahead");
    let (mut ahead, recovered) = WriteAhead::open(&path).unwrap();
    assert_eq!((recovered.records().len(), recovered.torn_size()), (0, 0));
    assert_eq!(ahead.append(1, b"one").unwrap(), 1);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0, "nothing is written before a sync");
    assert_eq!(ahead.append(2, b"two").unwrap(), 2);
    ahead.sync().unwrap();
    ahead.sync().unwrap();
    assert!(matches!(WriteAhead::open(&path), Err(WriteAheadError::Locked(_))));
    assert_eq!(ahead.append(3, b"never synced").unwrap(), 3);
    drop(ahead);
    let synced = fs::read(&path).unwrap();
    for torn in [&b""[..], b"\0\0\0", &synced[..50]] {
        fs::write(&path, [&synced[..], torn].concat()).unwrap();
        let (ahead, recovered) = WriteAhead::open(&path).unwrap();
        let got: Vec<_> = recovered
            .records()
            .map(|record| (record.kind, record.sequence, record.payload.to_vec()))
            .collect();
        assert_eq!(got, [(1, 1, b"one".to_vec()), (2, 2, b"two".to_vec())]);
        assert_eq!(recovered.torn_size(), torn.len());
        drop(ahead);
        assert_eq!(fs::read(&path).unwrap(), synced, "the torn tail is gone");
    }
    let (mut ahead, _) = WriteAhead::open(&path).unwrap();
    assert_eq!(ahead.append(3, b"three").unwrap(), 3);
    ahead.sync().unwrap();
    assert_eq!(ahead.file_size(), fs::metadata(&path).unwrap().len());
    drop(ahead);
    let (ahead, recovered) = WriteAhead::open(&path).unwrap();
    assert_eq!(recovered.records().last().unwrap().payload, b"three");
    drop(ahead);
    // Rot: refused, and the file is left as it is.
    let mut rotten = fs::read(&path).unwrap();
    rotten[70] ^= 1;
    fs::write(&path, &rotten).unwrap();
    assert!(matches!(WriteAhead::open(&path), Err(WriteAheadError::Rot { .. })));
    assert_eq!(fs::read(&path).unwrap(), rotten);
}

fn intake() -> IntakeRecord {
    let mut blocks = blocks_of_town(2, &["2026-03-28", "2026-03-29"], &mut Random(5));
    blocks.sort_by_key(|block| block.key());
    IntakeRecord {
        file: ContentHash([3; 32]),
        file_name: "März 2026.csv".to_owned(),
        line_cursor: 193,
        is_finished: true,
        counts: IntakeCounts { offered: 384, accepted: 380, rejected: 4, ..IntakeCounts::default() },
        rejections: vec![
            Rejection::new(RejectionCode::Negative, 17, 1, b"-1"),
            Rejection::new(RejectionCode::NotText, 18, 3, b"\xff\0"),
        ],
        frames: blocks.into_iter().map(DayLeaf::frame).collect(),
    }
}

#[test]
fn intake_records_have_one_form() {
    let record = intake();
    let bytes = record.encode().unwrap();
    assert_eq!(IntakeRecord::decode(&bytes).as_ref(), Ok(&record));
    for size in 0..bytes.len() {
        assert!(IntakeRecord::decode(&bytes[..size]).is_err(), "cut to {size}");
    }
    assert!(IntakeRecord::decode(&[&bytes[..], &[0]].concat()).is_err());
    let mut refused = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut image = bytes.clone();
            image[at] ^= 1 << bit;
            match IntakeRecord::decode(&image) {
                Ok(other) => assert_eq!(other.encode().unwrap(), image, "byte {at} bit {bit}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}

#[test]
fn intake_records_that_are_refused() {
    let frames = intake().frames;
    let swapped = vec![frames[1].clone(), frames[0].clone()];
    let doubled = vec![frames[0].clone(), frames[0].clone()];
    let sealed = vec![DayLeaf::batch(frames[0].block().clone(), 0, &BlindingSecret::new([1; 32]))];
    let long =
        Rejection { code: RejectionCode::Structure, line: 1, reading_count: 1, raw: "x".repeat(1_921) };
    let many = vec![Rejection::new(RejectionCode::Structure, 1, 1, b""); 16_385];
    let name = |name: &str| IntakeRecord { file_name: name.to_owned(), ..intake() };
    let table = [
        (name(""), IntakeRecordError::FileName { size: 0 }),
        (name(&"x".repeat(256)), IntakeRecordError::FileName { size: 256 }),
        (name("a\nb"), IntakeRecordError::FileName { size: 3 }),
        (IntakeRecord { frames: swapped, ..intake() }, IntakeRecordError::Order { at: 1 }),
        (IntakeRecord { frames: doubled, ..intake() }, IntakeRecordError::Order { at: 1 }),
        (IntakeRecord { frames: sealed, ..intake() }, IntakeRecordError::Tag { at: 0 }),
        (
            IntakeRecord { rejections: vec![long], ..intake() },
            IntakeRecordError::RawText { at: 0, size: 1_921 },
        ),
        (
            IntakeRecord { rejections: many, ..intake() },
            IntakeRecordError::Count { what: "rejections", count: 16_385, max: 16_384 },
        ),
    ];
    for (record, want) in table {
        assert_eq!(record.encode(), Err(want));
    }
}

#[test]
fn acknowledged_days_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ahead");
    let (mut ahead, _) = WriteAhead::open(&path).unwrap();
    ahead.append(INTAKE_KIND, &intake().encode().unwrap()).unwrap();
    ahead.sync().unwrap();
    drop(ahead);
    let (_ahead, recovered) = WriteAhead::open(&path).unwrap();
    let records: Vec<IntakeRecord> =
        recovered.records().map(|record| IntakeRecord::decode(record.payload).unwrap()).collect();
    assert_eq!(records, [intake()]);
}
