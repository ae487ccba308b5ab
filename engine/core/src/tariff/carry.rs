//! What a tariff asks of earlier months: the look-back of a demand charge, and the minimum of a year.

use super::{TariffError, TariffParts};
use crate::money::PricePerKwh;

/// The furthest a look-back goes, months.
pub const LOOK_BACK_MONTHS_MAX: u8 = 12;
/// All of a peak, in the unit of [`LookBack::percent_e2`].
pub const LOOK_BACK_WHOLE: u16 = 10_000;

/// A ratchet: billed is at least a part of the highest peaks of the months before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookBack {
    /// Which demand charge, counted from 0.
    pub charge: u8,
    /// How many months before this one count.
    pub months: u8,
    /// What counts of a peak by the month it was in, January first: hundredths of a per cent; 0 for nothing.
    pub percent_e2: [u16; 12],
}

impl LookBack {
    /// What a peak of so many watts in `month`, from 0, asks to be billed: whole watts, cut.
    #[must_use]
    pub fn floor_w(&self, month: usize, peak_w: i64) -> i64 {
        let product = i128::from(peak_w) * i128::from(self.percent_e2[month]);
        i64::try_from(product / i128::from(LOOK_BACK_WHOLE)).expect("at most the peak itself")
    }
}

/// What reaches from one bill to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CarryRules {
    /// By demand charge, ascending; not every charge has one.
    pub look_backs: Vec<LookBack>,
    /// What a usage point pays at least for a year, tax apart; zero for no minimum. Settled in December, or in the month in
    /// which the last contract ends, for the days held.
    pub minimum_per_year: PricePerKwh,
}

impl CarryRules {
    /// The look-back of a demand charge.
    #[must_use]
    pub fn look_back(&self, charge: usize) -> Option<&LookBack> {
        self.look_backs.iter().find(|one| usize::from(one.charge) == charge)
    }
}

impl super::Tariff {
    /// Whether a bill by it stands on the bill of the month before.
    #[must_use]
    pub fn carries(&self) -> bool {
        let parts = self.parts();
        let carries_credit =
            parts.netting.as_ref().is_some_and(|netting| netting.mode == super::NettingMode::MonthCarry);
        carries_credit || parts.carry != CarryRules::default()
    }
}

pub(super) fn check(parts: &TariffParts) -> Result<(), TariffError> {
    let rules = &parts.carry;
    if rules.minimum_per_year.as_e8() < 0 {
        return Err(TariffError::Negative(rules.minimum_per_year));
    }
    let is_ascending = rules.look_backs.windows(2).all(|pair| pair[0].charge < pair[1].charge);
    for look_back in &rules.look_backs {
        let demand = parts.demands.get(usize::from(look_back.charge));
        let is_sound = (1..=LOOK_BACK_MONTHS_MAX).contains(&look_back.months)
            && look_back.percent_e2.iter().all(|percent| *percent <= LOOK_BACK_WHOLE)
            && look_back.percent_e2.iter().any(|percent| *percent > 0);
        match demand {
            Some(demand) if !is_sound || !is_ascending => return Err(TariffError::LookBack(demand.name)),
            None => return Err(TariffError::LookBack(parts.id)),
            Some(_) => {}
        }
    }
    Ok(())
}
