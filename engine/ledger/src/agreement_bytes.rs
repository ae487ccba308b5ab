//! Canonical bytes of an agreement.
//!
//! ```text
//! agreement 0x31   version = 4 ‖ kind ‖ id[33] title currency[3] from[i32] to[i32] payee[u8] remainder[u8]
//!                  rule[u8] = 1: rates[u32] × { zone[33] rate[i64] }
//!                  rule[u8] = 2: share[u32], of 10^8
//!                  rounding[u8] steps[u32] × step[u8]
//!                  2 × { at least[i64] at most[i64], -1 for any amount }      of the payee, of the remainder taker
//!                  least transfer[i64] transfer release[u8]
//!                  back-billing months[u8], 0 for any time
//!                  basis[u8] = 0, cash, or the day of the next month on which what accrued is due
//!                  reserve[u8] = 0, none, or 1: of[u8] share[u32] while[u8]
//! ```
//!
//! As in [`crate::document`]: a record that decodes encodes to the same bytes. Also in `FORMAT.md` §3.

use tallywatt_core::accrual::Basis;
use tallywatt_core::agreement::{Agreement, Party, RATE_COUNT_MAX, SplitRule};
use tallywatt_core::hash::Published;
use tallywatt_core::money::{Money, PricePerKwh};
use tallywatt_core::payment_terms::{Limits, PaymentTerms, STEP_COUNT_MAX, SplitRounding, Step};
use tallywatt_core::reserve::{ReserveOf, ReserveTerms, ReserveWhile};
use tallywatt_core::tariff::TEXT_SIZE_MAX;
use tallywatt_core::transfer::{TransferRelease, TransferTerms};

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_code, read_count, read_currency, read_validity, short_text, write_validity};

/// The version of these bytes: 3 since agreements say when money is transferred, 4 since they say how late a bill is raised, 5
/// since they say what accrues and what is held.
pub const AGREEMENT_VERSION: u8 = 5;
/// Kind byte of an agreement.
pub const AGREEMENT_KIND: u8 = 0x31;

const RULE_PER_KWH: u8 = 1;
const RULE_SHARE: u8 = 2;
/// The basis of a split of what is paid; any other is a due day.
const ON_CASH: u8 = 0;
const NO_RESERVE: u8 = 0;
const RESERVE: u8 = 1;
/// The cap of a party that has none; a real one is not below zero.
const NO_CAP: i64 = -1;
/// The back-billing months of an agreement that does not limit them.
const ANY_TIME: u8 = 0;

/// The canonical bytes of an agreement.
///
/// # Panics
/// If the agreement is not one that [`Agreement::check`] gave back.
#[must_use]
pub fn encode_agreement(agreement: &Agreement) -> Vec<u8> {
    assert_eq!(
        agreement.clone().check().as_ref(),
        Ok(agreement),
        "an agreement is checked before it is published"
    );
    let mut writer = Writer::record(AGREEMENT_VERSION, AGREEMENT_KIND);
    writer.label(&agreement.id).text(&agreement.title).raw(&agreement.currency.bytes());
    write_validity(&mut writer, agreement.validity);
    writer.u8(agreement.payee.code()).u8(agreement.remainder.code());
    match &agreement.rule {
        SplitRule::PerKwh(rates) => {
            writer.u8(RULE_PER_KWH).count(rates.len());
            for (zone, rate) in rates {
                writer.label(zone).i64(rate.as_e8());
            }
        }
        SplitRule::Share(share) => {
            writer.u8(RULE_SHARE).u32(*share);
        }
    }
    let PaymentTerms { order, rounding, payee, remainder, transfer, back_billing_months, basis, reserve } =
        &agreement.terms;
    writer.u8(rounding.code()).count(order.len());
    for step in order {
        writer.u8(step.code());
    }
    for limits in [payee, remainder] {
        writer.i64(limits.at_least.as_minor()).i64(limits.at_most.map_or(NO_CAP, Money::as_minor));
    }
    writer.i64(transfer.minimum.as_minor()).u8(transfer.release.code());
    writer.u8(back_billing_months.unwrap_or(ANY_TIME));
    writer.u8(match basis {
        Basis::Cash => ON_CASH,
        Basis::Accrual(day) => *day,
    });
    match reserve {
        None => writer.u8(NO_RESERVE),
        Some(reserve) => writer.u8(RESERVE).u8(reserve.of.code()).u32(reserve.share).u8(reserve.when.code()),
    };
    writer.finish()
}

