//! Books: what meters counted from read to read, as it was known when a batch was the newest.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::{InstallationError, Span, consumption};

use crate::books::Books;

/// One register of one usage point.
pub(super) type RegisterKey = (UsagePointId, Register);

/// The spans of every register that a meter is known of.
#[derive(Debug, Default)]
pub(super) struct Counted {
    spans: BTreeMap<RegisterKey, Result<Vec<Span>, InstallationError>>,
}

impl Counted {
    /// In order of time; none where nothing is known, or the meters contradict each other.
    pub(super) fn spans(&self, key: &RegisterKey) -> &[Span] {
        self.spans.get(key).and_then(|spans| spans.as_ref().ok()).map_or(&[], Vec::as_slice)
    }

    /// The same with the contradiction; `None` where no meter is known.
    pub(super) fn get(&self, key: &RegisterKey) -> Option<Result<&[Span], InstallationError>> {
        self.spans.get(key).map(|spans| spans.as_ref().map(Vec::as_slice).map_err(|error| *error))
    }

    /// Registers whose meters contradict each other, in order.
    pub(super) fn faults(&self) -> impl Iterator<Item = (RegisterKey, InstallationError)> {
        self.spans.iter().filter_map(|(key, spans)| Some((*key, *spans.as_ref().err()?)))
    }
}

impl Books {
    /// The usage points with a meter, in order.
    pub(crate) fn metered(&self) -> impl Iterator<Item = &UsagePointId> {
        self.readings.metered()
    }

    /// What meters counted, from the reads and installations sealed up to a batch.
    pub(super) fn counted(&self, batch: u64) -> Counted {
        let points: Vec<&UsagePointId> = self.metered().collect();
        let of_point = |usage_point: &&UsagePointId| {
            let dials = self.readings.dials_as_of(usage_point, batch);
            let registers: BTreeSet<Register> = dials.installations.iter().map(|one| one.register).collect();
            let of_register = |register: Register| {
                let reads: Vec<_> =
                    dials.reads.iter().filter(|one| one.read.register == register).copied().collect();
                let meters: Vec<_> =
                    dials.installations.iter().filter(|one| one.register == register).copied().collect();
                ((**usage_point, register), consumption(&reads, &meters).map(|found| found.spans))
            };
            registers.into_iter().map(of_register).collect::<Vec<_>>()
        };
        let found: Vec<Vec<_>> = self.threads.pool().install(|| points.par_iter().map(of_point).collect());
        Counted { spans: found.into_iter().flatten().collect() }
    }
}
