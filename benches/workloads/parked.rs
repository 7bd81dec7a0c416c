//! `parked`: start very many threads that park, wait until all of them have begun, wake them all,
//! and join them. One operation is one thread, with all of that.
//!
//! It measures how many threads can wait at the same time, and what one of them costs; it also
//! tells how much memory each held while all were parked. Parameter: `threads` (100,000; 10,000
//! on kernel threads).
//!
//! Each thread returns its number once it has been released; the sum of all must be right.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use trefoil::thread::{self, Thread};

use super::{Workload, join, spawn_join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;
use crate::usage;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "parked",
    about: "very many threads park, are woken and joined",
    operation: "a thread, parked, woken and joined",
    scenario: Scenario::Parked,
    parameters: &[Parameter::new("threads", 100_000, "threads parked at once")
        .on_kernel(10_000)
        .within(1, 1_000_000)],
    contrast: None,
    run,
};

/// Where the threads wait.
struct Gate {
    threads: u64,
    arrived: AtomicU64,
    open: AtomicBool,
    keeper: Thread,
}

impl Gate {
    /// The last thread to come tells the keeper. Returns when the gate has been opened.
    fn pass(&self) {
        // Release: pairs with `wait_for_all`, so that what the threads held is there.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.keeper.unpark();
        }
        // Acquire: pairs with `open`.
        while !self.open.load(Ordering::Acquire) {
            thread::park();
        }
    }

    fn wait_for_all(&self) {
        // Acquire: pairs with `pass`.
        while self.arrived.load(Ordering::Acquire) < self.threads {
            thread::park();
        }
    }

    /// The threads still have to be unparked.
    fn open(&self) {
        // Release: pairs with `pass`.
        self.open.store(true, Ordering::Release);
    }
}

fn run(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let gate = Arc::new(Gate {
        threads,
        arrived: AtomicU64::new(0),
        open: AtomicBool::new(false),
        keeper: thread::current(),
    });
    let before = usage::resident();
    let mut sum = 0;
    let watch = Stopwatch::start();
    let handles: Vec<_> = (0..threads)
        .map(|number| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                gate.pass();
                number
            })
        })
        .collect();
    gate.wait_for_all();
    let resident = usage::resident().saturating_sub(before);
    gate.open();
    for handle in &handles {
        handle.thread().unpark();
    }
    for handle in handles {
        sum += join(handle)?;
    }
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(Measurement {
        resident: Some(resident),
        ..measurement
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A gate works from plain threads too. The keeper is not let through before all have come,
    /// nor a thread before the gate is open: both would break the count.
    #[test]
    fn the_gate_holds_all_and_releases_all() {
        let gate = Arc::new(Gate {
            threads: 8,
            arrived: AtomicU64::new(0),
            open: AtomicBool::new(false),
            keeper: thread::current(),
        });
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
        gate.open();
        threads.iter().take(8).for_each(|thread| thread.unpark());
        for handle in handles {
            assert!(!handle.join().unwrap());
        }
    }
}
