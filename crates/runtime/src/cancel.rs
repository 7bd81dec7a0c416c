//! Asking a thread to end.
//!
//! A request is a flag in the control block, and a wake-up. By Rule 6 it is raised by our
//! own waits, with a private payload that runs no panic hook, and never while the thread
//! unwinds already. Until it has been asked, a thread cannot notice.

#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::any::Any;

use crate::limit::{self, Verdict};
use crate::{current, unwinding};

/// Whether a cancellation was ever raised in this process. While none was, a lock need not
/// ask for more. Relaxed: the thread that raised it reads its own store.
static ANY_RAISED: AtomicBool = AtomicBool::new(false);

/// The payload with which a cancelled thread ends: what its `join` returns as an error.
///
/// ```
/// use trefoil_runtime::cancel::Cancelled;
/// use trefoil_runtime::thread;
///
/// let cancelled = std::thread::spawn(|| {
///     thread::current().cancel();
///     thread::park();
/// });
/// let payload = cancelled.join().unwrap_err();
/// assert_eq!(payload.downcast_ref::<Cancelled>().unwrap().to_string(), "the thread was cancelled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread was cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// Ends the current thread by unwinding, or what it does inside the limit that is over. A wait
/// calls it after it returned [`Outcome::Cancelled`](crate::Outcome::Cancelled) and nothing
/// refers to the waiter.
///
/// ```
/// use trefoil_runtime::cancel::{self, Cancelled};
/// use trefoil_runtime::{Outcome, Reason, Wait, Waiter, thread};
///
/// let waits = std::thread::spawn(|| {
///     thread::current().cancel();
///     let waiter = Waiter::new(); // nobody else knows it
///     let outcome = waiter.wait(&Wait::new(Reason::Park).cancellable());
///     assert_eq!(outcome, Outcome::Cancelled);
///     cancel::raise();
/// });
/// assert!(waits.join().unwrap_err().is::<Cancelled>());
/// ```
pub fn raise() -> ! {
    ANY_RAISED.store(true, Ordering::Relaxed);
    if let Some(Verdict::Ended { number, again, .. }) = current::verdict() {
        raise_limit(number, again);
    }
    if current::raises_again() {
        // It has caught its cancellation, and goes on: at least not at the cost of others.
        current::yield_now();
    }
    std::panic::resume_unwind(Box::new(Cancelled))
}

/// Goes on with an unwinding that was caught. What ran in between may have unwound too: so it is said
/// again whether this one is a panic, which poisons.
pub(crate) fn resume(payload: Box<dyn Any + Send>) -> ! {
    // In a destructor of an outer unwinding it is that one that is told of.
    if unwinding::is_calm() {
        let raised = payload.is::<Cancelled>() || limit::is_raised(&*payload);
        current::set_raised(raised);
        if raised {
            // That of a thread that never began was raised by nobody.
            ANY_RAISED.store(true, Ordering::Relaxed);
        }
    }
    std::panic::resume_unwind(payload)
}

/// Ends what the current thread does inside a limit.
fn raise_limit(number: u64, again: bool) -> ! {
    current::note_limit_raised(number);
    if again {
        // As below: somebody has caught it.
        current::yield_now();
    }
    std::panic::resume_unwind(limit::payload(number))
}

/// Whether a panic began while a lock was held: what decides about poisoning.
///
/// A cancellation unwinds too, but deliberately, and poisons nothing.
///
/// ```
/// use trefoil_runtime::cancel::Unwinding;
/// let taken = Unwinding::now();
/// assert!(!taken.has_panicked_since());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unwinding(bool);

impl Unwinding {
    /// What the current thread does now, when the lock is taken. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::cancel::Unwinding;
    ///
    /// let taken = Unwinding::now();
    /// assert!(!taken.has_panicked_since());
    /// ```
    #[must_use]
    #[inline]
    pub fn now() -> Unwinding {
        // Asked once: every lock that is taken comes here.
        let calm = unwinding::is_calm();
        if calm && ANY_RAISED.load(Ordering::Relaxed) {
            // If its cancellation was raised, it has been caught.
            current::set_raised(false);
        }
        Unwinding(!calm && unwinding::panicking())
    }

    /// Whether the current thread has panicked since, when the lock is given back. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::cancel::Unwinding;
    ///
    /// struct Guard(Unwinding);
    /// impl Drop for Guard {
    ///     fn drop(&mut self) {
    ///         assert!(self.0.has_panicked_since());
    ///     }
    /// }
    ///
    /// let panics = std::thread::spawn(|| {
    ///     let _guard = Guard(Unwinding::now());
    ///     panic!("it is meant to");
    /// });
    /// assert!(panics.join().is_err());
    /// ```
    #[must_use]
    #[inline]
    pub fn has_panicked_since(self) -> bool {
        !self.0 && unwinding::panicking() && !current::is_raised()
    }
}
