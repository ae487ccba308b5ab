//! `bench`: what this machine can do, and what share of that each stage of a reading's way makes use of.
//!
//! ```text
//!   machine ─▶ what it is                                      report ──▶ table, JSON, CSV
//!   limits  ─▶ memory, BLAKE3, signatures, disk  ─┐ figures ─┤
//!   inputs  ─▶ stages ─ measure ──────────────────┘            picture ─▶ SVG
//! ```
//!
//! A figure is the median of repetitions, at least [`measure::REPETITION_COUNT_MIN`] of them; its spread is the
//! distance of its quartiles. All that is written to disk lies in one temporary folder, which is removed however
//! the command ends.
#![allow(
    clippy::float_arithmetic,
    reason = "times and rates of this machine; no reading or amount comes by here"
)]

mod blocks;
mod country;
mod figure;
mod inputs;
mod limits;
mod machine;
mod measure;
mod picture;
mod report;
mod stages;

use std::path::{Path, PathBuf};

use tallywatt_shards::durable;
use tallywatt_shards::threads::Threads;
use tempfile::TempDir;

use crate::args::{Arguments, Bench};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{Output, Report};
use crate::progress::Meter;

use figure::{Figure, Kind};
use inputs::Inputs;
use limits::{Limit, Limits};
use measure::{Effort, Work};
use stages::Stage;

/// Measures the machine and the stages.
pub fn run(bench: &Bench, arguments: &Arguments, output: &Output) -> Result<Report, Failure> {
    if let Some(count) = bench.blocks {
        return blocks::run(count, bench.missed.unwrap_or(count), &disk_folder(bench, arguments), *output);
    }
    let pools = pools(arguments.threads)?;
    let picture = bench.svg.as_deref().map(picture_path).transpose()?;
    let folder = disk_folder(bench, arguments);
    let place = tempfile::Builder::new()
        .prefix("tallywatt-bench-")
        .tempdir_in(&folder)
        .map_err(|error| Failure::file("write below", &folder, &error))?;
    let removed = place.path().to_owned();
    // Where it cannot be removed there is nobody left to tell.
    let stop = interrupt::flag(move || drop(std::fs::remove_dir_all(&removed)))?;
    let effort = if bench.quick { Effort::quick(&stop) } else { Effort::full(&stop) };
    let figures = figures(&effort, &pools, &place, arguments, *output)?;
    let machine = machine::Machine::here();
    let report = report::of(&machine, &folder, &figures, picture.as_deref(), bench.quick);
    if let Some(path) = picture {
        durable::write_durably(&path, picture::draw(&machine.to_string(), &figures).as_bytes())?;
    }
    place.close().map_err(|error| Failure::file("remove the temporary folder below", &folder, &error))?;
    Ok(report)
}

/// Limits first, then the stages, each on more and more threads.
fn figures(
    effort: &Effort,
    pools: &[Threads],
    place: &TempDir,
    arguments: &Arguments,
    output: Output,
) -> Result<Vec<Figure>, Failure> {
    let stages = stages::STAGES;
    let total = u64::try_from(stages.len() + 1).unwrap_or(u64::MAX);
    let mut meter = Meter::new(output, "bench", total, "measurements");
    let limits = Limits::measure(effort, pools, place.path())?;
    let inputs = Inputs::new(effort.is_quick(), place.path().to_owned(), arguments)?;
    let mut figures = limits.figures().to_vec();
    for (done, stage) in (1..).zip(stages) {
        meter.set(done, stage.name);
        let mut body = (stage.prepare)(&inputs)?;
        let mut alone = None;
        for threads in pools.iter().take(stage.pool_count(pools.len())) {
            let (work, times) = effort.repeat_timed(&mut || body(threads))?;
            let rate = work.count / times.median_s();
            let first = *alone.get_or_insert(rate);
            let (limit, share) =
                nearest(stage, &work, times.median_s(), |limit| limits.capacity(limit, threads.count()));
            figures.push(Figure {
                kind: Kind::Stage,
                name: stage.name,
                threads: threads.count(),
                unit: stage.unit,
                rate,
                spread: times.spread(),
                limit: Some(limit.name()),
                share: Some(share),
                speed_up: (threads.count() > 1).then(|| rate / first),
            });
        }
    }
    meter.finish();
    Ok(figures)
}

/// Of a stage's limits the one it comes nearest to, and its part of that.
fn nearest(stage: &Stage, work: &Work, seconds: f64, capacity: impl Fn(Limit) -> f64) -> (Limit, f64) {
    let share = |(&limit, limited): (&Limit, f64)| (limit, limited / seconds / capacity(limit));
    let shares = stage.limits.iter().zip(work.limited).map(share);
    shares.max_by(|a, b| a.1.total_cmp(&b.1)).expect("every stage names a limit")
}

/// Pools of 1, 2, 4, … and as many threads as are wanted; none wanted, or 0: those of the machine.
fn pools(wanted: Option<usize>) -> Result<Vec<Threads>, Failure> {
    let machine = || std::thread::available_parallelism().map_or(1, usize::from);
    let most = match wanted.unwrap_or(0) {
        0 => machine().min(tallywatt_shards::threads::THREAD_COUNT_MAX),
        count => count,
    };
    let counts = std::iter::successors(Some(1_usize), |count| count.checked_mul(2));
    let counts = counts.take_while(|count| *count < most).chain([most]);
    let pools = counts.map(Threads::new).collect::<Result<_, _>>();
    pools.map_err(|error| Failure::usage(error, "give --threads between 1 and 64"))
}

/// Where the disk is measured.
fn disk_folder(bench: &Bench, arguments: &Arguments) -> PathBuf {
    match &bench.folder {
        Some(folder) => folder.clone(),
        None if arguments.data.is_dir() => arguments.data.clone(),
        None => std::env::temp_dir(),
    }
}

/// A path that can be written to: better refused now than after the measuring.
fn picture_path(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::file("resolve", path, &error))?;
    if absolute.is_dir() || absolute.file_name().is_none() {
        return Err(Failure::usage(
            format!("--svg: {} does not name a file", path.display()),
            "name a file such as bench.svg",
        ));
    }
    if let Some(folder) = absolute.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    }
    Ok(absolute)
}
