//! Country: readings made by formula, folded to determinants, and billed by column.

use std::thread;

use tallywatt_core::columns::{RatePlan, SplitPlan, rate_columns_wide, rate_mixed, split_columns};
use tallywatt_core::determinants::{DayPattern, DayProfile, RunningUse};
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::split::RunningSplit;
use tallywatt_fixtures::country::tariffs::{TARIFF_COUNT, patterns, plans};
use tallywatt_fixtures::country::{Country, CountryMeter, SLOT_COUNT, is_weekend};

use crate::wide;

/// Days of every case.
pub const DAY_COUNT: u32 = 30;
/// Bills kept in memory: they are rated again and again.
const RATED_COUNT_MAX: usize = 1_000_000;

/// One day of one meter, Wh.
type DayValues = [i32; SLOT_COUNT];

/// A country's month in memory.
pub struct Case {
    meters: Vec<CountryMeter>,
    days_wh: Vec<DayValues>,
    patterns: [DayPattern; 2],
    /// Whether a day of the month is a weekend's.
    weekends: Vec<bool>,
}

/// Determinants, and what they cost.
pub struct Rated {
    uses: Vec<RunningUse>,
    plan_of: Vec<u8>,
    plans: Vec<RatePlan>,
    split: SplitPlan,
    totals_minor: Vec<i64>,
    payee_minor: Vec<i64>,
    remainder_minor: Vec<i64>,
}

impl Case {
    /// A month of `meter_count` meters.
    ///
    /// # Panics
    /// If there can be no such country.
    #[must_use]
    pub fn new(meter_count: usize) -> Self {
        let country = Country::new(wide(meter_count)).expect("the sizes of benchmarks are in range");
        let mut case = Self {
            meters: (0..wide(meter_count)).map(|number| country.meter(number)).collect(),
            days_wh: vec![[0; SLOT_COUNT]; meter_count * DAY_COUNT as usize],
            patterns: patterns(),
            weekends: (0..DAY_COUNT).map(is_weekend).collect(),
        };
        case.generate();
        case
    }

    /// How many readings.
    #[must_use]
    pub fn reading_count(&self) -> u64 {
        wide(self.days_wh.len() * SLOT_COUNT)
    }

    /// Makes every reading anew.
    pub fn generate(&mut self) {
        let months = self.days_wh.chunks_exact_mut(DAY_COUNT as usize);
        for (meter, days) in self.meters.iter().zip(months) {
            for (day_index, values_wh) in (0..).zip(days) {
                meter.fill_day(day_index, values_wh);
            }
        }
    }

    /// Folds every day into running uses, over `thread_count` threads.
    ///
    /// # Panics
    /// Never: the country's values are in range.
    #[must_use]
    pub fn fold(&self, thread_count: usize) -> Vec<RunningUse> {
        let mut uses = vec![RunningUse::default(); self.meters.len()];
        let step = self.meters.len().div_ceil(thread_count);
        let months = self.days_wh.chunks(step * DAY_COUNT as usize);
        thread::scope(|scope| {
            for (uses, days) in uses.chunks_mut(step).zip(months) {
                scope.spawn(move || self.fold_some(uses, days));
            }
        });
        uses
    }

    fn fold_some(&self, uses: &mut [RunningUse], days: &[DayValues]) {
        for (point, days) in uses.iter_mut().zip(days.chunks_exact(DAY_COUNT as usize)) {
            for (values_wh, &is_weekend) in days.iter().zip(&self.weekends) {
                let pattern = &self.patterns[usize::from(is_weekend)];
                point.add_day(values_wh, pattern).expect("the country's values are in range");
            }
        }
    }

    /// Folds every meter's month by lane; zones once at its end.
    ///
    /// # Panics
    /// Never: the country's values are in range.
    #[must_use]
    pub fn fold_profiles(&self) -> Vec<RunningUse> {
        let [working, weekend] = &self.patterns;
        let mut profile = DayProfile::<SLOT_COUNT>::default();
        let months = self.days_wh.chunks_exact(DAY_COUNT as usize);
        months
            .map(|days| {
                profile.clear();
                for (values_wh, &is_weekend) in days.iter().zip(&self.weekends) {
                    profile.add_day(values_wh, is_weekend).expect("the country's values are in range");
                }
                profile.fold(working, weekend).expect("both patterns have 48 lanes")
            })
            .collect()
    }
}

