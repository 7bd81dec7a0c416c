//! What a run gives, and the stopwatch that a workload starts when its work begins.
//!
//! A workload checks its result after it has stopped the watch, and gives the measurement away
//! only then.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::usage;

/// What a run gives when its result is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// How many operations were done. The workload says what one is.
    pub ops: u64,
    /// How long they took, by the clock.
    pub elapsed: Duration,
    /// How much CPU time this process used meanwhile, on all cores.
    pub cpu: Duration,
    /// How many bytes of memory the threads of the workload held, if it is about memory.
    pub resident: Option<u64>,
}

/// Runs from its making until it is stopped.
#[derive(Debug)]
#[must_use = "a stopwatch measures when it is stopped"]
pub struct Stopwatch {
    cpu: Duration,
    start: Instant,
}

impl Stopwatch {
    /// Begins to measure.
    pub fn start() -> Stopwatch {
        // The clock last: asking for the usage is no part of the work.
        let cpu = usage::cpu_time();
        Stopwatch {
            cpu,
            start: Instant::now(),
        }
    }

    /// Ends the measurement of so many operations.
    #[must_use]
    pub fn stop(self, ops: u64) -> Measurement {
        let elapsed = self.start.elapsed();
        self.stop_after(ops, elapsed)
    }

    /// As [`stop`](Stopwatch::stop), where somebody else has measured the time: a client knows
    /// better how long its requests took.
    #[must_use]
    pub fn stop_after(self, ops: u64, elapsed: Duration) -> Measurement {
        Measurement {
            ops,
            elapsed,
            cpu: usage::cpu_time().saturating_sub(self.cpu),
            resident: None,
        }
    }
}
