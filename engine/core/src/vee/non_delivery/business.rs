//! Businesses without readings, and use past the meter (decree 442, item 166 and annex 3).
//!
//! Energy by power is power × time, in whole watts and seconds: a month with a clock change has an hour less or more.

use crate::calendar::UtcSeconds;
use crate::money::div_half_even;
use crate::validity::Validity;

use super::Dated;

/// √3 × 10¹³, the nearest: wrong by less than half a watt-hour up to 38 TWh.
const SQRT_3_E13: i128 = 17_320_508_075_689;
/// The largest power taken: 100 GW.
pub const POWER_W_MAX: u64 = 100_000_000_000;
/// The largest permitted current of a line taken: 100 kA.
pub const CURRENT_MA_MAX: u64 = 100_000_000;
/// The largest nominal voltage taken: 1,200 kV.
pub const VOLTAGE_V_MAX: u64 = 1_200_000;
/// The longest time billed at once, in days: three years, the longest that a claim without a contract goes back.
pub const BILLED_DAYS_MAX: i64 = 1_100;

const DAY_S: i64 = 86_400;

/// Parameters of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessRules {
    /// When they hold.
    pub validity: Validity,
    /// Periods in a row that are billed by the same period of last year.
    pub last_year_periods: u8,
    /// Power factor of the formulas without a known power, in hundredths.
    pub cos_phi_e2: u8,
    /// How far back unmetered use is billed, in days.
    pub look_back_days_max: u16,
}

impl BusinessRules {
    /// As the decree is read here: two periods, 0.9; unmetered use at most a year back.
    #[must_use]
    pub const fn current(validity: Validity) -> Self {
        Self { validity, last_year_periods: 2, cos_phi_e2: 90, look_back_days_max: 365 }
    }
}

impl Dated for BusinessRules {
    fn validity(&self) -> Validity {
        self.validity
    }
}

/// The most that a connection may draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// Maximum power by contract, in watts.
    Power(u64),
    /// Not agreed: by the permitted current of the line, in milliamperes, and its nominal voltage, in volts.
    Line {
        /// Permitted continuous current.
        current_ma: u64,
        /// Nominal voltage: between phases for three, to neutral for one.
        voltage_v: u64,
        /// Three phases or one.
        is_three_phase: bool,
    },
}

/// A business without readings in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Business {
    /// First instant of the period.
    pub from: UtcSeconds,
    /// The instant after its last.
    pub to: UtcSeconds,
    /// Which period in a row without readings this is, from 1.
    pub period_count: u16,
    /// Volume of the same period last year, if there were readings.
    pub last_year_wh: Option<i64>,
    /// Volume of the nearest period before with readings, if there is one.
    pub nearest_wh: Option<i64>,
    /// The most it may draw.
    pub capacity: Capacity,
}

/// The volume billed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessVolume {
    /// How much.
    pub energy_wh: i64,
    /// By what.
    pub basis: BusinessBasis,
}

/// What a business's volume rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusinessBasis {
    /// The same period last year. Its hours follow last year's: [`super::as_span`] by that profile.
    LastYear,
    /// The nearest period with readings, as last year has none.
    Nearest,
    /// The most it may draw, × time.
    Capacity {
        /// For how long.
        seconds: i64,
    },
}

/// Why there is no volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoBusinessVolume {
    /// Periods are counted from 1.
    #[error("period {0} without readings: they are counted from 1")]
    Period(u16),
    /// The time is empty or too long.
    #[error("from {from} to {to} is not billed at once, at most {BILLED_DAYS_MAX} days")]
    Time {
        /// First instant.
        from: UtcSeconds,
        /// The instant after the last.
        to: UtcSeconds,
    },
    /// Power, current or voltage past its limit.
    #[error("{value} {unit} is past what a connection has, at most {max}")]
    Capacity {
        /// What was given.
        value: u64,
        /// Of what.
        unit: &'static str,
        /// At most.
        max: u64,
    },
    /// A power factor above one.
    #[error("a power factor of {0} hundredths")]
    PowerFactor(u8),
    /// A volume of a period below zero.
    #[error("{0} Wh is no volume of a period")]
    Volume(i64),
}

