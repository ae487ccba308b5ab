//! The `[eligibility]` table of a tariff file: read, and written again.
//!
//! ```toml
//! [eligibility]               # of a month of a usage point; one bound at least, each included
//! peak_kw_at_least = "50"     # the highest power, as the demand charges take it; without any, of an interval
//! peak_kw_at_most = "500"
//! month_kwh_at_least = "2000"
//! month_kwh_at_most = "30000"
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use serde::Deserialize;
use tallywatt_core::energy::Energy;
use tallywatt_core::tariff::{Eligibility, EligibilityBound, TariffParts};
use toml::Spanned;

use super::error::DocumentError;
use super::field::{Field, Source};

/// Decimals of a kilowatt-hour down to the watt-hour, and of a kilowatt down to the watt.
pub(super) const BOUND_DECIMALS: u32 = 3;
pub(super) const BOUNDS: &str = "write peak_kw_at_least, peak_kw_at_most, month_kwh_at_least or month_kwh_at_most, or leave the table out";
pub(super) const NEGATIVE: &str = "write zero or more";
pub(super) const CROSSED: &str = "let the least be at most the most";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EligibilityTable {
    peak_kw_at_least: Option<Field>,
    peak_kw_at_most: Option<Field>,
    month_kwh_at_least: Option<Field>,
    month_kwh_at_most: Option<Field>,
}

/// The name that a bound has in the file.
const fn name_of(bound: EligibilityBound) -> &'static str {
    match bound {
        EligibilityBound::PeakAtLeast => "peak_kw_at_least",
        EligibilityBound::PeakAtMost => "peak_kw_at_most",
        EligibilityBound::EnergyAtLeast => "month_kwh_at_least",
        EligibilityBound::EnergyAtMost => "month_kwh_at_most",
    }
}

impl EligibilityTable {
    const fn field(&self, bound: EligibilityBound) -> Option<&Field> {
        match bound {
            EligibilityBound::PeakAtLeast => self.peak_kw_at_least.as_ref(),
            EligibilityBound::PeakAtMost => self.peak_kw_at_most.as_ref(),
            EligibilityBound::EnergyAtLeast => self.month_kwh_at_least.as_ref(),
            EligibilityBound::EnergyAtMost => self.month_kwh_at_most.as_ref(),
        }
    }

    /// Where a bound stands, if it does.
    pub(super) fn place(&self, bound: EligibilityBound) -> Option<Range<usize>> {
        self.field(bound).map(Spanned::span)
    }
}

/// The rule that the table says.
pub(super) fn eligibility_of(
    source: &Source<'_>,
    table: &EligibilityTable,
) -> Result<Eligibility, DocumentError> {
    let limit = |bound: EligibilityBound| {
        let field = table.field(bound);
        field.map(|field| source.decimal(name_of(bound), field, BOUND_DECIMALS)).transpose()
    };
    Ok(Eligibility {
        peak_w_at_least: limit(EligibilityBound::PeakAtLeast)?,
        peak_w_at_most: limit(EligibilityBound::PeakAtMost)?,
        month_wh_at_least: limit(EligibilityBound::EnergyAtLeast)?,
        month_wh_at_most: limit(EligibilityBound::EnergyAtMost)?,
    })
}

/// The `[eligibility]` table; nothing if anyone may take the tariff.
pub(super) fn render_eligibility(text: &mut String, parts: &TariffParts) {
    let Some(rule) = &parts.eligibility else { return };
    text.push_str("[eligibility]\n");
    for bound in EligibilityBound::ALL {
        if let Some(limit) = rule.limit(bound) {
            let _ = writeln!(text, "{} = \"{}\"", name_of(bound), Energy::from_wh(limit));
        }
    }
}
