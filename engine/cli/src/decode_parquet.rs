//! The helper that reads a stranger's Parquet: limits first, then the file from stdin, its rows to stdout.
//!
//! It ends with 0 when the end mark is written, and otherwise says why in a line on stderr. Whoever started it believes
//! nothing else.

use std::fs::File;
use std::io::{self, BufWriter};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use clap::Args;
use tallywatt_shards::foreign::{ForeignColumns, ForeignRules, write_rows};
use tallywatt_shards::own_limits::OwnLimits;

use crate::failure::code;

/// Bytes that are written at a time.
const BUFFER_SIZE: usize = 256 << 10;

/// How a helper reads a Parquet file from its standard input, and what it may use.
#[derive(Debug, Args)]
pub struct DecodeParquet {
    /// Column of usage points.
    #[arg(long)]
    pub usage_point: Option<String>,
    /// Column of registers.
    #[arg(long)]
    pub obis: Option<String>,
    /// Column of stamps.
    #[arg(long)]
    pub start: String,
    /// Column of values.
    #[arg(long)]
    pub value: String,
    /// Column of qualities.
    #[arg(long)]
    pub quality: Option<String>,
    /// A column that is not read.
    #[arg(long)]
    pub ignore: Vec<String>,
    /// Stamps are a wall clock's.
    #[arg(long)]
    pub local: bool,
    /// Binary floats are taken.
    #[arg(long)]
    pub floats: bool,
    /// Memory, bytes.
    #[arg(long)]
    pub memory_size: u64,
    /// Time on a processor, seconds.
    #[arg(long)]
    pub cpu_seconds: u64,
    /// Rows, bytes.
    #[arg(long)]
    pub rows_size: u64,
}

/// Reads the file, and writes its rows.
pub fn run(file: &DecodeParquet) -> ExitCode {
    match write(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(code::USAGE)
        }
    }
}

fn write(file: &DecodeParquet) -> Result<(), String> {
    let DecodeParquet { memory_size, cpu_seconds, rows_size, .. } = *file;
    let limits = OwnLimits { memory_size, cpu_seconds, file_size: rows_size };
    limits.set().map_err(|error| format!("cannot set its limits: {error}"))?;
    // What the library says when it gives up is no reason for a person.
    std::panic::set_hook(Box::new(|_| {}));
    let columns = ForeignColumns {
        usage_point: file.usage_point.clone(),
        obis: file.obis.clone(),
        start: file.start.clone(),
        value: file.value.clone(),
        quality: file.quality.clone(),
        ignore: file.ignore.clone(),
    };
    let rules = ForeignRules { is_local: file.local, takes_floats: file.floats };
    let source = own(io::stdin().as_fd()).map_err(|error| error.to_string())?;
    let rows = own(io::stdout().as_fd()).map_err(|error| error.to_string())?;
    let mut rows = BufWriter::with_capacity(BUFFER_SIZE, rows);
    write_rows(source, &columns, rules, &mut rows).map(|_| ()).map_err(|error| error.to_string())
}

fn own(descriptor: std::os::fd::BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}
