//! What a channel's lock guards, and who gets what.
//!
//! 1. Receivers wait only while there is no message and no sender waits.
//! 2. Senders wait only while the channel is full (a rendezvous always is).
//! 3. Nobody waits for a side that has gone, save who is about to be told.
//!
//! So an operation looks at one queue only, and nothing overtakes: a message is handed to the
//! first receiver that waits; room that a receiver makes is given to the first sender that waits.
//!
//! Where a channel has room for a given number of messages, these lie in a [`Ring`], which does not
//! need the lock. Then the three hold because its flags are raised before a thread waits (both, for a
//! sender; that of the tail, for a receiver or when the last one goes), and lowered only when nobody
//! waits: while somebody does, the ring is as good as behind the lock.
//!
//! Here nothing is fired, and no message is dropped: the lock is held. A full buffer of an
//! unbounded channel grows under the lock, which is rare enough to be cheap on average.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::error::{TryRecvError, TrySendError};
use super::ring::{By, Refused, Ring};
use super::slot::{Claimed, Waiting};
use crate::queue::Queue;

/// One side of the channel: its handles, and those of its threads that wait.
pub(super) struct Side<T> {
    /// How many handles there are. Each also holds the channel's `Arc`, whose own check keeps
    /// this number from wrapping.
    pub(super) handles: usize,
    pub(super) waiting: Waiting<T>,
}

impl<T> Side<T> {
    const fn new() -> Side<T> {
        Side {
            handles: 1,
            waiting: Queue::new(),
        }
    }

    fn has_gone(&self) -> bool {
        self.handles == 0
    }
}

pub(super) struct State<T> {
    /// Where there is no ring.
    messages: VecDeque<T>,
    /// Of `messages`. `usize::MAX`: unbounded. No buffer holds as many, not even of messages without a
    /// size, in the lifetime of a machine.
    capacity: usize,
    pub(super) senders: Side<T>,
    pub(super) receivers: Side<T>,
}

impl<T> State<T> {
    pub(super) fn new(capacity: usize) -> State<T> {
        State {
            messages: VecDeque::new(),
            capacity,
            senders: Side::new(),
            receivers: Side::new(),
        }
    }

    /// Takes a message in, or gives it to a receiver that is to be fired.
    #[inline]
    pub(super) fn put(
        &mut self,
        ring: Option<&Ring<T>>,
        message: T,
    ) -> Result<Option<Claimed<T>>, TrySendError<T>> {
        if self.receivers.has_gone() {
            return Err(TrySendError::Disconnected(message));
        }
        if let Some(receiver) = Claimed::first(&mut self.receivers.waiting) {
            receiver.give(message);
            return Ok(Some(receiver));
        }
        match ring {
            Some(ring) => {
                put_under_lock(ring, message).map_err(TrySendError::Full)?;
                debug_assert!(self.senders.waiting.is_empty(), "2: it was full");
                ring.lower_flags();
            }
            None if self.messages.len() >= self.capacity => {
                return Err(TrySendError::Full(message));
            }
            None => self.messages.push_back(message),
        }
        Ok(None)
    }

    /// Gives a message out, and the sender, if one waited, that is to be fired.
    #[inline]
    pub(super) fn take(
        &mut self,
        ring: Option<&Ring<T>>,
    ) -> Result<(T, Option<Claimed<T>>), TryRecvError> {
        let buffered = match ring {
            Some(ring) => ring.take(By::Holder).ok(),
            None => self.messages.pop_front(),
        };
        if let Some(message) = buffered {
            return Ok((message, self.refill(ring)));
        }
        if let Some(sender) = Claimed::first(&mut self.senders.waiting) {
            return Ok((sender.take(), Some(sender)));
        }
        Err(if self.senders.has_gone() {
            TryRecvError::Disconnected
        } else {
            TryRecvError::Empty
        })
    }

    /// Gives the room that has just been made to the first sender that waits.
    #[inline]
    fn refill(&mut self, ring: Option<&Ring<T>>) -> Option<Claimed<T>> {
        let Some(sender) = Claimed::first(&mut self.senders.waiting) else {
            // No receiver waits either: there was a message.
            if let Some(ring) = ring
                && !self.receivers.has_gone()
            {
                ring.lower_flags();
            }
            return None;
        };
        let message = sender.take();
        match ring {
            Some(ring) => {
                let refused = put_under_lock(ring, message).is_err();
                assert!(!refused, "while a sender waits, all others need the lock");
            }
            None => self.messages.push_back(message),
        }
        Some(sender)
    }

    /// The messages that are left outside of a ring, when nobody will take them.
    pub(super) fn take_all(&mut self) -> VecDeque<T> {
        std::mem::take(&mut self.messages)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}

/// Gives the message back if there is no room.
#[inline]
fn put_under_lock<T>(ring: &Ring<T>, message: T) -> Result<(), T> {
    ring.put(message, By::Holder)
        .map_err(|(Refused::Full(message) | Refused::Flagged(message))| message)
}
