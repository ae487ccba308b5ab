//! Penalties by table, piece by piece, and against a slow oracle that walks from day to day.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use std::num::NonZeroU16;

use rust_decimal::{Decimal, RoundingStrategy};
use tallywatt_core::calendar::Day;
use tallywatt_core::money::Money;
use tallywatt_core::penalty::pieces::{OverdueDebt, Penalty, Piece};
use tallywatt_core::penalty::{
    CAP_COUNT_MAX, Cap, DUE_DAY_COUNT_MAX, DatedRate, DueDay, PENALTY_TEXT_SIZE_MAX, PenaltyParts,
    PenaltyTable, RateOn, STEP_COUNT_MAX, Step, YEARLY_RATE_COUNT_MAX, YearlyRate,
};
use tallywatt_core::validity::Validity;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn validity(from: &str, to: &str) -> Validity {
    Validity::new(day(from), (!to.is_empty()).then(|| day(to))).unwrap()
}

fn dated(from: &str, percent: &str) -> DatedRate {
    DatedRate { from: day(from), rate: percent.parse().unwrap() }
}

fn cap(from: &str, to: &str, percent: &str) -> Cap {
    Cap { validity: validity(from, to), rate: percent.parse().unwrap() }
}

fn step(from_day: u16, divisor: u16) -> Step {
    Step { from_day, divisor: NonZeroU16::new(divisor) }
}

fn due(from: &str, day_of_month: u8) -> DueDay {
    DueDay { from: day(from), day_of_month }
}

/// Households: 9.5 % all along, the 10th until February 2026 is due, the 15th from then on.
fn households() -> PenaltyParts {
    PenaltyParts {
        id: "households".parse().unwrap(),
        title: "Households".into(),
        source: "test".into(),
        validity: validity("2020-01-01", ""),
        due_days: vec![due("2020-01-01", 10), due("2026-03-01", 15)],
        steps: vec![step(1, 0), step(31, 300), step(91, 130)],
        rates: vec![dated("2020-01-01", "9.5")],
        caps: Vec::new(),
        rate_on: RateOn::Payment,
        counts_payment_day: true,
    }
}

type Bend<'a> = &'a dyn Fn(&mut PenaltyParts);

fn table(bend: impl Fn(&mut PenaltyParts)) -> PenaltyTable {
    let mut parts = households();
    bend(&mut parts);
    PenaltyTable::new(parts).unwrap()
}

/// `date amount, date amount`.
fn payments(text: &str) -> Vec<(Day, Money)> {
    let pair = |pair: &str| pair.split_once(' ').map(|(date, amount)| (day(date), money(amount)));
    text.split_terminator(", ").map(|text| pair(text).unwrap()).collect()
}

/// The penalty of 1,000.00 that were due on 2026-04-15, so that 2026-04-16 is day 1 and 2026-05-16 day 31.
fn penalty(table: &PenaltyTable, paid: &str, as_of: &str) -> Penalty {
    let paid = payments(paid);
    let debt =
        OverdueDebt { due: day("2026-04-15"), total: money("1000"), payments: &paid, as_of: day(as_of) };
    table.penalty(&debt).unwrap()
}

/// domain.md §10: 1,000.00 at 9.5 %.
#[test]
fn golden_vectors() {
    let table = table(|_| ());
    let first = day("2026-04-15");
    for (days, exact, amount) in [
        (0, "0", "0.00"),
        (1, "0", "0.00"),
        (30, "0", "0.00"),
        (31, "19/60", "0.32"),
        (90, "19", "19.00"),
        (91, "513/26", "19.73"),
        (120, "532/13", "40.92"),
    ] {
        let found = penalty(&table, "", &first.plus(days).unwrap().to_string());
        assert_eq!(found.exact().to_string(), exact, "day {days}");
        assert_eq!(found.amount(), Some(money(amount)), "day {days}");
    }
    assert_eq!(penalty(&table, "", "2026-05-16").exact().nearest_e4(), 3_167);
    // 9.5 % / 300 a day is 11.56 % a year: of a million, rounded once.
    let year = PenaltyTable::new(PenaltyParts { steps: vec![step(1, 300)], ..households() }).unwrap();
    let debt =
        OverdueDebt { due: first, total: money("1000000"), payments: &[], as_of: first.plus(365).unwrap() };
    assert_eq!(year.penalty(&debt).unwrap().amount(), Some(money("115583.33")));
}

