//! Instructions: each stage once on a small fixed input, for a count that no other load on the machine can move.
//!
//! ```text
//!   body     main thread ─ pool of one ─▶ its thread: prepare ─▶ counted(body) ─▶ end
//!                                                              └─ callgrind counts in here only, and on this thread
//!   process  prepare, in a process before ─▶ file ─▶ all that the process does, on all its threads
//! ```
//!
//! One entry of [`STAGES`] a stage; to count another, add an entry and run `benches/instructions/check.sh --bless`.
//! What a stage does on a pool it does on the one thread that counts, so nobody's waiting is counted. The pipeline has
//! threads of its own: there waiting is counted, and moves the count by some tenths of a per cent.

use std::hint::black_box;
use std::path::Path;

use tallywatt_core::hash::ContentHash;
use tallywatt_fixtures::write::packs::packs_of;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::tree::{Tree, TreeKind};
use tallywatt_shards::archive::{ArchiveLayout, write_parquet};
use tallywatt_shards::batch_file::{self, reader::BatchReader};
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord};
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits};
use tallywatt_verify::report::Verdict;

use crate::measure::{Setup, files, load};
use crate::town::{blocks, secret, town};
use crate::{decode, prove, rate, seal, verify};

/// Households of the small town.
const HOUSEHOLD_COUNT: u64 = 40;
/// Days of it.
const DAY_COUNT: u32 = 4;
/// Meters of the small country: eight in each partition.
const METER_COUNT: u64 = 2_000;

/// What is counted; all that it needs is prepared, and it gives how much it did.
pub type Body = Box<dyn FnOnce() -> usize + Send>;

/// Where the instructions of a stage are counted.
#[derive(Clone, Copy)]
pub enum Scope {
    /// In the body that this prepares; files go below the folder, and the pool is the one that counts.
    Body(fn(&Path, &Threads) -> Body),
    /// In the whole process, which finds in its folder what a process before it prepared.
    Process {
        /// Prepares it.
        prepare: fn(&Path),
        /// Does it, and gives how much it did.
        run: fn(&Path) -> usize,
    },
}

impl Scope {
    /// Its name in the list of stages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Body(_) => "body",
            Self::Process { .. } => "process",
        }
    }
}

/// One stage.
pub struct Stage {
    /// Its name on the command line and in the list of expected counts.
    pub name: &'static str,
    /// What of it is counted.
    pub scope: Scope,
}

/// All stages, in the order a reading meets them.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "decode-frames",
        scope: Scope::Body(|_, _| decoded(decode::frames(HOUSEHOLD_COUNT, DAY_COUNT))),
    },
    Stage { name: "decode-day", scope: Scope::Body(|_, _| decoded_text("day")) },
    Stage { name: "decode-wide", scope: Scope::Body(|_, _| decoded_text("wide")) },
    Stage { name: "decode-nem12", scope: Scope::Body(|_, _| decoded_text("nem12")) },
    Stage { name: "append", scope: Scope::Body(append) },
    Stage {
        name: "hash-leaves",
        scope: Scope::Body(|_, _| {
            let leaves = leaves();
            Box::new(move || {
                leaves.iter().for_each(|leaf| {
                    black_box(leaf.hash());
                });
                leaves.len()
            })
        }),
    },
    Stage {
        name: "build-tree",
        scope: Scope::Body(|_, _| {
            let hashes: Vec<ContentHash> = leaves().iter().map(DayLeaf::hash).collect();
            let count = hashes.len();
            Box::new(move || {
                black_box(Tree::new(TreeKind::PeriodPartition, hashes).root());
                count
            })
        }),
    },
    Stage {
        name: "seal",
        scope: Scope::Body(|_, threads| {
            let (leaves, threads) = (leaves(), threads.clone());
            Box::new(move || {
                let sealed = sealing::seal(SealKind::Period, &leaves, &threads);
                black_box(sealed.expect("the leaves are in order"));
                leaves.len()
            })
        }),
    },
    Stage {
        name: "packs-to-batch",
        scope: Scope::Process {
            prepare: |folder| {
                files::prepare_packs(&country(folder)).expect("the folder can be written to");
            },
            run: |folder| {
                let loaded = load::load_packs(&country(folder)).expect("a generated file is taken in whole");
                usize::try_from(loaded.sealed.totals.leaf_count).expect("a small country")
            },
        },
    },
    Stage { name: "write-parquet", scope: Scope::Body(parquet) },
    Stage {
        name: "rate-bills",
        scope: Scope::Body(|_, _| {
            let case = rate::Case::new(HOUSEHOLD_COUNT);
            Box::new(move || usize::try_from(case.run().bill_count).expect("a small town"))
        }),
    },
    Stage {
        name: "prove",
        scope: Scope::Body(|_, _| {
            let case = prove::Case::new(HOUSEHOLD_COUNT, DAY_COUNT);
            Box::new(move || {
                (0..case.leaf_count()).for_each(|at| {
                    black_box(case.run(at));
                });
                case.leaf_count()
            })
        }),
    },
    Stage {
        name: "verify-receipt",
        scope: Scope::Body(|_, _| {
            let case = verify::Case::new();
            Box::new(move || usize::from(case.run_bill() == Verdict::Valid))
        }),
    },
];

/// Prepares what a process to be counted wants to find in its folder.
///
/// # Panics
/// If the folder cannot be written to.
pub fn prepare(stage: &Stage, folder: &Path) {
    if let Scope::Process { prepare, .. } = stage.scope {
        prepare(folder);
    }
}

/// Does the work of a stage; gives how much it did. A body is prepared and done on the one thread of a pool.
///
/// # Panics
/// If the system starts no thread, or the folder cannot be written to; a process also if nothing was prepared for it.
#[must_use]
pub fn run(stage: &Stage, folder: &Path) -> usize {
    match stage.scope {
        Scope::Process { run, .. } => run(folder),
        Scope::Body(prepare) => {
            let threads = Threads::new(1).expect("a pool of one thread starts");
            threads.pool().install(|| counted(prepare(folder, &threads)))
        }
    }
}

/// Does the work of a stage. Callgrind is told to count in the function of this name, so it is never inlined.
#[inline(never)]
fn counted(body: Body) -> usize {
    black_box(body())
}

/// A country in a folder. On one thread a file is decoded in one piece: two, so that it is cut as it mostly is.
fn country(folder: &Path) -> Setup {
    let threads = Threads::new(2).expect("a pool of few threads starts");
    let (folder, meter_count, day_count) = (folder.to_owned(), METER_COUNT, 1);
    Setup { folder, threads, meter_count, day_count, leaf_count: 1, memory_mib: 1_024 }
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
        events: Vec::new(),
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
            ("packs-to-batch", 2_000),
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
                prepare(stage, &folder);
                let done = run(stage, &folder);
                std::fs::remove_dir_all(&folder).unwrap();
                (stage.name, done)
            })
            .collect();
        assert_eq!(got, want);
    }
}
