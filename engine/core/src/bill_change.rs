//! Why one bill is higher than another: terms that add up to the difference, exactly.
//!
//! ```text
//!   charge in both bills     (q₂ − q₁) × p₁   more or less used; p₁ of a price series is the mean of its intervals
//!                             e₂ − e₁ − that  dearer or cheaper
//!   charge in one of them    all of it        new, or gone
//!   fixed, minimum           e₂ − e₁          their exact amounts: a part of a month has no price of its own
//!   tax on top               t₂ − t₁
//!   rounding                 what the lines' rounding makes of it
//! ```
//!
//! Charges are matched by name, so versions of a tariff, and two tariffs that name their zones alike, compare. The price
//! of a charge with lines of several versions is no single number; its lines are matched in the order of the versions.

use std::collections::BTreeMap;

use crate::bill::{Bill, ChargeKind, ChargeLine};
use crate::money::{ExactAmount, Money};
use crate::tariff::{DeviationSide, FixedPer, Tariff};

/// What a term says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// More or less was used, at the price of the earlier bill.
    Quantity,
    /// What was used costs more or less.
    Price,
    /// The charge is not in the earlier bill.
    New,
    /// The charge is not in the later bill.
    Gone,
    /// A fixed or minimum charge came to more or less.
    Amount,
    /// Tax on top of the lines.
    Tax,
    /// Rounding of the lines.
    Rounding,
}

impl Cause {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quantity => "quantity",
            Self::Price => "price",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Amount => "amount",
            Self::Tax => "tax",
            Self::Rounding => "rounding",
        }
    }
}

/// A part of the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeTerm {
    /// The charge, as [`charge_name`] has it; empty for tax and rounding.
    pub charge: String,
    /// Why.
    pub cause: Cause,
    /// How much, exact; never zero.
    pub amount: ExactAmount,
}

/// What a line charges for, in words: `day`, `day, range 2`, `peak`, `fixed by month`, `minimum`.
///
/// # Panics
/// If the line is not of a bill by this tariff.
#[must_use]
pub fn charge_name(kind: ChargeKind, tariff: &Tariff) -> String {
    let parts = tariff.parts();
    let numbered = |name: &str, range: u8, range_count: usize| {
        if range_count > 1 { format!("{name}, range {}", range + 1) } else { name.to_owned() }
    };
    match kind {
        ChargeKind::Energy { range, zone } | ChargeKind::Series { range, zone } => {
            numbered(parts.zones[usize::from(zone)].name.as_str(), range, parts.ranges.len())
        }
        ChargeKind::Demand { charge, range } => {
            let demand = &parts.demands[usize::from(charge)];
            numbered(demand.name.as_str(), range, demand.ranges.len())
        }
        ChargeKind::Fixed(FixedPer::Day) => "fixed by day".to_owned(),
        ChargeKind::Fixed(FixedPer::Month) => "fixed by month".to_owned(),
        ChargeKind::Fixed(FixedPer::Year) => "fixed by year".to_owned(),
        ChargeKind::Minimum => "minimum".to_owned(),
        ChargeKind::Package { range, zone } => {
            let zone = parts.zones[usize::from(zone)].name;
            format!("{}, packages", numbered(zone.as_str(), range, parts.ranges.len()))
        }
        ChargeKind::Flat { range } => numbered("flat fee", range, parts.ranges.len()),
        ChargeKind::YearMinimum => "minimum of the year".to_owned(),
        ChargeKind::Deviation(DeviationSide::Above) => "above the plan".to_owned(),
        ChargeKind::Deviation(DeviationSide::Below) => "below the plan".to_owned(),
        ChargeKind::Export { zone } => format!("{}, fed in", parts.zones[usize::from(zone)].name),
    }
}

/// What a line charges for, and whether at a price that the contract has of its own.
///
/// # Panics
/// If the line is not of a bill by this tariff.
#[must_use]
pub fn line_name(line: &ChargeLine, tariff: &Tariff) -> String {
    let parts = tariff.parts();
    let listed = match line.kind {
        ChargeKind::Energy { range, zone } => {
            let listed = &parts.ranges[usize::from(range)];
            if listed.package_wh.is_some() { line.price } else { listed.prices[usize::from(zone)] }
        }
        ChargeKind::Fixed(per) => parts.fixed.price(per),
        _ => line.price,
    };
    let name = charge_name(line.kind, tariff);
    if listed == line.price { name } else { format!("{name}, own price") }
}

