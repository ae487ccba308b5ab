//! The sealer of a partition against the naive way: same summaries, trees, packs, refusals.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::PackWriter;
use tallywatt_ledger::seal::{SealError, SealKind, SealedTree, partition_of};
use tallywatt_ledger::tree::{SUBTREE_LEAF_COUNT, TreeTop};
use tallywatt_shards::partition_sealer::{PartitionSealer, SealedPartition};
use town::Random;

fn secret() -> BlindingSecret {
    BlindingSecret::new([9; 32])
}

/// Names of one partition, of many lengths.
fn names(partition: u8, count: usize) -> Vec<String> {
    let all = (0..).map(|at| format!("{}{at}", "P-QRSTUVWXYZ-ABCDEF".get(..at % 18 + 1).unwrap()));
    all.filter(|name| partition_of(&name.parse().unwrap()) == partition).take(count).collect()
}

/// A day of any length of interval, with the days the clocks change, any register, any qualities.
fn block(name: &str, random: &mut Random) -> DayBlock {
    let (minutes, count) =
        [(30, 48), (30, 46), (30, 50), (60, 24), (60, 23), (60, 25), (15, 96), (5, 288), (5, 1), (5, 300)]
            [random.below(10)];
    let day = Day::from_number(20_000 + i32::try_from(random.below(40)).unwrap()).unwrap();
    let register = Register {
        flow: Flow::ALL[random.below(4)],
        channel: u8::try_from(random.below(2)).unwrap(),
        zone: u8::try_from(random.below(3)).unwrap(),
    };
    let key = BlockKey { usage_point: name.parse().unwrap(), register, day };
    let uniform = Quality::ALL[[0, 0, 0, 5, 13][random.below(5)]];
    let is_mixed = random.below(4) == 0;
    let qualities: Vec<Quality> =
        (0..count).map(|_| if is_mixed { Quality::ALL[random.below(14)] } else { uniform }).collect();
    let bound = [1, 900, 1 << 20, 1 << 31][random.below(4)];
    let values = qualities.iter().map(|quality| match quality {
        Quality::Missing => 0,
        _ => i32::try_from(random.below(bound)).unwrap(),
    });
    let values = values.collect();
    let start = UtcSeconds(i64::from(day.number()) * 86_400 - 3_600);
    DayBlock::from_parts(key, start, minutes, Source::Synthetic, values, qualities).unwrap()
}

fn leaf(block: DayBlock, kind: SealKind, random: &mut Random) -> DayLeaf {
    match kind {
        SealKind::Batch => DayLeaf::batch(block, u8::try_from(random.below(3)).unwrap(), &secret()),
        SealKind::Period => DayLeaf::period(block, &secret()),
    }
}

fn leaves(count: usize, partition: u8, kind: SealKind, random: &mut Random) -> Vec<DayLeaf> {
    let names = names(partition, count / 5 + 1);
    let mut blocks: Vec<DayBlock> = Vec::new();
    while blocks.len() < count {
        let name = &names[random.below(names.len())];
        blocks.extend((0..count - blocks.len()).map(|_| block(name, random)));
        blocks.sort_by_key(DayBlock::key);
        blocks.dedup_by_key(|block| block.key());
    }
    // Runs of days of one grid, as they come.
    blocks.into_iter().map(|block| leaf(block, kind, random)).collect()
}

fn sealed(kind: SealKind, partition: u8, leaves: &[&[u8]]) -> Result<SealedPartition, SealError> {
    let secret = secret();
    let mut sealer = PartitionSealer::new(kind, partition, &secret);
    leaves.iter().try_for_each(|leaf| sealer.push(leaf))?;
    sealer.finish()
}

#[test]
fn equals_the_naive_way() {
    const SEED: u64 = 20_261_123;
    println!("seed {SEED}");
    let mut random = Random(SEED);
    for count in [0, 1, 2, 63, 64, 65, 127, 128, 129, 1_000] {
        for kind in [SealKind::Batch, SealKind::Period] {
            let partition = u8::try_from(random.below(256)).unwrap();
            let leaves = leaves(count, partition, kind, &mut random);
            let (summary, tree, _) = SealedTree::seal_partition(kind, partition, &leaves).unwrap();
            let bytes: Vec<&[u8]> = leaves.iter().map(DayLeaf::bytes).collect();
            let got = sealed(kind, partition, &bytes).unwrap();
            assert_eq!(got.summary, summary, "{count}");
            let tops = got.index.iter().map(|entry| entry.top).collect();
            let top = TreeTop::new(kind.partition_tree(), u64::try_from(count).unwrap(), tops).unwrap();
            assert_eq!(top.root(), tree.root());

            let mut packs = Vec::new();
            for (own, entry) in leaves.chunks(SUBTREE_LEAF_COUNT).zip(&got.index) {
                assert_eq!(entry.offset, u64::try_from(packs.len()).unwrap());
                assert_eq!(entry.first, own[0].bytes()[..48]);
                let mut writer = PackWriter::default();
                own.iter().for_each(|leaf| writer.push(leaf.bytes()));
                writer.finish(&mut packs);
            }
            assert_eq!((got.packs.as_slice(), got.index.len()), (packs.as_slice(), count.div_ceil(64)));

            // From frames: for a batch they carry no revision.
            let frames: Vec<DayLeaf> =
                leaves.iter().map(|leaf| DayLeaf::frame(leaf.block().clone())).collect();
            let frame_bytes: Vec<&[u8]> = frames.iter().map(DayLeaf::bytes).collect();
            let from_frames = sealed(SealKind::Period, partition, &frame_bytes).unwrap();
            if kind == SealKind::Period {
                assert_eq!(from_frames, got);
            }
        }
    }
}

#[test]
fn what_the_naive_way_refuses_is_refused() {
    let mut random = Random(31);
    let leaves = leaves(200, 7, SealKind::Batch, &mut random);
    let bytes: Vec<&[u8]> = leaves.iter().map(DayLeaf::bytes).collect();
    let order = |at| Err(SealError::Order { partition: 7, at });
    let place = |partition, at| Err(SealError::Place { partition, at });
    for at in [0, 1, 62, 63, 64, 65, 198] {
        let mut swapped = bytes.clone();
        swapped.swap(at, at + 1);
        assert_eq!(sealed(SealKind::Batch, 7, &swapped), order(at + 1));
        let mut doubled = bytes.clone();
        doubled.insert(at, bytes[at]);
        assert_eq!(sealed(SealKind::Batch, 7, &doubled), order(at + 1));
    }
    assert_eq!(sealed(SealKind::Batch, 8, &bytes), place(8, 0));
    let revised = leaves.iter().position(|leaf| leaf.revision() != 0).unwrap();
    assert_eq!(sealed(SealKind::Period, 7, &bytes), place(7, revised));
    // One foreign usage point behind the others, at the end of a pack and alone in the next.
    let foreign = (0..).map(|at| format!("Z{at}")).find(|name| partition_of(&name.parse().unwrap()) == 8);
    let foreign = foreign.unwrap();
    let foreign = leaf(block(&foreign, &mut random), SealKind::Batch, &mut random);
    for count in [1, 63, 64, 65, 127, 128] {
        let own: Vec<&[u8]> = bytes[..count].iter().copied().chain([foreign.bytes()]).collect();
        assert_eq!(sealed(SealKind::Batch, 7, &own), place(7, count));
    }
}
