//! Rating: an account's day blocks and contracts to a bill.
//!
//! ```text
//!  contract-days ─▶ energy by (version, range, zone) ─▶ lines: quantity × price, exact ─▶ rounded ─▶ VAT ─▶ total
//!                   zone by local wall clock                                              by the tariff's rule
//!                   range by the month's energy in order of time, all zones together
//! ```
//!
//! Never a zone look-up an interval on an ordinary day: one table of zones a (tariff version, kind of day,
//! interval length); only days with a clock change, and the day on which a range ends, are walked one by one.
//! The tables and the local days are kept in a [`RateRun`], for all the bills that one thread computes.

use std::collections::BTreeMap;

use crate::agreement::{Agreement, AgreementError};
use crate::bill::{Bill, ChargeKind, ChargeLine, Completeness, VERSION_COUNT_MAX, VatLine};
use crate::calendar::{Day, LocalDay, Period, UtcSeconds};
use crate::contract::Contract;
use crate::day_block::{BlockKey, DayBlock};
use crate::energy::Energy;
use crate::hash::{ContentHash, Published};
use crate::label::{AccountId, Label, UsagePointId};
use crate::money::{ExactAmount, Money, div_half_even, div_half_up};
use crate::quality::Quality;
use crate::tariff::{RANGE_COUNT_MAX, RoundEach, Tariff, TariffBook, Vat, ZONE_COUNT_MAX};

mod blocks;
mod run;

pub use blocks::{BlockCursor, BlockIndex};
pub use run::RateRun;

/// What a bill follows from.
pub struct BillInputs<'a> {
    /// Whose bill.
    pub account: AccountId,
    /// For which month.
    pub period: Period,
    /// The account's contracts, in canonical order.
    pub contracts: &'a [Contract],
    /// All tariff versions.
    pub tariffs: &'a TariffBook,
    /// The agreement that holds on the period's first day.
    pub agreement: &'a Published<Agreement>,
    /// Root of the period's readings.
    pub readings: ContentHash,
}

/// Why a bill cannot be computed. The account stays unbilled, and is listed with this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// No contract holds on any day of the period.
    #[error("account {0} has no contract in {1}")]
    NoContract(AccountId, Period),
    /// A contract names a tariff that has no version for a day.
    #[error("tariff {tariff} has no version that holds on {day}")]
    NoTariff {
        /// The tariff.
        tariff: Label,
        /// The day.
        day: Day,
    },
    /// The period holds no readings of a usage point.
    #[error("usage point {usage_point} has no readings in {period}")]
    NoReadings {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: Period,
    },
    /// The day block does not start when the contract's zone says the day does.
    #[error("the readings of {usage_point} on {day} do not follow the local day of {zone}")]
    Zone {
        /// The usage point.
        usage_point: UsagePointId,
        /// The day.
        day: Day,
        /// The contract's zone.
        zone: String,
    },
    /// Tariff versions of one bill differ in currency or rounding, or from the agreement's currency.
    #[error("the tariffs and the agreement of account {0} differ in currency or rounding rule")]
    Mixed(AccountId),
    /// The agreement does not fit.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// More tariff versions than a bill may have.
    #[error("account {account} would be billed by {count} tariff versions, at most {VERSION_COUNT_MAX}")]
    TooManyVersions {
        /// The account.
        account: AccountId,
        /// How many.
        count: usize,
    },
    /// An amount beyond what can be written.
    #[error("an amount of account {0} does not fit 64-bit minor units")]
    Overflow(AccountId),
}

/// Computes one bill. `block` finds the period's day block of a register-day.
///
/// # Errors
/// [`BillError`].
pub fn bill<'b>(
    inputs: &BillInputs<'_>,
    block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
) -> Result<Bill, BillError> {
    RateRun::new(inputs.period).bill(inputs, block)
}

