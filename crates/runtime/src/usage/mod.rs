//! How deep stacks get: for each place that spawns threads, the deepest use seen.
//!
//! A page of a stack is memory once it has been touched, and the kernel tells which pages are. So
//! the depth of a thread is known without a word of bookkeeping while it runs: at its end it is the
//! distance from the top of its stack to the lowest page that is memory.
//!
//! That is true of a stack whose pages were no memory before. So a thread that is measured begins
//! on a stack of which only the first pages are:
//!
//! 1. It ends, on its own stack: its closure has returned, its result is dropped or kept. The
//!    depth is noted before anybody is told of the end, so whoever has joined a thread finds it
//!    counted ([`Meter`], called by `conclude` in `thread/live.rs`).
//! 2. Its stack has been left: what lies below the first page goes back to the kernel, if there is
//!    anything ([`Meter::clean`], called by the worker). A pool of stacks belongs to one runtime,
//!    which measures all its threads or none; so its stacks are clean when they are taken.
//! 3. A kernel thread lives on a stack that others have used: `std` when the OS thread began, the
//!    C library's cache of stacks, the caller of `run`. There everything below the stack pointer
//!    goes back before the thread begins, and again when it has ended (`Live::run_here`).
//!
//! It costs two to four system calls for each thread, more for stacks of several MiB; so it is off
//! until somebody [asks](Metering). Where it is off, nothing is done but to see that there is no
//! meter.
//!
//! What it cannot know: a page that was swapped out looks as if it had not been touched. And where
//! more is memory than was touched, because it is locked or stacks have huge pages, the figure is
//! too large.

mod meter;
mod metering;
mod pages;

use core::fmt;
use core::panic::Location;

pub(crate) use meter::Extent;
pub use meter::Meter;
pub use metering::Metering;

use crate::current;

/// How deep the stacks of threads of the calling thread's own runtime got, as its `stack_usage`
/// tells. The calling thread itself, and others that have not ended, do not count yet. Empty if the
/// runtime does not measure, and on a plain OS thread. Takes a lock that nobody holds for long.
///
/// ```
/// // A plain OS thread has no runtime.
/// assert!(trefoil_runtime::stack_usage().is_empty());
/// ```
#[must_use]
pub fn stack_usage() -> Vec<StackUsage> {
    if !current::in_runtime() {
        return Vec::new();
    }
    let meter = current::with_runtime(|runtime| runtime.meter());
    meter.map(|meter| meter.usage()).unwrap_or_default()
}

/// The deepest stack use of the threads that one place of the program has spawned.
///
/// It prints as a line:
///
/// ```text
/// src/server.rs:41:17: 1000 threads, the deepest used 104 KiB of a stack of 256 KiB
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StackUsage {
    /// Where they were spawned; for the main thread, where `run` was called. See
    /// [`spawned_at`](crate::ThreadInfo::spawned_at) for a spawn that is passed as a value.
    pub site: &'static Location<'static>,
    /// How many of them have ended.
    pub threads: u64,
    /// How much of its stack the deepest one has used, in bytes: from the top to the end of the
    /// lowest page that it touched, so less than a page more than it was. Never more than
    /// `stack_size`: if it is as much, that stack was used to its end.
    pub deepest: usize,
    /// The size of that thread's stack, in bytes. Those of the green and the hybrid model have up to
    /// a page more, which is not counted.
    pub stack_size: usize,
    /// The name of that thread, if it has one.
    pub name: Option<String>,
}

impl fmt::Display for StackUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.threads == 1 {
            "thread"
        } else {
            "threads"
        };
        write!(
            f,
            "{}: {} {threads}, the deepest used {} KiB of a stack of {} KiB",
            self.site,
            self.threads,
            self.deepest.div_ceil(1 << 10),
            self.stack_size.div_ceil(1 << 10)
        )
    }
}
