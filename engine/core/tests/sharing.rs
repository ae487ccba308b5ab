//! Sharing a block's generation: worked cases, what always holds, and a reference that gives out watt-hours one by one.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test takes what it needs of it")]
mod common;

use common::{Random, label, validity};
use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::sharing::{
    PART_WHOLE, PARTICIPANT_COUNT_MAX, Participant, SharedDayError, SharedRegister, SharingError,
    SharingGroup, SharingMode, SharingParts,
};

const EXPORT: Register = Register::total(Flow::Export, 0);

fn of(usage_point: &str, register: Register) -> SharedRegister {
    SharedRegister { usage_point: label(usage_point), register }
}

fn parts(mode: SharingMode, participants: &[(&str, u32)]) -> SharingParts {
    let participant =
        |&(name, part): &(&str, u32)| Participant { consumes: of(name, Register::IMPORT), part };
    SharingParts {
        id: label("house"),
        title: "House".into(),
        validity: validity(None, None),
        generator: of("ROOF", EXPORT),
        mode,
        participants: participants.iter().map(participant).collect(),
    }
}

const TENTH: u32 = PART_WHOLE / 10;
const THIRD: u32 = PART_WHOLE / 3;

/// Worked by hand. Of § 42b the billed consumption is what was consumed less what was given: 5 − 1 = 4, 0.5 − 0.5 = 0 (in
/// units of 1,000 Wh, as the reference has it).
#[test]
fn table() {
    use SharingMode::{Capped, Dynamic, Static};
    type Row<'a> = (SharingMode, &'a [(&'a str, u32)], i32, &'a [i32], &'a [i64], i64);
    let table: &[Row<'_>] = &[
        (Capped, &[("A", TENTH)], 10_000, &[5_000], &[1_000], 9_000),
        (Capped, &[("A", TENTH)], 10_000, &[500], &[500], 9_500),
        (Capped, &[("A", TENTH)], 0, &[500], &[0], 0),
        (Capped, &[("A", PART_WHOLE / 2), ("B", PART_WHOLE / 2)], 100, &[10, 80], &[10, 50], 40),
        (Static, &[("A", TENTH)], 10_000, &[500], &[1_000], 9_000),
        (Static, &[("A", PART_WHOLE)], 7, &[0], &[7], 0),
        // 33.333333 each of three: 100 × 0.33333333 = 33.33 each and 0.000001 is nobody's: the odd one to the first.
        (Static, &[("A", THIRD), ("B", THIRD), ("C", THIRD)], 100, &[0, 0, 0], &[34, 33, 33], 0),
        // Halves of an odd watt-hour: equal remainders, the first by name.
        (Static, &[("B", PART_WHOLE / 2), ("A", PART_WHOLE / 2)], 7, &[0, 0], &[4, 3], 0),
        // 0.1 × 5 = 0.5, and 4.5 is nobody's: the participant before what is fed in.
        (Static, &[("A", TENTH)], 5, &[0], &[1], 4),
        // 0.1 × 4 = 0.4 against 3.6.
        (Static, &[("A", TENTH)], 4, &[0], &[0], 4),
        (Dynamic, &[("A", 0), ("B", 0)], 30, &[10, 20], &[10, 20], 0),
        (Dynamic, &[("A", 0), ("B", 0)], 45, &[10, 20], &[10, 20], 15),
        (Dynamic, &[("A", 0), ("B", 0)], 15, &[10, 20], &[5, 10], 0),
        // 10 × 1/3 each: remainders equal, the first by name.
        (Dynamic, &[("A", 0), ("B", 0), ("C", 0)], 10, &[7, 7, 7], &[4, 3, 3], 0),
        // 7 of 10: 2.1, 4.9.
        (Dynamic, &[("A", 0), ("B", 0)], 7, &[3, 7], &[2, 5], 0),
        (Dynamic, &[("A", 0), ("B", 0)], 9, &[0, 0], &[0, 0], 9),
        (Dynamic, &[("A", 0), ("B", 0)], 1, &[0, 1], &[0, 1], 0),
        (Dynamic, &[("A", 0)], i32::MAX, &[i32::MAX], &[i32::MAX as i64], 0),
    ];
    for (mode, participants, generated, consumed, given, fed_in) in table {
        let group = SharingGroup::new(parts(*mode, participants)).unwrap();
        let got = group.share(*generated, consumed);
        assert_eq!(
            (got.given_wh.as_slice(), got.fed_in_wh),
            (*given, *fed_in),
            "{mode:?} {generated} {consumed:?}"
        );
    }
}

#[test]
fn each_mistake_is_named() {
    use SharingMode::{Capped, Dynamic, Static};
    let many: Vec<String> = (0..=PARTICIPANT_COUNT_MAX).map(|at| format!("P{at}")).collect();
    let many: Vec<(&str, u32)> = many.iter().map(|name| (name.as_str(), 1)).collect();
    let with = |bend: fn(&mut SharingParts)| {
        let mut bent = parts(Static, &[("A", TENTH), ("B", TENTH)]);
        bend(&mut bent);
        bent
    };
    let table = [
        (parts(Static, &[("A", PART_WHOLE)]), Ok(())),
        (parts(Static, &[]), Err("0 participants, need 1 to 256")),
        (parts(Static, &many), Err("257 participants, need 1 to 256")),
        (parts(Static, &[("A", PART_WHOLE), ("B", 1)]), Err("parts add up to 100000001 of 100000000")),
        (parts(Capped, &[("A", 1), ("B", 1), ("A", 2)]), Err("participant A stands twice")),
        (parts(Capped, &[("A", 1), ("ROOF", 1)]), Err("the generator ROOF is among the participants")),
        (
            parts(Capped, &[("A", 1), ("B", 0)]),
            Err("participant B: a static part is above zero, a dynamic group has none"),
        ),
        (
            parts(Dynamic, &[("A", 1)]),
            Err("participant A: a static part is above zero, a dynamic group has none"),
        ),
        (
            with(|parts| parts.generator.register = Register::IMPORT),
            Err("register 1-0:1.8.0 of ROOF counts no export"),
        ),
        (
            with(|parts| parts.participants[1].consumes.register = EXPORT),
            Err("register 1-0:2.8.0 of B counts no import"),
        ),
        (
            with(|parts| parts.title = "a\u{7}".into()),
            Err("title is longer than 240 bytes or has control characters"),
        ),
    ];
    for (parts, want) in table {
        let got = SharingGroup::new(parts).map(|_| ()).map_err(|error: SharingError| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned));
    }
}

/// Gives out one watt-hour after the other: each goes to whoever is furthest below its exact share, as fractions compare.
fn naive(whole: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let mut given = vec![0_i64; weights.len()];
    if sum == 0 {
        return given;
    }
    for _ in 0..whole {
        let short = |at: usize| i128::from(whole) * i128::from(weights[at]) - i128::from(given[at]) * sum;
        let most = (0..weights.len()).map(short).max().unwrap();
        let first = (0..weights.len()).find(|&at| short(at) == most).unwrap();
        given[first] += 1;
    }
    given
}

/// Random groups and intervals: nothing is lost, the reference agrees, the order of participants does not matter.
#[test]
fn every_watt_hour_is_given_or_fed_in() {
    for seed in 0..4_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mode = random.pick(&SharingMode::ALL);
        let count = usize::try_from(1 + random.below(6)).unwrap();
        let mut left = u64::from(PART_WHOLE);
        let mut participants: Vec<Participant> = (0..count)
            .map(|at| {
                let most = left - u64::try_from(count - at).unwrap();
                let part = match mode {
                    SharingMode::Dynamic => 0,
                    _ if random.one_in(3) => (u64::from(PART_WHOLE) / 8).min(most).max(1),
                    _ => 1 + random.below(most),
                };
                left -= part;
                let name = format!("P{}", random.below(1_000) * 10 + u64::try_from(at).unwrap());
                Participant { consumes: of(&name, Register::IMPORT), part: u32::try_from(part).unwrap() }
            })
            .collect();
        let most = random.pick(&[4, 30, 400]);
        let mut consumed: Vec<i32> = (0..count).map(|_| i32::try_from(random.below(most)).unwrap()).collect();
        let generated = i32::try_from(random.below(most * 3)).unwrap();
        let group = |participants: &[Participant]| {
            let parts = SharingParts { participants: participants.to_vec(), ..parts(mode, &[]) };
            SharingGroup::new(parts).unwrap()
        };
        // By usage point, whatever the order was.
        let by_name = |participants: &[Participant], consumed: &[i32]| {
            let group = group(participants);
            let in_order: Vec<i32> = group
                .parts()
                .participants
                .iter()
                .map(|one| consumed[participants.iter().position(|other| other == one).unwrap()])
                .collect();
            (group.share(generated, &in_order), group, in_order)
        };
        let (shared, group, in_order) = by_name(&participants, &consumed);
        let sum: i64 = shared.given_wh.iter().sum();
        assert_eq!(sum + shared.fed_in_wh, i64::from(generated), "seed {seed}");
        assert!(shared.fed_in_wh >= 0 && shared.given_wh.iter().all(|wh| *wh >= 0), "seed {seed}");
        if mode != SharingMode::Static {
            let is_within =
                shared.given_wh.iter().zip(&in_order).all(|(given, used)| *given <= i64::from(*used));
            assert!(is_within, "seed {seed}: more than was consumed");
        }
        let used: Vec<i64> = in_order.iter().map(|wh| i64::from(*wh)).collect();
        let want = match mode {
            SharingMode::Dynamic => naive(i64::from(generated).min(used.iter().sum()), &used),
            SharingMode::Static | SharingMode::Capped => {
                let mut weights: Vec<i64> =
                    group.parts().participants.iter().map(|one| i64::from(one.part)).collect();
                weights.push(i64::from(PART_WHOLE) - weights.iter().sum::<i64>());
                let mut given = naive(i64::from(generated), &weights);
                given.pop();
                if mode == SharingMode::Capped {
                    given.iter_mut().zip(&used).for_each(|(given, used)| *given = (*given).min(*used));
                }
                given
            }
        };
        assert_eq!(shared.given_wh, want, "seed {seed}");
        let turn = usize::try_from(random.below(6)).unwrap() % count;
        participants.rotate_left(turn);
        consumed.rotate_left(turn);
        assert_eq!(by_name(&participants, &consumed).0, shared, "seed {seed}");
    }
}

