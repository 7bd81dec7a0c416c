//! The runtimes that a user would otherwise pick, each in its own idiom, on the same workloads and
//! with the same checks.
//!
//! | module | whose |
//! |---|---|
//! | `std` | kernel threads of `std::thread`, channels of `std::sync::mpsc` and of crossbeam |
//! | `may` | coroutines of may, its channels and its sockets |
//! | `tokio`, `smol` | tasks, in async Rust |
//! | `rayon` | jobs that fork and join, for the workloads whose threads wait for nothing else |
//! | `shaped` | the workloads, written once for the first two, whose interfaces are alike |
//! | `tasks` | the workloads, written once for tasks |
//! | `go` | goroutines, in a program of their own: `peers/go` |
//! | `java` | virtual threads, in a program of their own: `peers/java` |
//! | `built` | whether such a program is that of its sources |
//! | `epoll` | no threads: a bare loop around a poller, for the workloads with connections |
//! | `echo` | the part of the echo workloads that is no server |
#![forbid(unsafe_code)]

use ::std::process::Command;

use crate::contender::Peer;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;

mod built;
mod echo;
mod epoll;
mod go;
mod java;
mod may;
mod rayon;
mod shaped;
mod smol;
mod std;
mod tasks;
mod tokio;

/// Whether the peers can be measured.
pub const COMPILED_IN: bool = true;

/// Why a peer cannot be measured on this machine, and what to do about it.
#[must_use]
pub fn obstacle(peer: Peer) -> Option<String> {
    match peer {
        Peer::Std | Peer::Tokio | Peer::Smol | Peer::Rayon | Peer::May | Peer::Epoll => None,
        Peer::Go => go::obstacle(),
        Peer::Java => java::obstacle(),
    }
}

/// The command that runs a workload on a peer that is a program of its own, and prints its record.
/// `None`: the peer is a library, and [`run`] runs it.
///
/// # Errors
///
/// If there is no such program, with what to do about it.
pub fn command(
    peer: Peer,
    workload: &str,
    order: &Order,
    workers: Option<usize>,
) -> Result<Option<Command>, Failure> {
    match peer {
        Peer::Std | Peer::Tokio | Peer::Smol | Peer::Rayon | Peer::May | Peer::Epoll => Ok(None),
        Peer::Java if workload == "select" => Err(Failure::Unable(
            "Java has no select over several queues".into(),
        )),
        Peer::Go => go::command(workload, order, workers).map(Some),
        Peer::Java => java::command(workload, order, workers).map(Some),
    }
}

/// Runs a workload on a peer that is a library. Blocks until it is done.
///
/// A peer without a number of workers (`std`) ignores it. may has one configuration for the whole
/// process: the first run decides.
///
/// # Errors
///
/// As [`run`](crate::run::run); if the peer has no such workload, or if it is no library.
pub fn run(
    peer: Peer,
    workload: &str,
    order: &Order,
    workers: usize,
) -> Result<Measurement, Failure> {
    match peer {
        Peer::Std if workload == "select" => std::select(order),
        Peer::Std => shaped::run::<std::Std>(workload, order),
        Peer::May if workload == "select" => Err(Failure::Unable(
            "may has no select that loses no message: its `select!` runs the arms as coroutines"
                .into(),
        )),
        Peer::May => {
            may::configure(workers);
            shaped::run::<may::May>(workload, order)
        }
        Peer::Tokio => tokio::run(workload, order, workers),
        Peer::Smol if workload == "select" => Err(Failure::Unable(
            "smol has no select over many channels: its `or` waits for two futures, the first one first"
                .into(),
        )),
        Peer::Smol => smol::run(workload, order, workers),
        Peer::Rayon => rayon::run(workload, order, workers),
        Peer::Epoll => epoll::run(workload, order),
        Peer::Go | Peer::Java => {
            let why = "goroutines and virtual threads run in a program of their own";
            Err(Failure::Unable(why.into()))
        }
    }
}

/// A workload that a peer does not know has been added to the list and not here.
fn unknown(workload: &str) -> Failure {
    Failure::Unable(format!("the peers cannot do `{workload}`"))
}
