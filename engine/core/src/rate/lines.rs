//! From usage to the bill: lines priced exactly, each amount rounded once, tax, total.

use std::collections::BTreeMap;

use super::carry::is_sale;
use super::usage::{Usage, VersionUse};
use super::{BillError, BillInputs};
use crate::bill::{Bill, ChargeKind, ChargeLine, VatLine};
use crate::calendar::Period;
use crate::contract::{energy_price, fixed_price};
use crate::label::Label;
use crate::money::{ExactAmount, Money, PricePerKwh, Rounding, div_half_even, div_half_up};
use crate::tariff::{FixedPer, RoundEach, Tariff, Vat};

/// What a customer sells bears no tax of the seller that bills it.
const UNTAXED: Vat = Vat { rate_e4: 0, is_included: false };

impl Usage<'_> {
    /// The bill.
    pub(super) fn into_bill(mut self, inputs: &BillInputs<'_>) -> Result<Bill, BillError> {
        let first = self.versions[0].version.body.parts();
        let agreement = &inputs.agreement.body;
        let mixed = self.versions.iter().map(|used| used.version.body.parts()).any(|parts| {
            parts.currency != first.currency
                || parts.rounding != first.rounding
                || parts.round_each != first.round_each
        });
        if mixed || agreement.currency != first.currency {
            return Err(BillError::Mixed(inputs.account));
        }
        let overflow = || BillError::Overflow(inputs.account);
        let mut lines = self.lines(inputs.period).ok_or_else(overflow)?;
        let count = lines.len();
        self.carry.add_export_lines(&mut lines, &self.versions, inputs.period);
        self.carry.add_year(&mut lines, &self.versions, inputs).ok_or_else(overflow)?;
        if lines.len() > count {
            self.join_lines(&mut lines, inputs.period).ok_or_else(overflow)?;
            lines.sort_by_key(|line| (line.version, line.kind, line.price));
        }
        match first.round_each {
            RoundEach::Line => {
                for line in &mut lines {
                    line.amount = line.exact.round(first.rounding).ok_or_else(overflow)?;
                }
            }
            RoundEach::Bill => {
                // The total is rounded once; each line shows its share, so that the lines still add up.
                let (mut exact, mut rounded) = (ExactAmount::ZERO, Money::ZERO);
                for line in &mut lines {
                    exact = exact.checked_add(line.exact).ok_or_else(overflow)?;
                    let up_to_here = exact.round(first.rounding).ok_or_else(overflow)?;
                    line.amount = up_to_here.checked_sub(rounded).ok_or_else(overflow)?;
                    rounded = up_to_here;
                }
            }
        }
        let vat = self.vat_lines(&lines, first.rounding).ok_or_else(overflow)?;
        let on_top = vat.iter().filter(|line| !line.vat.is_included).map(|line| line.amount);
        let mut amounts = lines.iter().map(|line| line.amount).chain(on_top);
        let total = amounts.try_fold(Money::ZERO, Money::checked_add).ok_or_else(overflow)?;
        let named = self.name_versions(&mut lines);
        let tariffs: Vec<&Tariff> = named.iter().map(|version| &version.body).collect();
        let (previous, carried) = std::mem::take(&mut self.carry).finish(&self.versions, inputs)?;
        let mut bill = Bill {
            account: inputs.account,
            period: inputs.period,
            currency: first.currency,
            tariffs: named.iter().map(|version| version.hash).collect(),
            agreement: inputs.agreement.hash,
            readings: inputs.readings,
            lines,
            vat,
            completeness: self.completeness,
            total,
            payee_part: ExactAmount::ZERO,
            market: self.market.iter().copied().collect(),
            previous,
            carried,
        };
        bill.payee_part = agreement.payee_part(&bill, &tariffs)?;
        Ok(bill)
    }

    /// Each version's lines, then what each tariff's lines lack to its minimum; by (version, kind). `None` past 128
    /// bits, or if what is lacking does not fit 64.
    fn lines(&self, period: Period) -> Option<Vec<ChargeLine>> {
        let mut lines = Vec::new();
        // By tariff: what its lines come to, what they must, and its last version with a minimum.
        let mut tariffs: BTreeMap<Label, (ExactAmount, ExactAmount, Option<usize>)> = BTreeMap::new();
        let has_minimum = |used: &VersionUse<'_>| used.version.body.parts().minimum_per_month.as_e8() > 0;
        let has_minima = self.versions.iter().any(has_minimum);
        for (at, used) in self.versions.iter().enumerate() {
            add_version_lines(&mut lines, at, used, period);
            add_counts(&mut lines, at, used, period)?;
        }
        self.join_lines(&mut lines, period)?;
        for line in lines.iter().filter(|_| has_minima) {
            let parts = self.versions[usize::from(line.version)].version.body.parts();
            let sums = tariffs.entry(parts.id).or_default();
            sums.0 = sums.0.checked_add(line.exact)?;
        }
        for (at, used) in self.versions.iter().enumerate().filter(|_| has_minima) {
            let parts = used.version.body.parts();
            let sums = tariffs.entry(parts.id).or_default();
            if has_minimum(used) {
                let monthly = ChargeKind::Fixed(FixedPer::Month);
                let least = monthly.charge(used.day_count, parts.minimum_per_month, period);
                sums.1 = sums.1.checked_add(least)?;
                sums.2 = Some(at);
            }
        }
        for (sum, least, version) in tariffs.into_values() {
            let lacking = least.as_e11() - sum.as_e11();
            if let Some(version) = version.filter(|_| lacking > 0) {
                let price = self.versions[version].version.body.parts().minimum_per_month;
                let quantity = i64::try_from(lacking).ok()?;
                lines.push(line(version, ChargeKind::Minimum, quantity, price, period));
            }
        }
        if has_minima {
            lines.sort_by_key(|line| (line.version, line.kind, line.price));
        }
        Some(lines)
    }

    /// The tax by rate; `None` if a base does not fit 64-bit minor units.
    fn vat_lines(&self, lines: &[ChargeLine], rounding: Rounding) -> Option<Vec<VatLine>> {
        let mut bases: BTreeMap<Vat, Money> = BTreeMap::new();
        for line in lines {
            let parts = self.versions[usize::from(line.version)].version.body.parts();
            let vat = if is_sale(parts, line) { UNTAXED } else { parts.vat };
            let base = bases.entry(vat).or_default();
            *base = base.checked_add(line.amount)?;
        }
        let taxed = bases.into_iter();
        Some(taxed.map(|(vat, base)| VatLine { vat, base, amount: tax(vat, base, rounding) }).collect())
    }
}

