//! Bytes a second through BLAKE3: leaf by leaf, and in one stream.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{hash, quick, wide};

fn bench(criterion: &mut Criterion) {
    let case = hash::Case::new(400, 31);
    let leaf_count = case.leaf_count();
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Bytes(wide(case.size())));
    group.bench_function(format!("leaves/leaves={leaf_count}"), |bencher| bencher.iter(|| case.run_leaves()));
    group.bench_function(format!("stream/leaves={leaf_count}"), |bencher| bencher.iter(|| case.run_stream()));
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
