//! Price caps: what passes them, with tax and without, to the last decimal, and every mistake of a cap file.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use tallywatt_core::market::MarketBook;
use tallywatt_ingest::documents::{Document, check_price_cap, parse_document, parse_price_cap};
use tallywatt_ledger::price_series_bytes::publish_price_series;

const CAP: &str = r#"kind = "price-cap"
name = "cap-q1"
source = "illustrative"
region = "London"
currency = "GBP"
valid_from = "2026-01-01"
valid_to = "2026-04-01"
unit_rate = "0.2625"
standing_charge = "0.525"
tax_included = true
"#;

const TARIFF: &str = r#"kind = "tariff"
id = "agile"
title = "Half-hourly"
currency = "GBP"
valid_from = "2026-03-29"
valid_to = "2026-06-01"
rounding = "half-up"
round_each = "line"
fixed_per_day = "0.5"
source = "illustrative"
[vat]
rate_percent = "5"
included = false
[[zone]]
name = "day"
windows = ["07:00-23:00"]
[[zone]]
name = "night"
windows = ["23:00-07:00"]
[[range]]
up_to_kwh = "100"
price = { day = "0.25", night = "0.07" }
[[range]]
price = { day = "0.20", night = "0.06" }
"#;

fn checked(tariff: &str, cap: &str, market: &MarketBook) -> String {
    let cap = parse_price_cap("c", cap).unwrap();
    match check_price_cap("t", tariff, &cap, market) {
        Ok(left_out) if left_out.is_empty() => "ok".to_owned(),
        Ok(left_out) => left_out.join("; "),
        Err(error) => {
            assert!(!error.next_step().is_empty());
            error.to_string()
        }
    }
}