/// What a business without readings is billed for.
///
/// # Errors
/// [`NoBusinessVolume`].
pub fn business_volume(
    rules: &BusinessRules,
    business: &Business,
) -> Result<BusinessVolume, NoBusinessVolume> {
    let Business { from, to, period_count, last_year_wh, nearest_wh, capacity } = *business;
    if period_count == 0 {
        return Err(NoBusinessVolume::Period(period_count));
    }
    if period_count <= u16::from(rules.last_year_periods) {
        let last_year = last_year_wh.map(|wh| (wh, BusinessBasis::LastYear));
        if let Some((energy_wh, basis)) = last_year.or(nearest_wh.map(|wh| (wh, BusinessBasis::Nearest))) {
            let volume = BusinessVolume { energy_wh, basis };
            return if energy_wh < 0 { Err(NoBusinessVolume::Volume(energy_wh)) } else { Ok(volume) };
        }
    }
    by_capacity(rules, capacity, from, to)
}

/// Unmetered use found on an inspection: the most it may draw since the last one, but not longer than is billed back.
///
/// # Errors
/// [`NoBusinessVolume`].
pub fn unmetered_volume(
    rules: &BusinessRules,
    capacity: Capacity,
    last_inspected: UtcSeconds,
    found: UtcSeconds,
) -> Result<BusinessVolume, NoBusinessVolume> {
    let earliest = found.plus(-i64::from(rules.look_back_days_max) * DAY_S);
    by_capacity(rules, capacity, last_inspected.max(earliest), found)
}

/// W = P·T; without a known power √3·I·U·cosφ·T or, with one phase, I·U·cosφ·T. Rounded once, half to even.
fn by_capacity(
    rules: &BusinessRules,
    capacity: Capacity,
    from: UtcSeconds,
    to: UtcSeconds,
) -> Result<BusinessVolume, NoBusinessVolume> {
    let seconds = to.0.saturating_sub(from.0);
    if seconds <= 0 || seconds > BILLED_DAYS_MAX * DAY_S {
        return Err(NoBusinessVolume::Time { from, to });
    }
    let within = |value: u64, unit, max| match value <= max {
        true => Ok(i128::from(value)),
        false => Err(NoBusinessVolume::Capacity { value, unit, max }),
    };
    let time = i128::from(seconds);
    let (parts, parts_per_wh) = match capacity {
        Capacity::Power(power) => (within(power, "W", POWER_W_MAX)? * time, 3_600),
        Capacity::Line { current_ma, voltage_v, is_three_phase } => {
            let cos_phi_e2 = rules.cos_phi_e2;
            if cos_phi_e2 > 100 {
                return Err(NoBusinessVolume::PowerFactor(cos_phi_e2));
            }
            let current = within(current_ma, "mA", CURRENT_MA_MAX)?;
            let voltage = within(voltage_v, "V", VOLTAGE_V_MAX)?;
            // At most 10⁸ mA × 1.2·10⁶ V × 10² × 9.6·10⁷ s × 1.8·10¹³: 2·10³⁷, within 128 bits.
            let parts = current * voltage * i128::from(cos_phi_e2) * time;
            match is_three_phase {
                true => (parts * SQRT_3_E13, 3_600 * 100_000 * 10_000_000_000_000),
                false => (parts, 3_600 * 100_000),
            }
        }
    };
    let energy = div_half_even(parts, parts_per_wh);
    let energy_wh = i64::try_from(energy).expect("100 GW or 210 GVA for three years are 64-bit watt-hours");
    Ok(BusinessVolume { energy_wh, basis: BusinessBasis::Capacity { seconds } })
}
