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
//! rounding = "cumulative"       # over all payments; or "largest-remainder", each payment by itself
//! # order = ["designated", "earlier", "current"]  # where a payment goes; or "proportional" over all open bills
//! # payee_at_least = "1.00"     # of each payment, or all of it; likewise payee_at_most,
//! # remainder_at_least = "0.50" # remainder_at_most
//! # back_billing_months = 12    # an increase that a correction brings later is not charged
//! # minimum_transfer = "100.00" # to a party on a day; less is carried on
//! # transfer_release = "month-end" # the last day of a month transfers it; or "minimum", nothing but the minimum does
//! # basis = "accrual"           # the payee is due its part of what is billed, on due_day of the next month; or "cash"
//! # due_day = 12
//! # reserve_of = "payee"        # the bank holds reserve_percent of each of its legs; or "remainder"
//! # reserve_percent = "5"
//! # reserve_while = "always"    # or "disputed", of a bill that is disputed
//! rule = "per-kwh"              # per-kwh | share
//! per_kwh = { all = "2.30" }    # by zone name; all for any other zone
//! # share_percent = "45.123"        # for rule = "share", at most six decimals
//! # remainder_percent = "54.877"    # may be given, and must make 100 then
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use tallywatt_core::accrual::{ACCRUAL_DUE_DAY_MAX, Basis};
use tallywatt_core::agreement::{Agreement, AgreementError, Party, SHARE_WHOLE, SplitRule};
use tallywatt_core::decimal::write_scaled;
use tallywatt_core::money::{MINOR_DECIMALS, Money};
use tallywatt_core::payment_terms::{
    BACK_BILLING_MONTHS_MAX, Limits, PaymentTerms, SplitRounding, Step, TermsError,
};
use tallywatt_core::reserve::{ReserveOf, ReserveTerms, ReserveWhile};
use tallywatt_core::transfer::{TransferRelease, TransferTerms};
use toml::{Spanned, Value};

use super::error::DocumentError;
use super::field::{Field, Source};
use super::tariff_file::price_of;

/// Decimals of a per cent down to one part in `SHARE_WHOLE`.
const SHARE_DECIMALS: u32 = 6;
/// One hundred per cent in these units.
const PERCENT_WHOLE: i64 = 100_000_000;

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const RULES: &str = "write rule = \"per-kwh\" with per_kwh, or rule = \"share\" with share_percent";
const ROUNDINGS: &str = "write rounding = \"cumulative\" or rounding = \"largest-remainder\"";
const ORDER: &str =
    "write a list of designated, earlier, current and proportional that reaches every open bill";
const BACK_BILLING: &str = "write a whole number of months from 1 to 120, or leave the line out";
const LIMITS: &str = "let each at_least be no more than its at_most, and cap one party only";
/// What is left behind all steps; a file may say it as the last.
const ADVANCE: &str = "advance";
const TRANSFERS: &str =
    "write minimum_transfer = \"100.00\", and transfer_release = \"month-end\" or \"minimum\"";
