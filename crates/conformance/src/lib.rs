//! What "interchangeable" means, as tests: one suite, instantiated by each runtime.
//!
//! A promise is a public function of one of the topics below, generic over the runtime; its
//! name reads as the promise. A runtime says in its `tests/conformance.rs` how it is a
//! [`Subject`], and [`suite!`] makes a test of every promise:
//!
//! ```text
//! struct Kernel(trefoil_kernel::Runtime);
//! impl trefoil_conformance::Subject for Kernel { … }
//! trefoil_conformance::suite!(crate::Kernel);
//! ```
//!
//! [`suite_across!`] does the same for the promises about two runtimes that share objects, and
//! [`suite_beside!`] for those about single threads of the kernel model inside another one, and
//! [`suite_relief!`] for those about threads that are moved to kernel threads.
//!
//! The rules of the suite: what it waits for is an event, or a condition that it asks again
//! and again while others run; it asserts no time but that nothing comes too early; every
//! run must leave no thread behind; a test that hangs is ended by the [watchdog](watched),
//! which says where every thread waits.
//!
//! It does not look inside: what only one runtime does is tested where that runtime is.

// Models need the protocols only; what waits for real things is left out.
#![cfg(not(trefoil_loom))]
#![forbid(unsafe_code)]

mod child;
mod seed;
mod subject;
mod suite;
pub mod wake_ups;
mod watchdog;
mod witness;

pub mod across;
pub mod beside;
pub mod blocking;
pub mod cancellation;
pub mod cancelled_reads;
pub mod channel;
pub mod checkpoint;
pub mod condvar;
pub mod fairness;
pub mod fs;
pub mod future;
pub mod identity;
pub mod inline;
pub mod interval;
pub mod join_two;
pub mod lazy_lock;
pub mod listener;
pub mod local_threads;
pub mod locals;
pub mod memory;
pub mod monitor;
pub mod mpsc;
pub mod mutex;
pub mod net_faults;
pub mod no_suspend;
pub mod once;
pub mod oneshot;
pub mod overflow;
pub mod panics;
pub mod park;
pub mod pipe;
pub mod placement;
pub mod plain;
pub mod process;
pub mod registry;
pub mod relief;
pub mod runs;
pub mod rwlock;
pub mod scope;
pub mod select;
pub mod semaphore;
pub mod shutdown;
pub mod signal;
pub mod spawn;
pub mod stack;
pub mod stdio;
pub mod stress;
pub mod tcp;
pub mod time;
pub mod timeout;
pub mod token;
pub mod try_scope;
pub mod udp;
pub mod unix;
pub mod usage;
pub mod wait_group;

pub use child::current_test;
pub use subject::Subject;
pub use watchdog::watched;
