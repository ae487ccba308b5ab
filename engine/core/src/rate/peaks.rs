//! The highest power of each usage point's month, by demand charge.
//!
//! ```text
//!   intervals ── mean over the charge's minutes ──▶ highest a version and charge ──▶ the month's, once
//! ```

use std::collections::BTreeMap;

use super::measures::PointMeans;
use super::usage::VersionUse;
use crate::day_block::DayBlock;
use crate::label::Label;
use crate::tariff::{DemandCharge, DemandMeasure, TariffParts};

/// What one register's month reached, W.
#[derive(Debug, Default)]
pub(super) struct PointPeaks {
    /// The highest interval of all.
    highest_w: i64,
    /// By (charge's name, version): the highest that counts; versions are in order of time.
    charges: BTreeMap<(Label, usize), i64>,
    /// Of charges that take a mean.
    pub(super) means: PointMeans,
}

impl PointPeaks {
    pub(super) const fn highest_w(&self) -> i64 {
        self.highest_w
    }

    /// Adds a day; `demands` tells for each interval which charges it counts for.
    pub(super) fn add_day(&mut self, version: usize, parts: &TariffParts, block: &DayBlock, demands: &[u16]) {
        self.highest_w = self.highest_w.max(highest_interval_w(block));
        for (at, demand) in parts.demands.iter().enumerate() {
            if demand.measure != DemandMeasure::Highest {
                continue;
            }
            if let Some(day_w) = highest_w(block, demands, at, demand.minutes) {
                let peak_w = self.charges.entry((demand.name, version)).or_default();
                *peak_w = (*peak_w).max(day_w);
            }
        }
    }
}

fn per_hour(minutes: u8) -> i64 {
    i64::from(60 / minutes)
}

/// The highest interval of a day, W.
pub(super) fn highest_interval_w(block: &DayBlock) -> i64 {
    let highest_wh = block.values_wh().iter().copied().max().unwrap_or(0);
    i64::from(highest_wh) * per_hour(block.interval_minutes())
}

/// The highest stretch of a day that counts for the charge at `charge`, W.
pub(super) fn highest_w(block: &DayBlock, demands: &[u16], charge: usize, minutes: u8) -> Option<i64> {
    // Where the readings are coarser than the charge's stretch, nothing is known of less than an interval.
    let minutes = minutes.max(block.interval_minutes());
    let step = usize::from(minutes / block.interval_minutes());
    let stretches = block.values_wh().chunks(step).zip(demands.chunks(step));
    let counting = stretches.filter(|(_, demands)| demands[0] >> charge & 1 == 1);
    let sums = counting.map(|(values_wh, _)| values_wh.iter().map(|&wh| i64::from(wh)).sum::<i64>());
    sums.max().map(|sum_wh| sum_wh * per_hour(minutes))
}

/// Puts each of the point's peaks to the version that held on its day, the first of equal ones; graduated there.
///
/// `group` are the versions from the number `first` on; `ratchet` gives the peak that a charge of a version bills.
pub(super) fn charge_peaks(
    group: &mut [VersionUse<'_>],
    first: usize,
    point: &PointPeaks,
    mut ratchet: impl FnMut(&TariffParts, usize, i64) -> i64,
) {
    let mut highest: BTreeMap<Label, (usize, i64)> = BTreeMap::new();
    for (&(name, version), &peak_w) in &point.charges {
        let known = highest.entry(name).or_insert((version, peak_w));
        if peak_w > known.1 {
            *known = (version, peak_w);
        }
    }
    let highest =
        highest.into_iter().map(|(name, (version, peak_w))| (name, DemandMeasure::Highest, version, peak_w));
    for (name, measure, version, peak_w) in highest.chain(point.means.means()) {
        let used = &mut group[version - first];
        let demands = &used.version.body.parts().demands;
        let is_own = |demand: &DemandCharge| (demand.name, demand.measure) == (name, measure);
        let charge = demands.iter().position(is_own).expect("a version has its own charges");
        let peak_w = ratchet(used.version.body.parts(), charge, peak_w);
        let mut from_w = 0;
        for (range, slice) in demands[charge].ranges.iter().enumerate() {
            let to_w = slice.up_to_w.map_or(peak_w, |bound| bound.min(peak_w));
            if to_w > from_w {
                let key = (small(charge), small(range));
                *used.demand_w.entry(key).or_default() += to_w - from_w;
                from_w = to_w;
            }
        }
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("a tariff has few demand charges and ranges")
}
