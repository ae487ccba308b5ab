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

use std::collections::BTreeMap;

use crate::agreement::{Agreement, AgreementError};
use crate::bill::{Bill, ChargeKind, ChargeLine, Completeness, VERSION_COUNT_MAX, VatLine};
use crate::calendar::{Day, Period, UtcSeconds};
use crate::contract::Contract;
use crate::day_block::{BlockKey, DayBlock};
use crate::energy::Energy;
use crate::hash::{ContentHash, Published};
use crate::label::{AccountId, Label, UsagePointId};
use crate::money::{ExactAmount, Money, div_half_even, div_half_up};
use crate::tariff::{RoundEach, Tariff, TariffBook, Vat};

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

/// Computes the bill. `block` finds the period's day block of a register-day.
///
/// # Errors
/// [`BillError`].
pub fn bill<'b>(
    inputs: &BillInputs<'_>,
    block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
) -> Result<Bill, BillError> {
    let mut usage = Usage::default();
    for (tariff, contracts) in by_tariff(inputs.contracts) {
        usage.add_group(inputs, &tariff, &contracts, block)?;
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

/// Contracts of one tariff share its ranges.
fn by_tariff(contracts: &[Contract]) -> BTreeMap<Label, Vec<&Contract>> {
    let mut groups: BTreeMap<Label, Vec<&Contract>> = BTreeMap::new();
    for contract in contracts {
        groups.entry(contract.tariff).or_default().push(contract);
    }
    groups
}

/// Billing determinants of one account.
#[derive(Default)]
struct Usage<'a> {
    versions: Vec<&'a Published<Tariff>>,
    /// Watt-hours by (version, range, zone).
    energy: BTreeMap<(usize, usize, usize), i64>,
    /// Usage-point-days by version.
    days: BTreeMap<usize, i64>,
    completeness: Completeness,
    tables: ZoneTables,
}

impl<'a> Usage<'a> {
    fn add_group<'b>(
        &mut self,
        inputs: &BillInputs<'a>,
        tariff: &Label,
        contracts: &[&Contract],
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<(), BillError> {
        let mut used_wh = 0_i64;
        let found = |contract: &Contract, day| {
            block(&BlockKey { usage_point: contract.usage_point, register: contract.register, day })
        };
        for day in inputs.period.days() {
            let held: Vec<&Contract> =
                contracts.iter().copied().filter(|contract| contract.validity.contains(day)).collect();
            if held.is_empty() {
                continue;
            }
            let version = self.version(inputs, tariff, day)?;
            let mut blocks = Vec::with_capacity(held.len());
            for contract in held {
                *self.days.entry(version).or_default() += 1;
                match found(contract, day) {
                    Some(found) => blocks.push((self.checked(contract, found)?, contract)),
                    None => {
                        // Only days of this contract: another customer's are no business of this bill.
                        let own_days = inputs.period.days().filter(|day| contract.validity.contains(*day));
                        let mut known = own_days.filter_map(|day| found(contract, day));
                        let (usage_point, period) = (contract.usage_point, inputs.period);
                        let like = known.next().ok_or(BillError::NoReadings { usage_point, period })?;
                        let count = contract.zone.local_day(day).interval_count(like.interval_minutes());
                        self.completeness.expected += u32::from(count.unwrap_or(0));
                        self.completeness.missing += u32::from(count.unwrap_or(0));
                    }
                }
            }
            used_wh = self.add_day(version, used_wh, &blocks);
        }
        Ok(())
    }

    /// The index of the tariff version that holds on `day`.
    fn version(&mut self, inputs: &BillInputs<'a>, tariff: &Label, day: Day) -> Result<usize, BillError> {
        let no_tariff = BillError::NoTariff { tariff: *tariff, day };
        let version = inputs.tariffs.version(tariff, day).ok_or(no_tariff)?;
        Ok(self.versions.iter().position(|known| known.hash == version.hash).unwrap_or_else(|| {
            self.versions.push(version);
            self.versions.len() - 1
        }))
    }

    /// Counts the block's intervals and checks that its day is the contract's local day.
    fn checked<'b>(&mut self, contract: &Contract, block: &'b DayBlock) -> Result<&'b DayBlock, BillError> {
        let day = block.key().day;
        let local = contract.zone.local_day(day);
        let fits = local.start == block.start()
            && local.interval_count(block.interval_minutes()).map(usize::from)
                == Some(block.interval_count());
        if !fits {
            let (usage_point, zone) = (contract.usage_point, contract.zone.name().to_owned());
            return Err(BillError::Zone { usage_point, day, zone });
        }
        for quality in block.qualities() {
            self.completeness.expected += 1;
            match (quality.is_billable(), quality.is_estimated()) {
                (false, _) => self.completeness.missing += 1,
                (true, true) => self.completeness.estimated += 1,
                (true, false) => self.completeness.measured += 1,
            }
        }
        Ok(block)
    }

    /// Adds one day of all the group's usage points; gives back the month's energy up to its end.
    fn add_day(&mut self, version: usize, used_wh: i64, blocks: &[(&DayBlock, &Contract)]) -> i64 {
        let tariff = &self.versions[version].body;
        let day_wh: i64 = blocks.iter().map(|(block, _)| block.total_wh()).sum();
        let (range, left_wh) = tariff.range_after(used_wh);
        if left_wh.is_none_or(|left| day_wh <= left) {
            for (block, contract) in blocks {
                let zones = self.tables.zones_of(version, tariff, block, contract);
                let mut sums = [0_i64; crate::tariff::ZONE_COUNT_MAX];
                for (&wh, &zone) in block.values_wh().iter().zip(zones) {
                    sums[usize::from(zone)] += i64::from(wh);
                }
                for (zone, &wh) in sums.iter().enumerate().filter(|(_, wh)| **wh != 0) {
                    *self.energy.entry((version, range, zone)).or_default() += wh;
                }
            }
            return used_wh + day_wh;
        }
        // A range ends on this day: its intervals fill the ranges in order of time.
        let mut intervals: Vec<(UtcSeconds, usize, i64)> = Vec::new();
        for (block, contract) in blocks {
            let zones = self.tables.zones_of(version, tariff, block, contract);
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
                *self.energy.entry((version, range, zone)).or_default() += taken;
                used += taken;
                rest -= taken;
            }
        }
        used
    }

    fn into_bill(self, inputs: &BillInputs<'_>) -> Result<Bill, BillError> {
        let first = self.versions[0].body.parts();
        let agreement = &inputs.agreement.body;
        let mixed = self.versions.iter().map(|version| version.body.parts()).any(|parts| {
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
        let tariffs: Vec<&Tariff> = self.versions.iter().map(|version| &version.body).collect();
        let mut bill = Bill {
            account: inputs.account,
            period: inputs.period,
            currency: first.currency,
            tariffs: self.versions.iter().map(|version| version.hash).collect(),
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
        for (at, version) in self.versions.iter().enumerate() {
            let parts = version.body.parts();
            for (&(_, range, zone), &wh) in self.energy.range((at, 0, 0)..(at + 1, 0, 0)) {
                let price = parts.ranges[range].prices[zone];
                let kind = ChargeKind::Energy { range: small(range), zone: small(zone) };
                let exact = price.charge(Energy::from_wh(wh));
                lines.push(ChargeLine {
                    version: small(at),
                    kind,
                    quantity: wh,
                    price,
                    exact,
                    amount: Money::ZERO,
                });
            }
            let days = self.days.get(&at).copied().unwrap_or(0);
            let price = parts.fixed_per_day;
            if price.as_e8() != 0 && days != 0 {
                let exact =
                    price.charge_days(u32::try_from(days).expect("usage-point-days of a month fit u32"));
                let kind = ChargeKind::Fixed;
                lines.push(ChargeLine {
                    version: small(at),
                    kind,
                    quantity: days,
                    price,
                    exact,
                    amount: Money::ZERO,
                });
            }
        }
        lines
    }

    /// The tax by rate; `None` if a base does not fit 64-bit minor units.
    fn vat_lines(&self, lines: &[ChargeLine], rounding: crate::money::Rounding) -> Option<Vec<VatLine>> {
        let mut bases: BTreeMap<Vat, Money> = BTreeMap::new();
        for line in lines {
            let vat = self.versions[usize::from(line.version)].body.parts().vat;
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

/// Zone of every interval of a day, computed once for days that look alike.
#[derive(Default)]
struct ZoneTables {
    ordinary: BTreeMap<(usize, bool, u8), Vec<u8>>,
    /// The last day with a clock change: such days are few, and not alike.
    odd: Vec<u8>,
}

impl ZoneTables {
    fn zones_of(&mut self, version: usize, tariff: &Tariff, block: &DayBlock, contract: &Contract) -> &[u8] {
        let is_weekend = block.key().day.is_weekend();
        let minutes = block.interval_minutes();
        let small = |zone: usize| u8::try_from(zone).expect("a tariff has at most 8 zones");
        let last = block.interval_start(block.interval_count() - 1);
        let last_minute = 24 * 60 - u16::from(minutes);
        // Ordinary: the wall clock runs from midnight to midnight without a jump.
        let is_ordinary = contract.zone.wall_minute(block.start()) == 0
            && contract.zone.wall_minute(last) == last_minute
            && block.interval_count() * usize::from(minutes) == 24 * 60;
        if is_ordinary {
            return self.ordinary.entry((version, is_weekend, minutes)).or_insert_with(|| {
                let starts = (0..24 * 60).step_by(usize::from(minutes));
                starts.map(|minute| small(tariff.zone_at(is_weekend, minute))).collect()
            });
        }
        self.odd = (0..block.interval_count())
            .map(|at| small(tariff.zone_at(is_weekend, contract.zone.wall_minute(block.interval_start(at)))))
            .collect();
        &self.odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::{Party, SplitRule};
    use crate::calendar::Zone;
    use crate::money::PricePerKwh;
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
