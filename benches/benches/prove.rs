//! One leaf among many: its proof made, and checked.
#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]

use criterion::{Criterion, criterion_group, criterion_main};
use tallywatt_benches::{prove, quick};

fn bench(criterion: &mut Criterion) {
    let case = prove::Case::new(2_000, 31);
    let leaf_count = case.leaf_count();
    let mut group = criterion.benchmark_group("prove");
    let mut at = 0_usize;
    group.bench_function(format!("leaf/leaves={leaf_count}"), |bencher| {
        bencher.iter(|| {
            at = at.wrapping_add(1);
            case.run(at)
        });
    });
    let (leaf, proof, root) = (case.leaf(1), case.run(1), case.sealed().root);
    group.bench_function(format!("check/leaves={leaf_count}"), |bencher| {
        bencher.iter(|| prove::check(leaf, &proof, root));
    });
    group.finish();
}

criterion_group! { name = suite; config = quick(); targets = bench }
criterion_main!(suite);
