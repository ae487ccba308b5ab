//! Arrears and penalties as a person and a program meet them, on bills of 1,000.00 each.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use serde_json::{Value, json};

const TARIFF: &str = r#"kind = "tariff"
id = "one"
title = "One rate"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = { rate_percent = "22", included = true }
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { all = "4.00" }
"#;
const AGREEMENT: &str = r#"kind = "agreement"
id = "split"
title = "Split"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "1.00" }
"#;
const PENALTY: &str = r#"kind = "penalty"
id = "late"
title = "Late payment"
source = "test"
valid_from = "2026-04-01"
rate_on = "payment"
counts_payment_day = true
rounding = "half-up"
[[due]]
from = "2026-04-01"
day = 15
[[step]]
from_day = 1
[[step]]
from_day = 31
divisor = 300
[[step]]
from_day = 91
divisor = 130
[[rate]]
from = "2026-01-01"
percent = "9.5"
"#;
/// Watt-hours of a bill: 250 kWh at 4.00.
const MONTH_WH: usize = 250_000;

/// Bills of March and April 2026 for three accounts. `A-3` pays in time; `A-2` on the 31st day and, of both bills, on the
/// 15th of June, which is the 31st day for April; `A-1` never.
fn billed() -> Place {
    let place = Place::new();
    let columns: Vec<String> = (1..=48).map(|at| format!("v{at}")).collect();
    let mut text = format!("usage_point,obis,date,{}\n", columns.join(","));
    for (month, day_count) in [(3, 31), (4, 30)] {
        let count = day_count * 48;
        let value = |at: usize| (MONTH_WH / count + usize::from(at < MONTH_WH % count)).to_string();
        for (point, day) in (1..=3).flat_map(|point| (0..day_count).map(move |day| (point, day))) {
            let values: Vec<String> = (0..48).map(|slot| value(day * 48 + slot)).collect();
            text += &format!("P-{point},1-0:1.8.0,2026-{month:02}-{:02},{}\n", day + 1, values.join(","));
        }
    }
    place.write("readings.csv", text);
    place.write("tariff.toml", TARIFF);
    place.write("agreement.toml", AGREEMENT);
    place.write("penalty.toml", PENALTY);
    let mut contracts = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n".to_owned();
    for at in 1..=3 {
        contracts += &format!("A-{at},P-{at},1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-01,\n");
    }
    place.write("contracts.csv", contracts);
    place.write(
        "paid.csv",
        "payment_id,account,date,amount\nR-1,A-3,2026-04-15,1000\nR-2,A-3,2026-05-15,1000\n\
         R-3,A-2,2026-05-16,400\nR-4,A-2,2026-06-15,1600\n#TOTAL,4,4000\n",
    );
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, "tallywatt tariff publish tariff.toml agreement.toml --sign");
    place.expect(0, "tallywatt contract publish contracts.csv");
    place.expect(0, "tallywatt ingest readings.csv --zone Asia/Yekaterinburg");
    for period in ["2026-03", "2026-04"] {
        assert_eq!(place.json(&format!("tallywatt bill run {period}"))["total"], "3000.00");
    }
    place.expect(0, "tallywatt pay run paid.csv");
    place
}

/// The rows with these fields, each as one text.
fn rows(object: &Value, fields: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |row: &Value| fields.iter().map(|field| text(&row[*field])).collect::<Vec<_>>().join(" ");
    object["rows"].as_array().unwrap().iter().map(row).collect()
}

const BY_ACCOUNT: [&str; 10] =
    ["account", "bills", "oldest", "not_due", "0_30", "31_90", "91_180", "older", "owed", "penalty"];
const BY_BILL: [&str; 7] = ["period", "total", "owed", "due", "days_overdue", "age", "penalty"];

#[test]
fn without_a_table_months_age_from_their_end() {
    let place = billed();
    let found = place.json("tallywatt arrears --as-of 2026-08-13");
    assert_eq!(
        rows(&found, &BY_ACCOUNT),
        ["A-1 2 2026-03 0.00 0.00 0.00 2000.00 0.00 2000.00 null"],
        "{found}"
    );
    assert_eq!((&found["penalty_table"], &found["penalty"]), (&json!("none published"), &json!(null)));
    let bills = place.json("tallywatt arrears --as-of 2026-08-13 --account A-1");
    assert_eq!(
        rows(&bills, &BY_BILL),
        [
            "2026-03 1000.00 1000.00 2026-03-31 135 91-180 null",
            "2026-04 1000.00 1000.00 2026-04-30 105 91-180 null",
        ]
    );
    let ran = place.expect(2, "tallywatt arrears explain A-1 2026-03 --as-of 2026-08-13");
    assert!(ran.err.contains("no penalty table is published that holds on 2026-08-13"), "{}", ran.err);
}

