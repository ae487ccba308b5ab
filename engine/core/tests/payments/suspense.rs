//! Money in suspense, matched by a person or by itself, in parts, and taken back. Worked by hand: a match splits as a payment
//! of that amount would, and a reversal takes what is paid ahead, then what is in suspense, then the bills, the newest first.

use tallywatt_core::payment_book::PaymentBook;
use tallywatt_core::payment_terms::PaymentTerms;

use crate::story::{tell, two};

#[test]
fn matches() {
    let table: &[(&str, &[&str])] = &[
        // All of it, part of it, more than is owed, and to nothing open.
        ("b1G90/30 x1:90 m2<x1:90", &["P x1: suspense 90", "M m2: 01 90/30"]),
        ("b1G90/30 x1:90 m2<x1:60", &["P x1: suspense 90", "M m2: 01 60/20"]),
        ("b1G90/30 x1:99 m2<x1:99", &["P x1: suspense 99", "M m2: 01 90/30, advance 9"]),
        ("x1:50 m2<x1:50", &["P x1: suspense 50", "M m2: advance 50"]),
        // In parts, to one account and to two.
        ("b1G90/30 x1:90 m2<x1:30 m3<x1:60", &["P x1: suspense 90", "M m2: 01 30/10", "M m3: 01 60/20"]),
        (
            "b1G90/30 oB x1:90 m2<x1:30 m3<x1:60>B",
            &["P x1: suspense 90", "M m2: 01 30/10", "M m3: advance 60"],
        ),
        // The month that the payer named still holds.
        ("b1G90/30 b2S50/10 x1:60@02 m2<x1:60", &["P x1: suspense 60", "M m2: 02 50/10, 01 10/3"]),
        // In the registry of its payment, whatever the order of the rows.
        ("b1G90/30 m1<x1:90+x1:90", &["P x1: suspense 90", "M m1: 01 90/30"]),
        // What a match leaves ahead is released to the next bill, as that of a payment.
        ("x1:50 m2<x1:50 b1G90/30 .", &["P x1: suspense 50", "M m2: advance 50", "A x1: 01 50/17"]),
        // By itself, when the account of that very name becomes known: before the next entries, or without any.
        ("x1:50 oX .", &["P x1: suspense 50", "F x1: advance 50"]),
        ("x1:50 X1G90/30 .", &["P x1: suspense 50", "F x1: X01 50/17"]),
        ("x1:50 X1G90/30 x2:40", &["P x1: suspense 50", "F x1: X01 50/17", "P x2: X01 40/13"]),
        // The oldest first; what was matched before stays matched.
        (
            "x2:40 x1:50 X1G90/30 .",
            &["P x2: suspense 40", "P x1: suspense 50", "F x1: X01 50/17", "F x2: X01 40/13"],
        ),
        ("b1S90/45 x1:50 m2<x1:20 X1G90/30 .", &["P x1: suspense 50", "M m2: 01 20/10", "F x1: X01 30/10"]),
        // Reversals: in suspense; matched; half of each; matched and paid ahead.
        ("x1:50 r2<x1:50 oX p3:1", &["P x1: suspense 50", "R r2: suspense 50", "P p3: advance 1"]),
        ("b1G90/30 x1:90 m2<x1:90 r3<x1:90", &["P x1: suspense 90", "M m2: 01 90/30", "R r3: 01 90/30"]),
        (
            "b1G90/30 x1:90 m2<x1:60 r3<x1:50 r4<x1:40",
            &["P x1: suspense 90", "M m2: 01 60/20", "R r3: 01 20/7, suspense 30", "R r4: 01 40/13"],
        ),
        (
            "b1G90/30 x1:120 m2<x1:100 r3<x1:120",
            &["P x1: suspense 120", "M m2: 01 90/30, advance 10", "R r3: 01 90/30, suspense 20, advance 10"],
        ),
        // To two accounts: both have their bill open again, and what others had paid ahead goes to it.
        (
            "b1G90/30 X1S90/45 y1:180 m2<y1:90 m3<y1:90>X p4:5 r5<y1:180",
            &[
                "P y1: suspense 180",
                "M m2: 01 90/30",
                "M m3: X01 90/45",
                "P p4: advance 5",
                "R r5: X01 90/45, 01 90/30",
                "A p4: 01 5/2",
            ],
        ),
        // What was taken back is in suspense no more; the same match once more is passed over.
        (
            "b1G90/30 x1:90 m2<x1:60 m2<x1:60+m3<x1:30",
            &["P x1: suspense 90", "M m2: 01 60/20", "M m3: 01 30/10"],
        ),
    ];
    for (story, want) in table {
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        assert_eq!(tell(&mut book, &two(&PaymentTerms::default()), story).unwrap(), *want, "{story}");
        assert!(!book.is_waiting(), "{story}");
    }
}

#[test]
fn what_is_refused() {
    let table = [
        ("m2<x1:5", "match m2 is of payment x1, which was never settled"),
        ("x1:50 m2<x1:51", "match m2 takes 0.51 out of suspense, 0.50 of payment x1 is in it"),
        ("x1:50 m2<x1:30 m3<x1:30", "match m3 takes 0.30 out of suspense, 0.20 of payment x1 is in it"),
        ("x1:50 m2<x1:30+m3<x1:30", "match m3 takes 0.30 out of suspense, 0.20 of payment x1 is in it"),
        ("x1:50 m2<x1:50 m3<x1:1", "match m3 takes 0.01 out of suspense, 0.00 of payment x1 is in it"),
        ("x1:50 r2<x1:30 m3<x1:21", "match m3 takes 0.21 out of suspense, 0.20 of payment x1 is in it"),
        ("x1:50 oX . m3<x1:1", "match m3 takes 0.01 out of suspense, 0.00 of payment x1 is in it"),
        ("p1:50 m2<p1:5", "match m2 takes 0.05 out of suspense, 0.00 of payment p1 is in it"),
        ("x1:50 m2<x1:5>B", "match m2 is to account B, which is not known"),
        ("x1:50 m2<x1:5>X", "match m2 is to account X, which is not known"),
        ("x5:50 m4<x5:5", "match m4 is of 2026-03-04, its payment of 2026-03-05"),
        ("x1:50 m2<x1:0", "payment m2 is not above zero"),
        ("x1:50 m2<x1:5 m2<x1:6", "payment m2 is already settled with other contents"),
        ("x1:50 m2<x1:5+m2<x1:5", "payment m2 stands twice in the registry"),
        ("x1:50 m2<x1:5 r3<m2:5", "reversal r3 is of payment m2, which was never settled"),
        ("x1:50 m2<x1:50 r3<x1:51", "reversal r3 takes 0.51 back, at most 0.50 is left of payment x1"),
        ("x1:50 m2<x1:5 m2<x1:5", "every payment is settled already: nothing is new"),
    ];
    for (story, want) in table {
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        let got = tell(&mut book, &two(&PaymentTerms::default()), story);
        assert_eq!(got.unwrap_err(), want, "{story}");
    }
}
