//! Packs: leaves come back byte for byte, one set of leaves has one packing, damage never panics.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proptest::test_runner::TestRng;
use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::{DayLeaf, LeafTag};
use tallywatt_ledger::day_pack::{PACK_LEAF_COUNT_MAX, PackReader, PackWriter};

fn leaf(rng: &mut TestRng, tag: LeafTag) -> DayLeaf {
    let mut upto = |n: u32| rng.random_range(0..n);
    let points = ["A", "EKB-000017", "EKB-000018", "EKB-00001", "DE000562668020O6G56M11SN51G21M24S", "K 2"];
    let usage_point = points[upto(6) as usize].parse().unwrap();
    let flow = Flow::ALL[upto(4) as usize];
    let (minutes, count) =
        [(30, 48), (60, 24), (60, 23), (30, 50), (15, 96), (5, 288), (5, 1)][upto(7) as usize];
    let day = Day::from_number(20_000 + i32::try_from(upto(4)).unwrap()).unwrap();
    let width = upto(32);
    let qualities: Vec<Quality> = match upto(3) {
        0 => vec![Quality::Valid; count],
        1 => vec![Quality::ALL[upto(13) as usize]; count],
        _ => (0..count).map(|_| Quality::ALL[upto(14) as usize]).collect(),
    };
    let values = qualities
        .iter()
        .map(|quality| {
            let value = i32::try_from(u64::from(upto(u32::MAX)) % (1 << width)).unwrap();
            if *quality == Quality::Missing { 0 } else { value }
        })
        .collect();
    let key = BlockKey { usage_point, register: Register { flow, channel: 0, zone: 0 }, day };
    let start = UtcSeconds(i64::from(day.number()) * 86_400 - 5 * 3_600);
    let block = DayBlock::from_parts(key, start, minutes, Source::Synthetic, values, qualities).unwrap();
    let secret = BlindingSecret::new([1; 32]);
    match tag {
        LeafTag::Batch => DayLeaf::batch(block, upto(3).try_into().unwrap(), &secret),
        LeafTag::Period => DayLeaf::period(block, &secret),
        LeafTag::Frame => DayLeaf::frame(block),
    }
}

fn packed(leaves: &[DayLeaf]) -> Vec<u8> {
    let (mut writer, mut bytes) = (PackWriter::default(), Vec::new());
    for leaf in leaves {
        writer.make_room(&mut bytes);
        writer.push(leaf.bytes());
    }
    writer.finish(&mut bytes);
    bytes
}

/// Every leaf of packs that stand end to end, blinded where they are not frames.
fn unpacked(mut bytes: &[u8], tag: LeafTag) -> Result<Vec<Vec<u8>>, String> {
    let mut leaves = Vec::new();
    while !bytes.is_empty() {
        let (mut reader, size) = PackReader::new(bytes, tag).map_err(|error| error.to_string())?;
        while reader.advance().map_err(|error| error.to_string())? {
            let mut leaf = vec![1; reader.leaf_size()];
            reader.write_leaf(&mut leaf);
            if tag != LeafTag::Frame {
                let size = leaf.len();
                BlindingSecret::new([1; 32]).blind(&mut leaf, size);
            }
            leaves.push(leaf);
        }
        bytes = &bytes[size..];
    }
    Ok(leaves)
}

#[test]
fn leaves_come_back_byte_for_byte() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for tag in [LeafTag::Batch, LeafTag::Period, LeafTag::Frame] {
        for count in [0, 1, 2, PACK_LEAF_COUNT_MAX, PACK_LEAF_COUNT_MAX + 1, 300] {
            let leaves: Vec<DayLeaf> = (0..count).map(|_| leaf(&mut rng, tag)).collect();
            let got = unpacked(&packed(&leaves), tag).unwrap();
            let want: Vec<&[u8]> = leaves.iter().map(DayLeaf::bytes).collect();
            assert_eq!(got, want, "{count} leaves");
        }
    }
}

/// Whatever is read as a pack is the packing of what was read: so a file of packs has one hash.
#[test]
fn every_flipped_bit_and_every_cut() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let (mut refused, mut other) = (0, 0);
    for _ in 0..12 {
        let leaves: Vec<DayLeaf> = (0..3).map(|_| leaf(&mut rng, LeafTag::Frame)).collect();
        let bytes = packed(&leaves);
        for at in 0..bytes.len() {
            assert!(unpacked(&bytes[..at], LeafTag::Frame).is_err() || at == 0, "cut to {at}");
            for bit in 0..8 {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << bit;
                let Ok(days) = unpacked(&bent, LeafTag::Frame) else {
                    refused += 1;
                    continue;
                };
                let (mut writer, mut again) = (PackWriter::default(), Vec::new());
                days.iter().for_each(|day| writer.push(day));
                writer.finish(&mut again);
                assert_eq!(again, bent, "byte {at} bit {bit}");
                other += 1;
            }
        }
    }
    assert!(refused > 100 && other > 100, "{refused} refused, {other} read as other days");
}
