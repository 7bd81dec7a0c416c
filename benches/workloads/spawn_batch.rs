//! `spawn_batch`: start many empty threads, then join them all. One operation is one thread, from
//! `spawn` to `join`.
//!
//! It measures what a short-lived thread costs when there are many of them at once: queues,
//! memory, and the way to the other workers. Parameter: `threads` (500,000; 20,000 on kernel
//! threads).
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
    name: "spawn_batch",
    about: "start many empty threads, then join them all",
    operation: "a thread, started and joined",
    scenario: Scenario::ShortLived,
    parameters: &[Parameter::new("threads", 500_000, "threads started at once").on_kernel(20_000)],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let mut sum = 0;
    let watch = Stopwatch::start();
    let handles: Vec<_> = (0..threads)
        .map(|number| thread::spawn(move || number))
        .collect();
    for handle in handles {
        sum += join(handle)?;
    }
    let measurement = watch.stop(threads);
    super::spawn_join::check(threads, sum)?;
    Ok(measurement)
}
