//! Roundings, limits, and what does not add up.

use super::*;
use crate::account::OpenBill;
use crate::agreement::{SHARE_WHOLE, SplitRule};
use crate::calendar::Period;
use crate::payment_terms::PaymentTerms;
use crate::payment_terms::tests::limits;
use crate::validity::Validity;
use proptest::prelude::*;

/// domain.md §10: 1,000 payments of 333.33 at 45.123 %: rounding each by itself drifts by 1.50.
#[test]
fn never_drifts() {
    let mut running = RunningSplit::default();
    let amount = Money::from_minor(33_333);
    let part = ExactAmount::from_e11(amount.exact().as_e11() * 45_123 / 100_000);
    let (mut naive, mut grid) = (0, 0);
    for _ in 0..1_000 {
        let (payee, remainder) = running.split(amount, part);
        assert_eq!(payee.as_minor() + remainder.as_minor(), 33_333);
        grid += payee.as_minor();
        naive += RunningSplit::default().split(amount, part).0.as_minor();
    }
    assert_eq!((naive, grid), (15_041_000, 15_040_850));
    assert_eq!(running.due.to_string(), "150408.4959");
}

/// What a reversal leaves behind is made up for, less than a minor unit a payment, and no leg is ever below zero.
#[test]
fn a_split_that_was_disturbed_returns() {
    let part = ExactAmount::from_e11(Money::from_minor(1).exact().as_e11() * 4 / 10);
    // due before in tenths of a minor unit, paid before; what the payee gets of the next payments of 0.01
    let table: &[(i128, i64, &[i64])] = &[
        (0, 0, &[0, 1, 0, 1, 0]),
        (0, 1, &[0, 0, 0, 1, 0]),
        (0, 2, &[0, 0, 0, 0, 0, 0, 1]),
        (30, 0, &[1, 1, 1, 1, 1, 0, 1, 0]),
    ];
    for (due, paid, want) in table {
        let due = ExactAmount::from_e11(Money::from_minor(1).exact().as_e11() * due / 10);
        let mut running = RunningSplit { due, paid: Money::from_minor(*paid) };
        let one = Money::from_minor(1);
        let got: Vec<i64> = want.iter().map(|_| running.split(one, part).0.as_minor()).collect();
        assert_eq!(got, *want, "{due} due, {paid} paid");
    }
}

fn agreement(terms: PaymentTerms) -> Agreement {
    Agreement {
        id: "grid".parse().unwrap(),
        title: "Grid and supplier".into(),
        currency: "RUB".parse().unwrap(),
        validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::Share(SHARE_WHOLE),
        terms,
    }
}

/// Open bills of `(agreement, total, the payee's part)`, minor units.
fn account(bills: &[(u8, i64, i64)]) -> AccountState {
    let mut account = AccountState::default();
    for (at, (agreement, total, part)) in bills.iter().enumerate() {
        let period: Period = format!("2026-{:02}", at + 1).parse().unwrap();
        account.issue(OpenBill {
            bill: ContentHash([u8::try_from(at).unwrap(); 32]),
            period,
            since: period.end_day(),
            agreement: ContentHash([*agreement; 32]),
            total: Money::from_minor(*total),
            paid: Money::ZERO,
            payee_part: Money::from_minor(*part).exact(),
            payee_paid: ExactAmount::ZERO,
        });
    }
    account
}

