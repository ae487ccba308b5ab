//! Every rule as rows: a day or two numbers, what else is known, what is found.

mod case;

use crate::calendar::{UtcSeconds, Zone};
use crate::day_block::{DayGrid, MergeCounts, join_counted};
use crate::quality::Quality;
use crate::reading::RawReading;
use crate::register::Register;
use crate::rejection::RejectionCode;
use crate::vee::judge::{Limits, judge};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::{Rule, Severity};
use crate::vee::rules::status::DeviceStatus;
use crate::vee::rules::{DAY_RULES, balance, history, replacement, siblings, surveillance};
use crate::vee::state::DailyUse;

use case::{Case, Columns, START, installed, shown};

type Row = (Rule, &'static str, String, &'static str);

/// A row of a day: its values, what else is known, what is found.
fn day(rule: Rule, values: &'static str, known: impl Fn(&mut Case), want: &'static str) -> Row {
    let mut case = Case::new(values);
    known(&mut case);
    (rule, values, case.run(rule), want)
}

/// What intake says of a reading so many minutes after midnight.
fn at_intake(rule: Rule, what: &'static str, minutes: i64, energy_wh: i64, want: &'static str) -> Row {
    let reading = RawReading {
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        start: START.plus(minutes * 60),
        interval_minutes: 30,
        energy_wh,
        quality: Quality::Valid,
        line: 1,
    };
    let parameters = RuleParameters { power_w_max: 10_000, age_days_max: 60, ..RuleParameters::default() };
    let grid = DayGrid { start: START, interval_minutes: 30, interval_count: 48 };
    let is_today = (0..1_440).contains(&minutes);
    let grid = DayGrid { start: if is_today { grid.start } else { reading.start }, ..grid };
    let limits = Limits::of(&parameters, START.plus(86_400));
    let code = judge(&reading, &grid, &limits).err();
    assert!(code.is_none_or(|code| rule.rejections().contains(&code)), "{what}: {code:?}");
    (rule, what, code.map(|code| code.to_string()).unwrap_or_default(), want)
}

fn intake_rows() -> Vec<Row> {
    let twice = |what, wh, want| {
        assert!(Rule::Duplicate.rejections().contains(&RejectionCode::Conflict));
        let mut counts = MergeCounts::default();
        let _ = join_counted((5, Quality::Valid), (wh, Quality::Valid), &mut counts);
        let code = if counts.conflict > 0 { RejectionCode::Conflict.to_string() } else { String::new() };
        (Rule::Duplicate, what, code, want)
    };
    let mut rows = vec![
        twice("the same again", 5, ""),
        twice("another value", 6, "R18"),
        at_intake(Rule::Grid, "on the grid", 30, 1, ""),
        at_intake(Rule::Grid, "off the grid", 31, 1, "R10"),
        // The clock shows the end of the day, and may be 5 minutes late.
        at_intake(Rule::Window, "the newest", 47 * 30, 1, ""),
        at_intake(Rule::Window, "it is not over", 1_440, 1, "R15"),
        at_intake(Rule::Window, "ended 60 days back", -59 * 1_440 - 30, 1, ""),
        at_intake(Rule::Window, "more than that", -59 * 1_440 - 60, 1, "R19"),
        at_intake(Rule::Negative, "nothing", 0, 0, ""),
        at_intake(Rule::Negative, "less", 0, -1, "R13"),
        at_intake(Rule::Ceiling, "10 kW and 15 %", 0, 5_750, ""),
        at_intake(Rule::Ceiling, "above", 0, 5_751, "R14"),
    ];
    rows.extend(unit_rows());
    rows
}

/// V21: energy and nothing else has a register. That the unit beside it is the register's (R06) the decoders see to.
fn unit_rows() -> Vec<Row> {
    let of = |code: &'static str, want| {
        assert!(Rule::Unit.rejections().contains(&RejectionCode::Register));
        let is_refused = code.parse::<Register>().is_err();
        (Rule::Unit, code, if is_refused { RejectionCode::Register.to_string() } else { String::new() }, want)
    };
    // Active and reactive energy of both ways; then power, its maximum, energy of both ways less each other, apparent
    // energy, current, voltage, heat, and a code without its last group.
    let taken = ["1.8.0", "1-0:2.8.0", "1-0:3.8.1*255", "4.8.0"].map(|code| of(code, ""));
    let refused = ["1.7.0", "1.6.0", "16.8.0", "9.8.0", "31.7.0", "32.7.0", "6-0:1.8.0", "1.8"];
    taken.into_iter().chain(refused.map(|code| of(code, "R05"))).collect()
}

