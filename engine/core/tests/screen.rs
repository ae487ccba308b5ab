//! The screen against asking every rule of every day: on seeded random days of every length, with all that may be known
//! around them, near the limits of random packs.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::meter::{DialReading, Installation, Multiplier};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::validity::Validity;
use tallywatt_core::vee::columns::{DayColumns, DayContext, RegisterSpan, ZoneDials};
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_core::vee::pack::{CLASS_COUNT, ClassRules, RegisterClass, RulePack, RulePackParts};
use tallywatt_core::vee::parameters::RuleParameters;
use tallywatt_core::vee::rule::{Rule, RuleSet};
use tallywatt_core::vee::rules::DAY_RULES;
use tallywatt_core::vee::rules::status::DeviceStatus;
use tallywatt_core::vee::screen::suspects;
use tallywatt_core::vee::state::MeterState;
use tallywatt_core::vee::validate::{validate, validate_unscreened};

use common::Random;

/// Meters, each with a pack of its own, and their days after each other.
const METER_COUNT: u64 = 1_500;
const DAY_COUNT: i32 = 24;
const DAY_S: i64 = 86_400;

/// The columns of a day.
#[derive(Clone)]
struct Columns {
    start: UtcSeconds,
    minutes: u8,
    values: Vec<i32>,
    qualities: Vec<Quality>,
}

impl Columns {
    /// A day of some kind: of noise, nearly flat, with zeros, with a spike, with the largest values there are.
    fn random(random: &mut Random, day: Day, minutes: u8, count: usize) -> Self {
        let kind = random.below(8);
        let (base, noise) =
            random.pick(&[(0, 2), (5, 1), (300, 40), (300, 900), (40_000, 4_000), (i32::MAX - 9, 9)]);
        let mut columns = Self {
            start: UtcSeconds(i64::from(day.number()) * DAY_S),
            minutes,
            values: Vec::new(),
            qualities: Vec::new(),
        };
        for _ in 0..count {
            let value = base + i32::try_from(random.below(u64::try_from(noise).unwrap() + 1)).unwrap();
            let value = match kind {
                0 if random.one_in(3) => 0,
                1 if random.one_in(40) => value.saturating_mul(3),
                2 if !random.one_in(12) => base,
                3 if !random.one_in(20) => 0,
                _ => value,
            };
            let is_missing = kind >= 6 && random.one_in(if kind == 6 { 12 } else { 2 });
            columns.qualities.push(match () {
                () if is_missing => Quality::Missing,
                () if kind == 5 => Quality::EstimatedLinear,
                () => Quality::Valid,
            });
            columns.values.push(if is_missing { 0 } else { value });
        }
        columns
    }

    fn day(&self) -> DayColumns<'_> {
        DayColumns::new(self.start, self.minutes, &self.values, &self.qualities).unwrap()
    }
}

/// Limits around what random days come to.
fn rules(random: &mut Random) -> ClassRules {
    let parameters = RuleParameters {
        spike_thousandths_max: random.pick(&[1, 500, 1_800, 1_000_000]),
        spike_wh_min: random.pick(&[0, 300, 1_000]),
        spike_spares_history: random.pick(&[0, 1]),
        outlier_sigmas_thousandths_max: random.pick(&[1, 1_000, 3_000]),
        outlier_sigma_wh_min: random.pick(&[1, 20, 1_000]),
        step_percent_max: random.pick(&[1, 40, 99, 100, 199, 200, 500, 1_000_000]),
        step_base_wh_min: random.pick(&[1, 300, 1_000]),
        sum_dial_milliwatt_hours: random.pick(&[0, 1_000_000]),
        use_days_min: random.pick(&[1, 7]),
        peak_percent_max: random.pick(&[0, 100]),
        peak_wh_min: random.pick(&[0, 1_000]),
        zero_run_minutes: random.pick(&[30, 300, 2_880]),
        flat_run_count: random.pick(&[2, 3, 12, 60]),
        estimated_days_max: random.pick(&[1, 2, 60]),
        reactive_varh_min: 0,
        ..RuleParameters::default()
    };
    let off = random.pick(&Rule::ALL);
    let asked = if random.one_in(3) { RuleSet::ALL.without(off) } else { RuleSet::ALL };
    ClassRules { asked, parameters: parameters.check().unwrap() }
}

fn pack(rules: &ClassRules) -> RulePack {
    RulePack::new(RulePackParts {
        id: common::label("random"),
        title: "Random".into(),
        source: "a test".into(),
        validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
        classes: [*rules; CLASS_COUNT],
        estimation: EstimationParameters::default(),
    })
    .unwrap()
}

fn dial(kwh: i64) -> DialReading {
    DialReading::from_milliwatt_hours(kwh * 1_000_000)
}

fn installation(from: UtcSeconds, to: Option<UtcSeconds>) -> Installation {
    Installation {
        usage_point: common::label("P"),
        register: Register::IMPORT,
        from,
        meter: common::label("M"),
        first: dial(0),
        to: to.map(|to| (to, dial(9))),
        digits: 3,
        multiplier: Multiplier::ONE,
    }
}

/// What came of many days.
#[derive(Default)]
struct Tally {
    days: u64,
    clean: u64,
    findings: [u64; 31],
    suspicions: [u64; 31],
}

