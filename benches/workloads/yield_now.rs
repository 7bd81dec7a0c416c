//! `yield`: a few threads give way to each other, again and again. One operation is one
//! `yield_now`.
//!
//! It measures the bare switch from one thread to the next, with nothing waited for. Parameters:
//! `threads` (2), and `rounds` for each of them (5,000,000; 1,000,000 on kernel threads).
//!
//! Each thread counts how often it came back; the sum must be right.
#![forbid(unsafe_code)]

use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "yield",
    about: "a few threads give way to each other",
    operation: "a yield",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("threads", 2, "threads that give way").within(1, 100_000),
        Parameter::new("rounds", 5_000_000, "how often each of them does").on_kernel(1_000_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let mut returned = 0;
    let watch = Stopwatch::start();
    let handles: Vec<_> = (0..threads)
        .map(|_| thread::spawn(move || give_way(rounds)))
        .collect();
    for handle in handles {
        returned += join(handle)?;
    }
    let measurement = watch.stop(threads * rounds);
    check(threads, rounds, returned)?;
    Ok(measurement)
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
    use super::check;

    #[test]
    fn a_missing_yield_is_seen() {
        assert!(check(2, 100, 200).is_ok());
        assert!(check(2, 100, 199).is_err());
    }
}
