use super::*;
use crate::tariff::tests::parts;

/// A linear congruential generator: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
    }

    fn value(&mut self, bound: i32) -> i32 {
        i32::try_from(self.below(u32::try_from(bound).unwrap())).unwrap()
    }
}

/// Every reading looked up by itself.
fn naive(days: &[Vec<i32>], zones: &[u8], demand: &[bool]) -> ([i64; 3], i32, u16) {
    let (mut sums, mut highest) = ([0; 3], 0);
    for values in days {
        for (at, &wh) in values.iter().enumerate() {
            sums[usize::from(zones[at])] += i64::from(wh);
            if demand[at] {
                highest = highest.max(wh);
            }
        }
    }
    (sums, highest, u16::try_from(days.len()).unwrap())
}

#[test]
fn a_fold_equals_looking_up_every_reading() {
    for seed in 0..600 {
        let mut random = Random(seed);
        let lanes = [23, 24, 46, 48, 92, 96, 100, 288, 300][usize::try_from(random.below(9)).unwrap()];
        let zones: Vec<u8> = (0..lanes).map(|_| u8::try_from(random.below(3)).unwrap()).collect();
        let demand: Vec<bool> = (0..lanes).map(|_| random.below(3) == 0).collect();
        // Both sides of the bound at which sums of a day no longer fit 32 bits.
        let bound =
            [1_000_000, NARROW_WH, NARROW_WH + 1, i32::MAX][usize::try_from(random.below(4)).unwrap()];
        let days: Vec<Vec<i32>> =
            (0..random.below(40)).map(|_| (0..lanes).map(|_| random.value(bound)).collect()).collect();
        let pattern = DayPattern::new(&zones, &demand).unwrap();
        let mut point = RunningUse::default();
        for values in &days {
            point.add_day(values, &pattern).unwrap();
        }
        let got = (point.zones_wh(), point.demand_wh(), point.day_count());
        assert_eq!(got, naive(&days, &zones, &demand), "seed {seed}");
        assert_eq!(RunningUse::from_parts(got.0, got.1, got.2), Ok(point), "seed {seed}");
    }
}

#[test]
fn a_full_day_of_the_largest_values_is_exact() {
    for (value, lanes) in [(NARROW_WH - 1, 300), (NARROW_WH, 300), (i32::MAX, 300)] {
        let pattern = DayPattern::new(&vec![1; lanes], &vec![true; lanes]).unwrap();
        let mut point = RunningUse::default();
        point.add_day(&vec![value; lanes], &pattern).unwrap();
        assert_eq!((point.zones_wh(), point.demand_wh()), ([0, i64::from(value) * 300, 0], value));
    }
}

#[test]
fn a_profile_gives_the_same_as_a_running_use() {
    for seed in 0..300 {
        let mut random = Random(seed ^ 0x51ab);
        let mut pattern = || {
            let zones: Vec<u8> = (0..48).map(|_| u8::try_from(random.below(3)).unwrap()).collect();
            let demand: Vec<bool> = (0..48).map(|_| random.below(3) == 0).collect();
            DayPattern::new(&zones, &demand).unwrap()
        };
        let (working, weekend) = (pattern(), pattern());
        let bound = [3_000, LANE_WH_MAX][usize::try_from(random.below(2)).unwrap()];
        let (mut profile, mut point) = (DayProfile::<48>::default(), RunningUse::default());
        for _ in 0..random.below(u32::from(PROFILE_DAY_COUNT_MAX) + 1) {
            let values: [i32; 48] = std::array::from_fn(|_| random.value(bound));
            let is_weekend = random.below(7) < 2;
            profile.add_day(&values, is_weekend).unwrap();
            point.add_day(&values, if is_weekend { &weekend } else { &working }).unwrap();
        }
        assert_eq!(profile.fold(&working, &weekend), Ok(point), "seed {seed}");
        profile.clear();
        assert_eq!(profile.fold(&working, &weekend), Ok(RunningUse::default()));
    }
}

#[test]
fn the_fullest_profile_is_exact() {
    let pattern = DayPattern::new(&[0; 24], &[true; 24]).unwrap();
    let mut profile = DayProfile::<24>::default();
    for _ in 0..PROFILE_DAY_COUNT_MAX {
        profile.add_day(&[LANE_WH_MAX; 24], false).unwrap();
    }
    assert_eq!(profile.add_day(&[0; 24], false), Err(UseError::Days(PROFILE_DAY_COUNT_MAX)));
    let point = profile.fold(&pattern, &pattern).unwrap();
    assert_eq!(point.zones_wh(), [i64::from(LANE_WH_MAX) * 24 * 64, 0, 0]);
}