/// The agreement of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`Agreement::check`] refuses together.
pub fn decode_agreement(bytes: &[u8]) -> Result<Agreement, CodecError> {
    let mut reader = Reader::record(bytes, AGREEMENT_VERSION, AGREEMENT_KIND)?;
    let start = reader.at();
    let id = reader.label("agreement id")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let currency = read_currency(&mut reader)?;
    let validity = read_validity(&mut reader)?;
    let payee = read_code(&mut reader, "payee", Party::from_code)?;
    let remainder = read_code(&mut reader, "remainder", Party::from_code)?;
    let rule_at = reader.at();
    let rule = match reader.u8("rule")? {
        RULE_PER_KWH => {
            let rate_count = read_count(&mut reader, "rates", RATE_COUNT_MAX)?;
            let mut rates = Vec::with_capacity(rate_count);
            for _ in 0..rate_count {
                let zone = reader.label("rate zone")?;
                rates.push((zone, PricePerKwh::from_e8(reader.i64("rate")?)));
            }
            SplitRule::PerKwh(rates)
        }
        RULE_SHARE => SplitRule::Share(reader.u32("share")?),
        _ => return Err(reader.refuse("rule", rule_at)),
    };
    let terms = read_terms(&mut reader)?;
    let refused = reader.refuse("agreement", start);
    reader.finish()?;
    Agreement { id, title, currency, validity, payee, remainder, rule, terms }.check().map_err(|_| refused)
}

fn read_terms(reader: &mut Reader<'_>) -> Result<PaymentTerms, CodecError> {
    let rounding = read_code(reader, "split rounding", SplitRounding::from_code)?;
    let step_count = read_count(reader, "steps", STEP_COUNT_MAX)?;
    let mut order = Vec::with_capacity(step_count);
    for _ in 0..step_count {
        order.push(read_code(reader, "step", Step::from_code)?);
    }
    let (payee, remainder) = (read_limits(reader)?, read_limits(reader)?);
    let minimum = Money::from_minor(reader.i64("least transfer")?);
    let release = read_code(reader, "transfer release", TransferRelease::from_code)?;
    let transfer = TransferTerms { minimum, release };
    let months = reader.u8("back-billing months")?;
    let back_billing_months = (months != ANY_TIME).then_some(months);
    let basis = match reader.u8("basis")? {
        ON_CASH => Basis::Cash,
        day => Basis::Accrual(day),
    };
    let reserve_at = reader.at();
    let reserve = match reader.u8("reserve")? {
        NO_RESERVE => None,
        RESERVE => Some(ReserveTerms {
            of: read_code(reader, "reserve of", ReserveOf::from_code)?,
            share: reader.u32("reserve share")?,
            when: read_code(reader, "reserve while", ReserveWhile::from_code)?,
        }),
        _ => return Err(reader.refuse("reserve", reserve_at)),
    };
    Ok(PaymentTerms { order, rounding, payee, remainder, transfer, back_billing_months, basis, reserve })
}

fn read_limits(reader: &mut Reader<'_>) -> Result<Limits, CodecError> {
    let at_least = Money::from_minor(reader.i64("at least")?);
    let at_most = match reader.i64("at most")? {
        NO_CAP => None,
        minor => Some(Money::from_minor(minor)),
    };
    Ok(Limits { at_least, at_most })
}

