//! What a kernel runtime can be given.

use std::io;
use std::time::Duration;

use trefoil_runtime::Metering;
use trefoil_runtime::thread::check_stack_size;

use crate::runtime::Runtime;

/// Makes a [`Runtime`].
///
/// ```
/// let runtime = trefoil_kernel::Builder::new().stack_size(1 << 20).build()?;
/// assert_eq!(runtime.run(|| 1 + 1), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    pub(crate) stack_size: Option<usize>,
    pub(crate) grace: Duration,
    pub(crate) keep: Duration,
    pub(crate) metering: Metering,
}

impl Builder {
    /// A builder with the defaults: the stack size of `std::thread`, a grace of five
    /// seconds, idle kernel threads kept for ten.
    pub fn new() -> Builder {
        Builder {
            stack_size: None,
            grace: Duration::from_secs(5),
            keep: Duration::from_secs(10),
            metering: Metering::default(),
        }
    }

    /// The stack size of threads that do not ask for one, in bytes. The main thread of
    /// [`Runtime::run`] has the caller's stack.
    ///
    /// A thread that overflows its stack ends the process, with a report of its name, model and
    /// stack size ([`trefoil_runtime::overflow`]).
    pub fn stack_size(self, size: usize) -> Builder {
        Builder {
            stack_size: Some(size),
            ..self
        }
    }

    /// How long [`Runtime::run`] waits, after its main thread has ended, for threads that
    /// it has asked to end.
    pub fn grace(self, grace: Duration) -> Builder {
        Builder { grace, ..self }
    }

    /// How long a kernel thread that has nothing to do waits for the next thread.
    pub fn keep_idle(self, keep: Duration) -> Builder {
        Builder { keep, ..self }
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

    /// Makes the runtime. It has no threads yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a stack size of 0 or above 1 GiB; or an environment variable holds what it
    /// cannot (`TREFOIL_STACK_USAGE`, unless the builder says it; `TREFOIL_OVERFLOW`).
    pub fn build(self) -> io::Result<Runtime> {
        if let Some(size) = self.stack_size {
            check_stack_size(size)?;
        }
        Runtime::new(&self)
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}
