//! `ring`: a token goes round a ring of threads, over one channel of capacity 1 from each to the
//! next. One operation is one hop.
//!
//! At any time one thread can run and all others wait: it measures a wake-up, and how a scheduler
//! copes with many threads that hardly ever do anything. Parameters: `threads` (500), and how
//! many `rounds` the token makes (3,000; 60 on kernel threads).
//!
//! Each thread adds one to the token; at the end it must be right.
#![forbid(unsafe_code)]

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "ring",
    about: "a token goes round a ring of threads and channels",
    operation: "a hop from one thread to the next",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("threads", 500, "threads in the ring").within(2, 100_000),
        Parameter::new("rounds", 3_000, "rounds that the token makes").on_kernel(60),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let watch = Stopwatch::start();
    let (to_first, mut incoming) = bounded(1);
    let mut handles = Vec::new();
    for _ in 1..threads {
        let (out, next) = bounded(1);
        let from = std::mem::replace(&mut incoming, next);
        handles.push(thread::spawn(move || pass_on(rounds, &from, &out)));
    }
    // The first thread's channels close the ring: it sends to the second, and hears the last.
    let first = thread::spawn(move || lead(rounds, &to_first, &incoming));
    let token = join(first)?.ok_or(Failure::Disconnected)?;
    for handle in handles {
        join(handle)?.ok_or(Failure::Disconnected)?;
    }
    let measurement = watch.stop(threads * rounds);
    check(threads, rounds, token)?;
    Ok(measurement)
}

/// Sends the token off and takes it back, in every round. `None`: another thread has gone.
fn lead(rounds: u64, out: &Sender<u64>, incoming: &Receiver<u64>) -> Option<u64> {
    let mut token = 0;
    for _ in 0..rounds {
        out.send(token + 1).ok()?;
        token = incoming.recv().ok()?;
    }
    Some(token)
}

fn pass_on(rounds: u64, incoming: &Receiver<u64>, out: &Sender<u64>) -> Option<()> {
    for _ in 0..rounds {
        let token = incoming.recv().ok()?;
        out.send(token + 1).ok()?;
    }
    Some(())
}

/// Every thread adds one in every round.
///
/// # Errors
///
/// If the token says something else.
pub fn check(threads: u64, rounds: u64, token: u64) -> Result<(), Failure> {
    Failure::unless_equal("the token", threads * rounds, token)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_thread_that_was_passed_over_is_seen() {
        assert!(check(10, 3, 30).is_ok());
        assert!(check(10, 3, 29).is_err());
    }
}