#[test]
fn penalties_by_account_and_by_bill() {
    let place = billed();
    place.expect(0, "tallywatt tariff check penalty.toml");
    place.expect(0, "tallywatt tariff publish penalty.toml");
    let again = place.json("tallywatt tariff publish penalty.toml");
    assert_eq!((&again["published"], &again["published_before"]), (&json!(0), &json!(1)));
    let listed = place.json("tallywatt tariff list");
    assert_eq!(rows(&listed, &["kind", "id"]), ["tariff one", "agreement split", "penalty table late"]);
    let check = |as_of: &str, more: &str, fields: &[&str], want: &[&str]| {
        let found = place.json(&format!("tallywatt arrears --as-of {as_of} {more}"));
        assert_eq!(rows(&found, fields), want, "{as_of} {more}: {found}");
        found
    };
    // domain.md §10: day 120 costs 40.92, day 90 19.00. A-2 paid both bills late, so it has nothing open, and a penalty.
    let found = check(
        "2026-08-13",
        "",
        &BY_ACCOUNT,
        &[
            "A-1 2 2026-03 0.00 0.00 1000.00 1000.00 0.00 2000.00 59.92",
            "A-2 2 2026-03 0.00 0.00 0.00 0.00 0.00 0.00 6.34",
        ],
    );
    for (fact, want) in
        [("owed", "2000.00"), ("penalty", "66.26"), ("31_90", "1000.00"), ("paid_ahead", "0.00")]
    {
        assert_eq!(found[fact], want, "{fact}: {found}");
    }
    let hash = listed["rows"][2]["hash"].as_str().unwrap();
    assert_eq!(found["penalty_table"], format!("late {hash}"));
    // 400.00 for a day, 600.00 for 31 days: 19/150 and 589/100, 6.0167 together; 1,000.00 of April for a day.
    check(
        "2026-08-13",
        "--account A-2",
        &BY_BILL,
        &["2026-03 1000.00 0.00 2026-04-15 null paid 6.02", "2026-04 1000.00 0.00 2026-05-15 null paid 0.32"],
    );
    // What was paid later is not known yet.
    check(
        "2026-06-14",
        "--account A-2",
        &BY_BILL,
        &[
            "2026-03 1000.00 600.00 2026-04-15 60 31-90 5.83",
            "2026-04 1000.00 1000.00 2026-05-15 30 0-30 0.00",
        ],
    );
    check(
        "2026-04-14",
        "",
        &BY_ACCOUNT,
        &[
            "A-1 1 2026-03 1000.00 0.00 0.00 0.00 0.00 1000.00 0.00",
            "A-2 1 2026-03 1000.00 0.00 0.00 0.00 0.00 1000.00 0.00",
            "A-3 1 2026-03 1000.00 0.00 0.00 0.00 0.00 1000.00 0.00",
        ],
    );
    check("2026-10-13", "--account A-3", &BY_BILL, &[]);
    check("2026-03-31", "", &BY_ACCOUNT, &[]);
    check("2026-10-13", "--account A-1", &["period", "age"], &["2026-03 older", "2026-04 91-180"]);
    place.expect(0, "tallywatt chain audit");

    // A table that is published later is asked instead, from its first day on.
    place.write(
        "higher.toml",
        PENALTY
            .replace("late", "higher")
            .replace("2026-04-01\"\nrate", "2026-08-13\"\nrate")
            .replace("9.5", "19"),
    );
    place.expect(0, "tallywatt tariff publish higher.toml");
    check("2026-08-12", "--account A-1", &["period", "penalty"], &["2026-03 40.19", "2026-04 18.68"]);
    check("2026-08-13", "--account A-1", &["period", "penalty"], &["2026-03 81.85", "2026-04 38.00"]);
    let ran = place.expect(2, "tallywatt tariff check penalty.toml penalty.toml");
    assert!(ran.err.contains("penalty.toml: penalty table late: the version from 2026-04-01"), "{}", ran.err);
}

