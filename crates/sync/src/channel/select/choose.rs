//! The phases of a select.
//!
//! 1. **Try** all arms, one after another. The first that can be done is.
//! 2. **Register**: a node for each arm is queued, each under the lock of its channel, by which it is also
//!    seen whether the arm could be done by now. If one could, the thread gives the choice up, takes its
//!    nodes out and tries again.
//! 3. **Wait** until somebody has won an arm and fired the choice, or until the time is over, that of an
//!    arm too, or the thread is cancelled. Whoever wants to end the wait has to win the choice's word
//!    first: of a message that comes and a time that is over only one happens.
//! 4. **Withdraw** the nodes that are left. Who has lost leaves its channel as if it had never come: a
//!    message goes to a node only with the word won.
//!
//! Two selects that meet may each see the other in phase 2 and both give up; they try again after ever
//! longer pauses, in another order.

use std::time::Instant;

use trefoil_runtime::{Outcome, Reason, Wait};

use super::arm::Arm;
use super::order;
use crate::channel::choice::Choice;
use crate::channel::patience::Patience;
use crate::channel::thread::{raise, spend, waits_are_dear};

/// Something that has an arm.
pub(super) trait Armed {
    /// The arm.
    fn arm(&self) -> &dyn Arm;
}

impl Armed for &dyn Arm {
    #[inline]
    fn arm(&self) -> &dyn Arm {
        *self
    }
}

/// In which order arms are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As chance will have it.
    Random,
    /// As they are given.
    Given,
}

/// How long to wait for an arm.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// Not at all.
    Now,
    /// Until this time, or for ever.
    Until(Option<Instant>),
}

/// Carries out one arm, and gives its place. `None`: none could be done in time. Arms may have changed
/// their places.
///
/// It does not return to a thread that is cancelled while it waits: no arm is carried out then.
#[track_caller]
pub(super) fn choose<A: Armed>(arms: &mut [A], order: Order, limit: Limit) -> Option<usize> {
    if order == Order::Random {
        order::shuffle(arms);
    }
    let chosen = attempt(arms);
    match limit {
        Limit::Until(until) if chosen.is_none() => wait(arms, order, until),
        Limit::Until(_) => {
            spend();
            chosen
        }
        Limit::Now => chosen,
    }
}

/// Phase 1.
fn attempt<A: Armed>(arms: &[A]) -> Option<usize> {
    arms.iter().position(|armed| armed.arm().attempt())
}

#[track_caller]
#[inline(never)]
fn wait<A: Armed>(arms: &mut [A], order: Order, until: Option<Instant>) -> Option<usize> {
    let wait = Wait::new(Reason::Select).cancellable();
    if waits_are_dear() {
        let mut patience = Patience::new();
        while patience.lasts() {
            if let Some(chosen) = attempt(arms) {
                return Some(chosen);
            }
        }
    }
    let mut pauses = Patience::new();
    loop {
        match wait_once(arms, &wait, until) {
            Ended::Chosen(arm) => return Some(arm),
            Ended::TryAgain => {}
            Ended::Crossed => drop(pauses.lasts()),
        }
        if order == Order::Random {
            order::shuffle(arms);
        }
        if let Some(chosen) = attempt(arms) {
            return Some(chosen);
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            return None;
        }
    }
}

/// How one wait ended.
enum Ended {
    /// This arm was carried out.
    Chosen(usize),
    /// Nothing was, and all nodes are out.
    TryAgain,
    /// The same, because an arm could be done before the thread had queued all.
    Crossed,
}

/// Phases 2 to 4.
fn wait_once<A: Armed>(arms: &[A], wait: &Wait, until: Option<Instant>) -> Ended {
    wait.allow(());
    let choice = Choice::new();
    let queued = enlist(arms, &choice);
    let (outcome, ended) = if queued < arms.len() {
        (Outcome::TimedOut, Ended::Crossed)
    } else {
        let due = arms.iter().filter_map(|armed| armed.arm().due());
        let wait = wait.until(due.chain(until).min());
        (choice.wait(&wait), Ended::TryAgain)
    };
    if outcome != Outcome::Woken && choice.abandon() {
        withdraw(&arms[..queued]);
        if outcome == Outcome::Cancelled {
            raise();
        }
        return ended;
    }
    // An arm is won. Who has won it may not have fired the choice yet.
    let _ = choice.wait(&wait.unlimited());
    withdraw(&arms[..queued]);
    let won = choice.won();
    if arms[won].arm().settle() {
        Ended::Chosen(won)
    } else {
        Ended::TryAgain
    }
}

/// Queues the arms, until one could be done. How many are queued.
fn enlist<A: Armed>(arms: &[A], choice: &Choice) -> usize {
    let mut numbered = arms.iter().enumerate();
    numbered
        // SAFETY: the arms stay where they are, and the choice too, until `wait_once` has withdrawn them:
        // nothing in between unwinds, not even a waker that it has told.
        .position(|(number, armed)| !unsafe { armed.arm().enlist(choice, number) })
        .unwrap_or(arms.len())
}

fn withdraw<A: Armed>(arms: &[A]) {
    arms.iter().for_each(|armed| armed.arm().withdraw());
}
