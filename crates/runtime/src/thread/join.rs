//! Waiting for a thread's end, and its result.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::Ordering;
use std::thread::Result;

use super::Thread;
use super::header::Header;
use super::inline;
use crate::cancel;
use crate::current;
use crate::join_word::Joiner;
use crate::reason::Reason;
use crate::wait::{Outcome, Wait, Waiter};

/// An owned permission to join a thread. Dropping it detaches the thread, which then runs
/// on by itself.
///
/// It works from every thread: one of another runtime, and a plain `std::thread` too.
///
/// ```
/// use trefoil_runtime::thread::{self, JoinHandle};
///
#[doc = include_str!("in_a_run.md")]
/// # run(|| {
/// let adder: JoinHandle<i32> = thread::spawn(|| 1 + 1);
/// // Anybody may join it.
/// let joins = std::thread::spawn(move || adder.join().unwrap());
/// assert_eq!(joins.join().unwrap(), 2);
/// # });
/// ```
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

    /// The thread itself: its name and id, and `unpark`. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let waits = thread::spawn(thread::park);
    /// waits.thread().unpark();
    /// waits.join().unwrap();
    /// # });
    /// ```
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether the thread has ended, so that `join` would return at once. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let adder = thread::spawn(|| 1 + 1);
    /// while !adder.is_finished() {
    ///     thread::yield_now();
    /// }
    /// assert_eq!(adder.join().unwrap(), 2); // at once
    /// # });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.header().join.is_done()
    }

    /// Asks the thread to end; see [`Thread::cancel`]. `join` tells when it has. Does not wait.
    ///
    /// ```
    /// use trefoil_runtime::cancel::Cancelled;
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let waits = thread::spawn(thread::park);
    /// waits.cancel();
    /// assert!(waits.join().unwrap_err().is::<Cancelled>());
    /// # });
    /// ```
    pub fn cancel(&self) {
        self.thread.cancel();
    }

    /// Calls `hook` when the thread has ended, on that thread, after its result is in place and its locals
    /// are gone; or at once and here, if it has ended. The hook is called once, also if the handle has gone
    /// by then. Does not wait.
    ///
    /// It is for telling somebody who waits for several things: a channel's end, a waker. It must be
    /// short, and wait for nothing; its panic is told by the panic hook and ends there, or is the caller's
    /// where it is called at once.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use trefoil_runtime::thread::{self, JoinHandle};
    ///
    /// /// Tells a channel of `std` that the thread has ended.
    /// fn end_of<T>(handle: &JoinHandle<T>) -> mpsc::Receiver<()> {
    ///     let (sender, receiver) = mpsc::channel();
    ///     handle.on_finish(move || drop(sender.send(())));
    ///     receiver
    /// }
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// let adder = thread::spawn(|| 1 + 1);
    /// end_of(&adder).recv().unwrap();
    /// assert!(adder.is_finished());
    /// # });
    /// ```
    pub fn on_finish(&self, hook: impl FnOnce() + Send + 'static) {
        if let Err(hook) = self.thread.header().join.tell(Box::new(hook)) {
            hook();
        }
    }

    /// Waits for the thread to end and returns its result.
    ///
    /// It parks the calling thread in every model, and is a cancellation point. What the
    /// thread did is seen after `join` returned.
    ///
    /// A green or hybrid thread may run the other one itself, on its own stack, instead of parking, if that one
    /// has not started. The other one has its own name, locals and cancellation all the same, and three quarters at
    /// least of the stack that is usual, or all that it asked for. The caller is then told of its own cancellation
    /// when the other one has ended; so this is done, outside of timeouts, where the last 64 threads spawned by the
    /// same line with the same closure have not waited, other than for threads of their own model like themselves.
    /// `docs/cancellation.md` has more.
    ///
    /// # Errors
    ///
    /// The payload of the thread's panic; [`Cancelled`](crate::cancel::Cancelled) if the
    /// thread was cancelled.
    ///
    /// # Panics
    ///
    /// If a thread joins itself, which would wait for ever.
    ///
    /// ```
    /// use trefoil_runtime::thread;
    ///
    #[doc = include_str!("in_a_run.md")]
    /// # run(|| {
    /// assert_eq!(thread::spawn(|| 1 + 1).join().unwrap(), 2);
    /// let panic = thread::spawn(|| panic!("no luck")).join().unwrap_err();
    /// assert_eq!(panic.downcast_ref(), Some(&"no luck"));
    /// # });
    /// ```
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
        if self.is_finished() {
            current::spend();
        } else if !inline::join(&self.thread, &wait) {
            self.wait(wait);
        }
        let header = self.thread.header();
        // Relaxed: written before the end that we have seen.
        if header.waited.load(Ordering::Relaxed) {
            current::note_waited();
        }
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

    /// # Panics
    ///
    /// If the thread is the current one.
    #[track_caller]
    pub(super) fn refuse_self(&self) {
        assert!(
            !self.thread.is_current(),
            "thread {:?} joins itself: it would wait for its own end for ever",
            self.thread
        );
    }

    fn wait(&self, wait: Wait) {
        self.refuse_self();
        let word = &self.thread.header().join;
        let waiter = Waiter::new();
        let joiner = Joiner::new(&waiter);
        // SAFETY: we return, or unwind, after it was fired, or was withdrawn; and what waits
        // in between does not unwind. The handle is ours.
        if !unsafe { word.enlist(&waiter, &joiner) } {
            return;
        }
        if self.thread.model() != current::model() {
            // That one computes, or blocks, on an OS thread of its own: this is no computation of ours.
            current::note_waited();
        }
        if waiter.wait(&wait) == Outcome::Cancelled {
            // For what, is not known: the other one goes on.
            current::note_waited();
            if word.withdraw(&waiter, &joiner) {
                cancel::raise();
            }
            // The thread has ended at this very moment; the waiter must be fired first.
            let _ = waiter.wait(&wait.unlimited());
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
