//! Terms of agreement files beside order, rounding and limits: what they mean, and every mistake with its line and what to do.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use tallywatt_core::accrual::Basis;
use tallywatt_core::money::Money;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::reserve::{ReserveOf, ReserveTerms, ReserveWhile};
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
    let reserve = |of, share, when| PaymentTerms {
        reserve: Some(ReserveTerms { of, share, when }),
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
        ("basis = \"cash\"", PaymentTerms::default()),
        (
            "basis = \"accrual\"\ndue_day = 12",
            PaymentTerms { basis: Basis::Accrual(12), ..PaymentTerms::default() },
        ),
        (
            "reserve_of = \"payee\"\nreserve_percent = \"5\"\nreserve_while = \"always\"",
            reserve(ReserveOf::Payee, 5_000_000, ReserveWhile::Always),
        ),
        (
            "reserve_while = \"disputed\"\nreserve_percent = \"0.000001\"\nreserve_of = \"remainder\"",
            reserve(ReserveOf::Remainder, 1, ReserveWhile::Disputed),
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
    let bases = "write basis = \"cash\", or basis = \"accrual\" with due_day = 12";
    let reserves = "write reserve_of = \"payee\" or \"remainder\", reserve_percent = \"5\", and reserve_while = \"always\" or \"disputed\"";
    let together = "11: reserve_of, reserve_percent and reserve_while are there together, or none is";
    let reserve = |of, percent, when| {
        format!("reserve_of = \"{of}\"\nreserve_percent = \"{percent}\"\nreserve_while = \"{when}\"")
    };
    let wrong = [
        reserve("grid", "5", "always"),
        reserve("payee", "0", "always"),
        reserve("payee", "-1", "always"),
        reserve("payee", "100.000001", "always"),
        reserve("payee", "5", "often"),
    ];
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
        ("basis = \"billed\"", "11: basis \"billed\" is not known", bases),
        ("basis = \"accrual\"", "11: basis accrual without due_day", bases),
        ("due_day = 12", "11: due_day without basis = \"accrual\"", bases),
        ("basis = \"cash\"\ndue_day = 12", "12: due_day without basis = \"accrual\"", bases),
        ("basis = \"accrual\"\ndue_day = 0", "12: due_day is not a number from 1 to 28", bases),
        ("basis = \"accrual\"\ndue_day = 29", "12: due_day is not a number from 1 to 28", bases),
        ("basis = \"accrual\"\ndue_day = -3", "12: due_day is not a number from 1 to 28", bases),
        ("basis = \"accrual\"\ndue_day = \"12\"", "12: due_day is not a number from 1 to 28", bases),
        ("reserve_of = \"payee\"", together, reserves),
        ("reserve_percent = \"5\"", together, reserves),
        ("reserve_percent = \"5\"\nreserve_while = \"always\"", together, reserves),
        (&wrong[0], "11: reserve_of \"grid\" is not known", reserves),
        (&wrong[1], "12: reserve_percent 0 is not above 0 and up to 100", reserves),
        (&wrong[2], "12: reserve_percent -1 is not above 0 and up to 100", reserves),
        (&wrong[3], "12: reserve_percent 100.000001 is not above 0 and up to 100", reserves),
        (&wrong[4], "13: reserve_while \"often\" is not known", reserves),
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
