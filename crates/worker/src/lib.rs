//! One OS thread that runs fibers: what the green and the hybrid runtime have in common.
//!
//! ```text
//!                    any OS thread                     the worker's OS thread
//!                 ┌────────────────┐                ┌──────────────────────────┐
//!  wake ────────► │ Remote         │ ── messages ─► │ Worker                   │
//!  rouse ───────► │  inbox, waker  │                │  ready queue · timers    │
//!                 └────────────────┘                │  poller · stacks         │
//!                                                   └──────────────────────────┘
//! ```
//!
//! The [`Worker`] belongs to its OS thread. It starts and resumes fibers, publishes them as
//! parked or ready once their stack has been left (Rule 4), keeps their timers, and asks the
//! poller for them. The [`Remote`] is what others have of it: an inbox for wake-ups.
//!
//! It decides no order between workers, starts no OS thread, and knows no end: those are the
//! runtimes'. Green has one worker, hybrid several; each has its own loop around
//! [`Worker::run_next`], [`Worker::look_outside`] and [`Worker::sleep`].
//!
//! Where threads may change their worker, it has a second queue, of those that are ready ([`Roamers`]); the
//! loop then calls [`Worker::run_next_of_all`].
//!
//! A park costs two switches (to the loop and on to the next fiber), and no atomic
//! read-modify-write.
#![forbid(unsafe_code)]

mod beat;
mod monitor;
mod poller;
mod remote;
mod roamers;
mod stacks;
mod timers;
mod worker;

pub use monitor::Monitor;
pub use remote::Remote;
pub use roamers::{Afar, Peers, Roamers};
pub use stacks::Stacks;
pub use worker::{Rested, Worker};
