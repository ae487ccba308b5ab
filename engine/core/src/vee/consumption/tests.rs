//! Rows of register reads and what lies between them.

use proptest::prelude::*;

use super::apportion::{Apportion, ApportionError, Apportioned, apportion};
use super::period::{NotDetermined, PeriodConsumption, of_month, of_period};
use super::zones::{WHOLE_KWH, compare_zones};
use super::*;
use crate::calendar::Zone;
use crate::day_block::DayBlock;
use crate::meter::RegisterRead;
use crate::money::div_half_even;
use crate::reading::Source;
use crate::register::Register;
use crate::vee::profile::ProfileDay;

const HOUR: i64 = 3_600;

/// `A 0 1000` … : meter, hour of installation, first dial in kWh; then perhaps digits, multiplier, hour of removal, last.
fn installation(text: &str) -> Installation {
    let mut words = text.split_whitespace();
    let mut word = || words.next();
    let meter = word().unwrap().parse().unwrap();
    let from = at(word().unwrap());
    let first = dial(word().unwrap());
    let digits = word().map_or(5, |digits| digits.parse().unwrap());
    let multiplier = word().map_or(Multiplier::ONE, |factor| Multiplier::parse(factor).unwrap());
    let to = word().map(at);
    let to = to.map(|to| (to, dial(word().unwrap())));
    Installation {
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        from,
        meter,
        first,
        to,
        digits,
        multiplier,
    }
}

/// `24 1012.5` …: hour, dial in kWh; then perhaps quality, meter (`-` for none), hour of receipt.
fn read(text: &str) -> ReceivedRead {
    let mut words = text.split_whitespace();
    let (at, dial) = (at(words.next().unwrap()), dial(words.next().unwrap()));
    let quality = words.next().unwrap_or("valid");
    let quality = Quality::ALL.into_iter().find(|known| known.name() == quality).unwrap();
    let meter = words.next().filter(|&meter| meter != "-").map(|meter| meter.parse().unwrap());
    let received = words.next().map(self::at);
    let usage_point = "P".parse().unwrap();
    let read = RegisterRead { usage_point, register: Register::IMPORT, at, meter, dial, quality };
    ReceivedRead { read, who: None, received }
}

fn at(hours: &str) -> UtcSeconds {
    UtcSeconds(hours.parse::<i64>().unwrap() * HOUR)
}

fn dial(kwh: &str) -> DialReading {
    let kwh = crate::decimal::Decimal::parse(kwh.as_bytes(), b'.').unwrap();
    DialReading::from_milliwatt_hours(kwh.scaled(6).unwrap())
}

fn lines<T>(text: &str, parse: fn(&str) -> T) -> Vec<T> {
    text.split(';').map(str::trim).filter(|line| !line.is_empty()).map(parse).collect()
}

fn told(reads: &str, installations: &str) -> Consumption {
    consumption(&lines(reads, read), &lines(installations, installation)).unwrap()
}

