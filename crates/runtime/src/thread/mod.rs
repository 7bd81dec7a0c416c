//! Threads: spawn, join, scope, park, sleep, as in `std::thread`.
//!
//! Everything works alike in all three models. From a plain `std::thread`, everything but
//! spawning works too; spawning needs a runtime.
//!
//! No runtime is below this crate, so an example that spawns runs in a small one of its own, whose
//! lines are hidden: `in_a_run.md`.

mod block;
mod builder;
mod checkpoint;
#[cfg(feature = "fibers")]
pub(crate) mod fiber;
#[cfg(not(feature = "fibers"))]
#[path = "no_fiber.rs"]
pub(crate) mod fiber;
mod fork;
mod handle;
mod header;
mod inline;
mod join;
mod join_future;
mod kind;
mod live;
mod local;
mod local_thread;
mod locals;
mod moving;
mod new;
mod park;
mod reuse;
#[cfg(feature = "fibers")]
mod roaming;
mod scope;
mod try_scope;

pub use crate::no_suspend::no_suspend;
pub use builder::{Builder, MAX_STACK_SIZE, check_stack_size, spawn};
pub(crate) use checkpoint::Slice;
pub use checkpoint::checkpoint;
#[cfg(feature = "fibers")]
pub use fiber::Left;
pub use fork::join;
pub(crate) use handle::ThreadRef;
pub use handle::{Addressee, Mail, Thread};
pub(crate) use header::Header;
pub use header::ThreadId;
pub use join::JoinHandle;
pub use join_future::JoinFuture;
pub use live::Live;
pub use local::{AccessError, LocalKey};
pub use local_thread::{LocalJoinHandle, spawn_local};
pub use new::NewThread;
pub(crate) use new::adopted;
pub use park::{
    blocking, current, deadline_after, is_cancelled, panicking, park, park_timeout, sleep,
    sleep_until, uncancellable, yield_now,
};
#[cfg(feature = "fibers")]
pub use roaming::{Returned, Roaming, RoamingQueue, RoamingStealer, Woken};
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use try_scope::{TryJoinHandle, TryScope, try_scope};
