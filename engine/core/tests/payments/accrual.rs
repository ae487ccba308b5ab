//! Months on accrual, worked by hand: a bill of 90 of which 30 are the grid company's, paid in part, late, too much, taken back
//! or corrected after its month was trued up. Right after a true-up the payee has got what accrued; the next makes up for
//! what came since. `accrual` is what the grid company gets: under S, where it takes the remainder, what it gives.

use tallywatt_core::accrual::Basis;
use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;
use tallywatt_core::payment_book::{Agreements, PaymentBook};
use tallywatt_core::payment_terms::{Limits, PaymentTerms, SplitRounding};

use crate::story::{agreement, hash, tell, two};

fn on_accrual(limits: &str) -> PaymentTerms {
    let (least, most) = limits.split_once("..").unwrap();
    let money = |text: &str| Money::from_minor(text.parse().unwrap());
    let at_least = if least.is_empty() { Money::ZERO } else { money(least) };
    let payee = Limits { at_least, at_most: (!most.is_empty()).then(|| money(most)) };
    PaymentTerms { basis: Basis::Accrual(12), payee, ..PaymentTerms::default() }
}

#[test]
fn months() {
    // Limits of the payee, the story, and what was settled.
    let table: &[(&str, &str, &[&str])] = &[
        // Nothing is paid, half is, all is, too much is.
        ("..", "b1G90/30 t01", &["U 01: accrual 30"]),
        ("..", "b1G90/30 p1:45 t01", &["P p1: 01 45/15", "U 01: accrual 15"]),
        ("..", "b1G90/30 p1:90 t01", &["P p1: 01 90/30", "U 01: "]),
        ("..", "b1G90/30 p1:100 t01", &["P p1: 01 90/30, advance 10", "U 01: "]),
        ("..", "b1G90/0 t01", &["U 01: "]),
        ("..", "b1G90/90 p1:1 t01", &["P p1: 01 1/1", "U 01: accrual 89"]),
        // What comes late is split as ever, and the next month's true-up takes it back.
        (
            "..",
            "b1G90/30 t01 p1:90 b2G60/20 t02",
            &["U 01: accrual 30", "P p1: 01 90/30", "U 02: accrual -10"],
        ),
        (
            "..",
            "b1G90/30 t01 p1:45 b2G60/20 p2:105 t02",
            &["U 01: accrual 30", "P p1: 01 45/15", "P p2: 01 45/15, 02 60/20", "U 02: accrual -30"],
        ),
        // Money paid ahead, and in suspense.
        ("..", "p1:50 b1G90/30 t01", &["P p1: advance 50", "A p1: 01 50/17", "U 01: accrual 13"]),
        (
            "..",
            "b1G90/30 x1:90 t01 m2<x1:90 b2G9/0 t02",
            &["P x1: suspense 90", "U 01: accrual 30", "M m2: 01 90/30", "U 02: accrual -30"],
        ),
        // All bills of a month together, rounded once: 30.4 twice are 60.8.
        ("..", "b1G90/30.4 X1G90/30.4 t01", &["U 01: accrual 61"]),
        ("..", "b1G90/30.4 X1G90/30.4 p1:90 t01", &["P p1: 01 90/30", "U 01: accrual 31"]),
        ("..", "b1G90/30.5 t01", &["U 01: accrual 31"]),
        // And all months: 30.4 and 30.4 are 61, of which 30 were settled with January.
        ("..", "b1G90/30.4 t01 b2G90/30.4 t02", &["U 01: accrual 30", "U 02: accrual 31"]),
        // A later month's bills do not accrue yet, and what was paid of them does not count yet.
        ("..", "b1G90/30 b2G60/20 p1:60@02 t01", &["P p1: 02 60/20", "U 01: accrual 30"]),
        // A month that is passed over is in the next; another agreement goes on.
        ("..", "b1G90/30 b2G60/20 t02", &["U 02: accrual 50"]),
        ("..", "b1G90/30 t03", &["U 03: accrual 30"]),
        ("..", "b1G90/30 b2S60/20 t01+T02", &["U 01: accrual 30", "U 02: accrual -20"]),
        // A bill that comes late is in the next.
        ("..", "b1G90/30 t01 X1G90/31 b2G60/20 t02", &["U 01: accrual 30", "U 02: accrual 51"]),
        // Taken back before a true-up, and after one.
        ("..", "b1G90/30 p1:90 r2<p1:45 t01", &["P p1: 01 90/30", "R r2: 01 45/15", "U 01: accrual 15"]),
        (
            "..",
            "b1G90/30 p1:90 t01 r2<p1:90 b2G60/20 t02",
            &["P p1: 01 90/30", "U 01: ", "R r2: 01 90/30", "U 02: accrual 50"],
        ),
        // Corrected down before, with money on it; up and down after.
        ("..", "b1G90/30 p1:60 c11G30/10 t01", &["P p1: 01 60/20", "W p1: 01 30/10, advance 30", "U 01: "]),
        ("..", "b1G90/30 t01 c11G60/20 b2G60/20 t02", &["U 01: accrual 30", "U 02: accrual 10"]),
        ("..", "b1G90/30 t01 c11G120/45 b2G60/20 t02", &["U 01: accrual 30", "U 02: accrual 35"]),
        ("..", "b1G90/30 p1:90 t01 c11G90/40 t02", &["P p1: 01 90/30", "U 01: ", "T p1: 01 90/40", "U 02: "]),
        // Under another agreement: the first gives back what it got by it, as cash and as accrual.
        (
            "..",
            "b1G90/30 p1:45 t01 c11S90/30 t02 T02",
            &[
                "P p1: 01 45/15",
                "U 01: accrual 15",
                "T p1: 01 45/15",
                "U 02: accrual -15",
                "U 02: accrual -15",
            ],
        ),
        // Limits hold over payments, and a true-up makes up for them, down as well.
        ("50..", "b1G90/30 p1:60 t01", &["P p1: 01 60/50", "U 01: accrual -20"]),
        ("..10", "b1G90/30 p1:90 t01", &["P p1: 01 90/10", "U 01: accrual 20"]),
        // Once more is passed over.
        ("..", "b1G90/30 t01 t01+p1:90", &["U 01: accrual 30", "P p1: 01 90/30"]),
    ];
    for (limits, story, want) in table {
        for rounding in SplitRounding::ALL {
            let terms = PaymentTerms { rounding, ..on_accrual(limits) };
            let mut book = PaymentBook::default();
            book.open_account("A".parse().unwrap());
            assert_eq!(tell(&mut book, &two(&terms), story).unwrap(), *want, "{limits} {story}");
        }
    }
}

#[test]
fn what_is_refused() {
    let table = [
        ("t01", "true-up of 2026-01: no bill up to it is under agreement split"),
        ("b2G90/30 t01", "true-up of 2026-01: no bill up to it is under agreement split"),
        ("b1G90/30 b2G9/3 t02 t01", "true-up of 2026-01: 2026-02 is trued up already, and all before it"),
        ("b1G90/30 T01", "true-up of 2026-01: agreement split splits what is paid, not what accrues"),
        ("b1G90/30 t01+t01", "payment true-up 2026-01 0101010101010101 stands twice in the registry"),
        ("b1G90/30 t01 t01", "every payment is settled already: nothing is new"),
    ];
    for (story, want) in table {
        let mut agreements: Agreements = two(&on_accrual(".."));
        agreements.insert(hash(2), agreement(Party::Supplier, PaymentTerms::default()));
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        assert_eq!(tell(&mut book, &agreements, story).unwrap_err(), want, "{story}");
        agreements.remove(&hash(1));
        let unknown = tell(&mut PaymentBook::default(), &agreements, "t01").unwrap_err();
        assert!(unknown.ends_with("which is not published"), "{unknown}");
    }
}
