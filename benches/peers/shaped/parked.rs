//! `parked`, for libraries whose threads park as those of `std` do.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{StdShaped, sum};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::usage;
use crate::workloads::spawn_join;

/// Where the threads of `parked` wait, as in that workload.
struct Gate<L: StdShaped> {
    threads: u64,
    arrived: AtomicU64,
    open: AtomicBool,
    keeper: L::Thread,
}

impl<L: StdShaped> Gate<L> {
    fn pass(&self) {
        // Release: pairs with `wait_for_all`.
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            L::unpark(&self.keeper);
        }
        // Acquire: pairs with the store in `parked`.
        while !self.open.load(Ordering::Acquire) {
            L::park();
        }
    }

    fn wait_for_all(&self) {
        // Acquire: pairs with `pass`.
        while self.arrived.load(Ordering::Acquire) < self.threads {
            L::park();
        }
    }
}

pub(super) fn parked<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let threads = order.get("threads");
    let gate = Arc::new(Gate::<L> {
        threads,
        arrived: AtomicU64::new(0),
        open: AtomicBool::new(false),
        keeper: L::current(),
    });
    let before = usage::resident();
    let watch = Stopwatch::start();
    let arrive = |number| {
        let gate = Arc::clone(&gate);
        L::spawn(move || {
            gate.pass();
            number
        })
    };
    let handles: Vec<_> = (0..threads).map(arrive).collect();
    gate.wait_for_all();
    let resident = usage::resident().saturating_sub(before);
    // Release: pairs with `Gate::pass`.
    gate.open.store(true, Ordering::Release);
    handles.iter().for_each(L::unpark_handle);
    let sum = sum::<L>(handles)?;
    let measurement = watch.stop(threads);
    spawn_join::check(threads, sum)?;
    Ok(Measurement {
        resident: Some(resident),
        ..measurement
    })
}
