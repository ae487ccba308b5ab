//! Books: batches checked against what was accepted before, and periods closed.

use std::collections::HashMap;

use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::label::UsagePointId;
use tallywatt_ledger::command::{BatchCommit, Command, PeriodCommit};
use tallywatt_ledger::digest;
use tallywatt_ledger::seal::SealKind;
use tallywatt_shards::closing::close_period;
use tallywatt_shards::{batch_file, sealing};

use crate::books::{Books, BooksError, Computed};

impl Books {
    /// Checks a batch against what was accepted before, leaf by leaf and event by event, and seals it.
    pub(super) fn seal_batch(&self, bytes: &[u8]) -> Result<BatchCommit, BooksError> {
        let file = self.decode_sealed(bytes)?;
        let sequence = file.sequence;
        let is_empty = file.leaves.is_empty() && file.events.is_empty();
        if file.kind != SealKind::Batch || sequence != self.batch_count + 1 || is_empty {
            return Err(BooksError::Conflict(format!(
                "batch file {sequence} does not follow {}",
                self.batch_count
            )));
        }
        // That the leaves are blinded by this ledger's secret was checked with the hashes of the file.
        self.readings.check(&file, &self.threads)?;
        Ok(BatchCommit { sequence, file: digest::content_hash(bytes), sealed: file.sealed })
    }

    pub(super) fn close(&self, period: Period) -> Result<Computed, BooksError> {
        let zones = self.zones_of(period);
        let zone_of = |usage_point: &UsagePointId| &zones[usage_point];
        let blocks = close_period(self.accepted(), period, zone_of, &self.threads);
        if blocks.is_empty() {
            return Err(BooksError::Nothing(format!("no readings of {period} are sealed")));
        }
        let leaves = sealing::leaves_of(&blocks, SealKind::Period, &self.secret, |_| 0, &self.threads);
        let sequence = period.number().into();
        let (file, sealed) =
            batch_file::encode(SealKind::Period, sequence, &leaves, &self.secret, &self.threads)?;
        let command = Command::Period(PeriodCommit { period, batches: self.batch_count, sealed });
        Ok(Computed { command, file: Some(file), unbilled: Vec::new() })
    }

    /// Whose local days a usage point follows: its contract's zone, else the offset its own days have.
    pub(super) fn zones_of(&self, period: Period) -> HashMap<UsagePointId, Zone> {
        let mut zones: HashMap<UsagePointId, Zone> =
            self.contracts.iter().map(|contract| (contract.usage_point, contract.zone.clone())).collect();
        for block in self.accepted().blocks_of_period(period) {
            zones.entry(block.key().usage_point).or_insert_with(|| {
                let quarters = block.offset_quarters();
                let sign = if quarters < 0 { '-' } else { '+' };
                let minutes = u32::from(quarters.unsigned_abs()) * 15;
                let name = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
                Zone::parse(&name).unwrap_or_else(|_| Zone::parse("UTC").expect("UTC is a zone"))
            });
        }
        zones
    }
}
