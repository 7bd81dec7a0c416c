//! The hybrid runtime whose threads change their worker, for the workloads alone.

use std::io;

use trefoil::hybrid::{Builder, Runtime};

/// With so many workers; without it, one for each processor.
pub(crate) fn runtime(workers: Option<usize>) -> io::Result<Runtime> {
    let mut builder = Builder::new();
    if let Some(workers) = workers {
        builder = builder.workers(workers);
    }
    // SAFETY: a workload's threads have numbers, buffers, and channels, locks and sockets of Trefoil, all of which
    // are `Send`. They use no thread-local but those of `std`'s allocator and panics, and hold nothing of theirs over
    // a wait; no hook of a panic waits.
    unsafe { builder.migrating() }.build()
}
