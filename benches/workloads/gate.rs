//! The gate before which many threads gather: the one that keeps it waits until all have come,
//! and then lets all of them through.
//!
//! `parked` is about the wait itself. `yield` gathers its threads before its clock starts, and
//! `sleepers` only counts them: [`Gate::arrive`] does not wait.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use trefoil::thread::{self, Thread};

pub(super) struct Gate {
    threads: u64,
    arrived: AtomicU64,
    open: AtomicBool,
    keeper: Thread,
}

impl Gate {
    /// For so many threads. The calling thread is its keeper.
    pub(super) fn new(threads: u64) -> Arc<Gate> {
        Arc::new(Gate {
            threads,
            arrived: AtomicU64::new(0),
            open: AtomicBool::new(false),
            keeper: thread::current(),
        })
    }

    /// The last thread to come tells the keeper.
    pub(super) fn arrive(&self) {
        // Release: pairs with `wait_for_all`, so that what the threads held is there.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.keeper.unpark();
        }
    }

    /// Arrives, and parks until the gate has been opened.
    pub(super) fn pass(&self) {
        self.arrive();
        // Acquire: pairs with `open`.
        while !self.open.load(Ordering::Acquire) {
            thread::park();
        }
    }

    /// Parks the keeper until all have come.
    pub(super) fn wait_for_all(&self) {
        // Acquire: pairs with `arrive`.
        while self.arrived.load(Ordering::Acquire) < self.threads {
            thread::park();
        }
    }

    /// Lets all through, by one `unpark` for each of them.
    pub(super) fn open<'a>(&self, waiting: impl IntoIterator<Item = &'a Thread>) {
        // Release: pairs with `pass`.
        self.open.store(true, Ordering::Release);
        waiting.into_iter().for_each(Thread::unpark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A gate works from plain threads too. The keeper is not let through before all have come,
    /// nor a thread before the gate is open: both would break the count.
    #[test]
    fn the_gate_holds_all_and_releases_all() {
        let gate = Gate::new(8);
        let (introduce, threads) = mpsc::channel();
        let handles: Vec<_> = (0..8)
            .map(|_| {
                let gate = Arc::clone(&gate);
                let introduce = introduce.clone();
                std::thread::spawn(move || {
                    // Trefoil's handle: it is Trefoil's `park` that is to be woken.
                    introduce.send(thread::current()).unwrap();
                    let open_before = gate.open.load(Ordering::Acquire);
                    gate.pass();
                    open_before
                })
            })
            .collect();
        gate.wait_for_all();
        assert_eq!(gate.arrived.load(Ordering::Acquire), 8);
        let threads: Vec<Thread> = threads.iter().take(8).collect();
        gate.open(&threads);
        for handle in handles {
            assert!(!handle.join().unwrap());
        }
    }

    #[test]
    fn who_only_arrives_does_not_wait() {
        let gate = Gate::new(2);
        gate.arrive();
        gate.arrive();
        gate.wait_for_all();
    }
}
