//! Fibers that any worker of their runtime may go on with: those of a runtime that *migrates*.
//!
//! By Rule 1 a started fiber stays on its OS thread. A program may promise that none of its threads needs that;
//! the promise is a [`Roaming`], which only an `unsafe` function makes. What it asks for stands there.
//!
//! A thread that roams has a number of its runtime where others have that of their OS thread: it is
//! [here](super::header::Header::is_here) nowhere. So all that takes a short cut for a fiber of the same OS thread,
//! with plain loads and stores, takes the long way for it, and asks nothing more of the others.
//!
//! | the thread is          | who holds its `Live`              | who may go on with it          |
//! |------------------------|-----------------------------------|--------------------------------|
//! | RUNNING                | the worker that runs it           | that worker                    |
//! | READY                  | a [`RoamingQueue`], or [`Returned`] | who takes it out             |
//! | READY, and bound       | its worker's [`ReadyQueue`](crate::ReadyQueue) | that worker       |
//! | PARKED                 | nobody                            | who wakes it (`state.rs`)      |
//! | BOUND                  | nobody                            | the worker that ran it last    |
//!
//! A thread is *bound* while it may be in the middle of an unwinding: `std` counts panics by OS thread, and would
//! count this one's end on another one.
//!
//! What is the thread's own (its stack, and what `header.rs` says the OS thread touches that runs it) is handed over
//! with its `Live`: by the queue, which is that of `spawn_queue.rs`, or by the state word.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;

use super::handle::Mail;
use super::{Header, Live, NewThread, Thread};
use crate::contract::Runtime;
use crate::owner::{self, Owner};
use crate::spawn_queue::{Others, Queue};
use crate::spin::Spin;
use crate::state::RoamingWake;

/// How many threads one worker takes from another at a time, at most.
const MOST_STOLEN: usize = 32;

/// The promise that the threads of a runtime may change their OS thread, and the runtime's number as the owner of
/// such threads.
#[derive(Debug)]
pub struct Roaming {
    number: usize,
}

/// What a wake-up of a thread that roams has found.
#[must_use]
#[derive(Debug)]
pub enum Woken {
    /// It was parked: the caller goes on with it, or queues it.
    Ready(Live),
    /// It is awake, and will look again.
    Awake,
    /// It is to be woken by the worker that ran it last.
    Elsewhere,
}

impl Roaming {
    /// The promise.
    ///
    /// # Safety
    ///
    /// Of the code of all threads that are started with it: whatever happens between two waits of a thread, it does
    /// not rely on the two being on one OS thread. Word by word that is the contract of the hybrid runtime's
    /// `Builder::migrating`.
    #[must_use]
    pub unsafe fn new() -> Roaming {
        Roaming {
            number: owner::roaming_number(),
        }
    }

    /// Wakes a thread that roams, by the worker that `owner` is.
    ///
    /// # Panics
    ///
    /// If it is not one of these.
    pub fn wake(&self, thread: &Thread, owner: &Owner) -> Woken {
        self.wake_as(thread, Some(owner))
    }

    /// The same by an OS thread that is no worker of this runtime.
    ///
    /// # Panics
    ///
    /// If it is not one of these.
    pub fn wake_from_outside(&self, thread: &Thread) -> Woken {
        self.wake_as(thread, None)
    }

    fn wake_as(&self, thread: &Thread, owner: Option<&Owner>) -> Woken {
        let header = thread.header();
        assert_eq!(header.owner(), self.number, "it roams among other workers");
        let is_its = || owner.is_some_and(|owner| header.runs_on() == owner.key());
        match header.state.roaming_wake(is_its) {
            // SAFETY: a parked thread owns one reference, taken up here; who has moved it out of PARKED, or out of
            // BOUND, is alone in that. It may run here: it roams, or this is the worker that it is bound to.
            RoamingWake::Enqueue => Woken::Ready(unsafe { Live::from_pointer(thread.pointer()) }),
            RoamingWake::Nothing => Woken::Awake,
            RoamingWake::Elsewhere => Woken::Elsewhere,
        }
    }
}