fn spike_rows() -> Vec<Row> {
    use Rule::{Outlier, Spike, Step};
    let history = |case: &mut Case| {
        case.history(1, "4*3400");
        case.parameters.spike_spares_history = 1;
    };
    let low = |case: &mut Case| case.parameters.outlier_sigma_wh_min = 10;
    let halves = |case: &mut Case| {
        low(case);
        case.parameters.outlier_sigmas_thousandths_max = 2_500;
    };
    let per_cent = |percent| {
        move |case: &mut Case| {
            (case.parameters.step_percent_max, case.parameters.step_base_wh_min) = (percent, 100);
        }
    };
    vec![
        day(Spike, "1200 1100 1000 3400", |_| (), "3+1 2091/1800"),
        day(Spike, "1200 1000 1000 2800", |_| (), ""),
        day(Spike, "1200 1000 1000 2801", |_| (), "3+1 1801/1800"),
        day(Spike, "1200 1100 1000 3400", history, ""),
        day(Spike, "1200 1100 1000 3401", history, "3+1 2092/1800"),
        day(Spike, "12 11 10 1000", |_| (), ""),
        day(Spike, "12 11 10 1001", |_| (), "3+1 90000/1800"),
        day(Spike, "0 0 0 1001", |_| (), "3+1 1001000/1800"),
        day(Spike, "- 3400 - 1200 - 1100 1000", |_| (), "1+1 2091/1800"),
        day(Spike, "- 3400 - 1200", |_| (), ""),
        day(Spike, "3400 - 3400 1000", |_| (), "0+1 2400/1800"),
        day(Spike, "46*300 2*1400", |_| (), "46+1 3667/1800"),
        day(Outlier, "100 102 98 101 99 3200", |_| (), "5+1 3100/3000"),
        day(Outlier, "100 102 98 101 99 3100", |_| (), ""),
        // Median 100, deviations 0 1 1 2 2 40: 1.4826 × 1.5 is below the floor of 10, and three of those are 30.
        day(Outlier, "100 102 98 101 99 140", low, "5+1 40/30"),
        day(Outlier, "100 102 98 101 99 60", low, "5+1 40/30"),
        day(Outlier, "100 102 98 101 99 130", low, ""),
        day(Outlier, "100 102 98 101 99 131", low, "5+1 31/30"),
        day(Outlier, "100 - 98 101 99 - 131", low, "6+1 31/30"),
        // Median 30, deviations 10 20 10 20 0: 2.5 × 14.826 is 37.
        day(Outlier, "20 10 40 50 30", halves, ""),
        day(Outlier, "20 10 40 50 30 67", halves, ""),
        day(Outlier, "20 10 40 50 30 30 67", halves, ""),
        day(Outlier, "20 10 40 50 30 30 68", halves, "6+1 38/37"),
        day(Outlier, "-", low, ""),
        day(
            Outlier,
            "100 140",
            |case| {
                low(case);
                case.previous = Some(Columns::parse("100 102 98 101 99"));
            },
            "1+1 40/30",
        ),
        day(Step, "100 600", per_cent(500), ""),
        day(Step, "100 601", per_cent(500), "1+1 501/500"),
        // What fails is not what the next is held against.
        day(Step, "100 - - 601 601", per_cent(500), "3+1 501/500, 4+1 501/500"),
        day(Step, "400 601 601 600 601", per_cent(50), "1+1 51/50, 2+1 51/50"),
        day(Step, "0 500 0", per_cent(500), ""),
        day(Step, "0 501 0", per_cent(500), "1+1 501/500"),
        day(Step, "400 600 300", per_cent(50), ""),
        day(Step, "400 601 300", per_cent(50), "1+1 51/50"),
        day(
            Step,
            "- 601",
            |case| {
                per_cent(500)(case);
                case.history(1, "100 -");
            },
            "1+1 501/500",
        ),
        day(
            Step,
            "- 601",
            |case| {
                per_cent(500)(case);
                case.history(2, "100 -");
            },
            "",
        ),
        day(Step, "2147483647 0", per_cent(100), ""),
        day(Step, "0 2147483647", per_cent(1_000_000), "1+1 2147483647/1000000"),
    ]
}

