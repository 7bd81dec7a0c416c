//! `sleepers`, for libraries whose threads sleep as those of `std` do.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use super::StdShaped;
use super::gate::Gate;
use crate::failure::Failure;
use crate::lateness::late_by;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::usage;
use crate::workloads::sleepers::{duration, finish, held};

pub(super) fn sleepers<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (threads, duration) = (order.get("threads"), duration(order));
    let gate = Gate::<L>::new(threads);
    let before = usage::footprint();
    let watch = Stopwatch::start();
    let sleep = |_| {
        let gate = Arc::clone(&gate);
        L::spawn(move || {
            let start = Instant::now();
            gate.arrive();
            L::sleep(duration);
            late_by(start, duration)
        })
    };
    let handles: Vec<_> = (0..threads).map(sleep).collect();
    gate.wait_for_all();
    let held = held(&watch, duration, before, threads);
    let late: Result<Vec<_>, Failure> = handles.into_iter().map(L::join).collect();
    finish(watch, duration, threads, late?, held)
}
