//! Deviations from the plan: each hour's energy beside what was planned for it.
//!
//! ```text
//!   contract ─▶ its days with a rule for deviations ─▶ each hour: |fact − plan| × price of its side, exact
//!                                                     ─▶ two sums a version: energy and money, above and below
//! ```
//!
//! An hour of which an interval has no value tells of no deviation, as a day without readings does: nobody knows the
//! fact, and the bill says how much is missing. The plan is of the usage point's total import register.

use super::run::RateRun;
use super::series::{MarketUse, Stretch};
use super::usage::Usage;
use super::{BillError, BillInputs};
use crate::calendar::UtcSeconds;
use crate::contract::Contract;
use crate::day_block::{BlockKey, DayBlock};
use crate::hour_list::HOUR_S;
use crate::register::Register;
use crate::tariff::{DeviationSide, TariffParts};

/// Length of a plan's interval.
const HOUR_MINUTES: u8 = 60;

impl<'a> Usage<'a> {
    /// Adds the deviations of a tariff's contracts, whose versions stand from `first_version` on.
    pub(super) fn add_deviations<'b>(
        &mut self,
        run: &mut RateRun,
        inputs: &BillInputs<'a>,
        contracts: &[&'a Contract],
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
        first_version: usize,
    ) -> Result<(), BillError> {
        for contract in contracts {
            let Contract { usage_point, register, .. } = **contract;
            let zone_place = run.zone_place(&contract.zone);
            for day in inputs.period.days().filter(|day| contract.validity.contains(*day)) {
                let mut versions = self.versions[first_version..].iter_mut();
                let used = versions.find(|used| {
                    let parts = used.version.body.parts();
                    parts.deviation.is_some() && parts.validity.contains(day)
                });
                let Some(used) = used else { continue };
                if register != Register::IMPORT {
                    return Err(BillError::PlanRegister { usage_point, register });
                }
                let Some(block) = block(&BlockKey { usage_point, register, day }) else { continue };
                let (account, book) = (inputs.account, inputs.market);
                let mut market = MarketUse { account, book, used: &mut self.market };
                let local = run.day(zone_place, day).local;
                let mut start = local.start;
                while start < local.end {
                    let (fact_wh, planned_wh) = market.hour(block, start)?;
                    if let Some(fact_wh) = fact_wh {
                        let parts = used.version.body.parts();
                        for side in DeviationSide::ALL {
                            let wh = side.of(fact_wh, planned_wh);
                            let charge = market.deviation(parts, side, wh, block, start)?;
                            let (sum_wh, sum_e11) = used.deviations.entry(side).or_default();
                            let overflow = BillError::Overflow(account);
                            *sum_wh = sum_wh.checked_add(wh).ok_or(overflow.clone())?;
                            *sum_e11 = sum_e11.checked_add(charge).ok_or(overflow)?;
                        }
                    }
                    start = start.plus(HOUR_S);
                }
            }
        }
        Ok(())
    }
}

impl MarketUse<'_> {
    /// What was taken in an hour, and what was planned for it, Wh; no fact of an hour that was not read in full.
    fn hour(&mut self, block: &DayBlock, start: UtcSeconds) -> Result<(Option<i64>, i64), BillError> {
        let usage_point = block.key().usage_point;
        let plan = self.book.plan_at(&usage_point, start);
        let planned = plan.and_then(|plan| Some((plan.hash, plan.body.at(start)?)));
        let (hash, planned_wh) = planned.ok_or(BillError::NoPlan { usage_point, at: start })?;
        self.used.insert(hash);
        let grid = BillError::HourGrid { usage_point, start };
        let hour = block.hour_at(start).ok_or(grid)?;
        Ok((block.read_wh(hour), planned_wh))
    }

    /// What a deviation in the hour from `start` costs, 10^-11.
    fn deviation(
        &mut self,
        parts: &TariffParts,
        side: DeviationSide,
        wh: i64,
        block: &DayBlock,
        start: UtcSeconds,
    ) -> Result<i128, BillError> {
        let Some(rule) = parts.deviation.filter(|_| wh != 0) else { return Ok(0) };
        let stretch = Stretch { usage_point: block.key().usage_point, start, minutes: HOUR_MINUTES };
        let price = self.price(parts, rule.series(side), stretch)?;
        Ok(i128::from(price.as_e8()) * i128::from(wh))
    }
}
