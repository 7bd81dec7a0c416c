//! One thread API, shaped like `std`, over three interchangeable runtimes.
//!
//! Write plain blocking Rust once: threads, locks, channels, sockets. Choose how its threads are
//! carried out by a Cargo feature, a builder or an environment variable, without another line
//! changed.
//!
//! ```
//! use trefoil::{channel, thread};
//!
//! #[trefoil::main]
//! fn main() {
//!     let (results, all) = channel::bounded(4);
//!     for n in 1..=100_u64 {
//!         let results = results.clone();
//!         thread::spawn(move || results.send(n * n).unwrap());
//!     }
//!     drop(results);
//!     assert_eq!(all.iter().sum::<u64>(), 338_350);
//! }
//! ```
//!
//! # The models
//!
//! A threading model is an answer to one question: what happens when a thread waits?
//!
//! | [`Model`] | a thread is | it waits by |
//! |---|---|---|
//! | `Kernel` (1:1) | a kernel thread | a futex, `ppoll(2)` or `recv(2)`: the kernel runs another |
//! | `Green` (N:1) | a fiber on the OS thread that called `run` | switching to the next fiber that is ready |
//! | `Hybrid` (M:N) | a fiber on one of several worker OS threads | the same, on its worker; idle workers steal threads that have not started |
//!
//! Kernel threads are preempted, may call whatever blocks, and are what debuggers know. Green
//! threads switch most cheaply and never run at the same time. Hybrid threads switch as cheaply
//! and use all processors.
//!
//! # How the model is chosen
//!
//! 1. The program says it: [`Builder::model`], or `#[trefoil::main(model = "green")]`.
//! 2. Else the environment variable `TREFOIL_MODEL`: `kernel`, `green` or `hybrid`. Set to nothing
//!    it counts as not set.
//! 3. Else the enabled Cargo features `hybrid`, `green` and `kernel`, in this order. `kernel` is
//!    the default feature.
//!
//! A model whose feature is not enabled is not compiled in. To ask for it is an [`Error`] that
//! lists what there is.
//!
//! A single thread may have another model than the rest, where both are compiled in: a thread
//! that computes for long gets a kernel thread of its own by [`thread::Builder::model`].
//!
//! # The program's entry
//!
//! [`#[trefoil::main]`](main) makes a function's body the main thread of a runtime. On the hybrid
//! model that is a thread of a worker, so what the function returns must be `Send`: write
//! `Result<(), Box<dyn Error + Send + Sync>>` for an error of any kind. [`run`] and
//! [`Runtime::run`] do the same by a call, and give the value back.
//!
//! When the main thread has ended, threads that are still alive are cancelled: they unwind out of
//! the next wait that is a cancellation point.
//!
//! # Tests
//!
//! [`#[trefoil::test]`](test) is for a test what [`#[trefoil::main]`](main) is for a program, and runs it
//! on every model that is compiled in. One that hangs is no riddle: it fails, and lists which of its
//! threads waits for what, and where.
//!
//! ```test_harness
//! use trefoil::{channel, thread};
//!
//! #[trefoil::test]
//! fn a_sum_comes_out_of_a_channel() {
//!     let (numbers, all) = channel::bounded(4);
//!     let adder = thread::spawn(move || all.iter().sum::<u32>());
//!     for n in 1..=10 {
//!         numbers.send(n).unwrap();
//!     }
//!     drop(numbers); // else the adder would wait for more, and the test hang
//!     assert_eq!(adder.join().unwrap(), 55);
//! }
//! ```
//!
//! # What works together
//!
//! Locks, channels, sockets and join handles belong to no model. They work between threads of any
//! two runtimes in a process, and from a plain `std::thread`: the thread that waits decides how it
//! waits, never the object. Only spawning needs a runtime.
//!
//! A call that blocks the OS thread, such as reading a file by `std::fs` or a lock of `std::sync`
//! that is held for long, stops the neighbours of a green or hybrid thread. [`fs`], [`io`] and [`sync`] do
//! not; [`thread::blocking`] takes what else blocks elsewhere.
//!
//! # A stack overflow
//!
//! A thread that overflows its stack ends the process, on every model and as with `std`, with a
//! report on the standard error:
//!
//! ```text
//! thread 'deep' (green, 256 KiB stack) has overflowed its stack
//! help: give it a larger one by `thread::Builder::stack_size`, or all threads by `stack_size` of the runtime's builder
//! fatal runtime error: stack overflow, aborting
//! ```
//!
//! For that the first runtime installs a handler for SIGSEGV and SIGBUS. What is no such overflow
//! goes to the handler that was there before: `std`'s, or the program's own if it was installed
//! earlier. Where there was none, the process dies of the signal, also of one that somebody sent;
//! where it was ignored, a signal that was sent still is. A handler that the program installs later
//! replaces this one, and may call it for what it does not handle itself.
//!
//! A crash reporter may be installed before the first runtime and once more after it. Each then has
//! the other as the handler before it. This one calls an earlier handler once for each signal that
//! comes; asked again for the same signal it calls nobody, and the process dies of it. The report is
//! written twice then. A reporter that calls nobody, but puts back what it found and returns, must
//! not be installed twice: it puts back this handler, which calls the reporter, without end.
//!
//! The environment variable `TREFOIL_OVERFLOW=off` switches the handler off, for AddressSanitizer and
//! the like.
//!
//! How large a stack has to be is told by [`Runtime::stack_usage`], and inside a run by
//! [`stack_usage`]: for each place that spawns threads, the deepest use seen. The builder switches it
//! on ([`Builder::measure_stacks`]), or the environment variable `TREFOIL_STACK_USAGE=1`. With
//! `TREFOIL_STACK_USAGE=print` each runtime that ends writes it to the standard error, and the
//! program stays as it is:
//!
//! ```text
//! stack usage of the hybrid runtime, the deepest first:
//!   src/server.rs:41:17: 1000 threads, the deepest used 104 KiB of a stack of 256 KiB
//!   src/main.rs:7:1: 1 thread, the deepest used 12 KiB of a stack of 8192 KiB
//! ```
//!
//! # The environment
//!
//! | variable | values | what it does |
//! |---|---|---|
//! | `TREFOIL_MODEL` | `kernel`, `green`, `hybrid` | chooses the model, where the program does not |
//! | `TREFOIL_STACK_USAGE` | `1` or `on`, `0` or `off`, `print` | measures stacks, where the builder does not decide |
//! | `TREFOIL_RELIEF` | `1` or `on`, `0` or `off` | moves threads that keep workers to kernel threads, where the builder does not decide |
//! | `TREFOIL_OVERFLOW` | `1` or `on`, `0` or `off` | whether a stack overflow is reported: `on` |
//! | `TREFOIL_GUARD` | `mprotect` | makes guard pages as older kernels do, on green and hybrid |
//! | `TREFOIL_TEST_TIMEOUT` | seconds; 0: none | how long a [`#[trefoil::test]`](test) may take: 60 |
//!
//! One that is set to nothing counts as not set. Another value is an [`Error`] of
//! [`Builder::build`], and a panic of [`run`].
#![forbid(unsafe_code)]

