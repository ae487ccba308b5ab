//! Bills a second, one month each.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{quick, rate, wide};

fn bench(criterion: &mut Criterion) {
    let case = rate::Case::new(400);
    let mut group = criterion.benchmark_group("rate");
    group.throughput(Throughput::Elements(wide(case.point_count())));
    group.bench_function(format!("bill/points={}", case.point_count()), |bencher| {
        bencher.iter(|| case.run());
    });
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
