//! The stages: one entry of [`STAGES`] each, in the order a reading meets them. To measure another, add an entry.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tallywatt_core::contract::Contract;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::rate::{BillInputs, BlockIndex, RateRun};
use tallywatt_fixtures::write::ReadingFormat;
use tallywatt_fixtures::write::packs::packs_of;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::block::Block;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::receipt::Receipt;
use tallywatt_ledger::seal::{SealKind, SealedTree};
use tallywatt_ledger::tree::{Tree, TreeKind};
use tallywatt_node::ledger_folder::POLICY_NAME;
use tallywatt_shards::archive::{ArchiveLayout, write_parquet};
use tallywatt_shards::batch_file::{self, reader::BatchReader};
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord};
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits};
use tallywatt_verify::report::Verdict;

use crate::args::{Demo, Format};
use crate::demo;
use crate::failure::Failure;
use crate::output::Output;
use crate::prove::read_policy;

use super::country;
use super::figure::Unit;
use super::inputs::{Documents, Inputs, Text, defect};
use super::limits::Limit;
use super::measure::Work;

/// Register-days of one write-ahead record: a chunk of a format that is decoded in one piece.
const CHUNK_BLOCK_COUNT: usize = tallywatt_node::intake::CHUNK_READING_COUNT / 48;
/// A write-ahead file of this size makes way for a new one.
const WRITE_AHEAD_SIZE_MAX: u64 = 64 << 20;
/// Days that are archived in one repetition, a file each.
const PARQUET_DAY_COUNT: usize = 4;
/// Proofs made in one repetition.
const PROOF_COUNT: usize = 1_000;
/// A hash.
const HASH_SIZE: usize = 32;
/// What a node of a tree hashes: its two children.
pub const NODE_SIZE: usize = 2 * HASH_SIZE;
/// What a bill reads of each interval: its value and its quality.
const RATED_SIZE: usize = 4 + 1;

/// What is called again and again: all that is prepared is in it. It says how long the part took that counts.
pub type Body<'i> = Box<dyn FnMut(&Threads) -> Result<(Work, Duration), Failure> + 'i>;

/// How a stage makes use of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// It is measured on one thread only.
    OneThread,
    /// It is measured on 1, 2, 4, … threads.
    Threads,
}

/// One stage.
pub struct Stage {
    /// Its name: verb and noun, short enough to stand beside a bar.
    pub name: &'static str,
    /// What is counted.
    pub unit: Unit,
    /// What holds it back at last: whichever is nearest, in the order of the work's amounts.
    pub limits: &'static [Limit],
    /// On how many threads it is measured.
    pub scaling: Scaling,
    /// Prepares all that the measured part needs.
    pub prepare: for<'i, 'a> fn(&'i Inputs<'a>) -> Result<Body<'i>, Failure>,
}

impl Stage {
    /// On how many of the pools it is measured.
    pub fn pool_count(&self, available: usize) -> usize {
        match self.scaling {
            Scaling::OneThread => 1,
            Scaling::Threads => available,
        }
    }
}

