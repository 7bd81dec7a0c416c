//! What a runtime can be given, whichever model it will have.
#![forbid(unsafe_code)]

use std::time::Duration;

use trefoil_runtime::thread::check_stack_size;
use trefoil_runtime::{Metering, Model, Monitoring, Relief};

use crate::compiled::Compiled;
use crate::error::{Error, MOST_WORKERS};
use crate::runtime::Runtime;
use crate::selection;

/// Makes a [`Runtime`].
///
/// Every setting is accepted with every model, so that a program does not change with its model;
/// each says to whom it matters.
///
/// ```
/// use trefoil::{Builder, Model, thread};
///
/// # if cfg!(not(feature = "kernel")) { return Ok(()); }
/// let runtime = Builder::new().model(Model::Kernel).build()?;
/// assert_eq!(runtime.run(|| thread::current().model()), Model::Kernel);
/// # Ok::<(), trefoil::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    pub(crate) model: Option<Model>,
    pub(crate) workers: Option<usize>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) main_stack_size: Option<usize>,
    #[cfg_attr(
        not(any(feature = "kernel", feature = "green", feature = "hybrid")),
        expect(dead_code, reason = "no runtime is there to be given it")
    )]
    pub(crate) grace: Option<Duration>,
    pub(crate) metering: Metering,
    pub(crate) monitoring: Monitoring,
    pub(crate) relief: Relief,
}

