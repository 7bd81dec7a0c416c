//! The threads of one `run`, and how they come to an end.
//!
//! A thread belongs to the `run` in which it was spawned, on whichever runtime it is. When
//! the main thread of the `run` has ended, the others are cancelled and given some time.
//! Nothing is torn down under a thread that does not end: it is reported.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::registry::{self, ThreadInfo};
use crate::thread::Thread;

/// One `run` of a runtime.
#[derive(Debug)]
pub struct Domain {
    number: u64,
}

impl Domain {
    /// A new one, without threads.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Domain {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // A counter: any order will do.
        Domain {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The threads that have not ended.
    #[must_use]
    pub fn threads(&self) -> Vec<Thread> {
        registry::collect(|thread| thread.header().traits.domain == self.number)
    }

    /// What is known of the threads that have not ended.
    #[must_use]
    pub fn describe(&self) -> Vec<ThreadInfo> {
        registry::describe(&self.threads())
    }

    /// Asks all threads to end, at their next cancellation point. Those that begin later
    /// are not asked: ask again. Returns how many there were.
    pub fn cancel(&self) -> usize {
        let threads = self.threads();
        threads.iter().for_each(Thread::request_cancel);
        threads.len()
    }

    /// Ends the threads: asks them until none is left, or `grace` is over. Blocks the OS
    /// thread. Returns the threads that are left.
    #[must_use]
    pub fn wind_down(&self, grace: Duration) -> Vec<ThreadInfo> {
        const LONGEST_PAUSE: Duration = Duration::from_millis(5);
        let end = Instant::now().checked_add(grace);
        let mut pause = Duration::from_micros(20);
        while self.cancel() != 0 {
            if end.is_some_and(|end| Instant::now() >= end) {
                return self.describe();
            }
            std::thread::sleep(pause);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        Vec::new()
    }
}