/// Rounding, limits of payee and remainder taker, bills by (agreement, total, part), payments, the payee's legs.
type Row = (SplitRounding, &'static str, &'static str, &'static [Bill], &'static [i64], &'static str);
/// Agreement, total, the payee's part.
type Bill = (u8, i64, i64);

#[test]
fn what_the_payee_gets() {
    use SplitRounding::{Cumulative, LargestRemainder};
    #[rustfmt::skip]
    let table: &[Row] = &[
        (Cumulative, "..", "..", &[(1, 9, 3)], &[1, 1, 1], "0; 1; 0"),
        (LargestRemainder, "..", "..", &[(1, 9, 3)], &[1, 1, 1], "0; 0; 0"),
        (LargestRemainder, "..", "..", &[(1, 2, 1)], &[1, 1], "1; 1"), // the payee's at a tie
        // Over the bills of one agreement a payment is rounded once; over two, once each.
        (LargestRemainder, "..", "..", &[(1, 3, 1), (1, 3, 1)], &[6], "1 1"),
        (LargestRemainder, "..", "..", &[(1, 5, 2), (1, 5, 2)], &[4, 4], "2; 0 2"),
        (Cumulative, "..", "..", &[(1, 5, 2), (2, 5, 2)], &[7], "2 1"),
        // A cap delays: the second payment makes up for the first. What is held back at the end is lost to it.
        (Cumulative, "..30", "..", &[(1, 100, 40)], &[80, 20], "30; 10"),
        (Cumulative, "..30", "..", &[(1, 100, 40)], &[100], "30"),
        (Cumulative, "..30", "..", &[(1, 50, 20), (1, 50, 20)], &[100], "20 10"), // over both bills
        (Cumulative, "..30", "..", &[(1, 50, 20), (2, 50, 20)], &[100], "20 20"), // over each agreement's
        (Cumulative, "15..", "..", &[(1, 100, 40)], &[10, 20, 70], "10; 15; 15"),
        (Cumulative, "..", "50..", &[(1, 100, 80)], &[100], "50"),
        (Cumulative, "..", "..10", &[(1, 100, 80)], &[50, 50], "40; 40"),
        (Cumulative, "..", "..10", &[(1, 100, 40)], &[100], "90"),
    ];
    for (rounding, payee, remainder, bills, payments, want) in table {
        let terms = PaymentTerms {
            rounding: *rounding,
            payee: limits(payee),
            remainder: limits(remainder),
            ..PaymentTerms::default()
        };
        let agreements: BTreeMap<_, _> =
            [1, 2].map(|tag| (ContentHash([tag; 32]), agreement(terms.clone()))).into();
        let (mut account, mut running) = (account(bills), BTreeMap::<_, RunningSplit>::new());
        let mut got = Vec::new();
        for minor in *payments {
            let placed = account.place(Money::from_minor(*minor), None, &terms.order);
            let allocations = allocate(&account, &placed, &agreements, &running);
            for allocation in &allocations {
                assert!(account.book(allocation));
                let split = running.entry(allocation.agreement).or_default();
                *split = split.with(allocation).unwrap();
            }
            let legs: Vec<String> =
                allocations.iter().map(|allocation| allocation.payee.as_minor().to_string()).collect();
            got.push(legs.join(" "));
        }
        assert_eq!(got.join("; "), *want, "{rounding:?} {payee} {remainder} {bills:?} {payments:?}");
    }
}

fn payment(minor: i64) -> Payment {
    Payment {
        id: "p-1".parse().unwrap(),
        account: "A".parse().unwrap(),
        booked: "2026-04-01".parse().unwrap(),
        amount: Money::from_minor(minor),
        period: None,
        remittance: None,
    }
}

/// What was bent, and how.
type Bent = (&'static str, fn(&mut Settled));

#[test]
fn what_does_not_add_up_is_seen() {
    let allocation = Allocation {
        bill: ContentHash([1; 32]),
        period: "2026-01".parse().unwrap(),
        agreement: ContentHash([2; 32]),
        amount: Money::from_minor(90),
        payee_part: Money::from_minor(30).exact(),
        payee: Money::from_minor(30),
        held: Money::ZERO,
    };
    let leg = |party, kind, minor| Leg { party, kind, amount: Money::from_minor(minor) };
    let legs = vec![
        leg(Party::Grid, LegKind::Part, 30),
        leg(Party::Supplier, LegKind::Remainder, 60),
        leg(Party::Supplier, LegKind::Advance, 10),
    ];
    let paid = Settled {
        cause: Cause::Payment(payment(100)),
        allocations: vec![allocation],
        legs,
        back: Vec::new(),
    };
    let Payment { id, account, booked, amount, .. } = payment(100);
    let reversal = Reversal { id, payment: id, account, booked, amount };
    let reversed = Settled {
        cause: Cause::Reversal(reversal),
        legs: Vec::new(),
        back: paid.legs.clone(),
        ..paid.clone()
    };
    let release =
        Release { payment: id, account, booked, amount: Money::from_minor(90), from: Held::Advance };
    let released = Settled {
        cause: Cause::Release(release),
        legs: paid.legs[..2].to_vec(),
        back: vec![leg(Party::Supplier, LegKind::Advance, 90)],
        ..paid.clone()
    };
    let one = Match { id, payment: id, account, booked, amount };
    let suspense = leg(Party::Bank, LegKind::Suspense, 100);
    let matched = Settled { cause: Cause::Match(one), back: vec![suspense], ..paid.clone() };
    let found = Release { payment: id, account, booked, amount, from: Held::Suspense };
    let found = Settled { cause: Cause::Release(found), ..matched.clone() };
    let held = Settled {
        allocations: Vec::new(),
        legs: vec![leg(Party::Bank, LegKind::Suspense, 100)],
        ..paid.clone()
    };
    let all: &[Bent] = &[
        ("a leg less", |settled| {
            settled.legs.pop();
            settled.back.pop();
        }),
        ("a leg of one unit more", |settled| {
            let legs = if settled.legs.is_empty() { &mut settled.back } else { &mut settled.legs };
            legs[0].amount = Money::from_minor(legs[0].amount.as_minor() + 1);
        }),
        ("a leg of nothing", |settled| {
            let legs = if settled.legs.is_empty() { &mut settled.back } else { &mut settled.legs };
            legs.push(Leg { amount: Money::ZERO, ..legs[0] });
        }),
        ("both sides changed", |settled| std::mem::swap(&mut settled.legs, &mut settled.back)),
        ("in suspense too", |settled| {
            let leg = Leg { party: Party::Bank, kind: LegKind::Suspense, amount: Money::from_minor(1) };
            settled.legs.push(leg);
        }),
    ];
    let with_bills: &[Bent] = &[
        ("no allocation", |settled| settled.allocations.clear()),
        ("another payee's leg", |settled| settled.allocations[0].payee = Money::from_minor(31)),
        ("a payee's leg below zero", |settled| settled.allocations[0].payee = Money::from_minor(-1)),
        ("a payee's leg above it", |settled| settled.allocations[0].payee = Money::from_minor(91)),
        ("an allocation of more", |settled| settled.allocations[0].amount = Money::from_minor(101)),
        ("an allocation of nothing", |settled| {
            settled.allocations.push(Allocation {
                amount: Money::ZERO,
                payee: Money::ZERO,
                ..settled.allocations[0]
            });
        }),
    ];
    for (name, settled, has_bills) in [
        ("payment", paid, true),
        ("reversal", reversed, true),
        ("release", released, true),
        ("match", matched, true),
        ("found", found, true),
        ("suspended", held, false),
    ] {
        assert!(settled.is_balanced(), "{name}");
        let table = all.iter().chain(if has_bills { with_bills } else { &[] });
        for (what, bend) in table {
            let mut bent = settled.clone();
            bend(&mut bent);
            assert!(!bent.is_balanced(), "{name}: {what}");
        }
    }
}

#[test]
fn codes_and_names() {
    for kind in LegKind::ALL {
        assert_eq!(LegKind::from_code(kind.code()), Some(kind));
    }
    assert_eq!((0..=255_u8).filter_map(LegKind::from_code).count(), KIND_COUNT);
    for party in Party::ALL {
        assert_eq!(Party::from_code(party.code()), Some(party));
        assert_eq!(Party::from_name(party.name()), Some(party));
    }
    assert_eq!((0..=255_u8).filter_map(Party::from_code).count(), Party::ALL.len());
}

proptest! {
    #[test]
    fn legs_add_up_and_stay_within_half_a_unit(parts in prop::collection::vec((1..1_000_000_i64, 0..=1_000_u32), 1..200)) {
        let mut running = RunningSplit::default();
        let (mut exact, mut got) = (0_i128, 0_i64);
        for (minor, per_mille) in parts {
            let amount = Money::from_minor(minor);
            let part = amount.exact().as_e11() / 1_000 * i128::from(per_mille);
            let (payee, remainder) = running.split(amount, ExactAmount::from_e11(part));
            prop_assert_eq!(payee.as_minor() + remainder.as_minor(), minor);
            exact += part;
            got += payee.as_minor();
            let off = (Money::from_minor(got).exact().as_e11() - exact).abs();
            prop_assert!(off * 2 <= Money::from_minor(1).exact().as_e11());
        }
    }
}
