//! Readiness of descriptors and timers: what one worker of a green or hybrid runtime waits for.
//!
//! ```text
//!            register, deregister, wake                    insert, cancel
//!  any OS thread ─────► Handle ──► Reactor ◄── poll ── worker ──► Wheel
//!                                     │                  ▲          │
//!                                     └── (key, ready) ──┴── keys ──┘
//! ```
//!
//! * [`Reactor`] waits for descriptors, and for [`Handle::wake`], and hands back the keys of those
//!   that became ready, each with its [`Readiness`].
//! * [`Wheel`] keeps deadlines and hands back the keys of those that have passed.
//!
//! Both return what happened and call nobody: a key is whatever the caller wants to find again.
//! Nothing here knows threads, fibers or runtimes. The two halves know nothing of each other
//! either: the worker passes [`Wheel::next_deadline`] on as the timeout of [`Reactor::poll`].
//!
//! One round of a worker that has nothing left to run:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use trefoil_reactor::{Reactor, Wheel};
//!
//! let mut reactor = Reactor::<&str>::new()?;
//! let mut wheel = Wheel::new(Instant::now());
//! wheel.insert(Instant::now() + Duration::from_micros(300), "a sleeper");
//!
//! let (mut ready, mut due) = (Vec::new(), Vec::new());
//! while due.is_empty() {
//!     let now = Instant::now();
//!     let timeout = wheel.next_deadline().map(|at| at.saturating_duration_since(now));
//!     reactor.poll(timeout, &mut ready)?;
//!     wheel.expire(Instant::now(), &mut due);
//! }
//! assert_eq!(due, ["a sleeper"]);
//! assert!(ready.is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod alarm;
mod handle;
mod reactor;
mod readiness;
mod slab;
mod token;
mod wait;
mod watch;
mod wheel;

pub use handle::Handle;
pub use reactor::Reactor;
pub use readiness::Readiness;
pub use token::Token;
pub use watch::Watch;
pub use wheel::{TimerId, Wheel};
