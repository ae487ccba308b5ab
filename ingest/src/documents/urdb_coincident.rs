//! Coincident demand of a rate: what is taken at the hours of the system's peak, which the utility names after the month.
//!
//! ```text
//!   coincidentrateschedule 12 × 24  ─▶ a demand charge a period, in its hours, on every day
//!   coincidentratestructure         ─▶ its graduated prices: rate + adj
//!   --coincident-hours              ─▶ the list that publishes the hours: the database has none
//! ```
//!
//! Billed is the power of the whole published hour; of several hours of one month and period, their mean. A list for it
//! has an hour for each month (`each,month`), not for each working day.

use tallywatt_core::label::Label;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::tariff::{DemandCharge, DemandMeasure, DemandRange, Window};

use super::DocumentError;
use super::urdb::{BY_HAND, Import, has_content, windows_of};

const STRUCTURE: &str = "coincidentratestructure";
const SCHEDULE: &str = "coincidentrateschedule";
const NAME_HOURS: &str = "name the list that publishes the hours with --coincident-hours";
const NO_HOURS: &str = "leave --coincident-hours out";
/// The upper bound of a tier, W, and its price.
type PricedTier = (Option<i64>, PricePerKwh);
/// What a published hour is averaged over, minutes.
const HOUR_MINUTES: u8 = 60;

impl Import<'_> {
    /// The charges of coincident demand, at the hours of a list.
    pub(super) fn coincident_demands(
        &self,
        hours: Option<Label>,
    ) -> Result<Vec<DemandCharge>, DocumentError> {
        let periods = self.coincident_prices()?;
        let is_priced =
            |tiers: &[PricedTier]| tiers.iter().any(|(_, price)| *price != PricePerKwh::default());
        let is_scheduled = self.rate.coincidentrateschedule.iter().flatten().any(|&period| period > 0);
        let hours = match hours {
            None if !is_scheduled && !periods.iter().any(|tiers| is_priced(tiers)) => return Ok(Vec::new()),
            None => {
                return Err(self.fail(STRUCTURE, "demand at hours that the rate does not name", NAME_HOURS));
            }
            Some(_) if periods.is_empty() && !is_scheduled => {
                return Err(self.fail(STRUCTURE, "the rate has no coincident demand", NO_HOURS));
            }
            Some(hours) => hours,
        };
        let schedule = self.schedule(SCHEDULE, &self.rate.coincidentrateschedule, periods.len())?;
        let charged =
            windows_of(schedule, schedule).into_iter().filter(|(period, _)| is_priced(&periods[*period]));
        let charge = |(period, windows): (usize, Vec<Window>)| DemandCharge {
            name: format!("coincident-demand-{period}").parse().expect("a short name"),
            windows,
            minutes: HOUR_MINUTES,
            ranges: periods[period].iter().map(|&(up_to_w, price)| DemandRange { up_to_w, price }).collect(),
            measure: DemandMeasure::MeanAtPublishedHours(hours),
        };
        Ok(charged.map(charge).collect())
    }

    /// What coincident demand costs, by period.
    fn coincident_prices(&self) -> Result<Vec<Vec<PricedTier>>, DocumentError> {
        let structure = self.rate.coincidentratestructure.iter().enumerate();
        let priced = structure.map(|(period, tiers)| {
            for (at, tier) in tiers.iter().enumerate() {
                if let Some(unit) = tier.unit.as_deref().filter(|unit| !unit.eq_ignore_ascii_case("kW")) {
                    let place = format!("{STRUCTURE}[{period}][{at}].unit");
                    return Err(self.fail(&place, &format!("demand in {unit:?}, not in kW"), BY_HAND));
                }
            }
            self.tiers(&format!("{STRUCTURE}[{period}]"), tiers)
        });
        priced.collect()
    }

    /// What the rate says of its demand window, where it cannot hold for published hours.
    pub(super) fn coincident_left_out(&self) -> Option<String> {
        let is_charged = has_content(self.fields.get(STRUCTURE)?.get());
        let minutes =
            self.rate.demandwindow.filter(|minutes| is_charged && *minutes != u16::from(HOUR_MINUTES))?;
        Some(format!("demandwindow = {minutes}: coincident demand is taken over the whole published hour"))
    }
}
