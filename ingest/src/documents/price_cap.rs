//! Price caps: what a regulator lets a kilowatt-hour and a day cost at most, and whether a tariff file keeps to it.
//!
//! ```toml
//! kind = "price-cap"
//! name = "default-tariff-2026q1"
//! source = "illustrative"
//! region = "London"
//! currency = "GBP"
//! valid_from = "2026-01-01"
//! valid_to = "2026-04-01"
//! unit_rate = "0.2769"              # currency a kilowatt-hour
//! standing_charge = "0.5475"        # currency a day
//! tax_included = true
//! ```
//!
//! Tax is added to what has none before it is compared, exactly. A month's charge is a twelfth, a year's the whole of 365
//! days' standing charge. A price equal to the cap keeps to it.

use std::ops::Range as Span;

use serde::Deserialize;
use tallywatt_core::calendar::Day;
use tallywatt_core::explain::IntervalPrice;
use tallywatt_core::label::Label;
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::tariff::{Currency, SeriesPrice, Tariff, TariffParts};
use tallywatt_core::validity::Validity;

use super::error::DocumentError;
use super::field::{Field, Source};
use super::tariff_file::{self, Places};
use super::{DOCUMENT_SIZE_MAX, tariff_file::price_of};

const NAME: &str = "write 1 to 33 printable ASCII characters";
const CURRENCY: &str = "write three capital letters, such as \"GBP\"";
const KIND: &str = "write kind = \"price-cap\"";
const LOWER: &str = "lower the price, or set valid_from or valid_to so that the two do not hold on one day";
const SAME_CURRENCY: &str = "name the cap of the tariff's currency";

/// The whole of a tax rate.
const WHOLE_E4: i128 = 10_000;
/// Days of a year, and months, by which longer charges become those of a day.
const YEAR_DAYS: i128 = 365;
const YEAR_MONTHS: i128 = 12;

/// What a kilowatt-hour and a day may cost at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceCap {
    /// Its name.
    pub name: Label,
    /// Where it comes from.
    pub source: String,
    /// Whom it is for.
    pub region: String,
    /// Its currency.
    pub currency: Currency,
    /// Days it holds on.
    pub validity: Validity,
    /// A kilowatt-hour.
    pub unit_rate: PricePerKwh,
    /// A day.
    pub standing_charge: PricePerKwh,
    /// Whether the two contain the tax.
    pub is_tax_included: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapFile {
    kind: Field,
    name: Field,
    source: Field,
    region: Field,
    currency: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    unit_rate: Field,
    standing_charge: Field,
    tax_included: Field,
}

/// Reads a cap file; `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_price_cap(file: &str, text: &str) -> Result<PriceCap, DocumentError> {
    if text.len() > DOCUMENT_SIZE_MAX {
        let problem = format!("file of {} bytes, at most {DOCUMENT_SIZE_MAX}", text.len());
        return Err(DocumentError::new(file, None, problem, "write one cap a file"));
    }
    let source = Source::new(file, text);
    let cap: CapFile = source.read()?;
    let kind = source.text("kind", &cap.kind)?;
    if kind != "price-cap" {
        return Err(source.fail(&cap.kind.span(), format!("kind {kind:?} is no cap"), KIND));
    }
    Ok(PriceCap {
        name: source.parse("name", &cap.name, NAME)?,
        source: source.text("source", &cap.source)?.to_owned(),
        region: source.text("region", &cap.region)?.to_owned(),
        currency: source.parse("currency", &cap.currency, CURRENCY)?,
        validity: source.validity(&cap.valid_from, cap.valid_to.as_ref())?,
        unit_rate: price_of(&source, "unit_rate", &cap.unit_rate)?,
        standing_charge: price_of(&source, "standing_charge", &cap.standing_charge)?,
        is_tax_included: source.flag("tax_included", &cap.tax_included)?,
    })
}

/// Whether a tariff file keeps to a cap on the days that both hold; `file` is its name in messages. Prices of series are
/// compared as far as `market` has them. Gives what was not compared, a text each.
///
/// # Errors
/// [`DocumentError`] names the line of the first price above the cap, or what is wrong with the file.
pub fn check_price_cap(
    file: &str,
    text: &str,
    cap: &PriceCap,
    market: &MarketBook,
) -> Result<Vec<String>, DocumentError> {
    let source = Source::new(file, text);
    let (tariff, places) = tariff_file::parse_with_places(&source)?;
    let check = Check { source: &source, tariff: &tariff, places: &places, cap };
    let parts = tariff.parts();
    if !parts.validity.overlaps(cap.validity) {
        let text = format!("the tariff holds {}, the cap {}: on no day both", parts.validity, cap.validity);
        return Ok(vec![text]);
    }
    if parts.currency != cap.currency {
        let problem =
            format!("the tariff is in {}, the cap {} in {}", parts.currency, cap.name, cap.currency);
        return Err(source.fail(&places.currency, problem, SAME_CURRENCY));
    }
    check.fixed()?;
    check.prices()?;
    let mut left_out = check.series(market)?;
    left_out.extend(not_capped(parts));
    Ok(left_out)
}

/// What no cap is set for.
fn not_capped(parts: &TariffParts) -> Vec<String> {
    let flat = parts.ranges.iter().any(|range| range.flat.as_e8() != 0);
    let package = parts.ranges.iter().any(|range| range.package_wh.is_some());
    let table = [
        (flat, "flat fees have no cap"),
        (package, "packages are compared as if each were used up"),
        (!parts.demands.is_empty(), "demand charges have no cap"),
        (parts.minimum_per_month.as_e8() != 0, "the minimum of a month has no cap"),
    ];
    table.iter().filter(|(is_there, _)| *is_there).map(|(_, text)| (*text).to_owned()).collect()
}

