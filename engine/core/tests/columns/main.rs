//! The columnar kernel against two oracles: decimals of another author, and the bill documents.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod documents;
mod random;

use rust_decimal::{Decimal, RoundingStrategy};
use tallywatt_core::columns::{
    ColumnError, PlanError, PlanLine, Quantity, RatePlan, rate_columns, rate_columns_wide, rate_mixed,
};
use tallywatt_core::determinants::{RunningUse, ZoneSet};
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::tariff::{RoundEach, Vat};

use random::{ROUND_EACH, ROUNDINGS, Random};

/// Plans that are rated both ways, and rows of each.
const PLAN_COUNT: u64 = 700;
const ROW_COUNT: usize = 300;

/// The decimal, and whether it was an exact half.
fn round(exact: Decimal, rounding: Rounding) -> (Decimal, bool) {
    let strategy = match rounding {
        Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
        Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
        Rounding::Down => RoundingStrategy::ToNegativeInfinity,
    };
    let cents = exact * Decimal::ONE_HUNDRED;
    (exact.round_dp_with_strategy(2, strategy), (cents - cents.floor()) == Decimal::new(5, 1))
}

/// One bill in decimals; counts the halves met.
fn oracle(
    lines: &[PlanLine],
    rounding: Rounding,
    each: RoundEach,
    vat: Vat,
    point: &RunningUse,
    halves: &mut u64,
) -> Decimal {
    let mut rounded = |exact| {
        let (amount, is_half) = round(exact, rounding);
        *halves += u64::from(is_half);
        amount
    };
    let mut sum = Decimal::ZERO;
    for line in lines {
        let zones = point.zones_wh();
        let total = Decimal::from(zones[0] + zones[1] + zones[2]);
        let thousandths = match line.quantity {
            Quantity::Energy(set) => {
                (0..3).filter(|at| set.contains(*at)).map(|at| Decimal::from(zones[at])).sum()
            }
            Quantity::EnergyBetween { above_wh, up_to_wh } => {
                let top = up_to_wh.map_or(total, |bound| total.min(Decimal::from(bound)));
                (top - Decimal::from(above_wh)).max(Decimal::ZERO)
            }
            Quantity::Demand { factor } => Decimal::from(point.demand_wh()) * Decimal::from(factor),
            Quantity::Days => Decimal::from(point.day_count()) * Decimal::ONE_THOUSAND,
        };
        let exact = Decimal::new(line.price.as_e8(), 8) * (thousandths / Decimal::ONE_THOUSAND);
        sum += if each == RoundEach::Line { rounded(exact) } else { exact };
    }
    if each == RoundEach::Bill {
        sum = rounded(sum);
    }
    let tax = Decimal::new(i64::from(vat.rate_e4), 4);
    if vat.is_included { sum } else { sum + rounded(sum * tax) }
}

#[test]
fn totals_equal_decimals() {
    let (mut halves, mut cases) = (0, 0);
    for seed in 0..PLAN_COUNT {
        let mut random = Random::new(seed);
        let is_signed = random.below(4) == 0;
        let count = 1 + random.below(8);
        let lines: Vec<PlanLine> = (0..count).map(|_| random.line(is_signed)).collect();
        let (rounding, each) = (random.pick(&ROUNDINGS), random.pick(&ROUND_EACH));
        let vat = random.vat();
        let plan = RatePlan::new(lines.clone(), rounding, each, vat).unwrap();
        // A household's month, a plant's, and what only 128 bits hold.
        let bound = random.pick(&[2_000, 3_000_000, 3_000_000_000, 1 << 40, 1 << 50]);
        let uses: Vec<RunningUse> = (0..ROW_COUNT).map(|_| random.point(bound)).collect();
        let (mut totals, mut wide) = (vec![0; ROW_COUNT], vec![0; ROW_COUNT]);
        rate_columns(&plan, &uses, &mut totals).unwrap();
        rate_columns_wide(&plan, &uses, &mut wide).unwrap();
        assert_eq!(totals, wide, "seed {seed}");
        for (row, (point, &total)) in uses.iter().zip(&totals).enumerate() {
            let want = oracle(&lines, rounding, each, vat, point, &mut halves);
            assert_eq!(Decimal::new(total, 2), want, "seed {seed} row {row}: {plan:?} of {point:?}");
            cases += 1;
        }
    }
    assert!(cases >= 200_000 && halves >= 10_000, "{cases} cases with {halves} exact halves");
}

