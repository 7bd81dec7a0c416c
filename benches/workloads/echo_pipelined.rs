//! `echo_pipelined`: as [`echo`], with several requests in flight on each connection. One operation is one
//! request with its answer.
//!
//! It measures I/O where a system call serves many requests: what a runtime costs beside it shows. The client
//! sends `depth` requests (16) at once and waits for all their answers; the server reads what is there and
//! answers that by one write. `requests` (400) counts how often that is done on each connection; the other
//! parameters are `echo`'s.
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
    name: "echo_pipelined",
    about: "send back what arrives, many requests at once on each connection",
    operation: "a request and its answer",
    scenario: Scenario::IoBound,
    parameters: &[
        Parameter::new("connections", 64, "connections, a thread each").within(1, 9_000),
        Parameter::new(
            "requests",
            400,
            "how often requests are sent on each connection",
        ),
        Parameter::new("depth", 16, "requests that are sent at once").within(1, 10_000),
        Parameter::new("size", 64, "bytes of a request").within(1, 100_000),
        echo::PIN,
    ],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    echo::serve(order, plan(order))
}

/// What the client is to do.
#[must_use]
pub fn plan(order: &Order) -> Plan {
    Plan {
        depth: order.get("depth"),
        ..echo::plan(order)
    }
}
