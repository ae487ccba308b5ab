//! From a number as written to whole watt-hours: unit, multiplier, and whether rounding is allowed.

use tallywatt_core::decimal::{Decimal, DecimalError};
use tallywatt_core::money::div_half_even;
use tallywatt_core::register::Flow;
use tallywatt_core::rejection::RejectionCode;

use crate::digits;

/// A unit of energy. Watt-hours and volt-ampere-hours reactive are both counted in whole ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    decimals: u32,
    reactive: bool,
}

impl Unit {
    pub(crate) const WH: Self = Self { decimals: 0, reactive: false };
    pub(crate) const KWH: Self = Self { decimals: 3, reactive: false };
    pub(crate) const MWH: Self = Self { decimals: 6, reactive: false };
    pub(crate) const VARH: Self = Self { decimals: 0, reactive: true };
    pub(crate) const KVARH: Self = Self { decimals: 3, reactive: true };
    pub(crate) const MVARH: Self = Self { decimals: 6, reactive: true };
    const ALL: [(&'static str, Self); 6] = [
        ("Wh", Self::WH),
        ("kWh", Self::KWH),
        ("MWh", Self::MWH),
        ("varh", Self::VARH),
        ("kvarh", Self::KVARH),
        ("Mvarh", Self::MVARH),
    ];

    /// From its name, written exactly so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, unit)| unit)
    }

    /// From its name in any mix of capitals, as NEM12 files write it.
    pub(crate) fn named_loosely(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, unit)| unit)
    }

    /// Decimals of one unit in whole watt-hours.
    pub(crate) const fn decimals(self) -> u32 {
        self.decimals
    }

    /// Whether a register of this flow is counted in it.
    pub(crate) const fn measures(self, flow: Flow) -> bool {
        self.reactive == matches!(flow, Flow::ReactiveImport | Flow::ReactiveExport)
    }
}

/// How the numbers of a file become watt-hours: `number × multiplier × unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) unit: Unit,
    /// `multiplier / 10^multiplier_decimals`.
    multiplier: i64,
    multiplier_decimals: u32,
    /// Whether values finer than one watt-hour are rounded rather than rejected.
    pub(crate) rounds: bool,
}

/// The most decimals a multiplier may have.
pub(crate) const MULTIPLIER_DECIMALS_MAX: u32 = 9;

impl Scale {
    /// Without a multiplier.
    pub(crate) const fn plain(unit: Unit, rounds: bool) -> Self {
        Self { unit, multiplier: 1, multiplier_decimals: 0, rounds }
    }

    /// With a multiplier as the profile writes it; `None` unless it is a number above zero with at most 9 decimals.
    pub(crate) fn with_multiplier(unit: Unit, rounds: bool, multiplier: &str) -> Option<Self> {
        let number = Decimal::parse(multiplier.as_bytes(), b'.').ok()?;
        let decimals = (0..=MULTIPLIER_DECIMALS_MAX).find(|&decimals| number.scaled(decimals).is_ok())?;
        let multiplier = number.scaled(decimals).ok().filter(|&multiplier| multiplier > 0)?;
        Some(Self { unit, multiplier, multiplier_decimals: decimals, rounds })
    }

    /// With a power of ten as multiplier; `None` past [`MULTIPLIER_DECIMALS_MAX`] either way.
    pub(crate) fn of_power(unit: Unit, rounds: bool, power: i32) -> Option<Self> {
        let limit = MULTIPLIER_DECIMALS_MAX;
        let size = Some(power.unsigned_abs()).filter(|&size| size <= limit)?;
        let (multiplier, multiplier_decimals) = if power < 0 { (1, size) } else { (10_i64.pow(size), 0) };
        Some(Self { unit, multiplier, multiplier_decimals, rounds })
    }

    /// The same for numbers in another unit.
    pub(crate) const fn with_unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// The same in units that are smaller by so many decimals.
    pub(crate) fn finer(&self, decimals: u32) -> Option<Self> {
        let factor = self.multiplier.checked_mul(10_i64.checked_pow(decimals)?)?;
        Some(Self { multiplier: factor, ..*self })
    }

    /// Watt-hours of a whole number, and whether they were rounded.
    pub(crate) fn whole(&self, number: i64) -> Result<(i64, bool), RejectionCode> {
        if self.plain_decimals() == Some(0) {
            return Ok((number, false));
        }
        let product = i128::from(number)
            .checked_mul(i128::from(self.multiplier))
            .and_then(|product| product.checked_mul(10_i128.pow(self.unit.decimals)))
            .ok_or(RejectionCode::NotANumber)?;
        let divisor = 10_i128.pow(self.multiplier_decimals);
        let (whole, rounded) = match product % divisor {
            0 => (product / divisor, false),
            _ if self.rounds => (div_half_even(product, divisor), true),
            _ => return Err(RejectionCode::FinerThanWattHour),
        };
        i64::try_from(whole).map(|whole| (whole, rounded)).map_err(|_| RejectionCode::NotANumber)
    }

    /// Decimals of one unit in watt-hours, if nothing else is multiplied.
    pub(crate) const fn plain_decimals(&self) -> Option<u32> {
        if self.multiplier == 1 && self.multiplier_decimals == 0 { Some(self.unit.decimals) } else { None }
    }

    /// Watt-hours, and whether they were rounded.
    pub(crate) fn watt_hours(&self, text: &[u8], separator: u8) -> Result<(i64, bool), RejectionCode> {
        if let Some(decimals) = self.plain_decimals()
            && let Some(exact) = digits::watt_hours(text, separator, decimals)
        {
            return Ok((exact, false));
        }
        let number = Decimal::parse(text, separator).map_err(|_| RejectionCode::NotANumber)?;
        let scaled = if self.multiplier == 1 && self.multiplier_decimals == 0 {
            self.plainly(number)
        } else {
            self.multiplied(number)
        };
        scaled.map_err(|error| match error {
            DecimalError::TooFine => RejectionCode::FinerThanWattHour,
            DecimalError::Syntax | DecimalError::TooLong => RejectionCode::NotANumber,
        })
    }

