//! The runtimes that a user would otherwise pick, each in its own idiom, on the same workloads and
//! with the same checks.
//!
//! | module | whose |
//! |---|---|
//! | `std` | kernel threads of `std::thread`, channels of `std::sync::mpsc` |
//! | `may` | coroutines of may, its channels and its sockets |
//! | `tokio` | tasks, in async Rust |
//! | `shaped` | the workloads, written once for the first two, whose interfaces are alike |
//! | `echo` | the part of the echo workloads that is no server |
#![forbid(unsafe_code)]

use crate::contender::Peer;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;

mod echo;
mod may;
mod shaped;
mod std;
mod tokio;

/// Whether the peers can be measured.
pub const COMPILED_IN: bool = true;

/// Runs a workload on a peer. Blocks until it is done.
///
/// A peer without a number of workers (`std`) ignores it. may has one configuration for the whole
/// process: the first run decides.
///
/// # Errors
///
/// As [`run`](crate::run::run); and if the peer has no such workload.
pub fn run(
    peer: Peer,
    workload: &str,
    order: &Order,
    workers: usize,
) -> Result<Measurement, Failure> {
    match peer {
        Peer::Std => shaped::run::<std::Std>(workload, order),
        Peer::May => {
            may::configure(workers);
            shaped::run::<may::May>(workload, order)
        }
        Peer::Tokio => tokio::run(workload, order, workers),
    }
}

/// A workload that a peer does not know has been added to the list and not here.
fn unknown(workload: &str) -> Failure {
    Failure::Unable(format!("the peers cannot do `{workload}`"))
}
