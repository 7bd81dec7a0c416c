//! `parked`, for tasks. They have no stacks, so `stack` says nothing to them.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::gate::Gate;
use super::{Outcome, sum};
use crate::failure::Failure;
use crate::held::Held;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::usage::{self, Footprint};
use crate::workloads::spawn_join;

pub(super) async fn parked(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let before = usage::footprint();
    let mut held = None;
    let mut watch = Stopwatch::start();
    for _ in 0..rounds {
        held = Some(Held::most(held, round(threads, before, &mut watch).await?));
        watch.round();
    }
    let measurement = watch.stop(threads * rounds);
    Ok(Measurement {
        held,
        ..measurement
    })
}

async fn round(threads: u64, before: Footprint, watch: &mut Stopwatch) -> Result<Held, Failure> {
    let gate = Gate::new(threads);
    let arrive = |number| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            gate.pass().await;
            number
        })
    };
    let handles = (0..threads).map(arrive).collect();
    gate.wait_for_all().await;
    let held = watch.aside(|| Held::since(before, threads));
    gate.open();
    spawn_join::check(threads, sum(handles).await?)?;
    Ok(held)
}