impl Rated {
    /// The determinants of `case`, repeated up to `bill_count` bills.
    ///
    /// # Panics
    /// For more than a million bills.
    #[must_use]
    pub fn new(case: &Case, bill_count: usize) -> Self {
        assert!(bill_count <= RATED_COUNT_MAX, "{bill_count} bills, at most {RATED_COUNT_MAX}");
        let tariffs = (0_u8..).take(TARIFF_COUNT).cycle();
        Self {
            uses: case.fold(1).into_iter().cycle().take(bill_count).collect(),
            plan_of: tariffs.take(bill_count).collect(),
            plans: plans(),
            split: SplitPlan::per_kwh([PricePerKwh::from_e8(230_000_000); 3]),
            totals_minor: vec![0; bill_count],
            payee_minor: vec![0; bill_count],
            remainder_minor: vec![0; bill_count],
        }
    }

    /// The determinants of every bill.
    #[must_use]
    pub fn uses(&self) -> &[RunningUse] {
        &self.uses
    }

    /// The five tariffs' plans; bill `i` follows plan `i % 5`.
    #[must_use]
    pub fn plans(&self) -> &[RatePlan] {
        &self.plans
    }

    /// Rates every bill by its tariff over `thread_count` threads; gives back the totals.
    ///
    /// # Panics
    /// Never: the country's amounts fit.
    pub fn rate(&mut self, thread_count: usize) -> &[i64] {
        let step = self.uses.len().div_ceil(thread_count);
        let plans = &self.plans;
        let rows = self.uses.chunks(step).zip(self.plan_of.chunks(step));
        thread::scope(|scope| {
            for ((uses, plan_of), totals_minor) in rows.zip(self.totals_minor.chunks_mut(step)) {
                scope.spawn(move || {
                    rate_mixed(plans, plan_of, uses, totals_minor).expect("the country's amounts fit");
                });
            }
        });
        &self.totals_minor
    }

    /// Rates every bill by its tariff in 128 bits, one by one.
    ///
    /// # Panics
    /// Never: the country's amounts fit.
    pub fn rate_wide(&mut self) -> &[i64] {
        for ((point, &plan), total) in self.uses.iter().zip(&self.plan_of).zip(&mut self.totals_minor) {
            let (row, total) = (std::slice::from_ref(point), std::slice::from_mut(total));
            rate_columns_wide(&self.plans[usize::from(plan)], row, total).expect("the country's amounts fit");
        }
        &self.totals_minor
    }

    /// Splits every total by a rate per kilowatt-hour; gives back what the payee gets of all.
    ///
    /// # Panics
    /// Never: the country's totals are not negative.
    pub fn split(&mut self) -> i64 {
        let mut running = RunningSplit::default();
        let (payee, remainder) = (&mut self.payee_minor, &mut self.remainder_minor);
        split_columns(self.split, &self.uses, &self.totals_minor, &mut running, payee, remainder)
            .expect("the country's totals can be split");
        running.paid.as_minor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_billed() {
        let mut case = Case::new(1_000);
        let before = case.days_wh.clone();
        case.generate();
        assert_eq!(case.days_wh, before);
        let uses = case.fold(1);
        assert_eq!(uses.iter().map(RunningUse::total_wh).sum::<i64>(), 2_333_405_358);
        assert_eq!(case.fold(3), uses);
        assert_eq!(case.fold_profiles(), uses);
        let mut rated = Rated::new(&case, 1_000);
        let totals = rated.rate(1).to_vec();
        assert_eq!(totals.iter().sum::<i64>(), 2_104_078_446);
        assert_eq!(rated.rate(3), totals);
        assert_eq!(rated.rate_wide(), totals);
        let payee = rated.split();
        // 2.30 for each of 2,333,405.358 kWh; less where a bill is below that.
        assert_eq!(payee, rated.payee_minor.iter().sum::<i64>());
        assert_eq!(payee, 536_683_232);
        let legs = rated.payee_minor.iter().zip(&rated.remainder_minor);
        assert!(legs.zip(&totals).all(|((payee, remainder), total)| payee + remainder == *total));
    }
}
