//! `tallywatt-measure --dir DIR --threads N`: a task a line in, a line of JSON out; our side of `benches/compare`.
//!
//! Sizes are those of a folder named `METERSxDAYS`, or given: `--meters`, `--days`, `--leaves`, `--memory` in MiB.

use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use tallywatt_benches::measure::{Failure, Setup, answer, sizes_of};
use tallywatt_shards::threads::Threads;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let setup = setup(std::env::args().skip(1))?;
    for line in io::stdin().lock().lines() {
        let told = answer(&setup, line?.trim())?;
        let mut out = io::stdout().lock();
        writeln!(out, "{told}")?;
        out.flush()?;
    }
    Ok(())
}

fn setup(mut words: impl Iterator<Item = String>) -> Result<Setup, Failure> {
    let (mut folder, mut threads, mut leaf_count, mut memory_mib) = (PathBuf::from("."), 1, 1_000_000, 4_096);
    let (mut meters, mut days) = (None, None);
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--dir" => folder = value.into(),
            "--threads" => threads = value.parse()?,
            "--meters" => meters = Some(value.parse()?),
            "--days" => days = Some(value.parse()?),
            "--leaves" => leaf_count = value.parse()?,
            "--memory" => memory_mib = value.parse()?,
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    let (named_meters, named_days) = sizes_of(&folder).unwrap_or((1_000, 30));
    if leaf_count == 0 {
        return Err("--leaves 0: at least 1".into());
    }
    Ok(Setup {
        folder,
        threads: Threads::new(threads)?,
        meter_count: meters.unwrap_or(named_meters),
        day_count: days.unwrap_or(named_days),
        leaf_count,
        memory_mib,
    })
}