#[test]
fn a_day_is_shared_interval_by_interval() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let group = SharingGroup::new(parts(SharingMode::Capped, &[("A", TENTH), ("B", TENTH)])).unwrap();
    // 25 hours.
    let day = zone.local_day("2026-10-25".parse().unwrap());
    let block = |name: &str, register, minutes: u8, wh: i32, missing: usize| {
        let count = usize::from(day.interval_count(minutes).unwrap());
        let key = BlockKey { usage_point: label(name), register, day: day.day };
        let mut qualities = vec![Quality::Valid; count];
        let mut values = vec![wh; count];
        for at in 0..missing {
            (qualities[at], values[at]) = (Quality::Missing, 0);
        }
        DayBlock::from_parts(key, day.start, minutes, Source::Synthetic, values, qualities).unwrap()
    };
    let (roof, a) = (block("ROOF", EXPORT, 15, 50, 2), block("A", Register::IMPORT, 15, 3, 1));
    let shared = group.share_day(&roof, &[Some(&a), None]).unwrap();
    assert_eq!(shared.intervals.len(), 100);
    // Two of the generator, one of A, and all of B.
    assert_eq!(shared.missing_count, 103);
    let given: i64 = shared.intervals.iter().map(|one| one.given_wh[0]).sum();
    let fed_in: i64 = shared.intervals.iter().map(|one| one.fed_in_wh).sum();
    assert_eq!((given, fed_in), (98 * 3, 98 * 47));
    let coarse = block("A", Register::IMPORT, 30, 3, 0);
    let refused = SharedDayError::Intervals { usage_point: label("A") };
    assert_eq!(group.share_day(&roof, &[Some(&coarse), None]), Err(refused));
}
