//! `echo_compute`: as [`echo`], but the server computes for every request, and
//! answers with what it has computed. One operation is one request with its answer.
//!
//! It measures I/O with parallelism: the requests need more CPU time than one core has. Parameters
//! as `echo`'s (64 connections, 300 requests, 64 bytes), and `work`: how many rounds of mixing a
//! request takes (10,000, about twenty microseconds).
//!
//! The client compares every answer with one that it has computed before it began.
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
    name: "echo_compute",
    about: "compute something for each request on many loopback connections",
    operation: "a request and its answer",
    scenario: Scenario::IoParallel,
    parameters: &[
        Parameter::new("connections", 64, "connections, a thread each").within(1, 9_000),
        Parameter::new("requests", 300, "requests on each connection"),
        Parameter::new("size", 64, "bytes of a request").within(1, 1_000_000),
        Parameter::new("work", 10_000, "rounds of mixing for a request"),
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
        work: order.get("work"),
        ..echo::plan(order)
    }
}

/// Mixes the request's bytes together, then the result with itself for `work` rounds, each of
/// which needs the one before.
#[must_use]
pub fn digest(request: &[u8], work: u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for &byte in request {
        state = mix(state ^ u64::from(byte));
    }
    for round in 0..work {
        state = mix(state ^ round);
    }
    state
}

fn mix(mut state: u64) -> u64 {
    state ^= state >> 32;
    state = state.wrapping_mul(0xd6e8_feb8_6659_fd93);
    state ^ (state >> 29)
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn the_digest_depends_on_every_byte_and_on_the_work() {
        let request = [7_u8; 64];
        let right = digest(&request, 10);
        for place in 0..request.len() {
            let mut other = request;
            other[place] ^= 1;
            assert_ne!(digest(&other, 10), right);
        }
        assert_ne!(digest(&request, 11), right);
        assert_eq!(digest(&request, 10), right);
    }
}
