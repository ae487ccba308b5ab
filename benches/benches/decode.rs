//! Readings a second out of six layouts, and by the reference.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{decode, quick};

fn bench(criterion: &mut Criterion) {
    let (household_count, day_count) = (400, 31);
    let mut group = criterion.benchmark_group("decode");
    for case in decode::cases(household_count, day_count) {
        group.throughput(Throughput::Elements(case.run().reading_count));
        let name = format!("{}/points={household_count},days={day_count}", case.name);
        group.bench_function(name, |bencher| bencher.iter(|| case.run()));
        if matches!(case.name, "long" | "json-lines" | "frames") {
            let name = format!("{}/points={household_count},days={day_count},by=row", case.name);
            group.bench_function(name, |bencher| bencher.iter(|| case.run_by_row()));
        }
        if case.name == "frames" {
            let name = format!("{}/points={household_count},days={day_count},opened=no", case.name);
            group.bench_function(name, |bencher| bencher.iter(|| case.run_unopened()));
        }
    }
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
