//! Readings a second from a file to a sealed, durable batch, on one thread and on two.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{pipeline, quick};

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline");
    for thread_count in [1, 2] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let case = pipeline::Case::new(folder.path(), 2_000, thread_count);
        group.throughput(Throughput::Elements(case.reading_count()));
        let size = format!("readings={},threads={thread_count}", case.reading_count());
        group.bench_function(format!("csv/{size}"), |bencher| bencher.iter(|| case.run_csv()));
        group.bench_function(format!("frames/{size}"), |bencher| bencher.iter(|| case.run_frames()));
        group.bench_function(format!("packs/{size}"), |bencher| bencher.iter(|| case.run_packs()));
    }
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
