//! The operations on a [`Receiver`] and a [`Sender`], and what the macros make of them.
#![forbid(unsafe_code)]

use core::cell::Cell;
use std::task::Waker;
use std::time::{Duration, Instant};

use trefoil_runtime::thread::deadline_after;

use super::arm::{Arm, Putter, Taker};
use super::choose::{self, Limit, Order};
use crate::channel::clock::Comes;
use crate::channel::error::{RecvError, SendError};
use crate::channel::shared::Shared;
use crate::channel::state::Watch;
use crate::channel::{Receiver, Sender};

/// One of two: what came of the first arm, or of the others.
#[derive(Debug)]
pub enum Either<A, B> {
    /// Of the first arm.
    First(A),
    /// Of another.
    Other(B),
}

/// Receives, once a select has chosen it.
pub struct RecvArm<'a, T>(Kind<'a, T>);

enum Kind<'a, T> {
    Channel(Taker<'a, T>),
    Clock(Awaiter<'a, T>),
}

impl<'a, T> RecvArm<'a, T> {
    pub(in crate::channel) fn of_channel(shared: &'a Shared<T>) -> RecvArm<'a, T> {
        RecvArm(Kind::Channel(Taker::new(shared)))
    }

    /// Or of nothing.
    pub(in crate::channel) fn of_clock(clock: Option<&'a dyn Comes<T>>) -> RecvArm<'a, T> {
        RecvArm(Kind::Clock(Awaiter {
            clock,
            received: Cell::new(None),
        }))
    }

    /// For `choose`.
    pub fn arm(&self) -> &dyn Arm {
        match &self.0 {
            Kind::Channel(taker) => taker,
            Kind::Clock(awaiter) => awaiter,
        }
    }

    /// What was received, if it was chosen.
    pub fn take(&self) -> Option<Result<T, RecvError>> {
        match &self.0 {
            Kind::Channel(taker) => taker.take(),
            Kind::Clock(awaiter) => awaiter.received.take().map(Ok),
        }
    }
}

/// Receives what time brings.
struct Awaiter<'a, T> {
    clock: Option<&'a dyn Comes<T>>,
    received: Cell<Option<T>>,
}

impl<T> Arm for Awaiter<'_, T> {
    fn attempt(&self) -> bool {
        let message = self.clock.and_then(Comes::take);
        let came = message.is_some();
        self.received.set(message);
        came
    }

    fn due(&self) -> Option<Instant> {
        self.clock.and_then(Comes::due)
    }

    fn watch(&self, _: Watch, _: &Waker) -> bool {
        !self.is_ready()
    }

    fn unwatch(&self, _: Watch) {}

    fn is_ready(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }
}

/// Sends, once a select has chosen it.
pub struct SendArm<'a, T>(Putter<'a, T>);

impl<'a, T> SendArm<'a, T> {
    pub(in crate::channel) fn new(shared: &'a Shared<T>) -> SendArm<'a, T> {
        SendArm(Putter::new(shared))
    }

    /// For `choose`.
    pub fn arm(&self) -> &dyn Arm {
        &self.0
    }

    /// Whether it was chosen.
    pub fn is_chosen(&self) -> bool {
        self.0.is_decided()
    }

    /// Sends the message. Dropped instead, it lets others send.
    pub fn put(&self, message: T) -> Result<(), SendError<T>> {
        self.0.put(message)
    }
}

/// `recv(receiver)`.
pub fn recv<T>(receiver: &Receiver<T>) -> RecvArm<'_, T> {
    receiver.arm()
}

/// `send(sender, _)`.
pub fn send<T>(sender: &Sender<T>) -> SendArm<'_, T> {
    sender.arm()
}

/// `default(timeout)`.
#[must_use]
pub fn within(timeout: Duration) -> Limit {
    Limit::Until(deadline_after(timeout))
}

/// Carries out one arm, which then knows it.
#[track_caller]
#[inline]
pub fn choose(arms: &mut [&dyn Arm], order: Order, limit: Limit) {
    let _ = choose::choose(arms, order, limit);
}