fn sum_rows() -> Vec<Row> {
    use Rule::{Rollover, SumCheck, ZoneSum};
    let span = |multiplier: &'static str, start, end| {
        move |case: &mut Case| {
            case.installations = vec![installed(-1, None, multiplier)];
            case.span_kwh = Some((start, end));
        }
    };
    let zones =
        |zones: &'static [i64], total| move |case: &mut Case| case.zones_kwh = Some((zones.to_vec(), total));
    vec![
        day(SumCheck, "48*1000", span("1", 100, 148), ""),
        day(SumCheck, "48*1000", span("1", 100, 147), ""),
        day(SumCheck, "48*1000", span("1", 100, 146), "0+48 2000/1000"),
        day(SumCheck, "47*1000 999", span("1", 100, 149), "0+48 1001/1000"),
        day(SumCheck, "47*1000 -", span("1", 100, 146), ""),
        day(SumCheck, "48*40000", span("40", 100, 148), ""),
        day(SumCheck, "48*40000", span("40", 100, 150), "0+48 80000/40000"),
        day(SumCheck, "48*1000000", span("1", 0, 47_952), ""),
        day(SumCheck, "48*1000000", span("1", 0, 47_951), "0+48 49000/48000"),
        day(SumCheck, "48*1000", span("1", 99_980, 28), ""),
        day(SumCheck, "46*1000", span("1", 0, 46), ""),
        day(SumCheck, "50*1000", span("1", 0, 48), "0+50 2000/1000"),
        day(SumCheck, "48*1000", |case| case.span_kwh = Some((0, 0)), ""),
        day(
            SumCheck,
            "48*1000",
            |case| {
                case.installations = vec![installed(-1, Some(3_600), "1"), installed(3_600, None, "1")];
                case.span_kwh = Some((0, 0));
            },
            "",
        ),
        day(ZoneSum, "1", zones(&[60, 40], 100), ""),
        day(ZoneSum, "1", zones(&[60, 43], 100), ""),
        day(ZoneSum, "1", zones(&[60, 44], 100), "4000000/3000000"),
        day(ZoneSum, "1", zones(&[30, 30, 35], 100), "5000000/4000000"),
        day(Rollover, "1", span("1", 99_999, 3), ""),
        day(Rollover, "1", span("1", 90_001, 3), ""),
        day(Rollover, "1", span("1", 90_000, 3), "90000000000/90000000000"),
        day(Rollover, "1", span("1", 50_000, 49_999), "50000000000/90000000000"),
        day(Rollover, "1", span("1", 50_000, 50_000), ""),
    ]
}

fn plate_rows() -> Vec<Row> {
    use Rule::{DeviceStatus as Status, Identity, MultiplierMatch};
    let meters = |meters: &'static [(i64, Option<i64>, &'static str)], delivered| {
        move |case: &mut Case| {
            case.installations =
                meters.iter().map(|&(from, to, factor)| installed(from, to, factor)).collect();
            case.multiplier = delivered;
        }
    };
    let statuses =
        |statuses: &'static [DeviceStatus]| move |case: &mut Case| case.statuses = statuses.to_vec();
    const OK: DeviceStatus = DeviceStatus::POWER_OUTAGE;
    const PARITY: DeviceStatus = DeviceStatus::PARITY;
    const TEST: DeviceStatus = DeviceStatus::TEST_MODE;
    vec![
        day(Identity, "4*1", meters(&[(0, None, "1")], None), ""),
        day(Identity, "4*1", meters(&[(0, Some(7_200), "1")], None), ""),
        day(Identity, "4*1", meters(&[(3_600, None, "1")], None), "0+2 1772409600/1772413200"),
        day(
            Identity,
            "4*1",
            meters(&[(-9, Some(1_800), "1"), (5_400, None, "1")], None),
            "1+2 1772411400/1772409591",
        ),
        day(Identity, "- - 1 1", meters(&[(3_600, None, "1")], None), ""),
        day(Identity, "4*1", |_| (), ""),
        day(MultiplierMatch, "2*1", meters(&[(0, None, "40")], Some("40")), ""),
        day(MultiplierMatch, "2*1", meters(&[(0, None, "40")], Some("1")), "0+2 1000000/40000000"),
        day(MultiplierMatch, "2*1", meters(&[(0, Some(1_800), "40"), (1_800, None, "60")], Some("60")), ""),
        day(MultiplierMatch, "2*1", meters(&[], Some("60")), ""),
        day(Status, "4*1", statuses(&[OK, OK, OK, OK]), ""),
        day(Status, "4*1", statuses(&[OK, PARITY, TEST, OK]), "1+2 40/0"),
        day(Status, "1 - 1 1", statuses(&[OK, PARITY, TEST, OK]), "2+1 32/0"),
        day(Status, "4*1", statuses(&[]), ""),
    ]
}

