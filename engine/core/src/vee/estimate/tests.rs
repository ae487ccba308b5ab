//! Rows of the ladder.

mod spans;

use super::decision::{Reference, RefusedScaling};
use super::evidence::{ClassProfile, Stretch};
use super::*;
use crate::calendar::{Day, UtcSeconds, Zone};
use crate::day_block::MergeCounts;
use crate::meter::Multiplier;
use crate::money::div_half_even;
use crate::reading::Source;
use crate::register::Register;
use crate::vee::consumption::{Failure, How, Span, Why};
use crate::vee::profile::ProfileDay;

type Cell = (usize, usize);

/// Five working days (2026-03-02 is a Monday) of hourly values `10 * (day + 1) + hour`.
fn week() -> Vec<DayBlock> {
    let zone = Zone::parse("UTC").unwrap();
    (0..5)
        .map(|day| {
            let local = zone.local_day(format!("2026-03-{:02}", day + 2).parse().unwrap());
            let mut block =
                DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated)
                    .unwrap();
            for hour in 0..24 {
                let wh = 10 * (day + 1) + i32::try_from(hour).unwrap();
                block.put(hour, wh, Quality::Valid, &mut MergeCounts::default());
            }
            block
        })
        .collect()
}

/// The week with the named (day, hour) cells missing.
fn without(cells: &[(usize, usize)]) -> Vec<DayBlock> {
    let mut days = week();
    for (day, block) in days.iter_mut().enumerate() {
        let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
        for &(_, hour) in cells.iter().filter(|cell| cell.0 == day) {
            (values[hour], qualities[hour]) = (0, Quality::Missing);
        }
        *block =
            DayBlock::from_parts(block.key(), block.start(), 60, block.source(), values, qualities).unwrap();
    }
    days
}

#[test]
fn the_ladder() {
    use Quality::{EstimatedLinear, EstimatedReferenceDay, Missing};
    // missing cells; a cell; what stands there
    let long: Vec<(usize, usize)> = (5..10).map(|hour| (2, hour)).collect();
    let too_few: Vec<(usize, usize)> =
        [0, 1, 2].into_iter().flat_map(|day| (5..10).map(move |h| (day, h))).collect();
    let at_start = [(0, 0)];
    let table: [(&[Cell], Cell, (i32, Quality)); 6] = [
        (&[(1, 5)], (1, 5), (25, EstimatedLinear)), // between 24 and 26
        (&[(1, 5), (1, 6)], (1, 6), (26, EstimatedLinear)), // 24 … 27
        (&[(0, 23)], (0, 23), (26, EstimatedLinear)), // between 32 and 20, over midnight
        (&long, (2, 7), (37, EstimatedReferenceDay)), // mean of 17, 27, 47, 57
        (&at_start, (0, 0), (35, EstimatedReferenceDay)), // no left neighbour; mean of 20, 30, 40, 50
        (&too_few, (1, 7), (0, Missing)),           // two like days only
    ];
    for (missing, (day, hour), want) in table {
        let mut days = without(missing);
        estimate(&mut days);
        let got = (days[day].values_wh()[hour], days[day].qualities()[hour]);
        assert_eq!(got, want, "day {day} hour {hour} of {missing:?}");
    }
}

