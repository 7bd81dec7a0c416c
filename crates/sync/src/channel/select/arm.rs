//! One operation of a select on one channel: what it does in each phase, and what it has got.
//!
//! | an arm is   | by                      | it has                                               |
//! |-------------|-------------------------|------------------------------------------------------|
//! | idle        |                         | nothing                                              |
//! | queued      | `enlist`                | a node in a queue of its channel                     |
//! | decided     | `attempt`; `settle`     | the message, or leave to send one; or hears that the other side has gone |
//!
//! A node is made when it is first queued and used again. It leaves its queue by `withdraw`, or by
//! who has won it.

use core::cell::{Cell, OnceCell};
use std::task::Waker;
use std::time::Instant;

use crate::channel::choice::Choice;
use crate::channel::error::{RecvError, SendError, TryRecvError};
use crate::channel::shared::Shared;
use crate::channel::slot::{Hand, Slot};
use crate::channel::state::{Leave, Watch};
use crate::queue::Node;

/// What `choose` asks of an operation.
pub trait Arm {
    /// Does it now, as far as that is possible without waiting. `true`: it is decided.
    fn attempt(&self) -> bool;

    /// Queues its node for this choice, if it is one of a channel's. `false`: it could be done now.
    ///
    /// # Safety
    ///
    /// The arm is idle. It stays where it is, and the choice too, until `withdraw`.
    unsafe fn enlist(&self, choice: &Choice, number: usize) -> bool {
        let _ = (choice, number);
        !self.is_ready()
    }

    /// Takes its node out of the queue, if it is there.
    fn withdraw(&self) {}

    /// It was won, and the choice fired. `false`: whoever has won it had nothing for it.
    fn settle(&self) -> bool {
        false
    }

    /// When it can be done, if time alone decides that.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Calls the waker when it may be possible to do it. `false`: it is possible now.
    fn watch(&self, watch: Watch, waker: &Waker) -> bool;

    /// Does not call its waker any more.
    fn unwatch(&self, watch: Watch);

    /// Whether it could be done now.
    fn is_ready(&self) -> bool;
}

/// The node of an arm.
struct Place<T>(OnceCell<Node<Slot<T>>>);

impl<T> Place<T> {
    const fn new() -> Place<T> {
        Place(OnceCell::new())
    }

    /// The node, for an arm of this choice.
    fn of(&self, choice: &Choice, number: usize) -> &Node<Slot<T>> {
        let node = self.0.get_or_init(|| Node::new(Slot::new(Hand::Empty)));
        node.data().belong_to(choice, number);
        node
    }

    /// What was given to it.
    fn take(&self) -> Hand<T> {
        // SAFETY: an arm takes only when its node is in no queue, and who has won it has fired it.
        self.0
            .get()
            .map_or(Hand::Empty, |node| unsafe { node.data().take() })
    }
}

/// Receives.
pub(in crate::channel) struct Taker<'a, T> {
    shared: &'a Shared<T>,
    place: Place<T>,
    received: Cell<Option<Result<T, RecvError>>>,
}

impl<'a, T> Taker<'a, T> {
    pub(in crate::channel) const fn new(shared: &'a Shared<T>) -> Taker<'a, T> {
        Taker {
            shared,
            place: Place::new(),
            received: Cell::new(None),
        }
    }

    /// What came, if it is decided.
    pub(in crate::channel) fn take(&self) -> Option<Result<T, RecvError>> {
        self.received.take()
    }
}

impl<T> Arm for Taker<'_, T> {
    fn attempt(&self) -> bool {
        let received = match self.shared.try_recv() {
            Ok(message) => Ok(message),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => return false,
        };
        self.received.set(Some(received));
        true
    }

    unsafe fn enlist(&self, choice: &Choice, number: usize) -> bool {
        let node = self.place.of(choice, number);
        // SAFETY: the caller's promise; an arm has one channel.
        unsafe { self.shared.enlist_receiver(node, choice) }
    }

    fn withdraw(&self) {
        if let Some(node) = self.place.0.get() {
            // SAFETY: it was queued above or never.
            unsafe { self.shared.withdraw_receiver(node) };
        }
    }

    fn settle(&self) -> bool {
        let Hand::Message(message) = self.place.take() else {
            return false;
        };
        self.received.set(Some(Ok(message)));
        true
    }

    fn watch(&self, watch: Watch, waker: &Waker) -> bool {
        self.shared.watch_receivers(watch, waker)
    }

    fn unwatch(&self, watch: Watch) {
        self.shared.unwatch_receivers(watch);
    }

    fn is_ready(&self) -> bool {
        self.shared.can_recv()
    }
}

/// Sends.
pub(in crate::channel) struct Putter<'a, T> {
    shared: &'a Shared<T>,
    place: Place<T>,
    leave: Cell<Option<Leave<T>>>,
}

impl<'a, T> Putter<'a, T> {
    pub(in crate::channel) const fn new(shared: &'a Shared<T>) -> Putter<'a, T> {
        Putter {
            shared,
            place: Place::new(),
            leave: Cell::new(None),
        }
    }

    /// Whether it is decided: the message can be sent.
    pub(in crate::channel) fn is_decided(&self) -> bool {
        let leave = self.leave.take();
        let is_decided = leave.is_some();
        self.leave.set(leave);
        is_decided
    }

    /// Sends the message, for which there is leave.
    pub(in crate::channel) fn put(&self, message: T) -> Result<(), SendError<T>> {
        let leave = self.leave.take();
        match leave.expect("the select has chosen this arm") {
            Leave::Free => self
                .shared
                .try_send(message)
                .map_err(|error| SendError(error.into_inner())),
            Leave::Room => self.shared.send_kept(message).map_err(SendError),
            Leave::Met(receiver) => {
                receiver.give(message);
                receiver.fire();
                Ok(())
            }
            Leave::Gone => Err(SendError(message)),
        }
    }
}

impl<T> Arm for Putter<'_, T> {
    fn attempt(&self) -> bool {
        let leave = self.shared.keep();
        let is_decided = leave.is_some();
        self.leave.set(leave);
        is_decided
    }

    unsafe fn enlist(&self, choice: &Choice, number: usize) -> bool {
        let node = self.place.of(choice, number);
        // SAFETY: the caller's promise; an arm has one channel.
        unsafe { self.shared.enlist_sender(node, choice) }
    }

    fn withdraw(&self) {
        if let Some(node) = self.place.0.get() {
            // SAFETY: it was queued above or never.
            unsafe { self.shared.withdraw_sender(node) };
        }
    }

    fn settle(&self) -> bool {
        let leave = match self.place.take() {
            Hand::Room => Leave::Room,
            Hand::Met(receiver) => Leave::Met(receiver),
            Hand::Empty | Hand::Message(_) => return false,
        };
        self.leave.set(Some(leave));
        true
    }

    fn watch(&self, watch: Watch, waker: &Waker) -> bool {
        self.shared.watch_senders(watch, waker)
    }

    fn unwatch(&self, watch: Watch) {
        self.shared.unwatch_senders(watch);
    }

    fn is_ready(&self) -> bool {
        self.shared.can_send()
    }
}

/// An operation that was chosen and is not carried out gives back what it has.
impl<T> Drop for Putter<'_, T> {
    fn drop(&mut self) {
        match self.leave.take() {
            Some(Leave::Room) => self.shared.free_kept(),
            // With nothing in its hand it looks again.
            Some(Leave::Met(receiver)) => receiver.fire(),
            Some(Leave::Free | Leave::Gone) | None => {}
        }
    }
}
