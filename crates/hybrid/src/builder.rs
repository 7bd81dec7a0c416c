//! What a hybrid runtime can be given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use trefoil_fiber::DEFAULT_STACK;
use trefoil_runtime::thread::check_stack_size;
use trefoil_runtime::{self as contract, Companions, Metering, Monitoring, Relief, Roaming};

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
    /// Only `migrating` sets it.
    migrating: bool,
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
            migrating: false,
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

    /// Lets threads that have started change their worker: one that is ready may be gone on with by any. To
    /// measure what it costs that threads stay where they start, which they do without this
    /// (`docs/soundness.md`, Rule 1). Not for programs: it makes each of their lines a matter of `unsafe`.
    ///
    /// A thread may come back on another OS thread from everything that lets others run, all of which is called a
    /// *wait* below: from each call that may wait, also if it did not need to (a channel's operation lets others
    /// have their turn now and then), from `yield_now`, `checkpoint` and `join`. It stays where it is between two of
    /// those; and, from the first wait in it on, in a destructor that runs because of a panic, until the
    /// panic is caught. A thread of `spawn_local` stays where it was spawned.
    ///
    /// # Safety
    ///
    /// Code that the compiler takes for safe is not, if a function may end on another OS thread than it began on.
    /// Of all code that threads of this runtime run, their destructors and the libraries that they call included,
    /// the caller promises:
    ///
    /// 1. *Nothing of an OS thread's own is held over a wait:* no reference to a `std::thread_local!`, and
    ///    nothing that was made of one (`LocalKey::with` around a wait, a guard that puts a thread-local
    ///    back); no guard of `std`'s locks, which another OS thread must not unlock.
    /// 2. *No value that is not `Send` is held over a wait*, nor is it part of a frame that waits: no `Rc`, no
    ///    `MutexGuard` of `std`, no `LocalJoinHandle`, nothing of a C library that belongs to an OS thread.
    ///    References to what is not `Sync` within the thread's own stack may be held.
    /// 3. *No function reads a thread-local both before and after a wait*, be it by functions that are inlined
    ///    into it. The compiler may compute the address once. What reads one is to be `#[inline(never)]` where
    ///    a wait is near; so is all of Trefoil itself. With link-time optimization this concerns libraries too.
    /// 4. *A thread-local is not expected to hold what this thread has put there* before its last wait: of the lazy
    ///    ones, of their destructors, of a random generator's state, of a C library's last error.
    /// 5. *Nobody waits inside a panic hook*, or inside the initializer of a lazy thread-local.
    /// 6. *No coroutine of another library is left in the middle* that is to be gone on with on the same OS thread.
    ///
    /// `trefoil_runtime::thread_local!` belongs to the thread and goes with it, and the locks of Trefoil may be held
    /// over any wait, as ever.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    /// let builder = trefoil_hybrid::Builder::new().workers(2);
    /// // SAFETY: the threads below have nothing but numbers, and use no thread-local.
    /// let runtime = unsafe { builder.migrating() }.build()?;
    /// let sum = runtime.run(|| {
    ///     let threads: Vec<_> = (0..10)
    ///         .map(|n| thread::spawn(move || {
    ///             thread::yield_now();
    ///             n * n
    ///         }))
    ///         .collect();
    ///     threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i32>()
    /// });
    /// assert_eq!(sum, 285);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub unsafe fn migrating(self) -> Builder {
        Builder {
            migrating: true,
            ..self
        }
    }

    /// The promise of who has asked for [`migrating`](Builder::migrating), for one runtime.
    pub(crate) fn roaming(&self) -> Option<Roaming> {
        self.migrating.then(|| {
            // SAFETY: the promise is that of `migrating`, which alone sets the field.
            unsafe { Roaming::new() }
        })
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
    let counted = num_cpus::get();
    std::thread::available_parallelism().map_or(counted, |most| counted.min(most.get()))
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}
