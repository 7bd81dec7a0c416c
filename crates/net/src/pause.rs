//! Growing pauses between attempts that nobody tells when to repeat.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use trefoil_runtime::{Outcome, Wait, Waiter, cancel, thread};

/// The pauses of one wait: each is twice as long as the one before, until they are long enough.
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Pauses {
        Pauses {
            next: first,
            longest,
        }
    }

    /// Waits until the next attempt, or as `wait` says. A cancellation ends the thread.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: the time of the wait is over.
    pub(crate) fn rest(&mut self, wait: &Wait) -> io::Result<()> {
        let length = self.next;
        self.next = self.longest.min(length * 2);
        let end = thread::deadline_after(length);
        let until = end.into_iter().chain(wait.deadline()).min();
        // Nobody fires it: only time and cancellation end the wait.
        match Waiter::new().wait(&wait.until(until)) {
            Outcome::Cancelled => cancel::raise(),
            _ if until == end => Ok(()),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
