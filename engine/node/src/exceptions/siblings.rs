//! The registers of a usage point against each other: which of them lack on a day on which others came (V26).
//!
//! A register is expected from the first day on that it ever delivered, while a meter of it is in place, if it came on more
//! than half of the month's days since. What is absent as a whole is told by [`completeness`](crate::completeness).

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::meter::Installation;
use tallywatt_core::register::Register;
use tallywatt_core::vee::pack::RegisterClass;
use tallywatt_core::vee::rule::Rule;
use tallywatt_core::vee::rules::siblings::siblings;

use super::{Exception, Point, parameters_of};

/// A day on which anything came.
struct Came {
    /// Its first instant.
    start: UtcSeconds,
    registers: BTreeSet<Register>,
}

impl Point<'_> {
    /// What was found, by day: a row a day, under the first register that lacks.
    pub(super) fn look_at_siblings(&self, rows: &mut Vec<Exception>) {
        if self.wanted.rule.is_some_and(|rule| rule != Rule::Siblings) {
            return;
        }
        let since = self.since();
        let month = self.month();
        let is_usual = |(register, first): &(&Register, &Day)| {
            let days = month.range(*first..);
            let came = days.clone().filter(|(_, came)| came.registers.contains(register)).count();
            came * 2 > days.count()
        };
        let usual: Vec<(&Register, &Day)> = since.iter().filter(is_usual).collect();
        for (day, came) in &month {
            let is_expected = |(register, first): &&(&Register, &Day)| {
                *first <= day && (came.registers.contains(register) || self.is_in_place(register, came.start))
            };
            let expected: Vec<Register> = usual.iter().filter(is_expected).map(|(one, _)| **one).collect();
            let delivered: Vec<Register> = came.registers.iter().copied().collect();
            let lacking: Vec<Register> =
                expected.iter().filter(|register| !came.registers.contains(register)).copied().collect();
            let Some((finding, register)) = siblings(&expected, &delivered).zip(lacking.first().copied())
            else {
                continue;
            };
            let (pack, class) = (self.books.rule_pack_on(*day), RegisterClass::of(register, self.class));
            if !pack.body.rules_of(class).asked.contains(Rule::Siblings) {
                continue;
            }
            let names: Vec<String> = lacking.iter().map(Register::to_string).collect();
            rows.push(Exception {
                key: BlockKey { usage_point: self.usage_point, register, day: *day },
                finding,
                between: None,
                first_interval: None,
                class,
                pack: pack.hash,
                energy_wh: None,
                money: None,
                inputs: format!("without {}", names.join(", ")),
                parameters: parameters_of(Rule::Siblings, &pack.body, class),
            });
        }
    }

    /// The first day of every register that has a value.
    fn since(&self) -> BTreeMap<Register, Day> {
        let mut since = BTreeMap::new();
        for block in self.days.iter().filter(|block| block.present_count() > 0) {
            since.entry(block.key().register).or_insert(block.key().day);
        }
        since
    }

    /// What came on the days of the month.
    fn month(&self) -> BTreeMap<Day, Came> {
        let mut month: BTreeMap<Day, Came> = BTreeMap::new();
        let first_day = self.wanted.period.first_day();
        for block in
            self.days.iter().filter(|block| block.key().day >= first_day && block.present_count() > 0)
        {
            let none = || Came { start: block.start(), registers: BTreeSet::new() };
            month.entry(block.key().day).or_insert_with(none).registers.insert(block.key().register);
        }
        month
    }

    /// Whether a meter of it counts at an instant; where none is known, nothing speaks against it.
    fn is_in_place(&self, register: &Register, at: UtcSeconds) -> bool {
        self.meters.get(register).is_none_or(|meters| {
            let installations = &meters.installations;
            let counts = |one: &Installation| one.from <= at && one.to.is_none_or(|(to, _)| to > at);
            installations.is_empty() || installations.iter().any(counts)
        })
    }
}
