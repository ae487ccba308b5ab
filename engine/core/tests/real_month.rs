//! A month as meters have them, worked by hand: every number below follows by plain arithmetic from the lines before it.
//!
//! March 2026 in Amsterdam, half-hours. On Sunday 29 the clocks go forward: 46 half-hours, 1,486 in the month.
//!
//! ```text
//!   true use of a half-hour, Wh, on day d of the month      working day      weekend
//!     00:00 – 07:00   slots  0 … 13                            100 + d        100 + d
//!     07:00 – 22:00   slots 14 … 43                            300 + d        400 + d
//!     22:00 – 24:00   slots 44 … 47                            200 + d        200 + d
//!   a day           1 400 + 9 000 + 800 + 48 d =            11 200 + 48 d   14 200 + 48 d   (30 × 400 = 12 000)
//!   Sunday 29       the slots from 02:00 to 03:00 are not:  14 200 − 200 + 46 × 29 = 15 334
//! ```
//!
//! ```text
//!   meter A, 5 dials × 1     1 June 2025: 97 000 ─── 9 March: 99 950 ─── 16: 41.786 ─── 23: 132.570 ─── 25, noon: 162.062
//!   meter B, 6 dials × 20                                             25, noon: 5 ─── 1 April: 9.413
//!   intervals                3: ▁ short gap      11/12: ▁▁▁ long gap    21: ▇ spike    25: ▁ exchange   29: ▁ clock change
//! ```

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_core::calendar::{Day, UtcSeconds, Zone};
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::decimal::Decimal;
use tallywatt_core::meter::{DialReading, Installation, Multiplier, RegisterRead};
use tallywatt_core::meter_event::ReceivedRead;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::vee::columns::{DayColumns, DayContext};
use tallywatt_core::vee::consumption::apportion::Apportion;
use tallywatt_core::vee::consumption::period::{NotDetermined, PeriodConsumption, of_month};
use tallywatt_core::vee::consumption::{Consumption, Span, between, consumption};
use tallywatt_core::vee::estimate::decision::{Decision, Estimation, Method, RefusedScaling};
use tallywatt_core::vee::estimate::estimate_with;
use tallywatt_core::vee::estimate::evidence::Evidence;
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::pack::RegisterClass;
use tallywatt_core::vee::parameters::RuleParameters;
use tallywatt_core::vee::rule::Rule;
use tallywatt_core::vee::rules::DAY_RULES;

const MINUTES: u8 = 30;
/// Day of March, first slot, slots: what was not delivered.
const GAPS: [(i32, usize, usize); 5] = [
    (3, 13, 3),   // 06:30 – 08:00
    (11, 30, 18), // 15:00 – 24:00, and on
    (12, 0, 10),  // until 05:00
    (25, 22, 4),  // 11:00 – 13:00, the exchange
    (29, 2, 4),   // 01:00 – 02:00 and 03:00 – 04:00 on the wall: two hours
];
/// Day, slot, Wh delivered: 4 000 instead of 400 + 21.
const SPIKE: (i32, usize, i32) = (21, 24, 4_000);

fn zone() -> Zone {
    Zone::parse("Europe/Amsterdam").unwrap()
}

fn day(of_march: i32) -> Day {
    "2026-03-01".parse::<Day>().unwrap().plus(of_march - 1).unwrap()
}

fn midnight(day: &str) -> UtcSeconds {
    zone().local_day(day.parse().unwrap()).start
}

fn true_wh(of_march: i32, wall_minute: u16) -> i32 {
    let by_day = if day(of_march).is_weekend() { 400 } else { 300 };
    of_march
        + match wall_minute / 60 {
            0..7 => 100,
            7..22 => by_day,
            _ => 200,
        }
}

fn empty(of_march: i32) -> DayBlock {
    let local = zone().local_day(day(of_march));
    DayBlock::empty("NL-1".parse().unwrap(), Register::IMPORT, local, MINUTES, Source::Automated).unwrap()
}

/// What was delivered.
fn delivered() -> Vec<DayBlock> {
    let missing = |of_march: i32, slot: usize| {
        GAPS.iter().any(|&(day, first, count)| day == of_march && (first..first + count).contains(&slot))
    };
    (1..=31)
        .map(|of_march| {
            let mut block = empty(of_march);
            for slot in (0..block.interval_count()).filter(|&slot| !missing(of_march, slot)) {
                let wh = match SPIKE {
                    (day, at, wh) if (day, at) == (of_march, slot) => wh,
                    _ => true_wh(of_march, zone().wall_minute(block.interval_start(slot))),
                };
                block.put(slot, wh, Quality::Valid, &mut MergeCounts::default());
            }
            block
        })
        .collect()
}

