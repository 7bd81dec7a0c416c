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

use std::mem::{self, MaybeUninit};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use trefoil_runtime::{Outcome, Reason, Spin, SpinGuard, Wait};

use super::choice::Choice;
use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::patience::Patience;
use super::ring::{self, By, Nothing, Refused, Ring};
use super::slot::{Claimed, Hand, Slot};
use super::state::{Leave, Served, Side, State, Taking, Watch};
use super::thread::{raise, spend, waits_are_dear};
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
        let put = state.put(self.ring(), message);
        drop(state);
        put.map(Served::fire)
    }

    /// Sends, and waits until that is possible, or until a time. Does not return to a thread that
    /// is cancelled meanwhile: the message is dropped.
    #[track_caller]
    #[inline(always)]
    pub(super) fn send(
        &self,
        message: T,
        until: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let refused = match self.put_quickly(message) {
            Ok(()) => {
                self.spend_as_sender();
                return Ok(());
            }
            Err(refused) => refused,
        };
        let mut room = MaybeUninit::uninit();
        match self.send_or_queue(refused, until, &mut room) {
            Attempt::Over(sent) => sent,
            Attempt::Waits(stay) => match self.wait(stay, &End::SENDING) {
                (outcome, Hand::Message(message)) => not_sent(outcome, message),
                _ => Ok(()),
            },
        }
    }

    /// Sends under the lock, or queues the thread.
    #[track_caller]
    #[inline(never)]
    fn send_or_queue<'a>(
        &self,
        refused: Refused<T>,
        until: Option<Instant>,
        room: &'a mut MaybeUninit<Stay<T>>,
    ) -> Attempt<'a, T, Result<(), SendTimeoutError<T>>> {
        let message = match refused {
            Refused::Flagged(message) => message,
            Refused::Full(message) if waits_are_dear() => match self.put_persistently(message) {
                Ok(()) => return Attempt::Over(Ok(())),
                Err(message) => message,
            },
            Refused::Full(message) => message,
        };
        let mut state = self.state.lock();
        if let Some(receiver) = Claimed::first(&mut state.receivers.waiting) {
            receiver.give(message);
            drop(state);
            receiver.fire();
            self.spend_as_sender();
            return Attempt::Over(Ok(()));
        }
        self.send_slow(state, message, until, room)
    }

    /// No receiver waits.
    #[track_caller]
    #[inline(never)]
    fn send_slow<'a>(
        &self,
        mut state: SpinGuard<'_, State<T>>,
        message: T,
        until: Option<Instant>,
        room: &'a mut MaybeUninit<Stay<T>>,
    ) -> Attempt<'a, T, Result<(), SendTimeoutError<T>>> {
        let put = match (state.put(self.ring(), message), self.ring()) {
            (Err(TrySendError::Full(message)), Some(_)) => {
                State::flag_for_senders(self.ring());
                state.put(self.ring(), message)
            }
            (put, _) => put,
        };
        Attempt::Over(match put {
            Ok(served) => {
                drop(state);
                served.fire();
                self.spend_as_sender();
                Ok(())
            }
            Err(TrySendError::Full(message)) => {
                let wait = Wait::new(Reason::Send).until(until).cancellable();
                let hand = Hand::Message(message);
                return Attempt::Waits(self.queue(state, &End::SENDING, hand, wait, room));
            }
            Err(TrySendError::Disconnected(message)) => {
                Err(SendTimeoutError::Disconnected(message))
            }
        })
    }

    /// Sending to an unbounded channel never waits: nobody else runs in the middle of it, for programs do it
    /// with a lock of `std` held.
    #[inline]
    pub(super) fn spend_as_sender(&self) {
        if self.capacity.is_some() {
            spend();
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

    /// Receives at once or not at all.
    #[track_caller]
    #[inline]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.take_quickly() {
            Ok(message) => Ok(message),
            // Also if there was none: the lock tells why.
            Err(_) => self.take_under_lock(),
        }
    }

    #[track_caller]
    fn take_under_lock(&self) -> Result<T, TryRecvError> {
        loop {
            let mut state = self.state.lock();
            let taken = state.take(self.ring());
            drop(state);
            match taken {
                Taking::Message(message, served) => {
                    served.fire();
                    return Ok(message);
                }
                Taking::Select(select) => {
                    // Behind one that sends nothing another may wait.
                    if let Some(message) = meet(select) {
                        return Ok(message);
                    }
                }
                Taking::Nothing => return Err(TryRecvError::Empty),
                Taking::Gone => return Err(TryRecvError::Disconnected),
            }
        }
    }

    /// Receives, and waits until that is possible, or until a time. Does not return to a thread
    /// that is cancelled before it got a message.
    #[track_caller]
    #[inline(always)]
    pub(super) fn recv(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let nothing = match self.take_quickly() {
            Ok(message) => {
                spend();
                return Ok(message);
            }
            Err(nothing) => nothing,
        };
        let mut room = MaybeUninit::uninit();
        match self.recv_or_queue(nothing, until, &mut room) {
            Attempt::Over(received) => received,
            Attempt::Waits(stay) => match self.wait(stay, &End::RECEIVING) {
                (_, Hand::Message(message)) => Ok(message),
                (outcome, _) => self.recv_again(outcome, until),
            },
        }
    }

    /// A wait has ended without a message.
    #[track_caller]
    #[cold]
    fn recv_again(
        &self,
        mut outcome: Outcome,
        until: Option<Instant>,
    ) -> Result<T, RecvTimeoutError> {
        loop {
            match outcome {
                // The senders have gone, or a select has met this thread and sent nothing.
                Outcome::Woken => {}
                Outcome::TimedOut => return Err(RecvTimeoutError::Timeout),
                Outcome::Cancelled => end::<T>(None),
            }
            let mut room = MaybeUninit::uninit();
            match self.recv_or_queue(Nothing::Flagged, until, &mut room) {
                Attempt::Over(received) => return received,
                Attempt::Waits(stay) => match self.wait(stay, &End::RECEIVING) {
                    (_, Hand::Message(message)) => return Ok(message),
                    (again, _) => outcome = again,
                },
            }
        }
    }

    /// Receives under the lock, or queues the thread.
    #[track_caller]
    #[inline(never)]
    fn recv_or_queue<'a>(
        &self,
        nothing: Nothing,
        until: Option<Instant>,
        room: &'a mut MaybeUninit<Stay<T>>,
    ) -> Attempt<'a, T, Result<T, RecvTimeoutError>> {
        if matches!(nothing, Nothing::Empty)
            && waits_are_dear()
            && let Some(message) = self.take_persistently()
        {
            return Attempt::Over(Ok(message));
        }
        loop {
            let mut state = self.state.lock();
            State::flag_for_receivers(self.ring());
            match state.take(self.ring()) {
                Taking::Message(message, served) => {
                    drop(state);
                    served.fire();
                    spend();
                    return Attempt::Over(Ok(message));
                }
                Taking::Nothing => {
                    let wait = Wait::new(Reason::Receive).until(until).cancellable();
                    let (end, hand) = (&End::RECEIVING, Hand::Empty);
                    return Attempt::Waits(self.queue(state, end, hand, wait, room));
                }
                Taking::Select(select) => {
                    drop(state);
                    if let Some(message) = meet(select) {
                        return Attempt::Over(Ok(message));
                    }
                }
                Taking::Gone => return Attempt::Over(Err(RecvTimeoutError::Disconnected)),
            }
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

    /// Queues the current thread at this end: it waits from now on, and has to [`wait`](Shared::wait).
    #[inline]
    fn queue<'a>(
        &self,
        state: SpinGuard<'_, State<T>>,
        end: &End<T>,
        hand: Hand<T>,
        wait: Wait,
        room: &'a mut MaybeUninit<Stay<T>>,
    ) -> &'a Stay<T> {
        let mut state = wait.allow(state);
        // This is short and calls nobody's code, although the lock is held: it reads a
        // thread-local. (A plain OS thread that waits for the first time in its life gets its
        // control block here.)
        let node = Node::new(Slot::new(hand));
        let stay = &*room.write(Stay { node, wait });
        // SAFETY: the node is new. It stays where it is until `wait` has returned: then it has been taken
        // out or fired.
        unsafe { (end.own)(&mut state).waiting.push_back(&stay.node) };
        self.unlock_waiting(state, end);
        stay
    }

    /// Waits at this end, and gives back what the hand holds then. Any other outcome than `Woken` says that
    /// nobody has touched it.
    #[inline(always)]
    fn wait(&self, stay: &Stay<T>, end: &End<T>) -> (Outcome, Hand<T>) {
        // SAFETY: that is the queue into which it was put; a `Claimed` is fired by who has it.
        let outcome = unsafe {
            wait_in(
                &self.state,
                &stay.node,
                &stay.wait,
                |state| &mut (end.own)(state).waiting,
                |_| (),
            )
        };
        // SAFETY: nobody else knows the node any more.
        (outcome, unsafe { stay.node.data().take() })
    }

    /// Gives the lock back. At a rendezvous, a thread that waits is what watchers of the other side wait for;
    /// also a sender that waits only because room is kept: its message can be had.
    #[inline]
    fn unlock_waiting(&self, mut state: SpinGuard<'_, State<T>>, end: &End<T>) {
        if self.capacity != Some(0) && !state.keeps_room() {
            return;
        }
        let watchers = mem::take(&mut (end.other)(&mut state).watchers);
        drop(state);
        Served::<T>::watchers(watchers).fire();
    }

    // ----- arms of selects

    /// Keeps room for a message, or a receiver.
    pub(super) fn keep(&self) -> Option<Leave<T>> {
        if let Some(ring) = self.ring()
            && ring.is_surely_full()
        {
            return None;
        }
        let mut state = self.state.lock();
        State::flag_for_senders(self.ring());
        let leave = state.keep(self.ring());
        if leave.is_none() {
            state.lower_flags(self.ring());
        }
        leave
    }

    /// Sends the message for which room was kept. An error gives it back: the receivers have gone.
    pub(super) fn send_kept(&self, message: T) -> Result<(), T> {
        let mut state = self.state.lock();
        let put = state.put_kept(self.ring(), message);
        drop(state);
        put.map(Served::fire)
    }

    /// Gives up the room that was kept.
    pub(super) fn free_kept(&self) {
        let mut state = self.state.lock();
        let served = state.free_kept(self.ring());
        drop(state);
        served.fire();
    }

    /// Whether something could be done at this end, or never will be.
    pub(super) fn is_ready(&self, end: &End<T>) -> bool {
        (end.is_ready)(&self.state.lock(), self.ring(), None)
    }

    /// Queues the node of an arm. `false`: no need to, it could be done now.
    ///
    /// # Safety
    ///
    /// The node belongs to this choice. It is in no queue, stays where it is until `withdraw` at the same end,
    /// and is in no other queue before.
    #[inline]
    pub(super) unsafe fn enlist(
        &self,
        end: &End<T>,
        node: &Node<Slot<T>>,
        choice: &Choice,
    ) -> bool {
        let mut state = self.state.lock();
        (end.flag)(self.ring());
        if (end.is_ready)(&state, self.ring(), Some(choice)) {
            return false;
        }
        // SAFETY: passed on; whoever takes it out wins the choice first, or lets it be.
        unsafe { (end.own)(&mut state).waiting.push_back(node) };
        self.unlock_waiting(state, end);
        true
    }

    /// Takes the node out, if it is still there.
    ///
    /// # Safety
    ///
    /// The node was last queued by `enlist` at this end of this channel, or never.
    #[inline]
    pub(super) unsafe fn withdraw(&self, end: &End<T>, node: &Node<Slot<T>>) {
        // SAFETY: passed on.
        unsafe { (end.own)(&mut self.state.lock()).waiting.remove(node) };
    }

    // ----- watchers

    /// Tells the waker when something may be done at this end. `false`: it may be now.
    pub(super) fn watch(&self, end: &End<T>, watch: Watch, waker: &Waker) -> bool {
        // Wakers are cloned and dropped without the lock, for they may do anything then.
        let mut waker = Some(waker.clone());
        let mut state = self.state.lock();
        (end.flag)(self.ring());
        let nothing = !(end.is_ready)(&state, self.ring(), None);
        if nothing {
            let watchers = &mut (end.own)(&mut state).watchers;
            waker = waker.and_then(|waker| watchers.add(watch, waker));
        }
        drop(state);
        drop(waker);
        nothing
    }

    /// Does not tell it any more.
    pub(super) fn unwatch(&self, end: &End<T>, watch: Watch) {
        let mut state = self.state.lock();
        let removed = (end.own)(&mut state).watchers.remove(watch);
        state.lower_flags(self.ring());
        drop(state);
        // A waker may do anything when it is dropped.
        drop(removed);
    }

    // ----- handles

    /// Counts one more sender, and gives it the channel.
    pub(super) fn add_sender(self: &Arc<Shared<T>>) -> Arc<Shared<T>> {
        self.add(senders)
    }

    /// Counts one more receiver, and gives it the channel.
    pub(super) fn add_receiver(self: &Arc<Shared<T>>) -> Arc<Shared<T>> {
        self.add(receivers)
    }

    fn add(self: &Arc<Shared<T>>, side: SideOf<T>) -> Arc<Shared<T>> {
        // First the `Arc`: it ends the process before the number could wrap.
        let shared = Arc::clone(self);
        side(&mut self.state.lock()).handles += 1;
        shared
    }

    /// One sender less. After the last, receivers are told.
    pub(super) fn remove_sender(&self) {
        if self.remove(senders) {
            self.tell_all(receivers);
        }
    }

    /// One receiver less. After the last, senders are told, and what is left is dropped.
    pub(super) fn remove_receiver(&self) {
        if self.remove(receivers) {
            if let Some(ring) = self.ring() {
                // From here on senders look at the state; it is not lowered again.
                let _lock = self.state.lock();
                ring.flag_tail();
            }
            self.tell_all(senders);
            // Messages may do anything when they are dropped: panic, or come back here because
            // they own an end of this very channel. All is done by then, and the lock is free.
            let left = self.state.lock().take_all();
            let in_ring = self.ring().into_iter().flat_map(Ring::rest);
            ring::drop_each(left.into_iter().chain(in_ring));
        }
    }

    /// Whether it was the last.
    fn remove(&self, side: SideOf<T>) -> bool {
        let mut state = self.state.lock();
        let side = side(&mut state);
        side.handles -= 1;
        side.handles == 0
    }

    /// Fires all who wait on this side, with what is in their hands. Nobody joins them, because
    /// the other side has gone.
    fn tell_all(&self, side: SideOf<T>) {
        let next = || Claimed::first(&mut side(&mut self.state.lock()).waiting);
        while let Some(waiting) = next() {
            waiting.fire();
        }
        let watchers = mem::take(&mut side(&mut self.state.lock()).watchers);
        Served::<T>::watchers(watchers).fire();
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

/// How an attempt went.
enum Attempt<'a, T, R> {
    /// This is the operation's result.
    Over(R),
    /// The thread is queued.
    Waits(&'a Stay<T>),
}

/// What a thread waits with. It lies in the frame of the operation, which is the program's own: what is
/// between is inlined, for each frame between the program and a switch costs wrong guesses of the processor.
struct Stay<T> {
    node: Node<Slot<T>>,
    wait: Wait,
}

/// Finds a side of the channel.
type SideOf<T> = fn(&mut State<T>) -> &mut Side<T>;

/// Looks at the state whether something can be done.
type Look<T> = fn(&State<T>, Option<&Ring<T>>, Option<&Choice>) -> bool;

/// What a thread does that may wait: which side it stands on, and what it has to know.
pub(super) struct End<T> {
    own: SideOf<T>,
    other: SideOf<T>,
    /// Makes the others come to the lock.
    flag: fn(Option<&Ring<T>>),
    /// Whether it need not wait, as a select has to know that makes this choice.
    is_ready: Look<T>,
}

impl<T> End<T> {
    pub(super) const SENDING: End<T> = End {
        own: senders,
        other: receivers,
        flag: State::flag_for_senders,
        is_ready: State::can_send,
    };

    pub(super) const RECEIVING: End<T> = End {
        own: receivers,
        other: senders,
        flag: State::flag_for_receivers,
        is_ready: State::can_recv,
    };
}

fn senders<T>(state: &mut State<T>) -> &mut Side<T> {
    &mut state.senders
}

fn receivers<T>(state: &mut State<T>) -> &mut Side<T> {
    &mut state.receivers
}

/// Waits for the message of a select that sends at a rendezvous. Neither time nor cancellation ends that:
/// the select has decided, and the message is being made. `None`: it was not sent after all.
#[track_caller]
#[cold]
fn meet<T>(select: Claimed<T>) -> Option<T> {
    let wait = Wait::new(Reason::Receive);
    let node = Node::new(Slot::new(Hand::Empty));
    // SAFETY: the thread waits below, until the node is fired.
    select.fill(Hand::Met(unsafe { Claimed::own(&node) }));
    select.fire();
    node.wait(&wait);
    // SAFETY: nobody else knows the node any more.
    match unsafe { node.data().take() } {
        Hand::Message(message) => Some(message),
        Hand::Empty | Hand::Room | Hand::Met(_) => None,
    }
}

/// A wait to send has ended, and the message is still there.
#[cold]
fn not_sent<T>(outcome: Outcome, message: T) -> Result<(), SendTimeoutError<T>> {
    match outcome {
        Outcome::Woken => Err(SendTimeoutError::Disconnected(message)),
        Outcome::TimedOut => Err(SendTimeoutError::Timeout(message)),
        Outcome::Cancelled => end(Some(message)),
    }
}

/// Ends a cancelled thread. Its message goes first: if its drop panicked while the thread
/// unwinds, the process would end.
fn end<T>(message: Option<T>) -> ! {
    drop(message);
    raise()
}