/// All stages.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "decode frames",
        unit: Unit::READINGS,
        limits: &[Limit::MemoryRead],
        scaling: Scaling::Threads,
        prepare: |inputs| files(inputs.text(ReadingFormat::Frames, "frames")?),
    },
    Stage {
        name: "decode day CSV",
        unit: Unit::READINGS,
        limits: &[Limit::MemoryRead],
        scaling: Scaling::Threads,
        prepare: |inputs| files(inputs.text(ReadingFormat::DayCsv, "tallywatt")?),
    },
    Stage {
        name: "decode wide CSV",
        unit: Unit::READINGS,
        limits: &[Limit::MemoryRead],
        scaling: Scaling::Threads,
        prepare: |inputs| files(inputs.wide_text()?),
    },
    Stage {
        name: "append and sync",
        unit: Unit::READINGS,
        limits: &[Limit::Sync],
        scaling: Scaling::OneThread,
        prepare: appends,
    },
    Stage {
        name: "hash leaves",
        unit: Unit::READINGS,
        limits: &[Limit::Hash],
        scaling: Scaling::Threads,
        prepare: |inputs| {
            let leaves = inputs.leaves()?;
            let work = Work::new(inputs.reading_count(), size_of(leaves));
            side_by_side(move || {
                for leaf in leaves {
                    black_box(black_box(leaf).hash());
                }
                Ok(work)
            })
        },
    },
    Stage {
        name: "build tree",
        unit: Unit::READINGS,
        limits: &[Limit::Hash],
        scaling: Scaling::Threads,
        prepare: |inputs| {
            let hashes: Vec<ContentHash> = inputs.leaves()?.iter().map(DayLeaf::hash).collect();
            let work = Work::new(inputs.reading_count(), hashes.len() * NODE_SIZE);
            side_by_side(move || {
                black_box(Tree::new(TreeKind::PeriodPartition, black_box(&hashes).clone()).root());
                Ok(work)
            })
        },
    },
    Stage {
        name: "seal month",
        unit: Unit::READINGS,
        limits: &[Limit::Hash],
        scaling: Scaling::Threads,
        prepare: |inputs| {
            let leaves = inputs.leaves()?;
            let work = Work::new(inputs.reading_count(), size_of(leaves) + leaves.len() * NODE_SIZE);
            whole(move |threads| {
                black_box(sealing::seal(SealKind::Period, black_box(leaves), threads).map_err(defect)?);
                Ok(work)
            })
        },
    },
    Stage {
        name: "take in and seal",
        unit: Unit::READINGS,
        limits: &[Limit::FileWrite, Limit::Hash],
        scaling: Scaling::Threads,
        prepare: country::take_in,
    },
    Stage {
        name: "check batch",
        unit: Unit::READINGS,
        limits: &[Limit::Hash],
        scaling: Scaling::Threads,
        prepare: country::check_batch,
    },
    Stage {
        name: "fold batch",
        unit: Unit::READINGS,
        limits: &[Limit::FileRead],
        scaling: Scaling::Threads,
        prepare: country::fold_batch,
    },
    Stage {
        name: "write Parquet",
        unit: Unit::READINGS,
        limits: &[Limit::FileWrite],
        scaling: Scaling::Threads,
        prepare: |inputs| {
            let (leaves, room) = (inputs.leaves_of_days(PARQUET_DAY_COUNT)?, inputs.room("parquet")?);
            let reading_count = leaves.iter().map(|leaf| leaf.block().interval_count()).sum();
            let (secret, alone) = (BlindingSecret::new([7; 32]), Threads::new(1).map_err(defect)?);
            let (sealed, _) =
                batch_file::encode(SealKind::Period, 1, &leaves, &secret, &alone).map_err(defect)?;
            let layout = ArchiveLayout { zone_name: "bench".into(), shard_count: 1 };
            whole(move |threads| {
                let reader = BatchReader::of(&sealed).map_err(defect)?;
                let written = write_parquet(&room, &reader, &layout, None, threads).map_err(|error| {
                    Failure::usage(error, "free some space, or name another folder with --folder")
                })?;
                let sizes =
                    written.readings.iter().map(|file| usize::try_from(file.size).unwrap_or(usize::MAX));
                Ok(Work::new(reading_count, sizes.sum()))
            })
        },
    },
    Stage {
        name: "rate bills",
        unit: Unit::READINGS,
        limits: &[Limit::MemoryRead],
        scaling: Scaling::Threads,
        prepare: bills,
    },
    Stage {
        name: "rate determinants",
        unit: Unit::BILLS,
        limits: &[Limit::MemoryRead],
        scaling: Scaling::Threads,
        prepare: country::rate_determinants,
    },
    Stage {
        name: "prove a day",
        unit: Unit::PROOFS,
        limits: &[Limit::MemoryCopy],
        scaling: Scaling::Threads,
        prepare: |inputs| {
            let tree = SealedTree::seal(SealKind::Period, inputs.leaves()?).map_err(defect)?;
            side_by_side(move || {
                let mut size = 0;
                // A step that shares no factor with the count visits every leaf, far from the one before.
                for at in 0..PROOF_COUNT {
                    let block = &inputs.blocks[at * 7_919 % inputs.blocks.len()];
                    let proof =
                        tree.prove(&block.key()).ok_or_else(|| defect("a sealed leaf is not found"))?;
                    size += (proof.path.len() + proof.upper_path.len()) * HASH_SIZE;
                    black_box(proof);
                }
                Ok(Work::new(PROOF_COUNT, size))
            })
        },
    },
    Stage {
        name: "verify receipt",
        unit: Unit::RECEIPTS,
        limits: &[Limit::Signature],
        scaling: Scaling::Threads,
        prepare: receipts,
    },
];

fn size_of(leaves: &[DayLeaf]) -> usize {
    leaves.iter().map(|leaf| leaf.bytes().len()).sum()
}

/// All of the work counts.
pub fn whole<'i>(mut work: impl FnMut(&Threads) -> Result<Work, Failure> + 'i) -> Result<Body<'i>, Failure> {
    Ok(Box::new(move |threads| {
        let begun = Instant::now();
        let done = work(threads)?;
        Ok((done, begun.elapsed()))
    }))
}

/// The same work once on each thread, at the same time: what the machine gives to that many.
fn side_by_side<'i>(work: impl Fn() -> Result<Work, Failure> + Sync + 'i) -> Result<Body<'i>, Failure> {
    whole(move |threads| {
        let done = threads.pool().broadcast(|_| work());
        let done: Vec<Work> = done.into_iter().collect::<Result<_, _>>()?;
        assert!(done.windows(2).all(|pair| pair[0] == pair[1]), "every thread does the same");
        Ok(done[0].times(done.len()))
    })
}

