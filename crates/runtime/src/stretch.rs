//! How long a thread that was moved to a kernel thread computes, or blocks its OS thread, without having let others
//! run, if there were some: the stretches between its waits. On a worker a stretch as long would be a stall.
//!
//! Where the operating system has taken the processor from the thread in the middle of a stretch, only what it has
//! computed counts: on a busy machine all stretches are long. So a call that blocks may be missed then; it takes some
//! in a row to forget a site.
//!
//! It is noted on the OS thread, and only while it runs such a thread: all others find nothing there.
#![forbid(unsafe_code)]

use core::cell::Cell;
use std::time::{Duration, Instant};

use crate::os::{Processor, processor};

thread_local! {
    static RUNS: Cell<Option<Stretch>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Stretch {
    since: Instant,
    /// What it had of the processor before.
    before: Processor,
    /// The longest before this one.
    longest: Duration,
}

impl Stretch {
    /// The longest, if this one ends now.
    fn over(self) -> Duration {
        let now = processor();
        let long = if now.lost == self.before.lost {
            self.since.elapsed()
        } else {
            now.had.saturating_sub(self.before.had)
        };
        self.longest.max(long)
    }

    fn begin(longest: Duration) {
        RUNS.set(Some(Stretch {
            since: Instant::now(),
            before: processor(),
            longest,
        }));
    }
}

/// A thread that was moved begins, on this OS thread.
pub(crate) fn begin() {
    Stretch::begin(Duration::ZERO);
}

/// It ends. How long its longest stretch was; `None`: it has not begun here.
pub(crate) fn end() -> Option<Duration> {
    RUNS.take().map(Stretch::over)
}

/// Whether stretches are measured.
pub(crate) fn is_measured() -> bool {
    RUNS.get().is_some()
}

/// The thread lets others run, if it is one that is measured.
pub(crate) fn turn() {
    if let Some(stretch) = RUNS.get() {
        Stretch::begin(stretch.over());
    }
}

/// The thread waits where a fiber would have left its worker to others.
#[inline]
pub(crate) fn pause<R>(wait: impl FnOnce() -> R) -> R {
    match RUNS.get() {
        None => wait(),
        Some(stretch) => paused(stretch, wait),
    }
}

/// If the wait unwinds, nothing is known of the thread.
#[cold]
fn paused<R>(stretch: Stretch, wait: impl FnOnce() -> R) -> R {
    let longest = stretch.over();
    // A blocking call may run another runtime, on this OS thread.
    RUNS.set(None);
    let result = wait();
    Stretch::begin(longest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes for so long at least.
    fn keep(long: Duration) {
        let before = processor().had;
        while processor().had < before + long {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn the_longest_counts() {
        const LONG: Duration = Duration::from_millis(20);
        begin();
        keep(LONG);
        turn();
        let longest = end().unwrap();
        assert!(longest >= LONG, "{longest:?}");
        assert!(!is_measured());
        assert_eq!(end(), None);
    }

    #[test]
    fn a_wait_is_no_part_of_one() {
        const LONG: Duration = Duration::from_secs(3600);
        begin();
        pause(|| {
            assert!(!is_measured());
            // What is noted in here would be another runtime's.
            Stretch::begin(LONG);
        });
        assert!(end().unwrap() < LONG);
    }

    #[test]
    fn nobody_else_is_measured() {
        turn();
        assert_eq!(pause(|| 7), 7);
        assert_eq!(end(), None);
    }
}
