//! The payload of the write-ahead log's records: one form, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_ledger::day_leaf::{DayLeaf, LeafTag};
use tallywatt_ledger::day_pack::{PackReader, PackWriter};
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord, IntakeRecordError, parts_of};
use tallywatt_shards::shard::Shard;
use tallywatt_shards::write_ahead::{RecordPlace, WriteAhead, WriteAheadError, WriteAheadLimits};
use town::{Random, town as blocks_of_town};

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
        events: Vec::new(),
        packs: packs_of(&blocks),
    }
}

fn packs_of(blocks: &[DayBlock]) -> Vec<u8> {
    let (mut pack, mut packs) = (PackWriter::default(), Vec::new());
    blocks.iter().for_each(|block| pack.push(DayLeaf::frame(block.clone()).bytes()));
    pack.finish(&mut packs);
    packs
}

/// The days of a record, as they are replayed.
fn days(record: &IntakeRecord) -> Result<Vec<DayBlock>, Box<dyn std::error::Error>> {
    let mut days = Vec::new();
    for (partition, range) in parts_of(&record.packs)? {
        let mut shard = Shard::default();
        let place = RecordPlace { generation: 1, segment: 1, offset: 0, size: u32::MAX };
        shard.replay(partition, &record.packs[range.clone()], (place, 0))?;
        let mut packs = &record.packs[range];
        while !packs.is_empty() {
            let (mut pack, size) = PackReader::new(packs, LeafTag::Frame).unwrap();
            while pack.advance().unwrap() {
                let mut frame = vec![0; pack.leaf_size()];
                pack.write_leaf(&mut frame);
                days.push(DayLeaf::decode(&frame).unwrap().into_block());
            }
            packs = &packs[size..];
        }
    }
    Ok(days)
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
                Ok(other) => {
                    assert_eq!(other.encode().unwrap(), image, "byte {at} bit {bit}");
                    match days(&other) {
                        Ok(days) => assert_eq!(packs_of(&days), other.packs, "byte {at} bit {bit}"),
                        Err(_) => refused += 1,
                    }
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 800, "{refused}");
}

#[test]
fn intake_records_that_are_refused() {
    let long =
        Rejection { code: RejectionCode::Structure, line: 1, reading_count: 1, raw: "x".repeat(1_921) };
    let many = vec![Rejection::new(RejectionCode::Structure, 1, 1, b""); (1 << 20) + 1];
    let name = |name: &str| IntakeRecord { file_name: name.to_owned(), ..intake() };
    let table = [
        (name(""), IntakeRecordError::FileName { size: 0 }),
        (name(&"x".repeat(256)), IntakeRecordError::FileName { size: 256 }),
        (name("a\nb"), IntakeRecordError::FileName { size: 3 }),
        (
            IntakeRecord { rejections: vec![long], ..intake() },
            IntakeRecordError::RawText { at: 0, size: 1_921 },
        ),
        (
            IntakeRecord { rejections: many, ..intake() },
            IntakeRecordError::Count { what: "rejections", count: (1 << 20) + 1, max: 1 << 20 },
        ),
    ];
    for (record, want) in table {
        assert_eq!(record.encode(), Err(want));
    }
}

#[test]
fn acknowledged_days_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let open = |records: &mut Vec<IntakeRecord>| {
        WriteAhead::open::<WriteAheadError>(folder.path(), WriteAheadLimits::default(), &mut |record| {
            records.push(IntakeRecord::decode(record.payload).unwrap());
            Ok(())
        })
        .unwrap()
        .0
    };
    let mut ahead = open(&mut Vec::new());
    ahead.append(INTAKE_KIND, &[&intake().encode().unwrap()]).unwrap();
    ahead.sync().unwrap();
    drop(ahead);
    let mut records = Vec::new();
    open(&mut records);
    assert_eq!(records, [intake()]);
    let mut blocks = blocks_of_town(2, &["2026-03-28", "2026-03-29"], &mut Random(5));
    blocks.sort_by_key(|block| block.key());
    assert_eq!(days(&records[0]).unwrap(), blocks);
}
