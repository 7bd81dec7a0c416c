//! A runtime as a value, whichever model it has; and the shortest way to run a program on one.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::{self, Write as _};

use trefoil_runtime::{Model, StackUsage, Stall, ThreadInfo, refuse_inside};

use crate::builder::Builder;
use crate::compiled::Compiled;
use crate::error::Error;

/// A runtime of the chosen model. Several can live in one process, of the same model or of
/// different ones, and what their threads share works across them.
///
/// Dropping it ends what it has started. The hybrid model waits for its workers meanwhile, for as
/// long as the [grace](Builder::grace) at most. A thread of one of its `run`s that has outlived
/// the `run`, and drops the last handle of the runtime, cannot wait: the runtime ends all the
/// same, and the drop panics, on every model, unless the thread unwinds already. So it is in a
/// [`thread::blocking`](crate::thread::blocking) call of such a thread.
/// Where the environment variable `TREFOIL_STACK_USAGE` is `print`, and the builder did not
/// [decide](Builder::measure_stacks), the drop first writes to the standard error what
/// [`stack_usage`](Runtime::stack_usage) knows.
///
/// ```
/// use trefoil::{Runtime, thread};
///
/// let runtime = Runtime::new()?;
/// let answer = runtime.run(|| thread::spawn(|| 6 * 7).join().unwrap());
/// assert_eq!(answer, 42);
/// # Ok::<(), trefoil::Error>(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    compiled: Compiled,
    /// What is known of its stacks is printed at its end.
    prints: bool,
}

impl Runtime {
    /// A runtime with all defaults, as [`Builder::build`] makes it.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    ///
    /// ```
    /// let runtime = trefoil::Runtime::new()?;
    /// assert_eq!(runtime.run(|| 1 + 1), 2);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    pub fn new() -> Result<Runtime, Error> {
        Builder::new().build()
    }

    /// Runs `f` as the main thread of this runtime, and returns its value. `f`, and all threads
    /// spawned below it, may use everything in [`thread`](crate::thread).
    ///
    /// The calling OS thread is blocked meanwhile; the kernel and the green model run `f` on it.
    ///
    /// When `f` has ended, threads that are still alive are cancelled and given the
    /// [grace](Builder::grace). Those that do not end in time are listed by
    /// [`leftover`](Runtime::leftover).
    ///
    /// Several OS threads may call it at the same time. A thread of a runtime may not, for it would
    /// block its OS thread; but a [`thread::blocking`] call of such a thread may run *another*
    /// runtime, of any model. It ends by itself there: its caller's cancellation does not reach it.
    ///
    /// [`thread::blocking`]: crate::thread::blocking
    ///
    /// # Panics
    ///
    /// With `f`'s panic. If the calling thread is a thread of a runtime already, and not in a
    /// blocking call; and in a blocking call of a thread of this runtime. Where the operating
    /// system refuses an OS thread to a blocking call, that counts as none. On the green model also if the process has no descriptors left for a poller, and in a deadlock, with a
    /// list of the threads that wait for each other; that is if no other OS thread of the process
    /// does anything, and nobody waits for a descriptor, a blocking call or a point in time.
    ///
    /// ```
    /// use trefoil::{Builder, thread};
    ///
    /// let runtime = Builder::new().build()?;
    /// let numbers = vec![1, 2, 3];
    /// let sum: i32 = runtime.run(move || {
    ///     thread::scope(|scope| scope.spawn(|| numbers.iter().sum()).join().unwrap())
    /// });
    /// assert_eq!(sum, 6);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    ///
    /// A library that runs a runtime of its own, called by a thread of another one:
    ///
    /// ```
    /// use trefoil::thread;
    ///
    /// fn library() -> u32 {
    ///     trefoil::run(|| thread::spawn(|| 42).join().unwrap())
    /// }
    ///
    /// assert_eq!(trefoil::run(|| thread::blocking(library)), 42);
    /// ```
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.compiled.run(f)
    }

    /// The model that was chosen.
    ///
    /// ```
    /// use trefoil::{Builder, Model};
    ///
    /// # if cfg!(not(feature = "kernel")) { return Ok(()); }
    /// let runtime = Builder::new().model(Model::Kernel).build()?;
    /// assert_eq!(runtime.model(), Model::Kernel);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    #[must_use]
    pub fn model(&self) -> Model {
        self.compiled.model()
    }

    /// How many threads can run at the same moment: on the hybrid model as many as it has
    /// workers, on the green model one, on the kernel model as many as the process may use
    /// processors.
    ///
    /// ```
    /// assert!(trefoil::Runtime::new()?.workers() >= 1);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    #[must_use]
    pub fn workers(&self) -> usize {
        self.compiled
            .workers()
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// The threads that did not end in time after their `run` had ended: what each was doing at
    /// that moment. Nothing is torn down under a thread that does not end. On the kernel and the
    /// hybrid model it goes on; on the green model it never runs again.
    ///
    /// ```
    /// let runtime = trefoil::Runtime::new()?;
    /// runtime.run(|| ());
    /// assert!(runtime.leftover().is_empty());
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    #[must_use]
    pub fn leftover(&self) -> Vec<ThreadInfo> {
        self.compiled.leftover()
    }

    /// How deep the stacks of threads got: for each place that spawned some, how many have ended,
    /// and what the deepest one used of its stack, in bytes; the deepest first. Empty unless the
    /// runtime [measures](Builder::measure_stacks). A thread that has no `Runtime` at hand asks
    /// [`trefoil::stack_usage`](crate::stack_usage).
    ///
    /// The place is the line that called [`thread::spawn`](crate::thread::spawn) or another function
    /// that spawns; for the main thread, the one that called `run`. A function that is passed as a
    /// value, as in `.map(thread::spawn)`, is called by `core`, and the place is one in there: write
    /// `.map(|work| thread::spawn(work))`.
    ///
    /// A thread counts once it has ended: whoever has joined it finds it here. A thread that is left
    /// over, or whose closure never ran because it was cancelled before, does not count.
    ///
    /// The figures are less than a page too large, and never larger than the stack. On green and
    /// hybrid what [`thread::blocking`] runs elsewhere is no part of them. A kernel thread's include
    /// what the C library keeps at the top of its stack;
    /// those of the kernel model's main thread all that the caller of `run` has used. A page that
    /// was swapped out is missed. Where more is memory than was touched (`mlockall(2)`, huge pages
    /// for stacks) the figures are too large.
    ///
    /// # Choosing a size
    ///
    /// Have the program do its worst, then take the deepest use and add a margin, of 32 KiB or more,
    /// for what did not happen: a panic needs 5 KiB more, and 21 KiB if its hook prints a
    /// backtrace; a signal handler that runs on the thread's stack 2 to 4 KiB and what itself
    /// uses. Give the sum to [`thread::Builder::stack_size`] where the thread is spawned, or
    /// to [`Builder::stack_size`]. Frames are larger in a debug build, so measure the build
    /// that is to run.
    ///
    /// [`thread::blocking`]: crate::thread::blocking
    /// [`thread::Builder::stack_size`]: crate::thread::Builder::stack_size
    ///
    /// ```
    /// use trefoil::{Builder, thread};
    ///
    /// fn parse(depth: usize) -> usize {
    ///     let text = std::hint::black_box([b'('; 1024]);
    ///     let below = if depth == 0 { 0 } else { parse(depth - 1) };
    ///     below + usize::from(text[depth] == b'(')
    /// }
    ///
    /// let runtime = Builder::new().measure_stacks(true).build()?;
    /// runtime.run(|| {
    ///     let parser = thread::spawn(|| parse(40));
    ///     thread::spawn(|| ()).join().unwrap();
    ///     parser.join().unwrap()
    /// });
    /// for place in runtime.stack_usage() {
    ///     // src/main.rs:12:18: 1 thread, the deepest used 56 KiB of a stack of 256 KiB
    ///     println!("{place}");
    /// }
    /// assert!(runtime.stack_usage()[0].deepest >= 40 << 10);
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    #[must_use]
    pub fn stack_usage(&self) -> Vec<StackUsage> {
        self.compiled.stack_usage()
    }

    /// Threads that kept their worker from all others for too long, by the place that spawned them; the longest
    /// first. Empty unless [workers are watched](Builder::monitoring), and on the kernel model, on which no thread
    /// keeps another one from running. Does not wait, but for a lock that nobody holds for long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trefoil::{Builder, Model, Monitoring, thread};
    ///
    /// let limit = Monitoring::After(Duration::from_millis(5));
    /// let runtime = Builder::new().monitoring(limit).build()?;
    /// runtime.run(|| {
    ///     // It does not park: no other thread of the worker runs meanwhile.
    ///     thread::spawn(|| std::thread::sleep(Duration::from_millis(100))).join().unwrap()
    /// });
    /// for stall in runtime.stalls() {
    ///     println!("{stall}");
    /// }
    /// assert_eq!(runtime.stalls().len(), usize::from(runtime.model() != Model::Kernel));
    /// # Ok::<(), trefoil::Error>(())
    /// ```
    #[must_use]
    pub fn stalls(&self) -> Vec<Stall> {
        self.compiled.stalls()
    }

    pub(crate) fn of(compiled: Compiled, prints: bool) -> Runtime {
        Runtime { compiled, prints }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.prints {
            print(self.model(), &self.stack_usage());
        }
    }
}

