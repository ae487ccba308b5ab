//! Terms of agreement files beside order, rounding and limits: what they mean, and every mistake with its line and what to do.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use tallywatt_core::money::Money;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::transfer::{TransferRelease, TransferTerms};
use tallywatt_ingest::documents::{Document, DocumentError, parse_document};

const PLAIN: &str = r#"kind = "agreement"
id = "grid"
title = "Grid"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "share"
share_percent = "40"
"#;

fn terms(lines: &str) -> Result<PaymentTerms, DocumentError> {
    match parse_document("f", &format!("{PLAIN}{lines}"))? {
        Document::Agreement(agreement) => Ok(agreement.terms),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_they_mean() {
    let transfer = |minor, release| PaymentTerms {
        transfer: TransferTerms { minimum: Money::from_minor(minor), release },
        ..PaymentTerms::default()
    };
    let table = [
        ("", PaymentTerms::default()),
        ("minimum_transfer = \"100\"", transfer(10_000, TransferRelease::MonthEnd)),
        (
            "minimum_transfer = \"0.01\"\ntransfer_release = \"month-end\"",
            transfer(1, TransferRelease::MonthEnd),
        ),
        (
            "transfer_release = \"minimum\"\nminimum_transfer = \"100.50\"",
            transfer(10_050, TransferRelease::Minimum),
        ),
    ];
    for (lines, want) in table {
        assert_eq!(terms(lines).unwrap(), want, "{lines}");
    }
}

#[test]
fn mistakes() {
    let transfers =
        "write minimum_transfer = \"100.00\", and transfer_release = \"month-end\" or \"minimum\"";
    // Lines from the eleventh on, the message, and what to do.
    let table = [
        ("transfer_release = \"minimum\"", "11: transfer_release without minimum_transfer", transfers),
        ("minimum_transfer = \"0.00\"", "11: minimum_transfer 0.00 is not above zero", transfers),
        ("minimum_transfer = \"-5\"", "11: minimum_transfer -5.00 is not above zero", transfers),
        (
            "minimum_transfer = \"5\"\ntransfer_release = \"friday\"",
            "12: transfer_release \"friday\" is not known",
            transfers,
        ),
    ];
    for (lines, want, next_step) in table {
        let error = terms(lines).unwrap_err();
        assert_eq!(error.to_string(), format!("f:{want}"), "{lines}");
        assert_eq!(error.next_step(), next_step, "{lines}");
    }
    for (lines, part) in [
        ("minimum_transfer = 5", "f:11: "),
        ("minimum_transfer = \"5.001\"", "f:11: minimum_transfer"),
        ("minimum_transfers = \"5\"", "f:11: unknown field `minimum_transfers`"),
    ] {
        let error = terms(lines).unwrap_err().to_string();
        assert!(error.starts_with(part), "{lines}: {error}");
    }
}
