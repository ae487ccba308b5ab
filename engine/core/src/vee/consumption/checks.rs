//! Rules asked of what a register counted between reads: the ceiling (V08), the sum check (V12), rollover (V14), high or
//! low use (V15).
//!
//! ```text
//!   spans     ─┬──┬──┬──────┬────────┬ hole ┬──────┬─
//!   stretches  └─ ≥ n days ─┘ ≥ n d. ┘      └ rest ┘     each of spans that follow one another
//! ```
//!
//! A span of an hour says little: its dial's last digit is as much as was used. So spans are gathered until they are as
//! long as a rule needs. All is pure, on whole numbers, and says nothing where what it needs is not known.

use crate::calendar::UtcSeconds;
use crate::meter::{DialReading, Multiplier};
use crate::money::div_half_even;
use crate::vee::finding::{Finding, div_up};
use crate::vee::parameters::{PARAMETERS, RuleParameters};
use crate::vee::rule::Rule;
use crate::vee::rules::history::compare_daily_use;
use crate::vee::state::DailyUse;

use super::zones::WHOLE_KWH;
use super::{MeterDials, ROLLOVER_TENTHS, Span};

const DAY_S: i64 = 86_400;
/// Thousandths of a watt-hour, times millionths of a multiplier, in a watt-hour.
const FINE_PER_WH: i128 = 1_000 * 1_000_000;

/// Spans that follow one another without a hole, as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// First instant.
    pub from: UtcSeconds,
    /// The instant after the last.
    pub to: UtcSeconds,
    /// What was counted.
    pub energy_wh: i64,
    /// The largest multiplier in it.
    pub multiplier: Multiplier,
}

impl Stretch {
    const fn of(span: &Span) -> Self {
        let Span { from, to, energy_wh, how } = *span;
        Self { from, to, energy_wh, multiplier: how.multiplier }
    }

    /// How long it is, to the nearest day, half a day up: a day of 23 or 25 hours is one.
    #[must_use]
    pub fn day_count(&self) -> u16 {
        let days = (self.to.0.saturating_sub(self.from.0)).saturating_add(DAY_S / 2) / DAY_S;
        u16::try_from(days).unwrap_or(u16::MAX)
    }

    const fn daily_use(&self, day_count: u16) -> DailyUse {
        DailyUse { energy_wh: self.energy_wh, day_count }
    }
}

/// Spans gathered from the first on, until each stretch has `days_min` days; what lies before a hole, or last, may have
/// fewer. A later read changes no stretch but the last.
#[must_use]
pub fn stretches(spans: &[Span], days_min: i64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for span in spans {
        let open = stretches
            .last_mut()
            .filter(|open| open.to == span.from && i64::from(open.day_count()) < days_min)
            .and_then(|open| Some((open.energy_wh.checked_add(span.energy_wh)?, open)));
        match open {
            Some((energy_wh, open)) => {
                let multiplier = open.multiplier.max(span.how.multiplier);
                *open = Stretch { from: open.from, to: span.to, energy_wh, multiplier };
            }
            None => stretches.push(Stretch::of(span)),
        }
    }
    stretches
}

/// V08: more than the supply can carry in that time, with its margin and one digit of the dial. Nothing where the supply's
/// power is left at its most, which stands for "not known".
#[must_use]
pub fn ceiling(stretch: &Stretch, parameters: &RuleParameters) -> Option<Finding> {
    let most_w = PARAMETERS.iter().find(|spec| spec.name == "power_w_max")?.max;
    if parameters.power_w_max >= most_w {
        return None;
    }
    let seconds = i128::from(stretch.to.0) - i128::from(stretch.from.0);
    let thousandths = i128::from(1_000 + parameters.power_margin_thousandths);
    let carried_wh = i128::from(parameters.power_w_max) * thousandths * seconds / (1_000 * 3_600);
    let limit_wh = carried_wh + multiplied(WHOLE_KWH.as_milliwatt_hours(), stretch.multiplier) / FINE_PER_WH;
    let energy_wh = i128::from(stretch.energy_wh);
    (energy_wh > limit_wh).then(|| Finding::of(Rule::Ceiling, energy_wh, limit_wh))
}

/// V12: `|Σx − ΔR·K|` above `max(a·K, b·Σx)`, where `Σx` is the sum of all intervals of the stretch.
#[must_use]
pub fn sum_check(stretch: &Stretch, intervals_wh: i64, parameters: &RuleParameters) -> Option<Finding> {
    let total = i128::from(intervals_wh) * FINE_PER_WH;
    let off = (total - i128::from(stretch.energy_wh) * FINE_PER_WH).abs();
    let by_dial = multiplied(parameters.sum_dial_milliwatt_hours, stretch.multiplier);
    let by_share = total * i128::from(parameters.sum_thousandths) / 1_000;
    let limit = by_dial.max(by_share);
    (off > limit).then(|| Finding::of(Rule::SumCheck, div_up(off, FINE_PER_WH), limit / FINE_PER_WH))
}

