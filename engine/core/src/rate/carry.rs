//! What a bill stands on, and what it hands on: credit, peaks for the look-back, sums of the year.
//!
//! ```text
//!   the bill before ──▶ before ─▶ look-back: at least a part of earlier peaks     ─┐
//!                                 credit: taken off the import by `netting`        ├─▶ carried ──▶ the next bill
//!                                 the year: charged and due so far, settled once  ─┘
//! ```
//!
//! A plain bill leaves everything here empty.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::VersionUse;
use super::{BillError, BillInputs};
use crate::bill::{ChargeKind, ChargeLine};
use crate::calendar::Period;
use crate::carried::{CARRIED_COUNT_MAX, CARRIED_QUANTITY_MAX, Carried, CarriedKind, PreviousBill};
use crate::hash::ContentHash;
use crate::label::{Label, UsagePointId};
use crate::register::Register;
use crate::tariff::{FixedPer, TariffParts, ZONE_COUNT_MAX};

/// A usage point's credit by zone, Wh; `None` nets every zone.
pub(super) type Credit = BTreeMap<Option<Label>, i64>;

/// What a bill stands on and hands on.
#[derive(Default)]
pub(super) struct Carry<'a> {
    previous: Option<PreviousBill<'a>>,
    /// To be taken off the energy of a version by zone before ranges are filled.
    pub(super) netted_off: Vec<(usize, [i64; ZONE_COUNT_MAX])>,
    /// Credited energy by version and zone.
    pub(super) export_wh: BTreeMap<(usize, u8), i64>,
    /// Usage points whose credit was used, settled or carried on.
    credited: BTreeSet<UsagePointId>,
    carried: BTreeMap<CarriedKind, i128>,
}

impl<'a> Carry<'a> {
    pub(super) fn new(previous: Option<PreviousBill<'a>>) -> Self {
        Self { previous, ..Self::default() }
    }

