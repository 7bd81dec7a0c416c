//! What every runtime's `run` and `drop` refuse, in the same words; and how a `run` ends.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::panic;
use std::sync::{Mutex, PoisonError};

use crate::domain::{Domain, DomainId};
use crate::registry::ThreadInfo;
use crate::thread::JoinHandle;
use crate::{caller, current, no_suspend};

/// Refuses a `run` inside a `run`, for a runtime that is still to be made. One that exists has
/// [`Runs::refuse_inside`].
///
/// # Panics
///
/// If the calling thread is run by one of our runtimes, and makes no blocking call.
#[track_caller]
pub fn refuse_inside() {
    no_suspend::check_call("run");
    refuse_run(current::in_runtime() && !caller::is_current());
}

#[track_caller]
fn refuse_run(inside: bool) {
    assert!(
        !inside,
        "`run` was called by a thread of a Trefoil runtime: it would block that thread for as \
         long as it runs. Spawn a thread instead, or run another runtime inside \
         `thread::blocking` or from a plain OS thread"
    );
}

/// Refuses that a runtime is dropped from inside, which `inside` says: by a thread that it
/// runs, or by one of its `run`s ([`Runs::is_inside`]).
///
/// A drop cannot be undone: when this is called, the runtime has been told to end, and has
/// waited for nobody.
///
/// # Panics
///
/// If it is, unless the thread unwinds already: that would end the process.
#[track_caller]
pub fn refuse_drop_inside(inside: bool) {
    assert!(
        !inside || std::thread::panicking(),
        "a Trefoil runtime was dropped by one of its own threads, or by a thread of one of its \
         `run`s, which it cannot wait for. Keep the runtime where `run` is called"
    );
}

/// Waits for the end of a main thread, as its `join`, and is no cancellation point: a kernel
/// thread of another runtime, which may be asked to end, waits here for the `run` in its blocking
/// call.
///
/// # Errors
///
/// As `join`.
#[track_caller]
pub fn join_main<T>(main: JoinHandle<T>) -> std::thread::Result<T> {
    main.join_in_any_case()
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

/// The `run`s of one runtime: who belongs to them, and who did not end in time.
#[derive(Debug)]
pub struct Runs {
    runtime: u64,
    leftover: Mutex<Vec<ThreadInfo>>,
}

impl Runs {
    /// Those of a new runtime: none yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Runs {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Runs {
            // A counter: any order will do.
            runtime: NEXT.fetch_add(1, Ordering::Relaxed),
            leftover: Mutex::new(Vec::new()),
        }
    }

    /// A new `run`, without threads.
    #[must_use]
    pub fn begin(&self) -> Domain {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Domain::new(DomainId {
            runtime: self.runtime,
            // A counter: any order will do.
            run: NEXT.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Whether the calling thread belongs to one of these `run`s, also to one that is over, or
    /// makes a blocking call for one that does. It may be a thread of another model, which a
    /// runtime beside this one runs.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        current::is_of_runtime(self.runtime) || caller::is_of_runtime(self.runtime)
    }

    /// Refuses a `run` of this runtime inside a `run`. A blocking call may run another runtime than
    /// its thread's, because it stops nobody else.
    ///
    /// # Panics
    ///
    /// If the calling thread is run by one of our runtimes, and makes no blocking call; or makes
    /// one for a thread of these `run`s.
    #[track_caller]
    pub fn refuse_inside(&self) {
        refuse_inside();
        refuse_run(self.is_inside());
    }

    /// Adds the threads that did not end in time after one `run`.
    pub fn add_leftover(&self, threads: Vec<ThreadInfo>) {
        self.leftover
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(threads);
    }

    /// All threads that did not end in time so far.
    #[must_use]
    pub fn leftover(&self) -> Vec<ThreadInfo> {
        self.leftover
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
