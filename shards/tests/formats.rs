//! Stored formats, held by the hash of one example each. A changed hash is a changed format: a decision, in a
//! commit of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::reading::Issued;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::PackWriter;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::SealKind;
use tallywatt_shards::batch_file;
use tallywatt_shards::intake_record::{IntakeCounts, IntakeRecord};
use tallywatt_shards::threads::Threads;
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits};
use town::{Random, household_day};

/// A leaf of 46 half-hours in a file of its own.
const BATCH_SIZE: usize = 64 + 89 + 88 + 203 + 248;

fn packs_of(block: &DayBlock) -> Vec<u8> {
    let (mut pack, mut packs) = (PackWriter::default(), Vec::new());
    pack.push(DayLeaf::frame(block.clone()).bytes());
    pack.finish(&mut packs);
    packs
}

#[test]
fn golden_vectors() {
    let block = household_day(1, Register::IMPORT, "2026-03-29", &mut Random(1));
    let intake = IntakeRecord {
        file: ContentHash([3; 32]),
        file_name: "march.csv".to_owned(),
        line_cursor: 47,
        is_finished: true,
        counts: IntakeCounts { offered: 47, accepted: 46, rejected: 1, ..IntakeCounts::default() },
        rejections: vec![Rejection::new(RejectionCode::Negative, 17, 1, b"-1")],
        events: Vec::new(),
        packs: packs_of(&block),
    };
    let stamp = MeterEvent::Stamp { key: block.key(), issued: Issued(7) };
    let stamped = IntakeRecord { events: vec![stamp.clone()], ..intake.clone() };
    let payload = intake.encode().unwrap();
    let group = second_group(&payload);
    let leaf = DayLeaf::batch(block, 1, &BlindingSecret::new([7; 32]));
    let (secret, threads) = (BlindingSecret::new([7; 32]), Threads::new(1).unwrap());
    let (batch, _) =
        batch_file::encode(SealKind::Batch, 17, std::slice::from_ref(&leaf), &secret, &threads).unwrap();
    let content = (&[leaf][..], &[stamp][..]);
    let (stamped_batch, _) =
        batch_file::encode_with(SealKind::Batch, 17, content, &secret, &threads).unwrap();
    assert_eq!(batch.len(), BATCH_SIZE, "header, pack, entry, summary, footer");
    let table = [
        ("intake record", payload, "658aeaefc45caeba00e2990c7ebaf9715cb02dc17d0d49e62e3b66b985fa9a47"),
        ("write-ahead group", group, "670fa6e20829ba3f6863b427699b1316a36a693a34a300cd06e2db004885c644"),
        ("batch file", batch, "9dd9c32f32dfbe51cddb1e70baa5e9edb3fded909eca5e5f47f2f77b2367270e"),
        (
            "intake record with events",
            stamped.encode().unwrap(),
            "2d78581511c6db7d0904b59789062cbfdd3a48c6cfdb293697f6f0e0a6796923",
        ),
        (
            "batch file with events",
            stamped_batch,
            "ef60e96f61bb43feaeb4a33e143e0ab98e99d47aa14f8b72afd6b09d837a37dc",
        ),
    ];
    let got = table.map(|(format, bytes, want)| (format, content_hash(&bytes).to_string(), want));
    let differing: Vec<_> = got.iter().filter(|(_, got, want)| got != want).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

/// What stands on the disk of the second group of a log: two records, one of them the payload.
fn second_group(payload: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let limits = WriteAheadLimits { segment_size_min: 8_192, segment_size_max: 8_192 };
    let open = WriteAhead::open::<WriteAheadError>(folder.path(), limits, &mut |_| Ok(()));
    let mut ahead = open.unwrap().0;
    ahead.append(1, &[b"first"]).unwrap();
    ahead.sync().unwrap();
    ahead.append(0x30, &[payload]).unwrap();
    ahead.append(2, &[]).unwrap();
    ahead.sync().unwrap();
    std::fs::read(folder.path().join("1-1.twa")).unwrap()[4_096..].to_vec()
}
