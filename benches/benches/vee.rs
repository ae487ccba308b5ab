//! Readings a second, validated by all rules.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{quick, vee, wide};

fn bench(criterion: &mut Criterion) {
    let (clean, town) = (vee::Case::clean(400), vee::Case::town(400));
    let mut group = criterion.benchmark_group("vee");
    group.throughput(Throughput::Elements(wide(clean.reading_count())));
    group.bench_function("screen/intervals=48,days=clean", |bencher| bencher.iter(|| clean.screened()));
    group.bench_function("rules/intervals=48,days=clean", |bencher| bencher.iter(|| clean.unscreened()));
    group.bench_function("state/intervals=48,days=clean", |bencher| bencher.iter(|| clean.states()));
    group.throughput(Throughput::Elements(wide(town.reading_count())));
    group.bench_function("screen/intervals=48,days=all", |bencher| bencher.iter(|| town.screened()));
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
