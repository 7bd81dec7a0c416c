//! The gate before which many tasks gather: they wait for a permit each, of which there are none at
//! first.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, Semaphore};

use crate::peers::tasks;

pub(crate) struct Gate {
    threads: u64,
    arrived: AtomicU64,
    all: Notify,
    permits: Semaphore,
}

impl tasks::Gate for Gate {
    fn new(threads: u64) -> Arc<Gate> {
        Arc::new(Gate {
            threads,
            arrived: AtomicU64::new(0),
            all: Notify::new(),
            permits: Semaphore::new(0),
        })
    }

    fn arrive(&self) {
        // The notification orders what comes after it.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.all.notify_one();
        }
    }

    async fn pass(&self) {
        self.arrive();
        // It is never closed.
        let permit = self.permits.acquire().await;
        permit.expect("the gate stands").forget();
    }

    async fn wait_for_all(&self) {
        self.all.notified().await;
    }

    fn open(&self) {
        self.permits.add_permits(self.threads as usize);
    }
}
