//! Where the stacks of one runtime's threads come from, for whoever spawns one.
//!
//! A stack is reserved when a thread is spawned and taken when it starts. So a spawn can be refused,
//! but a thread that was spawned finds its stack.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use trefoil_fiber::{StackPool, check_environment, check_size};
use trefoil_runtime::{Meter, NewThread, StackUsage, Thread};

/// The stacks of one runtime, and the size that a thread gets which does not say.
#[derive(Clone, Debug)]
pub struct Stacks {
    pub(crate) pool: Arc<StackPool>,
    /// Rounded to what a stack really has.
    pub(crate) default_size: usize,
    /// Measures all threads. `None`: none is measured.
    pub(crate) meter: Option<Arc<Meter>>,
}

impl Stacks {
    /// An empty pool, and the default size in bytes. `meter`, if there is one, measures what each
    /// thread uses.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a size of 0, or of more than 1 GiB; or the environment variable
    /// `TREFOIL_GUARD` holds what it cannot.
    pub fn new(default_size: usize, meter: Option<Arc<Meter>>) -> io::Result<Stacks> {
        check_environment()?;
        Ok(Stacks {
            pool: Arc::new(StackPool::new()),
            default_size: check_size(default_size)?,
            meter,
        })
    }

    /// Reserves the stack of a thread that is spawned from elsewhere than a worker.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a size that no stack has. `OutOfMemory`: the kernel gives no more address
    /// space, or no more memory mappings.
    pub fn reserve(&self, thread: &NewThread) -> io::Result<()> {
        self.pool.reserve(self.size_of(thread), 1)
    }

    /// The thread will not start: its stack is not needed.
    pub fn unreserve(&self, thread: &NewThread) {
        self.pool.unreserve(self.size_of(thread), 1);
    }

    /// Gives the memory of stacks that nobody uses back to the kernel.
    pub fn trim(&self) {
        self.pool.trim();
    }

    /// Who measures the threads. `None`: nobody does.
    #[must_use]
    pub fn meter(&self) -> Option<Arc<Meter>> {
        self.meter.clone()
    }

    /// The deepest use seen, by the place that spawned the threads. Empty if nobody measures.
    #[must_use]
    pub fn usage(&self) -> Vec<StackUsage> {
        self.meter.as_deref().map(Meter::usage).unwrap_or_default()
    }

    /// Whether the thread may run on the stack of another one, of which so many bytes are left: it has what it
    /// asked for; or, if it asked for nothing, most of what is usual.
    pub(crate) fn is_enough(&self, thread: &Thread, left: usize) -> bool {
        let most = self.default_size - self.default_size / 4;
        // Of one stack with two threads on it nobody could say which one needed it.
        self.meter.is_none() && left >= thread.stack_size().unwrap_or(most)
    }

    /// The stack size of this thread, in bytes.
    pub(crate) fn size_of(&self, thread: &NewThread) -> usize {
        thread.stack_size().unwrap_or(self.default_size)
    }
}
