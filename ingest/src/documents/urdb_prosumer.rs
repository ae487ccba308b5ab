//! What a rate of the utility rate database says beyond one month's import: netting rules, look-back, minimum of a year.
//!
//! ```text
//!   dgrules  Net Metering               month-carry, each period its own credit, settled in December at the sell price
//!            Net Billing Instantaneous  interval                      ┐
//!            Net Billing Hourly         interval, over an hour        ├ sell, one price a period
//!            Buy All Sell All           none                          ┘
//!   lookbackpercent, -range, -months    look-back of every demand charge: a part of the peaks of earlier months
//!   demandratchetpercentage             the same, a part for the peaks of each month
//!   annualmincharge                     minimum of a year
//! ```
//!
//! The database has parts as fractions of one. Where it names months but no range, the eleven months before count. A rule
//! for energy fed in matters to usage points with a contract on their export register only.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::tariff::{
    CarryRules, DemandCharge, LOOK_BACK_WHOLE, LookBack, Netting, NettingMode, TariffZone,
};

use super::DocumentError;
use super::urdb::{BY_HAND, COMPARE, Import, has_content, short};

/// Months that a look-back reaches where the rate does not say.
const LOOK_BACK_MONTHS: u8 = 11;
/// Decimals of a fraction down to the unit of [`LookBack::percent_e2`].
const FRACTION_DECIMALS: u32 = 4;

