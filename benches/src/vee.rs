//! Validation: a month of a town's half-hours against all rules, through the screen, without it, and the rolling state.

use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::validity::Validity;
use tallywatt_core::vee::columns::{DayColumns, DayContext};
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::pack::{CLASS_COUNT, ClassRules, RegisterClass, RulePack, RulePackParts};
use tallywatt_core::vee::state::MeterState;
use tallywatt_core::vee::validate::{validate, validate_unscreened};

use crate::town::{blocks, town};

/// What validating comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validated {
    /// Days looked at.
    pub day_count: u64,
    /// Findings.
    pub finding_count: u64,
    /// Their rules, places and measures, mixed.
    pub digest: u64,
}

/// Days with the state of the days before each, and a pack.
pub struct Case {
    days: Vec<(DayBlock, MeterState)>,
    pack: RulePack,
}

impl Case {
    /// March of a town, as it is.
    #[must_use]
    pub fn town(household_count: u64) -> Self {
        Self::of(blocks(&town(household_count, 31)))
    }

    /// The days of it that no rule finds anything in: what nearly all days of a well-kept network are.
    #[must_use]
    pub fn clean(household_count: u64) -> Self {
        let mut case = Self::town(household_count);
        let pack = &case.pack;
        case.days.retain(|(block, state)| {
            let day = DayColumns::of(block);
            validate_unscreened(&day, &context(state, block), pack).is_empty()
        });
        case
    }

    /// Blocks by household and day.
    fn of(blocks: Vec<DayBlock>) -> Self {
        let mut days: Vec<(DayBlock, MeterState)> = Vec::with_capacity(blocks.len());
        let mut state = MeterState::default();
        for block in blocks {
            let key = block.key();
            if days.last().is_some_and(|(last, _)| last.key().usage_point != key.usage_point) {
                state = MeterState::default();
            }
            state.begin(key.day).expect("the days of a household are in order");
            let before = state;
            state.push(key.day, &DayColumns::of(&block)).expect("the days of a household are in order");
            days.push((block, before));
        }
        Self { days, pack: pack() }
    }

    /// How many readings.
    #[must_use]
    pub fn reading_count(&self) -> usize {
        self.days.iter().map(|(block, _)| block.interval_count()).sum()
    }

    /// Asks the rules that the screen does not rule out.
    #[must_use]
    pub fn screened(&self) -> Validated {
        self.run(validate)
    }

    /// Asks every rule of every day.
    #[must_use]
    pub fn unscreened(&self) -> Validated {
        self.run(validate_unscreened)
    }

    fn run(&self, find: impl Fn(&DayColumns<'_>, &DayContext<'_>, &RulePack) -> Vec<Finding>) -> Validated {
        let mut validated = Validated::default();
        for (block, state) in &self.days {
            for finding in find(&DayColumns::of(block), &context(state, block), &self.pack) {
                validated.finding_count += 1;
                let place = u64::from(finding.rule.number()) << 16 | u64::from(finding.first_interval);
                for part in [place, finding.measured.cast_unsigned(), finding.limit.cast_unsigned()] {
                    validated.digest = validated.digest.rotate_left(5).wrapping_mul(0x9E37_79B9) ^ part;
                }
            }
            validated.day_count += 1;
        }
        validated
    }

    /// Pushes every day on its household's state again; gives the energy of the months that were current last.
    ///
    /// # Panics
    /// If the days are not in order.
    #[must_use]
    pub fn states(&self) -> i64 {
        let mut energy_wh = 0;
        for (block, before) in &self.days {
            let (mut state, day): (MeterState, Day) = (*before, block.key().day);
            state.push(day, &DayColumns::of(block)).expect("the days of a household are in order");
            energy_wh += state.current().energy_wh;
        }
        energy_wh
    }
}

fn context<'a>(state: &'a MeterState, block: &DayBlock) -> DayContext<'a> {
    DayContext { state: Some(state), ..DayContext::plain(RegisterClass::Residential, block.interval_count()) }
}

/// All rules with the defaults of the catalogue.
fn pack() -> RulePack {
    let from = "2026-01-01".parse().expect("a day as people write it");
    let parts = RulePackParts {
        id: "catalogue".parse().expect("a short name"),
        title: "Defaults of the catalogue".to_owned(),
        source: "illustrative".to_owned(),
        validity: Validity::new(from, None).expect("a validity without end is sound"),
        classes: [ClassRules::default(); CLASS_COUNT],
        estimation: EstimationParameters::default(),
    };
    RulePack::new(parts).expect("the defaults are in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same() {
        let case = Case::town(16);
        let found = case.screened();
        assert_eq!(found, case.unscreened());
        assert_eq!(
            found,
            Validated { day_count: 496, finding_count: 18, digest: 17_961_614_899_645_160_861 }
        );
        assert_eq!(case.states(), 83_181_096);
        let clean = Case::clean(16);
        assert_eq!(clean.screened().finding_count, 0);
    }
}
