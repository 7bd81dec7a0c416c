//! Runs one workload once, on one runtime, in this process.
#![forbid(unsafe_code)]

use std::panic::{self, AssertUnwindSafe};

use trefoil::{Builder, Model};

use crate::contender::Contender;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::migrating;
use crate::order::Order;
use crate::peers;
use crate::workloads::Workload;

/// What one run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What was measured.
    pub measurement: Measurement,
    /// On how many OS threads the runtime ran its threads at the same time.
    pub workers: usize,
}

/// Runs a workload. Blocks until it is done.
///
/// `workers` is for the runtimes that have such a number. One kernel thread per thread, or one
/// for all of them, is what it is.
///
/// # Errors
///
/// If the runtime cannot be built, if a thread of the workload panics, or if its result is wrong.
pub fn run(
    workload: &'static Workload,
    contender: Contender,
    workers: Option<usize>,
    order: Order,
) -> Result<Run, Failure> {
    match contender {
        Contender::Model(model) => on_model(workload, model, workers, order),
        Contender::Migrating => on_migrating(workload, workers, order),
        Contender::Peer(peer) => {
            let workers = workers.unwrap_or_else(cores);
            let run = || peers::run(peer, workload.name, &order, workers);
            let measurement = caught(run)?;
            Ok(Run {
                measurement,
                workers,
            })
        }
    }
}

fn on_model(
    workload: &'static Workload,
    model: Model,
    workers: Option<usize>,
    order: Order,
) -> Result<Run, Failure> {
    let mut builder = Builder::new().model(model);
    if let Some(workers) = workers {
        builder = builder.workers(workers);
    }
    let runtime = builder
        .build()
        .map_err(|error| Failure::Unable(error.to_string()))?;
    let workers = runtime.workers();
    let measurement = caught(|| runtime.run(move || (workload.run)(&order)))?;
    Ok(Run {
        measurement,
        workers,
    })
}

fn on_migrating(
    workload: &'static Workload,
    workers: Option<usize>,
    order: Order,
) -> Result<Run, Failure> {
    let runtime =
        migrating::runtime(workers).map_err(|error| Failure::Unable(error.to_string()))?;
    let workers = runtime.workers();
    let measurement = caught(|| runtime.run(move || (workload.run)(&order)))?;
    Ok(Run {
        measurement,
        workers,
    })
}

/// A panic of the workload's first thread is a failure like that of any other.
fn caught(run: impl FnOnce() -> Result<Measurement, Failure>) -> Result<Measurement, Failure> {
    // Nothing of what the closure has used is looked at after a panic.
    panic::catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|payload| Err(Failure::panicked(payload)))
}

/// How many processors this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Parameters, Weight};
    use crate::scenario::Scenario;

    fn order() -> Order {
        Order {
            parameters: Parameters::defaults(&[], Weight::Light),
            program: "no program".into(),
        }
    }

    fn workload(run: fn(&Order) -> Result<Measurement, Failure>) -> &'static Workload {
        Box::leak(Box::new(Workload {
            name: "test",
            about: "",
            operation: "",
            scenario: Scenario::ShortLived,
            parameters: &[],
            contrast: None,
            run,
        }))
    }

    #[test]
    fn a_wrong_result_is_a_failure_on_every_model() {
        let wrong = workload(|_| Err(Failure::unless_equal("the sum", 1, 2).unwrap_err()));
        for model in Model::ALL {
            let run = run(wrong, Contender::Model(model), None, order());
            assert!(
                matches!(run, Err(Failure::Wrong { .. })),
                "{model}: {run:?}"
            );
        }
    }

    #[test]
    fn a_panic_is_a_failure_on_every_model() {
        let panics = workload(|_| panic!("out of luck"));
        let models = Model::ALL.map(Contender::Model);
        for contender in models.into_iter().chain([Contender::Migrating]) {
            let failure = run(panics, contender, None, order()).unwrap_err();
            assert!(
                failure.to_string().contains("out of luck"),
                "{contender}: {failure}"
            );
        }
    }

    #[test]
    fn a_runtime_that_cannot_be_built_is_a_failure() {
        let never = workload(|_| unreachable!("there is no runtime"));
        let hybrid = Contender::Model(Model::Hybrid);
        let failure = run(never, hybrid, Some(0), order()).unwrap_err();
        assert!(matches!(failure, Failure::Unable(_)), "{failure}");
    }
}
