//! `export`: the sealed readings and the hashes of their leaves as Parquet.

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
    let exported = archive::export(opened.consortium.node(Party::Grid), &absolute, shards)
        .map_err(|error| Failure::usage(error, "free some space or mend the cause, then run it again"))?;
    let tables = [&exported.readings, &exported.leaves];
    let rows = tables.map(|files| files.iter().map(|file| file.row_count).sum::<u64>());
    let bytes: u64 = tables.into_iter().flatten().map(|file| file.size).sum();
    let mut report = Report::default();
    report.fact("folder", folder.display().to_string());
    report.fact("files", exported.readings.len() + exported.leaves.len());
    report.fact("rows", rows[0]).fact("leaves", rows[1]).fact("bytes", bytes);
    report.then(format!(
        "duckdb -c \"SELECT delivery_date, sum(energy_wh) FROM read_parquet('{}/reading/**/*.parquet', hive_partitioning = true) GROUP BY ALL\"",
        folder.display().to_string().replace('\'', "''")
    ));
    Ok(report)
}
