//! A worker's queue of threads that have not started: `spawn_queue.rs`, filled with threads.

use core::fmt;
use core::sync::atomic::Ordering;

use crate::spawn_queue::{Others, Queue};
use crate::thread::{Header, NewThread, Thread, fiber};

/// How many threads one worker takes from another at a time, at most.
const MOST_STOLEN: usize = 32;
/// How many places [`SpawnQueue::claim_last`] looks at.
const LAST: usize = 16;
/// What so many threads are made of does not stay in the cache until they start.
const MANY: usize = 2048;
/// So many turns ahead a control block is asked for.
const AHEAD: u64 = 8;

/// Threads that were spawned on one worker and have not started, first in, first out. Other workers may
/// [take](Stealer) them, and a thread of the worker that joins one may [take it out](SpawnQueue::claim).
///
/// It belongs to one OS thread, and is not `Sync`.
pub struct SpawnQueue(Queue<Header>);

/// The end of a [`SpawnQueue`] that other workers have.
pub struct Stealer(Others<Header>);

impl SpawnQueue {
    /// An empty one.
    #[must_use]
    pub fn new() -> SpawnQueue {
        SpawnQueue(Queue::new())
    }

    /// The other end.
    #[must_use]
    pub fn stealer(&self) -> Stealer {
        Stealer(self.0.others())
    }

    /// Puts a thread behind all others. It may move to another OS thread: no
    /// [local](NewThread::is_local) one.
    #[inline]
    pub fn push(&self, thread: NewThread) {
        debug_assert!(!thread.is_local(), "others may take it");
        let header = thread.into_pointer();
        // Relaxed: a hint, which ends as the number does; only who finds the thread in that slot takes it.
        let number = self.0.next_number() as u32;
        // SAFETY: we have just been given it.
        unsafe { header.as_ref() }
            .queued_at
            .store(number, Ordering::Relaxed);
        self.0.push(header);
    }

    /// Takes the first.
    #[inline]
    pub fn pop(&self) -> Option<NewThread> {
        self.prefetch(self.0.first_number());
        // SAFETY: `push` put it in, and it was taken out once.
        self.0
            .pop()
            .map(|header| unsafe { NewThread::from_pointer(header) })
    }

    /// Takes this thread out, if it is there.
    #[inline]
    pub fn claim(&self, thread: &Thread) -> Option<NewThread> {
        let header = thread.pointer();
        // Relaxed: a hint.
        let number = thread.header().queued_at.load(Ordering::Relaxed);
        self.prefetch(u64::from(number));
        // SAFETY: it was there, so `push` put it in; and it was taken out once.
        self.0
            .claim(header, u64::from(number))
            .then(|| unsafe { NewThread::from_pointer(header) })
    }

    /// Asks for the thread that comes some turns after this one.
    #[inline]
    fn prefetch(&self, number: u64) {
        if self.len() >= MANY {
            // Others may take it, and free it: it is not read.
            fiber::prefetch_block(self.0.peek(number.wrapping_add(AHEAD)));
        }
    }

    /// Takes the last thread out, if it is `wanted`. It looks at the last few places.
    pub fn claim_last(&self, wanted: impl Fn(&Thread) -> bool) -> Option<NewThread> {
        // Before it is ours it may start elsewhere, end, and be freed.
        let header = self.0.pop_last(LAST)?;
        // SAFETY: `push` put it in, and it was taken out once.
        let thread = unsafe { NewThread::from_pointer(header) };
        if wanted(thread.thread()) {
            return Some(thread);
        }
        self.push(thread);
        None
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

impl Stealer {
    /// How many threads there are, at most: those that were taken out of the middle count for a while.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: it looks, and is slower than [`len`](Stealer::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 || self.0.is_empty()
    }

    /// Takes the first.
    #[must_use]
    pub fn steal(&self) -> Option<NewThread> {
        // SAFETY: `push` put it in, and it was taken out once.
        self.0
            .steal()
            .map(|header| unsafe { NewThread::from_pointer(header) })
    }

    /// Takes the first, and up to half of the others into `into`, the caller's own.
    #[must_use]
    pub fn steal_half(&self, into: &SpawnQueue) -> Option<NewThread> {
        let more = (self.len() / 2).min(MOST_STOLEN);
        let first = self.steal()?;
        (1..more)
            .map_while(|_| self.steal())
            .for_each(|thread| into.push(thread));
        Some(first)
    }
}

impl Default for SpawnQueue {
    fn default() -> SpawnQueue {
        SpawnQueue::new()
    }
}

impl Drop for SpawnQueue {
    fn drop(&mut self) {
        while let Some(thread) = self.pop() {
            drop(thread);
        }
    }
}

impl fmt::Debug for SpawnQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnQueue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Stealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
