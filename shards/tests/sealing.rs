//! Sealing, closing and batch files: equal for any number of threads, strict about every byte.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::meter::Multiplier;
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::{How, Span};
use tallywatt_core::vee::estimate::decision::Method;
use tallywatt_core::vee::estimate::estimate_with;
use tallywatt_core::vee::estimate::evidence::Evidence;
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::{SealKind, SealedTree, seal_order};
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::closing::{ClosedDay, ClosedPeriod, close_period};
use tallywatt_shards::sealing::{leaves_of, seal};
use tallywatt_shards::threads::Threads;
use town::{Random, household_day, town as blocks_of_town, without};

const THREAD_COUNTS: [usize; 4] = [1, 2, 3, 8];

fn secret() -> BlindingSecret {
    BlindingSecret::new([9; 32])
}

fn revision_of(key: &BlockKey) -> u8 {
    content_hash(key.usage_point.padded()).0[1] % 3
}

/// One leaf after the other, the obvious way.
fn leaves_naively(blocks: &[DayBlock], kind: SealKind) -> Vec<DayLeaf> {
    let mut blocks = blocks.to_vec();
    blocks.sort_by_key(|block| seal_order(&block.key()));
    blocks
        .into_iter()
        .map(|block| match kind {
            SealKind::Batch => {
                let revision = revision_of(&block.key());
                DayLeaf::batch(block, revision, &secret())
            }
            SealKind::Period => DayLeaf::period(block, &secret()),
        })
        .collect()
}

#[test]
fn parallel_sealing_equals_naive() {
    let mut random = Random(11);
    for point_count in [0, 1, 3, 300] {
        let mut blocks = blocks_of_town(point_count, &["2026-03-28", "2026-03-29"], &mut random);
        random.shuffle(&mut blocks);
        for kind in [SealKind::Batch, SealKind::Period] {
            let want_leaves = leaves_naively(&blocks, kind);
            let want = SealedTree::seal(kind, &want_leaves).unwrap();
            for count in THREAD_COUNTS {
                let threads = Threads::new(count).unwrap();
                let leaves = leaves_of(&blocks, kind, &secret(), revision_of, &threads);
                assert_eq!(leaves, want_leaves, "{count} threads");
                let got = seal(kind, &leaves, &threads).unwrap();
                assert_eq!(got.sealed(), want.sealed(), "{count} threads");
                for block in &blocks {
                    let proof = got.prove(&block.key());
                    assert!(proof.is_some() && proof == want.prove(&block.key()));
                }
            }
        }
    }
}

#[test]
fn what_naive_sealing_refuses_is_refused_alike() {
    let mut random = Random(12);
    let blocks = blocks_of_town(40, &["2026-03-28"], &mut random);
    let leaves = leaves_naively(&blocks, SealKind::Batch);
    let threads = Threads::new(3).unwrap();
    for _ in 0..300 {
        let mut bad = leaves.clone();
        match random.below(3) {
            0 => random.shuffle(&mut bad),
            1 => {
                let (a, b) = (random.below(bad.len()), random.below(bad.len() - 1));
                let b = if b >= a { b + 1 } else { b };
                bad.swap(a, b);
            }
            _ => {
                let at = random.below(bad.len());
                bad.insert(at, bad[at].clone());
            }
        }
        let want = SealedTree::seal(SealKind::Batch, &bad).unwrap_err();
        assert_eq!(seal(SealKind::Batch, &bad, &threads).unwrap_err(), want);
    }
    let want = SealedTree::seal(SealKind::Period, &leaves).unwrap_err();
    assert_eq!(seal(SealKind::Period, &leaves, &threads).unwrap_err(), want);
}

/// No other month is closed.
fn open(_: &BlockKey) -> ClosedDay<'static> {
    ClosedDay::Open
}

/// Closes without evidence.
fn close_plainly(accepted: &AcceptedSet, period: &str, zone: &Zone, threads: &Threads) -> Vec<DayBlock> {
    let parameters = EstimationParameters::default();
    let nothing = |_: &_, _| Evidence::default();
    close_period(accepted, period.parse().unwrap(), |_| zone, nothing, open, &parameters, threads).blocks
}

