//! Instructions: each stage once on a small fixed input, for a count that no other load on the machine can move.
//!
//! ```text
//!   main thread ─ pool of one ─▶ its thread: prepare ─▶ counted(body) ─▶ end
//!                                                          └─ callgrind counts in here only, and on this thread
//! ```
//!
//! One entry of [`STAGES`] a stage; to count another, add an entry and run `benches/instructions/check.sh --bless`.
//! What a stage does on a pool it does on the one thread that counts, so nobody's waiting is counted.

use std::hint::black_box;
use std::path::Path;

use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::PackWriter;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::tree::{Tree, TreeKind};
use tallywatt_shards::archive::{ArchiveLayout, write_parquet};
use tallywatt_shards::batch_file::{self, reader::BatchReader};
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord};
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits};
use tallywatt_verify::report::Verdict;

use crate::town::{blocks, secret, town};
use crate::{decode, prove, rate, seal, verify};

/// Households of the small town.
const HOUSEHOLD_COUNT: u64 = 40;
/// Days of it.
const DAY_COUNT: u32 = 4;

/// What is counted; all that it needs is prepared, and it gives how much it did.
pub type Body = Box<dyn FnOnce() -> usize + Send>;

/// One stage.
pub struct Stage {
    /// Its name on the command line and in the list of expected counts.
    pub name: &'static str,
    /// Prepares it; files go below the folder, and the pool is the one that counts.
    pub prepare: fn(&Path, &Threads) -> Body,
}

/// All stages, in the order a reading meets them.
pub const STAGES: &[Stage] = &[
    Stage { name: "decode-frames", prepare: |_, _| decoded(decode::frames(HOUSEHOLD_COUNT, DAY_COUNT)) },
    Stage { name: "decode-day", prepare: |_, _| decoded_text("day") },
    Stage { name: "decode-wide", prepare: |_, _| decoded_text("wide") },
    Stage { name: "decode-nem12", prepare: |_, _| decoded_text("nem12") },
    Stage { name: "append", prepare: append },
    Stage {
        name: "hash-leaves",
        prepare: |_, _| {
            let leaves = leaves();
            Box::new(move || {
                leaves.iter().for_each(|leaf| {
                    black_box(leaf.hash());
                });
                leaves.len()
            })
        },
    },
    Stage {
        name: "build-tree",
        prepare: |_, _| {
            let hashes: Vec<ContentHash> = leaves().iter().map(DayLeaf::hash).collect();
            let count = hashes.len();
            Box::new(move || {
                black_box(Tree::new(TreeKind::PeriodPartition, hashes).root());
                count
            })
        },
    },
    Stage {
        name: "seal",
        prepare: |_, threads| {
            let (leaves, threads) = (leaves(), threads.clone());
            Box::new(move || {
                let sealed = sealing::seal(SealKind::Period, &leaves, &threads);
                black_box(sealed.expect("the leaves are in order"));
                leaves.len()
            })
        },
    },
    Stage { name: "write-parquet", prepare: parquet },
    Stage {
        name: "rate-bills",
        prepare: |_, _| {
            let case = rate::Case::new(HOUSEHOLD_COUNT);
            Box::new(move || usize::try_from(case.run().bill_count).expect("a small town"))
        },
    },
    Stage {
        name: "prove",
        prepare: |_, _| {
            let case = prove::Case::new(HOUSEHOLD_COUNT, DAY_COUNT);
            Box::new(move || {
                (0..case.leaf_count()).for_each(|at| {
                    black_box(case.run(at));
                });
                case.leaf_count()
            })
        },
    },
    Stage {
        name: "verify-receipt",
        prepare: |_, _| {
            let case = verify::Case::new();
            Box::new(move || usize::from(case.run_bill() == Verdict::Valid))
        },
    },
];

/// Prepares a stage and does its work, all on the one thread of a pool; gives how much it did.
///
/// # Panics
/// If the system starts no thread, or the folder cannot be written to.
#[must_use]
pub fn run(stage: &Stage, folder: &Path) -> usize {
    let threads = Threads::new(1).expect("a pool of one thread starts");
    threads.pool().install(|| counted((stage.prepare)(folder, &threads)))
}

