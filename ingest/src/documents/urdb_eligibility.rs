//! Who may take a URDB rate: what of it a tariff can say, and what is named and left out.

use tallywatt_core::tariff::Eligibility;

use super::eligibility_table::BOUND_DECIMALS;
use super::urdb::{Import, has_content, short};

/// Whom the rate is for, and nothing that a tariff could check.
const UNCHECKED: [&str; 6] = [
    "peakkwcapacityhistory",
    "peakkwhusagehistory",
    "mindemand",
    "maxdemand",
    "voltagecategory",
    "phasewiring",
];
/// The bounds of [`Eligibility`], in its order: of the peak in kW, of a month's energy in kWh.
const BOUNDS: [&str; 4] = ["peakkwcapacitymin", "peakkwcapacitymax", "peakkwhusagemin", "peakkwhusagemax"];

/// Whom a rate is for, and what of that is left out.
pub(super) struct Eligible {
    pub(super) rule: Option<Eligibility>,
    pub(super) left_out: Vec<String>,
}

impl Import<'_> {
    /// No bill follows from it, so bounds that cannot be told exactly, or that nobody is within, refuse no rate: they are left out.
    pub(super) fn eligibility(&self) -> Eligible {
        let mut left_out = Vec::new();
        let mut limits = BOUNDS.map(|name| {
            let value = self.fields.get(name).filter(|value| has_content(value.get()))?;
            match self.number(name, value, BOUND_DECIMALS) {
                Ok(limit) if limit >= 0 => Some(limit),
                _ => {
                    let shown = short(value.get());
                    left_out.push(format!("{name} = {shown}: no bound in whole W or Wh"));
                    None
                }
            }
        });
        for (pair, names) in limits.chunks_mut(2).zip(BOUNDS.chunks(2)) {
            if let [Some(least), Some(most)] = pair
                && least > most
            {
                left_out.push(format!("{} is above {}: nobody could take the rate", names[0], names[1]));
                pair.fill(None);
            }
        }
        let named = UNCHECKED.into_iter().filter_map(|name| {
            let value = self.fields.get(name)?.get();
            Some(format!("{name} = {}: who may take the rate is not checked by it", short(value)))
        });
        left_out.extend(named);
        let [peak_w_at_least, peak_w_at_most, month_wh_at_least, month_wh_at_most] = limits;
        let rule = Eligibility { peak_w_at_least, peak_w_at_most, month_wh_at_least, month_wh_at_most };
        Eligible { rule: (rule != Eligibility::default()).then_some(rule), left_out }
    }
}