fn dial(kwh: &str) -> DialReading {
    let kwh = Decimal::parse(kwh.as_bytes(), b'.').unwrap().scaled(6).unwrap();
    DialReading::from_milliwatt_hours(kwh)
}

/// The registers' reads, and the two meters.
fn registers() -> Consumption {
    let (usage_point, register) = ("NL-1".parse().unwrap(), Register::IMPORT);
    let noon = midnight("2026-03-25").plus(12 * 3_600);
    let meter = |meter: &str, from, first, to, digits, multiplier| Installation {
        usage_point,
        register,
        from,
        meter: meter.parse().unwrap(),
        first: dial(first),
        to,
        digits,
        multiplier: Multiplier::parse(multiplier).unwrap(),
    };
    let installations = [
        meter("A", midnight("2025-06-01"), "97000", Some((noon, dial("162.062"))), 5, "1"),
        meter("B", noon, "5", None, 6, "20"),
    ];
    let read = |day, meter: &str, kwh| RegisterRead {
        usage_point,
        register,
        at: midnight(day),
        meter: Some(meter.parse().unwrap()),
        dial: dial(kwh),
        quality: Quality::Valid,
    };
    let reads = [
        read("2026-03-09", "A", "99950"),
        read("2026-03-16", "A", "41.786"),
        read("2026-03-23", "A", "132.57"),
        read("2026-04-01", "B", "9.413"),
    ];
    let reads = reads.map(|read| ReceivedRead { read, who: None, received: None });
    consumption(&reads, &installations).unwrap()
}

fn close(days: &mut [DayBlock], spans: &[Span]) -> Estimation {
    let evidence = Evidence { register_spans: spans, ..Evidence::default() };
    estimate_with(days, &evidence, &EstimationParameters::default())
}

#[test]
fn registers_tell_what_was_used() {
    let Consumption { spans, failures } = registers();
    // From, to, Wh, meters, rolled over
    let table = [
        // 99 950 − 97 000 kWh
        ("2025-06-01", "2026-03-09", 2_950_000, 1, false),
        // 41.786 + 100 000 − 99 950 = 91.786 kWh
        ("2026-03-09", "2026-03-16", 91_786, 1, true),
        // 132.570 − 41.786
        ("2026-03-16", "2026-03-23", 90_784, 1, false),
        // (162.062 − 132.570) × 1 + (9.413 − 5) × 20 = 29.492 + 88.260
        ("2026-03-23", "2026-04-01", 117_752, 2, false),
    ];
    let got: Vec<_> = spans
        .iter()
        .map(|span| (span.from, span.to, span.energy_wh, span.how.meter_count, span.how.rolled_over))
        .collect();
    let want = table.map(|(from, to, wh, meters, rolled)| (midnight(from), midnight(to), wh, meters, rolled));
    assert_eq!(got, want);
    assert_eq!(failures, []);
    // Had the month register reads only: from 9 March 91 786 + 90 784 + 117 752 = 300 322. Of the 281 days and one hour
    // (in October) before, 6 745 h, 192 h are in March: 2 950 000 − round(2 950 000 × 6 553 ÷ 6 745) = 83 973.
    let march = of_month(&spans, "2026-03".parse().unwrap(), &zone(), &Apportion::EvenlyByTime);
    let want =
        PeriodConsumption { energy_wh: 300_322 + 83_973, apportioned_wh: 83_973, quality: Quality::Derived };
    assert_eq!(march, Ok(want));
    let never = of_month(&spans, "2026-03".parse().unwrap(), &zone(), &Apportion::Never);
    assert!(matches!(never, Err(NotDetermined::Cut { .. })));
}

