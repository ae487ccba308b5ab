//! Energy at prices by the interval: each interval's watt-hours times the price that a series has for it.
//!
//! ```text
//!   readings   ├──────────── 60 min ────────────┤       coarser: only where all its prices are equal
//!   series     ├── 30 min, p₁ ──┼── 30 min, p₂ ─┤
//!   readings   ├─ 15 ─┼─ 15 ─┼ …                        finer: the price of the interval it lies in
//!
//!   line       Σ wh × price(series) ─▶ × times + plus × Σ wh ─▶ cut at the eleventh decimal towards zero, once
//! ```

use std::collections::BTreeSet;

use super::BillError;
use super::run::RateRun;
use super::usage::{HeldDay, Progress, VersionUse, slices};
use crate::calendar::UtcSeconds;
use crate::day_block::DayBlock;
use crate::hash::ContentHash;
use crate::label::{AccountId, Label, UsagePointId};
use crate::market::MarketBook;
use crate::money::{ExactAmount, PricePerKwh};
use crate::tariff::{SeriesPrice, TIMES_DECIMALS, TariffParts};

/// What a coefficient is a part of.
const TIMES_WHOLE: i128 = 10_i128.pow(TIMES_DECIMALS);

/// Where prices are found, and which documents they came from.
pub(super) struct MarketUse<'a> {
    pub(super) account: AccountId,
    pub(super) book: &'a MarketBook,
    pub(super) used: &'a mut BTreeSet<ContentHash>,
}

/// A stretch of time that has one price.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) usage_point: UsagePointId,
    pub(super) start: UtcSeconds,
    pub(super) minutes: u8,
}

/// An interval with energy.
struct Used {
    stretch: Stretch,
    zone: usize,
    wh: i64,
}

impl VersionUse<'_> {
    /// Adds one day of all the group's usage points, interval by interval in order of time.
    pub(super) fn add_priced_day(
        &mut self,
        run: &mut RateRun,
        progress: &mut Progress,
        days: &[HeldDay<'_>],
        market: &mut MarketUse<'_>,
    ) -> Result<(), BillError> {
        let tariff = &self.version.body;
        let mut intervals: Vec<Used> = Vec::new();
        for HeldDay { block, zone_place } in days {
            let zones = run.zones_of(self.table_place, tariff, block, *zone_place);
            intervals.extend(used_of(block, zones));
        }
        intervals.sort_by_key(|interval| interval.stretch.start);
        for interval in intervals {
            let Used { zone, wh, .. } = interval;
            for (range, taken_wh) in slices(&progress.bounds, progress.used_wh, wh) {
                self.energy_wh[range][zone] += taken_wh;
                let place = (small(range), small(zone));
                let Some(price) = tariff.parts().series_of(place.0, place.1) else { continue };
                let charge =
                    i128::from(market.price(tariff.parts(), price.series, interval.stretch)?.as_e8())
                        * i128::from(taken_wh);
                let sum = self.series_e11.entry(place).or_default();
                *sum = sum.checked_add(charge).ok_or(BillError::Overflow(market.account))?;
            }
            progress.used_wh += wh;
        }
        Ok(())
    }

    /// What a range and zone cost by a series: quantity and exact amount; `None` past 128 bits.
    pub(super) fn series_line(&self, price: &SeriesPrice) -> Option<(i64, ExactAmount)> {
        let wh = self.energy_wh[usize::from(price.range)][usize::from(price.zone)];
        let sum = self.series_e11.get(&(price.range, price.zone)).copied().unwrap_or(0);
        let times = sum.checked_mul(i128::from(price.times_e6))?;
        let plus = (i128::from(price.plus.as_e8()) * i128::from(wh)).checked_mul(TIMES_WHOLE)?;
        Some((wh, ExactAmount::from_e11(times.checked_add(plus)? / TIMES_WHOLE)))
    }
}

fn used_of<'z>(block: &'z DayBlock, zones: &'z [u8]) -> impl Iterator<Item = Used> + 'z {
    let (usage_point, minutes) = (block.key().usage_point, block.interval_minutes());
    let with_energy = block.values_wh().iter().zip(zones).enumerate().filter(|(_, (wh, _))| **wh != 0);
    with_energy.map(move |(at, (&wh, &zone))| {
        let start = block.interval_start(at);
        Used { stretch: Stretch { usage_point, start, minutes }, zone: usize::from(zone), wh: i64::from(wh) }
    })
}

impl MarketUse<'_> {
    /// The series' price of a stretch of time.
    pub(super) fn price(
        &mut self,
        parts: &TariffParts,
        series: Label,
        stretch: Stretch,
    ) -> Result<PricePerKwh, BillError> {
        let Stretch { usage_point, start, minutes } = stretch;
        let end = start.plus(i64::from(minutes) * 60);
        let (mut at, mut found) = (start, None);
        while at < end {
            let known = self.book.series_at(&series, at).ok_or(BillError::NoPrice { series, at })?;
            if known.body.parts().currency != parts.currency {
                let (found, expected) = (known.body.parts().currency, parts.currency);
                return Err(BillError::SeriesCurrency { series, found, expected });
            }
            let (own, until) = known.body.at(at).ok_or(BillError::NoPrice { series, at })?;
            if found.is_some_and(|first| first != own) {
                return Err(BillError::Coarse { usage_point, minutes, start, series });
            }
            self.used.insert(known.hash);
            (found, at) = (Some(own), until);
        }
        Ok(found.expect("a stretch has a length, so a price was found for its first instant"))
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("a tariff has few ranges and zones")
}
