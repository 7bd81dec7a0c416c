//! `parked`, for tasks. They have no stacks, so `stack` says nothing to them.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Gate, Outcome, Tasks, sum};
use crate::failure::Failure;
use crate::held::Held;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::usage::{self, Footprint};
use crate::workloads::spawn_join;

pub(super) async fn parked<L: Tasks>(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let before = usage::footprint();
    let mut held = None;
    let mut watch = Stopwatch::start();
    for _ in 0..rounds {
        held = Some(Held::most(
            held,
            round::<L>(threads, before, &mut watch).await?,
        ));
        watch.round();
    }
    let measurement = watch.stop(threads * rounds);
    Ok(Measurement {
        held,
        ..measurement
    })
}

async fn round<L: Tasks>(
    threads: u64,
    before: Footprint,
    watch: &mut Stopwatch,
) -> Result<Held, Failure> {
    let gate = L::Gate::new(threads);
    let arrive = |number| {
        let gate = Arc::clone(&gate);
        L::spawn(async move {
            gate.pass().await;
            number
        })
    };
    let handles = (0..threads).map(arrive).collect();
    gate.wait_for_all().await;
    let held = watch.aside(|| Held::since(before, threads));
    gate.open();
    spawn_join::check(threads, sum::<L>(handles).await?)?;
    Ok(held)
}