impl RateRun {
    /// Computes the next bill. `block` finds the period's day block of a register-day.
    ///
    /// # Errors
    /// [`BillError`].
    ///
    /// # Panics
    /// If the bill is for another period than the run.
    pub fn bill<'b>(
        &mut self,
        inputs: &BillInputs<'_>,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<Bill, BillError> {
        assert_eq!(inputs.period, self.period(), "a run is over the bills of one period");
        let mut usage = Usage::default();
        // Contracts of one tariff share its ranges; the sort is stable, so they keep their order.
        let mut contracts: Vec<&Contract> = inputs.contracts.iter().collect();
        contracts.sort_by_key(|contract| contract.tariff);
        for group in contracts.chunk_by(|a, b| a.tariff == b.tariff) {
            usage.add_group(self, inputs, group, block)?;
        }
        if usage.versions.is_empty() {
            return Err(BillError::NoContract(inputs.account, inputs.period));
        }
        let count = usage.versions.len();
        if count > VERSION_COUNT_MAX as usize {
            return Err(BillError::TooManyVersions { account: inputs.account, count });
        }
        usage.into_bill(inputs)
    }
}

/// Billing determinants of one account.
#[derive(Default)]
struct Usage<'a> {
    versions: Vec<VersionUse<'a>>,
    completeness: Completeness,
}

/// What was used under one tariff version.
struct VersionUse<'a> {
    version: &'a Published<Tariff>,
    /// Its tables in the run.
    table_place: usize,
    /// Watt-hours by range and zone.
    energy_wh: [[i64; ZONE_COUNT_MAX]; RANGE_COUNT_MAX],
    /// Usage-point-days.
    day_count: i64,
}

/// One usage point's day, and the place of its zone in the run.
struct HeldDay<'b> {
    block: &'b DayBlock,
    zone_place: usize,
}

impl<'a> Usage<'a> {
    fn add_group<'b>(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        contracts: &[&Contract],
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<(), BillError> {
        let tariff = contracts[0].tariff;
        let zone_places: Vec<usize> =
            contracts.iter().map(|contract| run.zone_place(&contract.zone)).collect();
        let found = |contract: &Contract, day| {
            block(&BlockKey { usage_point: contract.usage_point, register: contract.register, day })
        };
        let (mut used_wh, mut current) = (0_i64, None);
        let mut days = Vec::with_capacity(contracts.len());
        for day in inputs.period.days() {
            let held = |contract: &Contract| contract.validity.contains(day);
            if !contracts.iter().any(|contract| held(contract)) {
                continue;
            }
            let version = match current {
                Some(at) if self.holds(at, day) => at,
                _ => self.version(run, inputs, &tariff, day)?,
            };
            current = Some(version);
            days.clear();
            for (contract, &zone_place) in contracts.iter().zip(&zone_places).filter(|(one, _)| held(one)) {
                self.versions[version].day_count += 1;
                if let Some(block) = found(contract, day) {
                    self.check(contract, run.day(zone_place, day).local, block)?;
                    days.push(HeldDay { block, zone_place });
                    continue;
                }
                // Only days of this contract: another customer's are no business of this bill.
                let own_days = inputs.period.days().filter(|day| contract.validity.contains(*day));
                let mut known = own_days.filter_map(|day| found(contract, day));
                let (usage_point, period) = (contract.usage_point, inputs.period);
                let like = known.next().ok_or(BillError::NoReadings { usage_point, period })?;
                let count = run.day(zone_place, day).local.interval_count(like.interval_minutes());
                self.completeness.expected += u32::from(count.unwrap_or(0));
                self.completeness.missing += u32::from(count.unwrap_or(0));
            }
            used_wh = self.versions[version].add_day(run, used_wh, &days);
        }
        Ok(())
    }

    /// Whether the version at `at` holds on `day`: then it is the tariff's only one that does.
    fn holds(&self, at: usize, day: Day) -> bool {
        self.versions[at].version.body.parts().validity.contains(day)
    }

    /// The index of the tariff version that holds on `day`.
    fn version(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        tariff: &Label,
        day: Day,
    ) -> Result<usize, BillError> {
        let no_tariff = BillError::NoTariff { tariff: *tariff, day };
        let version = inputs.tariffs.version(tariff, day).ok_or(no_tariff)?;
        Ok(self.versions.iter().position(|known| known.version.hash == version.hash).unwrap_or_else(|| {
            let energy_wh = [[0; ZONE_COUNT_MAX]; RANGE_COUNT_MAX];
            let table_place = run.table_place(version);
            self.versions.push(VersionUse { version, table_place, energy_wh, day_count: 0 });
            self.versions.len() - 1
        }))
    }

