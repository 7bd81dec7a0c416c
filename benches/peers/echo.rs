//! The part of the echo workloads that is no server: it starts the client, lets it begin, and
//! takes the time.
#![forbid(unsafe_code)]

use std::net::SocketAddr;

use crate::client::Plan;
use crate::failure::Failure;
use crate::load::Load;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::{echo, echo_compute};

/// What the client is to do in this workload.
pub(super) fn plan(workload: &str, order: &Order) -> Plan {
    match workload {
        "echo" => echo::plan(order),
        _ => echo_compute::plan(order),
    }
}

/// Has a server measured. Blocks its OS thread, so that has to be one that the server does not
/// need.
///
/// `accepted` waits until all connections are accepted and gives their handlers; `ended` waits
/// for the handlers and gives the number of requests that they have served.
pub(super) fn drive<H>(
    order: &Order,
    plan: Plan,
    address: SocketAddr,
    accepted: impl FnOnce() -> Result<H, Failure>,
    ended: impl FnOnce(H) -> Result<u64, Failure>,
) -> Result<Measurement, Failure> {
    let mut load = Load::start(&order.program, address, plan)?;
    load.connected()?;
    let handlers = accepted()?;

    let watch = Stopwatch::start();
    load.go()?;
    let answered = load.answered()?;
    let measurement = watch.stop_after(answered.requests, answered.elapsed);

    // The client hangs up, and the handlers end.
    drop(load);
    let served = ended(handlers)?;
    echo::check(plan, served, answered)?;
    Ok(measurement)
}
