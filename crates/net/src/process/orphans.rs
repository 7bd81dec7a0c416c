//! Processes that nobody can wait for any more because of us: they are asked for their end at later spawns,
//! so that they do not stay zombies.
//!
//! There are two kinds: a child that was killed because it was dropped, and that of a call which was
//! cancelled, and which the caller has never seen. One that the program itself dropped is not among them: as
//! with `std` it is the program's own.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::running::Running;

/// Held for calls that do not wait.
static ORPHANS: Mutex<Vec<Arc<Running>>> = Mutex::new(Vec::new());

fn orphans() -> MutexGuard<'static, Vec<Arc<Running>>> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on it is asked for its end here.
pub(super) fn adopt(running: Arc<Running>) {
    if running.has_to_be_asked() {
        orphans().push(running);
    }
}

/// Asks all of them.
pub(super) fn ask() {
    orphans().retain(|orphan| orphan.has_to_be_asked());
}
