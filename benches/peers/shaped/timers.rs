//! `timers_cancelled`, for libraries that are shaped like `std`.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::StdShaped;
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::workloads::ping_pong;
use crate::workloads::timers_cancelled::{SLEEP, patience};

pub(super) fn timers_cancelled<L: StdShaped>(order: &Order) -> Result<Measurement, Failure> {
    let (rounds, patience) = (order.get("rounds"), patience(order));
    for _ in 0..order.get("standing") {
        // They end with the process.
        drop(L::spawn(|| L::sleep(SLEEP)));
    }
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = L::channel(1);
    let (to_ping, from_pong) = L::channel(1);
    let ping = L::spawn(move || {
        let mut ball = 0;
        for _ in 0..rounds {
            L::send(&to_pong, ball + 1)?;
            ball = wait::<L>(&from_pong, patience)?;
        }
        Some(ball)
    });
    let pong = L::spawn(move || {
        for _ in 0..rounds {
            let ball = wait::<L>(&from_ping, patience)?;
            L::send(&to_ping, ball + 1)?;
        }
        Some(())
    });
    let ball = L::join(ping)?.ok_or(Failure::Disconnected)?;
    L::join(pong)?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(2 * rounds);
    ping_pong::check(rounds, ball)?;
    Ok(measurement)
}

fn wait<L: StdShaped>(receiver: &L::Receiver, patience: Option<Duration>) -> Option<u64> {
    match patience {
        Some(patience) => L::recv_within(receiver, patience),
        None => L::recv(receiver),
    }
}
