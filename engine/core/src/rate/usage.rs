//! The billing determinants of one account: what was used under each tariff version, before any price.
//!
//! ```text
//!   day by day    zone sums; in order of time also the ranges; the highest power of each demand charge
//!   at the end    ranges that need no order; each month's peak to the version that holds on its day
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::carry::Carry;
use super::measures::MeasuredDay;
use super::packages;
use super::peaks::{PointPeaks, charge_peaks};
use super::run::RateRun;
use super::series::MarketUse;
use super::{BillError, BillInputs};
use crate::bill::{ChargeKind, Completeness};
use crate::calendar::{Day, LocalDay, UtcSeconds};
use crate::contract::{Contract, PriceOverride};
use crate::day_block::{BlockKey, DayBlock};
use crate::hash::{ContentHash, Published};
use crate::label::Label;
use crate::quality::Quality;
use crate::tariff::{
    DemandMeasure, DeviationSide, RANGE_COUNT_MAX, RangeCounting, RangeKind, Tariff, ZONE_COUNT_MAX,
    effective_bounds,
};

/// Billing determinants of one account.
#[derive(Default)]
pub(super) struct Usage<'a> {
    pub(super) versions: Vec<VersionUse<'a>>,
    pub(super) completeness: Completeness,
    /// Price series, lists of hours and plans that were used.
    pub(super) market: BTreeSet<ContentHash>,
    /// What the bill stands on and hands on.
    pub(super) carry: Carry<'a>,
}

/// What was used under one tariff version.
pub(super) struct VersionUse<'a> {
    pub(super) version: &'a Published<Tariff>,
    /// The contracts' own prices.
    pub(super) overrides: &'a [PriceOverride],
    /// Its tables in the run.
    pub(super) table_place: usize,
    /// Watt-hours by range and zone.
    pub(super) energy_wh: [[i64; ZONE_COUNT_MAX]; RANGE_COUNT_MAX],
    /// Usage-point-days.
    pub(super) day_count: i64,
    /// Watts by demand charge and range.
    pub(super) demand_w: BTreeMap<(u8, u8), i64>,
    /// Packages and flat fees, by charge.
    pub(super) counts: BTreeMap<ChargeKind, i64>,
    /// Watt-hours times the series' price of their interval, 10^-11, by range and zone.
    pub(super) series_e11: BTreeMap<(u8, u8), i128>,
    /// Watt-hours above and below the plan, and what they cost, 10^-11.
    pub(super) deviations: BTreeMap<DeviationSide, (i64, i128)>,
}

/// One usage point's day, and the place of its zone in the run.
pub(super) struct HeldDay<'b> {
    pub(super) block: &'b DayBlock,
    pub(super) zone_place: usize,
}

/// How far a group of contracts has come through its ranges, in order of time.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) used_wh: i64,
    /// Bounds of the version that holds.
    pub(super) bounds: Vec<Option<i64>>,
}

