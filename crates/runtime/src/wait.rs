//! One wait of one thread: the only way in which anything above the contract blocks.
//!
//! A [`Waiter`] lives on the stack of the thread that waits. Whoever makes its condition
//! true fires it, once. The pair is exact where [`Runtime::park`](crate::Runtime::park)
//! is not: it may return early, a waiter that was not fired goes on waiting.
//!
//! | word    | meaning                       | leaves by                                  |
//! |---------|-------------------------------|--------------------------------------------|
//! | WAITING | nobody has fired it           | `fire`, or the owner gives up and takes it out of wherever others find it |
//! | FIRED   | it is over                    | never: the owner may return at any moment, and the waiter with it |
//!
//! Therefore `fire` takes what it needs to wake the thread before it sets the word, and
//! does not touch the waiter afterwards.

use core::panic::Location;
use std::time::Instant;

use crate::atomic::{AtomicU32, Ordering};
use crate::no_suspend;
use crate::reason::Reason;

const WAITING: u32 = 0;
const FIRED: u32 = 1;

/// How to wait: for what (dumps show it), until when, and whether a cancellation ends it.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub(crate) reason: Reason,
    pub(crate) place: &'static Location<'static>,
    pub(crate) until: Option<Instant>,
    pub(crate) cancellable: bool,
}

impl Wait {
    /// Waits without limit; cancellation does not end it. The place is the caller's.
    #[track_caller]
    #[must_use]
    #[inline]
    pub fn new(reason: Reason) -> Wait {
        let place = Location::caller();
        no_suspend::prepare(reason, place);
        Wait {
            reason,
            place,
            until: None,
            cancellable: false,
        }
    }

    /// Gives up at this time, if one is given.
    #[must_use]
    #[inline]
    pub fn until(self, until: Option<Instant>) -> Wait {
        Wait { until, ..self }
    }

    /// Gives the lock back to the caller, under which it will make a waiter; but lets it go, and
    /// panics, inside [`no_suspend`](crate::thread::no_suspend). [`Waiter::new`] panics there by
    /// itself, and no code of others, a panic hook's or a message's destructor, is to run with a spin
    /// lock held.
    ///
    /// # Panics
    ///
    /// Inside `no_suspend`.
    #[inline]
    pub fn allow<G>(&self, lock: G) -> G {
        if no_suspend::is_on() {
            drop(lock);
            no_suspend::refuse(self.reason, self.place);
        }
        lock
    }

    /// Makes it a cancellation point.
    #[must_use]
    #[inline]
    pub fn cancellable(self) -> Wait {
        Wait {
            cancellable: true,
            ..self
        }
    }

    /// The same wait, at the same place, for as long as it takes: what it waits for is on its way.
    #[must_use]
    #[inline]
    pub fn unlimited(self) -> Wait {
        Wait {
            until: None,
            cancellable: false,
            ..self
        }
    }

    /// The same wait, noted at this place.
    #[cfg(not(trefoil_loom))]
    pub(crate) fn placed(self, place: &'static Location<'static>) -> Wait {
        Wait { place, ..self }
    }

    /// When it gives up.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }
}

/// How a wait ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was waited for has come.
    Woken,
    /// The time has come first.
    TimedOut,
    /// The thread was asked to end. The caller puts its things in order, then calls
    /// [`cancel::raise`](crate::cancel::raise).
    Cancelled,
}

/// A thread that waits for one event.
///
/// ```
/// use std::sync::atomic::{AtomicPtr, Ordering};
/// use trefoil_runtime::{Outcome, Reason, Wait, Waiter};
///
/// let waiter = Waiter::new();
/// std::thread::scope(|scope| {
///     let place = AtomicPtr::new((&raw const waiter).cast_mut());
///     scope.spawn(move || {
///         // SAFETY: the waiter lives until it is fired, and only we fire it.
///         unsafe { Waiter::fire(place.load(Ordering::Relaxed)) };
///     });
///     assert_eq!(waiter.wait(&Wait::new(Reason::Park)), Outcome::Woken);
/// });
/// ```
#[derive(Debug)]
pub struct Waiter {
    word: AtomicU32,
    thread: imp::Me,
}

impl Waiter {
    /// A waiter of the current thread.
    ///
    /// # Panics
    ///
    /// Inside [`no_suspend`](crate::thread::no_suspend), with the place of the [`Wait`] that was made
    /// last in there.
    #[must_use]
    #[inline]
    #[track_caller]
    pub fn new() -> Waiter {
        no_suspend::check();
        Waiter {
            word: AtomicU32::new(WAITING),
            thread: imp::me(),
        }
    }

    /// Whether it has been fired. Acquire: what was written before `fire` is seen.
    #[must_use]
    #[inline]
    pub fn is_fired(&self) -> bool {
        // Acquire: pairs with `fire`.
        self.word.load(Ordering::Acquire) == FIRED
    }

