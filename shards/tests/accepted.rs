//! The fast accepted set equals the naive one, for any order of arrival.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::collections::BTreeMap;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock, MergeCounts};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{RawReading, Source};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_core::vee::judge::judge;
use tallywatt_shards::accepted::{AcceptedSet, Outcome};
use town::{Random, limits, raw_readings, zone};

type Model = BTreeMap<BlockKey, DayBlock>;

/// Each reading as a day of its own, joined to the day that is known.
fn accept_naively(model: &mut Model, reading: &RawReading, zone: &Zone, source: Source) -> Outcome {
    let local = zone.local_day_of(reading.start).unwrap();
    let RawReading { usage_point, register, interval_minutes, .. } = *reading;
    let mut delivered = DayBlock::empty(usage_point, register, local, interval_minutes, source).unwrap();
    let (at, wh) = match judge(reading, &delivered.grid(), &limits()) {
        Ok(_) if reading.quality == Quality::Missing => return Outcome::Rejected(RejectionCode::NoValue),
        Ok(place) => place,
        Err(code) => return Outcome::Rejected(code),
    };
    delivered.put(at, wh, reading.quality, &mut MergeCounts::default());
    let Some(known) = model.get_mut(&delivered.key()) else {
        model.insert(delivered.key(), delivered);
        return Outcome::Accepted;
    };
    let counts = known.merge(&delivered).unwrap();
    match (counts.accepted, counts.duplicate, counts.corrected, counts.conflict) {
        (1, 0, 0, 0) => Outcome::Accepted,
        (0, 1, 0, 0) => Outcome::Duplicate,
        (0, 0, 1, 0) => Outcome::Corrected,
        (0, 0, 0, 1) => Outcome::Conflict,
        other => panic!("one reading counts once, not {other:?}"),
    }
}

fn blocks_of(set: &AcceptedSet) -> Vec<DayBlock> {
    let mut blocks: Vec<DayBlock> = set.blocks_sorted().into_iter().cloned().collect();
    blocks.sort_by_key(DayBlock::key);
    blocks
}

#[test]
fn equals_the_naive_set_for_any_order() {
    for seed in 0..40 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut readings: Vec<(RawReading, Source)> = raw_readings(1_500, &mut random)
            .into_iter()
            .map(|reading| (reading, if random.below(200) == 0 { Source::Manual } else { Source::Automated }))
            .collect();
        let again = readings[..200].to_vec();
        readings.extend(again);
        let mut first: Option<Vec<DayBlock>> = None;
        for order in 0..3 {
            let (mut set, mut model) = (AcceptedSet::new(), Model::new());
            let mut seen = [0; 4];
            for (reading, source) in &readings {
                let before = model.clone();
                let want = accept_naively(&mut model, reading, &zone(), *source);
                assert_eq!(set.accept(reading, &zone(), *source, &limits()), want, "{reading:?}");
                let changed: Vec<BlockKey> = model
                    .iter()
                    .filter(|(key, block)| before.get(key) != Some(block))
                    .map(|(key, _)| *key)
                    .collect();
                assert_eq!(set.take_touched(), changed, "{reading:?}");
                match want {
                    Outcome::Accepted => seen[0] += 1,
                    Outcome::Duplicate => seen[1] += 1,
                    Outcome::Conflict => seen[2] += 1,
                    Outcome::Rejected(_) => seen[3] += 1,
                    Outcome::Corrected => {}
                }
            }
            assert!(seen.iter().all(|&count| count > 0), "the input meets every case: {seen:?}");
            let want: Vec<DayBlock> = model.into_values().collect();
            assert_eq!(blocks_of(&set), want);
            assert_eq!(set.len(), want.len());
            match &first {
                Some(first) => assert_eq!(*first, want, "order {order}"),
                None => first = Some(want),
            }
            random.shuffle(&mut readings);
        }
    }
}

