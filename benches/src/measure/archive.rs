//! A sealed batch to Parquet that survives a power cut, timed by itself: the batch is loaded before.
//!
//! ```text
//!   packs ─ as `load-packs` ─▶ batch file ─┬─▶ readings                                    `archive`
//!                                          └─▶ readings and leaf hashes, the root checked  `archive-proven`
//! ```

use std::time::Instant;

use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_shards::archive::{ArchiveFile, ArchiveLayout, read_totals, write_parquet};
use tallywatt_shards::batch_file::reader::BatchReader;

use super::files::{PACKS_FILE, ZONE, energy_wh, reading_count};
use super::load::{self, BATCH_FILE};
use super::{Answer, Failure, Setup, forget_peak_memory};
use crate::town::secret;

/// Writes the readings of [`PACKS_FILE`].
///
/// # Errors
/// [`Failure`], also if what was written is not what was loaded.
pub fn readings(setup: &Setup) -> Result<Answer, Failure> {
    archive(setup, None)
}

/// Writes the readings of [`PACKS_FILE`] and the hashes of their leaves.
///
/// # Errors
/// As [`readings`].
pub fn proven(setup: &Setup) -> Result<Answer, Failure> {
    archive(setup, Some(&secret()))
}

fn archive(setup: &Setup, secret: Option<&BlindingSecret>) -> Result<Answer, Failure> {
    let profile = Profile::builtin("packs")?.with_zone(ZONE)?;
    load::in_folder(setup, |folder| {
        let loaded = load::load(setup, &profile, &setup.path(PACKS_FILE), folder)?;
        let mut sums = load::sums(setup, &loaded)?;
        let layout = ArchiveLayout { zone_name: ZONE.to_owned(), shard_count: 1 };
        forget_peak_memory();
        let start = Instant::now();
        let reader = BatchReader::open(&folder.join(BATCH_FILE))?;
        let written = write_parquet(folder, &reader, &layout, secret, &setup.threads)?;
        let took = start.elapsed();
        let (mut row_count, mut energy) = (0_i128, 0_i128);
        for file in &written.readings {
            let totals = read_totals(&folder.join(&file.relative_path))?;
            (row_count, energy) =
                (row_count + i128::from(totals.row_count), energy + i128::from(totals.energy_wh));
        }
        if (row_count, energy) != (reading_count(setup), energy_wh(setup)?.into()) {
            return Err(format!("{row_count} rows of {energy} Wh are not the country's").into());
        }
        let size = |files: &[ArchiveFile]| files.iter().map(|file| i128::from(file.size)).sum::<i128>();
        let bytes = size(&written.readings);
        sums.extend([
            ("parquet_bytes", bytes),
            ("leaf_bytes", size(&written.leaves)),
            ("millibytes_a_reading", 1_000 * bytes / row_count),
        ]);
        let parts = vec![("intake_seconds", loaded.intake), ("cut_seconds", loaded.cut)];
        Ok(Answer { took, sums, parts })
    })
}