/// A bill and the tariff versions its lines point to, in their order.
#[derive(Debug, Clone, Copy)]
pub struct NamedBill<'a> {
    /// The bill.
    pub bill: &'a Bill,
    /// Its tariff versions.
    pub tariffs: &'a [&'a Tariff],
}

impl NamedBill<'_> {
    /// Lines by name and how many of that name came before.
    fn lines(&self) -> BTreeMap<(String, usize), &ChargeLine> {
        let mut lines = BTreeMap::new();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in &self.bill.lines {
            let name = charge_name(line.kind, self.tariffs[usize::from(line.version)]);
            let count = counts.entry(name.clone()).or_default();
            lines.insert((name, *count), line);
            *count += 1;
        }
        lines
    }

    /// What the lines' rounding adds to their exact sum.
    fn rounding_e11(&self) -> i128 {
        let lines = self.bill.lines.iter();
        lines.map(|line| line.amount.exact().as_e11() - line.exact.as_e11()).sum()
    }

    fn tax_on_top(&self) -> Money {
        self.bill.vat.iter().filter(|line| !line.vat.is_included).map(|line| line.amount).sum()
    }
}

/// Why `later` differs from `earlier`: terms by charge, in the order of their names, then tax and rounding. They add up
/// to the difference of the totals.
#[must_use]
pub fn change(earlier: NamedBill<'_>, later: NamedBill<'_>) -> Vec<ChangeTerm> {
    let (before, after) = (earlier.lines(), later.lines());
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut terms = Vec::new();
    let mut term = |charge: &str, cause, e11: i128| {
        if e11 != 0 {
            terms.push(ChangeTerm { charge: charge.to_owned(), cause, amount: ExactAmount::from_e11(e11) });
        }
    };
    for key in names {
        let name = key.0.as_str();
        match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) if has_quantity(old) && has_quantity(new) => {
                let more = more_used(old, new);
                term(name, Cause::Quantity, more);
                term(name, Cause::Price, new.exact.as_e11() - old.exact.as_e11() - more);
            }
            (Some(old), Some(new)) => term(name, Cause::Amount, new.exact.as_e11() - old.exact.as_e11()),
            (None, Some(new)) => term(name, Cause::New, new.exact.as_e11()),
            (Some(old), None) => term(name, Cause::Gone, -old.exact.as_e11()),
            (None, None) => unreachable!("the name comes from one of the two"),
        }
    }
    let tax = |named: NamedBill<'_>| named.tax_on_top().exact().as_e11();
    term("", Cause::Tax, tax(later) - tax(earlier));
    term("", Cause::Rounding, later.rounding_e11() - earlier.rounding_e11());
    terms
}

/// Whether the line's exact amount follows from a quantity that was used.
const fn has_quantity(line: &ChargeLine) -> bool {
    let kind = line.kind;
    kind.energy_zone().is_some()
        || matches!(kind, ChargeKind::Demand { .. } | ChargeKind::Package { .. } | ChargeKind::Deviation(_))
}

/// What the change of the quantity comes to at the old price, 10^-11; at the mean of the old intervals' prices, cut at the
/// eleventh decimal, where they have a price each.
fn more_used(old: &ChargeLine, new: &ChargeLine) -> i128 {
    let more = i128::from(new.quantity) - i128::from(old.quantity);
    let (old_e11, old_quantity) = (old.exact.as_e11(), i128::from(old.quantity));
    match old.kind {
        kind if kind.is_by_interval() && old_quantity == 0 => 0,
        // In two parts, because one product of three could pass 128 bits.
        kind if kind.is_by_interval() => {
            old_e11 / old_quantity * more + old_e11 % old_quantity * more / old_quantity
        }
        ChargeKind::Package { .. } => more * i128::from(old.price.as_e8()) * 1_000,
        _ => more * i128::from(old.price.as_e8()),
    }
}
