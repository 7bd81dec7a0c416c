//! The gate before which many tasks gather: they wait for a permit each, of which there are none at
//! first.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, Semaphore};

pub(super) struct Gate {
    threads: u64,
    arrived: AtomicU64,
    all: Notify,
    permits: Semaphore,
}

impl Gate {
    pub(super) fn new(threads: u64) -> Arc<Gate> {
        Arc::new(Gate {
            threads,
            arrived: AtomicU64::new(0),
            all: Notify::new(),
            permits: Semaphore::new(0),
        })
    }

    pub(super) fn arrive(&self) {
        // The notification orders what comes after it.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.all.notify_one();
        }
    }

    pub(super) async fn pass(&self) {
        self.arrive();
        // It is never closed.
        let permit = self.permits.acquire().await;
        permit.expect("the gate stands").forget();
    }

    pub(super) async fn wait_for_all(&self) {
        self.all.notified().await;
    }

    pub(super) fn open(&self) {
        self.permits.add_permits(self.threads as usize);
    }
}