fn closed(blocks: Vec<DayBlock>, zone: &Zone, thread_count: usize) -> Vec<DayBlock> {
    let mut accepted = AcceptedSet::new();
    for block in blocks {
        accepted.merge(block).unwrap();
    }
    let threads = Threads::new(thread_count).unwrap();
    close_plainly(&accepted, "2026-03", zone, &threads)
}

#[test]
fn closing_fills_missing_days_and_estimates_as_core_does() {
    let zone = town::zone();
    let mut random = Random(13);
    let dates: Vec<String> = (20..=31).map(|day| format!("2026-03-{day}")).collect();
    let texts: Vec<&str> = dates.iter().map(String::as_str).collect();
    let mut blocks = blocks_of_town(20, &texts, &mut random);
    // Nobody delivers the day the clocks go forward and the day before; the third day has a short gap.
    blocks.retain(|block| !["2026-03-28", "2026-03-29"].contains(&block.key().day.to_string().as_str()));
    for block in &mut blocks {
        if block.key().day.to_string() == "2026-03-22" {
            *block = without(block, |at| (10..13).contains(&at));
        }
    }
    blocks.push(household_day(0, blocks[0].key().register, "2026-04-01", &mut random));
    let got = closed(blocks.clone(), &zone, 1);
    for count in THREAD_COUNTS {
        assert_eq!(closed(blocks.clone(), &zone, count), got, "{count} threads");
    }
    random.shuffle(&mut blocks);
    assert_eq!(closed(blocks.clone(), &zone, 3), got, "any order of arrival");
    assert_eq!(got.len(), 20 * 2 * 12, "two days a register are added, April is not in it");
    assert!(got.windows(2).all(|pair| seal_order(&pair[0].key()) < seal_order(&pair[1].key())));
    // The naive way: one register at a time, days added by hand.
    for register in got.iter().map(|block| (block.key().usage_point, block.key().register)) {
        let own = |block: &&DayBlock| {
            (block.key().usage_point, block.key().register) == register
                && block.key().day.period().to_string() == "2026-03"
        };
        let mut days: Vec<DayBlock> = blocks.iter().filter(own).cloned().collect();
        for date in ["2026-03-28", "2026-03-29"] {
            let local = zone.local_day(date.parse().unwrap());
            days.push(DayBlock::empty(register.0, register.1, local, 30, days[0].source()).unwrap());
        }
        days.sort_by_key(DayBlock::key);
        let evidence = Evidence { zone: Some(&zone), ..Evidence::default() };
        estimate_with(&mut days, &evidence, &EstimationParameters::default());
        let mut own: Vec<DayBlock> = got.iter().filter(own).cloned().collect();
        own.sort_by_key(DayBlock::key);
        assert_eq!(own, days);
        assert_eq!(own[9].interval_count(), 46, "the day the clocks go forward");
        assert_eq!(own[2].qualities()[11], Quality::EstimatedLinear);
    }
}

#[test]
fn a_change_of_interval_length_ends_a_run() {
    let zone = town::zone();
    let mut random = Random(14);
    let half_hours = household_day(1, Register::IMPORT, "2026-03-02", &mut random);
    let local = zone.local_day("2026-03-05".parse().unwrap());
    let key = BlockKey { day: local.day, ..half_hours.key() };
    let values = vec![5; 24];
    let hours =
        DayBlock::from_parts(key, local.start, 60, half_hours.source(), values, vec![Quality::Valid; 24])
            .unwrap();
    let got = closed(vec![hours.clone(), half_hours.clone()], &zone, 2);
    let counts: Vec<usize> = got.iter().map(DayBlock::interval_count).collect();
    assert_eq!(counts, [48, 48, 48, 24]);
    assert_eq!((&got[0], &got[3]), (&half_hours, &hours));
    assert_eq!(got[1].present_count() + got[2].present_count(), 0, "nothing is guessed over two days");
    // Next to each other, a gap at the end of the first day has no neighbour on its own grid.
    let local = zone.local_day("2026-03-03".parse().unwrap());
    let key = BlockKey { day: local.day, ..key };
    let (values, qualities) = (vec![5; 24], vec![Quality::Valid; 24]);
    let hours = DayBlock::from_parts(key, local.start, 60, half_hours.source(), values, qualities).unwrap();
    let open_ended = without(&half_hours, |at| at == 47);
    assert_eq!(closed(vec![open_ended.clone(), hours.clone()], &zone, 2), [open_ended, hours]);
}

