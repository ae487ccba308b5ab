//! Stored formats, held by the hash of one example each. A changed hash is a changed format: a decision, in a
//! commit of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::SealKind;
use tallywatt_shards::intake_record::{IntakeCounts, IntakeRecord};
use tallywatt_shards::threads::Threads;
use tallywatt_shards::{batch_file, recovery};
use town::{Random, household_day};

/// A leaf of 46 half-hours in a file of its own.
const BATCH_SIZE: usize = 64 + 89 + 88 + 203 + 248;

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
        frames: vec![DayLeaf::frame(block.clone())],
    };
    let payload = intake.encode().unwrap();
    let (record, _) = recovery::encode(0x30, 2, 96, &ContentHash([5; 32]), &payload);
    let leaf = DayLeaf::batch(block, 1, &BlindingSecret::new([7; 32]));
    let (secret, threads) = (BlindingSecret::new([7; 32]), Threads::new(1).unwrap());
    let (batch, _) = batch_file::encode(SealKind::Batch, 17, &[leaf], &secret, &threads).unwrap();
    assert_eq!(batch.len(), BATCH_SIZE, "header, pack, entry, summary, footer");
    let table = [
        ("intake record", payload, "8948f67da125b0f8aab2bc9bec7538d828f84c470f65ab07ff86f2da71e51f7a"),
        ("write-ahead record", record, "ffb1c17eb7c8c6465d68a5a563ba4d0b0ab507e03cb6a78624f119b14bf38c2a"),
        ("batch file", batch, "9dd9c32f32dfbe51cddb1e70baa5e9edb3fded909eca5e5f47f2f77b2367270e"),
    ];
    for (format, bytes, want) in table {
        assert_eq!(content_hash(&bytes).to_string(), want, "{format}");
    }
}