fn shown(penalty: &Penalty) -> Vec<String> {
    let piece = |piece: &Piece| {
        let charge = piece.charge.map_or("nothing".into(), |by| format!("{} / {}", by.rate, by.divisor));
        format!(
            "{}..{} {}d {} {charge} = {}",
            &piece.from.to_string()[5..],
            &piece.to.to_string()[5..],
            piece.day_count(),
            piece.debt,
            piece.exact
        )
    };
    penalty.pieces.iter().map(piece).collect()
}

/// What is tried, another table, payments, the day asked for, the pieces and the amount.
type Case<'a> = (&'a str, Bend<'a>, &'a str, &'a str, &'a [&'a str], &'a str);

#[test]
fn what_is_paid_in_parts() {
    let rising = |parts: &mut PenaltyParts| parts.rates.push(dated("2026-06-01", "12"));
    let each_day = |parts: &mut PenaltyParts| {
        rising(parts);
        parts.rate_on = RateOn::EachDay;
        parts.caps = vec![cap("2026-06-06", "2026-06-11", "10")];
    };
    let unpaid_day = |parts: &mut PenaltyParts| parts.counts_payment_day = false;
    let cases: &[Case<'_>] = &[
        ("in time", &|_| (), "2026-04-15 1000", "2026-08-01", &[], "0.00"),
        ("ahead", &|_| (), "2026-03-01 1000", "2026-08-01", &[], "0.00"),
        (
            "in the days that cost nothing",
            &|_| (),
            "2026-05-15 1000",
            "2026-08-01",
            &["04-16..05-15 30d 1000.00 nothing = 0"],
            "0.00",
        ),
        (
            "on day 31, which counts",
            &|_| (),
            "2026-05-16 1000",
            "2026-08-01",
            &["04-16..05-15 30d 1000.00 nothing = 0", "05-16..05-16 1d 1000.00 9.5 / 300 = 19/60"],
            "0.32",
        ),
        (
            "on day 31, which does not",
            &unpaid_day,
            "2026-05-16 1000",
            "2026-08-01",
            &["04-16..05-15 30d 1000.00 nothing = 0"],
            "0.00",
        ),
        (
            "open on day 31, which counts either way",
            &unpaid_day,
            "",
            "2026-05-16",
            &["04-16..05-15 30d 1000.00 nothing = 0", "05-16..05-16 1d 1000.00 9.5 / 300 = 19/60"],
            "0.32",
        ),
        (
            "two payments of one day are one part, a later one is not known yet",
            &|_| (),
            "2026-05-20 100, 2026-05-16 250, 2026-05-16 350, 2026-05-21 300",
            "2026-05-20",
            &[
                "04-16..05-15 30d 600.00 nothing = 0",
                "05-16..05-16 1d 600.00 9.5 / 300 = 19/100",
                "04-16..05-15 30d 100.00 nothing = 0",
                "05-16..05-20 5d 100.00 9.5 / 300 = 19/120",
                "04-16..05-15 30d 300.00 nothing = 0",
                "05-16..05-20 5d 300.00 9.5 / 300 = 19/40",
            ],
            "0.82",
        ),
        (
            "more than is owed",
            &|_| (),
            "2026-05-16 999, 2026-05-17 500, 2026-05-18 500",
            "2026-08-01",
            &[
                "04-16..05-15 30d 999.00 nothing = 0",
                "05-16..05-16 1d 999.00 9.5 / 300 = 6327/20000",
                "04-16..05-15 30d 1.00 nothing = 0",
                "05-16..05-17 2d 1.00 9.5 / 300 = 19/30000",
            ],
            "0.32",
        ),
        (
            "the rate of each payment's day",
            &rising,
            "2026-05-31 600, 2026-06-01 400",
            "2026-08-01",
            &[
                "04-16..05-15 30d 600.00 nothing = 0",
                "05-16..05-31 16d 600.00 9.5 / 300 = 76/25",
                "04-16..05-15 30d 400.00 nothing = 0",
                "05-16..06-01 17d 400.00 12 / 300 = 68/25",
            ],
            "5.76",
        ),
        (
            "the rate of each day, under a cap",
            &each_day,
            "2026-06-15 1000",
            "2026-08-01",
            &[
                "04-16..05-15 30d 1000.00 nothing = 0",
                "05-16..05-31 16d 1000.00 9.5 / 300 = 76/15",
                "06-01..06-05 5d 1000.00 12 / 300 = 2",
                "06-06..06-10 5d 1000.00 10 / 300 = 5/3",
                "06-11..06-15 5d 1000.00 12 / 300 = 2",
            ],
            "10.73",
        ),
    ];
    for (what, bend, paid, as_of, pieces, amount) in cases {
        let found = penalty(&table(bend), paid, as_of);
        assert_eq!(shown(&found), *pieces, "{what}");
        assert_eq!(found.amount(), Some(money(amount)), "{what}");
    }
}

