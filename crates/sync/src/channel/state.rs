//! What a channel's lock guards, and who gets what.
//!
//! 1. Receivers wait only while there is no message and no sender waits.
//! 2. Senders wait only while the channel is full (a rendezvous always is; kept room is taken).
//! 3. Nobody waits for a side that has gone, save who is about to be told.
//!
//! So an operation looks at one queue only, and nothing overtakes: a message is handed to the
//! first receiver that waits; room that a receiver makes is given to the first sender that waits.
//!
//! A select has no message yet when it is told that it may send. Where there is room it is *kept* for the
//! select, until it brings its message or gives the room back; nobody else gets it meanwhile. So a select
//! may wait for room beside receivers that wait for a message, the one that is still being made. Senders
//! that have a message do not: such a receiver takes theirs.
//!
//! Where a channel has room for a given number of messages, these lie in a [`Ring`], which does not
//! need the lock. Then all this holds because its flags are raised before a thread waits or room is kept
//! (both, for a sender; that of the tail, for a receiver or when the last one goes), and lowered only when
//! nobody waits and no room is kept: until then the ring is as good as behind the lock.
//!
//! **Watchers** are told that a side has become ready, and get nothing: what they were told of may be
//! gone when they look.
//!
//! Here nothing is fired, and no message is dropped: the lock is held. A full buffer of an
//! unbounded channel grows under the lock, which is rare enough to be cheap on average.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use trefoil_runtime::may_suspend;

use super::choice::Choice;
use super::error::TrySendError;
use super::ring::{By, Refused, Ring, drop_quietly};
use super::slot::{Claimed, Hand, Slot, Waiting};
use crate::queue::Queue;

/// One side of the channel: its handles, and those of its threads that wait.
pub(super) struct Side<T> {
    /// How many handles there are. Each also holds the channel's `Arc`, whose own check keeps
    /// this number from wrapping.
    pub(super) handles: usize,
    pub(super) waiting: Waiting<T>,
    pub(super) watchers: Watchers,
}

/// Those who are to be told. There hardly ever are some.
#[derive(Default)]
#[expect(
    clippy::box_collection,
    reason = "one word, which is moved on each operation under the lock"
)]
pub(super) struct Watchers(Option<Box<Vec<(Watch, Waker)>>>);

/// Who is to be told. Several may have the same waker: a task that has two streams of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch(usize);

impl Watch {
    /// A new one.
    pub(super) fn new() -> Watch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: a number, and nothing else.
        Watch(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<T> Side<T> {
    const fn new() -> Side<T> {
        Side {
            handles: 1,
            waiting: Queue::new(),
            watchers: Watchers(None),
        }
    }

    fn has_gone(&self) -> bool {
        self.handles == 0
    }

    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.watchers.is_empty()
    }

    /// Whether somebody waits whom this select could claim.
    fn has_partner_for(&self, choice: Option<&Choice>) -> bool {
        self.waiting.any(|slot| slot.is_open_for(choice))
    }
}

impl Watchers {
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Takes this one in, in the place of its last waker, which is to be dropped when the lock is free.
    pub(super) fn add(&mut self, watch: Watch, waker: Waker) -> Option<Waker> {
        let wakers = self.0.get_or_insert_default();
        if let Some((_, old)) = wakers.iter_mut().find(|(one, _)| *one == watch) {
            return Some(mem::replace(old, waker));
        }
        wakers.push((watch, waker));
        None
    }

    /// Takes this one out. It is to be dropped when the lock is free.
    pub(super) fn remove(&mut self, watch: Watch) -> Option<Waker> {
        let wakers = self.0.as_mut()?;
        let place = wakers.iter().position(|(one, _)| *one == watch)?;
        let (_, removed) = wakers.swap_remove(place);
        if wakers.is_empty() {
            self.0 = None;
        }
        Some(removed)
    }

    #[inline]
    fn tell(self) {
        if let Some(wakers) = self.0 {
            wakers.into_iter().for_each(|(_, waker)| wake(waker));
        }
    }
}

/// A waker's panic has been told by the panic hook, and ends here: the others are told too, and whoever
/// tells may have a node in a queue.
fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        drop_quietly(payload);
    }
}

/// Who is to go on when the lock is free.
#[must_use]
pub(super) struct Served<T> {
    first: Option<Claimed<T>>,
    second: Option<Claimed<T>>,
    watchers: Watchers,
}