impl<'a> Usage<'a> {
    /// Adds the contracts of one tariff, whose versions stand from `first_version` on.
    pub(super) fn add_group<'b>(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        contracts: &[&'a Contract],
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
        first_version: usize,
    ) -> Result<(), BillError> {
        let tariff = contracts[0].tariff;
        let zone_places: Vec<usize> =
            contracts.iter().map(|contract| run.zone_place(&contract.zone)).collect();
        let found = |contract: &Contract, day| {
            block(&BlockKey { usage_point: contract.usage_point, register: contract.register, day })
        };
        let is_held = |day: Day| contracts.iter().any(|contract| contract.validity.contains(day));
        let held_days = inputs.period.days().filter(|day| is_held(*day));
        let held_count = || u32::try_from(held_days.clone().count()).expect("a month has at most 31 days");
        let needs_month_peak = needs_month_peak(inputs, &tariff);
        let mut peaks: BTreeMap<_, PointPeaks> = BTreeMap::new();
        let (mut progress, mut current) = (Progress::default(), None);
        let mut days = Vec::with_capacity(contracts.len());
        for day in held_days.clone() {
            let version = match current {
                Some(at) if self.holds(at, day) => at,
                _ => self.version(run, inputs, contracts[0], day)?,
            };
            if current != Some(version) {
                progress.bounds = self.versions[version].bounds(&held_count, 0);
            }
            current = Some(version);
            days.clear();
            let held = contracts.iter().zip(&zone_places).filter(|(one, _)| one.validity.contains(day));
            for (contract, &zone_place) in held {
                let used = &mut self.versions[version];
                used.day_count += 1;
                if let Some(block) = found(contract, day) {
                    let local = run.day(zone_place, day).local;
                    self.check(contract, local, block)?;
                    let used = &self.versions[version];
                    if needs_month_peak || !used.version.body.parts().demands.is_empty() {
                        let demands = run.demands_of(used.table_place, &used.version.body, block, zone_place);
                        let point = peaks.entry((contract.usage_point, contract.register)).or_default();
                        point.add_day(version, used.version.body.parts(), block, demands);
                        let tariff = &used.version.body;
                        if tariff
                            .parts()
                            .demands
                            .iter()
                            .any(|demand| demand.measure != DemandMeasure::Highest)
                        {
                            let (account, book) = (inputs.account, inputs.market);
                            let mut market = MarketUse { account, book, used: &mut self.market };
                            let measured = MeasuredDay { block, local, demands };
                            point.means.add_day(version, tariff, &measured, &mut market)?;
                        }
                    }
                    days.push(HeldDay { block, zone_place });
                    continue;
                }
                self.count_missing(run, inputs, contract, zone_place, day, block)?;
            }
            let used = &mut self.versions[version];
            if used.version.body.parts().series.is_empty() {
                used.add_day(run, &mut progress, &days);
            } else {
                let (account, book) = (inputs.account, inputs.market);
                let mut market = MarketUse { account, book, used: &mut self.market };
                used.add_priced_day(run, &mut progress, &days, &mut market)?;
            }
        }
        let group = &mut self.versions[first_version..];
        self.carry.take_off(group, first_version);
        if group.iter().any(VersionUse::waits) {
            let peak_w = peaks.values().map(PointPeaks::highest_w).sum();
            fill_ranges(group, &held_count, peak_w);
        }
        if group.iter().any(|used| packages::is_sold(used.version.body.parts())) {
            let peak_w = peaks.values().map(PointPeaks::highest_w).sum();
            packages::count(group, &|used| used.bounds(&held_count, peak_w));
        }
        for (&of, point) in &peaks {
            charge_peaks(group, first_version, point, |parts, charge, peak_w| {
                self.carry.ratchet(of, parts, charge, inputs.period, peak_w)
            });
        }
        if group.iter().any(|used| used.version.body.parts().deviation.is_some()) {
            self.add_deviations(run, inputs, contracts, block, first_version)?;
        }
        Ok(())
    }

    /// Counts a day without readings: as many intervals as the contract's first day with some would have.
    pub(super) fn count_missing<'b>(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        contract: &Contract,
        zone_place: usize,
        day: Day,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<(), BillError> {
        let Contract { usage_point, register, .. } = *contract;
        // Only days of this contract: another customer's are no business of this bill.
        let own_days = inputs.period.days().filter(|day| contract.validity.contains(*day));
        let mut known = own_days.filter_map(|day| block(&BlockKey { usage_point, register, day }));
        let period = inputs.period;
        let like = known.next().ok_or(BillError::NoReadings { usage_point, period })?;
        let count = run.day(zone_place, day).local.interval_count(like.interval_minutes());
        self.completeness.expected += u32::from(count.unwrap_or(0));
        self.completeness.missing += u32::from(count.unwrap_or(0));
        Ok(())
    }

    /// Whether the version at `at` holds on `day`: then it is the tariff's only one that does.
    fn holds(&self, at: usize, day: Day) -> bool {
        self.versions[at].version.body.parts().validity.contains(day)
    }

    /// The index of the contract's tariff version that holds on `day`, with the prices of its own.
    pub(super) fn version(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        contract: &'a Contract,
        day: Day,
    ) -> Result<usize, BillError> {
        let Contract { tariff, overrides, .. } = contract;
        let no_tariff = BillError::NoTariff { tariff: *tariff, day };
        let version = inputs.tariffs.version(tariff, day).ok_or(no_tariff)?;
        let is_same = |known: &VersionUse<'_>| {
            known.version.hash == version.hash && known.overrides == overrides.as_slice()
        };
        Ok(self.versions.iter().position(is_same).unwrap_or_else(|| {
            self.versions.push(VersionUse {
                version,
                overrides,
                table_place: run.table_place(version),
                energy_wh: [[0; ZONE_COUNT_MAX]; RANGE_COUNT_MAX],
                day_count: 0,
                demand_w: BTreeMap::new(),
                counts: BTreeMap::new(),
                series_e11: BTreeMap::new(),
                deviations: BTreeMap::new(),
            });
            self.versions.len() - 1
        }))
    }

    /// Counts the block's intervals and checks that its day is the contract's local day.
    pub(super) fn check(
        &mut self,
        contract: &Contract,
        local: LocalDay,
        block: &DayBlock,
    ) -> Result<(), BillError> {
        if !fits(local, block) {
            return Err(Self::misfit(contract, local.day));
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

    /// A day block does not begin or end with the contract's local day.
    pub(super) fn misfit(contract: &Contract, day: Day) -> BillError {
        BillError::Zone { usage_point: contract.usage_point, day, zone: contract.zone.name().to_owned() }
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
    /// Whether ranges are filled as the month goes; else its energy waits in the first range for [`fill_ranges`].
    fn fills_in_order(&self) -> bool {
        let parts = self.version.body.parts();
        parts.range_rule.needs_order() && !parts.range_rule.unit.needs_peak()
    }

    /// Whether energy of its first range belongs to others too.
    fn waits(&self) -> bool {
        self.version.body.parts().ranges.len() > 1 && !self.fills_in_order()
    }

    /// The bounds of its ranges; days are only counted where they matter.
    fn bounds(&self, day_count: &dyn Fn() -> u32, peak_w: i64) -> Vec<Option<i64>> {
        let parts = self.version.body.parts();
        let day_count = if parts.range_rule.unit.needs_days() { day_count() } else { 0 };
        effective_bounds(parts, day_count, peak_w)
    }

    /// Watt-hours by range, as far as the tariff has ranges.
    pub(super) fn ranges_wh(&self) -> &[[i64; ZONE_COUNT_MAX]] {
        &self.energy_wh[..self.version.body.parts().ranges.len()]
    }

    /// Adds one day of all the group's usage points.
    fn add_day(&mut self, run: &mut RateRun, progress: &mut Progress, days: &[HeldDay<'_>]) {
        let tariff = &self.version.body;
        let mut sums = [0_i64; ZONE_COUNT_MAX];
        for HeldDay { block, zone_place } in days {
            let day = run.sums(self.table_place, tariff, block, *zone_place);
            sums.iter_mut().zip(day).for_each(|(sum, wh)| *sum += wh);
        }
        let day_wh: i64 = sums.iter().sum();
        let (range, left_wh) =
            if self.fills_in_order() { range_after(&progress.bounds, progress.used_wh) } else { (0, None) };
        if left_wh.is_none_or(|left| day_wh <= left) {
            self.energy_wh[range].iter_mut().zip(sums).for_each(|(sum, wh)| *sum += wh);
            progress.used_wh += day_wh;
            return;
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
        for (_, zone, wh) in intervals {
            for (range, taken_wh) in slices(&progress.bounds, progress.used_wh, wh) {
                self.energy_wh[range][zone] += taken_wh;
            }
            progress.used_wh += wh;
        }
    }
}

/// Whether a block fills a local day.
pub(super) fn fits(local: LocalDay, block: &DayBlock) -> bool {
    local.start == block.start()
        && local.interval_count(block.interval_minutes()).map(usize::from) == Some(block.interval_count())
}

/// Whether a version of the tariff has bounds a kilowatt: they follow from the month's peak, also where another version
/// holds on its day.
fn needs_month_peak(inputs: &BillInputs<'_>, tariff: &Label) -> bool {
    let mut versions = inputs.tariffs.versions().iter().map(|version| version.body.parts());
    versions.any(|parts| parts.range_rule.unit.needs_peak() && parts.id == *tariff)
}

/// Which range the watt-hour after `used_wh` falls into, and how many watt-hours are left in it.
pub(super) fn range_after(bounds: &[Option<i64>], used_wh: i64) -> (usize, Option<i64>) {
    let at = bounds.iter().position(|bound| bound.is_none_or(|bound| used_wh < bound));
    let at = at.expect("the last range has no bound: checked when the tariff was built");
    (at, bounds[at].map(|bound| bound - used_wh))
}

/// The parts of the `wh` watt-hours after `used_wh` by range: graduated.
pub(super) fn slices(
    bounds: &[Option<i64>],
    used_wh: i64,
    wh: i64,
) -> impl Iterator<Item = (usize, i64)> + '_ {
    let (mut used_wh, mut rest_wh) = (used_wh, wh);
    std::iter::from_fn(move || {
        let (range, left_wh) = range_after(bounds, used_wh);
        let taken_wh = left_wh.map_or(rest_wh, |left_wh| rest_wh.min(left_wh));
        (used_wh, rest_wh) = (used_wh + taken_wh, rest_wh - taken_wh);
        (taken_wh > 0).then_some((range, taken_wh))
    })
}

/// Spreads what waits in the first range of each version over the ranges, for range rules that need no order. The
/// month goes on from version to version.
fn fill_ranges(group: &mut [VersionUse<'_>], day_count: &dyn Fn() -> u32, peak_w: i64) {
    let month_wh: i64 = group.iter().flat_map(|used| used.ranges_wh().iter().flatten()).sum();
    let mut month_zones_wh: BTreeMap<Label, i64> = BTreeMap::new();
    for used in group.iter() {
        for (at, zone) in used.version.body.parts().zones.iter().enumerate() {
            *month_zones_wh.entry(zone.name).or_default() +=
                used.ranges_wh().iter().map(|zones| zones[at]).sum::<i64>();
        }
    }
    let mut used_wh = 0;
    let mut used_zones_wh: BTreeMap<Label, i64> = BTreeMap::new();
    for used in group {
        let parts = used.version.body.parts();
        let version_wh: i64 = used.ranges_wh().iter().flatten().sum();
        if used.waits() {
            let bounds = used.bounds(day_count, peak_w);
            let waiting = std::mem::replace(&mut used.energy_wh[0], [0; ZONE_COUNT_MAX]);
            let by_range: Vec<(usize, i64)> = slices(&bounds, used_wh, version_wh).collect();
            for (at, zone) in parts.zones.iter().enumerate() {
                let wh = waiting[at];
                let each_zone = parts.range_rule.counting == RangeCounting::EachZone;
                let filled: Vec<(usize, i64)> = match (parts.range_rule.kind, each_zone) {
                    (RangeKind::Volume, _) => {
                        let total_wh = if each_zone { month_zones_wh[&zone.name] } else { month_wh };
                        vec![(range_after(&bounds, (total_wh - 1).max(0)).0, wh)]
                    }
                    (RangeKind::Graduated | RangeKind::Package, true) => {
                        let before_wh = used_zones_wh.get(&zone.name).copied().unwrap_or(0);
                        slices(&bounds, before_wh, wh).collect()
                    }
                    (RangeKind::Graduated | RangeKind::Package, false) => shares(wh, &by_range, version_wh),
                };
                for (range, part_wh) in filled {
                    used.energy_wh[range][at] += part_wh;
                }
            }
        }
        for (at, zone) in parts.zones.iter().enumerate() {
            *used_zones_wh.entry(zone.name).or_default() +=
                used.ranges_wh().iter().map(|zones| zones[at]).sum::<i64>();
        }
        used_wh += version_wh;
    }
}

/// `wh` in the proportions of `by_range`, which add up to `total_wh`: whole watt-hours by largest remainder, the
/// lower range first among equal ones.
fn shares(wh: i64, by_range: &[(usize, i64)], total_wh: i64) -> Vec<(usize, i64)> {
    if total_wh == 0 {
        return Vec::new();
    }
    let total = i128::from(total_wh);
    let product = |part_wh: i64| i128::from(wh) * i128::from(part_wh);
    let whole =
        |part_wh: i64| i64::try_from(product(part_wh) / total).expect("a share is no more than the whole");
    let mut parts: Vec<(usize, i64)> =
        by_range.iter().map(|&(range, part_wh)| (range, whole(part_wh))).collect();
    let left = wh - parts.iter().map(|(_, part_wh)| part_wh).sum::<i64>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(product(by_range[at].1) % total));
    for &at in order.iter().take(usize::try_from(left).expect("fewer than there are parts")) {
        parts[at].1 += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_fill_in_order() {
        let bounds = [Some(3_900), Some(6_000), None];
        for (used, wh, want) in [
            (0, 3_900, vec![(0, 3_900)]),
            (0, 3_901, vec![(0, 3_900), (1, 1)]),
            (3_899, 3_000, vec![(0, 1), (1, 2_100), (2, 899)]),
            (6_000, 5, vec![(2, 5)]),
            (9, 0, vec![]),
        ] {
            assert_eq!(slices(&bounds, used, wh).collect::<Vec<_>>(), want, "{wh} Wh after {used}");
        }
    }

    #[test]
    fn shares_lose_nothing() {
        for (wh, by_range, want) in [
            (10, vec![(0, 1), (1, 1), (2, 1)], vec![4, 3, 3]),
            (5, vec![(0, 2), (1, 2)], vec![3, 2]),
            (7, vec![(0, 6), (1, 1)], vec![6, 1]),
            (0, vec![(0, 6), (1, 1)], vec![0, 0]),
        ] {
            let total = by_range.iter().map(|(_, wh)| wh).sum();
            let got: Vec<i64> = shares(wh, &by_range, total).into_iter().map(|(_, wh)| wh).collect();
            assert_eq!(got, want, "{wh} Wh by {by_range:?}");
        }
        assert_eq!(shares(0, &[], 0), []);
    }
}