impl Mail {
    /// What it says, of a thread that [roams](Thread::roams): that thread is to be woken.
    #[must_use]
    pub fn read(self) -> Thread {
        // First read, then act: a poster that comes later sends another.
        self.0.header().state.mail_read();
        self.0
    }

    /// Whether it is for a thread that [roams](Thread::roams).
    #[must_use]
    pub fn is_for_roaming(&self) -> bool {
        self.0.roams()
    }
}

impl Thread {
    /// For a runtime: whether the thread, which has started, may change its OS thread.
    #[must_use]
    #[inline]
    pub fn roams(&self) -> bool {
        owner::is_roaming(self.header().owner())
    }

    /// For a runtime: the number of the OS thread that runs the thread, or ran it last, as an owner of fibers. Where
    /// it roams, another one may run it a moment later.
    #[must_use]
    pub fn runs_on(&self) -> usize {
        self.header().runs_on()
    }
}

impl NewThread {
    /// Starts it as a fiber that roams, on the calling OS thread, which is `owner`. `home` answers for it wherever
    /// it is.
    ///
    /// # Panics
    ///
    /// If it is a local thread.
    pub fn start_roaming(self, home: Arc<dyn Runtime>, roaming: &Roaming, owner: &Owner) -> Live {
        self.start_roaming_as(home, roaming.number, owner.key())
    }
}

/// Of a thread that roams. The worker calls these on its own stack.
impl Live {
    /// Whether it may change its OS thread.
    #[must_use]
    #[inline]
    pub fn roams(&self) -> bool {
        self.thread().roams()
    }

    /// Whether it is to go on where it is: only in this worker's own queue.
    #[must_use]
    #[inline]
    pub fn is_bound(&self) -> bool {
        self.header().unwinding.get().may_unwind()
    }

    /// READY -> RUNNING, before its stack is entered on the OS thread that is `owner`.
    ///
    /// # Panics
    ///
    /// If it does not roam, or is bound to another OS thread.
    #[inline]
    pub fn roam_to(&self, owner: &Owner) {
        assert!(
            self.roams() && !(self.is_bound() && self.header().runs_on() != owner.key()),
            "Rule 1: a started fiber does not change its OS thread, unless it roams and is not bound"
        );
        self.note_worker(owner);
        self.header().state.roaming_resume();
    }

    /// Its worker is the one that `owner` is. Also once its stack has been left: of two threads on one stack the other
    /// one may have entered it.
    #[inline]
    fn note_worker(&self, owner: &Owner) {
        // Relaxed: a hint, and those that rely on it have acquired a later state.
        let hint = &self.header().queued_at;
        hint.store(owner.key() as u32, Ordering::Relaxed);
    }

    /// RUNNING -> READY, once its stack has been left on the OS thread that is `owner`. The caller queues it.
    #[inline]
    pub fn roam_ready(&self, owner: &Owner) {
        self.note_worker(owner);
        self.header().state.roaming_yield();
    }

    /// RUNNING -> PARKED, or BOUND, once its stack has been left, on the OS thread that is `owner`. A wake-up that
    /// came meanwhile gives it back: then it is READY and the caller queues it.
    #[inline]
    pub fn roam_park(self, owner: &Owner) -> Option<Live> {
        self.note_worker(owner);
        if !self.header().state.roaming_park(self.is_bound()) {
            return Some(self);
        }
        // It owns itself now: who wakes it takes the reference up again.
        core::mem::forget(self);
        None
    }
}

/// A worker's threads that roam and are ready, first in, first out. Other workers may [take](RoamingStealer) them.
///
/// It belongs to one OS thread, and is not `Sync`.
pub struct RoamingQueue(Queue<Header>);

/// The end of a [`RoamingQueue`] that other workers have.
pub struct RoamingStealer(Others<Header>);

