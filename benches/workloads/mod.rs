//! The workloads, one file each: against the public API of Trefoil, and the same for all models.
//!
//! Each runs as the first thread of a runtime, does its work between the two ends of a
//! [`Stopwatch`](crate::measurement::Stopwatch), and checks its result afterwards: a wrong one is
//! a [`Failure`], never a time. What it computes and how it checks that is public where a peer
//! does the same work.
//!
//! A file ends with tests which show that its check sees a wrong result.
#![forbid(unsafe_code)]

use trefoil::thread::JoinHandle;

use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

pub mod accept_churn;
pub mod blocking;
pub mod echo;
pub mod echo_compute;
pub mod echo_pipelined;
pub mod fairness;
pub mod fib;
mod gate;
pub mod idle_connections;
pub mod mpmc;
pub mod mutex;
pub mod parked;
pub mod ping_pong;
pub mod primes;
pub mod ring;
pub mod select;
pub mod sieve;
pub mod skynet;
pub mod skynet_channel;
pub mod skynet_join;
pub mod sleepers;
pub mod spawn_batch;
pub mod spawn_join;
pub mod timers_cancelled;
pub mod yield_now;

/// Something to do, and to measure.
#[derive(Debug)]
pub struct Workload {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What one operation is.
    pub operation: &'static str,
    /// What it is an example of.
    pub scenario: Scenario,
    /// What can be set about it.
    pub parameters: &'static [Parameter],
    /// A `key=value` with which the comparison runs it once more, for contrast.
    pub contrast: Option<&'static str>,
    /// Does it, on the runtime of the calling thread.
    pub run: fn(&Order) -> Result<Measurement, Failure>,
}

/// All workloads, in the order in which they are listed and compared.
pub static ALL: [&Workload; 23] = [
    &spawn_join::WORKLOAD,
    &spawn_batch::WORKLOAD,
    &skynet_channel::WORKLOAD,
    &skynet_join::WORKLOAD,
    &yield_now::WORKLOAD,
    &ping_pong::WORKLOAD,
    &timers_cancelled::WORKLOAD,
    &ring::WORKLOAD,
    &sieve::WORKLOAD,
    &mpmc::WORKLOAD,
    &select::WORKLOAD,
    &mutex::WORKLOAD,
    &primes::WORKLOAD,
    &fib::WORKLOAD,
    &echo::WORKLOAD,
    &echo_compute::WORKLOAD,
    &echo_pipelined::WORKLOAD,
    &accept_churn::WORKLOAD,
    &idle_connections::WORKLOAD,
    &blocking::WORKLOAD,
    &parked::WORKLOAD,
    &sleepers::WORKLOAD,
    &fairness::WORKLOAD,
];

/// The workload of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Workload> {
    ALL.into_iter().find(|workload| workload.name == name)
}

/// Joins a thread; its panic is a failure of the workload.
fn join<T>(handle: JoinHandle<T>) -> Result<T, Failure> {
    handle.join().map_err(Failure::panicked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Parameters, Weight};
    use std::collections::HashSet;

    /// What a workload is told, with its defaults for fibers but for these.
    pub(super) fn order(workload: &Workload, pairs: &[&str]) -> Order {
        let mut parameters = Parameters::defaults(workload.parameters, Weight::Light);
        for pair in pairs {
            parameters.set(pair).unwrap();
        }
        Order {
            parameters,
            program: "no program".into(),
        }
    }

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = ALL.iter().map(|workload| workload.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn contrasts_can_be_set() {
        for workload in ALL {
            let mut parameters = Parameters::defaults(workload.parameters, Weight::Light);
            if let Some(pair) = workload.contrast {
                parameters.set(pair).unwrap();
            }
        }
    }

    #[test]
    fn defaults_are_within_the_limits() {
        for parameter in ALL.iter().flat_map(|workload| workload.parameters) {
            assert!(parameter.range.contains(&parameter.default));
            assert!(parameter.range.contains(&parameter.on_kernel));
        }
    }
}