/// V15: the daily use of a stretch against that of one before; nothing if either has fewer days than say anything.
#[must_use]
pub fn daily_use(now: &Stretch, before: &Stretch, parameters: &RuleParameters) -> Option<Finding> {
    let (now_days, before_days) = (now.day_count(), before.day_count());
    if i64::from(now_days.min(before_days)) < parameters.use_days_min {
        return None;
    }
    compare_daily_use(now.daily_use(now_days), before.daily_use(before_days), parameters)
}

/// What a stretch would hold at the daily use of one before, Wh; `None` where that is shorter than half a day.
#[must_use]
pub fn at_daily_use_of(now: &Stretch, before: &Stretch) -> Option<i64> {
    let (now_days, before_days) = (i128::from(now.day_count()), i128::from(before.day_count()));
    let energy = i128::from(before.energy_wh) * now_days;
    (before_days > 0).then(|| i64::try_from(div_half_even(energy, before_days)).unwrap_or(i64::MAX))
}

/// A dial that fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// When, and what it showed before.
    pub before: (UtcSeconds, DialReading),
    /// When, and what it showed then.
    pub after: (UtcSeconds, DialReading),
    /// What is found.
    pub finding: Finding,
}

/// V14: where a dial fell and had not come to its end. That is the pack's part of its range, and never less than
/// [`ROLLOVER_TENTHS`], below which [`consumption`](super::consumption) tells no energy.
#[must_use]
pub fn falls(meter: &MeterDials, parameters: &RuleParameters) -> Vec<Fall> {
    let thousandths = i128::from(parameters.rollover_thousandths_min).max(ROLLOVER_TENTHS * 100);
    let near_end = i128::from(meter.installation.dial_end().as_milliwatt_hours()) * thousandths;
    let shown: Vec<(UtcSeconds, DialReading)> = meter.dials.iter().map(|(at, dial)| (*at, *dial)).collect();
    let fall = |pair: &[(UtcSeconds, DialReading)]| {
        let [before, after] = *pair else { return None };
        let from = i128::from(before.1.as_milliwatt_hours());
        let finding = || Finding::of(Rule::Rollover, from, near_end / 1_000);
        (after.1 < before.1 && from * 1_000 <= near_end).then(|| Fall { before, after, finding: finding() })
    };
    shown.windows(2).filter_map(fall).collect()
}

