//! What every runtime's `run` and `drop` refuse, in the same words; and how a `run` ends.
#![forbid(unsafe_code)]

use std::panic;
use std::sync::{Mutex, PoisonError};

use crate::current;
use crate::registry::ThreadInfo;

/// Refuses a `run` inside a `run`.
///
/// # Panics
///
/// If the calling thread is run by one of our runtimes.
#[track_caller]
pub fn refuse_inside() {
    assert!(
        !current::in_runtime(),
        "`run` was called by a thread of a Trefoil runtime: it would block that thread for as \
         long as it runs. Spawn a thread instead, or call `run` from a plain OS thread"
    );
}

/// Refuses that a runtime is dropped by one of its own threads, which `inside` says.
///
/// # Panics
///
/// If it is, unless the thread unwinds already.
#[track_caller]
pub fn refuse_drop_inside(inside: bool) {
    assert!(
        !inside || std::thread::panicking(),
        "a Trefoil runtime was dropped by one of its own threads, which it cannot outlive. Keep \
         the runtime where `run` is called"
    );
}

/// The value of a main thread that has ended, as its `join` gave it.
///
/// # Panics
///
/// With its panic.
pub fn result_of_main<T>(joined: std::thread::Result<T>) -> T {
    match joined {
        Ok(value) => value,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// The threads that did not end in time after their `run` had ended.
#[derive(Debug, Default)]
pub struct Leftover(Mutex<Vec<ThreadInfo>>);

impl Leftover {
    /// Adds those of one `run`.
    pub fn add(&self, threads: Vec<ThreadInfo>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(threads);
    }

    /// All so far.
    #[must_use]
    pub fn get(&self) -> Vec<ThreadInfo> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
