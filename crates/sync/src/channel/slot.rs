//! What a thread that waits has in its hand: the message, or what it is given for one. It lies in the
//! thread's node, on its stack, and changes hands there.
//!
//! A waiting sender's hand holds its message until a receiver takes it; a waiting receiver's hand
//! is empty until a sender fills it. So the hand also tells how a wait ended: a sender that is
//! woken with its message still there hears that the other side has gone; a receiver that is woken with
//! none looks again.
//!
//! A select makes its message only when it knows that it will send it. So its arm waits with an empty
//! hand, for room in the buffer, or at a rendezvous for a receiver that waits until it gets the message.
//!
//! | the node is ([`queue`](crate::queue))       | its slot belongs to                      |
//! |---------------------------------------------|------------------------------------------|
//! | idle: not yet queued, taken out, or fired   | the thread that waits                    |
//! | queued                                      | nobody                                   |
//! | taken by somebody else, not yet fired       | that one: it holds the [`Claimed`]       |
//!
//! A node of a select is not claimed before its [`Choice`] is won.

use core::cell::{Cell, UnsafeCell};
use core::mem;
use core::ptr::NonNull;

use super::choice::Choice;
use crate::queue::{Node, Queue, Taken};

/// The threads that wait on one side of a channel.
pub(super) type Waiting<T> = Queue<Slot<T>>;

/// What a thread holds.
pub(super) enum Hand<T> {
    Empty,
    Message(T),
    /// Of a select that sends: room in the buffer is kept for it.
    Room,
    /// Of a select that sends: this receiver waits for its message.
    Met(Claimed<T>),
}

/// A place for what goes from one thread to another.
pub(super) struct Slot<T> {
    hand: UnsafeCell<Hand<T>>,
    /// Of a select's arm.
    ticket: Cell<Option<Ticket>>,
}

// SAFETY: the slot goes with its node, and belongs to one thread at a time, by the table above. The
// pointer in the ticket is to a choice that lives as long as the node is queued.
unsafe impl<T: Send> Send for Slot<T> {}

/// Whose arm it is.
#[derive(Clone, Copy)]
struct Ticket {
    choice: NonNull<Choice>,
    arm: usize,
}

impl<T> Slot<T> {
    pub(super) const fn new(hand: Hand<T>) -> Slot<T> {
        Slot {
            hand: UnsafeCell::new(hand),
            ticket: Cell::new(None),
        }
    }

    /// Before the node is queued: from here on the slot is that of an arm of this choice.
    pub(super) fn belong_to(&self, choice: &Choice, arm: usize) {
        self.ticket.set(Some(Ticket {
            choice: NonNull::from(choice),
            arm,
        }));
    }

    /// Takes out what is there.
    ///
    /// # Safety
    ///
    /// The slot belongs to the caller, by the table above.
    #[inline]
    pub(super) unsafe fn take(&self) -> Hand<T> {
        // SAFETY: nobody else uses the slot, and no reference to its content is kept.
        unsafe { mem::replace(&mut *self.hand.get(), Hand::Empty) }
    }

    /// Fills the slot, which is empty.
    ///
    /// # Safety
    ///
    /// The slot belongs to the caller, by the table above.
    #[inline]
    unsafe fn fill(&self, hand: Hand<T>) {
        // SAFETY: nobody else uses the slot. `write` drops nothing: the slot is empty.
        unsafe { self.hand.get().write(hand) }
    }

    /// Whether a message lies here, for who holds the lock of the queue in which the node is.
    pub(super) fn holds_message(&self) -> bool {
        // SAFETY: a queued node's slot is changed by nobody.
        matches!(unsafe { &*self.hand.get() }, Hand::Message(_))
    }

    /// Whether it could be claimed, by anybody but who makes this choice.
    pub(super) fn is_open_for(&self, choice: Option<&Choice>) -> bool {
        self.ticket.get().is_none_or(|ticket| {
            let is_own = choice.is_some_and(|own| NonNull::from(own) == ticket.choice);
            // SAFETY: the node is queued, and the caller holds the lock; see `Choice`.
            !is_own && unsafe { ticket.choice.as_ref() }.is_open()
        })
    }

    /// Whether the node that was taken out is the taker's.
    #[inline]
    fn win(&self) -> bool {
        self.ticket.get().is_none_or(|ticket| {
            // SAFETY: the lock under which the node was taken out is still held; see `Choice`.
            unsafe { ticket.choice.as_ref() }.win(ticket.arm)
        })
    }
}

/// A waiting thread that was taken out of its queue: the right to its slot, and the duty to fire
/// it. Who drops it instead leaves a thread that waits for ever.
#[must_use]
pub(super) struct Claimed<T>(Taken<Slot<T>>);

// SAFETY: it is the right to a slot, and to fire its thread, which any thread may do.
unsafe impl<T: Send> Send for Claimed<T> {}

impl<T> Claimed<T> {
    /// Claims the first that waits.
    #[inline]
    pub(super) fn first(waiting: &mut Waiting<T>) -> Option<Claimed<T>> {
        loop {
            let taken = waiting.pop()?;
            if taken.data().win() {
                return Some(Claimed(taken));
            }
        }
    }

    /// Claims the first that waits with its message.
    pub(super) fn first_with_message(waiting: &mut Waiting<T>) -> Option<Claimed<T>> {
        // It is no select's: nobody has to be asked.
        waiting.pop_where(Slot::holds_message).map(Claimed)
    }

    /// The current thread itself, with a node that is in no queue.
    ///
    /// # Safety
    ///
    /// The thread waits with the node until it is fired.
    pub(super) unsafe fn own(node: &Node<Slot<T>>) -> Claimed<T> {
        // SAFETY: the caller's promise.
        Claimed(unsafe { Taken::new(node) })
    }

    /// Puts a message into a waiting receiver's hand.
    #[inline]
    pub(super) fn give(&self, message: T) {
        self.fill(Hand::Message(message));
    }

    /// Puts something into a waiting thread's hand, which is empty.
    #[inline]
    pub(super) fn fill(&self, hand: Hand<T>) {
        // SAFETY: who holds the claim owns the slot.
        unsafe { self.0.data().fill(hand) }
    }

    /// Takes the message out of a waiting sender's hand. A select has none yet.
    #[inline]
    pub(super) fn take(&self) -> Option<T> {
        // SAFETY: who holds the claim owns the slot.
        match unsafe { self.0.data().take() } {
            Hand::Message(message) => Some(message),
            Hand::Empty | Hand::Room | Hand::Met(_) => None,
        }
    }

    /// Lets the thread go on. Never under the channel's lock: the thread's runtime is called.
    #[inline]
    pub(super) fn fire(self) {
        match self.0.data().ticket.get() {
            None => self.0.fire(),
            // SAFETY: who holds the claim has won the choice, and does this once.
            Some(ticket) => unsafe { Choice::fire(ticket.choice) },
        }
    }
}