#[test]
fn what_cannot_be_added_changes_nothing() {
    let pattern = DayPattern::new(&[0, 1, 2], &[false, true, false]).unwrap();
    let mut point = RunningUse::from_parts([1, 2, 3], 4, u16::MAX - 1).unwrap();
    let before = point;
    assert_eq!(point.add_day(&[1, 2], &pattern), Err(UseError::Lanes { values: 2, lanes: 3 }));
    assert_eq!(
        point.add_day(&[1, -7, i32::MAX], &pattern),
        Err(UseError::Value { value_wh: -7, max: i32::MAX })
    );
    assert_eq!(point, before);
    point.add_empty_day().unwrap();
    assert_eq!(point.add_day(&[1, 2, 3], &pattern), Err(UseError::Days(u16::MAX)));
    assert_eq!(point.add_empty_day(), Err(UseError::Days(u16::MAX)));
    let mut profile = DayProfile::<24>::default();
    for value_wh in [-1, LANE_WH_MAX + 1, i32::MIN] {
        let mut values = [5; 24];
        values[23] = value_wh;
        assert_eq!(profile.add_day(&values, true), Err(UseError::Value { value_wh, max: LANE_WH_MAX }));
    }
    assert_eq!(profile, DayProfile::default());
    assert_eq!(profile.fold(&pattern, &pattern), Err(UseError::Lanes { values: 24, lanes: 3 }));
}

#[test]
fn parts_that_are_out_of_range() {
    assert_eq!(DayPattern::new(&[], &[]), Err(UseError::Pattern(0)));
    assert_eq!(DayPattern::new(&[0], &[]), Err(UseError::Pattern(1)));
    assert_eq!(DayPattern::new(&[0; 301], &[true; 301]), Err(UseError::Pattern(301)));
    assert_eq!(DayPattern::new(&[0, 3], &[true; 2]), Err(UseError::Zone(3)));
    assert_eq!(RunningUse::from_parts([0, -1, 0], 0, 0), Err(UseError::Sum(-1)));
    assert_eq!(RunningUse::from_parts([0; 3], -1, 0), Err(UseError::Value { value_wh: -1, max: i32::MAX }));
    assert!(RunningUse::from_parts([ZONE_WH_MAX + 1, 0, 0], 0, 0).is_err());
    let most = RunningUse::from_parts([ZONE_WH_MAX; 3], i32::MAX, u16::MAX).unwrap();
    assert_eq!(most.total_wh(), 3 << 56);
}

#[test]
fn patterns_follow_the_wall_clock() {
    let text = "night 23:00-07:00; day 07:00-23:00";
    let tariff = Tariff::new(parts(text, &[&["1", "2"]], &[])).unwrap();
    let zone = Zone::parse("Europe/Amsterdam").unwrap();
    // The clock goes forward over 02:00 on 31 March, and back over it on 27 October: night intervals in both.
    for (day, minutes, night, lanes) in [
        ("2013-03-30", 60, 8, 24),
        ("2013-03-31", 60, 7, 23),
        ("2013-03-31", 15, 28, 92),
        ("2013-10-27", 30, 18, 50),
    ] {
        let local = zone.local_day(day.parse().unwrap());
        let pattern = DayPattern::of_tariff(&tariff, &zone, local, minutes, ZoneSet::of(&[1])).unwrap();
        let mut point = RunningUse::default();
        point.add_day(&vec![1; lanes], &pattern).unwrap();
        let day_lanes = i64::try_from(lanes).unwrap() - night;
        assert_eq!((point.zones_wh(), point.demand_wh()), ([night, day_lanes, 0], 1), "{day} {minutes}");
    }
    let local = zone.local_day("2013-03-30".parse().unwrap());
    assert_eq!(DayPattern::of_tariff(&tariff, &zone, local, 7, ZoneSet::NONE), Err(UseError::Pattern(0)));
    let four = "a 00:00-06:00; b 06:00-12:00; c 12:00-18:00; d 18:00-24:00";
    let tariff = Tariff::new(parts(four, &[&["1", "2", "3", "4"]], &[])).unwrap();
    assert_eq!(DayPattern::of_tariff(&tariff, &zone, local, 60, ZoneSet::NONE), Err(UseError::Zone(3)));
}
