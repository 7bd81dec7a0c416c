//! `yield`: threads give way to each other, again and again. One operation is one `yield_now`.
//!
//! It measures the bare switch from one thread to the next, with nothing waited for. With many
//! threads each switch also finds the next thread's stack and control block in a colder cache.
//! Parameters: `threads` (2), and `yields` of all of them together (10,000,000; 2,000,000 on
//! kernel threads), so that a run takes about as long with many threads as with few.
//!
//! All threads have started before the clock does: they park before a gate. Opening it, by one
//! `unpark` for each thread, is in the time.
//!
//! Each thread counts how often it came back; the sum must be right.
#![forbid(unsafe_code)]

use std::sync::Arc;

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
    name: "yield",
    about: "threads give way to each other",
    operation: "a yield",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("threads", 2, "threads that give way").within(1, 1_000_000),
        Parameter::new("yields", 10_000_000, "how often they do, all together")
            .on_kernel(2_000_000)
            .within(1, 1_000_000_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let rounds = rounds(order);
    let gate = Gate::new(threads);
    let handles: Vec<_> = (0..threads)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.pass();
                give_way(rounds)
            })
        })
        .collect();
    gate.wait_for_all();
    let mut returned = 0;
    let watch = Stopwatch::start();
    gate.open(handles.iter().map(JoinHandle::thread));
    for handle in handles {
        returned += join(handle)?;
    }
    let measurement = watch.stop(threads * rounds);
    check(threads, rounds, returned)?;
    Ok(measurement)
}

/// How often each thread gives way, so that all of them together do as often as they are to, or a
/// little more often where that does not divide.
#[must_use]
pub fn rounds(order: &Order) -> u64 {
    order.get("yields").div_ceil(order.get("threads"))
}

fn give_way(rounds: u64) -> u64 {
    let mut returned = 0;
    for _ in 0..rounds {
        thread::yield_now();
        returned += 1;
    }
    returned
}

/// Every thread comes back from every yield.
///
/// # Errors
///
/// If they came back less or more often.
pub fn check(threads: u64, rounds: u64, returned: u64) -> Result<(), Failure> {
    Failure::unless_equal("the number of yields", threads * rounds, returned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Parameters, Weight};

    #[test]
    fn a_missing_yield_is_seen() {
        assert!(check(2, 100, 200).is_ok());
        assert!(check(2, 100, 199).is_err());
    }

    #[test]
    fn more_threads_give_way_less_often_each() {
        for (threads, expected) in [("2", 5_000_000), ("50000", 200), ("300000", 34)] {
            let mut parameters = Parameters::defaults(WORKLOAD.parameters, Weight::Light);
            parameters.set(&format!("threads={threads}")).unwrap();
            let program = "no program".into();
            assert_eq!(
                rounds(&Order {
                    parameters,
                    program
                }),
                expected
            );
        }
    }
}
