//! The measured jobs: each from a file to a sum that other programs arrived at too, a repetition a call.
//!
//! ```text
//!   Setup ── prepare-… ─▶ files in the folder          untimed
//!         ── bill-…, load-…, archive, merkle-… ─▶ Answer   seconds, and sums that are known or counted beforehand
//! ```
//!
//! Everything timed is what the product runs: nothing here decodes, judges, seals, folds or rates by itself. The worker
//! that `benches/compare/run.py` talks to is `tallywatt-measure`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tallywatt_shards::threads::Threads;

pub mod archive;
pub mod determinants;
pub mod files;
pub mod load;
pub mod merkle;
pub mod parquet;
pub mod store;

/// Why a job could not be measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is measured, and with how much of the machine.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The folder of the files.
    pub folder: PathBuf,
    /// Threads.
    pub threads: Threads,
    /// Meters of the country.
    pub meter_count: u64,
    /// Its days.
    pub day_count: u16,
    /// Leaves of the tree.
    pub leaf_count: usize,
    /// Memory for days that are not sealed, MiB.
    pub memory_mib: usize,
}

impl Setup {
    /// A file of the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// What one repetition came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How long it took.
    pub took: Duration,
    /// Its sums by name, in order.
    pub sums: Vec<(&'static str, i128)>,
    /// How long its parts took.
    pub parts: Vec<(&'static str, Duration)>,
}

impl Answer {
    /// One sum.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<i128> {
        self.sums.iter().find(|(own, _)| *own == name).map(|(_, sum)| *sum)
    }

    /// A line of JSON.
    #[must_use]
    pub fn to_json(&self, task: &str) -> String {
        let mut json = format!("{{\"task\": \"{task}\", \"seconds\": {:.6}", self.took.as_secs_f64());
        for (name, sum) in &self.sums {
            write!(json, ", \"{name}\": {sum}").expect("a text takes all that is written");
        }
        for (name, took) in &self.parts {
            write!(json, ", \"{name}\": {:.6}", took.as_secs_f64())
                .expect("a text takes all that is written");
        }
        write!(json, ", \"rss_mib\": {}}}", peak_memory_mib()).expect("a text takes all that is written");
        json
    }
}

type Run = fn(&Setup) -> Result<Answer, Failure>;

/// Every task and what runs it; those that prepare are not timed.
pub const TASKS: [(&str, Run); 16] = [
    ("prepare-store", store::prepare),
    ("prepare-determinants", determinants::prepare),
    ("prepare-csv", files::prepare_csv),
    ("prepare-frames", files::prepare_frames),
    ("prepare-packs", files::prepare_packs),
    ("bill-store", store::bill),
    ("bill-parquet", parquet::bill),
    ("bill-determinants", determinants::bill),
    ("load-csv", load::csv),
    ("load-frames", load::frames),
    ("load-packs", load::packs),
    ("archive", archive::readings),
    ("archive-proven", archive::proven),
    ("merkle-build", merkle::build),
    ("merkle-prove", merkle::prove),
    ("merkle-verify", merkle::verify),
];

/// Answers one line; `hello` says which tasks there are.
///
/// # Errors
/// [`Failure`] of the task.
pub fn answer(setup: &Setup, task: &str) -> Result<String, Failure> {
    if task == "hello" {
        let names: Vec<String> = TASKS.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let version = env!("CARGO_PKG_VERSION");
        let names = names.join(", ");
        return Ok(format!("{{\"name\": \"tallywatt\", \"version\": \"{version}\", \"tasks\": [{names}]}}"));
    }
    match TASKS.iter().find(|(name, _)| *name == task) {
        Some((_, run)) => Ok(run(setup)?.to_json(task)),
        None => Ok(format!("{{\"task\": {task:?}, \"unsupported\": true}}")),
    }
}

/// Meters and days of a folder named so: `10000x30`.
#[must_use]
pub fn sizes_of(folder: &Path) -> Option<(u64, u16)> {
    let (meters, days) = folder.file_name()?.to_str()?.split_once('x')?;
    Some((meters.parse().ok()?, days.parse().ok()?))
}

/// What `make` gives for each number, side by side, in order.
///
/// # Panics
/// If `make` panics.
pub fn side_by_side<T: Send>(
    threads: &Threads,
    numbers: std::ops::Range<usize>,
    make: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let mut places: Vec<Option<T>> = Vec::new();
    places.resize_with(numbers.len(), || None);
    let make = &make;
    threads.pool().scope(|scope| {
        for (number, place) in numbers.zip(&mut places) {
            scope.spawn(move |_| *place = Some(make(number)));
        }
    });
    places.into_iter().map(|made| made.expect("the scope waits for all")).collect()
}

/// The most memory this process has held; 0 where the system does not say.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

/// Lets [`peak_memory_mib`] count from what is held now; where the system cannot, from the beginning.
fn forget_peak_memory() {
    // "5" resets the peak and nothing else; see proc_pid_clear_refs(5).
    std::fs::write("/proc/self/clear_refs", "5").unwrap_or_default();
}

#[cfg(test)]
mod tests;