struct Check<'c> {
    source: &'c Source<'c>,
    tariff: &'c Tariff,
    places: &'c Places,
    cap: &'c PriceCap,
}

impl Check<'_> {
    /// Whether `own / divisor` is above the cap, once both have the tax or neither.
    fn is_above(&self, own: i128, divisor: i128, cap: PricePerKwh) -> bool {
        let vat = self.tariff.parts().vat;
        let with_tax = WHOLE_E4 + i128::from(vat.rate_e4);
        let (own_tax, cap_tax) = match (vat.is_included, self.cap.is_tax_included) {
            (false, true) => (with_tax, WHOLE_E4),
            (true, false) => (WHOLE_E4, with_tax),
            _ => (WHOLE_E4, WHOLE_E4),
        };
        // What is paid has at most 108 bits; a cap for so much that it passes 127 is above all of it.
        let most = (i128::from(cap.as_e8()) * cap_tax).checked_mul(divisor);
        most.is_some_and(|most| own * own_tax > most)
    }

    fn taxed(&self, is_included: bool) -> &'static str {
        if is_included { "with tax" } else { "without tax" }
    }

    fn above(&self, span: &Span<usize>, what: &str, own: &str, cap: PricePerKwh) -> DocumentError {
        let own_tax = self.taxed(self.tariff.parts().vat.is_included);
        let cap_tax = self.taxed(self.cap.is_tax_included);
        let name = self.cap.name;
        let problem = format!("{what} costs {own} {own_tax}, the cap {name} is {cap} {cap_tax}");
        self.source.fail(span, problem, LOWER)
    }

    fn fixed(&self) -> Result<(), DocumentError> {
        let fixed = self.tariff.parts().fixed;
        let yearly = i128::from(fixed.per_day.as_e8()) * YEAR_DAYS
            + i128::from(fixed.per_month.as_e8()) * YEAR_MONTHS
            + i128::from(fixed.per_year.as_e8());
        if !self.is_above(yearly, YEAR_DAYS, self.cap.standing_charge) {
            return Ok(());
        }
        let texts = [("a day", fixed.per_day), ("a month", fixed.per_month), ("a year", fixed.per_year)];
        let texts = texts.iter().filter(|(_, price)| price.as_e8() != 0);
        let own: Vec<String> = texts.map(|(per, price)| format!("{price} {per}")).collect();
        Err(self.above(
            &self.places.fixed,
            "the standing charge",
            &own.join(" and "),
            self.cap.standing_charge,
        ))
    }

    fn prices(&self) -> Result<(), DocumentError> {
        let parts = self.tariff.parts();
        for (at, range) in parts.ranges.iter().enumerate() {
            for (number, (zone, price)) in parts.zones.iter().zip(&range.prices).enumerate() {
                // A package is of watt-hours, a rate of a thousand of them.
                let divisor = range.package_wh.map_or(1, i128::from);
                let own = i128::from(price.as_e8()) * if range.package_wh.is_some() { 1_000 } else { 1 };
                if self.is_above(own, divisor, self.cap.unit_rate) {
                    let what = format!("zone {}, range {}", zone.name, at + 1);
                    let span = self.places.price(at, number);
                    return Err(self.above(&span, &what, &price.to_string(), self.cap.unit_rate));
                }
            }
        }
        Ok(())
    }

    /// Every interval of the days that tariff, cap and series hold; gives the days without prices.
    fn series(&self, market: &MarketBook) -> Result<Vec<String>, DocumentError> {
        let parts = self.tariff.parts();
        let mut left_out = Vec::new();
        for price in &parts.series {
            let zone = &parts.zones[usize::from(price.zone)];
            let own = market.series().iter().filter(|known| known.body.parts().id == price.series);
            let mut is_known = false;
            for known in own.filter(|known| known.body.parts().currency == parts.currency) {
                let days = known.body.parts().validity;
                is_known |= days.overlaps(parts.validity) && days.overlaps(self.cap.validity);
                for (start, value) in known.body.intervals() {
                    let Some(local) = day_of(&known.body.parts().zone, start) else { continue };
                    if !parts.validity.contains(local) || !self.cap.validity.contains(local) {
                        continue;
                    }
                    let found = IntervalPrice::of(value, price);
                    // A coefficient and a price both have decimals: eight, and six more.
                    if self.is_above(found.as_e14(), 1_000_000, self.cap.unit_rate) {
                        let what = format!("zone {}, range {} at {start}", zone.name, price.range + 1);
                        let span = self.places.price(usize::from(price.range), usize::from(price.zone));
                        return Err(self.above(&span, &what, &found.to_string(), self.cap.unit_rate));
                    }
                }
            }
            left_out.push(uncompared(price, zone.name, is_known));
        }
        Ok(left_out)
    }
}

fn uncompared(price: &SeriesPrice, zone: Label, is_known: bool) -> String {
    let range = price.range + 1;
    if is_known {
        format!(
            "zone {zone}, range {range}: series {} was compared on the days of the files given, on no other",
            price.series
        )
    } else {
        format!(
            "zone {zone}, range {range}: prices of series {} cannot be compared without its file",
            price.series
        )
    }
}

fn day_of(zone: &tallywatt_core::calendar::Zone, at: tallywatt_core::calendar::UtcSeconds) -> Option<Day> {
    zone.local_day_of(at).map(|local| local.day)
}
