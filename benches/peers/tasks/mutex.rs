//! `mutex`, for tasks.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Gate, Outcome, Tasks};
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::mutex;

pub(super) async fn mutex<L: Tasks>(order: &Order) -> Outcome {
    let (threads, rounds) = (order.get("threads"), mutex::rounds(order));
    let gate = L::Gate::new(threads);
    let number = Arc::new(L::mutex());
    let start = |_| {
        let (gate, number) = (Arc::clone(&gate), Arc::clone(&number));
        L::spawn(async move {
            gate.pass().await;
            for _ in 0..rounds {
                L::count(&number).await;
            }
        })
    };
    let handles: Vec<_> = (0..threads).map(start).collect();
    gate.wait_for_all().await;
    let watch = Stopwatch::start();
    gate.open();
    for handle in handles {
        L::join(handle).await?;
    }
    let measurement = watch.stop(threads * rounds);
    mutex::check(threads, rounds, L::counted(&number).await)?;
    Ok(measurement)
}
