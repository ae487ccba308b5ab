//! Readings a second out of eight layouts, and by the reference; reads of dials out of telegrams.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tallywatt_benches::{decode, quick, telegrams};

fn bench(criterion: &mut Criterion) {
    let (household_count, day_count) = (400, 31);
    let mut group = criterion.benchmark_group("decode");
    for case in decode::cases(household_count, day_count) {
        group.throughput(Throughput::Elements(case.run().reading_count));
        let name = format!("{}/points={household_count},days={day_count}", case.name);
        group.bench_function(name, |bencher| bencher.iter(|| case.run()));
        if matches!(case.name, "nem12" | "long" | "json-lines" | "frames") {
            let name = format!("{}/points={household_count},days={day_count},by=row", case.name);
            group.bench_function(name, |bencher| bencher.iter(|| case.run_by_row()));
        }
        if case.name == "frames" {
            let name = format!("{}/points={household_count},days={day_count},opened=no", case.name);
            group.bench_function(name, |bencher| bencher.iter(|| case.run_unopened()));
        }
    }
    let point_count = 500;
    let message = decode::message_80020(point_count);
    group.throughput(Throughput::Elements(message.run().reading_count));
    let name = format!("80020/points={point_count},channels=4,periods=48");
    group.bench_function(&name, |bencher| bencher.iter(|| message.run()));
    group.bench_function(format!("{name},by=row"), |bencher| bencher.iter(|| message.run_by_row()));
    let (meter_count, read_count) = (1_000, 96);
    for case in telegrams::cases(meter_count, read_count) {
        group.throughput(Throughput::Elements(case.run().register_read_count));
        let name = format!("{}/meters={meter_count},reads={read_count}", case.name);
        group.bench_function(name, |bencher| bencher.iter(|| case.run()));
    }
    // A feed is a customer's or a few customers'; one of all of them would be past the largest file that is read whole.
    let (household_count, day_count) = (32, 31);
    let case = decode::greenbutton(household_count, day_count);
    group.throughput(Throughput::Elements(case.run().reading_count));
    let name = format!("greenbutton/points={household_count},days={day_count}");
    group.bench_function(&name, |bencher| bencher.iter(|| case.run()));
    group.bench_function(format!("{name},by=row"), |bencher| bencher.iter(|| case.run_by_row()));
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
