//! `sleepers`: very many threads sleep at the same time, each for the same duration from its own
//! start, and are joined. One operation is one thread; its time is without the sleep.
//!
//! It measures the timers: how late the last thread is when very many deadlines come at once. What
//! is taken by the clock is the time from the first `spawn` to the last join, less the one
//! duration that nobody can avoid. So it contains what starting the threads cost. The record also
//! tells how late each thread was by its own clock, from its own start: half of them, all but one
//! in a hundred, and the latest. Parameters: `threads` (100,000; 10,000 on kernel threads) and
//! `milliseconds` (1,000).
//!
//! It tells how much memory each thread held while all slept. There is no such moment where the
//! first one wakes before the last has begun; a longer sleep makes one.
//!
//! No thread may have woken early.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use trefoil::thread;

use super::gate::Gate;
use super::{Workload, join};
use crate::failure::Failure;
use crate::held::Held;
use crate::lateness::{Lateness, late_by};
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;
use crate::usage::{self, Footprint};

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "sleepers",
    about: "very many threads sleep, wake at about the same time, are joined",
    operation: "a thread, started, woken and joined",
    scenario: Scenario::Parked,
    parameters: &[
        Parameter::new("threads", 100_000, "threads asleep at once")
            .on_kernel(10_000)
            .within(1, 1_000_000),
        Parameter::new("milliseconds", 1_000, "how long each of them sleeps").within(1, 60_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let duration = duration(order);
    let gate = Gate::new(threads);
    let before = usage::footprint();
    let watch = Stopwatch::start();
    let handles: Vec<_> = (0..threads)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                let start = Instant::now();
                gate.arrive();
                thread::sleep(duration);
                late_by(start, duration)
            })
        })
        .collect();
    gate.wait_for_all();
    let held = held(&watch, duration, before, threads);
    let mut late = Vec::with_capacity(handles.len());
    for handle in handles {
        late.push(join(handle)?);
    }
    finish(watch, duration, threads, late, held)
}

/// How long each thread sleeps.
#[must_use]
pub fn duration(order: &Order) -> Duration {
    Duration::from_millis(order.get("milliseconds"))
}

/// Looks at what the threads hold, if all of them sleep: then the first one's time is not over,
/// neither before the look nor after it.
#[must_use]
pub fn held(
    watch: &Stopwatch,
    duration: Duration,
    before: Footprint,
    threads: u64,
) -> Option<Held> {
    let all_sleep = || watch.elapsed() < duration;
    if !all_sleep() {
        return None;
    }
    let held = Held::since(before, threads);
    all_sleep().then_some(held)
}

/// Stops the watch, checks that nobody woke early, and puts together what is told.
///
/// # Errors
///
/// If a thread did.
pub fn finish(
    watch: Stopwatch,
    duration: Duration,
    threads: u64,
    late: Vec<Option<Duration>>,
    held: Option<Held>,
) -> Result<Measurement, Failure> {
    let overtime = watch.elapsed().saturating_sub(duration);
    let measurement = watch.stop_after(threads, overtime);
    Ok(Measurement {
        held,
        lateness: Some(Lateness::of(threads, late)?),
        ..measurement
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Footprint = Footprint {
        resident: 0,
        page_tables: 0,
        mappings: 0,
    };

    #[test]
    fn memory_is_told_only_while_all_sleep() {
        let watch = Stopwatch::start();
        assert!(held(&watch, Duration::from_secs(3600), NOTHING, 1).is_some());
        assert!(held(&watch, Duration::ZERO, NOTHING, 1).is_none());
    }

    #[test]
    fn the_sleep_itself_is_not_counted() {
        let watch = Stopwatch::start();
        let late = vec![Some(Duration::from_millis(5))];
        let measurement = finish(watch, Duration::from_secs(3600), 1, late, None).unwrap();
        assert_eq!(measurement.elapsed, Duration::ZERO);
        assert_eq!(measurement.lateness.unwrap().last_ns, 5_000_000);
    }

    #[test]
    fn a_thread_that_woke_early_is_seen() {
        let watch = Stopwatch::start();
        assert!(finish(watch, Duration::ZERO, 1, vec![None], None).is_err());
    }
}