impl Import<'_> {
    /// The field of any of these names that says something.
    fn said(&self, names: [&'static str; 2]) -> Option<(&'static str, &RawValue)> {
        let found = names.into_iter().find_map(|name| Some((name, *self.fields.get(name)?)));
        found.filter(|(_, value)| has_content(value.get()))
    }

    /// The rule for energy fed in.
    pub(super) fn dg_rule(&self) -> Option<(&'static str, &RawValue)> {
        self.said(["dgrules", "dgRules"])
    }

    pub(super) fn netting(
        &self,
        zones: &BTreeMap<usize, TariffZone>,
    ) -> Result<Option<Netting>, DocumentError> {
        let Some((name, rule)) = self.dg_rule() else { return Ok(None) };
        let (mode, minutes) = match rule.get().trim_matches('"') {
            "Net Metering" => (NettingMode::MonthCarry, 0),
            "Net Billing Instantaneous" => (NettingMode::Interval, 0),
            "Net Billing Hourly" => (NettingMode::Interval, 60),
            "Buy All Sell All" => (NettingMode::Separate, 0),
            other => return Err(self.fail(name, &format!("{:?} is not known", short(other)), BY_HAND)),
        };
        let carries = mode == NettingMode::MonthCarry;
        let mut sell = Vec::new();
        for &period in zones.keys() {
            sell.push(self.sell(period, !carries)?);
        }
        let settle_month = carries.then_some(12);
        Ok(Some(Netting { mode, minutes, sell, pools_zones: false, settle_month }))
    }

    /// What a kilowatt-hour fed in is worth in a period: one price for all its tiers.
    fn sell(&self, period: usize, is_needed: bool) -> Result<PricePerKwh, DocumentError> {
        let place = |at: usize| format!("energyratestructure[{period}][{at}].sell");
        let tiers = &self.rate.energyratestructure[period];
        let given = tiers
            .iter()
            .enumerate()
            .map(|(at, tier)| tier.sell.map(|sell| self.price(&place(at), Some(sell))).transpose());
        let given = given.collect::<Result<Vec<Option<i64>>, _>>()?;
        if let Some(at) = given.iter().position(|price| *price != given[0]) {
            return Err(self.fail(&place(at), "tiers of a period sell at different prices", BY_HAND));
        }
        match given.first().copied().flatten() {
            Some(price) => Ok(PricePerKwh::from_e8(price)),
            None if is_needed => Err(self.fail(&place(0), "no sell price for energy fed in", BY_HAND)),
            None => Ok(PricePerKwh::default()),
        }
    }

    pub(super) fn carry(&self, demands: &[DemandCharge]) -> Result<CarryRules, DocumentError> {
        let minimum = self.fields.get("annualmincharge").copied().filter(|value| has_content(value.get()));
        let minimum_per_year = PricePerKwh::from_e8(self.price("annualmincharge", minimum)?);
        let look_back = self.look_back()?;
        let look_backs = look_back.into_iter().flat_map(|look_back| {
            (0_u8..).zip(demands).map(move |(charge, _)| LookBack { charge, ..look_back })
        });
        Ok(CarryRules { look_backs: look_backs.collect(), minimum_per_year })
    }

    /// The look-back of every demand charge; of charge 0.
    fn look_back(&self) -> Result<Option<LookBack>, DocumentError> {
        let part = self.said(["lookbackpercent", "lookbackPercent"]);
        let range = self.said(["lookbackrange", "lookbackRange"]);
        let named = self.said(["lookbackmonths", "lookbackMonths"]);
        let ratchet = self.said(["demandratchetpercentage", "demandRatchetPercentage"]);
        let months = match range {
            Some((name, value)) => {
                let months = self.number(name, value, 0)?;
                let months = u8::try_from(months).ok().filter(|months| (1..=12).contains(months));
                months
                    .ok_or_else(|| self.fail(name, &format!("{} months, at most 12", value.get()), BY_HAND))?
            }
            None => LOOK_BACK_MONTHS,
        };
        let percent_e2 = match (part, named, ratchet) {
            (None, None, None) => return Ok(None),
            (Some((name, part)), named, None) => {
                let part = self.fraction(name, part)?;
                match named {
                    Some((name, months)) => {
                        self.months(name, months)?.map(|counts| if counts { part } else { 0 })
                    }
                    None => [part; 12],
                }
            }
            (None, None, Some((name, parts))) => {
                let parts: Vec<&RawValue> = self.list(name, parts)?;
                let mut percent_e2 = [0; 12];
                for (month, (own, part)) in percent_e2.iter_mut().zip(parts).enumerate() {
                    *own = self.fraction(&format!("{name}[{month}]"), part)?;
                }
                percent_e2
            }
            (None, Some((name, _)), None) => {
                return Err(self.fail(name, "months of a look-back without lookbackpercent", COMPARE));
            }
            (_, _, Some((name, _))) => {
                return Err(self.fail(name, "a ratchet beside a look-back", BY_HAND));
            }
        };
        Ok(Some(LookBack { charge: 0, months, percent_e2 }))
    }

    /// A part of one, in hundredths of a per cent.
    fn fraction(&self, place: &str, number: &RawValue) -> Result<u16, DocumentError> {
        let part = self.number(place, number, FRACTION_DECIMALS)?;
        let part = u16::try_from(part).ok().filter(|part| *part <= LOOK_BACK_WHOLE);
        part.ok_or_else(|| self.fail(place, &format!("{} is no part of one", short(number.get())), BY_HAND))
    }

    /// Twelve months that are named or not: true and false, or 1 and 0.
    fn months(&self, name: &str, months: &RawValue) -> Result<[bool; 12], DocumentError> {
        let mut named = [false; 12];
        for (own, value) in named.iter_mut().zip(self.list(name, months)?) {
            *own = match value.get() {
                "true" | "1" => true,
                "false" | "0" | "null" => false,
                other => {
                    return Err(self.fail(
                        name,
                        &format!("{} is neither true nor false", short(other)),
                        COMPARE,
                    ));
                }
            };
        }
        Ok(named)
    }

    fn list<'v>(&self, name: &str, value: &'v RawValue) -> Result<Vec<&'v RawValue>, DocumentError> {
        let list: Vec<&RawValue> = serde_json::from_str(value.get())
            .map_err(|_| self.fail(name, "not a list of 12 months", COMPARE))?;
        let count = list.len();
        if count == 12 {
            Ok(list)
        } else {
            Err(self.fail(name, &format!("{count} months, need 12"), COMPARE))
        }
    }
}
