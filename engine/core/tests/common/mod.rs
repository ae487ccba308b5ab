//! What the tests of rating start from: numbers that are random and the same everywhere, names, and an agreement.

#[allow(dead_code, reason = "each test file uses its part")]
pub(crate) mod one_point;

use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::calendar::Day;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::validity::Validity;

/// A linear congruential generator: the same numbers everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Yes, once in `count`.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of all.
    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()].clone()
    }
}

/// A short name.
pub(crate) fn label(text: &str) -> Label {
    text.parse().unwrap()
}

/// Before every day that is billed, or from a day on.
pub(crate) fn validity(from: Option<Day>, to: Option<Day>) -> Validity {
    Validity::new(from.unwrap_or_else(|| "2000-01-01".parse().unwrap()), to).unwrap()
}

/// Between grid company and supplier, published.
pub(crate) fn agreement(rule: SplitRule) -> Published<Agreement> {
    let body = Agreement {
        id: label("grid"),
        title: "Grid and supplier".into(),
        currency: "RUB".parse().unwrap(),
        validity: validity(None, None),
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule,
        terms: PaymentTerms::default(),
    };
    Published { hash: ContentHash([99; 32]), body: body.check().unwrap() }
}