mod builder;
mod case;
mod compiled;
mod error;
mod private;
mod runtime;
mod selection;
pub mod thread;
mod watchdog;

pub use builder::Builder;
pub use error::Error;
pub use runtime::{Runtime, run};
pub use trefoil_macros::{main, test};
pub use trefoil_runtime::cancel::Cancelled;
pub use trefoil_runtime::{
    BlockingStats, Model, Monitoring, Reason, Relief, RunState, StackUsage, Stall, ThreadInfo,
    UnknownModel, Waiting, blocking_stats, in_runtime, stack_usage, thread_local, threads,
};

/// Channels between threads, as in `crossbeam-channel`.
///
/// A receiver that finds no message and a sender that finds no room park their thread.
///
/// ```
/// use trefoil::channel::bounded;
///
/// let (sender, receiver) = bounded(1);
/// sender.send("hello").unwrap();
/// assert_eq!(receiver.recv(), Ok("hello"));
/// ```
pub mod channel {
    pub use trefoil_sync::channel::*;
}

/// Locks and their kin, as in `std::sync`, whose [`Arc`](sync::Arc), [`atomic`](sync::atomic)s and
/// errors they are used with.
///
/// Where `std` blocks the OS thread, these park the thread. They may be held across any wait.
/// To make an object, to clone and to drop a handle of one never waits. Inside
/// [`thread::no_suspend`] a call that would have to wait panics instead.
///
/// ```
/// use trefoil::sync::{Arc, Mutex};
/// use trefoil::thread;
///
/// let count = trefoil::run(|| {
///     let count = Arc::new(Mutex::new(0));
///     let adders: Vec<_> = (0..10)
///         .map(|_| {
///             let count = Arc::clone(&count);
///             thread::spawn(move || *count.lock().unwrap() += 1)
///         })
///         .collect();
///     adders.into_iter().for_each(|adder| adder.join().unwrap());
///     *count.lock().unwrap()
/// });
/// assert_eq!(count, 10);
/// ```
pub mod sync {
    pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};
    pub use trefoil_sync::{
        Barrier, BarrierWaitResult, CancellationToken, Condvar, DropGuard, LazyLock, Mutex,
        MutexGuard, Once, OnceLock, OnceState, OwnedSemaphorePermit, RwLock, RwLockReadGuard,
        RwLockWriteGuard, Semaphore, SemaphorePermit, WaitGroup, WaitTimeoutResult, mpsc, oneshot,
    };
}

