//! Whether a thread panicked while it held a lock: what `std` calls poisoning.
//!
//! It differs from `std`'s in two ways, which fibers need: a neighbour on the same OS thread
//! that waits in the middle of its own unwinding poisons nothing, and neither does a thread
//! that is cancelled.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

use trefoil_runtime::cancel::Unwinding;

#[derive(Debug)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) const fn new() -> Flag {
        Flag(AtomicBool::new(false))
    }

    // Relaxed, here and below: the lock orders it.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// The lock is given back by who had taken it in this state.
    #[inline]
    pub(crate) fn given_back(&self, taken: Unwinding) {
        if taken.has_panicked_since() {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// What was locked, with the word whether it is poisoned.
    #[inline]
    pub(crate) fn wrap<G>(&self, locked: G) -> LockResult<G> {
        if self.is_set() {
            Err(PoisonError::new(locked))
        } else {
            Ok(locked)
        }
    }

    /// The same for an attempt.
    #[inline]
    pub(crate) fn wrap_attempt<G>(&self, locked: Option<G>) -> TryLockResult<G> {
        match locked {
            Some(guard) => Ok(self.wrap(guard)?),
            None => Err(TryLockError::WouldBlock),
        }
    }
}
