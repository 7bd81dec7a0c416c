//! The gate before which many tasks gather: they wait for a permit each, of which there are none at
//! first.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smol::lock::Semaphore;

use crate::peers::tasks;

pub(crate) struct Gate {
    tasks: u64,
    arrived: AtomicU64,
    all: Semaphore,
    permits: Semaphore,
}

impl tasks::Gate for Gate {
    fn new(tasks: u64) -> Arc<Gate> {
        Arc::new(Gate {
            tasks,
            arrived: AtomicU64::new(0),
            all: Semaphore::new(0),
            permits: Semaphore::new(0),
        })
    }

    fn arrive(&self) {
        // The permit orders what comes after it.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.tasks {
            self.all.add_permits(1);
        }
    }

    async fn pass(&self) {
        self.arrive();
        self.permits.acquire().await.forget();
    }

    async fn wait_for_all(&self) {
        self.all.acquire().await.forget();
    }

    fn open(&self) {
        self.permits.add_permits(self.tasks as usize);
    }
}