/// The week without some cells, and with one of another quality.
fn doubting(cells: &[Cell], (day, hour): Cell, quality: Quality) -> Vec<DayBlock> {
    let mut days = without(cells);
    let block = &days[day];
    let (values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
    qualities[hour] = quality;
    let (key, start) = (block.key(), block.start());
    days[day] = DayBlock::from_parts(key, start, 60, block.source(), values, qualities).unwrap();
    days
}

/// Neighbours and reference days are measured; what is estimated, unreliable or disputed proves nothing.
#[test]
fn only_measured_values_are_evidence() {
    use Quality::{
        Derived, Edited, EstimatedLinear, EstimatedReferenceDay, Other, Projected, Questionable, Raw,
    };
    let long: Vec<Cell> = (5..10).map(|hour| (2, hour)).collect();
    for quality in [Quality::Valid, Quality::Validated, Quality::Verified, Quality::Revenue] {
        for neighbour in [(1, 4), (1, 6)] {
            let mut days = doubting(&[(1, 5)], neighbour, quality);
            estimate(&mut days);
            assert_eq!(days[1].interval(5), (25, EstimatedLinear), "{quality} {neighbour:?}");
        }
        let mut days = doubting(&long, (0, 7), quality);
        estimate(&mut days);
        assert_eq!(days[2].interval(7).0, 37, "{quality}"); // 17, 27, 47, 57
    }
    for quality in [Edited, Derived, EstimatedLinear, Projected, Other, Raw, Questionable] {
        for neighbour in [(1, 4), (1, 6)] {
            let mut days = doubting(&[(1, 5)], neighbour, quality);
            estimate(&mut days);
            // No line from 24 to 26, but the mean of 15, 35, 45, 55: 37.5, to the even.
            assert_eq!(days[1].interval(5), (38, EstimatedReferenceDay), "{quality} {neighbour:?}");
        }
        let mut days = doubting(&long, (0, 7), quality);
        estimate(&mut days);
        assert_eq!(days[2].interval(7).0, 44, "{quality}"); // 27, 47, 57: 43.67
    }
}

/// The day of a clock change is like other days by the clock on the wall.
#[test]
fn like_days_of_a_clock_change() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    // First of nine days, Saturday to Sunday; hours of the last; slots and what they get; the whole day. Saturday has
    // 100 + hour, Sunday 200 + hour, the next Saturday 300 + hour: the mean is 200 + hour on the wall.
    let table = [
        // 02:00 is not: 23 × 200 + 276 − 2.
        ("2026-03-21", 23, [(0, 200), (1, 201), (2, 203), (22, 223)], 4_874),
        // 02:00 comes twice: 25 × 200 + 276 + 2.
        ("2026-10-17", 25, [(2, 202), (3, 202), (4, 203), (24, 223)], 5_278),
    ];
    for (first, hour_count, want, sum_wh) in table {
        let first: Day = first.parse().unwrap();
        let days: Vec<DayBlock> = (0..9)
            .map(|after| {
                let local = zone.local_day(first.plus(after).unwrap());
                let mut block =
                    DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated)
                        .unwrap();
                let base = match after {
                    0 => 100,
                    1 => 200,
                    7 => 300,
                    _ => 9_000,
                };
                for hour in (0..block.interval_count()).filter(|_| after < 8) {
                    let wh = base + i32::try_from(hour).unwrap();
                    block.put(hour, wh, Quality::Valid, &mut MergeCounts::default());
                }
                block
            })
            .collect();
        let close = |zone| {
            let mut days = days.clone();
            let evidence = Evidence { zone, ..Evidence::default() };
            estimate_with(&mut days, &evidence, &EstimationParameters::default());
            days.remove(8)
        };
        let day = close(Some(&zone));
        assert_eq!((day.interval_count(), day.present_count()), (hour_count, hour_count), "{first}");
        for (slot, wh) in want {
            assert_eq!(day.interval(slot), (wh, Quality::EstimatedReferenceDay), "{first} {slot}");
        }
        assert_eq!(day.total_wh(), sum_wh, "{first}");
        // Without a zone, or with one whose day it is not, nothing says what the wall shows.
        assert_eq!(close(None).present_count(), 0);
        assert_eq!(close(Some(&Zone::parse("Asia/Yekaterinburg").unwrap())).present_count(), 0);
    }
}

#[test]
fn nothing_missing_nothing_changed() {
    let mut days = week();
    estimate(&mut days);
    assert_eq!(days, week());
}

