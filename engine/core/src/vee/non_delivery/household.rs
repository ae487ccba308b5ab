//! Households without readings: first their average, then the normative (decree 354, items 59, 60 and 60(1)).

use crate::money::div_half_even;
use crate::validity::Validity;

use super::Dated;

/// The most months that an average is taken over, the latest.
pub const AVERAGE_MONTHS_MAX: usize = 12;
/// The largest normative taken, in watt-hours a person and month: 100 MWh.
pub const NORMATIVE_WH_MAX: i64 = 100_000_000;

/// Parameters of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HouseholdRules {
    /// When they hold.
    pub validity: Validity,
    /// Months of use that an average needs.
    pub months_min: u8,
    /// Months that it needs at a meter which is younger than that.
    pub months_young_min: u8,
    /// Periods in a row that are billed by the average.
    pub average_periods_max: u8,
    /// Refused accesses after which the raised normative holds, whatever the period.
    pub refused_access_count: u8,
    /// The raised normative, in hundredths of the normative.
    pub raised_e2: u16,
}

impl HouseholdRules {
    /// As the decree reads now: 6 months, 3 for a young meter, 3 periods, and 1.5 after two refusals.
    #[must_use]
    pub const fn current(validity: Validity) -> Self {
        let (months_min, months_young_min, average_periods_max) = (6, 3, 3);
        Self {
            validity,
            months_min,
            months_young_min,
            average_periods_max,
            refused_access_count: 2,
            raised_e2: 150,
        }
    }
}

impl Dated for HouseholdRules {
    fn validity(&self) -> Validity {
        self.validity
    }
}

/// What is known of a household without a reading this period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Household<'a> {
    /// Volumes of the months before, by readings, the oldest first; a normative or average is no such volume.
    pub measured_months_wh: &'a [i64],
    /// Months since the meter was put into use: a young one has no more than so many.
    pub meter_month_count: u16,
    /// Which period in a row without readings this is, from 1.
    pub period_count: u16,
    /// How often access to the meter was refused, by records, since the last reading that was checked.
    pub refused_access_count: u8,
    /// Normative of the dwelling, a person and month: by region, rooms, stove.
    pub normative_wh: i64,
    /// Persons, or owners where none is registered.
    pub person_count: u16,
}

/// The volume billed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HouseholdVolume {
    /// How much.
    pub energy_wh: i64,
    /// By what.
    pub basis: HouseholdBasis,
}

/// What a household's volume rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HouseholdBasis {
    /// Mean of its months.
    Average {
        /// How many.
        month_count: u8,
        /// What they were together.
        sum_wh: i64,
    },
    /// The normative for its persons.
    Normative,
    /// The normative, raised because access was refused.
    RaisedNormative,
}

/// Why there is no volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHouseholdVolume {
    /// Periods are counted from 1.
    #[error("period {0} without readings: they are counted from 1")]
    Period(u16),
    /// A measured month or normative is negative or past its limit.
    #[error("{0} Wh is no volume of a month")]
    Volume(i64),
}

/// What a household without a reading is billed for.
///
/// # Errors
/// [`NoHouseholdVolume`].
pub fn household_volume(
    rules: &HouseholdRules,
    household: &Household<'_>,
) -> Result<HouseholdVolume, NoHouseholdVolume> {
    if household.period_count == 0 {
        return Err(NoHouseholdVolume::Period(household.period_count));
    }
    if !(0..=NORMATIVE_WH_MAX).contains(&household.normative_wh) {
        return Err(NoHouseholdVolume::Volume(household.normative_wh));
    }
    let normative_wh = household.normative_wh * i64::from(household.person_count);
    if household.refused_access_count >= rules.refused_access_count {
        let raised = div_half_even(i128::from(normative_wh) * i128::from(rules.raised_e2), 100);
        let energy_wh = i64::try_from(raised).map_err(|_| NoHouseholdVolume::Volume(normative_wh))?;
        return Ok(HouseholdVolume { energy_wh, basis: HouseholdBasis::RaisedNormative });
    }
    let average = match household.period_count <= u16::from(rules.average_periods_max) {
        true => average(rules, household)?,
        false => None,
    };
    Ok(average.unwrap_or(HouseholdVolume { energy_wh: normative_wh, basis: HouseholdBasis::Normative }))
}

/// Mean of the latest months, half to even; `None` if there are too few for a meter of that age.
fn average(
    rules: &HouseholdRules,
    household: &Household<'_>,
) -> Result<Option<HouseholdVolume>, NoHouseholdVolume> {
    let months_wh = household.measured_months_wh;
    let latest = &months_wh[months_wh.len().saturating_sub(AVERAGE_MONTHS_MAX)..];
    let is_young = household.meter_month_count < u16::from(rules.months_min);
    let months_min = if is_young { rules.months_young_min } else { rules.months_min };
    if latest.is_empty() || latest.len() < usize::from(months_min) {
        return Ok(None);
    }
    let mut sum_wh = 0_i64;
    for &wh in latest {
        let checked = if wh < 0 { None } else { sum_wh.checked_add(wh) };
        sum_wh = checked.ok_or(NoHouseholdVolume::Volume(wh))?;
    }
    let count = u8::try_from(latest.len()).expect("at most AVERAGE_MONTHS_MAX months");
    let mean = div_half_even(i128::from(sum_wh), i128::from(count));
    let energy_wh = i64::try_from(mean).expect("a mean is no more than its largest month");
    let basis = HouseholdBasis::Average { month_count: count, sum_wh };
    Ok(Some(HouseholdVolume { energy_wh, basis }))
}
