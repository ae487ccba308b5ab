//! Meters and what their dials show: reads of a cumulative register, and which meter counted when.
//!
//! ```text
//!   Installation (serial, dials, multiplier) ── from ─────────────────── to ─▶ the next one: an exchange
//!   RegisterRead                                  ·     ·       ·      ·
//! ```
//!
//! A dial is what a person would read off it, before the multiplier of the transformers. Consumption follows from two
//! reads and the installation between them; a read by itself is no energy.

use std::fmt;

use crate::calendar::UtcSeconds;
use crate::decimal::{Decimal, DecimalError, write_scaled};
use crate::label::{Label, UsagePointId};
use crate::quality::Quality;
use crate::register::Register;

/// The number on a meter's plate.
pub type MeterSerial = Label;

/// What a register shows, in thousandths of a watt-hour (or var-hour), before the multiplier. Finer steps, which
/// some meters send, are rounded where the profile allows it, else set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DialReading(i64);

/// Thousandths of a watt-hour in one kilowatt-hour.
const MILLIWATT_HOURS_PER_KWH: i64 = 1_000_000;

impl DialReading {
    /// From thousandths of a watt-hour.
    #[must_use]
    pub const fn from_milliwatt_hours(milliwatt_hours: i64) -> Self {
        Self(milliwatt_hours)
    }

    /// In thousandths of a watt-hour.
    #[must_use]
    pub const fn as_milliwatt_hours(self) -> i64 {
        self.0
    }
}

/// In kilowatt-hours with six decimals: `12345.678000`.
impl fmt::Display for DialReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, i128::from(self.0), 6, 6)
    }
}

/// One read of a cumulative register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegisterRead {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register; a zone register counts one tariff zone.
    pub register: Register,
    /// When the dial showed it.
    pub at: UtcSeconds,
    /// Off which meter, if the source says.
    pub meter: Option<MeterSerial>,
    /// What it showed.
    pub dial: DialReading,
    /// What the source says of it.
    pub quality: Quality,
}

/// The factor of the transformers before a meter, in millionths: one of its units is so many units of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiplier(u64);

impl Multiplier {
    /// A meter without transformers.
    pub const ONE: Self = Self(1_000_000);
    /// The largest factor taken: a 750 kV line with 4,000 A transformers has 6 million.
    pub const WHOLE_MAX: u64 = 100_000_000;

    /// Reads a decimal number above zero, with at most six decimals.
    ///
    /// # Errors
    /// [`DecimalError`]; [`DecimalError::Syntax`] also for zero and less, [`DecimalError::TooLong`] past
    /// [`Multiplier::WHOLE_MAX`].
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let millionths = Decimal::parse(text.as_bytes(), b'.')?.scaled(6)?;
        Self::from_millionths(u64::try_from(millionths).map_err(|_| DecimalError::Syntax)?)
    }

    /// From millionths.
    ///
    /// # Errors
    /// [`DecimalError::Syntax`] for zero, [`DecimalError::TooLong`] past [`Multiplier::WHOLE_MAX`].
    pub const fn from_millionths(millionths: u64) -> Result<Self, DecimalError> {
        match millionths {
            0 => Err(DecimalError::Syntax),
            large if large > Self::WHOLE_MAX * 1_000_000 => Err(DecimalError::TooLong),
            _ => Ok(Self(millionths)),
        }
    }

    /// In millionths.
    #[must_use]
    pub const fn as_millionths(self) -> u64 {
        self.0
    }
}

/// One register of one meter at a usage point, from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Installation {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register of it.
    pub register: Register,
    /// First instant it counts for.
    pub from: UtcSeconds,
    /// The meter.
    pub meter: MeterSerial,
    /// What the dial showed then.
    pub first: DialReading,
    /// When it was taken out, and what it showed then.
    pub to: Option<(UtcSeconds, DialReading)>,
    /// Dials before the point, in kilowatt-hours, 1 to 12: after the last nines comes zero.
    pub digits: u8,
    /// Of its transformers.
    pub multiplier: Multiplier,
}

impl Installation {
    /// The most dials before the point.
    pub const DIGITS_MAX: u8 = 12;

    /// One past what the dial can show: where it starts again from zero.
    ///
    /// # Panics
    /// If the digits are not 1 to [`Installation::DIGITS_MAX`].
    #[must_use]
    pub fn dial_end(&self) -> DialReading {
        assert!((1..=Self::DIGITS_MAX).contains(&self.digits), "a register has 1 to 12 dials");
        DialReading(10_i64.pow(u32::from(self.digits)) * MILLIWATT_HOURS_PER_KWH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_and_multipliers() {
        assert_eq!(DialReading::from_milliwatt_hours(12_345_678_000).to_string(), "12345.678000");
        for (text, want) in [
            ("1", Ok(1_000_000)),
            ("0.05", Ok(50_000)),
            ("4000", Ok(4_000_000_000)),
            ("0", Err(DecimalError::Syntax)),
            ("-1", Err(DecimalError::Syntax)),
            ("100000001", Err(DecimalError::TooLong)),
            ("0.0000001", Err(DecimalError::TooFine)),
        ] {
            assert_eq!(Multiplier::parse(text).map(Multiplier::as_millionths), want, "{text}");
        }
    }
}