/// The ladder without evidence: two rungs, straight from the definition.
fn naive(days: &mut [DayBlock]) {
    let known = days.to_vec();
    let line: Vec<(usize, usize)> = (0..known.len())
        .flat_map(|day| (0..known[day].interval_count()).map(move |slot| (day, slot)))
        .collect();
    let value = |(day, slot): (usize, usize)| -> Option<i64> {
        known[day].qualities()[slot].is_billable().then(|| i64::from(known[day].values_wh()[slot]))
    };
    let measured = |place: (usize, usize)| {
        let quality = known[place.0].qualities()[place.1];
        value(place).filter(|_| quality.is_measured() && quality != Quality::Questionable)
    };
    for (at, &(day, slot)) in line.iter().enumerate().filter(|&(_, &place)| value(place).is_none()) {
        let left = (0..at).rev().find(|&other| value(line[other]).is_some());
        let right = (at + 1..line.len()).find(|&other| value(line[other]).is_some());
        let minutes = usize::from(known[day].interval_minutes());
        if let (Some(left), Some(right)) = (left, right)
            && (right - left - 1) * minutes <= 120
            && let (Some(before), Some(after)) = (measured(line[left]), measured(line[right]))
        {
            let (steps, step) = (i64::try_from(right - left).unwrap(), i64::try_from(at - left).unwrap());
            let sum = before * (steps - step) + after * step;
            let wh = i32::try_from(div_half_even(i128::from(sum), i128::from(steps))).unwrap();
            days[day].fill(slot, wh, Quality::EstimatedLinear);
            continue;
        }
        let target = &known[day];
        let like: Vec<i64> = (0..known.len())
            .filter(|&other| known[other].interval_count() == target.interval_count())
            .filter(|&other| known[other].key().day.is_weekend() == target.key().day.is_weekend())
            .filter_map(|other| measured((other, slot)))
            .collect();
        if like.len() >= 3 {
            let sum = i128::from(like.iter().sum::<i64>());
            let wh = i32::try_from(div_half_even(sum, i128::try_from(like.len()).unwrap())).unwrap();
            days[day].fill(slot, wh, Quality::EstimatedReferenceDay);
        }
    }
}

/// Days of Berlin from `first`, with values and holes that a seed gives.
fn random_days(random: &mut impl FnMut(u64) -> u64, first: &str, count: i32, minutes: u8) -> Vec<DayBlock> {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let first: Day = first.parse().unwrap();
    let mut hole = 0;
    (0..count)
        .map(|after| {
            let local = zone.local_day(first.plus(after).unwrap());
            let mut block =
                DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, minutes, Source::Automated)
                    .unwrap();
            for slot in 0..block.interval_count() {
                if hole == 0 && random(60) == 0 {
                    hole = [1, 2, 3, 4, 5, 9, 60][usize::try_from(random(7)).unwrap()];
                }
                let quality = [Quality::Valid, Quality::Valid, Quality::Other, Quality::Questionable]
                    [usize::try_from(random(15) / 4).unwrap()];
                let wh = i32::try_from(random(2_000)).unwrap();
                match hole {
                    0 => block.put(slot, wh, quality, &mut MergeCounts::default()),
                    _ => hole -= 1,
                }
            }
            block
        })
        .collect()
}

fn random_from(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |bound| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    }
}

#[test]
fn without_evidence_it_is_the_definition() {
    for seed in 0..60 {
        let mut random = random_from(seed);
        let minutes = [5, 15, 30, 60][usize::try_from(random(4)).unwrap()];
        let first = ["2026-03-16", "2026-10-12", "2026-06-01"][usize::try_from(random(3)).unwrap()];
        let mut days = random_days(&mut random, first, 31, minutes);
        let mut want = days.clone();
        naive(&mut want);
        let before = days.clone();
        estimate(&mut days);
        assert!(days == want, "seed {seed}: {minutes} minutes from {first}");
        // Every estimate has its decision, and no decision is without.
        let mut again = before.clone();
        let done = estimate_with(&mut again, &Evidence::default(), &EstimationParameters::default());
        check_decisions(&before, &again, &done.decisions);
        assert!(again == want && done.refusals.is_empty(), "seed {seed}");
    }
}

/// Decisions name exactly the intervals that were filled, and their sums.
fn check_decisions(before: &[DayBlock], after: &[DayBlock], decisions: &[Decision]) {
    let mut named = Vec::new();
    for decision in decisions {
        let day = after.iter().position(|block| block.key().day == decision.day).unwrap();
        let first = usize::from(decision.first_interval);
        let slots = first..first + usize::from(decision.interval_count);
        let sum: i64 = slots.clone().map(|slot| i64::from(after[day].values_wh()[slot])).sum();
        assert_eq!(sum, decision.energy_wh, "{decision:?}");
        assert!(slots.clone().all(|slot| after[day].qualities()[slot] == decision.quality), "{decision:?}");
        named.extend(slots.map(|slot| (day, slot)));
    }
    let mut filled = Vec::new();
    for (day, (a, b)) in before.iter().zip(after).enumerate() {
        let changed = |&slot: &usize| a.qualities()[slot] != b.qualities()[slot];
        filled.extend((0..a.interval_count()).filter(changed).map(|slot| (day, slot)));
    }
    assert_eq!(named, filled);
}

