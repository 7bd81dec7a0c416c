//! The gate before which many threads gather, as in the workloads, for libraries whose threads park
//! as those of `std` do.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::StdShaped;

pub(super) struct Gate<L: StdShaped> {
    threads: u64,
    arrived: AtomicU64,
    open: AtomicBool,
    keeper: L::Thread,
}

impl<L: StdShaped> Gate<L> {
    /// The calling thread is its keeper.
    pub(super) fn new(threads: u64) -> Arc<Gate<L>> {
        Arc::new(Gate {
            threads,
            arrived: AtomicU64::new(0),
            open: AtomicBool::new(false),
            keeper: L::current(),
        })
    }

    pub(super) fn arrive(&self) {
        // Release: pairs with `wait_for_all`.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            L::unpark(&self.keeper);
        }
    }

    pub(super) fn pass(&self) {
        self.arrive();
        // Acquire: pairs with `open`.
        while !self.open.load(Ordering::Acquire) {
            L::park();
        }
    }

    pub(super) fn wait_for_all(&self) {
        // Acquire: pairs with `arrive`.
        while self.arrived.load(Ordering::Acquire) < self.threads {
            L::park();
        }
    }

    pub(super) fn open<T: Send + 'static>(&self, waiting: &[L::Handle<T>]) {
        // Release: pairs with `pass`.
        self.open.store(true, Ordering::Release);
        waiting.iter().for_each(L::unpark_handle);
    }
}
