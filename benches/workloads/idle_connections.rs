//! `idle_connections`: one connection with requests, beside very many that are open and silent. One operation is
//! one request with its answer.
//!
//! It measures what a connection costs that does nothing: as time and CPU time of the requests beside them, which
//! are to be what they are without (`idle=0`, the contrast), and as memory. An idle connection has its thread,
//! which waits for its first request. Parameters: `idle` (10,000; the process that serves and the one that
//! connects need so many descriptors each), `requests` (20,000) on the one connection, `size` and `pin` as
//! `echo`'s.
#![forbid(unsafe_code)]

use super::{Workload, echo};
use crate::client::Plan;
use crate::failure::Failure;
use crate::measurement::Measurement;
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "idle_connections",
    about: "serve one connection beside very many idle ones",
    operation: "a request and its answer",
    scenario: Scenario::Parked,
    parameters: &[
        Parameter::new("idle", 10_000, "connections that are open and silent")
            .on_kernel(2_000)
            .within(0, 25_000),
        Parameter::new("requests", 20_000, "requests on the one that is not"),
        Parameter::new("size", 64, "bytes of a request").within(1, 1_000_000),
        echo::PIN,
    ],
    contrast: Some("idle=0"),
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    echo::serve(order, plan(order))
}

/// What the client is to do.
#[must_use]
pub fn plan(order: &Order) -> Plan {
    Plan {
        requests: order.get("requests"),
        size: order.get("size"),
        idle: order.get("idle"),
        pin: order.is_pinned(),
        ..Plan::LEAST
    }
}