impl Builder {
    /// A builder that leaves everything to the environment, the features and the model. Does not
    /// wait.
    ///
    /// ```
    /// let runtime = trefoil::Builder::new().build()?;
    /// assert_eq!(runtime.run(|| 1 + 1), 2);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn new() -> Builder {
        Builder::default()
    }

    /// The model. It wins over `TREFOIL_MODEL`, which is then not read.
    ///
    /// ```
    /// use trefoil::{Builder, Model};
    ///
    /// # if cfg!(not(feature = "kernel")) { return Ok(()); }
    /// let runtime = Builder::new().model(Model::Kernel).build()?;
    /// assert_eq!(runtime.model(), Model::Kernel);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn model(self, model: Model) -> Builder {
        Builder {
            model: Some(model),
            ..self
        }
    }

    /// The number of OS threads on which the hybrid model runs its threads, from 1 to 1024.
    /// Without it there is one for each processor that the process may use: by its affinity mask, and by the
    /// quotas of its control groups. The other models have no such number; they
    /// accept it and go on as they are.
    ///
    /// ```
    /// use trefoil::Builder;
    ///
    /// let runtime = Builder::new().workers(2).build()?;
    /// assert!(runtime.workers() >= 1);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn workers(self, workers: usize) -> Builder {
        Builder {
            workers: Some(workers),
            ..self
        }
    }

    /// The stack size, in bytes, of threads that do not ask for one themselves; up to 1 GiB, and
    /// rounded up. It is address space: memory is used as the thread touches it. Without it each
    /// model has its own default: that of `std::thread` for kernel threads, 256 KiB for the
    /// others. The main thread of a `run` has [its own](Builder::main_stack_size), larger one.
    ///
    /// A thread that overflows its stack ends the process, with a report of its name, model and
    /// stack size.
    ///
    /// ```
    /// use trefoil::{Builder, thread};
    ///
    /// let runtime = Builder::new().stack_size(4 << 20).build()?;
    /// let length = runtime.run(|| {
    ///     let large = thread::spawn(|| std::hint::black_box([1_u8; 1 << 20]).len());
    ///     large.join().unwrap()
    /// });
    /// assert_eq!(length, 1 << 20);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn stack_size(self, size: usize) -> Builder {
        Builder {
            stack_size: Some(size),
            ..self
        }
    }

    /// The stack size of the main thread of a `run`, in bytes; up to 1 GiB, and rounded up. 8 MiB
    /// without it. The kernel model runs that thread on the caller's stack; it accepts the number
    /// and goes on as it is.
    ///
    /// ```
    /// use trefoil::Builder;
    ///
    /// let runtime = Builder::new().main_stack_size(64 << 20).build()?;
    /// assert_eq!(runtime.run(|| 1 + 1), 2);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn main_stack_size(self, size: usize) -> Builder {
        Builder {
            main_stack_size: Some(size),
            ..self
        }
    }

    /// How long [`Runtime::run`] waits, after its main thread has ended, for threads that it has
    /// asked to end. Five seconds without it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil::{Builder, thread};
    ///
    /// let runtime = Builder::new().grace(Duration::from_secs(60)).build()?;
    /// runtime.run(|| {
    ///     thread::spawn(|| thread::park()); // is asked to end, and does
    /// });
    /// assert!(runtime.leftover().is_empty());
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn grace(self, grace: Duration) -> Builder {
        Builder {
            grace: Some(grace),
            ..self
        }
    }

    /// Whether [`Runtime::stack_usage`] is to tell how deep the stacks of threads get. Without it,
    /// the environment variable `TREFOIL_STACK_USAGE` decides when the runtime is made: `1` or `on`
    /// measures, and `print` also has what is known printed when the runtime is dropped.
    ///
    /// It costs two to four system calls for each thread, more for stacks of several MiB, and the
    /// memory of a stack is not kept for the next thread: for a trial run, not for measuring speed.
    /// Where it is off, it costs nothing.
    ///
    /// ```
    /// use trefoil::Builder;
    ///
    /// let runtime = Builder::new().measure_stacks(true).build()?;
    /// runtime.run(|| ());
    /// assert_eq!(runtime.stack_usage()[0].threads, 1);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn measure_stacks(self, on: bool) -> Builder {
        Builder {
            metering: Metering::of(on),
            ..self
        }
    }

    /// Whether workers of green and hybrid threads are watched that do not come back to their scheduler, because a
    /// thread computes for long or blocks its OS thread, and after how long: [`Runtime::stalls`] tells of them.
    /// Without it, the environment variable `TREFOIL_MONITOR` decides when the runtime is made: `1` or `on`
    /// watches, with a limit of 10 ms, and `print` also names each place once on standard error.
    ///
    /// It takes an OS thread, which sleeps while all workers do. On the kernel model there is nothing to watch.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil::{Builder, Monitoring};
    ///
    /// let monitoring = Monitoring::After(Duration::from_millis(20));
    /// let runtime = Builder::new().monitoring(monitoring).build()?;
    /// runtime.run(|| ());
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn monitoring(self, monitoring: Monitoring) -> Builder {
        Builder { monitoring, ..self }
    }

    /// Whether the runtime learns which lines spawn threads that keep their worker from all others for long, and
    /// starts later threads of them on kernel threads, where the operating system takes turns; and how many at once.
    /// Without it, the environment variable `TREFOIL_RELIEF` decides when the runtime is made: `1` or `on` is up to 64.
    /// Where neither asks, every thread is of the runtime's model.
    ///
    /// A site, that is a line and the closure that it spawns, is learned when two stalls have been seen of it, and
    /// that was one in four of its threads or more; one of ten times the limit counts as two. It is forgotten when
    /// eight in a row of the threads that were moved would have stalled nobody. Workers are watched for that:
    /// [`monitoring`](Builder::monitoring) says what is long, 10 ms without it. [`Runtime::stalls`] tells which
    /// places are learned, and how many of their threads were moved.
    ///
    /// A thread that is moved has not started. It is a kernel thread in all that it does:
    /// [`Thread::model`](crate::thread::Thread::model) says so, it waits and is cancelled as one, has a kernel
    /// thread's stack, and cannot [`spawn_local`](crate::thread::spawn_local). Its name, its `thread_local!`s, its
    /// `run` and scope are what they were to be, and what it spawns has the runtime's model. Never moved are threads for
    /// which a [model](crate::thread::Builder::model) or a [stack size](crate::thread::Builder::stack_size) was
    /// asked, local threads, and the second half of a [`join`](crate::thread::join).
    ///
    /// On the kernel model there is nothing to move.
    ///
    /// # Errors
    ///
    /// By [`build`](Builder::build), of the kind `InvalidInput`: up to 0; or the monitoring was switched off. `Unsupported`: the feature `kernel` is not
    /// enabled.
    ///
    /// ```
    /// use trefoil::{Builder, Relief};
    ///
    /// # if cfg!(not(feature = "kernel")) { return Ok(()); }
    /// let runtime = Builder::new().relief(Relief::UpTo(16)).build()?;
    /// runtime.run(|| ());
    /// assert!(runtime.stalls().iter().all(|stall| stall.moved == 0));
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn relief(self, relief: Relief) -> Builder {
        Builder { relief, ..self }
    }

    /// Makes the runtime. The model is the one that was [asked for](Builder::model), else the one
    /// that the environment variable `TREFOIL_MODEL` names (set to nothing counts as not set),
    /// else the first of hybrid, green and kernel whose feature is enabled. The hybrid model
    /// starts its workers here and waits until they are ready; the others start nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`], [`Error::ModelNotCompiledIn`] and [`Error::NoModel`]: there is no
    /// such model. [`Error::Workers`]: 0 workers or more than 1024. [`Error::Io`]: a stack size of
    /// 0 or above 1 GiB; another environment variable of Trefoil holds what it cannot
    /// (`docs/environment.md` lists them); of the kind `OutOfMemory`, no room for so many workers; or
    /// what the operating system says when it refuses descriptors for a poller (each hybrid worker
    /// needs three).
    ///
    /// ```
    /// # if cfg!(not(feature = "green")) { return Ok(()); }
    /// use trefoil::{Builder, Error, Model};
    ///
    /// let runtime = Builder::new().model(Model::Green).build()?;
    /// assert_eq!(runtime.run(|| 1 + 1), 2);
    /// assert!(matches!(Builder::new().workers(0).build(), Err(Error::Workers(0))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn build(self) -> Result<Runtime, Error> {
        self.check()?;
        let model = selection::select(self.model)?;
        let prints = self.metering.is_to_print()?;
        // No model accepts what cannot be understood, also one that has no workers.
        self.monitoring.limit()?;
        self.relief
            .most(self.monitoring, cfg!(feature = "kernel"))?;
        Ok(Runtime::of(Compiled::new(model, &self)?, prints))
    }

    /// What no model accepts is refused with every model, also with one that would not use it.
    fn check(&self) -> Result<(), Error> {
        if let Some(workers) = self.workers
            && !(1..=MOST_WORKERS).contains(&workers)
        {
            return Err(Error::Workers(workers));
        }
        for size in [self.stack_size, self.main_stack_size]
            .into_iter()
            .flatten()
        {
            check_stack_size(size)?;
        }
        Ok(())
    }
}
