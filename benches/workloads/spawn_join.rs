//! `spawn_join`: start one empty thread, wait for its end, and again. One operation is one
//! thread, from `spawn` to `join`.
//!
//! It measures what a short-lived thread costs by itself, with nothing to overlap. Parameter:
//! `threads` (2,000,000; 50,000 on kernel threads).
//!
//! Each thread returns its number; the sum of all must be right.
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
    name: "spawn_join",
    about: "start an empty thread and join it, one after the other",
    operation: "a thread, started and joined",
    scenario: Scenario::ShortLived,
    parameters: &[
        Parameter::new("threads", 2_000_000, "threads started in turn").on_kernel(50_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let mut sum = 0;
    let watch = Stopwatch::start();
    for number in 0..threads {
        sum += join(thread::spawn(move || number))?;
    }
    let measurement = watch.stop(threads);
    check(threads, sum)?;
    Ok(measurement)
}

/// The threads return 0, 1, 2 and so on.
///
/// # Errors
///
/// If their sum is wrong.
pub fn check(threads: u64, sum: u64) -> Result<(), Failure> {
    Failure::unless_equal("the sum of the results", threads * (threads - 1) / 2, sum)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_missing_thread_is_seen() {
        assert!(check(5, 1 + 2 + 3 + 4).is_ok());
        assert!(check(5, 1 + 2 + 3).is_err());
        assert!(check(1, 0).is_ok());
    }
}