fn history_rows() -> Vec<Row> {
    use Rule::{HighLow, HistoricalMax, InactiveUse};
    // Eight days of February with 48 × 100 Wh, then one day of March.
    let february = |case: &mut Case| {
        for back in (2..10).rev() {
            case.history(back, "47*100 500");
        }
        case.history(1, "48*100");
        case.parameters.use_days_min = 2;
        case.parameters.peak_wh_min = 500;
    };
    let floor = |case: &mut Case| {
        february(case);
        case.parameters.peak_wh_min = 1_000;
    };
    let eight_days = |first_back: i32, values: &'static str| {
        move |case: &mut Case| {
            for back in (first_back..first_back + 8).rev() {
                case.history(back, values);
            }
            case.history(1, "48*100");
            (case.parameters.use_days_min, case.parameters.peak_wh_min) = (2, 500);
        }
    };
    let (gaps, january) = (eight_days(2, "46*100 - 500"), eight_days(40, "47*100 500"));
    let scrap_of_last_year = |case: &mut Case| {
        case.history(365, "48*1");
        february(case);
    };
    // 1 and 2 March of last year with 101 Wh, then 1 March.
    let last_year = |case: &mut Case| {
        case.history(366, "47*0 50");
        case.history(365, "47*0 51");
        case.history(1, "47*0 100");
        case.parameters.use_days_min = 2;
    };
    let irregular = |case: &mut Case| {
        february(case);
        case.is_irregular = true;
    };
    let off = |case: &mut Case| case.is_disconnected = true;
    let daily = |energy_wh, day_count| DailyUse { energy_wh, day_count };
    let compared = |what, now, reference, want| {
        let found = history::compare_daily_use(now, reference, &RuleParameters::default());
        (HighLow, what, shown(HighLow, found), want)
    };
    vec![
        // Two days of March against 5,200 Wh a day: from 5,200 to 20,800 in all.
        day(HighLow, "48*100", february, ""),
        day(HighLow, "47*8 24", february, ""),
        day(HighLow, "47*8 23", february, "499/500"),
        // A day with a gap is no day of use, and eight of them are no reference.
        day(HighLow, "46*8 - 23", february, ""),
        day(HighLow, "48*-", february, ""),
        day(HighLow, "47*333 350", gaps, ""),
        // Nothing came in February.
        day(HighLow, "47*333 350", january, ""),
        // One day of last year's March is no reference either: February is.
        day(HighLow, "48*100", scrap_of_last_year, ""),
        day(HighLow, "47*333 350", scrap_of_last_year, "2001/2000"),
        // 202 Wh are exactly twice 101 Wh.
        day(HighLow, "47*0 102", last_year, ""),
        day(HighLow, "47*0 103", last_year, "2010/2000"),
        day(HighLow, "47*333 349", february, ""),
        day(HighLow, "47*333 350", february, "2001/2000"),
        day(HighLow, "47*333 350", irregular, ""),
        day(HighLow, "47*333 350", |_| (), ""),
        compared("half", daily(50, 10), daily(100, 10), ""),
        compared("less than half", daily(49, 10), daily(100, 10), "490/500"),
        compared("twice, over other days", daily(56, 28), daily(31, 31), ""),
        compared("more than twice", daily(57, 28), daily(31, 31), "2036/2000"),
        compared("of nothing", daily(57, 28), daily(0, 31), ""),
        day(HistoricalMax, "47*1 1000", february, ""),
        day(HistoricalMax, "1001 46*- 1001", february, "0+1 1001/1000, 47+1 1001/1000"),
        day(HistoricalMax, "47*1 9000", |_| (), ""),
        day(HistoricalMax, "47*1 9000", january, ""),
        day(HistoricalMax, "47*1 1001", gaps, "47+1 1001/1000"),
        // The highest of 500 Wh is taken for 1,000 Wh.
        day(HistoricalMax, "47*1 2000", floor, ""),
        day(HistoricalMax, "47*1 2001", floor, "47+1 2001/2000"),
        day(InactiveUse, "48*0", off, ""),
        day(InactiveUse, "0 2 - 3 0", off, "1+3 5/0"),
        day(InactiveUse, "0 2 - 3 0", |_| (), ""),
    ]
}