#[test]
fn the_month_is_filled() {
    let spans = registers().spans;
    let mut days = delivered();
    assert_eq!(days.iter().map(DayBlock::interval_count).sum::<usize>(), 31 * 48 - 2);
    let done = close(&mut days, &spans);
    // day, first slot, Wh each, sum, method
    let long_gap: Vec<i32> = [vec![474; 14], vec![324; 4]].concat();
    let table: [(i32, usize, &[i32], i64, &str); 5] = [
        // Between 100 + 3 and 300 + 3, in quarters of 200: 103 + 50, + 100, + 150.
        (3, 13, &[153, 203, 253], 609, "linear"),
        // Reference: the other 21 working days. Their days of the month: 2 … 6, 9 … 13, 16 … 20, 23 … 27, 30, 31 make
        // 20 + 55 + 90 + 125 + 61 = 351; without the 11th (351 − 11) ÷ 21 = 16.19, without the 12th 16.14: both 16.
        //   11th: 14 × 316 + 4 × 216 = 5 288; 12th: 10 × 116 = 1 160; together 6 448.
        // Known from the 9th to the 15th: 5 × 11 200 + 48 × 55 + 2 × 14 200 + 48 × 29 = 88 432, less what is missing,
        //   14 × 311 + 4 × 211 + 10 × 112 = 6 318: 82 114.
        // Remainder 91 786 − 82 114 = 9 672 = 6 448 × 1.5: so 316 → 474, 216 → 324, 116 → 174.
        (11, 30, &long_gap, 14 * 474 + 4 * 324, "scaled to registers"),
        (12, 0, &[174; 10], 1_740, "scaled to registers"),
        // Reference: short gaps, so lines: 325 … 325 on the 25th, 129 … 129 on the 29th; 4 × 325 + 4 × 129 = 1 816.
        // Known from the 23rd: 7 × 11 200 + 48 × 186 + 14 200 + 48 × 28 + 15 334 = 118 206, less 1 816: 116 390.
        // Remainder 117 752 − 116 390 = 1 362 = 1 816 × 0.75. Running: 243.75, 487.5, 731.25, 975, 1 071.75, 1 168.5,
        //   1 265.25, 1 362 → 244, 488, 731, 975, 1 072, 1 168, 1 265, 1 362: halves to even.
        (25, 22, &[244, 244, 243, 244], 975, "scaled to registers"),
        (29, 2, &[97, 96, 97, 97], 387, "scaled to registers"),
    ];
    assert_eq!(done.decisions.len(), table.len());
    for ((of_march, first, want, sum, method), decision) in table.into_iter().zip(&done.decisions) {
        let block = &days[usize::try_from(of_march - 1).unwrap()];
        assert_eq!(block.values_wh()[first..first + want.len()], *want, "{of_march} March");
        let Decision { day: of, first_interval, interval_count, energy_wh, .. } = *decision;
        let got = (of, usize::from(first_interval), usize::from(interval_count), energy_wh);
        assert_eq!(got, (day(of_march), first, want.len(), sum));
        assert_eq!(decision.method.name(), method, "{of_march} March");
        let quality = if method == "linear" { Quality::EstimatedLinear } else { Quality::Derived };
        assert!(block.qualities()[first..first + want.len()].iter().all(|&got| got == quality));
    }
    // The span that ends on 9 March was not scaled to: most of it lies before the month, and nothing is known of that.
    let refused: Vec<_> = done.refusals.iter().map(|refusal| (refusal.to, refusal.why)).collect();
    assert_eq!(refused, [(midnight("2026-03-09"), RefusedScaling::UnknownOutside)]);
    assert_eq!(days.iter().map(DayBlock::present_count).sum::<usize>(), 1_486);
    // Weeks: by intervals, and by the register
    let weeks = [
        // 5 × 11 200 + 48 × 20 + 3 × 14 200 + 48 × 16 = 100 328; the short gap had 103 + 2 × 303 = 709, got 609.
        ("2026-03-01", "2026-03-09", 100_228, None),
        ("2026-03-09", "2026-03-16", 91_786, Some(91_786)),
        // 5 × 11 200 + 48 × 90 + 2 × 14 200 + 48 × 43 = 90 784, and the spike's 4 000 − 421 = 3 579 more.
        ("2026-03-16", "2026-03-23", 94_363, Some(90_784)),
        ("2026-03-23", "2026-04-01", 117_752, Some(117_752)),
    ];
    for (from, to, intervals_wh, register_wh) in weeks {
        assert_eq!(sum(&days, from, to), intervals_wh, "{from}");
        assert_eq!(between(&spans, midnight(from), midnight(to)), register_wh, "{from}");
    }
    assert_eq!(sum(&days, "2026-03-01", "2026-04-01"), 100_228 + 91_786 + 94_363 + 117_752);
}

