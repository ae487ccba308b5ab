//! Benchmarks, one module a stage of a reading's way: what is prepared, what is measured, what it must give.
//!
//! ```text
//!   src/<stage>.rs       prepare once, run often; the same functions in both
//!   benches/<stage>.rs   at full size, timed by criterion        cargo bench -p tallywatt-benches
//!   src/<stage>.rs tests at a small size, the result asserted    cargo test -p tallywatt-benches
//! ```
//!
//! A stage that no longer works fails the tests, so no benchmark measures a mistake. Names are a place and its
//! sizes: `rate/bill/points=400`.

use std::time::Duration;

use criterion::Criterion;

pub mod country;
pub mod decode;
pub mod hash;
pub mod instructions;
pub mod measure;
pub mod pipeline;
pub mod prove;
pub mod rate;
pub mod seal;
pub mod telegrams;
pub mod town;
pub mod vee;
pub mod verify;

/// Few samples and short ones: a run of all suites takes minutes, not hours. Arguments of the command line win.
#[must_use]
pub fn quick() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}

/// A count as criterion takes it.
///
/// # Panics
/// Never: a count in memory fits 64 bits.
#[must_use]
pub fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("a count in memory fits 64 bits")
}