    fn before(&self) -> &'a [Carried] {
        self.previous.map_or(&[], |previous| previous.carried)
    }

    /// Whether the bill before left this usage point credit.
    pub(super) fn has_credit(&self, of: UsagePointId) -> bool {
        let is_own =
            |one: &Carried| matches!(one.kind, CarriedKind::Credit { usage_point, .. } if usage_point == of);
        self.before().iter().any(is_own)
    }

    /// The usage point's credit; from here on somebody answers for it.
    pub(super) fn take_credit(&mut self, of: UsagePointId) -> Credit {
        self.credited.insert(of);
        let own = self.before().iter().filter_map(|one| match one.kind {
            CarriedKind::Credit { usage_point, zone } if usage_point == of => {
                Some((zone, within(one.quantity)))
            }
            _ => None,
        });
        own.collect()
    }

    /// Credit that goes on to the next bill.
    pub(super) fn hand_on_credit(&mut self, usage_point: UsagePointId, credit: Credit) {
        for (zone, wh) in credit.into_iter().filter(|(_, wh)| *wh > 0) {
            self.carried.insert(CarriedKind::Credit { usage_point, zone }, i128::from(wh));
        }
    }

    /// Takes off what was netted: all of it still waits in the first range.
    pub(super) fn take_off(&mut self, group: &mut [VersionUse<'_>], first: usize) {
        for (version, zones_wh) in self.netted_off.drain(..) {
            let taken = &mut group[version - first].energy_wh[0];
            taken.iter_mut().zip(zones_wh).for_each(|(wh, off_wh)| *wh -= off_wh);
        }
    }

    /// The peak that is billed: at least what the look-back asks. The measured one is handed on.
    pub(super) fn ratchet(
        &mut self,
        of: (UsagePointId, Register),
        parts: &TariffParts,
        charge: usize,
        period: Period,
        peak_w: i64,
    ) -> i64 {
        let Some(look_back) = parts.carry.look_back(charge) else { return peak_w };
        let (usage_point, register) = of;
        let name = parts.demands[charge].name;
        let key = |period| CarriedKind::Peak { usage_point, register, charge: name, period };
        // A charge whose versions differ in their measure is billed once by each.
        let known = self.carried.entry(key(period)).or_default();
        *known = (*known).max(i128::from(peak_w));
        let floors = self.before().iter().filter_map(|one| match one.kind {
            CarriedKind::Peak { period: then, .. } if one.kind == key(then) => {
                let age = period.number().checked_sub(then.number())?;
                let counts = (1..=u32::from(look_back.months)).contains(&age);
                counts.then(|| look_back.floor_w(month_of(then), within(one.quantity)))
            }
            _ => None,
        });
        floors.max().unwrap_or(0).max(peak_w)
    }

    /// Appends lines of energy fed in.
    pub(super) fn add_export_lines(
        &self,
        lines: &mut Vec<ChargeLine>,
        versions: &[VersionUse<'_>],
        period: Period,
    ) {
        for (&(version, zone), &quantity) in self.export_wh.iter().filter(|(_, wh)| **wh != 0) {
            let netting = versions[version].version.body.parts().netting.as_ref();
            let netting = netting.expect("energy is credited by a version with netting");
            let price = netting.sell[usize::from(zone)];
            lines.push(super::lines::line(version, ChargeKind::Export { zone }, quantity, price, period));
        }
    }

    /// Adds the month to the year of each tariff with a minimum of one; where the year ends, the line that it lacks.
    /// `None` past the range of amounts.
    pub(super) fn add_year(
        &mut self,
        lines: &mut Vec<ChargeLine>,
        versions: &[VersionUse<'_>],
        inputs: &BillInputs<'_>,
    ) -> Option<()> {
        let has_minimum =
            |used: &&VersionUse<'_>| used.version.body.parts().carry.minimum_per_year.as_e8() > 0;
        let tariffs: BTreeSet<Label> =
            versions.iter().filter(has_minimum).map(|used| used.version.body.parts().id).collect();
        for tariff in tariffs {
            let own = |at: usize| versions[at].version.body.parts().id == tariff;
            let (charged_key, due_key) = (CarriedKind::Charged { tariff }, CarriedKind::Due { tariff });
            let mut charged = self.of_this_year(charged_key);
            let mut due = self.of_this_year(due_key);
            for line in lines.iter().filter(|line| own(usize::from(line.version))) {
                if !matches!(line.kind, ChargeKind::Export { .. } | ChargeKind::YearMinimum) {
                    charged = charged.checked_add(line.exact.as_e11())?;
                }
            }
            let mut last = None;
            for (at, used) in versions.iter().enumerate().filter(|(at, _)| own(*at)) {
                let price = used.version.body.parts().carry.minimum_per_year;
                let part = ChargeKind::Fixed(FixedPer::Year).charge(used.day_count, price, inputs.period);
                due = due.checked_add(part.as_e11())?;
                if price.as_e8() > 0 {
                    last = Some((at, price));
                }
            }
            let goes_on = inputs.contracts.iter().any(|contract| {
                contract.tariff == tariff && contract.validity.contains(inputs.period.end_day())
            });
            if goes_on && month_of(inputs.period) != 11 {
                self.carried.insert(charged_key, charged);
                self.carried.insert(due_key, due);
            } else if let Some((at, price)) = last.filter(|_| due > charged) {
                let quantity = i64::try_from(due - charged).ok()?;
                lines.push(super::lines::line(at, ChargeKind::YearMinimum, quantity, price, inputs.period));
            }
        }
        Some(())
    }

    /// What the bill before carried of this year; nothing in January, as December settles the year.
    fn of_this_year(&self, kind: CarriedKind) -> i128 {
        let found = self.before().iter().find(|one| one.kind == kind);
        found.map_or(0, |one| one.quantity)
    }

    /// What the bill names and hands on.
    pub(super) fn finish(
        mut self,
        versions: &[VersionUse<'_>],
        inputs: &BillInputs<'_>,
    ) -> Result<(Option<ContentHash>, Vec<Carried>), BillError> {
        for one in self.before() {
            if let CarriedKind::Credit { usage_point, .. } = one.kind
                && !self.credited.contains(&usage_point)
            {
                return Err(BillError::CreditLeft { usage_point, wh: one.quantity });
            }
        }
        if !versions.iter().any(|used| used.version.body.carries()) {
            return Ok((None, Vec::new()));
        }
        self.keep_peaks(versions, inputs);
        let carried: Vec<Carried> =
            self.carried.iter().map(|(&kind, &quantity)| Carried { kind, quantity }).collect();
        if carried.len() > CARRIED_COUNT_MAX as usize {
            return Err(BillError::TooMuchCarried { account: inputs.account, count: carried.len() });
        }
        match carried.iter().all(|one| one.kind.takes(one.quantity)) {
            true => Ok((self.previous.map(|previous| previous.hash), carried)),
            false => Err(BillError::Overflow(inputs.account)),
        }
    }

    /// Peaks that a look-back of the next month may still ask for: of registers still billed, of charges that look back.
    fn keep_peaks(&mut self, versions: &[VersionUse<'_>], inputs: &BillInputs<'_>) {
        let looks_back = |name: Label| {
            versions.iter().map(|used| used.version.body.parts()).any(|parts| {
                parts.carry.look_backs.iter().any(|one| parts.demands[usize::from(one.charge)].name == name)
            })
        };
        for one in self.before() {
            let CarriedKind::Peak { usage_point, register, charge, period } = one.kind else { continue };
            let is_billed = inputs.contracts.iter().any(|contract| {
                (contract.usage_point, contract.register) == (usage_point, register)
                    && inputs.period.days().any(|day| contract.validity.contains(day))
            });
            // The next month looks back twelve months from itself.
            let is_recent = period.number() + 12 > inputs.period.number();
            if is_billed && is_recent && looks_back(charge) {
                self.carried.insert(one.kind, one.quantity);
            }
        }
    }
}

/// A carried quantity that can be added to others: decoding takes no other.
fn within(quantity: i128) -> i64 {
    i64::try_from(quantity.clamp(0, CARRIED_QUANTITY_MAX)).expect("the limit is below 2^63")
}

/// The month of a period, January 0.
pub(super) fn month_of(period: Period) -> usize {
    usize::try_from(period.number() % 12).expect("twelve months")
}

/// Whether energy fed in under this version is a sale by the customer, outside the tax base of what it buys.
pub(super) fn is_sale(parts: &TariffParts, line: &ChargeLine) -> bool {
    let credits_bill =
        parts.netting.as_ref().is_some_and(|netting| netting.mode == crate::tariff::NettingMode::NetBilling);
    matches!(line.kind, ChargeKind::Export { .. }) && !credits_bill
}
