//! What is measured: the workloads, and what each of them needs to be told, timed and checked.
//!
//! | module | what it decides |
//! |---|---|
//! | [`workloads`] | the work itself, one file each, against the public API of Trefoil |
//! | [`scenario`] | what a workload is an example of, and who is predicted to win it |
//! | [`peers`] | the same work for tokio, smol, rayon, may, `std::thread`, Go and Java (feature `peers`) |
//! | [`contender`] | who can be measured: our models and the peers |
//! | `migrating` | the hybrid model with threads that change their worker |
//! | [`parameters`] | the sizes of a workload: names, defaults, limits |
//! | [`order`] | one run of a workload: its sizes, and where its client program is |
//! | [`run`] | one run, on one contender, in this process |
//! | [`record`] | a run as one line of JSON |
//! | [`measurement`] | what a run gives: operations, time, CPU time, memory |
//! | [`failure`] | what a run gives instead when its result is wrong |
//! | [`held`] | what threads held while all of them waited |
//! | [`lateness`] | how late threads woke that slept |
//! | [`tally`] | what became of the connections of a server |
//! | [`pin`] | server and client on processors of their own |
//! | [`usage`] | what the kernel says this process has used |
//! | [`load`], [`client`] | the two ends of the process that sends requests to the echo servers |
//!
//! The program around it (what is run how often, what is drawn) is `main.rs` and the modules
//! beside it. The criterion benches call the same workloads.

pub mod client;
pub mod contender;
pub mod failure;
pub mod held;
pub mod lateness;
pub mod load;
pub mod measurement;
mod migrating;
pub mod order;
pub mod parameters;
pub mod pin;
pub mod record;
pub mod run;
pub mod scenario;
pub mod tally;
pub mod usage;

#[path = "../workloads/mod.rs"]
pub mod workloads;

#[cfg_attr(feature = "peers", path = "../peers/mod.rs")]
#[cfg_attr(not(feature = "peers"), path = "../peers/absent.rs")]
pub mod peers;
