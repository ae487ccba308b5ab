//! Every mistake a penalty table file can hold, as a table: what was changed, the exact message with its line.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_core::penalty::{PenaltyTable, RateOn};
use tallywatt_ingest::documents::{Document, builtin_penalty_table, builtin_penalty_tables, parse_document};
use tallywatt_ledger::penalty_bytes::{decode_penalty_table, encode_penalty_table, publish_penalty_table};

const PENALTY: &str = r#"kind = "penalty"
id = "households"
title = "Households"
source = "article 155"
valid_from = "2026-01-01"
rate_on = "payment"
counts_payment_day = true
rounding = "half-up"
[[due]]
from = "2020-01-01"
day = 10
[[due]]
from = "2026-03-01"
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
from = "2020-01-01"
percent = "9.5"
[[rate]]
from = "2025-10-27"
percent = "16.5"
[[cap]]
valid_from = "2022-02-28"
valid_to = "2025-01-01"
percent = "9.5"
[[cap]]
valid_from = "2026-01-01"
percent = "10"
"#;

/// Replaces `from`, which stands in the text, by `to`.
fn bent(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

/// The message without the file's name, and that a next step is given.
fn message(text: &str) -> String {
    let error = parse_document("f", text).err().unwrap_or_else(|| panic!("taken: {text}"));
    assert!(!error.next_step().is_empty(), "{error}");
    error.to_string().strip_prefix("f:").unwrap().to_owned()
}

fn penalty_table(text: &str) -> PenaltyTable {
    match parse_document("f", text) {
        Ok(Document::PenaltyTable(table)) => *table,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_penalty_table() {
    let table = penalty_table(PENALTY);
    let parts = table.parts();
    assert_eq!((parts.rate_on, parts.counts_payment_day), (RateOn::Payment, true));
    let steps: Vec<(u16, Option<u16>)> =
        parts.steps.iter().map(|step| (step.from_day, step.divisor.map(Into::into))).collect();
    assert_eq!(steps, [(1, None), (31, Some(300)), (91, Some(130))]);
    let due =
        ["2026-01", "2026-02"].map(|period| table.due_day(period.parse().unwrap()).unwrap().to_string());
    assert_eq!(due, ["2026-02-10", "2026-03-15"]);
    let rates = ["2025-10-26", "2025-10-27", "2026-01-01"];
    assert_eq!(
        rates.map(|day| table.rate_on(day.parse().unwrap()).unwrap().to_string()),
        ["9.5", "16.5", "10"]
    );
    let caps: Vec<String> = parts.caps.iter().map(|cap| cap.validity.to_string()).collect();
    assert_eq!(caps, ["from 2022-02-28 until 2025-01-01", "from 2026-01-01"]);
    let other = bent(PENALTY, "\"payment\"", "\"each-day\"").replace("= true", "= false");
    let other = penalty_table(other.split_once("[[cap]]").unwrap().0);
    assert_eq!((other.parts().rate_on, other.parts().counts_payment_day), (RateOn::EachDay, false));
    assert!(other.parts().caps.is_empty());
}

#[test]
fn mistakes_in_a_penalty_table() {
    let due_day = "need a day of the month from 1 to 28, each from a later date than the one before";
    let step = "the first begins on day 1, each other after the one before";
    for (from, to, want) in [
        ("\"penalty\"", "\"penalties\"", "1: kind \"penalties\" is not known"),
        ("\"households\"", "\"\"", "2: id: empty name"),
        ("\"Households\"", "\"\\u0007\"", "3: title is longer than 240 bytes or has control characters"),
        ("\"article 155\"", "\"\\u0007\"", "4: source is longer than 240 bytes or has control characters"),
        ("source = \"article 155\"\n", "", "1: missing field `source`"),
        ("from = \"2026-01-01\"\nrate", "from = 2026-01-01\nrate", "5: valid_from is not text: 2026-01-01"),
        ("rate_on = \"payment\"", "rate_on = \"today\"", "6: rate_on \"today\" is not known"),
        ("rate_on = \"payment\"", "rate_on = 1", "6: rate_on is not text: 1"),
        ("rate_on = \"payment\"\n", "", "1: missing field `rate_on`"),
        ("= true", "= \"yes\"", "7: counts_payment_day is neither true nor false"),
        ("\"half-up\"", "\"half-even\"", "8: rounding \"half-even\" is not known"),
        (
            "\"2020-01-01\"\nday",
            "\"01.01.2020\"\nday",
            "10: from: \"01.01.2020\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
        ),
        ("day = 10", "day = \"10\"", "11: day is not a whole number from 1 to 28"),
        ("day = 10", "day = 29", "11: day is not a whole number from 1 to 28"),
        ("day = 10", "day = 10\nmonth = 1", "12: unknown field `month`, expected `from` or `day`"),
        ("from = \"2026-03-01\"", "from = \"2020-01-01\"", &format!("12: due day 2: {due_day}")),
        ("from_day = 1\n", "from_day = 2\n", &format!("15: step 1: {step}")),
        ("from_day = 1\n", "from_day = 0\n", "16: from_day is not a whole number from 1 to 65535"),
        ("from_day = 91", "from_day = 31", &format!("20: step 3: {step}")),
        ("divisor = 300", "divisor = 0", "19: divisor is not a whole number from 1 to 65535"),
        ("divisor = 300", "divisor = 65536", "19: divisor is not a whole number from 1 to 65535"),
        ("divisor = 300", "divisor = 300.0", "19: divisor is not a whole number from 1 to 65535"),
        (
            "divisor = 300",
            "divisor = 65521",
            "15: the divisors of the steps have no common multiple up to 1000000",
        ),
        ("percent = \"9.5\"", "percent = 9.5", "25: write percent as text, 9.5 loses digits as a number"),
        ("percent = \"9.5\"", "percent = \"9,5\"", "25: percent: not a decimal number"),
        ("percent = \"9.5\"", "percent = \"-9.5\"", "25: percent: not from 0 to 1000 per cent a year"),
        ("percent = \"9.5\"", "percent = \"9.50001\"", "25: percent: more decimals than the unit carries"),
        (
            "from = \"2025-10-27\"",
            "from = \"2020-01-01\"",
            "26: rate 2: each holds from a later date than the one before",
        ),
        (
            "valid_to = \"2025-01-01\"",
            "valid_to = \"2022-02-28\"",
            "31: valid_to 2022-02-28 is not after valid_from 2022-02-28",
        ),
        ("valid_to = \"2025-01-01\"\n", "", "32: cap 2: it begins before the one before it ends"),
        (
            "[[cap]]\nvalid_from",
            "[[cap]]\nfrom",
            "30: unknown field `from`, expected one of `valid_from`, `valid_to`, `percent`",
        ),
        ("percent = \"10\"", "percent = \"1000.5\"", "35: percent: not from 0 to 1000 per cent a year"),
    ] {
        assert_eq!(message(&bent(PENALTY, from, to)), want, "{from:?} to {to:?}");
    }
    // A list that is empty, or too long.
    let (head, lists) = PENALTY.split_at(PENALTY.find("[[due]]").unwrap());
    let (due, rest) = lists.split_at(lists.find("[[step]]").unwrap());
    let (steps, rates) = rest.split_at(rest.find("[[rate]]").unwrap());
    let many: String = (1..=9).map(|day| format!("[[step]]\nfrom_day = {day}\n")).collect();
    for (lists, want) in [
        ([steps, rates].concat(), "2: 0 due days, need 1 to 16"),
        ([due, rates].concat(), "2: 0 steps, need 1 to 8"),
        ([due, steps].concat(), "2: 0 rates, need 1 to 1024"),
        ([due, many.as_str(), rates].concat(), "2: 9 steps, need 1 to 8"),
    ] {
        let text = format!("{head}{lists}");
        assert_eq!(message(&text), want);
    }
}

/// A changed hash here is a changed table: a decision, and a new `valid_from`.
#[test]
fn penalty_tables_of_the_program() {
    let table =
        [("russia-households-penalty", "8635887d512a1f9ac6f556df3754d46d9b8e52cba6506e158353853af11653cb")];
    assert!(builtin_penalty_tables().eq(table.iter().map(|(id, _)| *id)));
    for (id, want) in table {
        let found = penalty_table(builtin_penalty_table(id).unwrap());
        assert_eq!(found.parts().id.as_str(), id);
        assert!(found.parts().source.ends_with("configurable defaults"), "{id}");
        assert_eq!(decode_penalty_table(&encode_penalty_table(&found)), Ok(found.clone()));
        assert_eq!(publish_penalty_table(found).hash.to_string(), want, "{id}");
    }
    assert_eq!(builtin_penalty_table("none"), None);
}
