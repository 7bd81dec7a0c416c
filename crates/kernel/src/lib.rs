//! Kernel threads: the 1:1 model. A thread is a kernel thread; it waits in the kernel.
//!
//! The honest reference for the other two: preempted by the operating system, seen by every
//! debugger, stopped by nothing but its own waits.
//!
//! ```
//! use trefoil_runtime::thread;
//!
//! let runtime = trefoil_kernel::Builder::new().build()?;
//! let sum = runtime.run(|| {
//!     let threads: Vec<_> = (0..10).map(|n| thread::spawn(move || n * n)).collect();
//!     threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i32>()
//! });
//! assert_eq!(sum, 285);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What it decides:
//!
//! * **Starting.** A thread that has ended leaves its kernel thread waiting for a while for
//!   the next one, so short threads do not pay for making and ending kernel threads. A
//!   thread that asks for a stack size, a priority or an affinity of its own gets a kernel thread of
//!   its own, and so does what a thread with one of the latter two spawns: nobody can undo them.
//! * **Waiting.** A futex on the thread's state word; `ppoll(2)` for a descriptor,
//!   or the `recv(2)` itself ([`trefoil_runtime::os`]). A thread that waits looks awake for a few microseconds
//!   first, if a processor can be spared.
//!
//! A kernel thread serves one thread after the other. So a `std::thread_local!` may hold what
//! an earlier thread has left there.
#![forbid(unsafe_code)]

mod builder;
mod kernel;
mod runtime;

pub use builder::Builder;
pub use runtime::Runtime;
