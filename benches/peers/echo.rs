//! The part of the echo workloads that is no server: it starts the client, lets it begin, and
//! takes the time.
#![forbid(unsafe_code)]

use std::net::SocketAddr;

use crate::client::Plan;
use crate::failure::Failure;
use crate::load::Load;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::tally::Tally;
use crate::usage;
use crate::workloads::{accept_churn, echo, echo_compute, echo_pipelined, idle_connections};

/// The workloads of this kind.
pub(super) const NAMES: [&str; 5] = [
    "echo",
    "echo_compute",
    "echo_pipelined",
    "accept_churn",
    "idle_connections",
];

/// What the client is to do in this workload.
pub(super) fn plan(workload: &str, order: &Order) -> Plan {
    match workload {
        "echo" => echo::plan(order),
        "echo_compute" => echo_compute::plan(order),
        "echo_pipelined" => echo_pipelined::plan(order),
        "idle_connections" => idle_connections::plan(order),
        _ => accept_churn::plan(order),
    }
}

/// Has a server measured that accepts connections at this address, and reports each. Blocks its OS thread, so
/// that has to be one that the server does not need.
pub(super) fn drive(
    order: &Order,
    plan: Plan,
    address: SocketAddr,
    tally: &Tally,
) -> Result<Measurement, Failure> {
    let before = usage::footprint();
    let mut load = Load::start(&order.program, address, plan)?;
    load.connected()?;
    tally.until_accepted(plan)?;
    let held = echo::held(plan, before);

    let watch = Stopwatch::start();
    load.go()?;
    let answered = load.answered()?;
    let measurement = answered.stop(watch);

    // The client hangs up, and the handlers end.
    drop(load);
    echo::check(plan, tally.until_ended(plan)?, answered)?;
    Ok(Measurement {
        held,
        ..measurement
    })
}