/// A dial behind transformers, in thousandths of a watt-hour times millionths.
fn multiplied(milliwatt_hours: i64, multiplier: Multiplier) -> i128 {
    i128::from(milliwatt_hours) * i128::from(multiplier.as_millionths())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Installation;
    use crate::quality::Quality;
    use crate::register::Register;
    use crate::vee::consumption::How;

    const HOUR: i64 = 3_600;

    /// `0-24 500` …: hours, then Wh; then perhaps a multiplier.
    fn spans(text: &str) -> Vec<Span> {
        let hours = |text: &str| UtcSeconds(text.parse::<i64>().unwrap() * HOUR);
        let span = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            let (from, to) = words[0].split_once('-').unwrap();
            let multiplier =
                words.get(2).map_or(Multiplier::ONE, |factor| Multiplier::parse(factor).unwrap());
            let how = How { meter_count: 1, rolled_over: false, quality: Quality::Valid, multiplier };
            Span { from: hours(from), to: hours(to), energy_wh: words[1].parse().unwrap(), how }
        };
        text.split(';').map(span).collect()
    }

    fn stretch(text: &str) -> Stretch {
        Stretch::of(&spans(text)[0])
    }

    #[test]
    fn spans_are_gathered_until_they_are_long_enough() {
        // spans; days; stretches
        let table = [
            ("0-24 1; 24-48 2; 48-72 3", 1, "0-24 1; 24-48 2; 48-72 3"),
            ("0-24 1; 24-48 2; 48-72 3", 2, "0-48 3; 48-72 3"),
            // Hours; half a day is one, to the nearest.
            ("0-6 1; 6-12 2; 12-23 4; 23-24 8; 24-25 16", 1, "0-12 3; 12-24 12; 24-25 16"),
            // A hole ends a stretch, however short it is.
            ("0-24 1; 25-49 2; 49-73 4", 3, "0-24 1; 25-73 6"),
            // A day of 23 hours is a day.
            ("0-24 1; 24-47 2; 47-71 4", 1, "0-24 1; 24-47 2; 47-71 4"),
            ("0-24 1 20; 24-48 2 3", 2, "0-48 3 20"),
            ("0-24 9223372036854775807; 24-48 1", 2, "0-24 9223372036854775807; 24-48 1"),
        ];
        for (given, days_min, want) in table {
            let want: Vec<Stretch> = spans(want).iter().map(Stretch::of).collect();
            assert_eq!(stretches(&spans(given), days_min), want, "{given}, {days_min}");
        }
    }

    #[track_caller]
    fn check(found: Option<Finding>, want: Option<(i64, i64)>) {
        assert_eq!(found.map(|finding| (finding.measured, finding.limit)), want);
    }

    #[test]
    fn no_more_than_the_supply_carries() {
        // 10 kW × 1.15 for a day: 276 kWh, and one more for the digit.
        let parameters = RuleParameters { power_w_max: 10_000, ..RuleParameters::default() };
        check(ceiling(&stretch("0-24 277000"), &parameters), None);
        check(ceiling(&stretch("0-24 277001"), &parameters), Some((277_001, 277_000)));
        check(ceiling(&stretch("0-24 296001 20"), &parameters), Some((296_001, 296_000)));
        check(ceiling(&stretch("0-24 9223372036854775807"), &RuleParameters::default()), None);
    }

    #[test]
    fn intervals_add_up_to_what_was_counted() {
        let parameters = RuleParameters::default();
        // stretch; Wh of its intervals; finding
        let table = [
            // One digit of the dial, multiplied.
            ("0-744 300000", 301_000, None),
            ("0-744 300000", 301_001, Some((1_001, 1_000))),
            ("0-744 300000", 298_999, Some((1_001, 1_000))),
            ("0-744 300000 20", 320_000, None),
            ("0-744 300000 20", 320_001, Some((20_001, 20_000))),
            // Or a thousandth of the sum, if that is more: 0.1 % of 2,002 kWh, and of 2,003.
            ("0-744 2000000", 2_002_002, None),
            ("0-744 2000000", 2_003_000, Some((3_000, 2_003))),
        ];
        for (given, intervals_wh, want) in table {
            check(sum_check(&stretch(given), intervals_wh, &parameters), want);
        }
    }

    #[test]
    fn daily_use_against_the_stretch_before() {
        let parameters = RuleParameters::default();
        // now, before; finding; what now would hold as before
        let table = [
            // 31 days, 30 days of 10 kWh: from a half to the double, both allowed.
            ("720-1464 310000", "0-720 300000", None, 310_000),
            ("720-1464 155000", "0-720 300000", None, 310_000),
            ("720-1464 154999", "0-720 300000", Some((499, 500)), 310_000),
            ("720-1464 620000", "0-720 300000", None, 310_000),
            ("720-1464 620001", "0-720 300000", Some((2_001, 2_000)), 310_000),
            // Fewer than seven days say nothing, nor does a reference of nothing.
            ("720-864 9000000", "0-720 300000", None, 60_000),
            ("144-888 9000000", "0-144 60000", None, 310_000),
            ("720-1464 9000000", "0-720 0", None, 0),
        ];
        for (now, before, want, at_that) in table {
            let (now, before) = (stretch(now), stretch(before));
            check(daily_use(&now, &before, &parameters), want);
            assert_eq!(at_daily_use_of(&now, &before), Some(at_that), "{now:?}");
        }
        assert_eq!(at_daily_use_of(&stretch("1-25 1"), &stretch("0-1 1")), None);
    }

    #[test]
    fn dials_that_fell() {
        let installation = Installation {
            usage_point: "P".parse().unwrap(),
            register: Register::IMPORT,
            from: UtcSeconds(0),
            meter: "A".parse().unwrap(),
            first: DialReading::default(),
            to: None,
            digits: 5,
            multiplier: Multiplier::ONE,
        };
        let kwh = |kwh: i64| DialReading::from_milliwatt_hours(kwh * 1_000_000);
        // dials an hour; the pack's part of the range; which fell, in kWh: from, to, limit
        let table = [
            (&[10, 20, 20][..], 900, &[][..]),
            (&[20, 10, 30, 29], 900, &[(20, 10, 90_000), (30, 29, 90_000)]),
            (&[90_000, 10], 900, &[(90_000, 10, 90_000)]),
            (&[90_001, 10], 900, &[]),
            (&[90_001, 10], 990, &[(90_001, 10, 99_000)]),
            // A pack cannot make a rollover of what is not billed as one.
            (&[60_000, 10], 500, &[(60_000, 10, 90_000)]),
        ];
        for (dials, rollover_thousandths_min, want) in table {
            let at = (0..).map(|hour| UtcSeconds(hour * HOUR));
            let dials = at.zip(dials.iter().map(|&dial| kwh(dial))).collect();
            let parameters = RuleParameters { rollover_thousandths_min, ..RuleParameters::default() };
            let found = falls(&MeterDials { installation, dials }, &parameters);
            let told = |fall: &Fall| (fall.before.1, fall.after.1, fall.finding.measured, fall.finding.limit);
            let got: Vec<_> = found.iter().map(told).collect();
            let want = want.iter().map(|&(from, to, limit)| {
                (kwh(from), kwh(to), kwh(from).as_milliwatt_hours(), kwh(limit).as_milliwatt_hours())
            });
            assert_eq!(got, want.collect::<Vec<_>>(), "{rollover_thousandths_min}");
        }
    }
}
