//! `readings decisions`: how every estimate of a month came to be, enough to compute it again by hand.

use serde_json::json;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::vee::estimate::decision::{Decision, Method, Reference, Refusal};
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_shards::closing::RegisterEstimation;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::open::{Opened, data_option};
use crate::output::{Report, Table};

/// The most refusals told as notes; the facts have their number.
const NOTE_COUNT_MAX: usize = 20;

/// Tells how a month was closed, or would be.
pub fn decisions(
    opened: &Opened,
    period: Period,
    usage_point: Option<&str>,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let usage_point: Option<UsagePointId> = usage_point
        .map(|name| {
            name.parse().map_err(|error| Failure::usage(format!("usage point: {error}"), "check the name"))
        })
        .transpose()?;
    let is_asked = |own: UsagePointId| usage_point.is_none_or(|asked| asked == own);
    let books = opened.readings()?;
    let decided: Vec<RegisterEstimation> =
        books.decisions(period)?.into_iter().filter(|register| is_asked(register.usage_point)).collect();
    let mut table = Table::new(&[
        "usage point",
        "register",
        "day",
        "intervals",
        "Wh",
        "quality",
        "method",
        "inputs",
        "parameters",
    ]);
    let rules = books.estimation_parameters(period);
    let mut refused = Vec::new();
    for RegisterEstimation { usage_point, register, estimation } in &decided {
        for decision in &estimation.decisions {
            table.row(vec![
                json!(usage_point.to_string()),
                json!(register.to_string()),
                json!(decision.day.to_string()),
                json!(intervals(decision)),
                json!(decision.energy_wh),
                json!(decision.quality.name()),
                json!(method(&decision.method)),
                json!(inputs(&decision.method)),
                json!(parameters(&decision.method, &rules)),
            ]);
        }
        let told = |one: &Refusal| {
            format!(
                "{usage_point} register {register}: not scaled from {} to {}: {}",
                one.from, one.to, one.why
            )
        };
        refused.extend(estimation.refusals.iter().map(told));
    }
    for (usage_point, register, error) in books.meter_faults() {
        if is_asked(usage_point) {
            refused.push(format!("{usage_point} register {register}: no read is used: {error}"));
        }
    }
    let mut report = Report::default();
    report.fact("period", period.to_string());
    report.fact(
        "status",
        if books.period_leaves(period).is_some() { "closed" } else { "as it would be closed now" },
    );
    report.fact("decisions", table.rows.len()).fact("refused", refused.len());
    report.notes.extend(refused.into_iter().take(NOTE_COUNT_MAX));
    report.table = Some(table);
    report.then(format!("tallywatt{} readings gaps {period}", data_option(arguments)));
    Ok(report)
}

/// Intervals of the day, counted from 1.
fn intervals(decision: &Decision) -> String {
    let first = u32::from(decision.first_interval) + 1;
    let last = u32::from(decision.first_interval) + u32::from(decision.interval_count);
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn method(method: &Method) -> String {
    let numbers: Vec<String> = method.aemo_numbers().iter().map(ToString::to_string).collect();
    match numbers.as_slice() {
        [] => method.name().to_owned(),
        numbers => format!("{} (AEMO {})", method.name(), numbers.join(", ")),
    }
}

/// What the estimate was computed from.
fn inputs(method: &Method) -> String {
    match method {
        Method::CheckMeter => "values of the check meter".into(),
        Method::Scaled { from, to, register_wh, known_wh, missing_count, .. } => format!(
            "register {register_wh} Wh from {from} to {to}, intervals {known_wh} Wh, {missing_count} missing"
        ),
        Method::Zero { from, to } => format!("shut down from {from} to {to}"),
        Method::Linear { before_wh, after_wh, .. } => format!("{before_wh} Wh before, {after_wh} Wh after"),
        Method::LikeDays { day_count, first, last } => format!("{day_count} days from {first} to {last}"),
        Method::PreviousYear { day } => format!("{day}"),
        Method::ClassProfile { daily_wh, .. } => format!("{daily_wh} Wh a day"),
    }
}

/// What the rules say of the method, and how it was used.
fn parameters(method: &Method, rules: &EstimationParameters) -> String {
    match method {
        Method::CheckMeter | Method::Zero { .. } | Method::PreviousYear { .. } => String::new(),
        Method::Scaled { reference: Reference::LowerRungs, reference_sum, .. } => {
            format!("laid over what the ladder would give, {reference_sum} Wh")
        }
        Method::Scaled { reference: Reference::Flat, reference_sum, .. } => {
            format!("laid evenly over {reference_sum} intervals")
        }
        Method::Linear { gap_count, .. } => {
            format!("gap of {gap_count}, at most {} minutes", rules.linear_minutes_max)
        }
        Method::LikeDays { .. } => match rules.like_day_count {
            EstimationParameters::ALL_DAYS => format!("all, at least {}", rules.like_days_min),
            count => format!("the nearest {count}, at least {}", rules.like_days_min),
        },
        Method::ClassProfile { weight_sum, .. } => format!("weights of {weight_sum}"),
    }
}