    /// Counts the block's intervals and checks that its day is the contract's local day.
    fn check(&mut self, contract: &Contract, local: LocalDay, block: &DayBlock) -> Result<(), BillError> {
        let fits = local.start == block.start()
            && local.interval_count(block.interval_minutes()).map(usize::from)
                == Some(block.interval_count());
        if !fits {
            let (usage_point, zone) = (contract.usage_point, contract.zone.name().to_owned());
            return Err(BillError::Zone { usage_point, day: local.day, zone });
        }
        let qualities = block.qualities();
        // Almost every day has one quality throughout: seen without a branch an interval, counted at once.
        let first = qualities[0];
        let differs = qualities.iter().fold(0, |seen, quality| seen | (quality.code() ^ first.code()));
        if differs == 0 {
            self.count(first, u32::try_from(qualities.len()).expect("a day has at most 300 intervals"));
        } else {
            qualities.iter().for_each(|&quality| self.count(quality, 1));
        }
        Ok(())
    }

    fn count(&mut self, quality: Quality, intervals: u32) {
        self.completeness.expected += intervals;
        match (quality.is_billable(), quality.is_estimated()) {
            (false, _) => self.completeness.missing += intervals,
            (true, true) => self.completeness.estimated += intervals,
            (true, false) => self.completeness.measured += intervals,
        }
    }
}

impl VersionUse<'_> {
    /// Adds one day of all the group's usage points; gives back the month's energy up to its end.
    fn add_day(&mut self, run: &mut RateRun, used_wh: i64, days: &[HeldDay<'_>]) -> i64 {
        let tariff = &self.version.body;
        let mut sums = [0_i64; ZONE_COUNT_MAX];
        for HeldDay { block, zone_place } in days {
            let day = run.sums(self.table_place, tariff, block, *zone_place);
            sums.iter_mut().zip(day).for_each(|(sum, wh)| *sum += wh);
        }
        let day_wh: i64 = sums.iter().sum();
        let (range, left_wh) = tariff.range_after(used_wh);
        if left_wh.is_none_or(|left| day_wh <= left) {
            self.energy_wh[range].iter_mut().zip(sums).for_each(|(sum, wh)| *sum += wh);
            return used_wh + day_wh;
        }
        // A range ends on this day: its intervals fill the ranges in order of time.
        let mut intervals: Vec<(UtcSeconds, usize, i64)> = Vec::new();
        for HeldDay { block, zone_place } in days {
            let zones = run.zones_of(self.table_place, tariff, block, *zone_place);
            for (at, (&wh, &zone)) in block.values_wh().iter().zip(zones).enumerate() {
                intervals.push((block.interval_start(at), usize::from(zone), i64::from(wh)));
            }
        }
        intervals.sort_by_key(|(start, _, _)| *start);
        let mut used = used_wh;
        for (_, zone, wh) in intervals {
            let mut rest = wh;
            while rest > 0 {
                let (range, left) = tariff.range_after(used);
                let taken = left.map_or(rest, |left| rest.min(left));
                self.energy_wh[range][zone] += taken;
                used += taken;
                rest -= taken;
            }
        }
        used
    }
}

