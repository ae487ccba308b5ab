//! How late an agreement lets a bill be raised: what a file may say, and what it may not.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use tallywatt_ingest::documents::{Document, parse_document};

const AGREEMENT: &str = r#"kind = "agreement"
id = "grid-2026"
title = "Grid and supplier, 2026"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "2.30" }
"#;

#[test]
fn months() {
    let refused = |what: &str| format!("f:11: back_billing_months {what} is no number of months");
    let table = [
        ("", Ok(None)),
        ("back_billing_months = 1", Ok(Some(1))),
        ("back_billing_months = 12", Ok(Some(12))),
        ("back_billing_months = 120", Ok(Some(120))),
        ("back_billing_months = 0", Err(refused("0"))),
        ("back_billing_months = 121", Err(refused("121"))),
        ("back_billing_months = -1", Err(refused("-1"))),
        ("back_billing_months = 256", Err(refused("256"))),
        ("back_billing_months = 1.5", Err(refused("1.5"))),
        ("back_billing_months = \"12\"", Err(refused("\"12\""))),
    ];
    for (line, want) in table {
        let parsed = parse_document("f", &format!("{AGREEMENT}{line}\n"));
        let got = parsed.map(|document| match document {
            Document::Agreement(agreement) => agreement.terms.back_billing_months,
            other => panic!("{other:?}"),
        });
        match (got, want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{line}"),
            (Err(error), Err(want)) => assert!(error.to_string().starts_with(&want), "{line}: {error}"),
            (got, want) => panic!("{line}: {got:?}, not {want:?}"),
        }
    }
}