    /// Waits until it is fired, or as `wait` says. Only the thread that made the waiter
    /// calls it. After `TimedOut` or `Cancelled` others may still find the waiter and
    /// fire it: take it out first, and if somebody else has taken it already, wait again
    /// without a limit.
    #[inline(always)]
    pub fn wait(&self, wait: &Wait) -> Outcome {
        imp::wait(self, wait)
    }

    /// Fires the waiter: its thread will return from `wait`. Any thread may call it.
    ///
    /// # Safety
    ///
    /// `waiter` is alive, is fired once, and stays where it is until it has been fired.
    #[inline]
    pub unsafe fn fire(waiter: *const Waiter) {
        // SAFETY: passed on.
        unsafe { imp::fire(waiter) }
    }
}

impl Default for Waiter {
    fn default() -> Waiter {
        Waiter::new()
    }
}

#[cfg(not(trefoil_loom))]
mod imp {
    use super::{FIRED, Outcome, Wait, Waiter};
    use crate::atomic::Ordering;
    use crate::current;
    use crate::no_unwind::no_unwind;
    use crate::thread::ThreadRef;

    pub(super) type Me = ThreadRef;

    #[inline]
    pub(super) fn me() -> Me {
        current::thread_ref()
    }

    #[inline(always)]
    pub(super) fn wait(waiter: &Waiter, wait: &Wait) -> Outcome {
        current::wait_until(wait, || waiter.is_fired())
    }

    // Not inlined: a fiber that roams keeps no address of an OS thread's own.
    #[inline(never)]
    pub(super) unsafe fn fire(waiter: *const Waiter) {
        // SAFETY: by the contract of `Waiter::fire` it is alive until its word changes,
        // and so is its thread, which does not return before.
        let (word, thread) = unsafe { (&raw const (*waiter).word, (*waiter).thread) };
        // SAFETY: as above.
        if let Some(thread) = unsafe { thread.here() } {
            // A fiber of this OS thread: it runs only after we have returned.
            // SAFETY: as above.
            unsafe { (*word).store(FIRED, Ordering::Relaxed) };
            // SAFETY: it has started, for it made the waiter. Here and below.
            no_unwind(|| unsafe { thread.wake() });
            return;
        }
        // SAFETY: as above.
        let thread = unsafe { thread.upgrade() };
        // Release: pairs with `is_fired`. From here on the waiter may be gone.
        // SAFETY: as above, until this very store.
        unsafe { (*word).store(FIRED, Ordering::Release) };
        // Whoever fires may have listed a waiter of its own.
        // SAFETY: as above; whoever told us of the waiter did so after it was made.
        no_unwind(|| unsafe { thread.wake() });
    }
}

/// loom's threads stand for ours: what is checked is the code above the waiter.
#[cfg(trefoil_loom)]
mod imp {
    use super::{FIRED, Outcome, Wait, Waiter};
    use crate::atomic::Ordering;

    pub(super) type Me = loom::thread::Thread;

    pub(super) fn me() -> Me {
        loom::thread::current()
    }

    pub(super) fn wait(waiter: &Waiter, wait: &Wait) -> Outcome {
        while !waiter.is_fired() {
            if wait.until.is_some() {
                // Any time is as good as another: loom tries them all.
                loom::thread::yield_now();
                let fired = waiter.is_fired();
                return if fired {
                    Outcome::Woken
                } else {
                    Outcome::TimedOut
                };
            }
            loom::thread::park();
        }
        Outcome::Woken
    }

    pub(super) unsafe fn fire(waiter: *const Waiter) {
        // SAFETY: by the contract of `Waiter::fire` it is alive until its word changes.
        unsafe {
            let thread = (*waiter).thread.clone();
            // Release: pairs with `is_fired`.
            (*waiter).word.store(FIRED, Ordering::Release);
            thread.unpark();
        }
    }
}

#[cfg(all(test, trefoil_loom))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    /// What is written before `fire` is seen after `wait`, and the wait ends.
    #[test]
    fn a_fired_waiter_returns() {
        loom::model(|| {
            let data = Arc::new(AtomicUsize::new(0));
            let waiter = Box::new(Waiter::new());
            let place = &raw const *waiter as usize;
            let other = {
                let data = Arc::clone(&data);
                loom::thread::spawn(move || {
                    data.store(1, Ordering::Relaxed);
                    // SAFETY: the box lives until the waiter was fired.
                    unsafe { Waiter::fire(place as *const Waiter) };
                })
            };
            assert_eq!(waiter.wait(&Wait::new(Reason::Park)), Outcome::Woken);
            assert_eq!(data.load(Ordering::Relaxed), 1);
            other.join().unwrap();
        });
    }
}
