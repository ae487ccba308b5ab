//! Whether the tariffs of contracts are for their usage points, by what a month came to.
//!
//! ```text
//!   contract, version with an eligibility ─▶ its days ─▶ peak and energy ─▶ bounds that are passed
//! ```
//!
//! The peak is the highest stretch that any of the version's demand charges counts, whatever it bills of it; where none
//! counts any, the highest interval. Each contract's import register is looked at for itself; no bill depends on it.

use super::RateRun;
use super::peaks::{highest_interval_w, highest_w};
use crate::contract::Contract;
use crate::day_block::{BlockKey, DayBlock};
use crate::hash::Published;
use crate::label::{Label, UsagePointId};
use crate::register::{Flow, Register};
use crate::tariff::{MonthFigures, PassedBound, Tariff, TariffBook};

/// A register whose month passed a bound of its tariff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ineligible {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// Its register.
    pub register: Register,
    /// The tariff that its contract names.
    pub tariff: Label,
    /// The bound, and what the month came to.
    pub passed: PassedBound,
}

impl RateRun {
    /// The bounds that the month of an account's contracts passed, in order of the contracts, versions and bounds.
    ///
    /// Versions without an eligibility, registers of other flows and days without readings are passed over.
    pub fn ineligible<'b>(
        &mut self,
        contracts: &[Contract],
        tariffs: &TariffBook,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Vec<Ineligible> {
        let mut found = Vec::new();
        for contract in contracts.iter().filter(|contract| contract.register.flow == Flow::Import) {
            let versions = tariffs.versions().iter().filter(|one| one.body.parts().id == contract.tariff);
            for version in versions {
                let Some(rule) = &version.body.parts().eligibility else { continue };
                let Some(month) = self.month_figures(contract, version, block) else { continue };
                let Contract { usage_point, register, tariff, .. } = *contract;
                let passed = rule.passed(&month).into_iter();
                found.extend(passed.map(|passed| Ineligible { usage_point, register, tariff, passed }));
            }
        }
        found
    }

    /// What a contract's days of the month under a version came to; nothing without any readings.
    fn month_figures<'b>(
        &mut self,
        contract: &Contract,
        version: &Published<Tariff>,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Option<MonthFigures> {
        let parts = version.body.parts();
        let (zone_place, table_place) = (self.zone_place(&contract.zone), self.table_place(version));
        let (mut charged_w, mut interval_w) = (None, None);
        let (mut energy_wh, mut is_whole) = (0, true);
        for day in self.period().days() {
            let holds = contract.validity.contains(day) && parts.validity.contains(day);
            let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day };
            let Some(block) = holds.then(|| block(&key)).flatten() else {
                is_whole = false;
                continue;
            };
            is_whole &= block.present_count() == block.interval_count();
            energy_wh += block.total_wh();
            interval_w = interval_w.max(Some(highest_interval_w(block)));
            let demands = self.demands_of(table_place, &version.body, block, zone_place);
            let highest = parts.demands.iter().enumerate();
            let highest = highest.filter_map(|(at, charge)| highest_w(block, demands, at, charge.minutes));
            charged_w = charged_w.max(highest.max());
        }
        interval_w.map(|interval_w| MonthFigures {
            peak_w: charged_w.unwrap_or(interval_w),
            energy_wh,
            is_whole,
        })
    }
}
