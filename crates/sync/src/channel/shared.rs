//! What the handles of one channel share, and the life of one operation: it is tried under the
//! lock; if it would have to wait, its node is queued under that very lock, so that nothing comes
//! in between; whoever then makes it possible completes it, takes the node out, releases the lock
//! and fires the node.
//!
//! A wait that ends without having been fired (time, cancellation) takes its node out under the
//! lock. If the node is gone, it has been claimed: the message has changed hands, and the wait
//! goes on until it is fired, which is now. So no message is ever lost or doubled: a cancelled
//! `recv` that has got its message returns it, and the next cancellation point raises.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use trefoil_runtime::{Outcome, Reason, Spin, SpinGuard, Wait};

use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::slot::{Claimed, Slot, Waiting};
use super::state::{Side, State};
use crate::queue::{Node, wait_in};

pub(super) struct Shared<T> {
    state: Spin<State<T>>,
    capacity: Option<usize>,
}

impl<T> Shared<T> {
    pub(super) fn unbounded() -> Shared<T> {
        Shared {
            state: Spin::new(State::new(VecDeque::new(), usize::MAX)),
            capacity: None,
        }
    }

    pub(super) fn bounded(capacity: usize) -> Shared<T> {
        Shared {
            state: Spin::new(State::new(VecDeque::with_capacity(capacity), capacity)),
            capacity: Some(capacity),
        }
    }

    // ----- operations

    /// Sends at once or not at all.
    #[inline]
    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut state = self.state.lock();
        let taken = state.put(message);
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
        let mut state = self.state.lock();
        match state.put(message) {
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
        let mut state = self.state.lock();
        let taken = state.take();
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
        let mut state = self.state.lock();
        match state.take() {
            Ok((message, sender)) => {
                drop(state);
                fire(sender);
                Ok(message)
            }
            Err(TryRecvError::Empty) => self.recv_wait(state, until),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
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
        mut state: SpinGuard<'_, State<T>>,
        waiting: impl Fn(&mut State<T>) -> &mut Waiting<T>,
        message: Option<T>,
        wait: Wait,
    ) -> (Outcome, Option<T>) {
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
            self.tell_all(|state| &mut state.senders);
            // Messages may do anything when they are dropped: panic, or come back here because
            // they own an end of this very channel. All is done by then, and the lock is free.
            let left = self.state.lock().take_all();
            drop(left);
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
        self.state.lock().len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.len() >= capacity)
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.capacity
    }
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
