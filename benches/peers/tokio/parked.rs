//! `parked`, for tasks.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, Semaphore};

use super::{Outcome, sum};
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::usage;
use crate::workloads::spawn_join;

/// Where the tasks of `parked` wait: for a permit each, of which there are none at first.
struct Gate {
    threads: u64,
    arrived: AtomicU64,
    all: Notify,
    permits: Semaphore,
}

impl Gate {
    async fn pass(&self) {
        // The notification orders what comes after it.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.all.notify_one();
        }
        // It is never closed.
        let permit = self.permits.acquire().await;
        permit.expect("the gate stands").forget();
    }
}

pub(super) async fn parked(order: &Order) -> Outcome {
    let threads = order.get("threads");
    let gate = Arc::new(Gate {
        threads,
        arrived: AtomicU64::new(0),
        all: Notify::new(),
        permits: Semaphore::new(0),
    });
    let before = usage::resident();
    let watch = Stopwatch::start();
    let arrive = |number| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            gate.pass().await;
            number
        })
    };
    let handles = (0..threads).map(arrive).collect();
    gate.all.notified().await;
    let resident = usage::resident().saturating_sub(before);
    gate.permits.add_permits(threads as usize);
    let sum = sum(handles).await?;
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(Measurement {
        resident: Some(resident),
        ..measurement
    })
}