/// Energy by (range, zone), demand by (charge, range), fixed charges.
fn add_version_lines(lines: &mut Vec<ChargeLine>, version: usize, used: &VersionUse<'_>, period: Period) {
    let parts = used.version.body.parts();
    for ((range, zones), prices) in used.energy_wh.iter().enumerate().zip(&parts.ranges) {
        for ((zone, &quantity), &price) in zones.iter().enumerate().zip(&prices.prices) {
            if quantity != 0 && parts.series_of(small(range), small(zone)).is_none() {
                let own = || energy_price(used.overrides, parts.zones[zone].name, small(range), price);
                let price =
                    if parts.ranges[range].package_wh.is_some() { PricePerKwh::default() } else { own() };
                let kind = ChargeKind::Energy { range: small(range), zone: small(zone) };
                lines.push(line(version, kind, quantity, price, period));
            }
        }
    }
    for (&(charge, range), &quantity) in &used.demand_w {
        let price = parts.demands[usize::from(charge)].ranges[usize::from(range)].price;
        lines.push(line(version, ChargeKind::Demand { charge, range }, quantity, price, period));
    }
    for per in FixedPer::ALL {
        let price = fixed_price(used.overrides, per, parts.fixed.price(per));
        if price.as_e8() != 0 && used.day_count != 0 {
            lines.push(line(version, ChargeKind::Fixed(per), used.day_count, price, period));
        }
    }
}

/// Packages, flat fees, energy by a series, and deviations from the plan. `None` past what a line counts.
fn add_counts(
    lines: &mut Vec<ChargeLine>,
    version: usize,
    used: &VersionUse<'_>,
    period: Period,
) -> Option<()> {
    for (&kind, &quantity) in &used.counts {
        u32::try_from(quantity).ok()?;
        let ranges = &used.version.body.parts().ranges;
        let price = match kind {
            ChargeKind::Package { range, zone } => ranges[usize::from(range)].prices[usize::from(zone)],
            ChargeKind::Flat { range } => ranges[usize::from(range)].flat,
            _ => unreachable!("only packages and flat fees are counted"),
        };
        lines.push(line(version, kind, quantity, price, period));
    }
    for price in &used.version.body.parts().series {
        let (quantity, exact) = used.series_line(price)?;
        if quantity != 0 {
            let (range, zone) = (price.range, price.zone);
            let (kind, amount) = (ChargeKind::Series { range, zone }, Money::ZERO);
            let (version, price) = (small(version), PricePerKwh::default());
            lines.push(ChargeLine { version, kind, quantity, price, exact, amount });
        }
    }
    for (&side, &(quantity, e11)) in used.deviations.iter().filter(|(_, (wh, _))| *wh != 0) {
        let (kind, exact) = (ChargeKind::Deviation(side), ExactAmount::from_e11(e11));
        let (version, price, amount) = (small(version), PricePerKwh::default(), Money::ZERO);
        lines.push(ChargeLine { version, kind, quantity, price, exact, amount });
    }
    Some(())
}

pub(super) fn line(
    version: usize,
    kind: ChargeKind,
    quantity: i64,
    price: PricePerKwh,
    period: Period,
) -> ChargeLine {
    let exact = kind.charge(quantity, price, period);
    ChargeLine { version: small(version), kind, quantity, price, exact, amount: Money::ZERO }
}

pub(super) fn small(number: usize) -> u8 {
    u8::try_from(number).expect("versions, ranges, zones and charges are few")
}

/// The tax in (or on) `base`, rounded once by the tariff's rule.
pub(crate) fn tax(vat: Vat, base: Money, rounding: Rounding) -> Money {
    let rate = i128::from(vat.rate_e4);
    let whole = if vat.is_included { 10_000 + rate } else { 10_000 };
    let numerator = i128::from(base.as_minor()) * rate;
    let minor = match rounding {
        Rounding::HalfUp => div_half_up(numerator, whole),
        Rounding::HalfEven => div_half_even(numerator, whole),
        Rounding::Down => numerator.div_euclid(whole),
    };
    Money::from_minor(i64::try_from(minor).expect("a tax of at most 100 % is no larger than its base"))
}
