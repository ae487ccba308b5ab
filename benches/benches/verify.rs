//! One receipt checked offline, and the signatures under its checkpoint alone.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, criterion_group, criterion_main};
use tallywatt_benches::{quick, verify};

fn bench(criterion: &mut Criterion) {
    let case = verify::Case::new();
    let mut group = criterion.benchmark_group("verify");
    group.bench_function("receipt/bill,leaves=31", |bencher| bencher.iter(|| case.run_bill()));
    group.bench_function("receipt/day,leaves=1", |bencher| bencher.iter(|| case.run_day()));
    group.bench_function("policy/witnesses=3", |bencher| bencher.iter(|| case.run_policy()));
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
