//! Books: usage points with register reads and no interval, closed by a rule that says how energy lies over time.
//!
//! ```text
//!   reads      R₀ ────────────────────── R₁          months that follow each other add up to the span
//!   the month        [ 30-minute shares ]            no rule: nothing is laid, and the account is named
//! ```

use std::collections::BTreeSet;

use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::label::AccountId;
use tallywatt_core::reading::Source;
use tallywatt_core::vee::consumption::Span;
use tallywatt_core::vee::consumption::apportion::{Apportion, apportion};
use tallywatt_core::vee::consumption::period::of_period;
use tallywatt_core::vee::estimate::decision::{Estimation, Refusal, RefusedScaling};
use tallywatt_shards::closing::RegisterEstimation;

use crate::books::Books;
use crate::books::counted::{Counted, RegisterKey};

/// Length of the intervals that registers are laid over: every zone's days are a whole number of them.
const LAID_MINUTES: u8 = 30;

/// What reads alone make of a month.
#[derive(Debug, Default)]
pub(super) struct RegisterOnly {
    /// Days, a contract after the other.
    pub(super) days: Vec<DayBlock>,
    /// Accounts whose month reads do not tell, with the reason.
    pub(super) unbilled: Vec<(AccountId, String)>,
    /// What registers of these counted, and nobody is billed for.
    pub(super) refused: Vec<RegisterEstimation>,
}

impl Books {
    /// The days of contracts whose registers have a meter and no known interval in the period.
    pub(super) fn register_only(
        &self,
        period: Period,
        known: &BTreeSet<RegisterKey>,
        counted: &Counted,
        rule: &Apportion<'_>,
    ) -> RegisterOnly {
        let mut all = RegisterOnly::default();
        for contract in self.contracts.iter() {
            let key = (contract.usage_point, contract.register);
            let Some(spans) = counted.get(&key).filter(|_| !known.contains(&key)) else { continue };
            let laid = spans.map_err(|error| error.to_string());
            match laid.and_then(|spans| lay(contract, period, spans, rule)) {
                Ok(days) => all.days.extend(days),
                Err(why) => {
                    let (usage_point, register) = key;
                    let reason =
                        format!("{usage_point} register {register} has no interval of {period}: {why}");
                    all.unbilled.push((contract.account, reason));
                    all.refused.extend(refused(contract, period, counted));
                }
            }
        }
        all
    }
}

/// The days of the period on which the contract holds; none if it does not.
fn lay(
    contract: &Contract,
    period: Period,
    spans: &[Span],
    rule: &Apportion<'_>,
) -> Result<Vec<DayBlock>, String> {
    let Contract { usage_point, register, zone, .. } = contract;
    let Some((first, end)) = held(contract, period) else { return Ok(Vec::new()) };
    let (from, to) = (zone.local_day(first).start, zone.local_day(end).start);
    let used = of_period(spans, from, to, rule).map_err(|error| error.to_string())?;
    let touching: Vec<Span> = spans.iter().filter(|span| span.from < to && from < span.to).copied().collect();
    // Whoever delivered the reads: nobody delivered these intervals.
    let laid = apportion(&touching, (*usage_point, *register), zone, LAID_MINUTES, Source::Manual, rule)
        .map_err(|error| format!("the register counted {} Wh, but {error}", used.energy_wh))?;
    let mut days = laid.days;
    days.retain(|day| (first..end).contains(&day.key().day));
    let laid_wh: i64 = days.iter().map(DayBlock::total_wh).sum();
    assert!(laid_wh == used.energy_wh, "days that spans cover whole make what the register counted");
    Ok(days)
}

/// Every span and every failure that touches the days of the period on which the contract holds.
fn refused(contract: &Contract, period: Period, counted: &Counted) -> Option<RegisterEstimation> {
    let Contract { usage_point, register, zone, .. } = contract;
    let (first, end) = held(contract, period)?;
    let (start, end) = (zone.local_day(first).start, zone.local_day(end).start);
    let key = (*usage_point, *register);
    let spans = counted.spans(&key).iter().map(|span| (span.from, span.to, RefusedScaling::NoInterval));
    let failures = counted.failures(&key).iter();
    let failures =
        failures.map(|failure| (failure.from, failure.to, RefusedScaling::NotCounted(failure.why)));
    let touching = spans.chain(failures).filter(|&(from, to, _)| from < end && start < to);
    let mut refusals: Vec<Refusal> = touching.map(|(from, to, why)| Refusal { from, to, why }).collect();
    refusals.sort_by_key(|refusal| (refusal.from, refusal.to));
    let estimation = Estimation { decisions: Vec::new(), refusals };
    (estimation != Estimation::default()).then_some(RegisterEstimation {
        usage_point: *usage_point,
        register: *register,
        estimation,
    })
}

/// First day of the period on which the contract holds, and the day after the last.
fn held(contract: &Contract, period: Period) -> Option<(Day, Day)> {
    let validity = &contract.validity;
    let first = validity.from().max(period.first_day());
    let end = validity.to().map_or(period.end_day(), |to| to.min(period.end_day()));
    (first < end).then_some((first, end))
}

#[cfg(test)]
mod tests;
