//! A kernel runtime as a value: run a program on it, and end what it left.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use trefoil_runtime::{
    Meter, Model, NewThread, Runs, StackUsage, ThreadInfo, overflow, refuse_drop_inside,
    result_of_main,
};

use crate::builder::Builder;
use crate::kernel::{Kernel, live_here};

/// A runtime of kernel threads. Several can live in one process.
pub struct Runtime {
    kernel: Arc<Kernel>,
    grace: Duration,
    runs: Runs,
}

impl Runtime {
    pub(crate) fn new(builder: &Builder) -> io::Result<Runtime> {
        overflow::check_environment()?;
        Ok(Runtime {
            kernel: Kernel::new(builder, builder.metering.meter()?),
            grace: builder.grace,
            runs: Runs::new(),
        })
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
    /// With `f`'s panic. And if the calling thread is a thread of a runtime already, unless it is
    /// in a [blocking call](trefoil_runtime::thread::blocking) of a thread of another runtime.
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.runs.refuse_inside();
        let _watch = overflow::Watch::kernel_threads();
        let domain = self.runs.begin();
        let (thread, handle) = NewThread::main(f, Model::Kernel, None, &domain);
        live_here(thread, Arc::clone(&self.kernel));
        let joined = handle.join();
        self.runs.add_leftover(domain.wind_down(self.grace));
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
        self.runs.leftover()
    }

    /// How deep the stacks of threads got: for each place that spawned some, how many have ended,
    /// and what the deepest one used, in bytes; the deepest first. Empty unless the runtime
    /// [measures](Builder::measure_stacks).
    ///
    /// The main thread of a `run` has the caller's stack, from the very top: what the caller has
    /// used is part of it.
    ///
    /// The place is the line that spawns; see [`spawned_at`](ThreadInfo::spawned_at) for a spawn that
    /// is passed as a value. A thread counts once it has ended: whoever has joined it finds it here.
    /// A thread that is left over, or whose closure never ran because it was cancelled before, does
    /// not count. Takes a lock that nobody holds for long.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let runtime = trefoil_kernel::Builder::new().measure_stacks(true).build()?;
    /// runtime.run(|| thread::spawn(|| std::hint::black_box([1_u8; 40_000]).len()).join().unwrap());
    /// let deepest = &runtime.stack_usage()[0];
    /// assert!(deepest.deepest >= 40_000 && deepest.deepest <= deepest.stack_size);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn stack_usage(&self) -> Vec<StackUsage> {
        let meter = self.kernel.meter.as_deref();
        meter.map(Meter::usage).unwrap_or_default()
    }
}

impl Drop for Runtime {
    /// Does not wait. Idle kernel threads end.
    ///
    /// # Panics
    ///
    /// If one of the runtime's own threads drops it, or a thread of one of its `run`s, unless
    /// that thread unwinds.
    fn drop(&mut self) {
        refuse_drop_inside(self.kernel.is_current() || self.runs.is_inside());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;
    use trefoil_runtime::thread;

    /// A runtime that was dropped from inside leaves nothing behind once that thread has ended.
    #[test]
    fn the_pool_ends_after_a_drop_from_inside() {
        let builder = Builder::new().grace(Duration::from_millis(1));
        let runtime = Arc::new(builder.build().unwrap());
        let kernel = Arc::downgrade(&runtime.kernel);
        let (go, gate) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel::<()>();
        let mine = Arc::clone(&runtime);
        runtime.run(move || {
            drop(thread::spawn(move || {
                begin.send(()).unwrap();
                gate.recv().unwrap();
                catch_unwind(AssertUnwindSafe(|| drop(mine))).unwrap_err();
            }));
            begun.recv().unwrap();
        });
        drop(runtime);
        assert_ne!(kernel.strong_count(), 0, "a thread keeps a share");
        go.send(()).unwrap();
        while kernel.strong_count() != 0 {
            std::thread::yield_now();
        }
    }
}
