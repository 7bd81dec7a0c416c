//! Green threads: the N:1 model. A thread is a fiber on the one OS thread that called `run`.
//!
//! ```
//! use trefoil_runtime::thread;
//!
//! let runtime = trefoil_green::Builder::new().build()?;
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
//! * The **worker** ([`trefoil_worker::Worker`]): a queue of ready threads, timers, a poller,
//!   stacks. Only the OS thread that called `run` touches it, so a yield, a local wake-up and a
//!   local park need no atomic read-modify-write.
//! * **Green** (`green.rs`): the contract's answers, one object per `run`. On the worker's OS
//!   thread it acts on the worker; from elsewhere it sends a message.
//! * The **schedule** (`schedule.rs`): the loop. It resumes what is ready, first in, first out;
//!   looks outside every so many rounds; sleeps in the poller when nothing is ready.
//! * A **deadlock** (`deadlock.rs`): nothing is ready, and nothing can become ready.
//!
//! # The end
//!
//! After the main thread has ended, the others are cancelled, again and again, until none is
//! left or the grace is over. What is left then can never run again: it is leaked with its
//! stack, since others may still borrow from it, and reported.
//!
//! # Rejected
//!
//! *Switching from fiber to fiber*, without the loop's stack between: it saves one switch of
//! about 3 ns per park, but a thread would be published as parked while its stack is in use.
#![forbid(unsafe_code)]

mod builder;
mod deadlock;
mod green;
mod runtime;
mod schedule;

pub use builder::Builder;
pub use runtime::Runtime;
