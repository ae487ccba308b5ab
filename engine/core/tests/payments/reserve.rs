//! What the bank holds back, worked by hand: a share of a leg, rounded down, always or while a bill is disputed; released whole,
//! and taken back first.

use tallywatt_core::accrual::Basis;
use tallywatt_core::agreement::SHARE_WHOLE;
use tallywatt_core::payment_book::PaymentBook;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::reserve::{ReserveOf, ReserveTerms, ReserveWhile};

use crate::story::{tell, two};

/// `payee 50 always`: of whose legs, how many per cent, and when.
fn terms(text: &str) -> PaymentTerms {
    let words: Vec<&str> = text.split_whitespace().collect();
    let reserve = (words.len() > 1).then(|| ReserveTerms {
        of: ReserveOf::from_name(words[0]).unwrap(),
        share: SHARE_WHOLE / 100 * words[1].parse::<u32>().unwrap(),
        when: ReserveWhile::from_name(words[2]).unwrap(),
    });
    let basis = if words.len() == 4 { Basis::Accrual(12) } else { Basis::Cash };
    PaymentTerms { reserve, basis, ..PaymentTerms::default() }
}

#[test]
fn held_and_released() {
    let table: &[(&str, &str, &[&str])] = &[
        ("none", "b1G90/30 p1:90", &["P p1: 01 90/30"]),
        ("payee 50 always", "b1G90/30 p1:90", &["P p1: 01 90/30, reserve 15"]),
        ("remainder 10 always", "b1G90/30 p1:90", &["P p1: 01 90/30, reserve 6"]),
        ("payee 100 always", "b1G90/30 p1:90", &["P p1: 01 90/30, reserve 30"]),
        // Down: 7.5 of a leg of 15, and nothing of a leg of 1.
        ("payee 50 always", "b1G90/30 p1:45", &["P p1: 01 45/15, reserve 7"]),
        ("payee 50 always", "b1G90/30 p1:3", &["P p1: 01 3/1"]),
        ("payee 50 always", "b1G90/0 p1:90", &["P p1: 01 90/0"]),
        // Each bill by itself; what is paid ahead and in suspense is nobody's yet.
        (
            "payee 50 always",
            "b1G90/30 b2S50/11 p1:150",
            &["P p1: 01 90/30, 02 50/11, advance 10, reserve 20"],
        ),
        ("payee 50 always", "p1:50 b1G90/30 .", &["P p1: advance 50", "A p1: 01 50/17, reserve 8"]),
        ("payee 50 always", "b1G90/30 x1:90 m2<x1:90", &["P x1: suspense 90", "M m2: 01 90/30, reserve 15"]),
        // A release gives all of it, and what comes after is held again.
        (
            "payee 50 always",
            "b1G90/30 p1:30 p2:30 f3@01 p4:30 f5@01",
            &[
                "P p1: 01 30/10, reserve 5",
                "P p2: 01 30/10, reserve 5",
                "H f3: reserve -10",
                "P p4: 01 30/10, reserve 5",
                "H f5: reserve -5",
            ],
        ),
        // Of its month alone.
        (
            "payee 50 always",
            "b1G90/30 b2G60/20 p1:150 f2@02",
            &["P p1: 01 90/30, 02 60/20, reserve 25", "H f2: reserve -10"],
        ),
        // Taken back first: 10 of the payee's leg go back, all of them held; then 20, of which 5 are.
        (
            "payee 50 always",
            "b1G90/30 p1:90 r2<p1:30 r3<p1:60",
            &["P p1: 01 90/30, reserve 15", "R r2: 01 30/10, reserve -10", "R r3: 01 60/20, reserve -5"],
        ),
        (
            "payee 50 always",
            "b1G90/30 p1:90 f2@01 r3<p1:90",
            &["P p1: 01 90/30, reserve 15", "H f2: reserve -15", "R r3: 01 90/30"],
        ),
        (
            "payee 50 always",
            "b1G90/30 p1:90 r2<p1:30 f3@01",
            &["P p1: 01 90/30, reserve 15", "R r2: 01 30/10, reserve -10", "H f3: reserve -5"],
        ),
        (
            "payee 50 always",
            "b1G90/30 p1:60 p2:30 r3<p2:30 f4@01",
            &[
                "P p1: 01 60/20, reserve 10",
                "P p2: 01 30/10, reserve 5",
                "R r3: 01 30/10, reserve -5",
                "H f4: reserve -10",
            ],
        ),
        (
            "payee 50 always",
            "b1G90/30 b2G60/20 p1:150 r2<p1:150",
            &["P p1: 01 90/30, 02 60/20, reserve 25", "R r2: 02 60/20, 01 90/30, reserve -25"],
        ),
        // While it is disputed, from then on, and no longer than that.
        (
            "payee 50 disputed",
            "b1G90/30 p1:30 h2@01 p3:30 f4@01 p5:30",
            &["P p1: 01 30/10", "H h2: ", "P p3: 01 30/10, reserve 5", "H f4: reserve -5", "P p5: 01 30/10"],
        ),
        ("payee 50 disputed", "b1G90/30 h1@01 f2@01 p3:90", &["H h1: ", "H f2: ", "P p3: 01 90/30"]),
        ("payee 50 disputed", "b1G90/30 p1:90+h1@01", &["H h1: ", "P p1: 01 90/30, reserve 15"]),
        (
            "remainder 50 disputed",
            "b1G90/30 b2G60/20 h1@01 p2:150",
            &["H h1: ", "P p2: 01 90/30, 02 60/20, reserve 30"],
        ),
        (
            "payee 50 disputed",
            "p1:50 b1G90/30 h2@01 p3:40",
            &["P p1: advance 50", "A p1: 01 50/17", "H h2: ", "P p3: 01 40/13, reserve 6"],
        ),
        (
            "payee 50 disputed",
            "b1G90/30 p1:90 h2@01 r3<p1:90 p4:90",
            &["P p1: 01 90/30", "H h2: ", "R r3: 01 90/30", "P p4: 01 90/30, reserve 15"],
        ),
        (
            "payee 50 disputed",
            "b1G90/30 h1@01 f2@01 h3@01 p4:90",
            &["H h1: ", "H f2: ", "H h3: ", "P p4: 01 90/30, reserve 15"],
        ),
        // On accrual: legs of payments are held, what accrued is not.
        (
            "payee 50 always accrual",
            "b1G90/30 p1:45 t01 p2:45 f3@01",
            &[
                "P p1: 01 45/15, reserve 7",
                "U 01: accrual 15",
                "P p2: 01 45/15, reserve 7",
                "H f3: reserve -14",
            ],
        ),
        (
            "payee 50 always accrual",
            "b1G90/30 p1:90 t01 r2<p1:90",
            &["P p1: 01 90/30, reserve 15", "U 01: ", "R r2: 01 90/30, reserve -15"],
        ),
        // A correction takes it back first, and no more is held of a leg than the leg: of 60 paid, 30 come off, 10 of them the
        // payee's, all held; then its part of the 30 that stay goes from 10 to 4, of which 5 were held.
        (
            "payee 50 always",
            "b1G90/30 p1:60 c11G30/10 .",
            &["P p1: 01 60/20, reserve 10", "W p1: 01 30/10, advance 30, reserve -10"],
        ),
        (
            "payee 50 always",
            "b1G90/30 p1:90 c11G90/12 . f2@01",
            &["P p1: 01 90/30, reserve 15", "T p1: 01 90/12, reserve -3", "H f2: reserve -12"],
        ),
        // Under another agreement nothing of it is held any more; what is paid under that one is.
        (
            "payee 50 always",
            "b1G90/30 p1:45 c11S90/30 p2:45 f3@01",
            &[
                "P p1: 01 45/15, reserve 7",
                "T p1: 01 45/15, reserve -7",
                "P p2: 01 45/15, reserve 7",
                "H f3: reserve -7",
            ],
        ),
        // Once more is passed over.
        ("payee 50 disputed", "b1G90/30 h1@01 h1@01+p2:90", &["H h1: ", "P p2: 01 90/30, reserve 15"]),
    ];
    for (text, story, want) in table {
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        assert_eq!(tell(&mut book, &two(&terms(text)), story).unwrap(), *want, "{text}: {story}");
    }
}

