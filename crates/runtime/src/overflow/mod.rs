//! The report of a stack overflow: who it was, how large the stack is, and what to change.
//!
//! ```text
//!
//! thread 'deep' (green, 256 KiB stack) has overflowed its stack
//! help: give it a larger one by `thread::Builder::stack_size`, or all threads by `stack_size` of the runtime's builder
//! fatal runtime error: stack overflow, aborting
//! ```
//!
//! Every stack ends in a guard page, so an overflow is a fault at a known address. Nothing is
//! prepared for it where threads are spawned, switched or parked: all is found out when it
//! has happened.
//!
//! 1. A handler for SIGSEGV and SIGBUS is installed once per process, when the first worker
//!    or kernel thread of ours begins. What was installed before is kept (`action.rs`).
//! 2. Each OS thread that runs our threads has an alternate signal stack, for its own has no
//!    room left when the handler is called (`signal_stack.rs`). One that runs kernel threads
//!    also notes where its stack ends (`limit.rs`).
//! 3. At a fault the handler asks who is current, and whether the address lies in the guard
//!    page of that thread's stack (`culprit.rs`).
//! 4. Yes: it says so (`report.rs`) and aborts, as `std` does. No: the fault is the business
//!    of who handled it before, `std` in most programs, which reports its own threads; once for
//!    each signal, whoever calls whom (`passage.rs`).
//!
//! In the handler only what is async-signal-safe is done: no allocation, no lock, no panic, no
//! thread-local that is initialized when it is first used.
//!
//! The environment variable `TREFOIL_OVERFLOW=off` switches all of it off. It is read once for each
//! process; whoever builds a runtime asks [`check_environment`] whether it can be understood.

mod action;
mod culprit;
mod limit;
mod passage;
mod report;
mod signal_stack;

use std::io;
use std::sync::OnceLock;

use self::signal_stack::SignalStack;
use crate::variable;

pub(crate) use self::limit::{Limit, own_stack};

/// The environment variable that switches the report off.
const VARIABLE: &str = "TREFOIL_OVERFLOW";

/// For as long as it lives, an overflow of a thread that a runtime runs on this OS thread is
/// reported.
///
/// It gives the OS thread an alternate signal stack, if it has none, and takes it away when it
/// is dropped. If there is no memory for it, an overflow ends the process by SIGSEGV, without
/// a report.
///
/// ```
/// use trefoil_runtime::overflow::Watch;
///
/// std::thread::spawn(|| {
///     let _watch = Watch::fibers();
///     // run fibers here
/// });
/// ```
#[derive(Debug)]
#[must_use = "the report is given up when it is dropped"]
pub struct Watch {
    _signal_stack: Option<SignalStack>,
}

impl Watch {
    /// For an OS thread that is going to run fibers. Never blocks.
    pub fn fibers() -> Watch {
        let signal_stack = is_on().then(SignalStack::if_needed).flatten();
        Watch {
            _signal_stack: signal_stack,
        }
    }

    /// For an OS thread that is going to run kernel threads, which use its own stack. Never
    /// blocks.
    pub fn kernel_threads() -> Watch {
        if is_on() {
            limit::note();
        }
        Watch::fibers()
    }
}

/// Whether the environment variable `TREFOIL_OVERFLOW` holds what it can: `1` or `on`, `0` or `off`,
/// or nothing. For the builder of a runtime.
///
/// # Errors
///
/// `InvalidInput`: it holds something else.
///
/// ```
/// # if std::env::var_os("TREFOIL_OVERFLOW").is_some() { return; }
/// assert!(trefoil_runtime::overflow::check_environment().is_ok());
/// ```
pub fn check_environment() -> io::Result<()> {
    variable::switch(VARIABLE).map(drop)
}

/// Whether faults come to us; sees to it when it is first asked.
fn is_on() -> bool {
    static ON: OnceLock<bool> = OnceLock::new();
    *ON.get_or_init(|| {
        // What it cannot hold was refused to who built the runtime.
        let asked = variable::switch(VARIABLE).ok().flatten();
        asked.unwrap_or(true) && action::install()
    })
}
