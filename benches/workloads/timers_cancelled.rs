//! `timers_cancelled`: timeouts that never fire. Two threads pass a ball, as in `ping_pong`, and wait for it no
//! longer than an hour. One operation is one message: a wait, and a timer armed and disarmed.
//!
//! With `timeout=0` they wait without a limit, for contrast: the difference is what a timeout costs that is not
//! needed, which is what most timeouts are. Meanwhile other threads sleep for longer, `standing` (10,000; none on
//! kernel threads), whose timers stand in the same wheel. Further parameter: `rounds` (1,000,000; 20,000 on kernel
//! threads).
//!
//! The ball must be right at the end, as in `ping_pong`, and no wait may have been too long.
#![forbid(unsafe_code)]

use std::time::Duration;

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread::{self, JoinHandle};

use super::{Workload, join, ping_pong};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// How long a player waits for the ball, at most.
pub const PATIENCE: Duration = Duration::from_secs(3600);
/// How long others sleep.
pub const SLEEP: Duration = Duration::from_secs(2 * 3600);

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "timers_cancelled",
    about: "two threads pass a ball, with timeouts that never fire",
    operation: "a message, waited for with a timeout",
    scenario: Scenario::FineGrained,
    parameters: &[
        Parameter::new("rounds", 1_000_000, "round trips").on_kernel(20_000),
        Parameter::new("timeout", 1, "1: with a timeout; 0: without").within(0, 1),
        Parameter::new("standing", 10_000, "other threads that sleep")
            .within(0, 1_000_000)
            .on_kernel(0),
    ],
    contrast: Some("timeout=0"),
    run,
};

/// How long to wait for a message. `None`: for ever.
#[must_use]
pub fn patience(order: &Order) -> Option<Duration> {
    (order.get("timeout") == 1).then_some(PATIENCE)
}

fn run(order: &Order) -> Result<Measurement, Failure> {
    let (rounds, patience) = (order.get("rounds"), patience(order));
    let sleepers = (0..order.get("standing")).map(|_| thread::spawn(|| thread::sleep(SLEEP)));
    let sleepers: Vec<JoinHandle<()>> = sleepers.collect();
    // They have begun: who spawned them stands behind them.
    thread::yield_now();
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = bounded(1);
    let (to_ping, from_pong) = bounded(1);
    let ping = thread::spawn(move || ping(rounds, patience, &to_pong, &from_pong));
    let pong = thread::spawn(move || pong(rounds, patience, &from_ping, &to_ping));
    let ball = join(ping)?.ok_or(Failure::Disconnected)?;
    join(pong)?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(2 * rounds);
    ping_pong::check(rounds, ball)?;
    sleepers.iter().for_each(JoinHandle::cancel);
    for sleeper in sleepers {
        // It was cancelled.
        let _ = sleeper.join();
    }
    Ok(measurement)
}

fn wait(receiver: &Receiver<u64>, patience: Option<Duration>) -> Option<u64> {
    match patience {
        Some(patience) => receiver.recv_timeout(patience).ok(),
        None => receiver.recv().ok(),
    }
}

/// Has the first throw and the last catch. `None`: the other one has gone, or is late.
fn ping(
    rounds: u64,
    patience: Option<Duration>,
    out: &Sender<u64>,
    back: &Receiver<u64>,
) -> Option<u64> {
    let mut ball = 0;
    for _ in 0..rounds {
        out.send(ball + 1).ok()?;
        ball = wait(back, patience)?;
    }
    Some(ball)
}

fn pong(
    rounds: u64,
    patience: Option<Duration>,
    incoming: &Receiver<u64>,
    back: &Sender<u64>,
) -> Option<()> {
    for _ in 0..rounds {
        let ball = wait(incoming, patience)?;
        back.send(ball + 1).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_ball_is_seen() {
        let (out, _far) = bounded(1);
        let (_other, back) = bounded(1);
        assert_eq!(ping(1, Some(Duration::from_millis(1)), &out, &back), None);
    }
}
