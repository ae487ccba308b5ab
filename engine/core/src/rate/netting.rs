//! Netting of energy fed in against energy taken, before zones and ranges.
//!
//! ```text
//!   interval       both channels' days ─▶ what both have in a stretch is taken off both, the earliest intervals first
//!                                          ─▶ import: rated as any other      ─▶ export: credited by zone
//!   over a month   zone sums of both   ─▶ what both have is taken off the import's sums before ranges are filled
//!                                          ─▶ what is left: credited, or carried as kilowatt-hours
//! ```
//!
//! Each usage point by itself, with one import and one export register on a day. Demand charges see the import after
//! netting by interval, else as it was metered. A day without export readings is a day whose export is not known: its
//! intervals count as missing, and a month without any has no bill.

use std::collections::BTreeMap;

use super::carry::{Credit, month_of};
use super::run::RateRun;
use super::usage::{Usage, fits};
use super::{BillError, BillInputs};
use crate::calendar::Day;
use crate::contract::Contract;
use crate::day_block::{BlockKey, DayBlock};
use crate::label::UsagePointId;
use crate::register::Flow;
use crate::tariff::{Netting, NettingMode, TariffParts, ZONE_COUNT_MAX};

/// Watt-hours by zone.
type Zones = [i64; ZONE_COUNT_MAX];

