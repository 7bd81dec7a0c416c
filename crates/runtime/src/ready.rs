//! A worker's queue of threads that are ready: first in, first out, linked through the
//! control blocks, touched by its OS thread only. A thread that has not started may stand
//! in it as well, if it is to be started here.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::state::RunState;
use crate::thread::{Header, Live, NewThread};

/// A thread whose turn it is.
#[derive(Debug)]
pub enum Next {
    /// It has not started: give it a stack.
    New(NewThread),
    /// It goes on.
    Ready(Live),
}

/// A queue of threads that are ready.
pub struct ReadyQueue {
    head: Cell<Option<NonNull<Header>>>,
    tail: Cell<Option<NonNull<Header>>>,
    len: Cell<usize>,
    _not_send: PhantomData<*const ()>,
}

impl ReadyQueue {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> ReadyQueue {
        ReadyQueue {
            head: Cell::new(None),
            tail: Cell::new(None),
            len: Cell::new(0),
            _not_send: PhantomData,
        }
    }

    /// Puts a thread last.
    #[inline]
    pub fn push(&self, thread: Live) {
        // SAFETY: a `Live` has a reference and is the right to run the thread; it exists once,
        // so the thread stands in no queue.
        unsafe { self.link(thread.into_pointer()) };
    }

    /// Puts a thread last that has not started.
    #[inline]
    pub fn push_new(&self, thread: NewThread) {
        // SAFETY: as in `push`, with the right to start it.
        unsafe { self.link(thread.into_pointer()) };
    }

    /// # Safety
    ///
    /// The caller gives up a reference, and with it the right to run the thread, or to start
    /// it if it has not started. It stands in no queue.
    #[inline]
    unsafe fn link(&self, header: NonNull<Header>) {
        match self.tail.replace(Some(header)) {
            // SAFETY: the queue holds the threads' references; their links are its own.
            Some(last) => unsafe { last.as_ref().next_ready.set(Some(header)) },
            None => self.head.set(Some(header)),
        }
        self.len.set(self.len.get() + 1);
    }

    /// Takes the first thread.
    #[inline]
    pub fn pop(&self) -> Option<Next> {
        let header = self.head.get()?;
        // SAFETY: the queue holds the thread's reference; its link is the queue's own.
        let next = unsafe { header.as_ref() }.next_ready.take();
        self.head.set(next);
        if next.is_none() {
            self.tail.set(None);
        }
        self.len.set(self.len.get() - 1);
        // SAFETY: the header is alive. The right to run the thread, or to start it, was put
        // in by `push` or `push_new`, on this OS thread; its state tells which.
        Some(unsafe {
            if header.as_ref().state.get() == RunState::New {
                Next::New(NewThread::from_pointer(header))
            } else {
                Next::Ready(Live::from_pointer(header))
            }
        })
    }

    /// How many threads are ready.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether none is.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.get().is_none()
    }
}

impl Default for ReadyQueue {
    fn default() -> ReadyQueue {
        ReadyQueue::new()
    }
}

impl fmt::Debug for ReadyQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyQueue")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
