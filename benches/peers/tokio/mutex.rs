//! `mutex`, for tasks: tokio's own, which may be held while a task waits.
#![forbid(unsafe_code)]

use std::sync::Arc;

use tokio::sync::Mutex;

use super::gate::Gate;
use super::{Outcome, joined};
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::mutex;

pub(super) async fn mutex(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), mutex::rounds(order));
    let gate = Gate::new(threads);
    let number = Arc::new(Mutex::new(0));
    let start = |_| {
        let (gate, number) = (Arc::clone(&gate), Arc::clone(&number));
        tokio::spawn(async move {
            gate.pass().await;
            for _ in 0..rounds {
                *number.lock().await += 1;
            }
        })
    };
    let handles: Vec<_> = (0..threads).map(start).collect();
    gate.wait_for_all().await;
    let watch = Stopwatch::start();
    gate.open();
    for handle in handles {
        joined(handle).await?;
    }
    let measurement = watch.stop(threads * rounds);
    mutex::check(threads, rounds, *number.lock().await)?;
    Ok(measurement)
}
