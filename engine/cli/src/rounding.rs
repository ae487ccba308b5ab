//! Which rule rounded the figures of a bill, and by how much each: for reading, nothing is computed from it.

use tallywatt_core::bill::{Bill, ChargeLine};
use tallywatt_core::money::{ExactAmount, Rounding};
use tallywatt_core::tariff::RoundEach;
use tallywatt_node::books::Books;

/// The rule of a bill: all its tariff versions have the same.
#[derive(Debug, Clone, Copy)]
pub struct RoundingRule {
    rounding: Rounding,
    each: RoundEach,
}

impl RoundingRule {
    /// The rule that a bill was rounded by; `None` if its tariff is not published here.
    pub fn of(books: &Books, bill: &Bill) -> Option<Self> {
        let hash = bill.tariffs.first()?;
        let version = books.tariffs().versions().iter().find(|version| version.hash == *hash)?;
        let parts = version.body.parts();
        Some(Self { rounding: parts.rounding, each: parts.round_each })
    }

    /// What is rounded, and how.
    pub fn in_words(self) -> String {
        let name = self.rounding.name();
        match self.each {
            RoundEach::Line => format!("each line and each tax {name} to 0.01; the total is their sum"),
            RoundEach::Bill => {
                format!("the sum of the lines {name} to 0.01, each line its share of it; each tax {name}")
            }
        }
    }

    /// The rule's name alone: how a tax was rounded.
    pub const fn name(self) -> &'static str {
        self.rounding.name()
    }

    /// How a line came from its exact amount to its amount: `half up, +0.0025`; `exact` where nothing was rounded.
    pub fn of_line(self, line: &ChargeLine) -> String {
        let by = ExactAmount::from_e11(line.amount.exact().as_e11() - line.exact.as_e11());
        if by == ExactAmount::ZERO {
            return "exact".to_owned();
        }
        let sign = if by.as_e11() > 0 { "+" } else { "" };
        match self.each {
            RoundEach::Line => format!("{}, {sign}{by}", self.name()),
            RoundEach::Bill => format!("share of the bill {}, {sign}{by}", self.name()),
        }
    }
}
