//! What the handles of one channel share, and the life of one operation.
//!
//! 1. Where the channel has a [`Ring`], it is tried there, without the lock.
//! 2. A kernel thread tries a few times more: its waits are dear.
//! 3. It is tried under the lock. If it would have to wait, its node is queued under that very lock, so
//!    that nothing comes in between; whoever then makes it possible completes it, takes the node out,
//!    releases the lock and fires the node.
//!
//! A wait that ends without having been fired (time, cancellation) takes its node out under the
//! lock. If the node is gone, it has been claimed: the message has changed hands, and the wait
//! goes on until it is fired, which is now. So no message is ever lost or doubled: a cancelled
//! `recv` that has got its message returns it, and the next cancellation point raises.

use std::sync::Arc;
use std::time::Instant;

use trefoil_runtime::{Outcome, Reason, Spin, SpinGuard, Wait};

use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::ring::{self, By, Nothing, Refused, Ring};
use super::slot::{Claimed, Slot, Waiting};
use super::state::{Side, State};
use crate::queue::{Node, wait_in};

pub(super) struct Shared<T> {
    /// Of a channel with room for a given number of messages.
    ring: Option<Ring<T>>,
    state: Spin<State<T>>,
    capacity: Option<usize>,
}

impl<T> Shared<T> {
    pub(super) fn unbounded() -> Shared<T> {
        Shared {
            ring: None,
            state: Spin::new(State::new(usize::MAX)),
            capacity: None,
        }
    }

    pub(super) fn bounded(capacity: usize) -> Shared<T> {
        let has_ring = (1..=ring::MOST).contains(&capacity);
        Shared {
            ring: has_ring.then(|| Ring::new(capacity)),
            state: Spin::new(State::new(capacity)),
            capacity: Some(capacity),
        }
    }

    // ----- operations

