//! Leaves a second into a sealed root, on one thread and on two.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{quick, seal, wide};

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    for thread_count in [1, 2] {
        let case = seal::Case::new(2_000, 31, thread_count);
        group.throughput(Throughput::Elements(wide(case.leaf_count())));
        let name = format!("period/leaves={},threads={thread_count}", case.leaf_count());
        group.bench_function(name, |bencher| bencher.iter_with_large_drop(|| case.run()));
    }
    for thread_count in [1, 2] {
        let case = seal::FileCase::new(2_000, 31, thread_count);
        group.throughput(Throughput::Elements(wide(case.reading_count())));
        let size = format!("readings={},threads={thread_count}", case.reading_count());
        group.bench_function(format!("partition/{size}"), |bencher| {
            bencher.iter_with_large_drop(|| case.run_partitions());
        });
        group.bench_function(format!("file/{size}"), |bencher| {
            bencher.iter_with_large_drop(|| case.run_file());
        });
        let (bytes, _) = case.run_file();
        group.bench_function(format!("check/{size}"), |bencher| bencher.iter(|| case.run_check(&bytes)));
    }
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