/// Does the work of a stage. Callgrind is told to count in the function of this name, so it is never inlined.
#[inline(never)]
fn counted(body: Body) -> usize {
    black_box(body())
}

fn leaves() -> Vec<DayLeaf> {
    seal::Case::new(HOUSEHOLD_COUNT, DAY_COUNT, 1).into_leaves()
}

fn decoded(case: decode::Case) -> Body {
    Box::new(move || usize::try_from(case.run().reading_count).expect("a small town"))
}

fn decoded_text(name: &str) -> Body {
    let case = decode::cases(HOUSEHOLD_COUNT, DAY_COUNT).into_iter().find(|case| case.name == name);
    decoded(case.expect("one of the three layouts"))
}

/// A record of an import, encoded, hashed, written and synced.
fn append(folder: &Path, _: &Threads) -> Body {
    let mut blocks = blocks(&town(HOUSEHOLD_COUNT, DAY_COUNT));
    blocks.sort_by_key(|block| block.key());
    let day_count = blocks.len();
    let record = IntakeRecord {
        file: ContentHash::default(),
        file_name: "bench".into(),
        line_cursor: 1,
        is_finished: false,
        counts: IntakeCounts::default(),
        rejections: Vec::new(),
        packs: packs_of(&blocks),
    };
    let open = WriteAhead::open(&folder.join("ahead"), WriteAheadLimits::default(), &mut |_| Ok(()));
    let (mut log, _): (WriteAhead, _) =
        open.map_err(|error: WriteAheadError| error).expect("the folder can be written to");
    Box::new(move || {
        let payload = record.encode().expect("the record is within its limits");
        log.append(INTAKE_KIND, &[&payload]).expect("the record is small");
        log.sync().expect("the folder can be written to");
        day_count
    })
}

/// These days, packed.
fn packs_of(blocks: &[DayBlock]) -> Vec<u8> {
    let (mut pack, mut packs) = (PackWriter::default(), Vec::new());
    for block in blocks {
        if pack.is_full() {
            pack.finish(&mut packs);
        }
        pack.push(DayLeaf::frame(block.clone()).bytes());
    }
    pack.finish(&mut packs);
    packs
}

fn parquet(folder: &Path, threads: &Threads) -> Body {
    let (leaves, folder, threads) = (leaves(), folder.to_owned(), threads.clone());
    let (sealed, _) = batch_file::encode(SealKind::Period, 1, &leaves, &secret(), &threads)
        .expect("the leaves are in order");
    Box::new(move || {
        let layout = ArchiveLayout { zone_name: "bench".into(), shard_count: 1 };
        let reader = BatchReader::of(&sealed).expect("sealed above");
        let written = write_parquet(&folder, &reader, &layout, None, &threads);
        written.expect("the folder can be written to").readings.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_does_its_whole_work() {
        let day_count = usize::try_from(DAY_COUNT).unwrap();
        let leaf_count = 40 * day_count;
        // The region that is decoded has 33 households and two head meters.
        let decoded = 35 * day_count * 48;
        let want = [
            ("decode-frames", decoded),
            ("decode-day", decoded),
            ("decode-wide", decoded),
            ("decode-nem12", decoded),
            ("append", leaf_count),
            ("hash-leaves", leaf_count),
            ("build-tree", leaf_count),
            ("seal", leaf_count),
            ("write-parquet", day_count),
            ("rate-bills", 40),
            ("prove", leaf_count),
            ("verify-receipt", 1),
        ];
        let got: Vec<(&str, usize)> = STAGES
            .iter()
            .map(|stage| {
                let folder =
                    std::env::temp_dir().join(format!("tallywatt-{}-{}", stage.name, std::process::id()));
                std::fs::create_dir_all(&folder).unwrap();
                let done = run(stage, &folder);
                std::fs::remove_dir_all(&folder).unwrap();
                (stage.name, done)
            })
            .collect();
        assert_eq!(got, want);
    }
}