impl<T> Served<T> {
    const fn new(first: Option<Claimed<T>>) -> Served<T> {
        Served {
            first,
            second: None,
            watchers: Watchers(None),
        }
    }

    pub(super) const fn watchers(watchers: Watchers) -> Served<T> {
        Served {
            first: None,
            second: None,
            watchers,
        }
    }

    /// Lets them go on. Never under the channel's lock.
    #[inline]
    pub(super) fn fire(self) {
        if let Some(claimed) = self.first {
            claimed.fire();
        }
        if let Some(claimed) = self.second {
            claimed.fire();
        }
        self.watchers.tell();
    }
}

/// What there is for a receiver.
pub(super) enum Taking<T> {
    Message(T, Served<T>),
    /// A select that sends at a rendezvous: it will make its message for who is in its hand.
    Select(Claimed<T>),
    Nothing,
    /// Nor will there ever be.
    Gone,
}

/// Leave for a select to send a message.
pub(super) enum Leave<T> {
    /// There always is room.
    Free,
    /// Room is kept for it, until `put_kept` or `free_kept`.
    Room,
    /// A receiver that waits for its message.
    Met(Claimed<T>),
    /// Nobody will receive it.
    Gone,
}

pub(super) struct State<T> {
    /// Where there is no ring.
    messages: VecDeque<T>,
    /// Of `messages` or the ring. `usize::MAX`: unbounded. No buffer holds as many, not even of messages
    /// without a size, in the lifetime of a machine.
    capacity: usize,
    /// Room that is kept for selects.
    kept: usize,
    pub(super) senders: Side<T>,
    pub(super) receivers: Side<T>,
}

impl<T> State<T> {
    pub(super) fn new(capacity: usize) -> State<T> {
        State {
            messages: VecDeque::new(),
            capacity,
            kept: 0,
            senders: Side::new(),
            receivers: Side::new(),
        }
    }

    // ----- sending

    /// Takes a message in, or gives it to a receiver.
    #[inline]
    pub(super) fn put(
        &mut self,
        ring: Option<&Ring<T>>,
        message: T,
    ) -> Result<Served<T>, TrySendError<T>> {
        if self.receivers.has_gone() {
            return Err(TrySendError::Disconnected(message));
        }
        if let Some(receiver) = Claimed::first(&mut self.receivers.waiting) {
            receiver.give(message);
            return Ok(Served::new(Some(receiver)));
        }
        if self.kept > 0 && !self.has_room(ring) {
            return Err(TrySendError::Full(message));
        }
        self.store(ring, message).map_err(TrySendError::Full)?;
        self.lower_flags(ring);
        Ok(Served::watchers(mem::take(&mut self.receivers.watchers)))
    }

    /// Keeps room for the message of a select, or a receiver. Flags that guard the ring are raised.
    pub(super) fn keep(&mut self, ring: Option<&Ring<T>>) -> Option<Leave<T>> {
        if self.receivers.has_gone() {
            return Some(Leave::Gone);
        }
        match self.capacity {
            0 => Claimed::first(&mut self.receivers.waiting).map(Leave::Met),
            usize::MAX => Some(Leave::Free),
            _ if self.has_room(ring) => {
                self.kept += 1;
                Some(Leave::Room)
            }
            _ => None,
        }
    }

    /// Takes the message in for which room was kept. An error gives it back: nobody will take it.
    pub(super) fn put_kept(&mut self, ring: Option<&Ring<T>>, message: T) -> Result<Served<T>, T> {
        self.kept -= 1;
        if self.receivers.has_gone() {
            return Err(message);
        }
        let Some(receiver) = Claimed::first(&mut self.receivers.waiting) else {
            let full = self.store(ring, message).is_err();
            assert!(!full, "room was kept");
            self.lower_flags(ring);
            return Ok(Served::watchers(mem::take(&mut self.receivers.watchers)));
        };
        receiver.give(message);
        // It has not used the room.
        let mut served = self.grant(ring);
        served.second = Some(receiver);
        Ok(served)
    }

    /// The message for which room was kept will not come.
    pub(super) fn free_kept(&mut self, ring: Option<&Ring<T>>) -> Served<T> {
        self.kept -= 1;
        self.grant(ring)
    }

    /// Whether a message would be taken in, or there is nobody for it, as a select has to know that
    /// makes this choice.
    pub(super) fn can_send(&self, ring: Option<&Ring<T>>, choice: Option<&Choice>) -> bool {
        self.receivers.has_gone()
            || if self.capacity == 0 {
                self.receivers.has_partner_for(choice)
            } else {
                self.has_room(ring)
            }
    }