/// Says how deep stacks got, for a program that does not ask itself. Written at once, so that the
/// lines stay together.
#[cold]
fn print(model: Model, usage: &[StackUsage]) {
    if usage.is_empty() {
        return;
    }
    let mut text = format!("stack usage of the {model} runtime, the deepest first:\n");
    for site in usage {
        let _ = writeln!(text, "  {site}");
    }
    // Nobody is left to be told that this failed.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Runs `f` as the main thread of a runtime with all defaults, and returns its value:
/// [`Runtime::new`], [`Runtime::run`], and an end.
///
/// The calling OS thread is blocked meanwhile. A thread of a runtime calls it inside
/// [`thread::blocking`](crate::thread::blocking). To choose a model or other settings in the source,
/// or to learn which threads did not end, use a [`Builder`].
///
/// # Panics
///
/// With `f`'s panic. If there is no runtime, with the sentence of the [`Error`]. And where
/// [`Runtime::run`] does.
///
/// ```
/// use trefoil::{channel, thread};
///
/// let sum = trefoil::run(|| {
///     let (numbers, all) = channel::unbounded();
///     for n in 1..=10 {
///         let numbers = numbers.clone();
///         thread::spawn(move || numbers.send(n).unwrap());
///     }
///     drop(numbers);
///     all.iter().sum::<u32>()
/// });
/// assert_eq!(sum, 55);
/// ```
#[track_caller]
pub fn run<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // Before workers are started in vain.
    refuse_inside();
    match Runtime::new() {
        Ok(runtime) => runtime.run(f),
        Err(error) => panic!("{error}"),
    }
}
