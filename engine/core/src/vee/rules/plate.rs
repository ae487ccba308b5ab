//! What a meter's plate says: installed at that time (V01), with that multiplier (V20).

use crate::meter::Installation;
use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::Finding;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

use super::stretches;

/// V01: values of a time at which no meter was installed. Intake only decides that the name and the register are
/// well-formed: these values were taken, and are billed unless somebody takes them back.
pub fn identity(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    _: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some(first) = context.installations.first() else { return };
    let counts = |at: usize| {
        let (from, to) = (day.instant(at), day.instant(at + 1));
        context.installations.iter().any(|installation| covers(installation, from.0, to.0))
    };
    let is_out = |at: usize| day.qualities()[at].is_billable() && !counts(at);
    for (start, last) in stretches(day.values_wh().len(), is_out) {
        let (measured, limit) = (day.instant(start).0.into(), first.from.0.into());
        findings.push(Finding::over(Rule::Identity, start, last - start + 1, measured, limit));
    }
}

/// Whether a meter counted from its second `from` to `to`, or was put in or taken out in between.
pub(crate) fn covers(installation: &Installation, from: i64, to: i64) -> bool {
    installation.from.0 < to && installation.to.is_none_or(|(end, _)| end.0 > from)
}

/// V20: the multiplier that came with the values is not that of the meter, so they are wrong by a whole factor. They were
/// taken as they came.
pub fn multiplier(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    _: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let Some(delivered) = context.multiplier else { return };
    let count = day.values_wh().len();
    let (from, to) = (day.start().0, day.instant(count).0);
    let mut installed = context.installations.iter().filter(|installation| covers(installation, from, to));
    let Some(first) = installed.next() else { return };
    // On the day of an exchange either meter's will do.
    if first.multiplier != delivered && installed.all(|other| other.multiplier != delivered) {
        let (measured, limit) = (delivered.as_millionths(), first.multiplier.as_millionths());
        findings.push(Finding::over(Rule::MultiplierMatch, 0, count, measured.into(), limit.into()));
    }
}
