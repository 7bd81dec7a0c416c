//! A kernel runtime as a value: run a program on it, and end what it left.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use trefoil_runtime::{
    Domain, Leftover, Model, NewThread, ThreadInfo, overflow, refuse_drop_inside, refuse_inside,
    result_of_main,
};

use crate::builder::Builder;
use crate::kernel::{Kernel, live_here};

/// A runtime of kernel threads. Several can live in one process.
pub struct Runtime {
    kernel: Arc<Kernel>,
    grace: Duration,
    leftover: Leftover,
}

impl Runtime {
    pub(crate) fn new(builder: &Builder) -> Runtime {
        Runtime {
            kernel: Kernel::new(builder),
            grace: builder.grace,
            leftover: Leftover::default(),
        }
    }

    /// Runs `f` as the main thread of this runtime, on the calling OS thread, and returns
    /// its value. `f`, and all threads spawned below it, may use everything in
    /// [`trefoil_runtime::thread`].
    ///
    /// When `f` has ended, threads that are still alive are cancelled and given the grace.
    /// Those that do not end in time go on, and are listed by
    /// [`leftover`](Runtime::leftover).
    ///
    /// Several OS threads may call it at the same time.
    ///
    /// # Panics
    ///
    /// With `f`'s panic. And if the calling thread is a thread of a runtime already.
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        refuse_inside();
        let _watch = overflow::Watch::kernel_threads();
        let domain = Domain::new();
        let (thread, handle) = NewThread::main(f, Model::Kernel, None, &domain);
        live_here(thread, Arc::clone(&self.kernel));
        let joined = handle.join();
        self.leftover.add(domain.wind_down(self.grace));
        result_of_main(joined)
    }

    /// This runtime, as the companion of another one: `companion` of their builders.
    #[must_use]
    pub fn companion(&self) -> Arc<dyn trefoil_runtime::Runtime> {
        Arc::clone(&self.kernel) as _
    }

    /// The threads that did not end in time after their `run` had ended: what each was
    /// doing at that moment.
    #[must_use]
    pub fn leftover(&self) -> Vec<ThreadInfo> {
        self.leftover.get()
    }
}

impl Drop for Runtime {
    /// # Panics
    ///
    /// If one of the runtime's own threads drops it.
    fn drop(&mut self) {
        refuse_drop_inside(self.kernel.is_current());
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("model", &Model::Kernel)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