fn run_rows() -> Vec<Row> {
    use Rule::{FlatLine, ZeroRun};
    let yesterday = |values: &'static str| move |case: &mut Case| case.history(1, values);
    let before = |values: &'static str| move |case: &mut Case| case.history(2, values);
    let empty = |case: &mut Case| {
        case.history(1, "48*0");
        case.is_occupied = false;
    };
    let short =
        |minutes| move |case: &mut Case| (case.parameters.zero_run_minutes, case.minutes) = (minutes, 60);
    vec![
        day(ZeroRun, "48*0", yesterday("48*0"), "0+48 2880/2880"),
        day(ZeroRun, "48*0", before("48*0"), ""),
        day(ZeroRun, "47*0 1", yesterday("48*0"), ""),
        day(ZeroRun, "47*0 1", yesterday("50*0"), "0+47 2910/2880"),
        day(ZeroRun, "48*0", yesterday("1 47*0"), ""),
        day(ZeroRun, "1 47*0", yesterday("48*0"), ""),
        day(ZeroRun, "48*0", empty, ""),
        day(ZeroRun, "48*0", |_| (), ""),
        day(ZeroRun, "48*-", yesterday("96*0"), ""),
        day(ZeroRun, "23*0", short(1_380), "0+23 1380/1380"),
        day(ZeroRun, "25*0", short(1_500), "0+25 1500/1500"),
        day(ZeroRun, "24*0", short(1_500), ""),
        day(ZeroRun, "5 2*0 - 0 5 3*0", short(180), "1+4 180/180, 6+3 180/180"),
        day(ZeroRun, "5 2*0 - 0 5 3*0", short(181), ""),
        day(FlatLine, "11*5 6", |_| (), ""),
        day(FlatLine, "6 12*5", |_| (), "1+12 12/12"),
        day(FlatLine, "6 6*5 - - 6*5", |_| (), "1+14 12/12"),
        day(FlatLine, "48*0", |_| (), ""),
        day(FlatLine, "5 6", yesterday("6 11*5"), "0+1 12/12"),
        day(FlatLine, "5 6", before("6 11*5"), ""),
        day(FlatLine, "- 5 6", yesterday("6 11*5"), "1+1 12/12"),
        day(FlatLine, "6 5", yesterday("6 11*5"), ""),
        day(FlatLine, "4*5", yesterday("6*5 3*-"), ""),
        day(FlatLine, "48*5e", |_| (), "0+48 48/12"),
    ]
}

fn sibling_rows() -> Vec<Row> {
    use Rule::{MainCheck, ProsumerSymmetry, Reactive, Siblings};
    let active = |text: &'static str| move |case: &mut Case| case.active = Some(Columns::parse(text));
    let export = |text: &'static str| move |case: &mut Case| case.active_export = Some(Columns::parse(text));
    let both = |taken: &'static str, fed_in: &'static str| {
        move |case: &mut Case| {
            active(taken)(case);
            export(fed_in)(case);
        }
    };
    let check = |text: &'static str| move |case: &mut Case| case.check = Some(Columns::parse(text));
    let opposite = |text: &'static str| {
        move |case: &mut Case| (case.opposite, case.capacity_w) = (Some(Columns::parse(text)), Some(10_000))
    };
    let channels = |what, delivered: &[&str], want| {
        let all: Vec<Register> = ["1.8.0", "2.8.0"].iter().map(|text| text.parse().unwrap()).collect();
        let delivered: Vec<Register> = delivered.iter().map(|text| text.parse().unwrap()).collect();
        (Siblings, what, shown(Siblings, siblings::siblings(&all, &delivered)), want)
    };
    vec![
        day(Reactive, "600 600", active("300 300"), ""),
        day(Reactive, "600 601", active("300 300"), "0+2 2002/2000"),
        day(Reactive, "600 700 500", active("300 - 300"), ""),
        day(Reactive, "600 700 701", active("300 - 300"), "0+3 2169/2000"),
        day(Reactive, "500 500", active("0 0"), ""),
        day(Reactive, "500 501", active("0 0"), "0+2 1001000/2000"),
        day(Reactive, "600 601", active("300 300 300"), ""),
        // At night 100 Wh are taken, by day 20 kWh fed in: of 5 kvarh both explain enough.
        day(Reactive, "2500 2500", both("50 50", "0 20000"), ""),
        day(Reactive, "2500 2500", active("50 50"), "0+2 50000/2000"),
        day(Reactive, "600 600", both("100 100", "200 200"), ""),
        day(Reactive, "600 601", both("100 100", "200 200"), "0+2 2002/2000"),
        day(Reactive, "600 601", export("300 300"), "0+2 2002/2000"),
        day(Reactive, "600 700 701", both("100 - 100", "200 200 200"), "0+3 2169/2000"),
        day(Reactive, "600 700 701", both("100 100 100", "200 - 200"), "0+3 2169/2000"),
        day(Reactive, "600 601", both("0 0", "200 200 200"), ""),
        day(MainCheck, "510 510", check("500 500"), ""),
        day(MainCheck, "511 510", check("500 500"), "0+2 21/20"),
        day(MainCheck, "490 489", check("500 500"), "0+2 21/20"),
        day(MainCheck, "511 900 510", check("500 - 520"), ""),
        day(MainCheck, "0 1", check("0 0"), "0+2 1000/20"),
        day(ProsumerSymmetry, "5000 5000", opposite("5001 5001"), ""),
        day(ProsumerSymmetry, "5001 6000 1", opposite("7000 5001 9000"), "0+2 5001/5000"),
        day(ProsumerSymmetry, "5001 - 6000", opposite("5001 9000 -"), "0+1 5001/5000"),
        channels("both", &["2.8.0", "1.8.0"], ""),
        channels("one of two", &["1.8.0", "3.8.0"], "1/2"),
        channels("none", &[], "0/2"),
    ]
}