    fn plainly(&self, number: Decimal) -> Result<(i64, bool), DecimalError> {
        if self.rounds {
            number.nearest(self.unit.decimals)
        } else {
            Ok((number.scaled(self.unit.decimals)?, false))
        }
    }

    /// The product is taken exactly and rounded once.
    fn multiplied(&self, number: Decimal) -> Result<(i64, bool), DecimalError> {
        let (mantissa, finer) = exact(number, self.unit.decimals)?;
        let product =
            i128::from(mantissa).checked_mul(i128::from(self.multiplier)).ok_or(DecimalError::TooLong)?;
        let Some(divisor) = 10_i128.checked_pow(self.multiplier_decimals + finer) else {
            // Past 10^38 the product, below 10^36, is less than half a watt-hour.
            return if self.rounds { Ok((0, true)) } else { Err(DecimalError::TooFine) };
        };
        let whole = |value: i128| i64::try_from(value).map_err(|_| DecimalError::TooLong);
        if product % divisor == 0 {
            Ok((whole(product / divisor)?, false))
        } else if self.rounds {
            Ok((whole(div_half_even(product, divisor))?, true))
        } else {
            Err(DecimalError::TooFine)
        }
    }
}

/// The number in units of `10^-(decimals + finer)`, with the smallest `finer` that loses nothing.
fn exact(number: Decimal, decimals: u32) -> Result<(i64, u32), DecimalError> {
    // A decimal has at most 64 places, so one of these is exact.
    for finer in 0..=64 {
        match number.scaled(decimals + finer) {
            Err(DecimalError::TooFine) => (),
            Ok(mantissa) => return Ok((mantissa, finer)),
            Err(other) => return Err(other),
        }
    }
    Err(DecimalError::TooFine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_watt_hours() {
        use RejectionCode::{FinerThanWattHour, NotANumber};
        // unit, multiplier, rounds, text, want
        type Want = Result<(i64, bool), RejectionCode>;
        let table: &[(&str, &str, bool, &str, Want)] = &[
            ("Wh", "1", false, "188", Ok((188, false))),
            ("kWh", "1", false, "0.292", Ok((292, false))),
            ("MWh", "1", false, "0.292", Ok((292_000, false))),
            ("kWh", "1", false, "-1.5", Ok((-1_500, false))),
            ("kWh", "1", false, "1.0930001", Err(FinerThanWattHour)),
            ("kWh", "1", true, "1.0930001", Ok((1_093, true))),
            ("kWh", "40", false, "0.000025", Ok((1, false))),
            ("kWh", "40", false, "0.00001", Err(FinerThanWattHour)),
            ("kWh", "40", true, "0.00001", Ok((0, true))),
            ("kWh", "0.5", false, "3", Ok((1_500, false))),
            ("kWh", "0.5", true, "0.003", Ok((2, true))),
            ("Wh", "1000", false, "999999999999999999", Err(NotANumber)),
            ("kWh", "2", false, "0.0000000000000000000000000000000000000001", Err(FinerThanWattHour)),
            ("kWh", "1", false, "1e3", Err(NotANumber)),
            ("kWh", "1", true, "nan", Err(NotANumber)),
        ];
        for (unit, multiplier, rounds, text, want) in table {
            let unit = Unit::named(unit).unwrap();
            let scale = Scale::with_multiplier(unit, *rounds, multiplier).unwrap();
            assert_eq!(scale.watt_hours(text.as_bytes(), b'.'), *want, "{text} × {multiplier}");
        }
        for multiplier in ["0", "-1", "", "1e3", "0.0000000001"] {
            assert_eq!(Scale::with_multiplier(Unit::WH, false, multiplier), None, "{multiplier:?}");
        }
    }

    #[test]
    fn powers_of_ten() {
        use RejectionCode::{FinerThanWattHour, NotANumber};
        // power, rounds, number, want
        let table = [
            (0, false, 282, Ok((282, false))),
            (3, false, -2, Ok((-2_000, false))),
            (-3, false, 2_000, Ok((2, false))),
            (-3, false, 2_001, Err(FinerThanWattHour)),
            (-3, true, 2_500, Ok((2, true))),
            (9, false, 9_999_999_999_999_999, Err(NotANumber)),
        ];
        for (power, rounds, number, want) in table {
            let scale = Scale::of_power(Unit::WH, rounds, power).unwrap();
            assert_eq!(scale.whole(number), want, "{number} × 10^{power}");
            assert_eq!(scale.watt_hours(number.to_string().as_bytes(), b'.'), want, "{number} × 10^{power}");
        }
        assert_eq!(Scale::of_power(Unit::WH, true, 10), None);
        assert_eq!(Scale::plain(Unit::KWH, false).finer(3).unwrap().whole(7), Ok((7_000_000, false)));
    }

    #[test]
    fn units() {
        assert_eq!(Unit::named("kwh"), None);
        assert_eq!(Unit::named_loosely(b"kVArh"), Some(Unit::KVARH));
        assert_eq!(Unit::named_loosely(b"MVARH").map(Unit::decimals), Some(6));
        assert!(Unit::MVARH.measures(Flow::ReactiveExport) && !Unit::MVARH.measures(Flow::Export));
        assert!(Unit::WH.measures(Flow::Export) && !Unit::WH.measures(Flow::ReactiveExport));
        assert!(Unit::VARH.measures(Flow::ReactiveImport) && !Unit::VARH.measures(Flow::Import));
    }
}
