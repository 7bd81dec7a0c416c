//! One workload on one runtime, run again and again, each time in a process of its own.
#![forbid(unsafe_code)]

use std::time::Duration;

use trefoil_bench::contender::Contender;
use trefoil_bench::order::Order;
use trefoil_bench::record::Record;

use crate::child::{self, Job};
use crate::spread::Spread;

/// What one runtime has done in a comparison.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) contender: Contender,
    pub(crate) order: Order,
    /// One for each round.
    pub(crate) records: Vec<Record>,
    /// Why there are no more of them.
    pub(crate) failure: Option<String>,
}

impl Lane {
    /// Of a runtime that has not run yet.
    pub(crate) fn new(contender: Contender, order: Order) -> Lane {
        Lane {
            contender,
            order,
            records: Vec::new(),
            failure: None,
        }
    }

    /// Runs once more. What has failed once is not run again: it may take long to fail.
    pub(crate) fn run(&mut self, workload: &str, workers: Option<usize>, limit: Duration) {
        if self.failure.is_some() {
            return;
        }
        let job = Job {
            workload,
            contender: self.contender,
            workers,
            order: &self.order,
            limit,
        };
        match child::measure(&job) {
            Ok(record) => self.records.push(record),
            Err(why) => self.failure = Some(why),
        }
    }

    /// Of one of the records' numbers. `None` if a run has failed.
    pub(crate) fn spread(&self, number: impl Fn(&Record) -> f64) -> Option<Spread> {
        self.spread_of_some(|record| Some(number(record)))
    }

    /// Of a number that not every record has.
    pub(crate) fn spread_of_some(&self, number: impl Fn(&Record) -> Option<f64>) -> Option<Spread> {
        match self.failure {
            Some(_) => None,
            None => Spread::of(self.records.iter().filter_map(number)),
        }
    }

    /// The time of an operation.
    pub(crate) fn time(&self) -> Option<Spread> {
        self.spread(|record| record.ns_per_op)
    }

    /// Its time as a multiple of another one's, round by round: what disturbs the machine for a
    /// while disturbs both runs of a round, and their ratio less.
    pub(crate) fn ratios(&self, other: &Lane) -> Vec<f64> {
        let pairs = self.records.iter().zip(&other.records);
        pairs
            .map(|(own, other)| own.ns_per_op / other.ns_per_op)
            .collect()
    }

    /// The spread of these. `None` if a run of one of the two has failed.
    pub(crate) fn ratio(&self, other: &Lane) -> Option<Spread> {
        match (&self.failure, &other.failure) {
            (None, None) => Spread::of(self.ratios(other)),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use trefoil_bench::parameters::{Parameters, Weight};
    use trefoil_bench::workloads;

    /// One whose runs of `ring` took these times.
    pub(crate) fn lane(contender: Contender, times: &[f64]) -> Lane {
        let ring = workloads::find("ring").unwrap();
        let order = Order {
            parameters: Parameters::defaults(ring.parameters, Weight::Light),
            program: "no program".into(),
        };
        let mut lane = Lane::new(contender, order);
        lane.records = times.iter().map(|&time| record(contender, time)).collect();
        lane
    }

    fn record(contender: Contender, ns_per_op: f64) -> Record {
        Record {
            runtime: contender.name().into(),
            workload: "ring".into(),
            params: Default::default(),
            workers: 1,
            ops: 10,
            seconds: 1.0,
            ns_per_op,
            cpu_seconds: 1.0,
            cpu_ns_per_op: 1.0,
            peak_bytes: 4096,
            rounds: Vec::new(),
            held: None,
            lateness: None,
            latency: None,
        }
    }

    fn green(times: &[f64]) -> Lane {
        lane("green".parse().unwrap(), times)
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        // The second round was disturbed, for both alike.
        let (first, second) = (green(&[10.0, 40.0, 10.0]), green(&[20.0, 80.0, 30.0]));
        assert_eq!(second.ratios(&first), [2.0, 2.0, 3.0]);
        let ratio = second.ratio(&first).unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (2.0, 2.0, 3.0));
    }

    #[test]
    fn who_has_failed_has_no_time_and_no_ratio() {
        let (first, mut second) = (green(&[10.0]), green(&[20.0]));
        second.failure = Some("wrong result".into());
        assert_eq!(second.time(), None);
        assert_eq!(second.ratio(&first), None);
        assert_eq!(first.ratio(&second), None);
    }

    #[test]
    fn what_has_failed_is_not_run_again() {
        let mut lane = green(&[]);
        lane.run("ring", None, Duration::from_secs(30));
        let why = lane.failure.clone().unwrap();
        assert!(why.contains("cannot start a process"), "{why}");
        lane.failure = Some("kept".into());
        lane.run("ring", None, Duration::from_secs(30));
        assert_eq!(lane.failure.as_deref(), Some("kept"));
    }
}
