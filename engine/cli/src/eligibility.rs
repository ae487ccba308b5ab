//! Which accounts took a tariff that is not for them: told beside a month's bills, which do not depend on it.

use std::collections::BTreeSet;

use tallywatt_core::calendar::Period;
use tallywatt_core::energy::Energy;
use tallywatt_core::label::AccountId;
use tallywatt_core::rate::Ineligible;
use tallywatt_core::tariff::{Eligibility, EligibilityBound};
use tallywatt_node::books::Books;

use crate::output::Report;

/// The most accounts that are named.
const NOTE_COUNT_MAX: usize = 20;

/// Names the accounts and counts them; says nothing where no tariff of the month has bounds.
pub fn tell(books: &Books, period: Period, report: &mut Report) {
    let Some(found) = books.ineligible(period) else { return };
    let accounts: BTreeSet<AccountId> = found.iter().map(|(account, _)| *account).collect();
    report.fact("accounts whose tariff is not for them", accounts.len());
    let bounds = found.chunk_by(|(a, one), (b, other)| (a, one.tariff) == (b, other.tariff));
    for bounds in bounds.take(NOTE_COUNT_MAX) {
        let (account, Ineligible { tariff, .. }) = &bounds[0];
        let bounds = in_words(bounds.iter().map(|(_, one)| one));
        report.notes.push(format!("account {account} took tariff {tariff}, which is not for it: {bounds}"));
    }
}

/// `P-1 1-0:1.8.0: peak 12.500 kW, at most 10.000 kW`.
pub fn in_words<'i>(bounds: impl Iterator<Item = &'i Ineligible>) -> String {
    let bound = |one: &Ineligible| format!("{} {}: {}", one.usage_point, one.register, one.passed);
    bounds.map(bound).collect::<Vec<_>>().join("; ")
}

/// `of a month peak at least 50.000 kW, energy at most 3000.000 kWh`.
pub fn rule_in_words(rule: &Eligibility) -> String {
    let bound = |bound: EligibilityBound| {
        let limit = Energy::from_wh(rule.limit(bound)?);
        Some(match bound {
            EligibilityBound::PeakAtLeast => format!("peak at least {limit} kW"),
            EligibilityBound::PeakAtMost => format!("peak at most {limit} kW"),
            EligibilityBound::EnergyAtLeast => format!("energy at least {limit} kWh"),
            EligibilityBound::EnergyAtMost => format!("energy at most {limit} kWh"),
        })
    };
    let bounds: Vec<String> = EligibilityBound::ALL.into_iter().filter_map(bound).collect();
    format!("of a month {}", bounds.join(", "))
}