#[test]
fn the_pieces_add_up() {
    let place = billed();
    place.expect(0, "tallywatt tariff publish penalty.toml");
    let found = place.json("tallywatt arrears explain A-1 2026-03 --as-of 2026-08-13");
    let fields = ["from", "to", "days", "debt", "rate", "divisor", "exact", "about"];
    assert_eq!(
        rows(&found, &fields),
        [
            "2026-04-16 2026-05-15 30 1000.00 null null 0 0.0000",
            "2026-05-16 2026-07-14 60 1000.00 9.5 300 19 19.0000",
            "2026-07-15 2026-08-13 30 1000.00 9.5 130 285/13 21.9231",
        ]
    );
    for (fact, want) in
        [("sum_of_the_pieces", "532/13"), ("penalty", "40.92"), ("due", "2026-04-15"), ("owed", "1000.00")]
    {
        assert_eq!(found[fact], want, "{fact}: {found}");
    }
    let paid = place.json("tallywatt arrears explain A-2 2026-03 --as-of 2026-08-13");
    assert_eq!(
        rows(&paid, &fields),
        [
            "2026-04-16 2026-05-15 30 400.00 null null 0 0.0000",
            "2026-05-16 2026-05-16 1 400.00 9.5 300 19/150 0.1267",
            "2026-04-16 2026-05-15 30 600.00 null null 0 0.0000",
            "2026-05-16 2026-06-15 31 600.00 9.5 300 589/100 5.8900",
        ]
    );
    for object in [&found, &paid] {
        assert_eq!(fraction(&object["sum_of_the_pieces"]), sum_of_shown(object), "{object}");
    }
    let csv = place.expect(0, "tallywatt arrears explain A-2 2026-03 --as-of 2026-08-13 --format csv").out;
    assert_eq!(csv.lines().next(), Some("from,to,days,debt,rate,divisor,exact,about,of"));
    assert_eq!(csv.lines().count(), 5);
    let in_time = place.json("tallywatt arrears explain A-3 2026-03 --as-of 2026-08-13");
    assert_eq!((rows(&in_time, &fields).len(), &in_time["penalty"]), (0, &json!("0.00")));
}

/// A fraction as (numerator, denominator).
fn fraction(value: &Value) -> (i64, i64) {
    let text = value.as_str().unwrap();
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    (numerator.parse().unwrap(), denominator.parse().unwrap())
}

/// Σ debt × rate × days / divisor of the rows as they are shown, in lowest terms.
fn sum_of_shown(object: &Value) -> (i64, i64) {
    let number = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    let (mut numerator, mut denominator) = (0, 1);
    for row in object["rows"].as_array().unwrap().iter().filter(|row| !row["divisor"].is_null()) {
        // Hundredths of the debt, tenths of a per cent.
        let own = number(&row["debt"]) * number(&row["rate"]) * row["days"].as_i64().unwrap();
        let own_denominator = 100 * 1_000 * row["divisor"].as_i64().unwrap();
        let sum = numerator * own_denominator + own * denominator;
        let common = greatest_common_divisor(sum, denominator * own_denominator);
        (numerator, denominator) = (sum / common, denominator * own_denominator / common);
    }
    (numerator, denominator)
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[test]
fn what_is_asked_wrongly() {
    let place = billed();
    place.expect(0, "tallywatt tariff publish penalty.toml");
    for (line, says) in [
        ("--as-of tomorrow", "write it as --as-of 2026-03-31"),
        ("--account A-9", "no account A-9"),
        ("--account ''", "account: empty name"),
        ("explain A-9 2026-03", "account A-9 has no bill for 2026-03"),
        ("explain A-1 2026-05", "2026-05 is not billed"),
        ("explain A-1 march", "is not a billing month"),
        ("explain A-1 2026-03 --as-of 2026-03-31", "no penalty table is published that holds on 2026-03-31"),
    ] {
        let ran = place.expect(2, &format!("tallywatt arrears {line}"));
        assert!(ran.err.contains(says), "{line}: {}", ran.err);
    }
    // A table that begins after the bill says so beside the row.
    place.write(
        "short.toml",
        PENALTY
            .replace("late", "short")
            .replace("[[due]]\nfrom = \"2026-04-01\"", "[[due]]\nfrom = \"2026-05-01\""),
    );
    place.expect(0, "tallywatt tariff publish short.toml");
    let ran = place.expect(0, "tallywatt arrears --as-of 2026-08-13 --account A-1");
    assert!(
        ran.err.contains("account A-1, 2026-03: the table names no due day for bills of 2026-03"),
        "{}",
        ran.err
    );
    let ran = place.expect(2, "tallywatt arrears explain A-1 2026-03 --as-of 2026-08-13");
    assert!(ran.err.contains("the table names no due day for bills of 2026-03"), "{}", ran.err);
}

#[test]
fn the_table_of_the_program_can_be_published() {
    let place = billed();
    place.expect(0, "tallywatt arrears table > households.toml");
    place.expect(0, "tallywatt tariff publish households.toml");
    let found = place.json("tallywatt arrears --as-of 2026-08-13");
    assert_eq!((&found["owed"], &found["penalty"]), (&json!("2000.00"), &json!("66.26")));
    for help in ["tallywatt arrears --help", "tallywatt arrears explain --help"] {
        assert!(place.expect(0, help).out.contains("booked into no bill"), "{help}");
    }
}
