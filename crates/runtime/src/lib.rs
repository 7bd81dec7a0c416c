//! The contract that Trefoil's three thread runtimes share, and what is built directly on it.
//!
//! ```text
//!   sync, net, programs                 thread::{spawn, park, sleep, …}, Waiter, Source
//!  ───────────────────────────────────────────────┬─────────────────────────────────────
//!   this crate: written once          control block · state word · current thread · registry
//!  ───────────────────────────────────────────────┼─────────────────────────────────────
//!   kernel    green    hybrid                trait Runtime: start, park, wake, yield_now,
//!                                            wait_ready, blocking, now
//! ```
//!
//! A threading model is an answer to one question: what happens when a thread waits? So
//! [`Runtime`] is small and raw, and all comfort is built once above it, from two things:
//!
//! * [`Waiter`]: one wait of one thread, fired once by whoever makes its condition true.
//!   Locks, channels and joins are built on it. It does not matter which model the two
//!   threads belong to: the thread that waits decides how it waits.
//! * [`Source`]: a descriptor that threads wait for.
//!
//! For those who write a runtime there is, besides the trait: [`NewThread`] (a thread that is
//! only its closure), [`Live`] (the right to run a started one), [`Owner`] and [`Owned`]
//! (the OS thread that owns fibers), [`ReadyQueue`], [`SpawnQueue`], [`Inbox`] and [`Mail`] (wake-ups from
//! other OS threads), [`Runs`] and [`Domain`] (the threads of one `run`), [`os`] (how a kernel
//! thread waits), [`launch`](fn@launch) (OS threads, while there is room), [`Pool`] and
//! [`offload`](fn@offload) (blocking calls), [`Idlers`] and [`is_alone`] (who has nothing to do),
//! [`overflow`] (the report of a stack overflow), [`Meter`] and [`Metering`] (how deep stacks get).
//!
//! It starts no OS thread but those of its pools, and those that a runtime asks for. It prints nothing and never ends the process,
//! but at a stack overflow.

// A model uses a part of the crate.
#![cfg_attr(trefoil_loom, allow(dead_code))]

#[cfg(not(trefoil_loom))]
mod alone;
mod atomic;
mod attention;
#[cfg(not(trefoil_loom))]
mod caller;
#[cfg(not(trefoil_loom))]
pub mod cancel;
#[cfg(not(trefoil_loom))]
pub mod clock;
#[cfg(not(trefoil_loom))]
mod contract;
#[cfg(not(trefoil_loom))]
mod current;
#[cfg(not(trefoil_loom))]
mod domain;
#[cfg(not(trefoil_loom))]
pub mod future;
mod habits;
#[cfg(not(trefoil_loom))]
mod hogs;
mod idlers;
mod inbox;
#[cfg(not(trefoil_loom))]
mod interval;
mod join_word;
#[cfg(not(trefoil_loom))]
mod launch;
#[cfg(not(trefoil_loom))]
pub mod limit;
mod model;
#[cfg(not(trefoil_loom))]
mod monitoring;
mod no_suspend;
#[cfg(not(trefoil_loom))]
mod no_unwind;
#[cfg(not(trefoil_loom))]
mod offload;
#[cfg(not(trefoil_loom))]
pub mod os;
#[cfg(not(trefoil_loom))]
pub mod overflow;
#[cfg(not(trefoil_loom))]
mod owner;
#[cfg(not(trefoil_loom))]
mod pool;
#[cfg(not(trefoil_loom))]
mod ready;
mod reason;
#[cfg(not(trefoil_loom))]
mod registry;
#[cfg(not(trefoil_loom))]
mod relief;
#[cfg(not(trefoil_loom))]
mod run;
#[cfg(not(trefoil_loom))]
mod source;
/// What is known of a descriptor, without the descriptor.
#[cfg(trefoil_loom)]
mod source {
    mod directions;
    mod interest;
    mod readiness;
    mod side;
    pub use directions::Directions;
    pub use interest::Interest;
    pub use readiness::{Poller, Readiness};
}
#[cfg(not(trefoil_loom))]
mod site;
#[cfg(not(trefoil_loom))]
mod spare;
mod spawn_queue;
#[cfg(not(trefoil_loom))]
mod spawned;
#[cfg(not(trefoil_loom))]
mod spin;
#[cfg(trefoil_loom)]
#[path = "loom_spin.rs"]
mod spin;
mod state;
#[cfg(not(trefoil_loom))]
mod stretch;
#[cfg(not(trefoil_loom))]
pub mod thread;
/// Time: timeouts and ticks.
#[cfg(not(trefoil_loom))]
pub mod time {
    pub use crate::interval::{Interval, MissedTickBehavior, interval, interval_at};
    pub use crate::timeout::{Elapsed, timeout, timeout_at};
}
#[cfg(not(trefoil_loom))]
mod timeout;
mod token;
#[cfg(not(trefoil_loom))]
mod unwinding;
#[cfg(not(trefoil_loom))]
mod usage;
#[cfg(not(trefoil_loom))]
mod variable;
mod wait;

#[cfg(not(trefoil_loom))]
pub use self::real::*;
pub use attention::Attention;
pub use idlers::Idlers;
pub use inbox::{Inbox, Link, Message, Messages, Posted};
pub use model::{Model, UnknownModel};
pub use no_suspend::may_suspend;
pub use reason::{Reason, Waiting};
pub use source::{Directions, Interest, Poller, Readiness};
pub use spin::{Spin, SpinGuard};
pub use state::RunState;
pub use wait::{Outcome, Wait, Waiter};

/// What loom's models do not need, and loom could not run.
#[cfg(not(trefoil_loom))]
mod real {
    pub use crate::alone::is_alone;
    pub use crate::contract::{Companions, Runtime, Timer};
    pub use crate::current::{
        in_runtime, model, park_fiber, runtime, spend, spend_before_a_permit, yield_fiber,
    };
    pub use crate::domain::Domain;
    pub use crate::hogs::Hogs;
    pub use crate::launch::launch;
    pub use crate::monitoring::{Monitoring, Stall};
    pub use crate::offload::{BlockingStats, blocking_stats, offload};
    pub use crate::owner::{Held, Owned, Owner};
    pub use crate::pool::{Limits, Pool};
    pub use crate::ready::{Next, ReadyQueue};
    pub use crate::registry::{ThreadInfo, running_on, threads};
    pub use crate::relief::Relief;
    pub use crate::run::{Runs, join_main, refuse_drop_inside, refuse_inside, result_of_main};
    pub use crate::source::Source;
    pub use crate::spawned::{SpawnQueue, Stealer};
    #[cfg(feature = "fibers")]
    pub use crate::thread::{Left, Returned, Roaming, RoamingQueue, RoamingStealer, Woken};
    pub use crate::thread::{Live, Mail, NewThread, Thread, ThreadId};
    pub use crate::usage::{Meter, Metering, StackUsage, stack_usage};
}
