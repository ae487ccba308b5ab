//! Zone registers beside the total register: they count the same energy, and may differ by a digit a dial.

use crate::calendar::UtcSeconds;
use crate::meter::DialReading;

use super::{Span, between};

/// One digit of a dial without decimals: a kilowatt-hour.
pub const WHOLE_KWH: DialReading = DialReading::from_milliwatt_hours(1_000_000);

/// What a span of the total register and the zones beside it say (domain rule 13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneCheck {
    /// First instant.
    pub from: UtcSeconds,
    /// The instant after the last.
    pub to: UtcSeconds,
    /// By the total register.
    pub total_wh: i64,
    /// By each zone register, in the order given; `None` where its reads do not begin and end with the total's.
    pub zones_wh: Vec<Option<i64>>,
    /// One digit of every register, multiplied.
    pub tolerance_wh: i64,
}

impl ZoneCheck {
    /// Σ zones − total; `None` if a zone is not known for this span.
    #[must_use]
    pub fn difference_wh(&self) -> Option<i64> {
        let zones_wh = self.zones_wh.iter().try_fold(0_i64, |sum, &wh| sum.checked_add(wh?))?;
        zones_wh.checked_sub(self.total_wh)
    }

    /// Whether the difference is what the dials' last digits explain; `None` if it is not known.
    #[must_use]
    pub fn is_within(&self) -> Option<bool> {
        self.difference_wh().map(|wh| wh.unsigned_abs() <= self.tolerance_wh.unsigned_abs())
    }
}

/// Each span of the total register against the zone registers. `digit` is what the last digit of a dial stands for.
#[must_use]
pub fn compare_zones(total: &[Span], zones: &[&[Span]], digit: DialReading) -> Vec<ZoneCheck> {
    let registers = i128::try_from(zones.len() + 1).unwrap_or(i128::MAX);
    total
        .iter()
        .map(|span| {
            // Each register's digit is multiplied by the transformers they share.
            let parts =
                i128::from(digit.as_milliwatt_hours()) * i128::from(span.how.multiplier.as_millionths());
            let tolerance_wh = (parts / 1_000_000_000).saturating_mul(registers);
            ZoneCheck {
                from: span.from,
                to: span.to,
                total_wh: span.energy_wh,
                zones_wh: zones.iter().map(|zone| between(zone, span.from, span.to)).collect(),
                tolerance_wh: i64::try_from(tolerance_wh).unwrap_or(i64::MAX),
            }
        })
        .collect()
}
