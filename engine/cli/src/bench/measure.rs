//! Repeating and timing.
//!
//! ```text
//!   body ─ once, not counted ─▶ body, body, body, …   until enough time and enough repetitions, or Ctrl-C
//!                                    └─▶ times, sorted ─▶ median, quartiles
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::failure::{Failure, code};

/// The least repetitions that a figure is the median of.
pub const REPETITION_COUNT_MIN: usize = 5;
/// The most: a figure that wants more has a body that does too little.
pub const REPETITION_COUNT_MAX: usize = 100_000;
/// The most limits of a stage.
pub const LIMIT_COUNT_MAX: usize = 2;
/// How long each figure is measured.
const FULL_TIME: Duration = Duration::from_millis(300);
/// The same for a look.
const QUICK_TIME: Duration = Duration::from_millis(50);

const _: () = assert!(REPETITION_COUNT_MIN >= 5 && REPETITION_COUNT_MAX > REPETITION_COUNT_MIN);

/// How much is spent on each figure.
pub struct Effort<'a> {
    time: Duration,
    stop: &'a AtomicBool,
}

/// What one call of a stage did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// How many of what the stage counts.
    pub count: f64,
    /// How much of each of its limits that takes, in the stage's order: bytes, signatures or syncs.
    pub limited: [f64; LIMIT_COUNT_MAX],
}

impl Work {
    /// `count` things that take `limited` of the limit.
    pub fn new(count: usize, limited: usize) -> Self {
        Self::of_two(count, [limited, 0])
    }

    /// The same for something that two limits hold back.
    pub fn of_two(count: usize, limited: [usize; LIMIT_COUNT_MAX]) -> Self {
        Self { count: real(count), limited: limited.map(real) }
    }

    /// The same, so many times.
    pub fn times(self, factor: usize) -> Self {
        Self { count: self.count * real(factor), limited: self.limited.map(|limited| limited * real(factor)) }
    }
}

/// A count as a number to divide by; exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
pub const fn real(count: usize) -> f64 {
    count as f64
}

/// How long the repetitions took, shortest first.
pub struct Times(Vec<Duration>);

impl Times {
    /// The middle one, seconds; never 0.
    pub fn median_s(&self) -> f64 {
        self.quantile_s(500)
    }

    /// The time that `permille` of the repetitions did not exceed, seconds; never 0.
    pub fn quantile_s(&self, permille: usize) -> f64 {
        let last = self.0.len() - 1;
        self.0[last * permille / 1_000].as_secs_f64().max(1e-9)
    }

    /// The distance of the quartiles, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.quantile_s(750) - self.quantile_s(250)) / self.median_s()
    }
}

impl<'a> Effort<'a> {
    /// Enough for a figure that means something.
    pub const fn full(stop: &'a AtomicBool) -> Self {
        Self { time: FULL_TIME, stop }
    }

    /// Enough to see that all works.
    pub const fn quick(stop: &'a AtomicBool) -> Self {
        Self { time: QUICK_TIME, stop }
    }

    /// Whether it is the small one.
    pub fn is_quick(&self) -> bool {
        self.time < FULL_TIME
    }

    /// Repeats `body` and times all of it. What it did is the same each time.
    ///
    /// # Errors
    /// What `body` says; interrupted.
    pub fn repeat(&self, body: &mut dyn FnMut() -> Result<Work, Failure>) -> Result<(Work, Times), Failure> {
        self.repeat_timed(&mut || {
            let begun = Instant::now();
            let work = body()?;
            Ok((work, begun.elapsed()))
        })
    }

    /// The same for a body that says itself how long the part took that counts.
    ///
    /// # Errors
    /// What `body` says; interrupted.
    pub fn repeat_timed(
        &self,
        body: &mut dyn FnMut() -> Result<(Work, Duration), Failure>,
    ) -> Result<(Work, Times), Failure> {
        // The first fills caches and grows buffers.
        let (work, _) = body()?;
        let mut times = Vec::new();
        let begun = Instant::now();
        while times.len() < REPETITION_COUNT_MIN
            || (begun.elapsed() < self.time && times.len() < REPETITION_COUNT_MAX)
        {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Failure::with_code(
                    code::INTERRUPTED,
                    "interrupted before all was measured",
                    "run the same command again: nothing was left behind",
                ));
            }
            let (again, time) = body()?;
            // What is written may differ by some padding: how many chunks share a sync is a matter of chance.
            assert_eq!(again.count.to_bits(), work.count.to_bits(), "every repetition does the same");
            times.push(time);
        }
        times.sort_unstable();
        Ok((work, Times(times)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_and_median() {
        let times = Times((1..=101).map(Duration::from_millis).collect());
        assert!((times.median_s() - 0.051).abs() < 1e-9);
        assert!((times.quantile_s(990) - 0.100).abs() < 1e-9);
        assert!((times.spread() - 50.0 / 51.0).abs() < 1e-9);
        assert!(Times(vec![Duration::ZERO]).median_s() > 0.0);
    }

    #[test]
    fn an_interrupt_ends_it_with_its_code() {
        let stop = AtomicBool::new(false);
        let count = std::cell::Cell::new(0);
        let mut body = || {
            count.set(count.get() + 1);
            Ok((Work::new(1, 1), Duration::from_millis(1)))
        };
        let (_, times) = Effort::quick(&stop).repeat_timed(&mut body).unwrap();
        assert!(times.0.len() >= REPETITION_COUNT_MIN && count.get() == times.0.len() + 1);
        stop.store(true, Ordering::Relaxed);
        let failure = Effort::quick(&stop).repeat_timed(&mut body).err().unwrap();
        assert_eq!(failure.code, code::INTERRUPTED);
    }
}