#[test]
fn an_hourly_register_stops_at_a_day_of_half_an_hour_more() {
    let zone = Zone::parse("Australia/Lord_Howe").unwrap();
    // 2026-04-05 has 24 hours and a half there: no whole number of hours.
    let day = |date: &str| {
        let local = zone.local_day(date.parse().unwrap());
        let empty = DayBlock::empty(
            "P".parse().unwrap(),
            Register::IMPORT,
            local,
            60,
            tallywatt_core::reading::Source::Automated,
        );
        empty.unwrap()
    };
    let mut accepted = AcceptedSet::new();
    for date in ["2026-04-03", "2026-04-07"] {
        accepted.merge(day(date)).unwrap();
    }
    let threads = Threads::new(2).unwrap();
    let got = close_plainly(&accepted, "2026-04", &zone, &threads);
    let days: Vec<String> = got.iter().map(|block| block.key().day.to_string()).collect();
    assert_eq!(days, ["2026-04-03", "2026-04-04", "2026-04-06", "2026-04-07"]);
}

/// A register span from February to March, like days of the week before, and the day a year before.
#[test]
fn evidence_reaches_beyond_the_month() {
    let zone = town::zone();
    let mut random = Random(15);
    let february = (20..=28).map(|day| format!("2026-02-{day}"));
    let march = (1..=5).map(|day| format!("2026-03-{day:02}"));
    let dates: Vec<String> = ["2025-03-03".to_owned()].into_iter().chain(february).chain(march).collect();
    let mut accepted = AcceptedSet::new();
    let mut true_wh = 0;
    for date in &dates {
        let whole = household_day(0, Register::IMPORT, date, &mut random);
        let is_spanned = ("2026-02-27".."2026-03-04").contains(&date.as_str());
        true_wh += if is_spanned { whole.total_wh() } else { 0 };
        let is_gap = |at: usize| date == "2026-03-02" && (10..40).contains(&at);
        accepted.merge(without(&whole, is_gap)).unwrap();
    }
    let start = |date: &str| zone.local_day(date.parse().unwrap()).start;
    let how =
        How { meter_count: 1, rolled_over: false, quality: Quality::Valid, multiplier: Multiplier::ONE };
    // A thousand more than was used: what the register says is what is laid over the gap.
    let energy_wh = true_wh + 1_000;
    let spans = [Span { from: start("2026-02-27"), to: start("2026-03-04"), energy_wh, how }];
    let old = EstimationParameters::default();
    let week = EstimationParameters { like_days_back: 7, like_days_min: 4, ..old };
    let year = EstimationParameters { like_days_min: 200, previous_year: true, ..old };
    let want = [
        (&spans[..0], old, "like days: 3 from 2026-03-03 to 2026-03-05"),
        // Monday the 23rd to Friday the 27th, and the three days after.
        (&spans[..0], week, "like days: 8 from 2026-02-23 to 2026-03-05"),
        (&spans[..0], year, "previous year: 2025-03-03"),
        (&spans[..], old, "scaled to registers"),
    ];
    for (register_spans, parameters, want) in want {
        let evidence = |_: &_, _| Evidence { register_spans, ..Evidence::default() };
        let period = "2026-03".parse().unwrap();
        let closed: Vec<ClosedPeriod> = THREAD_COUNTS
            .iter()
            .map(|&count| {
                let threads = Threads::new(count).unwrap();
                close_period(&accepted, period, |_| &zone, evidence, open, &parameters, &threads)
            })
            .collect();
        assert!(closed.iter().all(|one| *one == closed[0]), "{want}");
        let [of_register] = closed[0].estimations.as_slice() else { panic!("one register has a gap") };
        assert_eq!(of_register.estimation.refusals, []);
        for decision in &of_register.estimation.decisions {
            let told = match decision.method {
                Method::LikeDays { day_count, first, last } => {
                    format!("like days: {day_count} from {first} to {last}")
                }
                Method::PreviousYear { day } => format!("previous year: {day}"),
                other => other.name().to_owned(),
            };
            assert_eq!(told, want);
        }
        let monday = &closed[0].blocks[1];
        let others_wh: i64 = ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-03"]
            .map(|date| {
                accepted.get(&BlockKey { day: date.parse().unwrap(), ..monday.key() }).unwrap().total_wh()
            })
            .iter()
            .sum();
        assert_eq!(monday.total_wh() + others_wh == energy_wh, want == "scaled to registers", "{want}");
    }
}

