//! Roles and grants: the whole matrix of roles, objects and owners, what a list may grant, and when a grant counts.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_core::access::{
    AccessBook, AccessError, AccessList, AccessParts, Action, Denial, GRANT_COUNT_MAX, Grant, HolderKey,
    Role, SCOPE_COUNT_MAX, permits,
};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Day;
use tallywatt_core::label::Label;
use tallywatt_core::validity::Validity;

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn validity(from: &str, to: &str) -> Validity {
    Validity::new(day(from), (!to.is_empty()).then(|| day(to))).unwrap()
}

/// The key of a role's holder, and another's.
fn key(role: Role) -> HolderKey {
    [role as u8; 32]
}

fn grant(role: Role, scope: &[&str]) -> Grant {
    Grant {
        holder: label(&format!("{role}.example")),
        role,
        key: key(role),
        validity: validity("2026-01-01", "2027-01-01"),
        scope: scope.iter().copied().map(label).collect(),
    }
}

fn parts(party: Party, number: u32, grants: Vec<Grant>) -> AccessParts {
    AccessParts { party, number, from: day("2026-01-01"), grants }
}

fn list(party: Party, number: u32, grants: Vec<Grant>) -> AccessList {
    AccessList::new(parts(party, number, grants)).unwrap()
}

/// Every role has a holder: the gateway of P-1 and P-2, the consumer of.
fn book() -> AccessBook {
    let mut book = AccessBook::default();
    let lists = [
        (Party::Grid, vec![grant(Role::Grid, &[]), grant(Role::Gateway, &["P-2", "P-1"])]),
        (Party::Bank, vec![grant(Role::Bank, &[]), grant(Role::Regulator, &[])]),
        (
            Party::Supplier,
            vec![
                grant(Role::Supplier, &[]),
                grant(Role::Consumer, &["A-1", "A-2"]),
                grant(Role::Regulator, &[]),
            ],
        ),
    ];
    for (party, grants) in lists {
        book.publish(list(party, 1, grants)).unwrap();
    }
    book
}

/// What each role may: readings, receipts, the log, denials; of its own, of another's, of nobody's. The table is the rule.
#[test]
fn roles_by_objects_by_owners() {
    // own | other's | none's, y or n each; of denials the grid's, the bank's, the supplier's node.
    let table = [
        (Role::Grid, "nnn", "yyy", 'y', "ynn"),
        (Role::Bank, "nnn", "nnn", 'y', "nyn"),
        (Role::Supplier, "nnn", "yyy", 'y', "nny"),
        (Role::Regulator, "nnn", "yyy", 'y', "yyy"),
        (Role::Gateway, "ynn", "nnn", 'y', "nnn"),
        (Role::Consumer, "nnn", "ynn", 'y', "nnn"),
    ];
    assert_eq!(table.map(|row| row.0), Role::ALL);
    let book = book();
    let points: [&[&str]; 3] = [&["P-1", "P-2"], &["P-1", "P-3"], &[]];
    let accounts = ["A-2", "A-3", "NOBODY"];
    let mut seen = 0;
    for (role, readings, receipts, log, denials) in table {
        let mut check = |action: Action<'_>, want: char| {
            let permitted = permits(&book, &key(role), &action, day("2026-06-01"));
            assert_eq!(permitted.is_ok(), want == 'y', "{role} {action:?}: {permitted:?}");
            let stranger = permits(&book, &[99; 32], &action, day("2026-06-01"));
            assert_eq!(stranger, Err(Denial::Unknown), "{action:?}");
            seen += 1;
        };
        for (points, want) in points.iter().zip(readings.chars()) {
            let points: Vec<Label> = points.iter().copied().map(label).collect();
            check(Action::SubmitReadings { points: &points }, want);
        }
        for (account, want) in accounts.into_iter().zip(receipts.chars()) {
            check(Action::OpenReceipt { account: label(account) }, want);
        }
        check(Action::ReadLog, log);
        for (of, want) in Party::ALL.into_iter().zip(denials.chars()) {
            check(Action::ReadDenials { of }, want);
        }
    }
    assert_eq!(seen, 60);
}

/// Which list may name which role; a list that names more is none.
#[test]
fn lists_by_roles() {
    let table = [
        (Party::Grid, [true, false, false, true, true, false]),
        (Party::Bank, [false, true, false, true, false, false]),
        (Party::Supplier, [false, false, true, true, false, true]),
    ];
    for (party, row) in table {
        for (role, may) in Role::ALL.into_iter().zip(row) {
            let scope: &[&str] = if role.scope().is_some() { &["X-1"] } else { &[] };
            let made = AccessList::new(parts(party, 1, vec![grant(role, scope)]));
            let holder = label(&format!("{role}.example"));
            match made {
                Ok(_) => assert!(may, "{party} {role}"),
                Err(error) => {
                    assert!(!may, "{party} {role}");
                    assert_eq!(error, AccessError::Right { holder, role, party });
                }
            }
        }
    }
}