/// The contracts of one usage point, and the places of their zones in the run.
#[derive(Default)]
struct Point<'c> {
    imports: Vec<(&'c Contract, usize)>,
    exports: Vec<(&'c Contract, usize)>,
}

/// What a usage point took and fed in under one version.
#[derive(Default)]
struct Flows {
    import_wh: Zones,
    export_wh: Zones,
}

impl<'a> Usage<'a> {
    /// Adds the contracts of one tariff, of which some are of export registers, or whose usage points have credit.
    pub(super) fn add_netted_group<'b>(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        contracts: &[&'a Contract],
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<(), BillError> {
        let tariff = contracts[0].tariff;
        let first_version = self.versions.len();
        let is_held = |day: &Day| contracts.iter().any(|contract| contract.validity.contains(*day));
        let mut versions: BTreeMap<Day, usize> = BTreeMap::new();
        for day in inputs.period.days().filter(is_held) {
            versions.insert(day, self.version(run, inputs, contracts[0], day)?);
        }
        let nets = |at: usize| self.versions[at].version.body.parts().netting.is_some();
        let netting_count = (first_version..self.versions.len()).filter(|at| nets(*at)).count();
        if netting_count == 0 {
            return self.add_group(run, inputs, contracts, block, first_version);
        }
        if netting_count < self.versions.len() - first_version {
            return Err(BillError::NettingMixed(tariff));
        }
        let mut points: BTreeMap<UsagePointId, Point<'_>> = BTreeMap::new();
        for &contract in contracts {
            let point = points.entry(contract.usage_point).or_default();
            let place = run.zone_place(&contract.zone);
            match contract.register.flow {
                Flow::Import => point.imports.push((contract, place)),
                Flow::Export => point.exports.push((contract, place)),
                Flow::ReactiveImport | Flow::ReactiveExport => {
                    return Err(BillError::NettingFlow(contract.usage_point));
                }
            }
        }
        let mut netted: BTreeMap<BlockKey, DayBlock> = BTreeMap::new();
        for (&usage_point, point) in &points {
            self.net_point(run, inputs, (usage_point, point), &versions, block, &mut netted)?;
        }
        let imports: Vec<&'a Contract> =
            contracts.iter().copied().filter(|contract| contract.register.flow == Flow::Import).collect();
        if imports.is_empty() {
            return Ok(());
        }
        let find = |key: &BlockKey| netted.get(key).or_else(|| block(key));
        self.add_group(run, inputs, &imports, &find, first_version)
    }

    /// One usage point's month, day by day, then what is over the month.
    fn net_point<'b>(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        (usage_point, point): (UsagePointId, &Point<'_>),
        versions: &BTreeMap<Day, usize>,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
        netted: &mut BTreeMap<BlockKey, DayBlock>,
    ) -> Result<(), BillError> {
        let mut flows: BTreeMap<usize, Flows> = BTreeMap::new();
        for (&day, &version) in versions {
            let import = held_on(&point.imports, usage_point, day)?;
            let export = held_on(&point.exports, usage_point, day)?;
            let found = |(contract, _): (&Contract, usize)| {
                block(&BlockKey { usage_point, register: contract.register, day })
            };
            let flow = flows.entry(version).or_default();
            let Netting { mode, minutes, .. } = *self.netting_of(version);
            let taken = import.and_then(found);
            let given = export.and_then(found);
            for ((contract, place), one) in [import.zip(taken), export.zip(given)].into_iter().flatten() {
                if !fits(run.day(place, day).local, one) {
                    return Err(Usage::misfit(contract, day));
                }
            }
            if let Some((contract, place)) = export {
                match given {
                    Some(given) => self.check(contract, run.day(place, day).local, given)?,
                    None => self.count_missing(run, inputs, contract, place, day, block)?,
                }
            }
            let pair = (mode == NettingMode::Interval).then_some(taken.zip(given)).flatten();
            let pair = pair.map(|(taken, given)| net_day(taken, given, minutes));
            if let Some(((_, place), given)) = export.zip(pair.as_ref().map(|(_, given)| given).or(given)) {
                let sums = self.zone_sums(run, version, given, place);
                flow.export_wh.iter_mut().zip(sums).for_each(|(sum, wh)| *sum += wh);
            }
            if let Some(((_, place), taken)) = import.zip(taken).filter(|_| mode.is_monthly()) {
                let sums = self.zone_sums(run, version, taken, place);
                flow.import_wh.iter_mut().zip(sums).for_each(|(sum, wh)| *sum += wh);
            }
            if let Some((taken, _)) = pair {
                netted.insert(taken.key(), taken);
            }
        }
        self.net_month(inputs, (usage_point, point), flows);
        Ok(())
    }

    fn netting_of(&self, version: usize) -> &'a Netting {
        let netting = self.versions[version].version.body.parts().netting.as_ref();
        netting.expect("every version of the group nets")
    }

    /// A day's energy by zone of a version.
    fn zone_sums(&self, run: &mut RateRun, version: usize, block: &DayBlock, zone_place: usize) -> Zones {
        let used = &self.versions[version];
        run.sums(used.table_place, &used.version.body, block, zone_place)
    }

    /// Version by version: what is taken off the import, what is credited; credit goes on to the next.
    fn net_month(
        &mut self,
        inputs: &BillInputs<'a>,
        (usage_point, point): (UsagePointId, &Point<'_>),
        flows: BTreeMap<usize, Flows>,
    ) {
        let carries = |at: &usize| self.netting_of(*at).mode == NettingMode::MonthCarry;
        let last_carrying = flows.keys().copied().rfind(carries);
        let mut credit =
            if last_carrying.is_some() { self.carry.take_credit(usage_point) } else { Credit::new() };
        for (version, flow) in flows {
            let parts = self.versions[version].version.body.parts();
            let netting = self.netting_of(version);
            let mut off_wh: Zones = [0; ZONE_COUNT_MAX];
            let mut left_wh = flow.export_wh;
            if netting.mode == NettingMode::MonthCarry {
                off_wh = net_with_credit(parts, netting, &flow, &mut credit);
                left_wh = [0; ZONE_COUNT_MAX];
            } else if netting.mode == NettingMode::ZoneMonth {
                for zone in 0..parts.zones.len() {
                    off_wh[zone] = flow.import_wh[zone].min(flow.export_wh[zone]);
                    left_wh[zone] -= off_wh[zone];
                }
            }
            if off_wh.iter().any(|wh| *wh != 0) {
                self.carry.netted_off.push((version, off_wh));
            }
            for (zone, wh) in (0_u8..).zip(left_wh).filter(|(_, wh)| *wh != 0) {
                *self.carry.export_wh.entry((version, zone)).or_default() += wh;
            }
        }
        let Some(version) = last_carrying else { return };
        let held_after =
            |(contract, _): &(&Contract, usize)| contract.validity.contains(inputs.period.end_day());
        let goes_on = point.imports.iter().chain(&point.exports).any(held_after);
        let is_last = self.is_last_of_group(version);
        let settle_month = self.netting_of(version).settle_month.map(|month| usize::from(month) - 1);
        if goes_on && is_last && settle_month != Some(month_of(inputs.period)) {
            self.carry.hand_on_credit(usage_point, credit);
            return;
        }
        let parts = self.versions[version].version.body.parts();
        for (zone, wh) in credit.into_iter().filter(|(_, wh)| *wh > 0) {
            let named = |name| parts.zones.iter().position(|zone| zone.name == name);
            let at = zone.and_then(named).unwrap_or(0);
            let at = u8::try_from(at).expect("a tariff has few zones");
            *self.carry.export_wh.entry((version, at)).or_default() += wh;
        }
    }

    /// Whether no later version of the same tariff holds in the month.
    fn is_last_of_group(&self, version: usize) -> bool {
        let id = self.versions[version].version.body.parts().id;
        self.versions[version + 1..].iter().all(|used| used.version.body.parts().id != id)
    }
}

