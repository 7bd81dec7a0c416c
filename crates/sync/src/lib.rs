//! Locks and channels for threads of every model, written once over [`trefoil_runtime::Waiter`].
//!
//! What is here has the names, the signatures and the meaning of `std::sync`, and `channel` those
//! of `crossbeam-channel`. A thread that has to wait is parked by its own model, and the object
//! does not know which: the same lock serves fibers, kernel threads and plain `std::thread`s.
//!
//! ```text
//!   Mutex · RwLock · Condvar · Once · OnceLock · LazyLock · Barrier · Semaphore · WaitGroup
//!   mpsc · oneshot · channel
//!   ─────────────────────────────┬──────────────────────────────────────────────
//!      lock, sharing: the words  │  queue: who waits, on whose stack; gate: a state and a queue
//!   ─────────────────────────────┴──────────────────────────────────────────────
//!                          trefoil_runtime::{Waiter, Spin}
//! ```
//!
//! All stable names of `std::sync` in Rust 1.95 are here or, for `Arc`, `Weak`, `atomic` and the errors,
//! `std`'s own in the facade; its test `std_sync` compiles one program with both. What `std` has not
//! made stable is not here: mapped guards, `get_or_try_init`, `Mutex::set`, `ReentrantLock`, `mpmc`
//! (that is `channel`).
//!
//! It starts no threads, allocates nothing to wait, and knows no runtime.
//!
//! To make an object, to clone and to drop a handle of one never waits. Inside
//! [`no_suspend`](trefoil_runtime::thread::no_suspend) a call that would have to wait panics instead.

// A model uses a part of the crate.
#![cfg_attr(trefoil_loom, allow(dead_code, unreachable_pub))]

mod atomic;
#[cfg(not(trefoil_loom))]
mod barrier;
mod budget;
pub mod channel;
#[cfg(not(trefoil_loom))]
mod condvar;
mod gate;
#[cfg(not(trefoil_loom))]
mod lazy_lock;
mod lock;
#[cfg(not(trefoil_loom))]
pub mod mpsc;
#[cfg(not(trefoil_loom))]
mod mutex;
mod notices;
mod once;
#[cfg(not(trefoil_loom))]
mod once_lock;
#[cfg(not(trefoil_loom))]
pub mod oneshot;
#[cfg(not(trefoil_loom))]
mod poison;
mod queue;
#[cfg(not(trefoil_loom))]
mod rwlock;
#[cfg(not(trefoil_loom))]
mod semaphore;
mod sharing;
mod token;
mod turnstile;
#[cfg(not(trefoil_loom))]
mod wait_group;

#[cfg(not(trefoil_loom))]
pub use self::objects::*;
#[cfg(not(trefoil_loom))]
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

/// What loom's models do not need, and loom could not run.
#[cfg(not(trefoil_loom))]
mod objects {
    pub use crate::barrier::{Barrier, BarrierWaitResult};
    pub use crate::condvar::{Condvar, WaitTimeoutResult};
    pub use crate::lazy_lock::LazyLock;
    pub use crate::mutex::{Mutex, MutexGuard};
    pub use crate::once::{Once, OnceState};
    pub use crate::once_lock::OnceLock;
    pub use crate::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub use crate::semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
    pub use crate::token::{CancellationToken, DropGuard};
    pub use crate::wait_group::WaitGroup;
}