/// Waiting for what async code computes.
///
/// ```
/// use trefoil::future::block_on;
///
/// let sum = trefoil::run(|| block_on(async { 1 + 1 }));
/// assert_eq!(sum, 2);
/// ```
pub mod future {
    pub use trefoil_runtime::future::block_on;
}

/// Time: limits for whatever a call waits for, and ticks.
///
/// ```
/// use trefoil::time::{Duration, Elapsed, timeout};
/// use trefoil::thread;
///
/// let result = trefoil::run(|| timeout(Duration::from_millis(1), thread::park));
/// assert_eq!(result, Err(Elapsed));
/// ```
pub mod time {
    pub use std::time::{Duration, Instant, SystemTime, SystemTimeError, UNIX_EPOCH};
    pub use trefoil_runtime::thread::{sleep, sleep_until};
    pub use trefoil_runtime::time::{
        Elapsed, Interval, MissedTickBehavior, interval, interval_at, timeout, timeout_at,
    };
}

/// Sockets, as in `std::net`. Those of Unix are in [`os::unix::net`], pipes in [`io`].
///
/// A call that would wait parks its thread. Others of the same OS thread go on.
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _) = listener.accept()?;
/// client.write_all(b"hello")?;
/// let mut heard = [0; 5];
/// server.read_exact(&mut heard)?;
/// assert_eq!(&heard, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # A server
///
/// One thread accepts, and each connection has a thread of its own. That balances by itself: on
/// hybrid a new thread starts on whichever worker has nothing to do.
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil::net::{TcpListener, TcpStream};
/// use trefoil::thread;
///
/// fn serve(mut connection: TcpStream) -> std::io::Result<()> {
///     let mut request = [0; 4];
///     connection.read_exact(&mut request)?;
///     connection.write_all(&request)
/// }
///
/// fn accept(listener: TcpListener) {
///     for connection in listener.incoming() {
///         match connection {
///             // The handle is dropped: nobody joins it.
///             Ok(connection) => drop(thread::spawn(move || serve(connection))),
///             // Of one connection, or for want of descriptors: then `accept` has paused.
///             Err(refused) => eprintln!("not accepted: {refused}"),
///         }
///     }
/// }
///
/// trefoil::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     // At the end of the `run` it is cancelled.
///     thread::spawn(move || accept(listener));
///     # let mut clients = Vec::new();
///     for _ in 0..10 {
///         let mut client = TcpStream::connect(address)?;
///         client.write_all(b"ping")?;
///         # clients.push(client);
///     }
///     # for mut client in clients {
///     #     let mut heard = [0; 4];
///     #     client.read_exact(&mut heard)?;
///     #     assert_eq!(&heard, b"ping");
///     # }
///     # Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Where accepting itself is too much for one thread, several listeners of one address share the
/// connections, each with its own accepting thread:
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil::net::{TcpListener, TcpStream};
/// use trefoil::thread;
///
/// trefoil::run(|| {
///     let shards = TcpListener::builder().bind_sharded("127.0.0.1:0", 2)?;
///     let address = shards[0].local_addr()?;
///     for listener in shards {
///         thread::spawn(move || {
///             for mut connection in listener.incoming().flatten() {
///                 thread::spawn(move || connection.write_all(b"welcome"));
///             }
///         });
///     }
///     for _ in 0..10 {
///         let mut greeting = String::new();
///         TcpStream::connect(address)?.read_to_string(&mut greeting)?;
///         assert_eq!(greeting, "welcome");
///     }
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub mod net {
    pub use trefoil_net::{
        DescriptorsExhausted, Incoming, Shutdown, TcpListener, TcpListenerBuilder, TcpStream,
        ToSocketAddrs, UdpSocket,
    };
}

/// Child processes, as in `std::process`.
///
/// Waiting for a child, and for its pipes, parks the thread. Others of the same OS thread go on.
///
/// ```
/// use trefoil::process::Command;
///
/// let output = trefoil::run(|| Command::new("echo").arg("hello").output())?;
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub mod process {
    pub use trefoil_net::process::*;
}

