//! The hybrid model: M green threads on N worker OS threads, with work stealing.
//!
//! ```
//! use trefoil_runtime::thread;
//!
//! let runtime = trefoil_hybrid::Builder::new().workers(2).build()?;
//! let sum = runtime.run(|| {
//!     let threads: Vec<_> = (0..10).map(|n| thread::spawn(move || n * n)).collect();
//!     threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i32>()
//! });
//! assert_eq!(sum, 285);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The nouns
//!
//! * A **worker** is an OS thread with what [`trefoil_worker::Worker`] holds: started threads
//!   that are ready, timers, a poller, stacks. By Rule 1 a started thread stays with it.
//! * Its **spawn queue** holds threads that were spawned here and have not started: mere closures. The
//!   worker takes the oldest, and so do thieves; who joins one takes it from wherever it stands.
//! * The **injector** holds threads that were spawned from outside: a `run`, a thread of
//!   another runtime.
//! * **Commons** (`commons.rs`) answers for threads that migrate, where they do.
//! * **Idle** (`idle.rs`) knows who sleeps, whether somebody searches, and whether somebody
//!   watches.
//!
//! # What is hard
//!
//! *To wake a sleeping OS thread costs tens of microseconds, a fiber switch a few nanoseconds.*
//! A thread that is spawned and joined at once should run right here, and wake nobody. A
//! thread whose spawner goes on computing should run elsewhere. At the spawn, the two look
//! alike. So:
//!
//! 1. A spawn that makes its queue two long wakes a sleeper, if nobody searches: one of the two
//!    would wait.
//! 2. A lone new thread wakes nobody, as long as there is a *watcher*: a worker that sleeps with
//!    a timeout and looks around. Whoever looks takes a thread only from a worker that has not
//!    reached its loop for some microseconds, from one that computes; or from one that has many,
//!    and takes long for each.
//! 3. When all sleep, nobody watches, and the process uses no processor. So the first spawn
//!    after that wakes one, who becomes the watcher.
//! 4. A thread stays for life where it starts. So a worker that has far more started threads
//!    than one that rests *places* its next new thread there (`shared.rs`).
//!
//! *No wake-up may be lost.* Whoever adds work and whoever goes to sleep each write first and
//! look second, with a fence between: `idle.rs` has the steps and the loom model.
//!
//! # The loop
//!
//! ```text
//!   round: started and new threads by turns, 64 of them
//!     └─ look outside: inbox, timers, poller, injector
//!   nothing to run?  search (one worker at a time, others for messages)
//!     └─ found: start it; wake another, if there is more
//!     └─ not found: announce sleep, look once more, sleep in the poller
//! ```
//!
//! # The end
//!
//! `run` cancels what its main thread left behind. Dropping the runtime tells the workers to
//! end; one that owns a started thread that does not end goes on with it, for by Rule 2 it may
//! not leave. `drop` does not wait for those.
//!
//! # Rejected
//!
//! *Stealing started threads*: unsound in Rust (Rule 1), and so there only by an `unsafe` function,
//! [`Builder::migrating`], to be compared with. *Waking a worker at every spawn*, as
//! most do: measured, a spawn and join then costs a wake-up. *A lock-free injector*: it is
//! touched once per `run`.

#[cfg(not(trefoil_loom))]
mod builder;
#[cfg(not(trefoil_loom))]
mod commons;
#[cfg(all(test, not(trefoil_loom)))]
mod directions;
#[cfg(not(trefoil_loom))]
mod effort;
#[cfg(not(trefoil_loom))]
mod hybrid;
mod idle;
#[cfg(not(trefoil_loom))]
mod injector;
mod resting;
#[cfg(not(trefoil_loom))]
mod runtime;
#[cfg(not(trefoil_loom))]
mod schedule;
#[cfg(not(trefoil_loom))]
mod shared;

#[cfg(not(trefoil_loom))]
pub use builder::Builder;
#[cfg(not(trefoil_loom))]
pub use runtime::Runtime;
