//! `sleepers`, for tasks.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use super::{Gate, Outcome, Tasks};
use crate::lateness::late_by;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::usage;
use crate::workloads::sleepers::{duration, finish, held};

pub(super) async fn sleepers<L: Tasks>(order: &Order) -> Outcome {
    let (threads, duration) = (order.get("threads"), duration(order));
    let gate = L::Gate::new(threads);
    let before = usage::footprint();
    let watch = Stopwatch::start();
    let sleep = |_| {
        let gate = Arc::clone(&gate);
        L::spawn(async move {
            let start = Instant::now();
            gate.arrive();
            L::sleep(duration).await;
            late_by(start, duration)
        })
    };
    let handles: Vec<_> = (0..threads).map(sleep).collect();
    gate.wait_for_all().await;
    let held = held(&watch, duration, before, threads);
    let mut late = Vec::with_capacity(handles.len());
    for handle in handles {
        late.push(L::join(handle).await?);
    }
    finish(watch, duration, threads, late, held)
}
