//! `ping_pong`: two threads, two channels that hold one message each, and one ball. One operation
//! is one round trip: there and back, two messages, two waits.
//!
//! It measures how fast one thread can wake another and go to sleep itself. Parameter: `rounds`
//! (1,000,000; 20,000 on kernel threads).
//!
//! The ball is a number that each player makes larger by one; at the end it must be right.
#![forbid(unsafe_code)]

use trefoil::channel::{Receiver, Sender, bounded};
use trefoil::thread;

use super::{Workload, join};
use crate::failure::Failure;
use crate::measurement::{Measurement, Stopwatch};
use crate::order::Order;
use crate::parameters::Parameter;
use crate::scenario::Scenario;

/// The workload's entry in the list.
pub static WORKLOAD: Workload = Workload {
    name: "ping_pong",
    about: "two threads pass a ball over two channels of capacity 1",
    operation: "a round trip",
    scenario: Scenario::FineGrained,
    parameters: &[Parameter::new("rounds", 1_000_000, "round trips").on_kernel(20_000)],
    contrast: None,
    run,
};

fn run(order: &Order) -> Result<Measurement, Failure> {
    let rounds = order.get("rounds");
    let watch = Stopwatch::start();
    let (to_pong, from_ping) = bounded(1);
    let (to_ping, from_pong) = bounded(1);
    let ping = thread::spawn(move || ping(rounds, &to_pong, &from_pong));
    let pong = thread::spawn(move || pong(rounds, &from_ping, &to_ping));
    let ball = join(ping)?.ok_or(Failure::Disconnected)?;
    join(pong)?.ok_or(Failure::Disconnected)?;
    let measurement = watch.stop(rounds);
    check(rounds, ball)?;
    Ok(measurement)
}

/// Has the first throw and the last catch. `None`: the other one has gone.
fn ping(rounds: u64, out: &Sender<u64>, back: &Receiver<u64>) -> Option<u64> {
    let mut ball = 0;
    for _ in 0..rounds {
        out.send(ball + 1).ok()?;
        ball = back.recv().ok()?;
    }
    Some(ball)
}

fn pong(rounds: u64, incoming: &Receiver<u64>, back: &Sender<u64>) -> Option<()> {
    for _ in 0..rounds {
        let ball = incoming.recv().ok()?;
        back.send(ball + 1).ok()?;
    }
    Some(())
}

/// Both players add one in every round.
///
/// # Errors
///
/// If the ball says something else.
pub fn check(rounds: u64, ball: u64) -> Result<(), Failure> {
    Failure::unless_equal("the ball", 2 * rounds, ball)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_throw_is_seen() {
        assert!(check(10, 20).is_ok());
        assert!(check(10, 19).is_err());
    }

    #[test]
    fn a_player_that_has_gone_is_no_ball() {
        let (out, _) = bounded(1);
        let (_, back) = bounded(1);
        assert_eq!(ping(1, &out, &back), None);
        assert_eq!(pong(1, &back, &out), None);
    }
}
