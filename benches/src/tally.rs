//! What became of the connections of a server: their handlers report, and the workload waits for them.
//!
//! A server that keeps a handle of each connection until the end would keep what an ended kernel thread
//! holds, so handlers are detached, and report here. Reporting does not wait.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::client::Plan;
use crate::failure::Failure;

/// Of all connections of a run.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: u64,
    ended: u64,
    served: u64,
    failure: Option<Failure>,
}

impl Tally {
    /// A connection was accepted.
    pub fn accepted(&self) {
        self.change(|counts| counts.accepted += 1);
    }

    /// A connection has ended, after so many requests.
    pub fn ended(&self, served: io::Result<u64>) {
        self.change(|counts| {
            counts.ended += 1;
            match served {
                Ok(served) => counts.served += served,
                Err(error) => counts.fail(Failure::io("answer")(error)),
            }
        });
    }

    /// No more connections are accepted; if that is an error, nobody waits any longer.
    pub fn stopped(&self, how: io::Result<()>) {
        if let Err(error) = how {
            self.change(|counts| counts.fail(Failure::io("accept")(error)));
        }
    }

    /// Waits until as many connections are accepted as the client has when it begins. Blocks the OS thread.
    ///
    /// # Errors
    ///
    /// If a connection has failed, or if no more are accepted.
    pub fn until_accepted(&self, plan: Plan) -> Result<(), Failure> {
        self.until(|counts| counts.accepted >= plan.open_at_first())
            .map(drop)
    }

    /// Waits until all connections have ended, and gives the number of requests that were served. Blocks
    /// the OS thread.
    ///
    /// # Errors
    ///
    /// As [`until_accepted`](Tally::until_accepted).
    pub fn until_ended(&self, plan: Plan) -> Result<u64, Failure> {
        Ok(self.until(|counts| counts.ended == plan.opened())?.served)
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn until(&self, done: impl Fn(&Counts) -> bool) -> Result<MutexGuard<'_, Counts>, Failure> {
        let mut counts = self.lock();
        loop {
            if let Some(failure) = counts.failure.take() {
                return Err(failure);
            }
            if done(&counts) {
                return Ok(counts);
            }
            counts = self
                .changed
                .wait(counts)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// The first one counts.
    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        connections: 2,
        requests: 3,
        lives: 2,
        ..Plan::LEAST
    };

    #[test]
    fn requests_of_all_connections_are_added_up() {
        let tally = Tally::default();
        for served in 1..=4 {
            tally.accepted();
            tally.ended(Ok(served));
        }
        tally.stopped(Ok(()));
        assert!(tally.until_accepted(PLAN).is_ok());
        assert_eq!(tally.until_ended(PLAN).unwrap(), 10);
    }

    #[test]
    fn a_failure_ends_the_waiting() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let tally = Tally::default();
        tally.ended(Err(broken()));
        assert!(tally.until_ended(PLAN).is_err());
        let tally = Tally::default();
        tally.stopped(Err(broken()));
        assert!(tally.until_accepted(PLAN).is_err());
    }
}
