//! The threads of one `run`, and how they come to an end.
//!
//! A thread belongs to the `run` in which it was spawned, on whichever runtime it is. When
//! the main thread of the `run` has ended, the others are cancelled and given some time.
//! Nothing is torn down under a thread that does not end: it is reported.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::current;
use crate::registry::{self, ThreadInfo};
use crate::thread::Thread;

/// To which `run` of which runtime a thread belongs. The default: to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DomainId {
    pub(crate) runtime: u64,
    pub(crate) run: u64,
}

/// One `run` of a runtime; [`Runs::begin`](crate::Runs::begin) makes it, and
/// [`Domain::current`] finds it.
#[derive(Debug)]
pub struct Domain {
    id: DomainId,
}

impl Domain {
    /// That with this `id`.
    pub(crate) fn new(id: DomainId) -> Domain {
        Domain { id }
    }

    /// The `run` that the calling thread belongs to, for who watches it from outside. `None`: it
    /// belongs to none.
    ///
    /// ```
    /// assert!(trefoil_runtime::Domain::current().is_none());
    /// ```
    #[must_use]
    pub fn current() -> Option<Domain> {
        let id = current::domain();
        (id != DomainId::default()).then(|| Domain::new(id))
    }

    pub(crate) fn id(&self) -> DomainId {
        self.id
    }

    /// The threads that have not ended.
    #[must_use]
    pub fn threads(&self) -> Vec<Thread> {
        registry::collect(|thread| thread.header().traits.domain == self.id)
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
        threads.iter().for_each(Thread::cancel);
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