/// Known and scaled intervals make what the register counted, whatever is missing.
#[test]
fn scaling_conserves_energy() {
    let mut scaled_count = 0;
    for seed in 0..60 {
        let mut random = random_from(1_000 + seed);
        let mut days = random_days(&mut random, "2026-03-16", 21, 30);
        // Reads at random half-hours; what the register counted is what is known, more or less.
        let (mut at, end) = (days[0].start(), days[20].interval_start(48));
        let mut spans = Vec::new();
        while at < end {
            let to = at.plus(1_800 * i64::try_from(1 + random(200)).unwrap()).min(end);
            let known = sum_between(&days, at, to, false);
            let energy_wh = known + i64::try_from(random(60_000)).unwrap() - 3_000;
            spans.push(span(at, to, energy_wh.max(0)));
            at = to;
        }
        let before = days.clone();
        let evidence = Evidence { register_spans: &spans, ..Evidence::default() };
        let done = estimate_with(&mut days, &evidence, &EstimationParameters::default());
        check_decisions(&before, &days, &done.decisions);
        for span in &spans {
            let is_refused = done.refusals.iter().any(|refusal| refusal.from == span.from);
            let has_gap = sum_between(&before, span.from, span.to, true) > 0;
            if has_gap && !is_refused {
                scaled_count += 1;
                let sum = sum_between(&days, span.from, span.to, false);
                assert_eq!(sum, span.energy_wh, "seed {seed}: {span:?}");
            }
        }
    }
    assert!(scaled_count > 200, "{scaled_count} spans were scaled");
}

/// Watt-hours, or missing intervals, from one instant to another.
fn sum_between(days: &[DayBlock], from: UtcSeconds, to: UtcSeconds, missing: bool) -> i64 {
    days.iter()
        .flat_map(|block| (0..block.interval_count()).map(move |slot| (block, slot)))
        .filter(|(block, slot)| (from..to).contains(&block.interval_start(*slot)))
        .map(|(block, slot)| match missing {
            true => i64::from(block.qualities()[slot] == Quality::Missing),
            false => i64::from(block.values_wh()[slot]),
        })
        .sum()
}

fn span(from: UtcSeconds, to: UtcSeconds, energy_wh: i64) -> Span {
    let how =
        How { meter_count: 1, rolled_over: false, quality: Quality::Valid, multiplier: Multiplier::ONE };
    Span { from, to, energy_wh, how }
}

/// What; evidence; parameters; five hours; methods; refusals.
type Row<'a> = (&'a str, Evidence<'a>, EstimationParameters, [i32; 5], &'a str, &'a str);

