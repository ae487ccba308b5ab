//! Prices that contracts have of their own: lines of one version at several prices.
//!
//! ```text
//!   contracts of a tariff, by their own prices ──▶ a use of the version each ──▶ lines by (version, kind, price)
//! ```
//!
//! Contracts that differ in their prices are rated side by side. So they can share neither the ranges of their tariff,
//! which count the energy of all its contracts, nor packages, flat fees or netting: all are refused by name.

use std::collections::BTreeMap;

use super::usage::Usage;
use super::{BillError, BillInputs, packages};
use crate::bill::ChargeLine;
use crate::calendar::Period;
use crate::contract::Overridden;
use crate::hash::Published;
use crate::label::Label;
use crate::register::Flow;
use crate::tariff::{Tariff, TariffParts};

/// Checks that every price of a contract's own stands in the place of one, and that none are to be shared.
pub(super) fn check(inputs: &BillInputs<'_>, usage: &Usage<'_>) -> Result<(), BillError> {
    if usage.versions.iter().all(|used| used.overrides.is_empty()) {
        return Ok(());
    }
    let held = |day| inputs.contracts.iter().filter(move |one| one.validity.contains(day));
    let mut contracts: Vec<_> = inputs.period.days().flat_map(held).collect();
    contracts.sort_by(|a, b| (a.tariff, &a.overrides).cmp(&(b.tariff, &b.overrides)));
    contracts.dedup_by(|a, b| std::ptr::eq(*a, *b));
    for group in contracts.chunk_by(|a, b| a.tariff == b.tariff) {
        let tariff = group[0].tariff;
        let versions = || {
            let parts = usage.versions.iter().map(|used| used.version.body.parts());
            parts.filter(move |parts| parts.id == tariff)
        };
        let differ = group.iter().any(|one| one.overrides != group[0].overrides);
        let nets = group.iter().any(|one| one.register.flow == Flow::Export)
            && versions().any(|parts| parts.netting.is_some());
        let shares = |parts: &TariffParts| parts.ranges.len() > 1 || packages::is_sold(parts);
        if differ && (nets || versions().any(shares)) {
            return Err(BillError::OverridesShared { account: inputs.account, tariff });
        }
        for contract in group {
            let has = |what: &Overridden| match *what {
                Overridden::Energy { zone, range } => versions().any(|parts| has_price(parts, zone, range)),
                Overridden::Fixed(_) => true,
            };
            if !contract.overrides.iter().all(|one| has(&one.what)) {
                return Err(BillError::Override { usage_point: contract.usage_point, tariff });
            }
        }
    }
    Ok(())
}

/// Whether a zone has a price by the kilowatt-hour in the range, or in all of them: neither of a package nor of a series.
fn has_price(parts: &TariffParts, zone: Label, range: Option<u8>) -> bool {
    let Some(zone) = parts.zones.iter().position(|known| known.name == zone) else { return false };
    let is_own = |range: &u8| {
        let found = parts.ranges.get(usize::from(*range));
        found.is_some_and(|found| found.package_wh.is_none())
            && parts.series_of(*range, super::lines::small(zone)).is_none()
    };
    match range {
        Some(range) => is_own(&range),
        None => (0..parts.ranges.len()).map(super::lines::small).all(|range| is_own(&range)),
    }
}

impl<'a> Usage<'a> {
    /// The first use of each use's version.
    fn first_uses(&self) -> Vec<usize> {
        let hash = |at: usize| self.versions[at].version.hash;
        let first = |at: usize| (0..at).find(|&other| hash(other) == hash(at)).unwrap_or(at);
        (0..self.versions.len()).map(first).collect()
    }

    /// Lines of one version, kind and price become one line of the version's first use. `None` past 64 bits.
    pub(super) fn join_lines(&self, lines: &mut Vec<ChargeLine>, period: Period) -> Option<()> {
        if self.versions.iter().all(|used| used.overrides.is_empty()) {
            return Some(());
        }
        let first = self.first_uses();
        let mut joined: BTreeMap<_, ChargeLine> = BTreeMap::new();
        for mut line in lines.drain(..) {
            line.version = super::lines::small(first[usize::from(line.version)]);
            let key = (line.version, line.kind, line.price);
            if let Some(known) = joined.get_mut(&key) {
                known.quantity = known.quantity.checked_add(line.quantity)?;
                known.exact = match known.kind {
                    // A series has no one price: what its lines came to adds up.
                    kind if kind.is_by_interval() => known.exact.checked_add(line.exact)?,
                    kind => kind.charge(known.quantity, known.price, period),
                };
            } else {
                joined.insert(key, line);
            }
        }
        lines.extend(joined.into_values());
        Some(())
    }

    /// The versions that the bill names, each once, and the lines' places among them.
    pub(super) fn name_versions(&self, lines: &mut [ChargeLine]) -> Vec<&'a Published<Tariff>> {
        let first = self.first_uses();
        let named: Vec<usize> = (0..first.len()).filter(|&at| first[at] == at).collect();
        for line in lines {
            let used = first[usize::from(line.version)];
            let place = named.iter().position(|&at| at == used).expect("a first use is named");
            line.version = super::lines::small(place);
        }
        named.into_iter().map(|at| self.versions[at].version).collect()
    }
}