fn surveillance_rows() -> Vec<Row> {
    use Rule::{ClockDrift, Delivery, IntervalCount, ProlongedEstimation};
    let expected =
        |count, minutes| move |case: &mut Case| (case.expected_count, case.minutes) = (count, minutes);
    let clock = |ahead| move |case: &mut Case| case.clock_ahead_s = Some(ahead);
    let estimated = |days| {
        move |case: &mut Case| {
            for back in (1..=days).rev() {
                case.history(back, "2*7e");
            }
        }
    };
    let berlin = |date: &str| {
        let local = Zone::parse("Europe/Berlin").unwrap().local_day(date.parse().unwrap());
        usize::from(local.interval_count(15).unwrap())
    };
    let silent = |what, last_seen: Option<i64>, now, want| {
        let last_seen = last_seen.map(UtcSeconds);
        let found =
            surveillance::silent(last_seen, UtcSeconds(1_000), UtcSeconds(now), &RuleParameters::default());
        (Delivery, what, shown(Delivery, found), want)
    };
    let covered = |what, found_count, expected_count, want| {
        let found = surveillance::under_covered(found_count, expected_count, &RuleParameters::default());
        (Delivery, what, shown(Delivery, found), want)
    };
    vec![
        day(IntervalCount, "48*1", |_| (), ""),
        day(IntervalCount, "92*1", expected(berlin("2026-03-29"), 15), ""),
        day(IntervalCount, "100*1", expected(berlin("2026-10-25"), 15), ""),
        day(IntervalCount, "96*1", expected(berlin("2026-03-29"), 15), "0+96 96/92"),
        day(IntervalCount, "96*1", expected(berlin("2026-10-25"), 15), "0+96 96/100"),
        day(IntervalCount, "23*1", expected(23, 60), ""),
        day(IntervalCount, "24*1", expected(25, 60), "0+24 24/25"),
        day(IntervalCount, "- 3*1 2*- 1", |_| (), "0+1 4/7, 4+2 4/7"),
        day(IntervalCount, "48*-", |_| (), "0+48 0/48"),
        day(ClockDrift, "48*1", clock(-180), ""),
        day(ClockDrift, "48*1", clock(-181), "181/180"),
        day(ClockDrift, "48*1", clock(3_299), "3299/180"),
        day(ClockDrift, "48*1", clock(3_300), "0+48 3300/3300"),
        day(ProlongedEstimation, "2*7e", estimated(59), ""),
        day(ProlongedEstimation, "2*7e", estimated(60), "61/60"),
        day(ProlongedEstimation, "2*-", estimated(60), "61/60"),
        day(ProlongedEstimation, "7e 7", estimated(60), ""),
        // Absent days had no measured value.
        day(ProlongedEstimation, "2*7e", |case| case.history(60, "2*7"), ""),
        day(ProlongedEstimation, "2*7e", |case| case.history(61, "2*7"), "61/60"),
        day(ProlongedEstimation, "2*7e", |case| case.history(61, "2*7e"), "62/60"),
        day(ProlongedEstimation, "2*7", |case| case.history(90, "2*7"), ""),
        silent("35 hours and 59 minutes", Some(0), 129_599, ""),
        silent("36 hours", Some(0), 129_600, "129600/129600"),
        silent("never, since it was put in", None, 130_600, "129600/129600"),
        silent("never, but just put in", None, 130_599, ""),
        covered("95 %", 95, 100, ""),
        covered("less", 1_899, 2_000, "949/950"),
        covered("nothing expected", 0, 0, ""),
    ]
}

