//! Whether a worker has something to run.
//!
//! The protocol that this is a part of, *placing*, stands in `idle.rs`.
#![forbid(unsafe_code)]

#[cfg(not(trefoil_loom))]
use core::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(trefoil_loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};

/// Whether a worker has nothing to run. What is placed with it then is left to it by all others.
#[derive(Debug)]
pub(crate) struct Resting(AtomicBool);

impl Resting {
    pub(crate) fn new() -> Resting {
        Resting(AtomicBool::new(true))
    }

    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: where it matters, a fence orders it.
        self.0.load(Ordering::Relaxed)
    }

    /// Only the worker itself.
    pub(crate) fn begin(&self) {
        // Relaxed: a hint. Who does not see it yet announces what it places to all.
        self.0.store(true, Ordering::Relaxed);
    }

    /// The worker is going to run something, perhaps for long. Then it looks at what was placed
    /// with it: others may take that from now on, and those who sleep do not know. `false`: it
    /// did not rest.
    pub(crate) fn end(&self) -> bool {
        if !self.is_set() {
            return false;
        }
        self.0.store(false, Ordering::Relaxed);
        // Pairs with the fence of `work_placed`: who has placed a thread sees this, or we see
        // the thread.
        fence(Ordering::SeqCst);
        true
    }
}
