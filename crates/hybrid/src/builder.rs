//! What a hybrid runtime can be given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use trefoil_fiber::DEFAULT_STACK;
use trefoil_runtime::thread::check_stack_size;
use trefoil_runtime::{self as contract, Companions, Metering, Monitoring, Relief};

use crate::runtime::Runtime;

/// The most workers that can be asked for.
const MOST_WORKERS: usize = 1024;

/// Makes a [`Runtime`].
///
/// ```
/// let runtime = trefoil_hybrid::Builder::new().workers(2).build()?;
/// assert_eq!(runtime.run(|| 1 + 1), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    pub(crate) workers: Option<usize>,
    pub(crate) stack_size: usize,
    pub(crate) main_stack_size: usize,
    pub(crate) grace: Duration,
    pub(crate) companions: Companions,
    pub(crate) metering: Metering,
    pub(crate) monitoring: Monitoring,
    pub(crate) relief: Relief,
}

impl Builder {
    /// A builder with the defaults: a worker for each processor that the process may use by its affinity and its
    /// quota, stacks of 256 KiB (1 MiB in a
    /// debug build, whose frames are larger), 8 MiB for the main thread, a grace of five seconds.
    pub fn new() -> Builder {
        Builder {
            workers: None,
            stack_size: DEFAULT_STACK,
            main_stack_size: 8 << 20,
            grace: Duration::from_secs(5),
            companions: Companions::default(),
            metering: Metering::default(),
            monitoring: Monitoring::default(),
            relief: Relief::default(),
        }
    }

    /// The number of worker OS threads.
    pub fn workers(self, workers: usize) -> Builder {
        Builder {
            workers: Some(workers),
            ..self
        }
    }

    /// The stack size of threads that do not ask for one, in bytes, rounded up. It is address
    /// space: memory is used as the thread touches it.
    ///
    /// A thread that overflows its stack ends the process, with a report of its name, model and
    /// stack size ([`trefoil_runtime::overflow`]).
    pub fn stack_size(self, size: usize) -> Builder {
        Builder {
            stack_size: size,
            ..self
        }
    }

    /// The stack size of the main thread of [`Runtime::run`], in bytes.
    pub fn main_stack_size(self, size: usize) -> Builder {
        Builder {
            main_stack_size: size,
            ..self
        }
    }

    /// How long [`Runtime::run`] waits, after its main thread has ended, for threads that
    /// it has asked to end; and how long dropping the runtime waits for its workers.
    pub fn grace(self, grace: Duration) -> Builder {
        Builder { grace, ..self }
    }

    /// A runtime that runs the threads for which [`thread::Builder::model`] asks for its model:
    /// a kernel runtime, for a thread that computes for long.
    ///
    /// [`thread::Builder::model`]: trefoil_runtime::thread::Builder::model
    pub fn companion(mut self, runtime: Arc<dyn contract::Runtime>) -> Builder {
        self.companions.add(runtime);
        self
    }

    /// Whether [`Runtime::stack_usage`] is to tell how deep the stacks of threads get. Without it,
    /// if the environment variable `TREFOIL_STACK_USAGE` is `1` or `on`. It costs some system calls
    /// for each thread; where it is off, nothing.
    pub fn measure_stacks(self, on: bool) -> Builder {
        self.metering(Metering::of(on))
    }

    /// The same in full: several runtimes may count together.
    pub fn metering(self, metering: Metering) -> Builder {
        Builder { metering, ..self }
    }

    /// Whether workers are watched that do not come back to their scheduler, because a thread computes for
    /// long or blocks its OS thread: [`Runtime::stalls`] tells of them. Without it, if the environment variable
    /// `TREFOIL_MONITOR` is `1` or `on`. It takes an OS thread, which sleeps while all workers do.
    pub fn monitoring(self, monitoring: Monitoring) -> Builder {
        Builder { monitoring, ..self }
    }

    /// Whether later threads of a spawn site whose threads keep workers for long start on kernel threads of the
    /// [companion](Builder::companion), where the operating system takes turns. Without it, if the environment
    /// variable `TREFOIL_RELIEF` is `1` or `on`. Workers are watched then too, with the
    /// [monitoring](Builder::monitoring)'s limit, or one of 10 ms. [`Runtime::stalls`] tells which sites those are.
    pub fn relief(self, relief: Relief) -> Builder {
        Builder { relief, ..self }
    }

    /// Makes the runtime and starts its workers.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a stack size of 0 or above 1 GiB, no workers, or more than 1024; or an
    /// environment variable holds what it cannot (`TREFOIL_STACK_USAGE`, unless the builder says
    /// it; `TREFOIL_OVERFLOW`; `TREFOIL_GUARD`). `OutOfMemory`: there is no room for so many workers
    /// ([`trefoil_runtime::launch`]). What the operating system says when it refuses descriptors for
    /// a poller (each worker needs three).
    pub fn build(self) -> io::Result<Runtime> {
        check_stack_size(self.stack_size)?;
        check_stack_size(self.main_stack_size)?;
        let workers = self.workers.unwrap_or_else(processors);
        if workers == 0 || workers > MOST_WORKERS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a hybrid runtime has 1 to {MOST_WORKERS} workers, not {workers}"),
            ));
        }
        Runtime::new(self, workers)
    }
}

/// How many processors the process may use: those of its affinity mask, and no more than the quotas of its control
/// groups and of all those around them allow (`cpu.max`; in version 1 `cpu.cfs_quota_us`). `num_cpus` reads the
/// quota of the innermost group alone, and keeps what it has read; `std` asks all of them, each time.
fn processors() -> usize {
    std::thread::available_parallelism()
        .map_or(num_cpus::get(), |most| num_cpus::get().min(most.get()))
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}
