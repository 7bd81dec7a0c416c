//! What a run gives, and the stopwatch that a workload starts when its work begins.
//!
//! A workload checks its result after it has stopped the watch, and gives the measurement away
//! only then.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::held::Held;
use crate::lateness::Lateness;
use crate::usage;

/// What a run gives when its result is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// How many operations were done. The workload says what one is.
    pub ops: u64,
    /// How long they took, by the clock.
    pub elapsed: Duration,
    /// How much CPU time this process used meanwhile, on all cores.
    pub cpu: Duration,
    /// How long each round took, where the same operations are done again and again.
    pub rounds: Vec<Duration>,
    /// What the threads held while all of them waited, if the workload is about that.
    pub held: Option<Held>,
    /// How late the threads woke, if they slept.
    pub lateness: Option<Lateness>,
    /// How long requests took until their answers came, if there were any.
    pub latency: Option<Lateness>,
}

/// Runs from its making until it is stopped.
#[derive(Debug)]
#[must_use = "a stopwatch measures when it is stopped"]
pub struct Stopwatch {
    cpu: Duration,
    start: Instant,
    round: Instant,
    rounds: Vec<Duration>,
}

impl Stopwatch {
    /// Begins to measure.
    pub fn start() -> Stopwatch {
        // The clock last: asking for the usage is no part of the work.
        let cpu = usage::cpu_time();
        let start = Instant::now();
        Stopwatch {
            cpu,
            start,
            round: start,
            rounds: Vec::new(),
        }
    }

    /// How long it has run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Does something that is no part of the work, while the work stands still: neither its time
    /// nor its CPU time is counted.
    pub fn aside<T>(&mut self, something: impl FnOnce() -> T) -> T {
        let (cpu, start) = (usage::cpu_time(), Instant::now());
        let done = something();
        self.cpu += usage::cpu_time() - cpu;
        let elapsed = start.elapsed();
        self.start += elapsed;
        self.round += elapsed;
        done
    }

    /// Ends a round, and begins the next one.
    pub fn round(&mut self) {
        let now = Instant::now();
        self.rounds.push(now - self.round);
        self.round = now;
    }

    /// Ends the measurement of so many operations.
    #[must_use]
    pub fn stop(self, ops: u64) -> Measurement {
        let elapsed = self.elapsed();
        self.stop_after(ops, elapsed)
    }

    /// As [`stop`](Stopwatch::stop), where the time is another one: a client knows better how long
    /// its requests took.
    #[must_use]
    pub fn stop_after(self, ops: u64, elapsed: Duration) -> Measurement {
        Measurement {
            ops,
            elapsed,
            cpu: usage::cpu_time().saturating_sub(self.cpu),
            rounds: self.rounds,
            held: None,
            lateness: None,
            latency: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_aside_is_not_counted() {
        let whole = Instant::now();
        let mut watch = Stopwatch::start();
        let aside = Duration::from_millis(30);
        watch.aside(|| std::thread::sleep(aside));
        watch.round();
        let measurement = watch.stop(1);
        assert!(measurement.elapsed + aside <= whole.elapsed());
        assert!(measurement.rounds[0] <= measurement.elapsed);
    }

    #[test]
    fn rounds_are_the_whole() {
        let mut watch = Stopwatch::start();
        watch.round();
        watch.round();
        let measurement = watch.stop(2);
        assert_eq!(measurement.rounds.len(), 2);
        assert!(measurement.rounds.iter().sum::<Duration>() <= measurement.elapsed);
    }
}