fn meter(random: &mut Random, tally: &mut Tally) {
    let pack = pack(&rules(random));
    let (minutes, count) = random.pick(&[
        (60, 23),
        (60, 24),
        (60, 25),
        (30, 46),
        (30, 48),
        (30, 50),
        (15, 92),
        (15, 96),
        (15, 100),
        (5, 288),
        (5, 300),
        (60, 1),
        (60, 7),
    ]);
    let first: Day = "2026-03-20".parse().unwrap();
    let mut state = MeterState::default();
    let mut previous: Option<Columns> = None;
    for at in 0..DAY_COUNT {
        if random.one_in(10) {
            previous = None;
            continue;
        }
        let day = first.plus(at).unwrap();
        let columns = Columns::random(random, day, minutes, count);
        let sibling = [(); 4].map(|()| Columns::random(random, day, minutes, count));
        let start = columns.start;
        let installations = match random.below(4) {
            0 => vec![],
            1 => vec![
                installation(start.plus(-1), Some(start.plus(3_600))),
                installation(start.plus(7_200), None),
            ],
            _ => vec![installation(start.plus(-9), None)],
        };
        let kwh = columns.day().total_wh() / 1_000;
        let from = i64::try_from(random.below(1_000)).unwrap();
        let end = (from + kwh + random.pick(&[0, 0, 1, -1, 7])).rem_euclid(1_000);
        let zones = [dial(from), dial(5)];
        let statuses = vec![random.pick(&[DeviceStatus::POWER_OUTAGE, DeviceStatus::PARITY]); count];
        state.begin(day).unwrap();
        fn some<T>(random: &mut Random, value: T) -> Option<T> {
            random.one_in(3).then_some(value)
        }
        let context = DayContext {
            state: (!random.one_in(5)).then_some(&state),
            previous: previous.as_ref().map(Columns::day).filter(|_| random.one_in(2)),
            installations: &installations,
            span: some(random, RegisterSpan { start: dial(from), end: dial(end) }),
            zone_dials: some(random, ZoneDials { zones: &zones, total: dial(end + 3) }),
            multiplier: random.pick(&[None, Some(Multiplier::ONE), Some(Multiplier::parse("40").unwrap())]),
            clock_ahead_s: random.pick(&[None, Some(0), Some(-181), Some(180), Some(3_300)]),
            statuses: if random.one_in(3) { &statuses } else { &[] },
            is_occupied: !random.one_in(4),
            is_disconnected: random.one_in(6),
            is_irregular: random.one_in(6),
            check: some(random, sibling[0].day()),
            active: some(random, sibling[1].day()),
            active_export: some(random, sibling[2].day()),
            opposite: some(random, sibling[3].day()),
            capacity_w: some(random, 600),
            ..DayContext::plain(random.pick(&RegisterClass::ALL), if random.one_in(9) { 24 } else { count })
        };
        compare(&columns.day(), &context, &pack, tally);
        state.push(day, &columns.day()).unwrap();
        previous = Some(columns);
    }
}

fn compare(day: &DayColumns<'_>, context: &DayContext<'_>, pack: &RulePack, tally: &mut Tally) {
    let (screened, all) = (validate(day, context, pack), validate_unscreened(day, context, pack));
    assert_eq!(screened, all, "{day:?} {context:?} {pack:?}");
    let suspected = suspects(day, context, pack.rules_of(context.class));
    assert!(all.iter().all(|finding| suspected.contains(finding.rule)));
    tally.days += 1;
    tally.clean += u64::from(suspected.is_empty());
    for (rule, _) in DAY_RULES {
        let at = usize::from(rule.number());
        tally.suspicions[at] += u64::from(suspected.contains(rule));
        tally.findings[at] += u64::from(all.iter().any(|finding| finding.rule == rule));
    }
}

/// Of the days that a rule finds nothing in, how many the screen may send it to look at. Random days lie near the limits, and
/// a third of them or more has all that a rule needs.
fn wrongly_suspected_thousandths_max(rule: Rule) -> u64 {
    use Rule::{
        ClockDrift, DeviceStatus, FlatLine, HighLow, HistoricalMax, Identity, InactiveUse, IntervalCount,
        MainCheck, MultiplierMatch, Outlier, ProlongedEstimation, ProsumerSymmetry, Reactive, Rollover,
        Spike, Step, SumCheck, ZeroRun, ZoneSum,
    };
    match rule {
        // The screen makes the rule's own comparison.
        IntervalCount | ClockDrift | SumCheck | HighLow | HistoricalMax | InactiveUse => 0,
        Identity => 10,
        Spike | MainCheck | ProsumerSymmetry => 30,
        Rollover => 50,
        ProlongedEstimation => 60,
        ZoneSum => 150,
        DeviceStatus => 200,
        Step => 230,
        ZeroRun => 250,
        FlatLine => 280,
        Reactive => 430,
        Outlier => 450,
        MultiplierMatch => 550,
        _ => panic!("{rule} is no rule of a day"),
    }
}

#[test]
fn the_screen_leaves_out_nothing() {
    let (seed, mut tally) = (0x5EED_0005, Tally::default());
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    for _ in 0..METER_COUNT {
        meter(&mut random, &mut tally);
    }
    println!("{} days, {} clean", tally.days, tally.clean);
    for (rule, _) in DAY_RULES {
        let at = usize::from(rule.number());
        let (suspicions, findings) = (tally.suspicions[at], tally.findings[at]);
        println!("{rule} {}: {suspicions} suspected, {findings} found", rule.name());
        assert!(findings > 20, "{rule} is not tried: {findings} of {suspicions}");
        let wrongly = (suspicions - findings) * 1_000;
        let (quiet, limit) = (tally.days - findings, wrongly_suspected_thousandths_max(rule));
        assert!(wrongly <= limit * quiet, "{rule}: {wrongly} thousandths of {quiet} days, limit {limit}");
    }
    assert!(tally.clean > 0, "the screen clears a day");
}
