//! `mutex`: threads that lock one mutex, add to the number in it, and unlock it. One operation is
//! one lock and unlock.
//!
//! It measures what a lock costs that many want, each for a moment: on one worker they never meet in
//! it, on several they do. With `threads=1` it is the lock that nobody else wants. It does not
//! measure fairness. Parameters: `threads` (8), and `locks`, how often all together lock it
//! (8,000,000; 2,000,000 on kernel threads).
//!
//! The number must be that of all locks, whoever came when.
#![forbid(unsafe_code)]

use std::sync::Arc;

use trefoil::sync::Mutex;
use trefoil::thread::{self, JoinHandle};

use super::gate::Gate;
use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "mutex",
    about: "threads take turns with one mutex",
    operation: "a lock and unlock",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("threads", 8, "threads that lock it").within(1, 100_000),
        Parameter::new("locks", 8_000_000, "how often they do, all together")
            .on_kernel(2_000_000)
            .within(1, 1_000_000_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), rounds(order));
    let gate = Gate::new(threads);
    let number = Arc::new(Mutex::new(0));
    let handles: Vec<_> = (0..threads)
        .map(|_| {
            let (gate, number) = (Arc::clone(&gate), Arc::clone(&number));
            thread::spawn(move || {
                gate.pass();
                count(&number, rounds);
            })
        })
        .collect();
    gate.wait_for_all();
    let watch = Stopwatch::start();
    gate.open(handles.iter().map(JoinHandle::thread));
    for handle in handles {
        join(handle)?;
    }
    let measurement = watch.stop(threads * rounds);
    // A thread that panics in the lock has failed before this.
    check(
        threads,
        rounds,
        *number.lock().map_err(|_| Failure::Disconnected)?,
    )?;
    Ok(measurement)
}

/// How often each thread locks it.
#[must_use]
pub fn rounds(order: &Order) -> u64 {
    order.get("locks").div_ceil(order.get("threads"))
}

fn count(number: &Mutex<u64>, rounds: u64) {
    for _ in 0..rounds {
        *number.lock().expect("nobody panics in it") += 1;
    }
}

/// Every lock adds one.
///
/// # Errors
///
/// If the number is another one.
pub fn check(threads: u64, rounds: u64, number: u64) -> Result<(), Failure> {
    Failure::unless_equal("the number in the mutex", threads * rounds, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Parameters, Weight};

    #[test]
    fn a_lost_addition_is_seen() {
        assert!(check(8, 10, 80).is_ok());
        assert!(check(8, 10, 79).is_err());
    }

    #[test]
    fn the_locks_are_shared_out() {
        let mut parameters = Parameters::defaults(WORKLOAD.parameters, Weight::Light);
        parameters.set("threads=3").unwrap();
        parameters.set("locks=10").unwrap();
        let program = "no program".into();
        assert_eq!(
            rounds(&Order {
                parameters,
                program
            }),
            4
        );
    }
}
