//! Columns of the payment registry beside payments and reversals: every mistake, with its line and what to do.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use tallywatt_core::account::Entry;
use tallywatt_core::money::Money;
use tallywatt_core::reserve::ReserveAction;
use tallywatt_ingest::documents::parse_payments;

const MATCHES: &str = "payment_id,account,date,amount,period,reverses,matches,remittance
p-1,A1,2026-04-02,100.05,2026-03,,,\"flat 2, March\"
p-2,A,2026-04-02,3,,,,
m-1,A,2026-04-03,70.05,,,p-1,
r-1,A,2026-04-04,-3.00,,p-2,,
#TOTAL,4,100.05
";

#[test]
fn matches_and_remittance_texts() {
    let registry = parse_payments("f", MATCHES.as_bytes()).unwrap();
    let [Entry::Payment(paid), Entry::Payment(plain), Entry::Match(one), Entry::Reversal(back)] =
        &registry.entries[..]
    else {
        panic!("{:?}", registry.entries)
    };
    assert_eq!(paid.remittance.as_ref().unwrap().as_str(), "flat 2, March");
    assert_eq!(plain.remittance, None);
    assert_eq!((one.payment, one.account, one.amount), (paid.id, plain.account, Money::from_minor(7_005)));
    assert_eq!(back.payment, plain.id);
    assert_eq!(registry.total, Money::from_minor(10_005));
}

#[test]
fn mistakes() {
    let long = format!("p-2,A,2026-04-02,3,,,,{}", "x".repeat(421));
    // What is written instead of what, and the message with its line and suggestion.
    let ask = "ask the bank for a corrected registry";
    let table = [
        (
            "matches,",
            "match,",
            "1: unknown column \"match\"",
            "name every column of the format once in the first line, and no others",
        ),
        (
            "matches,",
            "reverses,",
            "1: repeated column \"reverses\"",
            "name every column of the format once in the first line, and no others",
        ),
        ("70.05,,,p-1", "-70.05,,,p-1", "4: amount \"-70.05\": not above zero", ask),
        ("70.05,,,p-1", "0,,,p-1", "4: amount \"0\": not above zero", ask),
        ("70.05,,,p-1", "70.055,,,p-1", "4: amount \"70.055\": more decimals than the unit carries", ask),
        (
            "70.05,,,p-1",
            "70.05,2026-03,,p-1",
            "4: a match with a period: the month that its payer named holds",
            ask,
        ),
        ("70.05,,,p-1", "-70.05,,p-2,p-1", "4: a row that both reverses and matches", ask),
        ("p-1,\nr-1", "p-1,x\nr-1", "4: a match with a remittance text: that of its payment stands", ask),
        ("p-2,,\n#", "p-2,,x\n#", "5: a reversal with a remittance text: that of its payment stands", ask),
        ("70.05,,,p-1", "70.05,,,p\u{e9}", "4: matches: byte 0xc3 at 1 is not allowed in a name", ask),
        (
            "flat 2, March",
            "flat\u{1}",
            "2: remittance: remittance text has a control character at byte 4",
            ask,
        ),
        ("p-2,A,2026-04-02,3,,,,", &long, "3: remittance: remittance text of 421 bytes, at most 420", ask),
        ("m-1,A", "p-1,A", "4: payment_id p-1 stands on line 2 already, with other content", ask),
        (
            "#TOTAL,4,100.05",
            "#TOTAL,4,170.10",
            "6: the #TOTAL line sums to 170.10, the payments to 100.05",
            "fetch the whole file from the bank again",
        ),
        (
            "#TOTAL,4",
            "#TOTAL,3",
            "6: the #TOTAL line counts 3 payments, the file has 4",
            "fetch the whole file from the bank again",
        ),
    ];
    for (from, to, want, next_step) in table {
        assert!(MATCHES.contains(from), "{from:?} is not there");
        let error = parse_payments("f", MATCHES.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("f:{want}"), "{from:?} to {to:?}");
        assert_eq!(error.next_step(), next_step, "{from:?} to {to:?}");
    }
}

const ORDERS: &str = "payment_id,account,date,amount,period,reserve
d-1,A,2026-04-03,,2026-03,hold
p-1,A,2026-04-03,5.00,,
d-2,A,2026-04-04,,2026-03,release
#TOTAL,3,5.00
";

#[test]
fn orders_of_reserves() {
    let registry = parse_payments("f", ORDERS.as_bytes()).unwrap();
    let [Entry::Reserve(hold), Entry::Payment(_), Entry::Reserve(release)] = &registry.entries[..] else {
        panic!("{:?}", registry.entries)
    };
    assert_eq!((hold.action, release.action), (ReserveAction::Hold, ReserveAction::Release));
    assert_eq!((hold.period, hold.account), (release.period, release.account));
    assert_eq!(registry.total, Money::from_minor(500));
    let ask = "ask the bank for a corrected registry";
    let table = [
        ("2026-03,hold", "2026-03,keep", "2: reserve \"keep\": write hold or release"),
        (
            ",,2026-03,hold",
            ",5.00,2026-03,hold",
            "2: an order of a reserve has no amount and no text, reverses and matches nothing",
        ),
        ("2026-03,hold", "2026-13,hold", "2: period: \"2026-13\" is not a billing month, written YYYY-MM"),
        ("d-2", "d-1", "4: payment_id d-1 stands on line 2 already, with other content"),
        ("5.00,,\n", "5.00,,always\n", "3: reserve \"always\": write hold or release"),
    ];
    for (from, to, want) in table {
        assert!(ORDERS.contains(from), "{from:?} is not there");
        let error = parse_payments("f", ORDERS.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!((error.to_string(), error.next_step()), (format!("f:{want}"), ask), "{from:?} to {to:?}");
    }
}
