//! Runs of one value: zeros on an occupied point (V17), a flat line (V18). A run goes on over midnight and over missing
//! intervals.

use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::Finding;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

/// Some equal values after each other.
struct Run {
    wh: i32,
    first: usize,
    last: usize,
    count: i64,
    /// Whether it begins with the day's first value.
    is_first: bool,
}

fn runs(day: &DayColumns<'_>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, wh) in day.present() {
        match runs.last_mut() {
            Some(run) if run.wh == wh => (run.last, run.count) = (at, run.count + 1),
            _ => runs.push(Run { wh, first: at, last: at, count: 1, is_first: runs.is_empty() }),
        }
    }
    runs
}

fn push(findings: &mut Vec<Finding>, rule: Rule, run: &Run, measured: i64, limit: i64) {
    if measured >= limit {
        let count = run.last - run.first + 1;
        findings.push(Finding::over(rule, run.first, count, measured.into(), limit.into()));
    }
}

/// V17: zeros for so many minutes, on an occupied and connected point.
pub fn zero_run(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    if !context.is_occupied || context.is_disconnected {
        return;
    }
    let carried = context.state.map_or(0, |state| i64::from(state.zero_run_minutes()));
    for run in runs(day).iter().filter(|run| run.wh == 0) {
        let own = run.count * i64::from(day.interval_minutes());
        let minutes = if run.is_first { own + carried } else { own };
        push(findings, Rule::ZeroRun, run, minutes, parameters.zero_run_minutes);
    }
}

/// V18: so many identical values that are not zero.
pub fn flat_line(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    for run in runs(day).iter().filter(|run| run.wh != 0) {
        let carried = match context.state {
            Some(state) if run.is_first && state.last_wh() == Some(run.wh) => i64::from(state.flat_run()),
            _ => 0,
        };
        push(findings, Rule::FlatLine, run, run.count + carried, parameters.flat_run_count);
    }
}
