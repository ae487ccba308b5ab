//! What ranges cost beside their energy by the kilowatt-hour: packages that were begun, flat fees of ranges reached.
//!
//! ```text
//!   the month's energy    0 ─────────── before ───── after ──▶     of a version, where the month goes on from one to the next
//!   packages of a range   those begun up to `after` less those begun up to `before`: none is paid twice
//!   flat fee of a range   of the version that used its first watt-hour; by volume, of the one that used the month's last
//! ```
//!
//! Energy counts for all zones together, or for every zone by itself, as the range rule says.

use std::collections::BTreeMap;

use super::usage::{VersionUse, range_after};
use crate::bill::ChargeKind;
use crate::label::Label;
use crate::tariff::{RangeCounting, RangeKind, TariffParts};

/// Whether a tariff has packages or flat fees.
pub(super) fn is_sold(parts: &TariffParts) -> bool {
    parts.ranges.iter().any(|range| range.package_wh.is_some() || range.flat.as_e8() != 0)
}

/// Counts them for every version of a tariff, in the order of time. The ranges are filled.
pub(super) fn count(group: &mut [VersionUse<'_>], bounds_of: &dyn Fn(&VersionUse<'_>) -> Vec<Option<i64>>) {
    let mut month = Counted::default();
    group.iter().for_each(|used| month.add(used));
    let mut before = Counted::default();
    for used in group {
        let mut after = before.clone();
        after.add(used);
        let parts = used.version.body.parts();
        if is_sold(parts) {
            let bounds = bounds_of(used);
            if parts.range_rule.counting == RangeCounting::EachZone {
                for (at, zone) in parts.zones.iter().enumerate() {
                    let of = |counted: &Counted| counted.zones_wh.get(&zone.name).copied().unwrap_or(0);
                    let span = Span { before: of(&before), after: of(&after), month: of(&month) };
                    span.count(parts, &bounds, at, &mut used.counts);
                }
            } else {
                let span = Span { before: before.total_wh, after: after.total_wh, month: month.total_wh };
                span.count(parts, &bounds, 0, &mut used.counts);
            }
        }
        before = after;
    }
}

/// Energy of some versions, Wh.
#[derive(Debug, Clone, Default)]
struct Counted {
    total_wh: i64,
    zones_wh: BTreeMap<Label, i64>,
}

impl Counted {
    fn add(&mut self, used: &VersionUse<'_>) {
        for (at, zone) in used.version.body.parts().zones.iter().enumerate() {
            let wh: i64 = used.ranges_wh().iter().map(|zones| zones[at]).sum();
            self.total_wh += wh;
            *self.zones_wh.entry(zone.name).or_default() += wh;
        }
    }
}

/// Where a version's energy lies in the month's, Wh.
struct Span {
    before: i64,
    after: i64,
    month: i64,
}

impl Span {
    fn count(
        &self,
        parts: &TariffParts,
        bounds: &[Option<i64>],
        zone: usize,
        counts: &mut BTreeMap<ChargeKind, i64>,
    ) {
        let small = |number: usize| u8::try_from(number).expect("a tariff has few ranges and zones");
        let is_used = |wh: i64| self.before <= wh && wh < self.after;
        let mut from = 0;
        for (at, (range, bound)) in parts.ranges.iter().zip(bounds).enumerate() {
            let to = bound.unwrap_or(i64::MAX);
            let is_reached = match parts.range_rule.kind {
                RangeKind::Volume => {
                    range_after(bounds, (self.month - 1).max(0)).0 == at && is_used(self.month - 1)
                }
                RangeKind::Graduated | RangeKind::Package => from < to && is_used(from),
            };
            if is_reached && range.flat.as_e8() != 0 {
                *counts.entry(ChargeKind::Flat { range: small(at) }).or_default() += 1;
            }
            if let Some(package_wh) = range.package_wh {
                let begun = |wh: i64| {
                    let in_range = wh.clamp(from, to.max(from)) - from;
                    in_range / package_wh + i64::from(in_range % package_wh > 0)
                };
                let packages = begun(self.after) - begun(self.before);
                if packages > 0 {
                    let kind = ChargeKind::Package { range: small(at), zone: small(zone) };
                    *counts.entry(kind).or_default() += packages;
                }
            }
            from = to;
        }
    }
}
