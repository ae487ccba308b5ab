//! Books: batches checked against what was accepted before, and periods closed with the evidence there is.
//!
//! ```text
//!   accepted days ───────────────────────────┐
//!   reads, installations ─▶ what was counted ─┼─▶ close_period ─▶ leaves, and how each estimate came to be
//!   estimation parameters ───────────────────┤
//!   months closed before, as they stand ─────┘
//! ```
//!
//! All of it is what was sealed up to one batch, and what the chain closed before, so the three nodes, and whoever asks
//! later, compute the same. A register span that began in a month closed before gives this month what is left of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::label::{AccountId, UsagePointId};
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::InstallationError;
use tallywatt_core::vee::consumption::apportion::Apportion;
use tallywatt_core::vee::estimate::evidence::Evidence;
use tallywatt_core::vee::estimate::parameters::{Apportioning, EstimationParameters};
use tallywatt_ledger::command::{BatchCommit, Command, PeriodCommit};
use tallywatt_ledger::digest;
use tallywatt_ledger::seal::{SealKind, seal_order};
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::closing::{ClosedDay, RegisterEstimation, close_period};
use tallywatt_shards::{batch_file, sealing};

use crate::books::counted::RegisterKey;
use crate::books::{Books, BooksError, Computed};

/// What a period's close comes to.
struct Closed {
    /// In seal order.
    blocks: Vec<DayBlock>,
    estimations: Vec<RegisterEstimation>,
    /// Accounts whose registers were read, but not so that the period could be told.
    unbilled: Vec<(AccountId, String)>,
}

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
        let close_count = self.closes.len();
        let Closed { blocks, unbilled, .. } =
            self.close_as_of(period, self.accepted(), self.batch_count, close_count);
        let revision = self.close_count(period);
        if let Some(leaves) = self.period_leaves(period)
            && leaves.iter().map(|leaf| leaf.block()).eq(&blocks)
        {
            let what = format!("{period} is closed already, and nothing sealed since changes it");
            return Err(BooksError::Nothing(what));
        }
        if blocks.is_empty() {
            let why = unbilled.first().map(|(_, reason)| format!(": {reason}")).unwrap_or_default();
            return Err(BooksError::Nothing(format!("no readings of {period} are sealed{why}")));
        }
        let leaves = sealing::leaves_of(&blocks, SealKind::Period, self.secret()?, |_| 0, &self.threads);
        let sequence = period.number().into();
        let (file, sealed) =
            batch_file::encode(SealKind::Period, sequence, &leaves, self.secret()?, &self.threads)?;
        let revision = u32::try_from(revision).map_err(|_| BooksError::Overflow("revisions"))?;
        let command = Command::Period(PeriodCommit { period, revision, batches: self.batch_count, sealed });
        Ok(Computed { command, file: Some(file), unbilled })
    }

    /// The days that a close of the period would leave now, in seal order.
    pub(super) fn blocks_of_close(&self, period: Period) -> Vec<DayBlock> {
        self.close_as_of(period, self.accepted(), self.batch_count, self.closes.len()).blocks
    }

    /// How every estimate of a period came to be, and what was refused, in order of usage point and register: of a
    /// closed one as it was closed last, of another as it would be now. Computed again from what is sealed.
    ///
    /// # Errors
    /// [`BooksError::Conflict`] if the closed period does not follow from what is known any more: contracts that gave
    /// its usage points their zones were replaced.
    pub fn decisions(&self, period: Period) -> Result<Vec<RegisterEstimation>, BooksError> {
        let place = self.closes.iter().rposition(|(closed, _)| *closed == period);
        let batch = place.map_or(self.batch_count, |place| self.closes[place].1);
        let then;
        let accepted = if batch == self.batch_count {
            self.accepted()
        } else {
            then = self.as_of(batch);
            &then
        };
        let closed = self.close_as_of(period, accepted, batch, place.unwrap_or(self.closes.len()));
        if let Some(leaves) = self.period_leaves(period)
            && !leaves.iter().map(|leaf| leaf.block()).eq(&closed.blocks)
        {
            let what = format!("{period} was closed by other contracts than hold now: cannot say how");
            return Err(BooksError::Conflict(what));
        }
        Ok(closed.estimations)
    }

    /// What gaps of a period may be filled with.
    #[must_use]
    pub fn estimation_parameters(&self, period: Period) -> EstimationParameters {
        estimation_parameters(self, period)
    }

    /// Registers whose installations contradict each other, in order: none of their reads is used.
    #[must_use]
    pub fn meter_faults(&self) -> Vec<(UsagePointId, Register, InstallationError)> {
        let counted = self.counted(self.batch_count);
        counted.faults().map(|((usage_point, register), error)| (usage_point, register, error)).collect()
    }

    /// Closes a period from what was sealed when batch `batch` was the newest, and the chain had `close_count` closes.
    ///
    /// A period that is closed again keeps its place: what the periods closed after its first close took of a register span
    /// is not its business, and follows when they are closed again themselves.
    fn close_as_of(&self, period: Period, accepted: &AcceptedSet, batch: u64, close_count: usize) -> Closed {
        let counted = self.counted(batch);
        let zones = self.zones_of(period, accepted);
        let zone_of = |usage_point: &UsagePointId| &zones[usage_point];
        // No document says yet which meter checks which, when power failed, or what was shut down.
        let evidence_of = |usage_point: &UsagePointId, register: Register| Evidence {
            register_spans: counted.spans(&(*usage_point, register)),
            register_failures: counted.failures(&(*usage_point, register)),
            ..Evidence::default()
        };
        let parameters = estimation_parameters(self, period);
        let before: BTreeSet<Period> =
            self.closes.iter().map(|&(closed, _)| closed).take_while(|&closed| closed != period).collect();
        // How often each was closed then.
        let mut counts: BTreeMap<Period, usize> = BTreeMap::new();
        for (closed, _) in self.closes[..close_count].iter().filter(|(closed, _)| before.contains(closed)) {
            *counts.entry(*closed).or_default() += 1;
        }
        let closed_day = |key: &BlockKey| {
            let month = key.day.period();
            let closed = counts.get(&month).and_then(|count| Some((self.periods.get(&month)?, count - 1)));
            closed.map_or(ClosedDay::Open, |(closed, revision)| {
                closed.block_at(key, revision).map_or(ClosedDay::Absent, ClosedDay::With)
            })
        };
        let closed =
            close_period(accepted, period, zone_of, evidence_of, closed_day, &parameters, &self.threads);
        let (mut blocks, mut estimations) = (closed.blocks, closed.estimations);
        let known: BTreeSet<RegisterKey> =
            blocks.iter().map(|block| (block.key().usage_point, block.key().register)).collect();
        let rule = match parameters.apportioning {
            Apportioning::Never => Apportion::Never,
            Apportioning::Evenly => Apportion::EvenlyByTime,
        };
        let register_only = self.register_only(period, &known, &counted, &rule);
        if !register_only.days.is_empty() {
            blocks.extend(register_only.days);
            blocks.sort_by_cached_key(|block| seal_order(&block.key()));
        }
        estimations.extend(register_only.refused);
        estimations.sort_by_key(|one| (one.usage_point, one.register));
        // Two contracts of one register are told the same.
        estimations.dedup();
        Closed { blocks, estimations, unbilled: register_only.unbilled }
    }

    /// Whose local days a usage point follows: its contract's zone, else the offset its own days have.
    fn zones_of(&self, period: Period, accepted: &AcceptedSet) -> HashMap<UsagePointId, Zone> {
        let mut zones: HashMap<UsagePointId, Zone> =
            self.contracts.iter().map(|contract| (contract.usage_point, contract.zone.clone())).collect();
        for block in accepted.blocks_of_period(period) {
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

/// What gaps of a period may be filled with: what the published rule pack of its first day says. Without one the ladder is
/// the program's, so that no root depends on a pack that nobody published.
fn estimation_parameters(books: &Books, period: Period) -> EstimationParameters {
    let published = books.published_rule_pack_on(period.first_day());
    published.map_or_else(EstimationParameters::default, |pack| *pack.body.estimation())
}