#[test]
fn due_days_and_rates() {
    let capped = table(|parts| {
        parts.rates = vec![dated("2022-02-14", "9.5"), dated("2022-02-28", "20"), dated("2023-01-01", "7.5")];
        parts.caps = vec![cap("2022-02-28", "2024-01-01", "9.5"), cap("2024-01-01", "", "1")];
    });
    for (period, want) in [
        ("2019-11", "the table names no due day for bills of 2019-11"),
        ("2019-12", "2020-01-10"),
        ("2026-01", "2026-02-10"),
        ("2026-02", "2026-03-15"),
        ("2199-11", "2199-12-15"),
    ] {
        let found = capped.due_day(period.parse().unwrap());
        assert_eq!(found.map_or_else(|e| e.to_string(), |day| day.to_string()), want, "{period}");
    }
    for (date, want) in [
        ("2022-02-13", "the table names no rate for 2022-02-13"),
        ("2022-02-14", "9.5"),
        ("2022-02-28", "9.5"),
        ("2023-12-31", "7.5"),
        ("2024-01-01", "1"),
    ] {
        let found = capped.rate_on(day(date));
        assert_eq!(found.map_or_else(|e| e.to_string(), |rate| rate.to_string()), want, "{date}");
    }
    // A rate is asked for where a day costs something, and nowhere else.
    let debt =
        |as_of| OverdueDebt { due: day("2022-01-10"), total: money("1"), payments: &[], as_of: day(as_of) };
    assert_eq!(capped.penalty(&debt("2022-02-09")).unwrap().amount(), Some(Money::ZERO));
    assert!(capped.penalty(&debt("2022-02-10")).is_err());
    assert!(capped.penalty(&debt("2022-02-14")).is_ok());
}

#[test]
fn the_largest_debt_fits() {
    let table = table(|parts| {
        parts.steps = vec![step(1, 1), step(2, 62_500), step(3, 64)];
        parts.rates = vec![dated("1970-01-01", "1000")];
    });
    let debt = OverdueDebt {
        due: day("1970-01-01"),
        total: Money::from_minor(i64::MAX),
        payments: &[],
        as_of: day("2199-12-31"),
    };
    let penalty = table.penalty(&debt).unwrap();
    assert!(penalty.exact().nearest_e4() > 0);
    assert_eq!(penalty.amount(), None);
    let credit = OverdueDebt { total: Money::from_minor(-5), ..debt };
    assert_eq!(table.penalty(&credit).unwrap().amount(), Some(Money::ZERO));
}

#[test]
fn rates_from_text() {
    for (text, want) in [
        ("9.5", "9.5"),
        ("0", "0"),
        ("1000", "1000"),
        ("16.0001", "16.0001"),
        ("1000.0001", "not from 0 to 1000 per cent a year"),
        ("-1", "not from 0 to 1000 per cent a year"),
        ("9.50001", "more decimals than the unit carries"),
        ("9,5", "not a decimal number"),
    ] {
        let found = text.parse::<YearlyRate>();
        assert_eq!(found.map_or_else(|e| e.to_string(), |rate| rate.to_string()), want, "{text}");
    }
    assert_eq!(YearlyRate::from_e6(10_000_001), None);
}