/// As many files side by side as there are threads.
fn files<'i>(text: Text) -> Result<Body<'i>, Failure> {
    side_by_side(move || Ok(Work::new(black_box(&text).decode()?, text.size())))
}

/// Chunk after chunk, each durable before the next. An import that is faster than that makes many durable at once.
fn appends<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let blocks = &inputs.blocks[..CHUNK_BLOCK_COUNT.min(inputs.blocks.len())];
    let mut sorted = blocks.to_vec();
    sorted.sort_by_key(|block| block.key());
    let reading_count = sorted.iter().map(|block| block.interval_count()).sum();
    let record = IntakeRecord {
        file: ContentHash::default(),
        file_name: "bench".into(),
        line_cursor: 1,
        is_finished: false,
        counts: IntakeCounts::default(),
        rejections: Vec::new(),
        events: Vec::new(),
        packs: packs_of(&sorted),
    };
    let path = inputs.room("intake")?;
    let disk = |error: WriteAheadError| {
        Failure::usage(error, "free some space, or name another folder with --folder")
    };
    let (mut log, _) = WriteAhead::open(&path, WriteAheadLimits::default(), &mut |_| Ok(())).map_err(disk)?;
    whole(move |_| {
        if log.size() > WRITE_AHEAD_SIZE_MAX {
            log.start_over(&mut std::iter::empty()).map_err(disk)?;
        }
        log.append(INTAKE_KIND, &[&record.encode().map_err(defect)?]).map_err(disk)?;
        log.sync().map_err(disk)?;
        Ok(Work::new(reading_count, 1))
    })
}

/// Every household's bill of the month; the accounts are dealt out to the threads.
fn bills<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let (Documents { tariffs, agreements, contracts }, blocks) =
        (inputs.documents()?, BlockIndex::new(&inputs.blocks));
    let period = "2026-03".parse().map_err(defect)?;
    let rate = move |some: &[Contract]| -> Result<(), Failure> {
        // As a bill run does: days and zones are looked up once, and an account's days are mostly the next ones.
        let (mut run, cursor) = (RateRun::new(period), blocks.cursor());
        some.iter().try_for_each(|contract| {
            let inputs = BillInputs {
                account: contract.account,
                period,
                contracts: std::slice::from_ref(contract),
                tariffs: &tariffs,
                agreement: agreements.get(&contract.agreement).ok_or_else(|| defect("no such agreement"))?,
                readings: ContentHash::default(),
                market: &tallywatt_core::market::MarketBook::new(),
            };
            run.bill(&inputs, &|key| cursor.find(key)).map(|bill| drop(black_box(bill))).map_err(defect)
        })
    };
    let work = Work::new(inputs.reading_count(), inputs.reading_count() * RATED_SIZE);
    whole(move |threads| {
        let part = contracts.len().div_ceil(threads.count());
        let done = threads.pool().broadcast(|context| {
            let own = contracts.chunks(part).nth(context.index()).unwrap_or_default();
            rate(own)
        });
        done.into_iter().collect::<Result<(), Failure>>()?;
        Ok(work)
    })
}

/// The receipt that the demonstration ends with: a month's bill of a ledger of three parties.
fn receipts<'i>(inputs: &'i Inputs<'_>) -> Result<Body<'i>, Failure> {
    let folder = inputs.room("receipt")?.join("demo");
    let told = Demo {
        action: None,
        folder: folder.clone(),
        households: 20,
        period: "2026-03".into(),
        seed: 1,
        processes: false,
    };
    let report = demo::run(&told, inputs.arguments, &Output::new(Format::Json, true))?;
    let path = report.facts.iter().find(|(name, _)| *name == "receipt").and_then(|fact| fact.1.as_str());
    let path = PathBuf::from(path.ok_or_else(|| defect("the demonstration names no receipt"))?);
    let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let policy = read_policy(&folder.join("data").join(POLICY_NAME)).map_err(defect)?;
    let work = Work::new(1, signature_count(&bytes)?);
    side_by_side(move || match tallywatt_verify::verify(black_box(&bytes), &policy).verdict {
        Verdict::Valid => Ok(work),
        other => Err(defect(format!("the demonstration's receipt is {}", other.name()))),
    })
}

/// Those under the checkpoint, and the attestations of every block.
fn signature_count(bytes: &[u8]) -> Result<usize, Failure> {
    let receipt = Receipt::parse(bytes).map_err(defect)?;
    let blocks = receipt.blocks.iter().map(|placed| &placed.logged).chain([&receipt.sealed_by]);
    let attested = blocks.map(|logged| Block::decode(&logged.record).map(|block| block.attestations.len()));
    let attested: usize = attested.sum::<Result<_, _>>().map_err(defect)?;
    let text = String::from_utf8_lossy(bytes);
    Ok(attested + text.lines().filter(|line| line.starts_with("— ")).count())
}
