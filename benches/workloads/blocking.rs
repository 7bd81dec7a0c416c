//! `blocking`: many threads make one call each that blocks its OS thread. One operation is one
//! call.
//!
//! It measures how many blocking calls go on at the same time. By default the call is made by
//! `thread::blocking`, which takes it to a kernel thread of its own where the model needs that;
//! with `direct=1` it is made on the spot, for contrast: then it stops every thread of its
//! worker. Parameters: `calls` (64), `milliseconds` of each (10), `direct` (0), and
//! `rounds` (3), one after the other: the later ones find what the first has started.
//!
//! No call may have been shorter than it should have been.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "blocking",
    about: "calls that block their OS thread, offloaded or direct",
    operation: "a blocking call",
    scenario: Scenario::BlockingCalls,
    parameters: &[
        Parameter::new("calls", 64, "threads with one call each").within(1, 10_000),
        Parameter::new("milliseconds", 10, "how long a call blocks").within(0, 1_000),
        Parameter::new("rounds", 3, "how often the calls are made").within(1, 1_000),
        Parameter::new("direct", 0, "1: call on the spot; 0: by thread::blocking").within(0, 1),
    ],
    contrast: Some("direct=1"),
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let calls = order.get("calls");
    let direct = order.get("direct") == 1;
    let duration = duration(order);
    let mut complete = 0;
    let watch = Stopwatch::start();
    for _ in 0..order.get("rounds") {
        complete += round(calls, duration, direct)?;
    }
    let calls = calls * order.get("rounds");
    let measurement = watch.stop(calls);
    check(calls, complete)?;
    Ok(measurement)
}

/// Makes all calls at the same time. Gives how many of them blocked for long enough.
fn round(calls: u64, duration: Duration, direct: bool) -> Result<u64, Failure> {
    let handles: Vec<_> = (0..calls)
        .map(|_| {
            thread::spawn(move || match direct {
                true => call(duration),
                false => thread::blocking(|| call(duration)),
            })
        })
        .collect();
    let mut complete = 0;
    for handle in handles {
        complete += u64::from(join(handle)?);
    }
    Ok(complete)
}

/// How long each call is to block.
#[must_use]
pub fn duration(order: &Order) -> Duration {
    Duration::from_millis(order.get("milliseconds"))
}

/// Blocks the OS thread, and says whether it did so for long enough.
#[must_use]
pub fn call(duration: Duration) -> bool {
    let start = Instant::now();
    std::thread::sleep(duration);
    start.elapsed() >= duration
}

/// Every call has blocked for long enough.
///
/// # Errors
///
/// If one has not.
pub fn check(calls: u64, complete: u64) -> Result<(), Failure> {
    Failure::unless_equal("the number of complete calls", calls, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_cut_short_is_seen() {
        assert!(check(64, 64).is_ok());
        assert!(check(64, 63).is_err());
    }

    #[test]
    fn a_call_is_complete() {
        assert!(call(Duration::from_millis(1)));
    }
}