#[test]
fn what_a_table_may_not_hold() {
    let long = "x".repeat(PENALTY_TEXT_SIZE_MAX + 1);
    let dates = |count: usize| (0..count).map(|at| Day::from_number(i32::try_from(at).unwrap()).unwrap());
    let due_text = "need a day of the month from 1 to 28, each from a later date than the one before";
    let step_text = "the first begins on day 1, each other after the one before";
    let cases: &[(Bend<'_>, &str)] = &[
        (&|parts| parts.title = long.clone(), "title is longer than 240 bytes or has control characters"),
        (&|parts| parts.source = "\n".into(), "source is longer than 240 bytes or has control characters"),
        (&|parts| parts.due_days.clear(), "0 due days, need 1 to 16"),
        (
            &|parts| {
                parts.due_days =
                    dates(DUE_DAY_COUNT_MAX + 1).map(|from| DueDay { from, day_of_month: 1 }).collect();
            },
            "17 due days, need 1 to 16",
        ),
        (&|parts| parts.due_days[0].day_of_month = 0, &format!("due day 1: {due_text}")),
        (&|parts| parts.due_days[1].day_of_month = 29, &format!("due day 2: {due_text}")),
        (&|parts| parts.due_days[1].from = day("2020-01-01"), &format!("due day 2: {due_text}")),
        (&|parts| parts.steps.clear(), "0 steps, need 1 to 8"),
        (
            &|parts| parts.steps = (1..).take(STEP_COUNT_MAX + 1).map(|at| step(at, 0)).collect(),
            "9 steps, need 1 to 8",
        ),
        (&|parts| parts.steps[0].from_day = 2, &format!("step 1: {step_text}")),
        (&|parts| parts.steps[0].from_day = 0, &format!("step 1: {step_text}")),
        (&|parts| parts.steps[2].from_day = 31, &format!("step 3: {step_text}")),
        (
            &|parts| parts.steps = vec![step(1, 65_521), step(2, 17)],
            "the divisors of the steps have no common multiple up to 1000000",
        ),
        (
            &|parts| parts.steps = vec![step(1, 65_521), step(2, 65_519), step(3, 65_497)],
            "the divisors of the steps have no common multiple up to 1000000",
        ),
        (&|parts| parts.rates.clear(), "0 rates, need 1 to 1024"),
        (
            &|parts| {
                let rate = "1".parse().unwrap();
                parts.rates = dates(YEARLY_RATE_COUNT_MAX + 1).map(|from| DatedRate { from, rate }).collect();
            },
            "1025 rates, need 1 to 1024",
        ),
        (
            &|parts| parts.rates.push(dated("2020-01-01", "1")),
            "rate 2: each holds from a later date than the one before",
        ),
        (
            &|parts| {
                let open = cap("2020-01-01", "", "1");
                parts.caps = vec![open; CAP_COUNT_MAX + 1];
            },
            "65 caps, need 0 to 64",
        ),
        (
            &|parts| parts.caps = vec![cap("2020-01-01", "", "1"), cap("2021-01-01", "", "2")],
            "cap 2: it begins before the one before it ends",
        ),
        (
            &|parts| {
                parts.caps = vec![cap("2020-01-02", "2020-01-03", "1"), cap("2020-01-01", "2020-01-02", "2")]
            },
            "cap 2: it begins before the one before it ends",
        ),
    ];
    for (bend, want) in cases {
        let mut parts = households();
        bend(&mut parts);
        assert_eq!(PenaltyTable::new(parts).map_or_else(|e| e.to_string(), |_| "taken".into()), *want);
    }
}

/// One number after another from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn small(&mut self, bound: u16) -> u16 {
        u16::try_from(self.below(bound.into())).unwrap()
    }

    fn day(&mut self, from: Day, bound: u64) -> Day {
        from.plus(i32::try_from(self.below(bound)).unwrap()).unwrap()
    }
}

fn random_parts(chance: &mut Chance) -> PenaltyParts {
    let mut parts = households();
    let start = day("2020-01-01");
    let (second, third) = (2 + chance.small(40), 50 + chance.small(60));
    let divisors = [0, 300, 170, 130, 365, 1];
    let mut pick = || divisors[usize::from(chance.small(6))];
    parts.steps = vec![step(1, pick()), step(second, pick()), step(third, pick())];
    let (mut rate_from, mut cap_from) = (start, day("2025-12-01"));
    for _ in 0..chance.below(6) {
        rate_from = chance.day(rate_from.plus(1).unwrap().max(day("2026-01-01")), 40);
        let rate = YearlyRate::from_e6(u32::from(chance.small(60_000)) * 5).unwrap();
        parts.rates.push(DatedRate { from: rate_from, rate });
    }
    for _ in 0..chance.below(4) {
        let from = chance.day(cap_from, 60);
        let to = chance.day(from.plus(1).unwrap(), 60);
        let rate = YearlyRate::from_e6(u32::from(chance.small(30_000)) * 5).unwrap();
        parts.caps.push(Cap { validity: Validity::new(from, Some(to)).unwrap(), rate });
        cap_from = to;
    }
    parts.rate_on = RateOn::ALL[usize::from(chance.small(2))];
    parts.counts_payment_day = chance.below(2) == 1;
    parts
}