/// The day the clocks go forward has like days by the wall clock: eight days of March's weekends.
#[test]
fn an_absent_day_of_a_clock_change_is_filled() {
    let zone = town::zone();
    let mut random = Random(16);
    let known = (1..=31).filter(|&day| day != 29).map(|day| format!("2026-03-{day:02}"));
    let blocks: Vec<DayBlock> =
        known.map(|date| household_day(0, Register::IMPORT, &date, &mut random)).collect();
    let at_three: i32 = [1, 7, 8, 14, 15, 21, 22, 28].map(|day| blocks[day - 1].values_wh()[6]).iter().sum();
    let got = closed(blocks, &zone, 2);
    assert_eq!((got[28].interval_count(), got[28].present_count()), (46, 46));
    // The fifth half-hour starts at 03:00, which is the seventh of other days; half to even over eight.
    let (wh, rest) = (at_three / 8, at_three % 8);
    let up = rest > 4 || (rest == 4 && wh % 2 == 1);
    assert_eq!(got[28].interval(4), (wh + i32::from(up), Quality::EstimatedReferenceDay));
}

/// A span reaches into April, so its days are known; but what a working day of April was is nothing to March.
#[test]
fn no_day_after_the_month_is_a_like_day() {
    let zone = town::zone();
    let start = |date: &str| zone.local_day(date.parse().unwrap()).start;
    let how =
        How { meter_count: 1, rolled_over: false, quality: Quality::Valid, multiplier: Multiplier::ONE };
    let parameters = EstimationParameters { like_days_back: 28, ..EstimationParameters::default() };
    let threads = Threads::new(2).unwrap();
    let closed = |april_wh: i32, is_spanned: bool| {
        let mut random = Random(17);
        let mut accepted = AcceptedSet::new();
        let mut known_wh = 0;
        let days = (1..=31).map(|day| format!("2026-03-{day:02}"));
        for date in days.chain((1..=10).map(|day| format!("2026-04-{day:02}"))) {
            let mut block = household_day(0, Register::IMPORT, &date, &mut random);
            if date.starts_with("2026-04") {
                let (key, from) = (block.key(), block.start());
                let (values, qualities) = (vec![april_wh; 48], vec![Quality::Valid; 48]);
                block = DayBlock::from_parts(key, from, 30, block.source(), values, qualities).unwrap();
            }
            let block = without(&block, |at| date == "2026-03-30" && (10..40).contains(&at));
            known_wh += if date.as_str() >= "2026-03-25" { block.total_wh() } else { 0 };
            accepted.merge(block).unwrap();
        }
        let (from, to) = (start("2026-03-25"), start("2026-04-11"));
        let spans = [Span { from, to, energy_wh: known_wh + 9_999, how }];
        let register_spans = if is_spanned { &spans[..] } else { &[] };
        let evidence = |_: &_, _| Evidence { register_spans, ..Evidence::default() };
        let period = "2026-03".parse().unwrap();
        close_period(&accepted, period, |_| &zone, evidence, open, &parameters, &threads).blocks
    };
    assert_eq!(closed(10, true), closed(1_000, true));
    assert_eq!(closed(10, false), closed(1_000, false));
    assert_ne!(closed(10, true), closed(10, false));
}