/// `0-24 12500` a span, `24-48 Backwards` a failure; `2m`, `rolled` and a quality where they are out of the ordinary.
fn show(consumption: &Consumption) -> String {
    let hours = |from: UtcSeconds, to: UtcSeconds| format!("{}-{}", from.0 / HOUR, to.0 / HOUR);
    let spans = consumption.spans.iter().map(|span| {
        let mut text = format!("{} {}", hours(span.from, span.to), span.energy_wh);
        if span.how.meter_count > 1 {
            text += &format!(" {}m", span.how.meter_count);
        }
        if span.how.rolled_over {
            text += " rolled";
        }
        if span.how.quality != Quality::Valid {
            text += &format!(" {}", span.how.quality);
        }
        text
    });
    let failures = consumption
        .failures
        .iter()
        .map(|failure| format!("{} {:?}", hours(failure.from, failure.to), failure.why));
    spans.chain(failures).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_note_with_the_end_stands_for_the_one_without() {
    let (open, ended) = (installation("A 0 1000"), installation("A 0 1000 5 1 48 1020"));
    let next = installation("B 48 7");
    assert_eq!(meters(&[next, open, ended, open]), [ended, next]);
    // Another first dial is another note: both are kept, and contradict each other.
    let differs = installation("A 0 1001 5 1 48 1020");
    assert_eq!(meters(&[open, differs]).len(), 2);
    assert!(matches!(consumption(&[], &[open, differs]), Err(InstallationError::Overlap { .. })));
    let reads = [read("24 1010"), read("72 20"), read("72 21 projected")];
    let spans = consumption(&reads, &[open, ended, next]).unwrap().spans;
    assert_eq!(spans.iter().map(|span| span.energy_wh).collect::<Vec<_>>(), [10_000, 23_000]);
    let shown = dials(&reads, &[open, next, ended]).unwrap();
    let of = |at: usize| shown[at].dials.iter().map(|(at, dial)| (at.0 / HOUR, *dial)).collect::<Vec<_>>();
    assert_eq!(of(0), [(0, dial("1000")), (24, dial("1010")), (48, dial("1020"))]);
    assert_eq!(of(1), [(48, dial("7")), (72, dial("20"))]);
}

#[test]
fn what_reads_tell() {
    let one = "A 0 1000";
    // Meter A of 5 dials, removed at hour 48 at 99 990; meter B of 6 dials behind transformers of 20.
    let exchange = "A 0 99900 5 1 48 99990; B 48 0.5 6 20";
    let gap = "A 0 0 5 1 24 10; B 48 0 5 1";
    let removed_over_zero = "A 0 99900 5 1 48 20; B 48 0 5 1";
    // reads; installations; what they tell
    let table = [
        ("", one, ""),
        ("0 1000", one, ""),
        ("24 1012.5", one, "0-24 12500"),
        ("48 1020; 24 1012.5", one, "0-24 12500; 24-48 7500"),
        ("24 1012.5; 24 1012.5; 48 1012.5", one, "0-24 12500; 24-48 0"),
        // Rollover: 99 950 → 00 010 is 60 kWh; from exactly nine tenths, or below, it is no rollover.
        ("24 99950; 48 10", "A 0 99000", "0-24 950000; 24-48 60000 rolled"),
        ("24 90000.000001; 48 10", "A 0 90000", "0-24 0; 24-48 10010000 rolled"),
        ("24 90000; 48 10; 72 20", "A 0 90000", "0-24 0; 48-72 10000; 24-48 Backwards"),
        ("24 1010; 48 1009; 72 1015", one, "0-24 10000; 48-72 6000; 24-48 Backwards"),
        // Half to even, on the position and not on the difference: 0.5, 1.5, 2.5 Wh → 0, 2, 2.
        ("1 0.0005; 2 0.0015; 3 0.0025", "A 0 0", "0-1 0; 1-2 2; 2-3 0"),
        ("1 0.0005; 2 0.0015; 3 0.0025", "A 0 0 5 0.5", "0-1 0; 1-2 1; 2-3 0"), // 0.25, 0.75, 1.25
        // Exchange: (99 990 − 99 950) × 1 + (3.5 − 0.5) × 20 = 40 + 60 kWh.
        ("24 99950; 72 3.5", exchange, "0-24 50000; 24-72 100000 2m"),
        (
            "24 99950 valid A; 48 99990 valid A; 72 3.5 valid B",
            exchange,
            "0-24 50000; 24-48 40000; 48-72 60000",
        ),
        ("48 99990; 48 0.5; 72 3.5", exchange, "0-48 90000; 48-72 60000"),
        ("24 99950; 48 99991; 72 3.5", exchange, "0-24 50000; 24-72 100000 2m; 48-48 NotAsNoted"),
        ("24 99950; 48 99991 other A; 72 3.5", exchange, "0-24 50000; 24-72 100000 2m; 48-48 NotAsNoted"),
        (
            "24 99950 valid B; 60 3 valid A; 72 3.5",
            exchange,
            "0-72 150000 2m; 24-24 OtherMeter; 60-60 OtherMeter",
        ),
        ("24 99999; 72 3.5", removed_over_zero, "0-24 99000; 24-72 24500 2m rolled"),
        ("24 99999; 72 99999", removed_over_zero, "0-24 99000; 24-72 100020000 2m rolled"),
        ("12 4; 36 5; 72 3", gap, "0-12 4000; 12-24 6000; 48-72 3000; 24-48 Gap; 36-36 NoMeter"),
        // One instant: rank decides; of equal rank both fall, and the span runs over them.
        ("24 1010; 24 1011 other; 48 1020", one, "0-24 10000; 24-48 10000"),
        ("24 1011 raw; 24 1010 other; 48 1020", one, "0-24 10000 other; 24-48 10000 other"),
        ("24 1010; 24 1011; 48 1020", one, "0-48 20000; 24-24 Conflict"),
        ("24 1010; 24 1011; 24 1012 edited; 48 1020", one, "0-48 20000; 24-24 Conflict"),
        ("0 1001; 24 1010", one, "0-24 10000; 0-0 NotAsNoted"),
        ("0 1001 other; 24 1010", one, "0-24 10000; 0-0 NotAsNoted"),
        // Of one rank the later received stands, and one that says a time over one that says none.
        ("24 95000 edited - 30; 24 1010 edited - 31; 48 1020", one, "0-24 10000 edited; 24-48 10000 edited"),
        ("24 1010 edited - 31; 24 95000 edited; 48 1020", one, "0-24 10000 edited; 24-48 10000 edited"),
        ("24 95000 edited - 30; 24 1010 edited A 31; 48 1020", one, "0-24 10000 edited; 24-48 10000 edited"),
        ("24 1010 edited - 31; 24 1011 edited - 31; 24 9 edited - 30", one, "24-24 Conflict"),
        ("24 1010 valid - 1; 24 1011 edited - 31", one, "0-24 10000"),
        ("24 1010 edited - 1; 24 1010 edited - 31", one, "0-24 10000 edited"),
        ("24 0 missing; 48 1020", one, "0-48 20000"),
        // What a dial cannot show.
        ("24 100000; 48 1020", one, "0-48 20000; 24-24 PastDial"),
        ("24 -1; 48 1020", one, "0-48 20000; 24-24 PastDial"),
        ("24 1010", "", "24-24 NoMeter"),
        ("12 1010", "A 24 1000", "12-12 NoMeter"),
        // 12 dials behind the largest transformers: 999 999 999 999 kWh × 100 000 000 is past 64 bits.
        ("24 999999999999", "A 0 0 12 100000000", "0-24 PastRange"),
    ];
    for (reads, installations, want) in table {
        assert_eq!(show(&told(reads, installations)), want, "{reads} | {installations}");
        let mut backwards = lines(reads, read);
        backwards.reverse();
        let again = consumption(&backwards, &lines(installations, installation)).unwrap();
        assert_eq!(show(&again), want, "reversed: {reads} | {installations}");
    }
}

#[test]
fn two_rollovers_in_one_span() {
    let got = told("24 99950; 72 5", "A 0 99900 5 1 48 10; B 48 99990 5 1");
    assert_eq!(show(&got), "0-24 50000; 24-72 TwoRollovers");
}

#[test]
fn installations_that_contradict_each_other() {
    let table = [
        (
            "A 0 0; B 24 0",
            "meter B is installed at 1970-01-02T00:00:00Z, before the one before it is removed",
        ),
        (
            "A 0 0 5 1 25 1; B 24 0",
            "meter B is installed at 1970-01-02T00:00:00Z, before the one before it is removed",
        ),
        ("A 24 0 5 1 24 1", "meter A is removed no later than installed, at 1970-01-02T00:00:00Z"),
        ("A 0 0 0", "meter A has 0 dials, need 1 to 12"),
        ("A 0 0 13", "meter A has 13 dials, need 1 to 12"),
        ("A 0 1000 3", "meter A cannot show 1000.000000"),
        ("A 0 0 3 1 24 1000", "meter A cannot show 1000.000000"),
    ];
    for (installations, want) in table {
        let got = consumption(&[], &lines(installations, installation)).unwrap_err();
        assert_eq!(got.to_string(), want, "{installations}");
    }
}

/// Zone registers beside the total.
#[test]
fn zones_beside_the_total() {
    let transformers = "A 0 0 5 20";
    // total; zone 1; zone 2; installation; Σ zones − total; tolerance; within
    let table = [
        ("24 10", "24 6", "24 4", "A 0 0", Some(0), 3_000, Some(true)),
        ("24 10", "24 6", "24 7", "A 0 0", Some(3_000), 3_000, Some(true)),
        ("24 10", "24 6", "24 0.999999", "A 0 0", Some(-3_000), 3_000, Some(true)),
        ("24 10", "24 6", "24 7.001", "A 0 0", Some(3_001), 3_000, Some(false)),
        ("24 10", "24 6", "24 7.001", transformers, Some(60_020), 60_000, Some(false)),
        ("24 10", "12 6; 24 6", "24 4", "A 0 0", Some(0), 3_000, Some(true)),
        ("24 10", "23 6", "24 4", "A 0 0", None, 3_000, None),
    ];
    for (total, first, second, installed, difference, tolerance, within) in table {
        let [total, first, second] = [total, first, second].map(|reads| told(reads, installed).spans);
        let checks = compare_zones(&total, &[&first, &second], WHOLE_KWH);
        let [check] = &checks[..] else { panic!("one span, one check") };
        let got = (check.difference_wh(), check.tolerance_wh, check.is_within());
        assert_eq!(got, (difference, tolerance, within), "{total:?} {first:?} {second:?}");
    }
}

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn start(day: &str) -> UtcSeconds {
    berlin().local_day(day.parse().unwrap()).start
}

fn span(from: UtcSeconds, to: UtcSeconds, energy_wh: i64, quality: Quality) -> Span {
    let how = How { meter_count: 1, rolled_over: false, quality, multiplier: Multiplier::ONE };
    Span { from, to, energy_wh, how }
}

fn lay(spans: &[Span], minutes: u8, rule: &Apportion<'_>) -> Result<Apportioned, ApportionError> {
    let of = ("P".parse().unwrap(), Register::IMPORT);
    apportion(spans, of, &berlin(), minutes, Source::Automated, rule)
}

/// A profile of local days: weight 1 in the first half of each, `second` in the rest.
fn profile(days: &[&str], second: u32) -> Vec<ProfileDay> {
    let local = days.iter().map(|day| berlin().local_day(day.parse().unwrap()));
    local
        .map(|local| {
            let count = usize::from(local.interval_count(60).unwrap());
            let weights = (0..count).map(|hour| if hour < count / 2 { 1 } else { second }).collect();
            ProfileDay { day: local.day, start: local.start, interval_minutes: 60, weights }
        })
        .collect()
}

#[test]
fn days_of_23_and_25_hours_get_their_share() {
    // A day; hours in it; Wh of the span; total of the day before, this day and the day after; quality of an hour
    let table = [
        ("2026-03-28", "2026-03-31", 71_000, [24_000, 23_000, 24_000], Quality::Valid, Quality::Derived),
        ("2026-10-24", "2026-10-27", 73_000, [24_000, 25_000, 24_000], Quality::Valid, Quality::Derived),
        // 100 Wh over 71 hours: 24/71 → 33.80, 47/71 → 66.20, so 34, 66 − 34, 100 − 66.
        ("2026-03-28", "2026-03-31", 100, [34, 32, 34], Quality::Other, Quality::EstimatedLinear),
    ];
    for (from, to, wh, want, read, quality) in table {
        let span = span(start(from), start(to), wh, read);
        let laid = lay(&[span], 60, &Apportion::EvenlyByTime).unwrap();
        let got: Vec<i64> = laid.days.iter().map(|day| day.total_wh()).collect();
        assert_eq!((&got[..], laid.edge_wh), (&want[..], 0), "{from}");
        assert!(laid.days.iter().all(|day| day.qualities().iter().all(|&got| got == quality)), "{from}");
    }
}

#[test]
fn by_profile_and_by_no_rule() {
    let days = profile(&["2026-03-28", "2026-03-29", "2026-03-30"], 3);
    // 12 × 1 + 12 × 3 = 48 parts, and on the day of 23 hours 11 × 1 + 12 × 3 = 47; one part is 10 Wh.
    let whole = span(start("2026-03-28"), start("2026-03-30"), 950, Quality::Valid);
    let laid = lay(&[whole], 60, &Apportion::ByProfile(&days)).unwrap();
    assert_eq!(laid.days.iter().map(|day| day.total_wh()).collect::<Vec<_>>(), [480, 470]);
    assert_eq!((laid.days[1].values_wh()[10], laid.days[1].values_wh()[11]), (10, 30));
    assert_eq!(laid.days[1].qualities()[0], Quality::Derived);
    let doubtful = Span { how: How { quality: Quality::Other, ..whole.how }, ..whole };
    let laid = lay(&[doubtful], 60, &Apportion::ByProfile(&days)).unwrap();
    assert_eq!(laid.days[1].qualities()[0], Quality::EstimatedReferenceDay);

    let table = [
        (Apportion::Never, "energy between two reads is not apportioned: no rule says how"),
        (Apportion::ByProfile(&days[1..]), "the profile does not cover 2026-03-27T23:00:00Z"),
        (Apportion::ByProfile(&days[..1]), "the profile does not cover 2026-03-28T23:00:00Z"),
        (Apportion::ByProfile(&[]), "the profile does not cover 2026-03-27T23:00:00Z"),
    ];
    for (rule, want) in table {
        assert_eq!(lay(&[whole], 60, &rule).unwrap_err().to_string(), want);
    }
    let mut dark = days.clone();
    dark.iter_mut().for_each(|day| day.weights.fill(0));
    let empty = lay(&[whole], 60, &Apportion::ByProfile(&dark)).unwrap_err();
    assert_eq!(empty, ApportionError::ProfileEmpty(whole.from));
    let huge = span(whole.from, whole.to, i64::MAX, Quality::Valid);
    assert!(matches!(lay(&[huge], 60, &Apportion::EvenlyByTime), Err(ApportionError::PastRange { .. })));
    let ages = span(whole.from, whole.from.plus(1_101 * 86_400), 1, Quality::Valid);
    assert!(matches!(lay(&[ages], 60, &Apportion::EvenlyByTime), Err(ApportionError::TooLong { .. })));
}

/// Reads at 10:20 and 14:40: the half-hours that are covered in part stay missing, and what fell there is told.
#[test]
fn reads_within_an_interval() {
    let noon = start("2026-03-02").plus(10 * HOUR + 1_200);
    let laid =
        lay(&[span(noon, noon.plus(4 * HOUR + 1_200), 2_600, Quality::Valid)], 30, &Apportion::EvenlyByTime)
            .unwrap();
    let day = &laid.days[0];
    // 10 Wh a minute: 10 minutes before 10:30, 8 half-hours of 300, 10 minutes after 14:30.
    assert_eq!((day.present_count(), day.total_wh(), laid.edge_wh), (8, 2_400, 200));
    assert_eq!((day.qualities()[20], day.qualities()[21]), (Quality::Missing, Quality::Derived));
    // A second span that begins where the first ends makes the interval between them whole.
    let next = span(noon.plus(4 * HOUR + 1_200), noon.plus(4 * HOUR + 2_400), 400, Quality::Other);
    let first = span(noon, noon.plus(4 * HOUR + 1_200), 2_600, Quality::Valid);
    let laid = lay(&[first, next], 30, &Apportion::EvenlyByTime).unwrap();
    assert_eq!((laid.days[0].present_count(), laid.edge_wh), (9, 100));
    assert_eq!(laid.days[0].values_wh()[29], 100 + 400);
    assert_eq!(laid.days[0].qualities()[29], Quality::EstimatedLinear);
}

#[test]
fn months_of_a_point_with_reads_only() {
    let (valid, other) = (Quality::Valid, Quality::Other);
    // Reads at midnight of 15 January, 14 February, 20 March, 1 April: 30, 34 and 12 days less an hour.
    let [a, b, c, d] = ["2026-01-15", "2026-02-14", "2026-03-20", "2026-04-01"].map(start);
    let spans = [span(a, b, 300_000, valid), span(b, c, 340_000, valid), span(c, d, 120_000, other)];
    let months = |rule: &Apportion<'_>, month: &str, spans: &[Span]| {
        of_month(spans, month.parse().unwrap(), &berlin(), rule)
    };
    // February: 13 of 30 days of the first, 15 of 34 of the second: 130 000 + 150 000.
    let even = Apportion::EvenlyByTime;
    let february = months(&even, "2026-02", &spans).unwrap();
    let want = PeriodConsumption { energy_wh: 280_000, apportioned_wh: 280_000, quality: Quality::Derived };
    assert_eq!(february, want);
    // March: 19 of 34 days, 190 000, and the third span whole.
    let march = months(&even, "2026-03", &spans).unwrap();
    let want = PeriodConsumption { energy_wh: 310_000, apportioned_wh: 190_000, quality: Quality::Other };
    assert_eq!(march, want);
    assert!(matches!(months(&Apportion::Never, "2026-02", &spans), Err(NotDetermined::Cut { .. })));
    assert_eq!(of_period(&spans, c, d, &Apportion::Never).unwrap().energy_wh, 120_000);
    let first = start("2026-01-01");
    assert_eq!(months(&even, "2026-01", &spans), Err(NotDetermined::NoReadBefore(first)));
    assert_eq!(months(&even, "2026-01", &[]), Err(NotDetermined::NoReadBefore(first)));
    assert_eq!(months(&even, "2026-04", &spans), Err(NotDetermined::NoReadAfter(start("2026-05-01"))));
    let hole = [spans[0], spans[2]];
    assert_eq!(of_period(&hole, a, d, &even), Err(NotDetermined::Hole { from: b, to: c }));
    // Of a hole that the period ends in, too.
    assert_eq!(of_period(&hole, a, c, &even), Err(NotDetermined::Hole { from: b, to: c }));
}