/// Takes the month's export and the credit off the import: own zone first, then credit of any zone in the order of zones.
/// What is left is the credit.
fn net_with_credit(parts: &TariffParts, netting: &Netting, flow: &Flows, credit: &mut Credit) -> Zones {
    let mut off_wh: Zones = [0; ZONE_COUNT_MAX];
    for (at, zone) in parts.zones.iter().enumerate() {
        let own_wh = credit.entry(Some(zone.name)).or_default();
        *own_wh += flow.export_wh[at];
        off_wh[at] = flow.import_wh[at].min(*own_wh);
        *own_wh -= off_wh[at];
    }
    // Credit without a zone of this version is of any zone; so is all of it where zones are pooled.
    let is_named =
        |name: &Option<_>| name.is_some_and(|name| parts.zones.iter().any(|zone| zone.name == name));
    let (kept, loose): (Credit, Credit) =
        std::mem::take(credit).into_iter().partition(|(name, _)| is_named(name) && !netting.pools_zones);
    let mut pool_wh: i64 = loose.into_values().sum();
    // Beyond the tariff's zones nothing was taken.
    for (off_wh, import_wh) in off_wh.iter_mut().zip(flow.import_wh) {
        let more_wh = (import_wh - *off_wh).min(pool_wh);
        *off_wh += more_wh;
        pool_wh -= more_wh;
    }
    *credit = kept;
    credit.insert(None, pool_wh);
    credit.retain(|_, wh| *wh > 0);
    off_wh
}

/// The one contract that holds on a day.
fn held_on<'c>(
    contracts: &[(&'c Contract, usize)],
    usage_point: UsagePointId,
    day: Day,
) -> Result<Option<(&'c Contract, usize)>, BillError> {
    let mut held = contracts.iter().filter(|(contract, _)| contract.validity.contains(day));
    let first = held.next().copied();
    if held.next().is_some() { Err(BillError::NettingChannels { usage_point, day }) } else { Ok(first) }
}

/// Takes what both channels have in a stretch off both, the earliest intervals first. Intervals keep their length and
/// quality: one without a value has nothing to take off.
fn net_day(taken: &DayBlock, given: &DayBlock, minutes: u8) -> (DayBlock, DayBlock) {
    let stretch = minutes.max(taken.interval_minutes()).max(given.interval_minutes());
    let step = |block: &DayBlock| usize::from(stretch / block.interval_minutes());
    let (mut taken_wh, mut given_wh) = (taken.values_wh().to_vec(), given.values_wh().to_vec());
    let stretches = taken_wh.chunks_mut(step(taken)).zip(given_wh.chunks_mut(step(given)));
    for (taken_wh, given_wh) in stretches {
        let sum = |values: &[i32]| values.iter().map(|&wh| i64::from(wh)).sum::<i64>();
        let both_wh = sum(taken_wh).min(sum(given_wh));
        take_first(taken_wh, both_wh);
        take_first(given_wh, both_wh);
    }
    let with = |block: &DayBlock, values: Vec<i32>| {
        let qualities = block.qualities().to_vec();
        let (start, minutes) = (block.start(), block.interval_minutes());
        DayBlock::from_parts(block.key(), start, minutes, block.source(), values, qualities)
            .expect("the block was sound, and less energy is left in it")
    };
    (with(taken, taken_wh), with(given, given_wh))
}

/// Takes `off_wh` off the values, the first first; they add up to that much at least.
fn take_first(values: &mut [i32], mut off_wh: i64) {
    for value in values {
        let part = i32::try_from(off_wh.min(i64::from(*value))).expect("no more than the value");
        *value -= part;
        off_wh -= i64::from(part);
    }
}