const BASES: &str = "write basis = \"cash\", or basis = \"accrual\" with due_day = 12";
const RESERVES: &str = "write reserve_of = \"payee\" or \"remainder\", reserve_percent = \"5\", and reserve_while = \"always\" or \"disputed\"";
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
    order: Option<Spanned<Vec<Field>>>,
    payee_at_least: Option<Field>,
    payee_at_most: Option<Field>,
    remainder_at_least: Option<Field>,
    remainder_at_most: Option<Field>,
    minimum_transfer: Option<Field>,
    transfer_release: Option<Field>,
    back_billing_months: Option<Field>,
    basis: Option<Field>,
    due_day: Option<Field>,
    reserve_of: Option<Field>,
    reserve_percent: Option<Field>,
    reserve_while: Option<Field>,
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
    let agreement = Agreement {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        currency: source.parse("currency", &file.currency, "write three capital letters, such as \"RUB\"")?,
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        payee: party_of(source, "payee", &file.payee)?,
        remainder: party_of(source, "remainder", &file.remainder)?,
        rule: rule_of(source, &file)?,
        terms: terms_of(source, &file)?,
    };
    agreement.check().map_err(|error| {
        let (span, next_step) = match error {
            AgreementError::Title => (file.title.span(), "shorten it"),
            AgreementError::OneParty(_) | AgreementError::Bank => {
                (file.remainder.span(), "name grid and supplier, one as payee and one as remainder")
            }
            AgreementError::Terms(ref error) => place_of(error, &file),
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

fn terms_of(source: &Source<'_>, file: &AgreementFile) -> Result<PaymentTerms, DocumentError> {
    let name = source.text("rounding", &file.rounding)?;
    let rounding = SplitRounding::from_name(name).ok_or_else(|| {
        source.fail(&file.rounding.span(), format!("rounding {name:?} is not known"), ROUNDINGS)
    })?;
    let order = match &file.order {
        None => PaymentTerms::default().order,
        Some(steps) => order_of(source, steps.get_ref())?,
    };
    let limit = |name: &str, field: &Option<Field>| {
        let amount = field.as_ref().map(|field| source.decimal(name, field, MINOR_DECIMALS)).transpose()?;
        Ok(amount.map(Money::from_minor))
    };
    let payee = Limits {
        at_least: limit("payee_at_least", &file.payee_at_least)?.unwrap_or_default(),
        at_most: limit("payee_at_most", &file.payee_at_most)?,
    };
    let remainder = Limits {
        at_least: limit("remainder_at_least", &file.remainder_at_least)?.unwrap_or_default(),
        at_most: limit("remainder_at_most", &file.remainder_at_most)?,
    };
    let transfer = transfer_of(source, file)?;
    let back_billing_months = back_billing_of(source, file.back_billing_months.as_ref())?;
    let (basis, reserve) = (basis_of(source, file)?, reserve_of(source, file)?);
    Ok(PaymentTerms { order, rounding, payee, remainder, transfer, back_billing_months, basis, reserve })
}

fn back_billing_of(source: &Source<'_>, field: Option<&Field>) -> Result<Option<u8>, DocumentError> {
    let Some(field) = field else { return Ok(None) };
    let months = match field.get_ref() {
        Value::Integer(months) => u8::try_from(*months).ok(),
        _ => None,
    };
    let months = months.filter(|months| (1..=BACK_BILLING_MONTHS_MAX).contains(months));
    let problem = || format!("back_billing_months {} is no number of months", field.get_ref());
    months.map(Some).ok_or_else(|| source.fail(&field.span(), problem(), BACK_BILLING))
}

fn transfer_of(source: &Source<'_>, file: &AgreementFile) -> Result<TransferTerms, DocumentError> {
    let Some(field) = &file.minimum_transfer else {
        return match &file.transfer_release {
            None => Ok(TransferTerms::default()),
            Some(field) => {
                Err(source.fail(&field.span(), "transfer_release without minimum_transfer", TRANSFERS))
            }
        };
    };
    let minimum = Money::from_minor(source.decimal("minimum_transfer", field, MINOR_DECIMALS)?);
    if minimum <= Money::ZERO {
        return Err(source.fail(
            &field.span(),
            format!("minimum_transfer {minimum} is not above zero"),
            TRANSFERS,
        ));
    }
    let release = match &file.transfer_release {
        None => TransferRelease::default(),
        Some(field) => named(source, "transfer_release", field, TransferRelease::from_name, TRANSFERS)?,
    };
    Ok(TransferTerms { minimum, release })
}

fn basis_of(source: &Source<'_>, file: &AgreementFile) -> Result<Basis, DocumentError> {
    let accrual = |name: &str| match name {
        "cash" => Some(false),
        "accrual" => Some(true),
        _ => None,
    };
    let basis = file.basis.as_ref().map(|field| named(source, "basis", field, accrual, BASES)).transpose()?;
    match (basis, &file.due_day, &file.basis) {
        (Some(true), Some(field), _) => {
            let day = match field.get_ref() {
                Value::Integer(day) => u8::try_from(*day).ok(),
                _ => None,
            };
            let day = day.filter(|day| (1..=ACCRUAL_DUE_DAY_MAX).contains(day)).ok_or_else(|| {
                let problem = format!("due_day is not a number from 1 to {ACCRUAL_DUE_DAY_MAX}");
                source.fail(&field.span(), problem, BASES)
            })?;
            Ok(Basis::Accrual(day))
        }
        (Some(true), None, Some(field)) => {
            Err(source.fail(&field.span(), "basis accrual without due_day", BASES))
        }
        (_, Some(field), _) => Err(source.fail(&field.span(), "due_day without basis = \"accrual\"", BASES)),
        _ => Ok(Basis::Cash),
    }
}

fn reserve_of(source: &Source<'_>, file: &AgreementFile) -> Result<Option<ReserveTerms>, DocumentError> {
    let (of, percent, when) = match (&file.reserve_of, &file.reserve_percent, &file.reserve_while) {
        (None, None, None) => return Ok(None),
        (Some(of), Some(percent), Some(when)) => (of, percent, when),
        (of, percent, when) => {
            let given = [of, percent, when].into_iter().flatten().next().expect("one of them is there");
            let problem = "reserve_of, reserve_percent and reserve_while are there together, or none is";
            return Err(source.fail(&given.span(), problem, RESERVES));
        }
    };
    let of = named(source, "reserve_of", of, ReserveOf::from_name, RESERVES)?;
    let value = source.decimal("reserve_percent", percent, SHARE_DECIMALS)?;
    let share = u32::try_from(value).ok().filter(|share| (1..=SHARE_WHOLE).contains(share));
    let share = share.ok_or_else(|| {
        let problem = format!("reserve_percent {} is not above 0 and up to 100", Percent(value));
        source.fail(&percent.span(), problem, RESERVES)
    })?;
    let when = named(source, "reserve_while", when, ReserveWhile::from_name, RESERVES)?;
    Ok(Some(ReserveTerms { of, share, when }))
}

/// A field that is one of a few names.
fn named<T>(
    source: &Source<'_>,
    key: &str,
    field: &Field,
    from_name: impl Fn(&str) -> Option<T>,
    next_step: &'static str,
) -> Result<T, DocumentError> {
    let name = source.text(key, field)?;
    from_name(name)
        .ok_or_else(|| source.fail(&field.span(), format!("{key} {name:?} is not known"), next_step))
}

fn order_of(source: &Source<'_>, steps: &[Field]) -> Result<Vec<Step>, DocumentError> {
    let is_advance = |field: &Field| matches!(field.get_ref(), Value::String(name) if name == ADVANCE);
    let steps = match steps.split_last() {
        Some((last, before)) if is_advance(last) => before,
        _ => steps,
    };
    let step = |field: &Field| {
        let name = source.text("order", field)?;
        let problem = || match name {
            ADVANCE => format!("step {ADVANCE} is not the last of the order"),
            _ => format!("step {name:?} is not known"),
        };
        Step::from_name(name).ok_or_else(|| source.fail(&field.span(), problem(), ORDER))
    };
    steps.iter().map(step).collect()
}

/// Where a mistake in the terms stands, and what to do about it.
fn place_of(error: &TermsError, file: &AgreementFile) -> (Range<usize>, &'static str) {
    let limits =
        [&file.payee_at_least, &file.payee_at_most, &file.remainder_at_least, &file.remainder_at_most];
    let (place, next_step) = match error {
        TermsError::Repeated(_) | TermsError::Unreached | TermsError::Idle(_) => {
            (file.order.as_ref().map(Spanned::span), ORDER)
        }
        TermsError::BackBilling(_) => (file.back_billing_months.as_ref().map(Spanned::span), BACK_BILLING),
        TermsError::DueDay(_) => (file.due_day.as_ref().map(Spanned::span), BASES),
        TermsError::Reserve(_) => (file.reserve_percent.as_ref().map(Spanned::span), RESERVES),
        TermsError::Negative(_) | TermsError::Crossed { .. } | TermsError::BothCapped => {
            (limits.into_iter().flatten().next().map(Spanned::span), LIMITS)
        }
    };
    (place.unwrap_or_else(|| file.rule.span()), next_step)
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