#[test]
fn both_widths_agree_at_their_border() {
    // The largest energy whose product with this price stays within 63 bits, and the next.
    let price = PricePerKwh::from_e8(1 << 20);
    for (rounding, each) in ROUNDINGS.into_iter().flat_map(|rounding| ROUND_EACH.map(|each| (rounding, each)))
    {
        let line = PlanLine { quantity: Quantity::Energy(ZoneSet::ALL), price };
        let vat = Vat { rate_e4: 10_000, is_included: false };
        let plan = RatePlan::new(vec![line], rounding, each, vat).unwrap();
        for wh in (1_i64 << 43) - 2..(1 << 43) + 3 {
            let uses = [RunningUse::from_parts([wh, 0, 0], 0, 0).unwrap()];
            let (mut totals, mut wide) = ([0], [0]);
            rate_columns(&plan, &uses, &mut totals).unwrap();
            rate_columns_wide(&plan, &uses, &mut wide).unwrap();
            assert_eq!(totals, wide, "{wh} Wh");
        }
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let line = PlanLine { quantity: Quantity::Energy(ZoneSet::ALL), price: PricePerKwh::from_e8(i64::MAX) };
    let vat = Vat { rate_e4: 0, is_included: true };
    let plan = |count| RatePlan::new(vec![line; count], Rounding::HalfUp, RoundEach::Bill, vat);
    let mut uses = vec![RunningUse::default(); 600];
    uses[517] = RunningUse::from_parts([1 << 56; 3], 0, 1).unwrap();
    let mut totals = vec![7; 600];
    let full = plan(32).unwrap();
    assert_eq!(rate_columns(&full, &uses, &mut totals), Err(ColumnError::Overflow { row: 517 }));
    let rows: Vec<u8> = (0..600).map(|row| u8::from(row % 2 == 1)).collect();
    let plans = [plan(0).unwrap(), full];
    assert_eq!(rate_mixed(&plans, &rows, &uses, &mut totals), Err(ColumnError::Overflow { row: 517 }));
    assert_eq!(
        rate_mixed(&plans[..1], &rows, &uses, &mut totals),
        Err(ColumnError::Plan { row: 1, plan: 1, count: 1 })
    );
    let lengths = ColumnError::Lengths { expected: 600, found: 599 };
    assert_eq!(rate_columns(&plans[0], &uses, &mut totals[1..]), Err(lengths));
    assert_eq!(rate_mixed(&plans, &rows[1..], &uses, &mut totals), Err(lengths));
    assert_eq!(plan(33), Err(PlanError::Lines(33)));
    let slice = |above_wh, up_to_wh| {
        let line = PlanLine { quantity: Quantity::EnergyBetween { above_wh, up_to_wh }, ..line };
        RatePlan::new(vec![line], Rounding::Down, RoundEach::Line, vat).map(|_| ())
    };
    assert_eq!(slice(5, Some(5)), Err(PlanError::Slice { above_wh: 5, up_to_wh: 5 }));
    assert_eq!(slice(-1, None), Err(PlanError::Slice { above_wh: -1, up_to_wh: i64::MAX }));
    let taxed = RatePlan::new(vec![], Rounding::Down, RoundEach::Line, Vat { rate_e4: 10_001, ..vat });
    assert_eq!(taxed, Err(PlanError::Vat(10_001)));
}

#[test]
fn mixed_rows_are_rated_as_each_plan_alone() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let plans: Vec<RatePlan> = (0..1 + random.below(7))
            .map(|_| {
                let lines = (0..3).map(|_| random.line(false)).collect();
                RatePlan::new(lines, random.pick(&ROUNDINGS), RoundEach::Line, random.vat()).unwrap()
            })
            .collect();
        let count = usize::try_from(random.below(6_000)).unwrap();
        let uses: Vec<RunningUse> = (0..count).map(|_| random.point(3_000_000)).collect();
        let plan_of: Vec<u8> = uses
            .iter()
            .map(|_| u8::try_from(random.below(u64::try_from(plans.len()).unwrap())).unwrap())
            .collect();
        let mut totals = vec![0; count];
        rate_mixed(&plans, &plan_of, &uses, &mut totals).unwrap();
        for row in 0..count {
            let mut alone = [0];
            rate_columns(&plans[usize::from(plan_of[row])], &uses[row..=row], &mut alone).unwrap();
            assert_eq!(alone[0], totals[row], "seed {seed} row {row}");
        }
    }
}
