//! One direction of a descriptor: whether an operation is worth trying, and who waits.
//!
//! | bit of the word | meaning |
//! |-----------------|---------|
//! | READY           | the operation may succeed: try it |
//! | DRAIN           | there is more than a short success tells of (urgent data, an error, the end of the stream): only an operation that would block uses readiness up |
//! | the rest        | counts events, so that readiness is not used up by an operation that began before the event |
//!
//! Without DRAIN a read that does not fill its buffer has emptied the socket, and the next
//! one waits at once: one system call per message. With urgent data it may only have come to
//! the urgent mark, and the bytes behind the mark would cause no other edge.
//!
//! An operation that has come full tells nothing of what is left: the next one is tried, and is in
//! vain where requests fill their buffer. Where that happens time and again, a fiber lets others
//! run first. By then the peer may have answered, and the try is none in vain:
//!
//! | `vain`  | meaning                                                                 |
//! |---------|-------------------------------------------------------------------------|
//! | 0       | the last try succeeded                                                  |
//! | 1       | the last one was in vain: with several messages under way, one in a few |
//! | above 1 | so were two in a row: so many times less one, others run first          |
//!
//! No event is lost: a waiter is listed under the list's lock after a look at the word; an
//! event first changes the word and then takes the list under that lock.

use core::fmt;
use core::sync::atomic::AtomicU8;

use crate::atomic::{AtomicUsize, Ordering};
use crate::spin::Spin;
use crate::wait::Waiter;

const READY: usize = 1;
const DRAIN: usize = 2;
const EVENT: usize = 4;

/// How often others run first after two tries in vain. Then a try tells whether that is still so.
const PATIENCE: u8 = 15;

pub(super) struct Side {
    word: AtomicUsize,
    /// A hint, relaxed: where threads count over each other, one makes a system call too many.
    vain: AtomicU8,
    waiters: Spin<Vec<Listed>>,
}

/// What the word said before an operation began.
#[derive(Clone, Copy)]
pub(super) struct Seen(usize);

/// A thread that waits, by the poller of its own worker.
#[derive(Clone, Copy)]
struct Listed {
    waiter: *const Waiter,
    home: usize,
}

// SAFETY: a listed waiter is alive: it is taken out before it goes. Firing is for all.
unsafe impl Send for Listed {}

impl Seen {
    pub(super) fn is_ready(self) -> bool {
        self.0 & READY != 0
    }

    pub(super) fn must_drain(self) -> bool {
        self.0 & DRAIN != 0
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("ready", &self.is_ready())
            .field("drain", &self.must_drain())
            .finish()
    }
}

impl Side {
    pub(super) fn new() -> Side {
        Side {
            word: AtomicUsize::new(READY),
            vain: AtomicU8::new(0),
            waiters: Spin::new(Vec::new()),
        }
    }

    pub(super) fn look(&self) -> Seen {
        // Acquire: pairs with `set`.
        Seen(self.word.load(Ordering::Acquire))
    }

    /// The operation that began after `seen` would have blocked: nothing is left, whatever an
    /// event said. An error is no exception: one that waits in the socket's error queue is
    /// reported with every event, and no read or write takes it.
    pub(super) fn would_block(&self, seen: Seen) {
        self.use_up(seen, seen.0 & !(READY | DRAIN));
    }

    /// The operation that began after `seen` has taken less than it had room for.
    pub(super) fn came_short(&self, seen: Seen) {
        if !seen.must_drain() {
            self.use_up(seen, seen.0 & !READY);
        }
    }

    /// Whether a try is probably in vain, so that others run first.
    #[inline]
    pub(super) fn is_probably_in_vain(&self) -> bool {
        let vain = self.vain.load(Ordering::Relaxed);
        if vain > 1 {
            self.vain.store(vain - 1, Ordering::Relaxed);
        }
        vain > 1
    }