/// Each day of its own: whatever of the debt was overdue on it, by the rate that counts for that.
fn oracle(parts: &PenaltyParts, debt: &OverdueDebt<'_>) -> Decimal {
    let rate_of = |day: Day| {
        let rate = parts.rates.iter().rfind(|dated| dated.from <= day).unwrap().rate;
        let caps = parts.caps.iter().filter(|cap| cap.validity.contains(day));
        let rate = caps.fold(rate, |rate, cap| rate.min(cap.rate));
        Decimal::from(rate.as_e6())
    };
    // What is open on a day with the day it is paid on at last.
    let mut shares: Vec<(Decimal, Option<Day>)> = Vec::new();
    let mut left = Decimal::new(debt.total.as_minor(), 2);
    let mut paid = debt.payments.to_vec();
    paid.sort_by_key(|(day, _)| *day);
    for (day, amount) in paid.into_iter().filter(|(day, _)| *day <= debt.as_of) {
        let taken = Decimal::new(amount.as_minor(), 2).min(left);
        left -= taken;
        shares.push((taken, Some(day)));
    }
    shares.push((left, None));
    let all = Decimal::from(300 * 17 * 13 * 73);
    let mut sum = Decimal::ZERO;
    for number in 1.. {
        let date = debt.due.plus(number).unwrap();
        if date > debt.as_of {
            break;
        }
        let step = parts.steps.iter().rfind(|step| i32::from(step.from_day) <= number).unwrap();
        let Some(divisor) = step.divisor else { continue };
        for (share, paid_on) in &shares {
            let is_overdue = match paid_on {
                None => true,
                Some(day) if parts.counts_payment_day => date <= *day,
                Some(day) => date < *day,
            };
            if is_overdue {
                let rate = match parts.rate_on {
                    RateOn::EachDay => rate_of(date),
                    RateOn::Payment => rate_of(paid_on.unwrap_or(debt.as_of)),
                };
                // Over one denominator, so that the only division is the last.
                sum += share * rate * (all / Decimal::from(divisor.get()));
            }
        }
    }
    sum / all / Decimal::from(1_000_000)
}

#[test]
fn pieces_equal_a_walk_from_day_to_day() {
    let mut above_zero = 0;
    for seed in 0..3_000 {
        let mut chance = Chance(seed);
        let parts = random_parts(&mut chance);
        let due = chance.day(day("2026-01-01"), 90);
        let payments: Vec<(Day, Money)> = (0..chance.below(5))
            .map(|_| {
                let amount = Money::from_minor(i64::try_from(1 + chance.below(60_000)).unwrap());
                (chance.day(due.plus(-10).unwrap(), 150), amount)
            })
            .collect();
        let total = Money::from_minor(i64::try_from(chance.below(200_000)).unwrap());
        let debt = OverdueDebt { due, total, payments: &payments, as_of: chance.day(due, 200) };
        let want = oracle(&parts, &debt);
        let penalty = PenaltyTable::new(parts).unwrap().penalty(&debt).unwrap();
        let rounded = want.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        let got = penalty.amount().unwrap();
        assert_eq!(Decimal::new(got.as_minor(), 2), rounded, "seed {seed}: {debt:?}");
        let days: i128 = penalty
            .pieces
            .iter()
            .map(|piece| i128::from(piece.debt.as_minor()) * i128::from(piece.day_count()))
            .sum();
        assert!(days <= i128::from(total.as_minor().max(0)) * 200, "seed {seed}");
        above_zero += usize::from(got > Money::ZERO);
    }
    assert!(above_zero > 1_000, "{above_zero} cases cost something");
}