#[test]
fn what_is_refused() {
    let table = [
        ("payee 50 always", "f1@01", "order f1: account A has no bill of 2026-01"),
        ("payee 50 disputed", "b1G90/30 h1@02", "order h1: account A has no bill of 2026-02"),
        (
            "payee 50 always",
            "b1G90/30 f1@01",
            "order f1: nothing of account A is held or disputed for 2026-01",
        ),
        (
            "payee 50 always",
            "b1G90/30 p1:90 f2@01 f3@01",
            "order f3: nothing of account A is held or disputed for 2026-01",
        ),
        (
            "payee 50 disputed",
            "b1G90/30 h1@01 h2@01",
            "order h2: the bill of account A of 2026-01 is disputed already",
        ),
        ("payee 50 always", "b1G90/30 h1@01", "order h1: agreement split has no reserve for disputed bills"),
        ("none", "b1G90/30 h1@01", "order h1: agreement split has no reserve for disputed bills"),
        ("payee 50 disputed", "b1G90/30 h1@01 h1@02", "payment h1 is already settled with other contents"),
        ("payee 50 disputed", "b1G90/30 h1@01+h1@01", "payment h1 stands twice in the registry"),
    ];
    for (text, story, want) in table {
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        assert_eq!(tell(&mut book, &two(&terms(text)), story).unwrap_err(), want, "{text}: {story}");
    }
}
