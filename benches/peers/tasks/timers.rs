//! `timers_cancelled`, for tasks.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Outcome, Tasks};
use crate::failure::Failure;
use crate::measurement::Stopwatch;
use crate::order::Order;
use crate::workloads::ping_pong;
use crate::workloads::timers_cancelled::{SLEEP, patience};

pub(super) async fn timers_cancelled<L: Tasks>(order: &Order) -> Outcome {
    let (rounds, patience) = (order.get("rounds"), patience(order));
    for _ in 0..order.get("standing") {
        // They end with the process.
        L::detach(L::spawn(L::sleep(SLEEP)));
    }
    // They have begun: who spawned them stands behind them.
    L::yield_now().await;
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = L::channel(1);
    let (to_ping, from_pong) = L::channel(1);
    let ping = L::spawn(ping::<L>(rounds, patience, to_pong, from_pong));
    let pong = L::spawn(pong::<L>(rounds, patience, from_ping, to_ping));
    let ball = L::join(ping).await?.ok_or(Failure::Disconnected)?;
    L::join(pong).await?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(2 * rounds);
    ping_pong::check(rounds, ball)?;
    Ok(measurement)
}

async fn ping<L: Tasks>(
    rounds: u64,
    patience: Option<Duration>,
    out: L::Sender,
    mut back: L::Receiver,
) -> Option<u64> {
    let mut ball = 0;
    for _ in 0..rounds {
        L::send(&out, ball + 1).await?;
        ball = wait::<L>(&mut back, patience).await?;
    }
    Some(ball)
}

async fn pong<L: Tasks>(
    rounds: u64,
    patience: Option<Duration>,
    mut incoming: L::Receiver,
    back: L::Sender,
) -> Option<()> {
    for _ in 0..rounds {
        let ball = wait::<L>(&mut incoming, patience).await?;
        L::send(&back, ball + 1).await?;
    }
    Some(())
}

async fn wait<L: Tasks>(receiver: &mut L::Receiver, patience: Option<Duration>) -> Option<u64> {
    match patience {
        Some(patience) => L::recv_within(receiver, patience).await,
        None => L::recv(receiver).await,
    }
}