    /// Whether there is room that is kept.
    pub(super) fn keeps_room(&self) -> bool {
        self.kept > 0
    }

    /// Whether there is room that is not kept.
    fn has_room(&self, ring: Option<&Ring<T>>) -> bool {
        let len = ring.map_or(self.messages.len(), Ring::len);
        len + self.kept < self.capacity
    }

    /// Gives the message back if there is no room.
    #[inline]
    fn store(&mut self, ring: Option<&Ring<T>>, message: T) -> Result<(), T> {
        match ring {
            Some(ring) => ring
                .put(message, By::Holder)
                .map_err(|(Refused::Full(message) | Refused::Flagged(message))| message),
            None if self.messages.len() >= self.capacity => Err(message),
            None => {
                self.messages.push_back(message);
                Ok(())
            }
        }
    }

    // ----- receiving

    /// Gives a message out. Inlined, so that what it returns need not be put together.
    #[inline(always)]
    pub(super) fn take(&mut self, ring: Option<&Ring<T>>) -> Taking<T> {
        let buffered = match ring {
            Some(ring) => ring.take(By::Holder).ok(),
            None => self.messages.pop_front(),
        };
        match buffered {
            Some(message) => Taking::Message(message, self.grant(ring)),
            None if self.senders.waiting.is_empty() && !self.senders.has_gone() => Taking::Nothing,
            None => self.take_from_sender(),
        }
    }

    /// No message lies here.
    fn take_from_sender(&mut self) -> Taking<T> {
        // A select has to make its message, for which the thread may have to wait.
        let claimed = if self.capacity == 0 && may_suspend() {
            Claimed::first(&mut self.senders.waiting)
        } else {
            Claimed::first_with_message(&mut self.senders.waiting)
        };
        match claimed.map(|sender| (sender.take(), sender)) {
            Some((Some(message), sender)) => Taking::Message(message, Served::new(Some(sender))),
            Some((None, select)) => Taking::Select(select),
            None if self.senders.has_gone() => Taking::Gone,
            None => Taking::Nothing,
        }
    }

    /// Whether there is something to receive, or nobody who could send, as a select has to know that
    /// makes this choice.
    pub(super) fn can_recv(&self, ring: Option<&Ring<T>>, choice: Option<&Choice>) -> bool {
        ring.map_or(self.messages.len(), Ring::len) > 0
            || self.senders.has_gone()
            || if self.capacity == 0 {
                self.senders.has_partner_for(choice)
            } else {
                // They wait for room that is kept.
                self.kept > 0 && self.senders.waiting.any(Slot::holds_message)
            }
    }

    /// Gives room that has become free to the first sender that waits.
    #[inline]
    fn grant(&mut self, ring: Option<&Ring<T>>) -> Served<T> {
        let Some(sender) = Claimed::first(&mut self.senders.waiting) else {
            self.lower_flags(ring);
            return Served::watchers(mem::take(&mut self.senders.watchers));
        };
        match sender.take() {
            Some(message) => {
                let full = self.store(ring, message).is_err();
                assert!(!full, "while a sender waits, nobody else gets room");
            }
            None => {
                self.kept += 1;
                sender.fill(Hand::Room);
            }
        }
        Served::new(Some(sender))
    }

    // ----- who waits

    /// Raises what makes others come to the lock while a sender waits or room is kept.
    pub(super) fn flag_for_senders(ring: Option<&Ring<T>>) {
        if let Some(ring) = ring {
            ring.flag_tail();
            ring.flag_head();
        }
    }

    /// The same, while a receiver waits.
    pub(super) fn flag_for_receivers(ring: Option<&Ring<T>>) {
        if let Some(ring) = ring {
            ring.flag_tail();
        }
    }

    /// Lets others pass by the lock again, if they may.
    #[inline]
    pub(super) fn lower_flags(&self, ring: Option<&Ring<T>>) {
        if let Some(ring) = ring
            && self.kept == 0
            && self.senders.is_quiet()
            && self.receivers.is_quiet()
            && !self.receivers.has_gone()
        {
            ring.lower_flags();
        }
    }

    /// The messages that are left outside of a ring, when nobody will take them.
    pub(super) fn take_all(&mut self) -> VecDeque<T> {
        mem::take(&mut self.messages)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}
