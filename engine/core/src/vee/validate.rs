//! Validation of a register-day: the rules of its class, asked where the screen does not rule them out.

use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::Finding;
use crate::vee::pack::{ClassRules, RulePack};
use crate::vee::rule::RuleSet;
use crate::vee::rules::DAY_RULES;
use crate::vee::screen::suspects;

/// What the rules of the pack find in a day, by rule number and interval; nothing is allocated for a day without findings.
///
/// The state in the context is that of the days before, turned to this day by
/// [`MeterState::begin`](crate::vee::state::MeterState::begin).
#[must_use]
pub fn validate(day: &DayColumns<'_>, context: &DayContext<'_>, pack: &RulePack) -> Vec<Finding> {
    let rules = pack.rules_of(context.class);
    ask(suspects(day, context, rules), day, context, rules)
}

/// The same without the screen: every rule looks at every day. What [`validate`] is held against.
#[must_use]
pub fn validate_unscreened(day: &DayColumns<'_>, context: &DayContext<'_>, pack: &RulePack) -> Vec<Finding> {
    let rules = pack.rules_of(context.class);
    ask(rules.asked, day, context, rules)
}

fn ask(asked: RuleSet, day: &DayColumns<'_>, context: &DayContext<'_>, rules: &ClassRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !asked.is_empty() {
        for (_, find) in DAY_RULES.iter().filter(|(rule, _)| asked.contains(*rule)) {
            find(day, context, &rules.parameters, &mut findings);
        }
    }
    findings
}
