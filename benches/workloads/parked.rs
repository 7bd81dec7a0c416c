//! `parked`: start very many threads that park, wait until all of them have begun, wake them all,
//! and join them. One operation is one thread, with all of that.
//!
//! It measures how many threads can wait at the same time, and what one of them costs; it also
//! tells how much memory each held while all were parked, how much the kernel held in page tables
//! for it, and into how many mappings all memory was divided. Parameters: `threads` (100,000;
//! 10,000 on kernel threads); `stack`, the size of each thread's stack in KiB (0: as large as the
//! runtime makes it; tokio and Go have no stacks of a fixed size, and ignore it); and `rounds` (1),
//! one after the other in the same process: the later ones find the stacks and threads that the
//! first has left, and the record tells the time of each.
//!
//! Looking at the memory is no part of the time. Of several rounds, the most that the threads held
//! is told, above what the process held before the first.
//!
//! Each thread returns its number once it has been released; the sum of all must be right.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use trefoil::thread::{self, JoinHandle};

use super::gate::Gate;
use super::{Workload, join, spawn_join};
use crate::failure::Failure;
use crate::held::Held;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;
use crate::usage::{self, Footprint};

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "parked",
    about: "very many threads park, are woken and joined",
    operation: "a thread, parked, woken and joined",
    scenario: Scenario::Parked,
    parameters: &[
        Parameter::new("threads", 100_000, "threads parked at once")
            .on_kernel(10_000)
            .within(1, 1_000_000),
        Parameter::new(
            "stack",
            0,
            "KiB of stack for each; 0: the runtime's own size",
        )
        .within(0, 1 << 20),
        Parameter::new("rounds", 1, "how often it is done").within(1, 1_000),
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let before = usage::footprint();
    let mut held = None;
    let mut watch = Stopwatch::start();
    for _ in 0..rounds {
        held = Some(Held::most(held, round(order, before, &mut watch)?));
        watch.round();
    }
    let measurement = watch.stop(threads * rounds);
    Ok(Measurement {
        held,
        ..measurement
    })
}

fn round(order: &Order, before: Footprint, watch: &mut Stopwatch) -> Result<Held, Failure> {
    let threads = order.get("threads");
    let stack = stack_size(order);
    let gate = Gate::new(threads);
    let handles: Result<Vec<_>, Failure> = (0..threads)
        .map(|number| start(number, stack, &gate).map_err(Failure::io("start a thread")))
        .collect();
    let handles = handles?;
    gate.wait_for_all();
    let held = watch.aside(|| Held::since(before, threads));
    gate.open(handles.iter().map(JoinHandle::thread));
    let mut sum = 0;
    for handle in handles {
        sum += join(handle)?;
    }
    spawn_join::check(threads, sum)?;
    Ok(held)
}

fn start(number: u64, stack: Option<usize>, gate: &Arc<Gate>) -> io::Result<JoinHandle<u64>> {
    let mut builder = thread::Builder::new();
    if let Some(size) = stack {
        builder = builder.stack_size(size);
    }
    let gate = Arc::clone(gate);
    builder.spawn(move || {
        gate.pass();
        number
    })
}

/// How many bytes of stack each thread is to have. `None`: as many as the runtime gives it.
#[must_use]
pub fn stack_size(order: &Order) -> Option<usize> {
    match order.get("stack") {
        0 => None,
        kibibytes => Some(usize::try_from(kibibytes * 1024).expect("the largest one fits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{Parameters, Weight};
    use trefoil::{Builder, Model};

    fn order(pairs: &[&str]) -> Order {
        let mut parameters = Parameters::defaults(WORKLOAD.parameters, Weight::Light);
        for pair in pairs {
            parameters.set(pair).unwrap();
        }
        Order {
            parameters,
            program: "no program".into(),
        }
    }

    #[test]
    fn a_stack_size_is_in_kibibytes() {
        assert_eq!(stack_size(&order(&[])), None);
        assert_eq!(stack_size(&order(&["stack=128"])), Some(131_072));
    }

    #[test]
    fn each_round_is_told_on_every_model() {
        for model in Model::ALL {
            let runtime = Builder::new().model(model).build().unwrap();
            let order = order(&["threads=20", "stack=128", "rounds=3"]);
            let measurement = runtime.run(move || run(&order)).unwrap();
            assert_eq!(measurement.ops, 60);
            assert_eq!(measurement.rounds.len(), 3);
            assert!(measurement.held.unwrap().mappings > 0);
        }
    }
}