fn bent(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

#[test]
fn prices_beside_a_cap() {
    let (tariff, cap) =
        (|from: &str, to: &str| bent(TARIFF, from, to), |from: &str, to: &str| bent(CAP, from, to));
    let table = [
        // 0.25 and 5 % are 0.2625, 0.5 and 5 % are 0.525: at the cap.
        (TARIFF.to_owned(), CAP.to_owned(), "ok"),
        (
            tariff("\"0.25\"", "\"0.25000001\""),
            CAP.to_owned(),
            "t:22: zone day, range 1 costs 0.25000001 without tax, the cap cap-q1 is 0.2625 with tax",
        ),
        (
            tariff("\"0.06\"", "\"0.251\""),
            CAP.to_owned(),
            "t:24: zone night, range 2 costs 0.251 without tax, the cap cap-q1 is 0.2625 with tax",
        ),
        (
            tariff("\"0.5\"", "\"0.50000001\""),
            CAP.to_owned(),
            "t:9: the standing charge costs 0.50000001 a day without tax, the cap cap-q1 is 0.525 with tax",
        ),
        // The prices have the tax, the cap too.
        (tariff("included = false", "included = true"), CAP.to_owned(), "ok"),
        (
            bent(&tariff("included = false", "included = true"), "\"0.25\"", "\"0.27\""),
            CAP.to_owned(),
            "t:22: zone day, range 1 costs 0.27 with tax, the cap cap-q1 is 0.2625 with tax",
        ),
        // The prices have it, the cap has not: 0.2625 and 5 % are 0.275625.
        (
            bent(&tariff("included = false", "included = true"), "\"0.25\"", "\"0.275625\""),
            cap("tax_included = true", "tax_included = false"),
            "ok",
        ),
        (
            bent(&tariff("included = false", "included = true"), "\"0.25\"", "\"0.27562501\""),
            cap("tax_included = true", "tax_included = false"),
            "t:22: zone day, range 1 costs 0.27562501 with tax, the cap cap-q1 is 0.2625 without tax",
        ),
        // Neither has it.
        (TARIFF.to_owned(), cap("tax_included = true", "tax_included = false"), "ok"),
        // A month and a year: 12 × 10 + 60 = 180 of 365 × 0.5 = 182.5; with 63 it is 183.
        (
            tariff("fixed_per_day = \"0.5\"", "fixed_per_month = \"10\"\nfixed_per_year = \"60\""),
            CAP.to_owned(),
            "ok",
        ),
        (
            tariff("fixed_per_day = \"0.5\"", "fixed_per_month = \"10\"\nfixed_per_year = \"63\""),
            CAP.to_owned(),
            "t:9: the standing charge costs 10.00 a month and 63.00 a year without tax, the cap cap-q1 is 0.525 with tax",
        ),
        // Days that both hold.
        (
            bent(&tariff("2026-03-29", "2026-04-01"), "\"0.25\"", "\"9\""),
            CAP.to_owned(),
            "the tariff holds from 2026-04-01 until 2026-06-01, the cap from 2026-01-01 until 2026-04-01: on no day both",
        ),
        (TARIFF.to_owned(), cap("GBP", "EUR"), "t:4: the tariff is in GBP, the cap cap-q1 in EUR"),
        (tariff("\"0.07\"", "\"-0.07\""), CAP.to_owned(), "ok"),
        (
            bent(
                &tariff("\"0.06\" }", "\"0.06\" }\nflat = \"3\""),
                "fixed_per_day",
                "minimum_per_month = \"9\"\nfixed_per_day",
            ),
            CAP.to_owned(),
            "flat fees have no cap; the minimum of a month has no cap",
        ),
    ];
    for (row, (tariff, cap, want)) in table.iter().enumerate() {
        assert_eq!(checked(tariff, cap, &MarketBook::new()), *want, "row {row}");
    }
}

#[test]
fn packages_beside_a_cap() {
    let package = |price: &str| {
        let one = bent(
            TARIFF,
            "up_to_kwh = \"100\"\nprice = { day = \"0.25\", night = \"0.07\" }\n[[range]]\n",
            "",
        );
        let one = bent(
            &one,
            "\"0.20\", night = \"0.06\" }",
            &format!("\"{price}\", night = \"1\" }}\npackage_kwh = \"10\""),
        );
        bent(&one, "[vat]", "range_kind = \"package\"\nrange_counting = \"each-zone\"\n[vat]")
    };
    let used_up = "packages are compared as if each were used up";
    assert_eq!(checked(&package("2.5"), CAP, &MarketBook::new()), used_up);
    assert_eq!(
        checked(&package("2.50000001"), CAP, &MarketBook::new()),
        "t:23: zone day, range 1 costs 2.50000001 without tax, the cap cap-q1 is 0.2625 with tax"
    );
}

#[test]
fn series_beside_a_cap() {
    let hourly = bent(TARIFF, "\"0.25\"", "{ series = \"x\", times = \"1.1\", plus = \"0.03\" }");
    let hourly = bent(
        &bent(&hourly, "up_to_kwh = \"100\"\n", ""),
        "[[range]]\nprice = { day = \"0.20\", night = \"0.06\" }\n",
        "",
    );
    assert_eq!(
        checked(&hourly, CAP, &MarketBook::new()),
        "zone day, range 1: prices of series x cannot be compared without its file"
    );
    // The cap holds until the 31st of March, the series goes on. 0.2 × 1.1 + 0.03 = 0.25 is at the cap.
    let market = |dear: &str, price: &str| {
        let mut text = "#kind,price-series\n#name,x\n#title,x\n#source,illustrative\n#unit,GBP/kWh\n#zone,UTC\n#minutes,60\n#valid_from,2026-03-28\n#valid_to,2026-04-03\nstart,price\n".to_owned();
        for day in ["2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02"] {
            for hour in 0..24 {
                let start = format!("{day}T{hour:02}:00:00Z");
                text += &format!("{start},{}\n", if start == dear { price } else { "0.2" });
            }
        }
        let mut market = MarketBook::new();
        match parse_document("x.csv", &text).unwrap() {
            Document::PriceSeries(series) => market.publish_series(publish_price_series(*series)).unwrap(),
            other => panic!("{other:?}"),
        }
        market
    };
    let given = "zone day, range 1: series x was compared on the days of the files given, on no other";
    for (dear, price, want) in [
        ("", "", given.to_owned()),
        (
            "2026-03-31T23:00:00Z",
            "0.20000001",
            "t:21: zone day, range 1 at 2026-03-31T23:00:00Z costs 0.250000011 without tax, the cap cap-q1 is 0.2625 with tax"
                .to_owned(),
        ),
        // Before the tariff holds, and when the cap holds no more.
        ("2026-03-28T23:00:00Z", "9", given.to_owned()),
        ("2026-04-01T00:00:00Z", "9", given.to_owned()),
        ("2026-03-30T12:00:00Z", "-9", given.to_owned()),
    ] {
        assert_eq!(checked(&hourly, CAP, &market(dear, price)), want, "{dear} {price}");
    }
}

#[test]
fn mistakes_in_a_cap() {
    for (from, to, want) in [
        ("\"price-cap\"", "\"tariff\"", "c:1: kind \"tariff\" is no cap"),
        ("name = \"cap-q1\"\n", "", "c:1: missing field `name`"),
        ("\"cap-q1\"", "\"\"", "c:2: name: empty name"),
        ("\"GBP\"", "\"gbp\"", "c:5: currency: \"gbp\" is not a currency code such as RUB"),
        ("\"2026-04-01\"", "\"2026-01-01\"", "c:7: valid_to 2026-01-01 is not after valid_from 2026-01-01"),
        ("\"0.2625\"", "0.2625", "c:8: write unit_rate as text, 0.2625 loses digits as a number"),
        ("\"0.2625\"", "\"-1\"", "c:8: negative price -1.00"),
        ("\"0.525\"", "\"0.525000001\"", "c:9: standing_charge 0.525000001 has more than 8 decimals"),
        ("tax_included = true", "tax_included = \"yes\"", "c:10: tax_included is neither true nor false"),
        (
            "region",
            "area",
            "c:4: unknown field `area`, expected one of `kind`, `name`, `source`, `region`, `currency`, `valid_from`, `valid_to`, `unit_rate`, `standing_charge`, `tax_included`",
        ),
    ] {
        let error = parse_price_cap("c", &bent(CAP, from, to)).unwrap_err();
        assert_eq!(error.to_string(), want, "{from:?} to {to:?}");
        assert!(!error.next_step().is_empty());
    }
    let tariff = bent(TARIFF, "\"0.25\"", "0.25");
    assert_eq!(
        checked(&tariff, CAP, &MarketBook::new()),
        "t:22: write prices as text, 0.25 loses digits as a number"
    );
}