fn balance_rows() -> Vec<Row> {
    use Rule::{FeederBalance, Replacement};
    let parameters = RuleParameters::default();
    let feeder = |what, head, meters, want| {
        (FeederBalance, what, shown(FeederBalance, balance::feeder(head, meters, &parameters)), want)
    };
    let guard = |what, billed, measured, want| {
        (Replacement, what, shown(Replacement, replacement::guard(billed, measured, &parameters)), want)
    };
    vec![
        feeder("12 % lost", 1_000, 880, ""),
        feeder("more", 1_000, 879, "121/120"),
        feeder("nothing lost", 1_000, 1_000, ""),
        feeder("meters took more", 1_000, 1_001, "-1/0"),
        feeder("nothing at all", 0, 0, ""),
        feeder("out of nothing", 0, 5, "-5000/0"),
        feeder("at the ends", i64::MAX, i64::MIN, "2001/120"),
        guard("by 10 kWh", 50_000, 60_000, ""),
        guard("by more, of little", 50_000, 60_001, "10001/10000"),
        guard("by 10 % of much", 500_000, 450_000, ""),
        guard("by more than 10 %", 500_000, 449_999, "50001/50000"),
    ]
}

fn rows() -> Vec<Row> {
    let families = [
        intake_rows(),
        spike_rows(),
        sum_rows(),
        plate_rows(),
        history_rows(),
        run_rows(),
        sibling_rows(),
        surveillance_rows(),
        balance_rows(),
    ];
    families.into_iter().flatten().collect()
}

#[test]
fn every_row() {
    let differing: Vec<String> = rows()
        .into_iter()
        .filter(|(_, _, got, want)| got != want)
        .map(|(rule, what, got, want)| format!("{rule} {what}: got {got:?}, want {want:?}"))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn every_rule_passes_once_and_fails_once() {
    let rows = rows();
    for rule in Rule::ALL {
        let own = || rows.iter().filter(|(of, ..)| *of == rule);
        assert!(own().any(|(_, _, _, want)| want.is_empty()), "{rule} never passes");
        assert!(own().any(|(_, _, _, want)| !want.is_empty()), "{rule} never fails");
    }
}

#[test]
fn rules_of_a_day_stand_in_order() {
    assert!(DAY_RULES.is_sorted_by(|(a, _), (b, _)| a < b));
    for rule in Rule::ALL {
        let is_of_a_day = DAY_RULES.iter().any(|(own, _)| *own == rule);
        let of_more =
            [Rule::Siblings, Rule::Delivery, Rule::FeederBalance, Rule::Replacement].contains(&rule);
        assert!(is_of_a_day || of_more || !rule.rejections().is_empty(), "{rule} is asked nowhere");
    }
}

/// What the rules of a day look at was taken, and is billed.
#[test]
fn nothing_that_was_taken_is_refused() {
    for (rule, _) in DAY_RULES {
        assert_ne!(rule.severity(), Severity::Reject, "{rule}");
    }
    for rule in Rule::ALL.into_iter().filter(|rule| rule.severity() == Severity::Reject) {
        assert!(!rule.rejections().is_empty(), "{rule} is not decided at intake");
    }
}

#[test]
fn statuses() {
    assert_eq!(DeviceStatus::from_bits(1 << 8), None);
    let both = DeviceStatus::POWER_OUTAGE.and(DeviceStatus::WATCHDOG);
    assert_eq!((both.quality(), both.is_outage()), (Some(Quality::Raw), true));
    assert_eq!(DeviceStatus::POWER_OUTAGE.quality(), None);
    assert_eq!(DeviceStatus::from_bits(both.bits()), Some(both));
}
