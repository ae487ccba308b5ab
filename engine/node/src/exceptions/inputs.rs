//! What a rule looked at, as text: so that a finding can be made again by hand.

use tallywatt_core::day_block::DayBlock;
use tallywatt_core::meter::Installation;
use tallywatt_core::vee::columns::{DayColumns, DayContext};
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::parameters::RuleParameters;
use tallywatt_core::vee::rule::Rule;

use super::money::{self, IntervalEnergy};

/// The most values that are shown.
const VALUES_SHOWN_MAX: usize = 8;

/// What the rule looked at in the day and around it.
pub(super) fn shown(
    finding: &Finding,
    block: &DayBlock,
    (context, parameters): (&DayContext<'_>, &RuleParameters),
    energy: Option<&[IntervalEnergy]>,
) -> String {
    let mut inputs = of_rule(finding, block, context, parameters);
    if finding.interval_count > 0 {
        inputs.push(format!("values {}", values(finding, block)));
    }
    if let Some(energy) = energy {
        inputs.push(format!("in question {} Wh", money::total_wh(energy)));
    }
    inputs.join("; ")
}

fn of_rule(
    finding: &Finding,
    block: &DayBlock,
    context: &DayContext<'_>,
    parameters: &RuleParameters,
) -> Vec<String> {
    let Some(state) = context.state else { return Vec::new() };
    let one = |text: String| vec![text];
    match finding.rule {
        Rule::IntervalCount => one(format!(
            "{} of {} intervals have a value, the local day has {}",
            block.present_count(),
            block.interval_count(),
            context.expected_count
        )),
        Rule::Spike => money::three_highest(block).map_or_else(Vec::new, |[highest, _, third]| {
            one(format!("highest {highest} Wh, third highest {third} Wh"))
        }),
        Rule::Outlier => one(match &context.previous {
            Some(_) => "median of this day and the one before".into(),
            None => "median of this day".into(),
        }),
        Rule::Step => one(match state.last_wh() {
            Some(wh) => format!("last value of the days before {wh} Wh"),
            None => "no value before this day".into(),
        }),
        Rule::Identity => context.installations.iter().map(installed).collect(),
        Rule::ZoneSum => {
            let zones = context.zone_dials.map_or(0, |dials| dials.zones.len());
            one(format!("{zones} zone registers, total register {} Wh", block.total_wh()))
        }
        Rule::HighLow => {
            let (so_far, reference) = (state.current(), state.reference(parameters.use_days_min));
            let mut inputs = one(format!(
                "month so far {} Wh in {} whole days, with this one",
                so_far.energy_wh.saturating_add(block.total_wh()),
                so_far.day_count.saturating_add(1)
            ));
            inputs.extend(
                reference.map(|daily| {
                    format!("reference {} Wh in {} whole days", daily.energy_wh, daily.day_count)
                }),
            );
            inputs
        }
        Rule::HistoricalMax => one(format!("last month's highest {} Wh", state.previous().highest_wh[0])),
        Rule::ZeroRun => one(format!("{} minutes of zeros before this day", state.zero_run_minutes())),
        Rule::FlatLine => one(format!("{} equal values before this day", state.flat_run())),
        Rule::Reactive => {
            let shown = |what: &str, day: DayColumns<'_>| format!("{what} {} Wh", day.total_wh());
            let taken = context.active.map(|day| shown("active energy", day));
            taken
                .into_iter()
                .chain(context.active_export.map(|day| shown("active energy fed in", day)))
                .collect()
        }
        Rule::ProlongedEstimation => one(format!("{} days before this one", state.estimated_days())),
        Rule::ProsumerSymmetry => one(format!("capacity {} W", context.capacity_w.unwrap_or(0))),
        _ => Vec::new(),
    }
}

fn installed(meter: &Installation) -> String {
    match meter.to {
        Some((to, _)) => format!("meter {} from {} to {to}", meter.meter, meter.from),
        None => format!("meter {} from {}", meter.meter, meter.from),
    }
}

/// The values of the finding's intervals in Wh, the first of them; `-` for a missing one.
pub(super) fn values(finding: &Finding, block: &DayBlock) -> String {
    let (first, count) = (usize::from(finding.first_interval), usize::from(finding.interval_count));
    let places = (first..first + count).take_while(|&at| at < block.interval_count());
    let mut shown: Vec<String> = places
        .take(VALUES_SHOWN_MAX)
        .map(|at| match block.qualities()[at].is_billable() {
            true => block.values_wh()[at].to_string(),
            false => "-".into(),
        })
        .collect();
    if count > VALUES_SHOWN_MAX {
        shown.push(format!("… {count} in all"));
    }
    shown.join(" ")
}
