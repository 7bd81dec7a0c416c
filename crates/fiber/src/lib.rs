//! Stacks and the switch between them.
//!
//! * [`StackPool`] owns the memory of all stacks; any OS thread reserves, takes and gives back.
//! * [`LocalStacks`] is one worker's cache over a pool: no lock and no atomic operation on a hit.
//! * [`Fiber`] runs a function on a stack. [`Fiber::resume`] enters it, [`Fiber::suspend`] leaves
//!   it; each hands one word to the other side.
//!
//! Nothing here knows a scheduler: who is resumed, when, and on which OS thread, is decided above.
//!
//! ```
//! use trefoil_fiber::{Fiber, RawFiber, Resumed, StackPool};
//!
//! struct Greeter { fiber: Option<RawFiber>, said: Vec<usize> }
//!
//! unsafe fn greet(arg: *mut ()) {
//!     // SAFETY: `arg` is the `Greeter` below, which outlives the fiber.
//!     let me = unsafe { &mut *arg.cast::<Greeter>() };
//!     let fiber = me.fiber.unwrap();
//!     // SAFETY: `fiber` is the one that runs here.
//!     let answer = unsafe { Fiber::suspend(fiber, 1) };
//!     me.said.push(answer);
//! }
//!
//! let pool = StackPool::new();
//! let mut greeter = Greeter { fiber: None, said: Vec::new() };
//! let arg = (&raw mut greeter).cast();
//! // SAFETY: `greet` does not unwind, and `greeter` lives until it has finished.
//! let mut fiber = unsafe { Fiber::new(pool.get(256 * 1024)?, greet, arg) };
//! // SAFETY: the fiber does not run yet, so nothing else reads `greeter`.
//! unsafe { (*arg.cast::<Greeter>()).fiber = Some(fiber.as_raw()) };
//!
//! assert_eq!(fiber.resume(0), Resumed::Suspended(1));
//! assert_eq!(fiber.resume(7), Resumed::Finished);
//! pool.put(fiber.finish());
//! assert_eq!(greeter.said, [7]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # A slot and a slab
//!
//! A stack lives in a *slot*. Slots of one size class lie side by side in a *slab*, which is one
//! mapping, so that many stacks cost the kernel one entry in its map of the process:
//!
//! ```text
//!        a slab (one mmap)                        a slot
//!  high +------------------+            high +-------------------------+
//!       | slot n           |                 | colour: 0..=15 steps    |  so that equal frames of
//!       +------------------+                 |                         |  many fibers do not fall
//!       | slot n - 1       |                 +-------------------------+  into one cache set
//!       +------------------+                 | record of the fiber     |  <- Fiber points here
//!       ~ ...              ~                 +-------------------------+
//!       +------------------+                 | usable: at least the    |  grows downwards
//!       | slot 1           |                 | size of the class       |
//!       +------------------+                 ~                         ~
//!       | slot 0           |                 +-------------------------+
//!  low  +------------------+            low  | guard page              |  faults on any access
//!                                            +-------------------------+
//! ```
//!
//! Size classes are 64 KiB, 256 KiB, 1 MiB, 8 MiB and then powers of two up to 1 GiB. A slot is
//! two pages longer than its class, so guard page, colour and record take nothing from the size
//! that was asked for. All of it is virtual: a page becomes memory when it is first touched. The
//! first slab of a class takes 16 MiB of address space, each further one twice as much, up to
//! 256 MiB: a million stacks of 64 KiB are some 250 mappings, of 256 KiB a thousand.
//!
//! The guard page is made when a slot is first used, by `MADV_GUARD_INSTALL` where the kernel has
//! it (Linux 6.13), many in one system call; the slab stays one mapping. Otherwise by
//! `mprotect(2)`, which costs two mappings for each stack: then seven eighths of
//! `vm.max_map_count` are for stacks (28 000 by the kernel's default), and one more is an error
//! from [`StackPool::reserve`] that says so. A process that begins to lock its memory, by
//! `mlockall(2)`, goes over to the second method; then guard pages that are still to be made count,
//! also in slabs that were there before. The environment variable `TREFOIL_GUARD=mprotect` forces
//! the second method; it is read once. Another value is ignored here, and refused by
//! [`check_environment`].
//!
//! # From the spawn to the end
//!
//! ```text
//!   spawn            start                end
//!   reserve ───────► get ───────────────► put, unreserve        idle for a second: tidy
//!   (address space)  (guard, first touch)  (memory is kept: hot) (memory goes back, in portions)
//! ```
//!
//! A slab is taken only if 16 MiB of address space are left after it, for the rest of the process.
//! When one is refused, what is free of other sizes is unmapped at once, and it is tried again.
//!
//! Threads end in any order. Which of their stacks stay hot, and which are handed out first, is chosen
//! so that few slabs are in use, and the others become free and are unmapped: the head of
//! `shelf.rs` says how.
//!
//! So the kernel's refusal is told to whoever spawns, a thread that waits for its start costs no
//! memory for a stack, and a stack is hot when it is used again.
//!
//! # Rule 3
//!
//! The stack of a fiber that has neither returned nor fully unwound is never reused or unmapped.
//! Here that follows from ownership: only [`Fiber::finish`] makes a [`Stack`] of a fiber again, a
//! [`Stack`] that is dropped stays taken for ever, and a pool that is dropped unmaps only the
//! slabs whose slots are all back.

mod advice;
mod fiber;
mod guard;
mod local;
mod mapping;
mod pool;
mod prefetch;
mod quota;
mod shelf;
mod size;
mod slab;
mod stack;

pub use fiber::{Fiber, RawFiber, Resumed};
pub use guard::check_environment;
pub use local::LocalStacks;
pub use pool::{PoolStats, StackPool};
pub use prefetch::{prefetch, stack_pointer};
pub use size::{DEFAULT_STACK, MAX_STACK, MIN_STACK, check_size};
pub use stack::Stack;
