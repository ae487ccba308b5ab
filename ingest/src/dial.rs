//! From a number as written to what a dial shows, in whole thousandths of a watt-hour.
//! Every format's dials are made here, so that what no dial shows is set aside alike.
//!
//! Some meters send finer than that (a hundredth of a milliwatt-hour has been seen); their profile must allow rounding.

use tallywatt_core::decimal::{Decimal, DecimalError};
use tallywatt_core::meter::DialReading;
use tallywatt_core::money::div_half_even;
use tallywatt_core::rejection::RejectionCode;

use crate::scale::Unit;

/// Decimals of a watt-hour that a dial keeps.
const WH_DECIMALS: u32 = 3;
/// What no dial shows: one past twelve nines of kilowatt-hours.
const DIAL_END_MILLIWATT_HOURS: i64 = 1_000_000_000_000_000_000;
/// The powers of ten that a scaler may have: no meter counts in more than gigawatt-hours or less than nanowatt-hours.
const SCALER_MAX: i8 = 9;

/// How numbers become dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dial {
    /// Whether what is finer than a dial is rounded rather than rejected.
    pub(crate) rounds: bool,
}

impl Dial {
    /// What `text` means, and whether it was rounded.
    ///
    /// # Errors
    /// [`RejectionCode::NotANumber`], [`RejectionCode::FinerThanWattHour`], [`RejectionCode::Negative`], or
    /// [`RejectionCode::AboveCeiling`] for what no dial shows.
    pub(crate) fn written(
        self,
        text: &[u8],
        separator: u8,
        unit: Unit,
    ) -> Result<(DialReading, bool), RejectionCode> {
        let decimals = unit.decimals() + WH_DECIMALS;
        let number = Decimal::parse(text, separator).map_err(|_| RejectionCode::NotANumber)?;
        let scaled = if self.rounds {
            number.nearest(decimals)
        } else {
            number.scaled(decimals).map(|whole| (whole, false))
        };
        let (milliwatt_hours, rounded) = scaled.map_err(|error| match error {
            DecimalError::TooFine => RejectionCode::FinerThanWattHour,
            DecimalError::TooLong => RejectionCode::AboveCeiling,
            DecimalError::Syntax => RejectionCode::NotANumber,
        })?;
        Ok((shown(i128::from(milliwatt_hours))?, rounded))
    }

    /// What `number × 10^scaler` watt-hours means, and whether it was rounded.
    ///
    /// # Errors
    /// As [`Dial::written`]; [`RejectionCode::NotANumber`] for a scaler past nine either way.
    pub(crate) fn counted(self, number: i128, scaler: i8) -> Result<(DialReading, bool), RejectionCode> {
        if scaler.unsigned_abs() > SCALER_MAX.unsigned_abs() || number.unsigned_abs() > u128::from(u64::MAX) {
            return Err(RejectionCode::NotANumber);
        }
        let factor = 10_i128.pow((i32::from(scaler) + 3).unsigned_abs());
        if scaler >= -3 {
            return Ok((shown(number * factor)?, false));
        }
        match (number % factor == 0, self.rounds) {
            (true, _) => Ok((shown(number / factor)?, false)),
            (false, true) => Ok((shown(div_half_even(number, factor))?, true)),
            (false, false) => Err(RejectionCode::FinerThanWattHour),
        }
    }
}

/// The dial that shows so much, if one does.
///
/// # Errors
/// [`RejectionCode::Negative`], or [`RejectionCode::AboveCeiling`].
pub(crate) fn shown(milliwatt_hours: i128) -> Result<DialReading, RejectionCode> {
    match i64::try_from(milliwatt_hours) {
        Ok(negative) if negative < 0 => Err(RejectionCode::Negative),
        Ok(number) if number < DIAL_END_MILLIWATT_HOURS => Ok(DialReading::from_milliwatt_hours(number)),
        _ if milliwatt_hours < 0 => Err(RejectionCode::Negative),
        _ => Err(RejectionCode::AboveCeiling),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RejectionCode::{AboveCeiling, FinerThanWattHour, Negative, NotANumber};

    type Want = Result<(i64, bool), RejectionCode>;

    #[test]
    fn numbers_as_written() {
        let table: &[(&str, &str, bool, Want)] = &[
            ("kWh", "012345.678", false, Ok((12_345_678_000, false))),
            ("Wh", "0.001", false, Ok((1, false))),
            ("kWh", "00032549.5061662", false, Err(FinerThanWattHour)),
            ("kWh", "00032549.5061662", true, Ok((32_549_506_166, true))),
            ("kvarh", "1", false, Ok((1_000_000, false))),
            ("kWh", "-0.001", false, Err(Negative)),
            ("kWh", "999999999999.999999", false, Ok((999_999_999_999_999_999, false))),
            ("kWh", "1000000000000", false, Err(AboveCeiling)),
            ("MWh", "999999999999999999", false, Err(AboveCeiling)),
            ("kWh", "1e3", true, Err(NotANumber)),
            ("kWh", "", false, Err(NotANumber)),
        ];
        for (unit, text, rounds, want) in table {
            let got = Dial { rounds: *rounds }.written(text.as_bytes(), b'.', Unit::named(unit).unwrap());
            assert_eq!(
                got.map(|(dial, rounded)| (dial.as_milliwatt_hours(), rounded)),
                *want,
                "{text} {unit}"
            );
        }
    }

    #[test]
    fn numbers_as_counted() {
        let table: &[(i128, i8, bool, Want)] = &[
            (44_080_665, -1, false, Ok((4_408_066_500, false))),
            (7, 1, false, Ok((70_000, false))),
            (7, -3, false, Ok((7, false))),
            (70, -4, false, Ok((7, false))),
            (75, -4, false, Err(FinerThanWattHour)),
            (75, -4, true, Ok((8, true))),
            (-1, 0, false, Err(Negative)),
            (i128::from(u64::MAX), 9, false, Err(AboveCeiling)),
            (1, 10, false, Err(NotANumber)),
            (1, i8::MIN, true, Err(NotANumber)),
            (i128::MAX, 0, true, Err(NotANumber)),
        ];
        for &(number, scaler, rounds, want) in table {
            let got = Dial { rounds }.counted(number, scaler);
            assert_eq!(
                got.map(|(dial, rounded)| (dial.as_milliwatt_hours(), rounded)),
                want,
                "{number} {scaler}"
            );
        }
    }
}
