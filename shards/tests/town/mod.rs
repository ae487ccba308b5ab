//! Seeded random readings for the tests beside this folder.
#![allow(dead_code, reason = "each test uses its part")]

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{RawReading, Source};
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::vee::judge::Limits;

/// SplitMix64: all a test needs of randomness, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

pub fn zone() -> Zone {
    Zone::parse("Europe/Amsterdam").unwrap()
}

/// Far after every reading.
pub fn limits() -> Limits {
    Limits::generous(UtcSeconds(4_000_000_000))
}

/// A household's day of half-hours with a morning and an evening.
pub fn household_day(point: usize, register: Register, date: &str, random: &mut Random) -> DayBlock {
    let local = zone().local_day(date.parse().unwrap());
    let name = format!("NL-{point:06}");
    let mut block = DayBlock::empty(name.parse().unwrap(), register, local, 30, Source::Synthetic).unwrap();
    for at in 0..block.interval_count() {
        let base = match at % 48 {
            0..12 => 60,
            12..18 => 300,
            34..44 => 420,
            _ => 150,
        };
        let wh = i32::try_from(base / 2 + random.below(base)).unwrap();
        block.put(at, wh, Quality::Valid, &mut MergeCounts::default());
    }
    block
}

/// Both registers of some points over some days of March 2026, with the day the clocks go forward.
pub fn town(point_count: usize, dates: &[&str], random: &mut Random) -> Vec<DayBlock> {
    let registers = [Register::IMPORT, Register::total(Flow::Export, 0)];
    let mut blocks = Vec::new();
    for point in 0..point_count {
        for register in registers {
            for date in dates {
                blocks.push(household_day(point, register, date, random));
            }
        }
    }
    blocks
}

/// The block with some intervals missing.
pub fn without(block: &DayBlock, is_missing: impl Fn(usize) -> bool) -> DayBlock {
    let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
    for at in (0..values.len()).filter(|&at| is_missing(at)) {
        (values[at], qualities[at]) = (0, Quality::Missing);
    }
    let (start, minutes) = (block.start(), block.interval_minutes());
    DayBlock::from_parts(block.key(), start, minutes, block.source(), values, qualities).unwrap()
}

/// Readings of a few points and days that meet each other often, some of them bad.
pub fn raw_readings(count: usize, random: &mut Random) -> Vec<RawReading> {
    let first = zone().local_day("2026-03-27".parse().unwrap()).start;
    let qualities = [Quality::Valid, Quality::Valid, Quality::Verified, Quality::Raw, Quality::Edited];
    let mut readings: Vec<RawReading> = Vec::new();
    while readings.len() < count {
        // A run of neighbouring intervals, as files have them.
        let point = random.below(4);
        let register = [Register::IMPORT, Register::total(Flow::Export, 0)][random.below(2)];
        let start = random.below(5 * 48);
        for step in 0..1 + random.below(40) {
            let seconds = i64::try_from((start + step) * 1_800).unwrap();
            let is_bad = random.below(50) == 0;
            readings.push(RawReading {
                usage_point: format!("P{point}").parse().unwrap(),
                register,
                start: first.plus(seconds + if is_bad { 60 } else { 0 }),
                interval_minutes: 30,
                energy_wh: i64::try_from(random.below(3)).unwrap() - i64::from(random.below(80) == 0),
                quality: if random.below(60) == 0 { Quality::Missing } else { qualities[random.below(5)] },
                line: 1,
            });
        }
    }
    readings
}
