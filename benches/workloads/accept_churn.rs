//! `accept_churn`: connections that live for a few requests, and are followed by new ones. One operation is
//! one request with its answer.
//!
//! It measures what a connection costs: to accept it, to start its thread, to watch its socket, and to give all
//! of it back. The client keeps so many `connections` (64) open and makes a new one for each that has had its
//! `requests` (10), `lives` times (100) in each place. Both ends are on one machine, so the client's work for a
//! connection is in the time too; the CPU time is the server's. The server starts a thread for each connection,
//! and nobody joins them.
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
    name: "accept_churn",
    about: "serve connections that end after a few requests",
    operation: "a request and its answer",
    scenario: Scenario::IoBound,
    parameters: &[
        Parameter::new("connections", 64, "connections at the same time").within(1, 9_000),
        // A port stays taken for a minute, and there are some 28,000.
        Parameter::new(
            "lives",
            100,
            "connections one after the other in each place",
        )
        .within(1, 400),
        Parameter::new("requests", 10, "requests on each connection"),
        Parameter::new("size", 64, "bytes of a request").within(1, 1_000_000),
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
        lives: order.get("lives"),
        ..echo::plan(order)
    }
}