impl Usage<'_> {
    fn into_bill(self, inputs: &BillInputs<'_>) -> Result<Bill, BillError> {
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
        let mut lines = self.lines();
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
        let tariffs: Vec<&Tariff> = self.versions.iter().map(|used| &used.version.body).collect();
        let mut bill = Bill {
            account: inputs.account,
            period: inputs.period,
            currency: first.currency,
            tariffs: self.versions.iter().map(|used| used.version.hash).collect(),
            agreement: inputs.agreement.hash,
            readings: inputs.readings,
            lines,
            vat,
            completeness: self.completeness,
            total,
            payee_part: ExactAmount::ZERO,
        };
        bill.payee_part = agreement.payee_part(&bill, &tariffs)?;
        Ok(bill)
    }

    /// Energy lines by (version, range, zone), then each version's fixed charge.
    fn lines(&self) -> Vec<ChargeLine> {
        let small = |number: usize| u8::try_from(number).expect("versions, ranges and zones are few");
        let mut lines = Vec::new();
        for (at, used) in self.versions.iter().enumerate() {
            let (version, parts) = (small(at), used.version.body.parts());
            let amount = Money::ZERO;
            for (range, zones) in used.energy_wh.iter().enumerate() {
                for (zone, &quantity) in zones.iter().enumerate().filter(|(_, wh)| **wh != 0) {
                    let price = parts.ranges[range].prices[zone];
                    let kind = ChargeKind::Energy { range: small(range), zone: small(zone) };
                    let exact = price.charge(Energy::from_wh(quantity));
                    lines.push(ChargeLine { version, kind, quantity, price, exact, amount });
                }
            }
            let (price, quantity) = (parts.fixed_per_day, used.day_count);
            if price.as_e8() != 0 && quantity != 0 {
                let days = u32::try_from(quantity).expect("usage-point-days of a month fit u32");
                let (kind, exact) = (ChargeKind::Fixed, price.charge_days(days));
                lines.push(ChargeLine { version, kind, quantity, price, exact, amount });
            }
        }
        lines
    }

    /// The tax by rate; `None` if a base does not fit 64-bit minor units.
    fn vat_lines(&self, lines: &[ChargeLine], rounding: crate::money::Rounding) -> Option<Vec<VatLine>> {
        let mut bases: BTreeMap<Vat, Money> = BTreeMap::new();
        for line in lines {
            let vat = self.versions[usize::from(line.version)].version.body.parts().vat;
            let base = bases.entry(vat).or_default();
            *base = base.checked_add(line.amount)?;
        }
        let taxed = bases.into_iter();
        Some(taxed.map(|(vat, base)| VatLine { vat, base, amount: tax(vat, base, rounding) }).collect())
    }
}

/// The tax in (or on) `base`, rounded once by the tariff's rule.
pub(crate) fn tax(vat: Vat, base: Money, rounding: crate::money::Rounding) -> Money {
    use crate::money::Rounding;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::{Party, SplitRule};
    use crate::calendar::Zone;
    use crate::money::PricePerKwh;
    use crate::payment_terms::PaymentTerms;
    use crate::quality::Quality;
    use crate::reading::Source;
    use crate::register::Register;
    use crate::tariff::tests::parts;
    use crate::validity::Validity;

    /// Each line fits 64-bit minor units, their sum does not: said, not panicked over.
    #[test]
    fn a_sum_of_lines_past_the_range_is_an_error() {
        let day = |text: &str| -> Day { text.parse().unwrap() };
        let always = Validity::new(day("2000-01-01"), None).unwrap();
        let mut book = TariffBook::default();
        for (number, from, to) in [(1, "2026-03-01", Some("2026-03-02")), (2, "2026-03-02", None)] {
            let mut parts = parts("all 00:00-24:00", &[&["90000000000"]], &[]);
            parts.validity = Validity::new(day(from), to.map(day)).unwrap();
            parts.round_each = RoundEach::Line;
            parts.fixed_per_day = PricePerKwh::default();
            let hash = ContentHash([number; 32]);
            book.publish(Published { hash, body: Tariff::new(parts).unwrap() }).unwrap();
        }
        let body = Agreement {
            id: "a".parse().unwrap(),
            title: String::new(),
            currency: "RUB".parse().unwrap(),
            validity: always,
            payee: Party::Grid,
            remainder: Party::Supplier,
            rule: SplitRule::Share(0),
            terms: PaymentTerms::default(),
        };
        let contract = Contract {
            account: "A".parse().unwrap(),
            usage_point: "P".parse().unwrap(),
            register: Register::IMPORT,
            zone: Zone::parse("UTC").unwrap(),
            tariff: "test".parse().unwrap(),
            agreement: "a".parse().unwrap(),
            validity: always,
        };
        let blocks = ["2026-03-01", "2026-03-02"].map(|text| {
            let key =
                BlockKey { usage_point: contract.usage_point, register: Register::IMPORT, day: day(text) };
            let start = contract.zone.local_day(key.day).start;
            let values = vec![40_000_000; 24];
            DayBlock::from_parts(key, start, 60, Source::Synthetic, values, vec![Quality::Valid; 24]).unwrap()
        });
        let inputs = BillInputs {
            account: contract.account,
            period: "2026-03".parse().unwrap(),
            contracts: std::slice::from_ref(&contract),
            tariffs: &book,
            agreement: &Published { hash: ContentHash::default(), body },
            readings: ContentHash::default(),
        };
        let billed = bill(&inputs, &|key| blocks.iter().find(|block| block.key() == *key));
        assert_eq!(billed, Err(BillError::Overflow(contract.account)));
    }
}