#[test]
fn whole_days_join_as_their_readings_do() {
    let mut random = Random(7);
    let mut readings = raw_readings(3_000, &mut random);
    let (mut whole, mut left, mut right) = (AcceptedSet::new(), AcceptedSet::new(), AcceptedSet::new());
    random.shuffle(&mut readings);
    for (at, reading) in readings.iter().enumerate() {
        whole.accept(reading, &zone(), Source::Automated, &limits());
        let half = if at % 2 == 0 { &mut left } else { &mut right };
        half.accept(reading, &zone(), Source::Automated, &limits());
    }
    left.take_touched();
    for _ in 0..2 {
        for block in blocks_of(&right) {
            left.merge(block).unwrap();
        }
        assert_eq!(blocks_of(&left), blocks_of(&whole));
    }
    let touched = left.take_touched();
    assert!(touched.is_sorted() && !touched.is_empty());
    for block in blocks_of(&right) {
        left.merge(block).unwrap();
    }
    assert_eq!(left.touched(), [], "what is known already touches nothing");
}

fn reading(minutes: i64, interval_minutes: u8, energy_wh: i64, quality: Quality) -> RawReading {
    let midnight = zone().local_day("2026-03-02".parse().unwrap()).start;
    RawReading {
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        start: midnight.plus(minutes * 60),
        interval_minutes,
        energy_wh,
        quality,
        line: 1,
    }
}

#[test]
fn what_is_rejected_leaves_no_trace() {
    use RejectionCode::{AboveCeiling, IntervalSize, Negative, NoValue, OffGrid, Stamp};
    let table = [
        (reading(0, 7, 1, Quality::Valid), IntervalSize),
        (reading(0, 0, 1, Quality::Valid), IntervalSize),
        (reading(1, 30, 1, Quality::Valid), OffGrid),
        (reading(0, 30, -1, Quality::Valid), Negative),
        (reading(0, 30, -1, Quality::Missing), Negative),
        (reading(0, 30, i64::MAX, Quality::Valid), AboveCeiling),
        (reading(0, 30, 0, Quality::Missing), NoValue),
        (RawReading { start: UtcSeconds(-1), ..reading(0, 30, 1, Quality::Valid) }, OffGrid),
        (RawReading { start: UtcSeconds(i64::MIN), ..reading(0, 30, 1, Quality::Valid) }, Stamp),
        (RawReading { start: UtcSeconds(i64::MAX), ..reading(0, 30, 1, Quality::Valid) }, Stamp),
    ];
    let mut set = AcceptedSet::new();
    for (reading, code) in table {
        let got = set.accept(&reading, &zone(), Source::Automated, &limits());
        assert_eq!(got, Outcome::Rejected(code), "{reading:?}");
        assert!(set.is_empty() && set.touched().is_empty(), "{reading:?}");
    }
    // The first accepted reading sets the day's grid, not the first offered.
    let accept = |set: &mut AcceptedSet, reading| set.accept(&reading, &zone(), Source::Automated, &limits());
    assert_eq!(accept(&mut set, reading(0, 30, 1, Quality::Valid)), Outcome::Accepted);
    assert_eq!(accept(&mut set, reading(15, 15, 1, Quality::Valid)), Outcome::Rejected(IntervalSize));
    assert_eq!(accept(&mut set, reading(30, 30, 0, Quality::Missing)), Outcome::Rejected(NoValue));
    let elsewhere = Zone::parse("Asia/Yekaterinburg").unwrap();
    let moved = reading(60, 30, 1, Quality::Valid);
    let got = set.accept(&moved, &elsewhere, Source::Automated, &limits());
    assert_eq!(got, Outcome::Rejected(OffGrid), "another zone's day is not this day");
    assert_eq!(set.len(), 1);
}

#[test]
fn a_period_is_cut_by_local_days() {
    let mut random = Random(1);
    let mut set = AcceptedSet::new();
    for block in town::town(3, &["2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01"], &mut random) {
        set.merge(block).unwrap();
    }
    let march = set.blocks_of_period("2026-03".parse().unwrap());
    assert_eq!(march.len(), 3 * 2 * 2);
    assert!(march.windows(2).all(|pair| pair[0].key() < pair[1].key()));
    assert!(march.iter().all(|block| set.get(&block.key()) == Some(block)));
}