/// Five hours missing, and what they get by each kind of evidence.
#[test]
fn each_rung_has_a_row() {
    // Wednesday (day 2) is 30 + hour; hours 5 … 9 are missing: 35 … 39 Wh were there. A day is Σ = 24·30 + 276 = 996.
    let gap: Vec<Cell> = (5..10).map(|hour| (2, hour)).collect();
    let days = without(&gap);
    let day = days[2].key().day;
    let (start, end) = (days[2].start(), days[3].start());
    let hour = |at: i64| start.plus(at * 3_600);
    let known_wh = 996 - (35 + 36 + 37 + 38 + 39); // 811
    // Like days: mean of 10, 20, 40, 50 plus hour = 30 + hour: 35 … 39, together 185.
    let whole = |energy_wh| [span(start, end, energy_wh)];
    let (exact, more, same, less) = (whole(996), whole(known_wh + 370), whole(known_wh), whole(known_wh - 1));
    let off_grid = [span(start.plus(60), end, 996)];
    let backwards = [
        Failure { from: start, to: hour(5), why: Why::Conflict },
        Failure { from: hour(9), to: end, why: Why::Backwards },
    ];
    let outside = [span(start, end.plus(86_400 * 7), 99_999)];
    let vast = [span(start, end, i64::from(i32::MAX) * 100)];
    let check = [flat(day, 134, Quality::Valid)];
    let mut part = DayBlock::empty(
        "C".parse().unwrap(),
        Register::IMPORT,
        Zone::parse("UTC").unwrap().local_day(day),
        60,
        Source::Automated,
    )
    .unwrap();
    part.put(5, 80, Quality::Valid, &mut MergeCounts::default());
    part.put(6, 80, Quality::Other, &mut MergeCounts::default()); // the check meter's own estimate is no measurement
    let part = [part];
    let around: Vec<DayBlock> =
        [day.plus(-9).unwrap(), day.plus(-6).unwrap()].map(|day| flat(day, 60, Quality::Valid)).to_vec();
    let guessed: Vec<DayBlock> = [day.plus(-9).unwrap()].map(|day| flat(day, 60, Quality::Other)).to_vec();
    let year = [flat(day.plus(-364).unwrap(), 77, Quality::Valid)];
    let profile = [ProfileDay { day, start, interval_minutes: 60, weights: (0..24).collect() }];
    let class = Some(ClassProfile { days: &profile, daily_wh: 2_760 }); // Σ weights 276: ten Wh a weight
    let shut = [Stretch { from: hour(6), to: hour(8) }];
    let all_shut = [Stretch { from: hour(5), to: hour(10) }];
    let none = Evidence::default();
    let old = EstimationParameters::default();
    let no_like = EstimationParameters { like_days_min: 9, ..old };
    let more_rungs = EstimationParameters { previous_year: true, class_profile: true, ..no_like };
    let class_only = EstimationParameters { previous_year: false, ..more_rungs };
    let nearest = EstimationParameters { like_day_count: 2, like_days_min: 2, ..old };
    let near = EstimationParameters { like_days_back: 1, like_days_min: 2, ..old };
    let long_line = EstimationParameters { linear_minutes_max: 300, ..old };
    let no_outage = EstimationParameters { uses_outage_neighbours: false, ..long_line };
    let outages = [Stretch { from: hour(4), to: hour(5) }];
    // what; evidence; parameters; hours 5 … 9; methods, in order; refusals
    let table: Vec<Row<'_>> = vec![
        ("nothing else", none, old, [35, 36, 37, 38, 39], "like days", ""),
        (
            "check meter",
            Evidence { check_meter: &check, ..none },
            old,
            [134, 134, 134, 134, 134],
            "check meter",
            "",
        ),
        (
            "check meter first",
            Evidence { check_meter: &check, register_spans: &exact, ..none },
            old,
            [134; 5],
            "check meter",
            "",
        ),
        // 185 − 80 = 105 over 36, 37, 38, 39 of 150: until 25.2, 51.1, 77.7, 105.
        (
            "check meter in part",
            Evidence { check_meter: &part, register_spans: &exact, ..none },
            old,
            [80, 25, 26, 27, 27],
            "check meter, scaled to registers",
            "",
        ),
        (
            "register",
            Evidence { register_spans: &exact, ..none },
            old,
            [35, 36, 37, 38, 39],
            "scaled to registers",
            "",
        ),
        // 370 over 35 : 36 : 37 : 38 : 39 is twice that.
        (
            "register shows more",
            Evidence { register_spans: &more, ..none },
            old,
            [70, 72, 74, 76, 78],
            "scaled to registers",
            "",
        ),
        ("nothing left", Evidence { register_spans: &same, ..none }, old, [0; 5], "scaled to registers", ""),
        (
            "less than known",
            Evidence { register_spans: &less, ..none },
            old,
            [35, 36, 37, 38, 39],
            "like days",
            "intervals show 811 Wh, the register only 810 Wh",
        ),
        (
            "read within an hour",
            Evidence { register_spans: &off_grid, ..none },
            old,
            [35, 36, 37, 38, 39],
            "like days",
            "a register read lies within an interval",
        ),
        (
            "reads that do not tell, before the gap and in it",
            Evidence { register_failures: &backwards, ..none },
            old,
            [35, 36, 37, 38, 39],
            "like days",
            "reads do not tell what was counted: the dial went backwards",
        ),
        (
            "reads that do not tell, within a span that does",
            Evidence { register_spans: &exact, register_failures: &backwards, ..none },
            old,
            [35, 36, 37, 38, 39],
            "scaled to registers",
            "",
        ),
        (
            "beyond the days",
            Evidence { register_spans: &outside, ..none },
            old,
            [35, 36, 37, 38, 39],
            "like days",
            "an interval of the span outside the estimated days is not known",
        ),
        (
            "too much",
            Evidence { register_spans: &vast, ..none },
            old,
            [35, 36, 37, 38, 39],
            "like days",
            "an interval would get more than 2147483647 Wh",
        ),
        // 185 over 5 alike, as nothing says how.
        (
            "register, no reference",
            Evidence { register_spans: &exact, ..none },
            no_like,
            [37; 5],
            "scaled to registers",
            "",
        ),
        (
            "register over last year",
            Evidence { register_spans: &exact, previous_year: &year, ..none },
            more_rungs,
            [37; 5],
            "scaled to registers",
            "",
        ),
        // 185 by 5 : 6 : 7 : 8 : 9 of 35: until 26.4, 58.1, 95.1, 137.4, 185 → 26, 58, 95, 137, 185.
        (
            "register over the class",
            Evidence { register_spans: &exact, class_profile: class, ..none },
            class_only,
            [26, 32, 37, 42, 48],
            "scaled to registers",
            "",
        ),
        // 185 over 35, 38, 39 of 112: until 57.8, 120.6, 185.
        (
            "shut down in part",
            Evidence { register_spans: &exact, shutdowns: &shut, ..none },
            old,
            [58, 0, 0, 63, 64],
            "scaled to registers",
            "",
        ),
        (
            "shut down, and used",
            Evidence { register_spans: &exact, shutdowns: &all_shut, ..none },
            old,
            [35, 36, 37, 38, 39],
            "scaled to registers",
            "the register counted 185 Wh while the point was recorded as shut down",
        ),
        (
            "shut down, and not used",
            Evidence { register_spans: &same, shutdowns: &all_shut, ..none },
            old,
            [0; 5],
            "scaled to registers",
            "",
        ),
        (
            "shut down",
            Evidence { shutdowns: &shut, ..none },
            old,
            [35, 0, 0, 38, 39],
            "like days, zero, shut down, like days",
            "",
        ),
        ("a longer line", none, long_line, [35, 36, 37, 38, 39], "linear", ""),
        (
            "power failed before",
            Evidence { outages: &outages, ..none },
            no_outage,
            [35, 36, 37, 38, 39],
            "like days",
            "",
        ),
        (
            "power failed, no rule",
            Evidence { outages: &outages, ..none },
            long_line,
            [35, 36, 37, 38, 39],
            "linear",
            "",
        ),
        // Tuesday and Thursday: (20 + 40) ÷ 2 + hour.
        ("two nearest", none, nearest, [35, 36, 37, 38, 39], "like days", ""),
        ("one day away", none, near, [35, 36, 37, 38, 39], "like days", ""),
        // (10 + 20 + 40 + 50 + 4·hour + 2·60) ÷ 6 = 40 + ⅔ hour.
        (
            "days before",
            Evidence { days_around: &around, ..none },
            old,
            [43, 44, 45, 45, 46],
            "like days",
            "",
        ),
        (
            "estimates before",
            Evidence { days_around: &guessed, ..none },
            old,
            [35, 36, 37, 38, 39],
            "like days",
            "",
        ),
        (
            "last year",
            Evidence { previous_year: &year, class_profile: class, ..none },
            more_rungs,
            [77; 5],
            "previous year",
            "",
        ),
        (
            "class",
            Evidence { class_profile: class, ..none },
            more_rungs,
            [50, 60, 70, 80, 90],
            "class profile",
            "",
        ),
        (
            "switched off",
            Evidence { previous_year: &year, class_profile: class, ..none },
            no_like,
            [0; 5],
            "",
            "",
        ),
    ];
    for (what, evidence, parameters, want, methods, refusals) in table {
        let mut got = days.clone();
        let done = estimate_with(&mut got, &evidence, &parameters);
        assert_eq!(got[2].values_wh()[5..10], want, "{what}");
        let names: Vec<&str> = done.decisions.iter().map(|decision| decision.method.name()).collect();
        assert_eq!(names.join(", "), methods, "{what}");
        let refused: Vec<String> = done.refusals.iter().map(|refusal| refusal.why.to_string()).collect();
        assert_eq!(refused.join(", "), refusals, "{what}");
        check_decisions(&days, &got, &done.decisions);
    }
}

/// A day of one value an hour.
fn flat(day: Day, wh: i32, quality: Quality) -> DayBlock {
    let local = Zone::parse("UTC").unwrap().local_day(day);
    let mut block =
        DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated).unwrap();
    for hour in 0..24 {
        block.put(hour, wh, quality, &mut MergeCounts::default());
    }
    block
}
