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
use crate::channel::shared::{End, Shared};
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

/// Where an arm stands: at one end of its channel, with its node.
struct Place<'a, T> {
    shared: &'a Shared<T>,
    end: End<T>,
    node: OnceCell<Node<Slot<T>>>,
}

impl<'a, T> Place<'a, T> {
    const fn new(shared: &'a Shared<T>, end: End<T>) -> Place<'a, T> {
        Place {
            shared,
            end,
            node: OnceCell::new(),
        }
    }

    /// # Safety
    ///
    /// As for [`Arm::enlist`].
    unsafe fn enlist(&self, choice: &Choice, number: usize) -> bool {
        let new = || Node::new(Slot::new(Hand::Empty));
        let node = self.node.get_or_init(new);
        node.data().belong_to(choice, number);
        // SAFETY: the caller's promise; a place is at one end of one channel.
        unsafe { self.shared.enlist(&self.end, node, choice) }
    }

    fn withdraw(&self) {
        if let Some(node) = self.node.get() {
            // SAFETY: it was queued above or never.
            unsafe { self.shared.withdraw(&self.end, node) };
        }
    }

    /// What was given to its node.
    fn take(&self) -> Hand<T> {
        let Some(node) = self.node.get() else {
            return Hand::Empty;
        };
        // SAFETY: an arm takes only when its node is in no queue, and who has won it has fired it.
        unsafe { node.data().take() }
    }

    fn watch(&self, watch: Watch, waker: &Waker) -> bool {
        self.shared.watch(&self.end, watch, waker)
    }

    fn unwatch(&self, watch: Watch) {
        self.shared.unwatch(&self.end, watch);
    }

    fn is_ready(&self) -> bool {
        self.shared.is_ready(&self.end)
    }
}

/// Receives.
pub(in crate::channel) struct Taker<'a, T> {
    place: Place<'a, T>,
    received: Cell<Option<Result<T, RecvError>>>,
}

impl<'a, T> Taker<'a, T> {
    pub(in crate::channel) const fn new(shared: &'a Shared<T>) -> Taker<'a, T> {
        Taker {
            place: Place::new(shared, End::RECEIVING),
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
        let received = match self.place.shared.try_recv() {
            Ok(message) => Ok(message),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => return false,
        };
        self.received.set(Some(received));
        true
    }

    unsafe fn enlist(&self, choice: &Choice, number: usize) -> bool {
        // SAFETY: passed on.
        unsafe { self.place.enlist(choice, number) }
    }

    fn withdraw(&self) {
        self.place.withdraw();
    }

    fn settle(&self) -> bool {
        let Hand::Message(message) = self.place.take() else {
            return false;
        };
        self.received.set(Some(Ok(message)));
        true
    }

    fn watch(&self, watch: Watch, waker: &Waker) -> bool {
        self.place.watch(watch, waker)
    }

    fn unwatch(&self, watch: Watch) {
        self.place.unwatch(watch);
    }

    fn is_ready(&self) -> bool {
        self.place.is_ready()
    }
}

/// Sends.
pub(in crate::channel) struct Putter<'a, T> {
    place: Place<'a, T>,
    leave: Cell<Option<Leave<T>>>,
}

impl<'a, T> Putter<'a, T> {
    pub(in crate::channel) const fn new(shared: &'a Shared<T>) -> Putter<'a, T> {
        Putter {
            place: Place::new(shared, End::SENDING),
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
                .place
                .shared
                .try_send(message)
                .map_err(|error| SendError(error.into_inner())),
            Leave::Room => self.place.shared.send_kept(message).map_err(SendError),
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
        let leave = self.place.shared.keep();
        let is_decided = leave.is_some();
        self.leave.set(leave);
        is_decided
    }

    unsafe fn enlist(&self, choice: &Choice, number: usize) -> bool {
        // SAFETY: passed on.
        unsafe { self.place.enlist(choice, number) }
    }

    fn withdraw(&self) {
        self.place.withdraw();
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
        self.place.watch(watch, waker)
    }

    fn unwatch(&self, watch: Watch) {
        self.place.unwatch(watch);
    }

    fn is_ready(&self) -> bool {
        self.place.is_ready()
    }
}

/// An operation that was chosen and is not carried out gives back what it has.
impl<T> Drop for Putter<'_, T> {
    fn drop(&mut self) {
        match self.leave.take() {
            Some(Leave::Room) => self.place.shared.free_kept(),
            // With nothing in its hand it looks again.
            Some(Leave::Met(receiver)) => receiver.fire(),
            Some(Leave::Free | Leave::Gone) | None => {}
        }
    }
}
