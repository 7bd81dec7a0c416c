//! The scenarios of the classic comparison between threads in user space and kernel threads, and
//! which model it predicts to win each of them.
//!
//! The prediction is what textbooks and design papers say, in one line each. The comparison holds
//! what it has measured against it; it does not assume that the textbooks are right.
#![forbid(unsafe_code)]

use trefoil::Model;

/// What a workload is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// Threads that end soon after they have begun.
    ShortLived,
    /// Threads that give way to each other all the time.
    FineGrained,
    /// Threads that only compute.
    CpuBound,
    /// Many connections with little work for each request.
    IoBound,
    /// Many connections, and requests that need more than one core.
    IoParallel,
    /// Calls that block their OS thread.
    BlockingCalls,
    /// Very many threads that wait.
    Parked,
    /// Threads that compute without end, and one that is to run all the same.
    Fairness,
}

const USER_SPACE: &[Model] = &[Model::Green, Model::Hybrid];
const PARALLEL: &[Model] = &[Model::Kernel, Model::Hybrid];

impl Scenario {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Scenario::ShortLived => "short-lived threads",
            Scenario::FineGrained => "fine-grained switching",
            Scenario::CpuBound => "CPU-bound parallelism",
            Scenario::IoBound => "I/O-bound concurrency",
            Scenario::IoParallel => "high-throughput I/O",
            Scenario::BlockingCalls => "blocking calls",
            Scenario::Parked => "parked threads",
            Scenario::Fairness => "fairness beside hogs",
        }
    }

    /// The models of which the classic comparison says that one of them wins.
    #[must_use]
    pub const fn predicted(self) -> &'static [Model] {
        match self {
            // No system call to start, to switch or to wait.
            Scenario::ShortLived | Scenario::FineGrained | Scenario::IoBound | Scenario::Parked => {
                USER_SPACE
            }
            // More than one core.
            Scenario::CpuBound => PARALLEL,
            // Both of these at once.
            Scenario::IoParallel => &[Model::Hybrid],
            // A call that blocks, or a loop without end, stops its own thread only.
            Scenario::BlockingCalls | Scenario::Fairness => &[Model::Kernel],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prediction_excludes_somebody() {
        for workload in crate::workloads::ALL {
            let predicted = workload.scenario.predicted();
            assert!(!predicted.is_empty() && predicted.len() < Model::ALL.len());
        }
    }
}