/// Gives a thread up to whoever takes it.
///
/// # Panics
///
/// If it does not roam, or is bound.
#[inline]
fn give_up(thread: Live) -> NonNull<Header> {
    assert!(
        thread.roams() && !thread.is_bound(),
        "Rule 1: a started fiber does not change its OS thread, unless it roams and is not bound"
    );
    thread.into_pointer()
}

/// # Safety
///
/// It comes from [`give_up`], and was taken out once.
unsafe fn take_up(header: NonNull<Header>) -> Live {
    // SAFETY: the right to run it was given up for the pointer. That it is made anew on another OS thread is what
    // the program has promised by its `Roaming`, without which no thread roams.
    unsafe { Live::from_pointer(header) }
}

impl RoamingQueue {
    /// An empty one.
    #[must_use]
    pub fn new() -> RoamingQueue {
        RoamingQueue(Queue::new())
    }

    /// The other end.
    #[must_use]
    pub fn stealer(&self) -> RoamingStealer {
        RoamingStealer(self.0.others())
    }

    /// Puts a thread behind all others.
    ///
    /// # Panics
    ///
    /// If it does not roam, or is [bound](Live::is_bound).
    #[inline]
    pub fn push(&self, thread: Live) {
        self.0.push(give_up(thread));
    }

    /// Takes the first.
    #[inline]
    pub fn pop(&self) -> Option<Live> {
        // SAFETY: `push` put it in, and it was taken out once.
        self.0.pop().map(|header| unsafe { take_up(header) })
    }

    /// How many threads there are, at most.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is certainly none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl RoamingStealer {
    /// How many threads there are, at most.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: it looks, and is slower than [`len`](RoamingStealer::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 || self.0.is_empty()
    }

    /// Takes the first.
    #[must_use]
    pub fn steal(&self) -> Option<Live> {
        // SAFETY: `push` put it in, and it was taken out once.
        self.0.steal().map(|header| unsafe { take_up(header) })
    }

    /// Takes the first, and up to half of the others into `into`, the caller's own.
    #[must_use]
    pub fn steal_half(&self, into: &RoamingQueue) -> Option<Live> {
        let more = (self.len() / 2).min(MOST_STOLEN);
        let first = self.steal()?;
        (1..more)
            .map_while(|_| self.steal())
            .for_each(|thread| into.push(thread));
        Some(first)
    }
}

impl Default for RoamingQueue {
    fn default() -> RoamingQueue {
        RoamingQueue::new()
    }
}

impl fmt::Debug for RoamingQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoamingQueue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RoamingStealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoamingStealer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Threads that roam and were woken from outside their workers, first in, first out.
pub struct Returned {
    threads: Spin<VecDeque<NonNull<Header>>>,
    len: AtomicUsize,
}

// SAFETY: the pointers are given up by who pushes and taken up by who pops; the lock hands them over.
unsafe impl Send for Returned {}
// SAFETY: as above.
unsafe impl Sync for Returned {}

impl Returned {
    /// None.
    #[must_use]
    pub fn new() -> Returned {
        Returned {
            threads: Spin::new(VecDeque::new()),
            len: AtomicUsize::new(0),
        }
    }

    /// Puts a thread behind all others.
    ///
    /// # Panics
    ///
    /// If it does not roam, or is [bound](Live::is_bound).
    pub fn push(&self, thread: Live) {
        let header = give_up(thread);
        let mut threads = self.threads.lock();
        threads.push_back(header);
        // Relaxed: a hint. Who is about to sleep looks after a fence.
        self.len.store(threads.len(), Ordering::Relaxed);
    }

    /// Takes the first.
    #[must_use]
    pub fn pop(&self) -> Option<Live> {
        if self.is_empty() {
            return None;
        }
        let mut threads = self.threads.lock();
        let header = threads.pop_front()?;
        self.len.store(threads.len(), Ordering::Relaxed);
        // SAFETY: `push` put it in, and it was taken out once.
        Some(unsafe { take_up(header) })
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }
}

impl Default for Returned {
    fn default() -> Returned {
        Returned::new()
    }
}

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
