//! The message of loom's models.
#![forbid(unsafe_code)]

use loom::cell::UnsafeCell;

/// A number, and a cell that only the message's owner touches.
pub(super) struct Message {
    number: usize,
    watched: UnsafeCell<()>,
}

impl Message {
    pub(super) fn new(number: usize) -> Message {
        let message = Message {
            number,
            watched: UnsafeCell::new(()),
        };
        message.touch();
        message
    }

    /// A write, for loom.
    pub(super) fn touch(&self) -> usize {
        self.watched.with_mut(|_| ());
        self.number
    }
}
