//! Readings made and folded, bills rated and split, a second.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rust_decimal::{Decimal, RoundingStrategy};
use tallywatt_benches::country::{Case, Rated};
use tallywatt_benches::{quick, wide};
use tallywatt_core::columns::{Quantity, RatePlan};
use tallywatt_core::determinants::RunningUse;

/// A month of these is 27.6 MB: more than the second cache holds.
const METER_COUNT: usize = 5_000;
const BILL_COUNT: usize = 1_000_000;
/// Decimals are too slow for all.
const DECIMAL_COUNT: usize = 100_000;

fn bench(criterion: &mut Criterion) {
    let mut case = Case::new(METER_COUNT);
    let mut group = criterion.benchmark_group("country");
    group.throughput(Throughput::Elements(case.reading_count()));
    let sizes = format!("meters={METER_COUNT},days=30");
    group.bench_function(format!("generate/{sizes}"), |bencher| bencher.iter(|| case.generate()));
    for thread_count in [1, 2] {
        let name = format!("fold/{sizes},threads={thread_count}");
        group.bench_function(name, |bencher| bencher.iter(|| case.fold(thread_count)));
    }
    group.bench_function(format!("profile/{sizes}"), |bencher| bencher.iter(|| case.fold_profiles()));

    let mut rated = Rated::new(&case, BILL_COUNT);
    group.throughput(Throughput::Elements(wide(BILL_COUNT)));
    for thread_count in [1, 2] {
        let name = format!("columns/bills={BILL_COUNT},bits=64,threads={thread_count}");
        group.bench_function(name, |bencher| bencher.iter(|| rated.rate(thread_count).len()));
    }
    let name = format!("columns/bills={BILL_COUNT},bits=128");
    group.bench_function(name, |bencher| bencher.iter(|| rated.rate_wide().len()));
    let name = format!("split/bills={BILL_COUNT}");
    group.bench_function(name, |bencher| bencher.iter(|| rated.split()));

    let totals = rated.rate(1)[..DECIMAL_COUNT].to_vec();
    assert_eq!(decimals(&rated), totals, "both ways give the same bills");
    group.throughput(Throughput::Elements(wide(DECIMAL_COUNT)));
    let name = format!("decimals/bills={DECIMAL_COUNT}");
    group.bench_function(name, |bencher| bencher.iter(|| decimals(&rated)));
    group.finish();
}

/// The same bills by `rust_decimal`, as one would write them.
fn decimals(rated: &Rated) -> Vec<i64> {
    let plans = rated.plans().iter().cycle();
    let bills = rated.uses().iter().zip(plans).take(DECIMAL_COUNT);
    bills.map(|(point, plan)| decimal_total(plan, point)).collect()
}

/// Of a plan of the country: each line rounded half to even, a tax of 20 % on top.
fn decimal_total(plan: &RatePlan, point: &RunningUse) -> i64 {
    let round = |exact: Decimal| exact.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
    let mut sum = Decimal::ZERO;
    for line in plan.lines() {
        let price = Decimal::new(line.price.as_e8(), 8);
        let quantity = match line.quantity {
            Quantity::Energy(zones) => {
                let of_zone = |zone: usize| if zones.contains(zone) { point.zones_wh()[zone] } else { 0 };
                Decimal::new((0..3).map(of_zone).sum(), 3)
            }
            Quantity::EnergyBetween { above_wh, up_to_wh } => {
                let top_wh = up_to_wh.map_or(point.total_wh(), |bound| point.total_wh().min(bound));
                Decimal::new((top_wh - above_wh).max(0), 3)
            }
            Quantity::Demand { factor } => Decimal::new(i64::from(point.demand_wh()) * i64::from(factor), 3),
            Quantity::Days => Decimal::from(point.day_count()),
        };
        sum += round(price * quantity);
    }
    let mut total = sum + round(sum * Decimal::new(20, 2));
    total.rescale(2);
    i64::try_from(total.mantissa()).expect("a total of the country fits 64-bit minor units")
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
