//! `mutex`, for libraries that are shaped like `std`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::StdShaped;
use super::gate::Gate;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::mutex;

pub(super) fn mutex<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (threads, rounds) = (order.get("threads"), mutex::rounds(order));
    let gate = Gate::<L>::new(threads);
    let number = Arc::new(L::mutex());
    let handles: Vec<_> = (0..threads)
        .map(|_| {
            let (gate, number) = (Arc::clone(&gate), Arc::clone(&number));
            L::spawn(move || {
                gate.pass();
                for _ in 0..rounds {
                    L::count(&number);
                }
            })
        })
        .collect();
    gate.wait_for_all();
    let watch = Stopwatch::start();
    gate.open(&handles);
    for handle in handles {
        L::join(handle)?;
    }
    let measurement = watch.stop(threads * rounds);
    mutex::check(threads, rounds, L::counted(&number))?;
    Ok(measurement)
}
