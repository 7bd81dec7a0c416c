//! Threads, as in `std::thread`: spawn, join, scope, park, sleep.
//!
//! Everything works alike in all three models. From a plain `std::thread`, everything but
//! spawning works too; spawning needs a runtime.
//!
//! ```
//! use trefoil::thread;
//!
//! let greeting = trefoil::run(|| {
//!     let thread = thread::Builder::new().name("greeter".to_owned());
//!     let greeter = thread.spawn(|| format!("hello from {}", thread::current().name().unwrap()));
//!     greeter.unwrap().join().unwrap()
//! });
//! assert_eq!(greeting, "hello from greeter");
//! ```
//!
//! One thread of another model, among the others:
//!
//! ```
//! use trefoil::{Model, thread};
//!
//! # if cfg!(not(feature = "kernel")) { return; }
//! # fn fibonacci(n: u32) -> u64 { (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0 }
//! let number = trefoil::run(|| {
//!     let own = thread::Builder::new().model(Model::Kernel);
//!     let computes = own.spawn(|| fibonacci(80)).unwrap();
//!     computes.join().unwrap()
//! });
//! assert_eq!(number, 23_416_728_348_467_685);
//! ```
//!
//! Threads that share what is not `Send`: [`spawn_local`]. Variables of which every thread has its own:
//! [`thread_local!`](crate::thread_local!).
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//! use trefoil::{Builder, Model, thread};
//!
//! # if cfg!(not(feature = "green")) { return Ok(()); }
//! trefoil::thread_local!(static TURNS: Cell<u32> = const { Cell::new(0) });
//!
//! let runtime = Builder::new().model(Model::Green).build()?;
//! let sum = runtime.run(|| {
//!     let sum = Rc::new(Cell::new(0));
//!     let threads = [1, 2, 3].map(|n| {
//!         let sum = Rc::clone(&sum);
//!         thread::spawn_local(move || {
//!             TURNS.set(TURNS.get() + 1);
//!             thread::yield_now();
//!             sum.set(sum.get() + n);
//!             TURNS.get()
//!         })
//!     });
//!     // Each has counted for itself.
//!     assert_eq!(threads.map(|thread| thread.join().unwrap()), [1, 1, 1]);
//!     sum.get()
//! });
//! assert_eq!(sum, 6);
//! # Ok::<(), trefoil::Error>(())
//! ```
//!
//! A loop that computes calls [`checkpoint`]. Work is split by [`join`]. What a fiber must not be
//! suspended in stands in [`no_suspend`].
#![forbid(unsafe_code)]

pub use std::thread::{Result, available_parallelism};
pub use trefoil_runtime::thread::{
    AccessError, Builder, JoinFuture, JoinHandle, LocalJoinHandle, LocalKey, MAX_STACK_SIZE, Scope,
    ScopedJoinHandle, Thread, ThreadId, TryJoinHandle, TryScope, blocking, checkpoint, current,
    is_cancelled, join, no_suspend, panicking, park, park_timeout, scope, sleep, sleep_until,
    spawn, spawn_local, try_scope, uncancellable, yield_now,
};
