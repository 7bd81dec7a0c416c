//! Threads: spawn, join, scope, park, sleep, as in `std::thread`.
//!
//! Everything works alike in all three models. From a plain `std::thread`, everything but
//! spawning works too; spawning needs a runtime.

mod block;
mod builder;
#[cfg(feature = "fibers")]
pub(crate) mod fiber;
#[cfg(not(feature = "fibers"))]
#[path = "no_fiber.rs"]
pub(crate) mod fiber;
mod handle;
mod header;
mod join;
mod live;
mod new;
mod park;
mod scope;

pub use builder::{Builder, MAX_STACK_SIZE, check_stack_size, spawn};
#[cfg(feature = "fibers")]
pub use fiber::Left;
pub(crate) use handle::ThreadRef;
pub use handle::{Addressee, Mail, Thread};
pub(crate) use header::Header;
pub use header::ThreadId;
pub use join::JoinHandle;
pub use live::Live;
pub use new::NewThread;
pub(crate) use new::adopted;
pub use park::{
    blocking, current, deadline_after, panicking, park, park_timeout, sleep, sleep_until, yield_now,
};
pub use scope::{Scope, ScopedJoinHandle, scope};