fn sum(days: &[DayBlock], from: &str, to: &str) -> i64 {
    let (from, to): (Day, Day) = (from.parse().unwrap(), to.parse().unwrap());
    days.iter().filter(|block| (from..to).contains(&block.key().day)).map(DayBlock::total_wh).sum()
}

/// A value that was delivered is never the ladder's to change.
#[test]
fn the_spike_stays() {
    let mut days = delivered();
    close(&mut days, &registers().spans);
    let (of_march, slot, wh) = SPIKE;
    let block = &days[usize::try_from(of_march - 1).unwrap()];
    assert_eq!((block.values_wh()[slot], block.qualities()[slot]), (wh, Quality::Valid));
    // (4 000 − 421) ÷ 421 = 8 501.2 thousandths above the third highest, told rounded up; the rule allows 1 800.
    let mut highest = block.values_wh().to_vec();
    highest.sort_unstable();
    assert_eq!(highest[43..], [421, 421, 421, 421, 4_000]);
    let context = DayContext::plain(RegisterClass::Residential, block.interval_count());
    let mut found = Vec::new();
    for (rule, find) in DAY_RULES.iter().filter(|(rule, _)| *rule == Rule::Spike) {
        assert_eq!(*rule, Rule::Spike);
        find(&DayColumns::of(block), &context, &RuleParameters::default(), &mut found);
    }
    assert_eq!(found, [Finding::at(Rule::Spike, slot, 8_502, 1_800)]);
}

#[test]
fn what_comes_late_replaces_estimates() {
    let spans = registers().spans;
    let mut accepted = delivered();
    let mut closed = accepted.clone();
    close(&mut closed, &spans);
    // The short gap as it was measured: 103, 303, 303; and of the long one 15:00 on the 11th: 480.
    let late: [(i32, &[(usize, i32)]); 2] = [(3, &[(13, 103), (14, 303), (15, 303)]), (11, &[(30, 480)])];
    for (of_march, values) in late {
        let mut block = empty(of_march);
        for &(slot, wh) in values {
            block.put(slot, wh, Quality::Valid, &mut MergeCounts::default());
        }
        let at = usize::try_from(of_march - 1).unwrap();
        let count = u64::try_from(values.len()).unwrap();
        let over_estimates = closed[at].merge(&block).unwrap();
        assert_eq!(over_estimates, MergeCounts { corrected: count, ..MergeCounts::default() });
        let accepted_counts = accepted[at].merge(&block).unwrap();
        assert_eq!(accepted_counts, MergeCounts { accepted: count, ..MergeCounts::default() });
        let again = closed[at].merge(&block).unwrap();
        assert_eq!(again, MergeCounts { duplicate: count, ..MergeCounts::default() });
    }
    // An estimate that comes after the measurement changes nothing.
    let mut guess = empty(11);
    guess.put(30, 1, Quality::EstimatedLinear, &mut MergeCounts::default());
    closed[10].merge(&guess).unwrap();
    assert_eq!((closed[10].values_wh()[30], closed[10].qualities()[30]), (480, Quality::Valid));
    assert_eq!(closed[2].total_wh(), 11_200 + 48 * 3);

    // Closed again from what is accepted now, the other 27 half-hours share what is left, so the week keeps its sum:
    // 9 672 − 480 = 9 192 over 6 448 − 316 = 6 132; the 11th until 4 972 × 9 192 ÷ 6 132 = 7 453.1, the 12th the rest.
    let done = close(&mut accepted, &spans);
    let of_gap: Vec<_> = done
        .decisions
        .iter()
        .filter(|decision| decision.day <= day(12))
        .map(|decision| (decision.day, decision.first_interval, decision.interval_count, decision.energy_wh))
        .collect();
    assert_eq!(of_gap, [(day(11), 31, 17, 7_453), (day(12), 0, 10, 9_192 - 7_453)]);
    assert_eq!(sum(&accepted, "2026-03-09", "2026-03-16"), 91_786);
    assert_eq!(sum(&accepted, "2026-03-01", "2026-03-09"), 100_328);
    let Some(Decision { method: Method::Scaled { register_wh, known_wh, missing_count, .. }, .. }) =
        done.decisions.first()
    else {
        panic!("the long gap is scaled");
    };
    assert_eq!((*register_wh, *known_wh, *missing_count), (91_786, 82_114 + 480, 27));
}
