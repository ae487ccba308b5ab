//! The agreement file: one version of one agreement, as TOML.
//!
//! ```toml
//! kind = "agreement"
//! id = "grid-2026"
//! title = "Grid and supplier, 2026"
//! currency = "RUB"
//! valid_from = "2026-01-01"
//! # valid_to = "2027-01-01"     # the first day it no longer holds
//! payee = "grid"                # gets the computed part
//! remainder = "supplier"        # takes the rest, to the last minor unit
//! rounding = "cumulative"       # the only rule there is
//! rule = "per-kwh"              # per-kwh | share
//! per_kwh = { all = "2.30" }    # by zone name; all for any other zone
//! # share_percent = "45.123"        # for rule = "share", at most six decimals
//! # remainder_percent = "54.877"    # may be given, and must make 100 then
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use tallywatt_core::agreement::{Agreement, AgreementError, Party, SplitRule};
use tallywatt_core::decimal::write_scaled;
use toml::Spanned;

use super::error::DocumentError;
use super::field::{Field, Source};
use super::tariff_file::price_of;

/// Decimals of a per cent down to one part in `SHARE_WHOLE`.
const SHARE_DECIMALS: u32 = 6;
/// One hundred per cent in these units.
const PERCENT_WHOLE: i64 = 100_000_000;

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const RULES: &str = "write rule = \"per-kwh\" with per_kwh, or rule = \"share\" with share_percent";
const SHARES: &str = "let share_percent and remainder_percent make 100";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreementFile {
    #[serde(rename = "kind")]
    _kind: Field,
    id: Field,
    title: Field,
    currency: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    payee: Field,
    remainder: Field,
    rounding: Field,
    rule: Field,
    per_kwh: Option<Spanned<BTreeMap<String, Field>>>,
    share_percent: Option<Field>,
    remainder_percent: Option<Field>,
}

/// A share in 10^-6 per cent: `45.123`.
struct Percent(i64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, i128::from(self.0), SHARE_DECIMALS, 0)
    }
}

/// Reads an agreement file.
pub(super) fn parse(source: &Source<'_>) -> Result<Agreement, DocumentError> {
    let file: AgreementFile = source.read()?;
    let rounding = source.text("rounding", &file.rounding)?;
    if rounding != "cumulative" {
        let problem = format!("rounding {rounding:?} is not known");
        return Err(source.fail(&file.rounding.span(), problem, "write rounding = \"cumulative\""));
    }
    let agreement = Agreement {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        currency: source.parse("currency", &file.currency, "write three capital letters, such as \"RUB\"")?,
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        payee: party_of(source, "payee", &file.payee)?,
        remainder: party_of(source, "remainder", &file.remainder)?,
        rule: rule_of(source, &file)?,
    };
    agreement.check().map_err(|error| {
        let (span, next_step) = match error {
            AgreementError::Title => (file.title.span(), "shorten it"),
            AgreementError::OneParty(_) | AgreementError::Bank => {
                (file.remainder.span(), "name grid and supplier, one as payee and one as remainder")
            }
            _ => (file.rule.span(), RULES),
        };
        source.fail(&span, error.to_string(), next_step)
    })
}

fn party_of(source: &Source<'_>, name: &str, field: &Field) -> Result<Party, DocumentError> {
    let text = source.text(name, field)?;
    Party::from_name(text).ok_or_else(|| {
        source.fail(&field.span(), format!("{name} {text:?} is no party"), "write grid or supplier")
    })
}

fn rule_of(source: &Source<'_>, file: &AgreementFile) -> Result<SplitRule, DocumentError> {
    match (source.text("rule", &file.rule)?, &file.per_kwh, &file.share_percent) {
        ("per-kwh", Some(rates), None) if file.remainder_percent.is_none() => {
            let rate = |(zone, field): (&String, &Field)| {
                let name = zone.parse().map_err(|error| {
                    source.fail(&field.span(), format!("rate for zone {zone:?}: {error}"), NAMES)
                })?;
                Ok((name, price_of(source, "rates", field)?))
            };
            rates.get_ref().iter().map(rate).collect::<Result<Vec<_>, _>>().map(SplitRule::PerKwh)
        }
        ("share", None, Some(share)) => share_of(source, share, file.remainder_percent.as_ref()),
        (rule @ ("per-kwh" | "share"), ..) => {
            let problem = format!("rule {rule} without its own numbers, or with those of the other rule");
            Err(source.fail(&file.rule.span(), problem, RULES))
        }
        (other, ..) => Err(source.fail(&file.rule.span(), format!("rule {other:?} is not known"), RULES)),
    }
}

fn share_of(
    source: &Source<'_>,
    share: &Field,
    remainder: Option<&Field>,
) -> Result<SplitRule, DocumentError> {
    let percent = |name: &str, field: &Field| {
        let value = source.decimal(name, field, SHARE_DECIMALS)?;
        if (0..=PERCENT_WHOLE).contains(&value) {
            return Ok(value);
        }
        let problem = format!("{name} {} is not from 0 to 100", Percent(value));
        Err(source.fail(&field.span(), problem, SHARES))
    };
    let value = percent("share_percent", share)?;
    if let Some(field) = remainder {
        let sum = value + percent("remainder_percent", field)?;
        if sum != PERCENT_WHOLE {
            let problem = format!("shares add up to {} %, need 100 %", Percent(sum));
            return Err(source.fail(&field.span(), problem, SHARES));
        }
    }
    Ok(SplitRule::Share(u32::try_from(value).expect("a share was checked to be 0 to 100 %")))
}
