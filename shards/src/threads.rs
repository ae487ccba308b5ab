//! How many threads a computation may use. No result depends on it.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The most threads one pool takes.
pub const THREAD_COUNT_MAX: usize = 64;

/// A pool of 1 to [`THREAD_COUNT_MAX`] threads, started once and shared by its clones.
///
/// ```
/// use tallywatt_shards::threads::Threads;
/// let threads = Threads::new(2)?;
/// assert_eq!(threads.pool().install(|| (1..=4).sum::<i32>()), 10);
/// # Ok::<(), tallywatt_shards::threads::ThreadsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Threads {
    pool: Arc<ThreadPool>,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum ThreadsError {
    /// None, or too many.
    #[error("{0} threads, need 1 to {THREAD_COUNT_MAX}")]
    Count(usize),
    /// The system did not start them.
    #[error("cannot start {count} threads: {source}")]
    Start {
        /// How many were asked for.
        count: usize,
        /// What the system said.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Threads {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// [`ThreadsError`].
    pub fn new(count: usize) -> Result<Self, ThreadsError> {
        if !(1..=THREAD_COUNT_MAX).contains(&count) {
            return Err(ThreadsError::Count(count));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|at| format!("tallywatt-{at}"))
            .build()
            .map_err(|source| ThreadsError::Start { count, source })?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The pool: run parallel iterators inside its `install`, and gather results by index.
    #[must_use]
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_limited() {
        for count in [0, THREAD_COUNT_MAX + 1, usize::MAX] {
            let got = Threads::new(count).map(|threads| threads.count());
            assert!(matches!(got, Err(ThreadsError::Count(refused)) if refused == count), "{count}");
        }
        assert_eq!(Threads::new(3).unwrap().clone().count(), 3);
    }
}