    /// A try that came at once, after an operation that had come full.
    #[inline]
    pub(super) fn note_try(&self, succeeded: bool) {
        let before = self.vain.load(Ordering::Relaxed);
        let vain = match (succeeded, before) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, _) => 1 + PATIENCE,
        };
        if vain != before {
            self.vain.store(vain, Ordering::Relaxed);
        }
    }

    fn use_up(&self, seen: Seen, left: usize) {
        // Relaxed: it says nothing about other data. It fails if an event came since.
        let _ = self
            .word
            .compare_exchange(seen.0, left, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// An event: the operation may succeed.
    pub(super) fn set(&self, drain: bool) {
        let set = READY | if drain { DRAIN } else { 0 };
        // Release: pairs with `look`. The loop ends: it is repeated only if others changed
        // the word.
        let _ = self
            .word
            .fetch_update(Ordering::Release, Ordering::Relaxed, |word| {
                Some((word | set).wrapping_add(EVENT))
            });
    }

    /// The poller `home` reports an edge: its own threads that wait try again. Those of other
    /// workers are told by their own pollers. Whether there was one.
    ///
    /// One by one, so that the list keeps its memory: a wait allocates nothing. Those who come
    /// meanwhile cannot keep it busy, for on this worker they run only after it.
    pub(super) fn event(&self, home: usize, drain: bool) -> bool {
        self.set(drain);
        let mut any = false;
        while let Some(Listed { waiter, .. }) = self.take(home) {
            any = true;
            // SAFETY: it was listed, so it is alive, and taking it out gave us the right to
            // fire it.
            unsafe { Waiter::fire(waiter) };
        }
        any
    }

    /// Takes out the first of those who wait by this poller.
    fn take(&self, home: usize) -> Option<Listed> {
        let mut waiters = self.waiters.lock();
        let found = waiters.iter().position(|listed| listed.home == home)?;
        Some(waiters.remove(found))
    }

    /// Lists a waiter of the worker whose poller is `home`, unless the side is ready.
    ///
    /// # Safety
    ///
    /// The waiter stays where it is until it has been fired or `withdraw` has said `true`.
    pub(super) unsafe fn enlist(&self, waiter: &Waiter, home: usize) -> bool {
        let mut waiters = self.waiters.lock();
        if self.look().is_ready() {
            return false;
        }
        waiters.push(Listed { waiter, home });
        true
    }

    /// Takes the waiter out. `false`: it is being fired.
    pub(super) fn withdraw(&self, waiter: &Waiter) -> bool {
        let mut waiters = self.waiters.lock();
        let found = waiters
            .iter()
            .position(|listed| core::ptr::eq(listed.waiter, waiter));
        found.map(|at| waiters.swap_remove(at)).is_some()
    }

    /// Whether a thread waits by this poller.
    pub(super) fn has_waiter_at(&self, home: usize) -> bool {
        let waiters = self.waiters.lock();
        waiters.iter().any(|listed| listed.home == home)
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_short_operation_uses_readiness_up() {
        let side = Side::new();
        side.came_short(side.look());
        assert!(!side.look().is_ready());
        side.set(false);
        side.came_short(side.look());
        assert!(!side.look().is_ready());
    }

    #[test]
    fn after_some_events_only_one_that_would_block_does() {
        let side = Side::new();
        side.set(true);
        side.came_short(side.look());
        assert!(side.look().is_ready());
        side.would_block(side.look());
        assert!(!side.look().is_ready());
        // And the next event is an ordinary one.
        side.set(false);
        side.came_short(side.look());
        assert!(!side.look().is_ready());
    }

    #[test]
    fn after_two_tries_in_vain_others_run_first() {
        let side = Side::new();
        side.note_try(false);
        assert!(!side.is_probably_in_vain());
        for _ in 0..2 {
            side.note_try(false);
            let waits = (0..2 * PATIENCE).filter(|_| side.is_probably_in_vain());
            assert_eq!(waits.count(), usize::from(PATIENCE));
        }
        side.note_try(true);
        side.note_try(false);
        assert!(!side.is_probably_in_vain());
    }

    #[test]
    fn an_operation_that_began_before_the_event_uses_nothing_up() {
        for drain in [false, true] {
            let side = Side::new();
            let seen = side.look();
            side.set(drain);
            side.came_short(seen);
            side.would_block(seen);
            assert!(side.look().is_ready());
        }
    }
}
