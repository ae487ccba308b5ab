//! The generated town that every stage starts from: one month of half-hours.

use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_fixtures::town::Town;
use tallywatt_ledger::blinding::BlindingSecret;

/// The town of every benchmark: seed 7, from 1 March 2026.
///
/// # Panics
/// If there can be no town of that size.
#[must_use]
pub fn town(household_count: u64, day_count: u32) -> Town {
    let first_day = "2026-03-01".parse().expect("a day as people write it");
    Town::new(7, household_count, day_count, first_day).expect("the sizes of benchmarks are in range")
}

/// Every household's day blocks, by household and day.
///
/// # Panics
/// Never: a generated day is whole.
#[must_use]
pub fn blocks(town: &Town) -> Vec<DayBlock> {
    let of_day = |index: u64, at: usize| {
        let household = town.household(index);
        let local = town.local_day(household.region(), town.days()[at]);
        let key =
            BlockKey { usage_point: household.usage_point(), register: Register::IMPORT, day: local.day };
        let values = town.household_day(index, at).to_vec();
        let qualities = vec![Quality::Valid; values.len()];
        DayBlock::from_parts(key, local.start, 30, Source::Synthetic, values, qualities)
            .expect("a generated day is whole")
    };
    (0..town.household_count())
        .flat_map(|index| (0..town.days().len()).map(move |at| of_day(index, at)))
        .collect()
}

/// The secret that blinds the leaves of every benchmark.
#[must_use]
pub fn secret() -> BlindingSecret {
    BlindingSecret::new([7; 32])
}