/// The agreement together with the content hash of its canonical bytes.
///
/// # Panics
/// As [`encode_agreement`].
#[must_use]
pub fn publish_agreement(agreement: Agreement) -> Published<Agreement> {
    Published { hash: digest::content_hash(&encode_agreement(&agreement)), body: agreement }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::validity::Validity;

    fn agreement(rule: SplitRule) -> Agreement {
        Agreement {
            id: "grid-2026".parse().unwrap(),
            title: "Grid and supplier".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            payee: Party::Grid,
            remainder: Party::Supplier,
            rule,
            terms: PaymentTerms::default(),
        }
    }

    fn per_kwh() -> Agreement {
        let rate = |zone: &str, rate: &str| (zone.parse().unwrap(), rate.parse().unwrap());
        agreement(SplitRule::PerKwh(vec![rate("night", "1.1"), rate("all", "2.3")]))
    }

    /// Every term other than the default.
    fn with_terms() -> Agreement {
        let terms = PaymentTerms {
            order: vec![Step::Current, Step::Proportional],
            rounding: SplitRounding::LargestRemainder,
            payee: Limits { at_least: Money::from_minor(100), at_most: Some(Money::from_minor(500_000)) },
            remainder: Limits { at_least: Money::from_minor(1), at_most: None },
            transfer: TransferTerms { minimum: Money::from_minor(700), release: TransferRelease::Minimum },
            back_billing_months: Some(12),
            basis: Basis::Accrual(12),
            reserve: Some(ReserveTerms {
                of: ReserveOf::Remainder,
                share: 5_000_000,
                when: ReserveWhile::Disputed,
            }),
        };
        Agreement { terms, ..agreement(SplitRule::Share(45_123_000)) }
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        for value in [per_kwh(), agreement(SplitRule::Share(45_123_000)), with_terms()] {
            let bytes = encode_agreement(&value);
            assert_eq!(decode_agreement(&bytes).as_ref(), Ok(&value));
            for size in 0..bytes.len() {
                assert!(decode_agreement(&bytes[..size]).is_err(), "cut to {size} bytes");
            }
            assert_eq!(
                decode_agreement(&[&bytes[..], &[0]].concat()),
                Err(CodecError::Trailing { count: 1 })
            );
            for bit in 0..bytes.len() * 8 {
                let mut bent = bytes.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                if let Ok(other) = decode_agreement(&bent) {
                    assert_ne!(other, value, "bit {bit}");
                    assert_eq!(encode_agreement(&other), bent, "bit {bit}");
                }
            }
        }
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let table = [
            ("per kWh", per_kwh(), "635b956aabb85b1f0c2fbc65f9fabd8a45d0fb66569979b261c10d6457f3acb3"),
            (
                "share",
                agreement(SplitRule::Share(45_123_000)),
                "c7a440c55a233e4df1d5a7e6437b16438a52925dde23008f3dc185018456edb2",
            ),
            ("terms", with_terms(), "1140fba0056312d4c001d90e8c60e074189a36948dac59118dafde306940cc36"),
        ];
        let got = table.clone().map(|(name, value, _)| (name, publish_agreement(value).hash.to_string()));
        assert_eq!(got, table.map(|(name, _, want)| (name, want.to_owned())));
    }

    #[test]
    fn each_field_is_checked() {
        let bytes = encode_agreement(&with_terms());
        let rule_at = 2 + 33 + 4 + "Grid and supplier".len() + 3 + 8 + 2;
        let terms_at = rule_at + 1 + 4;
        let table = [
            ("version", 0, 1, "kind"),
            ("rule", rule_at, 3, "rule"),
            ("rounding", terms_at, 3, "split rounding"),
            ("step count", terms_at + 1, 5, "steps"),
            ("step", terms_at + 5, 9, "step"),
            ("order", terms_at + 5, 4, "agreement"), // proportional twice
            ("floor", terms_at + 7 + 7, 0xff, "agreement"), // below zero
            ("cap", terms_at + 7 + 8 + 7, 0x80, "agreement"),
            ("least transfer", terms_at + 7 + 32 + 7, 0x80, "agreement"),
            ("due day", terms_at + 7 + 32 + 10, 29, "agreement"),
            ("reserve", terms_at + 7 + 32 + 11, 2, "reserve"),
            ("reserve of", terms_at + 7 + 32 + 12, 3, "reserve of"),
            ("reserve share", terms_at + 7 + 32 + 16, 0xff, "agreement"),
            ("reserve while", terms_at + 7 + 32 + 17, 3, "reserve while"),
            ("transfer release", terms_at + 7 + 32 + 8, 3, "transfer release"),
            ("back-billing months", terms_at + 7 + 32 + 9, 121, "agreement"),
        ];
        for (what, at, value, want) in table {
            let mut bent = bytes.clone();
            bent[at] = value;
            let field = match decode_agreement(&bent) {
                Err(CodecError::Value { field, .. } | CodecError::TooLong { field, .. }) => field,
                Err(CodecError::Kind { .. }) => "kind",
                other => panic!("{what}: {other:?}"),
            };
            assert_eq!(field, want, "{what}");
        }
        let mut bytes = encode_agreement(&per_kwh());
        bytes[rule_at + 1] = 17;
        assert!(matches!(decode_agreement(&bytes), Err(CodecError::TooLong { field: "rates", .. })));
    }
}