    /// Sends at once or not at all.
    #[inline]
    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        match self.put_quickly(message) {
            Ok(()) => Ok(()),
            Err(Refused::Full(message)) => Err(TrySendError::Full(message)),
            Err(Refused::Flagged(message)) => self.put_under_lock(message),
        }
    }

    fn put_under_lock(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut state = self.state.lock();
        let taken = state.put(self.ring(), message);
        drop(state);
        taken.map(fire)
    }

    /// Sends, and waits until that is possible, or until a time. Does not return to a thread that
    /// is cancelled meanwhile: the message is dropped.
    #[track_caller]
    #[inline]
    pub(super) fn send(
        &self,
        message: T,
        until: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        match self.put_quickly(message) {
            Ok(()) => Ok(()),
            Err(Refused::Flagged(message)) => self.send_slow(message, until),
            Err(Refused::Full(message)) if waits_are_dear() => {
                match self.put_persistently(message) {
                    Ok(()) => Ok(()),
                    Err(message) => self.send_slow(message, until),
                }
            }
            Err(Refused::Full(message)) => self.send_slow(message, until),
        }
    }

    #[track_caller]
    #[inline]
    fn send_slow(&self, message: T, until: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        let mut state = self.state.lock();
        if let Some(receiver) = Claimed::first(&mut state.receivers.waiting) {
            receiver.give(message);
            drop(state);
            receiver.fire();
            return Ok(());
        }
        self.send_slower(state, message, until)
    }

    /// No receiver waits.
    #[track_caller]
    #[inline(never)]
    fn send_slower(
        &self,
        mut state: SpinGuard<'_, State<T>>,
        message: T,
        until: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let taken = match (state.put(self.ring(), message), self.ring()) {
            (Err(TrySendError::Full(message)), Some(ring)) => {
                ring.flag_tail();
                ring.flag_head();
                state.put(self.ring(), message)
            }
            (taken, _) => taken,
        };
        match taken {
            Ok(receiver) => {
                drop(state);
                fire(receiver);
                Ok(())
            }
            Err(TrySendError::Full(message)) => self.send_wait(state, message, until),
            Err(TrySendError::Disconnected(message)) => {
                Err(SendTimeoutError::Disconnected(message))
            }
        }
    }

    /// Without the lock, if that is possible.
    #[inline]
    fn put_quickly(&self, message: T) -> Result<(), Refused<T>> {
        match self.ring() {
            Some(ring) => ring.put(message, By::Anybody),
            None => Err(Refused::Flagged(message)),
        }
    }

    /// Again, for as long as a wait would cost.
    #[cold]
    fn put_persistently(&self, mut message: T) -> Result<(), T> {
        let mut patience = Patience::new();
        while patience.lasts() {
            match self.put_quickly(message) {
                Ok(()) => return Ok(()),
                Err(Refused::Full(back)) => message = back,
                Err(Refused::Flagged(back)) => return Err(back),
            }
        }
        Err(message)
    }

    #[track_caller]
    #[inline(never)]
    fn send_wait(
        &self,
        state: SpinGuard<'_, State<T>>,
        message: T,
        until: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let wait = Wait::new(Reason::Send).until(until).cancellable();
        match self.wait(
            state,
            |state| &mut state.senders.waiting,
            Some(message),
            wait,
        ) {
            (_, None) => Ok(()),
            (Outcome::Woken, Some(message)) => Err(SendTimeoutError::Disconnected(message)),
            (Outcome::TimedOut, Some(message)) => Err(SendTimeoutError::Timeout(message)),
            (Outcome::Cancelled, message) => end(message),
        }
    }

    /// Receives at once or not at all.
    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.take_quickly() {
            Ok(message) => Ok(message),
            // Also if there was none: the lock tells why.
            Err(_) => self.take_under_lock(),
        }
    }

    fn take_under_lock(&self) -> Result<T, TryRecvError> {
        let mut state = self.state.lock();
        let taken = state.take(self.ring());
        drop(state);
        let (message, sender) = taken?;
        fire(sender);
        Ok(message)
    }

    /// Receives, and waits until that is possible, or until a time. Does not return to a thread
    /// that is cancelled before it got a message.
    #[track_caller]
    #[inline]
    pub(super) fn recv(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match self.take_quickly() {
            Ok(message) => Ok(message),
            Err(Nothing::Flagged) => self.recv_slow(until),
            Err(Nothing::Empty) if waits_are_dear() => match self.take_persistently() {
                Some(message) => Ok(message),
                None => self.recv_slow(until),
            },
            Err(Nothing::Empty) => self.recv_slow(until),
        }
    }

    #[track_caller]
    #[inline]
    fn recv_slow(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut state = self.state.lock();
        if let Some(ring) = self.ring() {
            ring.flag_tail();
        }
        match state.take(self.ring()) {
            Ok((message, sender)) => {
                drop(state);
                fire(sender);
                Ok(message)
            }
            Err(TryRecvError::Empty) => self.recv_wait(state, until),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// Without the lock, if that is possible.
    #[inline]
    fn take_quickly(&self) -> Result<T, Nothing> {
        match self.ring() {
            Some(ring) => ring.take(By::Anybody),
            None => Err(Nothing::Flagged),
        }
    }

    /// Again, for as long as a wait would cost.
    #[cold]
    fn take_persistently(&self) -> Option<T> {
        let mut patience = Patience::new();
        while patience.lasts() {
            match self.take_quickly() {
                Ok(message) => return Some(message),
                Err(Nothing::Empty) => {}
                Err(Nothing::Flagged) => break,
            }
        }
        None
    }

    #[track_caller]
    #[inline(never)]
    fn recv_wait(
        &self,
        state: SpinGuard<'_, State<T>>,
        until: Option<Instant>,
    ) -> Result<T, RecvTimeoutError> {
        let wait = Wait::new(Reason::Receive).until(until).cancellable();
        match self.wait(state, |state| &mut state.receivers.waiting, None, wait) {
            (_, Some(message)) => Ok(message),
            (Outcome::Woken, None) => Err(RecvTimeoutError::Disconnected),
            (Outcome::TimedOut, None) => Err(RecvTimeoutError::Timeout),
            (Outcome::Cancelled, nothing) => end(nothing),
        }
    }

    /// Waits on one side, and gives back what the slot holds then. Any other outcome than `Woken`
    /// says that nobody has touched the slot.
    #[inline]
    fn wait(
        &self,
        state: SpinGuard<'_, State<T>>,
        waiting: impl Fn(&mut State<T>) -> &mut Waiting<T>,
        message: Option<T>,
        wait: Wait,
    ) -> (Outcome, Option<T>) {
        let mut state = wait.allow(state);
        // This is short and calls nobody's code, although the lock is held: it reads a
        // thread-local. (A plain OS thread that waits for the first time in its life gets its
        // control block here.)
        let node = Node::new(Slot::new(message));
        // SAFETY: the node is new. It stays where it is until this function returns, which is
        // after `wait_in` has returned: then it has been taken out or fired.
        unsafe { waiting(&mut state).push_back(&node) };
        drop(state);
        // SAFETY: `waiting` finds the queue into which it was put; a `Claimed` is fired by who
        // has it.
        let outcome = unsafe { wait_in(&self.state, &node, &wait, waiting, |_| ()) };
        // SAFETY: as above: nobody else knows the node any more.
        (outcome, unsafe { node.data().take() })
    }

    // ----- handles

    /// Counts one more sender, and gives it the channel.
    pub(super) fn add_sender(self: &Arc<Shared<T>>) -> Arc<Shared<T>> {
        self.add(|state| &mut state.senders)
    }

    /// Counts one more receiver, and gives it the channel.
    pub(super) fn add_receiver(self: &Arc<Shared<T>>) -> Arc<Shared<T>> {
        self.add(|state| &mut state.receivers)
    }

    fn add(self: &Arc<Shared<T>>, side: impl Fn(&mut State<T>) -> &mut Side<T>) -> Arc<Shared<T>> {
        // First the `Arc`: it ends the process before the number could wrap.
        let shared = Arc::clone(self);
        side(&mut self.state.lock()).handles += 1;
        shared
    }

    /// One sender less. After the last, receivers are told.
    pub(super) fn remove_sender(&self) {
        if self.remove(|state| &mut state.senders) {
            self.tell_all(|state| &mut state.receivers);
        }
    }

    /// One receiver less. After the last, senders are told, and what is left is dropped.
    pub(super) fn remove_receiver(&self) {
        if self.remove(|state| &mut state.receivers) {
            if let Some(ring) = self.ring() {
                // From here on senders look at the state; it is not lowered again.
                let _lock = self.state.lock();
                ring.flag_tail();
            }
            self.tell_all(|state| &mut state.senders);
            // Messages may do anything when they are dropped: panic, or come back here because
            // they own an end of this very channel. All is done by then, and the lock is free.
            let left = self.state.lock().take_all();
            drop(left);
            if let Some(ring) = self.ring() {
                ring.drain();
            }
        }
    }

    /// Whether it was the last.
    fn remove(&self, side: impl Fn(&mut State<T>) -> &mut Side<T>) -> bool {
        let mut state = self.state.lock();
        let side = side(&mut state);
        side.handles -= 1;
        side.handles == 0
    }

    /// Fires all who wait on this side, with their slots as they are. Nobody joins them, because
    /// the other side has gone.
    fn tell_all(&self, side: impl Fn(&mut State<T>) -> &mut Side<T>) {
        let next = || Claimed::first(&mut side(&mut self.state.lock()).waiting);
        while let Some(waiting) = next() {
            waiting.fire();
        }
    }

    // ----- what it is like

    pub(super) fn len(&self) -> usize {
        match self.ring() {
            Some(ring) => ring.len(),
            None => self.state.lock().len(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.len() >= capacity)
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    #[inline]
    fn ring(&self) -> Option<&Ring<T>> {
        self.ring.as_ref()
    }
}

/// How long a thread tries again before it waits. Kernel threads do: to park one and to wake it
/// costs far more than a few looks, and their partner may be at work on another processor. Where it
/// is not, they let the kernel run it.
struct Patience {
    looks: u32,
}

impl Patience {
    /// So many looks pause twice as long each time, some microseconds in all;
    const PAUSES: u32 = 6;
    /// the ones after them offer the processor.
    const LOOKS: u32 = 10;

    const fn new() -> Patience {
        Patience { looks: 0 }
    }

    /// Pauses. `false`: it is over.
    fn lasts(&mut self) -> bool {
        if self.looks >= Patience::LOOKS {
            return false;
        }
        if self.looks < Patience::PAUSES {
            for _ in 0..1_u32 << self.looks {
                std::hint::spin_loop();
            }
        } else {
            std::thread::yield_now();
        }
        self.looks += 1;
        true
    }
}

#[cfg(not(trefoil_loom))]
#[inline]
fn waits_are_dear() -> bool {
    trefoil_runtime::model() == trefoil_runtime::Model::Kernel
}

#[cfg(trefoil_loom)]
fn waits_are_dear() -> bool {
    false
}

/// Lets whoever was served go on.
#[inline]
fn fire<T>(claimed: Option<Claimed<T>>) {
    if let Some(claimed) = claimed {
        claimed.fire();
    }
}

/// Ends a cancelled thread. Its message goes first: if its drop panicked while the thread
/// unwinds, the process would end.
fn end<T>(message: Option<T>) -> ! {
    drop(message);
    raise()
}

#[cfg(not(trefoil_loom))]
use trefoil_runtime::cancel::raise;

#[cfg(trefoil_loom)]
fn raise() -> ! {
    unreachable!("loom's threads are not cancelled")
}
