//! How late threads woke that slept, each for the same time from its own start; and how long requests took.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The lateness of many threads, or the latency of many requests, as the record tells it, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    /// Half of the threads were not later.
    pub p50_ns: u64,
    /// All but one in a hundred were not later.
    pub p99_ns: u64,
    /// Of the latest of all.
    pub last_ns: u64,
}

impl Lateness {
    /// Of what [`late_by`] gave to each thread.
    ///
    /// # Errors
    ///
    /// If a thread woke early, or if it was not so many threads that slept.
    pub fn of(threads: u64, late: Vec<Option<Duration>>) -> Result<Lateness, Failure> {
        let mut late: Vec<Duration> = late.into_iter().flatten().collect();
        Failure::unless_equal(
            "the number of threads that slept long enough",
            threads,
            late.len() as u64,
        )?;
        late.sort_unstable();
        let rank = |percent: usize| (late.len() * percent).div_ceil(100).max(1) - 1;
        let nanoseconds = |rank: usize| late[rank].as_nanos() as u64;
        Ok(Lateness {
            p50_ns: nanoseconds(rank(50)),
            p99_ns: nanoseconds(rank(99)),
            last_ns: nanoseconds(late.len() - 1),
        })
    }
}

/// How much later it is than `duration` after `start`. `None`: it is not yet so late.
#[must_use]
pub fn late_by(start: Instant, duration: Duration) -> Option<Duration> {
    start.elapsed().checked_sub(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(numbers: impl IntoIterator<Item = u64>) -> Vec<Option<Duration>> {
        let late = |number| Some(Duration::from_millis(number));
        numbers.into_iter().map(late).collect()
    }

    #[test]
    fn ranks_are_those_of_the_sorted_threads() {
        let lateness = Lateness::of(200, milliseconds((1..=200).rev())).unwrap();
        assert_eq!(lateness.p50_ns, 100_000_000);
        assert_eq!(lateness.p99_ns, 198_000_000);
        assert_eq!(lateness.last_ns, 200_000_000);
    }

    #[test]
    fn a_single_thread_is_all_of_them() {
        let lateness = Lateness::of(1, milliseconds([7])).unwrap();
        assert_eq!((lateness.p50_ns, lateness.last_ns), (7_000_000, 7_000_000));
    }

    #[test]
    fn an_early_or_a_missing_thread_is_seen() {
        let mut late = milliseconds([1, 2]);
        assert!(Lateness::of(3, late.clone()).is_err());
        late.push(None);
        assert!(Lateness::of(3, late).is_err());
    }

    #[test]
    fn before_the_time_is_early() {
        let now = Instant::now();
        assert_eq!(late_by(now, Duration::from_secs(3600)), None);
        assert!(late_by(now, Duration::ZERO).is_some());
    }
}
