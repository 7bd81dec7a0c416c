//! `parked`, for libraries whose threads park as those of `std` do.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::gate::Gate;
use super::{StdShaped, sum};
use crate::failure::Failure;
use crate::held::Held;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::usage::{self, Footprint};
use crate::workloads::parked::stack_size;
use crate::workloads::spawn_join;

pub(super) fn parked<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), order.get("rounds"));
    let before = usage::footprint();
    let mut held = None;
    let mut watch = Stopwatch::start();
    for _ in 0..rounds {
        held = Some(Held::most(held, round::<L>(order, before, &mut watch)?));
        watch.round();
    }
    let measurement = watch.stop(threads * rounds);
    Ok(Measurement {
        held,
        ..measurement
    })
}

fn round<L: StdShaped>(
    order: &Order,
    before: Footprint,
    watch: &mut Stopwatch,
) -> Result<Held, Failure> {
    let threads = order.get("threads");
    let stack = stack_size(order);
    let gate = Gate::<L>::new(threads);
    let arrive = |number| {
        let gate = Arc::clone(&gate);
        let started = L::start(stack, move || {
            gate.pass();
            number
        });
        started.map_err(Failure::io("start a thread"))
    };
    let handles: Result<Vec<_>, Failure> = (0..threads).map(arrive).collect();
    let handles = handles?;
    gate.wait_for_all();
    let held = watch.aside(|| Held::since(before, threads));
    gate.open(&handles);
    spawn_join::check(threads, sum::<L>(handles)?)?;
    Ok(held)
}
