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
//! # Deadlocks
//!
//! [`Runtime::run`] panics with a list of its threads when it is certain that none of them can
//! go on. That is when both hold:
//!
//! * No thread of the `run` is ready, sleeps or waits with a time limit, waits for a descriptor,
//!   or waits for a call on another OS thread.
//! * The process has no OS thread that does anything but the one that called `run`. Not counted
//!   are those of Trefoil that wait for work: idle ones of the pool for blocking calls; those
//!   that kernel runtimes keep for their next threads; workers of hybrid runtimes on which no
//!   thread has started. Or the user has [promised](Builder::isolated) that no other OS thread
//!   wakes threads of this runtime.
//!
//! The first look is some 20 ms after all stood still, the next ones ever later, up to a second
//! apart; with the promise it is at once.
//!
//! It cannot be known, and `run` waits on, while there is
//!
//! * an OS thread that is not Trefoil's, whatever it does: a `std::thread`, the main thread of a
//!   program that runs green elsewhere and joins it, the threads of a test harness;
//! * a kernel thread that has not ended, even if it waits for a thread of this `run`;
//! * a thread of a hybrid runtime, or another green `run` on another OS thread;
//! * one thread of the `run` that waits in one of the ways above, though all others wait for
//!   each other: one that accepts connections, say.
//!
//! Nor where the kernel does not say how many threads the process has (there is no `/proc`).
//! [`trefoil_runtime::threads`] shows what every thread waits for, in all these cases.
//!
//! A program is taken for deadlocked though it is not if what it waits for would be done by the
//! destructor of a `thread_local!` of an OS thread that waits for work, and ends when it has
//! waited long enough.
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
