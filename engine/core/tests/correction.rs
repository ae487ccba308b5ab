//! Correction bills: differences by hand, the time after which an increase is not charged, and chains of corrections.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use proptest::prelude::*;
use tallywatt_core::bill::{Bill, ChargeKind, ChargeLine, Completeness, VatLine};
use tallywatt_core::calendar::Day;
use tallywatt_core::correction::{Correction, CorrectionError, Delta, Owed, Stands, is_late};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, Money, PricePerKwh, Rounding};
use tallywatt_core::tariff::{FixedPer, Vat};

fn hash(tag: u8) -> ContentHash {
    ContentHash([tag; 32])
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Lines of March by tariff: `1 day 100000 6.43` is 100 kWh in the first zone of tariff 1, `fixed 31 1.5` 31 days; VAT of
/// 20 % on top; a third of the total is the payee's.
fn bill(lines: &str) -> Bill {
    let mut tariffs: Vec<ContentHash> = Vec::new();
    let mut charges = Vec::new();
    for line in lines.split_terminator(", ") {
        let words: Vec<&str> = line.split(' ').collect();
        let tariff = hash(words[0].parse().unwrap());
        if !tariffs.contains(&tariff) {
            tariffs.push(tariff);
        }
        let version = tariffs.iter().position(|known| *known == tariff).unwrap();
        let kind = match words[1] {
            "fixed" => ChargeKind::Fixed(FixedPer::Day),
            zone => ChargeKind::Energy { range: 0, zone: u8::from(zone == "night") },
        };
        let (quantity, price): (i64, PricePerKwh) = (words[2].parse().unwrap(), words[3].parse().unwrap());
        let exact = kind.charge(quantity, price, "2026-03".parse().unwrap());
        let amount = exact.round(Rounding::HalfUp).unwrap();
        charges.push(ChargeLine {
            version: u8::try_from(version).unwrap(),
            kind,
            quantity,
            price,
            exact,
            amount,
        });
    }
    let base: Money = charges.iter().map(|line| line.amount).sum();
    let tax = Money::from_minor((base.as_minor() * 2 + 5) / 10);
    let vat = Vat { rate_e4: 2_000, is_included: false };
    let total = [base, tax].into_iter().sum::<Money>();
    Bill {
        account: "A".parse().unwrap(),
        period: "2026-03".parse().unwrap(),
        currency: "RUB".parse().unwrap(),
        tariffs,
        agreement: hash(90),
        readings: hash(80),
        market: Vec::new(),
        previous: None,
        carried: Vec::new(),
        lines: charges,
        vat: vec![VatLine { vat, base, amount: tax }],
        completeness: Completeness { expected: 1_488, measured: 1_488, ..Completeness::default() },
        total,
        payee_part: ExactAmount::from_e11(total.exact().as_e11() / 3),
    }
}

/// `1 day 1000 0.0643 0.06`: tariff, charge, quantity, exact, amount; then the tax and the total.
fn written(delta: &Delta) -> String {
    let mut parts: Vec<String> = delta
        .lines
        .iter()
        .map(|line| {
            let name = match line.kind {
                ChargeKind::Energy { zone: 0, .. } => "day",
                ChargeKind::Energy { .. } => "night",
                _ => "fixed",
            };
            format!("{} {name} {} {} {}", line.tariff.0[0], line.quantity, line.exact, line.amount)
        })
        .collect();
    parts.extend(delta.vat.iter().map(|vat| format!("tax {} of {}", vat.amount, vat.base)));
    format!("{} = {}", parts.join(", "), delta.total)
}

/// Amounts by hand: 100 kWh × 6.43 = 643.00, a fifth of which is 128.60.
#[test]
fn differences() {
    let march = "1 day 100000 6.43, 1 night 50000 3.02, 1 fixed 31 1.50";
    // What stood, what stands: the bill is 643.00 + 151.00 + 46.50 = 840.50, the tax 168.10, in all 1008.60.
    let table = [
        (
            "",
            march,
            "1 day 100000 643.00 643.00, 1 night 50000 151.00 151.00, 1 fixed 31 46.50 46.50, tax 168.10 of 840.50 = 1008.60",
        ),
        (march, march, " = 0.00"),
        // A watt-hour more costs 0.00643: 643.01 instead of 643.00, and the tax, 168.102, stays what it was.
        (
            march,
            "1 day 100001 6.43, 1 night 50000 3.02, 1 fixed 31 1.50",
            "1 day 1 0.00643 0.01, tax 0.00 of 0.01 = 0.01",
        ),
        (
            march,
            "1 day 99000 6.43, 1 night 51000 3.02, 1 fixed 31 1.50",
            "1 day -1000 -6.43 -6.43, 1 night 1000 3.02 3.02, tax -0.68 of -3.41 = -4.09",
        ),
        // A late price: the old version's lines go, the new one's come. 100 × 6.81 = 681, 50 × 3.24 = 162, 31 × 1.5 = 46.50.
        (
            march,
            "2 day 100000 6.81, 2 night 50000 3.24, 2 fixed 31 1.50",
            "1 day -100000 -643.00 -643.00, 1 night -50000 -151.00 -151.00, 1 fixed -31 -46.50 -46.50, \
             2 day 100000 681.00 681.00, 2 night 50000 162.00 162.00, 2 fixed 31 46.50 46.50, tax 9.80 of 49.00 = 58.80",
        ),
        // The contract began on the 15th.
        (
            march,
            "1 day 60000 6.43, 1 night 50000 3.02, 1 fixed 17 1.50",
            "1 day -40000 -257.20 -257.20, 1 fixed -14 -21.00 -21.00, tax -55.64 of -278.20 = -333.84",
        ),
    ];
    for (before, after, want) in table {
        let before = (!before.is_empty()).then(|| bill(before));
        let delta = Delta::between(before.as_ref(), &bill(after)).unwrap();
        assert_eq!(written(&delta), want, "{after}");
        assert!(delta.is_balanced());
    }
    let two = (bill(march), bill("1 day 101000 6.43, 1 night 50000 3.02"));
    assert_eq!(Delta::between(Some(&two.0), &two.1).unwrap().energy_wh(), 1_000);
}

/// The root of the readings changes with anybody's readings, and is no difference.
#[test]
fn what_is_due() {
    let stands = bill("1 day 100000 6.43");
    let other_root = Bill { readings: hash(81), ..stands.clone() };
    assert!(!Correction::is_due(&stands, &other_root));
    let estimated = Completeness { estimated: 1, measured: 1_487, ..stands.completeness };
    let is_due = |now: Bill| Correction::is_due(&stands, &now);
    assert!(is_due(Bill { completeness: estimated, ..other_root.clone() }));
    assert!(is_due(Bill { agreement: hash(91), ..other_root.clone() }));
    assert!(is_due(Bill { payee_part: ExactAmount::ZERO, ..other_root.clone() }));
    assert!(is_due(bill("1 day 100001 6.43")));
}

/// Twelve months after March 2026 end with the 31st of March 2027.
#[test]
fn when_it_is_late() {
    let table = [
        ("2026-03", "2027-03-31", 12, false),
        ("2026-03", "2027-04-01", 12, true),
        ("2026-03", "2026-04-30", 1, false),
        ("2026-03", "2026-05-01", 1, true),
        ("2026-12", "2027-12-31", 12, false),
        ("2026-12", "2028-01-01", 12, true),
        ("2026-03", "2036-03-31", 120, false),
        ("2026-03", "2036-04-01", 120, true),
        ("2026-03", "2026-04-01", 12, false),
    ];
    for (period, on, months, want) in table {
        assert_eq!(
            is_late(period.parse().unwrap(), day(on), months),
            want,
            "{period} on {on}, {months} months"
        );
    }
}

/// A bill of a flat total in minor units without tax, a third of which is the payee's.
fn flat(minor: i64) -> Bill {
    let price = PricePerKwh::from_e8(1_000_000);
    let line = ChargeLine {
        version: 0,
        kind: ChargeKind::Energy { range: 0, zone: 0 },
        quantity: minor * 1_000,
        price,
        exact: Money::from_minor(minor).exact(),
        amount: Money::from_minor(minor),
    };
    let total = Money::from_minor(minor);
    Bill {
        lines: vec![line],
        vat: Vec::new(),
        total,
        payee_part: ExactAmount::from_e11(total.exact().as_e11() / 3),
        tariffs: vec![hash(1)],
        ..bill("")
    }
}

/// Total, day, months after which an increase is not charged.
type Chain<'a> = &'a [(i64, &'a str, u8)];

/// Chains of corrections: total, day, months after which an increase is not charged; what is charged, and what is owed then,
/// with a `!` where an increase is held back.
#[test]
fn increases_that_come_late() {
    let (early, late) = ("2026-06-09", "2027-06-09");
    let table: &[(i64, Chain<'_>, &str)] = &[
        (100, &[(130, early, 12)], "30 130"),
        (100, &[(130, late, 0)], "30 130"),
        (100, &[(130, late, 12)], "0 100!"),
        (100, &[(130, late, 24)], "30 130"),
        (100, &[(70, late, 12)], "-30 70"),
        // A decrease is credited in full, as far as it was charged: 130 was shown, 100 charged.
        (100, &[(130, late, 12), (120, late, 12)], "0 100!; 0 100!"),
        (100, &[(130, late, 12), (90, late, 12)], "0 100!; -10 90"),
        // What was barred is not charged by another way: down and up, other terms, both.
        (100, &[(130, late, 12), (90, late, 12), (130, late, 12)], "0 100!; -10 90; 0 90!"),
        (100, &[(130, late, 12), (140, late, 0)], "0 100!; 0 100!"),
        (100, &[(130, late, 12), (110, late, 0), (140, late, 0)], "0 100!; 0 100!; 0 100!"),
        (100, &[(130, late, 12), (130, late, 0)], "0 100!; 0 100!"),
        // Once nothing is held back any more, what comes in time is charged.
        (100, &[(130, late, 12), (100, late, 12), (110, late, 24)], "0 100!; 0 100; 10 110"),
        (100, &[(80, early, 12), (100, late, 12)], "-20 80; 0 80!"),
        (-50, &[(-20, late, 12), (-80, late, 12)], "0 -50!; -30 -80"),
        (-50, &[(10, early, 12)], "60 10"),
    ];
    for (issued, steps, want) in table {
        let issued = flat(*issued);
        let mut corrections: Vec<Correction> = Vec::new();
        for (at, (total, on, months)) in steps.iter().enumerate() {
            let tag = hash(u8::try_from(at).unwrap());
            let stands = corrections
                .last()
                .map_or(Stands::issued(hash(70), &issued), |last| Stands::corrected(tag, last));
            let cap = (*months > 0).then_some(*months);
            let next = Correction::new(Some(&stands), day(on), flat(*total), cap).unwrap();
            assert_eq!(next.before, Some(stands.hash));
            assert_eq!(next.delta.total.as_minor(), total - stands.bill.total.as_minor());
            corrections.push(next);
        }
        let told: Vec<String> = corrections
            .iter()
            .map(|one| {
                let barred = if one.barred_by.is_some() { "!" } else { "" };
                format!("{} {}{barred}", one.charged.total.as_minor(), one.owed.total.as_minor())
            })
            .collect();
        assert_eq!(told.join("; "), *want, "{} {steps:?}", issued.total);
        let charged: i64 = corrections.iter().map(|one| one.charged.total.as_minor()).sum();
        let last = corrections.last().unwrap();
        assert_eq!(issued.total.as_minor() + charged, last.owed.total.as_minor());
        assert_eq!(last.barred_by.is_some(), last.owed != Owed::of(&last.bill));
    }
}

/// A first bill is an increase from nothing.
#[test]
fn a_first_bill() {
    let first = |on: &str| Correction::new(None, day(on), flat(90), Some(12)).unwrap();
    let in_time = first("2026-06-09");
    assert_eq!(
        (in_time.before, in_time.delta.total, in_time.owed),
        (None, flat(90).total, Owed::of(&flat(90)))
    );
    let late = first("2027-06-09");
    assert_eq!((late.charged, late.owed, late.barred_by), (Owed::default(), Owed::default(), Some(12)));
}

#[test]
fn what_is_refused() {
    let issued = flat(100);
    let stands = Stands::issued(hash(70), &issued);
    let early = Correction::new(Some(&stands), day("2026-03-31"), flat(90), None).unwrap_err();
    assert_eq!(
        early.to_string(),
        "2026-03 cannot be corrected on 2026-03-31: the first day that can be named is 2026-04-01"
    );
    assert!(Correction::new(None, day("2026-03-31"), flat(90), None).is_err());
    let first = Correction::new(Some(&stands), day("2026-06-09"), flat(90), None).unwrap();
    let stands_now = Stands::corrected(hash(71), &first);
    let back = Correction::new(Some(&stands_now), day("2026-06-08"), flat(80), None).unwrap_err();
    assert!(matches!(back, CorrectionError::Early { first, .. } if first == day("2026-06-09")), "{back}");
    let other = Bill { account: "B".parse().unwrap(), ..flat(90) };
    let refused = Correction::new(Some(&stands), day("2026-06-09"), other, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a correction of A, 2026-03 by a bill of B, 2026-03: account and month differ"
    );
    let far = Bill { total: Money::from_minor(i64::MAX), ..flat(90) };
    let below = Bill { total: Money::from_minor(-2), ..flat(90) };
    let refused = Correction::new(Some(&Stands::issued(hash(70), &below)), day("2026-06-09"), far, None);
    assert_eq!(refused, Err(CorrectionError::Overflow("A".parse().unwrap())));
}

proptest! {
    /// Lines and tax add up to the difference of the totals, and differences over a chain to the whole difference.
    #[test]
    fn differences_add_up(quantities in prop::collection::vec((0..200_000_i64, 0..200_000_i64, 1..3_u8, 0..31_i64), 2..8)) {
        let bills: Vec<Bill> = quantities
            .iter()
            .map(|(day, night, tariff, days)| {
                bill(&format!("{tariff} day {day} 6.43, {tariff} night {night} 3.02, 1 fixed {days} 1.5"))
            })
            .collect();
        let (mut total, mut part, mut energy) = (0, 0, 0);
        for pair in bills.windows(2) {
            let delta = Delta::between(Some(&pair[0]), &pair[1]).unwrap();
            prop_assert!(delta.is_balanced());
            total += delta.total.as_minor();
            part += delta.payee_part.as_e11();
            energy += delta.energy_wh();
        }
        let (first, last) = (&bills[0], &bills[bills.len() - 1]);
        prop_assert_eq!(total, last.total.as_minor() - first.total.as_minor());
        prop_assert_eq!(part, last.payee_part.as_e11() - first.payee_part.as_e11());
        prop_assert_eq!(energy, i128::from(last.energy().as_wh() - first.energy().as_wh()));
    }
}