proptest! {
    /// Σ spans = the rounded total, whichever reads lie between; the reference rounds the whole once.
    #[test]
    fn spans_telescope(
        steps in proptest::collection::vec((0_i64..20_000_000_000, any::<bool>()), 1..40),
        first in 0_i64..100_000_000_000,
        millionths in 1_u64..5_000_000_000,
    ) {
        let factor = Multiplier::from_millionths(millionths).unwrap();
        let end = 100_000_000_000_i64; // five dials
        let mut installed = installation("A 0 0");
        installed.multiplier = factor;
        installed.first = DialReading::from_milliwatt_hours(first);
        let (mut counted, mut reads, mut last) = (0_i64, Vec::new(), 0);
        for (hour, &(step, keep)) in (1_i64..).zip(&steps) {
            // A step over the end starts near it, or it would be no rollover.
            let dial = (first + counted) % end;
            let step = if dial + step >= end { step.min(end / 20) } else { step };
            if dial + step >= end && dial * 10 <= end * 9 {
                continue;
            }
            counted += step;
            let rolls = dial + step >= end;
            // Reads around a rollover stay, others may be left out.
            if rolls && reads.last().is_none_or(|read: &ReceivedRead| read.read.at.0 != (hour - 1) * HOUR) && last != 0 {
                let mut before = read("0 0");
                (before.read.at, before.read.dial) = (UtcSeconds((hour - 1) * HOUR + 1), DialReading::from_milliwatt_hours(dial));
                reads.push(before);
            }
            if keep || rolls {
                let mut now = read("0 0");
                let shown = (first + counted) % end;
                (now.read.at, now.read.dial) = (UtcSeconds(hour * HOUR), DialReading::from_milliwatt_hours(shown));
                reads.push(now);
            }
            last = hour;
        }
        // And the last one always stands.
        let mut now = read("0 0");
        now.read.at = UtcSeconds(100 * HOUR);
        now.read.dial = DialReading::from_milliwatt_hours((first + counted) % end);
        reads.push(now);
        let got = consumption(&reads, &[installed]).unwrap();
        prop_assert_eq!(&got.failures, &[]);
        let sum: i128 = got.spans.iter().map(|span| i128::from(span.energy_wh)).sum();
        prop_assert_eq!(sum, div_half_even(i128::from(counted) * i128::from(millionths), 1_000_000_000));
        prop_assert!(got.spans.iter().all(|span| span.energy_wh >= 0));
    }

    /// Days and edges make the spans, whatever the weights, grid and reads; and months make them too.
    #[test]
    fn what_is_apportioned_adds_up(
        energies in proptest::collection::vec(0_i64..3_000_000, 1..5),
        hours in 1_i64..70,
        shift in 0_i64..90_000,
        second in 0_u32..9,
        minutes in prop_oneof![Just(5_u8), Just(15), Just(30), Just(60)],
    ) {
        let days: Vec<String> = (20..=31).map(|day| format!("2026-03-{day}"))
            .chain((1..=10).map(|day| format!("2026-04-{day:02}"))).collect();
        let days = profile(&days.iter().map(String::as_str).collect::<Vec<_>>(), second);
        let mut from = start("2026-03-27").plus(shift);
        let mut spans = Vec::new();
        for wh in energies {
            let to = from.plus(hours * HOUR + 17);
            spans.push(span(from, to, wh, Quality::Valid));
            from = to;
        }
        let total: i64 = spans.iter().map(|span| span.energy_wh).sum();
        for rule in [Apportion::EvenlyByTime, Apportion::ByProfile(&days)] {
            let laid = match lay(&spans, minutes, &rule) {
                Err(ApportionError::ProfileEmpty(_)) if second == 0 => continue,
                laid => laid.unwrap(),
            };
            let sum: i64 = laid.days.iter().map(DayBlock::total_wh).sum();
            prop_assert_eq!(sum + laid.edge_wh, total);
            let (a, b) = (spans[0].from, spans[spans.len() - 1].to);
            let middle = UtcSeconds(i64::midpoint(a.0, b.0));
            let halves = [(a, middle), (middle, b)].map(|(from, to)| of_period(&spans, from, to, &rule).unwrap().energy_wh);
            prop_assert_eq!(halves[0] + halves[1], total);
        }
    }
}
