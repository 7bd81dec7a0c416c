//! Waiting for a thread's end, and its result.
//!
//! The join word says who takes care of the result:
//!
//! | word     | meaning                                  | leaves by                          |
//! |----------|------------------------------------------|------------------------------------|
//! | NONE     | the thread runs, its handle is kept      | `finish`, `detach`, `enlist`       |
//! | a waiter | the thread runs, a joiner waits          | `finish` (fires it), `withdraw`    |
//! | DETACHED | the thread runs, its handle is gone      | `finish` (drops the result)        |
//! | DONE     | the thread has ended; the result is the handle's | never                      |

use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::thread::Result;

use super::Thread;
use super::header::Header;
use crate::cancel;
use crate::reason::Reason;
use crate::wait::{Outcome, Wait, Waiter};

const DETACHED: usize = 1;
const DONE: usize = 2;

fn mark(value: usize) -> *mut Waiter {
    ptr::without_provenance_mut(value)
}

pub(crate) struct JoinWord(AtomicPtr<Waiter>);

/// What the ending thread has to do.
#[must_use]
pub(crate) enum Ending {
    /// Nothing: the handle will fetch the result.
    Kept,
    /// Fire the joiner's waiter.
    Joined(*const Waiter),
    /// Drop the result: nobody will ask.
    Detached,
}

impl JoinWord {
    pub(crate) fn new() -> JoinWord {
        JoinWord(AtomicPtr::new(ptr::null_mut()))
    }

    /// The thread has ended and its result is in place.
    pub(crate) fn finish(&self) -> Ending {
        // Release: pairs with `is_done`, `enlist` and `detach` (the result is in place);
        // Acquire: pairs with `enlist` (the waiter is in place).
        let before = self.0.swap(mark(DONE), Ordering::AcqRel);
        match before.addr() {
            0 => Ending::Kept,
            DETACHED => Ending::Detached,
            _ => Ending::Joined(before),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with `finish`.
        self.0.load(Ordering::Acquire).addr() == DONE
    }

    /// Whether the handle has gone. It never comes back.
    pub(crate) fn is_detached(&self) -> bool {
        // Relaxed: the result is the thread's own, before and after.
        self.0.load(Ordering::Relaxed).addr() == DETACHED
    }

    /// The handle goes. `true`: the thread has ended before; the result is the caller's.
    fn detach(&self) -> bool {
        if self.is_done() {
            return true;
        }
        // Acquire on failure: pairs with `finish`.
        self.0
            .compare_exchange(
                ptr::null_mut(),
                mark(DETACHED),
                Ordering::Relaxed,
                Ordering::Acquire,
            )
            .is_err()
    }

    /// A joiner waits. `false`: no need to, the thread has ended.
    ///
    /// # Safety
    ///
    /// The waiter stays where it is until it has been fired or `withdraw` has said `true`.
    unsafe fn enlist(&self, waiter: &Waiter) -> bool {
        let waiter = ptr::from_ref(waiter).cast_mut();
        // Release: pairs with `finish`. Acquire on failure: pairs with `finish`.
        self.0
            .compare_exchange(
                ptr::null_mut(),
                waiter,
                Ordering::Release,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// The joiner gives up. `false`: too late, its waiter is being fired.
    fn withdraw(&self, waiter: &Waiter) -> bool {
        let waiter = ptr::from_ref(waiter).cast_mut();
        self.0
            .compare_exchange(
                waiter,
                ptr::null_mut(),
                Ordering::Relaxed,
                Ordering::Acquire,
            )
            .is_ok()
    }
}

/// An owned permission to join a thread. Dropping it detaches the thread, which then runs
/// on by itself.
///
/// It works from every thread: one of another runtime, and a plain `std::thread` too.
pub struct JoinHandle<T> {
    thread: Thread,
    result: PhantomData<fn() -> T>,
}

// SAFETY: the handle moves the result from the thread that made it to the one that joins.
// Only threads whose result is `Send` are given one.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: a shared handle gives access to the `Thread` only, which is `Sync`.
unsafe impl<T> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    ///
    /// It is the only handle of a thread whose result is a `T`.
    pub(super) unsafe fn new(thread: Thread) -> JoinHandle<T> {
        JoinHandle {
            thread,
            result: PhantomData,
        }
    }

    /// The thread itself: its name and id, and `unpark`.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether the thread has ended, so that `join` would return at once.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.header().join.is_done()
    }

    /// Asks the thread to end; see [`Thread::cancel`]. `join` tells when it has.
    pub fn cancel(&self) {
        self.thread.cancel();
    }

    /// Waits for the thread to end and returns its result.
    ///
    /// It parks the calling thread in every model, and is a cancellation point. What the
    /// thread did is seen after `join` returned.
    ///
    /// # Errors
    ///
    /// The payload of the thread's panic; [`Cancelled`](crate::cancel::Cancelled) if the
    /// thread was cancelled.
    ///
    /// # Panics
    ///
    /// If a thread joins itself, which would wait for ever.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        self.join_by(Wait::new(Reason::Join).cancellable())
    }

    /// The same, and no cancellation point.
    #[track_caller]
    pub(crate) fn join_in_any_case(self) -> Result<T> {
        self.join_by(Wait::new(Reason::Join))
    }

    fn join_by(self, wait: Wait) -> Result<T> {
        if !self.is_finished() {
            self.wait(wait);
        }
        let header = self.thread.header();
        // SAFETY: the thread has ended and this is its only handle, so the result is ours
        // to take; the type is right by the promise made to `new`.
        let result = unsafe { Header::take::<T>(self.thread.pointer()) };
        if let Err(payload) = &result
            && !payload.is::<cancel::Cancelled>()
            && let Some(scope) = &header.traits.scope
        {
            scope.panic_was_seen();
        }
        result
    }

    #[cold]
    #[track_caller]
    fn refuse_self(&self) -> ! {
        panic!(
            "thread {:?} joins itself: it would wait for its own end for ever",
            self.thread
        )
    }

    fn wait(&self, wait: Wait) {
        if self.thread.is_current() {
            self.refuse_self();
        }
        let word = &self.thread.header().join;
        let waiter = Waiter::new();
        // SAFETY: we return, or unwind, after it was fired, or was withdrawn; and what waits
        // in between does not unwind.
        if !unsafe { word.enlist(&waiter) } {
            return;
        }
        if waiter.wait(&wait) == Outcome::Cancelled {
            if word.withdraw(&waiter) {
                cancel::raise();
            }
            // The thread has ended at this very moment; the waiter must be fired first.
            let _ = waiter.wait(&Wait {
                cancellable: false,
                ..wait
            });
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let header = self.thread.header();
        if !header.join.detach() {
            return;
        }
        // SAFETY: the thread has ended, so what is left of its result is the handle's.
        unsafe { Header::clear(self.thread.pointer()) };
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}
