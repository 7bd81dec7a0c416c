//! The message of a thread that waits: it lies in the thread's node, on its stack, and changes
//! hands there.
//!
//! A waiting sender's slot holds its message until a receiver takes it; a waiting receiver's slot
//! is empty until a sender fills it. So the slot also tells how a wait ended: a sender that is
//! woken with its message still there, and a receiver that is woken with none, hear that the other
//! side has gone.
//!
//! | the node is ([`queue`](crate::queue))       | its slot belongs to                      |
//! |---------------------------------------------|------------------------------------------|
//! | idle: not yet queued, taken out, or fired   | the thread that waits                    |
//! | queued                                      | nobody                                   |
//! | taken by somebody else, not yet fired       | that one: it holds the [`Claimed`]       |

use core::cell::UnsafeCell;

use crate::queue::{Queue, Taken};

/// The threads that wait on one side of a channel.
pub(super) type Waiting<T> = Queue<Slot<T>>;

/// A place for a message that goes from one thread to another.
pub(super) struct Slot<T>(UnsafeCell<Option<T>>);

impl<T> Slot<T> {
    pub(super) const fn new(message: Option<T>) -> Slot<T> {
        Slot(UnsafeCell::new(message))
    }

    /// Takes out what is there.
    ///
    /// # Safety
    ///
    /// The slot belongs to the caller, by the table above.
    #[inline]
    pub(super) unsafe fn take(&self) -> Option<T> {
        // SAFETY: nobody else uses the slot, and no reference to its content is kept.
        unsafe { (*self.0.get()).take() }
    }

    /// Fills the slot, which is empty.
    ///
    /// # Safety
    ///
    /// The slot belongs to the caller, by the table above.
    #[inline]
    unsafe fn fill(&self, message: T) {
        // SAFETY: nobody else uses the slot. `write` drops nothing: the slot is empty.
        unsafe { self.0.get().write(Some(message)) }
    }
}

/// A waiting thread that was taken out of its queue: the right to its slot, and the duty to fire
/// it. Who drops it instead leaves a thread that waits for ever.
#[must_use]
pub(super) struct Claimed<T>(Taken<Slot<T>>);

impl<T> Claimed<T> {
    /// Claims the first that waits.
    #[inline]
    pub(super) fn first(waiting: &mut Waiting<T>) -> Option<Claimed<T>> {
        waiting.pop().map(Claimed)
    }

    /// Puts a message into a waiting receiver's hand.
    #[inline]
    pub(super) fn give(&self, message: T) {
        // SAFETY: who holds the claim owns the slot.
        unsafe { self.0.data().fill(message) }
    }

    /// Takes the message out of a waiting sender's hand.
    #[inline]
    pub(super) fn take(&self) -> T {
        // SAFETY: who holds the claim owns the slot.
        unsafe { self.0.data().take() }.expect("a sender waits with its message")
    }

    /// Lets the thread go on. Never under the channel's lock: the thread's runtime is called.
    #[inline]
    pub(super) fn fire(self) {
        self.0.fire();
    }
}
