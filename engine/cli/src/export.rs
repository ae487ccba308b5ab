//! `export`: the sealed readings as Parquet.

use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_node::archive;

use crate::args::{Arguments, Export};
use crate::failure::Failure;
use crate::open::{Opened, open};
use crate::output::Report;

/// Writes Parquet.
pub fn run(export: &Export, arguments: &Arguments) -> Result<Report, Failure> {
    write(&open(arguments)?, &export.folder)
}

/// Writes every sealed batch below `folder`.
pub fn write(opened: &Opened, folder: &Path) -> Result<Report, Failure> {
    let shards = opened.folder.config().archive_shards;
    let absolute = std::path::absolute(folder).map_err(|error| Failure::file("resolve", folder, &error))?;
    std::fs::create_dir_all(&absolute).map_err(|error| Failure::file("create", &absolute, &error))?;
    let files = archive::export(opened.consortium.node(Party::Grid), &absolute, shards)
        .map_err(|error| Failure::usage(error, "free some space or mend the cause, then run it again"))?;
    let (rows, bytes) = files.iter().fold((0, 0), |sum, file| (sum.0 + file.row_count, sum.1 + file.size));
    let mut report = Report::default();
    report.fact("folder", folder.display().to_string()).fact("files", files.len());
    report.fact("rows", rows).fact("bytes", bytes);
    report.then(format!(
        "duckdb -c \"SELECT delivery_date, sum(energy_wh) FROM read_parquet('{}/reading/**/*.parquet', hive_partitioning = true) GROUP BY ALL\"",
        folder.display().to_string().replace('\'', "''")
    ));
    Ok(report)
}
