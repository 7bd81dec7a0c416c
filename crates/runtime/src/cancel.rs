//! Asking a thread to end.
//!
//! A request is a flag in the control block, and a wake-up. By Rule 6 it is raised by our
//! own waits, with a private payload that runs no panic hook, and never while the thread
//! unwinds already. Until it has been asked, a thread cannot notice.

#![forbid(unsafe_code)]

use core::fmt;

/// The payload with which a cancelled thread ends: what its `join` returns as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread was cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// Ends the current thread by unwinding. A wait calls it after it returned
/// [`Outcome::Cancelled`](crate::Outcome::Cancelled) and nothing refers to the waiter.
pub fn raise() -> ! {
    std::panic::resume_unwind(Box::new(Cancelled))
}
