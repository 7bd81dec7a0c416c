//! What is measured: the workloads, and what each of them needs to be told, timed and checked.
//!
//! | module | what it decides |
//! |---|---|
//! | [`workloads`] | the work itself, one file each, against the public API of Trefoil |
//! | `peers` | the same work for tokio, may and `std::thread` (feature `peers`) |
//! | [`parameters`] | the sizes of a workload: names, defaults, limits |
//! | [`order`] | one run of a workload: its sizes, and where its client program is |
//! | [`measurement`] | what a run gives: operations, time, CPU time, memory |
//! | [`failure`] | what a run gives instead when its result is wrong |
//! | [`usage`] | what the kernel says this process has used |
//! | [`load`], [`client`] | the two ends of the process that sends requests to the echo servers |
//!
//! The program around it (what is run how often, what is drawn) is `main.rs` and the modules
//! beside it. The criterion benches call the same workloads.

pub mod client;
pub mod failure;
pub mod load;
pub mod measurement;
pub mod order;
pub mod parameters;
pub mod usage;

#[path = "../workloads/mod.rs"]
pub mod workloads;

#[cfg(feature = "peers")]
#[path = "../peers/mod.rs"]
pub mod peers;