/// Signals, as messages.
///
/// ```
/// use trefoil::channel::{never, select};
/// use trefoil::signal::{SIGTERM, on};
/// use trefoil::time::Duration;
///
/// let end = on(SIGTERM)?;
/// let requests = never::<u32>();
/// select! {
///     recv(requests) -> request => println!("{request:?}"),
///     recv(end) -> _ => println!("ending"),
///     default(Duration::from_millis(1)) => println!("nothing to do"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub mod signal {
    pub use trefoil_net::signal::*;
}

/// Files and directories, as in `std::fs`.
///
/// A call that may wait parks its thread, on every model. Others of the same OS thread go on.
///
/// ```
/// let name = trefoil::run(|| trefoil::fs::read_to_string("/proc/self/comm"))?;
/// assert!(name.ends_with('\n'));
/// # Ok::<(), std::io::Error>(())
/// ```
pub mod fs {
    pub use trefoil_net::fs::*;
}

/// Readers and writers, as in `std::io`, whose traits and types these are. Standard input and output park
/// their thread, where `std`'s block the OS thread.
///
/// ```
/// use trefoil::io::{self, Write};
///
/// trefoil::run(|| writeln!(io::stdout(), "hello"))?;
/// # Ok::<(), io::Error>(())
/// ```
pub mod io {
    pub use trefoil_net::io::*;
    pub use trefoil_net::{PipeReader, PipeWriter, pipe};
}

/// What `std` has for one operating system only, by the same paths.
///
/// ```
/// use std::io::{Read, Write};
/// use trefoil::os::unix::net::UnixStream;
///
/// let heard = trefoil::run(|| {
///     let (mut left, mut right) = UnixStream::pair()?;
///     left.write_all(b"hello")?;
///     drop(left);
///     let mut heard = String::new();
///     right.read_to_string(&mut heard).map(|_| heard)
/// });
/// assert_eq!(heard?, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub mod os {
    /// As `std::os::unix`.
    pub mod unix {
        /// Sockets with names in the file system, as in `std::os::unix::net`.
        pub use trefoil_net::unix as net;
    }
}

/// The hybrid runtime by itself, for what [`Builder`] does not offer: threads that
/// [migrate](hybrid::Builder::migrating), which is `unsafe`, and there to measure what it costs that they do not.
///
/// ```
/// let runtime = trefoil::hybrid::Builder::new().workers(2).build()?;
/// assert_eq!(runtime.run(|| 1 + 1), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "hybrid")]
pub mod hybrid {
    pub use trefoil_hybrid::{Builder, Runtime};
}

/// For the attributes' expansions alone.
#[doc(hidden)]
pub mod __private {
    pub use crate::case::Case;
    pub use crate::private::exit_with;
    pub use crate::{
        __green as green, __hybrid as hybrid, __kernel as kernel, __no_model as no_model,
    };
}

/// The programs of the documents are run as tests.
#[cfg(doctest)]
mod documents {
    // Its program asks for the hybrid model, and has no line that only tests need.
    #[cfg(feature = "hybrid")]
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/architecture.md")]
    struct Architecture;

    #[doc = include_str!("../../../docs/unsafe.md")]
    struct Unsafe;

    #[doc = include_str!("../../../docs/cancellation.md")]
    struct Cancellation;

    #[doc = include_str!("../../../docs/blocking.md")]
    struct Blocking;

    #[doc = include_str!("../../../docs/soundness.md")]
    struct Soundness;

    #[doc = include_str!("../../../docs/scaling.md")]
    struct Scaling;

    #[doc = include_str!("../../../docs/environment.md")]
    struct Environment;

    #[doc = include_str!("../../../docs/porting.md")]
    struct Porting;

    /// A test for a model that is not compiled in.
    ///
    /// ```compile_fail,test_harness
    /// #[trefoil::test(model = "kernel")]
    /// fn it_works() {}
    /// ```
    #[cfg(not(feature = "kernel"))]
    struct WithoutKernel;

    /// ```compile_fail,test_harness
    /// #[trefoil::test(model = "green")]
    /// fn it_works() {}
    /// ```
    #[cfg(not(feature = "green"))]
    struct WithoutGreen;

    /// ```compile_fail,test_harness
    /// #[trefoil::test(models("kernel", "green", "hybrid"))]
    /// fn it_works() {}
    /// ```
    #[cfg(not(feature = "hybrid"))]
    struct WithoutHybrid;
}