#[test]
fn what_is_no_list() {
    let consumer = || grant(Role::Consumer, &["A-1"]);
    let of = |bend: &dyn Fn(&mut AccessParts)| {
        let mut bent = parts(Party::Supplier, 1, vec![consumer(), grant(Role::Supplier, &[])]);
        bend(&mut bent);
        AccessList::new(bent).map_err(|error| error.to_string())
    };
    assert!(of(&|_| {}).is_ok());
    assert!(of(&|list| list.grants.clear()).is_ok(), "a list may revoke everything");
    type Bend<'a> = &'a dyn Fn(&mut AccessParts);
    let table: [(Bend<'_>, &str); 9] = [
        (&|list| list.number = 0, "numbered from 1"),
        (&|list| list.grants[0].holder = label("two words"), "no name of a key"),
        (&|list| list.grants[0].holder = label("a+b"), "no name of a key"),
        (&|list| list.grants[0].scope.clear(), "as consumer needs accounts"),
        (&|list| list.grants[1].scope.push(label("A-1")), "has neither accounts nor usage points"),
        (&|list| list.grants[0].scope.push(label("A-1")), "A-1 stands twice"),
        (&|list| list.grants.push(consumer()), "stands twice as consumer"),
        (&|list| list.grants[1].key = list.grants[0].key, "have one key"),
        (&|list| list.grants[0].role = Role::Gateway, "not for supplier to grant"),
    ];
    for (bend, want) in table {
        let error = of(bend).unwrap_err();
        assert!(error.contains(want), "{error}, not {want}");
    }
    let many = |count: usize| vec![consumer(); count];
    assert!(matches!(
        AccessList::new(parts(Party::Supplier, 1, many(GRANT_COUNT_MAX + 1))),
        Err(AccessError::Count(_))
    ));
    let mut wide = consumer();
    wide.scope = vec![label("A-1"); SCOPE_COUNT_MAX + 1];
    let wide = AccessList::new(parts(Party::Supplier, 1, vec![wide]));
    assert_eq!(wide, Err(AccessError::ScopeCount(SCOPE_COUNT_MAX + 1)));
}

/// Days, versions, and which of several reasons is told.
#[test]
fn when_a_grant_counts() {
    let mut book = book();
    let own = Action::OpenReceipt { account: label("A-1") };
    let told = |book: &AccessBook, role: Role, action: &Action<'_>, on: &str| {
        permits(book, &key(role), action, day(on))
            .map_or_else(|denial| denial.to_string(), |grant| format!("by {}", grant.holder))
    };
    let table = [
        ("2025-12-31", "holds from 2026-01-01 on"),
        ("2026-01-01", "by consumer.example"),
        ("2026-12-31", "by consumer.example"),
        ("2027-01-01", "expired on 2027-01-01"),
    ];
    for (on, want) in table {
        let told = told(&book, Role::Consumer, &own, on);
        assert!(told.contains(want), "{on}: {told}");
    }
    let other = Action::OpenReceipt { account: label("A-3") };
    let denied = told(&book, Role::Consumer, &other, "2026-06-01");
    assert_eq!(denied, "A-3 is none of the accounts of consumer.example");
    let denied = told(&book, Role::Bank, &own, "2026-06-01");
    assert_eq!(denied, "bank.example is a bank, who may not have receipts");

    // The next list leaves the consumer out: from its first day on.
    let mut next = parts(Party::Supplier, 2, vec![grant(Role::Supplier, &[])]);
    next.from = day("2026-07-01");
    book.publish(AccessList::new(next.clone()).unwrap()).unwrap();
    assert_eq!(told(&book, Role::Consumer, &own, "2026-06-30"), "by consumer.example");
    let denied = told(&book, Role::Consumer, &own, "2026-07-01");
    assert_eq!(denied, "the grant of consumer.example as consumer is revoked by list 2 of supplier");
    // With it the supplier's word for the regulator is gone: the bank's alone is not enough.
    assert_eq!(told(&book, Role::Regulator, &own, "2026-06-30"), "by regulator.example");
    let denied = told(&book, Role::Regulator, &own, "2026-07-01");
    assert!(denied.contains("by one party alone"), "{denied}");
    assert_eq!(told(&book, Role::Supplier, &own, "2026-07-01"), "by supplier.example");

    // A list that begins before the one before it counts at once: numbers decide, not days. It grants again.
    let mut third = parts(Party::Supplier, 3, vec![grant(Role::Consumer, &["A-3"])]);
    third.from = day("2026-02-01");
    book.publish(AccessList::new(third).unwrap()).unwrap();
    assert_eq!(told(&book, Role::Consumer, &other, "2026-07-01"), "by consumer.example");
    assert!(told(&book, Role::Consumer, &own, "2026-07-01").contains("A-1 is none of the accounts"));
    assert!(told(&book, Role::Supplier, &own, "2026-07-01").contains("revoked by list 3"));

    for number in [3, 5] {
        next.number = number;
        let error = book.publish(AccessList::new(next.clone()).unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("access list {number} of supplier does not follow: its next is 4")
        );
    }
    let keys: Vec<_> = book.keys_of(&label("consumer.example")).collect();
    assert_eq!(keys, [&key(Role::Consumer)]);
}
